"""Are residuals and random effects normal? Their quantiles against those of a normal distribution."""

from __future__ import annotations

from typing import TYPE_CHECKING, overload

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ..errors import OptionError
from ..mixed.fit import MixedFit
from ..mixed.require import AnyFit
from .mixed_panels import LONGEST, Effect, chosen_effects, draw_panels, level_names, require_any_mixed, table_rows
from .style import ACCENT, FAINT, INK, MUTED, dress, plain

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["qq", "qq_data"]

Array = NDArray[np.float64]

#: Of more values than this so many are drawn, evenly by quantile, besides this many at each end.
MOST, ENDS = 600, 100
#: Coverage of the band, for each point by itself.
LEVEL = 0.95
#: From so many values on dots are small.
MANY = 60
#: Values outside the band that are named, the farthest first.
NAMED = 3
#: Share of the height by which a value has to be outside to have its name.
CLOSE = 0.01
#: Share of the width that a name takes.
ROOM = 0.15
#: Squared standard deviation of a mode, relative to that of its effect, below which the data say nothing of the level.
SILENT = 1e-10


@overload
def qq(fit: AnyFit, group: str | None = ..., effect: str | None = ..., *, ax: None = None) -> Figure: ...
@overload
def qq(fit: AnyFit, group: str | None = ..., effect: str | None = ..., *, ax: Axes) -> Axes: ...
def qq(fit: AnyFit, group: str | None = None, effect: str | None = None, *, ax: Axes | None = None) -> Figure | Axes:
    """Draw quantiles of residuals and of random effects against those of a normal distribution.

    The line goes through the quartiles; 95% of the points of normal values would be in the band, each by itself. Modes
    are divided by the standard deviation that they have if the model holds, so that levels with few rows, which are
    shrunk more, count alike; effects without variance have no panel. Up to three values outside of the band, the
    farthest, have their names.

    Parameters
    ----------
    fit
        A fit of `lmer`, or of `glmer`, whose residuals are not expected to be normal, and have no panel.
    group
        A grouping factor, or ``"Residual"``; all if it is not given.
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
        If `fit` is no mixed model, there is no such factor or effect, its variance is 0, or axes were given for
        several panels.
    """
    data = qq_data(fit, group, effect)
    panels = [rows for _, rows in data.groupby(["group", "effect"], sort=False)]
    names = [_title(rows) for rows in panels]
    return draw_panels(
        ax, names, lambda axes, i: _panel(axes, panels[i]), (2.9, 2.8), todo="choose one with group= and effect="
    )


def qq_data(fit: AnyFit, group: str | None = None, effect: str | None = None) -> pd.DataFrame:
    """Return what `qq` draws.

    Returns
    -------
    pandas.DataFrame
        One row per value, ascending within ``group`` and ``effect`` (``"Residual"`` and ``""`` for residuals, which
        come first): ``level`` (or the position of the row in the table), ``n`` (values there are; of many some are left
        out between the ends), ``theoretical`` (normal quantile), ``value`` (residual, or mode, in standard deviations),
        ``line``, ``lower`` and ``upper`` (the band).
    """
    import pandas as pd

    require_any_mixed(fit, "qq")
    frames = []
    if group == "Residual" and not isinstance(fit, MixedFit):
        raise OptionError('group="Residual" of a generalised model', allowed="a grouping factor", todo="leave it out")
    if group in (None, "Residual") and effect is None and isinstance(fit, MixedFit):
        residuals = fit.residuals("normalized")
        frames.append(_quantiles("Residual", "", table_rows(fit), residuals))
    if group != "Residual":
        for one in chosen_effects(fit, group, effect):
            levels = np.empty(len(fit.design.factors[one.factor].levels), dtype=object)
            levels[:] = fit.design.factors[one.factor].levels
            modes = _standardized(fit, one)
            known = np.isfinite(modes)
            frames.append(_quantiles(one.group, one.name, levels[known], modes[known]))
    data = pd.concat([frame for frame in frames if len(frame)] or frames, ignore_index=True)
    if data.empty:
        raise OptionError(f"group={group!r}, effect={effect!r}: the variance is 0", allowed="an effect that varies")
    return data


def _standardized(fit: AnyFit, effect: Effect) -> Array:
    """Modes divided by the standard deviation that they have in the model, NaN where that is 0."""
    f, j = effect.factor, effect.column
    terms = zip(fit.design.terms, fit.varcorr.terms, strict=True)
    variance = np.concatenate([v.sd for term, v in terms if term.factor == f])[j] ** 2
    left = fit.ranef.covariances[f][:, j, j]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(variance - left > SILENT * variance, fit.state.b[f][:, j] / np.sqrt(variance - left), np.nan)


def _quantiles(group: str, effect: str, labels: NDArray[np.generic], values: Array) -> pd.DataFrame:
    """Sorted values beside normal quantiles, the line through the quartiles, and the band around it."""
    import pandas as pd
    from scipy.special import betaincinv, ndtri

    n = len(values)
    order = np.argsort(values, kind="stable")
    rank = _drawn_ranks(n)
    theoretical, chosen = ndtri((rank - 0.5) / n), order[rank - 1]
    low, high = np.quantile(values, (0.25, 0.75)) if n else (np.nan, np.nan)
    slope = (high - low) / (ndtri(0.75) - ndtri(0.25))
    middle = 0.5 * (low + high)
    tail = 0.5 * (1.0 - LEVEL)
    columns = {
        "group": group,
        "effect": effect,
        "level": labels[chosen],
        "n": n,
        "theoretical": theoretical,
        "value": values[chosen],
        "line": middle + slope * theoretical,
        "lower": middle + slope * ndtri(betaincinv(rank, n + 1.0 - rank, tail)),
        "upper": middle + slope * ndtri(betaincinv(rank, n + 1.0 - rank, 1.0 - tail)),
    }
    frame = pd.DataFrame(columns)
    return frame.astype({"level": object})


def _drawn_ranks(n: int) -> NDArray[np.int64]:
    """Ranks of the values that are drawn, from 1: all, or of many those at the ends, and others evenly between."""
    from scipy.special import ndtr, ndtri

    if n <= MOST:
        return np.arange(1, n + 1)
    reach = -ndtri(0.5 / n)
    between = np.rint(n * ndtr(np.linspace(-reach, reach, MOST)) + 0.5).astype(np.int64)
    ends = np.arange(1, ENDS + 1)
    return np.unique(np.concatenate([ends, np.clip(between, 1, n), n + 1 - ends]))


def _title(rows: pd.DataFrame) -> str:
    group, effect = rows["group"].iloc[0], rows["effect"].iloc[0]
    return f"{effect} by {group}" if effect else "Residuals"


def _panel(axes: Axes, rows: pd.DataFrame) -> None:
    x, value = rows["theoretical"].to_numpy(), rows["value"].to_numpy()
    band = axes.fill_between(x, rows["lower"], rows["upper"], color=FAINT, alpha=0.7, linewidth=0, zorder=0)
    band.set_gid("band")
    axes.plot(x, rows["line"], color=ACCENT, linewidth=1.2, zorder=1, gid="line")
    dots = axes.scatter(x, value, s=9 if len(rows) > MANY else 14, c=INK, alpha=0.75, linewidths=0, zorder=2)
    dots.set_gid("values")
    axes.margins(y=0.1)  # room for names
    _name_outsiders(axes, rows)
    dress(axes)
    axes.set(xlabel="Normal quantile", ylabel="Residual (SD)" if not rows["effect"].iloc[0] else "Mode (SD)")
    title = _title(rows)
    axes.set_title(plain(title if len(title) <= 1.4 * LONGEST else title[:LONGEST] + "…"), loc="left", fontsize=9)
    axes.set_title(f"n = {int(rows['n'].iloc[0]):,}", loc="right", fontsize=8, color=MUTED)


def _name_outsiders(axes: Axes, rows: pd.DataFrame) -> None:
    """Names beside the values that are farthest outside of the band, where there is room."""
    x, value = rows["theoretical"].to_numpy(), rows["value"].to_numpy()
    outside = np.maximum(rows["lower"] - value, value - rows["upper"]).to_numpy()
    taken: list[tuple[float, float]] = []
    for i in np.argsort(-outside)[:NAMED]:
        near = any(
            abs(x[i] - a) < ROOM * np.ptp(x) and abs(value[i] - b) < 0.5 * ROOM * np.ptp(value) for a, b in taken
        )
        if outside[i] <= CLOSE * np.ptp(value) or near:
            continue
        taken.append((x[i], value[i]))
        side = -1.0 if value[i] > rows["line"].iloc[int(i)] else 1.0  # away from the neighbours
        axes.annotate(
            level_names([rows["level"].iloc[int(i)]])[0], (x[i], value[i]), (3.0 * side, -3.0 * side),
            textcoords="offset points", ha="left" if side > 0 else "right", va="top" if side > 0 else "bottom",
            fontsize=7, color=MUTED,
        )  # fmt: skip
