"""Random small designs: never a crash, never a worse optimum than another optimiser's, always the same fit."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings

import mixsem as mx
from mixsem.errors import MixsemError, MixsemWarning
from mixsem.kernels.plain_blocked import dense_random
from mixsem.mixed.designs.design import Design, read_design
from mixsem.mixed.engine.objective import Objective
from mixsem.mixed.engine.optimise import Optimizer, minimise

from .random_designs import RandomDesign, random_designs

#: How much lower another optimiser may end: likelihoods of designs that hardly determine theta are flat to this.
OPTIMUM = 1e-5
#: Absolute, of the criterion of the same model in other units and orders: the searches stop within this of an optimum.
CRITERION = 1e-6
#: Relative to the residual standard deviation, of fitted values and of standard deviations of terms: a criterion within
#: 1e-6 of its minimum leaves them within the root of that, times what the data say about them.
FITTED = 1e-3
#: Smallest eigenvalue of the scaled Hessian at which the data determine theta so well.
DETERMINED = 1e-3
#: Share of the response that the predictors and all random effects leave unexplained, below which the residual
#: variance can be 0 and the likelihood infinite.
UNEXPLAINED = 1e-6

FEW = settings(max_examples=45, deadline=None, suppress_health_check=list(HealthCheck))
#: Methods without gradients take seconds where there are many parameters.
FEWER = settings(FEW, max_examples=15)
#: Slow: 1,000 designs; a failure is reported as it was drawn, because shrinking would take hours.
MANY = settings(FEW, max_examples=1000, phases=[Phase.generate])


def fitted(design: RandomDesign, optimizer: Optimizer | None = None) -> mx.MixedFit | None:
    """The fit; None if the design was refused."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MixsemWarning)
        try:
            return mx.lmer(design.formula, design.frame, reml=design.reml, weights=design.weights, offset=design.offset)
        except MixsemError as error:
            assert error.got
            assert error.todo
            assert must_be_refused(design) or not bounded(read(design)), error
            return None


def must_be_refused(design: RandomDesign) -> bool:
    """Whether the design is no model: from the data and the text of the formula alone."""
    frame, n = design.frame, len(design.frame)
    response = frame["y"] - (frame["o"] if design.offset else 0.0)
    if not np.ptp(response) > 0.0:
        return True
    for bar in design.formula.split(" + (")[1:]:
        left, group = bar.rstrip(")").split("| ")[0].rstrip("| "), bar.rstrip(")").split("| ")[-1]
        levels = len(frame[group.split(":")].drop_duplicates())
        intercept = not left.startswith("0 + ")
        k = sum(
            {"1": 0, "f": frame["f"].nunique() - intercept}.get(name, 1)
            for name in left.removeprefix("0 + ").split(" + ")
        )
        each = 1 if "||" in bar else k + intercept
        if levels < 2 or levels * each >= n:
            return True
    return False


def read(design: RandomDesign) -> Design:
    return read_design(design.formula, design.frame, design.weights, design.offset)


def bounded(design: Design) -> bool:
    """Whether the likelihood is: fixed and random effects together do not describe every response."""
    columns = [
        np.column_stack([np.ones(design.n) if t.Z is None else t.Z for t in design.terms if t.factor == f])
        for f in range(len(design.factors))
    ]
    Z = dense_random([f.codes for f in design.factors], columns, [len(f.levels) for f in design.factors])
    matrix = np.column_stack([design.X, Z])
    matrix = matrix / np.maximum(np.linalg.norm(matrix, axis=0), 1e-300)
    response = design.y if design.offset is None else design.y - design.offset
    response = response - response.mean()
    left = response - matrix @ np.linalg.lstsq(matrix, response, rcond=1e-10)[0]
    return bool(np.linalg.norm(left) > UNEXPLAINED * np.linalg.norm(response))


def is_the_best(design: RandomDesign) -> None:
    fit = fitted(design)
    if fit is None or not bounded(fit.design):
        return
    model, rng = fit.model, np.random.default_rng(design.seed)
    start = model.theta_map.canonical(rng.normal(size=len(fit.theta)))
    for method, phi in (("cobyqa", None), ("nelder-mead", None), ("lbfgsb", start)):
        objective = Objective(model.products, model.theta_map, design.reml)
        other, _ = minimise(objective, Optimizer(method, max_evaluations=200 + 100 * len(fit.theta)), phi)
        assert fit.objective < other.value + OPTIMUM + noise(fit), (method, fit.objective - other.value)


def is_the_same(design: RandomDesign) -> None:
    fit = fitted(design)
    if fit is None or not bounded(fit.design):
        return
    changed, order, scale = another_form(design)
    other = fitted(changed)
    assert other is not None
    df = fit.nobs - (fit.model.p if design.reml else 0)
    constant = 2 * df * np.log(scale) + (log_det(other) - log_det(fit) if design.reml else 0.0)
    determined = mx.check_convergence(fit).eigenvalues[0] > DETERMINED
    near = (CRITERION if determined else OPTIMUM) + noise(fit)
    assert abs(other.objective - constant - fit.objective) < near, other.objective - constant - fit.objective
    if not determined:
        return  # the likelihood is the same
    near = FITTED * fit.sigma
    np.testing.assert_allclose(other.fitted / scale, fit.fitted[order], atol=near)
    assert other.sigma / scale == pytest.approx(fit.sigma, rel=FITTED)
    for ours, theirs in zip(term_sds(fit), term_sds(other), strict=True):
        np.testing.assert_allclose(theirs / scale, ours[order], atol=FITTED * (fit.sigma + ours.max()))


def noise(fit: mx.MixedFit) -> float:
    """Rounding error of the criterion at the solution: large where the residuals are a tiny part of the response."""
    model = fit.model
    inner = model.inner @ model.theta_map.stacked(fit.theta)
    objective = Objective(model.products, model.theta_map, fit.reml)
    objective.evaluate(
        model.theta_map.from_lambdas([lam[:k, :k] for lam, k in zip(inner, model.theta_map.sizes, strict=True)])
    )
    return objective.noise


def another_form(design: RandomDesign) -> tuple[RandomDesign, np.ndarray, float]:
    """Other rows first, other labels, other units and origins; the order of the rows and the unit of the response."""
    rng = np.random.default_rng(design.seed + 1)
    order = rng.permutation(len(design.frame))
    frame = design.frame.iloc[order].reset_index(drop=True)
    for group in design.groups:
        labels = frame[group].unique()
        names = [f"level {i}" for i in rng.permutation(len(labels))]
        frame[group] = frame[group].map(dict(zip(labels, names, strict=True)))
    for name in ("x", "z"):
        sd = float(frame[name].std()) or 1.0
        shift = rng.choice([0.0, -3.0, 5.0]) * sd if name in design.shiftable else 0.0
        frame[name] = (frame[name] + shift) * rng.choice([-1.0, 0.001, 1.0, 30.0])
    scale = float(rng.choice([0.01, 1.0, 500.0]))
    frame["y"], frame["o"] = frame["y"] * scale, frame["o"] * scale
    return replace(design, frame=frame), order, scale


def log_det(fit: mx.MixedFit) -> float:
    """log |X'X|."""
    scale = np.linalg.norm(fit.design.X, axis=0)
    R = np.linalg.qr(fit.design.X / scale, mode="r")
    return float(2 * np.log(np.abs(np.diagonal(R))).sum() + 2 * np.log(scale).sum())


def term_sds(fit: mx.MixedFit) -> list[np.ndarray]:
    """What each term adds to the standard deviation of each row."""
    found = []
    for t, term in enumerate(fit.design.terms):
        factor = fit.sigma * fit.model.theta_map.term_lambda(fit.theta, t)
        Z = np.ones((fit.nobs, 1)) if term.Z is None else term.Z
        found.append(np.linalg.norm(Z @ factor, axis=1))
    return found


@FEWER
@given(random_designs())
def test_no_optimiser_finds_a_better_optimum(design):
    is_the_best(design)


@FEW
@given(random_designs())
def test_order_labels_units_and_origins_do_not_matter(design):
    is_the_same(design)


@pytest.mark.slow
@MANY
@given(random_designs())
def test_no_optimiser_finds_a_better_optimum_in_1000_designs(design):
    is_the_best(design)


@pytest.mark.slow
@MANY
@given(random_designs())
def test_order_labels_units_and_origins_do_not_matter_in_1000_designs(design):
    is_the_same(design)


def test_the_designs_are_what_they_should_be():
    """Of the designs, some are refused, some are boundary fits, most are neither."""
    seen = {"refused": 0, "singular": 0, "regular": 0, "nested": 0, "weighted": 0}

    @settings(FEW, max_examples=60)
    @given(random_designs())
    def look(design):
        fit = fitted(design, Optimizer(further_starts=0))
        seen["nested"] += ":" in design.formula
        seen["weighted"] += design.weights is not None
        seen["refused" if fit is None else "singular" if mx.is_singular(fit) else "regular"] += 1

    look()
    assert min(seen.values()) >= 3, seen
    assert seen["refused"] < 20, seen
