"""Structural after measurement: lavaan's numbers, and what must hold whatever the data."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import mixsem as mx
from mixsem.errors import HeywoodWarning, ModelError, OptionError, UnsupportedModelError

from .conftest import LAVAAN, table_of

#: lavaan's optimiser stops about this far from the maximum of each measurement block.
ESTIMATE, ERROR = 2e-4, 2e-4
#: Two ways to the same maximum, both by our own optimiser.
SAME = 1e-6

THREE = "visual =~ x1 + x2 + x3; textual =~ x4 + x5 + x6; speed =~ x7 + x8 + x9"
FREE = f"{THREE}; speed ~ visual + textual"
REGRESSION = f"{THREE}; speed ~ a*visual + textual"


def fit_quietly(*arguments: object, **options: object) -> mx.SAMFit:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return mx.sam(*arguments, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("case", LAVAAN["sam"], ids=lambda case: case["name"])
def test_lavaan(case: dict) -> None:
    fit = fit_quietly("\n".join(case["syntax"]), table_of(case["data"]), blocks=case["blocks"], method=case["method"])
    frame = mx.tidy(fit).set_index(["lhs", "op", "rhs"])
    stored = case["parameters"]
    rows = list(zip(stored["lhs"], stored["op"], stored["rhs"], stored["est"], stored["se"], strict=True))
    assert len(rows) > 20
    for lhs, op, rhs, estimate, se in rows:
        ours = frame.loc[(lhs, op, rhs)]
        assert ours["estimate"] == pytest.approx(estimate, abs=ESTIMATE * max(1.0, abs(estimate)))
        if ours["free"]:
            assert ours["se"] == pytest.approx(se, abs=ERROR * max(1.0, se))


def test_blocks_are_found() -> None:
    """Factors that an equality ties are measured together; lavaan wants to be told."""
    model = """
      ind60 =~ x1 + x2 + x3
      dem60 =~ y1 + a*y2 + y3 + y4
      dem65 =~ y5 + a*y6 + y7 + y8
      dem65 ~ dem60 + ind60
    """
    fit = fit_quietly(model, mx.data.political_democracy())
    assert [block.factors for block in fit.blocks] == [("ind60",), ("dem60", "dem65")]
    with pytest.raises(OptionError, match="keeps apart"):
        mx.sam(model, mx.data.political_democracy(), blocks=[["ind60"], ["dem60"], ["dem65"]])


@pytest.mark.parametrize("equal", [(), ("loadings",), ("loadings", "intercepts")])
def test_a_saturated_structure_is_the_same_locally_and_globally(equal: tuple[str, ...]) -> None:
    """With the measurement fixed, M (S - Theta) M' maximises the likelihood over all factor covariances."""
    data = mx.data.holzinger_swineford_1939()
    local, whole = (fit_quietly(FREE, data, "school", group_equal=equal, method=m) for m in ("local", "global"))
    # Means of the first group are zero in one and free in the other, which the intercepts of the blocks almost offset.
    tolerance = SAME if "intercepts" not in equal else 2e-3
    np.testing.assert_allclose(local.coef, whole.coef, atol=tolerance)
    np.testing.assert_allclose(local.standard_errors, whole.standard_errors, atol=tolerance)
    assert local.df == 0 and local.chisq == pytest.approx(0.0, abs=1e-6)


def test_one_joint_block_with_a_saturated_structure_is_plain_sem() -> None:
    """Then nothing is lost by two steps, and the corrected standard errors are those of one step."""
    data = mx.data.holzinger_swineford_1939()
    two, one = fit_quietly(REGRESSION, data, blocks="joint"), mx.sem(REGRESSION, data)
    np.testing.assert_allclose(two.coef, one.coef, atol=1e-5)
    np.testing.assert_allclose(two.standard_errors, one.standard_errors, rtol=0.02)
    assert two.model.names == one.model.names


def test_uncertainty_of_step_1_adds_to_step_2() -> None:
    fit = fit_quietly(REGRESSION, mx.data.holzinger_swineford_1939())
    frame = mx.tidy(fit)
    naive = mx.sem("speed ~ visual", mx.SampleMoments.from_covariances(
        {"all": fit.factor_covariances[0][np.ix_([0, 2], [0, 2])]}, n=fit.nobs, items=["visual", "speed"], divisor="n"
    ))  # fmt: skip
    corrected = frame[(frame["op"] == "~") & (frame["rhs"] == "visual")]["se"].item()
    assert corrected > 1.2 * naive.standard_errors[naive.model.names.index("speed~visual")]


def test_full_information() -> None:
    """lavaan 0.6-14: sam(model, data, missing = "ml"), x5 missing on rows 5, 10, ... and x9 on rows 7, 14, ..."""
    fit = fit_quietly(REGRESSION, table_of("hs_missing"), missing="ml")
    frame = mx.tidy(fit).query("op == '~'")
    np.testing.assert_allclose(frame["estimate"], [0.3046, 0.0826], atol=1e-4)
    np.testing.assert_allclose(frame["se"], [0.09146, 0.05871], atol=1e-4)


def test_defined_parameters_and_labels() -> None:
    data = mx.data.holzinger_swineford_1939()
    fit = fit_quietly(f"{THREE}; textual ~ a*visual; speed ~ b*textual; indirect := a*b", data)
    value, error = fit.defined["indirect"]
    at = [fit.model.names.index(name) for name in ("textual~visual", "speed~textual")]
    a, b = fit.coef[at]
    gradient = np.array([b, a])
    assert value == pytest.approx(a * b)
    assert error == pytest.approx(float(np.sqrt(gradient @ fit.vcov[np.ix_(at, at)] @ gradient)))
    assert mx.tidy(fit)["lhs"].iloc[-1] == "indirect"


def test_a_negative_residual_variance_is_held_at_zero() -> None:
    S = np.array([[1.0, 0.9, 0.8, 0.3], [0.9, 1.0, 0.6, 0.2], [0.8, 0.6, 1.0, 0.2], [0.3, 0.2, 0.2, 1.0]])
    moments = mx.SampleMoments.from_covariances({"all": S}, n=100, items=["a", "b", "c", "z"], divisor="n")
    with pytest.warns(HeywoodWarning, match="held at zero"):
        fit = mx.sam("f =~ a + b + c; z ~ f", moments)
    Theta = fit.model.values_of(1, fit.coef)[0]
    assert (np.diagonal(Theta) >= 0).all() and np.diagonal(Theta).min() == pytest.approx(0.0, abs=1e-8)
    assert np.isfinite(fit.coef).all()


def test_what_cannot_be_done_is_named() -> None:
    data = mx.data.holzinger_swineford_1939()
    with pytest.raises(UnsupportedModelError, match="g =~ visual"):
        mx.sam(f"{THREE}; g =~ visual + textual + speed", data)
    with pytest.raises(UnsupportedModelError, match="constrains the measurement part"):
        mx.sam("visual =~ x1 + a*x2 + b*x3; speed =~ x7 + x8 + x9; speed ~ visual; a == 2*b", data)
    with pytest.raises(UnsupportedModelError, match="without factors"):
        mx.sam("x1 ~ x2", data)
    with pytest.raises(OptionError, match="method='fsr'"):
        mx.sam(REGRESSION, data, method="fsr")  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="measurement block visual"):
        mx.sam("visual =~ x1 + x2; speed =~ x7 + x8 + x9; speed ~ visual", data)


def test_the_summary_has_both_steps() -> None:
    fit = fit_quietly(REGRESSION, mx.data.holzinger_swineford_1939())
    text = str(mx.summary(fit))
    for part in ("Structural after measurement", "structural part", "Reliability", "speed ~ visual"):
        assert part in text
    glance = mx.glance(fit).iloc[0]
    assert glance["n_blocks"] == 3 and glance["df"] == 0


def test_uncorrected_regression_of_bartlett_scores_is_the_published_one() -> None:
    """What the correction is needed for: slopes of scores from the two measurement blocks, as published (3 digits)."""
    data = mx.data.political_democracy()
    scores = {}
    for text in ("ind60 =~ x1 + x2 + x3", "dem60 =~ y1 + y2 + y3 + y4\ndem65 =~ y5 + y6 + y7 + y8"):
        found = mx.factor_scores(mx.cfa(text, data), method="bartlett")
        scores |= {factor: found[factor].to_numpy() for factor in found.columns}
    fit = mx.sem("dem60 ~ ind60\ndem65 ~ ind60 + dem60", scores)
    assert fit.coef[:3] == pytest.approx([1.421, 0.572, 0.733], abs=5e-4)
