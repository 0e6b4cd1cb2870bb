"""The report: one HTML file that holds everything and needs nothing."""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import OptionError
from ..measurement.bayes_fit import BayesianFit
from ..measurement.fit import MeasurementFit
from ..mixtures.errors import StandardErrors
from ..mixtures.propagate import PropagatedPosterior, known_propagated
from ..mixtures.wald import known_tests
from ..structural.choice import Choice, choose_clusters
from ..structural.fit import MixtureFit
from ..structural.select import MixtureSelection
from .bayesian_section import BayesianDetails, bayesian_details, bayesian_section
from .inference_section import inference_section
from .methods import MethodsText
from .methods.clusters import cluster_methods
from .mixture_tables import CERTAIN, method_name
from .page import Section, definitions, html_page, paragraph
from .sections import (
    classification_section,
    fitted_section,
    measurement_section,
    regression_section,
    reproduction_section,
    selection_section,
    uncertain_groups,
    warning_section,
)
from .values import escape_html, one_line, plural

__all__ = ["html_report"]


def html_report(
    result: MixtureFit | MixtureSelection,
    *,
    title: str,
    settings: Mapping[str, object] | None = None,
    k: int | None = None,
    measurement: MeasurementFit | BayesianFit | None = None,
    details: BayesianDetails | None = None,
    errors: StandardErrors | None = None,
    propagated: PropagatedPosterior | None = None,
    methods: MethodsText | None = None,
    code: str = "",
    command: str = "",
) -> str:
    """Write a report on a clustering as one self-contained HTML page, figures inside.

    Parameters
    ----------
    result
        A mixture, or a selection of mixtures with several numbers of clusters.
    title
        Heading of the report.
    settings
        What to list under "What was fitted": names and values, such as the data file, the grouping column, the
        seed. Shown in this order, as text.
    k
        Which solution of a selection to show; if None, the one that `choose_clusters` takes.
    measurement
        The measurement model, for its text, fit and loadings; if None, the one that the fit came from.
    details
        What was computed from the draws of a Bayesian measurement model; None computes it.
    errors
        Standard errors of the solution that is shown; None for those that are known without being asked: after
        maximum likelihood.
    propagated
        Membership probabilities of the solution that is shown, from `propagated_posterior`; None computes them.
    methods
        The methods section; None writes it.
    code, command
        Python code and command line that repeat the analysis.

    Returns
    -------
    str
        A complete HTML document. It loads nothing from the network; all labels are escaped.

    Raises
    ------
    OptionError
        If `result` is neither, or the selection has no solution with `k` clusters.

    Examples
    --------
    >>> from mixsem.factors import FactorMoments
    >>> from mixsem.structural import StructuralMixture
    >>> Phi = [[[1.0, 0.5], [0.5, 1.0]]] * 3 + [[[1.0, 0.1], [0.1, 1.0]]] * 5
    >>> moments = FactorMoments.from_covariances(Phi, n=[300] * 8, factors=["x", "y"], groups=list("abcdefgh"))
    >>> fit = StructuralMixture("y ~ x", k=2).fit(moments, seed=1)
    >>> page = html_report(fit, title="Does x predict y?", settings={"Seed": 1})
    >>> page.startswith("<!DOCTYPE html>"), "<h1>Does x predict y?</h1>" in page
    (True, True)
    """
    fit, choice = _shown(result, k)
    measurement = fit.moments.measurement if measurement is None else measurement
    several = isinstance(result, MixtureSelection) and len(result) > 1
    if details is None and isinstance(measurement, BayesianFit):
        details = bayesian_details(measurement)
    tests, reason = known_tests(fit, errors)
    if methods is None:
        selection = result if isinstance(result, MixtureSelection) else MixtureSelection((fit,))
        known = None if tests is None else tests.errors
        methods = cluster_methods(selection, choice, measurement=measurement, details=details, errors=known)
    told, references = methods.sections()
    sections: list[Section | None] = [
        fitted_section(fit, settings or {}, measurement),
        selection_section(result, choice) if isinstance(result, MixtureSelection) and several else None,
        regression_section(fit, tests),
        inference_section(fit, tests, reason),
        classification_section(fit, propagated or known_propagated(fit)) if fit.k > 1 else None,
        _measurement(fit, measurement, details),
        warning_section(result.notices),
        told,
        reproduction_section(code, command),
        references,
    ]
    heading = one_line(title) or method_name(fit)
    return html_page(heading, _head(fit, result), [s for s in sections if s is not None], _foot())


def _measurement(
    fit: MixtureFit, measurement: MeasurementFit | BayesianFit | None, details: BayesianDetails | None
) -> Section | None:
    """The section on step 1, if there was one."""
    if isinstance(measurement, BayesianFit):
        return bayesian_section(measurement, fit.moments, details)
    return None if measurement is None else measurement_section(measurement)


def _shown(result: object, k: int | None) -> tuple[MixtureFit, Choice]:
    """The solution that the report is about, and why this one."""
    if isinstance(result, MixtureFit):
        result = MixtureSelection((result,))
    if not isinstance(result, MixtureSelection):
        raise OptionError(
            f"html_report() got {type(result).__name__}",
            allowed="a MixtureFit or MixtureSelection",
            todo="give what StructuralMixture.fit() returned",
        )
    choice = choose_clusters(result, k)
    return result[choice.k], choice


def _head(fit: MixtureFit, result: MixtureFit | MixtureSelection) -> str:
    """The result in a sentence and a few numbers."""
    if fit.k == 1:
        said = f"One set of regressions for all {plural(len(fit.groups), 'group')}."
    else:
        said = f"{plural(len(fit.groups), 'group')} in {fit.k} clusters that differ in their regressions."
        unsure = uncertain_groups(fit)
        be = "is" if unsure == 1 else "are"
        said += (
            f" {plural(unsure, 'group')} {be} uncertain (probability of the cluster below {CERTAIN:.2f})."
            if unsure
            else f" The probability of the cluster is {CERTAIN:.2f} or more for every group."
        )
    numbers = [("clusters", f"{fit.k}"), ("groups", f"{len(fit.groups):,}"), ("people", f"{fit.nobs:,}")]
    numbers.append(("regressions", f"{fit.path.slot.size}"))
    if fit.k > 1:
        numbers.append(("entropy R²", f"{fit.entropy_r2:.3f}"))
    alert = f'<p><a href="#warnings">{plural(len(result.notices), "warning")}</a>.</p>' if result.notices else ""
    return paragraph(said, "lead") + definitions(numbers, "key") + alert


def _foot() -> str:
    from mixsem import __version__

    return f"Made with mixsem {escape_html(__version__)}."
