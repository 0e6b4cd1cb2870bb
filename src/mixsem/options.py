"""What options have in common."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from numbers import Integral

from .errors import OptionError

__all__ = ["Names", "as_names", "require_progress", "require_seed"]

Names = str | Sequence[str]
"""One name, or several."""


def as_names(value: Names, option: str = "names") -> tuple[str, ...]:
    """A tuple of names; one name alone may come without its tuple.

    Parameters
    ----------
    value
        One name or several.
    option
        What the option is called, for the error.

    Raises
    ------
    OptionError
        If there is anything but text.

    Examples
    --------
    >>> as_names("F =~ x3"), as_names(["F =~ x3", "F =~ x4"])
    (('F =~ x3',), ('F =~ x3', 'F =~ x4'))
    """
    names: tuple[object, ...] = (value,) if isinstance(value, str) or not isinstance(value, Iterable) else tuple(value)
    texts = tuple(name for name in names if isinstance(name, str))
    if len(texts) < len(names):
        raise OptionError(
            f"{option}={value!r}",
            allowed="a name, several names, or () for none",
            todo=f"leave {option}= out for its default, or give {option}=()",
        )
    return texts


def require_seed(seed: object) -> None:
    """Refuse what cannot start a stream of random numbers.

    Raises
    ------
    OptionError
        If it is neither None nor a whole number, 0 or more.
    """
    whole = isinstance(seed, Integral) and not isinstance(seed, bool)
    if seed is not None and not (whole and seed >= 0):  # type: ignore[operator]
        raise OptionError(f"seed={seed!r}", allowed="a whole number, 0 or more", todo="choose any, such as seed=1")


def require_progress(progress: object) -> None:
    """Refuse what cannot be told of progress.

    Raises
    ------
    OptionError
        If it is neither None nor a function.
    """
    if progress is not None and not callable(progress):
        raise OptionError(
            f"progress={progress!r}",
            allowed="a function of (stage, done, total), or None",
            todo="leave progress= out, or give a function such as print",
        )
