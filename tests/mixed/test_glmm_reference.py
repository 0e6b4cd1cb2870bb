"""Generalised mixed models against R: the criterion at given parameters, optima, and what follows from them."""

from __future__ import annotations

import numpy as np
import pytest

from .glmm_data import (
    FITTED,
    FIXEF,
    MODES,
    OBJECTIVE,
    POINT,
    THETA,
    GlmmCase,
    cases_with,
    fitted,
    glmm_case,
    glmm_cases,
    near,
)
from .references import matrix, vector

#: lme4's optimiser and finite differences: in standard errors, of its coefficients, and relative, of its SEs.
LME4, LME4_SE = 2e-3, 5e-3
#: Nodes that stand for the exact likelihood, and how far they are from it for binary clusters with an SD of 3.
MANY, EXACT = 40, 1e-4
#: Step of differences of the fourth order, and how far they are from the slope: an error of 1e-9 in the criterion shows
#: as 1e-6.
STEP, SLOPE = 1e-3, 1e-5

CASES = glmm_cases()
every = pytest.mark.parametrize("case", CASES, ids=str)


def test_the_references_are_many():
    assert len({case.dataset for case in CASES}) >= 13
    assert len(CASES) >= 35
    assert {(case.family, case.link) for case in CASES} >= {
        ("binomial", "logit"),
        ("binomial", "probit"),
        ("binomial", "cloglog"),
        ("poisson", "log"),
        ("negative binomial", "log"),
        ("gamma", "log"),
        ("gamma", "inverse"),
        ("inverse gaussian", "log"),
        ("gaussian", "log"),
    }
    assert {case.n_agq for case in CASES} >= {0, 1, 5, 9, 11, 25}
    assert any(value == 0 for case in CASES for value in case.theta.values())  # one fit is on the boundary


@cases_with("points")
def test_criterion_at_fixed_parameters(case):
    """No optimiser: R's criterion, and lme4's and glmmTMB's own where they have it, at three places off the optimum."""
    model = fitted(case).model
    for point in case.numbers["points"]:
        at = point["theta"], point["beta"], point["dispersion"]
        assert model.criterion(*at) == pytest.approx(point["laplace"], rel=0, abs=POINT)
        for nodes in (5, 9):
            if (expected := point[f"agq{nodes}"]) is not None:
                assert model.criterion(*at, n_agq=nodes) == pytest.approx(expected, rel=0, abs=POINT)
        if point["exact"] is not None:
            assert model.criterion(*at, n_agq=MANY) == pytest.approx(point["exact"], rel=0, abs=EXACT)


@cases_with("points")
def test_gradient_at_fixed_parameters(case):
    model = fitted(case).model
    point = case.numbers["points"][0]
    theta, beta, d = np.array(point["theta"]), np.array(point["beta"]), point["dispersion"]
    start = np.concatenate([theta, beta, [] if d is None else [np.log(d)]])

    def value(z: np.ndarray, nodes: int) -> float:
        parts = np.split(z, [len(theta), len(theta) + len(beta)])
        return model.criterion(parts[0], parts[1], None if d is None else float(np.exp(parts[2][0])), n_agq=nodes)

    for nodes in (1, 9) if point["agq9"] is not None else (1,):
        found = model.gradient(theta, beta, d, n_agq=nodes)[1]
        for j, slope in enumerate(found):
            step = STEP * np.eye(len(start))[j]
            rises = [(value(start + k * step, nodes) - value(start - k * step, nodes)) / (2 * k * STEP) for k in (1, 2)]
            assert slope == pytest.approx((4 * rises[0] - rises[1]) / 3, rel=SLOPE, abs=SLOPE)


@every
def test_likelihood(case):
    fit, numbers = fitted(case), case.numbers
    assert fit.objective == pytest.approx(numbers["objective"], rel=0, abs=OBJECTIVE)
    assert fit.loglik == pytest.approx(numbers["logLik"], rel=0, abs=OBJECTIVE)
    assert fit.aic == pytest.approx(numbers["AIC"], rel=0, abs=OBJECTIVE)
    assert fit.bic == pytest.approx(numbers["BIC"], rel=0, abs=OBJECTIVE)
    assert (fit.n_params, fit.nobs) == (numbers["df"], numbers["nobs"])


@every
def test_theta(case):
    fit = fitted(case)
    found = dict(zip(fit.theta_names, np.asarray(fit.theta), strict=True))
    assert set(found) == set(case.theta)
    near([found[name] for name in case.theta], list(case.theta.values()), THETA)


@every
def test_dispersion(case):
    found, expected = fitted(case).family.dispersion, case.numbers["dispersion"]
    assert (found is None) == (expected is None)
    if expected is not None:
        assert np.log(found) == pytest.approx(np.log(expected), abs=THETA)


@every
def test_fixed_effects(case):
    fit, numbers = fitted(case), case.numbers
    assert list(fit.fixef.index) == case.fixed_names
    se = np.asarray(fit.se) if numbers["se"] is None else vector(numbers["se"])
    assert np.all(np.abs(fit.beta - vector(numbers["beta"])) <= FIXEF * se)


@cases_with("vcov")
def test_joint_standard_errors(case):
    fit, numbers = fitted(case), case.numbers
    se = vector(numbers["se"])
    np.testing.assert_allclose(np.asarray(fit.se), se, rtol=FIXEF)
    np.testing.assert_allclose(
        np.asarray(fit.vcov) / np.outer(se, se), matrix(numbers["vcov"]) / np.outer(se, se), atol=2 * FIXEF
    )


@cases_with("lme4")
def test_lme4_says_so_too(case):
    """Its own optimum, not polished, by its own PIRLS."""
    fit, said = fitted(case), case.numbers["lme4"]
    se = vector(said["se"])
    assert np.all(np.abs(fit.beta - vector(said["beta"])) <= LME4 * se)
    np.testing.assert_allclose(np.asarray(fit.se), se, rtol=LME4_SE)
    near(fit.theta, said["theta"], LME4)


def places(case: GlmmCase) -> dict[tuple[str, str], tuple[int, int]]:
    """(group, random effect) -> (grouping factor, column among its random effects)."""
    design, found = fitted(case).design, {}
    for f, factor in enumerate(design.factors):
        names = [name for term in design.terms if term.factor == f for name in term.names]
        found |= {(factor.name, name): (f, column) for column, name in enumerate(names)}
    return found


@every
def test_variances(case):
    fit, where = fitted(case), places(case)
    lambdas = fit.model.theta_map.lambdas(fit.theta)
    for block in case.numbers["varcorr"]:
        at = [where[block["group"], name] for name in block["cov"]["rows"]]
        columns, factor = [column for _, column in at], lambdas[at[0][0]]
        near((factor @ factor.T)[np.ix_(columns, columns)], matrix(block["cov"]), 2 * THETA)


@every
def test_conditional_modes(case):
    fit, where = fitted(case), places(case)
    for modes in case.numbers["modes"]:
        f, column = where[modes["group"], modes["term"]]
        factor = fit.design.factors[f]
        assert len(factor.levels) == modes["n"]
        levels = {str(level): i for i, level in enumerate(factor.levels)}
        rows = [levels[level] for level in modes["level"]]
        near(np.asarray(fit.state.b[f])[rows, column], modes["mode"], MODES)
        variances = fit.conditional_covariances[f][rows, column, column]
        near(np.sqrt(variances), modes["condsd"], MODES)


@every
def test_fitted_values(case):
    fit, numbers = fitted(case), case.numbers
    near(np.asarray(fit.fitted)[:5], numbers["fitted"], FITTED)
    near(np.asarray(fit.linear_predictor)[:5], numbers["linear"], FITTED)
    near(np.asarray(fit.fixed_part)[:5], numbers["fixed_linear"], FITTED)


def test_laplace_is_poor_for_small_binary_clusters_and_quadrature_is_not():
    """What every number of nodes makes of the optimum, beside the exact likelihood there."""
    error = {}
    for name in ("laplace", "agq5", "agq11", "agq25"):
        case = glmm_case("small_binary", name)
        error[case.n_agq] = abs(fitted(case).objective - case.numbers["exact"])
    assert error[1] > 1.0
    assert error[1] > error[5] > error[11] > error[25]
    assert error[25] < 1e-3
