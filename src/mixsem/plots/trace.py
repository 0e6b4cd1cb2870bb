"""The paths of the chains: whether they cover the same ground, and how fast."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, overload

from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from .draws import chosen_draws
from .style import ACCENT, MUTED, cluster_color, dress, new_figure, plain

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["trace", "trace_data"]


@overload
def trace(fit: object, parameters: str | Sequence[str] | None = ..., *, figure: None = None) -> Figure: ...
@overload
def trace(
    fit: object, parameters: str | Sequence[str] | None = ..., *, figure: Figure | SubFigure
) -> Figure | SubFigure: ...
def trace(
    fit: object, parameters: str | Sequence[str] | None = None, *, figure: Figure | SubFigure | None = None
) -> Figure | SubFigure:
    """Draw the chains of some parameters, draw after draw; ticks below mark divergent draws.

    Chains that agree lie over one another and look alike from beginning to end.

    Parameters
    ----------
    fit
        A Bayesian measurement model, or a multilevel SEM.
    parameters
        Names such as ``"F=~x2 [BEL]"``, ``"sd F=~x2"``, or ``"F=~x2"`` for all groups; None for the four that were
        sampled worst, by R-hat and effective sample size.
    figure
        Empty figure or subfigure to draw into; without it a figure is made.

    Returns
    -------
    matplotlib Figure or SubFigure
        The figure that was given, else the new one.

    Raises
    ------
    OptionError
        If the fit has no draws, or a parameter is not in it.
    """
    data = trace_data(fit, parameters)
    names = list(dict.fromkeys(data["parameter"]))
    figure = new_figure(6.5, 0.4 + 1.15 * len(names)) if figure is None else figure
    panels = figure.subplots(len(names), 1, sharex=True, squeeze=False)[:, 0]
    for ax, name in zip(panels, names, strict=True):
        _panel(ax, data[data["parameter"] == name])
    panels[-1].set_xlabel("Draw")
    return figure


def trace_data(fit: object, parameters: str | Sequence[str] | None = None) -> pd.DataFrame:
    """Return what `trace` draws.

    Returns
    -------
    pandas.DataFrame
        One row per draw: ``parameter``, ``chain`` and ``draw`` (from 1), ``value``, ``diverging``, and the
        parameter's ``rhat``, ``ess_bulk``, ``ess_tail``; parameters in the order named, or the worst first.
    """
    return chosen_draws(fit, parameters, "trace")


def _panel(ax: Axes, data: pd.DataFrame) -> None:
    """The chains of one parameter."""
    for chain, rows in data.groupby("chain", sort=True):
        assert isinstance(chain, int)
        ax.plot(rows["draw"], rows["value"], color=cluster_color(chain), linewidth=0.5, alpha=0.8, zorder=2)
    diverging = data.loc[data["diverging"], "draw"]
    if len(diverging):
        low = float(data["value"].min())
        ax.plot(diverging, [low] * len(diverging), "|", color=ACCENT, markersize=6, zorder=3, gid="divergent")
    dress(ax)
    ax.margins(x=0.01)
    head = data.iloc[0]
    ax.set_title(plain(head["parameter"]), loc="left", fontsize=9)
    said = f"R-hat {head['rhat']:.3f}, effective draws {head['ess_bulk']:,.0f} bulk, {head['ess_tail']:,.0f} tail"
    ax.set_title(said, loc="right", fontsize=8, color=MUTED)
