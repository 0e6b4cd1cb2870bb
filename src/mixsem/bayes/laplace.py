"""PLACEHOLDER"""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from ..kernels.group_sweeps import Plan, run_sweeps
from .arrow_hessian import find_mode
from .draws import Draws
from .posterior import Posterior
from .quadratic import parameter_scales, quadratic_plan, with_metric
from .start import rough_point

__all__ = ["laplace_draws"]

Array = NDArray[np.float64]

CHAINS = 4
KEEP = -0.4
STEPS = 2
BURN = (30, 40)
SETTLE = 15
CHUNK = 100


def laplace_draws(posterior: Posterior, n_draws: int, seed: np.random.SeedSequence) -> Draws:
    """Draw from a Gaussian approximation of the posterior."""
    begin = time.perf_counter()
    rng = np.random.default_rng(seed)
    x = rough_point(posterior)
    scales = parameter_scales(posterior, x)
    unknown = np.array([what in ("mean", "common") for what in posterior.what])
    x = find_mode(posterior, x, np.flatnonzero(unknown))
    shared = np.array([what in ("mean", "sd", "common") for what in posterior.what])
    none = np.empty(0, dtype=np.int64)
    plan = with_metric(posterior, quadratic_plan(posterior, x, scales), x[None], scales)
    step_size = 0.8
    for length in BURN:
        draws, accepted, taken = sweep(posterior, plan, x, length, step_size, rng)
        x = draws[-1].copy()
        late = draws[length // 3 :]
        centre = find_mode(posterior, np.where(shared, late.mean(axis=0), 0.5*late.mean(axis=0)+0.5*x), none)
        plan = with_metric(posterior, quadratic_plan(posterior, centre, scales), late[:: len(late) // 3], scales)
        step_size *= 0.7 if taken < 0.6 else 1.15 if taken > 0.9 else 1.0
    started = time.perf_counter()
    n_chains = CHAINS if n_draws % CHAINS == 0 else 1
    kept = np.empty((n_chains, n_draws // n_chains, x.size))
    total = np.zeros(posterior.problem.nu.size)
    all_taken = 0
    for chain in range(n_chains):
        settled, _, _ = sweep(posterior, plan, x, SETTLE, step_size, rng)
        kept[chain], accepted, taken = sweep(posterior, plan, settled[-1].copy(), kept.shape[1], step_size, rng)
        total += accepted / n_chains
        all_taken += taken / n_chains
    laplace_draws.info = (total, all_taken, step_size)
    shape = kept.shape[:2]
    seconds = {"load": 0.0, "start": started - begin, "sample": time.perf_counter() - started}
    return Draws(
        kept, np.zeros(shape, dtype=bool), np.zeros(shape, dtype=np.int64), np.zeros(shape), np.full(n_chains, step_size),
        0, seconds,
    )


def sweep(posterior: Posterior, plan: Plan, x: Array, n: int, step_size: float, rng: np.random.Generator):
    problem = posterior.problem
    draws = np.empty((n, x.size))
    G = problem.nu.size
    accepted = np.zeros(G)
    taken = 0
    freedom = np.maximum(problem.shear[:, 2] - 1, 1)
    for first in range(0, n, CHUNK):
        part = draws[first : first + CHUNK]
        D, K = len(part), len(problem.shear)
        randoms = (
            rng.standard_normal((D, x.size)),
            -rng.standard_exponential((D, 2, G)),
            rng.random((D, G)),
            2.0 * rng.standard_t(3.0, (D, G)),
            rng.standard_normal((D, K)),
            np.sqrt(rng.chisquare(freedom, (D, K))),
            -rng.standard_exponential((D, K)),
            rng.standard_normal((D, plan.T.shape[1])),
            step_size * rng.uniform(0.75, 1.25, D),
            -rng.standard_exponential(D),
        )
        taken += run_sweeps(problem, plan, x, KEEP, STEPS, randoms, part, accepted)
    return draws, accepted / n, taken / n
