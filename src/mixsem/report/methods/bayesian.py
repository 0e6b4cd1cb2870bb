"""A Bayesian step 1 in sentences: what varied over groups, priors in numbers, the sampler and how well it mixed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...bayes.draws import MOST_DRAWS
from ...bayes.priors import as_priors
from ...measurement.bayes_fit import BayesianFit
from ...measurement.bayes_measures import BayesFitMeasures
from ...measurement.diagnostics import Diagnostics, diagnostics
from ...measurement.mlcfa import MLCFA
from ...options import as_names
from ..bayesian_section import BayesianDetails
from ..bayesian_words import block_words, prior_entries, reference_group
from ..values import one_line, plural
from ..words import join
from .sample import fold, sample_sentences
from .sources import cite
from .text import MethodsText, software, step

__all__ = ["bayesian_methods", "bayesian_parts"]


def bayesian_methods(fit: BayesianFit, min_size: int | None = None) -> MethodsText:
    """The methods section of a Bayesian measurement model by itself."""
    parts = (("Sample", sample_sentences(fit.moments, min_size)), *bayesian_parts(fit))
    return MethodsText((*parts, ("Software", bayesian_software(fit))))


def bayesian_software(fit: BayesianFit) -> str:
    """The software, with the sampler's."""
    return software(*(("nutpie",) if fit.specification.method == "nuts" else ()))


def bayesian_parts(fit: BayesianFit, details: BayesianDetails | None = None) -> tuple[tuple[str, str], ...]:
    """Model, priors and sampling, each a heading and its text.

    Parameters
    ----------
    fit
        The measurement model.
    details
        What was computed from its draws; None computes the diagnostics, and says nothing of fit measures.
    """
    return (
        ("Measurement model", _model(fit)),
        ("Priors", _priors(fit)),
        ("Sampling", _sampling(fit, diagnostics(fit) if details is None else details.diagnostics)),
        *(() if details is None else (("Fit of the measurement model", _fit(details.measures)),)),
    )


def _fit(measures: BayesFitMeasures) -> str:
    """The fit measures that are told, of all blocks together."""
    m, together = measures.rows[-1], " over all measurement blocks" if len(measures.blocks) > 1 else ""
    return (
        f"Fit was described by the posterior predictive p-value ({m.ppp:.3f}{together}), the Bayesian RMSEA"
        f" ({m.brmsea:.3f}) and CFI ({m.bcfi:.3f}) {cite('bayes_fit')}, and the deviance information criterion"
        f" ({m.dic:,.1f}) {cite('dic')}."
    )


def _model(fit: BayesianFit) -> str:
    level = "multilevel" if isinstance(fit.specification, MLCFA) else "multigroup"
    sizes = f"{plural(len(fit.factors), 'factor')} ({join(list(fit.factors))}) and {plural(len(fit.items), 'item')}"
    source = cite("mixml_sem") if level == "multilevel" else cite("mixmg_bsem", "approximate")
    said = f"A {level} Bayesian confirmatory factor analysis {source} with {sizes} was fitted."
    together = {
        "one per factor": "Each factor was estimated by itself, as a measurement block of its own.",
        "all factors together": "All factors were estimated together.",
    }
    words = block_words(fit)
    blocks = together.get(words, f"Factors were estimated in {len(fit.blocks)} measurement blocks ({words}).")
    means = (
        "Group means were removed beforehand."
        if fit.specification.means == "ignore"
        else "Group means were free, with flat priors."
    )
    marker = "The loading of the first item of a factor was fixed at 1."
    return step(said, blocks if len(fit.factors) > 1 else "", marker, _variation(fit), means)


def _variation(fit: BayesianFit) -> str:
    """What was random, or approximately equal with which prior variance."""
    model = fit.specification
    if isinstance(model, MLCFA):
        names = list(as_names(model.random))
        if not names:
            return "All parameters were equal across groups."
        return f"Random over groups were {fold(names)}; all other measurement parameters were equal across groups."
    rest = "Unique variances and factor (co)variances were free in every group."
    between = (
        "any two groups, which varied around a common value"
        if model.symmetric
        else f"a group and the reference group ({reference_group(model, fit)})"
    )
    return step(_variances(fit, between), rest)


def _variances(fit: BayesianFit, between: str) -> str:
    """The prior variance of loading differences, as it was given or chosen."""
    v: Any = fit.specification.prior_variance  # type: ignore[union-attr]
    if isinstance(v, Mapping):
        named = [f"{one_line(name)}: {_number(x)}" for name, x in v.items()]
        rest = "" if set(fit.factors) <= set(v) else "; all others: 0.01"
        return (
            f"The prior variance of the difference of a loading between {between} was set by parameter"
            f" ({'; '.join(named)}{rest})."
        )
    if isinstance(v, list | tuple):
        chosen = {} if fit.prior_choice is None else fit.prior_choice.chosen
        picked = "; ".join(f"{factor}: {_number(x)}" for factor, x in chosen.items())
        return (
            f"The prior variance of the difference of a loading between {between} was chosen by the deviance"
            f" information criterion {cite('dic')} from {join([_number(x) for x in v])} ({picked})."
        )
    if v is None:
        return "Loadings were free in every group."
    if v == 0:
        return "Loadings were equal across groups."
    return (
        "Loadings were approximately invariant: the difference of a loading between"
        f" {between} had a normal prior with mean 0 and variance {_number(v)}."
    )


def _number(variance: float | None) -> str:
    return "unconstrained" if variance is None else f"{variance:g}"


def _priors(fit: BayesianFit) -> str:
    """Every prior with its numbers."""
    given = fit.specification.priors
    units = {
        "raw": "the items' own units",
        "standardized": "units of the items' standard deviations within groups",
    }[as_priors(given).units]
    name = f"the set {given!r}" if isinstance(given, str) else "a set of our own"
    listed = "; ".join(f"{what[0].lower()}{what[1:]}: {prior}" for what, prior in prior_entries(fit))
    return f"Priors were those of {name}, in {units}: {listed}."


def _sampling(fit: BayesianFit, found: Diagnostics) -> str:
    """Sampler, chains, warm-up, draws, convergence."""
    model = fit.specification
    s, each = model.sampling, " of each measurement block" if len(fit.blocks) > 1 else ""
    worst = found.frame
    ess = min(worst["ess_bulk"].min(), worst["ess_tail"].min())
    if model.method == "nuts":
        said = (
            f"The posterior{each} was sampled with the No-U-Turn sampler {cite('nuts')}:"
            f" {plural(s.chains, 'chain')} of {plural(s.draws, 'draw')} after {s.warmup:,} draws of warm-up, with a"
            f" target acceptance rate of {s.target_accept:g} and a maximum tree depth of {s.max_depth}."
        )
        stopped = int(worst["divergences"].sum())
        trouble = f"{plural(stopped, 'transition')} diverged." if stopped else "No transition diverged."
    else:
        n = plural(min(s.chains * s.draws, MOST_DRAWS), "draw")
        said = (
            f"The posterior{each} was sampled with a Metropolis-Hastings sampler whose proposals came from Laplace"
            f" approximations ({n}{each})."
        )
        trouble = ""
    watched = plural(int(worst["quantities"].sum()), "monitored quantity", "monitored quantities")
    mixed = (
        f"Over {watched} the largest R-hat was {worst['rhat'].max():.3f} and the smallest effective sample size (bulk"
        f" and tail) {ess:,.0f} {cite('rhat')}."
    )
    return step(said, f"The seed was {fit.seed}." if fit.seed is not None else "", mixed, trouble)
