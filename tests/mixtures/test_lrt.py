"""The bootstrap likelihood-ratio test of the number of clusters."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest

import mixsem as mx
from mixsem.errors import FewStartsWarning, MixsemWarning, OptionError
from mixsem.mixtures.resampling import wishart_covariances

STRUCTURAL = "F3 ~ F1 + F2; F4 ~ F1 + F3"
FACTORS = ("F1", "F2", "F3", "F4")
MEASUREMENT = "; ".join(f"F{f + 1} =~ " + " + ".join(f"V{5 * f + j}" for j in range(1, 6)) for f in range(4))


def given(seed: int, n_groups: int = 12) -> mx.FactorMoments:
    truth = mx.simulate.draw_truth(mx.simulate.Population(n_groups, 100, 2, beta=0.4), seed)
    Phi = wishart_covariances(truth.Phi, truth.n, np.random.default_rng(seed))
    return mx.FactorMoments.from_covariances(Phi, n=truth.n, factors=FACTORS, groups=range(n_groups))


def selected(moments: mx.FactorMoments) -> mx.MixtureSelection:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MixsemWarning)
        return mx.StructuralMixture(STRUCTURAL, k=(1, 2, 3), n_starts=30).fit(moments, seed=1)


@pytest.fixture(scope="module")
def fits() -> mx.MixtureSelection:
    return selected(given(1))


def test_two_clusters_are_better_than_one(fits):
    test = mx.bootstrap_lrt(fits, 1, n=19, n_starts=5)
    assert test.statistic == pytest.approx(2 * (fits[2].loglik - fits[1].loglik))
    assert (test.n_exceeding, test.p_value) == (0, 1 / 20)
    assert (test.simulated > -2e-3).all()
    text = str(test)
    assert "1 against 2 clusters" in text
    assert "vary smoothly" in text
    assert "treated as observed" not in text  # the covariances were given


def test_given_moments_and_single_fits(fits):
    kept = mx.bootstrap_lrt(fits, 1, n=9, n_starts=5, seed=3).simulated
    alone = mx.bootstrap_lrt(fits[1], 1, n=9, n_starts=5, seed=3)
    raw = mx.bootstrap_lrt(fits[1].moments, 1, n=9, n_starts=5, seed=3, model=STRUCTURAL)
    assert np.array_equal(alone.simulated, kept)
    assert raw.simulated == pytest.approx(kept, abs=1e-3)
    assert raw.statistic == pytest.approx(alone.statistic, abs=1e-4)


def test_it_stops_early(fits):
    whole = mx.bootstrap_lrt(fits, 2, n=30, n_starts=5)
    assert whole.n_exceeding >= 2, "choose another seed of the data"
    early = mx.bootstrap_lrt(fits, 2, n=30, n_starts=5, stop_after=2)
    m = early.simulated.size
    assert np.array_equal(early.simulated, whole.simulated[:m])
    assert early.stopped
    assert early.p_value == 2 / m
    assert not whole.stopped
    assert whole.p_value == (1 + whole.n_exceeding) / 31
    two = mx.bootstrap_lrt(fits, 2, n=30, n_starts=5, stop_after=2, workers=2)
    assert np.array_equal(early.simulated, two.simulated)


def test_a_store_goes_on(fits, tmp_path):
    store = tmp_path / "lrt.jsonl"
    mx.bootstrap_lrt(fits, 1, n=6, n_starts=3, store=store)
    resumed = mx.bootstrap_lrt(fits, 1, n=12, n_starts=3, store=store)
    assert np.array_equal(resumed.simulated, mx.bootstrap_lrt(fits, 1, n=12, n_starts=3).simulated)


def test_a_worse_fit_with_more_clusters_is_told(fits):
    poor = mx.MixtureSelection((fits[1], replace(fits[2], loglik=fits[1].loglik - 1.0)))
    with pytest.warns(FewStartsWarning, match="worse than fewer"):
        test = mx.bootstrap_lrt(poor, 1, n=4, n_starts=2)
    assert test.p_value == 1.0


def test_items_can_be_simulated():
    truth = mx.simulate.draw_truth(mx.simulate.Population(8, 100, 2, beta=0.4), seed=2)
    step1 = mx.MGCFA(MEASUREMENT).fit(mx.simulate.draw_moments(truth, seed=2))
    fits = selected(mx.factor_moments(step1))
    items = mx.bootstrap_lrt(fits, 1, n=9, n_starts=3, level="items")
    factors = mx.bootstrap_lrt(fits, 1, n=9, n_starts=3)
    assert items.p_value == factors.p_value == 0.1
    assert "treated as observed" in str(factors)
    assert "treated as observed" not in str(items)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"k0": 2, "k1": 2}, "k0=2"),
        ({"k0": 0}, "k0=0"),
        ({"k0": 1, "level": "rows"}, "level"),
        ({"k0": 1, "stop_after": 0}, "stop_after"),
        ({"k0": 1, "n": 1}, "n=1"),
        ({"k0": 1, "model": STRUCTURAL}, "model="),
    ],
)
def test_options_are_checked(fits, options, match):
    with pytest.raises(OptionError, match=match):
        mx.bootstrap_lrt(fits, **options)


def test_moments_need_a_model(fits):
    with pytest.raises(OptionError, match="without model="):
        mx.bootstrap_lrt(fits[1].moments, 1)
    with pytest.raises(OptionError, match="got str"):
        mx.bootstrap_lrt("fits", 1)


@pytest.mark.slow
def test_it_finds_the_true_number_of_clusters():
    """Two clusters: one is always rejected, two hardly ever (expected: 0.25 of 5 data sets)."""
    kept = 0
    for seed in range(5):
        fits = selected(given(seed, n_groups=20))
        assert mx.bootstrap_lrt(fits, 1, n=39, n_starts=8).p_value == 1 / 40
        kept += mx.bootstrap_lrt(fits, 2, n=39, n_starts=8, stop_after=10).p_value > 0.05
    assert kept >= 4
