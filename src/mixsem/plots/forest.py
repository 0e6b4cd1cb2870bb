"""Group-specific regressions of a multilevel SEM with their intervals, sorted."""

from __future__ import annotations

from typing import TYPE_CHECKING, overload

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..errors import OptionError, enumerate_briefly
from ..multilevel.fit import MultilevelFit
from ..report.mixture_tables import regression_name
from ..report.values import one_line
from .style import ACCENT, FAINT, INK, MUTED, dress, new_figure, plain

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["forest", "forest_data"]

#: Above so many groups names cannot be read; then they are left out.
MOST_NAMES = 100
LONGEST = 22  # characters of a group's name


@overload
def forest(fit: MultilevelFit, regression: str | None = ..., *, ax: None = None) -> Figure: ...
@overload
def forest(fit: MultilevelFit, regression: str | None = ..., *, ax: Axes) -> Axes: ...
def forest(fit: MultilevelFit, regression: str | None = None, *, ax: Axes | None = None) -> Figure | Axes:
    """Draw a regression in every group with its 95% interval, the largest on top.

    The line is the mean over groups, mu; the band reaches one standard deviation over groups, tau, to either side.
    Groups whose interval leaves out 0 have filled dots. More than 100 groups stand without their names.

    Parameters
    ----------
    fit
        A multilevel SEM.
    regression
        Such as ``"F3 ~ F1"``; may be left out if one regression only is random.
    ax
        Axes to draw into; without them a figure is made.

    Returns
    -------
    matplotlib Figure or Axes
        The axes that were given, else the new figure.

    Raises
    ------
    OptionError
        If `fit` is no multilevel SEM, or the regression is not in it or equal over groups.
    """
    data = forest_data(fit, regression)
    G = len(data)
    named = G <= MOST_NAMES
    figure = new_figure(4.2, (0.17 if named else 0.03) * max(G, 8) + 0.8) if ax is None else None
    axes = figure.add_subplot() if figure is not None else ax
    assert axes is not None
    mean, tau = float(data["mean"].iloc[0]), float(data["tau"].iloc[0])
    axes.axvspan(mean - tau, mean + tau, color=FAINT, alpha=0.6, linewidth=0, zorder=0, gid="tau")
    axes.axvline(mean, color=ACCENT, linewidth=1.0, zorder=1, gid="mean")
    axes.axvline(0.0, color=MUTED, linewidth=0.8, linestyle=(0, (3, 2)), zorder=1, gid="zero")
    places, estimate = np.arange(G), data["estimate"].to_numpy()
    away = ((data["lower"] > 0) | (data["upper"] < 0)).to_numpy()
    size = 14 if named else 4
    lines = axes.hlines(places, data["lower"], data["upper"], color=INK, linewidth=0.9 if named else 0.5, zorder=2)
    lines.set_gid("intervals")
    fill = [INK if a else "white" for a in away]
    dots = axes.scatter(estimate, places, s=size, c=fill, edgecolors=INK, linewidths=0.8, zorder=3)
    dots.set_gid("estimates")
    dress(axes)
    axes.set(ylim=(G - 0.4, -0.6), xlabel=plain(regression_name(data["outcome"].iloc[0], data["predictor"].iloc[0])))
    labels = [one_line(name) for name in data["group"]] if named else []
    short = [name if len(name) <= LONGEST else name[: LONGEST - 1] + "…" for name in labels]
    axes.set_yticks(places if named else [], [plain(name) for name in short], fontsize=7.5)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    return axes if figure is None else figure


def forest_data(fit: MultilevelFit, regression: str | None = None) -> pd.DataFrame:
    """Return what `forest` draws.

    Returns
    -------
    pandas.DataFrame
        One row per group, the largest estimate first: ``group``, ``n``, ``outcome``, ``predictor``, ``estimate``,
        ``sd``, ``lower``, ``upper``, and for all groups alike ``mean`` and ``tau``, the posterior means of the mean
        and the standard deviation over groups.
    """
    name = _one_regression(fit, regression)
    outcome, predictor = name.split("~")
    own, hyper = fit.regressions, fit.hyper
    frame = own[(own["outcome"] == outcome) & (own["predictor"] == predictor)]
    over = hyper[(hyper["outcome"] == outcome) & (hyper["predictor"] == predictor)].iloc[0]
    frame = frame.sort_values("estimate", ascending=False, kind="stable").reset_index(drop=True)
    return frame.assign(mean=float(over["mean"]), tau=float(over["tau"]))


def _one_regression(fit: MultilevelFit, regression: str | None) -> str:
    """Name of the random regression that is meant."""
    if not isinstance(fit, MultilevelFit):
        raise OptionError(
            f"forest() got a {type(fit).__name__}", allowed="a MultilevelFit", todo="give what MLSEM.fit() returned"
        )
    random = [name for name in fit.path.names if fit.is_random(name)]
    if regression is None and len(random) == 1:
        return random[0]
    listed = enumerate_briefly([name.replace("~", " ~ ") for name in random]) or "none in this fit"
    if regression is None:
        raise OptionError("regression= is missing", allowed=f"random regressions: {listed}", todo="name one of them")
    name = fit.regression_name(regression)
    if name not in random:
        raise OptionError(f"{regression!r} is equal over groups", allowed=f"random regressions: {listed}")
    return name
