"""Were labels used again in every group? ``(1 | hospital) + (1 | ward)`` where ward 1 of each hospital is another."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..designs.grouping import GroupingFactor
from .findings import Finding
from .subject import AuditedDesign

__all__ = ["Crossing", "reused_labels", "study_crossing"]

Array = NDArray[np.float64]

#: Rows per cell (median) from which on a cell can be told from its rows.
CELL_ROWS = 2
#: Cells have effects of their own if chance leads to such differences less often than the first; labels have none in
#: common over the groups if chance leads to theirs more often than the second.
CELLS_DIFFER, LABELS_AGREE = 1e-3, 0.05
#: Levels beyond which nothing is asked, and rounds of the additive fit to cell means.
MOST_LEVELS, ROUNDS = 20_000, 100
#: Adjustments of cell means smaller than this, relative to their spread, end the rounds.
SETTLED = 1e-6


@dataclass(frozen=True)
class Crossing:
    """How the cells of two crossed factors differ.

    Attributes
    ----------
    p_cells
        Chance of cells that differ so much beyond both factors' effects, rows within cells taken as noise.
    p_first, p_second
        Chance of levels of either factor that differ so much, after the other, cells taken as noise.
    """

    p_cells: float
    p_first: float
    p_second: float


def reused_labels(audited: AuditedDesign) -> Iterator[Finding]:
    """Two factors that cross by their labels, where the data speak for one nested in the other.

    Asked if labels of one recur in several levels of the other, most cells have two rows or more, cells differ beyond
    both main effects, and equal labels have nothing in common. Truly crossed factors have effects of their own, or no
    effect of cells, and cells of one row leave nothing to ask.
    """
    factors = [f for f in audited.design.factors if len(f.variables) == 1]
    together = [set(f.variables) for f in audited.design.factors if len(f.variables) > 1]
    for a, b in itertools.combinations(factors, 2):
        if any({a.name, b.name} <= names for names in together):
            continue
        crossing = study_crossing(audited, a, b)
        if crossing is None or crossing.p_cells > CELLS_DIFFER:
            continue
        silent = [f for f, p in ((a, crossing.p_first), (b, crossing.p_second)) if p > LABELS_AGREE]
        if silent:  # of two whose labels say nothing, the one with fewer of them was used again
            inner = min(silent, key=lambda factor: factor.n_levels)
            yield _question(b if inner is a else a, inner)


def _question(outer: GroupingFactor, inner: GroupingFactor) -> Finding:
    return Finding(
        "MX122",
        "data",
        f"Labels of {inner.name} recur in several levels of {outer.name}, and rows with the same label in different"
        f" levels have nothing in common, while rows of the same {inner.name} within a level do.",
        f"(1 | {outer.name}) + (1 | {inner.name})",
        f"If {inner.name} {inner.levels[0]} of one {outer.name} is not {inner.name} {inner.levels[0]} of another, the"
        " model treats different things as one.",
        f"was (1 | {outer.name}/{inner.name}) meant? If both really cross, add (1 | {outer.name}:{inner.name}).",
    )


def study_crossing(audited: AuditedDesign, a: GroupingFactor, b: GroupingFactor) -> Crossing | None:
    """Compare cells, rows and main effects of two factors; None where they do not cross or cells have one row.

    Parameters
    ----------
    audited
        The design.
    a, b
        Two of its factors.
    """
    from scipy.special import fdtrc

    design = audited.design
    if a.n_levels + b.n_levels > MOST_LEVELS:
        return None
    cells, cell_of = np.unique(a.codes.astype(np.int64) * b.n_levels + b.codes, return_inverse=True)
    i, j = np.divmod(cells, b.n_levels)
    n = np.bincount(cell_of).astype(np.float64)
    recur = min(np.bincount(i).max(initial=0), np.bincount(j).max(initial=0)) > 1
    df_cells, df_within = len(cells) - a.n_levels - b.n_levels + 1, design.n - len(cells)
    if not recur or np.median(n) < CELL_ROWS or df_cells < 1 or df_within < 1:
        return None
    y = design.y - design.X @ np.linalg.lstsq(design.X, design.y, rcond=None)[0] if design.p else design.y
    means = np.bincount(cell_of, y) / n
    within = float(((y - means[cell_of]) ** 2).sum())
    left = {keep: _left(means, n, i, j, keep) for keep in ("both", "first", "second")}
    if not within > 0.0 or not left["both"] > 0.0:
        return None
    noise = left["both"] / df_cells

    def chance(gain: float, df: int, df_error: int, error: float) -> float:
        return float(fdtrc(df, df_error, max(gain, 0.0) / df / error))

    return Crossing(
        chance(left["both"], df_cells, df_within, within / df_within),
        chance(left["second"] - left["both"], a.n_levels - 1, df_cells, noise),
        chance(left["first"] - left["both"], b.n_levels - 1, df_cells, noise),
    )


def _left(means: Array, n: Array, i: NDArray[np.int64], j: NDArray[np.int64], keep: str) -> float:
    """Weighted sum of squares of cell means that one factor or both leave, by turns of subtracting means."""
    rest = means - np.average(means, weights=n)
    totals = [np.bincount(codes, n) for codes in (i, j)]
    spread = float(np.sqrt(np.average(rest**2, weights=n)))
    for _ in range(ROUNDS if keep == "both" else 1):
        before = rest
        for name, codes, total in zip(("first", "second"), (i, j), totals, strict=True):
            if keep in ("both", name):
                rest = rest - (np.bincount(codes, n * rest) / total)[codes]
        if np.abs(rest - before).max() <= SETTLED * spread:
            break
    return float((n * rest**2).sum())
