"""Running a study: resumed, extended, killed, on processes and on a cluster, always with the same results."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mixsem.studies.store as store_module
from mixsem.errors import OptionError, OutputError
from mixsem.simulate import Population
from mixsem.studies import Method, Study, StudyState, read_results, run_study
from mixsem.studies.store import Store

STUDY = Study(
    "tiny",
    Population(n_groups=8, n_clusters=2, group_size=60),
    {"beta": (0.2, 0.4), "reliability": ("high", "low")},
    (Method("mmgsem", n_starts=5),),
    replications=2,
)
TIMES = ["seconds", "cpu_seconds", "seconds_step1", "seconds_step2", "seconds_step3", "finished"]


def same(a: pd.DataFrame, b: pd.DataFrame) -> None:
    """What must not depend on how a study was run; all but the times."""
    columns = sorted(set(a) - set(TIMES))
    assert columns == sorted(set(b) - set(TIMES))
    pd.testing.assert_frame_equal(a[columns], b[columns])


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    return run_study(STUDY, tmp_path_factory.mktemp("whole"), workers=1).frame


def test_a_run_has_one_row_per_data_set(whole: pd.DataFrame) -> None:
    assert len(whole) == 8
    assert not whole.duplicated(["cell", "replication", "method", "variant"]).any()
    assert whole["ari"].between(-1, 1).all()
    assert whole["reliability"].tolist() == ["high", "high", "low", "low"] * 2


def test_results_do_not_depend_on_the_number_of_processes(whole: pd.DataFrame, tmp_path: Path) -> None:
    same(run_study(STUDY, tmp_path, workers=2).frame, whole)


def test_a_second_run_does_nothing(whole: pd.DataFrame, tmp_path: Path) -> None:
    run_study(STUDY, tmp_path, workers=1)
    files = {p: p.stat().st_mtime_ns for p in (tmp_path / "results").iterdir()}
    states: list[StudyState] = []
    same(run_study(STUDY, tmp_path, workers=1, progress=states.append).frame, whole)
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "results").iterdir()} == files
    assert [(s.done, s.total) for s in states] == [(8, 8)]


def test_an_interrupted_run_goes_on(whole: pd.DataFrame, tmp_path: Path) -> None:
    def stop(state: StudyState) -> None:
        if state.done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_study(STUDY, tmp_path, workers=1, progress=stop)
    assert len(read_results(tmp_path).frame) == 3
    states: list[StudyState] = []
    same(run_study(STUDY, tmp_path, workers=1, progress=states.append).frame, whole)
    assert [s.done for s in states] == [3, 4, 5, 6, 7, 8]
    assert states[0].seconds_left == float("inf")
    assert states[-1].seconds_left == 0.0
    same(read_results(tmp_path).frame, whole)


def test_replications_cells_and_methods_are_added(tmp_path: Path) -> None:
    run_study(replace(STUDY, replications=1, cells=2), tmp_path, workers=1)
    both = (*STUDY.methods, Method("more starts", "mmgsem", n_starts=10))
    results = run_study(replace(STUDY, methods=both), tmp_path, workers=1)
    assert len(results.frame) == 16
    before = run_study(replace(STUDY, replications=1, cells=2), tmp_path, workers=1)
    assert len(before.frame) == 2, "a study of fewer cells shows its own"


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 2},
        {"sample": "fixed"},
        {"factors": {"beta": (0.2, 0.3), "reliability": ("high", "low")}},
        {"population": Population(n_groups=10, n_clusters=2)},
        {"methods": (Method("mmgsem", n_starts=6),)},
    ],
)
def test_a_folder_of_another_study_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    Store(tmp_path, STUDY)
    with pytest.raises(OutputError, match="another study"):
        Store(tmp_path, replace(STUDY, **change))


def test_folders_that_are_no_store_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be used"):
        Store(tmp_path / "file", STUDY)
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "other.parquet").write_text("")
    with pytest.raises(OutputError, match="no study"):
        Store(tmp_path, STUDY)
    (tmp_path / "identity.json").write_text("{}")
    with pytest.raises(OutputError, match="not of a study"):
        Store(tmp_path, STUDY)
    with pytest.raises(OutputError, match=r"study\.toml"):
        read_results(tmp_path / "nowhere")


@pytest.mark.parametrize("options", [{"workers": 0}, {"workers": 1.5}, {"workers": 2, "dask": "tcp://x:1"}])
def test_workers_are_checked(tmp_path: Path, options: dict[str, object]) -> None:
    with pytest.raises(OptionError):
        run_study(STUDY, tmp_path, **options)


def row(cell: int, **more: object) -> dict[str, object]:
    return {"cell": cell, "replication": 1, "method": "mmgsem", "variant": "", "status": "done", **more}


def test_files_are_merged_and_what_is_in_two_counts_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "MERGED_AT", 3)
    store = Store(tmp_path, STUDY)
    for cell in range(4):
        store.append([row(cell, ari=cell / 4, beta=0.2, reliability="high")])
    names = sorted(p.name.split("-")[0] for p in store.results.iterdir())
    assert names == ["merged", "set"]
    store.append([row(0, ari=0.0, beta=0.2, reliability="high")])  # as a process killed while merging leaves it
    frame = store.frame()
    assert frame["cell"].tolist() == [0, 1, 2, 3]
    assert frame["ari"].tolist() == [0.0, 0.25, 0.5, 0.75]
    assert store.done() == {(c, 1, "mmgsem") for c in range(4)}


def test_rows_with_other_measures_and_whole_numbers_fit_together(tmp_path: Path) -> None:
    store = Store(tmp_path, STUDY)
    store.append([row(0, ari=1, beta=0.2)])
    store.append([row(1, uncertainty=0.5, beta=0.2)])
    frame = store.frame()
    assert frame["ari"].dtype == frame["uncertainty"].dtype == np.float64
    assert frame["ari"].isna().tolist() == [False, True]


def test_failures_stay_unless_they_are_tried_again(tmp_path: Path) -> None:
    store = Store(tmp_path, STUDY)
    store.append([row(0) | {"status": "failed", "error": "DataError: no"}])
    assert store.done() == {(0, 1, "mmgsem")}
    assert store.done(retry=True) == set()
    store.append([row(0, ari=1.0)])
    frame = store.frame()
    assert frame["status"].tolist() == ["done"]
    assert frame["ari"].tolist() == [1.0]


def test_a_data_set_with_a_variant_missing_is_not_done(tmp_path: Path) -> None:
    study = replace(STUDY, methods=(Method("mixmg-bsem", prior_variance=(0.01, 0.1)),))
    store = Store(tmp_path, study)
    store.append([row(0) | {"method": "mixmg-bsem", "variant": "0.01"}])
    assert store.done() == set()
    store.append([row(0) | {"method": "mixmg-bsem", "variant": "0.1"}])
    assert store.done() == {(0, 1, "mixmg-bsem")}


def test_what_a_dead_process_was_writing_is_cleared_away(tmp_path: Path) -> None:
    store = Store(tmp_path, STUDY)
    old, new = store.results / ".set-a.parquet.tmp", store.results / ".set-b.parquet.tmp"
    for path in (old, new):
        path.write_bytes(b"PAR1")
    os.utime(old, (0, 0))
    assert Store(tmp_path, STUDY).frame().empty
    assert not old.exists()
    assert new.exists(), "another process may be writing it"


def test_reading_while_files_are_merged_finds_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "MERGED_AT", 2)
    store = Store(tmp_path, STUDY)
    counts: list[int] = []
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            counts.append(len(store_module.read_rows(store.results)))

    reader = threading.Thread(target=look)
    reader.start()
    for cell in range(40):
        store.append([row(cell)])
    stop.set()
    reader.join()
    assert counts == sorted(counts), "a row that was there is never missing"
    assert len(store.frame()) == 40


def test_a_cell_that_cannot_be_drawn_is_refused_before_anything_runs(tmp_path: Path) -> None:
    study = replace(STUDY, factors={"beta": (0.3, 5.0)})
    with pytest.raises(OptionError, match=r"beta=5\.0: beta=5\.0 leaves no residual variance"):
        run_study(study, tmp_path / "out", workers=1)
    assert not (tmp_path / "out").exists()


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    store = Store(tmp_path, STUDY)
    store.append([row(0)])
    store.append([row(1)])
    damaged = sorted(store.results.iterdir())[0]
    damaged.write_bytes(damaged.read_bytes()[:100])
    with pytest.raises(OutputError, match=damaged.name):
        run_study(STUDY, tmp_path, workers=1)
    damaged.unlink()
    assert len(store.frame()) == 1


def test_two_processes_may_merge_in_one_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "MERGED_AT", 2)
    stores = [Store(tmp_path, STUDY) for _ in range(2)]
    threads = [
        threading.Thread(target=lambda store=store, first=first: [store.append([row(first + c)]) for c in range(40)])
        for first, store in ((0, stores[0]), (40, stores[1]))
    ]
    errors: list[object] = []
    monkeypatch.setattr(threading, "excepthook", errors.append)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert stores[0].frame()["cell"].tolist() == list(range(80))


@pytest.mark.slow
def test_workers_do_not_outlive_a_killed_process(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    process = subprocess.Popen([sys.executable, str(script), str(tmp_path / "killed"), "100", "2"])
    while len(list((tmp_path / "killed" / "results").glob("*.parquet"))) < 4:
        time.sleep(0.2)
    children = {int(p) for p in _children(process.pid)}
    assert len(children) >= 2
    process.kill()
    process.wait()
    end = time.time() + 20.0
    while any(Path(f"/proc/{pid}").exists() for pid in children) and time.time() < end:
        time.sleep(0.2)
    assert [pid for pid in children if Path(f"/proc/{pid}").exists()] == []


def _children(pid: int) -> list[str]:
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    if not listed.exists():
        pytest.skip("this system does not list child processes")
    return listed.read_text().split()


SCRIPT = """
import sys
from mixsem.simulate import Population
from mixsem.studies import Method, Study, run_study

study = Study(
    "tiny",
    Population(n_groups=8, n_clusters=2, group_size=60),
    {"beta": (0.2, 0.4), "reliability": ("high", "low")},
    (Method("mmgsem", n_starts=5),),
    replications=int(sys.argv[2]),
)
if __name__ == "__main__":
    run_study(study, sys.argv[1], workers=int(sys.argv[3]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_a_study_killed_twenty_times_ends_as_one_that_was_not(tmp_path: Path, workers: int) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    n = 40
    command = [sys.executable, str(script), str(tmp_path / "killed"), str(n), str(workers)]
    rng = np.random.default_rng(1)
    kills = 0
    while kills < 20:
        process = subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL)
        # From while Python starts to while results are written and merged.
        time.sleep(float(rng.uniform(0.2, 4.0)))
        assert process.poll() is None, "the study ended before it was killed twenty times: make it longer"
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        kills += 1
    assert subprocess.run(command, check=False).returncode == 0
    killed = read_results(tmp_path / "killed")
    assert killed.n_done == 4 * n
    same(killed.frame, run_study(replace(STUDY, replications=n), tmp_path / "whole", workers=2).frame)
