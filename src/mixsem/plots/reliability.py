"""Reliability diagram: are memberships as probable as they say?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, overload

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from ..errors import OptionError
from .style import FAINT, cluster_color, cluster_marker, dress, new_figure, plain

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["reliability", "reliability_data"]

Curves = Mapping[str, tuple[ArrayLike, ArrayLike]]


@overload
def reliability(curves: Curves, *, bins: int = 10, ax: None = None) -> Figure: ...
@overload
def reliability(curves: Curves, *, bins: int = 10, ax: Axes) -> Axes: ...
def reliability(curves: Curves, *, bins: int = 10, ax: Axes | None = None) -> Figure | Axes:
    """Draw the share of correct memberships against their probability, where the truth is known from simulation.

    On the diagonal probabilities are calibrated; below it they are overconfident. Bars are 95% intervals.

    Parameters
    ----------
    curves
        By name, the probability of each group's cluster and whether it was the right one.
    bins
        Number of bins between the smallest probability and 1.
    ax
        Axes to draw into; without them a figure is made.

    Returns
    -------
    matplotlib Figure or Axes
        The axes that were given, else the new figure.

    Raises
    ------
    OptionError
        If a curve is no pair of probabilities and truth values of the same length.
    """
    data = reliability_data(curves, bins=bins)
    figure = new_figure(3.6, 3.4) if ax is None else None
    axes = figure.add_subplot() if figure is not None else ax
    assert axes is not None
    lowest = float(data["lower"].min())
    axes.plot([lowest, 1], [lowest, 1], color=FAINT, linewidth=1.2, zorder=1)
    for number, (name, part) in enumerate(data.groupby("curve", sort=False), start=1):
        color = cluster_color(number)
        axes.errorbar(
            part["predicted"], part["observed"], 1.96 * part["se"], color=color, marker=cluster_marker(number),
            markersize=4.5, linewidth=1.3, elinewidth=0.7, label=plain(name), zorder=2,
        )  # fmt: skip
    dress(axes, grid="y")
    axes.set(xlim=(lowest - 0.02, 1.02), xlabel="Probability of the cluster", ylabel="Share in the right cluster")
    axes.legend(frameon=False, fontsize=8, loc="upper left")
    return axes if figure is None else figure


def reliability_data(curves: Curves, *, bins: int = 10) -> pd.DataFrame:
    """Return what `reliability` draws.

    Returns
    -------
    pandas.DataFrame
        One row per curve and bin that holds a group: ``curve``, ``lower`` and ``upper`` (limits of the bin),
        ``predicted`` (mean probability), ``observed`` (share correct), ``se`` of that share, ``n``.

    Examples
    --------
    >>> reliability_data({"as is": ([0.6, 0.6, 1.0, 1.0], [True, False, True, True])}, bins=2)[
    ...     ["predicted", "observed"]
    ... ]
       predicted  observed
    0        0.6       0.5
    1        1.0       1.0
    """
    import pandas as pd

    if isinstance(bins, bool) or not isinstance(bins, int | np.integer) or bins < 1:
        raise OptionError(f"bins={bins!r}", allowed="a whole number, 1 or more")
    pairs = {name: tuple(np.asarray(x, dtype=float) for x in pair) for name, pair in curves.items()}
    for name, pair in pairs.items():
        if len(pair) != 2 or pair[0].ndim != 1 or pair[0].shape != pair[1].shape or not pair[0].size:
            raise OptionError(
                f"the curve {name!r} is no pair of probabilities and truth values",
                allowed="two sequences of the same length, not empty",
            )
        if not ((pair[0] >= 0) & (pair[0] <= 1) & np.isin(pair[1], (0, 1))).all():
            raise OptionError(f"the curve {name!r} has other values", allowed="probabilities from 0 to 1, and 0 or 1")
    if not pairs:
        raise OptionError("there is no curve", allowed="one or more, by name")
    lowest = min(float(p.min()) for p, _ in pairs.values())
    edges = np.linspace(min(lowest, 0.999), 1.0, bins + 1)
    rows = []
    for name, (p, right) in pairs.items():
        place = np.clip(np.searchsorted(edges, p, side="right") - 1, 0, bins - 1)
        for b in np.unique(place):
            inside = place == b
            share, n = float(right[inside].mean()), int(inside.sum())
            # Agresti and Coull: a share of 0 or 1 has an error, too.
            held = (right[inside].sum() + 2) / (n + 4)
            rows.append(
                {
                    "curve": name, "lower": edges[b], "upper": edges[b + 1], "predicted": float(p[inside].mean()),
                    "observed": share, "se": float(np.sqrt(held * (1 - held) / (n + 4))), "n": n,
                }
            )  # fmt: skip
    return pd.DataFrame(rows)
