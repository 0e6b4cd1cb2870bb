"""Levels of invariance against lavaan's numbers, and what is refused."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mixsem as mx
from mixsem.errors import DataError, HeywoodWarning, ModelError, OptionError
from mixsem.measurement.invariance_measures import CUTOFFS

MODEL = "visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6\nspeed =~ x7 + x8 + x9"
#: Published numbers have so many digits.
PRINTED = 6e-5


@pytest.fixture(scope="module")
def pupils() -> pd.DataFrame:
    return mx.data.holzinger_swineford_1939()


@pytest.fixture(scope="module")
def schools(pupils: pd.DataFrame) -> mx.InvarianceTest:
    return mx.invariance_test(MODEL, pupils, "school")


def test_levels_have_the_numbers_of_lavaan(schools: mx.InvarianceTest) -> None:
    frame = schools.to_pandas()
    assert frame["level"].tolist() == ["configural", "metric", "scalar", "strict"]
    assert frame["df"].tolist() == [48, 54, 60, 69]
    np.testing.assert_allclose(frame["chisq"], [115.8513, 124.0435, 164.1028, 181.5113], atol=PRINTED)
    np.testing.assert_allclose(frame["cfi"], [0.9234, 0.9209, 0.8825, 0.8730], atol=PRINTED)
    assert frame["rmsea"][0] == pytest.approx(0.0969, abs=PRINTED)
    assert frame["aic"][0] == pytest.approx(7484.395, abs=6e-4)
    assert frame["bic"][0] == pytest.approx(7706.822, abs=6e-4)


def test_steps_have_the_numbers_of_lavaan(schools: mx.InvarianceTest) -> None:
    steps = schools.to_pandas().iloc[1:]
    np.testing.assert_allclose(steps["diff_chisq"], [8.192, 40.059, 17.409], atol=6e-4)
    assert steps["diff_df"].tolist() == [6, 6, 9]
    assert steps["diff_p"].iloc[0] == pytest.approx(0.224, abs=6e-4)
    assert steps["diff_p"].iloc[1] < 1e-6
    assert steps["diff_p"].iloc[2] == pytest.approx(0.043, abs=6e-4)


def test_partial_invariance(pupils: pd.DataFrame) -> None:
    test = mx.invariance_test(MODEL, pupils, "school", levels=("scalar",), partial=("x3 ~ 1", "x7 ~ 1"))
    measures = test.levels[0].measures
    assert (measures.chisq, measures.df) == (pytest.approx(129.4225, abs=PRINTED), 58)


@pytest.mark.parametrize("std_lv", [False, True])
def test_the_scale_does_not_matter(pupils: pd.DataFrame, schools: mx.InvarianceTest, std_lv: bool) -> None:
    test = mx.invariance_test(MODEL, pupils, "school", std_lv=std_lv)
    np.testing.assert_allclose(test.to_pandas()["chisq"], schools.to_pandas()["chisq"], rtol=1e-8)


def test_scaled_differences(pupils: pd.DataFrame) -> None:
    """Satorra & Bentler (2001), written out."""
    test = mx.invariance_test(MODEL, pupils, "school", estimator="MLR")
    for before, after in zip(test.levels, test.levels[1:], strict=False):
        a, b, c = before.measures, after.measures, after.comparison
        assert c is not None
        scale = (b.df * b.scale - a.df * a.scale) / (b.df - a.df)
        assert c.chisq == pytest.approx((b.chisq * b.scale - a.chisq * a.scale) / scale, rel=1e-9)
        assert c.method == "satorra-bentler-2001"
    # Robust CFI and RMSEA, those that are compared with cut-offs.
    robust = test.levels[0].fit.robust
    assert robust is not None
    assert test.levels[0].measures.cfi == robust.population.cfi_robust


def test_blocks_add_up(pupils: pd.DataFrame) -> None:
    test = mx.invariance_test(MODEL, pupils, "school", blocks="factor", levels=("configural", "metric"))
    assert test.blocks == ("visual", "textual", "speed")
    one = mx.invariance_test("textual =~ x4 + x5 + x6", pupils, "school", levels=("metric",))
    assert test.fit("metric", "textual").measures.chisq == pytest.approx(one.levels[0].measures.chisq, rel=1e-9)
    with pytest.raises(OptionError, match="several blocks"):
        test.fit("metric")


def test_partial_parameters_go_to_their_block(pupils: pd.DataFrame) -> None:
    partial = ("textual =~ x6", "visual =~ x3")
    test = mx.invariance_test(MODEL, pupils, "school", blocks="factor", levels=("metric",), partial=partial)
    assert [test.fit("metric", b).measures.df for b in test.blocks] == [1, 1, 2]
    with pytest.raises(OptionError, match="nobody"):
        mx.invariance_test(MODEL, pupils, "school", blocks="factor", levels=("metric",), partial=("nobody =~ x6",))


def test_verdicts_follow_from_the_changes(schools: mx.InvarianceTest) -> None:
    for step in schools.levels[1:]:
        c = step.comparison
        assert c is not None
        assert [v.source for v in c.verdicts] == [cutoff.source for cutoff in CUTOFFS[step.level]]
        for verdict, cutoff in zip(c.verdicts, CUTOFFS[step.level], strict=True):
            assert verdict.cfi == (-c.cfi <= cutoff.cfi)
            assert verdict.rmsea == (None if cutoff.rmsea is None else c.rmsea <= cutoff.rmsea)
    scalar = schools.levels[2].comparison
    assert scalar is not None and not any(v.met for v in scalar.verdicts)


def test_it_prints_its_table(schools: mx.InvarianceTest) -> None:
    text = repr(schools)
    for part in ("115.851", "8.192", "0.224", "Chen (2007)", "−0.010 not met", "rules of thumb"):
        assert part in text
    assert "<table>" in schools._repr_html_()


def test_large_samples_are_spoken_of() -> None:
    moments = mx.simulate.draw_moments(mx.simulate.draw_truth(mx.simulate.Population(n_groups=12), seed=1), seed=1)
    text = repr(mx.invariance_test("F =~ V1 + V2 + V3 + V4", moments, levels=("configural", "metric")))
    assert "with so many people" in text
    assert "12 groups: cut-offs found with two groups" in text


def test_trouble_is_told_by_level_group_and_item() -> None:
    """A factor of which one item is nearly all there is in one group."""
    loading = np.array([1.2, 0.2, 0.2])
    bad = np.outer(loading, loading) + np.diag([-0.3, 0.9, 0.9])
    good = np.full((3, 3), 0.5) + 0.5 * np.eye(3)
    moments = mx.SampleMoments.from_covariances(
        {"good": good, "bad": bad}, n=200, means={"good": [0, 0, 0], "bad": [0, 0, 0]}, items=["a", "b", "c"]
    )
    with pytest.warns(HeywoodWarning, match="configural: .*a~~a in bad"):
        test = mx.invariance_test("F =~ b + a + c", moments, levels=("configural", "metric"))
    assert [n.groups for n in test.levels[0].notices] == [("bad",)]
    assert test.levels[0].notices[0] in test.notices
    assert "HeywoodWarning" in repr(test)


def test_what_was_dropped_is_told_once(pupils: pd.DataFrame) -> None:
    holes = pupils.assign(x1=pupils["x1"].where(pupils.index % 20 > 0))
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        mx.invariance_test(MODEL, holes, "school")
    assert [w.category.__name__ for w in said].count("MissingDataWarning") == 1


def test_full_information_uses_every_answer(pupils: pd.DataFrame) -> None:
    holes = pupils.assign(x1=pupils["x1"].where(pupils.index % 20 > 0))
    test = mx.invariance_test(MODEL, holes, "school", missing="ml", levels=("configural", "metric"))
    assert test.nobs == 301
    separate = mx.cfa(MODEL, holes, "school", missing="ml", group_equal=("loadings",))
    assert test.fit("metric").measures.chisq == pytest.approx(separate.measures.chisq, rel=1e-8)


def test_the_order_of_groups_does_not_matter(pupils: pd.DataFrame, schools: mx.InvarianceTest) -> None:
    names = {"Pasteur": "a", "Grant-White": "z"}
    turned = mx.invariance_test(MODEL, pupils.assign(school=pupils["school"].map(names)), "school")
    np.testing.assert_allclose(turned.to_pandas()["chisq"], schools.to_pandas()["chisq"], rtol=1e-8)


def test_one_group_is_refused(pupils: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="single group"):
        mx.invariance_test(MODEL, pupils[pupils["school"] == "Pasteur"], "school")
    with pytest.raises(DataError, match="single group"):
        mx.invariance_test(MODEL, pupils)


def test_a_constant_item_is_refused_by_name(pupils: pd.DataFrame) -> None:
    constant = pupils.assign(x2=np.where(pupils["school"] == "Pasteur", 1.0, pupils["x2"]))
    with pytest.raises(DataError, match="x2"):
        mx.invariance_test(MODEL, constant, "school")


def test_a_tiny_group_is_refused_by_name(pupils: pd.DataFrame) -> None:
    tiny = pupils.assign(school=np.where(pupils.index < 6, "tiny", pupils["school"]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(DataError, match="tiny"):
            mx.invariance_test(MODEL, tiny, "school")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"levels": ("metrc",)}, "did you mean 'metric'"),
        ({"levels": ()}, "one or more different levels"),
        ({"levels": ("metric", "metric")}, "one or more different levels"),
        ({"ordered": True, "estimator": "WLSMV", "levels": ("metric", "scalar")}, "thresholds"),
        ({"estimator": "MRL"}, "MLR"),
        ({"partial": ("visual =~ x4",)}, "visual"),
        ({"blocks": "factors"}, "factor"),
    ],
)
def test_wrong_options_are_refused(pupils: pd.DataFrame, options: dict[str, object], says: str) -> None:
    with pytest.raises(OptionError, match=says):
        mx.invariance_test(MODEL, pupils, "school", **options)  # type: ignore[arg-type]


def test_partial_counts_from_the_level_on_that_holds_its_kind_equal(
    pupils: pd.DataFrame, schools: mx.InvarianceTest
) -> None:
    test = mx.invariance_test(MODEL, pupils, "school", partial=("x3 ~ 1", "x7 ~~ x7"))
    df = [step.measures.df for step in test.levels]
    assert df == [48, 54, 59, 67]  # 60 and 69 without exemptions
    assert [step.fit.specification.group_partial for step in test.levels[:3]] == [(), (), ("x3 ~ 1",)]
    own = mx.cfa(MODEL, pupils, "school", group_equal=("loadings", "intercepts"), group_partial="x3 ~ 1")
    assert test.fit("scalar").measures.chisq == pytest.approx(own.measures.chisq, rel=1e-9)
    assert test.fit("metric").measures.chisq == pytest.approx(schools.fit("metric").measures.chisq, rel=1e-9)
    metric = mx.invariance_test(MODEL, pupils, "school", partial="x3 ~ 1", levels=("configural", "metric"))
    assert metric.levels[1].measures.df == 54
    with pytest.raises(OptionError, match=r"^partial= names"):
        mx.invariance_test(MODEL, pupils, "school", partial="visual ~~ textual")
    with pytest.raises(OptionError, match="x99"):
        mx.invariance_test(MODEL, pupils, "school", partial="x99 ~ 1")


def test_ordered_items_have_the_levels_that_free_thresholds_leave(pupils: pd.DataFrame) -> None:
    items = [f"x{j}" for j in range(1, 10)]
    cut = pupils.assign(**{x: pd.qcut(pupils[x], 3, labels=False) for x in items})
    test = mx.invariance_test(MODEL, cut, "school", ordered=True, estimator="WLSMV")
    assert [step.level for step in test.levels] == ["configural", "metric"]
    assert "equal thresholds (scalar invariance)" in " ".join(repr(test).split())


def test_a_marker_cannot_be_partial_unless_the_scale_is_another(pupils: pd.DataFrame) -> None:
    with pytest.raises(OptionError, match="marker"):
        mx.invariance_test(MODEL, pupils, "school", partial=("visual =~ x1",))
    test = mx.invariance_test(MODEL, pupils, "school", partial=("visual =~ x1",), levels=("metric",), std_lv=True)
    other = mx.invariance_test(
        MODEL.replace("x1 + x2", "NA*x1 + 1*x2"), pupils, "school", partial=("visual =~ x1",), levels=("metric",)
    )
    assert test.levels[0].measures.chisq == pytest.approx(other.levels[0].measures.chisq, rel=1e-8)


def test_modifiers_cannot_be_divided_into_blocks(pupils: pd.DataFrame) -> None:
    with pytest.raises(ModelError, match="line 1, column"):
        mx.invariance_test(MODEL.replace("x2", "start(1)*x2"), pupils, "school", blocks="factor")


def test_result_files(pupils: pd.DataFrame, tmp_path: Path) -> None:
    from mixsem.report.invariance_page import save_invariance

    test = mx.invariance_test(MODEL, pupils, "school", levels=("configural", "metric"))
    found = mx.find_noninvariance(test)
    files = save_invariance(test, tmp_path / "out", search=found, source="pupils.csv")
    assert list(files) == ["report.html", "invariance.csv", "noninvariance.csv", "invariance.svg"]
    assert pd.read_csv(files["invariance.csv"])["chisq"].tolist() == pytest.approx(test.to_pandas()["chisq"].tolist())
    assert len(pd.read_csv(files["noninvariance.csv"])) == 2 * 9
    page = files["report.html"].read_text(encoding="utf-8")
    assert "115.851" in page and "<svg" in page and "pupils.csv" in page
