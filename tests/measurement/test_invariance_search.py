"""The search for non-invariant items on populations whose truth is known."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import mixsem as mx
from mixsem.errors import ModelError, OptionError
from mixsem.inference.multiplicity import adjusted_p
from mixsem.measurement.invariance_cells import invariance_cells
from mixsem.measurement.invariance_levels import fit_model
from mixsem.measurement.invariance_text import with_markers

MODEL = "F1 =~ a1 + a2 + a3 + a4 + a5\nF2 =~ b1 + b2 + b3 + b4 + b5"
ITEMS = [f"{f}{j}" for f in "ab" for j in range(1, 6)]
PUPILS = "visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6\nspeed =~ x7 + x8 + x9"


def draw(
    seed: int, *, groups: int = 24, n: int = 200, loadings: dict[str, float] | None = None, intercepts: float = 0.0
) -> mx.SampleMoments:
    """Groups whose factor means and variances differ; in every third one the loadings named are higher by so much."""
    rng = np.random.default_rng(seed)
    S, M = {}, {}
    for g in range(groups):
        Lambda = np.zeros((10, 2))
        Lambda[:5, 0] = Lambda[5:, 1] = 0.8
        nu = np.zeros(10)
        if g % 3 == 0:
            for item, extra in (loadings or {}).items():
                Lambda[ITEMS.index(item), int(item[0] == "b")] += extra
            nu[ITEMS.index("b4")] += intercepts
        sd = np.exp(rng.normal(scale=0.15, size=2))
        Phi = np.array([[1.0, 0.3], [0.3, 1.0]]) * np.outer(sd, sd)
        mean, Sigma = nu + Lambda @ rng.normal(scale=0.4, size=2), Lambda @ Phi @ Lambda.T + 0.4 * np.eye(10)
        x = rng.multivariate_normal(mean, Sigma, n, method="cholesky")  # others differ between versions of LAPACK
        S[f"g{g:02d}"], M[f"g{g:02d}"] = np.cov(x.T), x.mean(axis=0)
    return mx.SampleMoments.from_covariances(S, n=n, means=M, items=ITEMS)


def search(moments: mx.SampleMoments, **options: object) -> mx.NonInvariance:
    return mx.find_noninvariance(mx.cfa(MODEL, moments), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("correction", ["BH", "holm"])
def test_planted_loadings_are_found(correction: str) -> None:
    """One of them is a marker."""
    found = search(draw(1, loadings={"a1": 0.5, "b3": -0.4}), correction=correction)
    assert set(found.partial) == {"F1 =~ a1", "F2 =~ b3"}
    own = found.first[(found.first["parameter"] == "F1 =~ a1") & found.first["flagged"]]
    assert set(own["group"]) >= {f"g{g:02d}" for g in range(0, 24, 3)}
    assert found.stopped == ()
    assert not found.last["flagged"].any()


def test_a_freed_marker_gets_a_successor() -> None:
    moments = draw(2, loadings={"a1": 0.5})
    found = search(moments)
    assert found.partial == ("F1 =~ a1",)
    assert found.markers == {"F1": "a2"}
    assert found.measurement == MODEL.replace("a1 + a2", "NA*a1 + 1*a2")
    for fit in (
        mx.cfa(found.measurement, moments, group_equal="loadings", group_partial=found.partial),
        mx.invariance_test(found.measurement, moments, partial=found.partial, levels=("metric",)).fit("metric"),
    ):
        assert fit.measures.chisq == pytest.approx(found.steps[-1].chisq, rel=1e-7)
        assert fit.measures.df == found.steps[-1].df
    step1 = mx.MGCFA(found.measurement, partial=found.partial).fit(moments)
    assert step1.converged


def test_planted_intercepts_are_found() -> None:
    found = search(draw(3, loadings={"a2": 0.5}, intercepts=0.5), kinds=("loadings", "intercepts"))
    # The intercept of an item with a freed loading is freed with it.
    assert set(found.partial) == {"F1 =~ a2", "a2 ~ 1", "b4 ~ 1"}
    assert set(found.first["kind"]) == {"loadings", "intercepts"}


def test_nothing_is_found_under_invariance() -> None:
    """False alarms in at most 3 of 20 samples, where 1 is expected."""
    alarms = [bool(search(draw(seed, groups=12), threshold=0.0, max_steps=0).stopped) for seed in range(100, 120)]
    assert sum(alarms) <= 3


def test_p_values_are_uniform_under_invariance() -> None:
    p = np.concatenate([search(draw(seed, n=400), max_steps=0).first["p_value"] for seed in range(5)])
    # 1,200 cells: three standard errors.
    assert abs((p < 0.05).mean() - 0.05) < 0.02
    assert abs((p < 0.5).mean() - 0.5) < 0.045


def test_robust_p_values_hold_with_heavy_tails() -> None:
    """Normal theory rejects too often there: all of a row is scaled by the same random number (multivariate t)."""
    rng = np.random.default_rng(5)
    frames = []
    for g in range(40):
        scale = np.sqrt(6 / rng.chisquare(6, size=(500, 1)))
        items = scale * (0.8 * rng.normal(size=(500, 1)) + 0.6 * rng.normal(size=(500, 5)))
        frames.append(pd.DataFrame(items, columns=list("vwxyz")).assign(g=f"g{g:02d}"))
    data = pd.concat(frames, ignore_index=True)
    share = {}
    for estimator in ("ML", "MLR", "MLM"):
        fit = mx.cfa("F =~ v + w + x + y + z", data, "g", estimator=estimator, group_equal="loadings")
        share[estimator] = float((invariance_cells(fit, "loadings").pvalue < 0.05).mean())
    assert share["ML"] > 0.10
    assert share["MLR"] < 0.085  # 200 cells: about two standard errors above .05
    assert share["MLM"] < 0.085


def test_expected_changes_are_changes() -> None:
    """In a large sample the expected change comes close to what the group's own value turns out to be."""
    moments = draw(6, groups=6, n=20_000, loadings={"a3": 0.15})
    cells = search(moments, max_steps=0).first
    fit = mx.cfa(MODEL, moments, group_equal="loadings", group_partial=("F1 =~ a3",), std_lv=True)
    values = dict(zip(fit.model.names, fit.coef.tolist(), strict=True))
    own = np.array([values[f"F1=~a3[g{g:02d}]"] for g in range(6)])
    rest = np.array([np.delete(own, g).mean() for g in range(6)])
    epc = cells[cells["parameter"] == "F1 =~ a3"]["epc"].to_numpy()
    np.testing.assert_allclose(epc, own - rest, atol=0.035)


def test_cells_agree_with_release_scores() -> None:
    data = mx.data.holzinger_swineford_1939()
    fit = mx.cfa(PUPILS, data, "school", group_equal=("loadings", "intercepts"), std_lv=True)
    for kind in ("loadings", "intercepts"):
        cells = invariance_cells(fit, kind)
        other = mx.release_scores(fit, kind).cells
        np.testing.assert_allclose(cells.statistic.ravel(), other["statistic"], rtol=1e-8)
        np.testing.assert_allclose(cells.epc.ravel(), other["epc"], rtol=1e-8)


@pytest.mark.parametrize("kind", ["loadings", "intercepts"])
def test_the_scale_does_not_matter(kind: str) -> None:
    """Markers are tested, too, and statistics and standardized changes are those of any other scale."""
    data = mx.data.holzinger_swineford_1939()
    equal = ("loadings", "intercepts")
    a, b = (mx.cfa(PUPILS, data, "school", group_equal=equal, std_lv=std) for std in (False, True))
    for name in ("statistic", "standardized"):
        x, y = (getattr(invariance_cells(fit, kind), name) for fit in (a, b))
        assert x.shape == (9, 2)
        np.testing.assert_allclose(x, y, rtol=1e-6, atol=1e-9)


def test_the_order_of_groups_does_not_matter() -> None:
    moments = draw(7, groups=8, loadings={"a1": 0.5})
    turned = mx.SampleMoments.from_covariances(
        {f"h{7 - g}": S for g, S in enumerate(moments.covariances)},
        n=200,
        means={f"h{7 - g}": m for g, m in enumerate(moments.means)},
        items=ITEMS,
        divisor="n",
    )
    a, b = search(moments), search(turned)
    assert a.partial == b.partial
    flat = a.first.assign(group=[f"h{7 - int(str(g)[1:])}" for g in a.first["group"]])
    both = flat.merge(b.first, on=["group", "parameter"])
    assert len(both) == len(a.first)
    np.testing.assert_allclose(both["statistic_x"], both["statistic_y"], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(both["deviation_x"], both["deviation_y"], rtol=1e-4, atol=1e-5)


def test_enough_items_stay_invariant() -> None:
    extra = {"a1": 0.5, "a2": 0.4, "a3": -0.4, "a4": -0.3}
    found = search(draw(8, loadings=extra))
    assert len([name for name in found.partial if name.startswith("F1")]) == 2  # 3 of 5 stay
    assert found.stopped
    assert "kept as an anchor" in repr(found)
    more = search(draw(8, loadings=extra), keep=2)
    assert len([name for name in more.partial if name.startswith("F1")]) <= 3


def test_a_share_of_groups_can_be_asked_for() -> None:
    moments = draw(9, loadings={"a2": 0.5})
    assert search(moments, min_share=0.25).partial == ("F1 =~ a2",)
    assert search(moments, min_share=0.9).partial == ()


def test_a_threshold_keeps_what_is_small() -> None:
    """With 20,000 people per group a difference of .05 is significant, and does not matter."""
    moments = draw(10, groups=6, n=20_000, loadings={"a2": 0.05})
    assert "F1 =~ a2" in search(moments, threshold=0.0).partial
    assert search(moments).partial == ()


def test_a_path_can_be_followed() -> None:
    seen: list[tuple[str, int, int]] = []
    found = search(draw(1, loadings={"a1": 0.5, "b3": -0.4}), progress=lambda *told: seen.append(told), max_steps=1)
    assert len(found.partial) == 1 and len(found.stopped) >= 1
    assert [step.parameter for step in found.steps] == ["", *found.partial]
    assert found.steps[1].chisq < found.steps[0].chisq
    assert found.steps[1].flagged >= 8 and 0.3 < found.steps[1].share < 0.8
    assert seen[0][0] == "search"
    assert repr(found).count("F1 =~ a1") >= 2


def test_existing_exemptions_stay() -> None:
    moments = draw(1, loadings={"a1": 0.5, "b3": -0.4})
    test = mx.invariance_test(MODEL, moments, partial=("F2=~b3",), levels=("configural", "metric"))
    found = mx.find_noninvariance(test)
    assert found.partial == ("F2=~b3", "F1 =~ a1")


def test_new_markers_are_written_into_any_layout() -> None:
    text, changed = with_markers(
        "F =~ x1 +\n  x2 + # a remark\n  x3; G =~ y1+y2 + y3", [("F", "x1"), ("F", "x2"), ("G", "y1")]
    )
    assert text == "F =~ NA*x1 +\n  x2 + # a remark\n  1*x3; G =~ NA*y1+1*y2 + y3"
    assert changed == {"F": "x3", "G": "y2"}


def test_a_scale_of_its_own_is_refused() -> None:
    data = mx.data.holzinger_swineford_1939()
    fit = mx.cfa(PUPILS.replace("x1", "1*x1"), data, "school")
    with pytest.raises(ModelError, match="sets the scale"):
        mx.find_noninvariance(fit)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"kinds": ("loading",)}, "did you mean 'loadings'"),
        ({"kinds": ()}, "kinds"),
        ({"correction": "bonferroni"}, "holm"),
        ({"alpha": 2}, "alpha=2"),
        ({"threshold": -1}, "threshold=-1"),
        ({"min_share": 1.5}, "min_share"),
        ({"keep": 1}, "keep=1"),
        ({"max_steps": -1}, "max_steps"),
        ({"progress": 3}, "progress"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, object], says: str) -> None:
    with pytest.raises(OptionError, match=says):
        mx.find_noninvariance(mx.cfa(PUPILS, mx.data.holzinger_swineford_1939(), "school"), **options)  # type: ignore[arg-type]


def test_what_is_no_fit_of_several_groups_is_refused() -> None:
    with pytest.raises(OptionError, match="one group"):
        mx.find_noninvariance(mx.cfa(PUPILS, mx.data.holzinger_swineford_1939()))
    with pytest.raises(OptionError, match="str"):
        mx.find_noninvariance("fit")  # type: ignore[arg-type]


def test_a_fit_without_notices_is_quiet() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit = mx.cfa(MODEL, draw(1))
        fit_model(fit.specification, fit.data)


def test_adjusted_p_values() -> None:
    p = np.array([[0.001, np.nan], [0.04, 0.02]])
    np.testing.assert_allclose(adjusted_p(p, "holm"), [[0.003, np.nan], [0.04, 0.04]])
    np.testing.assert_allclose(adjusted_p(p, "BH"), [[0.003, np.nan], [0.04, 0.03]])
    np.testing.assert_array_equal(adjusted_p(p, "none"), p)
    assert adjusted_p(np.array([])).size == 0
