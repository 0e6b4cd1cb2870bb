"""How certain the classification is: posterior probabilities of groups and clusters as a heat map."""

from __future__ import annotations

from typing import TYPE_CHECKING, overload

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from numpy.typing import NDArray

from ..report.frames import clusters as clusters_frame
from ..report.values import one_line, plural
from ..structural.fit import MixtureFit
from .inputs import require_fit
from .style import INK, MUTED, cluster_color, dress, new_figure, plain, readable_on, text_width, tint

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["posterior", "posterior_data"]

#: Above so many groups names cannot be read; the figure then shows the sorted groups as one picture.
MOST_NAMES = 150
TALLEST = 20  # rows of one column of groups, as long as there is room for another column
WIDEST = 10.0  # inches
LONGEST = 22  # characters of a group's name
NAME_SIZE = 7.5  # points
TOP = 0.4  # room for the heading, inches


@overload
def posterior(fit: MixtureFit, *, figure: None = None) -> Figure: ...
@overload
def posterior(fit: MixtureFit, *, figure: Figure | SubFigure) -> Figure | SubFigure: ...
def posterior(fit: MixtureFit, *, figure: Figure | SubFigure | None = None) -> Figure | SubFigure:
    """Draw the posterior classification probabilities, groups sorted by cluster and then by probability.

    Each column has its cluster's colour, stronger for a higher probability; probabilities that are neither near
    0 nor near 1 are printed. Many groups stand in several columns; more than 150 without their names.

    Parameters
    ----------
    fit
        A mixture.
    figure
        Empty figure or subfigure to draw into; without it a figure is made.

    Returns
    -------
    matplotlib Figure or SubFigure
        The figure that was given, else the new one.

    Raises
    ------
    OptionError
        If `fit` is not one mixture.
    """
    data = posterior_data(fit)
    probability = data[[f"p{c}" for c in range(1, fit.k + 1)]].to_numpy()
    groups = len(data)
    if groups > MOST_NAMES:
        figure = new_figure(0.9 + 0.6 * max(fit.k, 3), 5.0) if figure is None else figure
        _picture(figure.add_subplot(), fit, probability)
        return figure
    names = [name if len(name) <= LONGEST else name[: LONGEST - 1] + "…" for name in map(one_line, data["group"])]
    names = [plain(name) for name in names]
    label = max(text_width(name, NAME_SIZE) for name in names) + 0.08
    width = label + (0.34 if fit.k <= 4 else 0.27) * fit.k
    panels = min(max(1, int(WIDEST // (width + 0.25))), -(-groups // TALLEST))
    per_panel = -(-groups // panels)
    if figure is None:
        figure = new_figure(max(panels * (width + 0.25), 2.0), TOP + 0.19 * per_panel + 0.05, constrained=False)
    inches = figure.bbox.width / figure.dpi, figure.bbox.height / figure.dpi
    for panel in range(panels):
        rows = slice(panel * per_panel, min((panel + 1) * per_panel, groups))
        left = panel / panels + label / inches[0]
        high = 1 - (TOP + 0.05) / inches[1]
        ax = figure.add_axes((left, 0.05 / inches[1], (panel + 1) / panels - left - 0.2 / inches[0], high))
        _panel(ax, probability[rows], names[rows], data["cluster"].to_numpy()[rows], per_panel)
    return figure


def posterior_data(fit: MixtureFit) -> pd.DataFrame:
    """Return what `posterior` draws.

    Returns
    -------
    pandas.DataFrame
        One row per group in the order drawn: ``group``, ``n``, ``cluster``, ``probability``, ``p1`` to ``pK``.
        Groups whose probabilities print alike keep the order of the fit.
    """
    require_fit(fit, "posterior")
    frame = clusters_frame(fit)
    order = np.lexsort((-frame["probability"].round(2).to_numpy(), frame["cluster"].to_numpy()))
    return frame.iloc[order].reset_index(drop=True)


def _panel(
    ax: Axes, probability: NDArray[np.float64], names: list[str], members: NDArray[np.int64], height: int
) -> None:
    """One column of groups."""
    rows, k = probability.shape
    colors = _colors(probability)
    ax.pcolormesh(np.arange(k + 1) - 0.5, np.arange(rows + 1) - 0.5, colors, edgecolor="white", linewidth=1)
    for g, c in np.argwhere((probability >= 0.005) & (probability < 0.995)):
        ax.text(
            c, g, f"{probability[g, c]:.2f}".removeprefix("0"), ha="center", va="center", fontsize=7,
            color=readable_on(tuple(colors[g, c])),
        )  # fmt: skip
    for g in np.flatnonzero(np.diff(members)):
        ax.axhline(g + 0.5, color=INK, linewidth=0.9)
    dress(ax)
    ax.set(xlim=(-0.5, k - 0.5), ylim=(height - 0.5, -0.5))
    ax.set_yticks(range(rows), names, fontsize=NAME_SIZE)
    _cluster_ticks(ax, k)


def _colors(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    """The colour of each cluster, mixed with white as its probability falls, shape (G, K, 3)."""
    full = np.array([tint(cluster_color(c + 1), 1.0) for c in range(probability.shape[1])])
    return np.asarray(1.0 - probability[:, :, None] * (1.0 - full))


def _picture(ax: Axes, fit: MixtureFit, probability: NDArray[np.float64]) -> None:
    """All groups as one picture without names; the sizes of the clusters stand at the side."""
    k = fit.k
    colors = _colors(probability)
    ax.imshow(colors, aspect="auto", interpolation="nearest")
    sizes = [int((fit.clusters == c + 1).sum()) for c in range(k)]
    edges = np.concatenate([[0], np.cumsum(sizes)])
    dress(ax)
    for edge in edges[1:-1]:
        ax.axhline(edge - 0.5, color=INK, linewidth=0.9)
    shown = [c for c in range(k) if sizes[c]]
    labels = [plural(sizes[c], "group") for c in shown]
    ax.set_yticks([(edges[c] + edges[c + 1] - 1) / 2 for c in shown], labels)
    _cluster_ticks(ax, k)


def _cluster_ticks(ax: Axes, k: int) -> None:
    """Numbers of the clusters on top."""
    ax.xaxis.tick_top()
    ax.set_xticks(range(k), [str(c + 1) for c in range(k)])
    ax.tick_params(length=0, pad=2)
    ax.spines[:].set_visible(False)
    ax.set_title("Cluster", fontsize=8, color=MUTED, pad=4)
