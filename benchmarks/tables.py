"""Tables of `page.py`, made from what the benchmarks reported."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from common import median
from mixed_table import OURS, Row, ours_beside, times

__all__ = ["Column", "Record", "duration", "facts_table", "markdown_table", "mixed_summary", "race_table"]

Record = Mapping[str, Any]
#: A head, and the cell of a record.
Column = tuple[str, Callable[[Record], str]]
UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))


def duration(values: Sequence[float]) -> str:
    """The median with its unit, and the range of all runs."""
    if not values:
        return "–"
    middle = median(values)
    size, unit = next((pair for pair in UNITS if middle >= pair[0]), UNITS[-1])
    shown, low, high = (_digits(value / size) for value in (middle, min(values), max(values)))
    return f"{shown} {unit}" + (f" ({low}–{high})" if len(values) > 1 and low != high else "")


def _digits(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}" if value >= 10 else f"{value:.2g}"


def markdown_table(heads: Sequence[str], lines: Sequence[Sequence[str]], left: int = 1) -> list[str]:
    """A table whose first columns are text, the others numbers."""
    rule = [":--" if j < left else "--:" for j in range(len(heads))]
    return [f"| {' | '.join(cells)} |" for cells in (heads, rule, *lines)]


def facts_table(records: Sequence[Record], columns: Sequence[Column], left: int = 1) -> list[str]:
    """One row per record."""
    return markdown_table([head for head, _ in columns], [[cell(r) for _, cell in columns] for r in records], left)


def race_table(records: Sequence[Record]) -> list[str]:
    """One row per problem and program: seconds, how many times ours, and whether the numbers are the same."""
    heads = ("problem", "program", "CPU", "clock", "× our CPU", "log-likelihood less ours", "numbers", "runs")
    lines = []
    for record in records:
        ours = record["programs"][0]
        for row in record["programs"]:
            lines.append((record["title"] if row is ours else "", *_raced(row, ours, record["limits"])))
    return markdown_table(heads, lines, left=2)


def _raced(row: Mapping[str, Any], ours: Mapping[str, Any], limits: Mapping[str, float]) -> tuple[str, ...]:
    """The cells of one program beside ours."""
    if not row["cpu"]:
        return (row["program"], *["–"] * 4, row["remark"], "0")
    ratio, less, numbers = "", "", row["differs"] or "the same"
    if row is not ours:
        ratio = times(median(row["cpu"]) / median(ours["cpu"]))
        limit = limits.get(row["program"], 0.0)
        ratio += f", not {limit:.0f}" if median(row["cpu"]) < limit * median(ours["cpu"]) else ""
        if row.get("loglik") is not None and ours.get("loglik") is not None:
            less = f"{row['loglik'] - ours['loglik']:+.0e}"
    numbers = "" if row is ours else "; ".join(text for text in (numbers, row["remark"]) if text)
    return (row["program"], duration(row["cpu"]), duration(row["wall"]), ratio, less, numbers, str(len(row["cpu"])))


def mixed_summary(records: Sequence[Record]) -> list[str]:
    """One row per problem: our seconds, the fastest peer, and lme4."""
    heads = ("problem", "our CPU", "fastest peer", "its CPU / ours", "lme4's CPU / ours")
    lines = []
    for record in (record for record in records if "programs" in record):
        rows = [Row(**{**row, "estimates": tuple(row.get("estimates", ()))}) for row in record["programs"]]
        fitted = [row for row in rows if row.criterion is not None]
        ratios = {row.program: row.cpu / ours_beside(row, fitted).cpu for row in fitted if not row.ours}
        ours = next(row for row in fitted if row.program == OURS)
        fastest = min(ratios, key=lambda program: ratios[program], default="")
        absent = next((row.remark for row in rows if row.program == "lme4" and row.criterion is None), "–")
        lme4 = times(ratios["lme4"]) if "lme4" in ratios else absent
        lines.append((record["title"], duration([ours.cpu]), fastest, times(ratios[fastest]) if fastest else "", lme4))
    return markdown_table(heads, lines)
