"""Searches go on: once by themselves, and when asked to."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import mixsem as mx
from mixsem.errors import ConvergenceWarning, MixsemWarning, OptionError

SLEEP = "Reaction ~ Days + (Days | Subject)"
#: Differences of the criterion below this are none (as for `all_fit`).
EQUAL = 1e-4


def stopped(evaluations: int, method: str = "nelder-mead") -> mx.MixedFit:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MixsemWarning)
        return mx.lmer(SLEEP, mx.data.sleepstudy(), optimizer=mx.Optimizer(method, max_evaluations=evaluations))


def test_a_search_without_budget_goes_on_once():
    one, best = stopped(60), mx.lmer(SLEEP, mx.data.sleepstudy())
    assert "continued once, after" in one.trace.message
    assert 60 < one.trace.evaluations < 3 * 60
    # what half of the evaluations did not reach
    assert stopped(30).objective > one.objective > best.objective - EQUAL


def test_a_search_that_arrives_does_not_go_on():
    fit = mx.lmer(SLEEP, mx.data.sleepstudy())
    assert fit.trace.converged and "continued" not in fit.trace.message


def test_refit_continues_from_theta():
    fit, best = stopped(10), mx.lmer(SLEEP, mx.data.sleepstudy())
    assert any(n.category is ConvergenceWarning for n in fit.notices)
    assert fit.objective > best.objective + 1.0
    again = mx.refit(fit, "lbfgsb")
    assert abs(again.objective - best.objective) < EQUAL
    assert again.trace.method == "lbfgsb" and again.trace.searches == 1  # no further starts: it continues
    assert not again.notices
    np.testing.assert_array_equal(again.design.y, fit.design.y)
    same = mx.refit(best)
    assert same.trace.method == "lbfgsb" and same.trace.evaluations < best.trace.evaluations


def test_a_search_that_still_stops_says_so_and_what_to_do():
    with pytest.warns(ConvergenceWarning, match=r"continued once.*refit\(fit\), which continues.*\[MX102\]$"):
        mx.lmer(SLEEP, mx.data.sleepstudy(), optimizer=mx.Optimizer("nelder-mead", max_evaluations=10))


def test_refit_takes_fits_alone():
    with pytest.raises(OptionError, match=r"refit\(\) got str"):
        mx.refit(SLEEP)
