"""Samples: exact where they promise it, of the right distribution where they are random."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mixsem.data import SampleMoments
from mixsem.errors import OptionError, SmallGroupWarning
from mixsem.simulate import Population, draw_frame, draw_moments, draw_truth

TRUTH = draw_truth(Population(n_groups=6, n_clusters=2, group_size=(30, 40, 50, 60, 70, 80)), seed=1)


def test_fixed_rows_have_exactly_the_moments_of_the_population() -> None:
    moments = SampleMoments.from_frame(draw_frame(TRUTH, 2, sample="fixed"), TRUTH.items, "group")
    exact = draw_moments(TRUTH, 2, sample="fixed")
    assert (moments.groups, moments.items, moments.group) == (exact.groups, exact.items, exact.group)
    np.testing.assert_array_equal(moments.n, exact.n)
    np.testing.assert_allclose(moments.covariances, exact.covariances, atol=1e-12)
    np.testing.assert_allclose(moments.means, exact.means, atol=1e-12)


def test_random_rows_come_from_the_population() -> None:
    large = draw_truth(Population(n_groups=2, n_clusters=2, group_size=40_000, cross_loading=0.3), seed=3)
    moments = SampleMoments.from_frame(draw_frame(large, 4), large.items, "group")
    # Standard errors are at most sqrt(2 / 40,000) times a variance of about 1.5: five of them.
    np.testing.assert_allclose(moments.covariances, large.Sigma, atol=0.055)
    np.testing.assert_allclose(moments.means, 0, atol=0.035)


@pytest.mark.parametrize("n", [10, 60])
def test_random_moments_have_the_moments_of_a_wishart_matrix(n: int) -> None:
    """Mean (n-1)/n Sigma, var(s_ij) = (n-1)/n^2 (sigma_ij^2 + sigma_ii sigma_jj); singular if n <= p."""
    truth = draw_truth(Population(n_groups=2, n_clusters=1, group_size=n), seed=5)
    sigma = truth.Sigma[0]
    draws = np.stack([draw_moments(truth, seed).covariances[0] for seed in range(1500)])
    spread = np.sqrt((n - 1) / n**2 * (sigma**2 + np.outer(np.diag(sigma), np.diag(sigma))))
    error = (draws.mean(axis=0) - (n - 1) / n * sigma) / (spread / np.sqrt(1500))
    assert np.abs(error).max() < 5
    np.testing.assert_allclose(draws.std(axis=0), spread, rtol=0.15)
    assert np.linalg.matrix_rank(draws[0]) == min(20, n - 1)


def test_random_means_vary_as_means_do() -> None:
    means = np.concatenate([draw_moments(TRUTH, seed).means[:1] for seed in range(2000)])
    np.testing.assert_allclose(np.cov(means.T) * TRUTH.n[0], TRUTH.Sigma[0], atol=0.25)


def test_the_seed_decides_and_streams_differ() -> None:
    np.testing.assert_array_equal(draw_moments(TRUTH, 1).covariances, draw_moments(TRUTH, 1).covariances)
    assert draw_frame(TRUTH, 1).equals(draw_frame(TRUTH, 1))
    assert (draw_moments(TRUTH, 1).covariances != draw_moments(TRUTH, 2).covariances).any()
    assert not draw_frame(TRUTH, 1).equals(draw_frame(TRUTH, 2))


def test_small_groups_are_noticed() -> None:
    small = draw_truth(Population(n_groups=4, group_size=20), seed=1)
    assert [notice.category for notice in draw_moments(small, 1).notices] == [SmallGroupWarning]
    with pytest.raises(OptionError, match="a group of 20"):
        draw_frame(small, 1, sample="fixed")


@pytest.mark.parametrize("draw", [draw_frame, draw_moments])
def test_samples_refused(draw: Any) -> None:
    with pytest.raises(OptionError, match="sample='exact'"):
        draw(TRUTH, 1, sample="exact")
