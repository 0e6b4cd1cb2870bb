"""How far a study is: a bar and a table on a terminal, a line a minute in a log, a summary for ``status``."""

from __future__ import annotations

import contextlib
import math
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ..report.table import Table
    from ..studies.run import StudyState

__all__ = ["MethodTally", "Tally", "duration", "log_line", "study_progress"]

Row = Mapping[str, object]

#: Seconds between two lines of a log.
INTERVAL = 60.0


@dataclass(slots=True)
class MethodTally:
    """Counts and sums of one method (and variant): a mean is its sum divided by its count."""

    done: int = 0
    failed: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, row: Row) -> None:
        """Count one row of the results."""
        if row.get("status") == "failed":
            self.failed += 1
            return
        self.done += 1
        errors = [_number(value) for name, value in row.items() if name.startswith("rmse[")]
        errors = [value for value in errors if not math.isnan(value)]
        rmse = sum(errors) / len(errors) if errors else math.nan
        for name, value in (("ari", row.get("ari")), ("rmse", rmse), ("seconds", row.get("seconds"))):
            number = _number(value)
            if not math.isnan(number):
                self.sums[name] = self.sums.get(name, 0.0) + number
                self.counts[name] = self.counts.get(name, 0) + 1

    def mean(self, name: str) -> float | None:
        """Mean of ``ari``, ``rmse`` or ``seconds`` over data sets; None without any."""
        return self.sums[name] / self.counts[name] if name in self.counts else None


@dataclass(slots=True)
class Tally:
    """All methods, in the order in which they first appear."""

    methods: dict[tuple[str, str], MethodTally] = field(default_factory=dict)

    def add(self, rows: Iterable[Row]) -> None:
        """Count rows of the results."""
        for row in rows:
            key = (str(row["method"]), str(row.get("variant") or ""))
            self.methods.setdefault(key, MethodTally()).add(row)

    def table(self) -> Table:
        """One row per method: done, failed, mean ARI, mean RMSE of the regressions, seconds per data set."""
        from ..report.table import Column, Table

        columns = (
            Column("method", "Method"),
            Column("done", "Done", "integer"),
            Column("failed", "Failed", "integer"),
            Column("ari", "ARI", "decimal3"),
            Column("rmse", "RMSE of regressions", "decimal3"),
            Column("seconds", "Seconds", "decimal1"),
        )
        rows = tuple(
            (f"{name} {variant}".rstrip(), t.done, t.failed, t.mean("ari"), t.mean("rmse"), t.mean("seconds"))
            for (name, variant), t in self.methods.items()
        )
        return Table("", columns, rows)


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else math.nan


def duration(seconds: float) -> str:
    """Write a time span in its two largest units.

    Examples
    --------
    >>> duration(42), duration(75), duration(2 * 3600 + 59), duration(30 * 3600)
    ('42 s', '1 min 15 s', '2 h', '1 d 6 h')
    """
    left = max(round(seconds), 0)
    parts = []
    for name, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        parts.append((left // size, name))
        left %= size
    first = next((i for i, (count, _) in enumerate(parts) if count), len(parts) - 1)
    return " ".join(f"{count} {name}" for count, name in parts[first : first + 2] if count) or "0 s"


def seconds_left(state: StudyState) -> float | None:
    """Estimate from the data sets of this run alone: those from before cost it no time."""
    new = state.done - state.done_before
    return (state.total - state.done) * state.seconds / new if new > 0 else None


def log_line(name: str, state: StudyState) -> str:
    """Say on one line how far a study is.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> log_line("mine", SimpleNamespace(total=100, done=50, done_before=40, failed=1, seconds=60.0, latest=[]))
    'mine: 50 of 100 data sets (50 %), 1 failed, 600 per hour, 5 min left'
    """
    share = math.floor(100 * state.done / state.total) if state.total else 100
    parts = [f"{name}: {state.done:,} of {state.total:,} data sets ({share} %)"]
    if state.failed:
        parts.append(f"{state.failed:,} failed")
    left = seconds_left(state)
    if left is not None and state.seconds > 0:
        per_hour = 3600 * (state.done - state.done_before) / state.seconds
        parts += [f"{per_hour:,.0f} per hour", *([f"{duration(left)} left"] if left else [])]
    return ", ".join(parts)


@contextlib.contextmanager
def study_progress(
    name: str, earlier: Iterable[Row] = (), *, quiet: bool, clock: Callable[[], float] = time.monotonic
) -> Iterator[Callable[[StudyState], None]]:
    """Show on stderr how far a study is.

    On a terminal a bar with a table below it, which vanish at the end; elsewhere a line about every minute.

    Parameters
    ----------
    name
        Name of the study.
    earlier
        Rows of the results that were there before, for the table.
    quiet
        Show nothing.
    clock
        Seconds, from any origin.

    Yields
    ------
    callable
        What `run_study` takes as ``progress``.
    """
    if quiet:
        yield lambda state: None
    elif sys.stderr.isatty():
        with _live(name, earlier) as report:
            yield report
    else:
        yield _log(name, clock)


def _log(name: str, clock: Callable[[], float]) -> Callable[[StudyState], None]:
    """Print a line when a minute has passed since the last, with date and time."""
    last = clock()

    def report(state: StudyState) -> None:
        nonlocal last
        if clock() - last >= INTERVAL:
            last = clock()
            print(f"{time.strftime('%Y-%m-%d %H:%M')} {log_line(name, state)}", file=sys.stderr, flush=True)

    return report


@contextlib.contextmanager
def _live(name: str, earlier: Iterable[Row]) -> Iterator[Callable[[StudyState], None]]:
    """A bar and a table that update in place; the clock goes on while no data set is finished."""
    from rich.console import Console, Group
    from rich.live import Live
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
    from rich.text import Text

    described = TextColumn("{task.description}", markup=False)
    bar = Progress(described, BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    task = bar.add_task(name, total=None)
    tally = Tally()
    tally.add(earlier)

    def shown(said: str) -> RenderableType:
        return Group(bar, Text(said), *([_rich_table(tally)] if tally.methods else []))

    with Live(shown("starting"), console=Console(stderr=True), transient=True, refresh_per_second=2) as live:

        def report(state: StudyState) -> None:
            tally.add(state.latest)
            bar.update(task, total=state.total, completed=state.done)
            live.update(shown(log_line(name, state).removeprefix(f"{name}: ")))

        yield report


def _rich_table(tally: Tally) -> RenderableType:
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    table = tally.table()
    shown = RichTable(box=box.SIMPLE)
    for column in table.columns:
        shown.add_column(column.heading, justify="left" if column.alignment == "left" else "right")
    for row in table.texts():
        shown.add_row(*map(Text, row))
    return shown
