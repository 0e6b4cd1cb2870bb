"""Penalised fits against blme, whose criterion was minimised anew because its own search often stops early."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pandas as pd
import pytest

import mixsem as mx
from mixsem.errors import MixsemWarning, OptionError, UnsupportedModelError
from mixsem.mixed.linear import objective_of
from mixsem.mixed.penalties.compiled import compile_penalty
from mixsem.mixed.penalties.penalised import penalised_criterion

from .references import FOLDER

#: Absolute, of relative covariance factors: where both searches stop, the criterion is flat to 1e-9.
THETA = 1e-5
#: Absolute, of the criterion without penalty: its slope there is not 0, and theta's error shows.
CRITERION = 2e-4
#: Relative, of sigma and standard errors; in standard errors, of fixed effects.
RELATIVE = 1e-5
#: Relative, of slopes beside central differences.
SLOPE = 1e-6

FITS = json.loads((FOLDER / "penalties.json").read_text(encoding="utf-8"))["fits"]


def data(name: str) -> pd.DataFrame:
    return pd.read_csv(FOLDER / f"{name}.csv")


def penalty(kind: str, options: dict | None) -> mx.Penalty:
    return mx.Penalty(kind, **{name: value for name, value in (options or {}).items() if value is not None})


def quietly(*arguments, **options) -> mx.MixedFit:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MixsemWarning)
        return mx.lmer(*arguments, **options)


@pytest.fixture(scope="module")
def singular() -> mx.MixedFit:
    """A variance that is 0 without the penalty."""
    return mx.lmer("y ~ x + (1 | g)", data("singular_intercept"), penalty="wishart")


@pytest.mark.parametrize("case", FITS, ids=lambda c: f"{c['data']}-{c['formula']}-{c['prior']}-{c['reml']}")
def test_fits_are_those_of_blme(case):
    fit = quietly(
        case["formula"], data(case["data"]), reml=case["reml"], penalty=penalty(case["kind"], case["options"])
    )
    assert fit.theta == pytest.approx(np.atleast_1d(case["theta"]), abs=THETA)
    assert fit.objective == pytest.approx(case["criterion"], abs=CRITERION)
    assert fit.sigma == pytest.approx(case["sigma"], rel=RELATIVE)
    se = np.array(case["se"])
    assert np.asarray(fit.se) == pytest.approx(se, rel=RELATIVE)
    assert fit.beta / se == pytest.approx(np.array(case["beta"]) / se, abs=RELATIVE)
    # blme's penalty but for its constant, which is that at theta = 1
    model = fit.model
    at_one = compile_penalty(fit.specification.penalty, model)(model.inner @ model.theta_map.stacked(case_start(fit)))
    ours = penalised_criterion(fit) - fit.objective - at_one[0]
    assert ours == pytest.approx(case["penalty"] - case["penalty_at_start"], abs=CRITERION)


def case_start(fit: mx.MixedFit) -> np.ndarray:
    return np.where(fit.model.theta_map.is_diagonal, 1.0, 0.0)


@pytest.mark.parametrize(
    ("given", "formula"),
    [
        *((mx.Penalty(df=7.5, scale=0.3), f"y ~ x + {bar}") for bar in ("(x | g)", "(x || g)", "(1 | g)")),
        *((mx.Penalty("gamma", shape=2, rate=0.7), f"y ~ x + {bar}") for bar in ("(x || g)", "(1 | g)")),
    ],
    ids=str,
)
def test_the_slope_is_that_of_the_value(given, formula):
    frame = data("singular_slope").assign(x=lambda d: 3.0 * d["x"] + 20.0)
    objective = objective_of(mx.LinearMixedModel(formula, penalty=given), quietly(formula, frame).model)
    phi = np.linspace(0.4, 1.1, len(objective.theta_map))
    found = objective.theta_map.pick(objective.evaluate(phi).slope)
    steps = 1e-5 * np.eye(len(phi))
    values = [(objective.evaluate(phi + s).value, objective.evaluate(phi - s).value) for s in steps]
    assert found == pytest.approx([(up - down) / 2e-5 for up, down in values], rel=SLOPE, abs=1e-5)


def test_the_hessian_is_that_of_the_penalty():
    """In the units of the user, by differences of its values."""
    model = quietly("y ~ x + (x | g)", data("singular_slope")).model
    compiled = compile_penalty(mx.Penalty(scale=0.5), model)
    theta = np.array([0.9, -0.3, 0.6])

    def value(t: np.ndarray) -> float:
        return compiled(model.inner @ model.theta_map.stacked(t))[0]

    h = 1e-4
    steps = h * np.eye(3)
    numeric = [
        [(value(theta + a + b) - value(theta + a - b) - value(theta - a + b) + value(theta - a - b)) / (4 * h * h)]
        for a in steps
        for b in steps
    ]
    assert compiled.hessian(theta) == pytest.approx(np.reshape(numeric, (3, 3)), rel=1e-4, abs=1e-4)


def test_a_zero_variance_moves_by_about_a_standard_error(singular):
    plain = quietly("y ~ x + (1 | g)", data("singular_intercept"))
    assert plain.theta[0] == 0.0
    assert singular.theta[0] > 0.1
    # Chung et al. (2013): the likelihood falls little. A fall of 1 in the log-likelihood is 1.4 standard errors.
    assert 0.0 < plain.loglik - singular.loglik < 1.0
    assert mx.check_convergence(singular).converged
    assert not mx.is_singular(singular)


def test_units_and_origin_of_a_predictor_do_not_matter():
    """The density is flat but for a determinant, which changes by a constant."""
    frame = data("singular_slope")
    moved = frame.assign(x=100.0 * frame["x"] + 2000.0)
    one, other = (quietly("y ~ x + (x | g)", d, penalty="wishart") for d in (frame, moved))
    assert other.objective - one.objective == pytest.approx(2 * np.log(100.0), abs=1e-4)  # REML, in units of x
    assert other.fitted == pytest.approx(one.fitted, abs=1e-4)


def test_the_penalty_stays_with_the_fit(singular):
    assert singular.update(reml=False).specification.penalty == mx.Penalty()
    again = singular.refit(singular.simulate(seed=1)[:, 0])
    assert again.theta[0] > 0.0
    drawn = mx.bootstrap(singular, 20, seed=1)
    assert (drawn.draws.iloc[:, 0] > 0.0).all()
    assert "may not hold the estimate" in " ".join(drawn.intervals().notes)


def test_a_search_starts_inside_from_the_boundary(singular):
    found = mx.lmer("y ~ x + (1 | g)", data("singular_intercept"), penalty="wishart", start=[0.0])
    assert penalised_criterion(found) == pytest.approx(penalised_criterion(singular), abs=1e-6)


@pytest.mark.parametrize("method", ["cobyqa", "nelder-mead", "bfgs"])
def test_other_methods_find_the_same(singular, method):
    found = mx.all_fit(singular, [method])
    assert found.frame["verdict"].tolist() == ["same"]
    assert found.agree


def test_satterthwaite_counts_the_penalty(singular):
    """Without it the information about theta would be another, and so would degrees of freedom."""
    from dataclasses import replace

    bare = replace(singular, specification=replace(singular.specification, penalty=None))
    with_penalty, without = (f.satterthwaite.tests.df(np.eye(2)) for f in (singular, bare))
    assert abs(with_penalty[0] / without[0] - 1.0) > 0.05


def test_the_fit_says_that_it_is_penalised(singular):
    text = repr(singular)
    assert text.startswith("Penalised fit of a linear mixed model by REML")
    assert "Penalised REML criterion" in text
    assert "no AIC, BIC or likelihood-ratio" in text
    assert np.isnan(singular.aic)
    assert np.isnan(singular.bic)
    ml = mx.lmer("y ~ x + (1 | g)", data("singular_intercept"), reml=False, penalty="gamma")
    assert "AIC  " not in repr(ml)
    assert mx.penalised_loglik(ml) < ml.loglik
    plain = quietly("y ~ x + (1 | g)", data("singular_intercept"))
    assert "enalised" not in repr(plain)
    assert mx.penalised_loglik(plain) == plain.loglik


def test_code_that_repeats_the_fit_has_the_penalty():
    given = mx.Penalty("gamma", shape=2.0, rate=0.5)
    assert eval(given.code, {"Penalty": mx.Penalty}) == given
    assert eval(mx.Penalty().code, {"Penalty": mx.Penalty}) == mx.Penalty()


def test_what_is_for_likelihoods_is_refused(singular):
    for call in (
        lambda: mx.confint(singular),
        lambda: mx.profile(singular),
        lambda: mx.confint(singular, method="wald", ddf="kenward-roger"),
    ):
        with pytest.raises(UnsupportedModelError, match="penalised fit"):
            call()


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"kind": "lasso"}, "kind='lasso'"),
        ({"kind": "wishart", "shape": 3.0}, "shape="),
        ({"kind": "gamma", "df": 3.0}, "df="),
        ({"df": 1.0}, r"df=1\.0"),
        ({"scale": 0.0}, r"scale=0\.0"),
        ({"kind": "gamma", "shape": 1.0}, r"shape=1\.0"),
        ({"kind": "gamma", "rate": -1.0}, r"rate=-1\.0"),
        ({"df": "many"}, "df='many'"),
    ],
)
def test_what_is_no_penalty_is_refused(options, match):
    with pytest.raises(OptionError, match=match):
        mx.Penalty(**options)


def test_penalties_that_do_not_suit_a_model_are_refused():
    frame = data("singular_slope")
    with pytest.raises(OptionError, match="correlated effects of g"):
        mx.lmer("y ~ x + (x | g)", frame, penalty="gamma")
    with pytest.raises(OptionError, match=r"df=2\.5 for 2 effects"):
        mx.lmer("y ~ x + (x | g)", frame, penalty=mx.Penalty(df=2.5))
    with pytest.raises(OptionError, match="penalty=3"):
        mx.lmer("y ~ x + (1 | g)", frame, penalty=3)
    with pytest.raises(UnsupportedModelError, match="residual="):
        mx.lmer("y ~ x + (1 | g)", frame, penalty="wishart", residual=mx.Residual(by="g"))
