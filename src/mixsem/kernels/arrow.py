"""Linear algebra of models with parameters shared by groups and parameters of one group each.

The information matrix of such a model is an arrow: one block per group for its own (local) parameters, a border
for the shared ones. Eliminating the blocks first makes the work linear in the number of groups.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["ArrowLayout", "ArrowRoot", "ArrowSystem", "arrow_layout", "factorize"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ArrowLayout:
    """Where each group's parameter entries go.

    Attributes
    ----------
    n_free
        Number of free parameters, P.
    shared
        Parameters that appear in more than one group, shape (s,).
    local
        Parameters of one group only, shape (G, m), padded with -1.
    gather
        0/1 array, shape (G, E, s + m), that adds entries up to the group's parameters.
    """

    n_free: int
    shared: Index
    local: Index
    gather: Array


@dataclass(frozen=True, slots=True)
class ArrowSystem:
    """A factorised arrow matrix H: ``border`` = H_ls, ``local_inverse`` = H_ll^-1, ``schur_inverse``."""

    layout: ArrowLayout
    border: Array  # (G, m, s)
    local_inverse: Array  # (G, m, m)
    schur_inverse: Array  # (s, s)

    def solve(self, right: Array) -> Array:
        """Solve H x = right, both of shape (P,)."""
        shared, local = self.layout.shared, self.layout.local
        r_local = np.where(local >= 0, right[np.maximum(local, 0)], 0.0)
        reduced = np.einsum("gij,gj->gi", self.local_inverse, r_local)
        x_shared = self.schur_inverse @ (right[shared] - np.einsum("gms,gm->s", self.border, reduced))
        x_local = reduced - np.einsum("gij,gj->gi", self.local_inverse, self.border @ x_shared)
        solution = np.empty(self.layout.n_free)
        solution[shared] = x_shared
        solution[local[local >= 0]] = x_local[local >= 0]
        return solution

    def inverse(self) -> Array:
        """The full inverse, shape (P, P): the covariance matrix of the estimates."""
        shared, local = self.layout.shared, self.layout.local
        n_groups, m = local.shape
        inverse = np.zeros((self.layout.n_free, self.layout.n_free))
        inverse[np.ix_(shared, shared)] = self.schur_inverse
        weights = -self.local_inverse @ self.border  # d(local)/d(shared)
        keep = local.ravel() >= 0
        index = local.ravel()[keep]
        flat = weights.reshape(n_groups * m, shared.size)[keep]
        to_shared = flat @ self.schur_inverse
        inverse[np.ix_(index, shared)] = to_shared
        inverse[np.ix_(shared, index)] = to_shared.T
        inverse[np.ix_(index, index)] = to_shared @ flat.T
        for g in range(n_groups):
            own = local[g][local[g] >= 0]
            inverse[np.ix_(own, own)] += self.local_inverse[g][: own.size, : own.size]
        return inverse

    def diagonal(self) -> Array:
        """Diagonal of the inverse, shape (P,), without forming the rest."""
        shared, local = self.layout.shared, self.layout.local
        weights = -self.local_inverse @ self.border
        variance = np.einsum("gms,gms->gm", weights @ self.schur_inverse, weights)
        variance = variance + np.diagonal(self.local_inverse, axis1=1, axis2=2)
        diagonal = np.empty(self.layout.n_free)
        diagonal[shared] = np.diagonal(self.schur_inverse)
        diagonal[local[local >= 0]] = variance[local >= 0]
        return diagonal

    def root(self) -> ArrowRoot:
        """A square root of the inverse: what turns standard normal numbers into estimates drawn with it."""
        return ArrowRoot(
            self.layout, -self.local_inverse @ self.border, _root(self.local_inverse), _root(self.schur_inverse)
        )


@dataclass(frozen=True, slots=True)
class ArrowRoot:
    """A matrix R with R R' = H^-1, block by block: ``weights`` = -H_ll^-1 H_ls, and roots of the two inverses."""

    layout: ArrowLayout
    weights: Array  # (G, m, s)
    local: Array  # (G, m, m)
    shared: Array  # (s, s)

    def times(self, z: Array) -> Array:
        """R z, of shape (P,)."""
        layout, local = self.layout, self.layout.local
        own = np.where(local >= 0, z[np.maximum(local, 0)], 0.0)
        product = np.empty(layout.n_free)
        product[layout.shared] = x_shared = self.shared @ z[layout.shared]
        x_local = np.einsum("gij,gj->gi", self.local, own) + self.weights @ x_shared
        product[local[local >= 0]] = x_local[local >= 0]
        return product


def _root(V: Array) -> Array:
    """Symmetric square roots of covariance matrices, negative eigenvalues (by rounding) taken for zero."""
    values, vectors = np.linalg.eigh(0.5 * (V + V.swapaxes(-1, -2)))
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0.0))[..., None, :]) @ vectors.swapaxes(-1, -2))


def arrow_layout(free: Index, n_free: int) -> ArrowLayout:
    """Sort the parameters into shared and local ones.

    Parameters
    ----------
    free
        Index of the free parameter behind each entry, -1 if fixed, shape (G, E).
    n_free
        Number of free parameters.
    """
    n_groups, n_entries = free.shape
    group, entry = np.nonzero(free >= 0)
    parameter = free[group, entry]
    first, last = np.full(n_free, n_groups), np.full(n_free, -1)
    np.minimum.at(first, parameter, group)
    np.maximum.at(last, parameter, group)
    shared, owned = np.flatnonzero(first < last), np.flatnonzero(first == last)
    owned = owned[np.argsort(first[owned], kind="stable")]
    counts = np.bincount(first[owned], minlength=n_groups)
    rank = np.arange(owned.size) - np.repeat(np.cumsum(counts) - counts, counts)
    local = np.full((n_groups, int(counts.max(initial=0))), -1, dtype=np.int64)
    local[first[owned], rank] = owned
    slot = np.full(n_free, -1, dtype=np.int64)
    slot[shared] = np.arange(shared.size)
    slot[owned] = shared.size + rank
    gather = np.zeros((n_groups, n_entries, shared.size + local.shape[1]))
    gather[group, entry, slot[parameter]] = 1.0
    return ArrowLayout(n_free, shared, local, gather)


def factorize(layout: ArrowLayout, information: Array, damping: float = 0.0) -> ArrowSystem:
    """Factorise the arrow matrix that the groups' entry matrices (G, E, E) add up to.

    `damping` multiplies the diagonal by (1 + damping), as Levenberg and Marquardt do. Raises
    `numpy.linalg.LinAlgError` if the matrix is singular.
    """
    s = layout.shared.size
    H = layout.gather.swapaxes(1, 2) @ information @ layout.gather
    diagonal = np.einsum("gii->gi", H)  # a view: what follows changes H, which is ours
    diagonal *= 1.0 + damping
    diagonal[:, s:] += layout.local < 0  # padding: an identity block that meets a zero right-hand side
    local_inverse = np.asarray(np.linalg.inv(H[:, s:, s:]), dtype=float)
    border = H[:, s:, :s]
    schur = H[:, :s, :s].sum(axis=0) - (border.swapaxes(1, 2) @ (local_inverse @ border)).sum(axis=0)
    return ArrowSystem(layout, border, local_inverse, np.linalg.inv(schur))
