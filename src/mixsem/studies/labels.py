"""How tables of a study call its factors and measures, and write its numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..report.table import Cell, Column

if TYPE_CHECKING:
    from .study import Level, Study

__all__ = ["CRITERIA", "STRIKING", "count_columns", "factor_label", "level_text", "marked", "measure_label"]

#: A difference of more standard errors is emphasised; chance alone makes one in every twenty tables of twenty rows.
STRIKING = 3.0


FACTOR_LABELS = {
    "n_groups": "Groups",
    "group_size": "Group size",
    "n_clusters": "Clusters",
    "beta": "Size of regressions",
    "reliability": "Reliability",
    "loading_variance": "Variance of loading differences",
    "cross_loading": "Cross-loadings",
    "small_size": "Size of small groups",
    "small_proportion": "Share of small groups",
    "sample": "Within-group samples",
    "balance": "Cluster sizes",
    "noninvariance": "Size of non-invariance",
    "noninvariant_share": "Share of groups with non-invariant loadings",
}
MEASURE_LABELS = {"ari": "ARI", "cc": "%CC", "uncertainty": "Uncertainty", "one_cluster": "One cluster"}
CRITERIA = {
    "bic_g": "BIC_G",
    "bic_n": "BIC_N",
    "aic": "AIC",
    "aic3": "AIC3",
    "icl": "ICL",
    "chull": "CHull",
}


def factor_label(study: Study, factor: str | None) -> str:
    """How a table calls a factor; None is the total.

    Examples
    --------
    >>> from mixsem.studies import read_study
    >>> factor_label(read_study("mixml-1"), "group_size"), factor_label(read_study("mixmg-bsem"), "group_size")
    ('Size of large groups', 'Group size')
    """
    if factor is None:
        return "Total"
    mixed = "small_size" in study.factors or getattr(study.population, "small_size", None) is not None
    return "Size of large groups" if factor == "group_size" and mixed else FACTOR_LABELS.get(factor, factor)


def measure_label(measure: str) -> str:
    """How a table calls a measure.

    Examples
    --------
    >>> measure_label("ari"), measure_label("correct[bic_g_observed]"), measure_label("rmse[F4~F1]")
    ('ARI', 'BIC_G correct', 'RMSE of F4~F1')
    """
    kind, _, rest = measure.partition("[")
    rest = rest.removesuffix("]")
    criterion = CRITERIA.get(rest.removesuffix("_observed"), rest)
    named = {
        "correct": f"{criterion} correct",
        "too_few": f"{criterion} too few",
        "one": f"{criterion} one cluster",
        "undecided": f"{criterion} undecided",
        "rmse": f"RMSE of {rest}",
        "bias": f"Bias of {rest}",
        "rmse_loading": f"RMSE of loadings, {rest}",
        "local_maximum": f"Local maxima, {rest} starts",
    }
    return MEASURE_LABELS.get(measure) or (named.get(kind, measure) if rest else measure)


def level_text(level: Level) -> str:
    """A level as text: numbers without needless digits."""
    return f"{level:g}" if isinstance(level, float) else str(level)


def marked(z: float) -> object:
    """A difference in standard errors, emphasised if it is striking."""
    return Cell(z, strong=True) if abs(z) > STRIKING else z


def count_columns() -> tuple[Column, ...]:
    """Columns that say what a mean rests on."""
    return Column("n_data_sets", "Data sets", "integer"), Column("n_cells", "Cells", "integer")
