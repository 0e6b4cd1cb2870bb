"""How far the study in a folder is, from its results alone: whoever runs it need not be asked."""

from __future__ import annotations

import math
import shutil
import time
from typing import TYPE_CHECKING

from ..errors import enumerate_briefly
from .study_progress import Tally, duration

if TYPE_CHECKING:
    import pandas as pd

    from ..studies.results import StudyResults

__all__ = ["earlier_rows", "print_status", "seconds_per_data_set"]

#: So many of the last data sets tell how fast it goes.
RECENT = 500
#: A gap between results that is longer than the longest analysis, and so many seconds, is a pause between two runs.
START = 10.0
#: So many different errors are shown.
ERRORS = 5


def print_status(results: StudyResults, *, now: float | None = None) -> None:
    """Print how much is done, how fast it goes, a table of the methods, and the first errors.

    Parameters
    ----------
    results
        Results, complete or not.
    now
        Seconds since 1970; None for the clock's.
    """
    study, done = results.study, results.n_done
    total = study.n_data_sets
    share = math.floor(100 * done / total)
    print(f"{study.name}: {done:,} of {total:,} data sets ({share} %)")
    if results.frame.empty:
        return
    pace = _pace(results, time.time() if now is None else now)
    if pace:
        print(pace)
    tally = Tally()
    tally.add(earlier_rows(results.frame))
    print(f"\n{tally.table().to_text(shutil.get_terminal_size((100, 24)).columns)}")
    for line in _errors(results.failed):
        print(line)


def earlier_rows(frame: pd.DataFrame) -> list[dict[str, object]]:
    """Rows of the results with the columns that a `Tally` reads."""
    wanted = [c for c in frame.columns if c in ("method", "variant", "status", "ari", "seconds")]
    wanted += [c for c in frame.columns if c.startswith("rmse[")]
    return [{str(name): value for name, value in row.items()} for row in frame[wanted].to_dict("records")]


def seconds_per_data_set(frame: pd.DataFrame) -> float | None:
    """Seconds between two results of late, pauses between runs left out.

    While a study runs, no gap is longer than the longest analysis of a data set.

    Parameters
    ----------
    frame
        Results: one row per analysis, with ``finished`` (seconds since 1970) and ``seconds``.

    Returns
    -------
    float or None
        None with fewer than two data sets.
    """
    if "finished" not in frame or frame.empty:
        return None
    sets = frame.reindex(columns=["finished", "seconds"]).groupby([frame["cell"], frame["replication"]])
    recent = sets.agg({"finished": "max", "seconds": "sum"}).sort_values("finished").tail(RECENT)
    gaps = recent["finished"].diff().iloc[1:]
    gaps = gaps[gaps <= START + float(recent["seconds"].max())]
    return float(gaps.mean()) if len(gaps) else None


def _pace(results: StudyResults, now: float) -> str:
    """Data sets per hour, time left, and when the last result came, which says whether it still runs."""
    left = results.study.n_data_sets - results.n_done
    each = seconds_per_data_set(results.frame)
    parts = []
    if each:
        parts.append(f"{3600 / each:,.0f} data sets per hour")
        if left:
            parts.append(f"{duration(left * each)} left while it runs")
    if left and "finished" in results.frame:
        parts.append(f"last result {duration(now - float(results.frame['finished'].max()))} ago")
    return ", ".join(parts)


def _errors(failed: pd.DataFrame) -> list[str]:
    """The first different errors, each with how often and where it first came up."""
    if failed.empty:
        return []
    lines = [f"\n{len(failed):,} {'analysis' if len(failed) == 1 else 'analyses'} failed:"]
    kinds = failed.groupby(["method", "error"], sort=False)
    for (method, error), rows in list(kinds)[:ERRORS]:
        places = [f"cell {row.cell} replication {row.replication}" for row in rows.itertuples()]
        lines.append(f"  {method}: {error}\n    {enumerate_briefly(places, limit=3)}")
    if len(kinds) > ERRORS:
        lines.append(f"  and {len(kinds) - ERRORS} other errors")
    return lines
