"""What options have in common."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["Names", "as_names"]

Names = str | Sequence[str]
"""One name, or several."""


def as_names(value: Names) -> tuple[str, ...]:
    """A tuple of names; one name alone may come without its tuple.

    Examples
    --------
    >>> as_names("F =~ x3"), as_names(["F =~ x3", "F =~ x4"])
    (('F =~ x3',), ('F =~ x3', 'F =~ x4'))
    """
    return (value,) if isinstance(value, str) else tuple(value)
