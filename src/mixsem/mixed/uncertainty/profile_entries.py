"""Covariance factors in which a standard deviation or a correlation can be held: which entries are free.

Of each term, the entries of the covariance factor are free, whatever their signs: at the boundary nothing special
happens. The term of a wanted standard deviation has its random effects in another order, the wanted one first, so that
its standard deviation is one entry of the factor. With two random effects first, their correlation r makes the second
row b r, b sqrt(1 - r^2), 0, ...
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..engine.theta import ThetaMap, lower_factor
from .parameters import Model, Parameter

__all__ = ["BOUNDS", "Entries", "entries_of"]

Array = NDArray[np.float64]
Places = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]

#: Random effects of relative standard deviation below this are no scale for steps of their own.
SMALLEST_SCALE = 0.1
#: What counts as 0 on a diagonal, in units of the scales.
NEAR_ZERO = 1e-3
#: Smallest and largest value of parameters of a kind; fixed effects have none.
BOUNDS = {"sd": (0.0, np.inf), "cor": (-1.0, 1.0), "sigma": (0.0, np.inf), "dispersion": (0.0, np.inf)}


@dataclass(frozen=True, eq=False)
class Entries:
    """Free and held entries of covariance factors.

    Attributes
    ----------
    theta_map
        Where theta stands.
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
        Sizes of useful steps of the entries, and of the size of a correlation's second row behind them.
    """

    theta_map: ThetaMap
    parameter: Parameter
    orders: tuple[NDArray[np.int64], ...]
    places: Places
    pinned: Places
    diagonal: NDArray[np.bool_]
    scales: Array

    @property
    def n(self) -> int:
        """Number of free entries."""
        return len(self.places[0])

    def free(self, x: Array) -> Array:
        """Factors, shape (F, k, k), with the free entries at x, and 0 in the others."""
        k = max(self.theta_map.sizes)
        lam = np.zeros((len(self.theta_map.sizes), k, k))
        lam[self.places] = x[: self.n]
        return lam

    def with_correlation(self, value: float, x: Array) -> Array:
        """As `free`, with the row of a correlation."""
        lam = self.free(x)
        lam[self.pinned] = x[self.n] * self.direction(value)
        return lam

    @staticmethod
    def direction(value: float) -> Array:
        """The row of a correlation, but for its size."""
        return np.array([value, np.sqrt(1.0 - value**2)])

    def pack(self, theta: Array) -> Array:
        """Free entries of a theta, and the size of a correlation's row behind them."""
        theta_map = self.theta_map
        lam, ordered = theta_map.stacked(theta), np.zeros_like(theta_map.stacked(theta))
        for t, shape in enumerate(theta_map.terms):
            at, order = theta_map.places(t), self.orders[t]
            block = lam[shape.factor, at, at]
            ordered[shape.factor, at.start + order, at] = lower_factor(block[order]) if shape.correlated else block
        size = [float(np.linalg.norm(ordered[self.pinned]))] if self.parameter.kind == "cor" else []
        return np.concatenate([ordered[self.places], size])

    def theta(self, lam: Array) -> Array:
        """Theta of factors in these orders."""
        return self.theta_map.from_lambdas([f[:k, :k] for f, k in zip(lam, self.theta_map.sizes, strict=True)])

    def reversed_signs(self, x: Array) -> NDArray[np.int64]:
        """Coordinates of a correlation's two standard deviations that are below 0: one of them turns its sign."""
        if self.parameter.kind != "cor":
            return np.zeros(0, dtype=np.int64)
        first = self.theta_map.first[self.parameter.term]
        factor, _, column = self.places
        leading = self.diagonal & (factor == self.pinned[0][0]) & (column == first)
        both = np.array([int(np.flatnonzero(leading)[0]), self.n])
        return both[x[both] < 0.0]

    def near_zero(self, x: Array) -> NDArray[np.int64]:
        """Coordinates on diagonals that are about 0: a variance vanishes, or that of a combination of effects."""
        return np.flatnonzero(self.diagonal & (np.abs(x[: self.n]) < NEAR_ZERO * self.scales[: self.n]))


def entries_of(model: Model, parameter: Parameter, theta: Array) -> Entries:
    """Choose the entries for holding a parameter, with steps that fit the covariances of a theta."""
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
    if kind == "cor":
        scales.append(_row_scales(model, theta, parameter.term)[parameter.row])
    return Entries(
        theta_map,
        parameter,
        tuple(orders),
        _as_places(places),
        _as_places(pinned),
        np.array(diagonal, dtype=bool),
        np.array(scales),
    )


def _row_scales(model: Model, theta: Array, term: int) -> Array:
    """Relative standard deviations of a term's random effects, kept from 0."""
    scale = model.scaling.random[term]
    spread = np.sqrt(scale.center**2 + scale.scale**2)
    return np.hypot(np.linalg.norm(model.theta_map.term_lambda(theta, term), axis=1), SMALLEST_SCALE / spread)


def _as_places(places: list[tuple[int, int, int]]) -> Places:
    factor, row, column = np.array(places, dtype=np.int64).reshape(-1, 3).T
    return factor, row, column
