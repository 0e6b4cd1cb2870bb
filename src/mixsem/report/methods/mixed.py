"""A linear or generalised mixed model in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...mixed.fit import MixedFit
from ...mixed.generalised.fit import GeneralisedFit
from ...mixed.inference.ddf import Inference
from ...mixed.penalties.penalised import is_penalised
from ..mixed_summary import has_converged, usual_inference
from ..values import plural
from ..words import join
from .sources import cite
from .text import MethodsText, software, step

if TYPE_CHECKING:
    from ...mixed.designs.random_part import RandomTerm
    from ..mixed_results import Limits

    AnyFit = MixedFit | GeneralisedFit

__all__ = ["generalised_methods", "linear_methods"]

INTERCEPT = "(Intercept)"
DDF = {
    "satterthwaite": (
        "Fixed effects were tested by t tests with Satterthwaite's degrees of freedom",
        ("satterthwaite",),
    ),
    "kenward-roger": (
        "Fixed effects were tested by t tests with Kenward and Roger's degrees of freedom and standard errors",
        ("kenward_roger",),
    ),
    "none": ("Fixed effects were tested by z tests, with variances taken as known", ()),
}
LIMITS = {
    "wald": "95% confidence intervals of fixed effects were Wald intervals.",
    "profile": "95% confidence intervals came from the profile likelihood.",
    "none": "",
}
#: What the default optimiser does, which goes by the name of its last part.
SEARCH = {"lbfgsb": "EM steps followed by L-BFGS-B with exact gradients", "bfgs": "BFGS with exact gradients"}


def linear_methods(fit: MixedFit, inference: Inference | None = None, limits: Limits = "wald") -> MethodsText:
    """The methods section of a linear mixed model.

    Parameters
    ----------
    fit
        The fit.
    inference
        How fixed effects were tested; by default by Satterthwaite's method.
    limits
        Which confidence limits were computed.
    """
    known = usual_inference(fit) if inference is None else inference
    estimation = "restricted maximum likelihood (REML)" if fit.reml else "maximum likelihood"
    penalty = ""
    if is_penalised(fit):
        penalty = (
            f"A weak penalty on the covariances of the random effects was added ({fit.specification.penalty}), so that"
            " they are not singular."
        )
    tested, sources = DDF[known.ddf]
    tests = f"{tested} {cite(*sources)}." if sources else f"{tested}."
    return MethodsText(
        (
            ("Data", _rows(fit)),
            (
                "Model",
                step(f"A linear mixed model {cite('lme4')} was fitted: {fit.formula}.", _random(fit), _residual(fit)),
            ),
            ("Estimation", step(f"Parameters were estimated by {estimation}.", penalty, _search(fit))),
            ("Inference", step(tests if fit.model.p else "", LIMITS[limits])),
            ("Software", software()),
        )
    )


def generalised_methods(fit: GeneralisedFit, profiled: bool = False) -> MethodsText:
    """The methods section of a generalised linear mixed model.

    Parameters
    ----------
    fit
        The fit.
    profiled
        Whether profile limits were computed.
    """
    family = fit.family
    own = f" (estimated {family.parameter}: {fit.dispersion:.4g})" if fit.dispersion is not None else ""
    model = (
        f"A generalised linear mixed model {cite('lme4')} with a {family.name} response{own} and the {family.link.name}"
        f" link was fitted: {fit.formula}."
    )
    return MethodsText(
        (
            ("Data", _rows(fit)),
            ("Model", step(model, _random(fit))),
            ("Estimation", step(_likelihood(fit.n_agq), _search(fit))),
            (
                "Inference",
                step(
                    "Fixed effects were tested by z tests.",
                    _hessian(fit),
                    LIMITS["profile" if profiled else "wald"],
                ),
            ),
            ("Software", software()),
        )
    )


def _likelihood(n_agq: int) -> str:
    """How the integral over the random effects was computed."""
    if n_agq > 1:
        return (
            "Parameters were estimated by maximum likelihood; the likelihood was computed by adaptive Gauss-Hermite"
            f" quadrature with {n_agq} nodes {cite('gauss_hermite')}."
        )
    said = "Parameters were estimated by maximum likelihood, with Laplace's approximation of the likelihood"
    return (
        f"{said}; fixed effects were at their joint mode with the random effects (n_agq = 0)."
        if not n_agq
        else f"{said}."
    )


def _hessian(fit: GeneralisedFit) -> str:
    if fit.spread.from_hessian:
        return "Standard errors came from the Hessian of all parameters."
    return "Standard errors took the covariances of the random effects as known."


def _rows(fit: AnyFit) -> str:
    """Rows, levels, incomplete rows, weights and offset."""
    design = fit.design
    lost = design.n_rows - fit.nobs
    levels = [f"{plural(factor.n_levels, 'level')} of {factor.name}" for factor in design.factors]
    said = f"The analysis comprised {plural(fit.nobs, 'row')} from {join(levels)}."
    if lost:
        verb = "was" if lost == 1 else "were"
        gone = (
            f"{plural(lost, 'row')} of {design.n_rows:,} ({lost / design.n_rows:.1%}) {verb} left out because a"
            " variable of the model was missing."
        )
    else:
        gone = "No row was left out for missing values."
    trials = isinstance(fit, GeneralisedFit) and fit.family.has_trials
    weighted = ""
    if design.weights is not None:
        weighted = "Rows had numbers of trials." if trials else "Rows were weighted."
    return step(said, gone, weighted, "" if design.offset is None else "The linear predictor had an offset.")


def _random(fit: AnyFit) -> str:
    """Fixed and random effects."""
    terms = [name for name in fit.design.fixed_terms if name != INTERCEPT]
    fixed = f"Fixed effects were {join(terms)}." if terms else "There was no predictor with a fixed effect."
    varied = "; ".join(_term(fit, term) for term in fit.design.terms)
    return f"{fixed} Random effects: {varied}."


def _term(fit: AnyFit, term: RandomTerm) -> str:
    names = ["the intercept" if name == INTERCEPT else f"the slope of {name}" for name in term.names]
    text = f"{join(names)} varied over {fit.design.factors[term.factor].name}"
    if len(names) == 1:
        return text
    return f"{text} ({'correlated' if term.correlated else 'uncorrelated'})"


def _residual(fit: MixedFit) -> str:
    structure = fit.specification.residual
    return "" if structure is None else f"Residuals had the structure {structure} {cite('residual_structures')}."


def _search(fit: AnyFit) -> str:
    """The optimiser and whether it arrived."""
    trace = fit.trace
    how = SEARCH.get(trace.method, f"the method {trace.method!r}")
    evaluations = plural(trace.evaluations, "evaluation")
    ended = "converged" if has_converged(fit) else "did not converge"
    singular = any(notice.name == "BoundaryWarning" for notice in fit.notices)
    bound = "The estimates lie on the boundary of the parameters (singular fit)." if singular else ""
    return step(f"The optimiser ({how}) {ended} after {evaluations} of the criterion.", bound)
