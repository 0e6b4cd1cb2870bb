"""MixML-SEM and MixMG-BSEM in one call: the three steps, in order, with one seed."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import mixsem as mx
from mixsem.errors import DataError, ModelError, ModelSyntaxError, OptionError
from mixsem.simulate import Population, draw_frame, draw_moments, draw_truth
from mixsem.simulate.agreement import adjusted_rand_index

MEASUREMENT = "\n".join(f"F{q} =~ " + " + ".join(f"V{j}" for j in range(5 * q - 4, 5 * q + 1)) for q in range(1, 5))
STRUCTURAL = "F3 ~ F1 + F2\nF4 ~ F1 + F3"

#: Short chains: these tests are about what happens to the draws, not about how good they are.
SHORT = mx.Sampling(chains=2, warmup=100, draws=60)

PIPELINES = pytest.mark.parametrize("run", [mx.mixml_sem, mx.mixmg_bsem])


def truth_of(kind: str, n_groups: int = 12):
    return draw_truth(Population(n_groups=n_groups, group_size=120, n_clusters=2, beta=0.5, kind=kind), seed=4)


@pytest.fixture(scope="module")
def survey():
    """Twelve groups of 120 people in two clusters."""
    return draw_frame(truth_of("multigroup"), seed=4)


def quietly(run, data, group="group", measurement=MEASUREMENT, structural=STRUCTURAL, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return run(measurement, structural, data, group, **({"k": 2, "sampling": SHORT, "n_starts": 20} | options))


@pytest.fixture(scope="module")
def fits(survey):
    return {run: quietly(run, survey, seed=1) for run in (mx.mixml_sem, mx.mixmg_bsem)}


@PIPELINES
def test_the_same_as_three_steps(run, survey, fits):
    model = mx.MLCFA if run is mx.mixml_sem else mx.MGBCFA
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        step1 = model(MEASUREMENT, sampling=SHORT).fit(survey, "group", seed=1)
        fit = mx.StructuralMixture(STRUCTURAL, 2, n_starts=20).fit(mx.factor_moments(step1), seed=1)
    np.testing.assert_array_equal(fit.moments.Phi, fits[run].moments.Phi)
    np.testing.assert_array_equal(fit.posterior, fits[run].posterior)
    assert fit.loglik_observed == fits[run].loglik_observed
    assert fits[run].moments.measurement.specification == step1.specification


@PIPELINES
def test_the_seed_is_the_draws(run, survey, fits):
    other = quietly(run, survey, seed=2)
    assert not np.array_equal(other.moments.Phi, fits[run].moments.Phi)
    # Draws differ, what they are draws of does not: differences of Monte-Carlo size.
    np.testing.assert_allclose(other.moments.Phi, fits[run].moments.Phi, atol=0.15)


@PIPELINES
def test_clusters_are_found(run, fits):
    assert adjusted_rand_index(fits[run].clusters, truth_of("multigroup").clusters) == 1.0
    assert fits[run].moments.method == {"mixml_sem": "mixml-sem", "mixmg_bsem": "mixmg-bsem"}[run.__name__]


@PIPELINES
def test_moments_instead_of_people(run, survey, fits):
    items = [f"V{j}" for j in range(1, 21)]
    fit = quietly(run, mx.SampleMoments.from_frame(survey, items, "group"), group=None, seed=1)
    np.testing.assert_array_equal(fit.posterior, fits[run].posterior)


@PIPELINES
def test_all_options_reach_their_steps(run, survey):
    options = {"blocks": "joint", "priors": "mplus", "method": "nuts", "residuals": "cluster", "start": "soft"}
    special = (
        {"random": ("loadings", "factor variances", "factor correlations")}
        if run is mx.mixml_sem
        else {"prior_variance": 0.005, "symmetric": True, "reference": None}
    )
    measurement, structural = "\n".join(MEASUREMENT.splitlines()[:2]), "F2 ~ F1"
    short = mx.Sampling(chains=1, warmup=50, draws=20)
    fits = quietly(
        run, survey, measurement=measurement, structural=structural, k=(1, 2), sampling=short, seed=3,
        equal_regressions=("F2 ~ F1",), n_starts=7, **options, **special,
    )  # fmt: skip
    assert list(fits) == [1, 2]
    step1, step3 = fits[2].moments.measurement.specification, fits[2].specification
    for name in ("blocks", "priors", "method"):
        assert getattr(step1, name) == options[name]
    for name, value in special.items():
        assert getattr(step1, name) == value
    assert step1.sampling == short
    assert (step3.residuals, step3.start, step3.n_starts) == ("cluster", "soft", 7)
    assert fits[2].coefficients[0] == fits[2].coefficients[1]


@PIPELINES
def test_progress_tells_both_stages(run, survey):
    told = []
    quietly(run, survey, seed=1, sampling=mx.Sampling(1, 50, 20), progress=lambda *now: told.append(now))
    stages = list(dict.fromkeys(stage for stage, _, _ in told))
    assert stages[0] == "measurement" and len(stages) > 1
    for stage in stages:
        done = [(d, total) for s, d, total in told if s == stage]
        assert done == sorted(done) and done[-1][0] == done[-1][1]


@PIPELINES
@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"measurement": MEASUREMENT.replace("V3", "V33")}, DataError, "V33"),
        ({"structural": "F3 ~ F5"}, ModelError, "F5"),
        ({"structural": "F3 ~ F1 +"}, ModelSyntaxError, "line 1"),
        ({"measurement": "F1 ~ V1"}, ModelError, "is a regression"),
        ({"k": 13}, OptionError, "k=13"),
        ({"start": {1: 1}}, OptionError, "no cluster for 11 groups"),
        ({"residuals": "groups"}, OptionError, "groups"),
        ({"equal_regressions": ("F3 ~ F4",)}, OptionError, "F3 ~ F4"),
        ({"priors": "vague"}, OptionError, "vague"),
        ({"method": "gibbs"}, OptionError, "gibbs"),
        ({"group": "country"}, DataError, "country"),
    ],
)
def test_mistakes_are_named_before_anything_is_sampled(run, survey, change, error, message):
    told = []
    with pytest.raises(error, match=message):
        quietly(run, survey, **({"seed": 1, "progress": lambda *now: told.append(now)} | change))
    assert not told


def test_non_invariant_loadings_do_not_mislead():
    """The multilevel paper's population: random loadings and unique variances of two items per factor."""
    truth = truth_of("multilevel", n_groups=24)
    fit = quietly(mx.mixml_sem, draw_moments(truth, seed=4), group=None, sampling=mx.Sampling(2, 200, 200), seed=1)
    assert adjusted_rand_index(fit.clusters, truth.clusters) > 0.8
    # Cluster regressions: the true ones, up to sampling error of 24 x 120 people, for each cluster's best match.
    names = [("F3", "F1"), ("F3", "F2"), ("F4", "F1"), ("F4", "F3")]
    order = [
        names.index((fit.path.factors[o], fit.path.factors[p]))
        for o, p in zip(fit.path.outcome, fit.path.predictor, strict=True)
    ]
    true = np.array([[truth.B[k, int(o[1]) - 1, int(p[1]) - 1] for o, p in names] for k in range(2)])[:, order]
    errors = [np.abs(fit.coefficients - true[list(p)]).max() for p in ((0, 1), (1, 0))]
    assert min(errors) < 0.1


@PIPELINES
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"seed": -1}, "seed=-1"),
        ({"progress": True}, "progress=True"),
        ({"sampling": {"draws": 100}}, "sampling={'draws': 100}"),
    ],
)
def test_settings_of_a_run_are_checked(run, survey, options, said):
    with pytest.raises(OptionError) as caught:
        quietly(run, survey, **options)
    assert caught.value.got == said and caught.value.todo


def test_a_forgotten_group_is_asked_for(survey):
    for run in (mx.mixml_sem, mx.mixmg_bsem):
        with pytest.raises(OptionError, match="one group only") as caught:
            quietly(run, survey, group=None)
        assert "group=" in caught.value.todo


def test_clusters_say_what_step_1_was(fits):
    shown = " ".join(repr(fits[mx.mixml_sem]).split())
    assert "Step 1 Multilevel Bayesian confirmatory factor analysis; random over groups: loadings" in shown
    measurement = fits[mx.mixml_sem].moments.measurement
    warned = any(n.name in ("SamplingWarning", "DivergenceWarning") for n in measurement.notices)
    assert ("warnings of its draws, see below" if warned else "no warning of its draws") in shown
    shown = " ".join(repr(fits[mx.mixmg_bsem]).split())
    assert "Multigroup Bayesian confirmatory factor analysis; prior variance of loading differences: 0.01;" in shown
