"""Multilevel SEMs that the tests share."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from mixsem.bayes.draws import Sampling
from mixsem.data.moments import SampleMoments
from mixsem.multilevel import MLSEM, MultilevelFit

ITEMS = [f"{f}{j}" for f in ("a", "b", "c") for j in range(1, 4)]
MEASUREMENT = "A =~ a1 + a2 + a3\nB =~ b1 + b2 + b3\nC =~ c1 + c2 + c3"
STRUCTURAL = "C ~ A + B"
#: Only what the tests look at is random, so that few draws say enough.
RANDOM = ("regressions", "factor variances")
FEW = Sampling(chains=2, warmup=300, draws=300, cores=2)


def simulated(slopes: np.ndarray, n: np.ndarray, seed: int, *, exact: bool = False) -> SampleMoments:
    """C = slope A + 0.4 B + e with Var(e) = 0.6; three items per factor with loadings 1, .8, .7 and variance .4.

    `exact`: the sample covariances are those of the population.
    """
    rng = np.random.default_rng(seed)
    Lambda = np.kron(np.eye(3), np.array([[1.0], [0.8], [0.7]]))
    Psi = np.array([[1.0, 0.3, 0.0], [0.3, 1.0, 0.0], [0.0, 0.0, 0.6]])
    S = []
    for b, people in zip(slopes, n, strict=True):
        B = np.zeros((3, 3))
        B[2, :2] = b, 0.4
        effects = np.linalg.inv(np.eye(3) - B)
        Sigma = Lambda @ effects @ Psi @ effects.T @ Lambda.T + 0.4 * np.eye(9)
        rows = rng.standard_normal((people, 9)) @ np.linalg.cholesky(Sigma).T
        S.append(Sigma if exact else np.cov(rows.T))
    groups = [f"g{g:02d}" for g in range(len(n))]
    return SampleMoments.from_covariances(
        dict(zip(groups, S, strict=True)), n=dict(zip(groups, n.tolist(), strict=True)), items=ITEMS
    )


def quietly(model: MLSEM, moments: SampleMoments, seed: int = 1) -> MultilevelFit:
    """Fit; few draws warn."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(moments, seed=seed)


@pytest.fixture(scope="session")
def sizes() -> np.ndarray:
    """Small and large groups by turns."""
    return np.tile([40, 400], 10)


@pytest.fixture(scope="session")
def slopes() -> np.ndarray:
    """Slopes of A with mean 0.2 and standard deviation 0.25 exactly, unrelated to the size of the groups."""
    z = np.random.default_rng(7).standard_normal((10, 2))
    z = (z - z.mean(axis=0)) / z.std(axis=0)
    return 0.2 + 0.25 * z.ravel()


@pytest.fixture(scope="session")
def moments(slopes: np.ndarray, sizes: np.ndarray) -> SampleMoments:
    """Twenty groups."""
    return simulated(slopes, sizes, seed=3)


@pytest.fixture(scope="session")
def fit(moments: SampleMoments) -> MultilevelFit:
    """Random regressions."""
    return quietly(MLSEM(MEASUREMENT, STRUCTURAL, random=RANDOM, sampling=FEW), moments)
