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
#: maximum: odds of 3,000 to 1.
SEPARATED = 8.0
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
    """Coefficients on their way to infinity."""
    if fit.family.name != "binomial":
        return
    scaling = fit.model.rows.scaling.fixed
    inner = fit.point.beta
    names = [
        name for j, name in enumerate(fit.design.fixed_names) if j != scaling.intercept and abs(inner[j]) > SEPARATED
    ]
    if names:
        text = (
            f"separation: the logit or its like changes by more than {SEPARATED:g} over one standard deviation of"
            f" {enumerate_briefly(names)}. Within some values all responses are alike, and the coefficient runs to"
            " infinity: its size and standard error mean nothing. What to do: look at the cross-table of response and"
            " predictor, join categories, or take the predictor out; likelihood-ratio tests remain valid."
        )
        yield Notice(SeparationWarning, text)


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
