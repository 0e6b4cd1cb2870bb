"""Tables of a study's page that compare nothing: what went wrong, how long it took, how long all of it would take."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..report.table import Column, Table
from ..report.values import plural
from .study import Method, Study
from .toml import PRESETS, read_study

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["full_design", "runs_table", "speed_table", "stability_table", "trouble_table"]

STEPS = (1, 2, 3)
HOUR, DAY = 3600.0, 86400.0


def stability_table(study: Study, frame: pd.DataFrame) -> Table:
    """Local maxima and one-cluster solutions, in percent of the analyses, per method that has clusters.

    Parameters
    ----------
    study
        The study.
    frame
        Its results.

    Returns
    -------
    Table
        Columns ``method``, ``analyses``, ``one_cluster``, ``reported`` (local maxima among the reported fits), and
        ``starts_20`` and so on (among the best of so many random starts).
    """
    starts = sorted({n for m in study.methods for n in m.starts if f"local_maximum[{n}]" in frame})
    columns = [
        Column("method", "Method"),
        Column("analyses", "Analyses", "integer"),
        Column("one_cluster", "One cluster", "decimal1"),
        Column("reported", "Local maxima as reported", "decimal1"),
        *(Column(f"starts_{n}", f"with {plural(n, 'start')}", "decimal1") for n in starts),
    ]
    records = []
    for method in study.methods:
        own = _done(frame, method)
        if own.empty or "one_cluster" not in own or own["one_cluster"].isna().all():
            continue
        found = {f"starts_{n}": _percent(own, f"local_maximum[{n}]") for n in starts}
        records.append(
            {"method": method.name, "analyses": len(own), "one_cluster": _percent(own, "one_cluster")}
            | {"reported": _percent(own, "local_maximum"), **found}
        )
    notes = (
        "Percent. Local maximum: a log-likelihood more than .001 below that of the run from the true clusters.",
        "As reported: after split-and-merge moves; the others are the best of so many random starts without them.",
    )
    return Table.from_records("Local maxima and one-cluster solutions", columns, records, notes)


def trouble_table(study: Study, frame: pd.DataFrame) -> Table:
    """Failures and notices by name.

    Returns
    -------
    Table
        Columns ``method``, ``what`` (``"failed"`` or ``"notice"``), ``name`` (class of the error or the notice),
        ``analyses`` and ``percent`` of those that were tried.
    """
    columns = (
        Column("method", "Method"),
        Column("what", "What"),
        Column("name", "Name"),
        Column("analyses", "Analyses", "integer"),
        Column("percent", "Percent", "decimal1"),
    )
    records: list[dict[str, object]] = []
    for method in study.methods:
        own = frame[frame["method"] == method.name]
        errors = [str(e).partition(":")[0] for e in own.loc[own["status"] == "failed", "error"]]
        notices = [name for names in own["notices"].fillna("") for name in str(names).split("; ") if name]
        for what, names in (("failed", errors), ("notice", notices)):
            records += [
                {"method": method.name, "what": what, "name": name, "analyses": names.count(name)}
                | {"percent": 100 * names.count(name) / len(own)}
                for name in sorted(set(names), key=lambda n: (-names.count(n), n))
            ]
    return Table.from_records("Failures and notices", columns, records)


def full_design(study: Study) -> tuple[int, Mapping[str, int]]:
    """Data sets of the whole design, and analyses of each by every method (one per prior variance).

    A preset's design is the published one, whatever part of it the study runs.

    Examples
    --------
    >>> full_design(read_study("mixmg-bsem"))
    (54000, {'mixmg-bsem': 5, 'mmgsem': 1})
    """
    whole = read_study(study.name) if study.name in PRESETS else study
    variants = {m.name: len(m.variants) for m in (*study.methods, *whole.methods)}
    return len(whole.all_cells) * whole.replications, {m.name: variants[m.name] for m in study.methods}


def speed_table(study: Study, frame: pd.DataFrame, cores: int = 2) -> Table:
    """Seconds of an analysis, data sets per hour and core, and days that the whole design would take.

    Parameters
    ----------
    study
        The study.
    frame
        Its results.
    cores
        Cores of the machine that days are projected to, beside 100.

    Returns
    -------
    Table
        Per method: ``method``, ``analyses``, ``cpu_seconds`` (mean of one analysis), ``step_1`` to ``step_3``,
        ``per_hour`` (data sets, each with all prior variances of the method, on one core), ``full`` (analyses of the
        whole design), ``days`` and ``days_100``. The last row is the sum over methods.
    """
    columns = (
        Column("method", "Method"),
        Column("analyses", "Analyses", "integer"),
        Column("cpu_seconds", "CPU seconds of one", "decimal2"),
        *(Column(f"step_{s}", f"Step {s}", "decimal2") for s in STEPS),
        Column("per_hour", "Data sets per hour and core", "decimal1"),
        Column("full", "Analyses of the whole design", "integer"),
        Column("days", f"Days on {plural(cores, 'core')}", "decimal1"),
        Column("days_100", "Days on 100 cores", "decimal2"),
    )
    n_data_sets, variants = full_design(study)
    records: list[dict[str, object]] = []
    total = 0.0
    for method in study.methods:
        own = _done(frame, method)
        if own.empty:
            continue
        seconds = _mean(own, "cpu_seconds")
        full = n_data_sets * variants[method.name]
        total += seconds * full
        records.append(
            {"method": method.name, "analyses": len(own), "cpu_seconds": seconds}
            | {f"step_{s}": _mean(own, f"seconds_step{s}") for s in STEPS}
            | {"per_hour": HOUR / (seconds * len(method.variants)) if seconds > 0 else None, "full": full}
            | _days(seconds * full, cores)
        )
    if len(records) > 1:
        records.append({"method": "all", **_days(total, cores)})
    several = {m.name: len(m.variants) for m in study.methods if len(m.variants) > 1}
    notes = [
        "CPU seconds include the run from the true clusters and, where local maxima are counted, the extra starts;"
        " steps are by the clock."
    ]
    if several:
        notes.append(
            "An analysis is one prior variance: "
            + ", ".join(f"{plural(n, 'analysis', 'analyses')} of a data set by {name}" for name, n in several.items())
            + "."
        )
    return Table.from_records("Time of an analysis, and of the whole design", columns, records, notes)


def runs_table(runs: Sequence[Mapping[str, Any]]) -> Table:
    """Runs that filled the store, those of the same kind together.

    Parameters
    ----------
    runs
        Records of the store; a run that was killed may lack its end.

    Returns
    -------
    Table
        Columns ``backend``, ``workers``, ``runs``, ``data_sets``, ``hours``, ``cpu_hours``, ``per_hour`` (data sets
        per hour and worker).
    """
    columns = (
        Column("backend", "Run with"),
        Column("workers", "Workers", "integer"),
        Column("runs", "Runs", "integer"),
        Column("data_sets", "Data sets", "integer"),
        Column("hours", "Hours", "decimal2"),
        Column("cpu_hours", "CPU hours", "decimal2"),
        Column("per_hour", "Data sets per hour and worker", "decimal1"),
    )
    kinds: dict[tuple[str, int], list[Mapping[str, Any]]] = {}
    for run in runs:
        kinds.setdefault((str(run.get("backend", "")), int(run.get("workers") or 0)), []).append(run)
    records = []
    for (backend, workers), some in sorted(kinds.items()):
        hours = sum(float(run.get("seconds") or 0.0) for run in some) / HOUR
        done = sum(int(run.get("data_sets") or 0) for run in some)
        cpu = sum(float(run.get("cpu_seconds") or 0.0) for run in some) / HOUR
        records.append(
            {"backend": backend, "workers": workers or None, "runs": len(some), "data_sets": done, "hours": hours}
            | {"cpu_hours": cpu, "per_hour": done / (hours * workers) if hours and workers else None}
        )
    return Table.from_records("Runs", columns, records)


def _done(frame: pd.DataFrame, method: Method) -> pd.DataFrame:
    return frame[(frame["method"] == method.name) & (frame["status"] == "done")]


def _mean(frame: pd.DataFrame, column: str) -> float:
    return float(frame[column].mean()) if column in frame else math.nan


def _percent(frame: pd.DataFrame, column: str) -> float:
    return 100 * _mean(frame, column)


def _days(cpu_seconds: float, cores: int) -> dict[str, object]:
    return {"days": cpu_seconds / cores / DAY, "days_100": cpu_seconds / 100 / DAY}
