"""The fast method: its ingredients against plain ones, and its draws against the No-U-Turn sampler's."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest

import mixsem as mx
from mixsem.bayes.arrow_hessian import STEP, Layout, arrow_hessian, find_layout, find_mode, gradient, solve_arrow
from mixsem.bayes.convergence import effective_size
from mixsem.bayes.draws import MOST_DRAWS
from mixsem.bayes.estimate import compile_posterior
from mixsem.bayes.laplace import _approximate, laplace_draws
from mixsem.bayes.posterior import Approximate, Equal, Free, Posterior, Random, Role
from mixsem.bayes.quadratic import parameter_scales
from mixsem.bayes.sampling import sample_posterior
from mixsem.bayes.start import rough_point
from mixsem.errors import ApproximationWarning
from mixsem.measurement.approximation_checks import approximation_notices
from mixsem.model.matrices import LAMBDA, ModelMap
from mixsem.syntax.sem import parse_model
from mixsem.syntax.table import measurement_table

MODEL = "F =~ V1 + V2 + V3 + V4 + V5"
#: Differences of means in Monte Carlo standard errors: among some hundred quantities, one in a thousand is beyond 4.5.
LARGEST_Z = 4.5
#: Root mean square of these, which is 1 if the errors are right; the quantities are correlated.
RMS_Z = (0.5, 1.6)
#: Ratio of standard deviations, on average over quantities: 1/sqrt(2 ESS) is 3% for one, quantities are correlated.
SD_RATIO = 0.03


def moments_of(kind: str, n_groups: int, size: int, v: float = 0.0, **options: object) -> mx.SampleMoments:
    population = mx.simulate.Population(
        n_groups=n_groups, group_size=size, loading_variance=v, n_clusters=2, kind=kind, **options
    )
    return mx.simulate.draw_moments(mx.simulate.draw_truth(population, seed=3), seed=3)


def random_effects(model: ModelMap, e: int) -> Role:
    return Random()


def near_invariance(model: ModelMap, e: int) -> Role:
    return Approximate(0.05, 0) if model.matrix[e] == LAMBDA else Free()


def nothing_differs(model: ModelMap, e: int) -> Role:
    return Equal()


def compiled(moments: mx.SampleMoments, role: object) -> Posterior:
    table = measurement_table(parse_model(MODEL), groups=moments.groups)
    return compile_posterior(table, moments, lambda m, e: role(m, e), mx.Priors())


@pytest.fixture(scope="module")
def multilevel() -> Posterior:
    return compiled(moments_of("multilevel", 12, 60), random_effects)


@pytest.fixture(scope="module")
def multigroup() -> Posterior:
    return compiled(moments_of("multigroup", 10, 60, 0.05), near_invariance)


def draw(posterior: Posterior, n: int = 1000, seed: int = 1) -> np.ndarray:
    return laplace_draws(posterior, n, np.random.SeedSequence(seed)).x


@pytest.fixture(scope="module", params=["multilevel", "multigroup"])
def posterior(request: pytest.FixtureRequest) -> Posterior:
    return request.getfixturevalue(request.param)


def test_hessian_has_the_shape_of_an_arrow(posterior: Posterior) -> None:
    """The blocks are those of the dense matrix of differences, which is zero everywhere else."""
    x = find_mode(posterior, rough_point(posterior), np.ones(posterior.n_params), np.empty(0, dtype=np.int64))
    layout = find_layout(posterior)
    arrow = arrow_hessian(posterior, layout, x, np.full(x.size, STEP))
    dense = np.empty((x.size, x.size))
    for i in range(x.size):
        h = np.zeros(x.size)
        h[i] = STEP
        dense[i] = (gradient(posterior, x + h) - gradient(posterior, x - h)) / (2.0 * STEP)
    whole = np.zeros_like(dense)
    for g, row in enumerate(layout.local):
        own, place = row[row >= 0], np.flatnonzero(row >= 0)
        whole[np.ix_(own, own)] = arrow.A[g][np.ix_(place, place)]
        whole[np.ix_(own, layout.shared)] = arrow.C[g][place]
        whole[np.ix_(layout.shared, own)] = arrow.C[g][place].T
    whole[np.ix_(layout.shared, layout.shared)] = arrow.D
    # Both are differences with the same step; rows and columns of the dense one differ by their third derivatives.
    np.testing.assert_allclose(whole, 0.5 * (dense + dense.T), atol=1e-4 * np.abs(dense).max())
    assert np.count_nonzero(whole) < 0.6 * whole.size


def test_systems_are_solved_as_the_dense_one_is(posterior: Posterior) -> None:
    """At the mode, where minus the Hessian is positive definite and nothing has to be mended."""
    scales = parameter_scales(posterior, rough_point(posterior))
    moving = np.flatnonzero(np.isin(posterior.what, ("mean", "common")))
    x = find_mode(posterior, rough_point(posterior), scales, moving)
    layout = Layout(find_layout(posterior).local, moving)
    arrow = arrow_hessian(posterior, layout, x, STEP * scales)
    right = gradient(posterior, x + 0.01)
    present = layout.local >= 0
    local, shared = solve_arrow(arrow, np.where(present, right[layout.local], 0.0), right[moving])
    residual = np.einsum("gij,gj->gi", -arrow.A, local) - arrow.C @ shared
    np.testing.assert_allclose(residual[present], right[layout.local[present]], atol=1e-6 * np.abs(right).max())
    left = np.einsum("gik,gi->k", -arrow.C, local) - arrow.D @ shared
    np.testing.assert_allclose(left, right[moving], atol=1e-6 * np.abs(right).max())


def test_mode_is_one(posterior: Posterior) -> None:
    """What is maximised over has a slope of next to nothing there, measured in standard deviations."""
    scales = parameter_scales(posterior, rough_point(posterior))
    moving = np.flatnonzero(np.isin(posterior.what, ("mean", "common")))
    x = find_mode(posterior, rough_point(posterior), scales, moving)
    layout = Layout(find_layout(posterior).local, moving)
    arrow = arrow_hessian(posterior, layout, x, STEP * scales)
    slope = gradient(posterior, x)
    present = layout.local >= 0
    local, shared = solve_arrow(arrow, np.where(present, slope[layout.local], 0.0), slope[moving])
    decrement = (local[present] * slope[layout.local[present]]).sum() + shared @ slope[moving]
    assert 0.0 <= decrement < 0.01


def test_same_seed_same_draws(multilevel: Posterior) -> None:
    np.testing.assert_array_equal(draw(multilevel, 40), draw(multilevel, 40))
    assert not np.isclose(draw(multilevel, 40), draw(multilevel, 40, seed=2)).all(axis=(0, 1)).any()


def test_number_of_draws(multilevel: Posterior) -> None:
    assert draw(multilevel, 40).shape[:2] == (4, 10)
    assert draw(multilevel, 30).shape[:2] == (1, 30)
    assert draw(multilevel, 4000).shape[:2] == (4, MOST_DRAWS // 4)


def z_scores(ours: np.ndarray, theirs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Differences of means of draws (chains, draws, M) in Monte Carlo standard errors, and ratios of SDs."""
    parts = [(x.mean(axis=(0, 1)), x.std(axis=(0, 1)), effective_size(x)) for x in (ours, theirs)]
    (a, sd, n), (b, their_sd, m) = parts
    return (a - b) / np.sqrt(sd**2 / n + their_sd**2 / m), sd / their_sd


def values_of(posterior: Posterior, x: np.ndarray) -> np.ndarray:
    """Draws of all values on their natural scale that are estimated, (chains, draws, M)."""
    values = posterior.values(x).reshape(*x.shape[:2], -1)
    return values[:, :, values.std(axis=(0, 1)) > 1e-9]


def require_agreement(ours: np.ndarray, theirs: np.ndarray) -> None:
    z, ratio = z_scores(ours, theirs)
    assert np.abs(z).max() < LARGEST_Z
    assert RMS_Z[0] < np.sqrt((z**2).mean()) < RMS_Z[1]
    assert abs(ratio.mean() - 1.0) < SD_RATIO


def test_draws_agree_with_the_sampler(posterior: Posterior) -> None:
    """Groups of 60, spreads near zero among the random ones: far from normal, and no approximation is left in them."""
    theirs = sample_posterior(posterior, mx.Sampling(warmup=500, draws=1000), np.random.SeedSequence(1)).x
    require_agreement(values_of(posterior, draw(posterior)), values_of(posterior, theirs))


def test_a_wrong_approximation_costs_draws_not_correctness(multigroup: Posterior) -> None:
    """With proposals that are off in place and shape, fewer are taken and the distribution is the same."""
    rng = np.random.default_rng(1)
    right, x = _approximate(multigroup, rng)
    wrong, _ = _approximate(multigroup, rng)
    plan = wrong.plan
    wrong.adapt(plan._replace(H=0.6 * plan.H, b=0.6 * plan.b + 2.0, T=np.ascontiguousarray(0.8 * plan.T)))
    draws = []
    for sweeper in (right, wrong):
        chains = [sweeper.run(sweeper.run(x, 100)[-1], 2000) for _ in range(4)]
        draws.append(values_of(multigroup, np.array(chains)))
    assert wrong.acceptance.mean() < 0.8 * right.acceptance.mean()
    require_agreement(*draws)


def test_nothing_but_equal_parameters() -> None:
    """No group has parameters of its own: one group's worth of a normal-theory posterior, without proposals for any."""
    posterior = compiled(moments_of("multigroup", 4, 100), nothing_differs)
    theirs = sample_posterior(posterior, mx.Sampling(warmup=500, draws=1000), np.random.SeedSequence(1)).x
    z, _ = z_scores(draw(posterior), theirs)
    assert np.abs(z).max() < LARGEST_Z


def test_large_groups_are_as_the_normal_approximation_has_them() -> None:
    """With 5000 people per group the posterior is normal around its mode: mean and SD are those of the mode."""
    posterior = compiled(moments_of("multigroup", 4, 5000, 0.05), lambda m, e: Free())
    x = draw(posterior).reshape(-1, posterior.n_params)
    mode = find_mode(posterior, x.mean(axis=0), np.ones(x.shape[1]), np.empty(0, dtype=np.int64))
    layout = find_layout(posterior)
    arrow = arrow_hessian(posterior, layout, mode, np.full(x.shape[1], STEP))
    sd = np.empty(x.shape[1])
    sd[layout.local] = np.sqrt(np.diagonal(np.linalg.inv(-arrow.A), axis1=1, axis2=2))
    # Monte Carlo error of 1000 draws is .03 SD; skewness 1/sqrt(N) moves the mean against the mode by another .03.
    np.testing.assert_allclose((x.mean(axis=0) - mode) / sd, 0.0, atol=0.2)
    np.testing.assert_allclose(x.std(axis=0) / sd, 1.0, atol=0.15)


def fast_fit(size: int, draws: int = 100) -> mx.measurement.bayes_fit.BayesianFit:
    model = mx.MGBCFA(MODEL, method="laplace", sampling=mx.Sampling(draws=draws))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(moments_of("multigroup", 6, size, 0.01), seed=1)


def test_good_draws_are_not_warned_of() -> None:
    fit = fast_fit(100)
    assert not [n for n in fit.notices if n.category is ApproximationWarning]


def test_few_effective_draws_of_a_group_are_named() -> None:
    """A group whose draws move once in a while, as behind proposals that do not suit it."""
    fit = fast_fit(100)
    block = fit.blocks[0]
    i = block.posterior.names.index(f"F~~F [{fit.groups[2]}]")
    x = block.draws.x.copy()
    x[:, :, i] = np.repeat(x[:, ::50, i], 50, axis=1)
    (notice,) = approximation_notices(replace(block, draws=replace(block.draws, x=x)), fit.groups)
    assert notice.category is ApproximationWarning
    assert notice.groups == (fit.groups[2],)
    assert f"F~~F [{fit.groups[2]}]" in notice.text
    assert "method='nuts'" in notice.text
