"""How DIC depends on the prior variance of loading differences, per measurement block."""

from __future__ import annotations

from typing import TYPE_CHECKING, overload

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..errors import OptionError
from ..measurement.bayes_fit import BayesianFit
from ..measurement.prior_grid import TIED, PriorVarianceChoice
from ..report.bayes_tables import variance_name
from .style import INK, cluster_color, cluster_marker, dress, new_figure, plain

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["prior_variance", "prior_variance_data"]

MOST_COLORS = 8


@overload
def prior_variance(choice: PriorVarianceChoice | BayesianFit, *, ax: None = None) -> Figure: ...
@overload
def prior_variance(choice: PriorVarianceChoice | BayesianFit, *, ax: Axes) -> Axes: ...
def prior_variance(choice: PriorVarianceChoice | BayesianFit, *, ax: Axes | None = None) -> Figure | Axes:
    """Draw how far DIC is from its smallest value for each prior variance, one line per measurement block.

    Bars reach two Monte-Carlo standard errors of the difference to either side: a prior variance whose bar reaches 0
    is practically tied with the chosen one, which is filled.

    Parameters
    ----------
    choice
        What `choose_prior_variance` returned, or an `MGBCFA` fit with several prior variances to choose from.
    ax
        Axes to draw into; without them a figure is made.

    Returns
    -------
    matplotlib Figure or Axes
        The axes that were given, else the new figure.

    Raises
    ------
    OptionError
        If `choice` is anything else.
    """
    data = prior_variance_data(choice)
    blocks = list(dict.fromkeys(data["block"]))
    labels = list(dict.fromkeys(data["label"]))
    figure = new_figure(1.6 + 0.62 * max(len(labels), 4), 3.0) if ax is None else None
    axes = figure.add_subplot() if figure is not None else ax
    assert axes is not None
    for number, block in enumerate(blocks):
        rows = data[data["block"] == block]
        color = cluster_color(number % MOST_COLORS + 1)
        # Neighbours stand beside one another, so that their bars do not hide each other.
        places = rows["place"].to_numpy() + 0.06 * (number - (len(blocks) - 1) / 2)
        axes.errorbar(
            places, rows["difference"], yerr=TIED * rows["difference_error"], color=color, linewidth=1.1,
            elinewidth=0.8, capsize=2, zorder=2, gid=f"line {number}",
        )  # fmt: skip
        axes.scatter(
            places, rows["difference"], marker=cluster_marker(number % MOST_COLORS + 1), s=26, zorder=3,
            edgecolors=color, facecolors=[color if c else "white" for c in rows["chosen"]],
            linewidths=1.0, label=plain(block), gid=f"points {number}",
        )  # fmt: skip
    axes.axhline(0.0, color=INK, linewidth=0.8, zorder=1)
    axes.set_xticks(range(len(labels)), labels)
    axes.set(xlim=(-0.5, len(labels) - 0.5), xlabel="Prior variance", ylabel="DIC minus smallest DIC")
    dress(axes, grid="y")
    if len(blocks) > 1:
        axes.legend(frameon=False, fontsize=8, labelcolor=INK)
    else:
        axes.set_title(plain(blocks[0]), loc="left", fontsize=9, color=INK)
    return axes if figure is None else figure


def prior_variance_data(choice: PriorVarianceChoice | BayesianFit) -> pd.DataFrame:
    """Return what `prior_variance` draws.

    Returns
    -------
    pandas.DataFrame
        One row per block and prior variance: ``block``, ``prior_variance`` (NaN: no constraint), ``label``, ``place``
        (on the horizontal axis), ``dic``, ``difference`` (from the block's smallest), ``difference_error``
        (Monte-Carlo standard error), ``p_d``, ``ppp``, ``chosen``, ``tied``, ``trouble``.
    """
    import pandas as pd

    found = choice.prior_choice if isinstance(choice, BayesianFit) else choice
    if not isinstance(found, PriorVarianceChoice):
        raise OptionError(
            f"prior_variance() got a {type(choice).__name__}" + " with one prior variance" * (found is None),
            allowed="what choose_prior_variance() returned, or a fit of MGBCFA(prior_variance=(0.001, 0.01, 0.1))",
            todo="compare prior variances with choose_prior_variance()",
        )
    labels = list(dict.fromkeys(variance_name(c.prior_variance) for c in found.candidates))
    return pd.DataFrame(
        {
            "block": ", ".join(c.factors),
            "prior_variance": float("nan") if c.prior_variance is None else c.prior_variance,
            "label": variance_name(c.prior_variance),
            "place": labels.index(variance_name(c.prior_variance)),
            "dic": c.dic,
            "difference": c.difference,
            "difference_error": c.difference_error,
            "p_d": c.p_d,
            "ppp": c.ppp,
            "chosen": c.chosen,
            "tied": c.tied,
            "trouble": c.trouble,
        }
        for c in found.candidates
    )
