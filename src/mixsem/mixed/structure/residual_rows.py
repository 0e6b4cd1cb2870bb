"""Residuals with a structure, row by row: their spread, what makes them independent, and draws of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ..engine.model import CompiledMixedModel

__all__ = ["correlate", "relative_sd", "whiten"]

Array = NDArray[np.float64]


def relative_sd(model: CompiledMixedModel) -> Array:
    """Residual standard deviation of each row relative to sigma, (n,)."""
    weights, structured = model.design.weights, model.structured
    sd = np.ones(model.n) if weights is None else 1.0 / np.sqrt(weights)
    if structured is None:
        return sd
    return np.asarray(sd * np.exp(structured.weighing.split(structured.eta)[0])[structured.rows.strata])


def whiten(model: CompiledMixedModel, residuals: Array) -> Array:
    """Make residuals independent with standard deviation sigma: nlme's ``type = "normalized"``, times sigma.

    Parameters
    ----------
    model
        The model of a fit.
    residuals
        Of each row, (n,).
    """
    scaled = residuals / relative_sd(model)
    structured = model.structured
    if structured is None or not structured.weighing.ar:
        return np.asarray(scaled)
    rho = structured.weighing.split(structured.eta)[1] ** structured.rows.gaps
    later = np.flatnonzero(structured.rows.before >= 0)
    found, rho = scaled.copy(), rho[later]
    found[later] = (scaled[later] - rho * scaled[structured.rows.before[later]]) / np.sqrt(1.0 - rho**2)
    return np.asarray(found)


def correlate(model: CompiledMixedModel, noise: Array) -> Array:
    """Give independent draws with standard deviation sigma the structure of the residuals: the inverse of `whiten`.

    Parameters
    ----------
    model
        The model of a fit.
    noise
        Of each row, (n,).
    """
    structured, found = model.structured, np.array(noise, dtype=float)
    if structured is not None and structured.weighing.ar:
        rows = structured.rows
        rho = structured.weighing.split(structured.eta)[1] ** rows.gaps
        fresh = np.sqrt(1.0 - np.where(rows.before >= 0, rho, 0.0) ** 2)
        place = _places(rows.before)
        for depth in range(1, int(place.max()) + 1):  # all groups at once, one row of each after the other
            at = np.flatnonzero(place == depth)
            found[at] = rho[at] * found[rows.before[at]] + fresh[at] * found[at]
    return np.asarray(found * relative_sd(model))


def _places(before: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many rows come before each row in its group."""
    place, ancestor = np.zeros(len(before), dtype=np.int64), before.copy()
    while (ancestor >= 0).any():
        place += ancestor >= 0
        ancestor = np.where(ancestor >= 0, before[ancestor], -1)
    return place
