"""Running a study: on all cores, or on a cluster; what is done already is not done again."""

from __future__ import annotations

import os
import platform
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeAlias

from ..errors import OptionError
from ..simulate.populations import draw_truth
from .results import StudyResults
from .store import Store
from .study import Study
from .work import Row, Task, work

__all__ = ["StudyState", "run_study"]

Progress: TypeAlias = "Callable[[StudyState], None]"

#: Cells of which a population is drawn before anything runs; it takes a millisecond each.
DRAWN_AHEAD = 2000


@dataclass(frozen=True)
class StudyState:
    """How far a run is.

    Attributes
    ----------
    total
        Data sets of the study.
    done
        Those whose results are in the folder.
    done_before
        Those that were when the run began.
    failed
        Analyses of this run that failed.
    seconds
        Since the run began.
    latest
        Rows that were just added.
    """

    total: int
    done: int
    done_before: int
    failed: int
    seconds: float
    latest: tuple[Row, ...] = ()

    @property
    def seconds_left(self) -> float:
        """Estimated from what this run did; infinite before its first result."""
        new = self.done - self.done_before
        return (self.total - self.done) * self.seconds / new if new else float("inf")


def run_study(
    study: Study,
    folder: str | Path,
    *,
    workers: int | None = None,
    dask: str | None = None,
    retry: bool = False,
    progress: Progress | None = None,
) -> StudyResults:
    """Run what a folder lacks of a study.

    Every result is in the folder as soon as it exists, so that a run that is killed loses only the data sets it was
    working on, and the next run goes on. An analysis that fails is a result too: its error is in the row. The first
    replication of all cells comes first, then the second, so that what is done at any time covers the design.

    Parameters
    ----------
    study
        What to run.
    folder
        Where results are. More cells, replications or methods of the same study are added to what is there.
    workers
        Processes; None for one per core. Results do not depend on it.
    dask
        Address of the scheduler of a Dask cluster, such as ``"tcp://10.0.0.1:8786"``, whose workers have mixsem; in the
        place of processes of this machine.
    retry
        Try again what failed.
    progress
        Called with a `StudyState` at the beginning and after each data set.

    Returns
    -------
    StudyResults

    Raises
    ------
    OptionError
        If `workers` is not a positive number, both `workers` and `dask` are given, or a process was killed.
    OutputError
        If the folder cannot be used, or holds another study.

    Examples
    --------
    >>> import tempfile
    >>> from mixsem.studies import Method, Study
    >>> from mixsem.simulate import Population
    >>> study = Study("tiny", Population(12), {"beta": (0.2, 0.4)}, (Method("mmgsem"),), replications=2)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     results = run_study(study, folder, workers=1)
    >>> len(results.frame), results.frame["ari"].notna().all().item()
    (4, True)
    """
    if workers is not None and (isinstance(workers, bool) or not isinstance(workers, int) or workers < 1):
        raise OptionError(f"workers={workers!r}", allowed="a whole number of at least 1, or None for all cores")
    if workers is not None and dask is not None:
        raise OptionError("both workers and dask", allowed="one of them", todo="the cluster knows its workers")
    _require_drawable(study)
    store = Store(folder, study)
    done = store.done(retry=retry)
    tasks = [
        Task(study, cell, replication, methods)
        for replication in range(1, study.replications + 1)
        for cell in study.chosen_cells
        if (methods := tuple(m.name for m in study.methods if (cell, replication, m.name) not in done))
    ]
    start, clock, added, failed = datetime.now(UTC), time.perf_counter(), 0, 0
    before = study.n_data_sets - len(tasks)

    def report(latest: Sequence[Row] = ()) -> None:
        if progress is not None:
            passed = time.perf_counter() - clock
            progress(StudyState(study.n_data_sets, before + added, before, failed, passed, tuple(latest)))

    cpu = 0.0
    report()
    try:
        for rows in _finished(tasks, workers or os.cpu_count() or 1, dask):
            now = time.time()
            store.append([{**row, "finished": now} for row in rows])
            added += 1
            failed += sum(row["status"] == "failed" for row in rows)
            cpu += sum(row.get("cpu_seconds", 0.0) for row in rows)
            report(rows)
    finally:
        if added:
            seconds = time.perf_counter() - clock
            run = {"started": start.isoformat(timespec="seconds"), "seconds": seconds, "cpu_seconds": cpu}
            run |= {"data_sets": added, "workers": workers or os.cpu_count() or 1, "backend": "local"}
            if dask is not None:
                run |= {"workers": None, "backend": "dask"}
            store.log(run | _machine())
    store.merge(everything=True)
    return StudyResults.of(study, store.frame(), Path(folder))


def _require_drawable(study: Study) -> None:
    """Draw a population of every cell, or of many: what cannot be drawn would fail in all data sets of a cell.

    Raises
    ------
    OptionError
        If there is none; the message says in which cell.
    """
    for number in study.chosen_cells[:DRAWN_AHEAD]:
        cell = study.all_cells[number]
        try:
            draw_truth(study.population_of(cell), study.seed_of(cell, 1))
        except OptionError as error:
            levels = ", ".join(f"{name}={level!r}" for name, level in cell.items())
            raise OptionError(f"{levels}: {error.got}", allowed=error.allowed, todo=error.todo) from None


def _finished(tasks: Sequence[Task], workers: int, dask: str | None) -> Iterator[list[Row]]:
    """Results in the order in which they come."""
    if dask is not None:
        from .cluster import on_cluster

        yield from on_cluster(tasks, dask)
    elif workers == 1 or len(tasks) < 2:
        yield from map(work, tasks)
    else:
        yield from _in_processes(tasks, workers)


def _in_processes(tasks: Sequence[Task], workers: int) -> Iterator[list[Row]]:
    from joblib import Parallel, delayed, parallel_config
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    # One thread each: data sets are what runs in parallel.
    with parallel_config(backend="loky", n_jobs=min(workers, len(tasks)), inner_max_num_threads=1):
        parallel = Parallel(return_as="generator_unordered", batch_size=1, pre_dispatch="2*n_jobs")
        try:
            yield from parallel(delayed(_work_for)(os.getpid(), task) for task in tasks)
        except TerminatedWorkerError:
            raise OptionError(
                f"workers={workers}: a process was killed (memory?); what was done is in the folder",
                todo="run the same again to go on, with fewer workers if memory is short",
            ) from None


def _work_for(parent: int, task: Task) -> list[Row]:
    """Do a task for a process, as long as there is that process."""
    _end_with(parent)
    return work(task)


@cache
def _end_with(parent: int) -> None:
    """End this process soon after its parent, which nobody tells it of if the parent is killed.

    Windows does not change the number of the parent: there, processes end when they have waited long enough.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _machine() -> dict[str, Any]:
    return {
        "ended": datetime.now(UTC).isoformat(timespec="seconds"),
        "version": version("mixsem"),
        "python": platform.python_version(),
        "numpy": version("numpy"),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
    }
