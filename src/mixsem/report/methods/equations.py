"""A structural equation model in sentences."""

from __future__ import annotations

from ...equations.fit import SEMFit
from ...equations.sam_fit import SAMFit
from ...options import as_names
from ..values import plural
from ..words import join
from .measurement import equality_sentences
from .sample import sample_sentences, was
from .sources import cite
from .text import MethodsText, software, step

__all__ = ["data_sentences", "equation_methods", "estimator_sentence", "two_step_methods"]

KINDS = {
    "cfa": "A confirmatory factor analysis",
    "growth": "A latent growth curve model",
    "sem": "A structural equation model",
}
DISCREPANCIES = {
    "ML": "maximum likelihood",
    "GLS": "generalised least squares",
    "ULS": "unweighted least squares",
    "WLS": "weighted least squares",
    "DWLS": "diagonally weighted least squares",
}
ERRORS = {
    "information": "standard errors from the information matrix",
    "moments": "robust standard errors from the fourth moments of the data",
    "sandwich": "robust (sandwich) standard errors",
}
TESTS = {
    "standard": ("the uncorrected chi-square test", ()),
    "satorra-bentler": ("the Satorra-Bentler scaled test", ("satorra_bentler",)),
    "yuan-bentler": ("the Yuan-Bentler scaled test", ("yuan_bentler",)),
    "scaled-shifted": ("the scaled and shifted test", ("scaled_shifted",)),
    "mean-var-adjusted": ("the test adjusted in mean and variance", ("satorra_bentler",)),
}


def equation_methods(fit: SEMFit) -> MethodsText:
    """The methods section of a structural equation model."""
    done = f"after {plural(fit.optimum.n_iterations, 'iteration')}"
    converged = f"The estimation converged {done}." if fit.converged else f"The estimation did not converge ({done})."
    return MethodsText(
        (
            ("Sample", data_sentences(fit)),
            ("Model", step(_model(fit), _equalities(fit))),
            (
                "Estimation",
                step(
                    estimator_sentence(fit),
                    "Syntax and defaults were those of lavaan " + f"{cite('lavaan')}.",
                    converged,
                ),
            ),
            ("Fit", _judged(fit)),
            ("Software", software()),
        )
    )


def data_sentences(fit: SEMFit | SAMFit) -> str:
    """The sample; full information keeps every answer."""
    moments, patterns = fit.data.moments, fit.data.patterns
    if patterns is None:
        return sample_sentences(moments)
    dropped = int(moments.n_dropped.sum())
    several = len(fit.groups) > 1
    people = f"The sample comprised {plural(int(moments.n.sum()), 'person', 'people')}"
    people += f" in {plural(len(fit.groups), 'group')}." if several else "."
    empty = f"{plural(dropped, 'row')} without any answer {was(dropped)} dropped." if dropped else ""
    incomplete = int(patterns.pattern_n[~patterns.observed.all(axis=1)].sum())
    return step(
        people,
        f"Answers were missing in {plural(incomplete, 'row')} ({incomplete / int(moments.n.sum()):.1%})."
        if incomplete
        else "No answer was missing in these rows.",
        "Missing values were handled by full information maximum likelihood, which uses every answer and assumes that"
        f" values were missing at random {cite('missing')}.",
        empty,
    )


def _model(fit: SEMFit | SAMFit) -> str:
    sizes = [plural(len(fit.observed), "observed variable")]
    sizes = [f"{plural(len(fit.factors), 'factor')} ({join(list(fit.factors))})", *sizes] if fit.factors else sizes
    scale = ""
    if fit.factors and fit.specification.kind != "growth":
        scale = (
            "Factor variances were fixed at 1."
            if fit.specification.std_lv
            else "Factors had the scale of their marker variables."
        )
    n_params = fit.n_params if isinstance(fit, SEMFit) else fit.coef.size
    text = f"{KINDS[fit.specification.kind]} with {join(sizes)} was fitted ({plural(n_params, 'free parameter')})."
    return step(text, scale)


def _equalities(fit: SEMFit | SAMFit) -> str:
    """What was equal over groups."""
    if len(fit.groups) == 1:
        return ""
    return equality_sentences(as_names(fit.specification.group_equal), as_names(fit.specification.group_partial))


def estimator_sentence(fit: SEMFit) -> str:
    """Estimator, standard errors and test."""
    estimator = fit.compiled.estimator
    test, sources = TESTS[estimator.test]
    ordinal = fit.data.ordinal
    how = DISCREPANCIES[estimator.discrepancy]
    if ordinal is not None:
        n = int(ordinal.ordered.sum())
        how += f" on thresholds and polychoric correlations {cite('polychoric')} of {plural(n, 'ordered item')}"
    source = f" {cite(*sources)}" if sources else ""
    return (
        f"The model was estimated by {how} (estimator {estimator.name}), with {ERRORS[estimator.errors]} and {test}"
        f"{source}."
    )


def _judged(fit: SEMFit) -> str:
    """The test and the indices that are reported, with their values."""
    m, r, told = fit.measures, fit.robust, fit.described
    chisq, df, p = (m.chisq, m.df, m.pvalue) if r is None else (r.model.chisq, r.model.df, r.model.pvalue)
    probability = "p < .001" if p < 0.001 else f"p = {p:.3f}"
    kind = f" ({told.kind})" if told.kind else ""
    indices = f"CFI{kind} = {told.cfi:.3f}, RMSEA{kind} = {told.rmsea:.3f}"
    limits = f" with a 90% confidence interval from {told.rmsea_lower:.3f} to {told.rmsea_upper:.3f}"
    if not df:
        return f"The model was saturated (df = 0): its fit could not be tested. SRMR = {m.srmr:.3f}."
    return f"Fit was judged by χ²({df:g}) = {chisq:,.2f}, {probability}, {indices}{limits}, and SRMR = {m.srmr:.3f}."


def two_step_methods(fit: SAMFit) -> MethodsText:
    """The methods section of a model estimated in two steps."""
    ways = {
        "local": "the structural model was then fitted to the factor covariances that the measurement blocks implied",
        "global": "the structural model was then fitted with the measurement parameters fixed at their estimates",
    }
    text = (
        f"The model was estimated by the {fit.method} structural-after-measurement approach {cite('sam')}:"
        f" {plural(len(fit.blocks), 'measurement block')} first; {ways[fit.method]}. Standard errors allow for the"
        " uncertainty of the first step."
    )
    converged = "Both steps converged." if fit.converged else "Not all steps converged."
    return MethodsText(
        (
            ("Sample", data_sentences(fit)),
            ("Model", step(_model(fit), _equalities(fit))),
            ("Estimation", step(text, converged)),
            ("Software", software()),
        )
    )
