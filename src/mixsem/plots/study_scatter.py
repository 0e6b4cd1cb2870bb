"""Means per level of a simulation study against those that were published."""

from __future__ import annotations

from typing import TYPE_CHECKING, overload

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from ..errors import OptionError
from .study import REACH
from .study_rows import factor_name, level_name, measure_name
from .style import FAINT, INK, Color, cluster_color, cluster_marker, dress, new_figure, plain

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["study_scatter", "study_scatter_data"]

COLUMNS = 4  # panels in a row
NEEDED = ("measure", "factor", "level", "mean", "se", "paper_mean", "paper_se")


@overload
def study_scatter(levels: pd.DataFrame, *, figure: None = None) -> Figure: ...
@overload
def study_scatter(levels: pd.DataFrame, *, figure: Figure | SubFigure) -> Figure | SubFigure: ...
def study_scatter(levels: pd.DataFrame, *, figure: Figure | SubFigure | None = None) -> Figure | SubFigure:
    """Draw our mean of every level of every factor against the published one, one panel per measure.

    On the diagonal both are the same. Bars are 95% intervals of both; those of published means, of many more data sets,
    are hardly wider than a marker.

    Parameters
    ----------
    levels
        Means beside published ones, as `level_frame` returns them: ``measure``, ``factor`` (None for the mean over
        all), ``level``, ``mean``, ``se``, ``paper_mean``, ``paper_se``.
    figure
        Empty figure or subfigure to draw into; without it a figure is made.

    Returns
    -------
    matplotlib Figure or SubFigure
        The figure that was given, else the new one.

    Raises
    ------
    OptionError
        If there is nothing to compare.
    """
    data = study_scatter_data(levels)
    names = list(dict.fromkeys(data["measure"]))
    columns = min(len(names), COLUMNS)
    rows = -(-len(names) // columns)
    if figure is None:
        figure = new_figure(2.35 * columns + 1.5, max(2.5 * rows, 2.8))
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    factors = list(dict.fromkeys(data["factor"]))
    for ax, name in zip(axes, names, strict=False):
        _panel(ax, data[data["measure"] == name], factors, name)
    for ax in axes[len(names) :]:
        ax.set_axis_off()
    figure.supxlabel("Published mean", fontsize=9, color=INK)
    figure.supylabel("Our mean", fontsize=9, color=INK)
    found = {label: h for ax in axes for h, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    figure.legend(
        list(found.values()), list(found), loc="outside right center", frameon=False, fontsize=8, labelcolor=INK,
        handletextpad=0.2,
    )  # fmt: skip
    return figure


def study_scatter_data(levels: pd.DataFrame) -> pd.DataFrame:
    """Return what `study_scatter` draws.

    Returns
    -------
    pandas.DataFrame
        The rows with both means: ``measure``, ``factor`` ("" for the mean over all), ``level`` (as text), ``mean``,
        ``se``, ``paper_mean``, ``paper_se``.
    """
    missing = [c for c in NEEDED if c not in getattr(levels, "columns", ())]
    if missing:
        raise OptionError(
            f"study_scatter() got a {type(levels).__name__} without {', '.join(missing)}",
            allowed="a frame of means beside published ones",
            todo="give what level_frame() returned",
        )
    data = levels.loc[levels["mean"].notna() & levels["paper_mean"].notna(), list(NEEDED)]
    if data.empty:
        raise OptionError(
            "no mean has a published one beside it",
            allowed="measures and methods of a published study, with its factors and levels",
        )
    total = data["factor"].isna().to_numpy()
    return data.assign(
        factor=data["factor"].astype(object).where(~total, ""),
        level=["" if t else level_name(v) for t, v in zip(total, data["level"], strict=True)],
    ).reset_index(drop=True)


def _panel(ax: Axes, data: pd.DataFrame, factors: list[str], measure: str) -> None:
    """One measure: the diagonal, and one marker per level, in the colour of its factor."""
    ends = data[["paper_mean", "mean"]].to_numpy(float)
    low, high = float(ends.min()), float(ends.max())
    room = 0.08 * (high - low) or 0.05
    ax.plot([low - room, high + room], [low - room, high + room], color=FAINT, linewidth=1.2, zorder=1, gid="diagonal")
    for factor in factors:
        part = data[data["factor"] == factor]
        if part.empty:
            continue
        number = [f for f in factors if f].index(factor) + 1 if factor else 0
        color, x, y = cluster_color(number) if number else INK, part["paper_mean"], part["mean"]
        ax.plot(
            x, y, linestyle="none", color=color, marker=cluster_marker(number) if number else "*",
            markersize=4.2 if number else 6, zorder=2 if number else 3, gid=f"means {factor}",
            label=plain(factor_name(factor) if factor else "All"),
        )  # fmt: skip
        _bars(ax, x - REACH * part["paper_se"], x + REACH * part["paper_se"], y, y, color)
        _bars(ax, x, x, y - REACH * part["se"], y + REACH * part["se"], color)
    ax.set_aspect("equal", adjustable="datalim")
    dress(ax)
    ax.set_title(plain(measure_name(measure)), fontsize=8.5, color=INK)
    ax.locator_params(nbins=4)


def _bars(ax: Axes, left: pd.Series, right: pd.Series, low: pd.Series, high: pd.Series, color: Color | str) -> None:
    """Bars as one broken line: hundreds of lines of their own would make large files."""
    x, y = (np.column_stack([a, b, np.full(len(a), np.nan)]).ravel() for a, b in ((left, right), (low, high)))
    ax.plot(x, y, color=color, linewidth=0.7, zorder=1.9, gid="bars")
