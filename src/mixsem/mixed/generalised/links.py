"""Link functions: the mean as a function of the linear predictor, with three derivatives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import special

__all__ = ["LINKS", "Link", "LinkName", "MeanTerms"]

Array = NDArray[np.float64]
LinkName: TypeAlias = Literal["logit", "probit", "cloglog", "cauchit", "log", "identity", "sqrt", "inverse", "1/mu^2"]

#: Means this near to 0 and 1 are as near as a binary response can tell.
EDGE = 1e-15


class MeanTerms(NamedTuple):
    """A mean and its derivatives by the linear predictor, each (n,)."""

    mu: Array
    first: Array
    second: Array
    third: Array


@dataclass(frozen=True)
class Link:
    """A link function.

    Attributes
    ----------
    name
        As in R.
    forward
        The linear predictor of a mean.
    inverse
        The mean of a linear predictor; NaN where there is none.
    terms
        The mean and its first three derivatives.
    """

    name: LinkName
    forward: Callable[[Array], Array]
    inverse: Callable[[Array], Array]
    terms: Callable[[Array], MeanTerms]

    def __repr__(self) -> str:
        return self.name

    def __reduce__(self) -> tuple[Callable[[str], Link], tuple[str]]:
        return _link, (self.name,)  # functions do not travel between processes


def _link(name: str) -> Link:
    return LINKS[name]


def _positive(eta: Array) -> Array:
    return np.where(eta > 0.0, eta, np.nan)


def _logit_terms(eta: Array) -> MeanTerms:
    mu = special.expit(eta)
    first = mu * special.expit(-eta)
    turn = 1.0 - 2.0 * mu
    return MeanTerms(mu, first, first * turn, first * (turn**2 - 2.0 * first))


def _probit_terms(eta: Array) -> MeanTerms:
    density = np.exp(-0.5 * eta**2) / np.sqrt(2.0 * np.pi)
    return MeanTerms(special.ndtr(eta), density, -eta * density, (eta**2 - 1.0) * density)


def _cloglog_terms(eta: Array) -> MeanTerms:
    t = np.exp(np.minimum(eta, 700.0))
    first = np.exp(eta - t)
    return MeanTerms(-np.expm1(-t), first, first * (1.0 - t), first * ((1.0 - t) ** 2 - t))


def _cauchit_terms(eta: Array) -> MeanTerms:
    square = 1.0 + eta**2
    first = 1.0 / (np.pi * square)
    second = -2.0 * eta * first / square
    third = (6.0 * eta**2 - 2.0) * first / square**2
    return MeanTerms(0.5 + np.arctan(eta) / np.pi, first, second, third)


def _log_terms(eta: Array) -> MeanTerms:
    mu = np.exp(eta)
    return MeanTerms(mu, mu, mu, mu)


def _identity_terms(eta: Array) -> MeanTerms:
    return MeanTerms(eta, np.ones_like(eta), np.zeros_like(eta), np.zeros_like(eta))


def _sqrt_terms(eta: Array) -> MeanTerms:
    eta = _positive(eta)
    return MeanTerms(eta**2, 2.0 * eta, np.full_like(eta, 2.0), np.zeros_like(eta))


def _inverse_terms(eta: Array) -> MeanTerms:
    mu = 1.0 / _positive(eta)
    return MeanTerms(mu, -(mu**2), 2.0 * mu**3, -6.0 * mu**4)


def _inverse_square_terms(eta: Array) -> MeanTerms:
    eta = _positive(eta)
    mu = 1.0 / np.sqrt(eta)
    first = -0.5 * mu / eta
    return MeanTerms(mu, first, -1.5 * first / eta, 3.75 * first / eta**2)


def _inner(mu: Array) -> Array:
    return np.clip(mu, EDGE, 1.0 - EDGE)


#: All links by name.
LINKS: dict[str, Link] = {
    link.name: link
    for link in (
        Link("logit", special.logit, special.expit, _logit_terms),
        Link("probit", special.ndtri, special.ndtr, _probit_terms),
        Link("cloglog", lambda mu: np.log(-np.log1p(-_inner(mu))), lambda eta: -np.expm1(-np.exp(eta)), _cloglog_terms),
        Link(
            "cauchit",
            lambda mu: np.tan(np.pi * (mu - 0.5)),
            lambda eta: 0.5 + np.arctan(eta) / np.pi,
            _cauchit_terms,
        ),
        Link("log", np.log, np.exp, _log_terms),
        Link("identity", np.asarray, np.asarray, _identity_terms),
        Link("sqrt", np.sqrt, lambda eta: _positive(eta) ** 2, _sqrt_terms),
        Link("inverse", np.reciprocal, lambda eta: 1.0 / _positive(eta), _inverse_terms),
        Link("1/mu^2", lambda mu: mu**-2.0, lambda eta: _positive(eta) ** -0.5, _inverse_square_terms),
    )
}
