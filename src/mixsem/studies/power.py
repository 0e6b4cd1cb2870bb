"""How many groups and people does it take to recover the clusters of a population?"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import OptionError
from ..simulate.populations import Population, draw_truth
from .power_result import PowerResult
from .study import KINDS, AnyPopulation, Method, Study

if TYPE_CHECKING:
    from .run import StudyState

__all__ = ["plan_study", "power"]

Size = int | str | tuple[int, int]


def power(
    population: AnyPopulation,
    *,
    n_groups: int | Sequence[int] = (24, 48, 96),
    group_size: Size | Sequence[Size] = (50, 100, 200),
    method: str | Method = "mmgsem",
    replications: int = 50,
    clusters: str | Iterable[int] = "true",
    n_starts: int = 50,
    threshold: float = 0.8,
    wanted: float = 0.8,
    folder: str | Path | None = None,
    workers: int | None = None,
    dask: str | None = None,
    seed: int = 1,
    progress: Callable[[StudyState], None] | None = None,
) -> PowerResult:
    """Simulate how well clusters are recovered, for each combination of numbers of groups and people.

    Every plan, a number of groups with a number of people per group, gets its own data sets. The clusters found in
    each are compared with the true ones by the adjusted Rand index (ARI); a data set counts as recovered from an ARI
    of `threshold` on, by default .80, "good" by Steinley (2004).

    Parameters
    ----------
    population
        What you expect of your groups: an `OwnPopulation`, `population_from_fit` of a pilot study, or a `Population`
        of the published simulations. Its own number of groups and group size do not count.
    n_groups
        Numbers of groups to try.
    group_size
        People per group to try: numbers, and with an `OwnPopulation` also ranges such as ``"50-200"`` or
        ``(50, 200)``, between which each group has a size of its own.
    method
        ``"mmgsem"``, ``"mixml-sem"`` or ``"mixmg-bsem"``, or a `Method` with its sampler's options. Other than
        by ``"mmgsem"``, a data set takes from seconds to minutes.
    replications
        Data sets per plan. With 50, a share of 80 % is known to about ± 11 percentage points.
    clusters
        ``"true"``: the number of clusters is taken as known. Several numbers, such as ``range(1, 5)``: all are
        fitted, and it is recorded how often each criterion chooses the true one.
    n_starts
        Random starts per number of clusters. A `Method` brings its own.
    threshold
        ARI from which on the clusters count as recovered.
    wanted
        Share of data sets in which they should be.
    folder
        Folder that keeps finished data sets: the same call goes on where it stopped. None keeps nothing.
    workers
        Processes; None for one per core.
    dask
        Address of a Dask scheduler, in the place of `workers`.
    seed
        Seed of the data sets.
    progress
        Called with a `StudyState` after each data set.

    Returns
    -------
    PowerResult
        Prints as a table with a plain answer below; ``.plans`` is the table as a data frame, ``.answers`` the answer.

    Raises
    ------
    OptionError
        If an option is none of those allowed, or a plan is impossible for the population.
    OutputError
        If `folder` holds another study, or cannot be written.

    Examples
    --------
    >>> import mixsem as mx
    >>> population = mx.simulate.Population(n_clusters=2, beta=0.4)
    >>> result = mx.power(population, n_groups=8, group_size=[50, 100], replications=2, n_starts=5, workers=1)
    >>> result.plans[["n_groups", "group_size", "data_sets"]]
       n_groups group_size  data_sets
    0         8         50          2
    1         8        100          2

    References
    ----------
    Steinley (2004), Properties of the Hubert-Arabie adjusted Rand index. Psychological Methods 9, 386-396.
    """
    for name, value in (("threshold", threshold), ("wanted", wanted)):
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
            raise OptionError(f"{name}={value!r}", allowed="above 0, up to 1")
    study = plan_study(
        population,
        n_groups=n_groups,
        group_size=group_size,
        method=method,
        replications=replications,
        clusters=clusters,
        n_starts=n_starts,
        seed=seed,
    )
    from .run import run_study

    with tempfile.TemporaryDirectory() as temporary:
        where = temporary if folder is None else folder
        frame = run_study(study, where, workers=workers, dask=dask, progress=progress).frame
    return PowerResult(study, frame, float(threshold), float(wanted))


def plan_study(
    population: AnyPopulation,
    *,
    n_groups: int | Sequence[int],
    group_size: Size | Sequence[Size],
    method: str | Method,
    replications: int,
    clusters: str | Iterable[int],
    n_starts: int,
    seed: int,
) -> Study:
    """Cross numbers of groups and people to a study; the parameters and errors are those of `power`."""
    if not isinstance(getattr(population, "n_clusters", None), int):
        raise OptionError(
            f"power() came with {type(population).__name__}",
            allowed="an OwnPopulation, a Population, or population_from_fit() of a fitted mixture",
        )
    K = population.n_clusters
    if K < 2:
        raise OptionError("the population has one cluster: there is nothing to recover", allowed="two or more clusters")
    analysis = _method(method, _numbers_of_clusters(clusters, K), n_starts)
    sizes = tuple(_size(size) for size in _several(group_size))
    if isinstance(population, Population) and any(isinstance(size, str) for size in sizes):
        raise OptionError(
            "ranges of group sizes came with a population of the published simulations",
            allowed="one size for all groups",
            todo="use an OwnPopulation, or its small_size and small_proportion",
        )
    if any(isinstance(size, str) for size in sizes):
        sizes = tuple(map(str, sizes))  # levels of one factor have one type
    study = Study(
        name="power",
        population=population,
        factors={"n_groups": tuple(_several(n_groups)), "group_size": sizes},
        methods=(analysis,),
        replications=replications,
        seed=seed,
        title="How many groups and people?",
    )
    for cell in study.all_cells:  # what cannot be drawn is refused now, not recorded as a failure of each data set
        draw_truth(study.population_of(cell), study.seed_of(cell, 1))
    return study


def _several(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, Iterable) and not isinstance(value, str) else (value,)


def _size(size: Any) -> Any:
    """A size as a level of a design: a range is text."""
    if isinstance(size, Sequence) and not isinstance(size, str):
        if len(size) != 2:
            raise OptionError(f"group_size={size!r}", allowed='a number, or a range such as "50-200" or (50, 200)')
        return f"{size[0]}-{size[1]}"
    return size


def _numbers_of_clusters(clusters: str | Iterable[int], true: int) -> tuple[int, ...]:
    if isinstance(clusters, str):
        if clusters != "true":
            raise OptionError(f"clusters={clusters!r}", allowed='"true", or several numbers, such as range(1, 5)')
        return ()
    numbers = _several(clusters)
    if true not in numbers or len(numbers) < 2:
        raise OptionError(
            f"clusters={clusters!r} do not let the criteria choose the true number, {true}",
            allowed='"true", or several numbers that include the true one',
            todo=f"clusters=range(1, {true + 2})",
        )
    return tuple(sorted(set(numbers)))


def _method(method: str | Method, clusters: tuple[int, ...], n_starts: int) -> Method:
    kinds = [kind for kind in KINDS if kind != "ml-sem"]
    kind = method.kind if isinstance(method, Method) else method
    if kind not in kinds:
        raise OptionError(f"method={kind!r}", allowed=", ".join(kinds), todo="ml-sem finds no clusters")
    chosen = method if isinstance(method, Method) else Method(method, method, n_starts=n_starts)
    changes: dict[str, Any] = {"clusters": clusters or chosen.clusters}
    # Tests of the other methods draw again from step 1, which takes longer than all of the fit.
    if kind == "mmgsem" and any(f.name == "tests" for f in dataclasses.fields(Method)):
        changes["tests"] = True
    return dataclasses.replace(chosen, **changes)
