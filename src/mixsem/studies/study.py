"""What a simulation study is: a population, factors that are crossed, methods, replications."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from ..bayes.draws import MOST_DRAWS, Sampling
from ..errors import OptionError, did_you_mean
from .fraction import balanced_fraction

if TYPE_CHECKING:
    from ..simulate.own import OwnPopulation
    from ..simulate.populations import Population

__all__ = ["AnyPopulation", "Cell", "Level", "Method", "Study", "described_population", "own_fields"]

Level: TypeAlias = str | int | float | None
Cell: TypeAlias = Mapping[str, Level]
AnyPopulation: TypeAlias = "Population | OwnPopulation"

KINDS = ("mmgsem", "mixml-sem", "mixmg-bsem", "ml-sem")
SAMPLES = ("fixed", "random")
#: Cells of a design, and data sets of a study: each is looked at before the first one is run.
MOST_CELLS, MOST_DATA_SETS = 100_000, 10_000_000


@dataclass(frozen=True)
class Method:
    """One way to analyse every data set.

    Attributes
    ----------
    name
        How tables call it.
    kind
        ``"mmgsem"``, ``"mixml-sem"``, ``"mixmg-bsem"`` or ``"ml-sem"``.
    clusters
        Numbers of clusters to fit in step 3; ``()`` for the true one alone.
    n_starts
        Random starts of step 3.
    starts
        Numbers of starts for which it is recorded whether the best of so many random starts is a local maximum.
    sampler
        Of the Bayesian measurement models: ``"laplace"`` or ``"nuts"``.
    chains, warmup, draws
        Of the sampler; the fast method takes no warm-up and no more than 1000 draws in all.
    priors
        Set of priors of the Bayesian models, ``"default"``, ``"blavaan"`` or ``"mplus"``; ``""`` for what each takes by
        itself.
    partial
        Whether mmgsem frees the loadings that differ over groups in truth (of factors that keep an equal one beside the
        marker); if not, all loadings are equal.
    tests
        Whether to test, with Wald tests, if the clusters' regressions differ.
    prior_variance
        Prior variances of loading differences (mixmg-bsem), each an analysis of its own; ``()`` for the one of the
        population.

    Examples
    --------
    >>> Method("mmgsem").kind
    'mmgsem'
    >>> Method("narrow priors", "mixmg-bsem", prior_variance=(0.001,)).variants
    ('0.001',)
    """

    name: str
    kind: str = ""
    clusters: tuple[int, ...] = ()
    n_starts: int = 50
    starts: tuple[int, ...] = ()
    sampler: str = "laplace"
    chains: int = 4
    warmup: int = 1000
    draws: int = 1000
    priors: str = ""
    partial: bool = True
    tests: bool = False
    prior_variance: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Take the kind from the name, and refuse what no method is."""
        kind = self.kind or self.name
        if not isinstance(kind, str) or kind not in KINDS:
            raise OptionError(
                f"method {self.name!r} is of the kind {kind!r}",
                allowed=", ".join(KINDS),
                todo=did_you_mean(str(kind), KINDS) or "name the method after its kind, or give its kind",
            )
        object.__setattr__(self, "kind", kind)
        if self.sampler not in ("laplace", "nuts"):
            raise OptionError(f"method {self.name!r}: sampler={self.sampler!r}", allowed='"laplace" or "nuts"')
        if self.priors not in ("", "default", "blavaan", "mplus"):
            raise OptionError(
                f"method {self.name!r}: priors={self.priors!r}", allowed='"default", "blavaan" or "mplus"'
            )
        for name, values, least in (
            ("n_starts", (self.n_starts,), 1),
            ("clusters", self.clusters, 1),
            ("starts", self.starts, 1),
        ):
            if any(isinstance(v, bool) or not isinstance(v, int) or v < least for v in values):
                raise OptionError(f"method {self.name!r}: {name}={values!r}", allowed=f"whole numbers from {least}")
        if any(isinstance(v, bool) or not isinstance(v, int | float) or v < 0 for v in self.prior_variance):
            raise OptionError(f"method {self.name!r}: prior_variance={self.prior_variance!r}", allowed="0 or more")
        for name, value in (("partial", self.partial), ("tests", self.tests)):
            if not isinstance(value, bool):
                raise OptionError(f"method {self.name!r}: {name}={value!r}", allowed="true or false")
        if len(set(self.variants)) < len(self.variants):
            raise OptionError(
                f"method {self.name!r}: prior_variance={self.prior_variance!r}",
                allowed="numbers that differ in 6 digits",
            )
        if self.prior_variance and kind != "mixmg-bsem":
            raise OptionError(f"method {self.name!r} has a prior_variance", allowed="with mixmg-bsem")
        object.__setattr__(self, "prior_variance", tuple(float(v) for v in self.prior_variance))
        _ = self.sampling

    @property
    def sampling(self) -> Sampling:
        """Chains and draws, on one core: data sets are what runs in parallel."""
        return Sampling(chains=self.chains, warmup=self.warmup, draws=self.draws, cores=1)

    @property
    def n_draws(self) -> int:
        """Draws that are kept."""
        kept = self.chains * self.draws
        return min(kept, MOST_DRAWS) if self.sampler == "laplace" else kept

    @property
    def variants(self) -> tuple[str, ...]:
        """Names of the analyses; one without a name unless there are several prior variances."""
        return tuple(f"{v:g}" for v in self.prior_variance) or ("",)


@dataclass(frozen=True, eq=False)
class Study:
    """A simulation study: every method on so many data sets of every cell of a design.

    Attributes
    ----------
    name, title
        Name, of files and folders too, and one line that says what it is.
    population
        What all cells have in common.
    factors
        Levels of what is crossed: fields of the population, and ``"sample"`` (see `draw_moments`).
    methods
        How every data set is analysed.
    replications
        Data sets per cell.
    cells
        Number of cells to run, a fraction in which all levels of every factor occur equally often, and pairs of levels
        of two factors as evenly as a search finds; None for all cells. A larger fraction need not contain a smaller.
    seed
        A data set depends on this, the levels of its cell and the number of its replication, and on nothing else.
    sample
        ``"random"`` or ``"fixed"``, if it is no factor.

    Raises
    ------
    OptionError
        If a factor is not a field of the population, a level not one of its values, or a number out of range.

    Examples
    --------
    >>> from mixsem.simulate import Population
    >>> study = Study("small", Population(), {"beta": (0.2, 0.4), "group_size": (50, 100)}, (Method("mmgsem"),))
    >>> len(study.all_cells), study.all_cells[1], study.n_data_sets
    (4, {'beta': 0.2, 'group_size': 100}, 200)
    """

    name: str
    population: AnyPopulation
    factors: Mapping[str, tuple[Level, ...]]
    methods: tuple[Method, ...]
    replications: int = 50
    cells: int | None = None
    seed: int = 1
    sample: str = "random"
    title: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        """Refuse what cannot be run, before hours go into it."""
        for name, value, least in (
            ("replications", self.replications, 1),
            ("seed", self.seed, 0),
            ("cells", 1 if self.cells is None else self.cells, 1),
        ):
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise OptionError(f"{name}={value!r}", allowed=f"a whole number of at least {least}")
        _refuse_large(self)
        if self.sample not in SAMPLES:
            raise OptionError(f"sample={self.sample!r}", allowed='"fixed" or "random"')
        if not self.methods:
            raise OptionError(f"study {self.name!r} has no method", allowed="one or more of: " + ", ".join(KINDS))
        if len({m.name for m in self.methods}) < len(self.methods):
            raise OptionError(f"study {self.name!r} has two methods of the same name", allowed="a name for each")
        known = [f.name for f in dataclasses.fields(self.population)]
        object.__setattr__(self, "factors", {name: _levels(name, given) for name, given in self.factors.items()})
        for name, levels in self.factors.items():
            if name != "sample" and name not in known:
                raise OptionError(
                    f"{name!r} is no property of a population",
                    allowed=", ".join([*known, "sample"]),
                    todo=did_you_mean(name, [*known, "sample"]),
                )
            if not levels or len(set(levels)) < len(levels):
                raise OptionError(f"factor {name!r} has the levels {levels!r}", allowed="one or more, all different")
        for cell in self.all_cells:
            self.population_of(cell)
            if cell.get("sample", self.sample) not in SAMPLES:
                raise OptionError(f"sample={cell['sample']!r}", allowed='"fixed" or "random"')
        if self.cells is not None and self.cells > len(self.all_cells):
            raise OptionError(f"cells={self.cells}", allowed=f"1 to {len(self.all_cells)}, the cells of the design")
        fewest = min(self.population_of(cell).n_groups for cell in self.all_cells)
        for method in self.methods:
            if max(method.clusters, default=0) > fewest:
                raise OptionError(
                    f"method {method.name!r}: clusters={method.clusters!r} with {fewest} groups",
                    allowed="no more clusters than groups",
                )

    @cached_property
    def all_cells(self) -> tuple[dict[str, Level], ...]:
        """Levels of every cell of the design; a cell's place is its number."""
        return tuple(
            dict(zip(self.factors, levels, strict=True)) for levels in itertools.product(*self.factors.values())
        )

    @cached_property
    def chosen_cells(self) -> tuple[int, ...]:
        """Numbers of the cells to run."""
        if self.cells is None or self.cells == len(self.all_cells):
            return tuple(range(len(self.all_cells)))
        return balanced_fraction([len(levels) for levels in self.factors.values()], self.cells, seed=self.seed)

    @property
    def n_data_sets(self) -> int:
        """Number of data sets."""
        return self.replications * len(self.chosen_cells)

    def population_of(self, cell: Cell) -> AnyPopulation:
        """Population of a cell.

        Raises
        ------
        OptionError
            If there is none with these levels.
        """
        changes: dict[str, Any] = {name: level for name, level in cell.items() if name != "sample"}
        return replace(self.population, **changes)

    def seed_of(self, cell: Cell, replication: int) -> int:
        """Seed of a data set: the same in every study with this seed that has such a cell, whatever else it has."""
        what: dict[str, Any] = {"seed": self.seed, "replication": replication}
        what |= described_population(self.population_of(cell)) | {"sample": cell.get("sample", self.sample)}
        digest = hashlib.sha256(json.dumps(what, sort_keys=True).encode()).digest()
        return int.from_bytes(digest[:6], "big")

    def method(self, name: str) -> Method:
        """Method of this name.

        Raises
        ------
        OptionError
            If there is none.
        """
        for method in self.methods:
            if method.name == name:
                return method
        names = [m.name for m in self.methods]
        raise OptionError(f"no method {name!r}", allowed=", ".join(names), todo=did_you_mean(name, names))


def own_fields(settings: Any) -> dict[str, Any]:
    """Fields of a dataclass that are not as always.

    Seeds and folders know settings by these, so that a new field with its default changes no old data set or folder.
    """
    named = {f.name: (getattr(settings, f.name), f.default) for f in dataclasses.fields(settings)}
    return {name: value for name, (value, default) in named.items() if value != default}


def described_population(population: AnyPopulation) -> dict[str, Any]:
    """Kind and fields of a population as plain data; 0 and 0.0 are the same level."""
    own = {k: float(v) if isinstance(v, int | float) else repr(v) for k, v in own_fields(population).items()}
    return {"kind": type(population).__name__, **own}


def _refuse_large(study: Study) -> None:
    """Refuse a design that no computer could go through, before its cells are listed."""
    n_cells = math.prod(len(levels) for levels in study.factors.values())
    n_data_sets = study.replications * min(study.cells or n_cells, n_cells)
    if n_cells > MOST_CELLS or n_data_sets > MOST_DATA_SETS:
        raise OptionError(
            f"a study of {_rounded(n_cells)} cells and {_rounded(n_data_sets)} data sets",
            allowed=f"{MOST_CELLS:,} cells and {MOST_DATA_SETS:,} data sets",
            todo="use fewer levels, fewer replications, or a fraction of the cells (cells=)",
        )


def _rounded(count: int) -> str:
    return f"{count:,}" if count < 10**15 else "more than 10^15"


def _levels(name: str, given: Any) -> tuple[Level, ...]:
    """Levels of a factor as plain numbers, or as text.

    Raises
    ------
    OptionError
        If they are neither, or some of each.
    """
    levels = tuple(level.item() if isinstance(level, np.generic) else level for level in given)
    texts = [isinstance(level, str) for level in levels]
    numbers = [level is None or isinstance(level, int | float) for level in levels]
    if not (all(texts) or all(numbers)):
        raise OptionError(f"factor {name!r} has the levels {levels!r}", allowed="numbers, or texts, but not both")
    return levels
