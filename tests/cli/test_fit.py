"""``mixsem fit``: what it writes, what it says, and that it leaves nothing behind when it fails."""

from __future__ import annotations

import csv
import json
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mixsem.cli import main
from mixsem.data.moments import SampleMoments
from mixsem.pipelines import mmgsem
from mixsem.structural.mixture import StructuralMixture

Fit = Callable[..., Any]
Contents = Callable[[], dict[str, bytes | None]]

NAMES = {"report.html", "clusters.csv", "coefficients.csv", "selection.csv", "moments.json", "fit.json"}
KEYS = (
    "method, k, loglik, loglik_observed, n_params, n_starts, n_best, proportions, clusters, coefficients, selection,"
    " warnings"
)


def read_csv(path: str) -> list[dict[str, str]]:
    with Path(path).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def read_json(path: str = "out/fit.json") -> dict[str, Any]:
    """Read JSON strictly: NaN and Infinity are errors."""

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    record: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"), parse_constant=refuse)
    return record


def test_all_files_agree_with_the_fit(fit: Fit, survey: pd.DataFrame) -> None:
    outcome = fit(clusters="1-3", seed="3")
    assert outcome.code == 0, outcome.err
    assert {path.name for path in Path("out").iterdir()} == NAMES
    fits = mmgsem(
        Path("measurement.txt").read_text(),
        Path("structural.txt").read_text(),
        survey,
        "country",
        k=range(1, 4),
        n_starts=10,
        seed=3,
    )
    record = read_json()
    best = fits[record["k"]]
    assert set(KEYS.split(", ")) <= set(record)
    assert record["method"] == "mmgsem"
    assert record["loglik"] == best.loglik and record["loglik_observed"] == best.loglik_observed
    assert record["n_params"] == best.n_params and record["proportions"] == best.proportions.tolist()
    assert record["settings"]["seed"] == 3 and record["settings"]["k"] == [1, 2, 3]
    assert record["models"]["structural"] == "trust ~ fear\n"
    groups = read_csv("out/clusters.csv")
    assert list(groups[0]) == ["group", "cluster", "probability", "propagated"]
    assert [row["group"] for row in groups] == list("ABCDEFGH")
    assert [int(row["cluster"]) for row in groups] == best.clusters.tolist()
    assert [float(row["probability"]) for row in groups] == best.posterior.max(axis=1).tolist()
    coefficients = read_csv("out/coefficients.csv")
    tests = ["se", "z", "p_value", "lower", "upper"]
    assert list(coefficients[0]) == ["cluster", "outcome", "predictor", "estimate", *tests]
    assert [float(row["estimate"]) for row in coefficients] == best.coefficients.ravel().tolist()
    selection = read_csv("out/selection.csv")
    assert [int(row["k"]) for row in selection] == [1, 2, 3]
    assert [float(row["bic_g"]) for row in selection] == [f.criteria.bic_g for f in fits.fits]


def test_the_clusters_are_those_of_the_population(fit: Fit) -> None:
    fit(clusters="2")
    record = read_json()
    found = [entry["cluster"] for entry in record["clusters"]]
    assert found[:4] == [found[0]] * 4 and found[4:] == [3 - found[0]] * 4
    assert sorted(round(entry["estimate"]) for entry in record["coefficients"]) == [0, 1]


def test_the_moments_give_the_same_fit(fit: Fit) -> None:
    fit(out="first")
    outcome = fit("first/moments.json", group=None, out="second")
    assert outcome.code == 0, outcome.err
    first, second = read_json("first/fit.json"), read_json("second/fit.json")
    assert first["loglik"] == second["loglik"] and first["clusters"] == second["clusters"]


def test_groups_in_several_files_give_the_same_fit(fit: Fit, run: Fit, survey: pd.DataFrame) -> None:
    """Half of the people as a table, the other half as moments, every group in both."""
    survey[::2].to_csv("even.csv", index=False)
    survey[1::2].to_csv("odd.csv", index=False)
    run("moments", "odd.csv", "--group", "country", "--measurement", "measurement.txt", "--out", "odd.json")
    fit(out="whole")
    outcome = fit("even.csv", "odd.json", out="parts")
    assert outcome.code == 0, outcome.err
    whole, parts = read_json("whole/fit.json"), read_json("parts/fit.json")
    assert parts["loglik"] == pytest.approx(whole["loglik"], abs=1e-8)
    assert [c["n"] for c in parts["clusters"]] == [60] * 8


def test_same_seed_same_bytes(fit: Fit) -> None:
    fit(seed="5")
    first = {name: Path("out", name).read_bytes() for name in NAMES}
    fit(seed="5")
    assert {name: Path("out", name).read_bytes() for name in NAMES} == first


def test_models_may_stand_on_the_command_line(fit: Fit) -> None:
    fit(out="files")
    fit(out="texts", measurement="trust =~ t1 + t2 + t3; fear =~ f1 + f2 + f3", structural="trust ~ fear")
    assert read_json("files/fit.json")["loglik"] == read_json("texts/fit.json")["loglik"]


def test_a_model_in_the_home_folder_is_found_between_quotation_marks(
    fit: Fit, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(folder / "home"))
    monkeypatch.setenv("USERPROFILE", str(folder / "home"))
    Path("home").mkdir()
    Path("measurement.txt").rename("home/m.txt")
    assert fit(clusters="2", measurement="~" + "/m.txt", structural="trust~fear").code == 0


def test_labels_are_of_one_type_over_all_files(fit: Fit, run: Fit, survey: pd.DataFrame) -> None:
    """Whole numbers in two files are text because of the "A" in a third; the 07 of a fourth stays another group."""
    labels = survey["country"].map(dict(zip("ABCDEFGH", ["A", "1", "2", "3", "10", "11", "07", "8"], strict=True)))
    survey["country"] = labels
    numbers = labels.isin(["1", "2", "3", "10", "11", "8"])
    survey[numbers & (survey.index % 2 == 0)].to_csv("numbers.csv", index=False)
    survey[numbers & (survey.index % 3 == 0) & (survey.index % 2 == 1)].to_csv("more.csv", index=False)
    survey[~numbers | ((survey.index % 3 > 0) & (survey.index % 2 == 1))].to_csv("text.csv", index=False)
    run("moments", "more.csv", "--group", "country", "--measurement", "measurement.txt", "--out", "more.json")
    assert set(SampleMoments.load("more.json").groups) == {1, 2, 3, 8, 10, 11}
    outcome = fit("numbers.csv", "more.json", "text.csv", clusters="2")
    assert outcome.code == 0, outcome.err
    groups = read_csv("out/clusters.csv")
    assert [row["group"] for row in groups] == ["1", "2", "3", "07", "8", "10", "11", "A"]
    assert [c["n"] for c in read_json()["clusters"]] == [60] * 8
    survey.to_csv("survey.csv", index=False)
    fit(clusters="2", out="whole")
    whole = read_csv("whole/clusters.csv")
    # Sums over rows in another order differ in the last digit, and chains carry that on.
    propagated = [[float(row.pop("propagated")) for row in rows] for rows in (whole, groups)]
    assert whole == groups and propagated[0] == pytest.approx(propagated[1], abs=1e-9)


def test_parts_may_hold_what_no_fit_could_use(fit: Fit, run: Fit, survey: pd.DataFrame, refused: Fit) -> None:
    """In the first part an item is constant in A, and B has one row."""
    first = (survey.index < 20) | (survey.index == 60) | (survey.index >= 150)
    survey.loc[survey.index < 20, "t2"] = 0.1
    survey[first].to_csv("first.csv", index=False)
    survey[~first].to_csv("second.csv", index=False)
    refused(["without variation in a group: A (t2), B (one complete row)"], data=["first.csv"])
    line = ["moments", "first.csv", "--group", "country", "--measurement", "measurement.txt", "--out", "first.json"]
    outcome = run(*line)
    assert outcome.code == 0, outcome.err
    assert "warning: NonPositiveDefiniteWarning: 1 group has items without variation: A (t2)." in outcome.err
    assert "SmallGroupWarning" in outcome.err and "(--min-size 7 or more)" in outcome.err
    survey.to_csv("survey.csv", index=False)
    fit(out="whole", clusters="2")
    for number, data in enumerate((["first.csv", "second.csv"], ["first.json", "second.csv"])):
        outcome = fit(*data, out=f"parts{number}", clusters="2")
        assert (outcome.code, outcome.err) == (0, "")
        parts, whole = read_json(f"parts{number}/fit.json"), read_json("whole/fit.json")
        assert parts["loglik"] == pytest.approx(whole["loglik"], abs=1e-7)


def test_files_in_capitals(fit: Fit, run: Fit, survey: pd.DataFrame) -> None:
    survey.to_csv("D2.CSV.GZ", index=False, compression="gzip")
    line = ["moments", "D2.CSV.GZ", "--group", "country", "--measurement", "measurement.txt", "--out", "M.JSON.GZ"]
    assert run(*line).code == run(*line).code == 0
    assert fit("M.JSON.GZ", clusters="2").code == fit("D2.CSV.GZ", clusters="2", out="table").code == 0


def test_options_reach_the_steps(fit: Fit) -> None:
    outcome = fit(
        clusters="1,3",
        choose="3",
        partial=("trust =~ t2", "fear =~ f3"),
        equal=("loadings", "residuals"),
        blocks="trust,fear",
        residuals="cluster",
        equal_regressions="trust ~ fear",
        title="Trust & fear",
        min_size="20",
    )
    assert outcome.code == 0, outcome.err
    record = read_json()
    settings = record["settings"]
    assert (record["k"], record["choice"]["rule"], record["title"]) == (3, "asked", "Trust & fear")
    assert settings["k"] == [1, 3] and settings["residuals"] == "cluster"
    assert settings["partial"] == ["trust =~ t2", "fear =~ f3"] and settings["equal"] == ["loadings", "residuals"]
    assert settings["blocks"] == [["trust", "fear"]] and settings["equal_regressions"] == ["trust ~ fear"]
    assert len({entry["estimate"] for entry in record["coefficients"]}) == 1
    assert "Trust &amp; fear" in Path("out/report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("clusters", "rule", "says"), [("1-4", "chull", "CHull"), ("1,2", "bic_g", "BIC_G"), ("2", "only", "no other")]
)
def test_the_reason_for_the_number_is_said(fit: Fit, clusters: str, rule: str, says: str) -> None:
    outcome = fit(clusters=clusters)
    choice = read_json()["choice"]
    assert choice["rule"] == rule and says in choice["reason"]
    assert choice["reason"] in outcome.out
    assert says in Path("out/report.html").read_text(encoding="utf-8")


def test_no_group_and_no_number_is_lost_in_json(fit: Fit) -> None:
    """The scree ratios of the ends are NaN in the fit, and null in the file."""
    fit(clusters="1-4")
    ratios = [row["chull"] for row in read_json()["selection"]]
    assert ratios[0] is None and ratios[-1] is None
    assert any(isinstance(ratio, float) and math.isfinite(ratio) for ratio in ratios)


def test_warnings_are_one_line_each_and_kept(fit: Fit, survey: pd.DataFrame) -> None:
    survey.assign(t2=survey["t2"].where(survey.index % 50 > 0)).to_csv("survey.csv", index=False)
    outcome = fit(clusters="1-2")
    lines = outcome.err.splitlines()
    assert [line for line in lines if line.startswith("warning: MissingDataWarning: Dropped 10 of 480 rows")] == lines
    assert [entry["name"] for entry in read_json()["warnings"]] == ["MissingDataWarning"]
    assert "Warning" not in outcome.out


def test_a_group_without_complete_rows_leaves_with_a_warning(fit: Fit, survey: pd.DataFrame) -> None:
    survey.assign(t2=survey["t2"].mask(survey["country"] == "C")).to_csv("survey.csv", index=False)
    outcome = fit(clusters="2")
    assert outcome.code == 0, outcome.err
    assert "warning: MissingDataWarning: 1 group has no complete row" in outcome.err and "C" in outcome.err
    assert [row["group"] for row in read_csv("out/clusters.csv")] == list("ABDEFGH")


def test_small_groups_can_be_left_out(fit: Fit, survey: pd.DataFrame) -> None:
    survey.drop(survey.index[survey["country"] == "A"][3:]).to_csv("survey.csv", index=False)
    for data in (["survey.csv"], ["survey.csv", "more.csv"]):
        survey[survey["country"] == "B"].to_csv("more.csv", index=False)
        outcome = fit(*data, clusters="2", min_size="10")
        assert outcome.code == 0, outcome.err
        assert "warning: SmallGroupWarning: " in outcome.err
        assert [row["group"] for row in read_csv("out/clusters.csv")] == list("BCDEFGH")


def test_quiet_says_where_and_nothing_else(fit: Fit, survey: pd.DataFrame) -> None:
    survey.assign(t2=survey["t2"].where(survey.index > 0)).to_csv("survey.csv", index=False)
    outcome = fit(clusters="2", out="there", quiet=())
    assert (outcome.code, outcome.out, outcome.err) == (0, "there\n", "")


def test_results_replace_only_their_own(fit: Fit) -> None:
    Path("a/b").mkdir(parents=True)
    Path("a/b/fit.json").write_text("old")
    Path("a/b/notes.txt").write_text("mine")
    assert fit(out="a/b", clusters="2").code == 0
    assert Path("a/b/notes.txt").read_text() == "mine"
    assert read_json("a/b/fit.json")["k"] == 2
    assert {path.name for path in Path("a/b").iterdir()} == {*NAMES, "notes.txt"}


def test_missing_parents_are_made(fit: Fit) -> None:
    assert fit(out="some/where/new", clusters="2").code == 0
    assert {path.name for path in Path("some/where/new").iterdir()} == NAMES
    assert [path.name for path in Path("some/where").iterdir()] == ["new"]


def fail_with(error: BaseException) -> Callable[..., Any]:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (np.linalg.LinAlgError("Singular\nmatrix"), 1, "the computation failed: LinAlgError: Singular matrix"),
        (MemoryError(), 1, "MemoryError"),
        (KeyboardInterrupt(), 130, "interrupted; nothing was written"),
    ],
)
def test_failures_leave_nothing(
    error: BaseException, code: int, says: str, fit: Fit, contents: Contents, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("out").mkdir()
    Path("out/fit.json").write_text("old")
    before = contents()
    monkeypatch.setattr(StructuralMixture, "fit", fail_with(error))
    outcome = fit()
    assert outcome.code == code
    assert says in outcome.err and outcome.err.startswith("mixsem: error: ")
    assert "Traceback" not in outcome.err and outcome.out == ""
    assert contents() == before


def test_moments_of_some_columns(run: Fit) -> None:
    outcome = run("moments", "survey.csv", "--group", "country", "--items", "t1, f2", "--out", "m.json.gz")
    assert outcome.code == 0, outcome.err
    moments = SampleMoments.load("m.json.gz")
    assert moments.items == ("t1", "f2") and moments.groups == tuple("ABCDEFGH") and moments.group == "country"
    assert "8 groups" in outcome.out and "m.json.gz" in outcome.out


def test_moments_replace_moments_but_nothing_else(run: Fit, contents: Contents) -> None:
    line = ["moments", "survey.csv", "--group", "country", "--items", "t1", "--out", "m.json"]
    assert run(*line, "--quiet").out == "m.json\n"
    assert run(*line).code == 0
    Path("m.json").write_text('{"mine": 1}')
    before = contents()
    outcome = run(*line)
    assert outcome.code == 2 and "exists and holds no moments" in outcome.err
    assert run(*line[:-1], "nowhere/m.json").code == 2
    assert contents() == before


def test_demo_finds_the_truth(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo"]) == 0
    out = capsys.readouterr().out
    assert "4 clusters. Found: 4" in out and "mixsem-demo/report.html" in out.replace("\\", "/")
    index = float(out.split("adjusted Rand index ")[1].split()[0])
    assert index > 0.9
    assert {path.name for path in Path("mixsem-demo").iterdir()} == NAMES


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--help"], ["fit", "--help"], ["moments", "--help"], ["demo", "--help"]):
        assert main(arguments) == 0
        assert "usage: mixsem" in capsys.readouterr().out
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("mixsem 0")


@pytest.mark.parametrize("arguments", [["--help"], ["fit", "x.csv", "--clusters", "a", "--out", "o"]])
def test_nothing_heavy_is_imported_before_the_work(arguments: list[str]) -> None:
    code = (
        "import sys; from mixsem.cli import main; main(sys.argv[1:]);"
        "print(sorted({'numpy', 'scipy', 'pandas', 'matplotlib', 'rich', 'narwhals'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.splitlines()[-1] == "[]"
