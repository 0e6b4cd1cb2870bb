"""What the functions that show results can be given."""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import OptionError

__all__ = ["no_such_result"]


def no_such_result(fit: object, function: str, known: Iterable[type]) -> OptionError:
    """The error of a function that was given what it does not show.

    Parameters
    ----------
    fit
        What was given.
    function
        Name of the function.
    known
        Types that it shows, `object` for all others.

    Examples
    --------
    >>> print(no_such_result(None, "tidy", [object, int, float]))
    tidy() got NoneType
      allowed: float, int
      next: give the result of a fit
    """
    todo = "give the result of a fit"
    if hasattr(fit, "to_pandas"):
        todo = "its values are in to_pandas()"
    elif callable(getattr(fit, "fit", None)):
        todo = "call its fit() with the data first, and give what that returns"
    names = sorted((kind.__name__ for kind in known if kind is not object), key=str.casefold)
    return OptionError(f"{function}() got {type(fit).__name__}", allowed=", ".join(names), todo=todo)
