"""Path diagrams: the structural model of each cluster with its regressions."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.patches import Ellipse, PathPatch, Polygon, Rectangle
from matplotlib.path import Path
from numpy.typing import NDArray

from ..equations.fit import SEMFit
from ..errors import OptionError
from ..report.frames import mixture_parameters
from ..report.values import display_width, plural
from ..structural.fit import MixtureFit
from .inputs import require_fit
from .layered import layered_layout
from .style import INK, NEGATIVE, POSITIVE, cluster_color, cluster_marker, new_figure, text_width, tint, wrap

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Geometry", "arrow", "draw_diagram", "frame_diagram", "paths", "paths_data"]

Array = NDArray[np.float64]

WIDEST = 12.6  # inches, as all lengths here
TITLE, TITLE_AT, TITLE_SIZE = 0.3, 0.24, 9  # height of a heading, its begin, and its size in points
MARGIN = 0.12
LABEL = np.array([0.2, 0.09])  # half width and height of a coefficient


@overload
def paths(
    fit: MixtureFit | SEMFit,
    *,
    clusters: Sequence[int] | None = ...,
    groups: Sequence[Hashable] | None = ...,
    figure: None = None,
) -> Figure: ...
@overload
def paths(
    fit: MixtureFit | SEMFit,
    *,
    clusters: Sequence[int] | None = ...,
    groups: Sequence[Hashable] | None = ...,
    figure: Figure | SubFigure,
) -> Figure | SubFigure: ...
def paths(
    fit: MixtureFit | SEMFit,
    *,
    clusters: Sequence[int] | None = None,
    groups: Sequence[Hashable] | None = None,
    figure: Figure | SubFigure | None = None,
) -> Figure | SubFigure:
    """Draw one path diagram per cluster of a mixture, or per group of a structural equation model; causes at the left.

    Arrows are wider for larger regressions; negative ones are dashed and coloured. An equals sign marks regressions
    that are the same in all clusters or groups. Covariances are not drawn. Observed variables stand in boxes; of a
    structural equation model without regressions, factors and their items are drawn.

    Parameters
    ----------
    fit
        A mixture, or what `cfa`, `sem` or `growth` returned.
    clusters
        Clusters of a mixture to draw, numbered from 1; None for all.
    groups
        Groups of a structural equation model to draw; None for all, or for the first six.
    figure
        Empty figure or subfigure to draw into; without it a figure is made.

    Returns
    -------
    matplotlib Figure or SubFigure
        The figure that was given, else the new one.

    Raises
    ------
    OptionError
        If `fit` is neither, its arrows run in a circle, or there is no such cluster or group.
    """
    if isinstance(fit, SEMFit):
        from .equation_paths import draw_equations

        return draw_equations(fit, groups, figure)
    require_fit(fit, "paths", or_equations=True)
    chosen = _chosen(fit, clusters)
    data = paths_data(fit)
    names = [wrap(factor, 13) for factor in fit.path.factors]
    titles = [_title(fit, cluster) for cluster in chosen]
    geometry = Geometry(names, _edges(fit), max(TITLE_AT + text_width(title, TITLE_SIZE) for title in titles))
    columns = min(len(chosen), max(1, int(WIDEST // geometry.size[0])))
    rows = -(-len(chosen) // columns)
    if figure is None:
        width, height = (float(x) for x in geometry.size * (columns, rows))
        figure = new_figure(width, height, constrained=False)
    scale = max(float(data["estimate"].abs().max()), 0.5)
    for position, cluster in enumerate(chosen):
        row, column = divmod(position, columns)
        # Places are in inches, so the axes fill their part of the figure exactly.
        ax = figure.add_axes((column / columns, 1 - (row + 1) / rows, 1 / columns, 1 / rows))
        frame_diagram(ax, geometry, cluster, titles[position])
        draw_diagram(ax, geometry, names, data[data["cluster"] == cluster], scale, several=fit.k > 1)
    return figure


def paths_data(fit: MixtureFit | SEMFit) -> pd.DataFrame:
    """Return what `paths` draws.

    Returns
    -------
    pandas.DataFrame
        One row per arrow, intercepts left out: ``cluster`` (``group`` of a structural equation model), ``outcome``,
        ``predictor``, ``estimate``, ``equal``, ``fixed``.
    """
    if isinstance(fit, SEMFit):
        from .equation_paths import equation_paths_data

        return equation_paths_data(fit)
    require_fit(fit, "paths", or_equations=True)
    frame = mixture_parameters(fit, None)[["cluster", "outcome", "predictor", "estimate", "equal", "fixed"]]
    return frame[np.tile(~fit.path.is_intercept, fit.k)].reset_index(drop=True)


def _chosen(fit: MixtureFit, clusters: Sequence[int] | None) -> list[int]:
    """The clusters to draw."""
    every = list(range(1, fit.k + 1))
    chosen = every if clusters is None else list(clusters)
    wrong = [c for c in chosen if c not in every]
    if wrong or not chosen:
        raise OptionError(f"clusters={clusters!r}", allowed=f"clusters from 1 to {fit.k}", todo="leave it out for all")
    return chosen


def _edges(fit: MixtureFit) -> list[tuple[int, int]]:
    drawn = ~fit.path.is_intercept
    return [(int(i), int(j)) for j, i in zip(fit.path.outcome[drawn], fit.path.predictor[drawn], strict=True)]


class Geometry:
    """Places in inches: ellipses that hold the longest name, the lines between them, and where numbers stand."""

    def __init__(self, names: Sequence[str], edges: Sequence[tuple[int, int]], heading: float) -> None:
        layout = layered_layout(len(names), edges)
        lines = [name.split("\n") for name in names]
        longest = max(display_width(line) for name in lines for line in name)
        self.radius = np.array([max(0.034 * longest + 0.07, 0.3), 0.085 * max(map(len, lines)) + 0.1])
        places, bends = np.array(layout.nodes), [np.array(bend).reshape(-1, 2) for bend in layout.bends]
        n_layers = int(places[:, 0].max()) + 1
        # An arrow between neighbours must be seen at both sides of its coefficient.
        gap = 0.75 if n_layers == 3 else 0.85
        step = np.array([2 * self.radius[0] + gap, -max(2 * self.radius[1] + 0.2, 0.6)])
        self.centres = places * step
        self.curves = [self._curve(a, bend * step, b) for (a, b), bend in zip(edges, bends, strict=True)]
        self.places = label_places(self.curves, self.centres, self.radius)
        points = np.vstack([self.centres - self.radius, self.centres + self.radius, *self.curves])
        self.low = points.min(axis=0) - MARGIN
        self.high = points.max(axis=0) + np.array([MARGIN, MARGIN + TITLE])
        self.high[0] = max(self.high[0], self.low[0] + heading + 2 * MARGIN)

    @property
    def size(self) -> Array:
        """Width and height of a diagram with its heading."""
        return self.high - self.low

    def _curve(self, cause: int, bends: Array, effect: int) -> Array:
        """Points of an edge from the border of one ellipse to just before the other, shape (m, 2)."""
        points = _smooth(np.vstack([self.centres[cause], bends, self.centres[effect]]))
        outside = [
            (((points - self.centres[node]) / (self.radius + room)) ** 2).sum(axis=1) > 1
            for node, room in ((cause, 0.0), (effect, 0.02))
        ]
        return points[outside[0] & outside[1]]


def _smooth(through: Array, per_piece: int = 60) -> Array:
    """A smooth line through points (Catmull-Rom); straight if there are only two."""
    if len(through) == 2:
        return np.linspace(through[0], through[1], per_piece)
    padded = np.vstack([2 * through[0] - through[1], through, 2 * through[-1] - through[-2]])
    t = np.linspace(0, 1, per_piece)[:, None]
    pieces = []
    for a, b, c, d in zip(padded, padded[1:], padded[2:], padded[3:], strict=False):
        pieces.append(0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3))
    return np.concatenate(pieces)


def label_places(curves: Sequence[Array], centres: Array, radius: Array) -> list[Array]:
    """Where on its line each coefficient stands: away from names, from other coefficients and from other lines."""
    places: list[Array] = []
    for e, curve in enumerate(curves):
        others = np.concatenate([c[::6] for i, c in enumerate(curves) if i != e] or [np.empty((0, 2))])
        best, lowest = curve[len(curve) // 2], np.inf
        for share in np.linspace(0.2, 0.75, 23):
            point = curve[int(share * (len(curve) - 1))]
            cost = 0.4 * abs(share - 0.45) + 3 * _overlap(point, others, LABEL)
            cost += 40 * _overlap(point, centres, radius + LABEL)
            cost += 20 * _overlap(point, np.array(places).reshape(-1, 2), 2 * LABEL)
            if cost < lowest:
                best, lowest = point, cost
        places.append(best)
    return places


def _overlap(point: Array, others: Array, reach: Array) -> float:
    """How far points reach into a box around a point, added up."""
    inside = 1 - (np.abs(others - point) / reach).max(axis=1) if len(others) else np.zeros(0)
    return float(inside.clip(0).sum())


def draw_diagram(
    ax: Axes,
    geometry: Geometry,
    names: Sequence[str],
    rows: pd.DataFrame,
    scale: float,
    *,
    several: bool,
    boxes: Sequence[int] = (),
) -> None:
    """One diagram: arrows, then ellipses (boxes for the nodes in `boxes`), then coefficients on top."""
    row: Any  # what pandas yields has no static type
    number = str(rows.iloc[0, 0])
    for e, row in enumerate(rows.itertuples()):
        x, y = geometry.places[e]
        share = abs(row.estimate) / scale
        negative = row.estimate < 0
        color = tint(NEGATIVE if negative else POSITIVE, 0.45 + 0.55 * min(share * 1.5, 1))
        arrow(ax, geometry.curves[e], share, color, dashed=negative, name=f"arrow-{number}-{e}")
        ax.text(
            x, y, f"{row.estimate:z.2f}".replace("-", "−") + (" =" if row.equal and several else ""),
            ha="center", va="center", fontsize=7.5, color=NEGATIVE if negative else INK, zorder=5,
            bbox={"boxstyle": "round,pad=0.12", "facecolor": "white", "edgecolor": "none"},
        )  # fmt: skip
    width, height = 2 * geometry.radius
    for node, ((x, y), name) in enumerate(zip(geometry.centres, names, strict=True)):
        if node in boxes:
            corner = (x - 0.46 * width, y - 0.4 * height)
            shape: Ellipse | Rectangle = Rectangle(corner, 0.92 * width, 0.8 * height)
        else:
            shape = Ellipse((x, y), width, height)
        shape.set(facecolor="white", edgecolor=INK, zorder=3)
        ax.add_patch(shape)
        ax.text(x, y, name, ha="center", va="center", fontsize=7.5, color=INK, zorder=4, linespacing=1.1)


def arrow(ax: Axes, curve: Array, share: float, color: tuple[float, float, float], *, dashed: bool, name: str) -> None:
    """A line with a head; the head is drawn by itself so that dashes do not tear it."""
    tip, length = curve[-1], 0.09 + 0.06 * share
    shaft = curve[np.hypot(*(curve - tip).T) > 0.8 * length]
    direction = tip - shaft[-1]
    direction /= np.hypot(*direction)
    across = 0.42 * length * np.array([-direction[1], direction[0]])
    base = tip - length * direction
    ax.add_patch(
        PathPatch(
            Path(shaft), facecolor="none", edgecolor=color, linewidth=0.7 + 2.8 * share, zorder=2, gid=name,
            linestyle=(0, (4, 2)) if dashed else "solid", capstyle="butt",
        )
    )  # fmt: skip
    ax.add_patch(Polygon([tip, base + across, base - across], closed=True, color=color, linewidth=0, zorder=2))


def _title(fit: MixtureFit, cluster: int) -> str:
    """Heading of one diagram; a single one needs none."""
    if fit.k == 1:
        return ""
    groups = plural(int((fit.clusters == cluster).sum()), "group")
    return f"Cluster {cluster}: {groups}, proportion {fit.proportions[cluster - 1]:.2f}"


def frame_diagram(ax: Axes, geometry: Geometry, cluster: int, title: str) -> None:
    """Extent and heading of one diagram; cluster 0 has no mark."""
    (left, bottom), (right, top) = geometry.low, geometry.high
    ax.set(xlim=(left, right), ylim=(bottom, top), aspect="equal")
    ax.set_axis_off()
    if title and cluster:
        ax.plot(
            [left + 0.12], [top - 0.14], linestyle="none", markersize=7, color=cluster_color(cluster),
            marker=cluster_marker(cluster), markeredgecolor=INK, markeredgewidth=0.8,
        )  # fmt: skip
    if title:
        begin = left + (TITLE_AT if cluster else MARGIN)
        ax.text(begin, top - 0.14, title, va="center", fontsize=TITLE_SIZE, color=INK)
