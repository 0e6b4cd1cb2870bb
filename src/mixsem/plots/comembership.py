"""How often groups share a cluster when the mixture is fitted again: a heat map."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, overload

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from ..errors import OptionError
from ..mixtures.bootstrap_results import MixtureBootstrap
from ..report.values import one_line
from .style import INK, MUTED, cluster_color, dress, new_figure, plain

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["comembership", "comembership_data"]

_COLORS = LinearSegmentedColormap.from_list("share", ["#FFFFFF", "#9ECAE1", "#08306B"])
LONGEST = 18  # characters of a group's name
#: Above so many groups names cannot be read; then they are left out.
MOST_NAMES = 80


@overload
def comembership(drawn: MixtureBootstrap, *, ax: None = None) -> Figure: ...
@overload
def comembership(drawn: MixtureBootstrap, *, ax: Axes) -> Axes: ...
def comembership(drawn: MixtureBootstrap, *, ax: Axes | None = None) -> Figure | Axes:
    """Draw the share of bootstrap samples in which two groups are in the same cluster.

    Groups are sorted by their cluster in the fit and then by how often they are in it. Frames in the colours of the
    clusters surround their groups: dark inside and white outside is a clustering that comes out again and again.

    Parameters
    ----------
    drawn
        What `bootstrap` of a mixture returned.
    ax
        Axes to draw into; without them a figure is made.

    Returns
    -------
    matplotlib Figure or Axes
        The axes that were given, else the new figure.

    Raises
    ------
    OptionError
        If `drawn` is anything else.
    """
    data = comembership_data(drawn)
    names = list(dict.fromkeys(data["group"]))
    G = len(names)
    values = data["share"].to_numpy(float).reshape(G, G)
    members = data["cluster"].to_numpy()[::G]
    side = 2.0 + (0.155 * G if G <= MOST_NAMES else 6.0)
    figure = new_figure(side + 0.7, side) if ax is None else None
    axes = figure.add_subplot() if figure is not None else ax
    assert axes is not None
    image = axes.imshow(values, cmap=_COLORS, vmin=0.0, vmax=1.0, interpolation="nearest")
    dress(axes)
    axes.spines[:].set_visible(False)
    edges = [0, *(np.flatnonzero(np.diff(members)) + 1).tolist(), G]
    for start, end in pairwise(edges):
        corner = [start - 0.5, end - 0.5]
        color = cluster_color(int(members[start]))
        axes.plot(
            [corner[0], corner[1], corner[1], corner[0], corner[0]],
            [corner[0], corner[0], corner[1], corner[1], corner[0]],
            color=color, linewidth=2.0, gid=f"cluster {members[start]}", clip_on=False,
        )  # fmt: skip
    if G <= MOST_NAMES:
        short = [name if len(name) <= LONGEST else name[: LONGEST - 1] + "…" for name in map(one_line, names)]
        axes.set_yticks(range(G), [plain(name) for name in short], fontsize=7)
        axes.set_xticks([])
    else:
        middle = [(a + b - 1) / 2 for a, b in pairwise(edges)]
        axes.set_yticks(middle, [f"Cluster {members[a]}" for a in edges[:-1]])
        axes.set_xticks([])
    axes.tick_params(length=0)
    bar = axes.figure.colorbar(image, ax=axes, shrink=0.6)
    bar.ax.tick_params(labelsize=8, colors=MUTED, labelcolor=INK)
    bar.outline.set_visible(False)
    bar.set_label("Share of samples in the same cluster", size=8, color=INK)
    return axes if figure is None else figure


def comembership_data(drawn: MixtureBootstrap) -> pd.DataFrame:
    """Return what `comembership` draws.

    Returns
    -------
    pandas.DataFrame
        One row per pair of groups in the order drawn, row by row: ``group``, ``other``, ``cluster`` and
        ``other_cluster`` (in the fit), ``share`` of the samples with both in which they share a cluster (NaN if there
        are none).

    Raises
    ------
    OptionError
        As `comembership` does.
    """
    if not isinstance(drawn, MixtureBootstrap):
        raise OptionError(
            f"comembership() got a {type(drawn).__name__}",
            allowed="a MixtureBootstrap",
            todo="give what bootstrap() of a mixture returned",
        )
    import pandas as pd

    fit = drawn.fit
    order = np.lexsort((np.arange(len(fit.groups)), -np.nan_to_num(drawn.stability), fit.clusters))
    names, members, G = [str(fit.groups[g]) for g in order], fit.clusters[order], order.size
    return pd.DataFrame(
        {
            "group": np.repeat(np.array(names, dtype=object), G),
            "other": names * G,
            "cluster": np.repeat(members, G),
            "other_cluster": np.tile(members, G),
            "share": drawn.comembership[np.ix_(order, order)].ravel(),
        }
    )
