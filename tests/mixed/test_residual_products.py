"""Structured residuals against the n x n covariance matrix of the response, and the row-wise helpers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.linalg import block_diag

from mixsem import Residual
from mixsem.errors import DataError
from mixsem.kernels.plain_blocked import dense_random
from mixsem.mixed.designs.design import read_design
from mixsem.mixed.engine.deviance import criterion, decompose, gradient, product_gradient
from mixsem.mixed.engine.model import compile_model
from mixsem.mixed.structure import residual_products
from mixsem.mixed.structure.residual_rows import correlate, relative_sd, whiten

#: Relative, of two ways to compute one number: both carry rounding errors of a hundred rows.
SAME = 1e-11
#: Relative to the largest derivative, of central differences with steps of 1e-5: their error is 1e-10 of the third
#: derivative, plus rounding errors of 1e-13 / 1e-5.
DIFFERENCES = 1e-7

FORMULAS = {
    "intercept": "y ~ x + (1 | school)",
    "slope": "y ~ x + (x | school)",
    "nested": "y ~ x + (x | school) + (1 | pupil)",
    "no_random_tail": "y ~ 1 + (0 + x | pupil)",
    "uncorrelated": "y ~ x + (x || school)",
}
STRUCTURES = {
    "by": Residual(by="form"),
    "ar1": Residual(ar1=("pupil", "time")),
    "both": Residual(by="form", ar1=("pupil", "time")),
}


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    """Pupils in schools at one to seven of twelve times, forms changing over time, rows in any order."""
    rng = np.random.default_rng(1)
    rows = [
        (f"s{s}", f"s{s}p{p}", time, rng.choice(list("abc")))
        for s in range(5)
        for p in range(4)
        for time in rng.choice(12, size=rng.integers(1, 8), replace=False) - 5
    ]
    frame = pd.DataFrame(rows, columns=["school", "pupil", "time", "form"])
    n = len(frame)
    frame["x"], frame["w"] = rng.normal(size=n) + 3.0, rng.uniform(0.5, 2.0, n)
    frame["y"] = frame["x"] + 2.0 * rng.normal(size=n)
    return frame.sample(frac=1.0, random_state=3).reset_index(drop=True)


def compiled(formula, structure, data):
    return compile_model(read_design(formula, data, "w", extra=structure.columns), structure)


def point(model, phi):
    """A theta, and residual parameters with this phi."""
    rng = np.random.default_rng(7)
    eta = rng.normal(size=model.structured.rows.n_eta) * 0.6
    if model.structured.weighing.ar:
        eta[-1] = np.arctanh(phi)
    return model.theta_map.start + 0.3 * rng.normal(size=len(model.theta_map)), eta


def dense_residual(data, structure, ratios, phi):
    """Covariance matrix of the residuals from its definition."""
    sd = np.asarray(1.0 / np.sqrt(data["w"]))
    if structure.by is not None:
        sd = sd * np.asarray(data["form"].map(dict(zip("abc", ratios, strict=True))), dtype=float)
    correlation = np.eye(len(data))
    if structure.ar1 is not None:
        pupil, time = np.asarray(data["pupil"], dtype=object), np.asarray(data["time"])
        apart = np.abs(np.subtract.outer(time, time))
        correlation = np.where(np.equal.outer(pupil, pupil), float(phi) ** apart, 0.0)
    return correlation * np.outer(sd, sd)


def plain_criterion(model, theta, covariance, reml):
    design, n_levels = model.design, [f.n_levels for f in model.design.factors]
    columns = [
        np.hstack([np.ones((design.n, 1)) if t.Z is None else t.Z for t in design.terms if t.factor == f])
        for f in range(len(n_levels))
    ]
    Z = dense_random([f.codes for f in design.factors], columns, n_levels)
    lambdas = model.theta_map.lambdas(theta)
    half = Z @ block_diag(*[np.kron(np.eye(n), lam) for n, lam in zip(n_levels, lambdas, strict=True)])
    V = half @ half.T + covariance
    solved = np.linalg.solve(V, np.column_stack([design.X, design.y]))
    information, score = design.X.T @ solved[:, :-1], design.X.T @ solved[:, -1]
    r2 = design.y @ solved[:, -1] - score @ np.linalg.solve(information, score)
    df = design.n - (design.p if reml else 0)
    value = np.linalg.slogdet(V)[1] + (np.linalg.slogdet(information)[1] if reml else 0.0)
    return value + df * (1.0 + np.log(2.0 * np.pi * r2 / df))


@pytest.mark.parametrize("phi", [0.6, -0.7, 0.0])
@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("structure", STRUCTURES.values(), ids=STRUCTURES)
@pytest.mark.parametrize("formula", FORMULAS.values(), ids=FORMULAS)
def test_criterion_is_that_of_the_dense_covariance(formula, structure, reml, phi, data):
    model = compiled(formula, structure, data)
    theta, eta = point(model, phi)
    structured = model.structured.at(eta)
    ratios = np.exp(structured.weighing.split(eta)[0])
    lam = model.inner @ model.theta_map.stacked(theta)
    value = criterion(structured.products, decompose(structured.products, lam), reml)
    assert value == pytest.approx(
        plain_criterion(model, theta, dense_residual(data, structure, ratios, phi), reml), rel=SAME
    )


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("structure", STRUCTURES.values(), ids=STRUCTURES)
@pytest.mark.parametrize("formula", FORMULAS.values(), ids=FORMULAS)
def test_gradient_is_that_of_differences(formula, structure, reml, data):
    model = compiled(formula, structure, data)
    theta, eta = point(model, -0.5)
    lam = model.inner @ model.theta_map.stacked(theta)

    def value(at):
        products = model.structured.at(at).products
        return criterion(products, decompose(products, lam), reml)

    structured = model.structured.at(eta)
    parts = decompose(structured.products, lam)
    by_lambda, values, tail = product_gradient(structured.products, parts, reml)
    np.testing.assert_array_equal(by_lambda, gradient(structured.products, parts, reml))
    steps = 1e-5 * np.eye(len(eta))
    differences = np.array([(value(eta + step) - value(eta - step)) / 2e-5 for step in steps])
    slope = structured.slope(values, tail)
    np.testing.assert_allclose(slope, differences, atol=DIFFERENCES * np.abs(slope).max(), rtol=0)


def test_sparse_levels_that_meet_are_among_these_models(data):
    chained = {
        name: compiled(f, STRUCTURES["both"], data).products.layout.blocks.chained for name, f in FORMULAS.items()
    }
    assert set(chained.values()) == {True, False}


def test_crossed_factors_may_have_variances_by_a_column(data):
    crossed = data.assign(item=np.arange(len(data)) % 7)
    model = compiled("y ~ x + (x | school) + (1 | item)", STRUCTURES["by"], crossed)
    theta, eta = point(model, 0.0)
    structured = model.structured.at(eta)
    lam = model.inner @ model.theta_map.stacked(theta)
    ratios = np.exp(structured.weighing.split(eta)[0])
    value = criterion(structured.products, decompose(structured.products, lam), True)
    covariance = dense_residual(crossed, STRUCTURES["by"], ratios, 0.0)
    assert value == pytest.approx(plain_criterion(model, theta, covariance, True), rel=SAME)


@pytest.mark.parametrize("phi", [0.6, -0.7])
@pytest.mark.parametrize("structure", STRUCTURES.values(), ids=STRUCTURES)
def test_whitening_and_drawing_are_those_of_the_covariance(structure, phi, data):
    model = compiled(FORMULAS["slope"], structure, data)
    _, eta = point(model, phi)
    structured = model.structured.at(eta)
    model = model.__class__(model.design, model.y, structured.products, model.theta_map, structured)
    covariance = dense_residual(data, structure, np.exp(structured.weighing.split(eta)[0]), phi)
    root = np.column_stack([correlate(model, column) for column in np.eye(len(data))])
    np.testing.assert_allclose(root @ root.T, covariance, atol=SAME)
    np.testing.assert_allclose(whiten(model, root[:, 3]), np.eye(len(data))[3], atol=SAME)
    np.testing.assert_allclose(relative_sd(model) ** 2, np.diagonal(covariance), rtol=SAME)


def test_too_many_sets_are_refused_before_they_are_made(data, monkeypatch):
    monkeypatch.setattr(residual_products, "available_gigabytes", lambda: 1e-6)
    with pytest.raises(DataError, match=r"sets of rows .* 3 residual variances and \d+ distinct gaps"):
        compiled(FORMULAS["slope"], STRUCTURES["both"], data)
