"""Populations: the published design, drawn exactly."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixsem.errors import OptionError
from mixsem.simulate import Population, draw_truth


@given(
    beta=st.sampled_from([0.2, 0.3, 0.4]),
    n_clusters=st.integers(1, 4),
    n_groups=st.integers(4, 30),
    kind=st.sampled_from(["multigroup", "multilevel"]),
    reliability=st.sampled_from(["high", "low"]),
    seed=st.integers(0, 2**32),
)
def test_every_population_is_a_model(
    beta: float, n_clusters: int, n_groups: int, kind: Any, reliability: Any, seed: int
) -> None:
    population = Population(
        n_groups=n_groups,
        n_clusters=n_clusters,
        beta=beta,
        kind=kind,
        reliability=reliability,
        loading_variance=0.05,
    )
    truth = draw_truth(population, seed)
    inverse = np.linalg.inv(np.eye(4) - truth.B[truth.clusters])
    np.testing.assert_allclose(truth.Phi, inverse @ truth.Psi @ inverse.swapaxes(1, 2), atol=1e-12)
    np.testing.assert_allclose(
        truth.Sigma, truth.Lambda @ truth.Phi @ truth.Lambda.swapaxes(1, 2) + truth.Theta, atol=1e-12
    )
    for matrices in (truth.Psi, truth.Sigma, truth.Theta):
        assert np.linalg.eigvalsh(matrices).min() > 0
    off = ~np.eye(4, dtype=bool)
    off[0, 1] = off[1, 0] = False
    assert not truth.Psi[:, off].any()
    sizes = np.bincount(truth.clusters, minlength=n_clusters)
    assert sizes.sum() == n_groups and sizes.max() - sizes.min() <= 1


def test_each_cluster_lacks_one_regression() -> None:
    beta = draw_truth(Population(beta=0.3), seed=1).B
    places = [(3, 0), (2, 0), (2, 1), (3, 2)]
    values = np.array([[beta[k][place] for place in places] for k in range(4)])
    np.testing.assert_array_equal(values, 0.3 * (1 - np.eye(4)))
    assert np.count_nonzero(beta) == 12


def test_multigroup_variances_are_total_variances_in_their_range() -> None:
    """Residual variances are chosen so that the variances implied by the regressions are the drawn ones."""
    phi = draw_truth(Population(n_groups=4000, beta=0.4), seed=2).Phi
    variances = np.diagonal(phi, axis1=1, axis2=2)
    assert variances.min() > 0.75 - 1e-12 and variances.max() < 1.25 + 1e-12
    np.testing.assert_allclose(variances.mean(axis=0), 1, atol=0.01)
    assert np.abs(phi[:, 0, 1]).max() < 0.3
    np.testing.assert_allclose(phi[:, 0, 1].std(), 0.6 / np.sqrt(12), atol=0.005)


@pytest.mark.parametrize(("reliability", "loading", "uniques"), [("high", 0.6, (0.3, 0.5)), ("low", 0.4, (0.5, 0.7))])
def test_exact_invariance_and_unique_variances(reliability: Any, loading: float, uniques: tuple[float, float]) -> None:
    truth = draw_truth(Population(reliability=reliability), seed=3)
    expected = np.kron(np.eye(4), np.array([[1.0], *([[np.sqrt(loading)]] * 4)]))
    np.testing.assert_array_equal(truth.Lambda, np.broadcast_to(expected, truth.Lambda.shape))
    theta = np.diagonal(truth.Theta, axis1=1, axis2=2)
    assert uniques[0] <= theta.min() and theta.max() <= uniques[1]
    assert np.count_nonzero(truth.Theta) == theta.size


def test_loading_variance_is_that_of_the_difference_of_two_groups() -> None:
    loadings = draw_truth(Population(n_groups=4000, loading_variance=0.1), seed=4).Lambda
    free = loadings[:, [1, 2, 3, 4], 0]
    np.testing.assert_allclose((free[:2000] - free[2000:]).var(), 0.1, rtol=0.05)
    np.testing.assert_array_equal(loadings[:, [0, 5, 10, 15], [0, 1, 2, 3]], 1.0)


def test_cross_loadings_are_on_item_3_of_the_next_factor() -> None:
    plain = draw_truth(Population(loading_variance=0.01), seed=5).Lambda
    crossed = draw_truth(Population(loading_variance=0.01, cross_loading=0.4), seed=5).Lambda
    places = [(7, 0), (12, 1), (17, 2), (2, 3)]  # V8 on F1, V13 on F2, V18 on F3, V3 on F4
    expected = np.zeros((20, 4))
    expected[tuple(np.transpose(places))] = 0.4
    np.testing.assert_allclose(crossed - plain, np.broadcast_to(expected, plain.shape), atol=1e-15)


def test_multilevel_population_varies_as_published() -> None:
    truth = draw_truth(Population(n_groups=4000, kind="multilevel"), seed=6)
    variances = truth.Phi[:, [0, 1], [0, 1]]
    np.testing.assert_allclose([variances.std(), truth.Phi[:, 0, 1].std()], [0.166, 0.117], atol=0.008)
    theta = np.diagonal(truth.Theta, axis1=1, axis2=2)
    np.testing.assert_allclose(np.log(theta[:, [1, 2]]).mean(axis=0), -0.948, atol=0.02)
    np.testing.assert_allclose(truth.Lambda[:, [1, 2], 0].var(axis=0), 0.1, rtol=0.1)
    np.testing.assert_array_equal(theta[:, [0, 3, 4]], 0.4)


def test_small_groups_are_a_share_of_each_cluster() -> None:
    population = Population(n_groups=48, group_size=200, small_size=25, small_proportion=0.25, n_clusters=4)
    truth = draw_truth(population, seed=7)
    assert [np.sum(truth.n[truth.clusters == k] == 25) for k in range(4)] == [3, 3, 3, 3]
    assert sorted(set(truth.n.tolist())) == [25, 200]


def test_proportions_and_sizes_are_kept() -> None:
    population = Population(n_groups=10, group_size=tuple(range(50, 60)), n_clusters=2, proportions=(0.3, 0.7))
    truth = draw_truth(population, seed=8)
    assert np.bincount(truth.clusters).tolist() == [3, 7] and truth.n.tolist() == list(range(50, 60))


def test_a_group_without_residual_variance_is_drawn_again() -> None:
    """With regressions of .6 about one first draw in ten leaves a residual variance negative."""
    truth = draw_truth(Population(n_groups=300, beta=0.6), seed=9)
    assert np.diagonal(truth.Psi, axis1=1, axis2=2).min() > 0
    with pytest.raises(OptionError, match="leaves no residual variance"):
        draw_truth(Population(beta=3.0), seed=9)


def test_the_seed_decides() -> None:
    one, same, other = (draw_truth(Population(loading_variance=0.01), seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.Sigma, same.Sigma)
    np.testing.assert_array_equal(one.clusters, same.clusters)
    assert (one.Sigma != other.Sigma).any()
    with pytest.raises(OptionError, match="seed=-1"):
        draw_truth(Population(), seed=-1)


REFUSED: dict[str, Any] = {
    "n_clusters": 5,
    "n_groups": 3,
    "group_size": (10, 20),
    "reliability": "medium",
    "loading_variance": -0.1,
    "proportions": (0.5, 0.5),
    "small_size": 1,
    "small_proportion": 1.5,
    "kind": "other",
}


@pytest.mark.parametrize("name", REFUSED)
def test_populations_refused(name: str) -> None:
    with pytest.raises(OptionError, match=name):
        dataclasses.replace(Population(small_size=25), **{name: REFUSED[name]})


def test_proportions_that_leave_a_cluster_empty() -> None:
    with pytest.raises(OptionError, match="without a group"):
        draw_truth(Population(n_groups=10, n_clusters=2, proportions=(0.01, 0.99)), seed=1)
