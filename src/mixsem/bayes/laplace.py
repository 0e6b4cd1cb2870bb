"""Draws from a block's posterior with proposals from Laplace approximations: few, nearly independent, cheap.

Given the parameters c that groups share (means, spreads, what is equal), groups are independent. Around the mode of a
group's own parameters given c, with u their linear predictors (mean + spread x deviation, or the parameter itself),

    log L_g(u) ~ b_g'u - u'H_g u / 2,    b_g = b_g0 - C_g (c - c_0),

and for deviations z, u = mu + s z with prior N(0, 1), the conditional distribution is approximately normal with

    precision  s H_g s + I,    mean  (s H_g s + I)^-1 s (b_g - H_g mu).

It is recomputed for every c, so a spread near zero is nothing special. A Laplace approximation would stop here. It
errs where groups are small: variances of small groups are skewed, and have long tails where an item's unique variance
may be zero. And the joint mode over spreads and deviations is far from where the mass is. So the approximation serves
as a proposal, and what it lacks is made up for by Metropolis-Hastings. A sweep consists of

1. c: Hamiltonian steps in coordinates in which the groups follow (`mixsem.kernels.shear`): the linear predictors keep
   their pattern, and what is free in every group follows by its approximate conditional mean. Spreads move on their
   own scale and through zero, where the density is smooth if a negative spread counts as a positive one. The metric
   is the curvature near the mode.
2. mu and s given all linear predictors: drawn from their prior given these, which only the priors of mu and s correct.
3. u of every group given c, all groups in one pass: with y the standardized deviation from the approximate mean, the
   proposal is KEEP y + sqrt(1 - KEEP^2) e, which the approximation leaves invariant, so that a group's acceptance
   ratio is that of L_g to its approximation. KEEP is negative: successive draws lie on opposite sides of the mean, and
   averages over draws are more precise than over independent ones (Adler's over-relaxation). Where the approximation
   is rough, more random walks along single axes follow, with long-tailed steps.

A short run finds c, and the approximations are made anew there; then nothing is adapted any more. The draws have the
posterior as their distribution, not the approximation; what remains is Monte Carlo error. The effective number of
draws tells it, and there is a warning where it is small.

References
----------
Tierney & Kadane (1986), Accurate approximations for posterior moments. Adler (1981), Over-relaxation method for the
Monte Carlo evaluation of the partition function. Papaspiliopoulos, Roberts & Sköld (2007), A general framework for the
parametrization of hierarchical models. Cotter, Roberts, Stuart & White (2013), MCMC methods for functions.
"""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from ..kernels.group_sweeps import run_sweeps
from ..kernels.shared_moves import Plan
from .arrow_hessian import find_mode
from .draws import MOST_DRAWS, Draws
from .posterior import Posterior
from .quadratic import parameter_scales, quadratic_plan, with_metric
from .start import rough_point

__all__ = ["laplace_draws"]

Array = NDArray[np.float64]

CHAINS = 4
#: Share of its deviation that a group's proposal keeps.
KEEP = -0.4
#: Steps of the shared parameters per sweep, and the first step size in units of their conditional deviations.
STEPS, STEP_SIZE = 2, 0.8
#: Sweeps of the two short runs that find the place, and of each chain before its draws count.
BURN, SETTLE = (30, 40), 15
#: Walks along axes per sweep, usually and if the approximation of some group is accepted less often than `ROUGH`.
AXES, MANY_AXES, ROUGH = 2, 8, 0.6
#: Smallest and largest standard deviation of a walk's step, in conditional deviations.
JUMPS = (0.7, 12.0)
#: Sweeps whose random numbers are drawn at a time.
CHUNK = 50


def laplace_draws(posterior: Posterior, n_draws: int, seed: np.random.SeedSequence) -> Draws:
    """Draw from the posterior by Metropolis-Hastings with proposals from Laplace approximations.

    Parameters
    ----------
    posterior
        The compiled block.
    n_draws
        Number of draws; more than `MOST_DRAWS` are cut to that.
    seed
        The same seed gives the same draws.

    Returns
    -------
    Draws
        In four chains, if that divides their number, else in one.
    """
    begin = time.perf_counter()
    rng = np.random.default_rng(seed)
    sweeper, x = _approximate(posterior, rng)
    started = time.perf_counter()
    n_draws = min(n_draws, MOST_DRAWS)
    chains = CHAINS if n_draws % CHAINS == 0 else 1
    draws = np.empty((chains, n_draws // chains, posterior.n_params))
    for chain in draws:
        settled = sweeper.run(x, SETTLE)
        chain[:] = sweeper.run(settled[-1], len(chain))
    seconds = {"load": 0.0, "start": started - begin, "sample": time.perf_counter() - started}
    return Draws(
        x=draws,
        diverging=np.zeros(draws.shape[:2], dtype=bool),
        depth=np.full(draws.shape[:2], STEPS, dtype=np.int64),
        energy=np.full(draws.shape[:2], np.nan),
        step_size=np.full(chains, sweeper.step_size),
        n_gradients=(STEPS + 1) * sweeper.n_sweeps,
        seconds=seconds,
    )


def _approximate(posterior: Posterior, rng: np.random.Generator) -> tuple[_Sweeper, Array]:
    """Approximations where the posterior's mass is, and a point there."""
    rough = rough_point(posterior)
    scales = parameter_scales(posterior, rough)
    nothing = np.empty(0, dtype=np.int64)
    x = find_mode(posterior, rough, scales, np.flatnonzero(np.isin(posterior.what, ("mean", "common"))))
    plan = with_metric(posterior, quadratic_plan(posterior, x, scales), x[None], scales)
    sweeper = _Sweeper(posterior, plan, rng)
    for length in BURN:
        draws = sweeper.run(x, length)
        late = draws[length // 3 :]
        mode = find_mode(posterior, late.mean(axis=0), scales, nothing)
        points = late[:: len(late) // 3]
        sweeper.adapt(with_metric(posterior, quadratic_plan(posterior, mode, scales), points, scales))
        x = draws[-1]
    return sweeper, x


class _Sweeper:
    """Runs sweeps of one posterior; changes only when told to adapt."""

    def __init__(self, posterior: Posterior, plan: Plan, rng: np.random.Generator) -> None:
        self.problem, self.plan, self.rng = posterior.problem, plan, rng
        self.step_size, self.n_axes, self.n_sweeps = STEP_SIZE, AXES, 0
        self.acceptance, self.taken = np.ones(posterior.problem.nu.size), 1.0

    def run(self, x: Array, n: int) -> Array:
        """Sweep n times from x; all points visited, shape (n, P)."""
        draws, x = np.empty((n, x.size)), x.copy()
        accepted, taken = np.zeros(self.problem.nu.size), 0
        for first in range(0, n, CHUNK):
            part = draws[first : first + CHUNK]
            randoms = self._randoms(len(part), x.size)
            taken += run_sweeps(self.problem, self.plan, x, KEEP, STEPS, randoms, part, accepted)
        self.acceptance, self.taken = accepted / n, taken / n
        self.n_sweeps += n
        return draws

    def adapt(self, plan: Plan) -> None:
        """Take other approximations, and tune what the last run's acceptance calls for."""
        self.plan = plan
        self.step_size *= 0.7 if self.taken < 0.6 else 1.15 if self.taken > 0.9 else 1.0
        own = plan.local[:, :1].min(axis=1, initial=0) >= 0  # groups with parameters of their own
        self.n_axes = MANY_AXES if (self.acceptance[own] < ROUGH).any() else AXES

    def _randoms(self, n: int, n_params: int) -> tuple[Array, ...]:
        """Random numbers of n sweeps, in the order of `run_sweeps`."""
        rng, G, K = self.rng, self.problem.nu.size, len(self.problem.shear)
        walks = (n, self.n_axes, G)
        low, high = np.log(JUMPS)
        return (
            rng.standard_normal((n, 1 + self.n_axes // 2, n_params)),
            -rng.standard_exponential((n, 1 + self.n_axes, G)),
            rng.random(walks),
            rng.standard_normal(walks) * np.exp(rng.uniform(low, high, walks)),
            rng.standard_normal((n, K)),
            np.sqrt(rng.chisquare(np.maximum(self.problem.shear[:, 2] - 1, 1), (n, K))),
            -rng.standard_exponential((n, K)),
            rng.standard_normal((n, self.plan.T.shape[1])),
            self.step_size * rng.uniform(0.75, 1.25, n),
            -rng.standard_exponential(n),
        )
