"""R-squared and standardized regressions against what the matrices say for one group."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import mixsem as mx
from mixsem.errors import UnsupportedModelError
from mixsem.structural import MixtureFit

EXACT = 1e-9
#: Groups of the other cluster, whose membership is not quite certain, move the regressions a little.
ALMOST = 1e-4


@pytest.fixture(scope="module")
def fit() -> MixtureFit:
    rng = np.random.default_rng(2)
    slopes = np.where(np.arange(10) < 6, 0.6, 0.1)
    variances = rng.uniform(0.5, 2.0, 10)
    Phi = [[[v, b * v], [b * v, b * b * v + 1.0]] for b, v in zip(slopes, variances, strict=True)]
    n = rng.integers(100, 500, 10)
    given = mx.FactorMoments.from_covariances(Phi, n=n, factors=["x", "y"], groups=list("abcdefghij"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = mx.StructuralMixture("y ~ x", 2, n_starts=10).fit(given, seed=1)
    assert isinstance(found, MixtureFit)
    return found


def test_groups_by_hand(fit: MixtureFit) -> None:
    """In its own cluster a group's covariances are reproduced: R-squared is its squared correlation."""
    explained = mx.r2(fit).query("level == 'group'").set_index(["group", "cluster"])
    scaled = mx.standardized(fit).query("level == 'group'").set_index(["group", "cluster"])
    for g, group in enumerate(fit.groups):
        own = int(fit.clusters[g])
        Phi = fit.moments.Phi[g]
        r = Phi[0, 1] / np.sqrt(Phi[0, 0] * Phi[1, 1])
        assert explained.loc[(group, own), "r2"] == pytest.approx(r**2, rel=ALMOST)
        assert scaled.loc[(group, own), "estimate"] == pytest.approx(r, rel=ALMOST)
        for c in (1, 2):
            b, psi = fit.coefficients[c - 1, 0], fit.Psi[g, c - 1, 1, 1]
            share = b**2 * Phi[0, 0] / (b**2 * Phi[0, 0] + psi)
            assert explained.loc[(group, c), "r2"] == pytest.approx(share, rel=EXACT)
            assert scaled.loc[(group, c), "estimate"] == pytest.approx(np.sign(b) * np.sqrt(share), rel=EXACT)
            assert explained.loc[(group, c), "probability"] == fit.posterior[g, c - 1]


@pytest.mark.parametrize(("function", "column"), [(mx.r2, "r2"), (mx.standardized, "estimate")])
def test_clusters_are_means_over_people(fit: MixtureFit, function, column: str) -> None:  # type: ignore[no-untyped-def]
    frame = function(fit)
    for c in (1, 2):
        own = frame[(frame["cluster"] == c) & (frame["level"] == "group")]
        mean = np.average(own[column], weights=own["probability"] * own["n"])
        row = frame[(frame["cluster"] == c) & (frame["level"] == "cluster")].iloc[0]
        assert row[column] == pytest.approx(mean, rel=EXACT)
        assert row["group"] is None
        assert row["n"] == fit.moments.n[fit.clusters == c].sum()
        assert row["probability"] == fit.proportions[c - 1]


@pytest.mark.parametrize("function", [mx.r2, mx.standardized])
def test_other_things_are_refused(function) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UnsupportedModelError, match=r"got dict"):
        function({})
