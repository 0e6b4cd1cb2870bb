"""Regressions and effects of the clusters with their confidence intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING, overload

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..mixtures.intervals import intervals
from ..structural.fit import MixtureFit
from .inputs import require_fit
from .style import INK, MUTED, cluster_color, cluster_marker, dress, new_figure, wrap

if TYPE_CHECKING:
    import pandas as pd

    from ..mixtures.errors import StandardErrors

__all__ = ["coefficients", "coefficients_data"]

GAP = 0.8  # between two effects, in rows


@overload
def coefficients(
    fit: MixtureFit, errors: StandardErrors | None = ..., *, level: float = ..., effects: bool = ..., ax: None = None
) -> Figure: ...
@overload
def coefficients(
    fit: MixtureFit, errors: StandardErrors | None = ..., *, level: float = ..., effects: bool = ..., ax: Axes
) -> Axes: ...
def coefficients(
    fit: MixtureFit,
    errors: StandardErrors | None = None,
    *,
    level: float = 0.95,
    effects: bool = False,
    ax: Axes | None = None,
) -> Figure | Axes:
    """Draw each regression of each cluster with its confidence interval.

    Clusters of one regression stand below one another, so that they can be compared; the numbers at the right are
    estimates and limits. Intervals that leave out 0 have filled markers. What is fixed has no interval.

    Parameters
    ----------
    fit
        A mixture.
    errors
        Its standard errors; `standard_errors` with its defaults if None.
    level
        Confidence level.
    effects
        Whether to draw indirect and total effects too.
    ax
        Axes to draw into; without them a figure is made.

    Returns
    -------
    matplotlib Figure or Axes
        The axes that were given, else the new figure.

    Raises
    ------
    OptionError
        If `fit` is not one mixture, or `errors` are those of another.
    """
    data = coefficients_data(fit, errors, level=level, effects=effects)
    names = list(dict.fromkeys(data["effect"]))
    rows = len(names) * (fit.k + GAP)
    figure = new_figure(7.2, 1.0 + rows * float(np.clip(9.0 / rows, 0.11, 0.22))) if ax is None else None
    axes = figure.add_subplot() if figure is not None else ax
    assert axes is not None
    dress(axes, grid="x")
    axes.axvline(0.0, color=MUTED, linewidth=0.9, zorder=1, gid="zero")
    for c in range(1, fit.k + 1):
        own = data[data["cluster"] == c]
        _draw_cluster(axes, own, own["effect"].map(names.index).to_numpy() * (fit.k + GAP) + c - 1, c)
    _finish(axes, fit, names, level)
    return axes if figure is None else figure


def coefficients_data(
    fit: MixtureFit, errors: StandardErrors | None = None, *, level: float = 0.95, effects: bool = False
) -> pd.DataFrame:
    """Return what `coefficients` draws.

    Returns
    -------
    pandas.DataFrame
        One row per effect and cluster: ``effect``, ``kind``, ``outcome``, ``predictor``, ``cluster``, ``estimate``,
        ``se``, ``z``, ``p_value``, ``lower``, ``upper``.
    """
    require_fit(fit, "coefficients")
    frame = intervals(fit, errors, level=level).effects
    chosen = frame if effects else frame[frame["kind"] == "direct"]
    return chosen.reset_index(drop=True).astype({"cluster": int})


def _draw_cluster(ax: Axes, data: pd.DataFrame, y: np.ndarray, cluster: int) -> None:
    """One cluster's intervals, markers and numbers."""
    color = cluster_color(cluster)
    estimate, lower, upper = (data[name].to_numpy(dtype=float) for name in ("estimate", "lower", "upper"))
    known = np.isfinite(lower)
    lines = ax.hlines(y[known], lower[known], upper[known], color=color, linewidth=1.6, zorder=2)
    lines.set_gid(f"intervals-of-cluster-{cluster}")
    away = known & ((lower > 0) | (upper < 0))
    ax.scatter(
        estimate, y, s=26, c=[color if a else "white" for a in away], marker=cluster_marker(cluster),
        edgecolors=[color], linewidths=1.2, zorder=3, gid=f"cluster-{cluster}",
    )  # fmt: skip
    for value, low, high, at in zip(estimate, lower, upper, y, strict=True):
        text = f"{value:z.2f}" + (f" [{low:z.2f}, {high:z.2f}]" if np.isfinite(low) else "")
        ax.text(
            1.01, at, text.replace("-", "−"), transform=ax.get_yaxis_transform(), va="center", fontsize=7, color=INK
        )


def _finish(ax: Axes, fit: MixtureFit, names: list[str], level: float) -> None:
    """Names of the effects, bands behind every second one, legend."""
    step = fit.k + GAP
    centres = np.arange(len(names)) * step + (fit.k - 1) / 2
    for centre in centres[1::2]:
        ax.axhspan(centre - step / 2, centre + step / 2, color="#F5F5F5", zorder=-1, linewidth=0)
    ax.set_ylim(centres[-1] + step / 2, centres[0] - step / 2)
    ax.set_yticks(centres, [wrap(name, 30) for name in names])
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.set_xlabel(f"Estimate with {100 * level:.4g}% interval")
    if fit.k > 1:
        ax.legend(
            handles=[_handle(c) for c in range(1, fit.k + 1)], loc="lower right", bbox_to_anchor=(1.0, 1.0),
            ncols=min(fit.k, 4), frameon=False, fontsize=8, handletextpad=0.4, columnspacing=1.4, borderaxespad=0.2,
        )  # fmt: skip


def _handle(cluster: int) -> Line2D:
    return Line2D(
        [], [], color=cluster_color(cluster), marker=cluster_marker(cluster), linewidth=1.6, label=f"Cluster {cluster}"
    )
