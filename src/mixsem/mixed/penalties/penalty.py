"""A weak penalty on the covariance of random effects: what may be asked for, its value and its slope."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ...errors import OptionError
from ...options import require_choice

__all__ = ["Penalty", "PenaltyKind", "as_penalty"]

Array = NDArray[np.float64]
PenaltyKind = Literal["wishart", "gamma"]
KINDS: tuple[PenaltyKind, ...] = ("wishart", "gamma")

#: Degrees of freedom beyond the number of effects, and shape of the gamma density: blme's defaults.
BEYOND, SHAPE = 2.5, 2.5


@dataclass(frozen=True)
class Penalty:
    """A weak penalty on the covariance of the random effects, as a density of the covariance relative to sigma^2.

    Attributes
    ----------
    kind
        ``"wishart"``: a Wishart density of each term's relative covariance matrix. ``"gamma"``: a gamma density of each
        relative standard deviation, for terms of single or uncorrelated effects.
    df
        Degrees of freedom of the Wishart density; the number of effects of a term + 2.5 by default. Above the
        number of effects + 1, or the penalty would pull towards zero.
    scale
        Its scale matrix is this times the identity, in the units of the predictors; infinite by default: the density
        is then flat but for its zero at singular matrices.
    shape, rate
        Of the gamma density, 2.5 and 0 by default; the shape is above 1.

    Notes
    -----
    The estimates maximise the (restricted) likelihood times this density of Sigma / sigma^2, the residual variance and
    the fixed effects profiled out as ever: ``cov.prior`` of blme's ``blmer`` with its default ``common.scale = TRUE``.
    With their defaults both kinds multiply the likelihood of a single effect by its relative standard deviation to the
    power of 1.5: the density is 0 at a variance of 0, so that no estimate is there, and nearly flat where data say
    something. One that is 0 without it moves to about a standard error. Terms written with ``||`` are penalised
    effect by effect.

    References
    ----------
    Chung, Rabe-Hesketh, Dorie, Gelman & Liu (2013), doi 10.1007/s11336-013-9328-2. Chung, Gelman, Rabe-Hesketh, Liu &
    Dorie (2015), doi 10.3102/1076998615570945.

    Examples
    --------
    >>> str(Penalty())
    'Wishart density with df = effects + 2.5 and infinite scale'
    >>> str(Penalty("gamma", shape=2.0))
    'gamma density with shape 2 and rate 0'
    """

    kind: PenaltyKind = "wishart"
    df: float | None = None
    scale: float = np.inf
    shape: float = SHAPE
    rate: float = 0.0

    def __post_init__(self) -> None:
        require_choice("kind", self.kind, KINDS, "wishart")
        if self.kind == "wishart":
            _refuse(self.kind, shape=self.shape != SHAPE, rate=self.rate != 0.0)
        else:
            _refuse(self.kind, df=self.df is not None, scale=self.scale != np.inf)
        if self.df is not None:
            _require("df", self.df, _is_number(self.df) and 2.0 < self.df < np.inf, "a number above effects + 1")
        _require("scale", self.scale, _is_number(self.scale) and self.scale > 0.0, "a number above 0, or infinity")
        _require("shape", self.shape, _is_number(self.shape) and 1.0 < self.shape < np.inf, "a number above 1")
        _require("rate", self.rate, _is_number(self.rate) and 0.0 <= self.rate < np.inf, "a number, 0 or more")

    def __str__(self) -> str:
        if self.kind == "gamma":
            return f"gamma density with shape {self.shape:g} and rate {self.rate:g}"
        df = f"effects + {BEYOND:g}" if self.df is None else f"{self.df:g}"
        scale = "infinite scale" if np.isinf(self.scale) else f"scale {self.scale:g}"
        return f"Wishart density with df = {df} and {scale}"

    @property
    def code(self) -> str:
        """How Python makes it: what differs from the defaults.

        Examples
        --------
        >>> Penalty("gamma", shape=2.0).code
        "Penalty(kind='gamma', shape=2.0)"
        """
        given = [f"{f.name}={getattr(self, f.name)!r}" for f in fields(self) if getattr(self, f.name) != f.default]
        return f"Penalty({', '.join(given)})"

    def excess(self, k: int) -> float:
        """Power of the determinant in the density of a (k, k) covariance matrix, twice: df - k - 1."""
        if self.kind == "gamma":
            return self.shape - 1.0
        return BEYOND - 1.0 if self.df is None else self.df - k - 1.0

    def value_and_slope(self, factor: Array) -> tuple[float, Array]:
        """-2 log density of a relative covariance matrix, but for its constant, and the slope by its factor.

        Parameters
        ----------
        factor
            (k, k), with covariance factor factor'.

        Returns
        -------
        tuple
            The value, infinite if the factor is singular, and its derivatives by the elements of the factor, (k, k).
        """
        k = len(factor)
        sign, log_det = np.linalg.slogdet(factor)
        if sign == 0.0 or not np.isfinite(log_det):
            return np.inf, np.zeros_like(factor)
        excess = self.excess(k)
        value, slope = -2.0 * excess * float(log_det), -2.0 * excess * np.linalg.inv(factor).T
        if self.kind == "gamma":
            return value + 2.0 * self.rate * float(np.abs(factor).sum()), slope + 2.0 * self.rate * np.sign(factor)
        return value + float((factor**2).sum()) / self.scale, slope + 2.0 * factor / self.scale


def as_penalty(penalty: object) -> Penalty | None:
    """What is meant by None, the name of a kind, or a `Penalty`."""
    if penalty is None or isinstance(penalty, Penalty):
        return penalty
    if isinstance(penalty, str):
        return Penalty(penalty)  # type: ignore[arg-type]
    raise OptionError(
        f"penalty={penalty!r}", allowed="None, Penalty(...), or one of wishart, gamma", todo="leave penalty= out"
    )


def _refuse(kind: str, **given: bool) -> None:
    unused = [f"{name}=" for name, set_by_user in given.items() if set_by_user]
    if unused:
        raise OptionError(
            f"{', '.join(unused)} for a {kind} penalty, which does not use {'it' if len(unused) == 1 else 'them'}",
            allowed="df= and scale= for wishart, shape= and rate= for gamma",
        )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _require(name: str, value: object, met: bool, allowed: str) -> None:
    if not met:
        raise OptionError(f"{name}={value!r}", allowed=allowed)
