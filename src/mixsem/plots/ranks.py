"""Rank histograms of the chains: whether each chain has its share of small and large draws."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, overload

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from scipy.stats import rankdata

from ..errors import OptionError
from .draws import chosen_draws
from .style import INK, MUTED, cluster_color, dress, new_figure, plain

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ranks", "ranks_data"]

BINS = 20


@overload
def ranks(
    fit: object, parameters: str | Sequence[str] | None = ..., *, bins: int = ..., figure: None = None
) -> Figure: ...
@overload
def ranks(
    fit: object, parameters: str | Sequence[str] | None = ..., *, bins: int = ..., figure: Figure | SubFigure
) -> Figure | SubFigure: ...
def ranks(
    fit: object,
    parameters: str | Sequence[str] | None = None,
    *,
    bins: int = BINS,
    figure: Figure | SubFigure | None = None,
) -> Figure | SubFigure:
    """Draw how the ranks of each chain's draws, among the draws of all chains, are distributed.

    If chains agree, all steps are near the line, which is an equal share. A chain that sits elsewhere leans to one
    side, a chain that is stuck has peaks.

    Parameters
    ----------
    fit
        A Bayesian measurement model, or a multilevel SEM.
    parameters
        Names such as ``"F=~x2 [BEL]"``, ``"sd F=~x2"``, or ``"F=~x2"`` for all groups; None for the four that were
        sampled worst, by R-hat and effective sample size.
    bins
        Bins of ranks.
    figure
        Empty figure or subfigure to draw into; without it a figure is made.

    Returns
    -------
    matplotlib Figure or SubFigure
        The figure that was given, else the new one.

    Raises
    ------
    OptionError
        If the fit has no draws, a parameter is not in it, or there are fewer than two bins.

    References
    ----------
    Vehtari, Gelman, Simpson, Carpenter & Bürkner (2021), Rank-normalization, folding, and localization: an improved
    R-hat for assessing convergence of MCMC. Bayesian Analysis 16, 667-718.
    """
    data = ranks_data(fit, parameters, bins=bins)
    names = list(dict.fromkeys(data["parameter"]))
    columns = min(2, len(names))
    rows = -(-len(names) // columns)
    figure = new_figure(3.3 * columns, 0.4 + 1.5 * rows) if figure is None else figure
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax, name in zip(panels, names, strict=False):
        _panel(ax, data[data["parameter"] == name])
    for ax in panels[len(names) :]:
        ax.set_axis_off()
    for ax in panels[max(len(names) - columns, 0) : len(names)]:
        ax.set_xlabel("Rank among all draws")
    return figure


def ranks_data(fit: object, parameters: str | Sequence[str] | None = None, *, bins: int = BINS) -> pd.DataFrame:
    """Return what `ranks` draws.

    Returns
    -------
    pandas.DataFrame
        One row per parameter, chain and bin: ``parameter``, ``chain`` (from 1), ``lower`` and ``upper`` (ranks, 0 to
        the number of draws), ``count``, ``expected``, ``rhat``.
    """
    import pandas as pd

    if not isinstance(bins, int) or bins < 2:
        raise OptionError(f"bins={bins!r}", allowed="a whole number of at least 2", todo="take 20, say")
    data = chosen_draws(fit, parameters, "ranks")
    frames = []
    for name, rows in data.groupby("parameter", sort=False):
        size = len(rows)
        edges = np.linspace(0.0, size, bins + 1)
        rank = rankdata(rows["value"]) - 0.5
        chains = rows["chain"].to_numpy()
        for chain in np.unique(chains):
            own = rank[chains == chain]
            columns = {
                "parameter": name,
                "chain": chain,
                "lower": edges[:-1],
                "upper": edges[1:],
                "count": np.histogram(own, edges)[0],
                "expected": own.size / bins,
                "rhat": rows["rhat"].iloc[0],
            }
            frames.append(pd.DataFrame(columns))
    return pd.concat(frames, ignore_index=True)


def _panel(ax: Axes, data: pd.DataFrame) -> None:
    """One parameter: a step line per chain around the equal share."""
    ax.axhline(float(data["expected"].iloc[0]), color=INK, linewidth=0.8, linestyle=(0, (3, 2)), zorder=1, gid="equal")
    for chain, rows in data.groupby("chain", sort=True):
        assert isinstance(chain, int)
        edges = np.append(rows["lower"], rows["upper"].iloc[-1])
        ax.stairs(rows["count"].to_numpy(), edges, color=cluster_color(chain), linewidth=1.2, zorder=2, label=chain)
    dress(ax)
    ax.set(xlim=(0, float(data["upper"].max())), ylim=(0, 1.08 * float(data["count"].max())))
    ax.set_title(plain(data["parameter"].iloc[0]), loc="left", fontsize=9)
    ax.set_title(f"R-hat {data['rhat'].iloc[0]:.3f}", loc="right", fontsize=8, color=MUTED)
