"""Residuals of a mixed model against its fitted values: their mean, and their spread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args, overload

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..errors import OptionError, did_you_mean
from ..mixed.fit import MixedFit
from ..mixed.require import AnyFit
from .mixed_panels import draw_panels, evenly, require_any_mixed, table_rows
from .smoothing import smooth
from .style import ACCENT, INK, MUTED, dress, plain

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["mixed_residuals", "mixed_residuals_data"]

Panel = Literal["mean", "spread"]

#: Of more rows than this so many are drawn, evenly by fitted value, and those with the largest residuals.
MOST_ROWS = 4000
LARGEST = 50
#: From so many rows on dots are small and let others shine through.
MANY = 400


@overload
def mixed_residuals(fit: AnyFit, panel: Panel | None = ..., *, ax: None = None) -> Figure: ...
@overload
def mixed_residuals(fit: AnyFit, panel: Panel | None = ..., *, ax: Axes) -> Axes: ...
def mixed_residuals(fit: AnyFit, panel: Panel | None = None, *, ax: Axes | None = None) -> Figure | Axes:
    """Draw residuals, in residual standard deviations, against fitted values.

    On the left their mean: a smooth line that leaves 0 points to a relation with the predictors that is not straight.
    On the right their spread, the square root of their size: a line that rises or falls points to residual variances
    that differ. The lines rest on all rows; of more than 4,000 rows as many are drawn, with the largest residuals among
    them. Weights and the structure of the residuals, if there is one, are taken into account. Of a generalised model
    they are Pearson residuals against linear predictors; with responses of 0 and 1 only the lines tell something.

    Parameters
    ----------
    fit
        A fit of `lmer` or `glmer`.
    panel
        ``"mean"`` or ``"spread"``; both if it is not given.
    ax
        Axes to draw a single panel into; without them a figure is made.

    Returns
    -------
    matplotlib Figure or Axes
        The axes that were given, else the new figure.

    Raises
    ------
    OptionError
        If `fit` is no mixed model, there is no such panel, or axes were given for both.

    References
    ----------
    Cleveland (1993), Visualizing Data, chapter 3, for the spread.
    """
    if panel is not None and panel not in get_args(Panel):
        todo = did_you_mean(str(panel), get_args(Panel))
        raise OptionError(f"panel={panel!r}", allowed=", ".join(map(repr, get_args(Panel))), todo=todo)
    data, below = mixed_residuals_data(fit), "Fitted value" if isinstance(fit, MixedFit) else "Linear predictor"
    panels = get_args(Panel) if panel is None else (panel,)
    return draw_panels(
        ax, panels, lambda axes, i: _panel(axes, data, panels[i], below), (3.5, 3.1), todo="choose with panel="
    )


def mixed_residuals_data(fit: AnyFit) -> pd.DataFrame:
    """Return what `mixed_residuals` draws.

    Returns
    -------
    pandas.DataFrame
        One row per row of the fit, by ascending fitted value: ``row`` (its position in the table), ``fitted`` (random
        effects included; of a generalised model the linear predictor), ``residual`` (in standard deviations), ``size``
        (the square root of its size), ``mean`` and ``spread`` (the smooth lines; NaN at the ends, and where fitted
        values do not vary), ``drawn`` (False for rows left out of many).
    """
    import pandas as pd

    require_any_mixed(fit, "mixed_residuals")
    if isinstance(fit, MixedFit):
        fitted, residual = fit.fitted, fit.residuals("normalized")
    else:
        fitted, residual = fit.linear_predictor, fit.residuals("scaled")
    order = np.argsort(fitted, kind="stable")
    fitted, residual = fitted[order], residual[order]
    size = np.sqrt(np.abs(residual))
    drawn = evenly(len(fitted), MOST_ROWS)
    drawn[np.argsort(size)[-LARGEST:]] = True
    columns = {"row": table_rows(fit)[order], "fitted": fitted, "residual": residual, "size": size}
    for name, values in (("mean", residual), ("spread", size)):
        at, line = smooth(fitted, values)
        columns[name] = np.interp(fitted, at, line, np.nan, np.nan) if at.size else np.full(len(fitted), np.nan)
    return pd.DataFrame(columns).assign(drawn=drawn)


def _panel(axes: Axes, data: pd.DataFrame, panel: Panel, below: str) -> None:
    rows = data[data["drawn"]]
    values = rows["residual" if panel == "mean" else "size"]
    many = len(rows) > MANY
    if panel == "mean":
        axes.axhline(0.0, color=MUTED, linewidth=0.8, linestyle=(0, (3, 2)), zorder=1, gid="zero")
    dots = axes.scatter(
        rows["fitted"], values, s=5 if many else 12, c=INK, alpha=0.25 if many else 0.55, linewidths=0, zorder=2,
    )  # fmt: skip
    dots.set(gid="rows", rasterized=many)
    axes.plot(rows["fitted"], rows[panel], color=ACCENT, linewidth=1.8, zorder=3, gid="line")
    dress(axes, grid="" if panel == "mean" else "y")
    axes.set_xlabel(below)
    axes.set_ylabel("Residual (SD)" if panel == "mean" else plain("√ |residual (SD)|"))
    if panel == "spread":
        axes.set_ylim(bottom=0.0)
    shown = f"{len(rows):,} of {len(data):,} rows" if len(rows) < len(data) else f"{len(data):,} rows"
    axes.set_title(shown, loc="right", fontsize=8, color=MUTED)
