"""A measure per level of a study's design, beside the numbers that were published: tidy frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import OptionError, did_you_mean, enumerate_briefly
from ..options import Names, as_names
from .derived import Rows, derived_rows, of_variant, population_value
from .marginal import Marginal, cell_means, marginal_means
from .published import TRUE_PRIOR, Published, PublishedTable, published_for

if TYPE_CHECKING:
    import pandas as pd

    from .results import StudyResults
    from .study import Method

__all__ = ["chosen_method", "chosen_rows", "chosen_variant", "compared_means", "level_frame", "require_measure"]

#: So many measures are listed in an error.
SHOWN = 24


def level_frame(
    results: StudyResults | Rows, measures: Names, *, method: str | None = None, variant: str | None = None
) -> pd.DataFrame:
    """Means of measures over every level of every factor, beside the published ones: a tidy frame.

    Parameters
    ----------
    results
        Results of a study.
    measures
        One measure or several: columns of the results, or derived from them, such as ``"correct[bic_g]"``.
    method
        Name of the method; needed if there are several.
    variant
        Which of a method's analyses: a prior variance such as ``"0.01"``, or ``"true prior"`` for that of the
        population, which is also what is taken if there are several and none is named.

    Returns
    -------
    pandas.DataFrame
        One row per measure and level, and one for all cells (``factor`` None): ``n_data_sets`` with a value,
        ``n_cells``, ``mean`` (least squares over the means of cells), ``plain_mean`` (of the means of cells), ``sd``
        (of data sets), ``se``, ``paper_mean``, ``paper_sd``, ``paper_se`` (SD over the root of the paper's number of
        data sets) and ``z``. Without published numbers the last four are NaN.

    Raises
    ------
    OptionError
        If there is no such method, variant or measure, or a choice among several is missing.

    Notes
    -----
    ``z = (mean - paper_mean) / sqrt(se^2 + paper_se^2)`` is about standard normal if both are the same but for chance.
    Cells are the units of ``se``, because the data sets of a cell are alike and a fraction of the cells may by chance
    hold the harder ones: see `mixsem.studies.marginal.marginal_means`. Of the paper's own error this is more than there
    is, since it ran all cells and its SD holds their differences; it is small beside ours.

    Examples
    --------
    >>> import pandas as pd
    >>> from mixsem.simulate import Population
    >>> from mixsem.studies import Method, Study, StudyResults
    >>> study = Study("small", Population(), {"beta": (0.2, 0.4)}, (Method("mmgsem"),), replications=2)
    >>> rows = {"cell": [0, 0, 1, 1], "replication": [1, 2, 1, 2], "method": "mmgsem", "variant": "", "status": "done"}
    >>> frame = pd.DataFrame({**rows, "beta": [0.2, 0.2, 0.4, 0.4], "ari": [0.5, 0.7, 0.9, 1.0]})
    >>> level_frame(StudyResults(study, frame, None), "ari")[["factor", "level", "n_data_sets", "mean", "se"]].round(3)
      factor level  n_data_sets   mean     se
    0   beta   0.2            2  0.600  0.100
    1   beta   0.4            2  0.950  0.050
    2   None  None            4  0.775  0.056
    """
    import pandas as pd

    source = derived_rows(results)
    own = chosen_method(source, method)
    which = chosen_variant(source, own, variant)
    rows = chosen_rows(source, own, which)
    paper = published_for(source.study)
    records = []
    for measure in as_names(measures, "measures"):
        require_measure(source, measure)
        table = _published_table(paper, own, which, measure)
        records += _level_records(source, rows, measure, paper, table)
    frame = pd.DataFrame(records)
    for name in ("factor", "level"):  # as they are: numbers, text, and None for the total
        frame[name] = pd.Series([record[name] for record in records], dtype=object)
    return frame


def chosen_method(source: Rows, name: str | None) -> Method:
    """Return the method asked for; it must be named if there are several."""
    methods = source.study.methods
    if name is None and len(methods) > 1:
        raise OptionError(
            f"the study has {len(methods)} methods", allowed=", ".join(m.name for m in methods), todo="give method="
        )
    return methods[0] if name is None else source.study.method(name)


def chosen_variant(source: Rows, method: Method, variant: str | None) -> str:
    """Return the variant asked for: without one the only one, or that with the population's prior variance."""
    variants = method.variants
    if variant is None and len(variants) == 1:
        return variants[0]
    own = source.study.factors.get("loading_variance") or (
        population_value(source.study, source.frame, "loading_variance"),
    )
    complete = {f"{v:g}" for v in own if isinstance(v, int | float)} <= set(variants)
    if variant is None and complete:
        return TRUE_PRIOR
    if variant is None or variant not in (*variants, TRUE_PRIOR):
        raise OptionError(
            f"variant={variant!r} of the method {method.name!r}",
            allowed=", ".join(f'"{v}"' for v in (*variants, TRUE_PRIOR)),
            todo="say which prior variance it is about",
        )
    return variant


def chosen_rows(source: Rows, method: Method, variant: str) -> pd.DataFrame:
    """Rows of a method and variant, failed ones too."""
    return of_variant(source.study, source.frame[source.frame["method"] == method.name], variant)


def require_measure(source: Rows, measure: str) -> None:
    """Refuse a measure that the results do not have."""
    numbers = source.frame.select_dtypes("number").columns
    known = [str(c) for c in numbers if c not in (*source.study.factors, "cell", "replication", "seed")]
    if measure not in known:
        raise OptionError(
            f"no measure {measure!r} in the results",
            allowed=enumerate_briefly(known, SHOWN),
            todo=did_you_mean(measure, known),
        )


def _published_table(paper: Published | None, method: Method, variant: str, measure: str) -> PublishedTable | None:
    """Return the printed table of a measure, if it is about this kind of method and choice of priors."""
    for table in paper.tables if paper else ():
        fits = table.filter is None or variant in ("", TRUE_PRIOR)
        if fits and (table.method, table.measure) == (method.kind, measure):
            return table
    return None


def _level_records(
    source: Rows, rows: pd.DataFrame, measure: str, paper: Published | None, table: PublishedTable | None
) -> list[dict[str, Any]]:
    """One record per level of the design."""
    study = source.study
    done = rows[rows["status"] == "done"]
    means = cell_means(done[measure], done["cell"], study.all_cells)
    run = len(means.mean) / len(study.all_cells)
    records = []
    for marginal in marginal_means(means, study.factors, run):
        own = [
            c
            for c, cell in enumerate(study.all_cells)
            if marginal.factor is None or cell[marginal.factor] == marginal.level
        ]
        at = done[done["cell"].isin(own)]
        row = table.row(marginal.factor, marginal.level) if table else None
        theirs = (np.nan, np.nan, np.nan)
        if row and paper:
            n = paper.data_sets_at(*((marginal.factor,) if marginal.factor else ()))
            theirs = (row.mean, row.sd, row.sd / np.sqrt(n))
        key = {"measure": measure, "factor": marginal.factor, "level": marginal.level}
        share = bool(at[measure].dropna().isin((0, 1)).all())
        records.append({**key, **compared_means(at[measure], marginal, theirs, share and marginal.se == 0)})
    return records


def compared_means(
    values: pd.Series, ours: Marginal, theirs: tuple[float, float, float], share: bool
) -> dict[str, Any]:
    """Ours, theirs, and how far they are apart.

    A share of 0 or 1 shows no variance, and a rare event hardly any: if wanted, our error counts as no less than that
    of the paper's share among as many data sets.
    """
    n, p = values.notna().sum(), theirs[0]
    least = np.sqrt(p * (1 - p) / n) if share and n else 0.0
    error = np.hypot(np.fmax(ours.se, least), theirs[2]) if not np.isnan(ours.se) else np.nan
    return {
        "n_data_sets": int(n),
        "n_cells": ours.n_cells,
        "mean": ours.mean,
        "plain_mean": ours.plain,
        "sd": float(values.astype(float).std()),
        "se": ours.se,
        "paper_mean": theirs[0],
        "paper_sd": theirs[1],
        "paper_se": theirs[2],
        "z": (ours.mean - theirs[0]) / error if error > 0 else np.nan,
    }
