"""Coordinates of a linear mixed model in which one of its parameters is held at a value and the others are free."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..engine.deviance import criterion, decompose, gradient
from ..engine.model import CompiledMixedModel
from ..engine.products import Products
from ..engine.reduced import WithoutColumn, without_column
from .parameters import Parameter
from .profile_entries import BOUNDS, Entries, entries_of

__all__ = ["Coordinates", "coordinates"]

Array = NDArray[np.float64]


@dataclass(eq=False)
class Coordinates:
    """The -2 log-likelihood of a model with one parameter held at a value, as a function of the other parameters.

    Attributes
    ----------
    model
        The model.
    parameter
        What is held.
    entries
        Free entries of the relative covariance factors.
    scales
        Sizes of useful steps of the coordinates.
    reduced
        The cross-products without the column of a fixed effect.
    """

    model: CompiledMixedModel
    parameter: Parameter
    entries: Entries
    scales: Array
    reduced: WithoutColumn | None
    shifted: tuple[float, Products] | None = field(default=None)

    @property
    def bounds(self) -> tuple[float, float]:
        """Smallest and largest value of the parameter."""
        return BOUNDS.get(self.parameter.kind, (-np.inf, np.inf))

    def noise(self, deviance: float) -> float:
        """Differences of -2 log L below this are rounding."""
        return 4e-15 * max(abs(deviance), float(self.model.n))

    def products(self, value: float) -> Products:
        """The cross-products; those of a fixed effect depend on its value."""
        if self.reduced is None:
            return self.model.products
        if self.shifted is None or self.shifted[0] != value:
            self.shifted = (value, self.reduced.at(value))
        return self.shifted[1]

    def unpack(self, value: float, x: Array) -> tuple[Array, float | None]:
        """Relative covariance factors, shape (F, k, k), and sigma; None if the criterion is profiled over it."""
        kind = self.parameter.kind
        if kind == "sd":
            lam, sigma = self.entries.free(x), float(np.exp(x[self.entries.n]))
            lam[self.entries.pinned] = value / sigma
            return lam, sigma
        lam = self.entries.with_correlation(value, x) if kind == "cor" else self.entries.free(x)
        return lam, value if kind == "sigma" else None

    def pack(self, theta: Array, sigma: float) -> Array:
        """Coordinates of a theta and sigma, as far as they do not tell the value of the parameter."""
        extra = [np.log(sigma)] if self.parameter.kind == "sd" else []
        return np.concatenate([self.entries.pack(theta), extra])

    def theta(self, value: float, x: Array) -> Array:
        """Theta in the user's units."""
        return self.entries.theta(self.unpack(value, x)[0])

    def evaluate(self, value: float, x: Array, slope: bool = True) -> tuple[float, Array]:
        """-2 log-likelihood and its derivatives by the coordinates; infinite where it cannot be computed."""
        kind, model, entries = self.parameter.kind, self.model, self.entries
        with np.errstate(over="ignore"):
            lam, sigma = self.unpack(value, x)
        usable = np.isfinite(lam).all() and (sigma is None or 0.0 < sigma < np.inf)
        products = self.products(value)
        parts = decompose(products, model.inner @ lam) if usable else None
        if parts is None or not parts.r2 > 0.0:
            return np.inf, np.zeros(len(x))
        deviance = criterion(products, parts, False, sigma)
        if not slope:
            return deviance, np.zeros(0)
        by_lambda = np.swapaxes(model.inner, 1, 2) @ gradient(products, parts, False, sigma)
        found, n = np.zeros(len(x)), entries.n
        found[:n] = by_lambda[entries.places]
        if kind == "sd" and sigma is not None:
            found[n] = 2.0 * (products.n - parts.r2 / sigma**2) - value / sigma * by_lambda[entries.pinned].item()
        elif kind == "cor":
            found[n] = by_lambda[entries.pinned] @ entries.direction(value)
        return deviance, found

    def sigma(self, value: float, x: Array) -> float:
        """Residual standard deviation that belongs to the coordinates."""
        lam, sigma = self.unpack(value, x)
        if sigma is not None:
            return sigma
        products = self.products(value)
        parts = decompose(products, self.model.inner @ lam)
        return float(np.sqrt(parts.r2 / products.n)) if parts is not None else np.nan


def coordinates(model: CompiledMixedModel, parameter: Parameter, theta: Array) -> Coordinates:
    """Choose coordinates for holding a parameter, with steps that fit the covariances of a theta."""
    entries = entries_of(model, parameter, theta)
    scales = np.append(entries.scales, 1.0) if parameter.kind == "sd" else entries.scales
    reduced = without_column(model.products, parameter.row) if parameter.kind == "fixed" else None
    return Coordinates(model, parameter, entries, scales, reduced)
