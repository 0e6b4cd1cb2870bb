"""Working correlations of GEE for statsmodels, estimated as geepack does; imported only where a GEE is fitted.

statsmodels' own autoregressive structure counts rows instead of time where occasions are missing and has another
estimator, and its exchangeable one takes no weights that vary within clusters: so both are written here.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from statsmodels.genmod.cov_struct import CovStruct

__all__ = ["Ar1", "Exchangeable", "Independence", "Working"]

Array = NDArray[np.float64]

#: Correlations stay this far inside of what is possible.
MARGIN = 1e-6


class Working(CovStruct):
    """A working correlation of rows that are sorted by cluster, with weights.

    Parameters
    ----------
    codes
        (n,) the cluster of each row, increasing.
    weights
        (n,) or None: the working variance of a row is divided by its weight.
    """

    def __init__(self, codes: NDArray[np.int32], weights: Array | None) -> None:
        super().__init__()
        self.codes = codes
        self.ends = np.cumsum(np.bincount(codes))[:-1]
        self.root = None if weights is None else np.split(np.sqrt(weights), self.ends)
        self.dep_params = 0.0
        self.scale = 1.0

    @abstractmethod
    def solve(self, index: int, x: Array) -> Array:
        """The inverse of a cluster's correlation matrix times (n_i, k)."""

    @abstractmethod
    def correlation(self, residuals: Array) -> float:
        """The parameter, from (n,) residuals of variance 1."""

    def update(self, params: Array) -> None:
        """Estimate scale and correlation from the current residuals; see `CovStruct.update`."""
        found = self.residuals()
        self.scale = float(found @ found) / len(found)
        self.dep_params = self.correlation(found / np.sqrt(self.scale)) if self.scale > 0.0 else 0.0

    def residuals(self) -> Array:
        """Pearson residuals, (n,), times the roots of the weights."""
        model = self.model
        means = np.concatenate([mean for mean, _ in model.cached_means])
        found = (np.concatenate(model.endog_li) - means) / np.sqrt(model.family.variance(means))
        return np.asarray(found if self.root is None else found * np.concatenate(self.root))

    def covariance_matrix_solve(self, expval: Array, index: int, stdev: Array, rhs: Sequence[Array]) -> list[Array]:
        """Solve with the working covariance matrix of a cluster; see `CovStruct.covariance_matrix_solve`."""
        sd = (stdev if self.root is None else stdev / self.root[index])[:, None]
        return [self.solve(index, x.reshape(len(sd), -1) / sd).__truediv__(sd).reshape(x.shape) for x in rhs]


class Independence(Working):
    """Rows of a cluster are independent."""

    def solve(self, index: int, x: Array) -> Array:
        """The same."""
        return x

    def correlation(self, residuals: Array) -> float:
        """Zero."""
        return 0.0


class Exchangeable(Working):
    """Any two rows of a cluster have the same correlation: the mean of the products of residuals over all pairs."""

    def solve(self, index: int, x: Array) -> Array:
        """In closed form."""
        r = self.dep_params
        return np.asarray((x - r / (1.0 + r * (len(x) - 1)) * x.sum(axis=0)) / (1.0 - r))

    def correlation(self, residuals: Array) -> float:
        """The mean of products over pairs."""
        sizes = np.bincount(self.codes)
        pairs = float((sizes * (sizes - 1)).sum())
        if not pairs:
            return 0.0
        sums = np.bincount(self.codes, residuals)
        lowest = -1.0 / (sizes.max() - 1)
        found = float(sums @ sums - residuals @ residuals) / pairs
        return min(max(found, lowest * (1.0 - MARGIN)), 1.0 - MARGIN)


class Ar1(Working):
    """The correlation of two rows is rho to the power of the time between them.

    Rho solves geepack's estimating equation: least squares of the products of residuals over all pairs of rows.

    Parameters
    ----------
    codes, weights
        As in `Working`.
    time
        (n,) increasing within clusters.
    """

    def __init__(self, codes: NDArray[np.int32], weights: Array | None, time: Array) -> None:
        super().__init__(codes, weights)
        self.steps = [np.diff(part) for part in np.split(time, self.ends)]
        self.time = time
        self.lowest = -1.0 + MARGIN if np.array_equal(time, np.round(time)) else 0.0

    def solve(self, index: int, x: Array) -> Array:
        """By the tridiagonal inverse."""
        a = float(self.dep_params) ** self.steps[index][:, None]
        left = np.sqrt(1.0 - a**2)
        y = x.copy()
        y[1:] = (x[1:] - a * x[:-1]) / left
        z = y.copy()
        z[1:] /= left
        z[:-1] -= a * y[1:] / left
        return z

    def correlation(self, residuals: Array) -> float:
        """Least squares over pairs."""
        from scipy.optimize import brentq

        lags, products, counts = self._by_lag(residuals)
        if not len(lags):
            return 0.0

        def slope(rho: float) -> float:
            return float((lags * rho ** (lags - 1.0)) @ (products - counts * rho**lags))

        low, high = self.lowest, 1.0 - MARGIN
        points = np.linspace(low, high, 41)
        losses = [float((counts * rho**lags - 2.0 * products) @ rho**lags) for rho in points]
        best = int(np.argmin(losses))
        bracket = points[max(best - 1, 0)] + (1e-12 if low == 0.0 else 0.0), points[min(best + 1, 40)]
        if slope(bracket[0]) * slope(bracket[1]) >= 0.0:
            return float(points[best])
        return float(brentq(slope, *bracket, xtol=1e-13))

    def _by_lag(self, residuals: Array) -> tuple[Array, Array, Array]:
        """Distances in time that occur, and of each the sum of products and the number of pairs."""
        found: list[Any] = []
        for k in range(1, int(np.bincount(self.codes).max())):
            same = np.flatnonzero(self.codes[k:] == self.codes[:-k])
            found.append((self.time[same + k] - self.time[same], residuals[same + k] * residuals[same]))
        if not found:
            return np.empty(0), np.empty(0), np.empty(0)
        lags, place = np.unique(np.concatenate([lag for lag, _ in found]), return_inverse=True)
        counts = np.bincount(place).astype(np.float64)
        products: Array = np.bincount(place, np.concatenate([product for _, product in found])).astype(np.float64)
        return np.asarray(lags), products, counts
