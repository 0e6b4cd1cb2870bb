"""Numbers of a paper's running text beside ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..report.table import Column, Table
from .derived import Rows, derived_rows, of_variant, population_value
from .labels import count_columns, factor_label, level_text, marked, measure_label
from .levels import compared_means
from .marginal import Marginal, cell_means, marginal_means
from .published import Published, PublishedNumber, published_for

if TYPE_CHECKING:
    import pandas as pd

    from .results import StudyResults
    from .study import Level, Method, Study

__all__ = ["text_frame", "text_table"]

#: A mean over a few cells is adjusted for main effects only if so many degrees of freedom remain.
LEAST_DF = 5


def text_frame(results: StudyResults | Rows) -> pd.DataFrame:
    """Numbers of a paper's running text beside ours: a tidy frame.

    Returns
    -------
    pandas.DataFrame
        Columns as in `level_frame`, with ``method``, ``label``, ``where`` and ``quote`` in the place of the level.
        Empty if nothing was published, or the results lack what it is about.
    """
    import pandas as pd

    source = derived_rows(results)
    paper = published_for(source.study)
    records = []
    if paper is None:
        return pd.DataFrame()
    for number in paper.text:
        for method in source.study.methods:
            if method.kind == number.method and number.measure in source.frame:
                record = _text_record(source, method, number, paper)
                records += [record] if record else []
    return pd.DataFrame(records)


def text_table(source: Rows, paper: Published) -> Table:
    """Numbers of the paper's running text."""
    frame = text_frame(source)
    several = len(source.study.methods) > 1
    columns = (
        *((Column("method", "Method"),) if several else ()),
        Column("label", "What"),
        Column("where", "Where"),
        *count_columns(),
        *(Column(c, label, "decimal3") for c, label in (("mean", "Mean"), ("se", "SE"), ("paper_mean", "Paper's"))),
        Column("z", "z", "decimal1"),
    )
    records = [
        {
            **{str(key): value for key, value in row.items()},
            "where": _where(source.study, row["where"]),
            "z": marked(row["z"]),
        }
        for row in frame.to_dict("records")
    ]
    notes = (
        f"Paper's: {paper.source}. SE: standard error of the mean as an estimate for all cells with these levels.",
    )
    return Table.from_records("Numbers in the text", columns, records, notes)


def _where(study: Study, where: dict[str, Level]) -> str:
    """Levels in words."""
    parts = []
    for name, value in where.items():
        if name in study.factors:
            parts.append(f"{factor_label(study, name)} {level_text(value)}")
        elif name == "variant":
            parts.append(f"prior variance {value}")
        else:  # a property that data sets have or not
            parts.append(f"{'where' if value else 'but for'}: {measure_label(name)}")
    return ", ".join(parts) or "all"


def _text_record(source: Rows, method: Method, number: PublishedNumber, paper: Published) -> dict[str, Any] | None:
    """One number of the text; None if the study cannot say anything about it."""
    study = source.study
    rows = source.done[(source.done["method"] == method.name)]
    if number.filter is not None:
        rows = of_variant(study, rows, number.filter)
    for name, value in number.where.items():
        have = rows[name] if name in rows else population_value(study, rows, name)
        if have is None:
            return None
        rows = rows[np.broadcast_to(np.asarray(have == value), len(rows))]
    ours = _part_mean(source, rows[number.measure], rows["cell"], number.where)
    n = number.n or paper.data_sets_at(*number.where)
    sd = number.sd
    if sd is None:  # not printed: that of a share follows from it, and else ours stands in for it
        sd = np.sqrt(number.mean * (1 - number.mean)) if number.share else float(rows[number.measure].std())
    compared = compared_means(rows[number.measure], ours, (number.mean, sd, sd / np.sqrt(n)), number.share)
    printed = {"paper_sd": np.nan if number.sd is None else number.sd}
    key = {"method": method.name, "measure": number.measure, "label": number.label, "where": dict(number.where)}
    return {**key, **compared, **printed, "quote": number.quote}


def _part_mean(source: Rows, values: pd.Series, cells: pd.Series, where: Mapping[str, Level]) -> Marginal:
    """Mean over the cells of a part of the design, adjusted for main effects if it has enough cells.

    Data sets chosen by how they turned out, such as those with one cluster, are no part of the design: there is nothing
    to adjust them to.
    """
    study = source.study
    levels = {f: level for f, level in where.items() if f in study.factors}
    possible = sum(all(cell[f] == level for f, level in levels.items()) for cell in study.all_cells)
    means = cell_means(values, cells, study.all_cells)
    others = {f: found for f, found in study.factors.items() if f not in levels}
    share = len(means.mean) / max(possible, 1)
    by_outcome = bool(set(where) - set(study.factors) - {"variant"})
    if not by_outcome and len(means.mean) - sum(len(found) - 1 for found in others.values()) - 1 >= LEAST_DF:
        adjusted = marginal_means(means, others, share)[-1]
        if not np.isnan(adjusted.se):
            return adjusted
    return marginal_means(means, {}, share)[-1]
