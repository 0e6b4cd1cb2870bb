"""Further starting values: a likelihood with two optima, and when they are tried."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mixsem as mx
from mixsem.errors import OptionError
from mixsem.mixed.designs.design import read_design
from mixsem.mixed.engine.model import CompiledMixedModel, compile_model
from mixsem.mixed.engine.objective import Objective
from mixsem.mixed.engine.optimise import Optimizer
from mixsem.mixed.engine.relative import determined, newton_step
from mixsem.mixed.linear import LinearMixedModel, fit_model

#: Of the criterion: two searches for the same optimum.
SAME = 1e-6

SLEEP = "Reaction ~ Days + (Days | Subject)"

SINGLE = Optimizer(further_starts=0)


@pytest.fixture(scope="module")
def two_optima() -> CompiledMixedModel:
    """Noise in four groups of four rows, of which one draw in a few hundred has two optima."""
    rng = np.random.default_rng(66)
    n = 16
    y, x = rng.normal(size=n), rng.normal(size=n)
    frame = pd.DataFrame({"y": y, "x": x, "h": np.arange(n) // 4})
    return compile_model(read_design("y ~ x + (x | h)", frame))


def fit(model: CompiledMixedModel, optimizer: Optimizer, start: np.ndarray | None = None) -> mx.MixedFit:
    return fit_model(LinearMixedModel("y ~ x + (x | h)", reml=False, optimizer=optimizer), model, start)


def test_the_better_of_two_optima_is_found(two_optima):
    single, best = fit(two_optima, SINGLE), fit(two_optima, Optimizer())
    assert single.objective > best.objective + 1
    assert mx.check_convergence(single).converged  # it is an optimum, only not the best
    assert mx.check_convergence(best).converged
    assert best.trace.better_starts >= 1
    assert single.trace.better_starts == 0
    found = mx.all_fit(single, ["lbfgsb", "cobyqa"])
    assert set(found.frame["verdict"]) <= {"same", "worse"}
    assert mx.all_fit(best).agree


def test_a_start_is_the_only_one(two_optima):
    single, best = fit(two_optima, SINGLE), fit(two_optima, Optimizer())
    near = fit(two_optima, Optimizer(), single.theta + 0.01)
    assert near.objective == pytest.approx(single.objective, abs=SAME)
    assert near.trace.evaluations < 60
    assert fit(two_optima, Optimizer(), best.theta).objective == pytest.approx(best.objective, abs=SAME)


def test_a_fit_can_be_repeated(two_optima):
    first, second = fit(two_optima, Optimizer()), fit(two_optima, Optimizer())
    assert first.theta.tolist() == second.theta.tolist()
    assert first.trace.evaluations == second.trace.evaluations


def test_where_the_data_determine_theta_one_search_is_enough():
    fit = mx.lmer(SLEEP, mx.data.sleepstudy())
    assert (fit.trace.searches, fit.trace.better_starts) == (1, 0)
    assert fit.trace.evaluations < 30


def test_searches_that_lead_to_a_known_optimum_are_given_up():
    single = mx.lmer(SLEEP, mx.data.sleepstudy(), optimizer=SINGLE)
    several = mx.lmer(SLEEP, mx.data.sleepstudy(), optimizer=Optimizer(further_starts=10))
    assert several.objective == pytest.approx(single.objective, abs=SAME)
    assert (several.trace.searches, several.trace.better_starts) == (11, 0)
    assert several.trace.evaluations < 2 * 11 * single.trace.evaluations + 60


def test_a_newton_step_leads_from_near_an_optimum_to_it(two_optima):
    best = fit(two_optima, Optimizer())
    theta_map = two_optima.theta_map
    objective = Objective(two_optima.products, theta_map, False)
    inner = two_optima.inner @ theta_map.stacked(best.theta)
    phi = theta_map.from_lambdas([lam[:k, :k] for lam, k in zip(inner, theta_map.sizes, strict=True)])
    away = objective.evaluate(1.01 * phi)
    assert away.value > best.objective + SAME
    found = newton_step(objective, away)
    assert found is not None
    assert found.value - best.objective < 0.1 * (away.value - best.objective)
    at_optimum = newton_step(objective, objective.evaluate(phi))
    assert at_optimum is None or at_optimum.value > best.objective - SAME
    assert 0 <= determined(objective, objective.evaluate(phi)) < 1


def test_large_problems_are_searched_once():
    rng = np.random.default_rng(1)
    n = 4000
    frame = pd.DataFrame({"y": rng.normal(size=n), "g": np.arange(n) % 1500})
    frame["y"] += rng.normal(size=1500)[frame["g"]]
    many = mx.lmer("y ~ 1 + (1 | g)", frame)
    assert many.trace.evaluations == mx.lmer("y ~ 1 + (1 | g)", frame, optimizer=SINGLE).trace.evaluations


def test_a_negative_number_is_refused():
    with pytest.raises(OptionError, match="further_starts=-1"):
        Optimizer(further_starts=-1)


def test_large_effects_that_cancel_are_no_end():
    """An intercept and a slope far from 0, without a correlation: moments start where both are huge and cancel."""
    rng, n = np.random.default_rng(100), 100
    codes = [rng.choice(k, n, p=rng.dirichlet(np.full(k, 20.0))) for k in (2, 7)]
    x, z, f = rng.normal(size=n), rng.normal(size=n), rng.choice(["p", "q"], n)
    mean = np.zeros(n)
    standard = (x - x.mean()) / x.std()
    for own, spreads in zip(codes, ((0.1, 0.1, 0.0), (0.0, 0.1, 1.0)), strict=True):
        for column, spread in zip((np.ones(n), standard, f == "q"), spreads, strict=True):
            b = spread * rng.normal(size=own.max() + 1)
            alone = len(b) == 2 or column[0] == 1
            mean += column * (b[own] if alone else spread * rng.normal())
    y = 101.0 + standard + mean + rng.normal(size=n)
    w, o = np.exp(2.0 * rng.normal(size=n)), rng.normal(size=n)
    data = pd.DataFrame({"g": codes[0], "h": codes[1], "x": x, "z": z + 100.0, "y": y, "w": w, "o": o})
    formula = "y ~ x + I(x ** 2) + (1 | g) + (0 + z | g) + (1 | h) + (0 + z | h)"
    fit = mx.lmer(formula, data, reml=False, weights="w", offset="o")
    assert fit.objective == pytest.approx(526.3971, abs=1e-3)
    assert mx.all_fit(fit, ["bfgs", "cobyqa"]).agree
