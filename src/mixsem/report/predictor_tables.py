"""Regressions of cluster membership and distal outcomes as tables, and the summaries they make."""

from __future__ import annotations

import numpy as np

from ..mixtures.distal import DistalOutcome
from ..mixtures.membership_model import MembershipModel
from .document import Listing, Summary
from .table import Column, Table
from .values import plural

__all__ = ["distal_summary", "distal_table", "membership_table", "predictor_summary", "predictor_test_table"]

_METHODS = {
    "ml": "maximum likelihood of the assignments given their errors (three-step ML)",
    "bch": "weights that undo classification errors (BCH)",
    "naive": "none: assignments taken for the clusters",
}


def membership_table(model: MembershipModel) -> Table:
    """Coefficients, odds ratios and intervals, cluster after cluster."""
    columns = (
        Column("cluster", "Cluster", "integer"),
        Column("term", "Predictor"),
        Column("estimate", "Estimate", "decimal3"),
        Column("se", "SE", "decimal3"),
        Column("z", "z", "decimal2"),
        Column("p_value", "p", "p"),
        Column("odds_ratio", "Odds ratio", "decimal3"),
        Column("odds_lower", "from", "decimal3", group="95% interval"),
        Column("odds_upper", "to", "decimal3", group="95% interval"),
    )
    frame = model.to_frame()
    rows = tuple(tuple(row) for row in frame[[c.name for c in columns]].itertuples(index=False))
    P = len(model.columns)
    notes = [f"Log odds of a cluster against cluster {model.reference}. Classification errors are taken as known."]
    if model.penalty:
        notes.append(f"Penalised: normal prior with SD {model.penalty**-0.5:.2f} per SD of a predictor.")
    rules = tuple(P * t for t in range(1, len(model.clusters)))
    title = "Predictors of the cluster" + (" (penalised)" if model.penalty else "")
    return Table(title, columns, rows, tuple(notes), rules)


def predictor_test_table(model: MembershipModel) -> Table:
    """One Wald test per predictor."""
    columns = (
        Column("term", "Predictor"),
        Column("chisq", "χ²", "decimal2"),
        Column("df", "df", "integer"),
        Column("p_value", "p", "p"),
    )
    return Table.from_records("Tests of the predictors", columns, model.tests().to_dict("records"))  # type: ignore[arg-type]


def predictor_summary(model: MembershipModel) -> Summary:
    """What a regression of membership has to say."""
    correct = np.diagonal(model.errors)
    facts = (
        ("Predictors", model.formula),
        ("Correction", _METHODS[model.method]),
        (
            "Assignment",
            f"{model.assignment}; right for {correct.min():.0%} to {correct.max():.0%} of a cluster's groups",
        ),
        ("Standard errors", "robust (sandwich)" if model.se_method == "robust" else "observed information"),
    )
    size = f"{plural(model.fit.k, 'cluster')}, {plural(len(model.groups), 'group')}"
    return Summary(
        f"Regression of cluster membership: {size}",
        (Listing("", facts), predictor_test_table(model), membership_table(model), *_warnings(model)),
    )


def distal_table(found: DistalOutcome) -> Table:
    """Mean of the outcome in every cluster."""
    columns = (
        Column("cluster", "Cluster", "integer"),
        Column("groups", "Groups", "decimal1"),
        Column("mean", "Mean", "decimal3"),
        Column("se", "SE", "decimal3"),
        Column("lower", "from", "decimal3", group="95% interval"),
        Column("upper", "to", "decimal3", group="95% interval"),
        Column("sd", "SD", "decimal3"),
    )
    chisq, df, p = found.test
    said = "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
    note = f"All means equal: χ² = {chisq:.2f}, df = {df}, {said}."
    return Table.from_records(f"Mean of {found.outcome}", columns, found.to_frame().to_dict("records"), (note,))  # type: ignore[arg-type]


def distal_summary(found: DistalOutcome) -> Summary:
    """What a distal outcome has to say."""
    pairs = (
        Column("first", "Cluster", "integer"),
        Column("second", "Against", "integer"),
        Column("difference", "Difference", "decimal3"),
        Column("se", "SE", "decimal3"),
        Column("z", "z", "decimal2"),
        Column("p_value", "p", "p"),
        Column("p_holm", "Holm", "p"),
    )
    size = f"{plural(found.fit.k, 'cluster')}, {plural(len(found.groups), 'group')}"
    tables = [distal_table(found)]
    if found.fit.k > 2:
        tables.append(Table.from_records("Pairs of clusters", pairs, found.pairs().to_dict("records")))  # type: ignore[arg-type]
    return Summary(
        f"{found.outcome} by cluster: {size}",
        (Listing("", (("Correction", _METHODS[found.method]),)), *tables, *_warnings(found)),
    )


def _warnings(found: MembershipModel | DistalOutcome) -> tuple[Listing, ...]:
    if not found.notices:
        return ()
    return (Listing("Warnings", tuple((n.name, n.text) for n in found.notices), stacked=True),)
