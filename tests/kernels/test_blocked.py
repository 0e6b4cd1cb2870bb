"""The kernels of mixed models against the definitions in plain NumPy, and what they leave to memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from scipy.linalg import block_diag

from mixsem.errors import DataError
from mixsem.kernels.plain_blocked import dense_random, plain_criterion, plain_gradient
from mixsem.mixed.designs.design import read_design
from mixsem.mixed.engine import layout
from mixsem.mixed.engine.model import CompiledMixedModel, compile_model

#: Relative to the size of the criterion: both factorise matrices of condition 1e4 in double precision.
CRITERION = 1e-10
#: Relative to the largest derivative, for the same reason; dense inverses lose more.
GRADIENT = 1e-8
#: Relative to the largest value, of conditional modes and covariances.
MODES = 1e-8
#: Relative, of central differences with step 1e-5: their own error is about 1e-10 / 1e-5.
DIFFERENCES = 1e-5


@dataclass(frozen=True)
class Structure:
    """A random part, the number of levels of its factors, and whether the rows have weights."""

    formula: str
    levels: tuple[int, ...]
    n: int = 150
    weighted: bool = False
    nested: bool = False


STRUCTURES = {
    "intercept": Structure("(1 | a)", (10,)),
    "weights": Structure("(1 + x | a)", (12,), weighted=True),
    "three effects": Structure("(1 + x + z | a)", (9,), weighted=True),
    "independent slopes": Structure("(x + z || a)", (15,)),
    "several terms of a factor": Structure("(1 + x | a) + (0 + z | a)", (20,)),
    "crossed": Structure("(1 | a) + (1 | b)", (30, 8), weighted=True),
    "crossed slopes": Structure("(1 + x | a) + (1 + x + z | b)", (30, 8), n=300),
    "crossed, many terms": Structure("(1 + x | a) + (0 + z | a) + (x || b) + (1 | c)", (20, 9, 3), n=200),
    "nested": Structure("(1 + x | a) + (1 + x + z | b) + (1 | c)", (60, 20, 5), n=300, nested=True),
    "nested and crossed": Structure("(1 | a) + (1 + x | b) + (1 | c) + (1 | d)", (60, 20, 5, 4), n=300, nested=True),
    "sparse crossing": Structure("(1 | a) + (1 + x | b) + (1 | c)", (150, 120, 90), n=300),
    "dense crossing": Structure("(1 + x | a) + (1 + z | b)", (40, 30), n=900, weighted=True),
}


def make(structure: Structure, seed: int = 1) -> tuple[CompiledMixedModel, np.ndarray]:
    """A compiled model with random data, and a random theta."""
    rng = np.random.default_rng(seed)
    n = structure.n
    frame = pd.DataFrame({"x": rng.normal(5, 3, n), "z": rng.normal(size=n), "w": rng.uniform(0.5, 2, n)})
    below = np.arange(n) % structure.levels[0]
    for name, levels in zip("abcd", structure.levels, strict=False):
        nested = structure.nested and name != "d"
        frame[name] = below * levels // structure.levels[0] if nested else rng.permutation(np.arange(n) % levels)
    frame["y"] = 3 + frame["x"] + rng.normal(size=n)
    design = read_design(f"y ~ x + z + {structure.formula}", frame, "w" if structure.weighted else None)
    model = compile_model(design)
    return model, rng.normal(size=len(model.theta_map))


def dense(model: CompiledMixedModel) -> tuple[np.ndarray, list[int], np.ndarray]:
    """Z of all random effects, levels of each factor, and weights."""
    design = model.design
    columns = [
        np.column_stack(
            [np.ones((design.n, 1)) if t.Z is None else t.Z for t in design.terms if t.factor == f],
        )
        for f in range(len(design.factors))
    ]
    levels = [len(f.levels) for f in design.factors]
    weights = np.ones(design.n) if design.weights is None else design.weights
    return dense_random([f.codes for f in design.factors], columns, levels), levels, weights


every = pytest.mark.parametrize("name", STRUCTURES)
criteria = pytest.mark.parametrize(("reml", "sigma"), [(True, None), (False, None), (True, 1.3), (False, 0.7)])


@every
@criteria
def test_criterion_and_gradient_are_those_of_the_definition(name, reml, sigma):
    model, theta = make(STRUCTURES[name])
    Z, levels, weights = dense(model)
    lambdas = list(model.theta_map.lambdas(theta))
    arguments = (model.y, model.design.X, Z, lambdas, levels, weights, reml, sigma)
    expected = plain_criterion(*arguments)
    assert model.criterion(theta, reml, sigma) == pytest.approx(expected, rel=CRITERION)
    value, slope = model.gradient(theta, reml, sigma)
    assert value == model.criterion(theta, reml, sigma)
    by_lambda = plain_gradient(*arguments)
    places = zip(model.theta_map.factor, model.theta_map.row, model.theta_map.column, strict=True)
    wanted = np.array([by_lambda[f][r, c] for f, r, c in places])
    np.testing.assert_allclose(slope[: len(theta)], wanted, atol=GRADIENT * np.abs(wanted).max())


@every
@criteria
def test_gradient_is_that_of_differences(name, reml, sigma):
    model, theta = make(STRUCTURES[name], seed=2)
    slope = model.gradient(theta, reml, sigma)[1]
    step = 1e-5
    for i in range(len(theta)):
        up, down = theta.copy(), theta.copy()
        up[i], down[i] = up[i] + step, down[i] - step
        difference = (model.criterion(up, reml, sigma) - model.criterion(down, reml, sigma)) / (2 * step)
        assert slope[i] == pytest.approx(difference, rel=DIFFERENCES, abs=DIFFERENCES * np.abs(slope).max())
    if sigma is not None:
        ends = model.criterion(theta, reml, sigma + step), model.criterion(theta, reml, sigma - step)
        assert slope[-1] == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=DIFFERENCES)


@every
def test_state_is_the_dense_solution(name):
    model, theta = make(STRUCTURES[name], seed=3)
    Z, levels, weights = dense(model)
    X, y = model.design.X, model.y
    lambdas = model.theta_map.lambdas(theta)
    Lambda = block_diag(*[np.kron(np.eye(n), lam) for n, lam in zip(levels, lambdas, strict=True)])
    half = Z @ Lambda
    V_inverse = np.linalg.inv(half @ half.T + np.diag(1 / weights))
    unscaled = np.linalg.inv(X.T @ V_inverse @ X)
    beta = unscaled @ X.T @ V_inverse @ y
    modes = Lambda @ half.T @ V_inverse @ (y - X @ beta)
    system = half.T @ (weights[:, None] * half) + np.eye(len(Lambda))
    covariance = Lambda @ np.linalg.solve(system, Lambda.T)
    state = model.state(theta)
    np.testing.assert_allclose(state.beta, beta, rtol=MODES)
    np.testing.assert_allclose(state.unscaled_vcov, unscaled, atol=MODES * np.abs(unscaled).max())
    assert state.log_det_random == pytest.approx(np.linalg.slogdet(system)[1], rel=CRITERION)
    at = 0
    for f, (n, lam) in enumerate(zip(levels, lambdas, strict=True)):
        k = len(lam)
        here = slice(at, at + n * k)
        np.testing.assert_allclose(state.b[f].ravel(), modes[here], atol=MODES * np.abs(modes).max())
        found = model.conditional_covariances(theta)[f]
        blocks = np.array([covariance[i : i + k, i : i + k] for i in range(here.start, here.stop, k)])
        np.testing.assert_allclose(found, blocks, atol=MODES * np.abs(covariance).max())
        at = here.stop


@pytest.mark.parametrize("name", ["nested", "crossed slopes", "dense crossing"])
def test_a_new_response_needs_no_new_layout(name):
    model, theta = make(STRUCTURES[name])
    other = model.with_response(np.sqrt(np.abs(model.y)))
    assert other.products.layout is model.products.layout
    Z, levels, weights = dense(model)
    lambdas = list(model.theta_map.lambdas(theta))
    expected = plain_criterion(other.y, model.design.X, Z, lambdas, levels, weights, True, None)
    assert other.criterion(theta) == pytest.approx(expected, rel=CRITERION)


def test_zero_theta_leaves_the_linear_model():
    model, theta = make(STRUCTURES["crossed slopes"])
    X, y = model.design.X, model.y
    rss = float(np.linalg.lstsq(X, y, rcond=None)[1][0])
    expected = len(y) * (1 + np.log(2 * np.pi * rss / len(y)))
    assert model.criterion(0 * theta, reml=False) == pytest.approx(expected, rel=CRITERION)
    assert not np.any(model.state(0 * theta).b[0])


def test_nested_factors_have_no_tail_and_crossed_ones_do():
    nested = make(STRUCTURES["nested"])[0].products.layout.blocks
    assert nested.n_tail <= 2  # the last level or two count as dense
    assert nested.chained
    crossed = make(STRUCTURES["crossed"])[0].products.layout
    assert (crossed.blocks.n_sparse, crossed.blocks.n_tail) == (30, 8)
    assert not crossed.blocks.chained
    assert make(STRUCTURES["dense crossing"])[0].products.layout.by_panels
    assert not crossed.by_panels


def test_what_does_not_fit_in_memory_is_refused_before_it_is_allocated(monkeypatch):
    monkeypatch.setattr(layout, "available_gigabytes", lambda: 1e-6)
    with pytest.raises(DataError, match=r"the random effects need .* GB") as refusal:
        make(STRUCTURES["crossed slopes"])
    assert "on this machine" in str(refusal.value)
    assert "sample of the levels" in str(refusal.value)


def test_memory_grows_with_the_levels_that_meet():
    few, many = (make(STRUCTURES[name])[0].products.layout.gigabytes for name in ("intercept", "dense crossing"))
    assert 0 < few < many
