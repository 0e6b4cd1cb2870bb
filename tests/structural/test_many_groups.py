"""Thousands of groups: work and memory in proportion to their number, the same numbers in any order."""

from __future__ import annotations

import time
import tracemalloc

import numpy as np
import pytest

import mixsem as mx
from mixsem.kernels.arrow import arrow_layout, factorize
from mixsem.simulate import Truth

pytestmark = pytest.mark.filterwarnings("ignore::mixsem.errors.MixsemWarning")

MEASUREMENT = "F1 =~ y1 + y2 + y3 + y4\nF2 =~ y5 + y6 + y7 + y8\nF3 =~ y9 + y10 + y11 + y12"
STRUCTURAL = "F2 ~ F1\nF3 ~ F1 + F2"
COEFFICIENTS = (
    {"F2 ~ F1": 0.7, "F3 ~ F1": 0.0, "F3 ~ F2": 0.0},
    {"F2 ~ F1": 0.0, "F3 ~ F1": 0.7, "F3 ~ F2": 0.0},
    {"F2 ~ F1": 0.0, "F3 ~ F1": 0.0, "F3 ~ F2": 0.7},
    {"F2 ~ F1": -0.5, "F3 ~ F1": -0.5, "F3 ~ F2": 0.0},
)
SMALL, LARGE, FEW = 300, 1200, 200
#: One array of floats over pairs of 1200 groups takes 12 MB, and what was proportional to pairs took ten of them. The
#: arrays of a batch of starts are bounded, some 25 MB at any size.
MEGABYTES = 60
#: Four times the groups may take this many times as long: generous, as machines that run tests are busy; the square
#: would be 16.
RATIO = 9.0


def schools(n_groups: int, seed: int = 1) -> tuple[Truth, mx.SampleMoments]:
    population = mx.simulate.OwnPopulation(MEASUREMENT, STRUCTURAL, COEFFICIENTS, n_groups=n_groups, group_size=30)
    truth = mx.simulate.draw_truth(population, seed=seed)
    return truth, mx.simulate.draw_moments(truth, seed=seed)


def three_steps(moments: mx.SampleMoments, n_starts: int = 3) -> mx.MixtureFit:
    fit = mx.mmgsem(MEASUREMENT, STRUCTURAL, moments, k=4, n_starts=n_starts, seed=1)
    assert isinstance(fit, mx.MixtureFit)
    return fit


@pytest.fixture(scope="module")
def fits() -> dict[int, tuple[mx.MixtureFit, float]]:
    """Fits to few and to many groups, and the CPU seconds that they and their standard errors took."""
    found = {}
    mx.standard_errors(three_steps(schools(20)[1]))  # imports what it needs
    for size in (SMALL, LARGE):
        moments = schools(size)[1]
        start = time.process_time()
        fit = three_steps(moments)
        mx.standard_errors(fit)
        found[size] = fit, time.process_time() - start
    return found


def test_time_grows_with_the_groups_and_not_their_square(fits: dict[int, tuple[mx.MixtureFit, float]]) -> None:
    assert fits[LARGE][1] < RATIO * fits[SMALL][1]


def test_nothing_is_kept_for_pairs_of_groups(fits: dict[int, tuple[mx.MixtureFit, float]]) -> None:
    mixture = mx.StructuralMixture(STRUCTURAL, 4, n_starts=1, start=fits[LARGE][0].clusters.tolist())
    tracemalloc.start()
    mixture.fit(fits[LARGE][0].moments)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < MEGABYTES * 1e6


def test_log_likelihood_is_the_sum_over_groups() -> None:
    """Each group's share from its own matrices: it is in one of the clusters, and normal there."""
    fit = three_steps(schools(FEW)[1])
    Q = len(fit.path.factors)
    total = 0.0
    for g in range(FEW):
        logs = []
        for c in range(fit.k):
            away = np.linalg.inv(np.eye(Q) - fit.B[c])
            Sigma = away @ fit.Psi[g, c] @ away.T
            misfit = np.linalg.slogdet(Sigma)[1] + np.trace(np.linalg.solve(Sigma, fit.moments.Phi[g]))
            density = -0.5 * fit.moments.n[g] * (Q * np.log(2 * np.pi) + misfit)
            logs.append(np.log(fit.proportions[c]) + density)
        total += np.logaddexp.reduce(logs)
    assert fit.loglik == pytest.approx(total, rel=1e-12)


def test_draws_from_an_arrow_need_no_dense_matrix() -> None:
    rng = np.random.default_rng(1)
    free = np.array([[0, 1, 2 + 2 * g, 3 + 2 * g if g else -1] for g in range(5)])
    free[0, 3] = -1
    free = np.searchsorted(np.unique(free[free >= 0]), free) * (free >= 0) - (free < 0)
    n_free = int(free.max()) + 1
    half = rng.standard_normal((5, 4, 6))
    system = factorize(arrow_layout(free, n_free), half @ half.swapaxes(1, 2))
    root = system.root()
    R = np.array([root.times(column) for column in np.eye(n_free)]).T
    np.testing.assert_allclose(R @ R.T, system.inverse(), rtol=1e-9, atol=1e-12)


def test_own_regressions_do_not_depend_on_how_many_groups_there_are() -> None:
    moments = mx.factor_moments(mx.MGCFA(MEASUREMENT).fit(schools(150)[1]))
    fit = mx.StructuralMixture(STRUCTURAL, k=1).fit(moments)
    assert isinstance(fit, mx.MixtureFit)
    F1, F2, F3 = (moments.factors.index(name) for name in ("F1", "F2", "F3"))
    x = np.array([F1, F2])
    slopes = np.linalg.solve(moments.Phi[:, x[:, None], x], moments.Phi[:, x, F3][..., None])[..., 0]
    at = [fit.path.names.index(name) for name in ("F3~F1", "F3~F2")]
    np.testing.assert_allclose(fit.own[:, at], slopes, atol=1e-5)  # the ridge of the update, 1e-9 of all information


def test_notices_that_name_many_groups_stay_short(fits: dict[int, tuple[mx.MixtureFit, float]]) -> None:
    fit = fits[LARGE][0]
    assert fit.notices
    assert max(len(str(notice)) for notice in fit.notices) < 1500


@pytest.mark.slow
def test_twenty_thousand_schools() -> None:
    truth, moments = schools(20_000)
    fit = three_steps(moments, n_starts=10)
    assert mx.simulate.adjusted_rand_index(truth.clusters, fit.clusters) > 0.85
    true = np.array([[cluster[name.replace("~", " ~ ")] for name in fit.path.names] for cluster in COEFFICIENTS])
    gaps = np.abs(fit.coefficients[:, None] - true).max(axis=2).min(axis=1)
    assert gaps.max() < 0.05  # standard errors are .008; groups of 30 leave a bias of about .02
    errors = mx.standard_errors(fit)
    assert np.isfinite(errors.se).all() and errors.se.max() < 0.02

    order = np.random.default_rng(2).permutation(moments.n_groups)
    again = three_steps(
        mx.SampleMoments(
            items=moments.items,
            groups=tuple(moments.groups[g] for g in order),
            n=moments.n[order],
            means=moments.means[order],
            covariances=moments.covariances[order],
            n_dropped=moments.n_dropped[order],
        ),
        n_starts=10,
    )
    assert again.loglik == pytest.approx(fit.loglik, rel=1e-9)
    np.testing.assert_allclose(again.coefficients, fit.coefficients, atol=1e-4)
    assert (again.clusters == fit.clusters[order]).mean() > 0.9999
