"""The EM kernels against direct formulas, finite differences and the multivariate normal density."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import approx_fprime
from scipy.stats import wishart

from mixsem.kernels.mixture import (
    EMData,
    class_log_densities,
    coefficient_update,
    normal_equations,
    residual_matrices,
    residual_products,
    responsibilities,
)

#: Central differences of a smooth function of size 1e4 are good to about this, relative to its gradient.
DIFFERENCE = 1e-5

#: (outcome, predictor) pairs and residual blocks of path models among four factors.
MODELS = {
    "chain": ([(2, 0), (2, 1), (3, 0), (3, 2)], ((2,), (3,))),
    "two pure outcomes": ([(2, 0), (2, 1), (3, 0), (3, 1)], ((2, 3),)),
    "parallel mediators": ([(1, 0), (2, 0), (3, 1), (3, 2)], ((1, 2), (3,))),
    "different predictors": ([(2, 0), (3, 0), (3, 1)], ((2, 3),)),
}


def em_data(name: str, *, by_group: bool = True, equal: tuple[int, ...] = (), floor: float = 1e-4) -> EMData:
    """Ten random groups of four factors."""
    rng = np.random.default_rng(3)
    Phi = wishart.rvs(df=12, scale=np.eye(4) / 12 + 0.03, size=10, random_state=rng)
    n = rng.integers(40, 400, size=10).astype(float)
    pairs, blocks = MODELS[name]
    outcome, predictor = (np.array(x) for x in zip(*pairs, strict=True))
    exogenous = [q for q in range(4) if q not in outcome]
    log_det = np.linalg.slogdet(Phi[:, exogenous][:, :, exogenous])[1]
    return EMData(
        Phi=Phi,
        n=n,
        outcome=outcome,
        predictor=predictor,
        offset=np.zeros(len(pairs)),
        design=np.eye(len(pairs)),
        equal=np.isin(np.arange(len(pairs)), equal),
        blocks=blocks,
        constant=4 * np.log(2 * np.pi) + log_det + len(exogenous),
        floor=floor * np.diagonal(Phi, axis1=1, axis2=2),
        by_group=by_group,
    )


def log_likelihood(data: EMData, beta: np.ndarray, pi: np.ndarray) -> float:
    """log L with residual matrices maximised out."""
    products = residual_products(data, beta[None])
    densities = class_log_densities(data, products, residual_matrices(data, products, None))
    return float(responsibilities(densities, pi[None])[1][0])


@pytest.mark.parametrize("name", MODELS)
def test_densities_are_normal_densities_of_the_implied_matrix(name):
    """The sum over blocks equals -N/2 (Q log 2 pi + log|Phi_gk| + tr(Phi_gk^-1 Phi_g)) of equations 11 and 13."""
    data = em_data(name)
    beta = np.random.default_rng(1).normal(scale=0.4, size=(1, 2, data.outcome.size))
    products = residual_products(data, beta)
    residuals = residual_matrices(data, products, None)
    densities = class_log_densities(data, products, residuals)[0]
    exogenous = [q for q in range(4) if q not in data.outcome]
    for k in range(2):
        B = np.zeros((4, 4))
        B[data.outcome, data.predictor] = beta[0, k]
        A = np.linalg.inv(np.eye(4) - B)
        for g in range(data.n.size):
            Psi = np.zeros((4, 4))
            Psi[np.ix_(exogenous, exogenous)] = data.Phi[g][np.ix_(exogenous, exogenous)]
            for block, residual in zip(data.blocks, residuals, strict=True):
                Psi[np.ix_(block, block)] = residual.Psi[0, k, g]
            implied = A @ Psi @ A.T
            direct = np.linalg.slogdet(implied)[1] + np.trace(np.linalg.solve(implied, data.Phi[g]))
            expected = -0.5 * data.n[g] * (4 * np.log(2 * np.pi) + direct)
            assert densities[k, g] == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize("name", MODELS)
def test_score_is_the_gradient_of_the_log_likelihood(name):
    """h - H beta, at the posterior probabilities, is the exact gradient of log L in the regressions."""
    data = em_data(name)
    rng = np.random.default_rng(2)
    beta, pi = rng.normal(scale=0.4, size=(3, data.outcome.size)), np.array([0.5, 0.3, 0.2])
    products = residual_products(data, beta[None])
    residuals = residual_matrices(data, products, None)
    z, _ = responsibilities(class_log_densities(data, products, residuals), pi[None])
    H, h = normal_equations(data, z, residuals)
    score = h[0] - np.einsum("krt,kt->kr", H[0], beta)
    numeric = approx_fprime(beta.ravel(), lambda b: log_likelihood(data, b.reshape(beta.shape), pi), 1e-7)
    np.testing.assert_allclose(score.ravel(), numeric, rtol=DIFFERENCE, atol=DIFFERENCE * np.abs(numeric).max())


@pytest.mark.parametrize("equal", [(), (1,), (0, 2)])
@pytest.mark.parametrize("name", MODELS)
def test_update_solves_the_constrained_normal_equations(name, equal):
    """At the update, the score vanishes for free coefficients and adds up to zero over clusters for equal ones."""
    data = em_data(name, equal=equal)
    R = data.outcome.size
    beta = np.zeros((1, 2, R))
    residuals = residual_matrices(data, residual_products(data, beta), None)
    z = np.random.default_rng(4).dirichlet([1, 1], size=data.n.size).T[None]
    H, h = normal_equations(data, z, residuals)
    updated = coefficient_update(data, H, h, beta, np.zeros(R))
    score = (h - np.einsum("skrt,skt->skr", H, updated))[0]
    scale = np.abs(h).max()
    for r in range(R):
        if r in equal:
            assert updated[0, 0, r] == pytest.approx(updated[0, 1, r], abs=1e-12)
            assert abs(score[:, r].sum()) < 1e-10 * scale
        else:
            assert np.abs(score[:, r]).max() < 1e-10 * scale


def test_fixed_coefficients_stay_fixed():
    data = em_data("chain")
    fixed = replace(
        data,
        offset=np.array([0.0, 0.7, 0.0, 0.0]),
        design=np.delete(np.eye(4), 1, axis=1),
        equal=data.equal[:3],
    )
    z = np.ones((1, 1, data.n.size))
    beta = np.array([[[0.0, 0.7, 0.0, 0.0]]])
    residuals = residual_matrices(fixed, residual_products(fixed, beta), None)
    H, h = normal_equations(fixed, z, residuals)
    updated = coefficient_update(fixed, H, h, beta, np.zeros(4))[0, 0]
    assert updated[1] == 0.7
    score = h[0, 0] - H[0, 0] @ updated
    assert np.abs(score[[0, 2, 3]]).max() < 1e-10 * np.abs(h).max()


@pytest.mark.parametrize("name", ["chain", "two pure outcomes"])
def test_floored_residuals_maximise_under_the_floor(name):
    """No other matrix above the floor has a higher density; nearby ones above it are worse."""
    data = em_data(name, floor=0.9)
    beta = np.random.default_rng(5).normal(scale=0.3, size=(1, 1, data.outcome.size))
    products = residual_products(data, beta)
    residuals = residual_matrices(data, products, None)
    assert any((np.linalg.eigvalsh(r.Psi - E) > 1e-9).any() for r, E in zip(residuals, products, strict=True))
    rng = np.random.default_rng(6)
    for block, E, residual in zip(data.blocks, products, residuals, strict=True):
        root = np.sqrt(data.floor[:, block])
        for g in range(data.n.size):
            metric = np.outer(root[g], root[g])
            best = residual.Psi[0, 0, g]
            assert np.linalg.eigvalsh(best / metric).min() >= 1 - 1e-9

            def deviance(Psi, E_g=E[0, 0, g]):
                return np.linalg.slogdet(Psi)[1] + np.trace(np.linalg.solve(Psi, E_g))

            for _ in range(20):
                nudge = rng.normal(scale=0.05, size=best.shape)
                values, vectors = np.linalg.eigh(best / metric + nudge @ nudge.T - 0.02 * np.eye(len(block)))
                other = (vectors * np.maximum(values, 1.0)) @ vectors.T * metric
                assert deviance(best) <= deviance(other) + 1e-9


def test_cluster_residuals_are_weighted_means():
    data = em_data("chain", by_group=False)
    beta = np.random.default_rng(7).normal(scale=0.3, size=(1, 2, 4))
    z = np.random.default_rng(8).dirichlet([1, 1], size=data.n.size).T[None]
    products = residual_products(data, beta)
    residuals = residual_matrices(data, products, z)
    for k in range(2):
        weight = z[0, k] * data.n
        expected = (weight * products[0][0, k, :, 0, 0]).sum() / weight.sum()
        assert residuals[0].Psi[0, k, 0, 0, 0] == pytest.approx(expected)


def test_responsibilities_survive_huge_differences():
    log_density = np.array([[[-1e6, -50.0], [-2e6, -50.0]]])
    z, loglik = responsibilities(log_density, np.array([[0.5, 0.5]]))
    np.testing.assert_allclose(z[0], [[1.0, 0.5], [0.0, 0.5]])
    assert loglik[0] == pytest.approx(-1e6 + np.log(0.5) - 50.0)
