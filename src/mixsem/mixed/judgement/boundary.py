"""What a fit says of itself: boundary of the parameters, convergence, few levels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from ...errors import BoundaryWarning, ConvergenceWarning, FewGroupsWarning, IdentificationWarning, Notice
from ..estimates import MixedEstimates
from ..fit import MixedFit
from .convergence import check_convergence
from .singular import BoundaryReport, boundary

__all__ = ["boundary_notices", "few_level_notices", "fit_notices", "level_notes", "scale_notes"]

#: Fewer levels than this are too few to estimate a variance from; below the second the estimate is imprecise.
FEW_LEVELS, SOME_LEVELS = 6, 20
#: What a Newton step may gain, as the search itself knows it, before the Hessian is asked. The search takes the
#: curvature of complete data for the true one, which may be a thousandth of it.
DOUBTFUL_GAIN = 1e-7
#: Curvature, relative to that of complete data, below which a direction is not determined; and how large a problem may
#: be for that to be asked with every fit.
UNDETERMINED, SMALL_TAIL, SMALL_VALUES = 1e-6, 100, 20_000
#: Ratio of standard deviations of predictors that is worth a word.
FAR_SCALES = 1e3
#: A predictor is like a calendar year if its mean is this large, and this many standard deviations away from 0.
YEAR_MEAN, YEAR_DISTANCE = 1000.0, 30.0


def fit_notices(fit: MixedFit) -> MixedFit:
    """The fit with its notices."""
    own = (*_convergence(fit), *boundary_notices(fit), *_identification(fit), *few_level_notices(fit))
    return replace(fit, notices=(*fit.notices, *own))


def _convergence(fit: MixedFit) -> Iterator[Notice]:
    trace = fit.trace
    if trace.converged and trace.gain < DOUBTFUL_GAIN:
        return
    check = check_convergence(fit)
    if not check.converged:
        todo = (
            "What to do: check_design(fit), a simpler model, then refit(fit), which continues from here, with a larger"
            " max_evaluations or another method; all_fit(fit) compares methods."
        )
        yield Notice(ConvergenceWarning, f"{check.text} The optimizer said: {trace.message}. {todo}")


def boundary_notices(fit: MixedEstimates) -> Iterator[Notice]:
    """Directions without variance, why, and what to do."""
    report = boundary(fit)
    if report:
        what = "; ".join(d.what for d in report.directions)
        causes = (
            "too little data for these effects, too few levels, an oddity in the data (check_design(fit) looks);"
            " not the scales of predictors, which are made equal inside"
        )
        text = (
            f"boundary fit (singular fit): {what}. Likely why, in this order: {causes}. What to do:"
            f" {', '.join(_advice(report, isinstance(fit, MixedFit)))}. The estimates are the optimum; intervals and"
            " tests of these variances are not the usual ones."
        )
        yield Notice(BoundaryWarning, text)


def _advice(report: BoundaryReport, linear: bool) -> Iterator[str]:
    """Steps in the order in which to try them."""
    kinds = {d.kind for d in report.directions}
    slopes = [d for d in report.directions if d.kind == "sd" and d.effects != ("(Intercept)",)]
    if kinds & {"correlation", "combination"}:
        yield "drop the correlations (||)"
    if slopes or kinds & {"correlation", "combination"}:
        yield "drop the slope"
    if "residual" in kinds:
        yield "drop a random term: together they describe every row"
    if kinds & {"sd"} and not slopes:
        yield "leave the term out (fixed effects stay the same)"
    yield f"{'' if linear else 'or '}compare with cluster-robust standard errors and GEE (alternatives(fit))"
    if linear:
        yield "or hold variances away from 0 by a weak penalty (penalty= of lmer, no longer maximum likelihood)"


def _identification(fit: MixedFit) -> Iterator[Notice]:
    """Random parts of which the likelihood says nothing; asked only where the Hessian costs next to nothing."""
    layout = fit.model.products.layout
    if fit.residual is not None or layout.n_columns > SMALL_TAIL or layout.n_values > SMALL_VALUES:
        return
    if boundary(fit):
        return
    flat = int((np.abs(check_convergence(fit).eigenvalues) < UNDETERMINED).sum())
    if flat:
        text = (
            f"the data do not determine {'one direction' if flat == 1 else f'{flat} directions'} of the random"
            " effects' covariance: standard deviations and correlations are one choice of many that fit as well. Likely"
            " why: the same groups or columns twice, a slope of something that does not vary within groups, or fixed"
            " effects for the groups themselves. What to do: drop the term that repeats another."
        )
        yield Notice(IdentificationWarning, text)


def few_level_notices(fit: MixedEstimates) -> Iterator[Notice]:
    """Grouping factors with so few levels that their variances mean little."""
    few = [f"{f.name} ({len(f.levels)})" for f in fit.design.factors if len(f.levels) < FEW_LEVELS]
    if few:
        text = (
            f"fewer than {FEW_LEVELS} levels: {', '.join(few)}. Variances over so few are biased and imprecise, as"
            " profile intervals of the SDs show; consider fixed effects for these levels."
        )
        yield Notice(FewGroupsWarning, text)


def level_notes(fit: MixedEstimates) -> tuple[str, ...]:
    """Information, not warnings: grouping factors with 6 to 19 levels."""
    some = [f"{f.name} ({len(f.levels)})" for f in fit.design.factors if FEW_LEVELS <= len(f.levels) < SOME_LEVELS]
    if not some:
        return ()
    return (f"Variances over fewer than {SOME_LEVELS} levels are imprecise: {', '.join(some)}.",)


def scale_notes(fit: MixedEstimates) -> tuple[str, ...]:
    """Information, not warnings: predictors on very different scales, and such as calendar years.

    Columns are centred and scaled inside, so that neither troubles the fit; coefficients are in the user's units.
    """
    scaling = fit.model.scaling.fixed
    names = fit.design.fixed_names
    at = [j for j in range(len(names)) if j != scaling.intercept]
    notes = []
    if len(at) > 1:
        low, high = (at[int(i)] for i in (np.argmin(scaling.scale[at]), np.argmax(scaling.scale[at])))
        ratio = float(scaling.scale[high] / scaling.scale[low])
        if ratio > FAR_SCALES:
            notes.append(
                f"The scales of {names[high]} ({scaling.scale[high]:.3g}) and {names[low]} ({scaling.scale[low]:.3g})"
                f" differ by a factor of {ratio:,.0f}. They were scaled inside; coefficients are in the units given."
            )
    for j in at:
        mean, sd = abs(float(scaling.center[j])), float(scaling.scale[j])
        if mean > YEAR_MEAN and mean > YEAR_DISTANCE * sd:
            notes.append(
                f"{names[j]} is far from 0 (mean {scaling.center[j]:.6g}, SD {sd:.3g}): intercepts, and their SDs and"
                f" correlations, speak of {names[j]} = 0. Let it start at 0 to read them."
            )
    return tuple(notes)
