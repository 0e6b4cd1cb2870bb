"""What belongs to each group: regressions that are maximised out, and means beside covariances."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import OptionError
from ..factors.moments import FactorMoments
from ..kernels.mixture import EMData
from .path_model import PathModel

__all__ = ["implied_means", "partial_moments", "require_means", "second_moments", "with_group_specific"]

Array = NDArray[np.float64]


def require_means(moments: FactorMoments) -> None:
    """Refuse to cluster on factor means where step 1 has none that can be compared."""
    if moments.means is None:
        raise OptionError(
            "meanstructure=True, but step 1 has no factor means",
            allowed="a multigroup CFA with equal loadings and intercepts, or given means",
            todo="use MGCFA(..., equal=('loadings', 'intercepts')), or FactorMoments.from_covariances(..., means=)",
        )


def second_moments(moments: FactorMoments) -> Array:
    """Second moments about zero of factors and constant, the constant last, shape (G, Q + 1, Q + 1)."""
    assert moments.means is not None
    mean = moments.means
    G, Q = mean.shape
    M = np.ones((G, Q + 1, Q + 1))
    M[:, :Q, :Q] = moments.Phi + mean[:, :, None] * mean[:, None, :]
    M[:, :Q, Q] = M[:, Q, :Q] = mean
    return M


def partial_moments(path: PathModel, Phi: Array) -> tuple[Array, ...]:
    """For each block, the moments that remain when the predictors of its group-specific regressions are partialled out.

    Least squares on these predictors, given all other regressions, leaves the same residuals as partialling them out
    of outcome and other predictors. Empty if no regression is group-specific.
    """
    if not path.group_specific.any():
        return ()
    remains = []
    for block in path.blocks:
        w = _own_predictors(path, block)
        rest = Phi.copy()
        if w.size:
            rest -= Phi[:, :, w] @ np.linalg.solve(Phi[:, w[:, None], w], Phi[:, w, :])
            rest[:, w] = rest[:, :, w] = 0.0
            rest = 0.5 * (rest + rest.swapaxes(1, 2))
        remains.append(rest)
    return tuple(remains)


def _own_predictors(path: PathModel, block: tuple[int, ...]) -> NDArray[np.int64]:
    return np.unique(path.predictor[path.group_specific & np.isin(path.outcome, block)])


def with_group_specific(path: PathModel, data: EMData, beta: Array) -> Array:
    """Coefficients with the group-specific ones filled in: least squares given the others.

    Parameters
    ----------
    path
        The structural model.
    data
        Its compiled form.
    beta
        Coefficients, whatever stands for the group-specific ones, shape (G, K, R).
    """
    filled = beta.copy()
    for block in path.blocks:
        for j in block:
            own = np.flatnonzero(path.group_specific & (path.outcome == j))
            if not own.size:
                continue
            rest = np.flatnonzero(~path.group_specific & (path.outcome == j))
            residual = np.zeros((*beta.shape[:2], data.n_factors))
            residual[..., j] = 1.0
            residual[..., path.predictor[rest]] = -beta[..., rest]
            w = path.predictor[own]
            right = np.einsum("gwq,gkq->gwk", data.Phi[:, w], residual)
            filled[..., own] = np.linalg.solve(data.Phi[:, w[:, None], w], right).swapaxes(1, 2)
    return filled


def implied_means(path: PathModel, moments: FactorMoments, B: Array, intercepts: Array) -> Array:
    """Factor means of every group if it belongs to each cluster, shape (G, K, Q).

    Parameters
    ----------
    path
        The structural model.
    moments
        The factor moments, with means.
    B
        Regressions, shape (K, Q, Q) or (G, K, Q, Q).
    intercepts
        Intercepts of outcomes, shape (G, K, Q).
    """
    assert moments.means is not None
    start = intercepts.copy()
    exogenous = list(path.exogenous)
    start[..., exogenous] = moments.means[:, None, exogenous]
    A = np.linalg.inv(np.eye(B.shape[-1]) - B)
    return (A @ start[..., None])[..., 0]
