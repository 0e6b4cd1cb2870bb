"""The one caller of nutpie, the library that runs the No-U-Turn sampler.

nutpie can call a compiled log posterior by its address, without Python in between. That entry is not part of its
documented interface: where a version of the library lacks it, the same functions are called through Python, which
gives the same draws and takes a few times longer.
"""

from __future__ import annotations

import functools
import os
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelError
from ..kernels.callback import natural_callback, posterior_callback
from ..kernels.posterior import density
from ..kernels.problem import Problem, pack
from ..kernels.shear import natural_parameters, pull_back
from .draws import Draws, Sampling

with warnings.catch_warnings():  # ArviZ announces its next version whenever it is imported
    warnings.simplefilter("ignore", FutureWarning)
    import nutpie

__all__ = ["run_nuts"]

Array = NDArray[np.float64]
#: Kept draws, and the statistics of all draws of one chain.
Chain = tuple[Array, dict[str, Array]]
Start = Callable[[int], Array]
Report = Callable[[int, int], None] | None

_STATISTICS = ("diverging", "depth", "energy", "step_size", "n_steps")

#: Milliseconds between reports of progress.
REPORT_EVERY = 200
#: Seconds between looks at the running chains.
POLL_SECONDS = 0.01


def run_nuts(
    problem: Problem,
    start: Start,
    sampling: Sampling,
    seeds: Sequence[int],
    report: Report = None,
    native: bool = True,
) -> Draws:
    """Run the chains, each with a sampler of its own, as many at a time as there are cores.

    Parameters
    ----------
    problem
        The posterior.
    start
        Coordinates of the sampler where a chain starts, from a number that the chain draws.
    sampling
        Chains, draws and tuning.
    seeds
        Seed of every chain.
    report
        Called with the draws done and the draws to do; through Python after each chain only.
    native
        Call the posterior by its address if the library can.
    """
    n_coordinates = problem.family.size + int((problem.shear[:, 4] >= 0).sum())
    chains: list[Chain] | None = None
    if native:
        try:
            chains = _run_native(problem, n_coordinates, start, sampling, seeds, report)
        except (AttributeError, TypeError, ImportError):  # a version of the library with other internals
            chains = None
    if chains is None:
        chains, each = [], sampling.warmup + sampling.draws
        for seed in seeds:
            chains.append(_run_through_python(problem, n_coordinates, start, sampling, seed))
            if report is not None:
                report(len(chains) * each, len(seeds) * each)
    x = np.stack([chain[0] for chain in chains])
    statistics = {name: np.stack([chain[1][name] for chain in chains]) for name in _STATISTICS}
    kept = {name: values[:, -sampling.draws :] for name, values in statistics.items()}
    return Draws(
        x=x,
        diverging=kept["diverging"].astype(bool),
        depth=kept["depth"].astype(np.int64),
        energy=kept["energy"],
        step_size=kept["step_size"][:, -1],
        n_gradients=int(statistics["n_steps"].sum()),
        seconds={},
    )


def _run_native(
    problem: Problem, n_coordinates: int, start: Start, sampling: Sampling, seeds: Sequence[int], report: Report
) -> list[Chain]:
    """Run chains on the compiled posterior; each frees the library's tables when it is done."""
    cores = min(sampling.chains, sampling.cores or os.cpu_count() or 1)
    each = sampling.warmup + sampling.draws
    done = [0] * len(seeds)
    waiting = list(range(len(seeds)))
    running: dict[int, tuple[Any, Array]] = {}
    results: dict[int, Chain] = {}
    try:
        while waiting or running:
            while waiting and len(running) < cores:
                c = waiting.pop(0)
                counter = None if report is None else functools.partial(done.__setitem__, c)
                running[c] = _native_sampler(problem, n_coordinates, start, sampling, seeds[c], counter)
            for c in [c for c, (sampler, _) in running.items() if _is_finished(sampler)]:
                results[c] = _collect(*running.pop(c), sampling)
                done[c] = each
            if report is not None:
                report(sum(done), len(seeds) * each)
    finally:  # after an interruption the chains must not go on alone
        for sampler, _ in running.values():
            sampler.abort()
    return [results[c] for c in range(len(seeds))]


def _native_sampler(
    problem: Problem,
    n_coordinates: int,
    start: Start,
    sampling: Sampling,
    seed: int,
    counter: Callable[[int], None] | None,
) -> tuple[Any, Array]:
    """Start one chain on the compiled posterior: two addresses, a buffer, and where to start; and its table of draws.

    The library keeps warm-up draws too, in a table that grows. It is given the row of each draw in a table of ours.
    """
    lib = nutpie._lib
    words, size = pack(problem), sampling.draws * problem.family.size
    buffer = np.concatenate([[words.size + 1], words, [sampling.draws, 0], np.zeros(size, dtype=np.int64)])
    table = buffer[-size:].view(np.float64).reshape(sampling.draws, -1)
    sizes: dict[str, int] = {}  # filled by the next line
    variables = lib.PyVariable.new_variables(["row"], ["float64"], [(1,)], sizes, {})
    keep_alive = (buffer, posterior_callback, natural_callback)
    logp = lib.LogpFunc(posterior_callback.address, buffer.ctypes.data, keep_alive)
    expand = lib.ExpandFunc(n_coordinates, 1, natural_callback.address, buffer.ctypes.data, keep_alive)
    model = lib.PyMcModel(logp, expand, variables, n_coordinates, sizes, {}, start, None)
    settings = lib.PyNutsSettings.Diag(seed)
    settings.num_tune, settings.num_draws, settings.num_chains = sampling.warmup, sampling.draws, 1
    settings.target_accept, settings.maxdepth = sampling.target_accept, sampling.max_depth
    progress = lib.ProgressType.none()
    if counter is not None:
        progress = lib.ProgressType.template_callback(
            REPORT_EVERY, "{{ total_finished_draws }}", 1, lambda text: counter(int(text or 0))
        )
    entry = lib.PySampler.from_pymc
    # Later versions have a place for another callback, and for how often it is called.
    unused = (None, REPORT_EVERY) if "extra_callback" in (entry.__text_signature__ or "") else ()
    return entry(settings, 1, model, progress, *unused, lib.PyStorage.arrow()), table


def _is_finished(sampler: Any) -> bool:
    """Wait a moment for a chain; one that failed raises here."""
    try:
        sampler.wait(POLL_SECONDS)
    except TimeoutError:
        return False
    except RuntimeError as error:
        raise _no_start(error) from error
    return True


def _no_start(error: RuntimeError) -> ModelError:
    return ModelError(
        f"the sampler could not run: {str(error).splitlines()[0]}",
        allowed="models whose posterior is finite near their starting values",
        todo="look for groups or items that make no sense under the model, such as factors that are one; a flat"
        " prior may leave the posterior without a finite total",
    )


def _collect(sampler: Any, table: Array, sampling: Sampling) -> Chain:
    """Put the draws of a finished chain in order: the library's table says in which row each of them is."""
    import pyarrow

    draws, stats = sampler.take_results().get_arrow_trace()
    row = pyarrow.array(draws[0].column("row")).slice(sampling.warmup).flatten().to_numpy(zero_copy_only=False)
    row = row.astype(np.int64)
    if np.unique(row).size < sampling.draws:
        raise TypeError("the library asked for the parameters of more points than its draws")
    columns = {name: pyarrow.array(stats[0].column(name)) for name in _STATISTICS}
    return table[row], {name: column.to_numpy(zero_copy_only=False).astype(float) for name, column in columns.items()}


def _run_through_python(problem: Problem, n_coordinates: int, start: Start, sampling: Sampling, seed: int) -> Chain:
    """Run one chain through the library's documented interface."""
    n_params = problem.family.size

    def logp(x: Array) -> tuple[float, Array]:
        natural, slope, gradient = np.empty(n_params), np.empty(n_params), np.empty(n_coordinates)
        natural_parameters(problem, x, natural)
        value = density(problem, natural, slope)
        return value + pull_back(problem, x, natural, slope, gradient), gradient

    def expand(x: Array) -> dict[str, Array]:
        natural = np.empty(n_params)
        natural_parameters(problem, x, natural)
        return {"x": natural}

    model = nutpie.compiled_pyfunc.from_pyfunc(
        n_coordinates,
        lambda: logp,
        lambda seed1, seed2, chain: expand,
        [np.dtype(np.float64)],
        [(n_params,)],
        ["x"],
        make_initial_point_fn=start,
    )
    try:
        result = nutpie.sample(
            model,
            draws=sampling.draws,
            tune=sampling.warmup,
            chains=1,
            cores=1,
            seed=seed,
            progress_bar=False,
            target_accept=sampling.target_accept,
            maxdepth=sampling.max_depth,
        )
    except RuntimeError as error:
        raise _no_start(error) from error
    parts = (result.warmup_sample_stats, result.sample_stats)
    statistics = {name: np.concatenate([part[name].to_numpy()[0] for part in parts]) for name in _STATISTICS}
    return result.posterior["x"].to_numpy()[0], statistics
