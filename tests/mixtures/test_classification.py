"""Classification tables, groups near a border, and stability over starts and numbers of clusters."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import mixsem as mx
from mixsem.errors import OptionError
from mixsem.simulate import adjusted_rand_index
from mixsem.structural.solutions import KEPT, distinct_solutions

ROUNDING = 1e-12
SLOPES = (0.5, 0.52, 0.47, 0.32, 0.1, 0.12, 0.08, 0.11)


@pytest.fixture(scope="module")
def fits() -> mx.MixtureSelection:
    Phi = [[[1.0, b], [b, 1.0]] for b in SLOPES]
    moments = mx.FactorMoments.from_covariances(Phi, n=[90] * 8, factors=["x", "y"], groups=list("abcdefgh"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = mx.StructuralMixture("y ~ x", k=(1, 2, 3), n_starts=25).fit(moments, seed=1)
    assert isinstance(found, mx.MixtureSelection)
    return found


def test_the_table_by_hand(fits: mx.MixtureSelection) -> None:
    fit = fits[2]
    found = mx.classification(fit)
    z, modal = fit.posterior, fit.clusters - 1
    for c in range(2):
        members = z[modal == c]
        assert np.allclose(found.average[c], members.mean(axis=0), atol=ROUNDING)
        assert found.assigned[c, c] == pytest.approx(members[:, c].sum() / z[:, c].sum(), abs=ROUNDING)
    assert found.error == pytest.approx(1 - z.max(axis=1).mean(), abs=ROUNDING)
    assert np.allclose(found.assigned.sum(axis=1), 1.0) and np.allclose(found.average.sum(axis=1), 1.0)
    # The modal groups are what the expected ones are expected to become.
    assert np.allclose(found.expected @ found.assigned, found.modal)
    assert found.entropy_r2 == pytest.approx(fit.entropy_r2, abs=1e-6)


def test_groups_near_a_border(fits: mx.MixtureSelection) -> None:
    border = mx.classification(fits[2]).border
    assert [b.group for b in border] == ["d"]
    first, second = border[0].probabilities
    assert border[0].clusters[0] == fits[2].clusters[3] and first + second == pytest.approx(1.0)
    assert border[0].odds == pytest.approx(first / second)
    assert len(mx.classification(fits[2], certain=1.0).border) == 8


def test_it_says_that_it_is_overconfident(fits: mx.MixtureSelection) -> None:
    assert "overconfident" in repr(mx.classification(fits[2])) and "overconfident" in repr(fits[2])
    assert "overconfident" not in repr(mx.classification(fits[1])) and "overconfident" not in repr(fits[1])


def test_refusals(fits: mx.MixtureSelection) -> None:
    with pytest.raises(OptionError, match="fits"):
        mx.classification(fits)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="not of this mixture"):
        mx.classification(fits[2], mx.propagated_posterior(fits[3], seed=1))
    with pytest.raises(OptionError, match="certain"):
        mx.classification(fits[2], certain=2)
    with pytest.raises(OptionError, match="tolerance"):
        mx.stability(fits, tolerance=-1)
    with pytest.raises(OptionError, match="stability"):
        mx.stability(3)  # type: ignore[arg-type]


def test_from_each_number_of_clusters_to_the_next(fits: mx.MixtureSelection) -> None:
    steps = mx.stability(fits).transitions
    assert [(s.fewer, s.more) for s in steps] == [(1, 2), (2, 3)]
    for step in steps:
        before, after = fits[step.fewer].clusters, fits[step.more].clusters
        for a, b in np.ndindex(step.table.shape):
            assert step.table[a, b] == ((before == a + 1) & (after == b + 1)).sum()
        assert step.agreement == pytest.approx(adjusted_rand_index(before, after))
    assert steps[0].splits == (1,) and steps[0].nested == 1.0
    assert "splits into" in repr(mx.stability(fits))


def test_other_solutions_are_numbered_as_the_best_one() -> None:
    """Groups without clusters: starts end in many places, and the stable groups keep their number."""
    rng = np.random.default_rng(3)
    Phi = [[[1.0, b], [b, 1.0]] for b in rng.normal(0.3, 0.12, 20)]
    moments = mx.FactorMoments.from_covariances(Phi, n=[150] * 20, factors=["x", "y"], groups=range(20))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = mx.StructuralMixture("y ~ x", k=4, n_starts=60).fit(moments, seed=1)
    assert isinstance(fit, mx.MixtureFit)
    found = mx.stability(fit, tolerance=20)
    assert found.others
    for other in found.others:
        moved = [g for g in range(20) if other.clusters[g] != fit.clusters[g]]
        assert list(other.moved) == moved and len(moved) <= 10
        assert 0 < other.below <= 20 and other.share == other.n_starts / 60
    belows = [other.below for other in found.others]
    assert belows == sorted(belows)
    assert set(found.moving(4)) == {g for other in found.others for g in other.moved}


def test_distinct_solutions_count_starts() -> None:
    logliks = np.array([-5.0, -3.0, -3.0004, -5.0003, -9.0, *(-20.0 - i for i in range(20))])
    clusters = np.random.default_rng(1).integers(2, size=(logliks.size, 6))
    found = distinct_solutions(logliks, clusters, 1e-3)
    assert len(found) == KEPT and [s.n_starts for s in found[:3]] == [2, 2, 1]
    assert found[0].loglik == -3.0 and (found[0].clusters == clusters[1]).all()


def test_the_record_of_a_fit_holds_them(fits: mx.MixtureSelection) -> None:
    best = fits[2].starts.solutions[0]
    assert fits[2].starts.best == pytest.approx(best.loglik, abs=1e-3)
    assert adjusted_rand_index(best.clusters, fits[2].clusters) == 1.0
    assert sum(s.n_starts for s in fits[2].starts.solutions) <= fits[2].starts.n_starts
