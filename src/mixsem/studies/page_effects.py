"""Effect sizes on the page of a study: partial eta squared of the factors, one column per measure."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

from ..report.table import Column, Table
from ..report.values import plural
from .anova import anova_effects
from .derived import Rows, derived_rows
from .labels import factor_label, measure_label
from .layouts import page_measures
from .published import TRUE_PRIOR

if TYPE_CHECKING:
    import pandas as pd

    from .results import StudyResults
    from .study import Method

__all__ = ["effect_tables"]

#: An interaction is shown if it explains so much of any measure.
SHOWN = 0.01


def effect_tables(results: StudyResults | Rows) -> tuple[Table, ...]:
    """Partial eta squared of the factors, one table per method.

    Two-way interactions are shown, the larger ones, if the cells that were run tell main effects from them.

    Parameters
    ----------
    results
        Results of a study.

    Returns
    -------
    tuple of Table
        Column ``term`` and one per measure, by its name; the factors in their order, then interactions, the largest
        first.
    """
    source = derived_rows(results)
    tables = (_table(source, method) for method in source.study.methods)
    return tuple(table for table in tables if table is not None)


def _table(source: Rows, method: Method) -> Table | None:
    own = source.done[source.done["method"] == method.name]
    # What does not vary has no variance to explain.
    measures = [m for m in page_measures(source.study) if m in own and own[m].nunique() > 1]
    if not measures:
        return None
    cells = own["cell"].nunique()
    order = 2 if _n_terms(source, 2) <= cells else 1
    frames = [_effects(source, method, m, order) for m in measures]
    sizes = frames[0][["term", "order"]].copy()
    for measure, frame in zip(measures, frames, strict=True):
        sizes[measure] = frame["partial_eta_sq"].to_numpy()
    largest = sizes[measures].max(axis=1)
    main = sizes[sizes["order"] == 1]
    more = sizes[(sizes["order"] > 1) & (largest >= SHOWN)]
    more = more.loc[largest[more.index].sort_values(ascending=False, kind="stable").index]
    columns = (Column("term", "Effect"), *(Column(m, measure_label(m), "decimal3") for m in measures))
    records = [
        {**row, "term": " × ".join(factor_label(source.study, f) for f in str(row["term"]).split(":"))}
        for part in (main, more)
        for row in part.to_dict("records")
    ]
    hidden = int((sizes["order"] > 1).sum()) - len(more)
    note = (
        f"{hidden} two-way interactions below {SHOWN:g}, or not to be told from others, are not shown."
        if order > 1
        else f"Two-way interactions are taken to be nothing: {plural(cells, 'cell')} cannot tell so many apart."
    )
    variant = ", true prior variance" if len(method.variants) > 1 else ""
    title = f"Partial eta² by {method.name}{variant}"
    notes = ("Type II sums of squares over data sets.", *((note,) if order == 1 or hidden else ()))
    return Table.from_records(title, columns, [{str(k): v for k, v in r.items()} for r in records], notes)


def _n_terms(source: Rows, order: int) -> int:
    """Independent columns of all effects up to an order, with the mean."""
    df = [len(levels) - 1 for levels in source.study.factors.values()]
    return sum(math.prod(some) for size in range(order + 1) for some in itertools.combinations(df, size))


def _effects(source: Rows, method: Method, measure: str, order: int) -> pd.DataFrame:
    variant = TRUE_PRIOR if len(method.variants) > 1 else None
    frame = anova_effects(source, measure, method=method.name, variant=variant, order=order)
    return frame[frame["order"] > 0]
