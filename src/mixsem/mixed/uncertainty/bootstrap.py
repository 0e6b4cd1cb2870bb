"""Parametric bootstrap of a linear mixed model: data drawn from the fit, and the model fitted to them again."""

from __future__ import annotations

import pickle
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import replace
from typing import Any, Literal, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from ...errors import (
    ConvergenceWarning,
    DataError,
    MixsemError,
    MixsemWarning,
    Notice,
    OptionError,
    enumerate_briefly,
    notify,
)
from ...options import require_progress
from ...threads import few_threads
from ...workers import processes
from ..derived.simulate import draw_random_part
from ..engine.model import CompiledMixedModel
from ..engine.objective import Objective
from ..engine.optimise import canonical_solution, step_inside
from ..engine.quasi_newton import bfgs, inverse_curvature
from ..fit import MixedFit
from ..inference.ddf import is_generalised
from ..linear import fit_model, objective_of, outer_theta
from ..require import AnyFit, require_any_fit
from ..structure.residual_rows import correlate
from .bootstrap_results import MixedBootstrap
from .draws import BOUNDARY, Draw, named
from .generalised_bootstrap import GeneralisedReplication
from .parameters import parameter_values, parameters_of

__all__ = ["bootstrap_mixed"]

Array = NDArray[np.float64]
AnyReplication: TypeAlias = "Replication | GeneralisedReplication"
Progress = Callable[[str, int, int], None]
Statistic = Callable[[Any], Mapping[str, float] | float]

#: Batches of samples per process: each batch takes the model along, and each reports its end.
BATCHES = 4
#: Seconds of work in one process from which others are started: each of them takes 5 to 10 to import the package and to
#: load its kernels. How long the work takes is told by some refits, fewer if they take long; the first loads kernels.
WORTH_PROCESSES = 20.0
TRIAL_REFITS, TRIAL_SECONDS = 6, 2.0


def bootstrap_mixed(
    fit: AnyFit,
    n: int = 1000,
    *,
    kind: Literal["parametric"] = "parametric",
    statistic: Statistic | None = None,
    start: str = "estimate",
    seed: int | None = 0,
    workers: int = 1,
    progress: Progress | None = None,
) -> MixedBootstrap:
    """Draw data from a mixed model, linear or generalised, and fit it again; called as ``mixsem.bootstrap(fit, ...)``.

    Random effects and residuals are new in each sample; predictors, weights and offset stay. Fits are by REML if `fit`
    is.

    Parameters
    ----------
    fit
        The fit.
    n
        Number of samples.
    kind
        ``"parametric"``: data drawn from the fit. Rows of a mixed model depend on one another: they cannot be drawn.
    statistic
        A function of a fit that returns a number, or numbers by name; beside the parameters of the model. With
        several workers it has to be a function of a module.
    start
        Where each search begins: ``"estimate"``, or ``"usual"`` as for new data, which takes longer.
    seed
        The same seed gives the same samples, for any number of workers, and the first ones of a larger `n`. None for
        a seed of its own, which the result tells.
    workers
        Processes that may share the work. They are started where the first refits say that one process would take
        longer than about 20 seconds. Scripts that use more than one need the guard ``if __name__ == "__main__":``.
    progress
        Called as ``progress("bootstrap", done, total)``.

    Returns
    -------
    MixedBootstrap
        Parameters in all samples; `intervals` summarises them.

    Raises
    ------
    OptionError
        If an option is not what is allowed.
    DataError
        If hardly any sample could be fitted.

    Warns
    -----
    ConvergenceWarning
        If samples could not be fitted.

    Examples
    --------
    >>> from mixsem.data import sleepstudy
    >>> from mixsem.mixed.linear import lmer
    >>> drawn = bootstrap_mixed(lmer("Reaction ~ Days + (1 | Subject)", sleepstudy()), 50, seed=1)
    >>> list(drawn.draws)
    ['sd_(Intercept)|Subject', 'sigma', '(Intercept)', 'Days']

    References
    ----------
    Efron & Tibshirani (1993), An introduction to the bootstrap, section 6.5.
    """
    import pandas as pd

    entropy = _check(fit, n, kind, start, seed, workers)
    require_progress(progress)
    found: list[Draw] = []
    for batch in _batches(fit, statistic, start == "usual", np.random.SeedSequence(entropy).spawn(n), workers):
        found += batch
        if progress is not None:
            progress("bootstrap", len(found), n)
    names = [p.name for p in parameters_of(fit.model)]
    failures = tuple(draw.failure for draw in found if draw.failure)
    if len(failures) > n - 2:
        raise DataError(f"{len(failures)} of {n} samples gave no estimates: {failures[0]}", todo="use a simpler model")
    draws = pd.DataFrame(np.array([draw.values for draw in found]), columns=names)
    own = None if statistic is None else pd.DataFrame([draw.statistic for draw in found], index=draws.index)
    boundary = np.array([draw.boundary for draw in found])
    notices = _notices(failures, n)
    notify(notices)
    original = {} if statistic is None else named(statistic(fit))
    return MixedBootstrap(fit, draws, own, original, boundary, failures, entropy, notices)


def _notices(failures: tuple[str, ...], n: int) -> tuple[Notice, ...]:
    if not failures:
        return ()
    reasons = enumerate_briefly(list(dict.fromkeys(failures)), 3)
    return (Notice(ConvergenceWarning, f"{len(failures)} of {n} bootstrap samples gave no estimates ({reasons})."),)


def _check(fit: AnyFit, n: int, kind: str, start: str, seed: int | None, workers: int) -> int:
    """Refuse what is not allowed; return the seed, one of its own if none was given."""
    require_any_fit(fit, "bootstrap_mixed")
    for name, value, least in (("n", n, 2), ("workers", workers, 1), ("seed", 0 if seed is None else seed, 0)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
            raise OptionError(f"{name}={value!r}", allowed=f"a whole number of at least {least}")
    if kind != "parametric":
        raise OptionError(
            f"kind={kind!r} for a mixed model",
            allowed="kind='parametric': data drawn from the fit",
            todo="leave kind= out: rows of a group depend on one another, and cannot be drawn one by one",
        )
    if start not in ("estimate", "usual"):
        raise OptionError(f"start={start!r}", allowed="'estimate' or 'usual'")
    return int(np.random.SeedSequence().entropy if seed is None else seed)  # type: ignore[arg-type]


def _batches(
    fit: AnyFit, statistic: Statistic | None, cold: bool, seeds: list[np.random.SeedSequence], workers: int
) -> Iterator[list[Draw]]:
    """Samples in the order of their seeds, batch after batch."""
    packed = b"" if workers == 1 else _pack(fit, statistic, cold)
    work = _replication(fit, statistic, cold)
    seconds = 0.0
    if workers > 1:
        tried, seconds = _trial(work, seeds)
        yield tried
        seeds = seeds[len(tried) :]
    alone = workers == 1 or seconds * len(seeds) < WORTH_PROCESSES
    size = max(1, -(-len(seeds) // (BATCHES * workers)))
    parts = [seeds[i : i + size] for i in range(0, len(seeds), size)]
    if alone or not parts:
        yield from ([work(seed) for seed in part] for part in parts)
        return
    with processes(workers) as pool:
        futures: list[Future[list[Draw]]] = [pool.submit(_work, packed, part) for part in parts]
        yield from (future.result() for future in futures)


def _trial(work: AnyReplication, seeds: list[np.random.SeedSequence]) -> tuple[list[Draw], float]:
    """The first samples, and the seconds that each after the very first took."""
    found, began = [work(seeds[0])], time.perf_counter()
    for seed in seeds[1:TRIAL_REFITS]:
        found.append(work(seed))
        if time.perf_counter() - began > TRIAL_SECONDS:
            break
    return found, (time.perf_counter() - began) / max(len(found) - 1, 1)


def _replication(fit: AnyFit, statistic: Statistic | None, cold: bool) -> AnyReplication:
    if is_generalised(fit):
        return GeneralisedReplication(fit, statistic, cold)
    return Replication(cast("MixedFit", fit), statistic, cold)


def _pack(fit: AnyFit, statistic: Statistic | None, cold: bool) -> bytes:
    """What other processes need."""
    try:
        return pickle.dumps((fit, statistic, cold))
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise OptionError(
            f"statistic= cannot be sent to other processes ({error})",
            allowed="a function that is defined in a module",
            todo="use workers=1",
        ) from None


def _work(packed: bytes, seeds: list[np.random.SeedSequence]) -> list[Draw]:
    """A batch in another process."""
    work = _replication(*pickle.loads(packed))
    return [work(seed) for seed in seeds]


class Replication:
    """Draws a sample from a fit and fits the model to it."""

    def __init__(self, fit: MixedFit, statistic: Statistic | None, cold: bool) -> None:
        model = fit.model
        self.fit, self.statistic, self.cold = fit, statistic, cold
        self.parameters = parameters_of(model)
        self.mean = fit.design.X @ fit.beta
        self.lambdas = model.theta_map.lambdas(fit.theta)
        inner, sizes = model.inner @ model.theta_map.stacked(fit.theta), model.theta_map.sizes
        self.phi = model.theta_map.from_lambdas([f[:k, :k] for f, k in zip(inner, sizes, strict=True)])
        self.objective = objective_of(fit.specification, model)
        self.inverse = inverse_curvature(self._function(self.objective), self.phi, np.hypot(self.phi, 0.1))

    def __call__(self, seed: np.random.SeedSequence) -> Draw:
        """One sample."""
        fit, generator = self.fit, np.random.default_rng(seed)
        b = draw_random_part(fit.design, fit.model.theta_map, self.lambdas, generator)
        noise = correlate(fit.model, fit.sigma * generator.standard_normal(fit.model.n))
        known = self.mean + fit.sigma * b + noise
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", MixsemWarning)
                model = fit.model.with_response(known)
                values, theta, statistic = self._again(model)
        except (MixsemError, np.linalg.LinAlgError) as error:
            return Draw(np.full(len(self.parameters), np.nan), {}, False, str(error).splitlines()[0])
        return Draw(values, statistic, _on_boundary(model, theta))

    def _again(self, model: CompiledMixedModel) -> tuple[Array, Array, dict[str, float]]:
        """Parameters, theta and statistic of the model for another response."""
        quick = None
        if self.statistic is None and not self.cold and model.structured is None:
            quick = self._quick(model)
        if quick is not None:
            state = model.state(quick)
            df = model.n - (model.p if self.fit.reml else 0)
            sigma = float(np.sqrt(state.r2 / df))
            return parameter_values(model, quick, sigma, state.beta, self.parameters), quick, {}
        again = fit_model(self.fit.specification, model, None if self.cold else self.fit.theta)
        if self.statistic is not None:
            y = model.y if model.design.offset is None else model.y + model.design.offset
            again = replace(again, model=replace(again.model, design=replace(model.design, y=y)))
        statistic = {} if self.statistic is None else named(self.statistic(again))
        values = parameter_values(model, again.theta, again.sigma, again.beta, self.parameters)
        return values, again.theta, statistic

    def _quick(self, model: CompiledMixedModel) -> Array | None:
        """Theta by quasi-Newton steps from the fit, with its curvatures; None if that does not lead to a minimum."""
        objective = objective_of(self.fit.specification, model)
        with few_threads(len(model.products.tail)):
            *_, converged = bfgs(self._function(objective), self.phi, self.inverse, objective.noise)
            best = objective.best
            if not converged or best is None or step_inside(objective, best) is not None:
                return None
            return outer_theta(model, canonical_solution(objective, best).phi)

    def _function(self, objective: Objective) -> Callable[[Array], tuple[float, Array]]:
        def value_and_slope(phi: Array) -> tuple[float, Array]:
            found = objective.evaluate(phi)
            return found.value, objective.theta_map.pick(found.slope)

        return value_and_slope


def _on_boundary(model: CompiledMixedModel, theta: Array) -> bool:
    """Whether a random effect, or a combination of those of a term, has no variance."""
    place: Any = model.theta_map.is_diagonal
    return bool((np.asarray(theta)[place] < BOUNDARY).any())
