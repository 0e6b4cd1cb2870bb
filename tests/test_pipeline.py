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
    LowReliabilityWarning,
    MissingDataWarning,
    ModelError,
    ModelSyntaxError,
    OptionError,
    SingleIndicatorWarning,
    UnsupportedModelError,
    WeakMarkerWarning,
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
    common = np.array([[1.0, 0.6, 0.6], [0.6, 1.0, 0.5], [0.6, 0.5, 1.0]])
    heywood = np.array([[1.0, 0.8, 0.5], [0.8, 1.0, 0.7], [0.5, 0.7, 1.0]])  # .8 * .7 / .5 > 1: x2 explains too much
    moments = mx.SampleMoments.from_covariances(
        {"a": 4 * common, "b": 2 * heywood, "c": common}, n=60, items=["x1", "x2", "x3"], divisor="n"
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
        ("F1 =~ V1 + V2 + V3; F1 ~ 1", "F1 ~ F1", ModelError, "means in the measurement block of F1"),
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


def covariances_of_two_factors() -> mx.SampleMoments:
    """Four groups, two correlated factors of three items each."""
    rng = np.random.default_rng(6)
    covariances = {}
    for group in "abcd":
        f = rng.multivariate_normal([0, 0], [[1.0, 0.5], [0.5, 1.0]], size=200)
        x = f[:, [0, 0, 0, 1, 1, 1]] * [1.0, 0.8, 0.7, 1.0, 0.8, 0.9] + 0.6 * rng.normal(size=(200, 6))
        covariances[group] = np.cov(x.T, bias=True)
    return mx.SampleMoments.from_covariances(covariances, n=200, items=[f"x{i}" for i in range(1, 7)], divisor="n")


TWO = "A =~ x1 + x2 + x3\nB =~ x4 + x5 + x6"


@pytest.mark.parametrize(
    "measurement",
    [
        "A =~ x1 + l*x2 + x3\nB =~ x4 + l*x5 + x6",
        "A =~ x1 + l*x2 + x3\nB =~ x4 + m*x5 + x6\nl == m",
        'A =~ x1 + x2 + x3\nB =~ x4 + equal("A =~ x2")*x5 + x6',
    ],
)
def test_equal_parameters_of_two_factors_stay_equal_whatever_the_blocks(measurement):
    moments = covariances_of_two_factors()
    fits = [mx.MGCFA(measurement, blocks=blocks).fit(moments) for blocks in ("factor", "joint")]
    for fit in fits:
        assert [block.factors for block in fit.blocks] == [("A", "B")]
        np.testing.assert_allclose(fit.Lambda[:, 1, 0], fit.Lambda[:, 4, 1], rtol=1e-12)
    assert fits[0].n_params == fits[1].n_params == mx.MGCFA(TWO, blocks="joint").fit(moments).n_params - 1
    with pytest.raises(OptionError, match="keeps apart"):
        mx.MGCFA(measurement, blocks=[["A"], ["B"]]).fit(moments)


def test_constraints_on_factor_covariances_are_kept_or_refused():
    moments = covariances_of_two_factors()
    orthogonal = mx.MGCFA(TWO + "\nA ~~ 0*B").fit(moments)
    assert [block.factors for block in orthogonal.blocks] == [("A", "B")]
    assert mx.factor_moments(orthogonal).Phi[:, 0, 1].tolist() == [0.0] * 4
    equal = mx.MGCFA(TWO, equal=("loadings", "lv.covariances")).fit(moments)
    assert np.ptp(mx.factor_moments(equal).Phi[:, 0, 1]) < 1e-12
    apart = mx.MGCFA(TWO, equal=("loadings", "lv.variances")).fit(moments)
    with pytest.raises(UnsupportedModelError, match="A~~A is fixed or equal in step 1"):
        mx.factor_moments(apart)


def test_parameters_are_counted_alike_whatever_sets_the_scale():
    moments = covariances_of_two_factors()
    for equal in (("loadings",), ()):
        counts = [
            mx.factor_moments(mx.MGCFA(TWO, equal=equal, std_lv=std_lv).fit(moments)).n_measurement
            for std_lv in (False, True)
        ]
        assert counts[0] == counts[1]


def test_a_factor_that_is_left_out_is_not_counted(survey):
    full = mx.factor_moments(mx.MGCFA(MEASUREMENT).fit(survey, "group"))
    three = mx.factor_moments(mx.MGCFA("\n".join(MEASUREMENT.splitlines()[:3])).fit(survey, "group"))
    kept = full.select(("F1", "F2", "F3"))
    assert kept.n_measurement == three.n_measurement == 12 * 15 + 12
    np.testing.assert_allclose(kept.Phi, three.Phi, atol=1e-9)
    assert kept.indicators == three.indicators


def test_one_name_needs_no_tuple(survey):
    one = mx.MGCFA(MEASUREMENT, equal="loadings", partial="F1 =~ V2").fit(survey, "group")
    several = mx.MGCFA(MEASUREMENT, equal=("loadings",), partial=("F1 =~ V2",)).fit(survey, "group")
    assert one.loglik == several.loglik
    step2 = mx.factor_moments(one)
    fit = mx.StructuralMixture(STRUCTURAL, k=2, n_starts=5, equal="F4 ~ F3").fit(step2, seed=1)
    assert fit.path.equal.tolist() == [False, False, False, True]


def test_weak_markers_single_items_and_low_reliability_are_named():
    moments = covariances_of_two_factors()
    noisy = moments.covariances.copy()
    noisy[:, 0, 1:], noisy[:, 1:, 0] = 0.15 * noisy[:, 0, 1:], 0.15 * noisy[:, 1:, 0]
    weak = mx.SampleMoments.from_covariances(
        dict(zip(moments.groups, noisy, strict=True)), n=200, items=moments.items, divisor="n"
    )
    with pytest.warns(WeakMarkerWarning, match="marker variable x1"):
        mx.MGCFA(TWO).fit(weak)
    with pytest.warns(SingleIndicatorWarning, match="x4 is the only item"):
        mx.MGCFA("A =~ x1 + x2 + x3\nB =~ x4").fit(moments)
    shrunk = moments.covariances.copy()
    shrunk[1, :3, :3] = 0.08 * shrunk[1, :3, :3] + 0.92 * np.diag(np.diag(shrunk[1, :3, :3]))
    shrunk[1, :3, 3:], shrunk[1, 3:, :3] = 0.2 * shrunk[1, :3, 3:], 0.2 * shrunk[1, 3:, :3]
    low = mx.SampleMoments.from_covariances(
        dict(zip(moments.groups, shrunk, strict=True)), n=200, items=moments.items, divisor="n"
    )
    with pytest.warns(LowReliabilityWarning, match=r"A in b \(0\.\d\d\)"):
        mx.factor_moments(mx.MGCFA(TWO).fit(low))


def test_tiny_and_huge_groups_converge_together():
    """Rounding in the loss of a group of 200,000 must not pass for a failure to converge."""
    moments = covariances_of_two_factors()
    sizes = dict(zip(moments.groups, (200_000, 12, 3_000, 25), strict=True))
    unequal = mx.SampleMoments.from_covariances(
        dict(zip(moments.groups, moments.covariances, strict=True)), n=sizes, items=moments.items, divisor="n"
    )
    fit = mx.MGCFA(TWO).fit(unequal)
    for block in fit.blocks:
        assert block.optimum.converged and block.optimum.n_iterations < 60
        assert np.abs(block.optimum.gradient * block.standard_errors).max() < 1e-8


def test_items_in_wildly_different_units_converge():
    moments = covariances_of_two_factors()
    units = np.array([1e3, 1.0, 1.0, 1e-4, 1.0, 1e5])
    scaled = moments.covariances * np.outer(units, units)
    other = mx.SampleMoments.from_covariances(
        dict(zip(moments.groups, scaled, strict=True)), n=200, items=moments.items, divisor="n"
    )
    one, two = mx.MGCFA(TWO).fit(moments), mx.MGCFA(TWO).fit(other)
    assert two.converged
    for a, b in zip(one.blocks, two.blocks, strict=True):
        assert b.measures.chisq == pytest.approx(a.measures.chisq, rel=1e-7)
