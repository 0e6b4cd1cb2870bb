"""Hat values, residuals and the quadratic forms behind them."""

from __future__ import annotations

import warnings
from functools import lru_cache

import numpy as np
import pandas as pd
import pytest

import mixsem as mx
from mixsem.data import sleepstudy
from mixsem.errors import MixsemWarning, OptionError
from mixsem.mixed.derived.row_parts import RowParts, own_rows
from mixsem.mixed.engine.quadratic_forms import row_variances

from .references import MODES, Case, cases

Array = np.ndarray

#: Of hat values, which are below 1: they depend on theta as smoothly as the modes do.
HAT = 1e-5
#: Relative, of sums of hat values over all rows.
HAT_SUM = 1e-5
#: Absolute, of quadratic forms below 10 that dense linear algebra computes another way.
ROUNDING = 1e-11


@lru_cache
def fitted(case: Case) -> mx.MixedFit:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MixsemWarning)
        return mx.lmer(case.formula, case.data, reml=case.reml, weights=case.weights)


@pytest.mark.parametrize("case", [c for c in cases() if c.reml], ids=str)
def test_hat_values_and_residuals_are_those_of_lme4(case):
    fit, numbers = fitted(case), case.numbers
    hat = fit.hat_values()
    assert hat.shape == (fit.nobs,)
    np.testing.assert_allclose(hat[:5], numbers["hat"], rtol=0, atol=HAT)
    assert hat.sum() == pytest.approx(numbers["hat_sum"], rel=HAT_SUM)
    expected_by_kind = dict(numbers["residuals"])
    # as lme4's summary shows them; its residuals(scaled = TRUE) leaves weights out
    expected_by_kind["scaled"] = [r / numbers["sigma"] for r in expected_by_kind["pearson"]]
    for kind, expected in expected_by_kind.items():
        scale = 1.0 if kind == "scaled" else numbers["sigma"]
        weight = 1.0 if case.weights is None else np.sqrt(case.data[case.weights].max())
        # the rounding of fitted values a million from 0 counts too
        near = (MODES * scale + 1e-11 * np.abs(fit.fitted).max()) * weight
        np.testing.assert_allclose(fit.residuals(kind)[:5], expected, rtol=MODES, atol=near)


def dense_forms(fit: mx.MixedFit, rows: RowParts) -> Array:
    """The twin of the kernel: (m, 2) quadratic forms of known levels from dense matrices."""
    design = fit.design
    own, half = (random_columns(fit, r) for r in (own_rows(design), rows))
    weights = np.ones(design.n) if design.weights is None else design.weights
    system = own.T @ (weights[:, None] * own) + np.eye(own.shape[1])
    known = np.einsum("ij,ji->i", half, np.linalg.solve(system, half.T))
    cross = np.linalg.solve(system, own.T @ (weights[:, None] * design.X))
    effective = rows.X - half @ cross
    return np.column_stack([known, np.einsum("ij,jk,ik->i", effective, fit.state.unscaled_vcov, effective)])


def random_columns(fit: mx.MixedFit, rows: RowParts) -> Array:
    """Z Lambda, dense; rows of unknown levels are 0."""
    design, blocks = fit.design, []
    for f, factor in enumerate(design.factors):
        terms = [t for t, term in enumerate(design.terms) if term.factor == f]
        columns = np.hstack([np.ones((rows.m, 1)) if rows.Z[t] is None else rows.Z[t] for t in terms])
        block = np.zeros((rows.m, factor.n_levels, columns.shape[1]))
        there = rows.codes[f] >= 0
        block[there, rows.codes[f][there]] = columns[there]
        blocks.append((block @ fit.model.theta_map.lambdas(fit.theta)[f]).reshape(rows.m, -1))
    return np.hstack(blocks)


@lru_cache
def crossed_and_nested() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    n = 600
    frame = pd.DataFrame(
        {
            "x": 2000.0 + rng.normal(size=n),  # centred inside
            "g": rng.integers(0, 60, n),
            "h": rng.integers(0, 15, n),
            "k": rng.integers(0, 8, n),
            "w": rng.uniform(0.3, 3.0, n),
            "a": rng.integers(0, 120, n),
        }
    )
    frame["b"] = (frame["a"] // 2 + rng.integers(0, 3, n)) % 60  # met by few levels of a: chains of sparse levels
    frame["c"] = (frame["b"] // 2 + rng.integers(0, 2, n)) % 30
    effects = {name: rng.normal(size=120)[frame[name]] for name in "ghkabc"}
    slopes = rng.normal(size=60)[frame["g"]] * (frame["x"] - 2000.0)
    return frame.assign(y=sum(effects.values()) + slopes + rng.normal(size=n))


FORMULAS = {
    "y ~ x + (x | g)": False,
    "y ~ x + (x | g) + (x | h) + (1 | k)": False,
    "y ~ x + (0 + x | g) + (1 | g) + (1 | h)": False,
    "y ~ x + (1 | h/g/k)": True,
    "y ~ x + (1 | g) + (1 | h) + (1 | k) + (1 | g:h)": True,
    "y ~ x + (x | a) + (1 | b) + (1 | c)": True,
}


@lru_cache
def quiet(formula: str, weights: str | None = None) -> mx.MixedFit:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MixsemWarning)
        return mx.lmer(formula, crossed_and_nested(), weights=weights)


@pytest.mark.parametrize("weights", [None, "w"])
@pytest.mark.parametrize("formula", FORMULAS)
def test_quadratic_forms_are_those_of_dense_algebra(formula, weights):
    fit = quiet(formula, weights)
    assert fit.model.products.layout.blocks.chained == FORMULAS[formula]
    rows, terms = own_rows(fit.design), range(len(fit.design.terms))
    found, expected = row_variances(fit.model, fit.theta, rows, terms), dense_forms(fit, rows)
    assert expected[:, 0].min() > 0.0
    np.testing.assert_allclose(found, expected, rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("formula", FORMULAS)
def test_levels_that_never_met_and_unknown_ones(formula):
    """Combinations that are not in the data, and levels without data: z' lambda lambda' z more."""
    fit = quiet(formula)
    own, rng = own_rows(fit.design), np.random.default_rng(2)
    codes = tuple(rng.integers(-1, f.n_levels, own.m).astype(np.int32) for f in fit.design.factors)
    rows = RowParts(own.X, own.Z, codes, own.labels, own.offset)
    expected = dense_forms(fit, rows)
    for t, term in enumerate(fit.design.terms):
        half = (np.ones((own.m, 1)) if term.Z is None else term.Z) @ fit.model.theta_map.term_lambda(fit.theta, t)
        expected[:, 0] += np.where(codes[term.factor] < 0, (half**2).sum(axis=1), 0.0)
    found = row_variances(fit.model, fit.theta, rows, range(len(fit.design.terms)))
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=ROUNDING)


def test_hat_values_are_derivatives_of_fitted_values():
    data = crossed_and_nested()
    fit = quiet("y ~ x + (x | g) + (x | h) + (1 | k)", "w")
    step, row = 1e-3, 17
    moved = data["y"].to_numpy().copy()
    moved[row] += step
    # with theta as it is: the state of the model with the other response
    model = fit.model.with_response(moved)
    state = model.state(fit.theta)
    fitted = fit.design.X[row] @ state.beta
    for t, term in enumerate(fit.design.terms):
        b = state.b[term.factor][fit.design.factors[term.factor].codes[row], fit.model.theta_map.places(t)]
        fitted += b[0] if term.Z is None else term.Z[row] @ b
    # differences of values near 1000 over 1e-3
    assert (fitted - fit.fitted[row]) / step == pytest.approx(fit.hat_values()[row], abs=1e-6)


def test_kinds_of_residuals():
    fit = mx.lmer("Reaction ~ Days + (1 | Subject)", sleepstudy())
    with pytest.raises(OptionError, match="response, pearson, scaled, normalized"):
        fit.residuals("deviance")
    np.testing.assert_array_equal(fit.residuals("normalized"), fit.residuals("scaled"))


def test_refitted_residuals_are_of_the_new_response():
    fit = mx.lmer("Reaction ~ Days + (1 | Subject)", sleepstudy())
    y = sleepstudy()["Reaction"].to_numpy()[::-1].copy()
    again = fit.refit(y)
    np.testing.assert_allclose(again.residuals() + again.fitted, y, rtol=1e-13)
