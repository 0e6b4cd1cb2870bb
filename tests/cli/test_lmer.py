"""``mixsem lmer``: what it prints and writes, and what it refuses."""

from __future__ import annotations

import json
import re
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyarrow import csv

import mixsem as mx
from mixsem.cli import lmer_parser
from mixsem.mixed.engine import optimise
from mixsem.mixed.inference import ddf
from mixsem.mixed.uncertainty import intervals
from mixsem.report.names import MIXED_FILES

Run = Callable[..., Any]

FORMULA = "Reaction ~ Days + (Days | Subject)"
INTERCEPTS = "Reaction ~ Days + (1 | Subject)"
#: Other optimizers stop at other places of a flat optimum: the criterion agrees to this.
SAME_OPTIMUM = 1e-4
#: The same number by another order of operations.
ROUNDING = 1e-12


@pytest.fixture
def sleep(folder: Path) -> pd.DataFrame:
    """The sleep study as a file, with weights, an offset and an age group."""
    frame = mx.data.sleepstudy()
    frame["w"] = 1.0 + (frame["Days"] % 3)
    frame["base"] = 200.0 + frame["Days"]
    frame["late"] = np.where(frame["Days"] > 4, "yes", "no")
    frame.to_csv("sleep.csv", index=False)
    return frame


@pytest.fixture
def record(run: Run, sleep: pd.DataFrame) -> Callable[..., dict[str, Any]]:
    """Run ``mixsem lmer --json`` on it."""

    def run_json(*options: str, formula: str = FORMULA) -> dict[str, Any]:
        outcome = run("lmer", formula, "sleep.csv", "--json", *options)
        assert outcome.code == 0, outcome.err
        found: dict[str, Any] = json.loads(outcome.out)
        return found

    return run_json


def test_prints_and_writes_what_python_gives(run: Run, sleep: pd.DataFrame) -> None:
    outcome = run("lmer", FORMULA, "sleep.csv", "--out", "out", "--title", "Sleep")
    assert outcome.code == 0, outcome.err
    assert {path.name for path in Path("out").iterdir()} == set(MIXED_FILES)
    fit = mx.lmer(FORMULA, sleep)
    assert outcome.out.startswith("Linear mixed model fitted by REML\n")
    assert f"{fit.objective:,.2f}" in outcome.out
    assert outcome.out.endswith(f"Results in out: {', '.join(MIXED_FILES)}\n")

    fixed, random, varcorr = (csv.read_csv(f"out/{name}.csv").to_pandas() for name in ("fixed", "random", "varcorr"))
    assert list(fixed) == ["name", "estimate", "se", "df", "statistic", "p_value", "lower", "upper"]
    assert fixed["estimate"].tolist() == fit.fixef.tolist()
    assert fixed["se"].tolist() == pytest.approx(fit.se.tolist(), rel=ROUNDING)
    assert fixed[["lower", "upper"]].notna().all(axis=None)
    assert random["estimate"].tolist() == fit.ranef.frame["estimate"].tolist()
    assert (random["sd"] > 0.0).all() and random["level"].nunique() == 18
    assert varcorr["sdcor"].tolist() == fit.varcorr.frame["sdcor"].tolist()
    saved = json.loads(Path("out/fit.json").read_text())
    assert (saved["format"], saved["format_version"], saved["title"]) == ("mixsem-lmer", 1, "Sleep")
    assert [entry["value"] for entry in saved["theta"]] == fit.theta.tolist()
    assert saved["criterion"] == fit.objective and saved["n_params"] == 6


def test_the_report_is_one_page_with_its_parts(run: Run, sleep: pd.DataFrame) -> None:
    assert run("lmer", FORMULA, "sleep.csv", "--out", "out", "--anova", "--quiet").code == 0
    page = Path("out/report.html").read_text()
    headings = re.findall(r"<h2 [^>]*>(.*?)</h2>", page)
    assert headings == [
        "What was fitted",
        "Checks",
        "Variances",
        "Fixed effects",
        "The next simpler models",
        "Alternatives to a mixed model",
        "As a growth curve",
        "Figures",
        "Methods",
        "How to reproduce this",
        "References",
    ]
    assert "A Newton step" in page and "no boundary (singular) fit" in page
    assert page.count("<svg ") == page.count("<figure>") >= 3
    assert "mixsem lmer &#x27;Reaction ~ Days + (Days | Subject)&#x27; sleep.csv" in page
    assert "Tests of terms" in page and "10.18637/jss.v082.i13" in page
    assert not re.search(r'(src|href)="(?!#|https://doi\.org/)', page)


def test_the_report_accounts_for_rows_that_are_left_out(run: Run, sleep: pd.DataFrame) -> None:
    sleep.loc[[3, 25, 26], "Reaction"] = np.nan
    sleep.to_csv("sleep.csv", index=False)
    assert run("lmer", FORMULA, "sleep.csv", "--out", "out", "--quiet").code == 0
    page = Path("out/report.html").read_text()
    assert "3 of 180 rows (1.7%) were left out" in page and "Subject observed by Days" in page


@pytest.mark.parametrize("option", [("--residual-by", "late"), ("--optimizer", "cobyqa")])
def test_the_code_of_the_report_gives_the_same_fit(option: tuple[str, str], run: Run, sleep: pd.DataFrame) -> None:
    sleep.assign(Subject="0" + sleep["Subject"].astype(str)).to_csv("sleep.csv", index=False)
    options = ("--ml", "--weights", "w", "--offset", "base", *option)
    assert run("lmer", INTERCEPTS, "sleep.csv", *options, "--out", "out", "--quiet").code == 0
    page = Path("out/report.html").read_text()
    code = re.findall(r"<pre><code>(import mixsem.*?)</code></pre>", page, re.DOTALL)[0]
    for entity, character in (("&#x27;", "'"), ("&quot;", '"'), ("&gt;", ">"), ("&lt;", "<"), ("&amp;", "&")):
        code = code.replace(entity, character)
    space: dict[str, Any] = {}
    exec(code, space)
    assert space["fit"].objective == json.loads(Path("out/fit.json").read_text())["criterion"]
    assert space["fit"].design.factors[0].levels[0] == "0308"  # labels as they are written, as on the command line


def test_the_same_command_gives_the_same_bytes(run: Run, sleep: pd.DataFrame) -> None:
    written = []
    for _ in range(2):
        assert run("lmer", INTERCEPTS, "sleep.csv", "--out", "out", "--quiet").code == 0
        written.append([Path("out", name).read_bytes() for name in MIXED_FILES])
    assert written[0] == written[1]


def test_ml_weights_and_offset(record: Callable[..., dict[str, Any]], sleep: pd.DataFrame) -> None:
    found = record("--ml", "--weights", "w", "--offset", "base")
    fit = mx.lmer(FORMULA, sleep, reml=False, weights="w", offset="base")
    assert not found["reml"] and (found["weights"], found["offset"]) == ("w", "base")
    assert found["criterion"] == fit.objective != mx.lmer(FORMULA, sleep).objective
    assert found["loglik"] == fit.loglik and found["deviance"] == fit.objective


@pytest.mark.parametrize("method", ["satterthwaite", "kenward-roger", "none"])
def test_ddf(method: Any, record: Callable[..., dict[str, Any]], sleep: pd.DataFrame) -> None:
    found = record("--ddf", method)
    expected = ddf.coefficient_table(mx.lmer(FORMULA, sleep), method).frame
    assert found["ddf"] == method and found["statistic"] == ("z" if method == "none" else "t")
    assert [row["statistic"] for row in found["fixed"]] == expected[found["statistic"]].tolist()
    degrees = [row["df"] for row in found["fixed"]]
    assert degrees == ([None, None] if method == "none" else expected["df"].tolist())


def test_profile_limits_stand_beside_their_parameters(
    record: Callable[..., dict[str, Any]], sleep: pd.DataFrame
) -> None:
    found = record("--confint", "profile", formula="Reaction ~ 1 + (Days | Subject)")
    fit = mx.lmer("Reaction ~ 1 + (Days | Subject)", sleep)
    limits = mx.confint(fit).frame.set_index("parameter")[["lower", "upper"]]
    names = {("(Intercept)", None): "sd_(Intercept)|Subject", ("Days", None): "sd_Days|Subject", (None, None): "sigma"}
    names["(Intercept)", "Days"] = "cor_Days.(Intercept)|Subject"
    assert len(found["variances"]) == 4
    for row in found["variances"]:
        expected = limits.loc[names[row["effect"], row["effect2"]]]
        assert [row["lower"], row["upper"]] == expected.tolist()
        assert row["lower"] < row["sdcor"] < row["upper"]
    assert found["fixed"][0]["lower"] == limits.loc["(Intercept)", "lower"]


def test_which_limits_are_told(run: Run, record: Callable[..., dict[str, Any]]) -> None:
    assert "intervals" not in run("lmer", INTERCEPTS, "sleep.csv").out
    assert "95% Wald intervals" in run("lmer", INTERCEPTS, "sleep.csv", "--confint", "wald").out
    assert "95% profile" in run("lmer", INTERCEPTS, "sleep.csv", "--confint", "profile").out
    assert record("--confint", "wald")["fixed"] == record()["fixed"]
    assert {row["lower"] for row in record("--confint", "none")["fixed"]} == {None}


def test_anova(run: Run, record: Callable[..., dict[str, Any]], sleep: pd.DataFrame) -> None:
    found = record("--anova", formula="Reaction ~ late * Days + (1 | Subject)")["terms"]
    expected = mx.anova(mx.lmer("Reaction ~ late * Days + (1 | Subject)", sleep)).to_pandas()
    assert [row["term"] for row in found] == expected["term"].tolist() == ["late", "Days", "late:Days"]
    assert [row["F"] for row in found] == expected["F"].tolist()
    assert "Tests of terms" in run("lmer", INTERCEPTS, "sleep.csv", "--anova").out
    assert record()["terms"] is None


def test_residual_structures(run: Run, record: Callable[..., dict[str, Any]], sleep: pd.DataFrame) -> None:
    found = record("--residual-by", "late", "--ar1", "Subject", "Days", formula=INTERCEPTS)["residual"]
    fit = mx.lmer(INTERCEPTS, sleep, residual=mx.Residual(by="late", ar1=("Subject", "Days")))
    assert (found["by"], found["ar1"], found["phi"]) == ("late", ["Subject", "Days"], fit.residual.phi)
    assert [row["sd"] for row in found["levels"]] == fit.residual.frame["sd"].tolist()
    assert "AR(1)" in run("lmer", INTERCEPTS, "sleep.csv", "--ar1", "Subject", "Days").out
    assert record()["residual"] is None


def test_optimizer(record: Callable[..., dict[str, Any]]) -> None:
    found, usual = record("--optimizer", "nelder-mead"), record()
    assert (found["search"]["optimizer"], usual["search"]["optimizer"]) == ("nelder-mead", "lbfgsb")
    assert found["criterion"] == pytest.approx(usual["criterion"], abs=SAME_OPTIMUM)


def test_quiet_prints_the_folder_only(run: Run, sleep: pd.DataFrame) -> None:
    outcome = run("lmer", INTERCEPTS, "sleep.csv", "--out", "results", "--quiet")
    assert (outcome.code, outcome.out, outcome.err) == (0, "results\n", "")
    assert run("lmer", INTERCEPTS, "sleep.csv", "--quiet").out == ""


def test_warnings_are_said_once_and_on_stderr(run: Run, sleep: pd.DataFrame) -> None:
    sleep.assign(Days=sleep["Days"].where(sleep["Days"] != 3)).to_csv("holes.csv", index=False)
    outcome = run("lmer", "Reaction ~ Days + (1 | Subject) + (1 | late)", "holes.csv")
    assert outcome.code == 0
    for name in ("MissingDataWarning", "FewGroupsWarning"):
        assert outcome.err.count(name) == 1 and name not in outcome.out
    assert "18 of 180 rows" in outcome.err


def test_labels_of_groups_are_read_as_written(run: Run, sleep: pd.DataFrame) -> None:
    # 1.1 and 1.10 are two people, and 01 is not 1; days are numbers, although they group rows too.
    labels = [f"1.{i}" for i in range(1, 19)]
    sleep.assign(Subject=np.repeat(labels, 10)).to_csv("labels.csv", index=False)
    outcome = run("lmer", "Reaction ~ Days + (1 | Subject) + (1 | Days)", "labels.csv", "--json")
    found = json.loads(outcome.out)
    assert found["groups"] == [{"group": "Subject", "n_levels": 18}, {"group": "Days", "n_levels": 10}]
    assert [row["name"] for row in found["fixed"]] == ["(Intercept)", "Days"]


@pytest.mark.parametrize("name", ["sleep.parquet", "sleep.tsv", "sleep.csv.gz", "sleep.feather"])
def test_files_of_other_kinds(name: str, run: Run, sleep: pd.DataFrame) -> None:
    writers: dict[str, Callable[[], object]] = {
        "sleep.parquet": lambda: sleep.to_parquet(name),
        "sleep.tsv": lambda: sleep.to_csv(name, sep="\t", index=False),
        "sleep.csv.gz": lambda: sleep.to_csv(name, index=False),
        "sleep.feather": lambda: sleep.to_feather(name),
    }
    writers[name]()
    usual = run("lmer", INTERCEPTS, "sleep.csv").out
    assert run("lmer", INTERCEPTS, name).out == usual


def test_save_results_writes_the_same_files(run: Run, sleep: pd.DataFrame) -> None:
    assert run("lmer", FORMULA, "sleep.csv", "--out", "out", "--quiet").code == 0
    files = mx.save_results(mx.lmer(FORMULA, pd.read_csv("sleep.csv")), "python")
    assert tuple(files) == MIXED_FILES
    for name in ("fixed.csv", "random.csv", "varcorr.csv", "fit.json"):
        assert Path("out", name).read_bytes() == files[name].read_bytes()


BAD = [
    ((FORMULA,), ("required: DATA", "the formula comes first")),
    (("sleep.csv", FORMULA), ("'sleep.csv' has no '~'", "the formula comes first, then the data")),
    (("", "sleep.csv"), ("FORMULA is empty", "allowed: a formula in quotation marks")),
    (("Reaction", "sleep.csv"), ("formula, line 1, column 1", "has no '~'", "next: begin 'y ~'")),
    (("Reaction ~ Days", "sleep.csv"), ("column 16", "no random term", "next: add one")),
    (("Reaction ~ Days + (Days | Subject", "sleep.csv"), ("column 19", "never closed", "next: add the ')'")),
    (("Reaction ~ Days + (1 | Subject + late)", "sleep.csv"), ("'+' is unexpected", "(1 | a) + (1 | b)")),
    (("Reaction ~ Day + (1 | Subject)", "sleep.csv"), ("no column 'Day'", "allowed: Reaction", "did you mean 'Days'")),
    (("Reaction ~ ns(Days, 3) + (1 | Subject)", "sleep.csv"), ("ns(Days, 3)", "natural splines are cr(")),
    (("late ~ Days + (1 | Subject)", "sleep.csv"), ("late is not a column of numbers", "next: turn it into numbers")),
    (("Reaction ~ Days + (1 | Subject:Days)", "sleep.csv"), ("180 levels for 180 rows", "next: take")),
    ((FORMULA, "nothing.csv"), ("DATA: there is no file nothing.csv", "next: check the path")),
    ((FORMULA, "survey.csv"), ("no column", "Reaction", "allowed: country")),
    ((FORMULA, "measurement.txt"), ("measurement.txt has no suffix of a table", "allowed: .csv", "next: save it")),
    ((FORMULA, "moments.json"), ("holds moments", "a table with one row per observation")),
    ((FORMULA, "sleep.csv", "--ddf", "kr"), ("--ddf kr", "allowed: satterthwaite, kenward-roger, none")),
    (
        (FORMULA, "sleep.csv", "--ddf", "kenward-roger", "--ml"),
        ("--ddf kenward-roger came with --ml", "allowed: fits by REML", "next: leave --ml out"),
    ),
    (
        (FORMULA, "sleep.csv", "--ddf", "kenward-roger", "--residual-by", "late"),
        ("came with --residual-by", "next: use --ddf satterthwaite"),
    ),
    ((FORMULA, "sleep.csv", "--confint", "boot"), ("--confint boot", "allowed: wald, profile, none")),
    (
        (FORMULA, "sleep.csv", "--confint", "profile", "--ar1", "Subject", "Days"),
        ("--confint profile came with --ar1", "next: use --confint wald"),
    ),
    ((FORMULA, "sleep.csv", "--optimizer", "bobyqa"), ("--optimizer bobyqa", "did you mean 'cobyqa'")),
    (
        (FORMULA, "sleep.csv", "--optimizer", "cobyqa", "--residual-by", "late"),
        ("--optimizer cobyqa came with --residual-by", "allowed: lbfgsb"),
    ),
    ((FORMULA, "sleep.csv", "--weights", ""), ("--weights is empty", "allowed: the name of a column")),
    ((FORMULA, "sleep.csv", "--weights", "wt"), ("no column 'wt'", "allowed: ", "next: ")),
    ((FORMULA, "sleep.csv", "--weights", "zero"), ("zero or negative", "allowed: positive weights", "next: ")),
    ((FORMULA, "sleep.csv", "--offset", "bas"), ("no column 'bas'", "did you mean 'base'")),
    ((FORMULA, "sleep.csv", "--offset", "late"), ("late", "numbers")),
    ((FORMULA, "sleep.csv", "--ar1", "Subject"), ("--ar1: expected 2 arguments",)),
    ((FORMULA, "sleep.csv", "--ar1", "Subject", "Reaction"), ("not whole", "allowed: whole numbers", "next: number")),
    (
        (FORMULA, "sleep.csv", "--ar1", "Days", "Subject"),
        ("AR(1) residuals within Days", "next: use --ar1 Days:Subject ..."),
    ),
    ((FORMULA, "sleep.csv", "--residual-by", "lat"), ("no column 'lat'", "did you mean 'late'")),
    ((FORMULA, "sleep.csv", "--reml"), ("unknown argument '--reml'", "did you mean '--ml'")),
    ((FORMULA, "sleep.csv", "--json", "--quiet"), ("--json came with --quiet", "next: leave one of them out")),
    ((FORMULA, "sleep.csv", "--out", ""), ("--out is empty", "allowed: a path")),
    ((FORMULA, "sleep.csv", "--out", "sleep.csv"), ("sleep.csv is a file", "allowed: a folder")),
]


@pytest.mark.parametrize(("line", "says"), BAD)
def test_what_is_wrong_is_named(
    line: tuple[str, ...], says: tuple[str, ...], run: Run, sleep: pd.DataFrame, contents: Callable[[], object]
) -> None:
    sleep.assign(zero=0).to_csv("sleep.csv", index=False)
    before = contents()
    outcome = run("lmer", *line)
    assert outcome.code == 2 and outcome.out == "", outcome
    assert outcome.err.startswith("mixsem: error: ") and "Traceback" not in outcome.err
    assert not [part for part in says if part not in outcome.err], outcome.err
    assert contents() == before


def test_data_in_the_folder_of_the_results_are_spared(run: Run, sleep: pd.DataFrame) -> None:
    Path("out").mkdir()
    sleep.to_csv("out/fixed.csv", index=False)
    before = Path("out/fixed.csv").read_bytes()
    outcome = run("lmer", FORMULA, "out/fixed.csv", "--out", "out")
    assert outcome.code == 2 and "would replace the data" in outcome.err
    assert Path("out/fixed.csv").read_bytes() == before


def test_help(run: Run) -> None:
    outcome = run("lmer", "--help")
    assert outcome.code == 0 and "--ddf" in outcome.out and "lme4" in outcome.out


def test_the_parser_knows_what_the_library_knows() -> None:
    assert lmer_parser.OPTIMIZERS == optimise.METHODS
    assert typing.get_args(ddf.Ddf) == lmer_parser.DDF_METHODS
    assert {name for name in lmer_parser.CONFINT_METHODS if name != "none"} < set(intervals.METHODS)
