"""Means and sums of products of deviations, of blocks of rows and of blocks put together.

Never sums of squares: deviations are taken from the mean of the block, and blocks are merged by the difference of their
means (Chan, Golub & LeVeque, 1983, The American Statistician 37, 242-247). Means keep what rounding cuts off
(Knuth's two-sum), as differences between means of 1e9 would lack seven digits otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["CoMoments", "complete_comoments", "pairwise_comoments"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]


class CoMoments(NamedTuple):
    """Moments of C cells: groups, or patterns of missing items in groups.

    Complete rows have one count and one mean per item (q = 1). With pairwise-complete ones (q = p) element (i, j)
    belongs to the rows that have both items, and is the mean of i there. The arithmetic is the same.
    """

    n: Array  # (C, q, q) rows
    means: Array  # (C, p, q)
    rests: Array  # (C, p, q) what rounding cut off the means
    products: Array  # (C, p, p) sums of products of deviations from the means

    @classmethod
    def empty(cls, cells: int, p: int, q: int) -> CoMoments:
        """No rows yet."""
        means, rests = np.zeros((2, cells, p, q))
        return cls(np.zeros((cells, q, q)), means, rests, np.zeros((cells, p, p)))

    def placed(self, at: Index, cells: int) -> CoMoments:
        """The same cells at other positions among `cells`; the others are empty."""
        if len(at) == cells and (at == np.arange(cells)).all():
            return self
        return CoMoments(*(_placed(array, at, cells) for array in self))

    def taken(self, at: Index) -> CoMoments:
        """The cells at these positions."""
        return CoMoments(*(array[at] for array in self))

    def merged(self, other: CoMoments) -> CoMoments:
        """Pool with the rows of the same cells seen elsewhere.

        Examples
        --------
        >>> one = complete_comoments(np.array([[1.0, 3.0]]), np.array([2]))
        >>> other = complete_comoments(np.array([[5.0]]), np.array([1]))
        >>> one.merged(other).means.ravel(), one.merged(other).products.ravel()
        (array([3.]), array([8.]))
        """
        n = self.n + other.n
        share = np.divide(other.n, n, out=np.zeros_like(n), where=n > 0)
        # An item that is constant in both parts has no distance and keeps its value to the last digit.
        apart = (other.means - self.means) + (other.rests - self.rests)
        between = apart * apart.swapaxes(1, 2) * (self.n * share)
        means, rests = _two_sum(self.means, self.rests + apart * share)
        # A share of one takes over the other mean as it is, which the sum need not give.
        whole = share == 1
        return CoMoments(
            n,
            np.where(whole, other.means, means),
            np.where(whole, other.rests, rests),
            self.products + other.products + between,
        )


def _two_sum(large: Array, small: Array) -> tuple[Array, Array]:
    """The rounded sum, and exactly what rounding cut off."""
    total = large + small
    part = total - large
    return total, (large - (total - part)) + (small - part)


def _placed(array: Array, at: Index, cells: int) -> Array:
    larger = np.zeros((cells, *array.shape[1:]))
    larger[at] = array
    return larger


def complete_comoments(values: Array, n: Index) -> CoMoments:
    """Moments of rows without missing values, sorted by cell.

    Parameters
    ----------
    values
        (p, N) items by rows: the rows of a cell are next to one another, which is what makes the products fast.
    n
        (C,) rows of each cell; may be zero. Neighbours of the same size are computed together.
    """
    p = len(values)
    means, rests = np.zeros((2, len(n), p, 1))
    products = np.zeros((len(n), p, p))
    for cells, rows in _runs(values, n):
        size = rows.shape[2]
        # From the first row, so that a constant item leaves zeros; then from the mean (corrected two-pass algorithm).
        first = rows[:, :, 0]
        away = rows - first[:, :, None]
        mean = away.sum(axis=2) / size
        away -= mean[:, :, None]
        left = away.sum(axis=2) / size
        sums = _two_sum(first, mean + left)
        means[cells, :, 0], rests[cells, :, 0] = sums[0].T, sums[1].T
        products[cells] = _products(away) - left.T[:, :, None] * left.T[:, None, :] * size
    return CoMoments(n.astype(np.float64).reshape(-1, 1, 1), means, rests, products)


def pairwise_comoments(values: Array, n: Index) -> CoMoments:
    """Moments of the rows with both items, for every pair; arguments as of `complete_comoments`, NaN where missing."""
    p = len(values)
    all_of = CoMoments.empty(len(n), p, p)
    for cells, rows in _runs(values, n):
        present = ~np.isnan(rows)
        first = np.take_along_axis(rows, present.argmax(axis=2)[:, :, None], axis=2)
        counts = np.maximum(present.sum(axis=2, keepdims=True), 1)
        away = np.where(present, rows - first, 0.0)
        mean = away.sum(axis=2, keepdims=True) / counts
        away = np.where(present, away - mean, 0.0)
        there = present.astype(np.float64)
        together = _products(there)
        left = np.matmul(away.transpose(1, 0, 2), there.transpose(1, 2, 0))
        left = np.divide(left, together, out=np.zeros_like(left), where=together > 0)
        sums = _two_sum(first.transpose(1, 0, 2), mean.transpose(1, 0, 2) + left)
        all_of.n[cells] = together
        all_of.means[cells], all_of.rests[cells] = (np.where(together > 0, part, 0.0) for part in sums)
        all_of.products[cells] = _products(away) - left * left.swapaxes(1, 2) * together
    return all_of


def _runs(values: Array, n: Index) -> Iterator[tuple[slice, Array]]:
    """Neighbouring cells of the same size, and their rows as (p, cells, size); empty cells are passed over."""
    starts = np.flatnonzero(np.diff(n, prepend=-1))
    rows_before = np.cumsum(n) - n
    for begin, end in pairwise([*starts.tolist(), len(n)]):
        size, cells = int(n[begin]), end - begin
        if size:
            at = int(rows_before[begin])
            yield slice(begin, end), values[:, at : at + cells * size].reshape(len(values), cells, size)


def _products(rows: Array) -> Array:
    """Sums of products (cells, p, p) over the rows (p, cells, size) of each cell; exactly symmetric."""
    products: Array = np.matmul(rows.transpose(1, 0, 2), rows.transpose(1, 2, 0))
    return products
