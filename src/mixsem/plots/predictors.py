"""Variables of the groups in every cluster: box plots with the groups behind them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, overload

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from numpy.typing import NDArray

from ..data.columns import FrameLike
from ..errors import DataError
from ..mixtures.group_table import group_table
from ..options import Names, as_names
from ..structural.fit import MixtureFit
from .inputs import require_fit
from .style import INK, MUTED, cluster_color, cluster_marker, dress, new_figure, plain, tint

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["predictors", "predictors_data"]

Array = NDArray[np.float64]

COLUMNS = 3  # panels in a row
#: A box says less than the points where there are fewer groups than this.
BOXED = 4
#: Names are written beside the groups outside the whiskers, if there are no more than this.
MOST_NAMES = 4


@overload
def predictors(
    fit: MixtureFit, data: FrameLike, variables: Names, group: str | None = ..., *, figure: None = None
) -> Figure: ...
@overload
def predictors(
    fit: MixtureFit, data: FrameLike, variables: Names, group: str | None = ..., *, figure: Figure | SubFigure
) -> Figure | SubFigure: ...
def predictors(
    fit: MixtureFit,
    data: FrameLike,
    variables: Names,
    group: str | None = None,
    *,
    figure: Figure | SubFigure | None = None,
) -> Figure | SubFigure:
    """Draw a box plot of each variable of the groups, one box per cluster.

    A point is one group, at its most probable cluster, paler where that is uncertain. Boxes reach from the first to the
    third quartile, whiskers to the last group within 1.5 box lengths; groups beyond are named. Clusters of fewer than
    four groups with a value have a line at the median only.

    Parameters
    ----------
    fit
        A mixture.
    data
        A table with one row per group, as `mixsem.predictors` takes it.
    variables
        Columns of numbers to draw, one panel each.
    group
        Column of the labels; if left out, that of step 1 or the only one that holds all labels.
    figure
        Empty figure or subfigure to draw into; without it a figure is made.

    Returns
    -------
    matplotlib Figure or SubFigure
        The figure that was given, else the new one.

    Raises
    ------
    OptionError
        If `fit` is not one mixture.
    DataError
        If a group or variable is missing in the table, or a variable is not of numbers.
    """
    frame = predictors_data(fit, data, variables, group)
    names = list(dict.fromkeys(frame["variable"]))
    columns = min(len(names), COLUMNS)
    rows = -(-len(names) // columns)
    if figure is None:
        figure = new_figure(columns * (1.3 + 0.55 * max(fit.k, 2)), 3.1 * rows)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax, name in zip(axes, names, strict=False):
        _panel(ax, frame[frame["variable"] == name], fit.k, name)
    for ax in axes[len(names) :]:
        ax.set_axis_off()
    return figure


def predictors_data(fit: MixtureFit, data: FrameLike, variables: Names, group: str | None = None) -> pd.DataFrame:
    """Return what `predictors` draws.

    Returns
    -------
    pandas.DataFrame
        One row per variable and group with a value: ``variable``, ``cluster``, ``group``, ``probability`` (of that
        cluster), ``value``, ``outside`` (beyond the whiskers).
    """
    import pandas as pd

    require_fit(fit, "predictors")
    names = as_names(variables, "variables")
    measurement = fit.moments.measurement
    table = group_table(data, names, fit.groups, group, None if measurement is None else measurement.moments.group)
    members, sure = fit.clusters, fit.posterior.max(axis=1)
    parts = []
    for name in dict.fromkeys(names):
        values = _numbers(table[name], name)
        known = np.isfinite(values)
        outside = np.zeros(values.size, dtype=bool)
        for c in range(1, fit.k + 1):
            here = known & (members == c)
            outside[here] = _outside(values[here])
        parts.append(
            pd.DataFrame(
                {
                    "variable": name,
                    "cluster": members[known],
                    "group": pd.Series([g for g, k in zip(fit.groups, known, strict=True) if k], dtype=None),
                    "probability": sure[known],
                    "value": values[known],
                    "outside": outside[known],
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def _numbers(column: pd.Series, name: str) -> Array:
    try:
        values = np.asarray(column.astype(float), dtype=float)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"{name} is not a column of numbers", allowed="numbers; a box plot has no place for categories"
        ) from error
    if not np.isfinite(values).any():
        raise DataError(f"no group has a value of {name}", todo="choose another variable")
    return values


def _outside(values: Array) -> NDArray[np.bool_]:
    """Which values lie beyond the whiskers; none where there is no box."""
    if values.size < BOXED:
        return np.zeros(values.size, dtype=bool)
    low, high = np.quantile(values, [0.25, 0.75])
    return (values < low - 1.5 * (high - low)) | (values > high + 1.5 * (high - low))


def _panel(ax: Axes, data: pd.DataFrame, k: int, name: str) -> None:
    """One variable: boxes, groups, names of those outside."""
    for c in range(1, k + 1):
        rows = data[data["cluster"] == c]
        values = rows["value"].to_numpy(dtype=float)
        if not values.size:
            continue
        color = cluster_color(c)
        if values.size >= BOXED:
            ax.boxplot(
                values, positions=[c], widths=0.56, showfliers=False, patch_artist=True, manage_ticks=False, zorder=1,
                boxprops={"facecolor": tint(color, 0.25), "edgecolor": color, "linewidth": 1.0},
                whiskerprops={"color": color, "linewidth": 1.0}, capprops={"color": color, "linewidth": 1.0},
                medianprops={"color": INK, "linewidth": 1.6},
            )  # fmt: skip
        else:
            ax.hlines(np.median(values), c - 0.28, c + 0.28, color=INK, linewidth=1.6, zorder=1)
        at = c + _shifts(values)
        alpha = 0.25 + 0.65 * rows["probability"].to_numpy(dtype=float)
        ax.scatter(
            at, values, s=16, marker=cluster_marker(c), zorder=2, linewidth=0,
            color=np.column_stack([np.tile(color, (values.size, 1)), alpha]), gid=f"groups-of-cluster-{c}",
        )  # fmt: skip
        far = np.flatnonzero(rows["outside"].to_numpy())
        for g in far[:MOST_NAMES]:
            ax.annotate(
                plain(rows["group"].iloc[g]), (at[g], values[g]), xytext=(5, 0), textcoords="offset points",
                va="center", fontsize=6.5, color=MUTED, annotation_clip=False,
            )  # fmt: skip
    ax.set(xlim=(0.4, k + 0.6), xlabel="Cluster", title=plain(name))
    ax.set_xticks(range(1, k + 1))
    dress(ax, grid="y")


def _shifts(values: Sequence[float] | Array) -> Array:
    """Small sideways shifts that keep neighbours apart: a low-discrepancy sequence along the order of the values."""
    shift = np.empty(len(values))
    shift[np.argsort(values, kind="stable")] = (np.arange(len(values)) * 0.6180339887 % 1.0 - 0.5) * 0.36
    return shift
