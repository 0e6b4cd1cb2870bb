"""Summaries of fits: what the console and a notebook show."""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch

from ..equations.bootstrap import Bootstrap
from ..equations.fit import SEMFit
from ..equations.release import ReleaseScores
from ..equations.sam_fit import SAMFit
from ..equations.score_tests import ScoreTest
from ..errors import Notice
from ..factors.moments import FactorMoments
from ..measurement.bayes_fit import BayesianFit
from ..measurement.bayes_measures import BayesFitMeasures
from ..measurement.diagnostics import Diagnostics, diagnostics
from ..measurement.fit import MeasurementFit
from ..measurement.invariance import InvarianceTest
from ..measurement.invariance_alignment import Alignment
from ..measurement.invariance_search import NonInvariance
from ..measurement.invariance_steps import RandomEffectSteps
from ..measurement.prior_grid import PriorVarianceChoice
from ..mixed.fit import MixedFit
from ..mixed.generalised.fit import GeneralisedFit
from ..mixtures.bootstrap_results import MixtureBootstrap, SelectionBootstrap
from ..mixtures.classification import Classification
from ..mixtures.distal import DistalOutcome
from ..mixtures.intervals import Intervals
from ..mixtures.lrt import ClusterTest
from ..mixtures.membership_model import MembershipModel
from ..mixtures.propagate import PropagatedPosterior
from ..mixtures.stability import Stability
from ..mixtures.wald import WaldTests, known_tests
from ..multilevel.compare import GroupComparison
from ..multilevel.fit import MultilevelFit
from ..structural.fit import MixtureFit
from ..structural.select import MixtureSelection
from .bayes_tables import choice_entries, measures_table, variance_table
from .bayesian_frames import bayesian_parameters, loading_variation
from .bayesian_tables import bayesian_loading_table
from .bayesian_words import bayesian_facts, model_name, step1_entries
from .bootstrap_tables import bootstrap_summary, cluster_test_summary, selection_bootstrap_summary
from .classification_tables import OVERCONFIDENT, classification_summary, propagated_summary, stability_summary
from .diagnostic_tables import diagnostics_table
from .document import Listing, Prose, Summary
from .equation_summary import equation_summary, two_step_summary
from .equation_tests import bootstrap_summary as equation_bootstrap_summary
from .equation_tests import release_summary, score_summary
from .factor_tables import correlation_table, factor_facts, factor_table
from .generalised_summary import generalised_summary
from .inference_tables import errors_in_words, interval_summary, wald_summary
from .inputs import no_such_result
from .invariance_words import alignment_summary, random_summary, search_summary, test_summary
from .measurement_tables import fit_table, loading_table, measurement_facts
from .mixed_summary import mixed_summary
from .mixture_tables import (
    coefficient_table,
    indicator_word,
    member_listing,
    method_name,
    selection_table,
    starts_text,
)
from .multilevel_tables import hyper_table, multilevel_facts, pair_table
from .predictor_tables import distal_summary, predictor_summary
from .table import Table
from .values import plural
from .words import ADVICE, choice_lines, choice_remarks, join, single_remarks

__all__ = ["selection_table", "summarize", "summarize_html", "summary", "warning_listing"]


@singledispatch
def summary(fit: object) -> Summary:
    """Return what a fit has to say, to be printed or shown in a notebook.

    Parameters
    ----------
    fit
        A `SEMFit`, `MixedFit`, `GeneralisedFit`, `MeasurementFit`, `BayesianFit`, `FactorMoments`, `MixtureFit` or
        `MixtureSelection`, or another result of this package.

    Returns
    -------
    Summary
        ``print(summary(fit))`` shows it; ``summary(fit).parts`` holds its tables.

    Raises
    ------
    OptionError
        If `fit` is anything else.

    Examples
    --------
    >>> from mixsem.factors import FactorMoments
    >>> from mixsem.structural import StructuralMixture
    >>> Phi = [[[1.0, 0.5], [0.5, 1.0]]] * 3 + [[[1.0, 0.1], [0.1, 1.0]]] * 5
    >>> moments = FactorMoments.from_covariances(Phi, n=[300] * 8, factors=["x", "y"], groups=list("abcdefgh"))
    >>> print(summary(StructuralMixture("y ~ x", k=2).fit(moments, seed=1)).parts[1])
    Regressions
    --------------------------------
    Regression  Cluster 1  Cluster 2
    --------------------------------
    Proportion      0.625      0.375
    Groups              5          3
    People          1,500        900
    --------------------------------
    y ~ x           0.100      0.500
    --------------------------------
    """
    raise no_such_result(fit, "summary", summary.registry)


def summarize(fit: object) -> str:
    """Return the summary of a fit as plain text."""
    return summary(fit).to_text()


def summarize_html(fit: object) -> str:
    """Return the summary of a fit as HTML for a notebook."""
    return summary(fit)._repr_html_()


def warning_listing(notices: Sequence[Notice]) -> tuple[Listing, ...]:
    """Return all notices by name; nothing if there are none."""
    if not notices:
        return ()
    return (Listing("Warnings", tuple((n.heading, n.text) for n in notices), stacked=True),)


@summary.register(MixtureFit)
def _summary_mixture(fit: MixtureFit) -> Summary:
    title = f"{method_name(fit)}: {plural(fit.k, 'cluster')} of {_size(fit)}"
    remarks = (*single_remarks(fit), *((f"{OVERCONFIDENT} propagated_posterior() counts both.",) if fit.k > 1 else ()))
    tests, reason = known_tests(fit)
    return Summary(
        title,
        (
            Listing("", (*_solution_facts(fit), *_errors_fact(fit, tests, reason))),
            coefficient_table(fit, tests),
            *((member_listing(fit),) if fit.k > 1 else ()),
            *((Prose("", remarks, bullets=len(remarks) > 1),) if remarks else ()),
            *warning_listing(fit.notices),
        ),
    )


@summary.register(MixtureSelection)
def _summary_selection(selection: MixtureSelection) -> Summary:
    first = selection.fits[0]
    title = f"{method_name(first)} with {_numbers(list(selection))} clusters of {_size(first)}"
    words: tuple[Table | Listing | Prose, ...] = ()
    if len(selection) > 1:
        remarks = (*choice_remarks(selection), ADVICE)
        words = (
            Listing("What the criteria choose", choice_lines(selection)),
            Prose("Before you follow them", remarks, bullets=True),
        )
    step1 = step1_entries(first.moments.measurement)
    facts = (Listing("", step1),) if step1 else ()
    return Summary(title, (*facts, selection_table(selection), *words, *warning_listing(selection.notices)))


@summary.register(MeasurementFit)
def _summary_measurement(fit: MeasurementFit) -> Summary:
    size = f"{plural(len(fit.factors), 'factor')}, {plural(len(fit.items), 'item')}"
    several = len(fit.groups) > 1
    title = f"{'Multigroup confirmatory' if several else 'Confirmatory'} factor analysis: {size}"
    title += f", {plural(len(fit.groups), 'group')}" if several else ""
    return Summary(
        title,
        (
            Listing("", measurement_facts(fit)),
            fit_table(fit),
            loading_table(fit),
            *warning_listing(fit.notices),
        ),
    )


@summary.register(SEMFit)
def _summary_equations(fit: SEMFit) -> Summary:
    return equation_summary(fit, warning_listing(fit.notices))


@summary.register(SAMFit)
def _summary_two_steps(fit: SAMFit) -> Summary:
    return two_step_summary(fit, warning_listing(fit.notices))


@summary.register(MixedFit)
def _summary_mixed(fit: MixedFit) -> Summary:
    return mixed_summary(fit, warning_listing(fit.notices))


@summary.register(GeneralisedFit)
def _summary_generalised(fit: GeneralisedFit) -> Summary:
    return generalised_summary(fit, warning_listing(fit.notices))


@summary.register(Bootstrap)
def _summary_bootstrap(drawn: Bootstrap) -> Summary:
    return equation_bootstrap_summary(drawn, warning_listing(drawn.notices))


summary.register(ScoreTest)(score_summary)
summary.register(ReleaseScores)(release_summary)
summary.register(InvarianceTest)(test_summary)
summary.register(Classification)(classification_summary)
summary.register(PropagatedPosterior)(propagated_summary)
summary.register(Stability)(stability_summary)
summary.register(NonInvariance)(search_summary)
summary.register(Alignment)(alignment_summary)
summary.register(MembershipModel)(predictor_summary)
summary.register(DistalOutcome)(distal_summary)
summary.register(RandomEffectSteps)(random_summary)
summary.register(MixtureBootstrap)(bootstrap_summary)
summary.register(SelectionBootstrap)(selection_bootstrap_summary)
summary.register(ClusterTest)(cluster_test_summary)
summary.register(WaldTests)(wald_summary)
summary.register(Intervals)(interval_summary)


@summary.register(BayesianFit)
def _summary_bayesian(fit: BayesianFit) -> Summary:
    size = f"{plural(len(fit.factors), 'factor')}, {plural(len(fit.items), 'item')}, {plural(len(fit.groups), 'group')}"
    loadings = bayesian_loading_table(fit, bayesian_parameters(fit), loading_variation(fit))
    sampled = diagnostics_table(diagnostics(fit))
    return Summary(
        f"{model_name(fit)}: {size}",
        (Listing("", bayesian_facts(fit)), sampled, loadings, *warning_listing(fit.notices)),
    )


@summary.register(FactorMoments)
def _summary_factors(moments: FactorMoments) -> Summary:
    title = f"Factor covariances: {plural(len(moments.factors), 'factor')} in {plural(moments.n_groups, 'group')}"
    tables = [factor_table(moments)]
    tables += [correlation_table(moments)] if len(moments.factors) > 1 else []
    return Summary(title, (Listing("", factor_facts(moments)), *tables, *warning_listing(moments.notices)))


@summary.register(MultilevelFit)
def _summary_multilevel(fit: MultilevelFit) -> Summary:
    size = f"{plural(len(fit.factors), 'factor')}, {plural(len(fit.items), 'item')}, {plural(len(fit.groups), 'group')}"
    facts = Listing("", multilevel_facts(fit))
    return Summary(f"Multilevel SEM: {size}", (facts, hyper_table(fit), *warning_listing(fit.notices)))


@summary.register(GroupComparison)
def _summary_comparison(comparison: GroupComparison) -> Summary:
    said = Prose("", comparison.statements, bullets=len(comparison.statements) > 1)
    return Summary(f"Comparison of {plural(len(comparison.groups), 'group')}", (said, pair_table(comparison)))


@summary.register(Diagnostics)
def _summary_diagnostics(found: Diagnostics) -> Summary:
    size = f"{plural(found.n_chains, 'chain')} of {plural(found.n_draws, 'draw')}"
    size = size if found.method == "nuts" else f"{size} ({found.method})"
    return Summary(f"Sampling: {size}", (diagnostics_table(found),))


@summary.register(BayesFitMeasures)
def _summary_measures(measures: BayesFitMeasures) -> Summary:
    size = f"{plural(len(measures.blocks), 'block')}, {plural(len(measures.groups), 'group')}"
    return Summary(f"Fit measures: {size}", (measures_table(measures), *warning_listing(measures.notices)))


@summary.register(PriorVarianceChoice)
def _summary_choice(choice: PriorVarianceChoice) -> Summary:
    chosen = Listing("Smallest DIC", choice_entries(choice))
    return Summary("Prior variance of loading differences", (variance_table(choice), chosen))


def _size(fit: MixtureFit) -> str:
    return f"{plural(len(fit.groups), 'group')}, N = {fit.nobs:,}"


def _errors_fact(fit: MixtureFit, tests: WaldTests | None, reason: str) -> tuple[tuple[str, str], ...]:
    """How standard errors were computed, or why there are none; nothing where covariances were given."""
    if tests is not None:
        return (("Standard errors", errors_in_words(tests.errors)),)
    return () if fit.moments.measurement is None else (("Standard errors", f"none: {reason}"),)


def _numbers(ks: list[int]) -> str:
    """Numbers of clusters: "1 to 6", or each if some are left out."""
    in_a_row = len(ks) > 2 and ks == list(range(ks[0], ks[-1] + 1))
    return f"{ks[0]} to {ks[-1]}" if in_a_row else join([str(k) for k in ks])


def _solution_facts(fit: MixtureFit) -> tuple[tuple[str, str], ...]:
    """Pairs of what and value: log-likelihoods, certainty of the classification, starts."""
    facts = [("Log-likelihood, factors", f"{fit.loglik:,.2f} ({fit.n_params_factors:,} free parameters)")]
    if fit.moments.n_measurement:
        word, means = indicator_word(fit), "" if fit.path.meanstructure else " without means"
        facts.append(
            (f"Log-likelihood, {word}", f"{fit.loglik_observed:,.2f} ({fit.n_params:,} free parameters{means})")
        )
    if fit.k > 1:
        facts.append(("Entropy R²", f"{fit.entropy_r2:.3f}"))
        facts.append(("Random starts", starts_text(fit)))
    return (*facts, *step1_entries(fit.moments.measurement))
