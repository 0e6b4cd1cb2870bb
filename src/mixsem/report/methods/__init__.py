"""How a result was obtained, as a paragraph for a methods section: in full sentences, with its sources.

One file per family of results; `text.py` is what they make, `sources.py` what they cite, `entry.py` finds the one that
knows a result. Every number in the sentences is read from the fit.
"""

from .text import MethodsText

__all__ = ["MethodsText"]
