"""Summaries of score tests and bootstraps of a structural equation model."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any

from ..equations.bootstrap import Bootstrap
from ..equations.release import ReleaseScores
from ..equations.score_tests import ScoreTest
from ..errors import enumerate_briefly
from .document import Listing, Prose, Summary
from .equation_facts import equation_title
from .table import Column, Table
from .values import one_line, plural

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["bootstrap_summary", "release_summary", "score_summary"]

#: Rows of a table of tests, the largest first.
SHOWN_TESTS = 15
#: Rows of a table of bootstrap intervals.
SHOWN_ESTIMATES = 60

_UNADJUSTED = "P-values are not adjusted for the number of tests."
_KINDS = {
    "rows": "rows drawn with replacement",
    "bollen-stine": "rows moved so that the model holds in them (Bollen-Stine)",
    "parametric": "normal rows drawn from the model",
}


def score_summary(test: ScoreTest) -> Summary:
    """The joint test, then the constraints that the data speak against most."""
    joint: list[tuple[object, ...]] = [("all released together", test.statistic, test.df, test.p_value)]
    if test.rank < test.df:
        joint.append(("as far as identified once released", test.statistic, test.rank, test.p_value_rank))
    columns = (
        Column("constraints", "Constraints"),
        Column("statistic", "χ²", "decimal3"),
        Column("df", "df", "integer"),
        Column("p_value", "p", "p"),
    )
    single = _test_table(
        "Single constraints",
        test.univariate,
        (Column("equals", "Held equal to"),),
        (Column("epc", "Change", "decimal3"),),
        "univariate, and the changes of all parameters in .changes",
        ("Change: expected difference from the parameter that it is held equal to.", _UNADJUSTED),
    )
    title = f"Score tests of equality constraints: {plural(len(test.univariate), 'constraint')}"
    return Summary(title, (Table("Joint test", columns, tuple(joint)), single))


def release_summary(scores: ReleaseScores) -> Summary:
    """Parameters that differ most over the groups, and the groups that differ most from the others."""
    if scores.overall.empty:
        said = Prose("", ("No parameter of these kinds is equal over groups.",))
        return Summary("Score tests of parameters that are equal over groups", (said,))
    n_groups = scores.cells["group"].nunique()
    title = f"Score tests of {plural(len(scores.overall), 'parameter')} that are equal over {plural(n_groups, 'group')}"
    overall = _test_table("Over all groups", scores.overall, (), (), "overall", (_UNADJUSTED,))
    cells = _test_table(
        "Single groups against all others",
        scores.cells,
        (),
        (Column("epc", "Change", "decimal3"), Column("sepc_all", "Std.", "decimal3")),
        "cells",
        ("Change: expected difference of the group from the others. Std.: in units of standard deviations.",),
    )
    return Summary(title, (overall, cells))


def _test_table(
    title: str,
    frame: pd.DataFrame,
    before: Sequence[Column],
    after: Sequence[Column],
    where: str,
    notes: Sequence[str],
) -> Table:
    """The largest statistics of a frame of tests."""
    largest = frame.sort_values("statistic", ascending=False, kind="stable").head(SHOWN_TESTS)
    records = [{str(key): value for key, value in record.items()} for record in largest.to_dict("records")]
    for record in records:
        record["parameter"] = _in_words(record)
        record["group"] = one_line(record.get("group", ""))
    columns = [Column("parameter", "Parameter"), Column("group", "Group"), *before]
    columns += [Column("statistic", "χ²", "decimal3"), Column("df", "df", "integer"), Column("p_value", "p", "p")]
    one_group = "equals" in frame and not frame["equals"].str.endswith("]").any()
    if "group" not in frame or one_group:
        columns.pop(1)
    if len(frame) > len(largest):
        notes = (f"The {len(largest)} largest of {len(frame):,}; all are in .{where}.", *notes)
    return Table.from_records(title, [*columns, *after], records, notes)


def bootstrap_summary(drawn: Bootstrap, warnings: Sequence[Listing]) -> Summary:
    """How samples were drawn, how many failed, estimates with standard errors and percentile limits.

    Parameters
    ----------
    drawn
        A bootstrap.
    warnings
        Its notices, to be shown last.
    """
    n = len(drawn.chisq)
    facts = [
        ("Model", equation_title(drawn.fit)),
        ("Samples", f"{n:,}: {_KINDS[drawn.kind]}"),
        ("Failures", f"{drawn.n_failed:,} of {n:,} samples gave no estimates" if drawn.n_failed else "none"),
    ]
    if drawn.kind != "rows":
        estimated = n - drawn.n_failed
        large = f"{round(drawn.p_value * estimated):,} of {estimated:,} samples have one at least as large"
        facts.append(("Test", f"χ² = {drawn.fit.measures.chisq:,.3f}; {large} (p = {drawn.p_value:.3f})"))
    return Summary(f"Bootstrap: {plural(n, 'sample')}", (Listing("", tuple(facts)), _interval_table(drawn), *warnings))


def _interval_table(drawn: Bootstrap) -> Table:
    """Percentile intervals, parameters that are equal over groups once."""
    records = _once(drawn)
    shown = records[:SHOWN_ESTIMATES]
    columns = [
        Column("parameter", "Parameter"),
        *((Column("group", "Group"),) if len(drawn.fit.groups) > 1 else ()),
        Column("estimate", "Estimate", "decimal3"),
        Column("se", "SE", "decimal3"),
        Column("lower", "lower", "decimal3", group="95% limits"),
        Column("upper", "upper", "decimal3", group="95% limits"),
    ]
    notes = ["Limits: percentiles of the samples. intervals() gives others."]
    if len(records) > len(shown):
        notes.append(f"The first {len(shown)} of {len(records):,} parameters; intervals() has all.")
    return Table.from_records("Estimates", columns, shown, notes)


def _once(drawn: Bootstrap) -> list[dict[str, object]]:
    """Records of the intervals; one that is the same parameter in several groups stands once, with these groups."""
    free = drawn.fit.model.free.ravel()
    parameters = free[free >= 0].tolist()
    found: dict[tuple[str, int], dict[str, object]] = {}
    groups: dict[tuple[str, int], list[Hashable]] = {}
    for i, row in enumerate(drawn.intervals().to_dict("records")):
        record: dict[str, Any] = {str(key): value for key, value in row.items()}
        name = _in_words(record)
        at = (name, parameters[i] if i < len(parameters) else -1)
        found.setdefault(at, {**record, "parameter": name})
        groups.setdefault(at, []).append(record["group"])
    n_groups = len(drawn.fit.groups)
    for at, own in groups.items():
        found[at]["group"] = "all" if len(own) == n_groups > 1 else enumerate_briefly([one_line(g) for g in own], 3)
    return list(found.values())


def _in_words(record: dict[str, Any]) -> str:
    """A parameter or constraint as it is written in a model: ``x1 ~ 1``."""
    if record["op"] == "~1":
        return f"{record['lhs']} ~ 1"
    return f"{record['lhs']} {record['op']} {record['rhs']}"
