"""Intraclass correlations by the values of a predictor with random slopes."""

from __future__ import annotations

from typing import overload

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..errors import OptionError, did_you_mean
from ..mixed.variance.intraclass import ICC
from .mixed_panels import draw_panels, level_names
from .style import cluster_color, cluster_marker, dress, plain

__all__ = ["icc", "icc_data"]


@overload
def icc(found: ICC, variable: str | None = ..., *, ax: None = None) -> Figure: ...
@overload
def icc(found: ICC, variable: str | None = ..., *, ax: Axes) -> Axes: ...
def icc(found: ICC, variable: str | None = None, *, ax: Axes | None = None) -> Figure | Axes:
    """Draw the correlation of two rows of a cluster that have the same value of a predictor, by that value.

    Dots are the values of the table: all that there are, or the quartiles and the extremes.

    Parameters
    ----------
    found
        What ``mixsem.icc`` returned for a model with random slopes.
    variable
        A predictor with random slopes; a panel for each if it is not given.
    ax
        Axes to draw a single panel into; without them a figure is made.

    Returns
    -------
    matplotlib Figure or Axes
        The axes that were given, else the new figure.

    Raises
    ------
    OptionError
        If `found` is anything else, has no random slopes, there is no such predictor, or axes were given for several
        panels.
    """
    data = icc_data(found, variable)
    panels = [rows for _, rows in data.groupby("variable", sort=False)]
    names = [str(rows["variable"].iloc[0]) for rows in panels]
    return draw_panels(
        ax, names, lambda axes, i: _panel(axes, panels[i], found.frame), (3.6, 3.0), todo="choose one with variable="
    )


def icc_data(found: ICC, variable: str | None = None) -> pd.DataFrame:
    """Return what `icc` draws.

    Returns
    -------
    pandas.DataFrame
        One row per point of each line: ``group``, ``variable``, ``value``, ``variance`` (of the random effects of the
        factor), ``icc``.
    """
    if not isinstance(found, ICC):
        raise OptionError(
            f"icc() got a {type(found).__name__}", allowed="an ICC", todo="give what mixsem.icc() returned"
        )
    if found.curve is None:
        raise OptionError(
            "the intraclass correlation is a single number: the model has no random slopes",
            allowed="models with random slopes",
            todo="print it",
        )
    known = list(dict.fromkeys(found.curve["variable"]))
    if variable is not None and variable not in known:
        todo = did_you_mean(str(variable), known) or "choose one"
        raise OptionError(f"variable={variable!r}", allowed=", ".join(known), todo=todo)
    return found.curve if variable is None else found.curve[found.curve["variable"] == variable].reset_index(drop=True)


def _panel(axes: Axes, rows: pd.DataFrame, table: pd.DataFrame) -> None:
    """A line per grouping factor."""
    variable = rows["variable"].iloc[0]
    groups = list(dict.fromkeys(rows["group"]))
    numbers = all(isinstance(value, int | float) for value in rows["value"])
    for i, group in enumerate(groups, start=1):
        line = rows[rows["group"] == group]
        dots = table[(table["variable"] == variable) & (table["group"] == group)]
        across = line["value"].astype(float) if numbers else np.arange(len(line))
        color = cluster_color(i)
        if numbers:
            axes.plot(across, line["icc"], color=color, linewidth=1.6, zorder=2, gid=f"line {group}")
        at = dots["value"].astype(float) if numbers else np.arange(len(dots))
        shape = cluster_marker(i)
        points = axes.scatter(
            at, dots["icc"], s=24, c=[color], marker=shape, edgecolors="white", linewidths=0.5, zorder=3
        )
        points.set(gid=f"values {group}", label=plain(group))
    dress(axes, grid="y")
    axes.set(ylim=(0.0, 1.0), xlabel=plain(variable), ylabel="correlation of two rows of a level")
    if not numbers:
        axes.set_xticks(range(len(dots)), level_names(dots["value"]))
        axes.set_xlim(-0.5, len(dots) - 0.5)
    if len(groups) > 1:
        axes.legend(frameon=False, fontsize=8, loc="best")
    else:
        axes.set_title(plain(groups[0]), loc="left", fontsize=9)
