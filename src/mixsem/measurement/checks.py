"""Trouble in step 1, named by group: convergence, Heywood cases, matrices that are not positive definite."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import (
    ConvergenceWarning,
    HeywoodWarning,
    NonPositiveDefiniteWarning,
    Notice,
    WeakMarkerWarning,
    enumerate_briefly,
)
from ..model.matrices import LAMBDA, PSI, THETA, ModelMap
from ..model.notices import single_indicators
from .fit import BlockFit

__all__ = ["measurement_notices", "weak_markers"]

Array = NDArray[np.float64]

#: A marker variable that shares less than this part of its variance with the factor is weak.
WEAK = 0.04


def measurement_notices(blocks: Sequence[BlockFit], groups: Sequence[Hashable]) -> list[Notice]:
    """All notices of a fitted measurement model, block after block."""
    notices: list[Notice] = []
    for block in blocks:
        notices += _convergence(block, groups)
        notices += _heywood(block, groups)
        notices += _indefinite(block, groups)
        implied, values = block.model.implied(block.optimum.theta), block.model.entry_values(block.optimum.theta)
        explained = implied.Sigma - block.model.values_of(THETA, block.optimum.theta)
        notices += weak_markers(block.model, values, implied.Phi, explained + block.Theta)
        notices += single_indicators(block.table)
    return notices


def _convergence(block: BlockFit, groups: Sequence[Hashable]) -> list[Notice]:
    if block.optimum.converged:
        return []
    layout = block.model.layout
    with np.errstate(invalid="ignore"):
        remaining = np.abs(block.optimum.gradient) * np.nan_to_num(block.standard_errors, nan=np.inf)
    local = np.where(layout.local >= 0, remaining[np.maximum(layout.local, 0)], 0.0)
    worst = local.max(axis=1, initial=0.0)
    named = tuple(groups[int(g)] for g in np.argsort(-worst) if worst[g] > 1e-4)
    return [
        Notice(
            ConvergenceWarning,
            f"{', '.join(block.factors)}: the optimiser did not converge in {block.optimum.n_iterations} steps"
            f" (last step {block.optimum.step:.2g} standard errors). The estimates are not the optimum."
            + (f" Farthest from it: {enumerate_briefly(named)}." if named else "")
            + " Look for small groups, weak items, or loadings freed without need.",
            named,
        )
    ]


def _heywood(block: BlockFit, groups: Sequence[Hashable]) -> list[Notice]:
    """Zero or negative variances of items and factors."""
    notices = []
    for kind, names, what in ((THETA, block.items, "unique variance"), (PSI, block.factors, "factor variance")):
        variances = np.diagonal(_matrix(block, kind), axis1=1, axis2=2)
        fixed = {
            int(block.model.row[e])
            for e in np.flatnonzero(block.model.matrix == kind)
            if block.model.row[e] == block.model.column[e] and (block.model.free[:, e] < 0).all()
        }
        hit = np.argwhere(variances <= 0)
        cases = [(int(g), int(i)) for g, i in hit if i not in fixed]
        if cases:
            listed = [f"{names[i]} in {groups[g]} ({variances[g, i]:.3g})" for g, i in cases]
            notices.append(
                Notice(
                    HeywoodWarning,
                    f"{', '.join(block.factors)}: {what} zero or negative (a Heywood case):"
                    f" {enumerate_briefly(listed)}. The model may not fit these groups,"
                    " or they are too small to tell; consider dropping the item or the group, or freeing its loading.",
                    tuple(dict.fromkeys(groups[g] for g, _ in cases)),
                )
            )
    return notices


def _indefinite(block: BlockFit, groups: Sequence[Hashable]) -> list[Notice]:
    """Covariance matrices with positive variances that are indefinite all the same."""
    notices = []
    for kind, what in ((THETA, "residual covariance matrix"), (PSI, "factor covariance matrix")):
        matrix = _matrix(block, kind)
        positive = np.diagonal(matrix, axis1=1, axis2=2).min(axis=1) > 0
        indefinite = positive & (np.linalg.eigvalsh(matrix)[:, 0] < 0)
        if indefinite.any():
            named = tuple(groups[int(g)] for g in np.flatnonzero(indefinite))
            notices.append(
                Notice(
                    NonPositiveDefiniteWarning,
                    f"{', '.join(block.factors)}: the {what} is not positive definite in {enumerate_briefly(named)}:"
                    " some correlation exceeds 1. Factors may be one and the same there, or the group is too small.",
                    named,
                )
            )
    return notices


def _matrix(block: BlockFit, kind: int) -> Array:
    """Theta or Psi of every group; a block with ordered items has unique variances that are no parameters."""
    return block.Theta if kind == THETA else block.model.values_of(kind, block.optimum.theta)


def weak_markers(model: ModelMap, values: Array, Phi: Array, Sigma: Array) -> list[Notice]:
    """Marker variables that hardly depend on their factor: all other loadings are relative to them.

    Parameters
    ----------
    model
        The compiled block.
    values
        Values of its entries, shape (G, E).
    Phi, Sigma
        Covariances of factors, shape (G, m, m), and of items, shape (G, p, p), as the model implies them.
    """
    notices = []
    for e in np.flatnonzero(model.matrix == LAMBDA):
        if not ((model.free[:, e] < 0) & (values[:, e] != 0)).all():
            continue
        i, q = int(model.row[e]), int(model.column[e])
        share = float(np.median(values[:, e] ** 2 * Phi[:, q, q] / Sigma[:, i, i]))
        factor, item = model.factors[q], model.observed[i]
        if share < WEAK:
            text = (
                f"{factor}: the marker variable {item} shares only {max(share, 0.0):.1%} of its variance with the"
                " factor (median over groups), so the scale of the factor, and with it every regression, is unstable."
                f" Put another item of {factor} first, one that measures it well."
            )
            notices.append(Notice(WeakMarkerWarning, text))
    return notices
