"""Regressions of the clusters, with the groups' own estimates behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING, overload

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from ..report.mixture_tables import regression_name
from ..report.values import plural
from ..structural.fit import MixtureFit
from .inputs import require_fit
from .style import INK, MUTED, cluster_color, cluster_marker, dress, new_figure, wrap

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["clusters", "clusters_data"]

Array = NDArray[np.float64]

GAP = 0.7  # between two regressions, in rows
#: An estimate this many times as far from its cluster as four fifths of the groups are is wild.
FENCE = 3.5
#: Above so many points they are drawn as one picture, smaller and paler: each as a shape of its own makes files large.
MOST_SHAPES = 1500
#: Share of the axis that may be added at each end to take in wild estimates.
ROOM = 0.5


@overload
def clusters(fit: MixtureFit, *, ax: None = None) -> Figure: ...
@overload
def clusters(fit: MixtureFit, *, ax: Axes) -> Axes: ...
def clusters(fit: MixtureFit, *, ax: Axes | None = None) -> Figure | Axes:
    """Draw each cluster's regressions and, behind them, the estimate of each of its groups by itself.

    A point is one group, larger for more people and paler the less certain its cluster; thousands of points are
    smaller, and one picture in SVG files. Estimates of single groups far outside stand as arrowheads at the edge.

    Parameters
    ----------
    fit
        A mixture.
    ax
        Axes to draw into; without them a figure is made.

    Returns
    -------
    matplotlib Figure or Axes
        The axes that were given, else the new figure.

    Raises
    ------
    OptionError
        If `fit` is not one mixture.
    """
    data = clusters_data(fit)
    rows = fit.path.slot.size * (fit.k + GAP)
    height = 1.0 + rows * float(np.clip(9.0 / rows, 0.11, 0.2 if fit.k > 1 else 0.26))
    figure = new_figure(7.2, height) if ax is None else None
    axes = figure.add_subplot() if figure is not None else ax
    assert axes is not None
    dress(axes, grid="x")
    limits = _limits(data)
    names = list(dict.fromkeys(data["regression"]))
    row = data["regression"].map(names.index) * (fit.k + GAP) + data["cluster"] - 1
    outside = sum(
        _draw_cluster(
            axes,
            data[data["cluster"] == c],
            row[data["cluster"] == c],
            c,
            limits,
            int((data["level"] == "group").sum()),
        )
        for c in range(1, fit.k + 1)
    )
    _finish(axes, fit, limits, outside)
    return axes if figure is None else figure


def clusters_data(fit: MixtureFit) -> pd.DataFrame:
    """Return what `clusters` draws.

    Returns
    -------
    pandas.DataFrame
        For each regression one row per cluster and one per group: ``regression``, ``outcome``, ``predictor``,
        ``level`` ("cluster" or "group"), ``cluster``, ``group`` (None for a cluster), ``n`` (people),
        ``probability`` (of the group's cluster; the proportion of a cluster), ``estimate``.
    """
    import pandas as pd

    require_fit(fit, "clusters")
    members, n, sure = fit.clusters, fit.moments.n, fit.posterior.max(axis=1)
    rows: list[tuple[object, ...]] = []
    for r, (j, i) in enumerate(zip(fit.path.outcome, fit.path.predictor, strict=True)):
        outcome, predictor = fit.path.nodes[j], fit.path.nodes[i]
        head = (regression_name(outcome, predictor), outcome, predictor)
        for c in range(fit.k):
            people = int(n[members == c + 1].sum())
            rows.append((*head, "cluster", c + 1, None, people, fit.proportions[c], fit.coefficients[c, r]))
        rows += [
            (*head, "group", int(members[g]), group, int(n[g]), sure[g], fit.own[g, r])
            for g, group in enumerate(fit.groups)
        ]
    names = ["regression", "outcome", "predictor", "level", "cluster", "group", "n", "probability", "estimate"]
    return pd.DataFrame(rows, columns=names)


def _limits(data: pd.DataFrame) -> tuple[float, float]:
    """Edges that hold zero, all clusters and nearly all groups: one wild group must not flatten the rest.

    A group is wild by its distance from its cluster in that very regression: small and large paths share the axis.
    A little room beyond all ordinary estimates takes in what would cost the others little.
    """
    shared = data.loc[data["level"] == "cluster", "estimate"].to_numpy(dtype=float)
    groups = data.loc[data["level"] == "group"]
    groups = groups[np.isfinite(groups["estimate"].to_numpy(dtype=float))]
    own = groups["estimate"].to_numpy(dtype=float)
    ordinary = own[_ordinary(groups, data[data["level"] == "cluster"])]
    low, high = _extent(ordinary, shared)
    room = ROOM * (high - low)
    low, high = _extent(own[(own >= low - room) & (own <= high + room)], shared)
    margin = 0.04 * (high - low) or 0.1
    return low - margin, high + margin


def _extent(own: Array, shared: Array) -> tuple[float, float]:
    values = np.concatenate([[0.0], shared, own])
    return float(values.min()), float(values.max())


def _ordinary(groups: pd.DataFrame, shared: pd.DataFrame) -> NDArray[np.bool_]:
    """Which estimates of groups are not far from their cluster, compared with the others of the regression.

    The yardstick is the distance that four fifths of the groups keep, in the regression or, where it is longer, in
    the cluster; in a cluster of fewer than four groups one wild group would set its own.
    """
    key = ["regression", "cluster"]
    centre = groups[key].merge(shared[[*key, "estimate"]], on=key, how="left")["estimate"].to_numpy(dtype=float)
    distance = np.abs(groups["estimate"].to_numpy(dtype=float) - centre)
    regression, cluster = groups["regression"].to_numpy(), groups["cluster"].to_numpy()
    fence = np.zeros(distance.size)
    for name in dict.fromkeys(regression):
        same = regression == name
        usual = _usual(distance[same])
        for c in np.unique(cluster[same]):
            here = same & (cluster == c)
            fence[here] = FENCE * max(usual, _usual(distance[here]) if here.sum() >= 4 else 0.0)
    return distance <= fence


def _usual(distance: Array) -> float:
    return float(np.quantile(distance, 0.8, method="lower"))


def _draw_cluster(
    ax: Axes, data: pd.DataFrame, row: pd.Series, cluster: int, limits: tuple[float, float], n_points: int
) -> int:
    """One cluster's values of all regressions and its groups, of `n_points`; returns how many lie outside."""
    (low, high), color = limits, cluster_color(cluster)
    single = (data["level"] == "group").to_numpy()
    groups, y = data[single], row.to_numpy(dtype=float)
    x = groups["estimate"].to_numpy(dtype=float)
    size = 6 + 40 * np.sqrt(groups["n"].to_numpy(dtype=float) / 2500.0).clip(0, 1)
    alpha = 0.15 + 0.35 * groups["probability"].to_numpy(dtype=float)
    crowd = min(1.0, (MOST_SHAPES / max(n_points, 1)) ** 0.5)
    size, alpha = np.maximum(size * crowd, 1.5), alpha * max(crowd, 0.35)
    colors = np.column_stack([np.tile(color, (x.size, 1)), alpha])
    inside = (x >= low) & (x <= high)
    spread = y[single].copy()
    for at in np.unique(spread):
        spread[y[single] == at] += _spread(x[y[single] == at])
    ax.scatter(
        x[inside], spread[inside], s=size[inside], color=colors[inside], linewidth=0, zorder=2,
        gid=f"groups-of-cluster-{cluster}", rasterized=n_points > MOST_SHAPES,
    )  # fmt: skip
    for edge, beyond, arrow in ((low, x < low, "<"), (high, x > high, ">")):
        if beyond.any():
            ax.scatter(np.full(beyond.sum(), edge), spread[beyond], s=14, color=color, marker=arrow, clip_on=False)
    value, y = data.loc[~single, "estimate"].to_numpy(dtype=float), y[~single]
    ax.vlines(value, y - 0.4, y + 0.4, color=color, linewidth=2, zorder=3)
    ax.scatter(
        value, y, s=34, color=color, marker=cluster_marker(cluster), edgecolor=INK, linewidth=0.8, zorder=4,
        gid=f"cluster-{cluster}",
    )  # fmt: skip
    for number, at in zip(value, y, strict=True):
        ax.text(
            1.01, at, f"{number:z.2f}".replace("-", "−"), transform=ax.get_yaxis_transform(), va="center",
            fontsize=7.5, color=INK,
        )  # fmt: skip
    return int(((x < low) | (x > high)).sum())


def _spread(x: Array) -> Array:
    """Small vertical shifts that keep neighbours apart: a low-discrepancy sequence along the order of the values."""
    shift = np.empty(x.size)
    shift[np.argsort(x, kind="stable")] = (np.arange(x.size) * 0.6180339887 % 1.0 - 0.5) * 0.62
    return shift


def _finish(ax: Axes, fit: MixtureFit, limits: tuple[float, float], outside: int) -> None:
    """Names of the regressions, bands behind every second one, zero, legend."""
    step = fit.k + GAP
    centres = np.arange(fit.path.slot.size) * step + (fit.k - 1) / 2
    for centre in centres[1::2]:
        ax.axhspan(centre - step / 2, centre + step / 2, color="#F5F5F5", zorder=-1, linewidth=0)
    ax.axvline(0.0, color=MUTED, linewidth=0.9, zorder=1)
    ax.set(xlim=limits, ylim=(centres[-1] + step / 2, centres[0] - step / 2))
    ax.set_yticks(centres, [_broken(fit.path.nodes[j], fit.path.nodes[i]) for j, i in _pairs(fit)])
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    label = "Regression coefficient"
    ax.set_xlabel(label + (f" (beyond the edge: {plural(outside, 'estimate')} of single groups)" if outside else ""))
    if fit.k > 1:
        columns = fit.k if fit.k <= 3 else 3
        by_row = [c for first in range(columns) for c in range(first, fit.k, columns)]
        ax.legend(
            handles=[_handle(fit, c + 1) for c in by_row], loc="lower right", bbox_to_anchor=(1.0, 1.0),
            ncols=columns, frameon=False, fontsize=8, handletextpad=0.4, columnspacing=1.4, borderaxespad=0.2,
        )  # fmt: skip


def _broken(outcome: str, predictor: str) -> str:
    """Name of a regression; a long one is broken where the predictor begins."""
    name = regression_name(outcome, predictor)
    return wrap(name, 30) if len(name) <= 30 else f"{wrap(outcome, 28)} ~\n{wrap(predictor, 28)}"


def _pairs(fit: MixtureFit) -> list[tuple[int, int]]:
    return [(int(j), int(i)) for j, i in zip(fit.path.outcome, fit.path.predictor, strict=True)]


def _handle(fit: MixtureFit, cluster: int) -> Line2D:
    size = plural(int((fit.clusters == cluster).sum()), "group")
    return Line2D(
        [], [], color=cluster_color(cluster), marker=cluster_marker(cluster), markeredgecolor=INK,
        markeredgewidth=0.8, linestyle="none", label=f"Cluster {cluster} ({size})",
    )  # fmt: skip
