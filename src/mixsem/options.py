"""What options have in common."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from numbers import Integral

import numpy as np

from .errors import OptionError, did_you_mean

__all__ = [
    "Names",
    "as_name",
    "as_names",
    "require_choice",
    "require_flag",
    "require_progress",
    "require_seed",
    "require_whole",
    "shown",
]

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
            f"{option}={shown(value)}",
            allowed="a name, several names, or () for none",
            todo=f"leave {option}= out for its default, or give {option}=()",
        )
    return texts


def as_name(value: object, option: str) -> str:
    """One name; a list of one, as pandas takes them, is that one.

    Raises
    ------
    OptionError
        If it is anything else.

    Examples
    --------
    >>> as_name("Subject", "by"), as_name(["Subject"], "by")
    ('Subject', 'Subject')
    """
    name = value[0] if isinstance(value, list | tuple) and len(value) == 1 else value
    if not isinstance(name, str):
        raise OptionError(f"{option}={shown(value)}", allowed="the name of one column")
    return name


def shown(value: object, limit: int = 80) -> str:
    """How a value that was given is quoted in a message: as it is written, its class alone if that is long.

    Examples
    --------
    >>> shown("Days"), shown(list(range(100)))
    ("'Days'", 'list')
    """
    text = repr(value)
    return text if len(text) <= limit and "\n" not in text else type(value).__name__


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


def require_flag(name: str, value: object, allowed: str = "True or False") -> None:
    """Refuse what is neither True nor False: nearly every other value counts as true in Python.

    Raises
    ------
    OptionError
        If it is neither.
    """
    if not isinstance(value, bool | np.bool_):
        raise OptionError(f"{name}={value!r}", allowed=allowed, todo=f"give {name}=True or {name}=False")


def require_whole(name: str, value: object, least: int) -> None:
    """Refuse what is no whole number from `least` on.

    Raises
    ------
    OptionError
        If it is none.
    """
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise OptionError(f"{name}={value!r}", allowed=f"a whole number, {least} or more")


def require_choice(name: str, value: object, choices: Sequence[str], default: str) -> None:
    """Refuse what is none of the choices.

    Raises
    ------
    OptionError
        If it is none.
    """
    if not isinstance(value, str) or value not in choices:
        raise OptionError(
            f"{name}={value!r}",
            allowed=", ".join(choices),
            todo=did_you_mean(str(value), choices) or f'leave it at "{default}"',
        )
