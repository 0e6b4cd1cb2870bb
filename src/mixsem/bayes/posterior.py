"""The compiled posterior of a measurement block: which parameter is what, in which group, with which prior."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..errors import UnsupportedModelError
from ..kernels.plain_posterior import entry_values
from ..kernels.problem import (
    BETA,
    CORRELATION,
    IDENTITY,
    LEAST_FOR_POLAR,
    LOG,
    NORMAL,
    PSI,
    THETA,
    Problem,
)
from ..model.matrices import ModelMap
from .priors import Priors
from .roles import Approximate, Equal, Free, Random, Role
from .unconstrained import Coded, random_priors, value_prior

__all__ = ["Approximate", "Equal", "Free", "Posterior", "Random", "Role", "build_posterior"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Posterior:
    """A block's posterior, ready to be evaluated.

    Attributes
    ----------
    model
        Entries of the model matrices (`ModelMap`), for E entries in G groups.
    problem
        Data, layout and priors as arrays (`mixsem.kernels.problem.Problem`).
    roles
        Role of every entry, None where it is fixed or tied by a label.
    names
        Names of the parameters, such as ``"mean F=~x2"``, ``"sd F=~x2"``, ``"F=~x2 [BEL]"``; length P.
    what
        What each parameter is: ``"mean"`` (of a random or approximately invariant entry, or its reference value),
        ``"sd"`` (log standard deviation of a random entry), ``"deviation"`` (standardized, of one group),
        ``"common"`` (equal over groups), ``"group"``; length P.
    entry
        The entry each parameter belongs to (the first one, if it is tied), shape (P,).
    """

    model: ModelMap
    problem: Problem
    roles: tuple[Role | None, ...]
    names: tuple[str, ...]
    what: tuple[str, ...]
    entry: Index

    @property
    def n_params(self) -> int:
        """Number of parameters, P."""
        return len(self.names)

    @property
    def n_coordinates(self) -> int:
        """Number of coordinates the sampler moves (`mixsem.kernels.shear`), at least P."""
        return self.n_params + int((self.problem.shear[:, 4] >= 0).sum())

    def values(self, x: Array) -> Array:
        """Values of all entries on their natural scale, shape (..., G, E), for parameters of shape (..., P)."""
        return entry_values(self.problem, x)


@dataclass
class _Builder:
    """Collects parameters one by one."""

    priors: Priors
    names: list[str] = field(default_factory=list)
    what: list[str] = field(default_factory=list)
    entry: list[int] = field(default_factory=list)
    prior: list[Coded] = field(default_factory=list)
    shear: list[tuple[int, int, int, int]] = field(default_factory=list)

    def add(self, name: str, what: str, entry: int, prior: Coded) -> int:
        self.names.append(name)
        self.what.append(what)
        self.entry.append(entry)
        self.prior.append(prior)
        return len(self.names) - 1


def build_posterior(
    model: ModelMap,
    nu: Array,
    S: Array,
    role_of: Callable[[int], Role],
    priors: Priors,
    unit: Mapping[str, float],
    groups: tuple[Hashable, ...],
) -> Posterior:
    """Give every entry of the model its parameters and priors.

    Parameters
    ----------
    model
        The block's entries; `free` says which cells are free and which are tied by labels.
    nu, S
        Degrees of freedom, shape (G,), and covariances with that divisor, shape (G, p, p).
    role_of
        Role of an entry, by its index; not asked for entries that are fixed or tied over groups.
    priors
        Prior distributions.
    unit
        Standard deviation of every item and factor in which standardized priors are stated, by name.
    groups
        Labels of the groups.
    """
    G, E = model.free.shape
    link = _links(model)
    base = np.full((G, E), -1, dtype=np.int64)
    deviation = base.copy()
    scale = np.full(E, -1, dtype=np.int64)
    s = np.zeros(E)
    roles: list[Role | None] = [None] * E
    builder = _Builder(priors)
    numbered: dict[int, int] = {}
    seen: dict[tuple[int, ...], int] = {}
    tied = _tied_numbers(model)
    for e in range(E):
        cells = np.flatnonzero(model.free[:, e] >= 0)
        if not cells.size:
            continue
        signature = tuple(int(i) for i in model.free[:, e])
        if signature in seen:  # the same parameters under the same labels
            first = seen[signature]
            _require_same_kind(model, link, first, e)
            base[:, e], deviation[:, e], scale[e], s[e] = base[:, first], deviation[:, first], scale[first], s[first]
            roles[e] = roles[first]
            continue
        seen[signature] = e
        if any(number in tied for number in signature):
            for g in cells:
                number = signature[g]
                if number not in numbered:
                    numbered[number] = builder.add(
                        model.names[number], "common", e, value_prior(model, e, priors, unit)
                    )
                base[g, e] = numbered[number]
            continue
        roles[e] = role = role_of(e)
        _place_role(builder, model, e, cells, role, unit, groups, base, deviation, scale, s)
    family, a, b, c = (np.array(column) for column in zip(*builder.prior, strict=True)) if builder.prior else ([],) * 4
    variances = _variances_of(model)
    shape = [len(model.factors), int(_needs_dense(model)), int((model.matrix == BETA).any())]
    problem = Problem(
        nu=np.ascontiguousarray(nu, dtype=float),
        S=np.ascontiguousarray(S, dtype=float),
        kind=_index(model.matrix),
        row=_index(model.row),
        column=_index(model.column),
        link=_index(link),
        first=variances[0],
        second=variances[1],
        scale=scale,
        base=base,
        deviation=deviation,
        fixed=np.ascontiguousarray(model.fixed, dtype=float),
        s=s,
        family=_index(family),
        a=np.asarray(a, dtype=float),
        b=np.asarray(b, dtype=float),
        c=np.asarray(c, dtype=float),
        shear=_with_polar(builder),
        shape=_index(shape),
    )
    return Posterior(model, problem, tuple(roles), tuple(builder.names), tuple(builder.what), _index(builder.entry))


def _with_polar(builder: _Builder) -> Index:
    """Give every estimated spread over enough groups a coordinate of its own, behind the parameters."""
    rows, n = [], len(builder.names)
    for mu, start, count, e in builder.shear:
        estimated = builder.what[start - 1] == "sd" and count >= LEAST_FOR_POLAR
        rows.append((mu, start, count, e, n if estimated else -1))
        n += estimated
    return _index(rows).reshape(-1, 5)


def _index(values: object) -> Index:
    return np.ascontiguousarray(values, dtype=np.int64)


def _place_role(
    builder: _Builder,
    model: ModelMap,
    e: int,
    cells: Index,
    role: Role,
    unit: Mapping[str, float],
    groups: tuple[Hashable, ...],
    base: Index,
    deviation: Index,
    scale: Index,
    s: Array,
) -> None:
    """Add the parameters of one entry and write where they enter."""
    name, priors = model.entries[e], builder.priors
    vague = value_prior(model, e, priors, unit)
    if isinstance(role, Equal):
        base[cells, e] = builder.add(name, "common", e, vague)
    elif isinstance(role, Free):
        for g in cells:
            base[g, e] = builder.add(f"{name} [{groups[g]}]", "group", e, vague)
    else:
        if isinstance(role, Random):
            mean, spread = random_priors(model, e, priors, unit)
            mu = base[cells, e] = builder.add(f"mean {name}", "mean", e, mean)
            scale[e] = builder.add(f"sd {name}", "sd", e, spread)
        else:
            mu = base[cells, e] = builder.add(f"mean {name}", "mean", e, vague)
            s[e] = np.sqrt(role.variance if role.reference is not None else role.variance / 2.0)
        reference = role.reference if isinstance(role, Approximate) else None
        varying = [g for g in cells if g != reference]
        if varying:  # the only group may be the reference
            builder.shear.append((mu, len(builder.names), len(varying), e))
        for g in varying:
            deviation[g, e] = builder.add(f"deviation {name} [{groups[g]}]", "deviation", e, (NORMAL, 0.0, 1.0, 1.0))


def _links(model: ModelMap) -> Index:
    """Variances on the log scale, covariances as correlations, everything else as it is."""
    symmetric = (model.matrix == THETA) | (model.matrix == PSI)
    return _index(np.where(symmetric, np.where(model.row == model.column, LOG, CORRELATION), IDENTITY))


def _variances_of(model: ModelMap) -> tuple[Index, Index]:
    """For every covariance the entries of its two variances."""
    place = {
        (int(k), int(i), int(j)): e
        for e, (k, i, j) in enumerate(zip(model.matrix, model.row, model.column, strict=True))
    }
    first, second = np.full(len(place), -1, dtype=np.int64), np.full(len(place), -1, dtype=np.int64)
    for (kind, i, j), e in place.items():
        if kind in (THETA, PSI) and i != j:
            first[e], second[e] = place[kind, i, i], place[kind, j, j]
    return first, second


def _needs_dense(model: ModelMap) -> bool:
    """Whether Theta has covariances, or unique variances fixed at zero: then it is never inverted."""
    unique = model.matrix == THETA
    off_diagonal = bool((unique & (model.row != model.column)).any())
    zero = (model.free < 0) & (model.fixed <= 0)
    return off_diagonal or bool(zero[:, unique & (model.row == model.column)].any())


def _tied_numbers(model: ModelMap) -> set[int]:
    """Parameter numbers that labels tie: over groups, or over entries with different partners elsewhere."""
    home: dict[int, set[tuple[int, ...]]] = {}
    count: dict[int, set[int]] = {}
    for column in model.free.T:
        signature = tuple(int(i) for i in column)
        for g, number in enumerate(signature):
            if number >= 0:
                home.setdefault(number, set()).add(signature)
                count.setdefault(number, set()).add(g)
    one_group = model.free.shape[0] == 1
    return {i for i in home if len(home[i]) > 1 or (len(count[i]) > 1 and not one_group)}


def _require_same_kind(model: ModelMap, link: Index, first: int, e: int) -> None:
    if link[first] != link[e] or link[e] == CORRELATION:
        raise UnsupportedModelError(
            f"a label ties {model.entries[first]} and {model.entries[e]}",
            allowed="labels that tie loadings to loadings and variances to variances",
            todo="remove the label from one of them",
        )
