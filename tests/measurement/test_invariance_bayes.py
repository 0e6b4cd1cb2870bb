"""Random-effect steps and deviations of loadings from Bayesian fits."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mixsem as mx
from mixsem.errors import OptionError

MODEL = "F =~ V1 + V2 + V3 + V4 + V5"


@pytest.fixture(scope="module")
def moments() -> mx.SampleMoments:
    """Items 2 and 3 have loadings that vary over groups with variance .1, the others none."""
    population = mx.simulate.Population(n_groups=30, group_size=150, kind="multilevel")
    return mx.simulate.draw_moments(mx.simulate.draw_truth(population, seed=3), seed=3)


@pytest.fixture(scope="module")
def steps(moments: mx.SampleMoments) -> mx.RandomEffectSteps:
    return mx.random_effect_steps(MODEL, moments, seed=1)


def test_the_random_loadings_are_chosen(steps: mx.RandomEffectSteps) -> None:
    assert set(steps.random) == {"F=~V2", "F=~V3", "residuals", "factor variances", "factor correlations"}
    assert {step.added for step in steps.steps[1:3]} == {"F=~V2", "F=~V3"}
    spreads = [step.spread for step in steps.steps[1:]]
    assert spreads == sorted(spreads, reverse=True)


def test_steps_are_compared_by_dic(steps: mx.RandomEffectSteps) -> None:
    dics = [step.dic for step in steps.steps]
    assert [step.chosen for step in steps.steps] == [dic == min(dics) for dic in dics]
    assert [step.difference for step in steps.steps] == pytest.approx([dic - min(dics) for dic in dics])
    assert [len(step.random) for step in steps.steps] == [0, 1, 2, 3, 4]
    assert dics[0] - dics[2] > 100
    assert "chosen" in repr(steps)


def test_the_choice_goes_into_the_model(moments: mx.SampleMoments, steps: mx.RandomEffectSteps) -> None:
    fit = mx.MLCFA(MODEL, random=steps.random, method="laplace").fit(moments, seed=1)
    frame = mx.loading_deviations(fit)
    assert sorted(frame["item"].unique()) == ["V2", "V3"]


def test_blocks_have_their_own_order(moments: mx.SampleMoments) -> None:
    told: list[tuple[str, int, int]] = []
    steps = mx.random_effect_steps(
        "F =~ V1 + V2 + V3\nG =~ V6 + V7 + V8 + V9", moments, seed=1, progress=lambda *x: told.append(x)
    )
    assert [step.block for step in steps.steps] == ["F"] * 3 + ["G"] * 4
    assert [step.chosen for step in steps.steps].count(True) == 2
    done = [d / t for _, d, t in told]
    assert done == sorted(done) and done[-1] == 1.0


def test_residuals_can_be_candidates(moments: mx.SampleMoments) -> None:
    steps = mx.random_effect_steps("F =~ V1 + V2 + V3", moments, candidates=("loadings", "residuals"), seed=1)
    assert "residuals" not in steps.always
    assert len(steps.steps) == 1 + 2 + 3


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"candidates": ("loading",)}, "did you mean 'loadings'"),
        ({"candidates": ()}, "candidates"),
        ({"always": ("slopes",)}, "always"),
    ],
)
def test_wrong_options_are_refused(moments: mx.SampleMoments, options: dict[str, object], says: str) -> None:
    with pytest.raises(OptionError, match=says):
        mx.random_effect_steps(MODEL, moments, **options)  # type: ignore[arg-type]


def test_deviations_of_random_loadings(moments: mx.SampleMoments) -> None:
    fit = mx.MLCFA(MODEL, method="laplace").fit(moments, seed=1)
    frame = mx.loading_deviations(fit)
    assert len(frame) == 4 * 30
    sums = frame.groupby("parameter")["deviation"].sum()
    np.testing.assert_allclose(sums, 0.0, atol=1e-8)
    np.testing.assert_allclose(frame["loading"] - frame["common"], frame["deviation"], atol=1e-8)
    assert ((frame["lower"] < frame["deviation"]) & (frame["deviation"] < frame["upper"])).all()
    assert (frame["flagged"] == ((frame["lower"] > 0) | (frame["upper"] < 0))).all()
    flagged = frame.groupby("item")["flagged"].mean()
    assert flagged[["V2", "V3"]].min() > 0.4
    assert flagged[["V4", "V5"]].max() < 0.2


def test_deviations_after_approximate_invariance() -> None:
    data = mx.data.simulated_survey()
    some = data[data["country"].isin([f"C{g:02d}" for g in range(1, 9)])]
    model = "trust =~ trust1 + trust2 + trust3 + trust4"
    fit = mx.MGBCFA(model, prior_variance=0.05, symmetric=True, method="laplace").fit(some, "country", seed=1)
    frame = mx.loading_deviations(fit)
    assert isinstance(frame, pd.DataFrame)
    assert frame["group"].nunique() == 8
    data_of_figure = mx.plots.invariance_data(fit)
    assert set(data_of_figure["item"]) == set(frame["item"])


def test_what_is_not_bayesian_is_refused(moments: mx.SampleMoments) -> None:
    with pytest.raises(OptionError, match="MeasurementFit"):
        mx.loading_deviations(mx.MGCFA(MODEL).fit(moments))  # type: ignore[arg-type]
    equal = mx.MLCFA(MODEL, random=("factor variances",), method="laplace").fit(moments, seed=1)
    with pytest.raises(OptionError, match="no loading differs"):
        mx.loading_deviations(equal)
