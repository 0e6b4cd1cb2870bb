"""What must not depend on the units of the items, on the order of rows, or on the choice of the marker."""

from __future__ import annotations

import numpy as np
import pytest

import mixsem as mx

MODEL = "visual =~ x1 + x2 + x3; speed =~ x7 + x8 + x9; speed ~ p*visual + q*ageyr; visual ~ r*ageyr; indirect := p*r"
SCALAR = ("loadings", "intercepts")
CFA = "visual =~ x1 + x2 + x3; speed =~ x7 + x8 + x9"

#: Estimates of two parameterisations agree to the optimiser's tolerance.
SAME = 1e-6


@pytest.fixture(scope="module")
def people():
    return mx.data.holzinger_swineford_1939()


@pytest.fixture(scope="module")
def rescaled(people):
    """Other units for every item, rows in another order."""
    other = people.sample(frac=1.0, random_state=3)
    for j in range(1, 10):
        other[f"x{j}"] = 10.0 ** (j - 4) * other[f"x{j}"]
    return other


def test_standardized_solution_knows_no_units(people, rescaled):
    ours, theirs = (mx.standardized(mx.sem(MODEL, data)) for data in (people, rescaled))
    np.testing.assert_allclose(ours["estimate"], theirs["estimate"], atol=SAME)
    np.testing.assert_allclose(ours["se"], theirs["se"], atol=SAME)


def test_standardized_solution_knows_no_marker(people):
    """Marker variables or unit variances: the same standardized solution, standard errors included."""
    ours, theirs = (mx.standardized(mx.cfa(CFA, people, std_lv=std_lv)) for std_lv in (False, True))
    np.testing.assert_allclose(ours["estimate"], theirs["estimate"], atol=SAME)
    np.testing.assert_allclose(ours["se"], theirs["se"], atol=SAME)


def test_standardized_by_hand(people):
    """Correlations of a path model are products of standardized coefficients."""
    fit = mx.sem(MODEL, people)
    frame = mx.standardized(fit).set_index(["lhs", "op", "rhs"])["estimate"]
    sd = np.sqrt(np.diagonal(fit.implied.Sigma[0]))
    own = frame["visual", "=~", "x1"]
    assert own == pytest.approx(np.sqrt(fit.implied.Phi[0, 0, 0]) / sd[0], rel=1e-10)
    assert own**2 + frame["x1", "~~", "x1"] == pytest.approx(1.0, abs=1e-10)
    p, r = frame["speed", "~", "visual"], frame["visual", "~", "ageyr"]
    assert frame["indirect", ":=", "p*r"] == pytest.approx(p * r, rel=1e-10)


def test_covariates_keep_their_unit(people):
    """With "nox" the effect of a year of age is per year."""
    fit, twice = mx.sem(MODEL, people), mx.sem(MODEL, people.assign(ageyr=2.0 * people["ageyr"]))
    effect = [
        mx.standardized(f, "nox").query("op == '~' and rhs == 'ageyr'")["estimate"].to_numpy() for f in (fit, twice)
    ]
    np.testing.assert_allclose(effect[0], 2.0 * effect[1], rtol=1e-5)


def test_tests_know_no_units(people, rescaled):
    fits = [mx.cfa(CFA, data, "school", group_equal=SCALAR) for data in (people, rescaled)]
    for function in (mx.modification_indices, lambda fit: mx.release_scores(fit).cells):
        a, b = (function(fit).sort_values(["group", "lhs", "op", "rhs"]) for fit in fits)
        for column in ("p_value", "sepc_all"):
            np.testing.assert_allclose(a[column], b[column], atol=1e-5)
    a, b = (mx.score_test(fit) for fit in fits)
    assert (a.df, a.rank) == (b.df, b.rank) == (10, 8)
    assert a.statistic == pytest.approx(b.statistic, rel=1e-6)


def test_indices_and_residuals_know_no_units(people, rescaled):
    fits = [mx.cfa(CFA, data, "school", group_equal=SCALAR) for data in (people, rescaled)]
    a, b = (mx.fit_measures(fit).drop(["logl", "unrestricted.logl", "aic", "bic", "bic2"]) for fit in fits)
    units = ["rmr", "rmr_nomean"]
    np.testing.assert_allclose(a.drop(units), b.drop(units), rtol=1e-5, atol=1e-7)
    assert not np.allclose(a[units], b[units], rtol=0.1)
    a, b = (mx.residuals(fit, "standardized")["residual"] for fit in fits)
    np.testing.assert_allclose(a, b, atol=1e-4)


def test_scores_follow_the_rows(people, rescaled):
    """A person's score belongs to the person, whatever the order of the rows."""
    fit, other = mx.cfa(CFA, people, std_lv=True), mx.cfa(CFA, rescaled, std_lv=True)
    ours, theirs = mx.factor_scores(fit, people), mx.factor_scores(other, rescaled)
    np.testing.assert_allclose(ours, theirs.loc[people.index], atol=1e-5)
    np.testing.assert_allclose(mx.factor_scores(other).to_numpy(), theirs.to_numpy(), atol=1e-12)


def test_the_order_of_groups_is_that_of_labels(people):
    fit = mx.cfa(CFA, people, "school", group_equal="loadings")
    swapped = people.assign(school=people["school"].map({"Pasteur": "A", "Grant-White": "B"}))
    other = mx.cfa(CFA, swapped, "school", group_equal="loadings")
    back = {"A": "Pasteur", "B": "Grant-White"}
    key = ["group", "lhs", "op", "rhs"]
    for function in (
        mx.modification_indices,
        lambda f: mx.release_scores(f, "loadings").cells,
        mx.residuals,
        mx.standardized,
    ):
        ours, theirs = function(fit), function(other)
        theirs["group"] = theirs["group"].map(back)
        numbers = ours.columns.difference(["group", "lhs", "op", "rhs"])
        ours, theirs = (frame.set_index(key)[numbers].sort_index() for frame in (ours, theirs))
        assert len(ours) >= 8
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)
