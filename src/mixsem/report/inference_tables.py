"""Tests and intervals of a mixture's regressions as tables, and the summaries they make."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..equations.r2 import r2
from ..mixtures.explained import standardized
from ..mixtures.intervals import Intervals
from ..mixtures.wald import WaldTests
from ..structural.fit import MixtureFit
from .document import Listing, Prose, Summary
from .mixture_tables import method_name, regression_name
from .table import Column, Table
from .values import plural

if TYPE_CHECKING:
    import pandas as pd

    from ..mixtures.errors import StandardErrors

__all__ = [
    "ONE_CLUSTER",
    "difference_table",
    "effect_table",
    "equality_table",
    "errors_in_words",
    "explained_table",
    "interval_summary",
    "pair_differences",
    "standardized_table",
    "wald_summary",
    "zero_table",
]

#: What a test of equality cannot say.
ONE_CLUSTER = (
    "Clusters are found by making their regressions differ. The tests take the number of clusters as given and cannot"
    " show that there is more than one."
)

_METHODS = {
    "two-step": "corrected for the estimation of step 1 (two-step)",
    "draws": "from step 1 drawn again and again",
    "naive": "step 1 taken as known",
}
_P = (
    Column("p_value", "p", "p"),
    Column("p_holm", "Holm", "p", group="p, adjusted"),
    Column("p_fdr", "FDR", "p", group="p, adjusted"),
)
_Z = (Column("estimate", "Estimate", "decimal3"), Column("se", "SE", "decimal3"), Column("z", "z", "decimal2"))
_CHI = (Column("statistic", "χ²", "decimal2"), Column("df", "df", "integer"))


def errors_in_words(errors: StandardErrors) -> str:
    """How the standard errors were computed."""
    return _METHODS.get(errors.method, errors.method)


def wald_summary(tests: WaldTests) -> Summary:
    """All tests as tables."""
    parts: list[Table | Listing | Prose] = [_facts(tests.errors), zero_table(tests)]
    if len(tests.equal):
        parts += [equality_table(tests), pair_differences(tests), Prose("", (ONE_CLUSTER,))]
    if len(tests.hypotheses):
        columns = (Column("hypothesis", "Hypothesis"), *_CHI, *_P)
        parts.insert(1, Table.from_records("Hypotheses", columns, _records(tests.hypotheses)))
    return Summary(f"Wald tests: {_heading(tests.fit)}", tuple(parts))


def interval_summary(found: Intervals) -> Summary:
    """Effects of every cluster and their differences as tables."""
    parts: list[Table | Listing | Prose] = [_facts(found.errors), effect_table(found)]
    if len(found.differences):
        parts.append(difference_table(found))
    return Summary(f"Effects with {_percent(found.level)} intervals: {_heading(found.fit)}", tuple(parts))


def zero_table(tests: WaldTests) -> Table:
    """Is the regression zero? One row per regression and cluster."""
    columns = (Column("regression", "Regression"), Column("cluster", "Cluster", "integer"), *_Z, *_P)
    # Clusters of one regression stand together, as they are compared.
    records = _records(tests.zero)
    R = len(records) // tests.fit.k
    ordered = [records[c * R + r] for r in range(R) for c in range(tests.fit.k)]
    table = Table.from_records("Is the regression zero?", columns, _named(ordered), (_adjusted(tests),))
    return _ruled(table, range(tests.fit.k, len(ordered), tests.fit.k) if tests.fit.k > 1 else ())


def equality_table(tests: WaldTests) -> Table:
    """Is the regression the same in all clusters? One row per regression, and all of them together."""
    columns = (Column("regression", "Regression"), *_CHI, *_P)
    rows = _named(_records(tests.equal))
    joint = tests.joint[tests.joint["hypothesis"] == "all regressions equal over clusters"]
    rows += [{**row, "regression": "all of them"} for row in _records(joint)] if len(rows) > 1 else []
    table = Table.from_records("Is the regression the same in all clusters?", columns, rows)
    return _ruled(table, (len(tests.equal),) if len(tests.equal) > 1 else ())


def pair_differences(tests: WaldTests) -> Table:
    """Which clusters differ? One row per regression and pair of clusters."""
    columns = (Column("regression", "Regression"), Column("pair", "Clusters"), *_difference(), *_P)
    rows = _named(_paired(_records(tests.pairs)))
    n = tests.fit.k * (tests.fit.k - 1) // 2
    table = Table.from_records("Which clusters differ?", columns, rows, (_adjusted(tests),))
    return _ruled(table, range(n, len(rows), n) if n > 1 else ())


def effect_table(found: Intervals, *, indirect: bool = False) -> Table:
    """Direct, indirect, total and defined effects of every cluster with their limits.

    Parameters
    ----------
    found
        Effects.
    indirect
        Leave out the regressions themselves.
    """
    columns = (
        Column("effect", "Effect"),
        Column("cluster", "Cluster", "integer"),
        *_Z,
        Column("p_value", "p", "p"),
        *_limits(found.level),
    )
    chosen = found.effects[found.effects["kind"] != "direct"] if indirect else found.effects
    records = _records(chosen)
    starts = [i for i, row in enumerate(records) if i and row["effect"] != records[i - 1]["effect"]]
    title = "Indirect and total effects" if indirect else "Effects"
    return _ruled(Table.from_records(title, columns, records), starts if found.fit.k > 1 else ())


def difference_table(found: Intervals, *, indirect: bool = False) -> Table:
    """Differences of effects between clusters; `indirect` leaves out the regressions themselves."""
    frame = found.differences[found.differences["kind"] != "direct"] if indirect else found.differences
    columns = (Column("effect", "Effect"), Column("pair", "Clusters"), *_difference(), *_P, *_limits(found.level))
    rows = _paired(_records(frame))
    note = "Adjusted: Holm; Benjamini and Hochberg (FDR); over all differences of direct, indirect or total effects."
    return Table.from_records("Differences between clusters", columns, rows, (note,))


def standardized_table(fit: MixtureFit) -> Table:
    """Standardized regressions: means of the clusters."""
    frame = standardized(fit)
    frame = frame[frame["level"] == "cluster"]
    values = frame["estimate"].to_numpy().reshape(fit.k, -1).T.tolist()
    names = [regression_name(str(row["outcome"]), str(row["predictor"])) for row in _records(frame[: len(values)])]
    return _by_cluster("Standardized regressions", "Regression", names, values)


def explained_table(fit: MixtureFit) -> Table:
    """R-squared of the outcomes: means of the clusters."""
    frame = r2(fit)
    frame = frame[frame["level"] == "cluster"]
    values = frame["r2"].to_numpy().reshape(fit.k, -1).T.tolist()
    return _by_cluster("Explained variance, R²", "Outcome", list(frame["variable"][: len(values)]), values)


def _by_cluster(title: str, heading: str, names: list[str], values: list[list[float]]) -> Table:
    columns = [Column("name", heading)]
    columns += [Column(f"cluster_{c + 1}", f"Cluster {c + 1}", "decimal3") for c in range(len(values[0]))]
    return Table(title, tuple(columns), tuple((name, *row) for name, row in zip(names, values, strict=True)))


def _records(frame: pd.DataFrame) -> list[dict[str, object]]:
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def _named(records: list[dict[str, object]]) -> list[dict[str, object]]:
    """Add the name of the regression."""
    return [{**row, "regression": regression_name(str(row["outcome"]), str(row["predictor"]))} for row in records]


def _paired(records: list[dict[str, object]]) -> list[dict[str, object]]:
    return [{**row, "pair": f"{row['cluster']} − {row['other']}"} for row in records]


def _difference() -> tuple[Column, ...]:
    return (Column("estimate", "Difference", "decimal3"), *_Z[1:])


def _limits(level: float) -> tuple[Column, Column]:
    group = f"{_percent(level)} interval"
    return Column("lower", "lower", "decimal3", group=group), Column("upper", "upper", "decimal3", group=group)


def _percent(level: float) -> str:
    return f"{100 * level:.4g}%"


def _adjusted(tests: WaldTests) -> str:
    where = "all tests of the table" if tests.family == "all" else "the tests of each regression"
    return f"Adjusted: Holm; Benjamini and Hochberg (FDR); over {where}."


def _ruled(table: Table, rules: Iterable[int]) -> Table:
    return Table(table.title, table.columns, table.rows, table.notes, tuple(rules))


def _facts(errors: StandardErrors) -> Listing:
    return Listing("", (("Standard errors", errors_in_words(errors)),))


def _heading(fit: MixtureFit) -> str:
    return f"{method_name(fit)}, {plural(fit.k, 'cluster')} of {plural(len(fit.groups), 'group')}"
