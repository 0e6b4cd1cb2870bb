"""Loadings and intercepts of a configural model on the scale that alignment begins with."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..equations.fit import SEMFit
from ..errors import ModelError, OptionError, enumerate_briefly
from ..model.matrices import ALPHA, LAMBDA, NU, PSI
from .invariance import InvarianceTest

__all__ = ["configural_model", "configural_values"]

Array = NDArray[np.float64]


def configural_model(fit: object) -> SEMFit:
    """The model to align.

    Raises
    ------
    ModelError
        If it has nothing to align, or an item has two factors.
    OptionError
        If it is no model of several groups.
    """
    if isinstance(fit, InvarianceTest):
        fit = fit.fit("configural")
    if not isinstance(fit, SEMFit) or len(fit.groups) < 2:
        raise OptionError(
            f"align() got {'a fit of one group' if isinstance(fit, SEMFit) else type(fit).__name__}",
            allowed="a configural model of several groups",
            todo="fit mixsem.cfa(model, data, group)",
        )
    model = fit.model
    if not model.meanstructure or fit.data.ordinal is not None:
        raise ModelError("align() needs a model with means", allowed="continuous items with their means")
    measured = np.isin(model.matrix, (LAMBDA, NU))
    free = model.free[:, measured]
    if ((free[0] >= 0) & (free == free[0]).all(axis=0)).any():
        raise ModelError(
            "loadings or intercepts are equal over groups: there is nothing left to align",
            allowed="a configural model",
            todo="fit without group_equal=",
        )
    at = model.row[model.matrix == LAMBDA]
    if np.unique(at).size < at.size or model.units.size:
        raise ModelError(
            "an item measures several factors, or none", allowed="items of one factor each", todo="drop cross-loadings"
        )
    return fit


def configural_values(fit: SEMFit, q: int) -> tuple[tuple[str, ...], Array, Array, tuple[Array, Array, Array]]:
    """Items; loadings and intercepts with the factor's mean 0 and variance 1, (G, k); their errors and covariances."""
    model, theta = fit.model, fit.coef
    entries = np.flatnonzero((model.matrix == LAMBDA) & (model.column == q))
    rows = model.row[entries]
    nu_at = [int(np.flatnonzero((model.matrix == NU) & (model.row == r))[0]) for r in rows]
    values = model.entry_values(theta)
    phi = np.einsum("gqq->gq", fit.implied.Phi)[:, q]
    alpha = fit.model.values_of(ALPHA, theta)[:, q]
    if (phi <= 0).any():
        bad = [g for g, v in zip(fit.groups, phi, strict=True) if v <= 0]
        raise ModelError(
            f"{fit.factors[q]} has no positive variance in {enumerate_briefly(bad)}", todo="leave these groups out"
        )
    sd = np.sqrt(phi)[:, None]
    loadings, intercepts = values[:, entries] * sd, values[:, nu_at] + values[:, entries] * alpha[:, None]
    return tuple(model.observed[r] for r in rows), loadings, intercepts, _errors(fit, q, entries, nu_at, sd)


def _errors(fit: SEMFit, q: int, entries: NDArray[np.int64], nu_at: list[int], sd: Array) -> tuple[Array, Array, Array]:
    """Standard errors of unit-variance loadings and of intercepts, and the covariances between the two, (G, k)."""
    model, vcov = fit.model, fit.vcov
    values = model.entry_values(fit.coef)
    variance_at = int(np.flatnonzero((model.matrix == PSI) & (model.row == q) & (model.column == q))[0])
    G, k = model.n_groups, len(entries)
    lambda_var, nu_var, both = np.zeros((G, k)), np.zeros((G, k)), np.zeros((G, k))
    for g in range(G):
        for j, e in enumerate(entries):
            # lambda0 = lambda sqrt(phi)
            gradient = np.zeros(vcov.shape[0])
            if model.free[g, e] >= 0:
                gradient[model.free[g, e]] += sd[g, 0]
            if model.free[g, variance_at] >= 0:
                gradient[model.free[g, variance_at]] += 0.5 * values[g, e] / sd[g, 0]
            moved = vcov @ gradient
            lambda_var[g, j] = gradient @ moved
            p = model.free[g, nu_at[j]]
            if p >= 0:
                nu_var[g, j], both[g, j] = vcov[p, p], moved[p]
    return np.sqrt(np.maximum(lambda_var, 0.0)), np.sqrt(np.maximum(nu_var, 0.0)), both
