"""A power analysis in tables and sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from ..report.document import Listing, Prose, Summary
from ..report.table import Cell, Column, Table
from ..report.values import plural

if TYPE_CHECKING:
    from .power_result import PowerResult

__all__ = ["answers", "mean_size", "plan_table", "power_markdown", "power_summary"]

Plan: TypeAlias = dict[str, Any]

# Criterion in the frame -> label and subscript.
_CRITERIA = {
    "bic_g": ("BIC", "G"),
    "bic_n": ("BIC", "N"),
    "aic": ("AIC", ""),
    "aic3": ("AIC3", ""),
    "icl": ("ICL", ""),
    "chull": ("CHull", ""),
}


def mean_size(size: int | str) -> float:
    """People per group, of a range its middle.

    Examples
    --------
    >>> mean_size(50), mean_size("50-200")
    (50.0, 125.0)
    """
    if isinstance(size, str):
        numbers = [float(part) for part in size.split("-")]
        return sum(numbers) / len(numbers)
    return float(size)


def answers(result: PowerResult) -> tuple[str, ...]:
    """For each number of groups, the fewest people that reach the wanted share, they and all larger numbers."""
    by_groups: dict[int, list[Plan]] = {}
    for plan in _rows(result):
        by_groups.setdefault(plan["n_groups"], []).append(plan)
    return tuple(
        _answer(result, n_groups, sorted(plans, key=lambda plan: mean_size(plan["group_size"])))
        for n_groups, plans in sorted(by_groups.items())
    )


def _rows(result: PowerResult) -> list[Plan]:
    return [{str(name): value for name, value in row.items()} for row in result.plans.to_dict("records")]


def _answer(result: PowerResult, n_groups: int, plans: list[Plan]) -> str:
    enough = None
    for plan in reversed(plans):
        # A larger number that misses the share makes a smaller one that reached it no safe choice.
        if not plan["recovered"] >= result.wanted:
            break
        enough = plan
    if enough is None:
        last = plans[-1]["group_size"]
        few = f"not even {last} people per group are" if len(plans) > 1 else f"{last} people per group are not"
        return (
            f"{n_groups} groups: {few} enough for {result.wanted:.0%} of the data sets; they recover the clusters in"
            f" {_share(plans[-1])}."
        )
    text = f"{n_groups} groups: {enough['group_size']} people per group recover the clusters in {_share(enough)}"
    if enough["lower"] < result.wanted:
        text += f"; more replications would tell whether it is less than {result.wanted:.0%}"
    return f"{text}."


def _share(plan: Plan) -> str:
    limits = f"{100 * plan['lower']:.0f} to {100 * plan['upper']:.0f}"
    return f"{plan['recovered']:.0%} of the data sets (95% interval {limits})"


def plan_table(result: PowerResult) -> Table:
    """One row per plan; shares that are large enough stand out."""
    plans = result.plans
    columns = [
        Column("n_groups", "Groups", "integer"),
        Column("group_size", "People per group", "text", "right"),
        Column("ari", "Mean", "decimal2", group="ARI"),
        Column("ari_se", "SE", "decimal3", group="ARI"),
        Column("recovered", "Share", "decimal2", group="Recovered"),
        Column("interval", "95% interval", "text", "right", group="Recovered"),
        Column("cc", "Groups right", "decimal2"),
        Column("rmse", "RMSE of regressions", "decimal3"),
    ]
    records = [
        {
            **row,
            "group_size": str(row["group_size"]),
            "recovered": Cell(row["recovered"], strong=row["recovered"] >= result.wanted),
            "interval": f"{row['lower']:.2f} to {row['upper']:.2f}",
        }
        for row in _rows(result)
    ]
    if "wald" in plans:
        columns.append(Column("wald", "Wald test", "decimal2"))
    notes = [f"Recovered: ARI of {result.threshold:.2f} or more. * {result.wanted:.0%} of the data sets or more."]
    if "wald" in plans:
        notes.append(
            "Wald test: share of data sets in which regressions differ between the clusters (5%, all at once). It takes"
            " the clusters as found: where there are none in truth it rejects far more often than in 5%."
        )
    if plans["failed"].any():
        columns.append(Column("failed", "Failed", "integer"))
        first = result.frame.loc[result.frame["status"] == "failed", "error"].iloc[0]
        notes.append(f"Failed analyses count as not recovered; the first one: {first}")
    return Table.from_records("Recovery of the clusters", columns, records, notes)


def _criteria_table(result: PowerResult) -> Table:
    named = [name for name in _CRITERIA if name in result.criteria]
    columns = [Column("n_groups", "Groups", "integer"), Column("group_size", "People per group", "text", "right")]
    columns += [
        Column(f"right[{name}]", _CRITERIA[name][0], "decimal2", subscript=_CRITERIA[name][1]) for name in named
    ]
    records = [{**row, "group_size": str(row["group_size"])} for row in _rows(result)]
    fitted = result.study.methods[0].clusters
    notes = ["On the log-likelihood of the factors; plans has those of the indicators too."]
    if "chull" in named:
        notes.append(f"CHull can choose neither {fitted[0]} nor {fitted[-1]}, the ends of what was fitted.")
    title = f"Share of data sets in which {result.study.population.n_clusters} clusters are chosen"
    return Table.from_records(title, columns, records, notes)


def power_summary(result: PowerResult) -> Summary:
    """What the analysis says."""
    study = result.study
    method = study.methods[0]
    plans = f"{plural(len(result.plans), 'plan')} of {plural(study.replications, 'data set')}"
    truth = f"{plural(study.population.n_clusters, 'cluster')}, found by {method.name}"
    facts = [("Number of clusters", "as known" if not method.clusters else "chosen among " + _among(method.clusters))]
    missed = result.plans["local_maximum"].mean()
    if missed > 0:
        facts.append(("Local maxima", f"in {missed:.0%} of the data sets, with {plural(method.n_starts, 'start')}"))
    return Summary(
        f"Power: {truth}; {plans}",
        (
            Listing("", tuple(facts)),
            plan_table(result),
            *((_criteria_table(result),) if result.criteria else ()),
            Prose("How many people?", result.answers, bullets=len(result.answers) > 1),
        ),
    )


def _among(numbers: tuple[int, ...]) -> str:
    in_a_row = numbers == tuple(range(numbers[0], numbers[-1] + 1))
    return f"{numbers[0]} to {numbers[-1]}" if in_a_row else ", ".join(map(str, numbers))


def power_markdown(result: PowerResult, command: str = "") -> str:
    """The summary in Markdown, with the figure beside it (``power.svg``) and how it was made."""
    shown = power_summary(result)
    parts = [f"# {shown.title}"]
    for part in shown.parts:
        if isinstance(part, Table):
            parts.append(part.to_markdown())
        elif isinstance(part, Listing):
            parts.append("\n".join(f"- {term}: {text}" for term, text in part.entries))
        else:
            parts += [f"## {part.title}", "\n".join(f"- {text}" for text in part.paragraphs)]
    parts.append("![Share of data sets in which the clusters are recovered](power.svg)")
    if command:
        parts.append(f"Made with `{command}`.")
    return "\n\n".join(parts) + "\n"
