"""What is watched in a posterior: values in every group, means and spreads of random effects, each of them once."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import enumerate_briefly
from ..kernels.problem import CORRELATION, LOG, Problem
from .convergence import Convergence, convergence
from .draws import Draws
from .posterior import Approximate, Posterior

__all__ = ["Monitored", "monitor", "monitored_convergence", "monitored_draws", "shared_entries"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

#: Draws of so many quantities are computed at a time.
CHUNK = 128


@dataclass(frozen=True, eq=False)
class Monitored:
    """The M quantities of a posterior that its results rest on, on their natural scale.

    Attributes
    ----------
    names
        Such as ``"F=~x2 [BEL]"``, ``"F=~x3"`` (equal over groups), ``"mean F=~x2"``, ``"sd F=~x2"``.
    what
        ``"group"``: value of a matrix entry in one group; ``"common"``: equal over groups, or over those that a label
        ties; ``"mean"``, ``"sd"``: of a random or approximately equal entry over groups, of the log of a variance and
        of Fisher's z of a correlation.
    parameter
        Name of the entry, such as ``"F=~x2"``.
    entry, group
        Index of the entry; index of a group that has the value, -1 for means and standard deviations; shape (M,).
    source
        Index of the posterior's parameter behind a mean or standard deviation, else -1, shape (M,).
    """

    names: tuple[str, ...]
    what: tuple[str, ...]
    parameter: tuple[str, ...]
    entry: Index
    group: Index
    source: Index

    @property
    def size(self) -> int:
        """Number of quantities, M."""
        return len(self.names)


def monitor(posterior: Posterior, groups: Sequence[Hashable]) -> Monitored:
    """List what is watched in a posterior.

    Parameters
    ----------
    posterior
        The compiled block.
    groups
        Labels of the groups.

    Returns
    -------
    Monitored
        Fixed values are left out; values that are the same parameter (equal over groups, tied by a label) and the
        mean that is the reference group's own value come once.
    """
    problem, entries = posterior.problem, posterior.model.entries
    G = problem.base.shape[0]
    rows: list[tuple[str, str, str, int, int, int]] = []
    for e, cells in distinct_cells(problem):
        for members in cells:
            labels = enumerate_briefly([groups[g] for g in members], 3)
            name = entries[e] if len(members) == G else f"{entries[e]} [{labels}]"
            what = "common" if len(members) > 1 else "group"
            rows.append((name, what, entries[e], e, members[0], -1))
    for i, what in enumerate(posterior.what):
        e = int(posterior.entry[i])
        role = posterior.roles[e]
        own = isinstance(role, Approximate) and role.reference is not None
        if what == "sd" or (what == "mean" and not own):
            rows.append((posterior.names[i], what, entries[e], e, -1, i))
    names, whats, parameters, entry, group, source = zip(*rows, strict=True) if rows else ((),) * 6
    index = [np.array(column, dtype=np.int64) for column in (entry, group, source)]
    return Monitored(names, whats, parameters, *index)


def distinct_cells(problem: Problem) -> Iterator[tuple[int, list[list[int]]]]:
    """Entries with estimated values, and for each the groups that share a value; what was listed before is left out."""
    seen: dict[tuple[int, ...], int] = {}
    for e in range(problem.kind.size):
        signature = _signature(problem, e)
        cells: dict[tuple[int, ...], list[int]] = {}
        for g in np.flatnonzero((signature >= 0).any(axis=1)):
            key = tuple(int(i) for i in signature[g])
            if seen.setdefault(key, e) == e:
                cells.setdefault(key, []).append(int(g))
        if cells:
            yield e, list(cells.values())


def shared_entries(problem: Problem) -> tuple[list[int], list[int]]:
    """Entries whose value differs over groups, and entries with one value for all; copies of others left out."""
    varying: list[int] = []
    common: list[int] = []
    for e, cells in distinct_cells(problem):
        one = len(cells) == 1 and len(cells[0]) == problem.base.shape[0]
        (common if one else varying).append(e)
    return varying, common


def _signature(problem: Problem, e: int) -> Index:
    """Parameters behind an entry in every group, one row per group, all -1 where it is fixed."""
    parts = [problem.base[:, e], problem.deviation[:, e]]
    if problem.link[e] == CORRELATION:  # a covariance: its variances are part of it
        fixed = (parts[0] < 0) & (parts[1] < 0)
        for v in (int(problem.first[e]), int(problem.second[e])):
            parts += [np.where(fixed, -1, part) for part in (problem.base[:, v], problem.deviation[:, v])]
    return np.stack(parts, axis=1)


def monitored_draws(posterior: Posterior, watched: Monitored, x: Array, which: Index | None = None) -> Array:
    """Draws of some of the quantities on their natural scale.

    Parameters
    ----------
    posterior
        The compiled block.
    watched
        Its quantities.
    x
        Draws of the parameters, shape (..., P).
    which
        Indices of the quantities wanted, shape (K,); None for all.

    Returns
    -------
    NDArray
        Shape (..., K).
    """
    which = np.arange(watched.size) if which is None else which
    flat = x.reshape(-1, x.shape[-1])

    def rows(index: Index) -> Array:
        """Draws of some parameters, one row each: what follows works along rows."""
        unique, inverse = np.unique(index, return_inverse=True)
        return np.asarray(np.ascontiguousarray(flat[:, unique].T)[inverse])

    out = np.empty((which.size, len(flat)))
    kinds = np.array([watched.what[i] for i in which], dtype=object)
    value = watched.source[which] < 0
    out[value] = _cell_values(posterior.problem, rows, watched.group[which[value]], watched.entry[which[value]])
    out[kinds == "mean"] = rows(watched.source[which[kinds == "mean"]])
    out[kinds == "sd"] = np.exp(rows(watched.source[which[kinds == "sd"]]))
    return np.moveaxis(out.reshape(which.size, *x.shape[:-1]), 0, -1)


def _cell_values(problem: Problem, rows: Callable[[Index], Array], g: Index, e: Index) -> Array:
    """Values of entries e in groups g, shape (K, draws); as `mixsem.kernels.plain_posterior.entry_values` has them."""
    base, deviation, scale, link = problem.base[g, e], problem.deviation[g, e], problem.scale[e], problem.link[e]
    eta = rows(np.maximum(base, 0))
    eta[base < 0] = 0.0
    for s in np.unique(scale[deviation >= 0]):
        moving = np.flatnonzero((deviation >= 0) & (scale == s))
        spread = np.exp(rows(np.array([s]))) if s >= 0 else problem.s[e[moving], None]
        eta[moving] += spread * rows(deviation[moving])
    eta[link == LOG] = np.exp(eta[link == LOG])
    pairs = np.flatnonzero(link == CORRELATION)
    if pairs.size:
        first, second = (_cell_values(problem, rows, g[pairs], v[e[pairs]]) for v in (problem.first, problem.second))
        eta[pairs] = np.tanh(eta[pairs]) * np.sqrt(first * second)
    fixed = (base < 0) & (deviation < 0)
    eta[fixed] = problem.fixed[g[fixed], e[fixed]][:, None]
    return eta


def monitored_convergence(posterior: Posterior, watched: Monitored, draws: Draws) -> Convergence:
    """R-hat and effective sample sizes of everything watched, on all cores and a chunk at a time on each."""

    def of_chunk(first: int) -> Convergence:
        which = np.arange(first, min(first + CHUNK, watched.size))
        return convergence(monitored_draws(posterior, watched, draws.x, which))

    with ThreadPoolExecutor(os.cpu_count()) as pool:  # sorts and transforms leave Python to the other threads
        parts = list(pool.map(of_chunk, range(0, watched.size, CHUNK)))
    rhat, bulk, tail = ([getattr(part, name) for part in parts] for name in ("rhat", "ess_bulk", "ess_tail"))
    return Convergence(*(np.concatenate(values or [np.empty(0)]) for values in (rhat, bulk, tail)))
