"""Observed information of a group's means and covariances themselves, at any values of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..model.matrices import ModelMap, compile_table
from ..syntax.cells import Key
from ..syntax.table import ParameterTable, Row

if TYPE_CHECKING:
    from .fit import SEMFit

__all__ = ["observed_moment_information"]

Array = NDArray[np.float64]

#: Step of central differences in standard deviations; two are combined, which leaves errors of its fourth power.
STEP = 1e-3


def observed_moment_information(fit: SEMFit, means: Array, covariances: Array) -> Array:
    """Second derivatives of minus the log-likelihood of each group by its moments, shape (G, q, q).

    The moments are the means, if they are modelled, then upper triangles; differences of the analytic gradient, all
    groups at once.

    Parameters
    ----------
    fit
        A fit by maximum likelihood.
    means, covariances
        Where, shapes (G, p) and (G, p, p).
    """
    model = _saturated_model(fit)
    loss: Any = fit.loss
    loss = replace(loss, model=model)
    rows, columns = np.triu_indices(means.shape[1])
    values, sd = covariances[:, rows, columns], np.sqrt(np.einsum("gii->gi", covariances))
    scale = sd[:, rows] * sd[:, columns]
    if fit.model.meanstructure:
        values, scale = np.concatenate([means, values], axis=1), np.concatenate([sd, scale], axis=1)
    coarse, fine = (_differences(loss, model, values, step * scale) for step in (STEP, 0.5 * STEP))
    H = (4.0 * fine - coarse) / 3.0
    return np.asarray(0.5 * (H + H.swapaxes(1, 2)))


def _saturated_model(fit: SEMFit) -> ModelMap:
    n = len(fit.groups)
    rows = tuple(
        Row(*key, (None,) * n, ("",) * n, (None,) * n, (-np.inf,) * n, (np.inf,) * n, user=False, line=0, column=0)
        for key in _moments(fit)
    )
    return compile_table(ParameterTable(rows, (), fit.observed, n, (), ()), fit.groups)


def _moments(fit: SEMFit) -> Iterator[Key]:
    items = fit.observed
    if fit.model.meanstructure:
        yield from ((item, "~1", "") for item in items)
    yield from ((items[i], "~~", items[j]) for i, j in zip(*np.triu_indices(len(items)), strict=True))


def _differences(loss: Any, model: ModelMap, values: Array, step: Array) -> Array:
    H = np.empty((*values.shape, values.shape[1]))

    def gradient(moved: Array) -> Array:
        theta = np.empty(moved.size)
        theta[model.free] = moved
        return np.asarray(loss.gradient(theta)[model.free])

    for e in range(values.shape[1]):
        move = np.zeros_like(values)
        move[:, e] = step[:, e]
        H[:, :, e] = (gradient(values + move) - gradient(values - move)) / (2.0 * step[:, e, None])
    return H
