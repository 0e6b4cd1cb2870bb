"""Summaries of invariance tests, searches, alignment and random-effect steps: what the console and a notebook show."""

from __future__ import annotations

from ..measurement.invariance import InvarianceTest
from ..measurement.invariance_alignment import Alignment
from ..measurement.invariance_search import NonInvariance
from ..measurement.invariance_steps import RandomEffectSteps
from .document import Listing, Prose, Summary
from .invariance_tables import (
    alignment_table,
    cell_table,
    cutoff_table,
    level_table,
    random_table,
    search_table,
)
from .table import Column, Table
from .values import group_sizes, plural

__all__ = ["alignment_summary", "random_summary", "search_summary", "test_summary"]

#: With so many people chi-square rejects differences of no importance.
LARGE = 1000


def test_summary(test: InvarianceTest) -> Summary:
    """The table of levels, the cut-offs, and what a large sample means for them."""
    steps = [step for step in test.levels if step.comparison is not None]
    remarks = _remarks(test)
    return Summary(
        f"Measurement invariance: {plural(len(test.groups), 'group')}, N = {test.nobs:,}, estimator {test.estimator}",
        (
            level_table(test),
            *((cutoff_table(test),) if steps else ()),
            *((Prose("", remarks, bullets=len(remarks) > 1),) if remarks else ()),
            *_warnings(test.notices),
        ),
    )


def _remarks(test: InvarianceTest) -> tuple[str, ...]:
    remarks = []
    if test.nobs >= LARGE:
        remarks.append(
            f"N = {test.nobs:,}: with so many people the chi-square tests reject differences that are too small to"
            " matter. Look at the changes of fit, and at which loadings differ by how much (find_noninvariance)."
        )
    if len(test.groups) >= 10:
        remarks.append(
            f"{plural(len(test.groups), 'group')}: cut-offs found with two groups are strict here, and one number"
            " for all groups does not say which of them deviate."
        )
    if test.levels[0].fit.data.ordinal is not None:
        remarks.append(
            "Ordered items: their thresholds are free in every group, so that equal thresholds (scalar invariance) are"
            " not tested, and factor means cannot be compared."
        )
    loose = [s.level for s in test.levels if not s.fit.converged]
    if loose:
        remarks.append(f"Did not converge: {', '.join(loose)}. Comparisons with these levels mean nothing.")
    sizes = test.levels[0].fit.data.moments.n
    if sizes.min() < 100:
        remarks.append(
            f"Groups have {group_sizes(sizes.tolist())}: in groups below about 100, chi-square is too large on average."
        )
    return tuple(remarks)


def search_summary(found: NonInvariance) -> Summary:
    """The path, the parameters, and what to do with the result."""
    groups = plural(len(found.fit.groups), "group")
    what = " and ".join(found.rules.kinds)
    n = len(found.steps) - len(found.rules.kinds)
    title = f"Search for non-invariant {what}: {groups}, N = {found.fit.nobs:,}, {plural(n, 'parameter')} freed"
    return Summary(
        title,
        (
            search_table(found),
            cell_table(found),
            Prose("", tuple(_advice(found)), bullets=True),
            *_warnings(found.notices),
        ),
    )


def _advice(found: NonInvariance) -> list[str]:
    if found.partial:
        advice = [f"partial={found.partial!r} frees them in the next model."]
    else:
        advice = ["Nothing was freed: no parameter had a flagged deviation that mattered."]
    if found.markers:
        named = ", ".join(f"{item} for {factor}" for factor, item in found.markers.items())
        advice.append(
            f"A freed item was the marker of its factor. New marker: {named}. Give the next model the text in"
            " .measurement, which says so with NA* and 1*."
        )
    if found.stopped:
        advice.append(
            f"Still flagged, but not freed: {', '.join(found.stopped)}. At least half of the items, and two, stay"
            " invariant by default, or the factor has no common scale. See keep=, threshold= and min_share=."
            if found.rules.max_steps is None
            else f"Still flagged: {', '.join(found.stopped)}."
        )
    return advice


def alignment_summary(aligned: Alignment) -> Summary:
    """Aligned parameters, and means and variances of the factors in the groups."""
    means = aligned.means()
    columns = [Column("group", "Group")]
    for f in aligned.factors:
        columns += [
            Column(f"{f.factor} mean", "mean", "decimal3", group=f.factor),
            Column(f"{f.factor} variance", "variance", "decimal3", group=f.factor),
        ]
    records = []
    for g, label in enumerate(aligned.groups):
        record: dict[str, object] = {"group": label}
        for f in aligned.factors:
            record |= {f"{f.factor} mean": f.means[g], f"{f.factor} variance": f.variances[g]}
        records.append(record)
    where = f"reference {aligned.reference}" if aligned.reference is not None else "no reference group"
    size = f"{plural(len(aligned.factors), 'factor')}, {plural(means['group'].nunique(), 'group')}"
    table = Table.from_records("Factor means and variances", tuple(columns), records)
    return Summary(
        f"Alignment ({aligned.kind}, {where}): {size}", (alignment_table(aligned), table, *_warnings(aligned.notices))
    )


def random_summary(found: RandomEffectSteps) -> Summary:
    """The steps and the choice."""
    return Summary(
        "Random parameters step by step", (random_table(found), Prose("", (f"Smallest DIC: random={found.random!r}.",)))
    )


def _warnings(notices: tuple[object, ...]) -> tuple[Listing, ...]:
    from .summary import warning_listing

    return warning_listing(notices)  # type: ignore[arg-type]
