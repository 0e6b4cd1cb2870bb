"""Families of continuous responses, each with a dispersion."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray
from scipy import special

from .families import ByMean, DispersionTerms

__all__ = ["Gamma", "Gaussian", "InverseGaussian"]

Array = NDArray[np.float64]


class Scaled(ByMean, ABC):
    """A family with a dispersion that divides the whole kernel of the log-density."""

    parameter = "dispersion"

    @property
    def is_concave(self) -> bool:
        return False

    @abstractmethod
    def by_log_dispersion(self, y: Array, mu: Array, d: float) -> Array:
        """Derivative of the log-density by log d."""

    def by_dispersion(self, y: Array, m: Array, eta: Array, d: float) -> DispersionTerms:
        score, weight = self.newton(y, m, eta, d)
        return DispersionTerms(m * self.by_log_dispersion(y, self.link.inverse(eta), d), -score, -weight)


class Gamma(Scaled):
    """Positive responses with variance dispersion x mu^2."""

    name = "gamma"
    links = ("log", "inverse", "identity")

    @property
    def is_concave(self) -> bool:
        return self.link.name in ("log", "inverse")

    def constant(self, y: Array, m: Array) -> float:
        return float(-m @ np.log(y))

    def density(self, y: Array, mu: Array, d: float) -> Array:
        ratio, a = y / np.where(mu > 0.0, mu, np.nan), 1.0 / d
        return np.asarray(a * (np.log(a * ratio) - ratio) - special.gammaln(a))

    def by_mean(self, y: Array, mu: Array, d: float) -> tuple[Array, Array, Array]:
        a, ratio = 1.0 / d, y / mu
        return a * (ratio - 1.0) / mu, a * (1.0 - 2.0 * ratio) / mu**2, a * (6.0 * ratio - 2.0) / mu**3

    def by_log_dispersion(self, y: Array, mu: Array, d: float) -> Array:
        ratio, a = y / mu, 1.0 / d
        return np.asarray(-a * (np.log(a * ratio) + 1.0 - ratio - special.digamma(a)))

    def variance(self, mu: Array, d: float) -> Array:
        return d * mu**2

    def deviance(self, y: Array, m: Array, mu: Array, d: float) -> Array:
        return np.asarray(-2.0 * m * (np.log(y / mu) - (y - mu) / mu))

    def draw(self, mu: Array, m: Array, d: float, rng: np.random.Generator) -> Array:
        return rng.gamma(1.0 / d, d * mu)

    def start_dispersion(self, y: Array, m: Array) -> float:
        return float(np.clip(np.average((np.log(y) - np.log(y).mean()) ** 2, weights=m) / 2.0, 1e-3, 10.0))


class InverseGaussian(Scaled):
    """Positive responses with variance dispersion x mu^3."""

    name = "inverse gaussian"
    links = ("log", "1/mu^2", "inverse", "identity")

    def constant(self, y: Array, m: Array) -> float:
        return float(-0.5 * m @ np.log(2.0 * np.pi * y**3))

    def density(self, y: Array, mu: Array, d: float) -> Array:
        mu = np.where(mu > 0.0, mu, np.nan)
        return np.asarray(-0.5 * np.log(d) - (y - mu) ** 2 / (2.0 * d * mu**2 * y))

    def by_mean(self, y: Array, mu: Array, d: float) -> tuple[Array, Array, Array]:
        ratio = y / mu
        return (
            (ratio - 1.0) / (d * mu**2),
            (2.0 - 3.0 * ratio) / (d * mu**3),
            (12.0 * ratio - 6.0) / (d * mu**4),
        )

    def by_log_dispersion(self, y: Array, mu: Array, d: float) -> Array:
        return np.asarray(-0.5 + (y - mu) ** 2 / (2.0 * d * mu**2 * y))

    def variance(self, mu: Array, d: float) -> Array:
        return d * mu**3

    def deviance(self, y: Array, m: Array, mu: Array, d: float) -> Array:
        return np.asarray(m * (y - mu) ** 2 / (mu**2 * y))

    def draw(self, mu: Array, m: Array, d: float, rng: np.random.Generator) -> Array:
        return rng.wald(mu, 1.0 / d)

    def start_dispersion(self, y: Array, m: Array) -> float:
        return float(np.clip(np.average(1.0 / y, weights=m) - 1.0 / np.average(y, weights=m), 1e-8, 1e3)) / 2.0


class Gaussian(Scaled):
    """Responses with constant variance, for links that are not the identity."""

    name = "gaussian"
    links = ("identity", "log", "inverse")

    @property
    def is_concave(self) -> bool:
        return self.link.name == "identity"

    def constant(self, y: Array, m: Array) -> float:
        return float(-0.5 * np.log(2.0 * np.pi) * m.sum())

    def density(self, y: Array, mu: Array, d: float) -> Array:
        return np.asarray(-0.5 * np.log(d) - (y - mu) ** 2 / (2.0 * d))

    def by_mean(self, y: Array, mu: Array, d: float) -> tuple[Array, Array, Array]:
        return (y - mu) / d, np.full_like(mu, -1.0 / d), np.zeros_like(mu)

    def by_log_dispersion(self, y: Array, mu: Array, d: float) -> Array:
        return np.asarray(-0.5 + (y - mu) ** 2 / (2.0 * d))

    def variance(self, mu: Array, d: float) -> Array:
        return np.full_like(mu, d)

    def deviance(self, y: Array, m: Array, mu: Array, d: float) -> Array:
        return np.asarray(m * (y - mu) ** 2)

    def draw(self, mu: Array, m: Array, d: float, rng: np.random.Generator) -> Array:
        return rng.normal(mu, np.sqrt(d))

    def start(self, y: Array, m: Array) -> Array:
        return y if self.link.name == "identity" else np.maximum(y, 0.1 * float(np.abs(y).mean()))

    def start_dispersion(self, y: Array, m: Array) -> float:
        return float(y.var()) / 2.0
