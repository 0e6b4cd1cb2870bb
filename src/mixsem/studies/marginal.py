"""Means over the levels of a design of which perhaps only a part was run, and how far they are from the whole.

A design is crossed factors; its cells are what was chosen, and replications lie within cells. The means over the
levels that all cells would have are estimated by least squares from the cells there are: by the main effects, coded
as deviations from the grand mean. In a balanced part these are the plain means of the cells; where cells are missing,
they are adjusted for the levels of the other factors that the missing cells take away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

    from .study import Level

__all__ = ["CellMeans", "Marginal", "cell_means", "effect_code", "marginal_means"]

Array: TypeAlias = NDArray[np.float64]

#: Singular values, and shares of a contrast, so far below the largest are zero.
SINGULAR = 1e-9


@dataclass(frozen=True, eq=False)
class CellMeans:
    """Mean of one measure in every cell that has data.

    Attributes
    ----------
    levels
        Per factor the level of each of the m cells.
    mean
        (m,) mean over the replications of a cell.
    error
        (m,) sampling variance of the mean: variance within the cell over its replications, of all cells pooled where
        a cell has one replication; NaN if all cells have but one.
    n
        (m,) replications.
    """

    levels: Mapping[str, tuple[Level, ...]]
    mean: Array
    error: Array
    n: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Marginal:
    """Mean over one level of the design.

    Attributes
    ----------
    factor, level
        Which level; both None for all cells.
    n_cells
        Cells at this level that have data.
    mean
        Least-squares mean; NaN without cells.
    plain
        Mean of the means of the cells.
    se
        Standard error of `mean` as an estimate of the mean over all cells of the design; NaN if the cells do not tell.
    """

    factor: str | None
    level: Level
    n_cells: int
    mean: float
    plain: float
    se: float


def cell_means(values: pd.Series, cells: pd.Series, design: Sequence[Mapping[str, Level]]) -> CellMeans:
    """Means per cell.

    Parameters
    ----------
    values
        The measure, one number per data set; missing ones are left out.
    cells
        Number of the cell of each data set.
    design
        Levels of all cells by their number.
    """
    have = values.notna()
    grouped = values[have].astype(float).groupby(cells[have].astype(int))
    n = np.asarray(grouped.count(), dtype=np.int64)
    variance = np.asarray(grouped.var(), dtype=np.float64)
    several = n > 1
    pooled = np.average(variance[several], weights=n[several] - 1) if several.any() else np.nan
    factors = list(design[0]) if design else []
    mean = grouped.mean()
    numbers = mean.index.to_numpy(dtype=np.int64).tolist()
    levels = {factor: tuple(design[cell][factor] for cell in numbers) for factor in factors}
    return CellMeans(levels, np.asarray(mean, dtype=np.float64), np.where(several, variance, pooled) / n, n)


def effect_code(levels: Sequence[Level], all_levels: Sequence[Level]) -> Array:
    """Effect coding: one column per level but the last that occurs, -1 in all of them for that last one.

    Examples
    --------
    >>> effect_code(["a", "b", "c", "a"], ["a", "b", "c"]).tolist()
    [[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0], [1.0, 0.0]]
    """
    there = [level for level in all_levels if level in levels]
    indicator = np.array([[level == other for other in there] for level in levels], dtype=float)
    indicator = indicator.reshape(len(levels), len(there))
    return indicator[:, :-1] - indicator[:, -1:]


def marginal_means(means: CellMeans, factors: Mapping[str, Sequence[Level]], share: float) -> tuple[Marginal, ...]:
    """Means over every level of every factor, and over all cells as the last.

    Parameters
    ----------
    means
        Means of the cells that have data.
    factors
        Factors and their levels.
    share
        Share of the cells of the design that have data, 0 to 1.

    Notes
    -----
    The mean over a level is a weighted sum of cell means, weights w. Its error has two sources. The cells that were not
    run would have deviated from the main effects as the residuals of those that were do: their variance s2 is that of
    the residuals of the cell means, which holds interactions and sampling error. And the data sets of a cell vary, with
    variance v for a cell's mean. Hence ``se^2 = (1 - share) s2 sum w^2 + share sum w^2 v``: for a small part the
    variance of the residuals over the number of cells at the level, for all cells the variance within them alone,
    since they are no sample then. Where cells were chosen so that pairs of levels are balanced too, two-way
    interactions with the factor itself cancel in the mean, and the standard error is a little too large.
    """
    m = len(means.mean)
    codes = {factor: effect_code(means.levels[factor], levels) for factor, levels in factors.items()}
    X = np.concatenate([np.ones((m, 1)), *codes.values()], axis=1)
    inverse = np.linalg.pinv(X.T @ X, rcond=SINGULAR, hermitian=True)
    df = m - (np.linalg.matrix_rank(X) if m else 0)
    residual = means.mean - X @ (inverse @ (X.T @ means.mean))
    between = float(residual @ residual) / df if df > 0 else np.nan
    # One replication per cell: sampling error cannot be told from interactions, and the residuals hold both.
    within = np.where(np.isnan(means.error), between, means.error)

    # A mean that is to go over all levels of a factor cannot be had while one of them has no cell.
    lacking = {factor for factor, levels in factors.items() if set(levels) - set(means.levels[factor])}

    def at(factor: str | None, level: Level, contrast: Array, there: NDArray[np.bool_]) -> Marginal:
        plain = float(means.mean[there].mean()) if there.any() else np.nan
        weights = X @ (inverse @ contrast)
        if not there.any() or lacking - {factor} or np.abs(X.T @ weights - contrast).max() > SINGULAR * m:
            return Marginal(factor, level, int(there.sum()), plain, plain, np.nan)
        squared = weights**2
        variance = share * float(squared @ within)
        if share < 1:  # 0 times an unknown variance is 0
            variance += (1 - share) * float(squared.sum()) * between
        return Marginal(factor, level, int(there.sum()), float(weights @ means.mean), plain, float(np.sqrt(variance)))

    found, first = [], 1
    for factor, levels in factors.items():
        width = codes[factor].shape[1]
        present = [level for level in levels if level in means.levels[factor]]
        for level in levels:
            contrast = np.zeros(X.shape[1])
            contrast[0] = 1.0
            if level in present:
                own = effect_code([level, *present], present)[0]  # coded among all that are present
                contrast[first : first + width] = own
            there = np.array([other == level for other in means.levels[factor]], dtype=bool)
            found.append(at(factor, level, contrast, there))
        first += width
    total = np.zeros(X.shape[1])
    total[0] = 1.0
    return (*found, at(None, None, total, np.ones(m, dtype=bool)))
