"""The analytic second derivatives against differences of the analytic gradient."""

from __future__ import annotations

import numpy as np
import pytest

from mixsem.data.moments import SampleMoments
from mixsem.equations.compiled import CompiledSEM, compile_sem
from mixsem.equations.specification import SEM
from mixsem.model.dense import dense_information, numerical_information
from mixsem.model.start import starting_values

#: Richardson's differences of gradients keep about eleven digits.
DIFFERENCES = 1e-9

MODELS = {
    "factors": SEM("F =~ a + b + c; H =~ d + e + f", "cfa"),
    "residual covariances": SEM("F =~ a + b + c; H =~ d + e + f + c; a ~~ d", "cfa"),
    "means": SEM("F =~ a + b + c; H =~ d + e + f", "cfa", group_equal=("loadings", "intercepts")),
    "regressions": SEM("F =~ a + b + c; H =~ d + e; H ~ F; f ~ H + F", "sem", meanstructure=True),
    "feedback": SEM("F =~ a + b + c; H =~ d + e + f; H ~ F; F ~ 0.2*H", "sem", meanstructure=True),
    "second order": SEM("F =~ a + b; H =~ c + d; I =~ e + f; T =~ F + H + I", "cfa"),
    "covariates": SEM("F =~ a + b + c; F ~ d + e; f ~ F + d", "sem"),
    "growth": SEM("i =~ 1*a + 1*b + 1*c + 1*d; s =~ 0*a + 1*b + 2*c + 3*d; i ~ e; s ~ f", "growth"),
}


def some_moments(n_groups: int = 2) -> SampleMoments:
    rng = np.random.default_rng(3)
    groups = "ABCDE"[:n_groups]
    roots = {g: rng.normal(size=(9, 6)) for g in groups}
    S = {g: root.T @ root / 9 + np.eye(6) for g, root in roots.items()}
    means = {g: rng.normal(size=6) for g in groups}
    return SampleMoments.from_covariances(
        S, n={g: 50 + 10 * i for i, g in enumerate(groups)}, means=means, items=[*"abcdef"]
    )


def start(compiled: CompiledSEM) -> np.ndarray:
    moments = compiled.data.moments
    return starting_values(compiled.model, compiled.table, moments.n.astype(float), moments.covariances, moments.means)


@pytest.mark.parametrize("name", MODELS)
def test_hessian_is_the_derivative_of_the_gradient(name: str) -> None:
    compiled = compile_sem(MODELS[name], some_moments(), None)
    rng = np.random.default_rng(1)
    theta = start(compiled)
    theta = theta * (1 + 0.05 * rng.normal(size=theta.size)) + 0.02 * rng.normal(size=theta.size)
    assert np.isfinite(compiled.loss.value(theta))
    observed = compiled.loss.observe(theta)
    assert observed is not None
    exact = dense_information(compiled.model, observed.information)
    assert np.abs(exact - exact.T).max() < 1e-10 * np.abs(exact).max()
    assert np.abs(exact - numerical_information(compiled.loss, theta)).max() < DIFFERENCES * np.abs(exact).max()


@pytest.mark.parametrize("name", MODELS)
def test_gradient_is_the_derivative_of_the_loss(name: str) -> None:
    compiled = compile_sem(MODELS[name], some_moments(), None)
    theta = start(compiled)
    step = 1e-6 * np.eye(theta.size)
    numeric = [(compiled.loss.value(theta + d) - compiled.loss.value(theta - d)) / 2e-6 for d in step]
    gradient = compiled.loss.gradient(theta)
    assert np.allclose(gradient, compiled.loss.evaluate(theta).gradient, rtol=1e-12, atol=1e-12)
    # differences of a loss of size 1,000 with steps of 1e-6 keep six digits of the largest entry
    assert np.abs(gradient - numeric).max() < 1e-6 * np.abs(gradient).max()


def test_expected_equals_observed_information_where_the_model_is_exact() -> None:
    """At S = Sigma the residuals vanish, and with them what tells the two apart."""
    compiled = compile_sem(SEM("F =~ a + b + c; H =~ d + e + f"), some_moments(1), None)
    theta = start(compiled)
    Sigma = compiled.model.implied(theta).Sigma
    exact = SampleMoments.from_covariances({"A": Sigma[0]}, n=50, items=[*"abcdef"], divisor="n")
    at_truth = compile_sem(SEM("F =~ a + b + c; H =~ d + e + f"), exact, None)
    observed = at_truth.loss.observe(theta)
    assert observed is not None
    expected = at_truth.loss.evaluate(theta).information
    assert np.allclose(observed.information, expected, rtol=1e-9, atol=1e-9 * expected.max())
