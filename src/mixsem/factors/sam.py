"""Step 2: from a measurement model to factor covariances; here the structural-after-measurement mapping."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import OptionError, UnsupportedModelError, notify
from ..kernels.mapping import mapping_matrix
from ..measurement.fit import MeasurementFit
from .means import mapped_means
from .moments import FactorMoments, positive_uniqueness, repair_covariances
from .trouble import factor_notices

if TYPE_CHECKING:
    from ..measurement.bayes_fit import BayesianFit
    from ..measurement.fit import BlockFit

__all__ = ["factor_moments", "mapping_matrix"]

Array = NDArray[np.float64]


def factor_moments(step1: MeasurementFit | BayesianFit) -> FactorMoments:
    """Factor covariances of every group from a fitted measurement model.

    From maximum likelihood with several measurement blocks, Phi_g = M_g (S_g - Theta_g) M_g' with
    M_g = (L' T^-1 L)^-1 L' T^-1, where L and T are the group's Lambda and Theta (local structural-after-measurement).
    With one joint block it is the fitted factor covariance matrix. From a Bayesian fit, factor scores are single
    indicators whose loadings and unique variances follow from their posterior means and SDs; see
    `mixsem.factors.single_indicator`. If step 1 was an `MGCFA` with equal intercepts, factor means come along.
    Matrices that are not positive definite are replaced by the nearest that are, and a `NonPositiveDefiniteWarning`
    names the groups; a `LowReliabilityWarning` names factors that hardly vary.

    Parameters
    ----------
    step1
        A fitted `MGCFA`, `MLCFA` or `MGBCFA`.

    Returns
    -------
    FactorMoments
        Input of `StructuralMixture.fit`.

    Raises
    ------
    UnsupportedModelError
        If factor (co)variances are fixed or equal in one of several blocks of an `MGCFA`: the mapping cannot keep
        that.
    OptionError
        If `step1` is anything else.

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
    Rosseel & Loh (2024), Psychological Methods 29, 561-588, equation 10. Zhao, Vermunt & De Roover (2025), Mixture
    multilevel SEM vs. multilevel SEM for comparing structural relations across groups in presence of measurement
    non-invariance. Frontiers in Psychology 16, equations 6 to 9.
    """
    if isinstance(step1, MeasurementFit):
        return _mapped_moments(step1)
    from ..measurement.bayes_fit import BayesianFit  # compiled kernels, which maximum likelihood does not need
    from .single_indicator import single_indicator_moments

    if isinstance(step1, BayesianFit):
        return single_indicator_moments(step1)
    raise OptionError(
        f"factor_moments() got {type(step1).__name__}",
        allowed="a MeasurementFit or a BayesianFit",
        todo="give what .fit() of MGCFA, MLCFA or MGBCFA returned",
    )


def _mapped_moments(step1: MeasurementFit) -> FactorMoments:
    """The structural-after-measurement mapping."""
    _refuse_constrained_covariances(step1)
    S, Lambda, Theta = step1.moments.select(step1.items).covariances, step1.Lambda, step1.Theta
    M = mapping_matrix(Lambda, positive_uniqueness(Theta, S))
    score = np.diagonal(M @ S @ M.swapaxes(1, 2), axis1=1, axis2=2)
    raw = step1.Phi if len(step1.blocks) == 1 else M @ (S - Theta) @ M.swapaxes(1, 2)
    error = score - np.diagonal(raw, axis1=1, axis2=2)
    Phi, repaired = repair_covariances(raw, score, error=error, n=step1.moments.n)
    reliability = np.clip(np.diagonal(Phi, axis1=1, axis2=2) / score, 0.0, 1.0)
    notices = factor_notices(step1.factors, step1.groups, raw, repaired, reliability)
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
        mean_structure=mapped_means(step1, M),
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
