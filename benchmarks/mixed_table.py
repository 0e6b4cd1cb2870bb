"""Tables of `mixed.py` and `generalised.py`: on the console and in Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["OURS", "Row", "cells", "ours_beside", "seconds", "section", "table", "times"]

OURS = "mixsem"


@dataclass(frozen=True)
class Row:
    """One program's fit of one problem: medians of seconds and MiB, estimates, or why there is none.

    ``errors`` says whether the time contains that of standard errors.
    """

    program: str
    cpu: float | None = None
    wall: float | None = None
    load: float | None = None
    peak: float | None = None
    evaluations: int | None = None
    gradients: int | None = None
    reported: float | None = None
    criterion: float | None = None
    estimates: tuple[float, ...] = ()
    repeats: int = 0
    remark: str = ""
    errors: bool = False

    @property
    def ours(self) -> bool:
        """Whether the program is ours, with standard errors or without."""
        return self.program.split(",")[0] == OURS


HEAD = ("program", "CPU s", "wall s", "× our CPU", "evaluations", "above the best", "peak MiB", "load s", "runs")


def ours_beside(row: Row, fitted: Sequence[Row]) -> Row | None:
    """That of our fits which does what a peer's does: with standard errors where that has them and ours are timed."""
    ours = [other for other in fitted if other.ours]
    return next((other for other in ours if other.errors == row.errors), ours[0] if ours else None)


def seconds(value: float) -> str:
    """Hundredths, or two digits where these would say too little."""
    return f"{value:.2f}" if value >= 0.1 else f"{value:.2g}"


def times(ratio: float) -> str:
    """How many times our seconds, in bold where that is less than once: there we lose."""
    shown = f"{ratio:,.0f}" if ratio >= 10 else f"{ratio:.1f}" if ratio >= 1.05 else f"{ratio:.2f}"
    return shown if ratio >= 1 else f"**{shown}**"


def cells(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    """The table of one problem as text, without its head."""
    fitted = [row for row in rows if row.criterion is not None]
    best = min((row.criterion for row in fitted), default=0.0)
    lines = []
    for row in rows:
        if row.criterion is None:
            lines.append((row.program, *[""] * (len(HEAD) - 2), row.remark))
            continue
        ours = ours_beside(row, fitted)
        ratio = "" if ours is None or row.ours else times(row.cpu / ours.cpu)
        count = "" if row.evaluations is None else str(row.evaluations)
        count += f" + {row.gradients} gradients" if row.gradients else ""
        excess = f"{max(row.criterion - best, 0.0):.0e}" if row.criterion - best > 1e-8 else "0"
        shown = (seconds(row.cpu), seconds(row.wall), ratio, count, excess, f"{row.peak:.0f}", f"{row.load:.1f}")
        lines.append((row.program, *shown, str(row.repeats)))
    return lines


def table(rows: Sequence[Row]) -> str:
    """Columns for the console, with what the programs warned of."""
    lines = [HEAD, *cells(rows)]
    widths = [max(len(line[j]) for line in lines) for j in range(len(HEAD) - 1)]
    text = ["  " + "  ".join([*(c.rjust(w) for c, w in zip(line, widths, strict=False)), line[-1]]) for line in lines]
    text += [f"  {row.program}: {row.remark}" for row in rows if row.criterion is not None and row.remark]
    text += [f"  criterion: {min(row.criterion for row in rows if row.criterion is not None):.6f}"] * any(
        row.criterion is not None for row in rows
    )
    return "\n".join(text)


def section(record: Mapping[str, Any], title: str) -> list[str]:
    """The lines of one problem on a page: how the model is written, its table, and why programs have no fit."""
    rows = [Row(**{**row, "estimates": tuple(row.get("estimates", ()))}) for row in record["programs"]]
    lines = [f"## {title}", "", record["shown"], "", "| " + " | ".join(HEAD) + " |"]
    lines.append("|---" + "|--:" * (len(HEAD) - 1) + "|")
    for cell in cells(rows):
        shown = cell if any(cell[1:-1]) else (cell[0], *["–"] * (len(HEAD) - 2), "–")
        lines.append("| " + " | ".join(shown) + " |")
    for row in rows:
        lines += ["", f"{row.program}: {row.remark}"] if row.criterion is None else []
    return lines
