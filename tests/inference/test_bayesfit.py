"""Bayesian fit measures from log-likelihoods, against definitions and cases with a known answer."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import invwishart, norm, wishart

from mixsem.inference.bayesfit import (
    baseline_chisq,
    deviance_information,
    fit_indices,
    pointwise_waic,
    replicated_chisq,
    saturated_loglik,
)
from mixsem.inference.loo import leave_one_out, monte_carlo_error

SIGMA = np.array([[2.0, 0.6, 0.3], [0.6, 1.0, 0.2], [0.3, 0.2, 1.5]])


def log_lik(nu: float, S: np.ndarray, Sigma: np.ndarray) -> np.ndarray:
    trace = np.trace(np.linalg.solve(Sigma, np.broadcast_to(S, Sigma.shape)), axis1=-2, axis2=-1)
    return np.asarray(-0.5 * nu * (np.linalg.slogdet(Sigma)[1] + trace))


def z_score(draws: np.ndarray, expected: float) -> float:
    return float((draws.mean() - expected) / (draws.std(ddof=1) / np.sqrt(len(draws))))


def test_saturated_model_has_as_many_effective_parameters_as_covariances() -> None:
    """One group, Sigma unrestricted: the posterior under Jeffreys' prior is inverse Wishart, p_D near 3 * 4 / 2."""
    nu, p = 2000.0, 3
    draws = invwishart.rvs(df=nu, scale=nu * SIGMA, size=20000, random_state=1)
    deviance = deviance_information(log_lik(nu, SIGMA, draws)[:, None], log_lik(nu, SIGMA, draws.mean(axis=0))[None])
    # p_D has a Monte-Carlo error of 2 sqrt(p_D / 2 / 20000) = .025, and is off by terms of the order 1/nu.
    assert deviance.p_d == pytest.approx(p * (p + 1) / 2, abs=0.1)
    assert deviance.dic == pytest.approx(-2 * deviance.loglik_mean + deviance.p_d, abs=1e-9)


def test_waic_is_its_definition() -> None:
    loglik = np.random.default_rng(1).normal(-3.0, 0.4, size=(200, 3))
    elpd, penalty = pointwise_waic(loglik)
    for g in range(3):
        one = loglik[:, g]
        variance = sum((v - one.mean()) ** 2 for v in one) / 199
        assert penalty[g] == pytest.approx(variance, rel=1e-12)
        assert elpd[g] == pytest.approx(np.log(np.exp(one).mean()) - variance, rel=1e-12)


def test_waic_survives_large_deviances() -> None:
    loglik = np.array([[-5000.0], [-5001.0]])
    assert pointwise_waic(loglik)[0][0] == pytest.approx(logsumexp([-5000, -5001]) - np.log(2) - 0.5)


def test_saturated_loglik_is_the_largest_one_and_missing_if_singular() -> None:
    nu = np.array([20.0, 2.0])
    singular = np.outer([1.0, 2.0, 3.0], [1.0, 2.0, 3.0])
    best = saturated_loglik(nu, np.stack([SIGMA, singular]))
    assert best[0] == pytest.approx(float(log_lik(20.0, SIGMA, SIGMA)), rel=1e-12)
    assert np.isnan(best[1])


def test_replicated_chisq_is_that_of_wishart_matrices() -> None:
    """Against replicates drawn as matrices, mean and spread; the Sigma they come from makes no difference."""
    nu, size = 12.0, 40000
    S = wishart.rvs(df=nu, scale=SIGMA / nu, size=size, random_state=2)
    by_matrix = 2 * (saturated_loglik(np.full(size, nu), S) + 0.5 * nu * np.linalg.slogdet(SIGMA)[1])
    by_matrix += nu * np.trace(np.linalg.solve(SIGMA, S), axis1=1, axis2=2)
    found = replicated_chisq(np.random.default_rng(3), np.array([nu]), 3, size)[:, 0]
    error = np.hypot(by_matrix.std(), found.std()) / np.sqrt(size)
    assert abs(found.mean() - by_matrix.mean()) < 4 * error
    assert found.std() == pytest.approx(by_matrix.std(), rel=0.03)  # four standard errors of a ratio of SDs
    assert found.min() >= 0


def test_replicated_chisq_of_large_groups_has_the_covariances_as_degrees_of_freedom() -> None:
    chisq = replicated_chisq(np.random.default_rng(4), np.array([5000.0]), 4, 20000)[:, 0]
    assert abs(z_score(chisq, 10.0)) < 4


def test_baseline_posterior_is_exact() -> None:
    """Against draws of variances that are formed one by one, and p_D from its definition."""
    nu, D = np.array([30.0]), 200000
    chisq, p_d = baseline_chisq(np.random.default_rng(5), nu, SIGMA[None], D)
    s = np.diagonal(SIGMA)
    mean = nu * s / (nu - 2)
    at_mean = 2 * (saturated_loglik(nu, SIGMA[None])[0] - float(log_lik(nu[0], SIGMA, np.diag(mean))))
    assert abs(z_score(chisq[:, 0], at_mean + p_d[0])) < 4
    theta = nu * s / np.random.default_rng(6).chisquare(nu, size=(D, 3))
    direct = 2 * saturated_loglik(nu, SIGMA[None])[0] + nu * (np.log(theta) + s / theta).sum(axis=1)
    assert abs(chisq.mean() - direct.mean()) < 4 * np.sqrt(2) * direct.std() / np.sqrt(D)


def test_indices_are_their_formulas() -> None:
    chisq, baseline = np.array([40.0, 25.0]), np.array([200.0, 210.0])
    found = fit_indices(chisq, 12.0, baseline, 8.0, n_moments=30, n=400, n_groups=2, n_items=5)
    np.testing.assert_allclose(found.brmsea, [np.sqrt(10 / (18 * 400) * 2), 0.0])
    np.testing.assert_allclose(found.gamma_hat, [5 / (5 + 2 * 10 / 400), 1.0])
    np.testing.assert_allclose(found.cfi, [1 - 10 / 170, 1.0])
    null = (200 - 8) / 22
    assert found.tli[0] == pytest.approx((null - 28 / 18) / (null - 1))


def test_indices_need_degrees_of_freedom() -> None:
    found = fit_indices(np.array([40.0]), 31.0, np.array([200.0]), 8.0, n_moments=30, n=400, n_groups=2, n_items=5)
    assert np.isnan([found.brmsea, found.cfi, found.tli, found.gamma_hat]).all()


def test_leave_one_out_of_a_normal_mean_is_exact() -> None:
    """y ~ N(mu, 1) with flat prior: leaving y_i out, its density is normal with variance 1 + 1/(n - 1)."""
    rng = np.random.default_rng(7)
    y = rng.normal(size=25)
    mu = rng.normal(y.mean(), 0.2, size=(4, 5000))
    elpd, k = leave_one_out(norm.logpdf(y, mu[..., None], 1.0))
    others = (y.sum() - y) / 24
    # Monte-Carlo error with 20,000 draws; the outermost value is the hardest.
    np.testing.assert_allclose(elpd, norm.logpdf(y, others, np.sqrt(1 + 1 / 24)), atol=0.01)
    assert k.max() < 0.7


def test_monte_carlo_error_counts_autocorrelation() -> None:
    rho, n = 0.8, 20000
    rng = np.random.default_rng(8)
    series = np.empty((2, n))
    for c in range(2):
        series[c, 0] = rng.normal()
        for i in range(1, n):
            series[c, i] = rho * series[c, i - 1] + rng.normal(scale=np.sqrt(1 - rho**2))
    exact = np.sqrt((1 + rho) / (1 - rho) / (2 * n))
    assert monte_carlo_error(series) == pytest.approx(exact, rel=0.15)
