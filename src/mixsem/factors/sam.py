"""Step 2 of MixMG-SEM: from item covariances to factor covariances (structural after measurement)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import (
    LowReliabilityWarning,
    NonPositiveDefiniteWarning,
    Notice,
    UnsupportedModelError,
    enumerate_briefly,
    notify,
)
from .moments import FactorMoments, positive_uniqueness, repair_covariances

if TYPE_CHECKING:
    from ..measurement.fit import BlockFit, MeasurementFit

__all__ = ["factor_moments", "mapping_matrix"]

Array = NDArray[np.float64]

#: Below this reliability a factor's score in a group is mostly measurement error.
LEAST_RELIABLE = 0.3


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

    Raises
    ------
    UnsupportedModelError
        If factor (co)variances are fixed or equal in one of several blocks: the mapping cannot keep that.

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
    _refuse_constrained_covariances(step1)
    S, Lambda, Theta = step1.moments.select(step1.items).covariances, step1.Lambda, step1.Theta
    M = mapping_matrix(Lambda, positive_uniqueness(Theta, S))
    score = np.diagonal(M @ S @ M.swapaxes(1, 2), axis1=1, axis2=2)
    raw = step1.Phi if len(step1.blocks) == 1 else M @ (S - Theta) @ M.swapaxes(1, 2)
    Phi, repaired = repair_covariances(raw, score)
    reliability = np.clip(np.diagonal(Phi, axis1=1, axis2=2) / score, 0.0, 1.0)
    notices = [*_repaired(step1, raw, repaired), *_unreliable(step1, reliability)]
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
        reliability=reliability,
        n_measurement=step1.count_measurement(step1.factors),
        method="mmgsem",
        notices=(*step1.notices, *notices),
        measurement=step1,
    )


def _refuse_constrained_covariances(step1: MeasurementFit) -> None:
    """The mapping of several blocks estimates all factor (co)variances freely; refuse what it would ignore."""
    if len(step1.blocks) == 1:
        return
    for block in step1.blocks:
        for row in block.table.rows:
            if row.op != "~~" or row.lhs not in block.factors:
                continue
            scales = row.lhs == row.rhs and not _has_marker(block, row.lhs)
            if any(row.label) or (any(value is not None for value in row.fixed) and not scales):
                raise UnsupportedModelError(
                    f"the factor (co)variance {row.name} is fixed or equal in step 1, but factor covariances that"
                    " come from several measurement blocks are free",
                    allowed="constraints on loadings and unique variances; with blocks='joint' also on factor"
                    " (co)variances",
                    todo="estimate all factors in one block (blocks='joint'), or drop the constraint",
                )


def _has_marker(block: BlockFit, factor: str) -> bool:
    """Whether some loading of the factor is fixed, and so sets its scale."""
    loadings = [row for row in block.table.rows if row.op == "=~" and row.lhs == factor]
    return any(value not in (None, 0.0) for row in loadings for value in row.fixed)


def mapping_matrix(Lambda: Array, Theta: Array) -> Array:
    """M = (Lambda' Theta^-1 Lambda)^-1 Lambda' Theta^-1, so that M Lambda = I.

    Parameters
    ----------
    Lambda
        Loadings, shape (G, p, Q).
    Theta
        Unique (co)variances that can be inverted (see `positive_uniqueness`), shape (G, p, p).

    Returns
    -------
    NDArray
        The mapping of every group, shape (G, Q, p).
    """
    weighted = np.linalg.solve(Theta, Lambda).swapaxes(1, 2)
    return np.linalg.solve(weighted @ Lambda, weighted)


def _repaired(step1: MeasurementFit, raw: Array, repaired: NDArray[np.bool_]) -> list[Notice]:
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


def _unreliable(step1: MeasurementFit, reliability: Array) -> list[Notice]:
    """Factors that hardly vary in some groups."""
    low = np.argwhere(reliability < LEAST_RELIABLE)
    if not low.size:
        return []
    named = [f"{step1.factors[q]} in {step1.groups[g]} ({reliability[g, q]:.2f})" for g, q in low]
    return [
        Notice(
            LowReliabilityWarning,
            f"less than {LEAST_RELIABLE:.0%} of the variance of a factor's score is true variance:"
            f" {enumerate_briefly(named)}. The regressions of these groups rest on next to nothing; check the items,"
            " or leave the groups out.",
            tuple(dict.fromkeys(step1.groups[int(g)] for g, _ in low)),
        )
    ]
