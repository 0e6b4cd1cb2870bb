"""How results show themselves: the summary in a console, the same as HTML in a notebook."""

from __future__ import annotations

__all__ = ["Displayed"]


class Displayed:
    """A result that prints as its summary.

    The summary is imported when it is asked for: results know nothing of how they are shown.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        from .report.summary import summarize

        return summarize(self)

    def _repr_html_(self) -> str:
        from .report.summary import summarize_html

        return summarize_html(self)
