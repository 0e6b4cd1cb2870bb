"""Starting values from the sample moments: measurement first, then what stands on it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ..kernels.covariance import inverse_and_log_det
from ..syntax.table import ParameterTable
from .matrices import BETA, LAMBDA, NU, PSI, THETA, ModelMap
from .structural_start import add_higher_order, fill_structure

__all__ = ["starting_values"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]


def starting_values(model: ModelMap, table: ParameterTable, n: Array, S: Array, means: Array) -> Array:
    """A start that gives positive definite matrices, shape (P,).

    Loadings come from the pooled covariance matrix with the other items as instruments (the idea of Hägglund,
    1982), factor variances from each group, residual variances fill the rest. A start given by the user,
    ``start(v)*x``, wins.
    """
    pooled = np.einsum("g,gij->ij", n / n.sum(), S)
    values = np.zeros(model.free.shape)
    loadings = _loadings(model, pooled)
    for e, kind in enumerate(model.matrix):
        if kind == LAMBDA:
            values[:, e] = loadings[model.row[e], model.column[e]]
        elif kind == NU:
            values[:, e] = means[:, model.row[e]]
    phi = _factor_variances(loadings, S, model.units)
    _single_items(model, loadings, S, phi)
    explained = np.einsum("pq,gq->gp", loadings**2, phi)
    total = np.diagonal(S, axis1=1, axis2=2)
    theta = np.maximum(total - explained, 0.2 * total)
    correlation = _factor_correlations(loadings, pooled, model.units)
    if model.units.size or (model.matrix == BETA).any():
        add_higher_order(table, model, correlation, phi)
    for e, (kind, i, j) in enumerate(zip(model.matrix, model.row, model.column, strict=True)):
        if kind == PSI:
            values[:, e] = correlation[i, j] * np.sqrt(phi[:, i]) * np.sqrt(phi[:, j])
        elif kind == THETA and i == j:
            values[:, e] = theta[:, i]
    fill_structure(table, model, values, correlation, phi, loadings, means)
    given = np.array([[np.nan if v is None else v for v in row.start] for row in table.rows]).T
    counts = np.maximum(model.add_up(np.ones(model.free.shape)), 1.0)

    def packed(entries: Array) -> Array:
        return model.add_up(np.where(np.isnan(given), entries, given)) / counts

    return _proper(model, packed, values, total)


def _proper(model: ModelMap, packed: Callable[[Array], Array], values: Array, total: Array) -> Array:
    """The start, with relations among factors shrunk until every implied covariance matrix is positive definite."""
    joining = (model.matrix == BETA) | ((model.matrix == PSI) & (model.row != model.column))
    for share in (1.0, 0.5, 0.2, 0.0):
        theta = packed(np.where(joining, share * values, values))
        if inverse_and_log_det(model.implied(theta).Sigma).proper.all():
            return theta
    unique = (model.matrix == THETA) & (model.row == model.column)
    values = np.where(joining, 0.0, values)
    return packed(np.where(unique, total[:, model.row], values))


def _single_items(model: ModelMap, loadings: Array, S: Array, phi: Array) -> None:
    """Variances of factors with one item, in place: what its residual variance, if it is fixed, leaves."""
    for q in range(loadings.shape[1]):
        items = np.flatnonzero(loadings[:, q])
        if items.size != 1 or q in model.units[1]:
            continue
        i = int(items[0])
        own = np.flatnonzero((model.matrix == THETA) & (model.row == i) & (model.column == i))
        given = own.size == 1 and (model.free[:, own[0]] < 0).all()
        unique = model.fixed[:, own[0]] if given else 0.5 * S[:, i, i]
        phi[:, q] = np.maximum(S[:, i, i] - unique, 0.05 * S[:, i, i]) / loadings[i, q] ** 2


def _loadings(model: ModelMap, pooled: Array) -> Array:
    """Loadings relative to the marker; an item of several factors is shared between them."""
    loadings = np.zeros((len(model.observed), len(model.factors)))
    at = np.flatnonzero(model.matrix == LAMBDA)
    n_homes = np.bincount(model.row[at], minlength=len(model.observed))
    for q in range(len(model.factors)):
        entries = [e for e in at if model.column[e] == q]
        fixed = [e for e in entries if model.free[0, e] < 0 and model.fixed[0, e] != 0]
        own = [e for e in entries if n_homes[model.row[e]] == 1] or entries
        if not entries:  # its indicators stand among the factors
            continue
        marker = int(model.row[(fixed or own)[0]])
        scale = model.fixed[0, fixed[0]] if fixed else 1.0
        items = [int(model.row[e]) for e in own]
        for item in (int(model.row[e]) for e in entries):
            loadings[item, q] = scale * _ratio(pooled, items, item, marker) / n_homes[item]
        if not fixed and len(entries) == 1:
            loadings[marker, q] = np.sqrt(0.8 * pooled[marker, marker])
        elif not fixed:  # unit variance: put the scale into the loadings
            loadings[:, q] *= np.sqrt(max(float(_pooled_variance(pooled, loadings[:, q])), 1e-3))
        for e in entries:
            if model.free[0, e] < 0:
                loadings[model.row[e], q] = model.fixed[0, e]
    loadings[model.units[0], model.units[1]] = 1.0
    return loadings


def _ratio(S: Array, items: list[int], item: int, marker: int) -> float:
    """Loading of an item relative to the marker, with the other items as instruments."""
    if item == marker:
        return 1.0
    scale = np.sqrt(np.diagonal(S))
    R = S / np.outer(scale, scale)
    others = [i for i in items if i not in (item, marker)]
    instruments = R[marker, others]
    if not others or float(instruments @ instruments) < 1e-12:
        ratio = float(np.sign(R[item, marker]) or 1.0)
    else:
        ratio = float(R[item, others] @ instruments / (instruments @ instruments))
    bounded = float(np.clip(ratio, -5.0, 5.0)) if abs(ratio) > 0.05 else 0.05
    return bounded * float(scale[item] / scale[marker])


def _pooled_variance(S: Array, loading: Array) -> Array:
    """Least squares estimates of a factor's variance from the off-diagonal covariances of its items, shape (...)."""
    outer = np.outer(loading, loading)
    np.fill_diagonal(outer, 0.0)
    weight = float((outer**2).sum())
    return np.asarray((outer * S).sum(axis=(-2, -1)) / weight if weight > 0 else np.zeros(S.shape[:-2]))


def _factor_variances(loadings: Array, S: Array, units: Index) -> Array:
    """Factor variances per group, kept between 5% and 95% of what the best item allows, shape (G, Q)."""
    phi = np.empty((S.shape[0], loadings.shape[1]))
    for q, loading in enumerate(loadings.T):
        items = np.flatnonzero(loading)
        squared = loading[items] ** 2
        ceiling = (np.diagonal(S, axis1=1, axis2=2)[:, items] / squared).max(axis=1, initial=1e-6)
        phi[:, q] = np.clip(_pooled_variance(S, loading), 0.05 * ceiling, 0.95 * ceiling)
    for item, q in units.T:
        phi[:, q] = S[:, item, item]
    return phi


def _factor_correlations(loadings: Array, pooled: Array, units: Index) -> Array:
    """Correlations of the factors from the covariances of their items, shrunk until they are positive definite.

    They are kept away from zero, where models with few items per factor are not identified.
    """
    Q = loadings.shape[1]
    correlation = np.eye(Q)
    variance = _factor_variances(loadings, pooled[None], units)[0]
    for q in range(Q):
        for r in range(q):
            outer = np.outer(loadings[:, q], loadings[:, r])
            outer[(loadings[:, q] * loadings[:, r]) != 0] = 0.0
            estimate = float((outer * pooled).sum() / max(float((outer**2).sum()), 1e-12))
            ratio = float(np.clip(estimate / np.sqrt(variance[q] * variance[r]), -0.8, 0.8))
            correlation[q, r] = correlation[r, q] = ratio if abs(ratio) > 0.05 else 0.05
    while Q and np.linalg.eigvalsh(correlation)[0] < 0.05:
        correlation = 0.8 * correlation + 0.2 * np.eye(Q)
    return correlation
