"""The figures of a study's page, with the factors that its paper crosses."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .derived import Rows, derived_rows
from .layouts import interaction_layout, page_measures
from .levels import level_frame
from .published import TRUE_PRIOR, published_for

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from .results import StudyResults
    from .study import Method

__all__ = ["save_figure", "study_figures"]

LOADINGS = "rmse_loading"
#: What makes an SVG file large and shows nothing.
_SMALLER = (
    (r"^[ \t]+|[ \t]+$", ""),
    (r' transform="rotate\(-0 [^"]*"| font-family: [^;"]*;', ""),
    (r"stroke-linecap: butt}", "stroke-linecap: butt; font-family: 'DejaVu Sans', Verdana, Arial, sans-serif}"),
)


def study_figures(results: StudyResults | Rows, measures: Sequence[str] | None = None) -> dict[str, tuple[Figure, str]]:
    """Draw the figures of a study: interactions, means beside published ones, and prior variances.

    What the results do not have yet is left out.

    Parameters
    ----------
    results
        Results of a study.
    measures
        Measures whose interactions are drawn; those of the papers' figures if None.

    Returns
    -------
    dict
        By name: the figure, and what it shows, in one sentence.
    """
    from .. import plots
    from ..plots.study_rows import factor_name, measure_name

    found: dict[str, tuple[Figure, str]] = {}
    if results.frame.empty:
        return found
    source = derived_rows(results)
    study, frame = source.study, source.frame
    for measure in page_measures(study) if measures is None else measures:
        if not study.factors or not _has_values(frame, measure):
            continue
        layout = interaction_layout(study, measure)
        figure = plots.study_interactions(
            source, measure, x=layout.x, line=layout.line, panel=layout.panel, row=layout.row
        )
        by = [factor_name(f).lower() for f in layout.factors]
        crossed = f" by {', '.join(by[:-1])} and {by[-1]}" if len(by) > 1 else ""
        found[_file_name(measure)] = figure, f"{measure_name(measure)}{crossed}, with 95% intervals."
    for method in study.methods:
        own, name = frame[frame["method"] == method.name], _file_name(method.name)
        levels = _beside_published(source, method, own)
        if levels is not None:
            figure = plots.study_scatter(levels)
            found[f"published-{name}"] = figure, f"Means per level by {method.name}, ours and published."
        if len(method.variants) > 1 and "loading_variance" in own and _has_values(own, LOADINGS):
            figure = plots.study_priors(source, method=method.name)
            found[f"priors-{name}"] = figure, f"RMSE of loadings by true and prior variance, {method.name}."
    return found


def save_figure(figure: Figure, path: str | Path) -> None:
    """Write a figure as SVG; the same figure gives the same bytes.

    Parameters
    ----------
    figure
        The figure.
    path
        File to write.
    """
    from matplotlib import rc_context

    buffer = io.StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "mixsem"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    for pattern, instead in _SMALLER:
        text = re.sub(pattern, instead, text, flags=re.MULTILINE)
    # A hundredth of a point is finer than any screen; numbers in texts, outside the tags, stay as they are.
    text = re.sub(r"<[^!][^>]*>", lambda tag: re.sub(r"(\d\.\d\d)\d+", r"\1", tag[0]), text)
    Path(path).write_text(text, encoding="utf-8", newline="\n")


def _beside_published(source: Rows, method: Method, own: pd.DataFrame) -> pd.DataFrame | None:
    """Means of the measures that the paper prints for a method; None if it prints none that the results have."""
    paper = published_for(source.study)
    only = TRUE_PRIOR if len(method.variants) > 1 else None
    measures = [t.measure for t in paper.tables if t.method == method.kind] if paper else []
    measures = [m for m in dict.fromkeys(measures) if m in own and own[m].notna().any()]
    if not measures:
        return None
    levels = level_frame(source, measures, method=method.name, variant=only)
    return levels if levels["paper_mean"].notna().any() else None


def _has_values(frame: pd.DataFrame, measure: str) -> bool:
    from ..plots.study_rows import measure_columns

    columns = measure_columns(frame, measure)
    return bool(columns) and bool(frame[columns].notna().any(axis=None))


def _file_name(measure: str) -> str:
    """A name for a file: rmse-F4-F1."""
    return re.sub(r"[^A-Za-z0-9]+", "-", measure).strip("-")
