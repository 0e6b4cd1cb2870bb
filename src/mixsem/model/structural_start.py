"""Starting values of regressions, residual variances and factor means, given first values of the measurement part."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..syntax.table import ParameterTable
from .matrices import ALPHA, BETA, NU, PSI, ModelMap

__all__ = ["add_higher_order", "fill_structure"]

Array = NDArray[np.float64]


def add_higher_order(table: ParameterTable, model: ModelMap, correlation: Array, phi: Array) -> None:
    """Give factors that are measured by factors a variance and correlations, in place.

    They share what their indicators have in common: the mean covariance of the indicators.

    Parameters
    ----------
    correlation
        Correlations of the factors, shape (m, m).
    phi
        Their variances, shape (G, m).
    """
    for q, factor in enumerate(model.factors):
        below = [
            model.factors.index(r.rhs)
            for r in table.rows
            if r.lhs == factor and r.op == "=~" and r.rhs in model.factors
        ]
        if not below or any(r.lhs == factor and r.op == "=~" and r.rhs not in model.factors for r in table.rows):
            continue
        among = correlation[np.ix_(below, below)][np.triu_indices(len(below), 1)]
        share = float(np.clip(np.abs(among).mean(), 0.2, 0.9)) if among.size else 0.5
        phi[:, q] = share * phi[:, below].mean(axis=1)
        correlation[q] = correlation[:, q] = 0.8 * correlation[below].mean(axis=0)
        correlation[q, below] = correlation[below, q] = np.sqrt(share)
        correlation[q, q] = 1.0


def fill_structure(
    table: ParameterTable, model: ModelMap, values: Array, correlation: Array, phi: Array, loadings: Array, means: Array
) -> None:
    """Fill the entries of B, Psi and alpha, in place: least squares on the factors' covariances.

    Parameters
    ----------
    values
        Values of all entries, shape (G, E).
    correlation, phi
        Correlations (m, m) and variances (G, m) of the factors.
    loadings
        Loadings, shape (p, m).
    means
        Sample means, shape (G, p).
    """
    entry = np.flatnonzero(model.matrix == BETA)
    scale = np.sqrt(phi)
    Phi = (scale[:, :, None] * scale[:, None, :] * correlation).mean(axis=0)
    B = np.zeros_like(Phi)
    for j in np.unique(model.row[entry]):
        own = entry[model.row[entry] == j]
        free = own[(model.free[:, own] >= 0).any(axis=0)]
        x = model.column[free]
        ridge = 0.02 * np.diag(np.diagonal(Phi)[x])
        b = np.linalg.solve(Phi[np.ix_(x, x)] + ridge, Phi[x, j])
        values[:, free] = b
        B[j, x] = b
        held = np.setdiff1d(own, free)
        B[j, model.column[held]] = model.fixed[0, held]
    endogenous = _endogenous(model)
    unexplained = np.clip(1.0 - np.einsum("jk,kj->j", B, Phi) / np.diagonal(Phi), 0.2, 1.0)
    for e in np.flatnonzero(model.matrix == PSI):
        i, j = model.row[e], model.column[e]
        if i == j:
            values[:, e] = phi[:, i] * unexplained[i]
        else:  # residuals start uncorrelated, in groups where they are residuals
            values[endogenous[:, i] | endogenous[:, j], e] = 0.0
    _fill_means(model, values, B, loadings, means)


def _endogenous(model: ModelMap) -> NDArray[np.bool_]:
    """Factors that something predicts, by group, shape (G, m)."""
    found = np.zeros((model.n_groups, len(model.factors)), dtype=bool)
    for e in np.flatnonzero(model.matrix == BETA):
        found[:, model.row[e]] |= (model.free[:, e] >= 0) | (model.fixed[:, e] != 0)
    return found


def _fill_means(model: ModelMap, values: Array, B: Array, loadings: Array, means: Array) -> None:
    """Factor means that reproduce the sample means of items without intercepts."""
    at = np.flatnonzero(model.matrix == ALPHA)
    if at.size == 0:
        return
    free = [e for e in np.flatnonzero(model.matrix == NU) if (model.free[:, e] >= 0).any()]
    bound = np.setdiff1d(np.arange(len(model.observed)), model.row[free])
    eta = np.zeros((means.shape[0], len(model.factors)))
    measured = np.flatnonzero((loadings[bound] != 0).any(axis=0))
    if bound.size and measured.size:
        eta[:, measured] = means[:, bound] @ np.linalg.pinv(loadings[np.ix_(bound, measured)]).T
    eta[:, model.units[1]] = means[:, model.units[0]]
    alpha = eta - eta @ B.T
    values[:, at] = alpha[:, model.row[at]]
