"""Path diagrams of structural equation models: the regressions of each group."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure, SubFigure

from ..equations.fit import SEMFit
from ..errors import OptionError, enumerate_briefly
from ..report.frames import tidy
from .paths import TITLE_AT, TITLE_SIZE, WIDEST, Geometry, draw_diagram, frame_diagram
from .style import new_figure, text_width, wrap

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["draw_equations", "equation_paths_data", "require_no_circle"]

#: Groups that are drawn unless others are named.
SHOWN = 6


def draw_equations(
    fit: SEMFit, groups: Sequence[Hashable] | None, figure: Figure | SubFigure | None
) -> Figure | SubFigure:
    """Draw what `paths` describes.

    Parameters
    ----------
    fit
        A structural equation model.
    groups
        Groups to draw; None for the first six.
    figure
        Empty figure to draw into, or None.
    """
    chosen = _chosen(fit, groups)
    data = equation_paths_data(fit)
    nodes = list(dict.fromkeys([*data["predictor"], *data["outcome"]]))
    first = data[data["group"] == fit.groups[0]]
    edges = [(nodes.index(a), nodes.index(b)) for a, b in zip(first["predictor"], first["outcome"], strict=True)]
    require_no_circle(len(nodes), edges)
    names = [wrap(node, 13) for node in nodes]
    several = len(fit.groups) > 1
    n = dict(zip(fit.groups, fit.data.moments.n.tolist(), strict=True))
    titles = [f"{group} (N = {n[group]:,})" if several else "" for group in chosen]
    geometry = Geometry(names, edges, max(TITLE_AT + text_width(title, TITLE_SIZE) for title in titles))
    columns = min(len(chosen), max(1, int(WIDEST // geometry.size[0])))
    rows = -(-len(chosen) // columns)
    if figure is None:
        width, height = (float(x) for x in geometry.size * (columns, rows))
        figure = new_figure(width, height, constrained=False)
    scale = max(float(data["estimate"].abs().max()), 0.5)
    boxes = [i for i, node in enumerate(nodes) if node not in fit.factors]
    for position, group in enumerate(chosen):
        row, column = divmod(position, columns)
        ax = figure.add_axes((column / columns, 1 - (row + 1) / rows, 1 / columns, 1 / rows))
        frame_diagram(ax, geometry, 0, titles[position])
        own = data[data["group"] == group]
        draw_diagram(ax, geometry, names, own, scale, several=several, boxes=boxes)
    return figure


def equation_paths_data(fit: SEMFit) -> pd.DataFrame:
    """One row per group and arrow: ``group``, ``outcome``, ``predictor``, ``estimate``, ``equal``, ``fixed``.

    Parameters
    ----------
    fit
        A structural equation model; one without regressions is drawn by its loadings.
    """
    op = "~" if any(row.op == "~" for row in fit.table.rows) else "=~"
    at = [e for e, row in enumerate(fit.table.rows) if row.op == op]
    free = fit.model.free[:, at]
    frame = tidy(fit)
    frame = frame[frame["op"] == op].reset_index(drop=True)
    names = ("lhs", "rhs") if op == "~" else ("rhs", "lhs")
    frame = frame.rename(columns=dict(zip(names, ("outcome", "predictor"), strict=True)))
    equal = (free == free[0]).all(axis=0) & (free[0] >= 0) & (len(fit.groups) > 1)
    frame["equal"] = np.tile(equal, len(fit.groups))
    frame["fixed"] = ~frame["free"]
    return frame[["group", "outcome", "predictor", "estimate", "equal", "fixed"]]


def _chosen(fit: SEMFit, groups: Sequence[Hashable] | None) -> list[Hashable]:
    if groups is None:
        return list(fit.groups[:SHOWN])
    chosen = list(groups)
    wrong = [group for group in chosen if group not in fit.groups]
    if wrong or not chosen:
        raise OptionError(
            f"groups={groups!r}", allowed=enumerate_briefly(fit.groups, 12), todo="leave it out for the first six"
        )
    return chosen


def require_no_circle(n_nodes: int, edges: Sequence[tuple[int, int]]) -> None:
    """Causes stand left of effects, so there must be an order."""
    left = set(range(n_nodes))
    while left:
        sources = {node for node in left if not any(b == node and a in left for a, b in edges)}
        if not sources:
            raise OptionError(
                "the regressions of the model run in a circle",
                allowed="models in which no variable explains itself through others",
                todo="show the estimates with tidy()",
            )
        left -= sources
