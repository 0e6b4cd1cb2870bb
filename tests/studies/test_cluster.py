"""A study on a Dask cluster of real worker processes."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mixsem.errors import OptionError
from mixsem.simulate import Population
from mixsem.studies import Method, Study, StudyState, run_study

distributed = pytest.importorskip("distributed")

STUDY = Study(
    "tiny",
    Population(n_groups=8, n_clusters=2, group_size=60),
    {"beta": (0.2, 0.4), "reliability": ("high", "low")},
    (Method("mmgsem", n_starts=5),),
    replications=3,
)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as cluster:  # fmt: skip
        yield cluster


def results_of(folder: Path, study: Study = STUDY, **options: Any) -> pd.DataFrame:
    frame = run_study(study, folder, **options).frame
    return frame.drop(columns=[c for c in frame if "seconds" in c or c == "finished"])


@pytest.mark.slow
def test_a_cluster_gives_the_results_of_one_process(cluster: Any, tmp_path: Path) -> None:
    ours = results_of(tmp_path / "cluster", dask=cluster.scheduler_address)
    pd.testing.assert_frame_equal(ours, results_of(tmp_path / "one", workers=1))
    log = (tmp_path / "cluster" / "runs.jsonl").read_text()
    assert '"backend": "dask"' in log


@pytest.mark.slow
def test_a_lost_worker_costs_nothing(cluster: Any, tmp_path: Path) -> None:
    study = replace(STUDY, replications=10)
    victims = [w.pid for w in cluster.workers.values() if hasattr(w, "pid")]
    killed: list[int] = []

    def kill(state: StudyState) -> None:
        if state.done == 4 and victims:
            os.kill(victims[0], signal.SIGKILL)
            killed.append(victims[0])

    ours = results_of(tmp_path / "cluster", study, dask=cluster.scheduler_address, progress=kill)
    assert killed
    pd.testing.assert_frame_equal(ours, results_of(tmp_path / "one", study, workers=2))


def test_a_scheduler_that_does_not_answer_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mixsem.studies.cluster.PATIENCE", 1)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(OptionError, match="no Dask scheduler answers"):
        run_study(STUDY, tmp_path, dask=address)
    with pytest.raises(OptionError, match="no Dask scheduler answers"):
        run_study(STUDY, tmp_path, dask="nonsense://")
