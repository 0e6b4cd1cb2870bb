"""Trouble in a Bayesian step 1: draws, few groups, priors on another scale than the items, weak markers."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

from ..bayes.posterior import Approximate, Random
from ..bayes.priors import InverseGamma, Normal, Priors
from ..bayes.scales import factor_units
from ..errors import EqualFactorsWarning, FewGroupsWarning, Notice, PriorScaleWarning, enumerate_briefly
from ..kernels.plain_posterior import implied_covariances
from ..kernels.problem import PSI
from ..model.notices import single_indicators
from .approximation_checks import approximation_notices
from .bayes_fit import BayesianBlock
from .checks import weak_markers
from .sampling_checks import sampling_notices

__all__ = ["bayesian_notices"]

#: With fewer groups, standard deviations over groups are hardly estimable.
FEW_GROUPS = 20
#: A standard deviation outside this range is far from 1, the scale that priors in raw units are made for.
NEAR_ONE = (0.2, 5.0)


def bayesian_notices(
    blocks: Sequence[BayesianBlock],
    groups: Sequence[Hashable],
    priors: Priors,
    method: str,
    *,
    clustered: bool = True,
) -> list[Notice]:
    """All notices of a Bayesian measurement model, block after block.

    Parameters
    ----------
    blocks
        The sampled blocks.
    groups
        Labels of the groups.
    priors
        The priors they were sampled with.
    method
        ``"nuts"`` or ``"laplace"``, whose draws are checked less strictly.
    clustered
        Whether groups will be clustered by their factor covariances, which then should not be held equal.
    """
    notices = _few_groups(blocks, groups)
    for block in blocks:
        notices += sampling_notices(block, groups) if method == "nuts" else approximation_notices(block, groups)
        notices += _prior_scale(block, priors)
        notices += _approximate_scale(block)
        notices += _equal_factors(block) if clustered else []
        Sigma = implied_covariances(block.posterior.problem, block.values)
        notices += weak_markers(block.posterior.model, block.values, block.matrices[2], Sigma)
        notices += single_indicators(block.table)
    return notices


def _few_groups(blocks: Sequence[BayesianBlock], groups: Sequence[Hashable]) -> list[Notice]:
    random = [isinstance(role, Random) for block in blocks for role in block.posterior.roles]
    if not any(random) or len(groups) >= FEW_GROUPS:
        return []
    return [
        Notice(
            FewGroupsWarning,
            f"{len(groups)} groups are few for random effects: their standard deviations over groups rest on"
            f" {len(groups)} values each, and on the prior. Have at least {FEW_GROUPS} groups, make fewer parameters"
            " random, or take parameters as group-specific (MGBCFA or MGCFA).",
        )
    ]


def _within_sds(block: BayesianBlock) -> np.ndarray:
    """Pooled within-group standard deviations of the items, shape (p,)."""
    problem = block.posterior.problem
    return np.asarray(np.sqrt(np.average(np.diagonal(problem.S, axis1=1, axis2=2), axis=0, weights=problem.nu)))


def _prior_scale(block: BayesianBlock, priors: Priors) -> list[Notice]:
    """Priors in the items' own units, for items whose units they are not made for."""
    if priors.units != "raw" or _scale_free(priors):
        return []
    sds = _within_sds(block)
    far = [f"{item} (SD {sd:.3g})" for item, sd in zip(block.items, sds, strict=True) if _far_from_one(sd)]
    if not far:
        return []
    return [
        Notice(
            PriorScaleWarning,
            f"{', '.join(block.factors)}: the priors are in the items' own units, and made for standard deviations"
            f" near 1; {enumerate_briefly(far)} within groups. There the priors say more than they should, such as"
            f" {_example(block, priors)}. Rescale these items, or take priors='default', which follow the items'"
            " scales.",
        )
    ]


def _scale_free(priors: Priors) -> bool:
    """Whether nothing in the priors depends on the items' units: flat ones do not."""
    spreads = (priors.residual_sd, priors.factor_sd, priors.loading_spread)
    flat = all(isinstance(p, InverseGamma) and p.scale == 0.0 for p in spreads)
    return flat and not isinstance(priors.loading, Normal)


def _example(block: BayesianBlock, priors: Priors) -> str:
    """One of the priors that depend on units."""
    if any(isinstance(role, Random) for role in block.posterior.roles):
        return f"{priors.loading_spread} on the standard deviation of a loading over groups"
    return f"{priors.residual_sd} on the root of a unique variance"


def _approximate_scale(block: BayesianBlock) -> list[Notice]:
    """A prior variance of loading differences that is one thing for one item and another for the next."""
    posterior = block.posterior
    sds = _within_sds(block)
    units = factor_units(posterior, sds)
    far = []
    for e, role in enumerate(posterior.roles):
        if isinstance(role, Approximate):
            i, q = int(posterior.problem.row[e]), int(posterior.problem.column[e])
            ratio = float(sds[i] / units[q])
            if _far_from_one(ratio):
                far.append(f"{posterior.model.entries[e]} (item's SD {ratio:.3g} times the marker's)")
    if not far:
        return []
    return [
        Notice(
            PriorScaleWarning,
            f"{', '.join(block.factors)}: prior_variance= is about loadings in the items' own units, which lie far"
            f" apart: {enumerate_briefly(far)}. The same variance is strict for an item with large units and lenient"
            " for one with small units. Rescale the items to similar standard deviations, or give each loading its own"
            " prior_variance, multiplied by the square of that ratio.",
        )
    ]


def _far_from_one(sd: float) -> bool:
    return not NEAR_ONE[0] <= sd <= NEAR_ONE[1]


def _equal_factors(block: BayesianBlock) -> list[Notice]:
    """Factor variances or correlations of a joint block that are equal over groups: what is clustered, pooled."""
    problem, model = block.posterior.problem, block.posterior.model
    if len(block.factors) < 2 or problem.base.shape[0] < 2:
        return []
    one = (problem.base >= 0).all(axis=0) & (problem.base == problem.base[0]).all(axis=0)
    equal = np.flatnonzero((problem.kind == PSI) & one & (problem.deviation < 0).all(axis=0))
    if not equal.size:
        return []
    names = [
        f"the {'variance' if problem.row[e] == problem.column[e] else 'correlation'} {model.entries[e]}" for e in equal
    ]
    return [
        Notice(
            EqualFactorsWarning,
            f"{', '.join(block.factors)}: held equal over groups in one measurement block: {enumerate_briefly(names)}."
            " Groups are clustered by how their factors go together, and this pulls them together beforehand. Make"
            " these parameters random (random= with 'factor variances' and 'factor correlations'), or use"
            " blocks='factor'.",
        )
    ]
