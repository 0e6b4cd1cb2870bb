"""The report's section on a Bayesian measurement model."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..factors.moments import FactorMoments
from ..measurement.bayes_fit import BayesianFit
from ..measurement.bayes_measures import BayesFitMeasures, bayes_fit_measures
from ..measurement.diagnostics import Diagnostics, diagnostics
from .bayes_tables import choice_entries, measures_table, variance_table
from .bayesian_frames import LoadingVariation, bayesian_parameters, loading_variation
from .bayesian_tables import bayesian_loading_table, bayesian_variance_table, deviation_entries
from .bayesian_words import bayesian_facts, model_name, prior_entries
from .diagnostic_tables import diagnostics_table
from .factor_tables import factor_table
from .page import Section, definitions, table_box
from .table import Table
from .values import plural

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["BayesianDetails", "bayesian_details", "bayesian_section"]


@dataclass(frozen=True, eq=False)
class BayesianDetails:
    """What takes seconds to compute from the draws, for the report and the record.

    Attributes
    ----------
    diagnostics
        How well it was sampled.
    measures
        How well it fits.
    parameters
        The `tidy` frame.
    variation
        Loadings compared with their average over groups.
    """

    diagnostics: Diagnostics
    measures: BayesFitMeasures
    parameters: pd.DataFrame
    variation: tuple[LoadingVariation, ...]


def bayesian_details(fit: BayesianFit) -> BayesianDetails:
    """Compute what the report shows; what is to be said of the fit measures stands beside them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        measures = bayes_fit_measures(fit)
    return BayesianDetails(diagnostics(fit), measures, bayesian_parameters(fit), loading_variation(fit))


def bayesian_section(
    fit: BayesianFit, moments: FactorMoments | None, details: BayesianDetails | None = None
) -> Section:
    """Settings, priors, convergence, fit, loadings, variances, reliability and notices.

    Parameters
    ----------
    fit
        The measurement model.
    moments
        Factor moments of step 2, for the reliability of the scores.
    details
        What was computed before; None computes it.
    """
    found = bayesian_details(fit) if details is None else details
    name = model_name(fit)
    body = definitions((("Model", name), *bayesian_facts(fit)))
    body += "<h3>Priors</h3>" + definitions(prior_entries(fit))
    body += table_box(without_seconds(diagnostics_table(found.diagnostics)))
    body += table_box(measures_table(found.measures))
    body += definitions([(n.name, n.text) for n in found.measures.notices], "notices") if found.measures.notices else ""
    if fit.prior_choice is not None:
        body += table_box(variance_table(fit.prior_choice)) + definitions(choice_entries(fit.prior_choice))
    body += table_box(bayesian_loading_table(fit, found.parameters, found.variation))
    if found.variation:
        summary = "<summary>Groups whose loading deviates from the average</summary>"
        body += f"<details>{summary}{definitions(deviation_entries(fit, found.variation))}</details>"
    body += table_box(bayesian_variance_table(found.parameters))
    if moments is not None and moments.n_measurement:
        body += table_box(factor_table(moments))
    own = sum(notice not in fit.moments.notices for notice in fit.notices)
    if own:
        body += f'<p>This step gave <a href="#warnings">{plural(own, "warning")}</a>.</p>'
    return Section("measurement", "Measurement", body)


def without_seconds(table: Table) -> Table:
    """Leave out how long it took: the same analysis shall give the same report."""
    keep = [j for j, column in enumerate(table.columns) if column.name != "seconds"]
    return replace(
        table,
        columns=tuple(table.columns[j] for j in keep),
        rows=tuple(tuple(row[j] for j in keep) for row in table.rows),
    )
