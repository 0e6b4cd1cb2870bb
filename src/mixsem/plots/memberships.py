"""Memberships as they are and propagated: how much certainty is left once everything counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, overload

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..errors import OptionError
from ..mixtures.propagate import PropagatedPosterior
from ..report.values import one_line
from .style import FAINT, INK, MUTED, cluster_color, cluster_marker, dress, new_figure, plain

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["memberships", "memberships_data"]

LONGEST = 22  # characters of a group's name


@overload
def memberships(found: PropagatedPosterior, *, most: int = 40, ax: None = None) -> Figure: ...
@overload
def memberships(found: PropagatedPosterior, *, most: int = 40, ax: Axes) -> Axes: ...
def memberships(found: PropagatedPosterior, *, most: int = 40, ax: Axes | None = None) -> Figure | Axes:
    """Draw the probability of each group's cluster, as is (hollow) and propagated (filled), the least certain first.

    Parameters
    ----------
    found
        What `propagated_posterior` returned.
    most
        Draw so many groups at most, the least certain ones.
    ax
        Axes to draw into; without them a figure is made.

    Returns
    -------
    matplotlib Figure or Axes
        The axes that were given, else the new figure.

    Raises
    ------
    OptionError
        If `found` is anything else, or `most` is no positive whole number.
    """
    if isinstance(most, bool) or not isinstance(most, int | np.integer) or most < 1:
        raise OptionError(f"most={most!r}", allowed="a whole number, 1 or more")
    data = memberships_data(found).head(most)
    figure = new_figure(4.6, 0.9 + 0.19 * len(data)) if ax is None else None
    axes = figure.add_subplot() if figure is not None else ax
    assert axes is not None
    y = np.arange(len(data))
    axes.hlines(y, data["propagated"], data["as_is"], color=FAINT, linewidth=1.6, zorder=1)
    for cluster in range(1, found.fit.k + 1):
        part = data[data["cluster"] == cluster]
        if part.empty:
            continue
        rows = part.index.to_numpy()
        color, marker = cluster_color(cluster), cluster_marker(cluster)
        axes.scatter(part["as_is"], rows, 26, facecolor="white", edgecolor=color, marker=marker, zorder=2)
        axes.scatter(part["propagated"], rows, 26, color=color, marker=marker, zorder=3, label=f"Cluster {cluster}")
    names = [name if len(name) <= LONGEST else name[: LONGEST - 1] + "…" for name in map(one_line, data["group"])]
    dress(axes, grid="x")
    axes.set_yticks(y, [plain(name) for name in names], fontsize=7.5)
    axes.set(xlim=(-0.02, 1.02), ylim=(len(data) - 0.4, -0.6), xlabel="Probability of the cluster")
    axes.tick_params(axis="y", length=0)
    axes.set_title("Hollow: as is. Filled: propagated", loc="left", fontsize=8, color=MUTED)
    axes.legend(frameon=False, fontsize=8, labelcolor=INK, loc="lower left", bbox_to_anchor=(0, 0))
    return axes if figure is None else figure


def memberships_data(found: PropagatedPosterior) -> pd.DataFrame:
    """Return what `memberships` draws.

    Returns
    -------
    pandas.DataFrame
        One row per group, the least certain first: ``group``, ``cluster``, ``as_is``, ``propagated``, ``effective``,
        ``p1`` to ``pK`` (propagated).
    """
    if not isinstance(found, PropagatedPosterior):
        raise OptionError(
            f"memberships() got {type(found).__name__}",
            allowed="a PropagatedPosterior",
            todo="give what propagated_posterior(fit) returned",
        )
    return found.to_frame().sort_values("propagated", kind="stable", ignore_index=True)
