"""The check of convergence: quiet at optima, loud elsewhere."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import mixsem as mx
from mixsem.errors import ConvergenceWarning
from mixsem.mixed.judgement.boundary import fit_notices
from mixsem.mixed.linear import fit_model

from .references import cases
from .test_lme4 import fitted

#: Newton steps at optima: the search stops when it expects to gain less than 1e-10, with the curvature of complete
#: data in the place of the true one, which may be a thousandth of it.
ARRIVED = 1e-6
#: Relative, of eigenvalues by central differences of an exact gradient.
EIGENVALUES = 1e-4

SLEEP = "Reaction ~ Days + (Days | Subject)"


def at(fit: mx.MixedFit, theta: np.ndarray) -> mx.MixedFit:
    """The fit as if the search had ended at theta."""
    state = fit.model.state(theta)
    df = fit.model.n - (fit.model.p if fit.reml else 0)
    sigma = float(np.sqrt(state.r2 / df))
    trace = replace(fit.trace, gain=np.nan)
    objective = fit.model.criterion(theta, fit.reml)
    return replace(fit, theta=theta, sigma=sigma, state=state, objective=objective, trace=trace, notices=())


@pytest.mark.parametrize("case", cases(), ids=str)
def test_every_reference_fit_converged(case):
    fit = fitted(case)
    check = mx.check_convergence(fit)
    assert check.converged, check.text
    assert check.gain < ARRIVED
    assert fit.trace.gain < ARRIVED
    assert not any(n.category is ConvergenceWarning for n in fit.notices)


def test_eigenvalues_and_step_are_those_of_differences_of_the_criterion():
    fit = mx.lmer("Reaction ~ Days + (1 | Subject)", mx.data.sleepstudy())
    (theta,), h = fit.theta, 1e-3
    curvature = (fit.model.criterion([theta + h]) - 2 * fit.objective + fit.model.criterion([theta - h])) / h**2
    # one element: a relative change of theta by 1 / (2 sqrt(n levels)) has curvature 1 with complete data
    unit = np.sqrt(theta**2 + 1e-4) / np.sqrt(4 * 18)
    check = mx.check_convergence(fit)
    assert check.eigenvalues == pytest.approx([curvature * unit**2], rel=EIGENVALUES)
    away = theta + 0.01
    slope = fit.model.gradient(np.array([away]))[1][0]
    found = mx.check_convergence(at(fit, np.array([away])))
    assert found.gain == pytest.approx(slope**2 / curvature / 2, rel=0.05)  # the curvature changes on the way


def test_a_fit_that_did_not_arrive_is_told():
    fit = mx.lmer(SLEEP, mx.data.sleepstudy())
    away = at(fit, fit.theta * 1.2)
    check = mx.check_convergence(away)
    assert check.verdict == "not converged"
    assert check.gain > 1e-3
    (notice,) = fit_notices(away).notices
    assert notice.category is ConvergenceWarning
    assert "refit(fit)" in notice.text


def test_harmless_distance_is_no_alarm():
    fit = mx.lmer(SLEEP, mx.data.sleepstudy())
    near = at(fit, fit.theta * 1.0005)
    assert near.objective - fit.objective < 1e-4
    check = mx.check_convergence(near)
    assert check.converged
    assert check.gain == pytest.approx(near.objective - fit.objective, rel=0.01)
    assert fit_notices(near).notices == ()


def test_zero_where_the_variance_wants_to_be_larger_is_a_saddle_point():
    fit = mx.lmer("Reaction ~ Days + (1 | Subject)", mx.data.sleepstudy())
    zero = at(fit, np.zeros(1))
    assert fit.model.gradient(np.zeros(1))[1] == pytest.approx([0.0])
    check = mx.check_convergence(zero)
    assert (check.verdict, check.gradient) == ("saddle point", 0.0)
    assert [n.category for n in fit_notices(zero).notices if n.category is ConvergenceWarning] == [ConvergenceWarning]


def test_where_there_is_a_slope_is_no_saddle_point():
    specification = mx.LinearMixedModel(SLEEP, optimizer=mx.Optimizer("nelder-mead", max_evaluations=4))
    stopped = fit_model(specification, mx.lmer(SLEEP, mx.data.sleepstudy()).model)
    check = mx.check_convergence(stopped)
    assert check.eigenvalues[0] < 0 < 1 < check.gradient
    assert check.verdict == "not converged"
    assert "gradient is small" not in check.text


def test_a_spent_budget_is_judged_by_where_it_ended():
    specification = mx.LinearMixedModel(SLEEP, optimizer=mx.Optimizer("nelder-mead", max_evaluations=20))
    model = mx.lmer(SLEEP, mx.data.sleepstudy()).model
    stopped = fit_model(specification, model)
    assert not stopped.trace.converged
    assert [n.category for n in stopped.notices] == [ConvergenceWarning]


def test_units_do_not_matter():
    frame = mx.data.sleepstudy()
    plain = mx.check_convergence(mx.lmer(SLEEP, frame))
    moved = mx.check_convergence(
        mx.lmer(SLEEP, frame.assign(Days=frame["Days"] * 1e6 + 1e8, Reaction=frame["Reaction"] * 1e-5))
    )
    assert moved.converged
    assert moved.eigenvalues == pytest.approx(plain.eigenvalues, rel=1e-3)


def test_it_shows_itself():
    text = repr(mx.check_convergence(mx.lmer(SLEEP, mx.data.sleepstudy())))
    assert "Converged" in text
    assert "Newton step" in text
