"""A user's own population: the numbers that were asked for are those that are drawn; what cannot be is refused."""

from __future__ import annotations

import dataclasses
import pickle
import warnings
from typing import Any

import numpy as np
import pytest

import mixsem as mx
from mixsem.errors import DataError, MixsemError, ModelSyntaxError, OptionError, UnsupportedModelError
from mixsem.simulate import (
    OwnPopulation,
    Population,
    adjusted_rand_index,
    draw_frame,
    draw_moments,
    draw_truth,
    match_labels,
    population_from_fit,
)

OWN = OwnPopulation(
    measurement="trust =~ t1 + t2 + t3; fear =~ f1 + f2 + f3 + f4\nage =~ a1 + a2 + a3",
    structural="fear ~ trust + age",
    coefficients=({"fear~trust": -0.5, "fear ~ age": 0.2}, {"fear ~ trust": 0.1, "fear ~ age": 0.2}),
    n_groups=3000,
    loadings={"trust": 0.7, "age": 0.6, "fear": 0.8, "fear=~f4": 0.5},
    correlations={"age ~~ trust": 0.3},
    loading_variance=0.02,
)
SIMPLE: dict[str, Any] = {
    "measurement": "x =~ x1 + x2 + x3; y =~ y1 + y2 + y3",
    "structural": "y ~ x",
    "coefficients": ({"y ~ x": 0.4}, {"y ~ x": 0.0}),
}


def test_groups_have_the_asked_means_and_spreads() -> None:
    truth = draw_truth(OWN, seed=1)
    variances = np.diagonal(truth.Phi, axis1=1, axis2=2)
    np.testing.assert_allclose(variances.mean(axis=0), 1, atol=0.01)
    np.testing.assert_allclose(variances.std(axis=0), 0.15, atol=0.01)
    correlation = truth.Phi[:, 0, 2] / np.sqrt(variances[:, 0] * variances[:, 2])
    np.testing.assert_allclose([correlation.mean(), correlation.std()], [0.3, 0.15], atol=0.01)
    uniques = np.diagonal(truth.Theta, axis1=1, axis2=2)
    np.testing.assert_allclose(uniques.mean(axis=0)[:4], [0.51, 0.51, 0.51, 0.36], atol=0.01)
    np.testing.assert_allclose(uniques.std(axis=0) / uniques.mean(axis=0), 0.15, atol=0.01)


def test_loadings_vary_by_half_of_the_difference_but_for_markers() -> None:
    truth = draw_truth(OWN, seed=2)
    loadings = truth.Lambda[:, range(10), [0, 0, 0, 1, 1, 1, 1, 2, 2, 2]]
    np.testing.assert_allclose(loadings.mean(axis=0), [0.7] * 3 + [0.8] * 3 + [0.5] + [0.6] * 3, atol=0.01)
    marker = np.isin(range(10), [0, 3, 7])
    assert (loadings[:, marker] == loadings[0, marker]).all()
    np.testing.assert_allclose(loadings[:, ~marker].var(axis=0), 0.01, rtol=0.12)
    assert np.count_nonzero(truth.Lambda) == loadings.size


def test_the_truth_is_a_model_of_the_factors() -> None:
    truth = draw_truth(OWN, seed=3)
    inverse = np.linalg.inv(np.eye(3) - truth.B[truth.clusters])
    np.testing.assert_allclose(truth.Phi, inverse @ truth.Psi @ inverse.swapaxes(1, 2), atol=1e-12)
    np.testing.assert_allclose(
        truth.Sigma, truth.Lambda @ truth.Phi @ truth.Lambda.swapaxes(1, 2) + truth.Theta, atol=1e-12
    )
    assert np.linalg.eigvalsh(truth.Psi).min() > 0 and np.linalg.eigvalsh(truth.Sigma).min() > 0
    np.testing.assert_array_equal(truth.B[:, 1], [[-0.5, 0.0, 0.2], [0.1, 0.0, 0.2]])
    assert np.count_nonzero(truth.B) == 4
    assert np.bincount(truth.clusters).tolist() == [1500, 1500]


def test_chains_of_outcomes_keep_their_total_variances() -> None:
    population = OwnPopulation(
        "a =~ a1 + a2; b =~ b1 + b2; c =~ c1 + c2; d =~ d1 + d2",
        "d ~ c + a\nc ~ b\nb ~ a",
        ({"b ~ a": 0.6, "c ~ b": 0.3, "d ~ c": 0.4, "d ~ a": -0.3},),
        n_groups=5,
        factor_variances={"a": 1, "b": 4, "c": 1, "d": 2},
        reliability=0.8,
        variance_sd=0,
        unique_sd=0,
    )
    truth = draw_truth(population, seed=1)
    np.testing.assert_allclose(np.diagonal(truth.Phi, axis1=1, axis2=2), [[1, 4, 1, 2]] * 5)
    # Reliability .8 and an item variance of 1, whatever the factor's variance is.
    np.testing.assert_allclose(np.diagonal(truth.Sigma, axis1=1, axis2=2), 1, atol=1e-5)
    np.testing.assert_allclose(np.diagonal(truth.Theta, axis1=1, axis2=2), 0.2, atol=1e-5)
    assert truth.random == ("factor correlations",)


def test_what_to_fit_is_on_the_scale_of_the_truth() -> None:
    population = dataclasses.replace(OWN, n_groups=8, loading_variance=0.0)
    truth = draw_truth(population, seed=4)
    moments = draw_moments(truth, seed=4, sample="fixed")
    fit = mx.mmgsem(truth.measurement, truth.structural, moments, k=2, n_starts=10, seed=1)
    estimated = fit.coefficients[np.argsort(match_labels(fit.clusters - 1, truth.clusters))]
    np.testing.assert_allclose(estimated, [[-0.5, 0.2], [0.1, 0.2]], atol=1e-3)
    assert adjusted_rand_index(fit.clusters, truth.clusters) == 1


def test_what_varies_is_named_as_the_multilevel_model_wants_it() -> None:
    truth = draw_truth(dataclasses.replace(OWN, n_groups=6), seed=5)
    assert truth.random[:3] == ("trust =~ t2", "trust =~ t3", "fear =~ f2")
    assert {"t1 ~~ t1", "factor variances", "factor correlations"} <= set(truth.random)
    assert "trust =~ t1" not in truth.random
    model = mx.MLCFA(truth.measurement, random=truth.random, method="laplace", sampling=mx.Sampling(draws=50))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert model.fit(draw_moments(truth, seed=5), seed=1).factors == truth.factors


@pytest.mark.parametrize("size", [40, "30-60", (30, 40, 50, 60)])
def test_group_sizes(size: Any) -> None:
    truth = draw_truth(OwnPopulation(**SIMPLE, n_groups=4, group_size=size), seed=6)
    if size == "30-60":
        assert ((truth.n >= 30) & (truth.n <= 60)).all() and len(set(truth.n.tolist())) > 1
    else:
        assert truth.n.tolist() == ([40] * 4 if size == 40 else list(size))
    frame = draw_frame(truth, seed=1)
    assert list(frame.columns) == ["group", "x1", "x2", "x3", "y1", "y2", "y3"]
    assert frame["group"].value_counts(sort=False).tolist() == truth.n.tolist()


def test_the_seed_decides_and_populations_travel() -> None:
    population = OwnPopulation(**SIMPLE, n_groups=5, proportions=(0.6, 0.4))
    one, same, other = (
        draw_truth(p, seed)
        for p, seed in ((population, 1), (pickle.loads(pickle.dumps(population)), 1), (population, 2))
    )
    np.testing.assert_array_equal(one.Sigma, same.Sigma)
    assert (one.Sigma != other.Sigma).any()
    assert np.bincount(one.clusters).tolist() == [3, 2]


REFUSED: list[tuple[dict[str, Any], type[MixsemError], str]] = [
    ({"coefficients": ({"y ~ x": 0.4}, {"y ~ x": -1.1})}, OptionError, r"y has no residual variance left in cluster 2"),
    ({"factor_variances": {"x": 2, "y": 0.1}, "reliability": 0.5}, OptionError, "y has no residual .* in cluster 1"),
    ({"coefficients": ({"y ~ x": 0.4}, {})}, OptionError, "no number for y ~ x in coefficients of cluster 2"),
    ({"coefficients": ({"y ~ x": 0.4, "x ~ y": 0.1},)}, OptionError, "'x ~ y' in coefficients of cluster 1"),
    ({"coefficients": {"y ~ x": 0.4}}, OptionError, "coefficients="),
    ({"coefficients": ()}, OptionError, "coefficients="),
    ({"loadings": 1.2}, OptionError, "leaves x1 of x no unique variance"),
    ({"loadings": {"x": 0.5}}, OptionError, "no number for y1 in loadings"),
    ({"loadings": 0.0}, OptionError, "loading of x1 is 0"),
    ({"loadings": float("nan")}, OptionError, "loadings: nan"),
    ({"reliability": 1.0}, OptionError, "reliability: 1.0"),
    ({"reliability": 0.5, "unique_variances": 0.5}, OptionError, "unique_variances=0.5"),
    ({"factor_variances": {"x": 1.0, "y": -1.0}}, OptionError, "factor_variances: y = -1.0"),
    ({"correlations": {"x ~~ y": 0.3}}, OptionError, "'x ~~ y' in correlations"),
    ({"group_size": "60-50"}, OptionError, "group_size='60-50'"),
    ({"group_size": (50, 60)}, OptionError, "group_size=(.*)"),
    ({"group_size": 1}, OptionError, "group_size=1"),
    ({"n_groups": 1}, OptionError, "n_groups=1"),
    ({"proportions": (1.0,)}, OptionError, "proportions="),
    ({"loading_variance": -1}, OptionError, "loading_variance=-1"),
    ({"variance_sd": "much"}, OptionError, "variance_sd='much'"),
    ({"measurement": "x =~ 1*x1 + x2; y =~ y1 + y2"}, UnsupportedModelError, "line 1, column 6"),
    ({"measurement": "x =~ x1 + x2; y =~ y1 + x2"}, UnsupportedModelError, "'x2' measures 'x' and 'y'"),
    ({"measurement": "x =~ x1 + x2; y =~ y1 + y2; z =~ z1"}, UnsupportedModelError, "does not use z"),
    ({"structural": "y ~ x\nx ~ y"}, UnsupportedModelError, "cycle"),
    ({"structural": "y ~ b*x"}, UnsupportedModelError, "'y ~ x' in the structural model"),
    ({"structural": "y ~"}, ModelSyntaxError, "line 1"),
]


@pytest.mark.parametrize(("changes", "kind", "says"), REFUSED, ids=[says for *_, says in REFUSED])
def test_impossible_populations_are_refused(changes: dict[str, Any], kind: type[MixsemError], says: str) -> None:
    with pytest.raises(kind, match=says):
        OwnPopulation(**{**SIMPLE, "n_groups": 4, **changes})


def test_correlations_that_contradict_each_other() -> None:
    with pytest.raises(OptionError, match="contradict"):
        OwnPopulation(
            "a =~ a1; b =~ b1; c =~ c1; y =~ y1 + y2",
            "y ~ a + b + c",
            ({"y ~ a": 0, "y ~ b": 0, "y ~ c": 0},),
            correlations={"a ~~ b": 0.9, "a ~~ c": 0.9, "b ~~ c": -0.9},
        )


def test_groups_without_residual_variance_are_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Regressions of .7 explain .98 of the average group, and more than all where the predictors correlate by .03."""
    population = OwnPopulation(
        "x =~ x1 + x2; z =~ z1 + z2; y =~ y1 + y2", "y ~ x + z", ({"y ~ x": 0.7, "y ~ z": 0.7},), n_groups=200
    )
    assert np.linalg.eigvalsh(draw_truth(population, seed=1).Psi).min() > 0
    with pytest.raises(OptionError, match="y has no residual variance left in cluster 1"):
        dataclasses.replace(population, correlations=0.03)
    monkeypatch.setattr("mixsem.simulate.own_draws.ATTEMPTS", 1)
    with pytest.raises(
        OptionError, match=r"y has no residual variance left in cluster 1: .* \(y ~ x = 0.7, y ~ z = 0.7\)"
    ):
        draw_truth(population, seed=1)


def test_a_pilot_becomes_a_population() -> None:
    truth = draw_truth(Population(n_groups=60, group_size=2000, n_clusters=2, beta=0.4, proportions=(0.7, 0.3)), seed=7)
    moments = draw_moments(truth, seed=7)
    fit = mx.mmgsem(truth.measurement, truth.structural, moments, k=2, n_starts=10, seed=1)
    population = population_from_fit(fit)
    assert (population.n_groups, population.group_size) == (60, (2000,) * 60)
    assert population_from_fit(fit, n_groups=20).group_size == 2000
    np.testing.assert_allclose(population.proportions, [0.7, 0.3], atol=0.01)
    first = population.coefficients[0]  # the larger cluster is the truth's first, which lacks F4 ~ F1
    wanted = {"F4 ~ F1": 0.0, "F3 ~ F1": 0.4, "F3 ~ F2": 0.4, "F4 ~ F3": 0.4}
    assert first == pytest.approx(wanted, abs=0.03)
    again = draw_truth(population, seed=1)
    np.testing.assert_allclose(again.Lambda.mean(axis=0), truth.Lambda.mean(axis=0), atol=0.02)
    np.testing.assert_allclose(again.Theta.mean(axis=0), truth.Theta.mean(axis=0), atol=0.05)
    assert population.loading_variance == 0.0
    np.testing.assert_allclose(population.variance_sd, 0.5 / np.sqrt(12), atol=0.03)
    np.testing.assert_allclose(population.unique_sd, 0.2 / np.sqrt(12) / 0.4, atol=0.03)


def test_what_no_pilot_is() -> None:
    given = mx.FactorMoments.from_covariances(
        [np.eye(2) + 0.3] * 3, n=[90] * 3, factors=["x", "y"], groups=["a", "b", "c"]
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fits = mx.StructuralMixture("y ~ x", k=(1, 2), n_starts=2).fit(given, seed=1)
    with pytest.raises(OptionError, match="MixtureSelection"):
        population_from_fit(fits)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="items are not known"):
        population_from_fit(fits[1])
