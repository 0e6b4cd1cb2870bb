"""What a generalised fit says of itself: convergence, boundary, few levels, separation, a needless parameter."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ...errors import BoundaryWarning, ConvergenceWarning, Notice, SeparationWarning, enumerate_briefly
from ..judgement.boundary import boundary_notices, few_level_notices
from .convergence import check_generalised

if TYPE_CHECKING:
    from .fit import GeneralisedFit

__all__ = ["generalised_notices"]

#: A coefficient that changes the linear predictor by more than this over one standard deviation of its predictor has no
#: maximum, nor has a standard deviation above it: odds of 3,000 to 1.
SEPARATED = 8.0
#: Variance of a direction of the fixed effects, per standard deviation of linear predictors, above which the data say
#: nothing about it.
UNKNOWN = 100.0
#: Size of negative binomial counts, relative to their mean, from which on they are Poisson ones.
NO_OVERDISPERSION = 1e4


def generalised_notices(fit: GeneralisedFit) -> GeneralisedFit:
    """The fit with its notices."""
    found = (*_convergence(fit), *_separation(fit), *boundary_notices(fit), *_parameter(fit), *few_level_notices(fit))
    return replace(fit, notices=(*fit.notices, *found))


def _convergence(fit: GeneralisedFit) -> Iterator[Notice]:
    if fit.trace.converged:
        return
    check = check_generalised(fit)
    if not check.converged:
        todo = (
            "What to do: check_design(fit), a simpler model, then the log or logit link; fit again with"
            " start=fit.theta and another optimizer, and compare (all_fit(fit))."
        )
        yield Notice(ConvergenceWarning, f"{check.text} The search said: {fit.trace.message}. {todo}")


def _separation(fit: GeneralisedFit) -> Iterator[Notice]:
    """Coefficients, and standard deviations, on their way to infinity."""
    if fit.family.name not in ("binomial", "poisson", "negative binomial"):
        return
    names = _separated(fit)
    alike = "alike" if fit.family.name == "binomial" else "0"
    if names:
        text = (
            f"separation by {enumerate_briefly(names)}: for some values all responses are {alike}, so that the"
            " coefficient runs to infinity, and its size and standard error mean nothing. What to do: look at the"
            " cross-table of response and predictor, join categories, or take the predictor out; likelihood-ratio"
            " tests remain valid."
        )
        yield Notice(SeparationWarning, text)
    sds = np.linalg.norm(fit.model.theta_map.stacked(fit.point.phi), axis=2).max(axis=1)
    groups = [factor.name for factor, sd in zip(fit.design.factors, sds, strict=True) if sd > SEPARATED]
    if groups:
        text = (
            f"separation by {enumerate_briefly(groups)}: standard deviations of random effects are above"
            f" {SEPARATED:g} on the scale of the linear predictor. Within most levels all responses are {alike}, and"
            " the standard deviation runs to infinity: its size means nothing. What to do: check whether the response"
            " belongs to the levels themselves; then use one row per level, without the random effect."
        )
        yield Notice(SeparationWarning, text)


def _separated(fit: GeneralisedFit) -> list[str]:
    """Predictors with large coefficients, or in directions of which the data say nothing."""
    sds = fit.design.X.std(axis=0)  # of the intercept, which does not vary, 0
    scale = fit.model.rows.scaling.fixed
    # What of a column the others do not explain: of interactions of predictors far from 0 that is little.
    own = np.minimum(sds, 1.0 / np.linalg.norm(scale.from_inner, axis=1))
    far = np.abs(fit.beta) * own > SEPARATED
    spread = scale.to_inner @ fit.state.unscaled_vcov @ scale.to_inner.T
    if len(spread):
        values, vectors = np.linalg.eigh(spread)
        flat = scale.from_inner @ vectors[:, values > UNKNOWN]
        effects = np.abs(flat) * sds[:, None]
        far |= (effects > 0.3 * effects.max(axis=0, initial=0.0)).any(axis=1)
    return [name for name, is_far in zip(fit.design.fixed_names, far, strict=True) if is_far]


def _parameter(fit: GeneralisedFit) -> Iterator[Notice]:
    size = fit.dispersion
    if fit.family.name != "negative binomial" or size is None:
        return
    if size > NO_OVERDISPERSION * max(float(np.mean(fit.design.y)), 1.0):
        text = (
            f"boundary fit: the size of the negative binomial runs to infinity (now {size:.3g}): given the random"
            " effects, the counts vary no more than Poisson ones. What to do: fit family='poisson', which is the same"
            " model with one parameter less."
        )
        yield Notice(BoundaryWarning, text)
