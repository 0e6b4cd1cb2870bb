"""Families of counts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special

from .families import ByMean, DispersionTerms, Family

__all__ = ["NegativeBinomial", "Poisson"]

Array = NDArray[np.float64]

#: From here on two terms of the series of the digamma function are exact in floating point.
LARGE = 1e4


class Poisson(ByMean):
    """Counts."""

    name = "poisson"
    links = ("log", "identity", "sqrt")

    @property
    def is_concave(self) -> bool:
        return self.link.name in ("log", "sqrt", "identity")

    def constant(self, y: Array, m: Array) -> float:
        return float(-m @ special.gammaln(y + 1.0))

    def density(self, y: Array, mu: Array, d: float) -> Array:
        mu = np.where(mu > 0.0, mu, np.nan)
        return np.asarray(special.xlogy(y, mu) - mu)

    def by_mean(self, y: Array, mu: Array, d: float) -> tuple[Array, Array, Array]:
        mu = np.where(mu > 0.0, mu, np.nan)
        ratio = y / mu
        return ratio - 1.0, -ratio / mu, 2.0 * ratio / mu**2

    def loglik(self, y: Array, m: Array, eta: Array, d: float) -> Array:
        if self.link.name != "log":
            return super().loglik(y, m, eta, d)
        return np.asarray(m * (y * eta - np.exp(eta)))

    def newton(self, y: Array, m: Array, eta: Array, d: float) -> tuple[Array, Array]:
        if self.link.name != "log":
            return super().newton(y, m, eta, d)
        mu = np.exp(eta)
        return m * (y - mu), m * mu

    def slope(self, y: Array, m: Array, eta: Array, d: float) -> Array:
        return m * np.exp(eta) if self.link.name == "log" else super().slope(y, m, eta, d)

    def variance(self, mu: Array, d: float) -> Array:
        return mu

    def deviance(self, y: Array, m: Array, mu: Array, d: float) -> Array:
        return np.asarray(2.0 * m * (special.xlogy(y, y / mu) - (y - mu)))

    def draw(self, mu: Array, m: Array, d: float, rng: np.random.Generator) -> Array:
        return rng.poisson(mu).astype(float)


class NegativeBinomial(Family):
    """Counts with variance mu + mu^2 / size."""

    name = "negative binomial"
    links = ("log",)
    parameter = "size"

    def constant(self, y: Array, m: Array) -> float:
        return float(-m @ special.gammaln(y + 1.0))

    def loglik(self, y: Array, m: Array, eta: Array, d: float) -> Array:
        # log Gamma(y + d) - log Gamma(d) by the beta function, so that nothing is lost where d is large
        positive = np.maximum(y, 1.0)
        rising = np.where(y > 0.0, special.gammaln(positive) - special.betaln(positive, d), 0.0)
        x = eta - np.log(d)
        return np.asarray(m * (rising + y * x - (y + d) * np.logaddexp(0.0, x)))

    def newton(self, y: Array, m: Array, eta: Array, d: float) -> tuple[Array, Array]:
        p = special.expit(eta - np.log(d))
        return m * (y - (y + d) * p), m * (y + d) * p * (1.0 - p)

    def slope(self, y: Array, m: Array, eta: Array, d: float) -> Array:
        p = special.expit(eta - np.log(d))
        return np.asarray(m * (y + d) * p * (1.0 - p) * (1.0 - 2.0 * p))

    def by_dispersion(self, y: Array, m: Array, eta: Array, d: float) -> DispersionTerms:
        p = special.expit(eta - np.log(d))
        q = 1.0 - p
        by_size = _digamma_gap(y, d) - np.logaddexp(0.0, eta - np.log(d)) + p - y * q / d
        return DispersionTerms(m * d * by_size, m * p * (y * q - d * p), m * p * q * (d - (y + d) * (1.0 - 2.0 * p)))

    def variance(self, mu: Array, d: float) -> Array:
        return mu + mu**2 / d

    def deviance(self, y: Array, m: Array, mu: Array, d: float) -> Array:
        return np.asarray(2.0 * m * (special.xlogy(y, y / mu) - (y + d) * np.log((y + d) / (mu + d))))

    def draw(self, mu: Array, m: Array, d: float, rng: np.random.Generator) -> Array:
        return rng.poisson(mu * rng.gamma(d, 1.0 / d, size=mu.shape)).astype(float)

    def start_dispersion(self, y: Array, m: Array) -> float:
        mean = float(np.average(y, weights=m))
        excess = float(np.average((y - mean) ** 2, weights=m)) - mean
        return float(np.clip(2.0 * mean**2 / max(excess, 1e-8), 0.2, 50.0))


def _digamma_gap(y: Array, d: float) -> Array:
    """digamma(y + d) - digamma(d); for large d by the difference of their series."""
    if d < LARGE:
        return np.asarray(special.digamma(y + d) - special.digamma(d))
    return np.asarray(np.log1p(y / d) + 0.5 * (1.0 / d - 1.0 / (y + d)) + (d**-2.0 - (y + d) ** -2.0) / 12.0)
