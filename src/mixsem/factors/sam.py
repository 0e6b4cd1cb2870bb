"""Step 2 of MixMG-SEM: from item covariances to factor covariances (structural after measurement)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import NonPositiveDefiniteWarning, Notice, enumerate_briefly, notify
from .moments import FactorMoments, positive_uniqueness, repair_covariances

if TYPE_CHECKING:
    from ..measurement.fit import MeasurementFit

__all__ = ["factor_moments", "mapping_matrix"]

Array = NDArray[np.float64]


def factor_moments(step1: MeasurementFit) -> FactorMoments:
    """Factor covariances of every group from a fitted measurement model.

    With several measurement blocks, Phi_g = M_g (S_g - Theta_g) M_g' with M_g = (L' T^-1 L)^-1 L' T^-1, where L and
    T are the group's Lambda and Theta (local structural-after-measurement). With one joint block it is the fitted
    factor covariance matrix. Matrices that are not positive definite are replaced by the nearest that are, and a
    `NonPositiveDefiniteWarning` names the groups.

    Parameters
    ----------
    step1
        A fitted `MGCFA`.

    Returns
    -------
    FactorMoments
        Input of `StructuralMixture.fit`.

    Examples
    --------
    >>> import mixsem as mx
    >>> data = mx.data.holzinger_swineford_1939()
    >>> model = "visual =~ x1 + x2 + x3; textual =~ x4 + x5 + x6"
    >>> step2 = mx.factor_moments(mx.MGCFA(model).fit(data, group="school"))
    >>> step2.Phi.shape
    (2, 2, 2)

    References
    ----------
    Rosseel & Loh (2024), Psychological Methods 29, 561-588, equation 10.
    """
    S, Lambda, Theta = step1.moments.select(step1.items).covariances, step1.Lambda, step1.Theta
    M = mapping_matrix(Lambda, positive_uniqueness(Theta, S))
    score = np.diagonal(M @ S @ M.swapaxes(1, 2), axis1=1, axis2=2)
    raw = step1.Phi if len(step1.blocks) == 1 else M @ (S - Theta) @ M.swapaxes(1, 2)
    Phi, repaired = repair_covariances(raw, score)
    notices = _notices(step1, raw, repaired)
    notify(notices)
    return FactorMoments(
        factors=step1.factors,
        groups=step1.groups,
        n=step1.moments.n,
        Phi=Phi,
        indicators=step1.items,
        Lambda=Lambda,
        Theta=Theta,
        observed=S,
        reliability=np.clip(np.diagonal(Phi, axis1=1, axis2=2) / score, 0.0, 1.0),
        n_measurement=step1.n_measurement,
        method="mmgsem",
        notices=(*step1.notices, *notices),
    )


def mapping_matrix(Lambda: Array, Theta: Array) -> Array:
    """M = (Lambda' Theta^-1 Lambda)^-1 Lambda' Theta^-1, so that M Lambda = I; shape (G, Q, p)."""
    weighted = np.linalg.solve(Theta, Lambda).swapaxes(1, 2)
    return np.linalg.solve(weighted @ Lambda, weighted)


def _notices(step1: MeasurementFit, raw: Array, repaired: NDArray[np.bool_]) -> list[Notice]:
    if not repaired.any():
        return []
    groups = [step1.groups[g] for g in np.flatnonzero(repaired)]
    negative = [
        f"{step1.factors[q]} in {step1.groups[g]}" for g, q in np.argwhere(np.diagonal(raw, axis1=1, axis2=2) <= 0)
    ]
    detail = f" (no variance left for {enumerate_briefly(negative)})" if negative else ""
    return [
        Notice(
            NonPositiveDefiniteWarning,
            f"the factor covariance matrix is not positive definite in {enumerate_briefly(groups)}{detail}; it was"
            " replaced by the nearest one that is. These groups say little about the regressions: they are too small,"
            " or two factors are hardly distinct there.",
            tuple(groups),
        )
    ]
