"""What partial pooling does to the coefficients of each level."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, overload

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse
from numpy.typing import NDArray

from ..errors import OptionError
from ..mixed.derived.no_pooling import no_pooling, partial_pooling
from ..mixed.derived.pooling import PoolingComparison
from ..mixed.fit import MixedFit
from .mixed_panels import Effect, chosen_effects, draw_panels, evenly, level_names, require_mixed
from .style import ACCENT, MUTED, cluster_color, dress, plain, tint

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["shrinkage", "shrinkage_data"]

Array = NDArray[np.float64]

#: Above so many levels names cannot be read.
MOST_NAMES = 60
#: The same where names stand among dots.
MOST_LABELS = 25
#: Above so many levels arrows cover one another: these are drawn, evenly by how far they start from the centre.
MOST_LEVELS = 200
#: Coefficients this many interquartile ranges away from the quartiles do not set the limits of the axes: levels with
#: hardly more rows than coefficients are anywhere.
FAR = 2.0
#: Radii of the ellipses that hold half and 95% of a bivariate normal distribution.
RADII = (1.1774, 2.4477)


@overload
def shrinkage(
    fit: MixedFit | PoolingComparison,
    group: str | None = ...,
    effects: Sequence[str] | None = ...,
    *,
    ax: None = None,
) -> Figure: ...
@overload
def shrinkage(
    fit: MixedFit | PoolingComparison, group: str | None = ..., effects: Sequence[str] | None = ..., *, ax: Axes
) -> Axes: ...
def shrinkage(
    fit: MixedFit | PoolingComparison,
    group: str | None = None,
    effects: Sequence[str] | None = None,
    *,
    ax: Axes | None = None,
) -> Figure | Axes:
    """Draw the coefficients of each level without pooling, and an arrow to where partial pooling moves them.

    Without pooling they are least squares within the level, all else as the model has it. With two effects the first
    is across and the second upwards, and ellipses hold half and 95% of levels as the model sees them; with one effect
    levels stand below one another. The cross, or the line, is the fixed effect: complete pooling.

    Parameters
    ----------
    fit
        A linear mixed model, or what `compare_pooling` returned.
    group
        A grouping factor; that of the comparison, or the one with most levels, if it is not given.
    effects
        One or two of its random effects; the first two if they are not given.
    ax
        Axes to draw into; without them a figure is made.

    Returns
    -------
    matplotlib Figure or Axes
        The axes that were given, else the new figure.

    Raises
    ------
    OptionError
        If `fit` is no linear mixed model, there is no such factor or effect, or no level has rows enough.
    """
    fit, group = _fit_of(fit, group)
    chosen = _chosen(fit, group, effects)
    data = shrinkage_data(fit, group, effects)
    if not data["drawn"].any():
        names = ", ".join(effect.name for effect in chosen)
        raise OptionError(
            f"no level of {chosen[0].group} has rows that determine all its random effects",
            allowed="levels with more rows",
            todo=f"these were to be drawn: {names}",
        )
    if len(chosen) == 2:
        at = [effect.column for effect in chosen]
        covariance = _covariance(fit, chosen[0].factor)[np.ix_(at, at)]
        size = (4.8, 4.2)
    else:
        covariance = None
        size = (4.2, 0.155 * len(data) + 1.0 if len(data) <= MOST_NAMES else 4.0)

    def draw(axes: Axes, _: int) -> None:
        _ladder(axes, data) if covariance is None else _plane(axes, data, covariance)

    return draw_panels(ax, ["shrinkage"], draw, size, todo="")


def shrinkage_data(
    fit: MixedFit | PoolingComparison, group: str | None = None, effects: Sequence[str] | None = None
) -> pd.DataFrame:
    """Return what `shrinkage` draws.

    Returns
    -------
    pandas.DataFrame
        One row per level: ``group``, ``level``, ``n`` (rows), and for each of the effects, numbered 1 and 2,
        ``effect``, ``none`` (without pooling, NaN where the rows of the level do not determine it), ``partial`` and
        ``complete``; ``drawn`` is False for levels left out of many, and for those without a start.
    """
    import pandas as pd

    fit, group = _fit_of(fit, group)
    chosen = _chosen(fit, group, effects)
    f = chosen[0].factor
    factor = fit.design.factors[f]
    _, partial, center = partial_pooling(fit, f)
    none = no_pooling(fit, f)
    levels = np.empty(len(factor.levels), dtype=object)
    levels[:] = factor.levels
    columns: dict[str, object] = {
        "group": factor.name,
        "level": levels,
        "n": np.bincount(factor.codes, minlength=len(levels)),
    }
    for i, effect in enumerate(chosen, start=1):
        columns[f"effect{i}"] = effect.name
        columns[f"none{i}"] = none[:, effect.column]
        columns[f"partial{i}"] = partial[:, effect.column]
        columns[f"complete{i}"] = center[effect.column]
    frame = pd.DataFrame(columns)
    return frame.assign(drawn=_drawn(none[:, [e.column for e in chosen]], center[[e.column for e in chosen]]))


def _fit_of(given: MixedFit | PoolingComparison, group: str | None) -> tuple[MixedFit, str | None]:
    """The fit, and the grouping factor if it is settled."""
    if isinstance(given, PoolingComparison):
        return given.fit, given.group if group is None else group
    return given, group


def _drawn(none: Array, center: Array) -> NDArray[np.bool_]:
    """Which levels are drawn: all that have a start, or of many some, from the nearest to the farthest."""
    known = np.flatnonzero(~np.isnan(none).any(axis=1))
    away = np.abs(none[known] - center)
    spread = np.median(away, axis=0) if known.size else center
    order = known[np.argsort((away / np.where(spread > 0.0, spread, 1.0)).sum(axis=1), kind="stable")]
    drawn = np.zeros(len(none), dtype=bool)
    if known.size:
        drawn[order[evenly(len(order), MOST_LEVELS)]] = True
    return drawn


def _chosen(fit: MixedFit, group: str | None, effects: Sequence[str] | None) -> tuple[Effect, ...]:
    """One or two random effects of one grouping factor."""
    known = chosen_effects(require_mixed(fit, "shrinkage"), group, None)
    first = known[0].factor if group is not None else 0
    known = tuple(e for e in known if e.factor == first)
    if effects is None:
        return known[:2]
    names = (effects,) if isinstance(effects, str) else tuple(effects)
    if not 1 <= len(names) <= 2 or len(set(names)) != len(names):
        raise OptionError(f"effects={effects!r}", allowed="one or two random effects of a grouping factor")
    return tuple(chosen_effects(fit, known[0].group, name)[0] for name in names)


def _covariance(fit: MixedFit, factor: int) -> Array:
    """Covariance matrix of all random effects of a grouping factor."""
    from scipy.linalg import block_diag

    terms = zip(fit.design.terms, fit.varcorr.terms, strict=True)
    return np.asarray(block_diag(*[variance.covariance for term, variance in terms if term.factor == factor]))


def _plane(axes: Axes, data: pd.DataFrame, covariance: Array) -> None:
    """Two effects: an arrow per level between the coefficients of its own rows and those of the model."""
    rows = data[data["drawn"]]
    center = data[["complete1", "complete2"]].iloc[0].to_numpy(dtype=float)
    _ellipses(axes, center, covariance)
    start, end = rows[["none1", "none2"]].to_numpy(), rows[["partial1", "partial2"]].to_numpy()
    small = len(rows) > MOST_NAMES
    _arrows(axes, start, end, small)
    _dots(axes, start, end, small)
    if len(rows) <= MOST_LABELS:
        _labels(axes, rows, start, end)
    cross = axes.scatter(
        center[:1], center[1:], marker="P", s=60, c=ACCENT, edgecolors="white", linewidths=0.8, zorder=6
    )
    cross.set(gid="complete", label="complete pooling")
    dress(axes)
    axes.set(xlim=_limits(start[:, 0], end[:, 0]), ylim=_limits(start[:, 1], end[:, 1]))
    axes.set(xlabel=plain(rows["effect1"].iloc[0]), ylabel=plain(rows["effect2"].iloc[0]))
    _legend(axes, data)


def _ladder(axes: Axes, data: pd.DataFrame) -> None:
    """One effect: a row per level, in the order of the coefficients of their own rows."""
    rows = data[data["drawn"]].sort_values("none1", ascending=False, kind="stable")
    named = len(data) <= MOST_NAMES
    places = np.arange(len(rows), dtype=float)
    line = axes.axvline(float(data["complete1"].iloc[0]), color=ACCENT, linewidth=1.0, zorder=1, gid="complete")
    line.set_label("complete pooling")
    start = np.column_stack([rows["none1"], places])
    end = np.column_stack([rows["partial1"], places])
    _arrows(axes, start, end, not named)
    _dots(axes, start, end, not named)
    dress(axes)
    axes.set(ylim=(len(rows) - 0.4, -0.6), xlim=_limits(start[:, 0], end[:, 0]))
    axes.set_xlabel(plain(data["effect1"].iloc[0]))
    axes.set_yticks(places if named else [], level_names(rows["level"]) if named else [], fontsize=7.5)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    _legend(axes, data)


def _arrows(axes: Axes, start: Array, end: Array, small: bool) -> None:
    """Lines without heads: the filled dot is the end."""
    color, width = (tint(MUTED, 0.5), 0.6) if small else (MUTED, 0.8)
    lines = LineCollection(np.stack([start, end], axis=1).tolist(), colors=[color], linewidths=width, zorder=2)
    lines.set_gid("arrows")
    axes.add_collection(lines, autolim=False)


def _dots(axes: Axes, start: Array, end: Array, small: bool) -> None:
    size = 7 if small else 22
    before = axes.scatter(start[:, 0], start[:, 1], s=size, c="white", edgecolors=MUTED, linewidths=0.8, zorder=3)
    before.set(gid="none", label="no pooling")
    after = axes.scatter(
        end[:, 0], end[:, 1], s=size, c=[cluster_color(1)], edgecolors="white", linewidths=0.3, zorder=4
    )
    after.set(gid="partial", label="partial pooling")


def _labels(axes: Axes, rows: pd.DataFrame, start: Array, end: Array) -> None:
    """Names of the levels beside their starts, on the side where no arrow is."""
    for name, (x, y), (to, _) in zip(level_names(rows["level"]), start, end, strict=True):
        left = bool(to >= x)
        axes.annotate(
            name, (x, y), (-4.5 if left else 4.5, 0), textcoords="offset points", ha="right" if left else "left",
            va="center", fontsize=6.5, color=MUTED, clip_on=True, annotation_clip=True, zorder=5,
        )  # fmt: skip


def _ellipses(axes: Axes, center: Array, covariance: Array) -> None:
    """Where half and 95% of the levels are, as the model sees them."""
    values, vectors = np.linalg.eigh(covariance)
    angle = float(np.degrees(np.arctan2(vectors[1, 1], vectors[0, 1])))
    for radius in RADII:
        long, short = (2.0 * radius * float(np.sqrt(max(v, 0.0))) for v in values[::-1])
        axes.add_patch(
            Ellipse(tuple(center), long, short, angle=angle, fill=False, edgecolor=tint(MUTED, 0.35), zorder=1)
        )


def _limits(start: Array, end: Array) -> tuple[float, float]:
    """All ends, and starts that are not far out, with a margin."""
    low, high = np.quantile(start, (0.25, 0.75)) if start.size else (0.0, 0.0)
    near = start[(start >= low - FAR * (high - low)) & (start <= high + FAR * (high - low))]
    both = np.concatenate([near, end]) if start.size else np.array([-1.0, 1.0])
    margin = 0.06 * float(np.ptp(both)) or 1.0
    return float(both.min()) - margin, float(both.max()) + margin


def _legend(axes: Axes, data: pd.DataFrame) -> None:
    """What the marks are, above the axes; the group, and how many of its levels are drawn."""
    handles, labels = axes.get_legend_handles_labels()
    order = [labels.index(label) for label in ("no pooling", "partial pooling", "complete pooling")]
    axes.legend(
        [handles[i] for i in order], [labels[i] for i in order], loc="lower center", bbox_to_anchor=(0.5, 1.06),
        ncols=3, frameon=False, fontsize=8, handletextpad=0.3, columnspacing=1.2, borderaxespad=0.0,
    )  # fmt: skip
    count, total = int(data["drawn"].sum()), len(data)
    axes.set_title(plain(data["group"].iloc[0]), loc="left", fontsize=9)
    words = f"{count:,} of {total:,} levels" if count < total else f"{total:,} levels"
    axes.set_title(words, loc="right", fontsize=8, color=MUTED)
