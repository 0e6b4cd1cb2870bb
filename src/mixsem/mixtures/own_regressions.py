"""Each group's own regressions as an estimate: how far sampling and measurement may have moved them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..structural.fit import MixtureFit

__all__ = ["OwnRegressions", "own_regressions"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class OwnRegressions:
    """The free regressions of each group by itself, with their sampling covariances.

    Attributes
    ----------
    values
        Estimates, shape (G, J), J free regressions that belong to clusters.
    perfect
        Covariances as if factors were observed, shape (G, J, J).
    people
        Covariances given the measurement parameters: factors are seen through items, shape (G, J, J).
    step1
        What uncertain measurement parameters add, shape (G, J, J).
    clusters
        The same regressions of the clusters, shape (K, J).
    """

    values: Array
    perfect: Array
    people: Array
    step1: Array
    clusters: Array

    @property
    def total(self) -> Array:
        """All of it, shape (G, J, J)."""
        return self.people + self.step1


def own_regressions(fit: MixtureFit, error: Array, draws: Array) -> OwnRegressions:
    """Own regressions of all groups with their sampling covariances (delta method, in closed form).

    The regressions solve, for each of them, sum_c P_ac (Phi u_c)_x = 0 with u_c the row of I - B of outcome c, P the
    inverse residual covariances of the block, a the outcome and x the predictor. A small change dPhi moves them by
    H^-1 (dPhi P u)_x; scores of N people have a covariance matrix C = Phi + V that moves as a Wishart matrix does.

    Parameters
    ----------
    fit
        A mixture with residual matrices of groups.
    error
        Error covariances V of the factor scores, shape (G, Q, Q).
    draws
        Factor covariances under drawn measurement parameters, shape (n, G, Q, Q); n may be 0.
    """
    path, moments = fit.path, fit.moments
    Phi, (G, Q) = moments.Phi, moments.Phi.shape[:2]
    o, x = path.outcome, path.predictor
    design, n_slots = _design(fit)
    own = _with_group_specific(fit)
    IB = np.broadcast_to(np.eye(Q), (G, Q, Q)).copy()
    IB[:, o, x] = -own
    residual = IB @ Phi @ IB.swapaxes(1, 2)
    P = np.zeros((G, Q, Q))
    for block in path.blocks:
        j = np.array(block)
        P[:, j[:, None], j] = np.linalg.inv(residual[:, j[:, None], j])
    U = (P @ IB)[:, o]
    H = design.T @ (P[:, o[:, None], o] * Phi[:, x[:, None], x]) @ design
    bread = np.linalg.solve(H, np.broadcast_to(design.T, (G, *design.T.shape)))[:, :n_slots]
    # Residual variances are estimated: their divisor is n less what was estimated of an outcome.
    used = 1 + max(int((o == j).sum()) for j in np.unique(o))
    n = np.maximum(moments.n - used, 1.0)

    def sandwich(C: Array) -> Array:
        CU = (U @ C)[:, :, x]
        meat = C[:, x[:, None], x] * (U @ C @ U.swapaxes(1, 2)) + CU.swapaxes(1, 2) * CU
        return np.asarray(bread @ meat @ bread.swapaxes(1, 2) / n[:, None, None])

    step1 = np.zeros((G, n_slots, n_slots))
    if len(draws):
        change = draws - draws.mean(axis=0)
        moved = np.einsum("grq,tgrq->tgr", U, change[:, :, x, :], optimize=True)
        moved = np.einsum("gjr,tgr->tgj", bread, moved, optimize=True)
        step1 = np.einsum("tgi,tgj->gij", moved, moved, optimize=True) / len(draws)
    back = np.linalg.pinv(design[:, :n_slots]) if n_slots else np.zeros((0, o.size))
    offset = np.nan_to_num(path.fixed)
    return OwnRegressions(
        (own - offset) @ back.T, sandwich(Phi), sandwich(Phi + error), step1, (fit.coefficients - offset) @ back.T
    )


def _design(fit: MixtureFit) -> tuple[Array, int]:
    """0/1 map from what a group estimates to regressions, shape (R, J + own): the J slots of clusters come first."""
    path = fit.path
    slots, specific = path.equal.size, np.flatnonzero(path.group_specific)
    design = np.zeros((path.slot.size, slots + specific.size))
    free = np.flatnonzero(path.slot >= 0)
    design[free, path.slot[free]] = 1.0
    design[specific, slots + np.arange(specific.size)] = 1.0
    return design, slots


def _with_group_specific(fit: MixtureFit) -> Array:
    """Own regressions with the group-specific ones filled in: least squares given the others, shape (G, R)."""
    path, Phi = fit.path, fit.moments.Phi
    own = fit.own.copy()
    for j in np.unique(path.outcome[path.group_specific]):
        of_outcome = path.outcome == j
        w, rest = np.flatnonzero(of_outcome & path.group_specific), np.flatnonzero(of_outcome & ~path.group_specific)
        x, y = path.predictor[w], path.predictor[rest]
        left = Phi[:, x, j] - np.einsum("gwr,gr->gw", Phi[:, x[:, None], y], own[:, rest])
        own[:, w] = np.linalg.solve(Phi[:, x[:, None], x], left[..., None])[..., 0]
    return own
