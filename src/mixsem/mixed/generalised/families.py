"""Families of responses: the log-likelihood of a row as a function of its linear predictor, with three derivatives.

A row contributes m times the log-density of its response: m is the number of trials of a binomial proportion, else a
weight. The *weight* of a row is minus the second derivative of its log-likelihood by the linear predictor (observed,
not expected), the *slope* the derivative of that.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .links import Link, MeanTerms

__all__ = ["ByMean", "DispersionTerms", "Family"]

Array = NDArray[np.float64]


class DispersionTerms(NamedTuple):
    """Derivatives by the logarithm of the dispersion parameter, each (n,): of log-likelihood, score and weight."""

    loglik: Array
    score: Array
    weight: Array


@dataclass(frozen=True)
class Family(ABC):
    """A family with its link.

    Attributes
    ----------
    link
        The link.
    dispersion
        The value of the family's own parameter: the dispersion of Gamma, inverse Gaussian and Gaussian responses, the
        size of negative binomial ones; None if it has none, or before it is estimated.
    """

    link: Link
    dispersion: float | None = None

    name: ClassVar[str]
    links: ClassVar[tuple[str, ...]]
    #: What the family's own parameter is called; empty if it has none.
    parameter: ClassVar[str] = ""
    #: Whether weights are numbers of trials.
    has_trials: ClassVar[bool] = False

    def __repr__(self) -> str:
        return f"{self.name}({self.link.name})"

    def with_dispersion(self, value: float | None) -> Family:
        """The family with a value of its parameter."""
        return replace(self, dispersion=value)

    @property
    def is_concave(self) -> bool:
        """Whether no weight can be negative."""
        return True

    @property
    def is_safe(self) -> bool:
        """Whether Newton steps that change linear predictors by less than 1 cannot go astray."""
        return self.is_concave and self.link.name in ("logit", "probit", "cloglog", "log")

    @abstractmethod
    def constant(self, y: Array, m: Array) -> float:
        """What of the log-likelihood depends on the responses alone."""

    @abstractmethod
    def loglik(self, y: Array, m: Array, eta: Array, d: float) -> Array:
        """Log-likelihood of each row but for the constant; minus infinity or NaN where there is none."""

    @abstractmethod
    def newton(self, y: Array, m: Array, eta: Array, d: float) -> tuple[Array, Array]:
        """Score (first derivative) and weight of each row."""

    @abstractmethod
    def slope(self, y: Array, m: Array, eta: Array, d: float) -> Array:
        """Derivative of the weight of each row."""

    def by_dispersion(self, y: Array, m: Array, eta: Array, d: float) -> DispersionTerms:
        """Derivatives by log d; 0 for a family without a parameter."""
        nothing = np.zeros_like(eta)
        return DispersionTerms(nothing, nothing, nothing)

    def expected(self, m: Array, eta: Array, d: float) -> Array:
        """Expected weight of each row: m mu'(eta)^2 / Var(y)."""
        mean = self.link.terms(eta)
        return np.asarray(m * mean.first**2 / self.variance(mean.mu, d))

    @abstractmethod
    def variance(self, mu: Array, d: float) -> Array:
        """Variance of a response with m = 1."""

    @abstractmethod
    def deviance(self, y: Array, m: Array, mu: Array, d: float) -> Array:
        """Unit deviance of each row, times m: twice what its log-likelihood falls short of the best, dispersion 1."""

    @abstractmethod
    def draw(self, mu: Array, m: Array, d: float, rng: np.random.Generator) -> Array:
        """Random responses."""

    def start(self, y: Array, m: Array) -> Array:
        """Means to start from, inside of what is possible."""
        return np.maximum(y, 0.1 * float(np.average(y, weights=m)))

    def start_dispersion(self, y: Array, m: Array) -> float:
        """Parameter to start from."""
        return 1.0


class ByMean(Family, ABC):
    """A family of which derivatives by the mean are known; those by the linear predictor follow by the chain rule."""

    @abstractmethod
    def by_mean(self, y: Array, mu: Array, d: float) -> tuple[Array, Array, Array]:
        """First three derivatives of a row's log-likelihood by its mean, m = 1."""

    @abstractmethod
    def density(self, y: Array, mu: Array, d: float) -> Array:
        """Log-density of each row but for the constant."""

    def loglik(self, y: Array, m: Array, eta: Array, d: float) -> Array:
        return np.asarray(m * self.density(y, self.link.inverse(eta), d))

    def newton(self, y: Array, m: Array, eta: Array, d: float) -> tuple[Array, Array]:
        mean, (first, second, _) = self._terms(y, eta, d)
        return m * first * mean.first, -m * (second * mean.first**2 + first * mean.second)

    def slope(self, y: Array, m: Array, eta: Array, d: float) -> Array:
        mean, (first, second, third) = self._terms(y, eta, d)
        by_eta = third * mean.first**3 + 3.0 * second * mean.first * mean.second + first * mean.third
        return np.asarray(-m * by_eta)

    def _terms(self, y: Array, eta: Array, d: float) -> tuple[MeanTerms, tuple[Array, Array, Array]]:
        mean = self.link.terms(eta)
        return mean, self.by_mean(y, mean.mu, d)
