"""Command lines that cannot be run: exit code 2, words on stderr, nothing on stdout, no file changed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

FIT = (
    "fit survey.csv --group country --measurement measurement.txt --structural structural.txt --clusters 1-2 --starts 5"
    " --out out"
)
MOMENTS = "moments survey.csv --group country --measurement measurement.txt --out moments.json"
INVARIANCE = "invariance survey.csv --group country --measurement measurement.txt --out out"
CFA = "cfa measurement.txt survey.csv --out out"
LMER = ["lmer", "y ~ x + (1 | g)", "panel.csv", "--out", "out"]
GLMER = ["glmer", "b ~ x + (1 | g)", "panel.csv", "--family", "binomial", "--out", "out"]
POWER = "power --groups 12 --sizes 50 --replications 1 --workers 1 --starts 5 --out out"
STUDY = "study run study.toml --workers 1 --out out"
STUDY_FILE = 'name = "s"\nreplications = 1\n[population]\nn_groups = 12\n[factors]\nbeta = [0.2]\n[methods.mmgsem]\n'


def words(line: str | list[str]) -> list[str]:
    return line.split() if isinstance(line, str) else list(line)


def replaced(line: str | list[str], **changes: str | list[str] | None) -> list[str]:
    """Options with other values, or without (None); positions by their place, as in `_1`."""
    given = words(line)
    for name, value in changes.items():
        if name.startswith("_"):
            given[int(name[1:])] = str(value)
            continue
        option = f"--{name.replace('_', '-')}"
        if option in given:
            at = given.index(option)
            del given[at : at + 2]
        if value is not None:
            given += [option, *([value] if isinstance(value, str) else value)]
    return given


def lines() -> dict[str, list[str]]:
    """What is wrong -> the command."""
    found: dict[str, list[str]] = {
        "no command": [],
        "an unknown command": ["fti"],
        "an unknown option of all": ["--verbose"],
        "an empty command": [""],
        "fit of nothing": ["fit"],
        "moments without items": replaced(MOMENTS, measurement=None),
        "moments with items twice over": replaced(MOMENTS, items="t1,t2"),
        "study without an action": ["study"],
        "study with an unknown action": ["study", "walk"],
        "explain nothing": ["explain"],
        "explain what is not there": ["explain", "MX999"],
        "explain a path": ["explain", "../../etc/passwd"],
    }
    bad: dict[str, tuple[str | list[str], dict[str, list[str]]]] = {
        "fit": (
            FIT,
            {
                "_1": ["nowhere.csv", ".", "", "x" * 5000, "measurement.txt", "a\x00b.csv", "-", "*.csv"],
                "group": ["nation", "t1", "", "x" * 5000, "\x00"],
                "measurement": ["nowhere.txt", "trust =~", "~", "", ".", "survey.csv", "trust =~ t9", "structural.txt"],
                "structural": ["nowhere.txt", "trust ~", "trust ~ trust", "trust ~ hope", "measurement.txt"],
                "clusters": ["0", "-1", "1-", "6-1", "a", "1.5", "99", "1-99", "", "nan", "1e9", "9" * 50],
                "choose": ["9", "a", "0", "-1"],
                "min-size": ["0", "-3", "a", "1e9", "99999", ""],
                "starts": ["0", "-1", "a", "1.5", "inf", ""],
                "seed": ["-1", "a", "1.5", "nan", ""],
                "method": ["mgsem", "", "MMGSEM "],
                "residuals": ["country", ""],
                "missing": ["fiml", ""],
                "blocks": ["trust", "trust,hope", ";", ""],
                "partial": ["trust =~ t9", "t1", "", "fear =~ t1", "trust =~ t1 + t2"],
                "equal": ["loading", ""],
                "ordered": ["t9", ""],
                "equal-regressions": ["trust ~ hope", "trust", ""],
                "group-specific": ["trust ~ hope", "trust", ""],
                "random": ["loadings"],
                "prior-variance": ["0.01"],
                "chains": ["4"],
                "out": ["survey.csv", "survey.csv/deep", "\x00", "x" * 300],
            },
        ),
        "fit, Bayesian": (
            replaced(FIT, method="mixmg-bsem"),
            {
                "prior-variance": ["-1", "a", "inf", "nan", "", "trust=a", "hope=0.1", "trust =~ t9=1"],
                "priors": ["flat", ""],
                "sampler": ["gibbs", ""],
                "chains": ["0", "-1", "a", "1.5", "999999999"],
                "warmup": ["-1", "a"],
                "draws": ["0", "-1", "a", "999999999999"],
                "target-accept": ["0", "1.5", "a", "nan"],
                "reference": ["Z", ""],
                "save-draws": ["draws.csv", "nowhere/draws.nc", "survey.csv"],
                "partial": ["trust =~ t2"],
                "ordered": ["all"],
            },
        ),
        "moments": (
            replaced(MOMENTS, measurement=None),
            {
                "items": ["t9", "", ",", "t1,t1", "country", "t1;t2"],
                "out": ["moments.txt", "survey.csv", "nowhere/moments.json", ".", "moments"],
            },
        ),
        "invariance": (
            INVARIANCE,
            {
                "levels": ["tight", "", ","],
                "estimator": ["OLS", ""],
                "partial": ["trust =~ t9", ""],
                "threshold": ["0.2"],
                "min-share": ["0.5"],
                "kinds": ["loadings"],
                "blocks": ["trust"],
                "min-size": ["0", "a"],
            },
        ),
        "cfa": (
            CFA,
            {
                "_1": ["nowhere.txt", "trust =~", "."],
                "_2": ["nowhere.csv", "measurement.txt", "."],
                "group": ["nation"],
                "group-equal": ["loadings", "everything"],
                "group-partial": ["trust =~ t2"],
                "estimator": ["OLS", ""],
                "ordered": ["t9"],
                "missing": ["fiml"],
            },
        ),
        "lmer": (
            LMER,
            {
                "_1": ["", "y", "y ~ x", "y ~ x + (1 | h)", "y ~ I(open('a', 'w')) + (1 | g)", "panel.csv"],
                "_2": ["nowhere.csv", ".", "measurement.txt", ""],
                "weights": ["z", "arm", "x"],
                "offset": ["z", "arm"],
                "ddf": ["kr", ""],
                "confint": ["exact", ""],
                "residual-by": ["z", "y"],
                "optimizer": ["magic", ""],
            },
        ),
        "glmer": (
            GLMER,
            {
                "_1": ["y ~ x + (1 | g)", "n ~ x + (1 | g)", "cbind(b) ~ x + (1 | g)", "cbind(b, y) ~ x + (1 | g)"],
                "family": ["normal", "", "poison", "gamma"],
                "link": ["logti", "sqrt", ""],
                "n-agq": ["-1", "a", "1.5", "1000000"],
                "weights": ["z", "arm", "y"],
                "offset": ["z", "arm"],
            },
        ),
        "power": (
            POWER,
            {
                "groups": ["0", "-1", "a", "", "12.5", "12,,24", "9" * 30],
                "sizes": ["0", "-1", "a", "", "50-", "200-50", "9" * 30],
                "clusters": ["0", "9", "a"],
                "beta": ["a", "nan", "inf", "9"],
                "reliability": ["middling", "2"],
                "loading-variance": ["-1", "a"],
                "replications": ["0", "-1", "a", "9" * 30],
                "choose-among": ["0", "a", "4-1"],
                "starts": ["0", "a"],
                "threshold": ["2", "a", "-2"],
                "wanted": ["2", "a", "-1"],
                "seed": ["-1", "a"],
                "workers": ["0", "-1", "a"],
                "dask": ["nowhere"],
                "method": ["magic"],
                "out": ["survey.csv"],
            },
        ),
        "study": (
            STUDY,
            {
                "_2": ["nowhere.toml", "mixml-9", ".", "survey.csv", ""],
                "replications": ["0", "-1", "a", "9" * 30],
                "cells": ["0", "-1", "a", "99"],
                "seed": ["-1", "a"],
                "workers": ["0", "a"],
                "out": ["survey.csv"],
            },
        ),
    }  # fmt: skip
    for name, (line, options) in bad.items():
        for option, values in options.items():
            for i, value in enumerate(values):
                found[f"{name} {option} {i}"] = replaced(
                    line, **{option.replace("-", "_") if option[0] != "_" else option: value}
                )
    found |= {
        "ar1 of half": [*LMER, "--ar1", "g"],
        "ar1 of fractions": [*LMER, "--ar1", "g", "y"],
        "an option without its value": [*words(FIT), "--title"],
        "an unknown option": [*words(FIT), "--colour", "red"],
        "an option cut short": [*words(FIT), "--choo", "2"],
        "mean structure without equal intercepts": [*words(FIT), "--meanstructure"],
        "ordered items with ml": [*words(FIT), "--ordered", "all", "--missing", "ml"],
        "the data as output": replaced(MOMENTS, out="survey.csv"),
        "search options without a search": [*words(INVARIANCE), "--kinds", "loadings"],
        "table of no study": ["study", "table", "here"],
        "table of a folder without study": ["study", "table", "."],
        "anova without a measure": ["study", "anova", "."],
        "plot of no study": ["study", "plot", ".", "--out", "figures"],
        "status of no study": ["study", "status", "nowhere"],
        "data of a cell that is not there": [
            "study",
            "data",
            "study.toml",
            "--cell",
            "99",
            "--replication",
            "1",
            "--out",
            "data.csv",
        ],
        "data of replication 0": [
            "study",
            "data",
            "study.toml",
            "--cell",
            "0",
            "--replication",
            "0",
            "--out",
            "data.csv",
        ],
        "data as a picture": ["study", "data", "study.toml", "--cell", "0", "--replication", "1", "--out", "data.png"],
        "show nothing": ["study", "show", "nowhere"],
        "demo in a file": ["demo", "--out", "survey.csv"],
        "demo by an unknown method": ["demo", "--method", "magic"],
        "a plan that is no TOML": ["power", "measurement.txt"],
        "a plan that is a folder": ["power", "."],
        "a plan and a population": ["power", "plan.toml", "--beta", "0.3"],
    }
    return found


LINES = lines()


@pytest.mark.parametrize("case", LINES)
def test_a_command_that_cannot_be_run_is_refused(case, folder, command_refuses):
    Path("study.toml").write_text(STUDY_FILE)
    Path("plan.toml").write_text("n_groups = [12]\n[population]\nmagic = 1\n")
    command_refuses(*LINES[case])


#: The same as a process of its own, where nothing of this process helps.
REAL = (
    "no command",
    "an unknown command",
    "fit _1 0",
    "fit clusters 4",
    "fit out 0",
    "lmer _1 4",
    "glmer family 0",
    "power groups 2",
    "study _2 0",
    "demo in a file",
)


@pytest.mark.slow
def test_as_processes_of_their_own(folder, unchanged):
    Path("study.toml").write_text(STUDY_FILE)
    for case in REAL:
        with unchanged():
            done = subprocess.run(
                [sys.executable, "-m", "mixsem", *LINES[case]], capture_output=True, text=True, env=os.environ
            )
        assert done.returncode == 2, (case, done)
        assert done.stdout == "" and "Traceback" not in done.stderr, (case, done)
