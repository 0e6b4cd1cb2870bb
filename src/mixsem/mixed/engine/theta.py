"""Between the parameters theta and the relative covariance factors lambda of the grouping factors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["TermShape", "ThetaMap", "lower_factor", "theta_map"]

Array = NDArray[np.float64]
Positions = NDArray[np.int64]


@dataclass(frozen=True)
class TermShape:
    """What theta has to know of a random-effects term.

    Attributes
    ----------
    factor
        Its grouping factor.
    group
        Name of the factor.
    names
        Its random effects.
    correlated
        Whether they covary.
    """

    factor: int
    group: str
    names: tuple[str, ...]
    correlated: bool


@dataclass(frozen=True, eq=False)
class ThetaMap:
    """Where each element of theta stands in the relative covariance factors.

    The order is that of lme4: term after term, each the lower triangle of its factor, column by column; of terms
    without correlations the diagonal.

    Attributes
    ----------
    terms
        The terms, in order.
    sizes
        Random effects per level of each grouping factor: those of all its terms.
    first
        Where the random effects of each term begin among those of its factor.
    factor, row, column
        Place of each element.
    term
        Term of each element.
    names
        Names as in lme4: ``"Subject.(Intercept)"``, ``"Subject.Days.(Intercept)"``.
    """

    terms: tuple[TermShape, ...]
    sizes: tuple[int, ...]
    first: tuple[int, ...]
    factor: Positions
    row: Positions
    column: Positions
    term: Positions
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    @property
    def is_diagonal(self) -> NDArray[np.bool_]:
        """Whether each element stands on a diagonal."""
        return np.asarray(self.row == self.column)

    @property
    def lower(self) -> Array:
        """Lower bounds: 0 on diagonals, elsewhere minus infinity."""
        return np.where(self.is_diagonal, 0.0, -np.inf)

    @property
    def start(self) -> Array:
        """The usual start: 1 on diagonals, elsewhere 0."""
        return np.where(self.is_diagonal, 1.0, 0.0)

    def stacked(self, theta: Array) -> Array:
        """The factors lambda_f below one another, shape (F, k, k) with k the largest size."""
        k = max(self.sizes)
        lam = np.zeros((len(self.sizes), k, k))
        lam[self.factor, self.row, self.column] = theta
        return lam

    def block_diagonal(self, matrices: Sequence[Array]) -> Array:
        """Matrices of the terms in their places, like `stacked`."""
        k = max(self.sizes)
        stacked = np.zeros((len(self.sizes), k, k))
        for t, (shape, matrix) in enumerate(zip(self.terms, matrices, strict=True)):
            at = self.places(t)
            stacked[shape.factor, at, at] = matrix
        return stacked

    def lambdas(self, theta: Array) -> tuple[Array, ...]:
        """Relative covariance factor of each grouping factor, shape (k_f, k_f)."""
        return tuple(lam[:k, :k] for lam, k in zip(self.stacked(theta), self.sizes, strict=True))

    def term_lambda(self, theta: Array, term: int) -> Array:
        """Relative covariance factor of one term, shape (k, k)."""
        at = self.places(term)
        return self.lambdas(theta)[self.terms[term].factor][at, at]

    def places(self, term: int) -> slice:
        """Where a term's random effects are among those of its factor."""
        return slice(self.first[term], self.first[term] + len(self.terms[term].names))

    def pick(self, stacked: Array) -> Array:
        """Elements of an array like `stacked` at the places of theta."""
        return np.asarray(stacked[self.factor, self.row, self.column])

    def from_lambdas(self, lambdas: Sequence[Array]) -> Array:
        """Theta of relative covariance factors: each term's factor is made lower triangular, diagonals positive."""
        theta = np.empty(len(self))
        for t, shape in enumerate(self.terms):
            at = self.places(t)
            block = lambdas[shape.factor][at, at]
            here = self.term == t
            block = lower_factor(block) if shape.correlated else np.abs(block)
            theta[here] = block[self.row[here] - self.first[t], self.column[here] - self.first[t]]
        return theta

    def canonical(self, theta: Array) -> Array:
        """The same covariances with no diagonal below 0."""
        return self.from_lambdas(self.lambdas(theta))


def theta_map(terms: Sequence[TermShape]) -> ThetaMap:
    """Build the map of these terms.

    Examples
    --------
    >>> theta_map([TermShape(0, "g", ("(Intercept)", "x"), True)]).names
    ('g.(Intercept)', 'g.x.(Intercept)', 'g.x')
    """
    sizes = [0] * (1 + max(t.factor for t in terms))
    first, places, names = [], [], []
    for number, shape in enumerate(terms):
        begin, k = sizes[shape.factor], len(shape.names)
        first.append(begin)
        for c in range(k):
            for r in range(c, k if shape.correlated else c + 1):
                places.append((shape.factor, begin + r, begin + c, number))
                pair = shape.names[r : r + 1] if r == c else (shape.names[r], shape.names[c])
                names.append(".".join((shape.group, *pair)))
        sizes[shape.factor] += k
    factor, row, column, term = np.array(places, dtype=np.int64).T
    return ThetaMap(tuple(terms), tuple(sizes), tuple(first), factor, row, column, term, tuple(names))


def lower_factor(factor: Array) -> Array:
    """Return the lower triangular matrix L with L L' = M M' and no diagonal below 0; M may be singular."""
    L = np.asarray(np.linalg.qr(np.asarray(factor).T, mode="r")).T
    return np.asarray(L * np.where(np.diagonal(L) < 0.0, -1.0, 1.0))
