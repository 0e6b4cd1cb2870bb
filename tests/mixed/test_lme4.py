"""Fits against lme4: every model of every reference data set, by REML and ML."""

from __future__ import annotations

import warnings
from functools import lru_cache

import numpy as np
import pytest

import mixsem as mx
from mixsem.errors import MixsemWarning

from .references import FIXEF_RELATIVE, LOGLIK, MODES, THETA, Case, cases, datasets, matrix, vector

CASES = cases()

every = pytest.mark.parametrize("case", CASES, ids=str)


@lru_cache
def fitted(case: Case) -> mx.MixedFit:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MixsemWarning)  # boundary fits are among the cases
        return mx.lmer(case.formula, case.data, reml=case.reml, weights=case.weights)


def places(fit: mx.MixedFit) -> dict[tuple[str, str], tuple[int, int]]:
    """(group, random effect) -> (grouping factor, column among its random effects)."""
    design, found = fit.design, {}
    for f, factor in enumerate(design.factors):
        names = [name for term in design.terms if term.factor == f for name in term.names]
        found |= {(factor.name, name): (f, column) for column, name in enumerate(names)}
    return found


def test_the_references_are_many():
    assert len(datasets()) >= 22
    assert len(CASES) >= 110
    assert sum(case.numbers["singular"] for case in CASES) >= 12


@every
def test_likelihood(case):
    fit, numbers = fitted(case), case.numbers
    assert fit.loglik == pytest.approx(numbers["logLik"], rel=0, abs=LOGLIK)
    assert fit.objective == pytest.approx(numbers["objective"], rel=0, abs=2 * LOGLIK)
    assert fit.aic == pytest.approx(numbers["AIC"], rel=0, abs=2 * LOGLIK)
    assert fit.bic == pytest.approx(numbers["BIC"], rel=0, abs=2 * LOGLIK)
    assert (fit.n_params, fit.nobs) == (numbers["df"], numbers["nobs"])


@every
def test_theta(case):
    fit, expected = fitted(case), case.theta()
    found = dict(zip(fit.model.theta_map.names, fit.theta, strict=True))
    assert len(found) == len(case.numbers["theta"])
    assert set(found) >= set(expected)
    assert [found[name] for name in expected] == pytest.approx(list(expected.values()), rel=THETA, abs=THETA)


@every
def test_fixed_effects(case):
    fit, numbers = fitted(case), case.numbers
    assert list(fit.fixef.index) == case.fixed_names
    beta, se = vector(numbers["beta"]), vector(numbers["se"])
    assert np.all(np.abs(fit.beta - beta) <= FIXEF_RELATIVE * np.maximum(np.abs(beta), se))
    np.testing.assert_allclose(np.asarray(fit.se), se, rtol=FIXEF_RELATIVE)
    np.testing.assert_allclose(
        np.asarray(fit.vcov) / np.outer(se, se), matrix(numbers["vcov"]) / np.outer(se, se), atol=2 * FIXEF_RELATIVE
    )


@every
def test_variances(case):
    fit, numbers = fitted(case), case.numbers
    assert fit.sigma == pytest.approx(numbers["sigma"], rel=FIXEF_RELATIVE)
    where, ours = places(fit), case.random_names()
    lambdas = fit.model.theta_map.lambdas(fit.theta)
    for block in numbers["varcorr"]["blocks"]:
        at = [where[block["group"], ours[block["group"], name]] for name in block["cov"]["rows"]]
        columns = [column for _, column in at]
        factor = lambdas[at[0][0]]
        relative = (factor @ factor.T)[np.ix_(columns, columns)]
        expected = matrix(block["cov"]) / numbers["sigma"] ** 2
        size = 1 + np.sqrt(np.diag(expected))
        assert np.all(np.abs(relative - expected) <= THETA * np.outer(size, size)), block["group"]


@every
def test_conditional_modes(case):
    fit, sigma = fitted(case), case.numbers["sigma"]
    where, ours = places(fit), case.random_names()
    spread = fit.model.conditional_covariances(fit.theta)
    for modes in case.numbers["modes"]:
        f, column = where[modes["group"], ours[modes["group"], modes["term"]]]
        factor = fit.design.factors[f]
        assert len(factor.levels) == modes["n"]
        levels = {str(level): i for i, level in enumerate(factor.levels)}
        rows = [levels[level] for level in modes["level"]]
        near = {"rtol": MODES, "atol": MODES * sigma}
        np.testing.assert_allclose(np.asarray(fit.state.b[f])[rows, column], modes["mode"], **near)
        condsd = fit.sigma * np.sqrt(np.asarray(spread[f])[rows, column, column])
        np.testing.assert_allclose(condsd, modes["condsd"], **near)


@every
def test_fitted_values(case):
    fit = fitted(case)
    np.testing.assert_allclose(
        np.asarray(fit.fitted)[:5], case.numbers["fitted"], rtol=1e-12, atol=MODES * case.numbers["sigma"]
    )
