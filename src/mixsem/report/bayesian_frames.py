"""Parameters of a Bayesian measurement model as frames, and how loadings vary over groups."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..bayes.monitored import Monitored, monitor, monitored_draws
from ..kernels.problem import CORRELATION, LOG, Problem
from ..measurement.bayes_fit import BayesianBlock, BayesianFit
from ..measurement.bayes_measures import bayes_fit_measures
from ..measurement.diagnostics import diagnostics

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["LoadingVariation", "bayesian_glance", "bayesian_parameters", "loading_variation"]

Array = NDArray[np.float64]

#: Draws of so many quantities are held at a time.
CHUNK = 128
#: Ends of the 95% interval.
ENDS = (0.025, 0.975)
COLUMNS = ("block", "group", "lhs", "op", "rhs", "what", "scale", "estimate", "sd", "lower", "upper")


@dataclass(frozen=True, eq=False)
class LoadingVariation:
    """A loading that may differ between groups, compared with its average over groups.

    Attributes
    ----------
    factor, item
        Names.
    average
        Average over groups: posterior mean and 95% interval, shape (3,).
    groups
        Indices of the groups in which the loading is estimated, shape (K,).
    estimates
        Posterior mean in each of them, shape (K,).
    differences
        Group less average: posterior mean and 95% interval, shape (3, K).
    """

    factor: str
    item: str
    average: Array
    groups: NDArray[np.int64]
    estimates: Array
    differences: Array

    @property
    def deviating(self) -> NDArray[np.bool_]:
        """Whether the interval of the difference leaves out 0, shape (K,)."""
        return np.asarray((self.differences[1] > 0) | (self.differences[2] < 0))


def bayesian_parameters(fit: BayesianFit) -> pd.DataFrame:
    """All parameters of a Bayesian measurement model: posterior means, SDs and 95% intervals."""
    import pandas as pd

    rows = [row for block in fit.blocks for row in _block_rows(block, fit)]
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    return frame.assign(group=pd.Series([row[1] for row in rows], dtype=object))


def _block_rows(block: BayesianBlock, fit: BayesianFit) -> list[tuple[object, ...]]:
    """One block: of every entry its mean and SD over groups, then its values."""
    problem, entries = block.posterior.problem, block.posterior.model.entries
    table = {row.name: row for row in block.table.rows}
    over = monitor(block.posterior, fit.groups)
    spread = [i for i in range(over.size) if over.source[i] >= 0]
    cells = [(e, g, what) for e in range(problem.kind.size) for g, what in _cells(problem, e)]
    found = _summaries(block, _watched(cells))
    over_found = _summaries(block, over, np.array(spread, dtype=np.int64))
    name = ", ".join(block.factors)
    rows: dict[int, list[tuple[object, ...]]] = {e: [] for e in range(problem.kind.size)}
    for i, numbers in zip(spread, over_found, strict=True):
        e = int(over.entry[i])
        row = table[entries[e]]
        scale = {LOG: "log variance", CORRELATION: "Fisher z"}.get(int(problem.link[e]), "")
        rows[e].append((name, None, row.lhs, row.op, row.rhs, over.what[i], scale, *numbers.tolist()))
    for (e, g, what), numbers in zip(cells, found, strict=True):
        row = table[entries[e]]
        label = None if what in ("equal", "fixed") else fit.groups[g]
        kind = "fixed" if _is_fixed(problem, e)[g] else what
        shown = (float(problem.fixed[g, e]), None, None, None) if kind == "fixed" else numbers.tolist()
        rows[e].append((name, label, row.lhs, row.op, row.rhs, kind, "", *shown))
    return [row for e in sorted(rows) for row in rows[e]]


def _cells(problem: Problem, e: int) -> Iterator[tuple[int, str]]:
    """Groups to list for an entry: one for all if they share its value, else each."""
    fixed = _is_fixed(problem, e)
    if fixed.all() and np.unique(problem.fixed[:, e]).size == 1:
        yield 0, "fixed"
    elif not fixed.any() and _is_equal(problem, e):
        yield 0, "equal"
    else:
        for g in range(fixed.size):
            yield g, "group"


def _is_fixed(problem: Problem, e: int) -> NDArray[np.bool_]:
    return (problem.base[:, e] < 0) & (problem.deviation[:, e] < 0)


def _is_equal(problem: Problem, e: int) -> bool:
    """Whether all groups take the value from the same parameters; a covariance also has those of its variances."""
    own = [e]
    if problem.link[e] == CORRELATION:
        own += [int(problem.first[e]), int(problem.second[e])]
    return all(bool((part[:, own] == part[0, own]).all()) for part in (problem.base, problem.deviation))


def _watched(cells: list[tuple[int, int, str]]) -> Monitored:
    """Values of some entries in some groups, as `monitored_draws` takes them."""
    entry, group = (np.array([cell[k] for cell in cells], dtype=np.int64) for k in (0, 1))
    empty = ("",) * len(cells)
    return Monitored(empty, ("group",) * len(cells), empty, entry, group, np.full(len(cells), -1))


def _summaries(block: BayesianBlock, watched: Monitored, which: NDArray[np.int64] | None = None) -> Array:
    """Posterior mean, SD and ends of the 95% interval, shape (K, 4)."""
    which = np.arange(watched.size) if which is None else which
    out = np.empty((which.size, 4))
    for first in range(0, which.size, CHUNK):
        part = slice(first, first + CHUNK)
        draws = monitored_draws(block.posterior, watched, block.draws.flat, which[part])
        out[part] = np.column_stack([draws.mean(axis=0), draws.std(axis=0, ddof=1), *np.quantile(draws, ENDS, axis=0)])
    return out


def loading_variation(fit: BayesianFit) -> tuple[LoadingVariation, ...]:
    """Compare every loading that may differ between groups with its average over them.

    The average gives all groups the same weight; groups where the loading is fixed are not in it.
    """
    found = []
    for block in fit.blocks:
        problem = block.posterior.problem
        for e, row in enumerate(block.table.rows):
            groups = np.flatnonzero(~_is_fixed(problem, e))
            if row.op != "=~" or groups.size < 2 or _is_equal(problem, e):
                continue
            watched = _watched([(e, int(g), "group") for g in groups])
            draws = monitored_draws(block.posterior, watched, block.draws.flat)
            average = draws.mean(axis=1, keepdims=True)
            found.append(
                LoadingVariation(
                    row.lhs, row.rhs, _interval(average)[:, 0], groups, draws.mean(axis=0), _interval(draws - average)
                )
            )
    return tuple(found)


def _interval(draws: Array) -> Array:
    """Mean and ends of the 95% interval, shape (3, K), of draws of shape (D, K)."""
    return np.stack([draws.mean(axis=0), *np.quantile(draws, ENDS, axis=0)])


def bayesian_glance(fit: BayesianFit) -> pd.DataFrame:
    """One row per measurement block: sizes, sampling and fit."""
    import pandas as pd

    found, measures = diagnostics(fit).frame, bayes_fit_measures(fit)
    rows = []
    for block, row, own in zip(fit.blocks, found.to_dict("records"), measures.blocks, strict=True):
        sampled = {name: row[name] for name in ("rhat", "ess_bulk", "ess_tail", "divergences")}
        sizes = {"n_groups": len(fit.groups), "nobs": fit.nobs, "n_items": len(block.items)}
        troubled = any(n.text.startswith(f"{row['block']}: ") and n.name == "SamplingWarning" for n in fit.notices)
        rows.append({"block": row["block"], **sizes, **_without_block(own.to_dict()), **sampled})
        rows[-1]["converged"] = not troubled
    return pd.DataFrame(rows)


def _without_block(measures: dict[str, str | float]) -> dict[str, str | float]:
    return {name: value for name, value in measures.items() if name != "block"}
