"""One small Bayesian fit for all tests of step 2: its formulas hold for any draws, so few of them do."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import mixsem as mx
from mixsem.simulate import Population, draw_frame, draw_truth

MEASUREMENT = "\n".join(f"F{q} =~ " + " + ".join(f"V{j}" for j in range(5 * q - 4, 5 * q)) for q in range(1, 4))
SHORT = mx.Sampling(chains=2, warmup=100, draws=60)


def fit_quietly(model, data, group: str | None = "group", seed: int = 1):
    """A fit whose chains are too short, on purpose."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(data, group, seed=seed)


@pytest.fixture(scope="session")
def quietly():
    """A fit without its warnings."""
    return fit_quietly


@pytest.fixture(scope="session")
def people() -> pd.DataFrame:
    """Seven groups of 23 to 60 people, means that differ, rows in no order."""
    sizes = (23, 30, 35, 40, 45, 50, 60)
    truth = draw_truth(Population(n_groups=7, group_size=sizes, n_clusters=2, kind="multigroup"), seed=8)
    frame = draw_frame(truth, seed=8)
    frame[list(truth.items)] += np.random.default_rng(8).normal(3.0, 1.0, (7, 20))[frame["group"] - 1]
    return frame.sample(frac=1.0, random_state=8)


@pytest.fixture(scope="session")
def pair_fit(people):
    """F1 and F2 in one block, with a residual covariance; F3 in another."""
    model = mx.MGBCFA(MEASUREMENT + "\nV2 ~~ V7", blocks=[["F1", "F2"], ["F3"]], sampling=SHORT)
    return fit_quietly(model, people)


@pytest.fixture(scope="session")
def single_fit(people):
    """One block per factor: random loadings, unique variances and factor variances."""
    return fit_quietly(mx.MLCFA(MEASUREMENT, sampling=SHORT), people)


@pytest.fixture(scope="session", params=["pair", "single"])
def bayes_fit(request, pair_fit, single_fit):
    return pair_fit if request.param == "pair" else single_fit
