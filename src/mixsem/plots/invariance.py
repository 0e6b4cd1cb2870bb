"""Heat map of the groups' deviations from common loadings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from ..errors import OptionError
from ..measurement.bayes_fit import BayesianFit
from ..measurement.invariance import InvarianceTest
from ..measurement.invariance_deviations import configural_deviations, loading_deviations
from ..measurement.invariance_search import NonInvariance
from .style import INK, MUTED, dress, new_figure, plain

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["invariance", "invariance_data"]

#: Colours for lower and higher than common; orange and blue stay apart for colour-blind readers.
_COLORS = LinearSegmentedColormap.from_list("deviation", ["#B35806", "#F1A340", "#F7F7F7", "#67A9CF", "#1F4E8C"])
#: Colours saturate at this share of the sorted absolute deviations, and not below the least range.
SATURATED, LEAST_RANGE = 0.99, 0.2
LONGEST = 22  # characters of a group's name
#: Above so many groups names cannot be read; then they are left out.
MOST_NAMES = 130


@overload
def invariance(
    found: InvarianceTest | NonInvariance | BayesianFit, *, kind: str = ..., most: int | None = ..., ax: None = None
) -> Figure: ...
@overload
def invariance(
    found: InvarianceTest | NonInvariance | BayesianFit, *, kind: str = ..., most: int | None = ..., ax: Axes
) -> Axes: ...
def invariance(
    found: InvarianceTest | NonInvariance | BayesianFit,
    *,
    kind: str = "loadings",
    most: int | None = None,
    ax: Axes | None = None,
) -> Figure | Axes:
    """Draw how far every group's loadings are from the common ones: one row per group, one column per item.

    Blue is higher than common, orange lower, in standard deviations of the item per one of the factor. A dot marks a
    flagged cell. The groups with the largest total deviation are on top.

    Parameters
    ----------
    found
        An `InvarianceTest` with the levels configural and metric: configural loadings, scaled per group and factor to
        be as close to the common ones as they can be; flagged by score tests. What `find_noninvariance` returned:
        expected changes before anything was freed, freed items with an asterisk. Or a Bayesian fit with loadings that
        may differ: posterior means, flagged where the 95% credible interval leaves out 0.
    kind
        ``"loadings"``, or ``"intercepts"`` of a search that tested them.
    most
        Draw so many groups only, those with the largest total deviation.
    ax
        Axes to draw into; without them a figure is made.

    Returns
    -------
    matplotlib Figure or Axes
        The axes that were given, else the new figure.

    Raises
    ------
    OptionError
        If `found` is anything else, or has nothing of that kind.

    Examples
    --------
    >>> import mixsem as mx
    >>> data = mx.data.holzinger_swineford_1939()
    >>> test = mx.invariance_test("visual =~ x1 + x2 + x3; speed =~ x7 + x8 + x9", data, "school")
    >>> figure = mx.plots.invariance(test)
    """
    data = invariance_data(found, kind=kind)
    groups, columns = list(dict.fromkeys(data["group"])), list(dict.fromkeys(data["parameter"]))
    groups = groups if most is None else groups[:most]
    values = data.pivot(index="group", columns="parameter", values="deviation").loc[groups, columns].to_numpy(float)
    flagged = data.pivot(index="group", columns="parameter", values="flagged").loc[groups, columns].to_numpy(bool)
    named = len(groups) <= MOST_NAMES
    height = (0.155 if named else 0.03) * max(len(groups), 6)
    figure = new_figure(2.3 + 0.36 * max(len(columns), 4), height + 1.7) if ax is None else None
    axes = figure.add_subplot() if figure is not None else ax
    assert axes is not None
    limit = max(float(np.quantile(np.abs(values), SATURATED)), LEAST_RANGE)
    image = axes.imshow(values, cmap=_COLORS, norm=Normalize(-limit, limit), aspect="auto", interpolation="nearest")
    down, right = np.nonzero(flagged)
    strong = np.abs(values[down, right]) > 0.6 * limit
    for chosen, color in ((strong, "white"), (~strong, INK)):
        axes.scatter(right[chosen], down[chosen], s=7, color=color, linewidths=0, zorder=3, gid="flagged")
    _label(axes, data, groups if named else [], columns)
    _colorbar(axes, image, kind)
    return axes if figure is None else figure


def invariance_data(found: InvarianceTest | NonInvariance | BayesianFit, *, kind: str = "loadings") -> pd.DataFrame:
    """Return what `invariance` draws.

    Returns
    -------
    pandas.DataFrame
        One row per group and parameter, groups with the largest total deviation first: ``group``, ``factor``, ``item``,
        ``parameter``, ``deviation`` (standardized), ``flagged``, ``freed`` (by the search), ``total`` (of the group:
        sum of absolute deviations); of a Bayesian fit also ``lower`` and ``upper``, in units of the loadings.

    Raises
    ------
    OptionError
        As `invariance` does.
    """
    frame = _frame(found, kind)
    total = frame["deviation"].abs().groupby(frame["group"]).sum()
    frame["total"] = frame["group"].map(total)
    places = {name: i for i, name in enumerate(dict.fromkeys(frame["parameter"]))}
    order = {group: i for i, group in enumerate(sorted(total.index, key=lambda g: (-total[g], str(g))))}
    ranked = frame.assign(_group=frame["group"].map(order), _parameter=frame["parameter"].map(places))
    ranked = ranked.sort_values(["_group", "_parameter"], kind="stable")
    return ranked.drop(columns=["_group", "_parameter"]).reset_index(drop=True)


def _frame(found: object, kind: str) -> pd.DataFrame:
    names = ["group", "factor", "item", "parameter", "deviation", "flagged", "freed"]
    if kind not in ("loadings", "intercepts"):
        raise OptionError(f"kind={kind!r}", allowed="'loadings' or 'intercepts'")
    if kind == "intercepts" and not isinstance(found, NonInvariance):
        raise OptionError(
            "invariance(kind='intercepts') needs a search",
            allowed="what find_noninvariance(..., kinds=('loadings', 'intercepts')) returned",
        )
    if isinstance(found, InvarianceTest):
        frame = configural_deviations(found).assign(freed=False)
        free = {"".join(name.split()) for name in found.partial}
        frame["freed"] = ["".join(name.split()) in free for name in frame["parameter"]]
        return frame[names].copy()
    if isinstance(found, NonInvariance):
        frame = found.first[found.first["kind"] == kind]
        if frame.empty:
            raise OptionError(f"the search did not test {kind}", allowed=", ".join(found.rules.kinds))
        free = {"".join(name.split()) for name in found.partial}
        return frame.assign(freed=["".join(str(name).split()) in free for name in frame["parameter"]])[names].copy()
    if isinstance(found, BayesianFit):
        frame = loading_deviations(found).drop(columns="deviation").rename(columns={"standardized": "deviation"})
        return frame.assign(freed=False)[[*names, "lower", "upper"]].copy()
    raise OptionError(
        f"invariance() got a {type(found).__name__}",
        allowed="an InvarianceTest, what find_noninvariance() returned, or a fit of MGBCFA or MLCFA",
        todo="give what invariance_test() returned",
    )


def _label(axes: Axes, data: pd.DataFrame, groups: list[Any], columns: list[str]) -> None:
    """Names of groups and items, and a line between factors."""
    first = data.drop_duplicates("parameter").set_index("parameter").loc[columns]
    labels = [plain(item) + "*" * bool(freed) for item, freed in zip(first["item"], first["freed"], strict=True)]
    axes.set_xticks(range(len(columns)), labels, rotation=90)
    shown = [plain(str(g) if len(str(g)) <= LONGEST else str(g)[: LONGEST - 1] + "…") for g in groups]
    axes.set_yticks(range(len(groups)), shown)
    dress(axes)
    axes.tick_params(axis="y", labelsize=7, length=0)
    axes.tick_params(axis="x", labelsize=8, length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    factors = first["factor"].tolist()
    for i in range(1, len(factors)):
        if factors[i] != factors[i - 1]:
            axes.axvline(i - 0.5, color=MUTED, linewidth=1.2, gid="factor")


def _colorbar(axes: Axes, image: AxesImage, kind: str) -> None:
    figure = axes.get_figure()
    assert figure is not None
    bar = figure.colorbar(image, ax=axes, orientation="horizontal", location="top", pad=0.01, aspect=30, extend="both")
    unit = "SD of the item per SD of the factor" if kind == "loadings" else "SD of the item"
    bar.set_label(f"deviation from the common {kind[:-1]} ({unit})", fontsize=8, color=INK)
    bar.ax.tick_params(labelsize=7, colors=MUTED, labelcolor=INK, length=2)
    bar.outline.set_visible(False)
