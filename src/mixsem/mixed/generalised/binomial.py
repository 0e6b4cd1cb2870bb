"""Binary responses and proportions.

With F the inverse link, a row with m trials and proportion y contributes m (y log F(eta) + (1 - y) log (1 - F(eta))).
Both logarithms and their derivatives are computed as such, so that they are right however near to 0 or 1 the mean is.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from .families import Family
from .links import Link

__all__ = ["Binomial"]

Array = NDArray[np.float64]


class Log(NamedTuple):
    """The logarithm of a probability and its first three derivatives by the linear predictor."""

    value: Array
    first: Array
    second: Array
    third: Array


class Binomial(Family):
    """Binary responses, and proportions of m trials."""

    name = "binomial"
    links = ("logit", "probit", "cloglog", "cauchit", "log")
    has_trials = True

    @property
    def is_concave(self) -> bool:
        return self.link.name in ("logit", "probit", "cloglog")

    def constant(self, y: Array, m: Array) -> float:
        if np.all(m == 1.0) and np.all((y == 0.0) | (y == 1.0)):
            return 0.0
        successes = m * y
        counts = special.gammaln(m + 1.0) - special.gammaln(successes + 1.0) - special.gammaln(m - successes + 1.0)
        return float(counts.sum())

    def loglik(self, y: Array, m: Array, eta: Array, d: float) -> Array:
        if self.link.name == "logit":
            return np.asarray(m * (y * eta - np.maximum(eta, 0.0) - np.log1p(np.exp(-np.abs(eta)))))
        success, failure = log_sides(self.link, eta)
        return np.asarray(m * (_times(y, success.value) + _times(1.0 - y, failure.value)))

    def newton(self, y: Array, m: Array, eta: Array, d: float) -> tuple[Array, Array]:
        if self.link.name == "logit":
            p, both = _logistic(eta)
            return m * (y - p), m * both
        success, failure = log_sides(self.link, eta)
        score = m * (_times(y, success.first) + _times(1.0 - y, failure.first))
        return score, -m * (_times(y, success.second) + _times(1.0 - y, failure.second))

    def slope(self, y: Array, m: Array, eta: Array, d: float) -> Array:
        if self.link.name == "logit":
            p, both = _logistic(eta)
            return np.asarray(m * both * (1.0 - 2.0 * p))
        success, failure = log_sides(self.link, eta)
        return np.asarray(-m * (_times(y, success.third) + _times(1.0 - y, failure.third)))

    def variance(self, mu: Array, d: float) -> Array:
        return mu * (1.0 - mu)

    def deviance(self, y: Array, m: Array, mu: Array, d: float) -> Array:
        return np.asarray(2.0 * m * (special.xlogy(y, y / mu) + special.xlogy(1.0 - y, (1.0 - y) / (1.0 - mu))))

    def draw(self, mu: Array, m: Array, d: float, rng: np.random.Generator) -> Array:
        trials = np.rint(m).astype(np.int64)
        return np.asarray(rng.binomial(trials, mu) / trials)

    def start(self, y: Array, m: Array) -> Array:
        return np.asarray((m * y + 0.5) / (m + 1.0))


def _logistic(eta: Array) -> tuple[Array, Array]:
    """Return p and p (1 - p), from one exponential that cannot overflow."""
    small = np.exp(-np.abs(eta))
    larger = 1.0 / (1.0 + small)
    other = small * larger
    return np.where(eta >= 0.0, larger, other), larger * other


def _times(share: Array, values: Array) -> Array:
    """Product that is 0 where the share is 0, whatever the value."""
    return np.where(share == 0.0, 0.0, share * values)


def log_sides(link: Link, eta: Array) -> tuple[Log, Log]:
    """Return log F(eta) and log(1 - F(eta)) with derivatives."""
    if link.name == "probit":
        return _log_normal(eta), _mirrored(_log_normal(-eta))
    if link.name == "cloglog":
        return _log_cloglog(eta)
    if link.name == "log":
        return _log_of_log(eta)
    mean = link.terms(eta)
    first, second, third = mean.first, mean.second, mean.third
    return _log_of(mean.mu, first, second, third), _log_of(1.0 - mean.mu, -first, -second, -third)


def _log_of(F: Array, first: Array, second: Array, third: Array) -> Log:
    a, b = first / F, second / F
    return Log(np.log(F), a, b - a**2, third / F - 3.0 * a * b + 2.0 * a**3)


def _mirrored(log: Log) -> Log:
    """Derivatives of f(-x) from those of f."""
    return Log(log.value, -log.first, log.second, -log.third)


def _log_normal(eta: Array) -> Log:
    value = special.log_ndtr(eta)
    ratio = np.exp(-0.5 * eta**2 - 0.5 * np.log(2.0 * np.pi) - value)  # inverse Mills ratio
    second = -ratio * (eta + ratio)
    return Log(value, ratio, second, -second * (eta + 2.0 * ratio) - ratio)


def _log_cloglog(eta: Array) -> tuple[Log, Log]:
    t = np.exp(np.minimum(eta, 700.0))
    with np.errstate(over="ignore"):
        first = t / np.expm1(t)  # 1 for small t, 0 for large
    first = np.where(t < 1e-300, 1.0, first)
    rest = 1.0 - t - first
    second = first * rest
    third = second * rest - first * (t + second)
    value = np.log(-np.expm1(-t))
    value = np.where(t < 1e-300, eta, value)
    return Log(value, first, second, third), Log(-t, -t, -t, -t)


def _log_of_log(eta: Array) -> tuple[Log, Log]:
    """F = exp(eta), below 1 only for a negative predictor."""
    eta = np.where(eta < 0.0, eta, np.nan)
    one, zero = np.ones_like(eta), np.zeros_like(eta)
    odds = 1.0 / np.expm1(-eta)  # F / (1 - F)
    second = -odds * (1.0 + odds)
    return Log(eta, one, zero, zero), Log(np.log(-np.expm1(eta)), -odds, second, second * (1.0 + 2.0 * odds))
