"""Which number of clusters each criterion prefers, and by how much."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ..report.mixture_tables import CRITERIA
from ..structural.select import MixtureSelection
from .inputs import require_selection
from .selection import Loglik, selection_data
from .style import ACCENT, INK, dress, new_figure, readable_on, tint

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["criteria", "criteria_data"]

NAMES = tuple(name for name in CRITERIA if name != "chull")


@overload
def criteria(fits: MixtureSelection, *, loglik: Loglik = ..., ax: None = None) -> Figure: ...
@overload
def criteria(fits: MixtureSelection, *, loglik: Loglik = ..., ax: Axes) -> Axes: ...
def criteria(fits: MixtureSelection, *, loglik: Loglik = "factors", ax: Axes | None = None) -> Figure | Axes:
    """Draw how far each number of clusters is from the best value of each information criterion.

    Parameters
    ----------
    fits
        Fits for several numbers of clusters.
    loglik
        ``"factors"``: log-likelihood of the factors; ``"observed"``: of the indicators.
    ax
        Axes to draw into; without them a figure is made.

    Returns
    -------
    matplotlib Figure or Axes
        The axes that were given, else the new figure.

    Raises
    ------
    OptionError
        If `fits` is not a selection, or `loglik` is anything else.
    """
    data = criteria_data(fits, loglik=loglik)
    ks = list(fits)
    figure = new_figure(1.1 + 0.62 * max(len(ks), 4), 2.5) if ax is None else None
    axes = figure.add_subplot() if figure is not None else ax
    assert axes is not None
    worst = float(np.log1p(data["difference"]).max()) or 1.0
    row: Any  # what pandas yields has no static type
    for row in data.itertuples():
        x, y = ks.index(row.k), NAMES.index(row.criterion)
        near = 1 - float(np.log1p(row.difference)) / worst
        color = tint(ACCENT, 1.0) if row.chosen else tint(INK, 0.04 + 0.3 * near)
        axes.add_patch(Rectangle((x - 0.48, y - 0.46), 0.96, 0.92, facecolor=color, edgecolor="none"))
        axes.text(
            x, y, _said(row.difference), ha="center", va="center", fontsize=8, color=readable_on(color),
            fontweight="bold" if row.chosen else "normal",
        )  # fmt: skip
    dress(axes)
    labels = [label + (rf"$_\mathrm{{{subscript}}}$" if subscript else "") for label, subscript in _labels()]
    axes.set(xlim=(-0.5, len(ks) - 0.5), ylim=(len(NAMES) - 0.5, -0.5), xlabel="Clusters")
    axes.set_xticks(range(len(ks)), [str(k) for k in ks])
    axes.set_yticks(range(len(NAMES)), labels)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_title("Distance from the best value", loc="left", color=INK, fontsize=9)
    return axes if figure is None else figure


def criteria_data(fits: MixtureSelection, *, loglik: Loglik = "factors") -> pd.DataFrame:
    """Return what `criteria` draws.

    Returns
    -------
    pandas.DataFrame
        One row per criterion and number of clusters: ``criterion``, ``k``, ``value``, ``difference`` (from the
        smallest value of the criterion), ``chosen``.
    """
    import pandas as pd

    require_selection(fits, "criteria")
    selection_data(fits, loglik=loglik)  # refuses an unknown loglik
    suffix = "_observed" if loglik == "observed" else ""
    choices, records = fits.choices, fits.rows()
    rows = []
    for name in NAMES:
        values = [record[name + suffix] for record in records]
        for k, value in zip(fits, values, strict=True):
            chosen = choices[name + suffix] == k
            rows.append((name, k, value, value - min(values), chosen))
    return pd.DataFrame(rows, columns=["criterion", "k", "value", "difference", "chosen"])


def _labels() -> list[tuple[str, str]]:
    return [CRITERIA[name] for name in NAMES]


def _said(difference: float) -> str:
    """A distance in few characters."""
    if difference == 0:
        return "best"
    return f"+{difference:,.1f}" if difference < 99.95 else f"+{difference:,.0f}"
