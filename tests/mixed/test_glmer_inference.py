"""Tests, marginal means and intervals of generalised mixed models."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest

import mixsem as mx
from mixsem.errors import MixsemWarning, ModelError, OptionError, UnsupportedModelError
from mixsem.mixed.generalised.objective import Criterion
from mixsem.mixed.uncertainty.bootstrap import _pack, _work
from mixsem.mixed.uncertainty.generalised_bootstrap import GeneralisedReplication
from mixsem.mixed.uncertainty.generalised_coordinates import generalised_coordinates
from mixsem.mixed.uncertainty.parameters import fitted_values, parameters_of

from .glmm_data import FOLDER, fitted, glmm_case

USES = json.loads((FOLDER / "glmm_uses.json").read_text(encoding="utf-8"))
#: Relative to 1 + value: glmmTMB's estimates are good to six digits, and chi-squares go with their squares.
TMB = 2e-5
#: The same, of chi-squares: of squares, with standard errors from a Hessian where it stopped.
CHISQ = 1e-4
#: Relative: central differences of the criterion with steps of 1e-4.
DIFFERENCES = 1e-5
#: Of -2 log L, absolute: a limit solved for to 1e-7 in zeta, at 1.96, and modes good to 1e-10.
RISE = 1e-5


def quietly(make):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MixsemWarning)
        return make()


@pytest.mark.parametrize(
    ("name", "said"), list(zip(["proportions", "poisson_slopes", "cbpp"], USES["anova"], strict=True))
)
def test_chi_squares_are_those_of_car(name, said):
    """Terms of which both agree what contains them: car leaves a number's interactions out for its factor too."""
    model = {"proportions": "probit", "poisson_slopes": "intercept", "cbpp": "laplace"}[name]
    fit = fitted(glmm_case(name, model))
    fit = fit if fit.n_agq == 1 else quietly(lambda: fit.update(n_agq=1))
    for type_, key in ((2, "two"), (3, "three")):
        found = mx.anova(fit, type=type_).frame.set_index("term")
        terms = [said[key]["term"]] if isinstance(said[key]["term"], str) else said[key]["term"]
        expected = dict(zip(terms, np.atleast_1d(said[key]["chisq"]), strict=True))
        for term in found.index:
            if type_ == 3 or term not in ("arm", "group"):
                assert found.loc[term, "chisq"] == pytest.approx(expected[term], rel=CHISQ)
        assert list(found["num_df"]) == list(np.atleast_1d(said[key]["df"]))


def test_type_1_adds_up_to_the_test_of_all_terms():
    fit = fitted(glmm_case("proportions", "probit"))
    parts = mx.anova(fit, type=1).frame
    L = np.eye(fit.model.p)[1:]
    joint = mx.contrast(fit, L).joint
    assert parts["chisq"].sum() == pytest.approx(joint.F * joint.num_df, rel=1e-9)  # the same sum, in another order


@pytest.mark.parametrize("said", USES["emmeans"], ids=lambda said: said["set"])
@pytest.mark.parametrize("scale", ["link", "response"])
def test_marginal_means_are_those_of_emmeans(said, scale):
    fit = fitted(glmm_case(*{"cbpp": ("cbpp", "laplace"), "gamma_log": ("gamma_log", "one")}[said["set"]]))
    found = mx.emmeans(fit, said["specs"], contrasts="pairwise", type=scale)
    for frame, key in ((found.frame, "means"), (found.contrasts.frame, "contrasts")):
        for column in ("estimate", "se", "lower", "upper"):
            np.testing.assert_allclose(frame[column], said[scale][key][column], rtol=TMB, atol=TMB)
    np.testing.assert_allclose(found.contrasts.frame["z"], said[scale]["contrasts"]["z"], rtol=TMB, atol=TMB)
    np.testing.assert_allclose(found.contrasts.frame["p_value"], said[scale]["contrasts"]["p"], atol=TMB)


def test_marginal_means_say_their_scale():
    fit = fitted(glmm_case("cbpp", "laplace"))
    assert "linear predictor (logit)" in repr(mx.emmeans(fit, "period"))
    shown = repr(mx.emmeans(fit, "period", type="response", contrasts="reference"))
    assert "not means over levels" in shown
    assert "Odds ratios" in shown
    with pytest.raises(OptionError, match="type="):
        mx.emmeans(fit, "period", type="mean")
    with pytest.raises(OptionError, match="slopes"):
        mx.emmeans(fitted(glmm_case("gamma_log", "one")), "f", slope="x", type="response")


@pytest.mark.parametrize("ddf", ["satterthwaite", "kenward-roger"])
def test_degrees_of_freedom_are_refused_with_a_reason(ddf):
    fit = fitted(glmm_case("cbpp", "laplace"))
    for call in (mx.anova, lambda fit, ddf: mx.contrast(fit, "(Intercept) = 0", ddf=ddf)):
        with pytest.raises(ModelError, match="residual variance"):
            call(fit, ddf=ddf)


def test_standard_errors_say_where_they_are_from():
    assert "Hessian" in mx.anova(fitted(glmm_case("cbpp", "laplace"))).notes[-1]
    assert "n_agq=0" in mx.anova(fitted(glmm_case("cbpp", "agq0"))).notes[-1]


MODELS = [
    ("cbpp", "laplace"),
    ("cbpp", "agq9"),
    ("gamma_log", "correlated"),
    ("nb_crossed", "crossed"),
    ("bern_crossed", "slope"),
]


@pytest.mark.parametrize("name", MODELS, ids=str)
def test_slopes_along_every_profile(name):
    """Slopes of the coordinates off the estimates, against differences of the criterion."""
    fit = fitted(glmm_case(*name))
    for parameter, value in zip(parameters_of(fit.model), fitted_values(fit, parameters_of(fit.model)), strict=True):
        places = generalised_coordinates(fit, parameter)
        held = 0.9 * value if parameter.kind != "fixed" else value + 0.2
        x = places.start() + 0.1 * places.scales
        slope = places.evaluate(held, x)[1]
        for j, h in enumerate(np.diag(1e-4 * places.scales)):
            ends = [places.evaluate(held, x + sign * h, slope=False)[0] for sign in (1.0, -1.0)]
            assert (ends[0] - ends[1]) / (2.0 * h[j]) == pytest.approx(slope[j], rel=DIFFERENCES, abs=1e-4)


@pytest.mark.parametrize("name", MODELS, ids=str)
def test_values_along_a_profile_are_where_they_claim(name):
    """The parameters of each constrained fit have its likelihood, and the held one its value."""
    fit = fitted(glmm_case(*name))
    found = quietly(lambda: mx.profile(fit, points=2))
    every = parameters_of(fit.model)
    for path in found.paths:
        for point in path.points[:: max(len(path.points) // 3, 1)]:
            theta, beta, d = path.coordinates.values(point.value, point.x)
            value = fit.model.criterion(theta, beta, d if fit.family.parameter else None, fit.n_agq)
            assert value - fit.objective == pytest.approx(point.zeta**2, abs=RISE)
    limits = found.intervals(0.95)
    rows = found.frame[found.frame["parameter"] == every[0].name]
    inside = rows["value"].between(*limits.frame.loc[0, ["lower", "upper"]])
    assert (rows.loc[inside, "zeta"].abs() <= 1.96).all()


def test_limits_are_where_no_fit_is_better():
    """With a fixed effect at its limit, its column as an offset, the best fit is a rise of 3.84 away."""
    fit = fitted(glmm_case("bern_crossed", "slope"))
    upper = mx.confint(fit, which="female").frame["upper"][0]
    female = fit.design.X[:, list(fit.design.fixed_names).index("female")]
    held = quietly(lambda: fit.update("~ . - female", offset=upper * female))
    assert held.objective - fit.objective == pytest.approx(3.841459, abs=1e-4)  # two searches


def test_profile_at_the_boundary_and_of_what_has_none():
    found = quietly(lambda: mx.confint(fitted(glmm_case("poisson_nested", "singular")), which="random"))
    frame = found.frame.set_index("parameter")
    assert frame.loc["sd_(Intercept)|hospital", "lower"] == 0.0
    assert any("ends at 0" in note for note in found.notes)
    with pytest.raises(UnsupportedModelError, match="n_agq=0"):
        mx.confint(fitted(glmm_case("cbpp", "agq0")))


def test_family_parameter_has_intervals():
    fit = fitted(glmm_case("nb_crossed", "crossed"))
    row = mx.confint(fit, which="size").frame.iloc[0]
    assert row["kind"] == "dispersion"
    assert row["lower"] < fit.dispersion < row["upper"]
    # on the scale of its logarithm nearly normal
    half = 1.96 * float(np.sqrt(fit.spread.joint[-1, -1]))
    assert np.log(row["upper"] / row["lower"]) == pytest.approx(2.0 * half, rel=0.05)


def test_wald_limits():
    fit = fitted(glmm_case("cbpp", "laplace"))
    found = mx.confint(fit, "wald").frame.set_index("parameter")
    expected = fit.fixef.to_numpy() + 1.959964 * np.outer([-1.0, 1.0], fit.se)
    np.testing.assert_allclose(found.loc[list(fit.fixef.index), ["lower", "upper"]].T, expected, atol=1e-6)
    assert found.loc["sd_(Intercept)|herd", "lower"] != found.loc["sd_(Intercept)|herd", "lower"]


def first_effect(fit: mx.GeneralisedFit) -> float:
    """A statistic that other processes can import."""
    return float(fit.beta[0])


def test_bootstrap_draws_and_fits_again():
    fit = fitted(glmm_case("cbpp", "laplace"))
    drawn = quietly(lambda: mx.bootstrap(fit, 40, seed=3, statistic=first_effect))
    assert drawn.n == 40
    assert drawn.n_failed == 0
    np.testing.assert_allclose(drawn.statistics["statistic"], drawn.draws["(Intercept)"])
    # standard errors come back: 40 samples tell them to 11 percent
    spread = drawn.draws[list(fit.fixef.index)].std().to_numpy()
    np.testing.assert_allclose(spread, fit.se, rtol=0.45)
    again = quietly(lambda: mx.bootstrap(fit, 40, seed=3))
    np.testing.assert_array_equal(again.draws, drawn.draws)
    assert np.isfinite(drawn.intervals(method="bc").frame[["lower", "upper"]].to_numpy()).all()


def test_bootstrap_batches_travel_to_other_processes():
    fit = fitted(glmm_case("cbpp", "laplace"))
    seeds = np.random.SeedSequence(5).spawn(3)
    sent = _work(_pack(fit, first_effect, False), seeds)
    here = [GeneralisedReplication(fit, first_effect, False)(seed) for seed in seeds]
    for there, own in zip(sent, here, strict=True):
        np.testing.assert_array_equal(there.values, own.values)
        assert there.statistic == own.statistic


def test_bootstrap_of_a_fit_with_a_dispersion():
    fit = fitted(glmm_case("gamma_log", "one"))
    drawn = quietly(lambda: mx.bootstrap(fit, 20, seed=3))
    assert drawn.draws["dispersion"].mean() == pytest.approx(fit.dispersion, rel=0.15)


def test_quadrature_matters_for_few_binary_responses():
    fit = fitted(glmm_case("small_binary", "laplace"))
    found = mx.check_quadrature(fit)
    assert found.fit.objective == pytest.approx(glmm_case("small_binary", "agq11").numbers["objective"], abs=1e-6)
    assert found.matters
    assert "It matters" in found.notes[1]
    sd = found.frame.iloc[0]
    assert sd["quadrature"] > sd["laplace"]
    assert sd["in_se"] == pytest.approx(sd["difference"] / np.sqrt(found.fit.spread.joint[0, 0]))
    counts = mx.check_quadrature(fitted(glmm_case("poisson_slopes", "intercept")))
    assert not counts.matters
    assert counts.fit.n_agq == 11


def test_quadrature_is_refused_where_there_is_none():
    with pytest.raises(ModelError, match="one random effect"):
        mx.check_quadrature(fitted(glmm_case("bern_crossed", "slope")))
    with pytest.raises(OptionError, match="glmer"):
        mx.check_quadrature(mx.lmer("Reaction ~ Days + (1 | Subject)", mx.data.sleepstudy()))


def test_profiles_evaluate_little():
    """A profile goes on from one constrained fit to the next: some 25 slopes for both limits of a parameter."""
    fit = fitted(glmm_case("cbpp", "laplace"))
    counted = []
    original = Criterion.at_lambda

    def counting(self, *arguments):
        counted.append(1)
        return original(self, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Criterion, "at_lambda", counting)
        mx.confint(fit)
    assert len(counted) < 80 * len(parameters_of(fit.model))
