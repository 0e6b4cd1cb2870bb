"""Fits that the tests of the figures share."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from mixsem.factors import FactorMoments
from mixsem.structural import MixtureFit, MixtureSelection, StructuralMixture

LABELS = ("a", "b", "$c_1$ & $d$", "d\ne", "f", "g", "h", "日本")
FACTORS = ("a_long_name_of_a_factor", "x", "m", "y")


@pytest.fixture(scope="session")
def selection() -> MixtureSelection:
    """One to four clusters of eight groups; two sets of regressions of two outcomes, one regression equal."""
    rng = np.random.default_rng(4)
    Phi = []
    for g in range(8):
        B = np.zeros((4, 4))
        B[2, 0], B[2, 1], B[3, 1], B[3, 2] = (0.6, 0.1, -0.4, 0.3) if g % 3 else (-0.2, 0.5, 0.2, 0.3)
        B[B != 0] += rng.normal(0, 0.03, 4)
        A = np.linalg.inv(np.eye(4) - B)
        Phi.append(A @ A.T)
    moments = FactorMoments.from_covariances(Phi, n=rng.integers(100, 900, 8), factors=FACTORS, groups=LABELS)
    mixture = StructuralMixture(
        "m ~ a_long_name_of_a_factor + x; y ~ x + m", k=range(1, 5), equal=("y ~ m",), n_starts=20
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fits = mixture.fit(moments, seed=1)
    assert isinstance(fits, MixtureSelection)
    return fits


@pytest.fixture(scope="session")
def fit(selection: MixtureSelection) -> MixtureFit:
    """Two clusters of eight groups."""
    return selection[2]
