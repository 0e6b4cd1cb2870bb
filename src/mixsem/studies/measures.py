"""How well one analysis recovered the truth of one data set."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from ..simulate.agreement import adjusted_rand_index, correctly_clustered
from ..simulate.truth import Truth
from ..structural.fit import MixtureFit
from ..structural.select import MixtureSelection

__all__ = [
    "Measures",
    "cluster_measures",
    "loading_measures",
    "local_maximum",
    "multilevel_measures",
    "regression_names",
    "selection_measures",
]

Array: TypeAlias = NDArray[np.float64]
Measures: TypeAlias = dict[str, float]

#: A log-likelihood so far below that of the run from the true clusters is a local maximum.
SHORTFALL = 0.001


def regression_names(truth: Truth) -> tuple[str, ...]:
    """Names of the regressions, ``"F4~F1"``, in the order of the population."""
    return tuple(f"{truth.factors[outcome]}~{truth.factors[predictor]}" for outcome, predictor in truth.regressions)


def cluster_measures(truth: Truth, fit: MixtureFit) -> Measures:
    """Recovery of the clusters and their regressions.

    ``ari``, ``cc`` (share of groups in the right cluster), ``uncertainty`` (mean of one minus the largest posterior
    probability), ``one_cluster`` (all groups are modally in one), and per regression ``rmse`` (MixML-SEM paper,
    equation 19) and ``bias``, both over clusters, which are matched to the true ones by the groups they share.
    """
    found = fit.clusters - 1
    estimated = fit.B[_matched(truth, fit)]
    error = _regressions(truth, fit.moments.factors, estimated) - _regressions(truth, truth.factors, truth.B)
    return {
        "ari": adjusted_rand_index(truth.clusters, found),
        "cc": correctly_clustered(found, truth.clusters),
        "uncertainty": float((1.0 - fit.posterior.max(axis=1)).mean()),
        "one_cluster": float(np.unique(found).size == 1),
        **_errors(truth, error),
    }


def multilevel_measures(truth: Truth, factors: tuple[str, ...], B: Array) -> Measures:
    """Recovery of regressions by group-specific estimates (G, q, q): equation 20 of the MixML-SEM paper."""
    error = _regressions(truth, factors, B) - _regressions(truth, truth.factors, truth.B[truth.clusters])
    return _errors(truth, error)


def loading_measures(truth: Truth, Lambda: Array, Theta: Array) -> Measures:
    """Recovery of loadings and unique variances of groups, both (G, p, ...) in the order of the truth's items.

    ``rmse_loading[item]`` over groups, for every item that is no marker; ``rmse_noninvariant`` and ``rmse_uniques``
    over groups and items, those that differ over groups in truth (equation 18 of the MixML-SEM paper).
    """
    own = np.abs(truth.Lambda).mean(axis=0).argmax(axis=1)  # the factor an item belongs to: no cross-loading is larger
    items = np.arange(len(truth.items))
    true = truth.Lambda[:, items, own]
    error = Lambda[:, items, own] - true
    free = np.flatnonzero(~(true == 1.0).all(axis=0))
    varying = np.ptp(true, axis=0) > 0
    uniques = np.diagonal(truth.Theta, axis1=1, axis2=2)
    differ = np.ptp(uniques, axis=0) > 0
    unique_error = np.diagonal(Theta, axis1=1, axis2=2) - uniques
    return {
        **{f"rmse_loading[{truth.items[j]}]": _root_mean_square(error[:, j]) for j in free},
        "rmse_noninvariant": _root_mean_square(error[:, varying]),
        "rmse_uniques": _root_mean_square(unique_error[:, differ]),
    }


def selection_measures(fits: MixtureSelection) -> Measures:
    """The number of clusters each criterion prefers, ``k_bic_g`` and so on; NaN where CHull cannot choose."""
    return {f"k_{name}": np.nan if k is None else float(k) for name, k in fits.choices.items()}


def local_maximum(logliks: Array, from_truth: float, n_starts: int) -> float:
    """Whether the best of the first starts is a local maximum: lower than the run that starts from the truth."""
    return float(logliks[:n_starts].max() < from_truth - SHORTFALL)


def _matched(truth: Truth, fit: MixtureFit) -> NDArray[np.int64]:
    """Estimated cluster of each true one: most groups in common, and among ties the largest posterior overlap."""
    table = np.zeros((len(truth.B), fit.k))
    np.add.at(table, (truth.clusters, fit.clusters - 1), 1.0)
    overlap = np.eye(len(truth.B))[truth.clusters].T @ fit.posterior
    # A thousandth of a group's overlap cannot outweigh a group.
    return linear_sum_assignment(table + 1e-3 * overlap / len(truth.clusters), maximize=True)[1].astype(np.int64)


def _regressions(truth: Truth, factors: tuple[str, ...], B: Array) -> Array:
    """Return the regressions of matrices (..., q, q) whose rows are `factors`, in the population's order."""
    at = [factors.index(name) for name in truth.factors]
    outcome, predictor = np.array(truth.regressions).T
    return B[..., np.array(at)[outcome], np.array(at)[predictor]]


def _errors(truth: Truth, error: Array) -> Measures:
    names = regression_names(truth)
    rmse = {f"rmse[{name}]": _root_mean_square(error[:, r]) for r, name in enumerate(names)}
    return rmse | {f"bias[{name}]": float(error[:, r].mean()) for r, name in enumerate(names)}


def _root_mean_square(error: Array) -> float:
    return float(np.sqrt((error**2).mean())) if error.size else float("nan")
