"""The same model by several optimisers."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import mixsem as mx
from mixsem.errors import ConvergenceWarning, MixsemWarning, OptionError, UnsupportedModelError
from mixsem.mixed.engine.optimise import METHODS
from mixsem.mixed.judgement import all_fit as all_fit_module
from mixsem.mixed.judgement.all_fit import check_optimum
from mixsem.mixed.penalties.penalised import penalised_criterion

#: Of the criterion: what optimisers without gradients reach.
SAME = 1e-5

SLEEP = "Reaction ~ Days + (Days | Subject)"


@pytest.fixture(scope="module")
def fit() -> mx.MixedFit:
    return mx.lmer(SLEEP, mx.data.sleepstudy())


def test_all_optimisers_find_the_same(fit):
    found = mx.all_fit(fit)
    frame = found.frame.set_index("optimizer")
    assert tuple(frame.index) == METHODS
    assert set(frame["verdict"]) == {"same"}
    assert frame["difference"].between(0, SAME).all()
    assert frame["beta_change"].max() < 1e-2
    assert frame["sd_change"].max() < 1e-2
    assert (frame["evaluations"] > 0).all()
    assert found.agree
    assert set(found.fits) == set(METHODS)
    assert found.fits["cobyqa"].specification.optimizer.method == "cobyqa"


def test_by_maximum_likelihood(fit):
    ml = mx.lmer(SLEEP, mx.data.sleepstudy(), reml=False)
    found = mx.all_fit(ml, ["slsqp", "powell"])
    assert all(not other.reml for other in found.fits.values())
    assert set(found.frame["verdict"]) == {"same"}


def test_a_fit_at_a_worse_optimum_is_told():
    fit = mx.lmer(SLEEP, mx.data.sleepstudy()[13:150])  # with balanced data fixed effects would not depend on theta
    theta = 1.3 * fit.theta
    worse = replace(fit, theta=theta, objective=fit.model.criterion(theta), state=fit.model.state(theta))
    found = mx.all_fit(worse, ["lbfgsb", "cobyqa"])
    assert not found.agree
    assert found.difference == pytest.approx(worse.objective - fit.objective, abs=SAME)
    assert found.verdict == "not converged"
    assert "had not arrived" in found.text
    assert found.frame["beta_change"].min() > 1e-3
    assert found.frame["sd_change"].min() > 0.1


def test_a_search_cut_short_is_no_second_optimum():
    few = mx.Optimizer("nelder-mead", max_evaluations=4)
    with pytest.warns(ConvergenceWarning):
        stopped = mx.lmer(SLEEP, mx.data.sleepstudy(), optimizer=few)
    found = mx.all_fit(stopped, ["lbfgsb", "bfgs"])
    assert set(found.frame["verdict"]) == {"same"}
    assert "its search had not arrived. Go on with refit(fit, 'lbfgsb')" in found.text
    assert mx.refit(stopped, "lbfgsb").objective == pytest.approx(found.fits["bfgs"].objective, abs=SAME)


def test_saddle_points_and_second_optima_are_told_apart():
    fit = mx.lmer("Reaction ~ Days + (1 | Subject)", mx.data.sleepstudy())
    zero = np.zeros(1)
    saddle = replace(fit, theta=zero, objective=fit.model.criterion(zero), state=fit.model.state(zero))
    found = mx.all_fit(saddle, ["lbfgsb"])
    assert "ended at a saddle point" in found.text
    assert "several optima" in replace(found, verdict="converged").text


def test_a_penalised_fit_shows_what_was_minimised():
    fit = mx.lmer("Reaction ~ Days + (1 | Subject)", mx.data.sleepstudy(), penalty="wishart")
    found = mx.all_fit(fit, ["lbfgsb"])
    assert f"lower penalised criterion than the fit, {penalised_criterion(fit):,.4f}." in found.text


def test_a_method_that_stops_early_is_worse(fit):
    few = replace(fit.specification, optimizer=mx.Optimizer("nelder-mead", max_evaluations=10))
    stopped = replace(fit, specification=few)
    found = mx.all_fit(stopped, ["nelder-mead"])
    assert set(found.frame["verdict"]) == {"same"}  # it is given evaluations enough


def test_check_optimum(fit):
    found = check_optimum(fit)
    assert list(found.frame["optimizer"]) == ["cobyqa from the solution", "cobyqa from the plain start"]
    assert found.agree
    assert set(found.frame["verdict"]) == {"same"}


def test_boundary_fits_too():
    rng = np.random.default_rng(8)
    frame = pd.DataFrame(
        {"y": rng.normal(size=120), "x": np.tile(np.arange(6.0), 20), "g": np.repeat(np.arange(20), 6)}
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MixsemWarning)
        fit = mx.lmer("y ~ x + (x | g)", frame)
    assert mx.is_singular(fit)
    assert set(mx.all_fit(fit).frame["verdict"]) == {"same"}


@pytest.mark.parametrize("methods", [[], "cobyqa"])
def test_methods_are_a_list(fit, methods):
    with pytest.raises(OptionError, match="methods="):
        mx.all_fit(fit, methods)


def test_an_unknown_method_is_refused(fit):
    with pytest.raises(OptionError, match="did you mean 'cobyqa'"):
        mx.all_fit(fit, ["cobyka"])


def test_it_shows_itself(fit):
    text = repr(mx.all_fit(fit, ["lbfgsb", "nelder-mead"]))
    assert "nelder-mead" in text
    assert "No optimizer found a lower criterion" in text


@pytest.mark.filterwarnings("ignore::mixsem.errors.BoundaryWarning")
def test_a_structure_of_the_residuals_has_one_search():
    fit = mx.lmer(SLEEP, mx.data.sleepstudy(), residual=mx.Residual(ar1=("Subject", "Days")))
    for function in (mx.all_fit, check_optimum):
        with pytest.raises(UnsupportedModelError, match="L-BFGS-B alone fits a structure of the residuals"):
            function(fit)


def test_why_a_method_failed_is_told(fit, monkeypatch):
    honest = all_fit_module.fit_again

    def sometimes(fit, optimizer, start):
        if optimizer.method == "tnc":
            raise ValueError("nothing there")
        return honest(fit, optimizer, start)

    monkeypatch.setattr(all_fit_module, "fit_again", sometimes)
    found = mx.all_fit(fit, ["bfgs", "tnc"])
    assert found.frame["verdict"].tolist() == ["same", "failed"]
    assert found.failures == {"tnc": "nothing there"}
    assert "tnc failed: nothing there." in repr(found)


@pytest.mark.parametrize("function", [mx.all_fit, mx.emmeans, mx.contrast, mx.confint, mx.profile, mx.implied_cov])
def test_what_is_no_fit_is_refused_by_name(function):
    more = {mx.emmeans: ["x"], mx.contrast: ["x = 0"], mx.implied_cov: [1]}.get(function, [])
    with pytest.raises(OptionError, match=rf"{function.__name__}\(\) got int") as raised:
        function(3, *more)
    assert "lmer()" in str(raised.value)
