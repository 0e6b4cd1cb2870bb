"""Tables of `mixed.py` and `generalised.py`: on the console and as a Markdown page."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["OURS", "Page", "Row", "markdown", "ours_beside", "table"]

OURS = "mixsem"


@dataclass(frozen=True)
class Page:
    """What a page says before its tables."""

    title: str
    text: str


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


HEAD = ("program", "CPU s", "wall s", "ours / its CPU", "evaluations", "above the best", "peak MiB", "load s", "runs")


def ours_beside(row: Row, fitted: Sequence[Row]) -> Row | None:
    """That of our fits which does what a peer's does: with standard errors where that has them and ours are timed."""
    ours = [other for other in fitted if other.ours]
    return next((other for other in ours if other.errors == row.errors), ours[0] if ours else None)


def seconds(value: float) -> str:
    """Hundredths, or two digits where these would say too little."""
    return f"{value:.2f}" if value >= 0.1 else f"{value:.2g}"


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
        ratio = "" if ours is None or row.ours else f"{ours.cpu / row.cpu:.2f}"
        count = "" if row.evaluations is None else str(row.evaluations)
        count += f" + {row.gradients} gradients" if row.gradients else ""
        excess = f"{max(row.criterion - best, 0.0):.0e}" if row.criterion - best > 1e-8 else "0"
        times = (seconds(row.cpu), seconds(row.wall), ratio, count, excess, f"{row.peak:.0f}", f"{row.load:.1f}")
        lines.append((row.program, *times, str(row.repeats)))
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


def processor() -> str:
    """The name of the processor, as far as the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def markdown(
    page: Page,
    problems: Mapping[str, Sequence[Row]],
    formulas: Mapping[str, str],
    versions: Mapping[str, str],
    compiled: tuple[float, float] | None,
    day: str,
) -> str:
    """The page: how it was measured, and one table per problem."""
    programs = ", ".join(f"{name} {version}" for name, version in versions.items())
    text = [
        f"# {page.title}",
        "",
        page.text,
        "",
        f"- Machine: {processor()}, {os.cpu_count()} cores, {platform.system()}; {day}",
        f"- Programs: {programs} (ours on Python {platform.python_version()})",
    ]
    if compiled:
        text.append(
            f"- Compiling our kernels, once per machine: {compiled[0]:.1f} s; the same small fits, one of each problem,"
            f" take {compiled[1]:.1f} s in a later process"
        )
    for title, rows in problems.items():
        text += ["", f"## {title}", "", formulas[title], ""]
        text.append("| " + " | ".join(HEAD) + " |")
        text.append("|---" + "|--:" * (len(HEAD) - 1) + "|")
        for line in cells(rows):
            shown = line if any(line[1:-1]) else (line[0], *["–"] * (len(HEAD) - 2), "–")
            text.append("| " + " | ".join(shown) + " |")
        for row in rows:
            text += ["", f"{row.program}: {row.remark}"] if row.criterion is None else []
    return "\n".join(text).rstrip() + "\n"
