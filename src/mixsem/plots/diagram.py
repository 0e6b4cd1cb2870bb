"""Diagram of a whole structural equation model: factors with their items, regressions, covariances of factors."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from numpy.typing import NDArray

from ..equations.fit import SEMFit
from ..errors import OptionError, enumerate_briefly
from ..report.frames import tidy
from .equation_paths import require_no_circle
from .paths import TITLE, TITLE_AT, TITLE_SIZE, Geometry, arrow, draw_diagram, frame_diagram
from .style import INK, new_figure, text_width, wrap

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["diagram", "diagram_data"]

Array = NDArray[np.float64]

#: Reach of an arc between two factors, per inch between them, and at most; length of a residual arrow. In inches.
BULGE, WIDEST_BULGE, RESIDUAL = 0.35, 0.9, 0.3
#: Half the width of a number beside an arc or a residual arrow.
NUMBER = 0.2


@overload
def diagram(
    fit: SEMFit,
    group: Hashable | None = ...,
    *,
    standardized: bool = ...,
    residuals: bool = ...,
    figure: None = None,
) -> Figure: ...
@overload
def diagram(
    fit: SEMFit,
    group: Hashable | None = ...,
    *,
    standardized: bool = ...,
    residuals: bool = ...,
    figure: Figure | SubFigure,
) -> Figure | SubFigure: ...
def diagram(
    fit: SEMFit,
    group: Hashable | None = None,
    *,
    standardized: bool = True,
    residuals: bool = False,
    figure: Figure | SubFigure | None = None,
) -> Figure | SubFigure:
    """Draw a model with its measurement part: factors as ellipses, observed variables as boxes, numbers on the arrows.

    Causes stand at the left; the items of factors that explain others, and are explained by none, stand left of them,
    all other items at the right. Arrows are wider for larger numbers, negative ones are dashed and coloured. Curved
    lines are covariances of factors in one column (all, in a confirmatory factor analysis); other covariances are not
    drawn. Estimates that are equal over groups have an equals sign.

    Parameters
    ----------
    fit
        What `cfa`, `sem` or `growth` returned.
    group
        Which group; None for the first.
    standardized
        Whether to write standardized values (``std_all``) instead of estimates.
    residuals
        Whether to draw the residual variances of items.
    figure
        Empty figure or subfigure to draw into; without it a figure is made.

    Returns
    -------
    matplotlib Figure or SubFigure
        The figure that was given, else the new one.

    Raises
    ------
    OptionError
        If `fit` is anything else, has no factor or no such group, or its regressions run in a circle.
    """
    data = diagram_data(fit, group, standardized=standardized)
    edges = data[data["kind"].isin(("loading", "regression"))].reset_index(drop=True)
    nodes = _nodes(edges, fit.factors)
    left = _items_at_left(edges, fit.factors)
    ends = [(nodes.index(a), nodes.index(b)) for a, b in zip(edges["source"], edges["target"], strict=True)]
    turned = [target in left for target in edges["target"]]
    require_no_circle(len(nodes), ends)
    names = [wrap(node, 13) for node in nodes]
    title = f"{data['group'].iloc[0]}" if len(fit.groups) > 1 else ""
    heading = TITLE_AT + text_width(title, TITLE_SIZE)
    geometry = Geometry(names, [(b, a) if t else (a, b) for (a, b), t in zip(ends, turned, strict=True)], heading)
    geometry.curves = [curve[::-1] if t else curve for curve, t in zip(geometry.curves, turned, strict=True)]
    arcs = _arcs(geometry, nodes, data[data["kind"] == "covariance"])
    causes = {*edges["source"], *fit.factors}
    leaves = [nodes.index(name) for name in dict.fromkeys(edges["target"]) if name not in causes]
    _make_room(geometry, arcs, leaves if residuals else [], left, nodes)
    geometry.high[1] -= 0.0 if title else TITLE
    if figure is None:
        figure = new_figure(*(float(x) for x in geometry.size), constrained=False)
    ax = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    frame_diagram(ax, geometry, 0, title)
    boxes = [i for i, node in enumerate(nodes) if node not in fit.factors]
    shown = edges[["group", "target", "source", "estimate", "equal"]]
    scale = max(float(edges["estimate"].abs().max()), 0.5)
    # An equals sign belongs to estimates: what is equal has other standardized values in other groups.
    draw_diagram(ax, geometry, names, shown, scale, several=len(fit.groups) > 1 and not standardized, boxes=boxes)
    for points, value in arcs:
        _draw_arc(ax, points, value)
    if residuals:
        variances = data[data["kind"] == "residual"].set_index("target")["estimate"]
        for node in leaves:
            _draw_residual(ax, geometry, node, -1 if nodes[node] in left else 1, float(variances[nodes[node]]))
    return figure


def diagram_data(fit: SEMFit, group: Hashable | None = None, *, standardized: bool = True) -> pd.DataFrame:
    """Return what `diagram` draws.

    Returns
    -------
    pandas.DataFrame
        One row per arrow: ``group``, ``kind`` (``"loading"``, ``"regression"``, ``"covariance"`` of two factors,
        ``"residual"`` variance of an observed variable), ``source``, ``target``, ``estimate`` (standardized, or not),
        ``equal`` (over groups), ``fixed``.
    """
    if not isinstance(fit, SEMFit):
        raise OptionError(
            f"diagram() got a {type(fit).__name__}",
            allowed="a SEMFit",
            todo="give what cfa(), sem() or growth() returned",
        )
    if not fit.factors:
        raise OptionError("diagram() got a model without factors", todo="draw its regressions with paths()")
    if group is not None and group not in fit.groups:
        raise OptionError(
            f"group={group!r}", allowed=enumerate_briefly(fit.groups, 12), todo="leave it out for the first"
        )
    frame = tidy(fit)
    frame = frame[frame["op"].isin(("=~", "~", "~~"))].reset_index(drop=True)
    frame["equal"] = _equal_over_groups(fit, frame)
    frame = frame[frame["group"] == (fit.groups[0] if group is None else group)]
    frame["estimate"] = frame["std_all" if standardized else "estimate"]
    frame["kind"] = [_kind(fit, *row) for row in zip(frame["lhs"], frame["op"], frame["rhs"], strict=True)]
    frame = frame[(frame["kind"] != "") & ~((frame["kind"] == "covariance") & (frame["estimate"] == 0))]
    backwards = frame["op"] == "~"
    frame["source"] = frame["rhs"].where(backwards, frame["lhs"])
    frame["target"] = frame["lhs"].where(backwards, frame["rhs"])
    frame["fixed"] = ~frame["free"].astype(bool)
    return frame[["group", "kind", "source", "target", "estimate", "equal", "fixed"]].reset_index(drop=True)


def _kind(fit: SEMFit, lhs: str, op: str, rhs: str) -> str:
    if op != "~~":
        return "loading" if op == "=~" else "regression"
    if lhs == rhs:
        return "" if lhs in fit.factors else "residual"
    return "covariance" if lhs in fit.factors and rhs in fit.factors else ""


def _equal_over_groups(fit: SEMFit, frame: pd.DataFrame) -> list[bool]:
    """Whether the parameter of a row is one free number for all groups."""
    free = fit.model.free
    if len(free) == 1:
        return [False] * len(frame)
    same = (free == free[0]).all(axis=0) & (free[0] >= 0)
    equal = {(row.lhs, row.op, row.rhs): bool(same[e]) for e, row in enumerate(fit.table.rows)}
    return [equal.get(key, False) for key in zip(frame["lhs"], frame["op"], frame["rhs"], strict=True)]


def _nodes(edges: pd.DataFrame, factors: Sequence[str]) -> list[str]:
    """Factors first, then what is observed, in the order of the model."""
    return list(dict.fromkeys([*factors, *edges["source"], *edges["target"]]))


def _items_at_left(edges: pd.DataFrame, factors: Sequence[str]) -> set[str]:
    """Items of factors that explain others and are explained by nothing; an item of several factors stays right."""
    regressions = edges[edges["kind"] == "regression"]
    loadings = edges[edges["kind"] == "loading"]
    explained = {*regressions["target"], *loadings["target"]}
    causes = {factor for factor in factors if factor in set(regressions["source"]) and factor not in explained}
    others = {*loadings.loc[~loadings["source"].isin(causes), "target"], *regressions["source"], *regressions["target"]}
    return {str(item) for item in loadings.loc[loadings["source"].isin(causes), "target"]} - others - set(factors)


def _arcs(geometry: Geometry, nodes: Sequence[str], covariances: pd.DataFrame) -> list[tuple[Array, float]]:
    """Curves to the left of the factors of one column, with their numbers."""
    arcs = []
    row: Any  # what pandas yields has no static type
    for row in covariances.itertuples():
        a, b = (geometry.centres[nodes.index(name)] for name in (row.source, row.target))
        if abs(a[0] - b[0]) > 1e-6:
            continue
        reach = min(BULGE * abs(float(a[1] - b[1])), WIDEST_BULGE)
        edge = np.array([geometry.radius[0], 0.0])
        t = np.linspace(0, 1, 60)[:, None]
        begin, end = a - edge, b - edge
        middle = 0.5 * (begin + end) - np.array([2 * reach, 0.0])  # of a parabola that reaches half as far
        arcs.append(((1 - t) ** 2 * begin + 2 * t * (1 - t) * middle + t**2 * end, float(row.estimate)))
    return arcs


def _make_room(
    geometry: Geometry, arcs: Sequence[tuple[Array, float]], leaves: Sequence[int], left: set[str], nodes: Sequence[str]
) -> None:
    """Widen the diagram where arcs and residual arrows stand out."""
    for points, _ in arcs:
        geometry.low[0] = min(geometry.low[0], float(points[:, 0].min()) - NUMBER - 0.1)
    for node in leaves:
        out = geometry.centres[node][0] + (-1 if nodes[node] in left else 1) * (
            geometry.radius[0] + RESIDUAL + 2 * NUMBER + 0.1
        )
        geometry.low[0], geometry.high[0] = min(geometry.low[0], out), max(geometry.high[0], out)


def _draw_arc(ax: Axes, points: Array, value: float) -> None:
    """A thin curve with a head at each end and its number in the middle."""
    half = len(points) // 2
    for part in (points[half:], points[: half + 1][::-1]):
        arrow(ax, part, 0.05, (0.4, 0.4, 0.4), dashed=False, name="covariance")
    _number(ax, points[half], value)


def _draw_residual(ax: Axes, geometry: Geometry, node: int, side: int, value: float) -> None:
    """A short arrow to a box from outside, with the variance at its begin."""
    begin = geometry.centres[node] + np.array([side * (geometry.radius[0] + RESIDUAL), 0.0])
    end = geometry.centres[node] + np.array([side * 0.95 * geometry.radius[0], 0.0])
    arrow(ax, np.linspace(begin, end, 30), 0.05, (0.4, 0.4, 0.4), dashed=False, name="residual")
    _number(ax, begin + np.array([side * NUMBER, 0.0]), value)


def _number(ax: Axes, at: Array, value: float) -> None:
    ax.text(
        at[0], at[1], f"{value:z.2f}".replace("-", "−"), ha="center", va="center", fontsize=7.5, color=INK, zorder=5,
        bbox={"boxstyle": "round,pad=0.12", "facecolor": "white", "edgecolor": "none"},
    )  # fmt: skip
