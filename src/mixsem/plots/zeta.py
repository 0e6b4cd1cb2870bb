"""Profile likelihood of the parameters of a mixed model: zeta by value."""

from __future__ import annotations

from typing import TYPE_CHECKING, overload

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from scipy.interpolate import PchipInterpolator

from ..errors import OptionError
from ..mixed.uncertainty.profile import Profile
from .style import ACCENT, FAINT, INK, MUTED, dress, new_figure, plain

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["zeta", "zeta_data"]

#: Panels in a row.
ACROSS = 3
LONGEST = 34  # characters of a title


@overload
def zeta(profile: Profile, level: float = ..., *, figure: None = None) -> Figure: ...
@overload
def zeta(profile: Profile, level: float = ..., *, figure: Figure | SubFigure) -> Figure | SubFigure: ...
def zeta(profile: Profile, level: float = 0.95, *, figure: Figure | SubFigure | None = None) -> Figure | SubFigure:
    """Draw zeta, the signed square root of the rise of -2 log L, against the values of each parameter.

    A straight line is a parameter whose Wald interval would do; a bent one has an interval that is not symmetric. The
    segment is the interval; where the line ends short of it, values end.

    Parameters
    ----------
    profile
        What `profile` returned.
    level
        Level of the intervals, at most that of the profile.
    figure
        Empty figure or subfigure to draw into; without it a figure is made.

    Returns
    -------
    matplotlib Figure or SubFigure
        The figure that was given, else the new one.

    Raises
    ------
    OptionError
        If `profile` is anything else, or does not reach `level`.
    """
    data = zeta_data(profile)
    if not 0.0 < level <= profile.level:
        raise OptionError(f"level={level!r}", allowed=f"up to {profile.level:g}, where the profile ends")
    limits = profile.intervals(level).frame
    across = min(ACROSS, len(profile.names))
    down = -(-len(profile.names) // across)
    figure = new_figure(2.6 * across + 0.3, 2.1 * down + 0.2) if figure is None else figure
    for i, name in enumerate(profile.names):
        axes = figure.add_subplot(down, across, i + 1)
        rows = data[data["parameter"] == name]
        _panel(axes, rows, float(limits["lower"][i]), float(limits["upper"][i]))
        axes.set_title(plain(name if len(name) <= LONGEST else name[: LONGEST - 1] + "…"), fontsize=9)
        axes.set_ylabel("zeta" if i % across == 0 else "")
    return figure


def zeta_data(profile: Profile) -> pd.DataFrame:
    """Return what `zeta` draws.

    Returns
    -------
    pandas.DataFrame
        One row per constrained fit: ``parameter``, ``value``, ``zeta``.
    """
    if not isinstance(profile, Profile):
        raise OptionError(
            f"zeta() got a {type(profile).__name__}", allowed="a Profile", todo="give what mixsem.profile() returned"
        )
    return profile.frame[["parameter", "value", "zeta"]].copy()


def _panel(axes: Axes, rows: pd.DataFrame, lower: float, upper: float) -> None:
    value, height = rows["value"].to_numpy(), rows["zeta"].to_numpy()
    axes.axhline(0.0, color=FAINT, linewidth=0.8, zorder=0)
    if len(value) > 1:
        fine = np.linspace(value[0], value[-1], 200)
        axes.plot(fine, PchipInterpolator(value, height)(fine), color=INK, linewidth=1.3, zorder=2, gid="line")
    axes.plot(value, height, ".", color=INK, markersize=4, zorder=3, gid="points")
    axes.plot([lower, upper], [0.0, 0.0], color=ACCENT, linewidth=2.2, zorder=4, gid="interval")
    axes.axvline(float(value[np.argmin(np.abs(height))]), color=MUTED, linewidth=0.8, linestyle=(0, (3, 2)), zorder=1)
    dress(axes)
