"""One pass over draws against averages of arrays."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from mixsem.bayes.posterior import Posterior
from mixsem.kernels.draws import summarise_draws
from mixsem.kernels.plain_posterior import (
    entry_values,
    implied_covariances,
    log_likelihoods,
    model_matrices,
)

#: Averages of some numbers of size 1, inverted matrices in between.
ROUNDING = 1e-10


@pytest.mark.parametrize(
    "name",
    [
        "one factor, random",
        "two factors, random",
        "cross-loading",
        "residual covariance of two factors",
        "single item without residual",
        "random regressions",
        "regressions and residual covariance",
    ],
)
def test_averages_are_those_of_a_loop(compiled: Callable[[str], tuple[Posterior, np.ndarray]], name: str):
    posterior, x = compiled(name)
    problem = posterior.problem
    G, p, _ = problem.S.shape
    m, E = int(problem.shape[0]), problem.kind.size
    X = x + 0.03 * np.random.default_rng(3).standard_normal((7, x.size))
    loglik, value = np.full((7, G), np.nan), np.full((G, E), np.nan)
    mean_A, mean_AA, mean_V = (np.full(shape, np.nan) for shape in ((G, m, p), (G, m, p, m, p), (G, m, m)))
    summarise_draws(problem, X, loglik, mean_A, mean_AA, mean_V, value)

    values = entry_values(problem, X)
    Lambda, _, Phi, _ = model_matrices(problem, values)
    Sigma = implied_covariances(problem, values)
    A = Phi @ Lambda.swapaxes(-1, -2) @ np.linalg.inv(Sigma)
    V = Phi - A @ Lambda @ Phi
    close = {"rtol": ROUNDING, "atol": ROUNDING}
    np.testing.assert_allclose(value, values.mean(axis=0), **close)
    np.testing.assert_allclose(mean_A, A.mean(axis=0), **close)
    np.testing.assert_allclose(mean_AA, np.einsum("dgqj,dgrk->gqjrk", A, A) / 7, **close)
    np.testing.assert_allclose(mean_V, V.mean(axis=0), **close)
    np.testing.assert_allclose(loglik, log_likelihoods(problem, Sigma), rtol=ROUNDING)
