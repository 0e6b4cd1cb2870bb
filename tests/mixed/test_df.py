"""Degrees of freedom and tests of coefficients against lmerTest and pbkrtest; Kenward-Roger and its plain twin."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import mixsem as mx
from mixsem.errors import DataError, OptionError
from mixsem.mixed.inference import kenward_roger as module
from mixsem.mixed.inference.contrasts import contrast
from mixsem.mixed.inference.ddf import coefficient_table, inference_of
from mixsem.mixed.inference.kenward_roger import kenward_roger
from mixsem.mixed.inference.linear_functions import linear_functions
from mixsem.mixed.inference.satterthwaite import pooled_df

from .references import DF_RELATIVE, FIXEF_RELATIVE, cases, matrix, table
from .test_lme4 import fitted

#: Relative, of Kenward and Roger's quantities from cross-products against the same from n x n matrices.
TWIN = 1e-7
#: Absolute, of p-values: far in the tails they move by many times the relative change of the degrees of freedom.
SMALL_P = 1e-6
#: Relative, of numbers printed by R for one data set, after this package's own optimum.
PRINTED = 1e-6

WITH_TABLES = [
    (case, method)
    for case in cases()
    for method in ("satterthwaite", "kenward_roger")
    if "row" in ((case.numbers.get("tests") or {}).get(method, {}).get("coefficients") or {})
]


@pytest.mark.parametrize(("case", "method"), WITH_TABLES, ids=lambda value: str(value))
def test_coefficients(case, method):
    expected = table(case.numbers["tests"][method]["coefficients"]).astype(float)
    found = coefficient_table(fitted(case), method.replace("_", "-")).frame
    np.testing.assert_allclose(found["df"], expected["df"], rtol=DF_RELATIVE)
    np.testing.assert_allclose(found["se"], expected["Std. Error"], rtol=FIXEF_RELATIVE)
    np.testing.assert_allclose(found["t"], expected["t value"], rtol=1e-4, atol=FIXEF_RELATIVE)
    np.testing.assert_allclose(found["p_value"], expected["Pr(>|t|)"], rtol=DF_RELATIVE, atol=SMALL_P)


def test_there_were_many():
    assert len(WITH_TABLES) >= 80
    assert {case.numbers["singular"] for case, _ in WITH_TABLES} == {True, False}


@pytest.mark.parametrize("case", [case for case, method in WITH_TABLES if method == "kenward_roger"], ids=str)
def test_adjusted_covariances(case):
    expected = matrix(case.numbers["tests"]["kenward_roger"]["vcov"])
    size = np.sqrt(np.outer(np.diagonal(expected), np.diagonal(expected)))
    np.testing.assert_allclose(kenward_roger(fitted(case)).vcov / size, expected / size, atol=2 * FIXEF_RELATIVE)


def plain_kenward_roger(fit: mx.MixedFit) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Adjusted covariance, P_r and W as the paper writes them, with n x n matrices."""
    design, n = fit.design, fit.nobs
    weights = np.ones(n) if design.weights is None else design.weights
    G = [np.diag(1 / weights)]
    V = fit.sigma**2 * G[0]
    for t, term in enumerate(design.terms):
        factor = design.factors[term.factor]
        Z = np.ones((n, 1)) if term.Z is None else term.Z
        same = factor.codes[:, None] == factor.codes[None, :]
        lam = fit.model.theta_map.term_lambda(fit.theta, t)
        V = V + fit.sigma**2 * same * (Z @ lam @ lam.T @ Z.T)
        for a in range(Z.shape[1]):
            for b in range(a + 1) if term.correlated else [a]:
                outer = np.outer(Z[:, a], Z[:, b])
                G.append(same * (outer if a == b else outer + outer.T))
    X, inverse = design.X, np.linalg.inv(V)
    Phi = np.linalg.inv(X.T @ inverse @ X)
    P = np.array([-X.T @ inverse @ g @ inverse @ X for g in G])
    U, information = np.zeros_like(Phi), np.empty((len(G), len(G)))
    Q = {}
    for r, g in enumerate(G):
        for s, h in enumerate(G):
            Q[r, s] = X.T @ inverse @ g @ inverse @ h @ inverse @ X
            information[r, s] = (
                np.trace(inverse @ g @ inverse @ h) - 2 * np.trace(Phi @ Q[r, s]) + np.trace(Phi @ P[r] @ Phi @ P[s])
            )
    W = 2 * np.linalg.inv(information)
    for r in range(len(G)):
        for s in range(len(G)):
            U += W[r, s] * (Q[r, s] - P[r] @ Phi @ P[s])
    return Phi + 2 * Phi @ U @ Phi, P, W


TWINS = [case for case in cases("sleepstudy", "pastes", "several_terms", "wide_weights", "badly_scaled") if case.reml]


@pytest.mark.parametrize("case", [case for case in TWINS if case.model != "raw"], ids=str)
def test_kenward_roger_is_that_of_the_paper(case):
    fit = fitted(case)
    vcov, P, W = plain_kenward_roger(fit)
    found = kenward_roger(fit)
    size = np.sqrt(np.outer(np.diagonal(vcov), np.diagonal(vcov)))
    np.testing.assert_allclose(found.vcov / size, vcov / size, atol=TWIN)
    # Variances of variances of contrasts do not depend on how the (co)variances are parametrised.
    for row in (*np.eye(fit.model.p), np.ones(fit.model.p)):
        a, b = (row @ found.plain @ M @ found.plain @ row for M in (found.slopes, -P))
        assert a @ found.covariance @ a == pytest.approx(b @ W @ b, rel=TWIN)


def test_a_residual_variance_near_zero_loses_no_digits():
    """Where subtraction would: the residual is a ten-thousandth of the differences between groups."""
    rng = np.random.default_rng(3)
    g = np.repeat(np.arange(12), 5)
    x = rng.normal(size=60)
    y = x + 1e2 * rng.normal(size=12)[g] + 1e-2 * rng.normal(size=60)
    fit = mx.lmer("y ~ x + (1 | g)", {"y": y, "x": x, "g": g})
    df = inference_of(fit, "kenward-roger").tests.df(np.eye(2))
    assert df == pytest.approx([11.0, 47.0], rel=1e-4)


def test_kenward_roger_of_maximum_likelihood_is_refused():
    fit = mx.lmer("Reaction ~ Days + (1 | Subject)", mx.data.sleepstudy(), reml=False)
    with pytest.raises(OptionError, match="reml=True"):
        coefficient_table(fit, "kenward-roger")


def test_kenward_roger_of_many_random_effects_is_refused(monkeypatch):
    monkeypatch.setattr(module, "LARGEST", 17)
    fit = mx.lmer("Reaction ~ Days + (1 | Subject)", mx.data.sleepstudy())
    with pytest.raises(DataError, match="18 random effects"):
        coefficient_table(fit, "kenward-roger")


def test_without_degrees_of_freedom_it_is_called_z():
    fit = mx.lmer("Reaction ~ Days + (1 | Subject)", mx.data.sleepstudy())
    found = coefficient_table(fit, "none")
    assert list(found.frame.columns) == ["name", "estimate", "se", "z", "p_value", "lower", "upper"]
    assert found.frame["p_value"].to_numpy() == pytest.approx(2 * stats.norm.sf(found.frame["z"].abs()))
    assert "Normal" in repr(found)


def test_what_was_computed_is_used_again_and_only_for_its_fit():
    data = mx.data.sleepstudy()
    one, other = (mx.lmer(f"Reaction ~ Days + ({bar} | Subject)", data) for bar in ("1", "Days"))
    known = inference_of(one)
    assert inference_of(one, known) is known
    with pytest.raises(OptionError, match="another fit"):
        inference_of(other, known)
    with pytest.raises(OptionError, match="'kenward-roger'"):
        inference_of(one, "kenward-rodger")


def test_pooled_degrees_of_freedom():
    assert pooled_df(np.array([7.0, 7.0, 7.0])) == 7.0
    assert pooled_df(np.array([1.9, 50.0])) == 2.0
    assert pooled_df(np.array([np.inf, np.inf])) == np.inf
    # One of two variances known: the F distribution has the mean of the two squares.
    nu = pooled_df(np.array([10.0, np.inf]))
    assert nu / (nu - 2) == pytest.approx((10 / 8 + 1) / 2)


# --- contrasts: lmerTest's contest() of y ~ A * x + z * x + (1 | g), three_way ---------------------------------------


@pytest.fixture(scope="module")
def five() -> mx.MixedFit:
    return mx.lmer("y ~ A * x + z * x + (1 | g)", cases("three_way")[0].data)


def test_one_contrast_against_contest1d(five):
    found = contrast(five, "A[T.q] - 2 * x = 1").frame.iloc[0]
    expected = [-0.4031897608, 0.3914389437, 177.295549, -3.584696371, 0.0004360571637, -1.175668899, 0.3692893776]
    names = ["estimate", "se", "df", "t", "p_value", "lower", "upper"]
    np.testing.assert_allclose([found[name] for name in names], expected, rtol=PRINTED)


def test_several_contrasts_against_contest(five):
    joint = contrast(five, "A[T.q] - 2 * x = 1; z").joint
    assert (joint.num_df, joint.F) == (2, pytest.approx(6.954697543, rel=PRINTED))
    assert joint.den_df == pytest.approx(177.998703, rel=PRINTED)
    assert joint.p_value == pytest.approx(0.001235423715, rel=1e-5)


@pytest.mark.parametrize("ddf", ["satterthwaite", "kenward-roger", "none"])
def test_rows_that_follow_from_others_do_not_count(five, ddf):
    known = inference_of(five, ddf)
    some, more = contrast(five, ["x", "z"], ddf=known), contrast(five, ["x", "z", "x + z", "2*x"], ddf=known)
    assert more.joint.num_df == 2
    assert pytest.approx(some.joint.F) == more.joint.F


def test_ways_to_write_a_contrast(five):
    row = np.zeros(6)
    row[1], row[2] = 1, -0.5
    assert five.design.fixed_names[:4] == ("(Intercept)", "A[T.q]", "x", "z")
    ways = ["A[T.q] - x / 2", {"A[T.q]": 1, "x": -0.5}, row, row[None], "A[T.q] = 0.5*x"]
    for L in ways:
        np.testing.assert_array_equal(linear_functions(L, five.design.fixed_names)[0], row[None])
    named = contrast(five, {"first": "A[T.q]", "second": {"x": 2}})
    assert list(named.frame["name"]) == ["first", "second"]
    assert list(contrast(five, np.eye(6)[:2], names=["a", "b"]).frame["name"]) == ["a", "b"]


def test_names_that_begin_like_others():
    names = ("(Intercept)", "x", "x:z", "I(x ** 2)", "f[T.a b]", "f[T.a b]:x")
    read = linear_functions("x:z - x + 3*I(x ** 2) = f[T.a b]:x - 2; `f[T.a b]`", names)
    np.testing.assert_array_equal(read[0], [[0, -1, 1, 3, 0, -1], [0, 0, 0, 0, 1, 0]])
    np.testing.assert_array_equal(read[1], [-2, 0])


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        ("x + q", 5, "no coefficient"),
        ("x * z", 5, "not linear"),
        ("x = 1 = z", 7, "second ="),
        ("x +", 4, "at the end"),
        ("x z", 3, "missing here"),
        ("2 = 1", 1, "no coefficient"),
        ("x / 0", 5, "division"),
        ("1 / x", 5, "not linear"),
    ],
)
def test_equations_that_cannot_be_read(text, column, words):
    with pytest.raises(mx.errors.ModelSyntaxError, match=words) as caught:
        linear_functions(text, ("x", "z"))
    assert caught.value.column == column


@pytest.mark.parametrize("L", [np.eye(3), [[np.nan] * 6], "", [], {"nothing": 1}, {"two": np.eye(6)[:2]}])
def test_weights_that_do_not_fit_are_refused(five, L):
    with pytest.raises((OptionError, mx.errors.ModelSyntaxError)):
        contrast(five, L)


@pytest.mark.parametrize("options", [{"level": 95}, {"names": ["a"]}, {"rhs": [1, 2, 3]}, {"ddf": "z"}])
def test_options_that_are_refused(five, options):
    with pytest.raises(OptionError):
        contrast(five, np.eye(6)[:2], **options)
