"""Did the search for the estimates of a generalised mixed model arrive?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..engine.relative import FLAT
from ..judgement.convergence import BETA_TOLERANCE, GAIN_TOLERANCE, ConvergenceCheck
from .coordinates import Coordinates
from .objective import Criterion

if TYPE_CHECKING:
    from .fit import GeneralisedFit

__all__ = ["check_generalised"]

Array = NDArray[np.float64]

#: Step of the central differences of the exact gradient, in units in which complete data have curvature 1.
STEP = 1e-2


def check_generalised(fit: GeneralisedFit) -> ConvergenceCheck:
    """Judge by the exact gradient, and by what a Newton step would change."""
    from ...threads import few_threads

    with few_threads(fit.model.rows.layout.blocks.n_tail):
        return _judge(fit)


def _judge(fit: GeneralisedFit) -> ConvergenceCheck:
    model, point = fit.model, fit.point
    criterion = Criterion(model.rows, model.family, model.theta_map, fit.n_agq, near=point.mode)
    coordinates = Coordinates.around(criterion, point, fit.n_agq > 0)
    here, gradient = coordinates.at(np.zeros(coordinates.size))
    hessian = _hessian(coordinates)
    if not np.isfinite(hessian).all():
        text = "Not converged: there is no likelihood close to the estimates."
        largest = float(np.abs(gradient).max())
        return ConvergenceCheck(largest, np.inf, np.inf, np.full(1, np.nan), "not converged", text)
    values, vectors = np.linalg.eigh(hessian)
    along, curved = vectors.T @ gradient, np.abs(values) > FLAT
    newton = -vectors[:, curved] @ (along[curved] / np.abs(values[curved]))
    gain = float((along[curved] ** 2 / np.abs(values[curved])).sum() / 2.0)
    after, _ = coordinates.at(newton)
    beta_change = 0.0
    if np.isfinite(after.value) and model.p:
        moved = model.rows.scaling.fixed.from_inner @ (after.beta - here.beta)
        beta_change = float(np.max(np.abs(moved) / np.sqrt(np.diagonal(fit.state.unscaled_vcov))))
    verdict = "converged" if gain <= GAIN_TOLERANCE and beta_change <= BETA_TOLERANCE else "not converged"
    text = (
        f"{verdict.capitalize()}: a Newton step would lower the criterion by {gain:.1g} and change fixed effects by up"
        f" to {beta_change:.1g} standard errors."
    )
    return ConvergenceCheck(float(np.abs(gradient).max()), gain, beta_change, values, verdict, text)


def _hessian(coordinates: Coordinates) -> Array:
    rows = []
    for step in STEP * np.eye(coordinates.size):
        rows.append((coordinates.at(step)[1] - coordinates.at(-step)[1]) / (2.0 * STEP))
    hessian = np.array(rows)
    return np.asarray(0.5 * (hessian + hessian.T))
