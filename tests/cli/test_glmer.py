"""``mixsem glmer``: what it prints and writes, and what it refuses."""

from __future__ import annotations

import html
import json
import re
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mixsem as mx
from mixsem.cli import glmer_parser
from mixsem.mixed.generalised.family_choice import FAMILIES
from mixsem.mixed.generalised.links import LinkName
from mixsem.report.names import MIXED_FILES

Run = Callable[..., Any]

FORMULA = "cbind(hits, misses) ~ arm + x + (1 | g)"


@pytest.fixture
def trial(folder: Path) -> pd.DataFrame:
    """Hits and misses of 30 groups as a file."""
    rng = np.random.default_rng(7)
    g, arm, x = np.repeat(np.arange(30), 4), np.tile(["a", "b"], 60), rng.normal(size=120).round(2)
    n = rng.integers(2, 9, size=120)
    hits = rng.binomial(n, 1.0 / (1.0 + np.exp(-0.5 * x - 0.9 * rng.normal(size=30)[g])))
    frame = pd.DataFrame({"g": g, "arm": arm, "x": x, "n": n, "hits": hits, "misses": n - hits, "share": hits / n})
    frame.to_csv("trial.csv", index=False)
    return frame


def test_names_are_those_of_the_library():
    assert set(glmer_parser.FAMILY_NAMES) == set(FAMILIES)
    assert typing.get_args(LinkName) == glmer_parser.LINK_NAMES


def test_prints_the_summary(trial: pd.DataFrame, run: Run):
    done = run("glmer", FORMULA, "trial.csv", "--family", "binomial", "--n-agq", "7", "--anova", "--profile")
    assert done.code == 0
    fit = mx.glmer(FORMULA, trial, family="binomial", n_agq=7)
    assert f"{fit.loglik:.2f}" in done.out
    for words in ("Gauss-Hermite quadrature, 7 nodes", "Tests of terms", "95% profile likelihood intervals"):
        assert words in done.out


def test_writes_the_files(trial: pd.DataFrame, run: Run):
    weighted = ("glmer", "share ~ arm + x + (1 | g)", "trial.csv", "--family", "binomial", "--weights", "n")
    done = run(*weighted, "--link", "probit", "--out", "out", "--title", "A trial")
    assert done.code == 0
    assert sorted(path.name for path in Path("out").iterdir()) == sorted(MIXED_FILES)
    fit = mx.glmer(FORMULA, trial, family="binomial", link="probit")
    record = json.loads(Path("out/fit.json").read_text(encoding="utf-8"))
    assert (record["format"], record["family"], record["link"], record["weights"]) == (
        "mixsem-glmer", "binomial", "probit", "n",
    )  # fmt: skip
    assert record["criterion"] == pytest.approx(fit.objective, abs=1e-6)  # stopping rule of the search
    fixed = pd.read_csv("out/fixed.csv")
    np.testing.assert_allclose(fixed["estimate"], fit.fixef, atol=1e-4)
    page = Path("out/report.html").read_text(encoding="utf-8")
    for words in ("A trial", "probit link", "<svg", "weights=&#x27;n&#x27;"):
        assert words in page


def test_the_code_in_the_report_repeats_the_analysis(trial: pd.DataFrame, run: Run):
    run("glmer", FORMULA, "trial.csv", "--family", "binomial", "--n-agq", "3", "--out", "out", "--quiet")
    page = Path("out/report.html").read_text(encoding="utf-8")
    code = next(
        html.unescape(text) for text in re.findall(r"<code>(.*?)</code>", page, re.DOTALL) if "mx.glmer" in text
    )
    space: dict[str, Any] = {}
    exec(code, space)
    assert (space["fit"].n_agq, space["fit"].formula) == (3, FORMULA)


def test_json(trial: pd.DataFrame, run: Run):
    done = run("glmer", "hits ~ x + offset(log(n)) + (1 | g)", "trial.csv", "--family", "poisson", "--json")
    record = json.loads(done.out)
    assert record["n_params"] == 3
    assert [row["name"] for row in record["fixed"]] == ["(Intercept)", "x"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((FORMULA, "trial.csv", "--family", "binomal"), "binomial"),
        ((FORMULA, "trial.csv", "--family", "binomial", "--link", "sqrt"), "link"),
        ((FORMULA, "trial.csv", "--family", "binomial", "--n-agq", "0", "--profile"), "--profile"),
        ((FORMULA, "trial.csv", "--family", "binomial", "--n-agq", "-1"), "--n-agq"),
        ((FORMULA, "trial.csv", "--family", "binomial", "--json", "--quiet"), "--json"),
        (("trial.csv", FORMULA, "--family", "binomial"), "formula comes first"),
        ((FORMULA, "nothing.csv", "--family", "binomial"), "no file"),
        ((FORMULA, "trial.csv"), "--family"),
    ],
)
def test_refused(trial: pd.DataFrame, run: Run, arguments: tuple[str, ...], words: str):
    done = run("glmer", *arguments)
    assert done.code != 0
    assert words in done.err
