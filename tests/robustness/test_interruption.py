"""Runs that are stopped at any moment, and several in the same folder: whole results, or those from before."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mixsem.report.folder import write_folder
from mixsem.studies import read_study
from mixsem.studies.store import Store

STUDY = (
    'name = "s"\nreplications = 4\n[population]\nn_groups = 12\n[factors]\nbeta = [0.2, 0.4]\n'
    "[methods.mmgsem]\nn_starts = 5\n"
)
RUNS = {
    "fit": "fit survey.csv --group country --measurement measurement.txt --structural structural.txt --clusters 1-3"
    " --starts 20 --out out",
    "moments": "moments survey.csv --group country --measurement measurement.txt --out out/moments.json",
    "invariance": "invariance survey.csv --group country --measurement measurement.txt --out out",
    "lmer": "lmer y~x+(1|g) panel.csv --out out",
    "study run": "study run study.toml --workers 1 --out out",
    "power": "power --groups 12 --sizes 50 --replications 4 --workers 1 --starts 5 --out out",
}
#: Commands that keep what they finished, so that the same command goes on.
KEEPING = ("study run", "power")


def start(line: str, *more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "mixsem", *line.split(), *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def visible(folder: Path) -> dict[str, bytes]:
    return {
        p.name: p.read_bytes()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
        and not p.name.startswith(".")
        and not any(part.startswith(".") for part in p.relative_to(folder).parts)
    }


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals of Unix")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=["INT", "TERM", "KILL"])
@pytest.mark.parametrize("name", RUNS)
def test_a_run_that_is_stopped_leaves_whole_results_or_those_from_before(name, number, folder):
    Path("study.toml").write_text(STUDY)
    Path("out").mkdir()
    begin = time.perf_counter()
    whole = start(RUNS[name])
    assert whole.wait() == 0, whole.communicate()
    seconds = time.perf_counter() - begin
    complete = visible(Path("out"))
    chance = random.Random(f"{name} {number}")
    for _ in range(3):
        run = start(RUNS[name], *(["--seed", "2"] if name == "fit" else []))
        time.sleep(chance.uniform(0.2, 1.0) * seconds)
        run.send_signal(number)
        _, err = run.communicate(timeout=60)
        # Python itself says so where a stop met a callback of another library, and goes on.
        assert "Traceback" not in err or "Exception ignored in" in err, err
        if number == signal.SIGINT:
            assert run.returncode in (130, -signal.SIGINT, 0), (run.returncode, err)
        left = visible(Path("out"))
        assert set(left) == set(complete) or name in KEEPING
        if name == "fit":
            seeds = {json.loads(left["fit.json"])["seed"]} if "seed" in json.loads(left["fit.json"]) else set()
            assert len(seeds) < 2
            assert left == complete or all(left[n] != complete[n] for n in ("fit.json", "report.html"))
    again = start(RUNS[name])
    _, err = again.communicate()
    assert again.returncode == 0, err
    if name not in KEEPING:
        assert visible(Path("out")) == complete


@pytest.mark.slow
@pytest.mark.parametrize("there", [False, True])
def test_files_of_runs_into_one_folder_never_mix(there, folder):
    if there:
        Path("out").mkdir()
    runs = [start(RUNS["lmer"], "--title", f"run {i}") for i in range(4)]
    codes = [run.wait() for run in runs]
    assert 0 in codes and set(codes) <= {0, 2}, [run.communicate() for run in runs]
    title = json.loads(Path("out/fit.json").read_text()).get("title") or ""
    assert title in Path("out/report.html").read_text()
    assert not [p for p in Path("out").iterdir() if p.name.startswith(".")]


WRITER = """
import sys
from mixsem.report.folder import write_folder
me = sys.argv[1]
for i in range(40):
    write_folder("out/deep", {f"{j}.txt": f"{me} {i}".encode() for j in range(8)})
"""


@pytest.mark.parametrize("there", [False, True])
def test_folders_written_at_once_hold_the_files_of_one_run(there, folder):
    if there:
        Path("out/deep").mkdir(parents=True)
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(i)], stderr=subprocess.PIPE, text=True) for i in range(3)
    ]
    for writer in writers:
        _, err = writer.communicate()
        assert writer.returncode == 0, err
    files = sorted(Path("out/deep").iterdir())
    assert [p.name for p in files] == [f"{j}.txt" for j in range(8)]
    assert len({p.read_text() for p in files}) == 1


def test_what_a_killed_run_left_disturbs_nobody(folder, monkeypatch):
    out = folder / "out"
    out.mkdir()
    left = out / f".out.{os.getpid()}.tmp"
    left.mkdir()
    (left / "a.csv").write_bytes(b"half")
    write_folder(out, {"a.csv": b"whole"})
    assert (out / "a.csv").read_bytes() == b"whole"


@pytest.mark.slow
def test_studies_run_into_one_folder_do_not_corrupt_it(folder):
    Path("study.toml").write_text(STUDY)
    runs = [start(RUNS["study run"]) for _ in range(3)]
    for run in runs:
        _, err = run.communicate()
        assert run.returncode == 0, err
    frame = Store("out", read_study("study.toml")).frame()
    assert len(frame) == 8
    assert not frame.duplicated(["cell", "replication", "method", "variant"]).any()
    assert (frame["status"] == "done").all()
    assert not list(Path("out").rglob("*.tmp"))


def test_a_study_that_lost_files_of_results_goes_on(folder):
    from mixsem.studies import run_study

    study = read_study(STUDY.replace("replications = 4", "replications = 1"))
    first = run_study(study, "out", workers=1).frame
    for path in Path("out/results").glob("*.parquet"):
        path.unlink()
    again = run_study(study, "out", workers=1).frame
    assert first["ari"].tolist() == again["ari"].tolist()
