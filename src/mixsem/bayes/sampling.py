"""Draw from a posterior with the No-U-Turn sampler."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ..kernels.shear import sheared_parameters
from .draws import Draws, Report, Sampling
from .posterior import Posterior
from .start import central_point, scattered_point

__all__ = ["sample_posterior"]

Array = NDArray[np.float64]
T = TypeVar("T")


def sample_posterior(
    posterior: Posterior, sampling: Sampling, seed: np.random.SeedSequence, report: Report | None = None
) -> Draws:
    """Draw from the posterior with the No-U-Turn sampler.

    Parameters
    ----------
    posterior
        The compiled block.
    sampling
        Chains, draws and tuning.
    seed
        The same seed gives the same draws, on any number of cores.
    report
        Called now and then with the draws done and the draws to do, over all chains.

    Returns
    -------
    Draws
    """
    nuts, load_seconds = _timed(_load_sampler)
    centre, start_seconds = _timed(lambda: central_point(posterior))

    def start(chain_seed: int) -> Array:
        natural = scattered_point(posterior, centre, np.random.default_rng(chain_seed))
        coordinates = np.empty(posterior.n_coordinates)
        sheared_parameters(posterior.problem, natural, coordinates)
        return coordinates

    seeds = [int(word >> np.uint64(1)) for word in seed.generate_state(sampling.chains, np.uint64)]
    trace, sample_seconds = _timed(lambda: nuts(posterior.problem, start, sampling, seeds, report))
    seconds = {"load": load_seconds, "start": start_seconds, "sample": sample_seconds}
    return replace(trace, seconds=seconds)


def _load_sampler() -> Callable[..., Draws]:
    """Import the sampler and the compiled posterior, which a machine compiles the first time only."""
    from .nuts import run_nuts

    return run_nuts


def _timed(function: Callable[[], T]) -> tuple[T, float]:
    begin = time.perf_counter()
    return function(), time.perf_counter() - begin
