"""Moments of data of any size: the rows pass by once, in blocks, and only moments are kept.

`sources` makes blocks of rows of whatever is lazy, `blocks` reduces one of them to a `Part`, `parts` puts parts
together, `clusters` does both where the rows are (Dask, PySpark), and `reading` turns the whole into `SampleMoments`.
"""
