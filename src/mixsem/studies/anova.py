"""How much of a measure the factors of a study explain: analysis of variance with effect sizes."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..errors import OptionError
from ..report.table import Column, Table
from ..report.values import plural
from .derived import Rows, derived_rows
from .labels import factor_label, measure_label
from .levels import chosen_method, chosen_rows, chosen_variant, require_measure
from .marginal import CellMeans, cell_means, effect_code

if TYPE_CHECKING:
    import pandas as pd

    from .results import StudyResults
    from .study import Level, Study

__all__ = ["anova_effects", "anova_table"]

Array: TypeAlias = NDArray[np.float64]
Term: TypeAlias = tuple[str, ...]

#: Directions whose length, after others are projected out, is a smaller share of what it was, are in their span.
TOLERANCE = 1e-8


def anova_effects(
    results: StudyResults | Rows, measure: str, *, method: str | None = None, variant: str | None = None, order: int = 2
) -> pd.DataFrame:
    """Analysis of variance of a measure over the data sets of a study.

    Parameters
    ----------
    results
        Results of a study; failed analyses, and data sets without a value, are left out.
    measure
        A column of the results, or one derived from them, such as ``"correct[bic_g]"``.
    method
        Name of the method; needed if there are several.
    variant
        Which of a method's analyses: a prior variance such as ``"0.01"``, or ``"true prior"`` for that of the
        population, which is also what is taken if there are several and none is named.
    order
        1 for main effects, 2 for two-way interactions too, and so on.

    Returns
    -------
    pandas.DataFrame
        One row per term and one for the residuals: ``term`` (``"beta:sample"``), ``order``, ``df``, ``sum_sq``,
        ``mean_sq``, ``F``, ``p``, ``partial_eta_sq`` (SS over SS plus that of the residuals), and ``aliased``.

    Raises
    ------
    OptionError
        If there is no such method, variant or measure, or several methods and none is named, or `order` is not 1 or
        more.

    Notes
    -----
    Sums of squares are of type II: what a term explains beyond all terms that do not contain it, by least squares with
    effect coding. With the same number of data sets in all cells of a full design they are the sums of squares of any
    type, as of R's `aov`.

    A fraction of the cells may not tell terms apart. Then ``df`` is what is left of a term after the others, and if
    that is less than the term has, its numbers are NaN and ``aliased`` names the terms it cannot be separated from
    (``"several terms together"`` where no single one is to blame); a lower `order` assumes that these are nothing.

    Residuals hold the variance within cells and the interactions of a higher order, as in the papers. In a fraction the
    data sets of a cell share what these interactions do to it, so that p is too small where they matter; effect sizes
    say more.

    Examples
    --------
    >>> import pandas as pd
    >>> from mixsem.simulate import Population
    >>> from mixsem.studies import Method, Study, StudyResults
    >>> levels = {"beta": (0.2, 0.4), "group_size": (50, 100)}
    >>> study = Study("small", Population(), levels, (Method("mmgsem"),), replications=2)
    >>> frame = pd.DataFrame({"cell": [0, 0, 1, 1, 2, 2, 3, 3], "replication": [1, 2] * 4, "method": "mmgsem"})
    >>> frame = frame.assign(variant="", status="done", ari=[0.1, 0.3, 0.3, 0.5, 0.6, 0.8, 0.8, 0.9])
    >>> anova_effects(StudyResults(study, frame, None), "ari")[["term", "df", "sum_sq", "partial_eta_sq"]].round(3)
                  term  df  sum_sq  partial_eta_sq
    0             beta   1   0.451           0.874
    1       group_size   1   0.061           0.485
    2  beta:group_size   1   0.001           0.019
    3        Residuals   4   0.065             NaN
    """
    import pandas as pd
    from scipy.stats import f as f_distribution

    if isinstance(order, bool) or not isinstance(order, int) or order < 1:
        raise OptionError(f"order={order!r}", allowed="1 for main effects, 2 for two-way interactions too, and so on")
    source = derived_rows(results)
    own = chosen_method(source, method)
    require_measure(source, measure)
    rows = chosen_rows(source, own, chosen_variant(source, own, variant))
    done = rows[rows["status"] == "done"]
    means = cell_means(done[measure], done["cell"], source.study.all_cells)
    within = float(((done[measure] - done.groupby("cell")[measure].transform("mean")) ** 2).sum())
    if not any(len(levels) > 1 for levels in source.study.factors.values()):
        raise OptionError("no factor has two levels in the results", allowed="a study with a factor to compare")
    fit = _Fit.of(means, source.study.factors, order)
    residual, df = fit.residual + within, int(means.n.sum()) - fit.rank
    error = residual / df if df > 0 else np.nan
    records = []
    for term in fit.terms:
        gained, squares = fit.gain(term)
        aliased = "" if gained == fit.nominal(term) else fit.blame(term)
        known = not aliased and gained > 0
        mean_sq = squares / gained if known else np.nan
        ratio = mean_sq / error if known and error > 0 else np.nan
        records.append(
            {
                "term": ":".join(term),
                "order": len(term),
                "df": gained,
                "sum_sq": squares if known else np.nan,
                "mean_sq": mean_sq,
                "F": ratio,
                "p": float(f_distribution.sf(ratio, gained, df)) if known and df > 0 else np.nan,
                "partial_eta_sq": squares / (squares + residual) if known and squares + residual > 0 else np.nan,
                "aliased": aliased,
            }
        )
    rest = {"term": "Residuals", "order": 0, "df": df, "sum_sq": residual, "mean_sq": error, "aliased": ""}
    return pd.DataFrame([*records, rest])


def anova_table(
    results: StudyResults | Rows, measure: str, *, method: str | None = None, variant: str | None = None, order: int = 2
) -> Table:
    """The analysis of variance of `anova_effects` as a table, the largest effects first.

    Terms that the cells that were run cannot tell apart come last, and a note says so.
    """
    source = derived_rows(results)
    own = chosen_method(source, method)
    frame = anova_effects(source, measure, method=own.name, variant=variant, order=order)
    effects, rest = frame.iloc[:-1], frame.iloc[-1]
    effects = effects.sort_values("partial_eta_sq", ascending=False, kind="stable", na_position="last")
    columns = (
        Column("term", "Effect"),
        Column("df", "df", "integer"),
        Column("sum_sq", "Sum of squares", "decimal3"),
        Column("F", "F", "decimal1"),
        Column("p", "p", "p"),
        Column("partial_eta_sq", "Partial eta²", "decimal3"),
    )
    records: list[dict[str, object]] = [
        {**{str(key): value for key, value in row.items()}, "term": _label(source.study, row["term"])}
        for row in effects.to_dict("records")
    ]
    notes = ["Type II sums of squares over data sets."]
    aliased = int((effects["aliased"] != "").sum())
    if aliased:
        cells = source.done.loc[source.done["method"] == own.name, "cell"].nunique()
        notes.append(
            f"{plural(aliased, 'effect')} without numbers: {plural(cells, 'cell')} cannot tell them from others of"
            f" the {len(effects):,}."
        )
    last = {"term": "Residuals", "df": int(rest["df"]), "sum_sq": rest["sum_sq"]}
    title = f"{source.study.name}: analysis of variance of {measure_label(measure)} by {own.name}"
    return Table.from_records(title, columns, [*records, last], notes)


def _label(study: Study, term: str) -> str:
    return " × ".join(factor_label(study, factor) for factor in term.split(":"))


@dataclass(frozen=True, eq=False)
class _Fit:
    """Least squares of cell means, weighted by their data sets, on all terms up to an order.

    Attributes
    ----------
    terms
        Main effects, then interactions.
    columns
        Per term its effect-coded columns (m, df), each row times the root of the cell's data sets; () is the mean.
    y
        (m,) cell means, weighted alike.
    residual, rank
        Sum of squares about all terms, and the number of independent columns.
    """

    terms: tuple[Term, ...]
    columns: Mapping[Term, Array]
    y: Array
    residual: float
    rank: int

    @classmethod
    def of(cls, means: CellMeans, factors: Mapping[str, Sequence[Level]], order: int) -> _Fit:
        root = np.sqrt(means.n.astype(float))[:, None]
        codes = {f: effect_code(means.levels[f], levels) for f, levels in factors.items() if len(levels) > 1}
        terms = tuple(t for size in range(1, order + 1) for t in itertools.combinations(codes, size))
        columns: dict[Term, Array] = {(): root}
        for term in terms:
            product = np.ones((len(root), 1))
            for factor in term:
                both = product[:, :, None] * codes[factor][:, None, :]
                product = both.reshape(len(root), both.shape[1] * both.shape[2])
            columns[term] = product * root
        y = means.mean * root[:, 0]
        basis = _basis(np.concatenate(list(columns.values()), axis=1))
        return cls(terms, columns, y, float(((y - basis @ (basis.T @ y)) ** 2).sum()), basis.shape[1])

    def nominal(self, term: Term) -> int:
        """Degrees of freedom a term has in the full design: of the levels that occur."""
        return self.columns[term].shape[1]

    def gain(self, term: Term) -> tuple[int, float]:
        """Degrees of freedom and sum of squares of a term beyond all that do not contain it."""
        own = self._beyond(term, self._others(term))
        return own.shape[1], float(((own.T @ self.y) ** 2).sum())

    def blame(self, term: Term) -> str:
        """Terms that a term cannot be told from."""
        others = self._others(term)
        lower = [t for t in others if len(t) < len(term)]
        guilty = []
        for other in others[1:]:  # the first is the mean
            beside = [t for t in lower if t != other]
            alone = self._beyond(term, beside).shape[1]
            if self._beyond(term, [*beside, other]).shape[1] < alone:
                guilty.append(":".join(other))
        return ", ".join(guilty) or "several terms together"

    def _others(self, term: Term) -> list[Term]:
        return [t for t in self.columns if not set(term) <= set(t)]

    def _beyond(self, term: Term, others: Sequence[Term]) -> Array:
        """Orthonormal basis of what a term adds to others."""
        own = self.columns[term]
        before = _basis(np.concatenate([self.columns[t] for t in others], axis=1))
        left = own - before @ (before.T @ own)
        left -= before @ (before.T @ left)
        return _basis(left, np.linalg.norm(own, axis=0).max(initial=0.0))


def _basis(columns: Array, scale: float | None = None) -> Array:
    """Orthonormal basis of the span of columns; `scale` is the length below whose share a direction counts as none."""
    if not columns.size:
        return np.empty((len(columns), 0))
    left, singular, _ = np.linalg.svd(columns, full_matrices=False)
    return left[:, singular > TOLERANCE * (singular[0] if scale is None else scale)]
