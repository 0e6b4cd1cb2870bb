"""The ML loss: analytic gradient against finite differences, information against its definition."""

from __future__ import annotations

import numpy as np
import pytest

from mixsem.kernels.covariance import entry_information, implied_moments, inverse_and_log_det
from mixsem.model.loss import MaximumLikelihood
from mixsem.model.matrices import compile_table
from mixsem.syntax.table import ParameterTable, Row

#: Relative error of central differences with a step of 1e-6 on a loss of size 1e3.
DIFFERENCE = 1e-6


def row(lhs: str, op: str, rhs: str, fixed: float | None = None, label: str = "", n_groups: int = 2) -> Row:
    """One parameter, the same in all groups."""
    nothing = (None,) * n_groups
    return Row(
        lhs, op, rhs, (fixed,) * n_groups, (label,) * n_groups, nothing,
        (-np.inf,) * n_groups, (np.inf,) * n_groups, True, 1, 1,
    )  # fmt: skip


def model(kind: str):
    """Two groups, two factors with a cross-loading and a residual covariance; more by kind."""
    rows = [row("F", "=~", "x1", 1.0), row("F", "=~", "x2", label="l2"), row("F", "=~", "x3")]
    rows += [row("H", "=~", "x4", 1.0), row("H", "=~", "x5", label="l2"), row("H", "=~", "x6"), row("H", "=~", "x3")]
    rows += [row(f"x{i}", "~~", f"x{i}", label="t" if i == 6 else "") for i in range(1, 7)]
    rows += [row("x1", "~~", "x4"), row("F", "~~", "F"), row("H", "~~", "H")]
    rows += [row("F", "~~", "H")] if kind != "regression" else [row("H", "~", "F", label="b")]
    if kind != "covariances":
        rows += [row(f"x{i}", "~1", "", label=f"nu{i}") for i in range(1, 7)]
        rows += [row("F", "~1", ""), row("H", "~1", "", label="alpha")]
    table = ParameterTable(tuple(rows), ("F", "H"), tuple(f"x{i}" for i in range(1, 7)), 2, (), ())
    return compile_table(table, ("a", "b"))


def random_point(compiled, rng: np.random.Generator) -> np.ndarray:
    """Values that give positive definite matrices."""
    theta = rng.uniform(0.6, 1.1, size=compiled.n_free)
    for i, name in enumerate(compiled.names):
        if name.startswith(("x1~~x4", "F~~H", "H~F")) or "~1" in name:
            theta[i] = rng.uniform(-0.3, 0.3)
    return theta


def loss_of(compiled, rng: np.random.Generator) -> MaximumLikelihood:
    root = rng.normal(size=(2, 6, 40))
    S = root @ root.swapaxes(1, 2) / 40
    return MaximumLikelihood.of(compiled, np.array([120, 300]), S, rng.normal(scale=0.3, size=(2, 6)))


KINDS = ("covariances", "means", "regression")


@pytest.mark.parametrize("kind", KINDS)
def test_gradient_meets_finite_differences(kind):
    compiled, rng = model(kind), np.random.default_rng(1)
    loss, theta = loss_of(compiled, rng), random_point(compiled, rng)
    gradient = loss.evaluate(theta).gradient
    h = 1e-6
    numeric = np.array([(loss.value(theta + h * e) - loss.value(theta - h * e)) / (2 * h) for e in np.eye(theta.size)])
    np.testing.assert_allclose(gradient, numeric, rtol=DIFFERENCE, atol=DIFFERENCE * np.abs(numeric).max())


@pytest.mark.parametrize("kind", KINDS)
def test_information_is_the_expected_hessian(kind):
    """With observed moments equal to the implied ones, the Hessian of the loss is the expected information."""
    compiled, rng = model(kind), np.random.default_rng(2)
    theta = random_point(compiled, rng)
    implied = compiled.implied(theta)
    loss = MaximumLikelihood.of(compiled, np.array([120, 300]), implied.Sigma, implied.mu)
    H = compiled.layout.gather.swapaxes(1, 2) @ loss.evaluate(theta).information @ compiled.layout.gather
    full = np.zeros((theta.size, theta.size))
    for g in range(2):
        own = compiled.layout.local[g]
        index = np.concatenate([compiled.layout.shared, own[own >= 0]])
        keep = np.concatenate([np.ones(compiled.layout.shared.size, bool), own >= 0])
        full[np.ix_(index, index)] += H[g][np.ix_(keep, keep)]
    h = 1e-5
    numeric = np.array(
        [(loss.evaluate(theta + h * e).gradient - loss.evaluate(theta - h * e).gradient) / (2 * h)
         for e in np.eye(theta.size)]
    )  # fmt: skip
    np.testing.assert_allclose(full, numeric, rtol=1e-5, atol=1e-6 * np.abs(numeric).max())


def test_information_is_half_the_trace_formula():
    """The rank-two formula equals n/2 tr(W dSigma_e W dSigma_f) with dSigma by central differences."""
    compiled, rng = model("regression"), np.random.default_rng(3)
    theta = random_point(compiled, rng)
    implied = compiled.implied(theta)
    W = inverse_and_log_det(implied.Sigma).W
    n = np.array([10.0, 20.0])
    information = (
        compiled.layout.gather.swapaxes(1, 2)
        @ entry_information(compiled.entry_vectors(implied), n, W, meanstructure=False)
        @ compiled.layout.gather
    )
    shared, h = compiled.layout.shared, 1e-6
    slopes = [
        (compiled.implied(theta + h * e).Sigma - compiled.implied(theta - h * e).Sigma) / (2 * h)
        for e in np.eye(theta.size)[shared]
    ]
    for i, left in enumerate(slopes):
        for j, right in enumerate(slopes):
            expected = 0.5 * n * np.einsum("gij,gjk,gkl,gli->g", W, left, W, right)
            np.testing.assert_allclose(information[:, i, j], expected, rtol=1e-6, atol=1e-6)


def test_improper_matrices_give_an_infinite_loss_of_their_group_only():
    compiled, rng = model("covariances"), np.random.default_rng(4)
    loss, theta = loss_of(compiled, rng), random_point(compiled, rng)
    theta[compiled.names.index("x1~~x1[a]")] = -50.0
    assert np.isinf(loss.per_group(theta)).tolist() == [True, False]


def test_implied_moments_by_hand():
    Lambda, Psi, B = np.array([[[1.0], [0.5]]]), np.array([[[2.0]]]), None
    implied = implied_moments(Lambda, np.eye(2)[None] * 0.3, Psi, B, np.array([[1.0, 2.0]]), np.array([[4.0]]))
    np.testing.assert_allclose(implied.Sigma[0], [[2.3, 1.0], [1.0, 0.8]])
    np.testing.assert_allclose(implied.mu[0], [5.0, 4.0])


def test_parameters_with_one_label_are_one():
    compiled = model("covariances")
    assert compiled.names.count("F=~x2") == 1 and "H=~x5" not in compiled.names
    assert {"F=~x3[a]", "F=~x3[b]"} <= set(compiled.names)
    values = compiled.entry_values(np.arange(compiled.n_free, dtype=float))
    column = list(compiled.entries)
    assert values[0, column.index("F=~x2")] == values[1, column.index("H=~x5")]
