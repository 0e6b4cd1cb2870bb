"""How often clusters are recovered, by number of groups and people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, overload

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..errors import OptionError
from .style import ACCENT, INK, cluster_color, cluster_marker, dress, new_figure

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["PowerLike", "power", "power_data"]


class PowerLike(Protocol):
    """What the figure needs of a `PowerResult`."""

    @property
    def plans(self) -> pd.DataFrame:
        """One row per plan."""

    @property
    def threshold(self) -> float:
        """ARI from which on clusters count as recovered."""

    @property
    def wanted(self) -> float:
        """Share of data sets in which they should be."""


@overload
def power(result: PowerLike, *, ax: None = None) -> Figure: ...
@overload
def power(result: PowerLike, *, ax: Axes) -> Axes: ...
def power(result: PowerLike, *, ax: Axes | None = None) -> Figure | Axes:
    """Draw the share of data sets in which clusters are recovered, with 95% intervals.

    One line per number of groups; the dashed line is the share that is wanted.

    Parameters
    ----------
    result
        What `power` returned.
    ax
        Axes to draw into; without them a figure is made.

    Returns
    -------
    matplotlib Figure or Axes
        The axes that were given, else the new figure.

    Raises
    ------
    OptionError
        If `result` is anything else.
    """
    data = power_data(result)
    figure = new_figure(5.0, 3.4) if ax is None else None
    axes = figure.add_subplot() if figure is not None else ax
    assert axes is not None
    sizes = data.drop_duplicates("group_size").sort_values("people", kind="stable")["group_size"].tolist()
    groups = sorted(data["n_groups"].unique())
    for i, n_groups in enumerate(groups):
        rows = data[data["n_groups"] == n_groups].sort_values("people", kind="stable")
        # Side by side, so that intervals at the same size can be told apart.
        x = np.array([sizes.index(s) for s in rows["group_size"]]) + 0.06 * (i - (len(groups) - 1) / 2)
        share = rows["recovered"].to_numpy()
        limits: Any = np.abs(rows[["lower", "upper"]].to_numpy().T - share)
        axes.errorbar(
            x, share, limits, color=cluster_color(i + 1), marker=cluster_marker(i + 1), markersize=5.5,
            linewidth=1.4, elinewidth=1.0, capsize=2.5, label=f"{n_groups} groups", zorder=3,
        )  # fmt: skip
    wanted = float(data["wanted"].iloc[0])
    axes.axhline(wanted, color=ACCENT, linewidth=1.0, linestyle="--", zorder=1)
    axes.set_xticks(range(len(sizes)), [str(size) for size in sizes])
    axes.set(
        xlabel="People per group", ylabel=f"Data sets with ARI of {result.threshold:.2f} or more", ylim=(-0.03, 1.03)
    )
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    dress(axes, grid="y")
    axes.legend(frameon=False, fontsize=8.5, labelcolor=INK, loc="best")
    return axes if figure is None else figure


def power_data(result: PowerLike) -> pd.DataFrame:
    """Return what `power` draws.

    Returns
    -------
    pandas.DataFrame
        One row per plan: ``n_groups``, ``group_size``, ``people`` (of a range its middle), ``recovered``, ``lower``,
        ``upper``, ``wanted``.
    """
    plans = getattr(result, "plans", None)
    if plans is None:
        raise OptionError(
            f"power() got a {type(result).__name__}", allowed="a PowerResult", todo="give what mixsem.power() returned"
        )
    data = plans[["n_groups", "group_size", "recovered", "lower", "upper"]].copy()
    data.insert(2, "people", [float(np.mean([int(n) for n in str(s).split("-")])) for s in data["group_size"]])
    data["wanted"] = result.wanted
    return data
