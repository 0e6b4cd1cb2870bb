"""Normal likelihood of rows with missing values, pattern by pattern: loss, gradient, information, scores.

Rows of a group that miss the same items form a pattern m, with n_m rows, means and covariances S_m of the items it
observes. With W_m the inverse of Sigma restricted to these items, d = mean - mu and C = S_m + d d',

    -2 log L  = sum_m n_m [k_m log 2 pi + log|Sigma_m| + tr(W_m C)],
    mean part   b     = sum_m n_m W_m d               ( =  d log L / d mu),
    covariances Omega = sum_m n_m (W_m - W_m C W_m)   (d log L = -1/2 tr(Omega dSigma)),

every W_m embedded in p x p with zeros where the pattern misses an item. The loops over patterns are compiled: they
touch the observed items only and need no memory per pattern.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["PatternSums", "PatternTables", "pattern_information", "pattern_sums", "row_scores"]

Array = NDArray[np.float64]


class PatternTables(NamedTuple):
    """What the likelihood needs of the rows; patterns are sorted by group."""

    observed: NDArray[np.bool_]  # (M, p)
    starts: NDArray[np.int64]  # (G + 1,) patterns starts[g] to starts[g + 1] - 1 are those of group g
    n: Array  # (M,)
    means: Array  # (M, p) zeros where missing
    covariances: Array  # (M, p, p) divisor n of the pattern, zeros where missing

    @property
    def n_groups(self) -> int:
        """Number of groups."""
        return len(self.starts) - 1

    def of_groups(self, groups: NDArray[np.int64]) -> PatternTables:
        """The patterns of some groups."""
        sizes = np.diff(self.starts)[groups]
        at = np.concatenate([np.arange(self.starts[g], self.starts[g + 1]) for g in groups])
        starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        return PatternTables(self.observed[at], starts, self.n[at], self.means[at], self.covariances[at])

    @property
    def n_rows(self) -> Array:
        """Rows per group, shape (G,)."""
        return np.add.reduceat(self.n, self.starts[:-1])


class PatternSums(NamedTuple):
    """The likelihood of each group and its derivatives, as in the formulas of the module."""

    deviance: Array  # (G,) -2 log L; infinite where a matrix is not positive definite
    mean_part: Array  # (G, p) b
    Omega: Array  # (G, p, p)


def pattern_sums(
    tables: PatternTables, mu: Array, Sigma: Array, groups: NDArray[np.int64] | None = None
) -> PatternSums:
    """Deviance and derivatives at mu (G, p) and Sigma (G, p, p).

    Parameters
    ----------
    tables
        The patterns.
    mu, Sigma
        Moments of every group.
    groups
        Positions of the groups that are wanted; the others get zeros. None for all.
    """
    G, p = mu.shape
    out = PatternSums(np.zeros(G), np.zeros((G, p)), np.zeros((G, p, p)))
    wanted = np.arange(G) if groups is None else groups
    from .pattern_loops import fill_sums  # compiled: loaded when rows are incomplete

    fill_sums(*tables, np.ascontiguousarray(mu), np.ascontiguousarray(Sigma), wanted, *out)
    return out


def pattern_information(tables: PatternTables, Sigma: Array) -> Array:
    """Expected information of the moments (means, then vech of Sigma) given the patterns, shape (G, q, q).

    n_m W_m for the means, n_m/2 tr(W_m E_a W_m E_b) for the entries a and b of Sigma, and zeros between the two.
    """
    G, p = Sigma.shape[:2]
    q = p + p * (p + 1) // 2
    information = np.zeros((G, q, q))
    from .pattern_loops import fill_information  # compiled: loaded when rows are incomplete

    fill_information(tables.observed, tables.starts, tables.n, np.ascontiguousarray(Sigma), information)
    upper = np.triu(information)
    return upper + np.triu(information, 1).swapaxes(1, 2)


def row_scores(
    tables: PatternTables, values: Array, pattern_of_row: NDArray[np.int64], mu: Array, Sigma: Array
) -> Array:
    """Derivatives of each row's log-likelihood with respect to the moments of its group, shape (N, q).

    Parameters
    ----------
    tables
        The patterns.
    values
        (N, p) rows, NaN where missing.
    pattern_of_row
        (N,) pattern of each row.
    mu, Sigma
        Moments of every group, (G, p) and (G, p, p).
    """
    p = values.shape[1]
    scores = np.zeros((len(values), p + p * (p + 1) // 2))
    order = np.argsort(pattern_of_row, kind="stable")
    first = np.searchsorted(pattern_of_row[order], np.arange(len(tables.n) + 1))
    from .pattern_loops import fill_scores  # compiled: loaded when rows are incomplete

    fill_scores(tables.observed, tables.starts, order, first, values, mu, np.ascontiguousarray(Sigma), scores)
    return scores
