"""EM's iterations: leaps of slow starts change how long it takes, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import mixsem as mx
from mixsem.kernels.mixture import EMData
from mixsem.structural import em
from mixsem.structural.mixture import em_data
from mixsem.structural.path_model import compile_structural
from mixsem.structural.starts import starting_partitions

#: More clusters than the four there are, so that EM is slow.
CLUSTERS, STARTS = 6, 60
SETTINGS = em.EMSettings(tolerance=1e-6, max_iterations=5000)
#: Starts that stop at slow progress are this far below their maximum, and two solutions differ by more.
SAME = 1e-3


@pytest.fixture(scope="module")
def data() -> EMData:
    truth = mx.simulate.draw_truth(mx.simulate.Population(n_groups=40, n_clusters=4, group_size=50), seed=1)
    noise = np.random.default_rng(1)
    Phi = np.array([np.cov(noise.multivariate_normal(np.zeros(4), V, 50).T) for V in truth.Phi])
    factors = ["F1", "F2", "F3", "F4"]
    moments = mx.FactorMoments.from_covariances(Phi, n=[50] * 40, factors=factors, groups=range(40))
    path = compile_structural("F3 ~ F1 + F2; F4 ~ F1 + F3", moments.factors)
    return em_data(path, moments, by_group=True, floor=1e-3)


def start(data: EMData) -> em.EMState:
    partitions = starting_partitions("hard", range(40), CLUSTERS, STARTS, np.random.default_rng(2))
    return em.start_from(data, partitions.astype(float), em.initial_weights(data, CLUSTERS))


@pytest.fixture(scope="module")
def ended(data: EMData) -> em.EMState:
    return em.run_em(data, start(data), SETTINGS)


def test_leaps_lead_to_the_same_solutions_sooner(
    data: EMData, ended: em.EMState, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(em, "SLOW", SETTINGS.max_iterations)
    plain = em.run_em(data, start(data), SETTINGS)
    gain = ended.loglik - plain.loglik
    assert (np.abs(gain) < SAME).mean() > 0.9
    assert ended.loglik.max() > plain.loglik.max() - SAME
    slow = plain.iterations > 60
    assert slow.any()
    assert ended.iterations[slow].mean() < 0.6 * plain.iterations[slow].mean()


def test_the_end_is_one_of_plain_steps(data: EMData, ended: em.EMState) -> None:
    assert ended.converged.all()
    once = em.settle(data, ended)
    assert (np.abs(once.loglik - ended.loglik) < SETTINGS.tolerance).all()


def test_a_leap_never_lowers_the_likelihood(data: EMData) -> None:
    state, before = start(data), -np.inf
    for iterations in (33, 36, 39, 60):  # each ends with a leap
        state = em.run_em(data, start(data), replace(SETTINGS, tolerance=0.0, max_iterations=iterations))
        now = em.settle(data, state).loglik
        assert (now >= before - 1e-9 * np.abs(now)).all()
        before = now


def test_where_a_leap_is_too_long_the_plain_step_is_taken(data: EMData) -> None:
    """Points that bend hardly at all ask for a leap across the whole space."""
    first = em.run_em(data, start(data), replace(SETTINGS, max_iterations=5))
    ridge = em._ridge(data)
    rng = np.random.default_rng(3)
    shift = rng.standard_normal(first.beta.shape)
    points = [(first.beta + (i + 1e-6 * i**2) * shift, first.pi) for i in (-2, -1, 0)]
    moved = em._leap(data, first, points, ridge)
    plain = em._update(data, first, ridge)
    np.testing.assert_array_equal(moved.beta, plain.beta)
    np.testing.assert_array_equal(moved.loglik, plain.loglik)


def test_a_cluster_that_dies_out_keeps_its_share_above_zero(data: EMData) -> None:
    first = em.run_em(data, start(data), replace(SETTINGS, max_iterations=5))
    step = np.zeros_like(first.pi)
    step[:, 0], step[:, 1] = -0.4 * first.pi[:, 0], 0.4 * first.pi[:, 0]
    points = [(first.beta, first.pi - 1.9 * step), (first.beta, first.pi - step), (first.beta, first.pi)]
    moved = em._leap(data, first, points, em._ridge(data))
    assert np.isfinite(moved.loglik).all() and (moved.pi >= 0).all()
