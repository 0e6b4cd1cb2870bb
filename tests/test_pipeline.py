"""The whole way from a frame to clusters: what must not matter does not matter, and trouble is named."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import mixsem as mx
from mixsem.errors import (
    DataError,
    HeywoodWarning,
    MissingDataWarning,
    ModelError,
    ModelSyntaxError,
    OptionError,
    UnsupportedModelError,
)
from mixsem.simulate import Population, draw_frame, draw_truth

MEASUREMENT = "\n".join(f"F{q} =~ " + " + ".join(f"V{j}" for j in range(5 * q - 4, 5 * q + 1)) for q in range(1, 5))
STRUCTURAL = "F3 ~ F1 + F2\nF4 ~ F1 + F3"

#: What must not matter may move log L in its last digits, and estimates with the square root of that.
LOGLIK, ESTIMATE = 1e-8, 1e-6


@pytest.fixture(scope="module")
def survey() -> pd.DataFrame:
    """Twelve groups of 120 people in two clusters."""
    truth = draw_truth(Population(n_groups=12, group_size=120, n_clusters=2, beta=0.5), seed=4)
    return draw_frame(truth, seed=4)


@pytest.fixture(scope="module")
def fit(survey) -> mx.MixtureFit:
    return run(survey)


def run(data, measurement: str = MEASUREMENT, structural: str = STRUCTURAL, group: str | None = "group"):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return mx.mmgsem(measurement, structural, data, group, k=2, n_starts=20, seed=1)


def coefficients(fit: mx.MixtureFit) -> dict[str, np.ndarray]:
    return dict(zip(fit.path.names, fit.coefficients.T, strict=True))


def assert_same(one: mx.MixtureFit, other: mx.MixtureFit) -> None:
    assert other.loglik == pytest.approx(one.loglik, abs=LOGLIK, rel=1e-13)
    assert other.loglik_observed == pytest.approx(one.loglik_observed, abs=LOGLIK, rel=1e-12)
    assert other.n_params == one.n_params
    left, right = coefficients(one), coefficients(other)
    for name, values in left.items():
        np.testing.assert_allclose(right[name], values, atol=ESTIMATE)
    order = [other.groups.index(g) for g in one.groups]
    np.testing.assert_allclose(other.posterior[order], one.posterior, atol=ESTIMATE)


def test_order_of_rows(survey, fit):
    assert_same(fit, run(survey.sample(frac=1.0, random_state=1)))


def test_order_of_columns_and_items(survey, fit):
    measurement = "\n".join(
        f"F{q} =~ V{5 * q - 4} + " + " + ".join(f"V{j}" for j in range(5 * q, 5 * q - 4, -1)) for q in range(1, 5)
    )
    assert_same(fit, run(survey[survey.columns[::-1]], measurement))


def test_order_of_factors(survey, fit):
    measurement = "\n".join(reversed(MEASUREMENT.splitlines()))
    structural = "\n".join(reversed(STRUCTURAL.splitlines()))
    assert_same(fit, run(survey, measurement, structural))


def test_order_of_groups(survey, fit):
    """Other labels put the groups in another order."""
    renamed = survey.assign(group=survey["group"].map(lambda g: f"z{99 - g}"))
    other = run(renamed)
    assert other.loglik == pytest.approx(fit.loglik, abs=LOGLIK, rel=1e-13)
    order = [other.groups.index(f"z{99 - g}") for g in fit.groups]
    np.testing.assert_allclose(other.posterior[order], fit.posterior, atol=ESTIMATE)


def test_moments_instead_of_people(survey, fit, tmp_path):
    items = [f"V{j}" for j in range(1, 21)]
    mx.SampleMoments.from_frame(survey, items, "group").save(tmp_path / "moments.json")
    assert_same(fit, run(mx.SampleMoments.load(tmp_path / "moments.json"), group=None))


def test_a_group_split_into_two_files_and_merged(survey, fit, tmp_path):
    items = [f"V{j}" for j in range(1, 21)]
    half = (survey["group"] < 6) | ((survey["group"] == 6) & (survey.index % 2 == 0))
    paths = [tmp_path / "north.json", tmp_path / "south.json"]
    for path, part in zip(paths, (survey[half], survey[~half]), strict=True):
        mx.SampleMoments.from_frame(part, items, "group").save(path)
    north, south = (mx.SampleMoments.load(path) for path in paths)
    assert 6 in north.groups and 6 in south.groups
    assert_same(fit, run(north.merge(south), group=None))


def test_rescaled_items_rescale_loadings_and_nothing_else(survey, fit):
    scaled = survey.copy()
    scaled[["V2", "V8"]] *= [10.0, 0.1]
    other = run(scaled)
    np.testing.assert_allclose(other.posterior, fit.posterior, atol=ESTIMATE)
    np.testing.assert_allclose(other.coefficients, fit.coefficients, atol=ESTIMATE)
    before = mx.MGCFA(MEASUREMENT).fit(survey, "group")
    after = mx.MGCFA(MEASUREMENT).fit(scaled, "group")
    scale = np.ones(20)
    scale[[1, 7]] = [10.0, 0.1]
    np.testing.assert_allclose(after.Lambda, before.Lambda * scale[:, None], rtol=1e-6, atol=1e-9)


def test_input_is_never_changed(survey):
    copy = survey.copy(deep=True)
    run(survey)
    pd.testing.assert_frame_equal(survey, copy)


def test_missing_answers_are_dropped_counted_and_named(survey):
    holes = survey.copy()
    holes.loc[holes.index[:30], "V4"] = np.nan
    with pytest.warns(MissingDataWarning, match="30 of 1,440"):
        step1 = mx.MGCFA(MEASUREMENT).fit(holes, "group")
    assert step1.moments.n_dropped.sum() == 30 and step1.nobs == 1410


def test_heywood_cases_are_named_by_group():
    """A group in which one item is all but the factor itself."""
    common = np.array([[1.0, 0.6, 0.6], [0.6, 1.0, 0.36], [0.6, 0.36, 1.0]])
    heywood = np.array([[1.0, 0.8, 0.5], [0.8, 1.0, 0.7], [0.5, 0.7, 1.0]])  # .8 * .7 / .5 > 1: x2 explains too much
    moments = mx.SampleMoments.from_covariances(
        {"a": common, "b": heywood, "c": common}, n=60, items=["x1", "x2", "x3"], divisor="n"
    )
    with pytest.warns(HeywoodWarning, match=r"x2 in b"):
        step1 = mx.MGCFA("F =~ x1 + x2 + x3", equal=()).fit(moments)
    assert next(n for n in step1.notices if n.name == "HeywoodWarning").groups == ("b",)


@pytest.mark.parametrize(
    ("measurement", "structural", "error", "message"),
    [
        ("F1 =~ V1 + V2 +", STRUCTURAL, ModelSyntaxError, "line 1"),
        (MEASUREMENT, "F3 ~ F1 +", ModelSyntaxError, "line 1"),
        (MEASUREMENT.replace("V3", "V33"), STRUCTURAL, DataError, "V33"),
        (MEASUREMENT, "F3 ~ F5", ModelError, "F5"),
        (MEASUREMENT, "F3 ~ F4\nF4 ~ F3", UnsupportedModelError, "cycle"),
        ("F1 =~ V1 + V2", "F1 ~ F1", ModelError, "not identified"),
        ("F1 =~ V1 + V2 + V3; F2 =~ F1", STRUCTURAL, UnsupportedModelError, "F1"),
    ],
)
def test_bad_models(survey, measurement, structural, error, message):
    with pytest.raises(error, match=message):
        run(survey, measurement, structural)


def test_one_group_cannot_be_clustered(survey):
    with pytest.raises(OptionError, match="one group"):
        run(survey.assign(group=1))


def test_ties_between_blocks_merge_them(survey):
    tied = MEASUREMENT + "\nV1 ~~ V6"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        step1 = mx.MGCFA(tied).fit(survey, "group")
        assert [b.factors for b in step1.blocks] == [("F1", "F2"), ("F3",), ("F4",)]
        with pytest.raises(OptionError, match="V1~~V6"):
            mx.MGCFA(tied, blocks=[["F1"], ["F2"], ["F3", "F4"]]).fit(survey, "group")


def test_partition_of_factors_is_checked(survey):
    for blocks, message in (
        ("factors", "did you mean 'factor'"),
        ([["F1", "F2"], ["F3"]], "'F4' 0 times"),
        ([["F1", "F9"]], "F9"),
    ):
        with pytest.raises((OptionError, ModelError), match=message):
            mx.MGCFA(MEASUREMENT, blocks=blocks).fit(survey, "group")


def test_joint_block_uses_the_fitted_factor_covariances(survey):
    step1 = mx.MGCFA(MEASUREMENT, blocks="joint").fit(survey, "group")
    np.testing.assert_array_equal(mx.factor_moments(step1).Phi, step1.Phi)
