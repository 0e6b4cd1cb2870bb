"""One data set of a study: drawn from its seed, analysed by the methods, judged against the truth."""

from __future__ import annotations

import time
import traceback
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from ..data.moments import SampleMoments
from ..errors import MixsemWarning, OptionError
from ..factors.moments import FactorMoments
from ..factors.sam import factor_moments
from ..measurement.bayes_fit import BayesianFit
from ..measurement.bayes_terms import block_deviance
from ..measurement.mgbcfa import MGBCFA
from ..measurement.mgcfa import MGCFA
from ..measurement.mlcfa import MLCFA
from ..multilevel.mlsem import MLSEM
from ..simulate.populations import draw_truth
from ..simulate.samples import draw_moments
from ..simulate.truth import Truth
from ..structural.mixture import StructuralMixture
from ..structural.select import MixtureSelection
from .measures import (
    Measures,
    cluster_measures,
    loading_measures,
    local_maximum,
    multilevel_measures,
    selection_measures,
)
from .study import Method, Study
from .wald_measures import wald_measures

__all__ = ["DataSet", "Row", "Task", "dataset", "failed_rows", "work"]

Row: TypeAlias = dict[str, Any]


@dataclass(frozen=True, eq=False)
class DataSet:
    """One data set of a study.

    Attributes
    ----------
    truth
        The population it was drawn from.
    moments
        Size, means and covariances per group.
    seed
        Its seed.
    """

    truth: Truth
    moments: SampleMoments
    seed: int


@dataclass(frozen=True)
class Task:
    """What a worker does: some methods on one data set."""

    study: Study
    cell: int
    replication: int
    methods: tuple[str, ...]


def dataset(study: Study, cell: int, replication: int) -> DataSet:
    """Draw one data set of a study, which needs nothing of the others.

    Parameters
    ----------
    study
        The study.
    cell
        Number of the cell, its place in ``study.all_cells``.
    replication
        Number of the replication, from 1.

    Returns
    -------
    DataSet

    Raises
    ------
    OptionError
        If there is no such cell or replication.

    Examples
    --------
    >>> import mixsem as mx
    >>> study = mx.studies.read_study("mixml-1")
    >>> mx.studies.dataset(study, cell=959, replication=50).truth
    Truth: 96 groups in 4 clusters, N = 4,800
    """
    last = len(study.all_cells) - 1
    if isinstance(cell, bool) or not isinstance(cell, int) or not 0 <= cell <= last:
        raise OptionError(f"cell={cell!r}", allowed=f"0 to {last}")
    if isinstance(replication, bool) or not isinstance(replication, int) or replication < 1:
        raise OptionError(f"replication={replication!r}", allowed="a whole number from 1")
    levels = study.all_cells[cell]
    seed = study.seed_of(levels, replication)
    truth = draw_truth(study.population_of(levels), seed)
    sample: Any = levels.get("sample", study.sample)
    return DataSet(truth, draw_moments(truth, seed, sample=sample), seed)


def work(task: Task) -> list[Row]:
    """Rows of one data set: one per method and variant. What fails is recorded with its error, not raised."""
    levels = task.study.all_cells[task.cell]
    key = {"cell": task.cell, "replication": task.replication}
    rows: list[Row] = []
    try:
        data = dataset(task.study, task.cell, task.replication)
    except Exception as error:
        return failed_rows(task, error)
    for name in task.methods:
        method = task.study.method(name)
        for variant in method.variants:
            rows.append({**key, "method": name, "variant": variant, **levels, "seed": data.seed})
            rows[-1] |= _analysed(method, variant, data)
    return rows


def failed_rows(task: Task, error: BaseException) -> list[Row]:
    """Rows of a data set none of whose analyses could be made: what went wrong, for every method and variant."""
    levels = task.study.all_cells[task.cell]
    seed = task.study.seed_of(levels, task.replication)
    key = {"cell": task.cell, "replication": task.replication}
    return [
        {**key, "method": m, "variant": v, **levels, "seed": seed, **_failure(error)}
        for m in task.methods
        for v in task.study.method(m).variants
    ]


def _analysed(method: Method, variant: str, data: DataSet) -> Row:
    """Measures of one analysis, how long it took and what it warned of."""
    start, cpu = time.perf_counter(), time.process_time()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result: Row = {"status": "done", "error": "", **_ANALYSES[method.kind](method, variant, data)}
        except Exception as error:
            result = _failure(error)
    names = {w.category.__name__ for w in caught if issubclass(w.category, MixsemWarning)}
    result["notices"] = "; ".join(sorted(names))
    return result | {"seconds": time.perf_counter() - start, "cpu_seconds": time.process_time() - cpu}


def _failure(error: BaseException) -> Row:
    """Say what went wrong, and in which line, so that the data set can be looked at alone."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    return {"status": "failed", "error": f"{type(error).__name__}: {' '.join(str(error).split())}{place}"}


class _Clock:
    """Seconds of each step."""

    def __init__(self) -> None:
        self.last = time.perf_counter()
        self.seconds: Measures = {}

    def stop(self, step: int) -> None:
        now = time.perf_counter()
        self.seconds[f"seconds_step{step}"] = now - self.last
        self.last = now


def _mmgsem(method: Method, _: str, data: DataSet) -> Measures:
    """MixMG-SEM: multigroup CFA with equal loadings, all or those that are equal in truth."""
    clock = _Clock()
    partial = _partial(data.truth) if method.partial else ()
    step1 = MGCFA(data.truth.measurement, partial=partial).fit(data.moments)
    clock.stop(1)
    found = _clustered(method, data, factor_moments(step1), clock)
    return found | loading_measures(data.truth, step1.Lambda, step1.Theta)


def _partial(truth: Truth) -> tuple[str, ...]:
    """Loadings to free: those that differ over groups, of factors that keep an equal one beside the marker.

    Where all differ, as under approximate invariance, freeing them would leave nothing to compare; they stay equal.
    """
    free: list[str] = []
    for q, factor in enumerate(truth.factors):
        items = (np.abs(truth.Lambda).mean(axis=0).argmax(axis=1) == q).sum()
        differ = [name for name in truth.random if name.startswith(f"{factor} =~ ")]
        free += differ if len(differ) < items - 1 else []
    return tuple(free)


def _mixml(method: Method, _: str, data: DataSet) -> Measures:
    """MixML-SEM: multilevel CFA with the random effects that the population has."""
    clock = _Clock()
    spec = MLCFA(
        data.truth.measurement,
        random=data.truth.random,
        priors=method.priors or "default",
        method=method.sampler,
        sampling=method.sampling,
    )
    step1 = spec.fit(data.moments, seed=data.seed)
    clock.stop(1)
    found = _clustered(method, data, factor_moments(step1), clock)
    return found | loading_measures(data.truth, step1.Lambda, step1.Theta) | _deviances(step1)


def _mixmg(method: Method, variant: str, data: DataSet) -> Measures:
    """MixMG-BSEM with one prior variance for all loadings."""
    clock = _Clock()
    v = float(variant) if variant else data.truth.population.loading_variance
    spec = MGBCFA(
        data.truth.measurement,
        prior_variance=v,
        priors=method.priors or "blavaan",
        method=method.sampler,
        sampling=method.sampling,
    )
    step1 = spec.fit(data.moments, seed=data.seed)
    assert isinstance(step1, BayesianFit)
    clock.stop(1)
    found = _clustered(method, data, factor_moments(step1), clock)
    return found | loading_measures(data.truth, step1.Lambda, step1.Theta) | _deviances(step1)


def _mlsem(method: Method, _: str, data: DataSet) -> Measures:
    """ML-SEM with random regressions beside the random effects of the measurement model."""
    truth, random = data.truth, (*data.truth.random, "regressions")
    spec = MLSEM(
        truth.measurement,
        truth.structural,
        random=random,
        priors=method.priors or "default",
        method=method.sampler,
        sampling=method.sampling,
    )
    fit = spec.fit(data.moments, seed=data.seed)
    return multilevel_measures(truth, fit.factors, fit.B) | loading_measures(truth, fit.Lambda, fit.Theta)


_ANALYSES = {"mmgsem": _mmgsem, "mixml-sem": _mixml, "mixmg-bsem": _mixmg, "ml-sem": _mlsem}


def _clustered(method: Method, data: DataSet, moments: FactorMoments, clock: _Clock) -> Measures:
    """Step 3 with the true number of clusters and, if wanted, with others to choose from.

    ``local_maximum`` judges the fit as it is reported, after split-and-merge moves; ``local_maximum[n]`` the best of n
    random starts without them, which is what other programs report.
    """
    clock.stop(2)
    truth = data.truth
    k = len(truth.B)
    spec = StructuralMixture(truth.structural, k, n_starts=method.n_starts)
    fits: dict[int, Any] = {}
    found: Measures = {}
    for n in dict.fromkeys((k, *method.clusters)):
        fits[n] = replace(spec, k=n).fit(moments, seed=data.seed)
        if n == k:
            clock.stop(3)
    if method.clusters:
        found |= selection_measures(MixtureSelection(tuple(fits[n] for n in sorted(method.clusters))))
    known = replace(spec, start=tuple(int(c) + 1 for c in truth.clusters)) if k > 1 else spec
    known_fit: Any = known.fit(moments, seed=data.seed)
    from_truth = known_fit.loglik
    found |= {"loglik": fits[k].loglik, "loglik_truth": from_truth}
    found["local_maximum"] = local_maximum(np.array([fits[k].loglik]), from_truth, 1)
    if method.starts:
        many: Any = replace(spec, n_starts=max(method.starts)).fit(moments, seed=data.seed)
        found |= {f"local_maximum[{n}]": local_maximum(many.starts.logliks, from_truth, n) for n in method.starts}
    if method.tests:
        found |= wald_measures(fits[k])
    return clock.seconds | cluster_measures(truth, fits[k]) | found


def _deviances(step1: BayesianFit) -> Measures:
    """DIC of every measurement block."""
    return {f"dic[{'+'.join(block.factors)}]": block_deviance(block)[0].dic for block in step1.blocks}
