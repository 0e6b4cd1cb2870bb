"""Fits in files: what `save` writes, `load` reads, today and with later versions.

A file is a zip archive of one JSON document and arrays in NumPy's format. Nothing in it is executed: reading makes only
what `registry` lists, from fields that the document names. What a fit computed from other parts of itself, compiled
models above all, is not stored but made again by the code that made it (`recipes`).
"""

from __future__ import annotations

from .entry import Header, load, read_header, save

__all__ = ["Header", "load", "read_header", "save"]
