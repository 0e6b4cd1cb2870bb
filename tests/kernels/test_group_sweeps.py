"""Sweeps over groups: likelihoods against the definitions, and what the moves must leave as it was."""

from __future__ import annotations

import numpy as np
import pytest

from mixsem.bayes.posterior import Posterior
from mixsem.bayes.quadratic import parameter_scales, quadratic_plan
from mixsem.bayes.start import rough_point
from mixsem.kernels.group_loglik import group_logliks
from mixsem.kernels.plain_posterior import entry_values, implied_covariances, log_likelihoods, log_posterior
from mixsem.kernels.posterior import fill_scales
from mixsem.kernels.problem import LOG, THETA
from mixsem.kernels.shared_moves import Plan, move_levels, shared_slope
from mixsem.kernels.shear import sheared_parameters

#: Other formulas for the same sums of some tens to hundreds.
ROUNDING = 1e-9
#: Central differences with a step of 1e-5 of functions with slopes up to about 100.
DIFFERENCES = 2e-5


def scales_of(posterior: Posterior, x: np.ndarray) -> np.ndarray:
    s = np.empty(posterior.problem.kind.size)
    fill_scales(posterior.problem, x, s)
    return s


def test_log_likelihood_of_every_group(case: tuple[Posterior, np.ndarray]) -> None:
    posterior, x = case
    problem = posterior.problem
    expected = log_likelihoods(problem, implied_covariances(problem, entry_values(problem, x)))
    found = np.full(expected.size, np.nan)
    group_logliks(problem, x, scales_of(posterior, x), 0, found.size, found)
    np.testing.assert_allclose(found, expected, rtol=ROUNDING, atol=ROUNDING)
    one = np.full(expected.size, np.nan)
    last = found.size - 1
    group_logliks(problem, x, scales_of(posterior, x), last, last + 1, one)
    assert one[last] == found[last]
    assert np.isnan(one[:last]).all()


def test_a_unique_variance_too_small_to_compute_with_has_no_likelihood(case: tuple[Posterior, np.ndarray]) -> None:
    """Its reciprocal would cancel to noise of any size, which a sampler would take for a likelihood."""
    posterior, x = case
    problem = posterior.problem
    free = (problem.kind == THETA) & (problem.row == problem.column) & (problem.link == LOG) & (problem.base[0] >= 0)
    if not free.any():
        pytest.skip("no free unique variance")
    x = x.copy()
    x[problem.base[0, np.flatnonzero(free)[0]]] = -42.0
    found = np.zeros(problem.nu.size)
    group_logliks(problem, x, scales_of(posterior, x), 0, found.size, found)
    if problem.shape[1]:  # correlated residuals: factorised as a whole, without reciprocals
        exact = log_likelihoods(problem, implied_covariances(problem, entry_values(problem, x)))
        np.testing.assert_allclose(found, exact, rtol=1e-6)
    else:
        assert found[0] == -np.inf


def test_levels_move_without_the_linear_predictors(case: tuple[Posterior, np.ndarray]) -> None:
    """Values of groups with deviations stay; means, spreads and deviations do not."""
    posterior, x = case
    problem = posterior.problem
    rows = problem.shear[problem.shear[:, 2] > 0]
    before = entry_values(problem, x)
    rng = np.random.default_rng(1)
    moved = x.copy()
    K = len(problem.shear)
    chis = np.sqrt(rng.chisquare(np.maximum(problem.shear[:, 2] - 1, 1)))
    always = np.full(K, -np.inf)
    s = scales_of(posterior, x)
    move_levels(problem, moved, s, rng.standard_normal(K), chis, always, np.zeros(problem.nu.size))
    after = entry_values(problem, moved)
    cells = problem.deviation >= 0
    np.testing.assert_allclose(after[cells], before[cells], rtol=1e-10)
    np.testing.assert_allclose(s, scales_of(posterior, moved), rtol=1e-12)
    for mu, start, count, e, _ in rows:
        assert moved[mu] != x[mu]
        assert (moved[start : start + count] != x[start : start + count]).all()
        assert problem.scale[e] < 0 or count < 2 or moved[problem.scale[e]] != x[problem.scale[e]]


def slope_at(posterior: Posterior, plan: Plan, start: np.ndarray, step: np.ndarray) -> tuple[float, np.ndarray]:
    P, width = posterior.n_params, posterior.n_coordinates
    natural, out = np.empty(P), np.empty(step.size)
    value = shared_slope(
        posterior.problem, plan, start, step, np.empty(width), natural, np.empty(P), np.empty(width), out
    )
    return value, out


def plan_at(posterior: Posterior, x: np.ndarray) -> tuple[Plan, np.ndarray]:
    start = np.empty(posterior.n_coordinates)
    sheared_parameters(posterior.problem, x, start)
    return quadratic_plan(posterior, x, parameter_scales(posterior, rough_point(posterior))), start


def test_slope_by_the_shared_parameters(case: tuple[Posterior, np.ndarray]) -> None:
    """Against differences of the density that the same step gives, also where spreads have become negative."""
    posterior, x = case
    plan, start = plan_at(posterior, x)
    n = plan.T.shape[1]
    spread = np.array([posterior.what[i] == "sd" for i in plan.reach[:n]], dtype=bool)
    through_zero = np.zeros(n)
    through_zero[spread] = -1.9 * np.exp(start[plan.reach[:n]][spread])
    for step in (np.zeros(n), through_zero):
        _, slope = slope_at(posterior, plan, start, step)
        for k in range(n):
            h = np.zeros(n)
            h[k] = 1e-5
            high, low = (slope_at(posterior, plan, start, step + sign * h)[0] for sign in (1, -1))
            np.testing.assert_allclose(slope[k], (high - low) / 2e-5, rtol=DIFFERENCES, atol=1e-3)


def test_a_negative_spread_counts_as_a_positive_one(case: tuple[Posterior, np.ndarray]) -> None:
    """With a spread reversed the density is that of all its deviations reversed, and so is what the step leads to."""
    posterior, x = case
    plan, start = plan_at(posterior, x)
    n = plan.T.shape[1]
    step, reversed_start = np.zeros(n), start.copy()
    for k in range(n):
        if posterior.what[plan.reach[k]] == "sd":
            step[k] = -2.0 * np.exp(start[plan.reach[k]])
    for _, first, count, e, _ in posterior.problem.shear:
        if posterior.problem.scale[e] >= 0:
            reversed_start[first : first + count] *= -1.0
    value, _ = slope_at(posterior, plan, start, step)
    np.testing.assert_allclose(value, slope_at(posterior, plan, reversed_start, np.zeros(n))[0], rtol=ROUNDING)


def test_density_of_a_step_is_that_of_where_it_leads(compiled) -> None:
    """Without estimated spreads the coordinates are a shift: densities differ by a constant."""
    posterior, x = compiled("one factor, reference")
    plan, start = plan_at(posterior, x)
    n = plan.T.shape[1]
    P, width = posterior.n_params, posterior.n_coordinates
    rng = np.random.default_rng(1)
    differences = []
    for _ in range(3):
        natural, out = np.empty(P), np.empty(n)
        step = 0.1 * rng.standard_normal(n)
        value = shared_slope(
            posterior.problem, plan, start, step, np.empty(width), natural, np.empty(P), np.empty(width), out
        )
        differences.append(value - log_posterior(posterior.problem, natural))
    np.testing.assert_allclose(differences, differences[0], atol=1e-8)
