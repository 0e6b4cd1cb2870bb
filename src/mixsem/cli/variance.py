"""The prior variances of ``--prior-variance``: for all loadings, by name, or several to choose from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import OptionError

__all__ = ["VarianceOption", "number", "prior_variance", "variance_option"]

_VARIANCE = 'numbers from 0, or none: for all loadings (0.01), or by factor or loading ("F=0.05", "F =~ x3=none")'


@dataclass(frozen=True, slots=True)
class VarianceOption:
    """What ``--prior-variance`` was given.

    Attributes
    ----------
    plain
        Variances for all loadings; several are compared by DIC.
    named
        Factors or loadings with their own variance.
    """

    plain: tuple[float | None, ...] = ()
    named: tuple[tuple[str, float | None], ...] = ()


def number(text: str) -> float | None:
    """A finite number, or None if the text is none."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def variance_option(given: Sequence[str]) -> VarianceOption:
    """Read ``--prior-variance``: numbers or none, alone or after the name of a factor or loading and ``=``.

    Raises
    ------
    OptionError
        If a value is no variance, a name comes twice, or several variances to choose from come with names.

    Examples
    --------
    >>> variance_option(["0.05", "F =~ x3=none"])
    VarianceOption(plain=(0.05,), named=(('F=~x3', None),))
    """
    plain: list[float | None] = []
    named: dict[str, float | None] = {}
    for text in given:
        left, equals, value = text.rpartition("=")
        name = "".join(left.split())
        if not equals:
            plain.append(_variance(text, text))
            continue
        if not name or value.lstrip().startswith("~"):
            raise OptionError(
                f"--prior-variance {text!r} has no {'name' if not name else 'variance'}",
                allowed=_VARIANCE,
                todo=f'write "{text} = 0.05", say' if name else "",
            )
        if name in named:
            raise OptionError(f"--prior-variance names {left.strip()!r} twice", todo="name it once")
        named[name] = _variance(value, text)
    if len(plain) > 1 and (named or len(set(plain)) < len(plain)):
        raise OptionError(
            f"--prior-variance {' '.join(given)}",
            allowed="several different variances to choose from by DIC, or one variance with exceptions by name",
            todo="leave out the names" if named else "give each variance once",
        )
    return VarianceOption(tuple(plain), tuple(named.items()))


def _variance(value: str, text: str) -> float | None:
    if value.strip().lower() == "none":
        return None
    variance = number(value)
    if variance is None or variance < 0:
        raise OptionError(f"--prior-variance {text!r}", allowed=_VARIANCE, todo="--prior-variance 0.01 is the default")
    return variance


def prior_variance(
    option: VarianceOption, factors: Sequence[str]
) -> float | tuple[float | None, ...] | dict[str, float | None] | None:
    """What `mixsem.MGBCFA` takes as `prior_variance`.

    Parameters
    ----------
    option
        What was given.
    factors
        Names of the factors: a variance for all loadings is theirs where others have names.

    Examples
    --------
    >>> prior_variance(VarianceOption((0.05,), (("F=~x3", None),)), ["F", "G"])
    {'F': 0.05, 'G': 0.05, 'F=~x3': None}
    >>> prior_variance(VarianceOption(), ["F"]), prior_variance(VarianceOption((0.0, 0.1)), ["F"])
    (0.01, (0.0, 0.1))
    """
    if option.named:
        of_all = {factor: option.plain[0] for factor in factors} if option.plain else {}
        return {**of_all, **dict(option.named)}
    if len(option.plain) > 1:
        return option.plain
    return option.plain[0] if option.plain else 0.01
