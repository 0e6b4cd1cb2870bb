"""Scree plot: how much log L gains with each further cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, overload

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from ..errors import OptionError
from ..report.mixture_tables import indicator_word
from ..structural.select import MixtureSelection
from .inputs import require_selection
from .style import ACCENT, INK, MUTED, dress, new_figure

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["selection", "selection_data"]

Loglik = Literal["factors", "observed"]


@overload
def selection(fits: MixtureSelection, *, loglik: Loglik = ..., ax: None = None) -> Figure: ...
@overload
def selection(fits: MixtureSelection, *, loglik: Loglik = ..., ax: Axes) -> Axes: ...
def selection(fits: MixtureSelection, *, loglik: Loglik = "factors", ax: Axes | None = None) -> Figure | Axes:
    """Draw log L against the number of free parameters, with its convex hull and the choice of CHull.

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

    References
    ----------
    Ceulemans & Kiers (2006), Selecting among three-mode principal component models of different types and
    complexities. British Journal of Mathematical and Statistical Psychology 59, 133-150.
    """
    data = selection_data(fits, loglik=loglik)
    figure = new_figure(5.0, 3.4) if ax is None else None
    axes = figure.add_subplot() if figure is not None else ax
    assert axes is not None
    _draw(axes, data)
    word = "factors" if loglik == "factors" else indicator_word(fits.fits[0])
    axes.set(xlabel="Free parameters (at the points: number of clusters)", ylabel=f"log L of the {word}")
    dress(axes)
    return axes if figure is None else figure


def selection_data(fits: MixtureSelection, *, loglik: Loglik = "factors") -> pd.DataFrame:
    """Return what `selection` draws.

    Returns
    -------
    pandas.DataFrame
        One row per number of clusters: ``k``, ``n_params``, ``loglik``, ``on_hull``, ``ratio`` (scree ratio),
        ``chosen`` (by CHull).
    """
    import pandas as pd

    require_selection(fits, "selection")
    if loglik not in ("factors", "observed"):
        raise OptionError(f"loglik={loglik!r}", allowed="'factors' or 'observed'")
    observed = loglik == "observed"
    hull = fits.hull_observed if observed else fits.hull
    return pd.DataFrame(
        {
            "k": list(fits),
            "n_params": [f.n_params if observed else f.n_params_factors for f in fits.fits],
            "loglik": [f.loglik_observed if observed else f.loglik for f in fits.fits],
            "on_hull": hull.on_hull,
            "ratio": hull.ratio,
            "chosen": [i == hull.chosen for i in range(len(fits))],
        }
    )


def _draw(ax: Axes, data: pd.DataFrame) -> None:
    """The hull as a line, the models as points with their K, the choice in colour."""
    hull = data[data["on_hull"]].sort_values("n_params")
    ax.plot(hull["n_params"], hull["loglik"], color=MUTED, linewidth=1.2, zorder=1, label="convex hull")
    for name, rows in (("on the hull", data[data["on_hull"]]), ("below the hull", data[~data["on_hull"]])):
        if len(rows):
            face = INK if name == "on the hull" else "white"
            ax.scatter(rows["n_params"], rows["loglik"], s=28, color=face, edgecolor=INK, zorder=3, label=name)
    chosen = data[data["chosen"]]
    if len(chosen):
        ax.scatter(
            chosen["n_params"], chosen["loglik"], s=150, facecolor="none", edgecolor=ACCENT, linewidth=2, zorder=2,
            label="chosen by CHull",
        )  # fmt: skip
    row: Any  # what pandas yields has no static type
    for row in data.itertuples():
        ax.annotate(
            f"{row.k}", (row.n_params, row.loglik), (0, -9), textcoords="offset points", ha="left", va="top",
            fontsize=9, color=ACCENT if row.chosen else INK, fontweight="bold" if row.chosen else "normal",
        )  # fmt: skip
    if len(chosen):
        ratio = float(chosen["ratio"].iloc[0])
        said = "∞" if ratio == float("inf") else f"{ratio:.2f}" if ratio < 1e4 else f"{ratio:.1g}"
        ax.annotate(
            f"CHull chooses {chosen['k'].iloc[0]}\nscree ratio {said}",
            (0.97, 0.06), xycoords="axes fraction", ha="right", va="bottom", fontsize=8.5, color=ACCENT,
        )  # fmt: skip
    ax.margins(0.09, 0.14)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=7))
    ax.yaxis.set_major_locator(MaxNLocator(nbins=6))
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}".replace("-", "−")))
