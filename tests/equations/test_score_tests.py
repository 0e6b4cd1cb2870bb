"""Score tests and modification indices: against differences of the loss, and against models fitted again."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mixsem as mx
from mixsem.equations.cells import cell_derivatives, cell_model, cell_values
from mixsem.equations.modification import adjusted_p_values
from mixsem.errors import BoundaryWarning, ModelError, OptionError

CFA = "visual =~ x1 + x2 + x3; textual =~ x4 + x5 + x6; speed =~ x7 + x8 + x9"
SCALAR = ("loadings", "intercepts")


@pytest.fixture(scope="module")
def people():
    return mx.data.holzinger_swineford_1939()


@pytest.fixture(scope="module")
def scalar(people):
    return mx.cfa(CFA, people, "school", group_equal=SCALAR)


@pytest.mark.parametrize("estimator", ["ML", "GLS", "ULS"])
def test_scores_are_slopes_of_the_loss(people, estimator):
    """Of parameters in the model and outside it, by central differences."""
    fit = mx.cfa(CFA, people, "school", group_equal="loadings", estimator=estimator)
    extra = [("visual", "=~", "x9"), ("x7", "~~", "x8"), ("x1", "~~", "x4")]
    found = cell_derivatives(fit, extra)
    cells = cell_model(fit, extra)
    theta = cell_values(fit, cells)
    loss = type(fit.loss)(cells, *(getattr(fit.loss, name) for name in fit.loss.__slots__ if name != "model"))
    for g, e in ((0, 1), (1, 12), (0, cells.free.shape[1] - 3), (1, cells.free.shape[1] - 2)):
        move = np.zeros_like(theta)
        move[cells.free[g, e]] = 1e-5
        slope = (loss.value(theta + move) - loss.value(theta - move)) / 2e-5
        assert -found.score[g, e] == pytest.approx(slope, rel=1e-5, abs=1e-5)


def test_changes_come_close_to_what_fitting_again_gives(people):
    fit = mx.cfa(CFA, people)
    found = mx.modification_indices(fit).set_index(["lhs", "op", "rhs"])
    for lhs, op, rhs in (("textual", "=~", "x1"), ("x2", "~~", "x7"), ("x4", "~~", "x7")):
        again = mx.cfa(f"{CFA}\n{lhs} {op} {rhs}", people)
        row = found.loc[(lhs, op, rhs)]
        e = again.model.entries.index(f"{lhs}{op}{rhs}")
        assert row["epc"] == pytest.approx(again.model.entry_values(again.coef)[0, e], rel=0.25)
        assert row["mi"] == pytest.approx(fit.measures.chisq - again.measures.chisq, rel=0.25)
        scaled = mx.standardized(again).set_index(["lhs", "op", "rhs"])["estimate"]
        assert row["sepc_all"] == pytest.approx(scaled[lhs, op, rhs], rel=0.3)


def test_release_of_a_cell_comes_close_to_fitting_again(people, scalar):
    overall = mx.release_scores(scalar).overall.set_index(["lhs", "op"])["statistic"]
    for item in ("x1", "x4", "x9"):
        again = mx.cfa(CFA, people, "school", group_equal=SCALAR, group_partial=f"{item} ~ 1")
        gain = scalar.measures.chisq - again.measures.chisq
        assert overall.loc[[(item, "~1")]].item() == pytest.approx(gain, rel=0.2)


def test_two_groups_say_the_same(scalar):
    """With two groups, either differs from the other, and the overall test is the same one."""
    found = mx.release_scores(scalar)
    for _, pair in found.cells.groupby(["lhs", "op", "rhs"]):
        assert pair["statistic"].iloc[0] == pytest.approx(pair["statistic"].iloc[1], rel=1e-6)
        assert pair["epc"].iloc[0] == pytest.approx(-pair["epc"].iloc[1], rel=1e-6)
    first = found.cells[found.cells["group"] == scalar.groups[0]]["statistic"].to_numpy()
    np.testing.assert_allclose(found.overall["statistic"], first, rtol=1e-6)
    assert (found.overall["df"] == 1).all()
    univariate = mx.score_test(scalar).univariate["statistic"].to_numpy()
    np.testing.assert_allclose(np.sort(univariate), np.sort(first), rtol=1e-6)


def test_one_odd_cell_of_many_groups_is_found():
    """Six groups, of which one has another loading and another an intercept of its own."""
    text = "F =~ 1*x1 + {}*x2 + .7*x3 + .7*x4; x3 ~ {}*1"
    parts = []
    for g in range(6):
        model = text.format(0.2 if g == 4 else 0.8, 0.5 if g == 1 else 0.0)
        parts.append(mx.simulate_data(model, n=400, seed=g).assign(country=f"C{g}"))
    data = pd.concat(parts)
    fit = mx.cfa("F =~ x1 + x2 + x3 + x4", data, "country", group_equal=SCALAR)
    found = mx.release_scores(fit)
    assert (found.overall["df"] == 5).all() and len(found.cells) == 6 * 7
    loadings = found.cells[found.cells["op"] == "=~"]
    assert loadings.loc[loadings["statistic"].idxmax(), ["group", "rhs"]].tolist() == ["C4", "x2"]
    intercepts = found.cells[found.cells["op"] == "~1"]
    largest = intercepts.loc[intercepts["statistic"].idxmax()]
    assert (largest["group"], largest["lhs"]) == ("C1", "x3")
    assert largest["epc"] == pytest.approx(0.5, abs=0.15)
    odd = found.cells.query("group == 'C4' and op == '=~' and rhs == 'x2'")["epc"].item()
    assert odd == pytest.approx(-0.6, abs=0.3)  # one step of scoring overshoots where the difference is large


def test_joint_release_is_that_of_the_whole_where_all_is_named(people):
    """Both routes to the joint test: cells beside the model, and the model without constraints."""
    fit = mx.cfa(CFA, people, "school", group_equal="loadings")
    whole = mx.score_test(fit)
    named = mx.score_test(fit, [row.name for row in fit.table.rows if row.label[0]])
    assert named.statistic == pytest.approx(whole.statistic, rel=1e-6)
    assert named.df == named.rank == whole.df == whole.rank == 6
    np.testing.assert_allclose(named.changes["epc"], whole.changes["epc"], atol=1e-6)


def test_names_choose_what_is_looked_at(people):
    fit = mx.cfa(CFA, people)
    everything = mx.modification_indices(fit)
    assert set(everything["op"]) == {"=~", "~~"}
    some = mx.modification_indices(fit, free=("=~", "x8 ~~ x7"))
    assert len(some) == (everything["op"] == "=~").sum() + 1
    assert (some["p_holm"] >= some["p_fdr"] - 1e-12).all() and (some["p_fdr"] >= some["p_value"] - 1e-12).all()
    assert len(mx.modification_indices(fit, top=4)) == 4


def test_refusals(people, scalar):
    fit = mx.cfa(CFA, people)
    with pytest.raises(OptionError, match="no absent or fixed parameter"):
        mx.modification_indices(fit, free="visual =~ x10")
    with pytest.raises(ModelError, match="no equality constraints"):
        mx.score_test(fit)
    with pytest.raises(OptionError, match="x99"):
        mx.score_test(scalar, "x99 ~ 1")
    with pytest.raises(OptionError, match="slopes"):
        mx.release_scores(scalar, "slopes")
    with pytest.warns(BoundaryWarning):
        bound = mx.cfa(CFA + "\nvisual ~~ upper(0.1)*textual", people)
    with pytest.raises(ModelError, match="binds"):
        mx.modification_indices(bound)


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=30))
def test_adjusted_p_values(p):
    """In the order of the p-values, never below them, and the familywise one never below the other."""
    p = np.array(p)
    holm, fdr = adjusted_p_values(p)
    order = np.argsort(p, kind="stable")
    assert (np.diff(holm[order]) >= 0).all() and (np.diff(fdr[order]) >= 0).all()
    assert (p <= fdr + 1e-12).all() and (fdr <= holm + 1e-12).all() and (holm <= 1).all()
    assert holm.min() == pytest.approx(min(p.size * p.min(), 1.0))
