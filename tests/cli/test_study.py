"""``mixsem study``."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mixsem.cli.study_status import print_status, seconds_per_data_set
from mixsem.data.moments import SampleMoments
from mixsem.studies import PRESETS, StudyResults, dataset, read_results, read_study

from .conftest import Outcome

TINY = """
name = "tiny"
replications = 1

[population]
n_groups = 12
group_size = 60
n_clusters = 2

[factors]
beta = [0.3, 0.4]
reliability = ["high", "low"]

[methods.mmgsem]
n_starts = 5
"""


@pytest.fixture
def tiny(folder: Path) -> Path:
    """A study of four cells, in the working folder."""
    path = folder / "tiny.toml"
    path.write_text(TINY)
    return path


@pytest.fixture
def study(run: Callable[..., Outcome], tiny: Path) -> Callable[..., Outcome]:
    """Run ``mixsem study`` in the folder of the study file."""
    return lambda *arguments: run("study", *arguments)


@pytest.fixture
def done(study: Callable[..., Outcome]) -> Callable[..., Outcome]:
    """The same, after the study was run into the folder ``out``."""
    outcome = study("run", "tiny.toml", "--out", "out", "--workers", "1", "--quiet")
    assert (outcome.code, outcome.out, outcome.err) == (0, "out\n", "")
    return study


# --- run, and run again --------------------------------------------------------------------------------------


def test_run_says_what_came_out(study: Callable[..., Outcome]) -> None:
    outcome = study("run", "tiny.toml", "--out", "out", "--workers", "1")
    assert outcome.code == 0, outcome
    assert "tiny: 4 of 4 data sets (100 %)" in outcome.out
    assert "mmgsem" in outcome.out and "mixsem study table out" in outcome.out
    assert outcome.err == ""  # no minute has passed
    assert len(read_results("out").frame) == 4


def test_a_second_run_adds_nothing_and_more_replications_add_only_new_ones(done: Callable[..., Outcome]) -> None:
    before = read_results("out").frame
    assert done("run", "tiny.toml", "--out", "out", "--workers", "1", "--quiet").code == 0
    pd.testing.assert_frame_equal(read_results("out").frame, before)
    assert done("run", "tiny.toml", "--out", "out", "--workers", "1", "--replications", "2", "--quiet").code == 0
    after = read_results("out").frame
    assert len(after) == 8
    kept = after[after["replication"] == 1].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, before)  # also the times at which they were finished


def test_status_and_tables_as_json(done: Callable[..., Outcome]) -> None:
    status = json.loads(done("status", "out", "--json").out)
    assert (status["format"], status["study"]) == ("mixsem-study-status", "tiny")
    assert status["n_done"] == status["n_data_sets"]
    tables = json.loads(done("table", "out", "--json").out)["tables"]
    assert tables and all(table["title"] and table["rows"] for table in tables)


def test_options_override_the_file(study: Callable[..., Outcome]) -> None:
    outcome = study("run", "tiny.toml", "--out", "out", "--workers", "1", "--cells", "2", "--seed", "7", "--quiet")
    assert outcome.code == 0, outcome
    results = read_results("out")
    assert (results.study.cells, results.study.seed, len(results.frame)) == (2, 7, 2)


def test_a_folder_of_another_study_is_refused_by_name(done: Callable[..., Outcome]) -> None:
    before = read_results("out").frame
    outcome = done("run", "mixml-1", "--out", "out")
    assert outcome.code == 2
    assert "out holds the study 'tiny', not 'mixml-1'" in outcome.err
    outcome = done("run", "tiny.toml", "--out", "out", "--seed", "2")
    assert outcome.code == 2
    assert "with other settings: seed is 1 there, 2 here" in outcome.err
    Path("tiny.toml").write_text(TINY.replace("n_starts = 5", "n_starts = 6"))
    assert "[methods.mmgsem] n_starts is 5 there, 6 here" in done("run", "tiny.toml", "--out", "out").err
    Path("tiny.toml").write_text(TINY.replace("[0.3, 0.4]", "[0.3, 0.5]"))
    assert "[factors] beta is [0.3, 0.4] there, [0.3, 0.5] here" in done("run", "tiny.toml", "--out", "out").err
    pd.testing.assert_frame_equal(read_results("out").frame, before)


def test_failures_are_results(study: Callable[..., Outcome]) -> None:
    few = TINY.replace("group_size = 60\n", "").replace("beta = [0.3, 0.4]", "group_size = [60, 4]")
    Path("tiny.toml").write_text(few)  # four people cannot answer for twenty items
    outcome = study("run", "tiny.toml", "--out", "out", "--workers", "1")
    assert outcome.code == 0, outcome
    assert "4 of 4 data sets" in outcome.out
    assert "2 analyses failed" in outcome.out
    assert "Error: " in outcome.out
    assert "cell 2 replication 1, cell 3 replication 1" in outcome.out
    assert "Traceback" not in outcome.err
    assert study("status", "out").out in outcome.out


# --- interruptions -------------------------------------------------------------------------------------------


def test_an_interruption_says_what_is_safe(study: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch) -> None:
    import mixsem.studies.run as running

    tasks = []

    def interrupted(task: object) -> object:
        tasks.append(task)
        if len(tasks) == 3:
            raise KeyboardInterrupt
        return work(task)

    work = running.work
    with monkeypatch.context() as patched:
        patched.setattr(running, "work", interrupted)
        outcome = study("run", "tiny.toml", "--out", "out", "--workers", "1")
    assert outcome.code == 130
    assert outcome.err == "mixsem: error: interrupted; 2 of 4 data sets are safe in out, and the same command goes on\n"
    assert "tiny: 2 of 4 data sets (50 %)" in study("status", "out").out
    assert study("run", "tiny.toml", "--out", "out", "--workers", "1", "--quiet").code == 0
    assert len(read_results("out").frame) == 4


def test_an_unexpected_error_says_what_is_safe(study: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch) -> None:
    import mixsem.studies.run as running

    def broken(task: object) -> object:
        raise RuntimeError("no such luck")

    monkeypatch.setattr(running, "work", broken)
    outcome = study("run", "tiny.toml", "--out", "out", "--workers", "1")
    assert outcome.code == 1
    assert "no such luck" in outcome.err and "0 of 4 data sets are safe in out" in outcome.err
    assert "nothing was written" not in outcome.err


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no such signals")
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_status_while_it_runs_and_ctrl_c(tiny: Path, stop: signal.Signals) -> None:
    """In processes of their own: one runs with two workers and is stopped by a signal, another one looks.

    The output ends with the process and its workers, which hold it open.
    """
    mixsem = [sys.executable, "-m", "mixsem", "study"]
    running = subprocess.Popen(
        [*mixsem, "run", "tiny.toml", "--out", "out", "--replications", "1000", "--workers", "2"],
        cwd=tiny.parent,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        results = tiny.parent / "out" / "results"
        deadline = time.monotonic() + 120
        while len(list(results.glob("*.parquet"))) < 5:
            assert running.poll() is None and time.monotonic() < deadline
            time.sleep(0.1)
        looked = subprocess.run(
            [*mixsem, "status", "out"], cwd=tiny.parent, capture_output=True, text=True, check=True, timeout=60
        )
        assert "of 4,000 data sets" in looked.stdout
        assert "data sets per hour" in looked.stdout and "last result" in looked.stdout
        running.send_signal(stop)
        out, err = running.communicate(timeout=60)
    finally:
        running.kill()
    assert running.returncode == 130, err
    assert out == ""
    assert "of 4,000 data sets are safe in out, and the same command goes on" in err
    assert "Traceback" not in err
    safe = int(err.split("interrupted; ")[1].split(" of")[0])
    assert safe <= len(read_results(tiny.parent / "out").frame) <= safe + 1


# --- what is shown -------------------------------------------------------------------------------------------


def test_status_of_an_empty_folder(study: Callable[..., Outcome], tiny: Path) -> None:
    Path("out").mkdir()
    (Path("out") / "study.toml").write_text(TINY)
    assert study("status", "out").out == "tiny: 0 of 4 data sets (0 %)\n"
    outcome = study("table", "out")
    assert outcome.code == 2 and "no results yet" in outcome.err


def test_pace_leaves_pauses_out(capsys: pytest.CaptureFixture[str]) -> None:
    finished = [*range(0, 50, 10), *range(100_000, 100_050, 10)]
    frame = pd.DataFrame({"cell": 0, "replication": range(1, 11), "finished": finished, "seconds": 18.0})
    assert seconds_per_data_set(frame) == 10.0
    assert seconds_per_data_set(frame.head(1)) is None
    frame = frame.assign(method="mmgsem", variant="", status="done", error="", ari=0.5)
    results = StudyResults(read_study(TINY.replace("replications = 1", "replications = 5")), frame, Path("out"))
    print_status(results, now=100_045.0)
    assert "tiny: 10 of 20 data sets (50 %)\n" in (shown := capsys.readouterr().out)
    assert "360 data sets per hour, 1 min 40 s left while it runs, last result 5 s ago" in shown


def test_only_the_first_different_errors_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    errors = [f"E: {number}" for number in (1, 2, 2, 2, 2, 3, 4, 5, 6, 7)]
    frame = pd.DataFrame({"cell": range(10), "replication": 1, "method": "mmgsem", "variant": "", "error": errors})
    print_status(StudyResults(read_study(TINY), frame.assign(status="failed"), Path("out")))
    shown = capsys.readouterr().out
    assert "10 analyses failed" in shown
    assert "E: 2\n    cell 1 replication 1, cell 2 replication 1, cell 3 replication 1 and 1 more\n" in shown
    assert "E: 5" in shown and "E: 6" not in shown and "and 2 other errors" in shown


def test_tables(done: Callable[..., Outcome], folder: Path) -> None:
    text = done("table", "out")
    assert text.code == 0, text
    assert "mmgsem: cluster recovery" in text.out and "Reliability" in text.out
    assert "|" in done("table", "out", "--format", "markdown").out
    assert r"\toprule" in done("table", "out", "--format", "latex").out
    outcome = done("table", "out", "--format", "csv", "--out", "tables.csv")
    assert (outcome.code, outcome.out) == (0, "Written to tables.csv\n")
    table = pd.read_csv("tables.csv")
    ours = read_results("out").frame
    high = table[(table["measure"] == "ari") & (table["level"] == "high")]
    assert high["mean"].tolist() == [pytest.approx(ours.loc[ours["reliability"] == "high", "ari"].mean())]
    total = table[(table["measure"] == "rmse[F4~F1]") & (table["factor"] == "Total")]
    assert total["mean"].tolist() == [pytest.approx(ours["rmse[F4~F1]"].mean())]
    assert total["n_data_sets"].tolist() == [4]


def test_anova(done: Callable[..., Outcome]) -> None:
    outcome = done("anova", "out", "--measure", "ari", "--order", "1")
    assert outcome.code == 0, outcome
    assert "Reliability" in outcome.out and "Residuals" in outcome.out and "×" not in outcome.out
    assert "×" in done("anova", "out", "--measure", "ari").out
    assert "did you mean 'ari'?" in done("anova", "out", "--measure", "arri").err
    assert "did you mean 'mmgsem'?" in done("anova", "out", "--measure", "ari", "--method", "mmgsme").err
    assert "--order 0" in done("anova", "out", "--measure", "ari", "--order", "0").err


def test_plot(done: Callable[..., Outcome], folder: Path) -> None:
    outcome = done("plot", "out", "--out", "figures", "--measure", "cc")
    assert outcome.code == 0, outcome
    assert [path.name for path in (folder / "figures").iterdir()] == ["cc.svg"]
    assert (folder / "figures" / "cc.svg").read_text(encoding="utf-8").rstrip().endswith("</svg>")
    assert outcome.out.startswith(str(Path("figures") / "cc.svg"))
    assert "did you mean 'ari'?" in done("plot", "out", "--out", "more", "--measure", "arri").err
    assert not (folder / "more").exists()


@pytest.mark.parametrize("name", [*PRESETS, "tiny.toml"])
def test_show_prints_a_file_that_is_the_same_study(study: Callable[..., Outcome], name: str) -> None:
    outcome = study("show", name)
    assert outcome.code == 0, outcome
    Path("copy.toml").write_text(outcome.out, encoding="utf-8")
    again, original = read_study("copy.toml"), read_study(name)
    assert again.all_cells == original.all_cells
    assert (again.population, again.methods, again.seed) == (original.population, original.methods, original.seed)
    assert again.replications == original.replications
    assert study("show", "copy.toml").out == outcome.out


# --- one data set --------------------------------------------------------------------------------------------


def test_data_set(study: Callable[..., Outcome], folder: Path) -> None:
    assert study("data", "tiny.toml", "--cell", "3", "--replication", "2", "--out", "set.json").code == 0
    outcome = study("data", "tiny.toml", "--cell", "3", "--replication", "2", "--out", "set.csv")
    assert outcome.code == 0, outcome
    assert "cell 3 (beta = 0.4, reliability = low), replication 2" in outcome.out
    assert study("data", "tiny.toml", "--cell", "3", "--replication", "2", "--out", "set.parquet").code == 0
    analysed = dataset(read_study("tiny.toml"), 3, 2).moments
    moments = SampleMoments.load("set.json")
    assert (moments.covariances == analysed.covariances).all() and (moments.means == analysed.means).all()
    for rows in (pd.read_csv("set.csv"), pd.read_parquet("set.parquet")):
        assert rows.shape == (720, 21)
        for g, (_, group) in enumerate(rows.groupby("group")):
            items = group.drop(columns="group").to_numpy()
            np.testing.assert_allclose(items.mean(axis=0), analysed.means[g], atol=1e-10)
            np.testing.assert_allclose(np.cov(items.T, ddof=0), analysed.covariances[g], atol=1e-10)


def test_data_set_of_a_folder_has_its_seed(study: Callable[..., Outcome]) -> None:
    assert study("run", "tiny.toml", "--out", "out", "--cells", "1", "--seed", "5", "--workers", "1").code == 0
    row = read_results("out").frame.iloc[0]
    outcome = study("data", "out", "--cell", str(row["cell"]), "--replication", "1", "--out", "set.json")
    assert f"seed {row['seed']}" in outcome.out
    assert str(dataset(read_study("tiny.toml"), int(row["cell"]), 1).seed) not in outcome.out


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (("--cell", "4", "--replication", "1", "--out", "a.csv"), ("--cell 4", "0 to 3")),
        (("--cell", "x", "--replication", "1", "--out", "a.csv"), ("--cell x",)),
        (("--cell", "1", "--replication", "0", "--out", "a.csv"), ("--replication 0",)),
        (("--cell", "1", "--replication", "1", "--out", "a.xlsx"), (".csv or .parquet",)),
        (("--cell", "1", "--replication", "1", "--out", "no/a.csv"), ("there is no folder no",)),
        (("--cell", "1", "--replication", "1", "--out", "survey.csv"), ("survey.csv exists",)),
    ],
)
def test_data_sets_that_are_refused(
    study: Callable[..., Outcome],
    contents: Callable[[], dict[str, bytes | None]],
    more: tuple[str, ...],
    says: tuple[str, ...],
) -> None:
    before = contents()
    outcome = study("data", "tiny.toml", *more)
    assert outcome.code == 2, outcome
    assert all(part in outcome.err for part in says), outcome.err
    assert contents() == before


# --- mistakes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "mixsem study --help"),
        (("rnu",), "invalid choice: 'rnu'"),
        (("run", "tiny.toml"), "--out"),
        (("run", "tiny.toml", "--out", " "), "--out is empty"),
        (("run", " ", "--out", "out"), "STUDY is empty"),
        (("run", "mixml1", "--out", "out"), "did you mean 'mixml-1'?"),
        (("run", "mine.toml", "--out", "out"), "mine.toml cannot be read"),
        (("run", "tiny.toml", "--out", "out", "--replicatons", "2"), "did you mean '--replications'?"),
        (("run", "tiny.toml", "--out", "out", "--replications", "0"), "--replications 0"),
        (("run", "tiny.toml", "--out", "out", "--cells", "5"), "--cells 5\n  allowed: 1 to 4"),
        (("run", "tiny.toml", "--out", "out", "--workers", "many"), "--workers many"),
        (("run", "tiny.toml", "--out", "out", "--seed", "-1"), "--seed"),
        (("run", "tiny.toml", "--out", "out", "--workers", "2", "--dask", "tcp://x:1"), "--workers with --dask"),
        (("run", "tiny.toml", "--out", "survey.csv"), "survey.csv"),
        (("status", "nowhere"), "nowhere has no study.toml"),
        (("table", "nowhere"), "nowhere has no study.toml"),
        (("table", "nowhere", "--format", "latx"), "did you mean 'latex'?"),
        (("plot", "nowhere", "--out", ""), "--out is empty"),
        (("anova", "nowhere"), "--measure"),
        (("show", "mixmg"), "did you mean 'mixmg-sem'?"),
    ],
)
def test_mistakes_are_refused(
    study: Callable[..., Outcome],
    contents: Callable[[], dict[str, bytes | None]],
    arguments: tuple[str, ...],
    says: str,
) -> None:
    before = contents()
    outcome = study(*arguments)
    assert outcome.code == 2, outcome
    assert says in outcome.err, outcome.err
    assert outcome.err.count("mixsem: error: ") == 1 and "Traceback" not in outcome.err
    assert outcome.out == ""
    assert contents() == before


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('name = "tiny"', 'name = "tiny', "at line 2, column"),
        ("[methods.mmgsem]", "[methods.mmgsem", "at line 14, column"),
        ("beta =", "bata =", "did you mean 'beta'?"),
        ("replications", "replication", "did you mean 'replications'?"),
        ("n_starts", "n_strats", "did you mean 'n_starts'?"),
        ("[methods.mmgsem]", "[methods.mmgsme]", "did you mean 'mmgsem'?"),
        ("n_groups = 12", "n_group = 12", "did you mean 'n_groups'?"),
        ("[0.3, 0.4]", '[0.3, "0.4"]', "factor 'beta' has the levels (0.3, '0.4')"),
        ("[0.3, 0.4]", "[0.3, nan]", "beta = nan"),
        ("[0.3, 0.4]", "[0.3, true]", "beta = True"),
        ("[0.3, 0.4]", "0.3", "factor beta = 0.3"),
        ("[0.3, 0.4]", "[0.3, 0.3]", "beta"),
        ('"low"', '"lwo"', "reliability = 'lwo'"),
        ("n_clusters = 2", "n_clusters = 7", "n_clusters = 7"),
        ("n_groups = 12", "n_groups = 12.5", "n_groups = 12.5"),
        ("group_size = 60", 'group_size = "sixty"', "group_size = 'sixty'"),
        ("beta =", "small_proportion =", "small_size"),
        ("replications = 1", "seed = -1", "tiny.toml: seed = -1"),
    ],
)
def test_files_with_mistakes(study: Callable[..., Outcome], folder: Path, old: str, new: str, says: str) -> None:
    assert old in TINY
    Path("tiny.toml").write_text(TINY.replace(old, new))
    outcome = study("run", "tiny.toml", "--out", "out")
    assert outcome.code == 2, outcome
    assert says in outcome.err and "tiny.toml" in outcome.err, outcome.err
    assert not (folder / "out").exists()


def test_help_is_quick_and_names_the_actions(run: Callable[..., Outcome]) -> None:
    outcome = run("study", "--help")
    assert outcome.code == 0
    for action in ("run", "status", "table", "anova", "plot", "show", "data"):
        assert f"\n    {action} " in outcome.out
    code = "import sys; from mixsem.cli import main; main(['study', '--help']); print('pandas' in sys.modules)"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert process.stdout.rstrip().endswith("False")


def test_runs_are_recorded(done: Callable[..., Outcome]) -> None:
    records = [json.loads(line) for line in Path("out/runs.jsonl").read_text().splitlines()]
    assert [record["data_sets"] for record in records] == [4]
