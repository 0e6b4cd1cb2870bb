"""What comes from somebody else is shown, never obeyed: labels, titles and names in reports, tables and terminals."""

from __future__ import annotations

import ast
import csv
import html
import re
from pathlib import Path

import mixsem

SOURCE = Path(mixsem.__file__).parent

SCRIPT = "<script>alert(1)</script>"
IMAGE = '"><img src=x onerror=alert(1)>'
ESCAPE = "\x1b]0;owned\x07\x1b[31mred"
HOSTILE = {"A": SCRIPT, "B": IMAGE, "C": ESCAPE, "D": "=cmd|' /C calc'!A0", "E": "a\nb|c", "F": "‮$\\input{x}$"}

#: Functions that execute what they read, and where the package may use them: on what it made itself a moment ago.
EXECUTING = {"eval", "exec", "compile", "__import__"}
UNPICKLING = {"pickle", "dill", "cloudpickle", "shelve", "marshal", "yaml", "joblib.load"}
OWN_PICKLES = {"mixed/uncertainty/bootstrap.py", "mixed/selection/cross_validation.py"}


def test_nothing_that_reads_executes():
    for path in SOURCE.rglob("*.py"):
        name, text = path.relative_to(SOURCE).as_posix(), path.read_text(encoding="utf-8")
        if not any(word in text for word in (*EXECUTING, *UNPICKLING, "np.load", "pickle")):
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in EXECUTING, f"{name}, line {node.lineno}: {node.func.id}()"
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                called = ast.unparse(node.func)
                assert called not in ("pd.read_pickle", "joblib.load"), f"{name}: {called}"
                safe = any(k.arg == "allow_pickle" for k in node.keywords)  # what it is, is looked at below
                assert called != "np.load" or safe, f"{name}: {called}"
            if isinstance(node, ast.Import | ast.ImportFrom):
                modules = {alias.name.split(".")[0] for alias in node.names} | {getattr(node, "module", "") or ""}
                assert not modules & UNPICKLING or name in OWN_PICKLES, f"{name}, line {node.lineno}: {modules}"
            if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
                assert isinstance(node.value, ast.Constant) and node.value.value is False, name


def test_a_fit_shows_hostile_labels_and_obeys_none(folder, survey, command):
    survey.replace({"country": HOSTILE}).to_csv("survey.csv", index=False)
    code, out, err = command(
        *["fit", "survey.csv", "--group", "country", "--clusters", "1-2", "--starts", "5", "--out", "out"],
        *("--measurement", "measurement.txt", "--structural", "structural.txt", "--title", SCRIPT),
    )
    assert code == 0, err
    assert "\x1b" not in out + err and "\x07" not in out + err
    page = Path("out/report.html").read_text(encoding="utf-8")
    for hostile in (SCRIPT, IMAGE):
        assert hostile not in page
        assert html.escape(hostile) in page or html.escape(hostile, quote=False) in page
    assert not re.search(r"<img[^>]*onerror", page)
    assert "\x1b" not in page
    for path in Path("out").glob("*.svg"):
        assert not re.search(r"<script|<[^>]*onerror", path.read_text(encoding="utf-8"))
    with Path("out/clusters.csv").open(encoding="utf-8", newline="") as file:
        labels = {row[next(iter(row))] for row in csv.DictReader(file)}
    assert {SCRIPT, "a\nb|c"} <= labels


#: Commands whose errors and warnings name what the files hold, in which a text tells terminals what to do.
NAMING = (
    "fit survey.csv --group country --measurement measurement.txt --structural structural.txt --out out",
    "moments survey.csv --group country --measurement measurement.txt --out moments.json",
    "fit panel.csv --group country --measurement measurement.txt --structural structural.txt --out out",
)


def test_errors_and_warnings_do_not_tell_terminals_what_to_do(folder, survey, panel, command):
    constant = survey["t2"].where(survey["country"] != "C", 3.0)
    survey.assign(t2=constant).replace({"country": HOSTILE}).to_csv("survey.csv", index=False)
    panel.rename(columns={"x": ESCAPE}).to_csv("panel.csv", index=False)
    lines = [line.split() for line in NAMING] + [
        ["lmer", f"y ~ x {ESCAPE}", "panel.csv"],
        ["fit", f"{ESCAPE}.csv"],
        [ESCAPE],
    ]
    for line in lines:
        _, out, err = command(*line)
        assert err
        assert "\x1b" not in out + err and "\x07" not in out + err


def test_mixed_reports_show_hostile_labels_and_run_nothing(folder, panel, command):
    panel.assign(g=panel["g"].replace({"p1": SCRIPT, "p2": ESCAPE, "p3": IMAGE})).to_csv("panel.csv", index=False)
    code, out, err = command("lmer", "y ~ x + (1 | g)", "panel.csv", "--out", "out", "--title", IMAGE)
    assert code == 0, err
    page = Path("out/report.html").read_text(encoding="utf-8")
    assert SCRIPT not in page and IMAGE not in page
    assert "\x1b" not in page + out + err


def test_a_traversing_name_stays_in_the_folder(folder, command):
    Path("study.toml").write_text(
        'name = "../../../escaped"\nreplications = 1\n[population]\nn_groups = 12\n[factors]\nbeta = [0.2]\n'
        '[methods."../../escaped"]\nmethod = "mmgsem"\n'
    )
    code, _, err = command("study", "run", "study.toml", "--workers", "1", "--out", "out/deep")
    assert code == 0, err
    assert not [p for p in folder.parent.rglob("*escaped*")]
