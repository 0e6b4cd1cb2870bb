"""Families of counts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special

from .families import ByMean, DispersionTerms, Family

__all__ = ["NegativeBinomial", "Poisson"]

Array = NDArray[np.float64]


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
        return np.asarray(special.xlogy(y, mu) - mu)

    def by_mean(self, y: Array, mu: Array, d: float) -> tuple[Array, Array, Array]:
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
        # (y + d) log(mu + d) written so that it is finite for any mu
        log_sum = np.logaddexp(eta, np.log(d))
        shape = special.gammaln(y + d) - special.gammaln(d) + d * np.log(d)
        return np.asarray(m * (shape + y * eta - (y + d) * log_sum))

    def newton(self, y: Array, m: Array, eta: Array, d: float) -> tuple[Array, Array]:
        p = special.expit(eta - np.log(d))
        return m * (y - (y + d) * p), m * (y + d) * p * (1.0 - p)

    def slope(self, y: Array, m: Array, eta: Array, d: float) -> Array:
        p = special.expit(eta - np.log(d))
        return np.asarray(m * (y + d) * p * (1.0 - p) * (1.0 - 2.0 * p))

    def by_dispersion(self, y: Array, m: Array, eta: Array, d: float) -> DispersionTerms:
        p = special.expit(eta - np.log(d))
        q = 1.0 - p
        by_size = special.digamma(y + d) - special.digamma(d) + 1.0 + np.log(d) - np.logaddexp(eta, np.log(d))
        loglik = m * (d * by_size - (y + d) * q)  # d / (mu + d) = q
        return DispersionTerms(loglik, m * p * (y * q - d * p), m * p * q * (d - (y + d) * (1.0 - 2.0 * p)))

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
