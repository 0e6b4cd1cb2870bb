"""Second derivatives of the criterion, and how the covariance of the fixed effects moves."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mixsem as mx
from mixsem.mixed.engine.curvature import _covariance, curvature
from mixsem.mixed.engine.model import CompiledMixedModel
from mixsem.mixed.inference.satterthwaite import Satterthwaite

from .references import cases
from .test_lme4 import fitted

#: Relative, of a Hessian by differences of exact gradients against second differences of the criterion itself, whose
#: own rounding is 1e-12 / step^2.
SECOND_DIFFERENCES = 1e-4
#: Relative, against lmerTest's covariance of (theta, sigma), by numerical second derivatives of the deviance.
LMERTEST = 1e-4
#: Relative, of the same fit with another unit or origin of a predictor.
SAME = 1e-5
#: Relative, of degrees of freedom by one difference in the place of two: its error is that of the step squared.
CHEAP = 1e-3


@pytest.fixture(scope="module")
def fit() -> mx.MixedFit:
    return mx.lmer("Reaction ~ Days + (Days | Subject)", mx.data.sleepstudy())


def test_the_hessian_is_that_of_the_criterion(fit):
    at, step = np.append(fit.theta, fit.sigma), 1e-3 * np.append(fit.theta, fit.sigma)

    def value(x):
        return fit.model.criterion(x[:-1], True, x[-1])

    expected = np.empty((4, 4))
    for i in range(4):
        for j in range(4):
            a, b = np.eye(4)[i] * step, np.eye(4)[j] * step
            expected[i, j] = (value(at + a + b) - value(at + a - b) - value(at - a + b) + value(at - a - b)) / (
                4 * step[i] * step[j]
            )
    size = np.sqrt(np.outer(np.diagonal(expected), np.diagonal(expected)))
    np.testing.assert_allclose(curvature(fit).hessian / size, expected / size, atol=SECOND_DIFFERENCES)


def test_the_jacobian_is_that_of_the_covariance(fit):
    found, step = curvature(fit).jacobian, 1e-4
    for i in range(3):
        shift = step * np.eye(3)[i]
        above, below = (fit.model.state(fit.theta + s * shift).unscaled_vcov for s in (1, -1))
        expected = fit.sigma**2 * (above - below) / (2 * step)
        np.testing.assert_allclose(found[i], expected, rtol=1e-6, atol=1e-6 * np.abs(expected).max())
    np.testing.assert_allclose(found[3], 2 * fit.vcov / fit.sigma)


@pytest.mark.parametrize("case", cases("penicillin", "pastes", "sleepstudy", "wide_weights"), ids=str)
def test_covariance_of_theta_and_sigma_against_lmertest(case):
    expected = np.array(case.numbers["tests"]["varpar_vcov"], dtype=float)
    found = curvature(fitted(case))
    size = np.sqrt(np.outer(np.diagonal(expected), np.diagonal(expected)))
    np.testing.assert_allclose(found.covariance / size, expected / size, atol=LMERTEST)
    assert found.flat == 0


@pytest.mark.parametrize(("unit", "origin"), [(1e4, 0.0), (1e-5, 0.0), (1.0, 2004.0), (1e-3, -300.0)])
def test_units_and_origins_do_not_matter(fit, unit, origin):
    data = mx.data.sleepstudy()
    other = mx.lmer("Reaction ~ x + (x | Subject)", data.assign(x=data["Days"] * unit + origin))
    slopes = [np.array([c.jacobian[k][1, 1] for k in range(4)]) for c in map(curvature, (fit, other))]
    variances = [s @ c.covariance @ s for s, c in zip(slopes, map(curvature, (fit, other)), strict=True)]
    assert variances[1] * unit**4 == pytest.approx(variances[0], rel=SAME)


def test_flat_directions_are_left_out():
    """What the criterion does not depend on, here the difference of the first two, is taken as known."""
    hessian = np.array([[8.0, 8.0, 2.0], [8.0, 8.0, 2.0], [2.0, 2.0, 6.0]])
    covariance, flat = _covariance(hessian, np.eye(2))
    assert flat == 1
    np.testing.assert_allclose(covariance, 2 * np.linalg.pinv(hessian), atol=1e-12)
    covariance, flat = _covariance(-hessian, np.eye(2))
    assert flat == 3
    assert not covariance.any()


def test_large_systems_take_a_cheaper_way_to_the_same_degrees_of_freedom(monkeypatch):
    """Two crossed factors: the second one's levels make the dense part."""
    rng = np.random.default_rng(1)
    a, b = rng.integers(0, 200, 3000), rng.integers(0, 60, 3000)
    x, w = rng.normal(size=3000), rng.normal(size=60)[b]
    y = x + w + rng.normal(size=200)[a] * 0.5 + rng.normal(size=60)[b] * (0.7 + 0.3 * x) + rng.normal(size=3000)
    data = pd.DataFrame({"a": a, "b": b, "x": x, "w": w, "y": y})
    fit = mx.lmer("y ~ x + w + (1 | a) + (1 + x | b)", data)
    exact = Satterthwaite(fit.beta, fit.vcov.to_numpy(), curvature(fit))
    calls = []
    honest = CompiledMixedModel.slope_and_spread

    def counted(*arguments):
        calls.append(1)
        return honest(*arguments)

    monkeypatch.setattr(CompiledMixedModel, "slope_and_spread", counted)
    curvature(fit)
    plain = len(calls)
    monkeypatch.setattr("mixsem.mixed.engine.curvature.EXPENSIVE", 50)
    calls.clear()
    cheap = Satterthwaite(fit.beta, fit.vcov.to_numpy(), curvature(fit))
    assert len(calls) == plain / 2
    L = np.vstack([np.eye(3), np.ones((1, 3))])
    np.testing.assert_allclose(cheap.df(L), exact.df(L), rtol=CHEAP)
