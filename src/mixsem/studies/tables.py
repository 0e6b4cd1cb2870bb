"""Tables of a study: every measure by the levels of the design, with the papers' own numbers beside ours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..errors import OptionError, enumerate_briefly
from ..options import Names, as_names
from ..report.table import Column, Table
from ..report.values import plural
from .derived import Rows, derived_rows
from .labels import CRITERIA, STRIKING, count_columns, factor_label, level_text, marked, measure_label
from .levels import chosen_method, chosen_rows, chosen_variant, level_frame
from .published import TRUE_PRIOR, Published, PublishedTable, published_for
from .text_numbers import text_table

if TYPE_CHECKING:
    import pandas as pd

    from .results import StudyResults
    from .study import Level, Method, Study

__all__ = ["level_table", "study_tables"]

#: So many failures are named in a note.
NAMED = 5

#: Tables of a method that no paper has: title and beginnings of the names of measures.
PLAIN = (
    ("cluster recovery", ("ari", "cc", "uncertainty")),
    ("RMSE of the regressions", ("rmse[",)),
    ("bias of the regressions", ("bias[",)),
    ("share of correct numbers of clusters", tuple(f"correct[{c}]" for c in CRITERIA)),
    (
        "share of correct numbers of clusters, by the log-likelihood of single indicators",
        tuple(f"correct[{c}_observed]" for c in CRITERIA),
    ),
)


def level_table(
    results: StudyResults | Rows,
    measures: Names,
    *,
    method: str | None = None,
    variant: str | None = None,
    title: str = "",
) -> Table:
    """Means of measures over every level of every factor of a study, with published ones beside them.

    Parameters
    ----------
    results
        Results of a study, also of one that is still running.
    measures
        One measure or several: ``"ari"``, ``"rmse[F4~F1]"``, ``"correct[bic_g]"``, or another column of the results.
    method
        Name of the method; needed if there are several.
    variant
        Which of a method's analyses: a prior variance such as ``"0.01"``, or ``"true prior"`` for that of the
        population, which is also what is taken if there are several and none is named.
    title
        In the place of one made from the names.

    Returns
    -------
    Table
        Rows: levels of the factors, and all cells. Columns: data sets and cells; and for each measure mean, SD (over
        data sets) and standard error, and where a paper has them its mean and SD and z, the difference in standard
        errors.

    Raises
    ------
    OptionError
        If there is no such method, variant or measure, or several methods and none is named.

    Notes
    -----
    The standard error is honest for a fraction of the cells. Cells are its units: a mean over a level of a balanced
    fraction has the variance of the residuals of the cell means about the main effects (least squares, effect coding),
    divided by the number of cells at that level, since the cells that were not run would have deviated alike. As the
    share of the cells that are run grows, this gives way to the variance within cells, which alone counts when all are
    run: then cells are no sample. While cells are missing and levels are not balanced, means are adjusted for the main
    effects of the other factors. The paper's own error is its SD over the root of its data sets at the level, and
    ``z = (ours - paper's) / sqrt(se^2 + se_paper^2)``.

    Failed analyses are named below the table and not used.

    Examples
    --------
    >>> import pandas as pd
    >>> from mixsem.simulate import Population
    >>> from mixsem.studies import Method, Study, StudyResults
    >>> study = Study("small", Population(), {"beta": (0.2, 0.4)}, (Method("mmgsem"),), replications=2)
    >>> rows = {"cell": [0, 0, 1, 1], "replication": [1, 2, 1, 2], "method": "mmgsem", "variant": "", "status": "done"}
    >>> frame = pd.DataFrame({**rows, "beta": [0.2, 0.2, 0.4, 0.4], "ari": [0.5, 0.7, 0.9, 1.0]})
    >>> print(level_table(StudyResults(study, frame, None), "ari"))
    small: ARI by mmgsem
    -----------------------------------------------------------------
                                                          ARI
    Factor               Level  Data sets  Cells   Mean     SD     SE
    -----------------------------------------------------------------
    Size of regressions    0.2          2      1  0.600  0.141  0.100
                           0.4          2      1  0.950  0.071  0.050
    -----------------------------------------------------------------
    Total                                4      2  0.775  0.222  0.056
    -----------------------------------------------------------------
    4 data sets in 2 of the design's 2 cells. SE: standard error of the mean as an estimate for all cells of the design.
    """
    source = derived_rows(results)
    own = chosen_method(source, method)
    which = chosen_variant(source, own, variant)
    names = as_names(measures, "measures")
    frame = level_frame(source, names, method=own.name, variant=which)
    paper = published_for(source.study)
    labels = [measure_label(name) for name in names]
    title = title or f"{source.study.name}: {', '.join(labels)} by {own.name}{_of_variant(own, which)}"
    parts = [frame[frame["measure"] == name].reset_index(drop=True) for name in names]
    compared = [bool(part["paper_mean"].notna().any()) for part in parts]
    columns = [Column("factor", "Factor"), Column("level", "Level", align="right"), *count_columns()]
    for name, label, beside in zip(names, labels, compared, strict=True):
        columns += _columns(name, label, beside)
    rows: list[tuple[object, ...]] = []
    starts: list[int] = []
    factors = parts[0]["factor"].tolist()
    for i, factor in enumerate(factors):
        first = parts[0].iloc[i]
        new = i == 0 or factor != factors[i - 1]
        starts += [i] if new and i else []
        values = [v for part, beside in zip(parts, compared, strict=True) for v in _values(part.iloc[i], beside)]
        stub = _stub(source.study, factor, first["level"], new)
        rows.append((*stub, first["n_data_sets"], first["n_cells"], *values))
    chosen = chosen_rows(source, own, which)
    notes = _notes(source.study, chosen, frame, names, paper if any(compared) else None)
    return Table(title, tuple(columns), tuple(rows), notes, tuple(starts))


def study_tables(results: StudyResults | Rows) -> tuple[Table, ...]:
    """All tables of a study: those of the paper it repeats, or for each method those of its main measures.

    Parameters
    ----------
    results
        Results of a study, also of one that is still running.

    Returns
    -------
    tuple of Table
        For a preset the tables of the paper, the numbers of its text, and tables of methods that the paper does not
        have; for another study clusters, regressions and numbers of clusters by each method. See `level_table`.

    Examples
    --------
    >>> import pandas as pd
    >>> from mixsem.simulate import Population
    >>> from mixsem.studies import Method, Study, StudyResults
    >>> study = Study("small", Population(), {"beta": (0.2, 0.4)}, (Method("mmgsem"),), replications=1)
    >>> rows = {"cell": [0, 1], "replication": 1, "method": "mmgsem", "variant": "", "status": "done"}
    >>> frame = pd.DataFrame({**rows, "beta": [0.2, 0.4], "ari": [0.5, 0.7], "rmse[F4~F1]": [0.1, 0.05]})
    >>> [table.title for table in study_tables(StudyResults(study, frame, None))]
    ['mmgsem: cluster recovery', 'mmgsem: RMSE of the regressions']
    """
    source = derived_rows(results)
    paper = published_for(source.study)
    printed = _printed_tables(source, paper) if paper else []
    text = [text_table(source, paper)] if paper else []
    kinds = {table.method for table in paper.tables} if paper else set()
    others = [m for m in source.study.methods if m.kind not in kinds]
    plain = [table for method in others for table in _plain_tables(source, method)]
    return tuple(table for table in (*printed, *text, *plain) if table.rows)


def _of_variant(method: Method, variant: str) -> str:
    if len(method.variants) == 1:
        return ""
    return f", {TRUE_PRIOR} variance" if variant == TRUE_PRIOR else f", prior variance {variant}"


def _columns(name: str, label: str, beside: bool) -> list[Column]:
    """Columns of one measure."""
    own = [("mean", "Mean"), ("sd", "SD"), ("se", "SE")]
    theirs = [("paper_mean", "Paper's"), ("paper_sd", "SD")] if beside else []
    columns = [Column(f"{key}[{name}]", heading, "decimal3", group=label) for key, heading in (*own, *theirs)]
    return [*columns, Column(f"z[{name}]", "z", "decimal1", group=label)] if beside else columns


def _values(row: pd.Series, beside: bool) -> list[object]:
    own: list[object] = [row["mean"], row["sd"], row["se"]]
    return [*own, row["paper_mean"], row["paper_sd"], marked(row["z"])] if beside else own


def _stub(study: Study, factor: str | None, level: Level, new: bool) -> tuple[str, str]:
    """Factor, where it is a new one, and level."""
    text = "" if factor is None else level_text(level)
    return factor_label(study, factor) if new else "", text


def _notes(
    study: Study, rows: pd.DataFrame, frame: pd.DataFrame, names: Sequence[str], paper: Published | None
) -> tuple[str, ...]:
    """What was run, where the other numbers are from, what failed, what has no value."""
    done = rows[rows["status"] == "done"]
    there = done["cell"].nunique()
    notes = [
        f"{plural(len(done), 'data set')} in {there:,} of the design's {plural(len(study.all_cells), 'cell')}. "
        "SE: standard error of the mean as an estimate for all cells of the design."
    ]
    if paper:
        notes.append(
            f"Paper's: {paper.source} ({paper.n_data_sets:,} data sets). z: difference in standard errors of both; "
            f"those beyond {STRIKING:g} are emphasised."
        )
    if len(frame) and (frame["mean"] - frame["plain_mean"]).abs().max() > 5e-4:
        notes.append("Means are adjusted for levels of other factors that do not occur equally often at a level.")
    if len(done) and frame["se"].isna().any():
        notes.append("No SE: too few cells to tell the factors' effects from one another.")
    for name in names:
        missing = int(done[name].isna().sum())
        if missing:
            notes.append(f"{plural(missing, 'data set')} without {measure_label(name)} left out of it.")
    failed = rows[rows["status"] == "failed"]
    if len(failed):
        which = [f"cell {r.cell} replication {r.replication} ({r.error})" for r in failed.itertuples()]
        notes.append(f"Left out, because they failed: {len(failed):,}: {enumerate_briefly(which, NAMED)}.")
    return tuple(notes)


def _printed_tables(source: Rows, paper: Published) -> list[Table]:
    """Tables of the paper, one per method of their kind."""
    titles: dict[str, list[PublishedTable]] = {}
    for table in paper.tables:
        titles.setdefault(table.title, []).append(table)
    found = []
    for title, tables in titles.items():
        methods = [m for m in source.study.methods if m.kind == tables[0].method]
        names = [table.measure for table in tables if table.measure in source.frame]
        for method in methods if names else ():
            more = f" ({method.name})" if len(methods) > 1 else ""
            only = tables[0].filter if len(method.variants) > 1 else method.variants[0]
            found.append(level_table(source, names, method=method.name, variant=only, title=title + more))
    return found


def _plain_tables(source: Rows, method: Method) -> list[Table]:
    """Tables of a method's main measures; of each prior variance, or of the true ones if they were all used."""
    try:
        variants = [chosen_variant(source, method, None)]
    except OptionError:
        variants = list(method.variants)
    found = []
    for variant in variants:
        rows = chosen_rows(source, method, variant)
        known = [c for c in rows.columns if rows[c].notna().any()]
        for what, beginnings in PLAIN:
            names = [c for b in beginnings for c in known if c == b or (b.endswith("[") and c.startswith(b))]
            if names:
                title = f"{method.name}{_of_variant(method, variant)}: {what}"
                found.append(level_table(source, names, method=method.name, variant=variant, title=title))
    return found
