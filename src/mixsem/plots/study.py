"""How factors of a simulation study act together on a measure: lines of means, as in the papers' figures."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from ..errors import OptionError
from ..options import Names
from .study_rows import (
    StudyLike,
    factor_name,
    level_name,
    measure_bounds,
    measure_name,
    measure_values,
    require_factors,
    study_rows,
    summarise,
)
from .style import INK, MUTED, cluster_color, cluster_marker, dress, new_figure, plain, wrap

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["study_interactions", "study_interactions_data"]

#: Bars reach so many standard errors to either side.
REACH = 1.96
PANEL_WIDTH, PANEL_HEIGHT = 1.75, 1.9


@dataclass(frozen=True)
class _Roles:
    """Which factors stand where: on the horizontal axis, as lines, as columns and rows of panels."""

    x: tuple[str, ...]
    line: tuple[str, ...]
    panel: tuple[str, ...]
    row: tuple[str, ...]


@overload
def study_interactions(
    results: StudyLike,
    measure: str = ...,
    *,
    x: str | None = ...,
    line: Names | None = ...,
    panel: Names = ...,
    row: Names = ...,
    method: str | None = ...,
    variant: str | None = ...,
    figure: None = None,
) -> Figure: ...
@overload
def study_interactions(
    results: StudyLike,
    measure: str = ...,
    *,
    x: str | None = ...,
    line: Names | None = ...,
    panel: Names = ...,
    row: Names = ...,
    method: str | None = ...,
    variant: str | None = ...,
    figure: Figure | SubFigure,
) -> Figure | SubFigure: ...
def study_interactions(
    results: StudyLike,
    measure: str = "ari",
    *,
    x: str | None = None,
    line: Names | None = None,
    panel: Names = (),
    row: Names = (),
    method: str | None = None,
    variant: str | None = None,
    figure: Figure | SubFigure | None = None,
) -> Figure | SubFigure:
    """Draw the mean of a measure against one factor, a line per level of a second, a panel per level of others.

    Bars are 95% intervals of a mean over data sets, cut where no value can be; one data set has none. A line has a gap
    where no data set of that combination was run: a fraction of the cells shows fewer points, never wrong ones.

    Parameters
    ----------
    results
        What `run_study` or `read_results` returned.
    measure
        Column of the results, such as ``"ari"`` or ``"rmse[F4~F1]"``; ``"correct[bic_g]"``, the share of data sets of
        which the criterion ``k_bic_g`` chose the right number of clusters; ``"rmse_loading"``, the mean over loadings,
        or ``"rmse_loading[item 3]"``, that over the third items of the factors.
    x
        Factor on the horizontal axis; that with most levels if None.
    line
        Factor, or several whose combinations, have one line each; ``()`` for one line. If None, of the factors left
        that with most levels.
    panel, row
        Factors with one column and one row of panels per level or combination; ``()`` for one.
    method
        Method; the first that has the measure if None.
    variant
        Prior variance, as it is called in the results; if None, the one with which the loadings were drawn.
    figure
        Empty figure or subfigure to draw into; without it a figure is made.

    Returns
    -------
    matplotlib Figure or SubFigure
        The figure that was given, else the new one.

    Raises
    ------
    OptionError
        If `results` are none of a study, or there is no such measure, factor, method or variant.
    """
    data = study_interactions_data(
        results, measure, x=x, line=line, panel=panel, row=row, method=method, variant=variant
    )
    roles = _roles(results, x, line, panel, row)
    columns = _present(results, data, "panel", roles.panel)
    rows = _present(results, data, "row", roles.row)
    lines = _present(results, data, "line", roles.line)
    if figure is None:
        figure = new_figure(
            max(0.9 + PANEL_WIDTH * len(columns), 3.4) + 1.3 * bool(roles.line), 0.8 + PANEL_HEIGHT * len(rows)
        )
    axes = figure.subplots(len(rows), len(columns), squeeze=False, sharex=True, sharey=True)
    levels = [level_name(level) for level in results.study.factors[roles.x[0]]]
    for (i, at_row), (j, at_column) in itertools.product(enumerate(rows), enumerate(columns)):
        ax = axes[i, j]
        inside = data[(data["row"] == at_row) & (data["panel"] == at_column)]
        for number, name in enumerate(lines):
            _line(ax, inside[inside["line"] == name], levels, name, number, len(lines))
        dress(ax, grid="y")
        ax.set_xticks(range(len(levels)), levels)
        ax.set_xlim(-0.5, len(levels) - 0.5)
        if i == 0 and at_column:
            ax.set_title(plain(at_column), fontsize=8.5, color=INK)
        if j == len(columns) - 1 and at_row:
            ax.annotate(
                plain(at_row), (1.02, 0.5), xycoords="axes fraction", rotation=270, va="center", fontsize=8.5, color=INK
            )
    figure.supxlabel(factor_name(roles.x[0]), fontsize=9, color=INK)
    figure.supylabel(wrap(measure_name(measure), 24 * len(rows)), fontsize=9, color=INK)
    # No interval makes room for what cannot be: a share above 1, a negative error.
    (bottom, top), (least, most) = axes[0, 0].get_ylim(), measure_bounds(measure)
    room = 0.03 * (min(top, most) - max(bottom, least))
    axes[0, 0].set_ylim(max(bottom, least - room), min(top, most + room))
    if roles.line:
        _legend(figure, axes, lines, " – ".join(factor_name(f) for f in roles.line))
    return figure


def study_interactions_data(
    results: StudyLike,
    measure: str = "ari",
    *,
    x: str | None = None,
    line: Names | None = None,
    panel: Names = (),
    row: Names = (),
    method: str | None = None,
    variant: str | None = None,
) -> pd.DataFrame:
    """Return what `study_interactions` draws.

    Returns
    -------
    pandas.DataFrame
        One row per point: ``row``, ``panel``, ``line`` and ``x`` as they are labelled, the levels of their factors,
        ``mean``, ``sd``, ``n`` (data sets with a value) and ``se`` (standard error of the mean, NaN for one data set).
    """
    import pandas as pd

    frame = study_rows(results, measure, method, variant, "study_interactions")
    roles = _roles(results, x, line, panel, row)
    values = measure_values(results, frame, measure)
    used = [*roles.row, *roles.panel, *roles.line, *roles.x]
    points: list[dict[str, Any]] = []
    for levels in itertools.product(*(results.study.factors[f] for f in used)):
        here = np.ones(len(frame), dtype=bool)
        for factor, level in zip(used, levels, strict=True):
            here &= (frame[factor].isna() if level is None else frame[factor] == level).to_numpy()
        found = summarise(values[here])
        if not found["n"]:
            continue
        cell = dict(zip(used, levels, strict=True))
        labels = {
            "row": _label(cell, roles.row, named=True),
            "panel": _label(cell, roles.panel, named=True),
            "line": _label(cell, roles.line, named=False),
            "x": _label(cell, roles.x, named=False),
        }
        points.append({**labels, **cell, **found})
    return pd.DataFrame(points)


def _roles(results: StudyLike, x: str | None, line: Names | None, panel: Names, row: Names) -> _Roles:
    """Check the factors, and choose those that were left to the figure."""
    factors = results.study.factors
    if not factors:
        raise OptionError("the study has no factors", todo="there is nothing to compare; look at the table instead")
    columns, rows = require_factors(results, panel, "panel"), require_factors(results, row, "row")
    lines = None if line is None else require_factors(results, line, "line")
    across = None if x is None else require_factors(results, x, "x")
    taken = {*columns, *rows, *(lines or ()), *(across or ())}
    free = sorted((f for f in factors if f not in taken and len(factors[f]) > 1), key=lambda f: -len(factors[f]))
    if across is None:
        across = tuple(free[:1])
        free = free[1:]
    if lines is None:
        lines = tuple(free[:1])
    used = [*across, *lines, *columns, *rows]
    twice = [f for f in dict.fromkeys(used) if used.count(f) > 1]
    if twice or not across:
        raise OptionError(
            f"{', '.join(twice)} stands in two places" if twice else "no factor is left for the horizontal axis",
            allowed="each factor in one of x, line, panel, row, and one in x",
        )
    return _Roles(across, lines, columns, rows)


def _present(results: StudyLike, data: pd.DataFrame, role: str, names: tuple[str, ...]) -> list[str]:
    """Labels in the order of the study; combinations of which nothing was run need no panel and no line."""
    levels = itertools.product(*(results.study.factors[f] for f in names))
    labels = [_label(dict(zip(names, level, strict=True)), names, named=role != "line") for level in levels]
    return [label for label in labels if label in set(data[role])]


def _label(cell: dict[str, Any], names: tuple[str, ...], *, named: bool) -> str:
    if named:
        return ", ".join(f"{factor_name(f)}: {level_name(cell[f])}" for f in names)
    return " – ".join(level_name(cell[f]) for f in names)


def _line(ax: Axes, data: pd.DataFrame, levels: list[str], name: str, number: int, of: int) -> None:
    """One line, broken where there is nothing; neighbours stand beside one another."""
    at = data.set_index("x").reindex(levels)
    color = cluster_color(number + 1)
    container = ax.errorbar(
        np.arange(len(levels)) + 0.07 * (number - (of - 1) / 2) * min(1.0, 6 / of), at["mean"].to_numpy(float),
        yerr=REACH * at["se"].to_numpy(float), color=color, marker=cluster_marker(number + 1),
        markersize=3.6, linewidth=1.2, elinewidth=0.7, label=plain(name) if name else "_nolegend_", zorder=2,
    )  # fmt: skip
    container.lines[0].set_gid(f"line {name}")


def _legend(figure: Figure | SubFigure, axes: np.ndarray, lines: list[str], title: str) -> None:
    handles: dict[str, Any] = {}
    for ax in axes.ravel():
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    legend = figure.legend(
        [handles[plain(name)] for name in lines], [plain(name) for name in lines], title=plain(title),
        loc="outside right center", frameon=False, fontsize=8, title_fontsize=8, labelcolor=INK,
    )  # fmt: skip
    legend.get_title().set_color(MUTED)
