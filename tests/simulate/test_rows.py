"""Rows that have given moments."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mixsem.data.moments import SampleMoments
from mixsem.simulate import Population, draw_moments, draw_truth
from mixsem.simulate.rows import rows_with_moments


@pytest.mark.parametrize(("sample", "size"), [("random", 12), ("random", 21), ("random", 200), ("fixed", 21)])
@pytest.mark.filterwarnings("ignore::mixsem.errors.SmallGroupWarning")
def test_the_moments_of_the_rows_are_those_given(sample: str, size: int) -> None:
    """Also where there are fewer people than items, and the covariance matrix is singular."""
    moments = draw_moments(draw_truth(Population(n_groups=4, group_size=size), seed=3), seed=3, sample=sample)
    again = SampleMoments.from_frame(rows_with_moments(moments, seed=1), moments.items, "group")
    np.testing.assert_allclose(again.means, moments.means, atol=1e-10)
    np.testing.assert_allclose(again.covariances, moments.covariances, atol=1e-10)
    assert again.n.tolist() == moments.n.tolist() and again.groups == moments.groups


def test_the_rows_depend_on_the_seed_alone() -> None:
    moments = draw_moments(draw_truth(Population(n_groups=4), seed=3), seed=3)
    assert rows_with_moments(moments, seed=1).equals(rows_with_moments(moments, seed=1))
    assert not rows_with_moments(moments, seed=1).equals(rows_with_moments(moments, seed=2))


def test_people_are_exchangeable() -> None:
    """No person is special: over many draws each one's answers have the same mean and spread."""
    moments = draw_moments(draw_truth(Population(n_groups=1, n_clusters=1, group_size=5), seed=3), seed=3)
    centred = replace(moments, means=np.zeros_like(moments.means))
    draws = np.array([rows_with_moments(centred, seed=s)["V1"].to_numpy() for s in range(2000)])
    spread = np.sqrt(moments.covariances[0, 0, 0])
    assert np.abs(draws.mean(axis=0) / spread).max() < 4 / np.sqrt(2000)
    assert np.abs(draws.std(axis=0) / spread - 1).max() < 0.1
