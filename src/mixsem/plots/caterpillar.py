"""Random effects of every level with their intervals, in order."""

from __future__ import annotations

from typing import TYPE_CHECKING, overload

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..mixed.require import AnyFit
from ..report.equation_frames import NORMAL_95
from .mixed_panels import chosen_effects, draw_panels, evenly, level_names, require_any_mixed
from .style import FAINT, INK, MUTED, dress, plain, tint

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["caterpillar", "caterpillar_data"]

#: Above so many levels names cannot be read; then they are left out, and each effect has its own order.
MOST_NAMES = 60
#: Above so many levels intervals cover one another: these are drawn, evenly by rank.
MOST_LEVELS = 200


@overload
def caterpillar(fit: AnyFit, group: str | None = ..., effect: str | None = ..., *, ax: None = None) -> Figure: ...
@overload
def caterpillar(fit: AnyFit, group: str | None = ..., effect: str | None = ..., *, ax: Axes) -> Axes: ...
def caterpillar(
    fit: AnyFit, group: str | None = None, effect: str | None = None, *, ax: Axes | None = None
) -> Figure | Axes:
    """Draw the conditional modes of the random effects with 95% intervals, the largest on top.

    Levels whose interval leaves out 0 have filled dots; the band reaches one standard deviation of the random effect
    to either side. Intervals are those of each level given fixed effects and variances: they do not compare levels.
    Up to 60 levels have their names and are in the order of the first effect in all panels of the factor; otherwise
    each effect has its own order. Of more than 200 levels 200 are drawn, evenly by rank.

    Parameters
    ----------
    fit
        A linear mixed model.
    group
        A grouping factor; all if it is not given.
    effect
        A random effect; all if it is not given.
    ax
        Axes to draw a single panel into; without them a figure is made.

    Returns
    -------
    matplotlib Figure or Axes
        The axes that were given, else the new figure.

    Raises
    ------
    OptionError
        If `fit` is no mixed model, there is no such factor or effect, or axes were given for several panels.
    """
    data = caterpillar_data(fit, group, effect)
    panels = [rows for _, rows in data.groupby(["group", "effect"], sort=False)]
    names = [f"{rows['effect'].iloc[0]} by {rows['group'].iloc[0]}" for rows in panels]
    most = max(int(rows["drawn"].sum()) if len(rows) <= MOST_NAMES else 0 for rows in panels)
    height = max(0.155 * most + 0.75, 3.2)
    return draw_panels(
        ax, names, lambda axes, i: _panel(axes, panels[i]), (3.2, height), todo="choose one with group= and effect="
    )


def caterpillar_data(fit: AnyFit, group: str | None = None, effect: str | None = None) -> pd.DataFrame:
    """Return what `caterpillar` draws.

    Returns
    -------
    pandas.DataFrame
        One row per level of each panel, from the top: ``group``, ``effect``, ``level``, ``estimate`` (conditional
        mode), ``sd`` (its conditional standard deviation), ``lower`` and ``upper`` (95%), ``scale`` (the standard
        deviation of the random effect), ``place`` (0 on top), ``drawn`` (False for levels left out of many).
    """
    import pandas as pd

    effects = chosen_effects(require_any_mixed(fit, "caterpillar"), group, effect)
    modes, factors = fit.ranef, fit.design.factors
    orders: dict[int, np.ndarray] = {}
    frames = []
    for one in effects:
        estimate = modes.modes[one.factor][:, one.column]
        variances = modes.covariances[one.factor][:, one.column, one.column]
        n = len(estimate)
        if n > MOST_NAMES or one.factor not in orders:
            orders[one.factor] = np.argsort(-estimate, kind="stable")
        order = orders[one.factor]
        sd = np.sqrt(variances[order])
        levels = np.empty(n, dtype=object)
        levels[:] = factors[one.factor].levels
        columns = {
            "group": one.group,
            "effect": one.name,
            "level": levels[order],
            "estimate": estimate[order],
            "sd": sd,
            "lower": estimate[order] - NORMAL_95 * sd,
            "upper": estimate[order] + NORMAL_95 * sd,
            "scale": _scale(fit, one.factor, one.column),
            "place": np.arange(n),
            "drawn": evenly(n, MOST_LEVELS),
        }
        frames.append(pd.DataFrame(columns))
    return pd.concat(frames, ignore_index=True)


def _scale(fit: AnyFit, factor: int, column: int) -> float:
    """Standard deviation of a random effect, by its place among those of its factor."""
    terms = zip(fit.design.terms, fit.varcorr.terms, strict=True)
    sds = np.concatenate([variance.sd for term, variance in terms if term.factor == factor])
    return float(sds[column])


def _panel(axes: Axes, rows: pd.DataFrame) -> None:
    total, named = len(rows), len(rows) <= MOST_NAMES
    rows = rows[rows["drawn"]]
    scale = float(rows["scale"].iloc[0])
    axes.axvspan(-scale, scale, color=FAINT, alpha=0.6, linewidth=0, zorder=0, gid="scale")
    axes.axvline(0.0, color=MUTED, linewidth=0.8, linestyle=(0, (3, 2)), zorder=1, gid="zero")
    places = rows["place"].to_numpy()
    away = ((rows["lower"] > 0) | (rows["upper"] < 0)).to_numpy()
    lines = axes.hlines(
        places, rows["lower"], rows["upper"], color=INK if named else tint(MUTED, 0.5),
        linewidth=0.9 if named else 0.6, zorder=2,
    )  # fmt: skip
    lines.set_gid("intervals")
    dots = axes.scatter(
        rows["estimate"], places, s=13 if named else 6, c=[INK if a else "white" for a in away], edgecolors=INK,
        linewidths=0.8 if named else 0.5, zorder=3,
    )  # fmt: skip
    dots.set_gid("estimates")
    dress(axes)
    axes.set(ylim=(total - 0.4 if named else 1.01 * total, -0.6 if named else -0.01 * total))
    axes.set_xlabel(plain(rows["effect"].iloc[0]))
    count = f"{total:,} levels" if len(rows) == total else f"{len(rows):,} of {total:,} levels"
    axes.set_title(plain(rows["group"].iloc[0]), loc="left", fontsize=9)
    axes.set_title("" if named else count, loc="right", fontsize=8, color=MUTED)
    axes.set_yticks(places if named else [], level_names(rows["level"]) if named else [], fontsize=7.5)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
