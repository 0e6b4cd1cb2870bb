"""Estimated marginal means, and slopes, over a reference grid."""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...errors import OptionError, did_you_mean, enumerate_briefly
from ...options import shown
from ..derived.frame_table import FrameTable
from ..designs.predictor_types import as_floats
from ..require import require_any_fit
from .ddf import Ddf, Inference, inference_of, require_level, t_table
from .grid_slopes import grid_slopes
from .marginal_notes import mean_notes
from .multiplicity import WORDS, Adjustment, adjusted_p, critical_values
from .reference_grid import At, ReferenceGrid, grid_matrix, grid_offset, reference_grid
from .response_scale import Scale, as_ratios, on_response_scale, require_scale, scale_notes

if TYPE_CHECKING:
    from ...report.table import Table
    from ..designs.design import Design
    from ..estimates import MixedEstimates

__all__ = ["Comparisons", "MarginalMeans", "emmeans"]

Array = NDArray[np.float64]
Weighting = Literal["equal", "proportional"]
Comparisons = Literal["pairwise", "reference", "consecutive"]


@dataclass(frozen=True, eq=False, repr=False)
class MarginalMeans(FrameTable):
    """Means (or slopes) with tests and limits.

    Attributes
    ----------
    title, frame, notes
        The table. `frame` has the variables asked for, then estimate, se, df, t (or z), p_value, lower, upper.
    contrasts
        Differences: the conditioning variables, contrast, estimate, se, df, t (or z), p_value, lower, upper; None if
        none were asked for.
    L
        Weights of the fixed effects in each mean, shape (m, p).
    """

    contrasts: FrameTable | None
    L: Array

    @property
    def table(self) -> Table:
        """The means as a table to print."""
        return super().table

    def __repr__(self) -> str:
        below = "" if self.contrasts is None else f"\n\n{self.contrasts!r}"
        return f"{self.table!r}{below}"

    def _repr_html_(self) -> str:
        return self.table._repr_html_() + ("" if self.contrasts is None else self.contrasts._repr_html_())


def emmeans(
    fit: MixedEstimates,
    specs: str | Sequence[str],
    *,
    at: At | None = None,
    slope: str | None = None,
    weights: Weighting = "equal",
    contrasts: Comparisons | None = None,
    adjust: Adjustment | None = None,
    ddf: Ddf | Inference | None = None,
    type: Scale = "link",
    level: float = 0.95,
) -> MarginalMeans:
    """Estimate means of the response for levels of factors, averaged over those of the others.

    Parameters
    ----------
    fit
        The fit.
    specs
        Factors: ``"f"``, ``("f", "g")`` or ``"f * g"`` for their combinations, ``"f | g"`` for f within each level of
        g, which matters for comparisons. ``"1"`` for the overall mean.
    at
        Values of variables. Elsewhere factors have all levels, numbers their mean; numbers with two distinct values
        are treated like factors.
    slope
        A numeric variable whose slope is estimated in the place of the mean.
    weights
        Weights of the levels averaged over: ``"equal"``, or ``"proportional"`` to how often their combinations occur.
    contrasts
        Compare means: all pairs, each with the first, or each with the one before.
    adjust
        For several comparisons: ``"tukey"`` (pairs only), ``"holm"``, ``"bonferroni"``, ``"none"``. By default Tukey's
        method for pairs and Holm's for others. Each level of conditioning variables is a family of its own.
    ddf
        ``"satterthwaite"``, the default for linear models; ``"kenward-roger"`` (REML only); ``"none"`` for z, all that
        generalised models have; or the `Inference` of this fit.
    type
        Scale of the means of generalised models: ``"link"``, or ``"response"``, where comparisons become ratios if the
        link is the log or the logit.
    level
        Confidence level of the limits.

    Returns
    -------
    MarginalMeans
        Prints as one or two tables. Means in empty cells of the design are missing.

    Raises
    ------
    OptionError
        If an option is none of those allowed or names no variable of the fixed part.

    Notes
    -----
    Definitions and numbers are those of the R package emmeans. Searle, Speed & Milliken (1980), The American
    Statistician 34, 216-221.

    Examples
    --------
    >>> from mixsem.data import sleepstudy
    >>> from mixsem.mixed.linear import lmer
    >>> fit = lmer("Reaction ~ C(Days) + (1 | Subject)", sleepstudy())
    >>> found = emmeans(fit, "Days", at={"Days": [0, 9]}, contrasts="pairwise")
    >>> found.contrasts.frame[["contrast", "estimate", "se", "df"]].round(3)
      contrast  estimate      se     df
    0    0 - 9   -94.199  10.475  153.0
    """
    require_any_fit(fit, "emmeans")
    level = require_level(level)
    require_scale(type, slope)
    adjust = _options(weights, contrasts, adjust)
    if not fit.model.p:
        raise OptionError("emmeans() of a model without fixed effects", allowed="models whose fixed part has a mean")
    wanted, within = _specification(specs)
    grid = reference_grid(fit.design, at)
    _require_variables((*wanted, *within), grid)
    known = inference_of(fit, ddf)
    rows = grid_matrix(fit.design, grid.frame) if slope is None else grid_slopes(fit.design, grid, slope)
    offsets = grid_offset(fit.design, grid.frame) if slope is None else np.zeros(len(rows))
    labels, average = _averages(fit.design, grid, (*wanted, *within), weights)
    L, offset = average @ np.nan_to_num(rows), average @ offsets
    L[(average[:, np.isnan(rows).any(axis=1)] > 0.0).any(axis=1)] = np.nan
    table = t_table(known, L, level, -offset)
    for name in ("estimate", "lower", "upper"):
        table[name] = table[name] + offset
    frame = pd.concat([labels, table], axis=1)
    differences = None
    if contrasts is not None:
        differences = _compare(known, L, labels, wanted, within, contrasts, adjust, level, scale_notes(fit, "link"))
    if type == "response":
        frame = on_response_scale(fit, frame)
        differences = None if differences is None else _ratios(fit, differences)
    what = "Estimated marginal means" if slope is None else f"Slopes of {slope}"
    said = mean_notes(fit.design, grid, (*wanted, *within), slope, weights, at)
    notes = (*said, *scale_notes(fit, type), known.note)
    return MarginalMeans(what, frame, notes, differences, L)


def _options(weights: str, contrasts: str | None, adjust: Adjustment | None) -> Adjustment:
    if weights not in ("equal", "proportional"):
        raise OptionError(f"weights={weights!r}", allowed="'equal' or 'proportional'")
    if contrasts not in (None, "pairwise", "reference", "consecutive"):
        raise OptionError(f"contrasts={contrasts!r}", allowed="None, 'pairwise', 'reference' or 'consecutive'")
    if adjust not in (None, "none", "tukey", "holm", "bonferroni"):
        raise OptionError(f"adjust={adjust!r}", allowed="'none', 'tukey', 'holm' or 'bonferroni'")
    if adjust == "tukey" and contrasts in ("reference", "consecutive"):
        raise OptionError(
            f"adjust='tukey' for contrasts={contrasts!r}",
            allowed="Tukey's method for contrasts='pairwise'",
            todo="use adjust='holm'",
        )
    return adjust or ("tukey" if contrasts == "pairwise" else "holm")


def _specification(specs: str | Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Variables before and after the bar."""
    if not isinstance(specs, str):
        if not isinstance(specs, Sequence) or not all(isinstance(name, str) for name in specs):
            raise OptionError(f"specs={shown(specs)}", allowed='names of variables, or "1" for the overall mean')
        return tuple(specs), ()
    before, bar, after = specs.strip().removeprefix("~").partition("|")
    if not before.strip() or (bar and not after.strip()):
        raise OptionError(f"specs={specs!r}", allowed='"f", "f * g", "f | g"', todo='write "1" for the overall mean')
    parts = [tuple(name.strip() for name in re.split(r"[*:+]", part) if name.strip()) for part in (before, after)]
    return tuple(name for name in parts[0] if name != "1"), parts[1]


def _require_variables(names: Sequence[str], grid: ReferenceGrid) -> None:
    for name in names:
        if name not in grid.levels:
            raise OptionError(
                f"specs= names {name!r}, which is no variable of the fixed part",
                allowed=enumerate_briefly(list(grid.levels)) or "'1' alone: the fixed part has no variable",
                todo=did_you_mean(str(name), grid.levels),
            )
    if len(set(names)) < len(names):
        raise OptionError(f"specs= names a variable twice: {', '.join(names)}", allowed="each variable once")


def _averages(
    design: Design, grid: ReferenceGrid, names: Sequence[str], weights: Weighting
) -> tuple[pd.DataFrame, Array]:
    """Labels of the means, and the weights of the rows of the grid in each, (m, rows)."""
    frame = grid.frame
    wanted = ReferenceGrid({name: grid.levels[name] for name in names}, frame, {})
    place = {combination: i for i, combination in enumerate(_combinations(wanted.levels))}
    mean_of = np.array([place[row] for row in _rows(frame, names)], dtype=int)
    others = [name for name in grid.varied if name not in names]
    weight = np.ones(len(frame))
    if weights == "proportional" and others:
        columns = {name: _observed(design, name) for name in others}
        counts = pd.Series(list(zip(*columns.values(), strict=True))).value_counts().to_dict()
        weight = np.array([counts.get(row, 0) for row in _rows(frame, others)], dtype=float)
    average = np.zeros((len(place), len(frame)))
    average[mean_of, np.arange(len(frame))] = weight
    total = average.sum(axis=1, keepdims=True)
    labels = pd.DataFrame(list(place), columns=list(names)) if names else pd.DataFrame({"mean": ["overall"]})
    return labels, np.divide(average, total, out=np.zeros_like(average), where=total > 0.0)


def _combinations(levels: dict[str, tuple[Hashable, ...]]) -> list[tuple[Hashable, ...]]:
    """Of the levels, the first variable fastest."""
    found: list[tuple[Hashable, ...]] = [()]
    for values in levels.values():
        found = [(*row, value) for value in values for row in found]
    return found


def _rows(frame: pd.DataFrame, names: Sequence[str]) -> list[tuple[Hashable, ...]]:
    return list(zip(*(frame[name] for name in names), strict=True)) if names else [()] * len(frame)


def _observed(design: Design, name: str) -> list[Hashable]:
    known = design.types.categories[name]
    if known is None:
        return list(as_floats(design.frame[name]).astype(float).tolist())
    return list(design.types.tidy(design.frame[[name]])[name])


def _compare(
    known: Inference,
    L: Array,
    labels: pd.DataFrame,
    wanted: Sequence[str],
    within: Sequence[str],
    contrasts: Comparisons,
    adjust: Adjustment,
    level: float,
    scale: tuple[str, ...],
) -> FrameTable:
    """Differences between means, family by family."""
    families: dict[tuple[Hashable, ...], list[int]] = {}
    for i, family in enumerate(_rows(labels, within)):
        families.setdefault(family, []).append(i)
    names = [" ".join(map(_label, row)) for row in _rows(labels, wanted)]
    parts = []
    for family, members in families.items():
        pairs = _pairs(members, contrasts)
        if not pairs:
            continue
        table = t_table(known, np.array([L[a] - L[b] for a, b in pairs]), level)
        df = table["df"].to_numpy() if "df" in table else np.full(len(table), np.inf)
        ratio, p, se = (table[name].to_numpy() for name in (known.statistic, "p_value", "se"))
        size = len(members)
        method: Adjustment = adjust if len(pairs) > 1 else "none"
        half = critical_values(level, df, method, size, len(pairs)) * se
        table["p_value"] = adjusted_p(p, ratio, df, method, size)
        table["lower"], table["upper"] = table["estimate"] - half, table["estimate"] + half
        table.insert(0, "contrast", [f"{names[a]} - {names[b]}" for a, b in pairs])
        for column, value in reversed(list(zip(within, family, strict=True))):
            table.insert(0, column, [value] * len(table))
        parts.append(table)
    if not parts:
        raise OptionError(
            f"contrasts={contrasts!r} of one mean", allowed="two means or more", todo="name a factor in specs="
        )
    note = "p-values and limits are not adjusted." if adjust == "none" else f"Adjusted {WORDS[adjust]}."
    return FrameTable("Comparisons", pd.concat(parts, ignore_index=True), (note, *scale, known.note))


def _label(level: Hashable) -> str:
    """A level as tables show it."""
    return {True: "yes", False: "no"}[bool(level)] if isinstance(level, bool | np.bool_) else str(level)


def _ratios(fit: MixedEstimates, differences: FrameTable) -> FrameTable:
    """Comparisons on the scale of the response."""
    frame, note = as_ratios(fit, differences.frame)
    link = scale_notes(fit, "link")
    notes = tuple(text for text in differences.notes if not note or text not in link)
    return replace(differences, frame=frame, notes=(note, *notes) if note else notes)


def _pairs(members: Sequence[int], contrasts: Comparisons) -> list[tuple[int, int]]:
    if contrasts == "pairwise":
        return list(combinations(members, 2))
    if contrasts == "reference":
        return [(i, members[0]) for i in members[1:]]
    return list(zip(members[1:], members[:-1], strict=True))
