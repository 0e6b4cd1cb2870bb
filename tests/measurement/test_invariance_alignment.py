"""Alignment: recovery of a known population, and a case worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import approx_fprime, minimize_scalar

import mixsem as mx
from mixsem.errors import ModelError, OptionError
from mixsem.kernels.alignment import simplicity
from mixsem.measurement.invariance_sets import invariant_sets

MODEL = "F =~ x1 + x2 + x3 + x4 + x5"
ITEMS = [f"x{j}" for j in range(1, 6)]
LAMBDA = np.array([1.0, 0.8, 0.9, 0.7, 1.1])


def population(
    groups: int, n: int, *, exact: bool = True, seed: int = 1
) -> tuple[mx.SampleMoments, np.ndarray, np.ndarray]:
    """Every fourth group has a loading, every fourth an intercept of its own; the first group is the reference."""
    rng = np.random.default_rng(seed)
    means, sds = rng.normal(scale=0.5, size=groups), np.exp(rng.normal(scale=0.2, size=groups))
    means[0], sds[0] = 0.0, 1.0
    S, M = {}, {}
    for g in range(groups):
        loading, intercept = LAMBDA.copy(), np.zeros(5)
        loading[1] += 0.5 * (g % 4 == 1)
        intercept[3] -= 0.6 * (g % 4 == 2)
        Sigma, mu = np.outer(loading, loading) * sds[g] ** 2 + 0.5 * np.eye(5), intercept + loading * means[g]
        x = rng.multivariate_normal(mu, Sigma, n)
        S[g], M[g] = (Sigma, mu) if exact else (np.cov(x.T, ddof=0), x.mean(axis=0))
    return mx.SampleMoments.from_covariances(S, n=n, means=M, items=ITEMS, divisor="n"), means, sds


@pytest.mark.parametrize("kind", ["fixed", "free"])
def test_the_population_is_recovered(kind: str) -> None:
    moments, means, sds = population(16, 500)
    found = mx.align(mx.cfa(MODEL, moments), kind=kind, starts=3)
    factor = found.factors[0]
    # The simplicity function with epsilon = .01 is not exactly unbiased in the population.
    np.testing.assert_allclose(factor.means, means, atol=0.04)
    scale = 1.0 if kind == "fixed" else np.exp(np.log(sds).mean())
    np.testing.assert_allclose(np.sqrt(factor.variances), sds / scale, atol=0.04)
    np.testing.assert_array_equal((~factor.loading_invariant).sum(axis=0), [0, 4, 0, 0, 0])
    np.testing.assert_array_equal((~factor.intercept_invariant).sum(axis=0), [0, 0, 0, 4, 0])
    assert factor.loading_r2[[0, 2, 3, 4]].min() > 0.98 > 0.6 > factor.loading_r2[1]
    assert factor.intercept_r2[[0, 2, 4]].min() > 0.98 > factor.intercept_r2[3]


def test_samples_come_close() -> None:
    moments, means, sds = population(16, 1000, exact=False)
    factor = mx.align(mx.cfa(MODEL, moments), starts=3).factors[0]
    assert np.corrcoef(factor.means, means)[0, 1] > 0.98
    assert np.abs(factor.means - means).mean() < 0.06
    assert np.corrcoef(factor.variances, sds**2)[0, 1] > 0.95
    naive = np.abs(means).mean()
    assert naive > 0.2  # there was something to find


def test_two_groups_by_hand() -> None:
    """Equal loadings leave the mean, for which the simplicity function is a sum of five terms."""
    Sigma = np.outer(LAMBDA, LAMBDA) + 0.5 * np.eye(5)
    shift = np.array([0.5, 0.5, 0.5, -0.4, 0.5]) * LAMBDA
    moments = mx.SampleMoments.from_covariances(
        {"A": Sigma, "B": Sigma}, n=400, means={"A": np.zeros(5), "B": shift}, items=ITEMS, divisor="n"
    )
    epsilon = 0.01
    by_hand = minimize_scalar(
        lambda a: float((((shift - a * LAMBDA) ** 2 + epsilon) ** 0.25).sum()), bounds=(0.3, 0.7), method="bounded"
    )
    found = mx.align(mx.cfa(MODEL, moments), epsilon=epsilon, starts=5)
    assert found.reference == "A"
    # Variances move a little as well, to share the misfit; four of five items hold them.
    assert found.factors[0].means[1] == pytest.approx(by_hand.x, abs=0.01)
    assert found.factors[0].variances[1] == pytest.approx(1.0, abs=0.03)


def test_gradient() -> None:
    rng = np.random.default_rng(2)
    L, N, n = rng.uniform(0.5, 1.2, (6, 4)), rng.normal(size=(6, 4)), rng.integers(50, 300, 6).astype(float)
    for free in (np.ones(6, dtype=bool), np.arange(6) > 0):
        x = 0.3 * rng.normal(size=12)
        slope = approx_fprime(x, lambda z, free=free: simplicity(L, N, n, z, 0.01, free)[0], 1e-7)
        np.testing.assert_allclose(simplicity(L, N, n, x, 0.01, free)[1], slope, atol=2e-6)


def test_the_scale_and_the_reference_do_not_matter() -> None:
    moments, _, _ = population(6, 500)
    a, b = (mx.align(mx.cfa(MODEL, moments, std_lv=std), starts=4).factors[0] for std in (False, True))
    np.testing.assert_allclose(a.loadings, b.loadings, atol=2e-3)
    np.testing.assert_allclose(a.loading_errors, b.loading_errors, rtol=2e-2)
    other = mx.align(mx.cfa(MODEL, moments), reference=3, starts=4)
    factor = other.factors[0]
    assert (factor.means[3], factor.variances[3]) == (0.0, pytest.approx(1.0))


def test_frames_and_tables() -> None:
    moments, _, _ = population(6, 500)
    found = mx.align(mx.cfa(MODEL, moments), starts=2)
    assert found.to_pandas().shape == (6 * 5 * 2, 7)
    assert found.means()["group"].tolist() == list(range(6))
    assert "Aligned parameters" in repr(found)


def test_sets_of_groups() -> None:
    values = np.array([0.0, 0.01, -0.01, 0.5, 0.52, 2.0])[:, None]
    member = invariant_sets(values, np.full((6, 1), 0.02), np.array([100.0, 100, 100, 100, 100, 1000]))
    assert member.ravel().tolist() == [False] * 5 + [True]  # a large group can be a set of its own
    member = invariant_sets(values, np.full((6, 1), 0.02), np.full(6, 100.0))
    assert member.ravel().tolist() == [True] * 3 + [False] * 3


def test_what_cannot_be_aligned_is_refused() -> None:
    moments, _, _ = population(4, 200)
    with pytest.raises(ModelError, match="equal over groups"):
        mx.align(mx.cfa(MODEL, moments, group_equal="loadings"))
    with pytest.raises(ModelError, match="several factors"):
        mx.align(mx.cfa("F =~ x1 + x2 + x3; G =~ x3 + x4 + x5", moments))
    configural = mx.cfa(MODEL, moments)
    for options in ({"kind": "fix"}, {"reference": 9}, {"kind": "free", "reference": 1}, {"epsilon": 0}, {"starts": 0}):
        with pytest.raises(OptionError):
            mx.align(configural, **options)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="one group"):
        mx.align(mx.cfa("visual =~ x1 + x2 + x3", mx.data.holzinger_swineford_1939()))
