"""Coordinates of a mixed model in which one of its parameters is held at a value and the others are free.

Of each term, the entries of the relative covariance factor are free, whatever their signs: at the boundary nothing
special happens. The term of a wanted standard deviation has its random effects in another order, the wanted one first,
so that its standard deviation is one entry of the factor. With two random effects first, their correlation r makes
the second row b r, b sqrt(1 - r^2), 0, ...
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..engine.deviance import criterion, decompose, gradient
from ..engine.model import CompiledMixedModel
from ..engine.products import Products
from ..engine.reduced import WithoutColumn, without_column
from ..engine.theta import lower_factor
from .parameters import Parameter

__all__ = ["Coordinates", "coordinates"]

Array = NDArray[np.float64]
Places = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]

#: Random effects of relative standard deviation below this are no scale for steps of their own.
SMALLEST_SCALE = 0.1
#: What counts as 0 on a diagonal, in units of the scales.
NEAR_ZERO = 1e-3


@dataclass(eq=False)
class Coordinates:
    """The -2 log-likelihood of a model with one parameter held at a value, as a function of the other parameters.

    Attributes
    ----------
    model
        The model.
    parameter
        What is held.
    orders
        Order of the random effects of each term.
    places
        Grouping factor, row and column of the free entries.
    pinned
        Place of the entry that a standard deviation stands for, or of the two of a correlation.
    diagonal
        Whether a free entry stands on the diagonal of its factor.
    scales
        Sizes of useful steps of the coordinates.
    reduced
        The cross-products without the column of a fixed effect.
    """

    model: CompiledMixedModel
    parameter: Parameter
    orders: tuple[NDArray[np.int64], ...]
    places: Places
    pinned: Places
    diagonal: NDArray[np.bool_]
    scales: Array
    reduced: WithoutColumn | None
    shifted: tuple[float, Products] | None = field(default=None)

    @property
    def bounds(self) -> tuple[float, float]:
        """Smallest and largest value of the parameter."""
        return {"sd": (0.0, np.inf), "cor": (-1.0, 1.0), "sigma": (0.0, np.inf)}.get(
            self.parameter.kind, (-np.inf, np.inf)
        )

    def products(self, value: float) -> Products:
        """The cross-products; those of a fixed effect depend on its value."""
        if self.reduced is None:
            return self.model.products
        if self.shifted is None or self.shifted[0] != value:
            self.shifted = (value, self.reduced.at(value))
        return self.shifted[1]

    def unpack(self, value: float, x: Array) -> tuple[Array, float | None]:
        """Relative covariance factors, shape (F, k, k), and sigma; None if the criterion is profiled over it."""
        kind, n = self.parameter.kind, len(self.places[0])
        lam = np.zeros((len(self.model.theta_map.sizes), *(max(self.model.theta_map.sizes),) * 2))
        lam[self.places] = x[:n]
        if kind == "sd":
            sigma = float(np.exp(x[n]))
            lam[self.pinned] = value / sigma
            return lam, sigma
        if kind == "cor":
            lam[self.pinned] = x[n] * np.array([value, np.sqrt(1.0 - value**2)])
        return lam, value if kind == "sigma" else None

    def pack(self, theta: Array, sigma: float) -> Array:
        """Coordinates of a theta and sigma, as far as they do not tell the value of the parameter."""
        kind, theta_map = self.parameter.kind, self.model.theta_map
        lam, ordered = theta_map.stacked(theta), np.zeros_like(theta_map.stacked(theta))
        for t, shape in enumerate(theta_map.terms):
            at, order = theta_map.places(t), self.orders[t]
            block = lam[shape.factor, at, at]
            ordered[shape.factor, at.start + order, at] = lower_factor(block[order]) if shape.correlated else block
        extra = {"sd": [np.log(sigma)], "cor": [float(np.linalg.norm(ordered[self.pinned]))]}.get(kind, [])
        return np.concatenate([ordered[self.places], extra])

    def theta(self, value: float, x: Array) -> Array:
        """Theta in the user's units."""
        theta_map, (lam, _) = self.model.theta_map, self.unpack(value, x)
        return theta_map.from_lambdas([f[:k, :k] for f, k in zip(lam, theta_map.sizes, strict=True)])

    def evaluate(self, value: float, x: Array, slope: bool = True) -> tuple[float, Array]:
        """-2 log-likelihood and its derivatives by the coordinates; infinite where it cannot be computed."""
        kind, model, n = self.parameter.kind, self.model, len(self.places[0])
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
        found = np.zeros(len(x))
        found[:n] = by_lambda[self.places]
        if kind == "sd" and sigma is not None:
            found[n] = 2.0 * (products.n - parts.r2 / sigma**2) - value / sigma * by_lambda[self.pinned].item()
        elif kind == "cor":
            found[n] = by_lambda[self.pinned] @ np.array([value, np.sqrt(1.0 - value**2)])
        return deviance, found

    def sigma(self, value: float, x: Array) -> float:
        """Residual standard deviation that belongs to the coordinates."""
        lam, sigma = self.unpack(value, x)
        if sigma is not None:
            return sigma
        products = self.products(value)
        parts = decompose(products, self.model.inner @ lam)
        return float(np.sqrt(parts.r2 / products.n)) if parts is not None else np.nan

    def reversed_signs(self, x: Array) -> NDArray[np.int64]:
        """Coordinates of a correlation's two standard deviations that are below 0: one of them turns its sign."""
        if self.parameter.kind != "cor":
            return np.zeros(0, dtype=np.int64)
        first = self.model.theta_map.first[self.parameter.term]
        factor, _, column = self.places
        leading = self.diagonal & (factor == self.pinned[0][0]) & (column == first)
        both = np.array([int(np.flatnonzero(leading)[0]), len(x) - 1])
        return both[x[both] < 0.0]

    def near_zero(self, x: Array) -> NDArray[np.int64]:
        """Coordinates on diagonals that are about 0: a variance vanishes, or that of a combination of effects."""
        n = len(self.diagonal)
        return np.flatnonzero(self.diagonal & (np.abs(x[:n]) < NEAR_ZERO * self.scales[:n]))


def coordinates(model: CompiledMixedModel, parameter: Parameter, theta: Array) -> Coordinates:
    """Choose coordinates for holding a parameter, with steps that fit the covariances of a theta."""
    theta_map, kind = model.theta_map, parameter.kind
    orders, diagonal, scales = [], [], []
    places: list[tuple[int, int, int]] = []
    pinned: list[tuple[int, int, int]] = []
    for t, shape in enumerate(theta_map.terms):
        k, first = len(shape.names), theta_map.first[t]
        order = np.arange(k)
        if t == parameter.term and shape.correlated:
            wanted = [parameter.row] if kind == "sd" else [parameter.column, parameter.row]
            order = np.array([*wanted, *np.setdiff1d(order, wanted)])
        size = _row_scales(model, theta, t)
        for c in range(k):
            for r in range(c, k if shape.correlated else c + 1):
                place = (shape.factor, first + int(order[r]), first + c)
                held = t == parameter.term and (
                    (kind == "sd" and order[r] == parameter.row and (r == c == 0 or not shape.correlated))
                    or (kind == "cor" and r == 1)
                )
                (pinned if held else places).append(place)
                if not held:
                    diagonal.append(r == c)
                    scales.append(size[order[r]])
        orders.append(order)
    if kind == "sd":
        scales.append(1.0)
    elif kind == "cor":
        scales.append(_row_scales(model, theta, parameter.term)[parameter.row])
    return Coordinates(
        model,
        parameter,
        tuple(orders),
        _as_places(places),
        _as_places(pinned),
        np.array(diagonal, dtype=bool),
        np.array(scales),
        without_column(model.products, parameter.row) if kind == "fixed" else None,
    )


def _row_scales(model: CompiledMixedModel, theta: Array, term: int) -> Array:
    """Relative standard deviations of a term's random effects, kept from 0."""
    scale = model.products.scaling.random[term]
    spread = np.sqrt(scale.center**2 + scale.scale**2)
    return np.hypot(np.linalg.norm(model.theta_map.term_lambda(theta, term), axis=1), SMALLEST_SCALE / spread)


def _as_places(places: list[tuple[int, int, int]]) -> Places:
    factor, row, column = np.array(places, dtype=np.int64).reshape(-1, 3).T
    return factor, row, column
