"""Frames, tables, report, record and code of a Bayesian measurement model."""

from __future__ import annotations

import json
import re
import warnings
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mixsem as mx
from mixsem.bayes import Beta, Flat, Gamma, HalfNormal, HalfT, InverseGamma, Normal, Priors
from mixsem.report.bayesian_frames import loading_variation
from mixsem.report.bayesian_words import prior_entries, prior_words
from mixsem.report.reproduce import python_code, settings_in_words
from mixsem.report.summary import summary
from mixsem.structural.choice import choose_clusters
from mixsem.structural.select import MixtureSelection

MODEL = """
  F1 =~ V1 + V2 + V3
  F3 =~ V11 + V12 + c*V13 + V14
  V11 ~~ V12
"""
STRUCTURAL = "F3 ~ F1"
TINY = mx.Sampling(chains=2, warmup=150, draws=100)
ML = {"random": ("loadings", "F1 ~~ F1", "residuals"), "sampling": TINY}
OWN_PRIORS = Priors(loading=Normal(0, 2), residual_sd=HalfT(3, 0.5))
MG: dict[str, Any] = {
    "prior_variance": {"F1": 0.05, "F3 =~ V14": None},
    "reference": "3",
    "priors": OWN_PRIORS,
    "sampling": TINY,
}


def quietly(function: Any, *arguments: Any, **options: Any) -> Any:
    """Short chains warn, and rightly so."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*arguments, **options)


@pytest.fixture(scope="module")
def moments() -> mx.SampleMoments:
    """Ten groups with names that are numbers."""
    truth = mx.simulate.draw_truth(mx.simulate.Population(n_groups=10, n_clusters=2, loading_variance=0.05), seed=3)
    drawn = mx.simulate.draw_moments(truth, seed=3)
    return replace(drawn, groups=tuple("0123456789"))


@pytest.fixture(scope="module")
def ml(moments: mx.SampleMoments) -> MixtureSelection:
    """MixML-SEM."""
    fits = quietly(mx.mixml_sem, MODEL, STRUCTURAL, moments, k=(1, 2), **ML, n_starts=5, seed=2)
    assert isinstance(fits, MixtureSelection)
    return fits


@pytest.fixture(scope="module")
def mg(moments: mx.SampleMoments) -> MixtureSelection:
    """MixMG-BSEM, with options of all kinds."""
    fits = quietly(mx.mixmg_bsem, MODEL, STRUCTURAL, moments, k=(1, 2), **MG, residuals="cluster", n_starts=5, seed=2)
    assert isinstance(fits, MixtureSelection)
    return fits


def step1(fits: MixtureSelection) -> mx.BayesianFit:
    measurement = fits.fits[0].moments.measurement
    assert isinstance(measurement, mx.BayesianFit)
    return measurement


def of(frame: pd.DataFrame, name: str, what: str) -> pd.DataFrame:
    """Rows of one parameter."""
    return frame[(frame["lhs"] + frame["op"] + frame["rhs"] == name) & (frame["what"] == what)]


def test_tidy_is_the_posterior(ml: MixtureSelection, mg: MixtureSelection) -> None:
    for fits in (ml, mg):
        fit = step1(fits)
        frame = mx.tidy(fit)
        for block in fit.blocks:
            draws = block.posterior.values(block.draws.flat)
            for e, name in enumerate(block.posterior.model.entries):
                rows = of(frame, name, "group")
                if rows.empty:
                    continue
                assert rows["group"].tolist() == list(fit.groups)
                # The same draws, summed in another order: rounding only.
                np.testing.assert_allclose(rows["estimate"], draws[:, :, e].mean(axis=0), rtol=1e-9)
                np.testing.assert_allclose(rows["sd"], draws[:, :, e].std(axis=0, ddof=1), rtol=1e-9)
                expected = np.quantile(draws[:, :, e], [0.025, 0.975], axis=0)
                np.testing.assert_allclose(rows[["lower", "upper"]].T, expected, rtol=1e-9)


def test_tidy_names_what_varies_and_what_does_not(ml: MixtureSelection, mg: MixtureSelection) -> None:
    frame, G = mx.tidy(step1(ml)), 10
    for marker in ("F1=~V1", "F3=~V11"):
        row = of(frame, marker, "fixed")
        assert row["estimate"].tolist() == [1.0] and row["group"].tolist() == [None] and row["sd"].isna().all()
    assert len(of(frame, "F1=~V2", "group")) == G and len(of(frame, "F1=~V2", "mean")) == 1
    spread = of(frame, "F1=~V2", "sd").iloc[0]
    assert 0 < spread["lower"] < spread["estimate"] < spread["upper"] and spread["scale"] == ""
    assert of(frame, "V1~~V1", "mean")["scale"].tolist() == ["log variance"]
    assert len(of(frame, "F3=~V13", "equal")) == 1, "a label holds it equal over groups"
    assert len(of(frame, "F3~~F3", "equal")) == 1, "it is not among the random ones"
    residual = of(frame, "V11~~V12", "group")
    assert len(residual) == G, "its correlation is equal, its variances are not"
    frame = mx.tidy(step1(mg))
    assert "sd" not in set(frame["what"]) and "mean" not in set(frame["what"])
    assert len(of(frame, "F3~~F3", "group")) == G


def test_deviations_are_differences_from_the_average(mg: MixtureSelection) -> None:
    fit = step1(mg)
    found = {(v.factor, v.item): v for v in loading_variation(fit)}
    assert set(found) == {("F1", "V2"), ("F1", "V3"), ("F3", "V12"), ("F3", "V14")}
    block = fit.blocks[1]
    e = block.posterior.model.entries.index("F3=~V14")
    draws = block.posterior.values(block.draws.flat)[:, :, e]
    difference = draws - draws.mean(axis=1, keepdims=True)
    own = found["F3", "V14"]
    np.testing.assert_allclose(own.differences[0], difference.mean(axis=0), atol=1e-12)
    lower, upper = np.quantile(difference, [0.025, 0.975], axis=0)
    np.testing.assert_array_equal(own.deviating, (lower > 0) | (upper < 0))
    assert own.deviating.any() and not own.deviating.all(), "otherwise the comparison shows nothing"
    assert own.average[0] == pytest.approx(draws.mean())


def test_glance_has_sampling_and_fit(mg: MixtureSelection) -> None:
    fit = step1(mg)
    frame = quietly(mx.glance, fit)
    assert frame["block"].tolist() == ["F1", "F3"] and frame["n_items"].tolist() == [3, 4]
    found, measures = mx.diagnostics(fit).frame, quietly(mx.bayes_fit_measures, fit)
    assert frame["rhat"].tolist() == found["rhat"].tolist()
    assert frame["dic"].tolist() == [block.dic for block in measures.blocks]
    troubled = {n.text.split(":")[0] for n in fit.notices if n.name == "SamplingWarning"}
    assert frame["converged"].tolist() == [name not in troubled for name in ("F1", "F3")]


def test_summary(ml: MixtureSelection, mg: MixtureSelection) -> None:
    text = str(summary(step1(ml)))
    assert text.startswith("Multilevel Bayesian confirmatory factor analysis: 2 factors, 7 items, 10 groups")
    assert "loadings, F1 ~~ F1, residuals" in text and "SD over groups" in text and "equal over groups" in text
    text = str(summary(step1(mg)))
    assert text.startswith("Multigroup Bayesian confirmatory factor analysis")
    assert "F1: 0.05; F3 =~ V14: no constraint; all others: 0.01" in text and "SD over groups" not in text
    assert "those of group 3 and any other" in text
    rows = [line.split() for line in text.splitlines()]
    assert [row[:3] for row in rows if row[:2] == ["F3", "V12"]] == [["F3", "V12", "0.01"]]
    assert any(row[:4] == ["F3", "V14", "no", "constraint"] for row in rows)


def test_reliability_is_explained_where_scores_are_the_indicators(ml: MixtureSelection) -> None:
    text = str(summary(ml.fits[0].moments))
    assert "2 factor scores" in text and "single indicator" in text


class Page(HTMLParser):
    """Headings and cells; complains about tags that do not match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.ids: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.stack == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "br"):
            self.stack.append(tag)
        self.ids += [value or "" for name, value in attrs if name == "id"]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.ids += [value or "" for name, value in attrs if name == "id"]

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data if "style" not in self.stack else ""


def test_the_report(ml: MixtureSelection, mg: MixtureSelection, tmp_path: Path) -> None:
    for fits, model, said in (
        (ml, "MLCFA", ["MixML-SEM", "SD over groups", "Random loading, SD over groups", "half-normal, SD 1"]),
        (
            mg,
            "MGBCFA",
            ["MixMG-BSEM", "Prior variance", "Loading of a group less that of 3", "half-t, 3 df, scale 0.5"],
        ),
    ):
        files = quietly(mx.save_results, fits, tmp_path / model, title="<Trust>")
        text = files["report.html"].read_text(encoding="utf-8")
        page = Page(text)
        assert len(page.ids) == len(set(page.ids)) and "measurement" in page.ids
        for part in (
            *said,
            "Bayesian confirmatory factor analysis",
            "2 chains of 100 draws per block after 150 of warm-up",
            "Diagnostics of the draws",
            "Bayesian fit",
            "Groups whose loading deviates from the average",
            "Unique variances, factor variances and covariances",
            "Reliability",
            "Croon, M. (2002)",
            "Hoffman, M. D.",
        ):
            assert part in page.text, part
        assert "Rosseel, Y., & Loh" not in page.text
        assert "Seconds" not in page.text, "the same analysis gives the same report"
        for variation in loading_variation(step1(fits)):
            assert f"{variation.factor} =~ {variation.item}" in page.text
        for diagnosed in mx.diagnostics(step1(fits)).frame["rhat"]:
            assert f"{diagnosed:.3f}" in page.text


def test_the_record(mg: MixtureSelection, tmp_path: Path) -> None:
    files = quietly(mx.save_results, mg, tmp_path)
    record = json.loads(files["fit.json"].read_text(encoding="utf-8"))
    assert record["method"] == "mixmg-bsem" and record["settings"]["seed"] == 2
    settings = record["settings"]
    assert settings["prior_variance"] == {"F1": 0.05, "F3 =~ V14": None} and settings["reference"] == "3"
    assert settings["sampling"] == {"chains": 2, "warmup": 150, "draws": 100, "target_accept": 0.8, "max_depth": 10}
    assert (settings["priors"], settings["step1_method"], settings["means"]) == ("given", "nuts", "free")
    measurement = record["measurement"]
    assert measurement["priors"]["residual_sd"] == {"distribution": "HalfT", "df": 3, "scale": 0.5}
    assert set(measurement["packages"]) == {"nutpie", "numba", "numpy"}
    assert re.fullmatch(r"\d+\.\d+.*", measurement["packages"]["nutpie"])
    found, measures = mx.diagnostics(step1(mg)).frame, quietly(mx.bayes_fit_measures, step1(mg))
    for block, row, own in zip(measurement["blocks"], found.to_dict("records"), measures.blocks, strict=True):
        assert block["diagnostics"]["rhat"] == row["rhat"] and block["dic"] == own.dic and block["ppp"] == own.ppp
    assert "seconds" not in files["fit.json"].read_text(encoding="utf-8")
    assert mx.SampleMoments.load(files["moments.json"]).groups == step1(mg).groups


def test_the_python_code_repeats_the_fit(ml: MixtureSelection, mg: MixtureSelection, moments: mx.SampleMoments) -> None:
    for fits, call in ((ml, "mx.mixml_sem("), (mg, "mx.mixmg_bsem(")):
        code = python_code(fits, measurement=step1(fits), min_size=None)
        assert call in code and "sampling=mx.Sampling(chains=2, warmup=150, draws=100)," in code
        names: dict[str, Any] = {}
        quietly(exec, code.replace("data = ...", "data = moments"), {"moments": moments}, names)
        assert [fit.loglik for fit in names["fits"].fits] == [fit.loglik for fit in fits.fits]
        repeated = names["fits"].fits[0].moments.measurement.specification
        assert replace(repeated, measurement="") == replace(step1(fits).specification, measurement="")


def test_code_without_a_seed_speaks_of_draws_too(mg: MixtureSelection) -> None:
    fits = MixtureSelection(tuple(replace(fit, starts=replace(fit.starts, seed=None)) for fit in mg.fits))
    code = python_code(fits, measurement=replace(step1(mg), seed=None), min_size=None)
    assert "# seed=...: none was given, so other draws and random starts are drawn" in code
    compile(code, "code", "exec")


def test_two_seeds_are_both_told_and_no_single_call_repeats_them(mg: MixtureSelection) -> None:
    other = replace(step1(mg), seed=9)
    assert python_code(mg, measurement=other, min_size=None) == ""
    words = settings_in_words(mg, choose_clusters(mg), measurement=other, min_size=None, source="")
    assert words["Seed"] == "of the draws: 9; of the random starts: 2"
    same = settings_in_words(mg, choose_clusters(mg), measurement=step1(mg), min_size=None, source="")
    assert same["Seed"] == "2"


def test_no_code_is_better_than_wrong_code(ml: MixtureSelection, mg: MixtureSelection) -> None:
    """What the methods' functions do not take, and labels that do not print as code."""
    fit = step1(ml)
    ignoring = replace(fit, specification=replace(fit.specification, means="ignore"))
    assert python_code(ml, measurement=ignoring, min_size=None) == ""
    odd = replace(step1(mg), specification=replace(step1(mg).specification, reference=pd.Timestamp("2020-01-01")))
    assert python_code(mg, measurement=odd, min_size=None) == ""


def test_priors_in_words(ml: MixtureSelection, mg: MixtureSelection) -> None:
    told = {
        "flat": Flat(),
        "normal, mean 1, SD 2": Normal(1, 2),
        "gamma, shape 1, rate 0.5": Gamma(1, 0.5),
        "half-normal, SD 0.5": HalfNormal(0.5),
        "half-t, 3 df, scale 1": HalfT(3, 1),
        "inverse gamma on the variance, shape 2, scale 1": InverseGamma(2, 1),
        "inverse gamma on the variance, shape -1, scale 0: flat": InverseGamma(),
        "(1 + r)/2 is beta(2, 3)": Beta(2, 3),
    }
    assert [prior_words(prior) for prior in told.values()] == list(told)
    assert dict(prior_entries(step1(mg))) == {
        "Other loading": "normal, mean 0, SD 2",
        "Loading of 3": "normal, mean 0, SD 2",
        "Loading of a group less that of 3": "normal, mean 0, variance 0.05",
        "Square root of a unique variance": "half-t, 3 df, scale 0.5",
        "Residual correlation": "(1 + r)/2 is beta(1, 1)",
        "Square root of a factor variance": "gamma, shape 1, rate 0.5",
    }
    names = [name for name, _ in prior_entries(step1(ml))]
    assert "Random factor variance, SD of its log over groups" in names and "Square root of a factor variance" in names


def test_a_symmetric_grid_of_an_approximation(moments: mx.SampleMoments, tmp_path: Path) -> None:
    """Everything about the choice of a prior variance and about the fast method is said."""
    grid = {"prior_variance": [0.0, 0.1], "symmetric": True, "method": "laplace"}
    few = mx.Sampling(chains=1, draws=200)
    fits = quietly(mx.mixmg_bsem, MODEL, STRUCTURAL, moments, k=2, **grid, sampling=few, n_starts=3, seed=1)
    files = quietly(mx.save_results, fits, tmp_path)
    page = Page(files["report.html"].read_text(encoding="utf-8"))
    for said in ("chosen by DIC from 0 (equal), 0.1", "those of any two groups", "Laplace proposals, 200 draws"):
        assert said in page.text
    assert "Prior variances compared by DIC" in page.text and "Hoffman" not in page.text
    record = json.loads(files["fit.json"].read_text(encoding="utf-8"))
    assert [c["prior_variance"] for c in record["measurement"]["prior_choice"][:2]] == [0.0, 0.1]
    found = record["measurement"]["blocks"][0]["diagnostics"]
    assert found["rhat"] > 0.9 and found["divergences"] is None
