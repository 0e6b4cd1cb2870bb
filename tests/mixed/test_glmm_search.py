"""How generalised models are searched for: optimisers, starts, boundaries, what a fit says of itself."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import mixsem as mx
from mixsem.errors import (
    BoundaryWarning,
    ConvergenceWarning,
    DataError,
    FewGroupsWarning,
    ModelError,
    OptionError,
    SeparationWarning,
)
from mixsem.mixed.engine.optimise import METHODS

#: Two searches for one optimum, in the criterion: that all_fit calls the same.
SAME_OPTIMUM = 1e-4
#: The same model written in other units or another order: the optimum is found to a Newton gain of 1e-10.
INVARIANT = 1e-6


def table(seed: int = 0, n: int = 400, sd: float = 0.8, groups: int = 20) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    g = rng.integers(0, groups, n)
    x = rng.normal(size=n)
    eta = 0.2 + 0.6 * x + sd * rng.normal(size=groups)[g]
    return pd.DataFrame(
        {
            "g": g,
            "x": x,
            "y": (rng.random(n) < 1 / (1 + np.exp(-eta))).astype(int),
            "count": rng.poisson(np.exp(eta)),
            "size": rng.gamma(2.0, np.exp(eta) / 2.0),
        }
    )


@pytest.mark.parametrize("method", METHODS)
def test_every_optimiser_arrives(method):
    data = table()
    best = mx.glmer("y ~ x + (x | g)", data, family="binomial")
    fit = mx.glmer("y ~ x + (x | g)", data, family="binomial", optimizer=mx.Optimizer(method, max_evaluations=5000))
    assert fit.objective - best.objective < SAME_OPTIMUM
    assert mx.check_convergence(best).converged


@pytest.mark.parametrize(("response", "family"), [("y", "binomial"), ("count", "poisson"), ("size", "gamma")])
def test_recovers_the_truth(response, family):
    data = table(seed=5, n=20_000, groups=200)
    fit = mx.glmer(f"{response} ~ x + (1 | g)", data, family=family)
    assert abs(fit.fixef["x"] - 0.6) < 5 * fit.se["x"]
    assert abs(fit.theta[0] - 0.8) < 5 * 0.8 / np.sqrt(2 * 200)
    if family == "gamma":
        assert fit.dispersion == pytest.approx(0.5, rel=0.05)  # 1 SE is about 0.9 %


def test_negative_binomial_size_is_found():
    rng = np.random.default_rng(1)
    data = table(seed=2, n=10_000, groups=100)
    data["over"] = rng.poisson(np.exp(0.2 + 0.6 * data.x) * rng.gamma(3.0, 1 / 3.0, len(data)))
    fit = mx.glmer("over ~ x + (1 | g)", data, family="negative binomial")
    assert fit.dispersion == pytest.approx(3.0, rel=0.15)
    assert fit.n_params == 4


def test_order_of_rows_names_of_groups_and_units_do_not_matter():
    data = table(seed=3)
    fit = mx.glmer("y ~ x + (x | g)", data, family="binomial")
    shuffled = data.sample(frac=1.0, random_state=1)
    shuffled["g"] = "school " + shuffled["g"].astype(str)
    shuffled["x"] = 1e4 * shuffled["x"] + 1e6
    other = mx.glmer("y ~ x + (x | g)", shuffled, family="binomial")
    assert other.objective == pytest.approx(fit.objective, abs=INVARIANT)
    assert 1e4 * other.fixef["x"] == pytest.approx(fit.fixef["x"], rel=1e-5)
    assert np.allclose(np.sort(other.fitted), np.sort(fit.fitted), atol=1e-5)


def test_frequency_weights_are_copies():
    data = table(seed=4)
    twice = pd.concat([data, data])
    for response, family in (("count", "poisson"), ("size", "gamma")):
        weighted = mx.glmer(f"{response} ~ x + (1 | g)", data, family=family, weights=np.full(len(data), 2.0))
        copied = mx.glmer(f"{response} ~ x + (1 | g)", twice, family=family)
        assert weighted.objective == pytest.approx(copied.objective, abs=INVARIANT)
        assert np.allclose(weighted.beta, copied.beta, atol=1e-6)


def test_ways_to_write_a_binary_response_agree():
    data = table(seed=6)
    data["text"] = np.where(data.y == 1, "yes", "no")
    data["flag"] = data.y == 1
    data["failures"] = 1 - data.y
    ways = ["y", "text", "flag", "cbind(y, failures)", "cbind(y, 1 - y)"]
    fits = [mx.glmer(f"{way} ~ x + (1 | g)", data, family="binomial") for way in ways]
    for fit in fits[1:]:
        assert fit.objective == pytest.approx(fits[0].objective, abs=1e-9)


def test_proportions_with_trials_are_successes_and_failures():
    data = table(seed=7).groupby(["g"], as_index=False).agg(x=("x", "mean"), y=("y", "sum"), n=("y", "size"))
    data["row"] = np.arange(len(data)) % 5
    data["share"] = data.y / data.n
    counts = mx.glmer("cbind(y, n - y) ~ x + (1 | row)", data, family="binomial")
    shares = mx.glmer("share ~ x + (1 | row)", data, family="binomial", weights="n")
    assert shares.objective == pytest.approx(counts.objective, abs=1e-9)


def test_a_variance_of_zero_is_a_boundary_fit():
    rng = np.random.default_rng(8)
    data = pd.DataFrame({"g": np.repeat(np.arange(30), 4), "y": np.tile([0, 1, 1, 0], 30), "x": rng.normal(size=120)})
    with pytest.warns(BoundaryWarning, match="the SD of .* by g is 0"):
        fit = mx.glmer("y ~ x + (1 | g)", data, family="binomial")
    assert fit.theta.tolist() == [0.0]
    assert mx.is_singular(fit)
    assert np.isfinite(fit.se).all()


def test_counts_that_are_poisson_have_no_size():
    data = table(seed=9, n=2000)
    data["under"] = np.rint(np.exp(0.2 + 0.6 * data.x)).astype(int)  # they vary less than Poisson counts
    with pytest.warns(BoundaryWarning, match="runs to infinity"):
        mx.glmer("under ~ x + (1 | g)", data, family="negative binomial")


def test_separation_is_named():
    data = table(seed=10)
    data["y"] = (data.x > 0).astype(int)
    with pytest.warns(SeparationWarning, match="separation by x"):
        mx.glmer("y ~ x + (1 | g)", data, family="binomial")


def test_separation_by_groups_and_of_counts_is_named():
    data = table(seed=14)
    with pytest.warns(SeparationWarning, match="separation by g"):
        mx.glmer("y ~ 1 + (1 | g)", data.assign(y=data.g % 2), family="binomial")
    data["level"] = np.where(data.g % 3 == 0, "b", "a")
    data["count"] = np.where(data.level == "b", 0, data["count"])
    with pytest.warns(SeparationWarning, match=r"separation by level"):
        mx.glmer("count ~ level + (1 | g)", data, family="poisson")


@pytest.mark.parametrize("formula", ["count ~ x * f + (1 | g)", "count ~ x + I(x * x) + (1 | g)"])
def test_predictors_far_from_zero_do_not_matter(formula):
    data = table(seed=16).assign(f=lambda d: np.array(list("abc"))[np.arange(len(d)) % 3])
    plain = mx.glmer(formula, data, family="poisson")
    with warnings.catch_warnings():
        warnings.simplefilter("error", SeparationWarning)  # large coefficients of columns that repeat one another
        far = mx.glmer(formula, data.assign(x=data.x + 1e5), family="poisson")
    # centred columns of x^2 keep 1e-16 x 1e10 of rounding, next to 1
    assert far.objective == pytest.approx(plain.objective, abs=1e-4)
    assert far.se.iloc[-1] == pytest.approx(plain.se.iloc[-1], rel=1e-4)


def test_a_separated_level_leaves_other_errors_alone():
    data = table(seed=17, n=60, groups=8).assign(f=lambda d: np.where(np.arange(len(d)) % 2, "a", "b"))
    data.loc[0, ["f", "count"]] = ["c", 0]
    with pytest.warns(SeparationWarning):
        fit = mx.glmer("count ~ x + f + (1 | g)", data, family="poisson")
    without = mx.glmer("count ~ x + f + (1 | g)", data.iloc[1:], family="poisson")
    assert np.allclose(fit.se[:3], without.se, rtol=1e-4)
    assert fit.se.iloc[3] > 10.0


def test_means_of_counts_are_positive_with_the_identity_link():
    rng, data = np.random.default_rng(0), table(seed=18, n=200)
    data["count"] = rng.poisson(np.maximum(1 + 0.3 * data.x, 0.02))
    fit = mx.glmer("count ~ x + (1 | g)", data, family="poisson", link="identity")
    assert fit.fitted.min() > 0.0


@pytest.mark.parametrize(
    ("family", "link"), [("gamma", "inverse"), ("inverse gaussian", "1/mu^2"), ("binomial", "log")]
)
def test_a_start_is_found_where_not_every_mean_is_possible(family, link):
    rng, data = np.random.default_rng(1), table(seed=19, n=300)
    data["x"] = np.exp(data.x)
    mu = np.exp(0.2 * np.log(data.x))
    data["r"] = rng.random(300) < np.minimum(mu / 4, 0.9) if family == "binomial" else rng.gamma(3.0, mu / 3.0)
    fit = mx.glmer("r ~ x + (1 | g)", data, family=family, link=link)
    assert np.isfinite(fit.objective)
    assert fit.trace.converged


def test_skewed_responses_of_the_inverse_gaussian_are_fitted():
    rng, data = np.random.default_rng(3), table(seed=20, n=43, groups=6)
    data["r"] = np.exp(3.0 * rng.normal(size=43))  # from hundredths to hundreds
    assert np.isfinite(mx.glmer("r ~ x + (1 | g)", data, family="inverse gaussian").objective)


def test_whole_numbers_as_objects_are_counts():
    data = table(seed=15)
    plain = mx.glmer("count ~ x + (1 | g)", data, family="poisson")
    other = mx.glmer("count ~ x + (1 | g)", data.assign(count=data["count"].astype(object)), family="poisson")
    assert other.objective == pytest.approx(plain.objective, abs=1e-9)


def test_few_levels_are_named():
    with pytest.warns(FewGroupsWarning, match=r"g \(4\)"):
        mx.glmer("y ~ x + (1 | g)", table(seed=11, groups=4), family="binomial")


def test_a_search_that_is_cut_short_is_told():
    with pytest.warns(ConvergenceWarning, match="max_evaluations"):
        fit = mx.glmer("y ~ x + (x | g)", table(), family="binomial", optimizer=mx.Optimizer(max_evaluations=3))
    assert not fit.trace.converged
    assert mx.refit(fit, mx.Optimizer()).trace.converged


def test_an_observation_level_effect_is_allowed():
    data = table(seed=12).assign(row=np.arange(400))
    fit = mx.glmer("count ~ x + (1 | g) + (1 | row)", data, family="poisson")
    assert len(fit.design.factors[0].levels) == 400


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"family": "poissson"}, OptionError, "poisson"),
        ({"family": "binomial", "link": "sqrt"}, OptionError, "logit, probit"),
        ({"family": "gaussian"}, OptionError, "use lmer"),
        ({"family": "binomial", "n_agq": -1}, OptionError, "n_agq"),
        ({"family": "binomial", "n_agq": 2.5}, OptionError, "n_agq"),
        ({"family": "binomial", "n_agq": 1000}, OptionError, "n_agq"),
        ({"family": "binomial", "start": [1.0, 2.0]}, OptionError, "start"),
        ({"family": 3}, OptionError, "family"),
        ({"family": "binomial", "formula": "count ~ x + (1 | g)"}, DataError, "cbind|poisson"),
        ({"family": "poisson", "formula": "size ~ x + (1 | g)"}, DataError, "counts"),
        ({"family": "gamma", "formula": "count ~ x + (1 | g)"}, DataError, "positive"),
        ({"family": "binomial", "formula": "y ~ x + (x | g)", "n_agq": 5}, ModelError, "one random effect"),
        ({"family": "poisson", "formula": "cbind(y, 1 - y) ~ x + (1 | g)"}, DataError, "family='binomial'"),
        ({"family": "binomial", "formula": "cbind(y) ~ x + (1 | g)"}, DataError, "successes, failures"),
        ({"family": "binomial", "formula": "cbind(y, 1 - y) ~ x + (1 | g)", "weights": "x"}, DataError, "weights"),
        ({"family": "binomial", "formula": "cbind(y, x) ~ x + (1 | g)"}, DataError, "counts of successes"),
    ],
)
def test_bad_input_is_refused(arguments, error, match):
    arguments = {"formula": "y ~ x + (1 | g)", **arguments}
    with pytest.raises(error, match=match):
        mx.glmer(arguments.pop("formula"), table(), **arguments)


def test_input_is_not_changed():
    data = table(seed=13)
    before = data.copy()
    mx.glmer("y ~ x + (1 | g)", data, family="binomial")
    pd.testing.assert_frame_equal(data, before)


def test_a_fit_tells_what_it_does_when_asked(capsys):
    data = table(seed=21)
    mx.glmer("y ~ x + (1 | g)", data, family="binomial", verbose=True)
    mx.lmer("x ~ 1 + (1 | g)", data, verbose=True)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("400 rows; levels: g 20;") == 2
    assert captured.err.count(" evaluations by ") == 2
    mx.glmer("y ~ x + (1 | g)", data, family="binomial")
    assert capsys.readouterr().err == ""
