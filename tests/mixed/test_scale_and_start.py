"""Origins and units of what is given leave no trace; searches start near where they end; both ways to add up agree."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mixsem as mx
from mixsem.data import sleepstudy
from mixsem.errors import DataError, OptionError
from mixsem.kernels.blocked_adjoint import gather_tail, solve_levels
from mixsem.kernels.blocked_panels import panel_gather, panel_update
from mixsem.kernels.cross_products import order_rows, take_rows
from mixsem.mixed.designs.design import read_design
from mixsem.mixed.engine import products as products_module
from mixsem.mixed.engine.model import compile_model
from mixsem.mixed.engine.moment_start import moment_start
from mixsem.mixed.engine.objective import Objective
from mixsem.mixed.engine.optimise import Optimizer, minimise

#: Of criteria that differ by a known constant only: rounding of sums over some hundred rows.
CRITERION = 1e-6
#: Relative, of estimates that follow from such criteria.
RELATIVE = 1e-5
#: Relative, of sums added up in another order.
ROUNDING = 1e-11


def crossed(n: int = 2000, a: int = 60, b: int = 50, seed: int = 3) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"a": rng.integers(0, a, n), "b": rng.integers(0, b, n), "x": rng.normal(size=n)})
    effects = rng.normal(size=a)[frame["a"]] + 0.5 * rng.normal(size=b)[frame["b"]]
    slopes = 0.4 * rng.normal(size=a)[frame["a"]]
    frame["y"] = 1.0 + (0.5 + slopes) * frame["x"] + effects + rng.normal(size=n)
    frame["f"] = pd.Categorical.from_codes(rng.integers(0, 3, n), list("uvw"))
    return frame


@pytest.mark.parametrize("scale", [1e-12, 1e-6, 1e6, 1e12])
def test_the_scale_of_weights_changes_sigma_and_theta_only(scale):
    frame = sleepstudy().assign(w=np.linspace(1.0, 3.0, 180))
    plain = mx.lmer("Reaction ~ Days + (Days | Subject)", frame, weights="w")
    scaled = mx.lmer("Reaction ~ Days + (Days | Subject)", frame.assign(w=scale * frame["w"]), weights="w")
    assert scaled.objective == pytest.approx(plain.objective, abs=CRITERION)
    np.testing.assert_allclose(scaled.theta * np.sqrt(scale), plain.theta, rtol=RELATIVE, atol=RELATIVE)
    np.testing.assert_allclose(scaled.sigma / np.sqrt(scale), plain.sigma, rtol=RELATIVE)
    np.testing.assert_allclose(scaled.se, plain.se, rtol=RELATIVE)
    assert not mx.is_singular(scaled)


def test_weights_out_of_the_range_of_numbers_are_refused():
    with pytest.raises(DataError, match="weights from 1e\\+300"):
        mx.lmer("Reaction ~ Days + (1 | Subject)", sleepstudy(), weights=np.full(180, 1e300))


@pytest.mark.parametrize("origin", [1e3, 1e5, 1e7, 1e9])
def test_a_distant_response_without_intercept_is_fitted_as_one_nearby(origin):
    frame = crossed(400)
    near = mx.lmer("y ~ 0 + f + x + (1 | a)", frame)
    far = mx.lmer("y ~ 0 + f + x + (1 | a)", frame.assign(y=frame["y"] + origin))
    # Of values near 1e9 the table itself keeps no more than seven decimals.
    assert far.objective == pytest.approx(near.objective, abs=CRITERION if origin < 1e6 else 1e-5)
    np.testing.assert_allclose(far.theta, near.theta, rtol=RELATIVE)
    np.testing.assert_allclose(far.beta - origin * np.array([1, 1, 1, 0]), near.beta, rtol=1e-4)
    np.testing.assert_allclose(far.fitted - origin, near.fitted, atol=1e-6)


def test_a_nearly_perfect_fit_profiles_the_same_as_its_residuals():
    """Where fixed effects describe nearly everything, their part is taken off first; intervals move with it."""
    frame = crossed(400)
    near = mx.confint(mx.lmer("y ~ x + (1 | a)", frame, reml=False)).frame
    far = mx.confint(mx.lmer("y ~ x + (1 | a)", frame.assign(y=frame["y"] + 1e4 * frame["x"]), reml=False)).frame
    added = np.where(near["parameter"] == "x", 1e4, 0.0)
    for column in ("lower", "upper"):
        np.testing.assert_allclose(far[column] - added, near[column], rtol=RELATIVE, atol=1e-6)


def test_a_response_described_by_its_groups_has_no_residual():
    frame = sleepstudy().assign(y=lambda d: 2.0 + 3.0 * d["Days"] + d["Subject"].astype(int) % 7)
    with pytest.raises(DataError, match="residual variance is zero"):
        mx.lmer("y ~ Days + (1 | Subject)", frame)


@pytest.mark.parametrize("start", [[1e10], [1e300], [np.nan], [1.0, 1.0]])
def test_a_start_that_is_none_is_refused(start):
    with pytest.raises(OptionError, match="Subject"):
        mx.lmer("Reaction ~ Days + (1 | Subject)", sleepstudy(), start=start)


@pytest.mark.parametrize("formula", ["y ~ x + (1 | a) + (1 | b)", "y ~ x + (x | a)", "y ~ x + (x || a) + (1 | b)"])
def test_moments_are_near_the_optimum(formula):
    model = compile_model(read_design(formula, crossed()))
    objective = Objective(model.products, model.theta_map, True)
    best, trace = minimise(objective, Optimizer(further_starts=0))
    start = moment_start(model.products, model.theta_map)
    np.testing.assert_allclose(start, best.phi, atol=0.25)
    plain = objective.evaluate(model.theta_map.start).value
    assert objective.evaluate(start).value - best.value < 0.1 * (plain - best.value)
    assert trace.evaluations < 20


def test_moments_of_a_factor_without_variance_are_still_a_start():
    frame = crossed().assign(y=lambda d: np.random.default_rng(1).normal(size=len(d)))
    model = compile_model(read_design("y ~ x + (x | a) + (1 | b)", frame))
    start = moment_start(model.products, model.theta_map)
    values = [np.linalg.svd(lam, compute_uv=False).min() for lam in model.theta_map.lambdas(start)]
    assert min(values) > 0.0


def test_panels_and_loops_give_the_same_products():
    model = compile_model(read_design("y ~ x + (x | a) + (1 | b)", crossed(6000)))
    products = model.products
    assert products.layout.by_panels, "these levels are meant to meet densely"
    blocks = products.layout.blocks
    parts = model.decompose(model.theta_map.start)
    looped = products.tail.copy()
    factors, whitened = np.zeros_like(parts.factors), np.empty_like(parts.whitened)
    from mixsem.kernels.blocked import eliminate

    eliminate(blocks, products.values, looped, parts.lam, factors, whitened, True)
    paneled = products.tail.copy()
    panel_update(blocks, whitened, paneled)
    # The loops leave rows of fixed effects and response to nobody else: both update the whole lower triangle.
    np.testing.assert_allclose(np.tril(paneled), np.tril(looped), rtol=ROUNDING, atol=ROUNDING * np.abs(looped).max())
    solved = solve_levels(blocks, factors, whitened)
    by_loops, by_panels = gather_tail(blocks, solved, looped), panel_gather(blocks, solved, looped)
    np.testing.assert_allclose(by_panels, by_loops, rtol=1e-9, atol=1e-9 * np.abs(by_loops).max())


def test_rows_in_the_order_of_levels_add_up_to_the_same(monkeypatch):
    design = read_design("y ~ x + (x | a) + (1 | b)", crossed(), weights=np.linspace(1, 2, 2000))
    as_they_come = compile_model(design).products
    monkeypatch.setattr(products_module, "MANY_VALUES", 0)
    ordered = compile_model(design).products
    np.testing.assert_allclose(ordered.values, as_they_come.values, rtol=ROUNDING, atol=1e-9)
    np.testing.assert_allclose(ordered.tail, as_they_come.tail, rtol=ROUNDING, atol=1e-9)


def test_rows_are_ordered_by_level_and_stay_in_order_within():
    codes = np.array([2, 0, 1, 0, 2, 1, 0], dtype=np.int32)
    assert order_rows(codes, 3).tolist() == np.argsort(codes, kind="stable").tolist()
    assert order_rows(np.sort(codes), 3).size == 0


def test_rows_are_centred_scaled_and_weighted_on_the_way():
    rng = np.random.default_rng(1)
    X, weights, order = rng.normal(size=(9, 2)), rng.uniform(1, 2, 9), rng.permutation(9)
    center, scale, out = np.array([1.0, -2.0]), np.array([2.0, 0.5]), np.zeros((4, 3))
    take_rows(X, order, 3, center, scale, weights, out, 1)
    rows = order[3:7]
    np.testing.assert_allclose(out[:, 1:], weights[rows, None] * (X[rows] - center) / scale, rtol=1e-14)
    assert not out[:, 0].any()
