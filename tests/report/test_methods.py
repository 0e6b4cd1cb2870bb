"""Methods sections say what was done: every number in them is the fit's, and what they cite is listed."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mixsem as mx
from mixsem import __version__
from mixsem.errors import OptionError
from mixsem.measurement import MeasurementFit
from mixsem.report.methods.invariance import invariance_methods
from mixsem.report.methods.mixed import linear_methods
from mixsem.report.methods.sources import SOURCES, cite, resolved
from mixsem.structural import MixtureSelection

FACTORS = "visual =~ x1 + x2 + x3; textual =~ x4 + x5 + x6; speed =~ x7 + x8 + x9"


def quietly(make: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return make(*arguments, **options)


def parts(fit: object, **told: Any) -> dict[str, str]:
    """The paragraphs; what they cite is listed, and nothing else is."""
    text = mx.methods_text(fit, **told)
    said = " ".join(paragraph for _, paragraph in text.paragraphs)
    assert "[@" not in said
    assert text.sources and all(source.short in said for source in text.sources)
    assert re.search(rf"mixsem {re.escape(__version__)} in Python 3\.\d+", said)
    return dict(text.paragraphs)


def test_a_clustering(whole: MixtureSelection, measurement: MeasurementFit) -> None:
    said = parts(whole, k=2, min_size=50)
    fit = whole[2]
    assert "720 people in 6 groups (120 people each)" in said["Sample"]
    assert "Groups with fewer than 50 complete rows were left out." in said["Sample"]
    assert "except F1 =~ V2, which was free in every group" in said["Measurement model"]
    assert "3 factors (F1, F2 and F3) and 15 items" in said["Measurement model"]
    assert "Rosseel & Loh, 2024" in said["Factor covariances"]
    clusters = said["Clusters"]
    assert "F3 ~ F2 was fixed" in clusters and "1 to 3 clusters" in clusters
    assert "20 random partitions (seed 1)" in clusters and f"{fit.specification.tolerance:g}" in clusters
    assert f"With 2 clusters, {fit.starts.n_best} of these starts reached" in clusters
    assert "Dempster et al., 1977) accelerated by SQUAREM (Varadhan & Roland, 2008)" in clusters
    assert "as decided by the researchers" in said["Number of clusters"]
    assert f"Entropy R² was {fit.entropy_r2:.3f}" in said["Uncertainty"] and "two-step" in said["Uncertainty"]


def test_a_clustering_of_given_covariances(selection: MixtureSelection) -> None:
    said = parts(selection)
    assert "taken as given" in said["Factor covariances"] and "not computed" in said["Uncertainty"]
    assert "random partitions (seed 1)" in said["Clusters"]
    assert "The solution with 2 clusters is reported, which CHull preferred" in said["Number of clusters"]
    one = parts(selection[2])
    assert "Number of clusters" not in one and "Mixtures with 2 clusters" in one["Clusters"]


def test_criteria_that_disagree_are_told(whole: MixtureSelection) -> None:
    """Whoever reads that CHull chose has to know what the other criteria preferred."""
    preferred = whole.choices
    other = {k for k in preferred.values() if k is not None}
    asked = next(k for k in whole if len(other - {k}) > 0)
    said = parts(whole, k=asked)["Number of clusters"]
    for name, label in {"aic": "AIC", "bic_g": "BIC_G", "chull": "CHull"}.items():
        if preferred[name] not in (None, asked):
            assert re.search(rf"\b{label}\b[^.;]* preferred {preferred[name]} cluster", said), said
    agreed = "preferred this number" in said
    assert agreed == (asked in other)


def test_starts_that_never_reached_the_solution(selection: MixtureSelection) -> None:
    fit = selection[2]
    moved = replace(fit, starts=replace(fit.starts, best=fit.loglik + 1.0, converged=False))
    said = parts(moved)["Clusters"]
    assert "none of these starts reached the solution" in said and "did not converge" in said


def test_missing_values_are_told_as_they_were_treated() -> None:
    data = mx.data.holzinger_swineford_1939()
    data.loc[:9, "x1"] = np.nan
    dropped = parts(quietly(mx.MGCFA(FACTORS).fit, data, "school"))["Sample"]
    assert "291 people" in dropped and "were dropped (listwise deletion): 10 of 301 (3.3%)." in dropped
    kept = parts(quietly(mx.MGCFA(FACTORS, missing="ml").fit, data, "school"))["Sample"]
    assert "301 people" in kept and "Little & Rubin, 2019" in kept
    full = parts(quietly(mx.cfa, FACTORS, data, missing="ml"))["Sample"]
    assert "full information maximum likelihood" in full and "301 people" in full
    assert "Answers were missing in 10 rows (3.3%)." in full


def test_a_structural_equation_model() -> None:
    data = mx.data.holzinger_swineford_1939()
    options = {"group": "school", "group_equal": "loadings", "group_partial": "visual =~ x2"}
    fit = mx.cfa(FACTORS, data, estimator="MLR", **options)
    said = parts(fit)
    assert f"{fit.n_params} free parameters" in said["Model"] and "except visual =~ x2" in said["Model"]
    assert "(estimator MLR)" in said["Estimation"] and "Yuan & Bentler, 2000" in said["Estimation"]
    robust, told = fit.robust, fit.described
    assert robust is not None
    assert f"χ²({robust.model.df:g}) = {robust.model.chisq:,.2f}" in said["Fit"]
    assert f"CFI (robust) = {told.cfi:.3f}" in said["Fit"] and f"SRMR = {fit.measures.srmr:.3f}" in said["Fit"]
    plain = parts(mx.cfa(FACTORS, data))
    assert "uncorrected chi-square" in plain["Estimation"] and "Equal" not in plain["Model"]


def test_two_steps() -> None:
    fit = mx.sam(
        "visual =~ x1 + x2 + x3; textual =~ x4 + x5 + x6; textual ~ visual", mx.data.holzinger_swineford_1939()
    )
    assert (
        "local structural-after-measurement approach (Rosseel & Loh, 2024): 2 measurement blocks"
        in parts(fit)["Estimation"]
    )


def test_an_invariance_test() -> None:
    test = quietly(
        mx.invariance_test, FACTORS, mx.data.holzinger_swineford_1939(), "school", levels=("configural", "metric")
    )
    said = parts(test)
    assert "configural (nothing equal) and metric (factor loadings equal)" in said["Measurement invariance"]
    assert "Chen, 2007; Cheung & Rensvold, 2002; Rutkowski & Svetina, 2014" in said["Comparison of levels"]
    search = quietly(mx.find_noninvariance, test, alpha=0.01, threshold=0.2)
    found = dict(invariance_methods(test, search).paragraphs)["Search for non-invariant items"]
    assert "significant at 0.01" in found and "was above 0.2" in found and "Benjamini & Hochberg, 1995" in found
    assert ("No parameter was freed" in found) == (not search.partial)


@pytest.mark.parametrize("symmetric", [False, True])
def test_a_bayesian_step_1(symmetric: bool) -> None:
    truth = mx.simulate.draw_truth(mx.simulate.Population(n_groups=5, group_size=80), seed=1)
    moments = mx.simulate.draw_moments(truth, seed=1)
    few = mx.Sampling(chains=2, warmup=60, draws=50)
    model = mx.MGBCFA("F1 =~ V1 + V2 + V3", prior_variance=0.02, symmetric=symmetric, sampling=few)
    fit = quietly(model.fit, moments, seed=3)
    said = parts(fit)
    assert "variance 0.02" in said["Measurement model"]
    assert ("reference group (1)" in said["Measurement model"]) == (not symmetric)
    assert "gamma, shape 1, rate 0.5" in said["Priors"] and "normal, mean 0, SD 10" in said["Priors"]
    frame = mx.diagnostics(fit).frame
    assert (
        "2 chains of 50 draws after 60 draws of warm-up" in said["Sampling"] and "The seed was 3." in said["Sampling"]
    )
    assert f"R-hat was {frame['rhat'].max():.3f}" in said["Sampling"]
    assert f"{min(frame['ess_bulk'].min(), frame['ess_tail'].min()):,.0f}" in said["Sampling"]
    assert "nutpie" in said["Software"]


def test_linear_mixed_models() -> None:
    data = mx.data.sleepstudy()
    fit = mx.lmer("Reaction ~ Days + (Days || Subject)", data, reml=False)
    said = parts(fit)
    assert "180 rows from 18 levels of Subject" in said["Data"] and "Reaction ~ Days" in said["Model"]
    assert "by maximum likelihood" in said["Estimation"]
    assert f"after {fit.trace.evaluations} evaluations" in said["Estimation"]
    assert "Satterthwaite's" in said["Inference"]
    data.loc[:4, "Reaction"] = np.nan
    fit = quietly(mx.lmer, "Reaction ~ Days + (Days | Subject)", data)
    from mixsem.mixed.inference.ddf import inference_of

    said = dict(linear_methods(fit, inference_of(fit, "kenward-roger"), "profile").paragraphs)
    assert "5 rows of 180 (2.8%) were left out" in said["Data"] and "(REML)" in said["Estimation"]
    assert "Kenward & Roger, 1997" in said["Inference"] and "profile likelihood" in said["Inference"]


@pytest.mark.parametrize(("n_agq", "words"), [(1, "Laplace's approximation"), (7, "quadrature with 7 nodes")])
def test_generalised_mixed_models(n_agq: int, words: str) -> None:
    rng = np.random.default_rng(2)
    school = np.repeat(np.arange(20), 10)
    y = (rng.random(200) < 1 / (1 + np.exp(-rng.normal(0, 1, 20)[school]))).astype(int)
    frame = pd.DataFrame({"y": y, "school": school})
    fit = mx.glmer("y ~ 1 + (1 | school)", frame, family="binomial", n_agq=n_agq)
    said = parts(fit)
    assert "binomial response and the logit link" in said["Model"] and words in said["Estimation"]
    assert ("Liu & Pierce, 1994" in said["Estimation"]) == (n_agq > 1)


def test_the_forms_hold_the_same(whole: MixtureSelection, tmp_path: Path) -> None:
    text = mx.methods_text(whole, k=2)
    plain, markdown = text.to_text(), text.to_markdown()
    for heading, paragraph in text.paragraphs:
        assert f"{heading}. {paragraph}" in re.sub(r"\s+", " ", plain)
        assert f"**{heading}.**" in markdown and f"<strong>{heading}.</strong>" in text.to_html()
    for source in text.sources:
        assert (
            source.reference.split(" ")[0] in plain
            and source.link in markdown
            and source.link in text.references_html()
        )
    assert str(text) == plain
    for suffix in (".txt", ".md", ".tex", ".html", ".doc"):
        assert text.save(tmp_path / f"methods{suffix}").stat().st_size > 1000
    methods, references = text.sections()
    assert (methods.name, references.name) == ("methods", "references")


def test_sources_are_complete() -> None:
    for key, source in SOURCES.items():
        year = re.search(r"\d{4}", source.short)
        assert year and f"({year[0]})" in source.text, key
        assert source.text.startswith(re.split(r" et al\.| &|,", source.short)[0]), key
        assert not source.doi or re.fullmatch(r"10\.\d{4,}/\S+", source.doi), key
    assert resolved(f"See {cite('lme4')} and [@nobody].") == "See (Bates et al., 2015) and [@nobody]."


def test_anything_else_is_refused() -> None:
    with pytest.raises(OptionError, match=r"methods_text\(\) got int"):
        mx.methods_text(3)
