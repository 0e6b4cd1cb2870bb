"""What the `random=` of a multilevel model may name, and what it needs of the data."""

from __future__ import annotations

from collections import Counter

from ..data.moments import SampleMoments
from ..errors import DataError, ModelSyntaxError, OptionError, did_you_mean, enumerate_briefly
from ..syntax.sem import parse_parameter
from ..syntax.table import ParameterTable, Row

__all__ = ["RANDOM_KINDS", "random_rows", "require_several_groups", "tied_rows"]

#: Kinds of parameters that may be random.
RANDOM_KINDS = ("loadings", "residuals", "factor variances", "factor correlations", "residual correlations")


def require_several_groups(moments: SampleMoments) -> None:
    """Refuse data with one group."""
    if moments.n_groups < 2:
        raise DataError(
            "the data have a single group, over which nothing can vary",
            allowed="two groups at least; random effects need about 20 to be estimated well",
            todo="name the column of the groups with group=",
        )


def random_rows(table: ParameterTable, random: tuple[str, ...], kinds: tuple[str, ...] = RANDOM_KINDS) -> set[str]:
    """Names of the parameters that `random` makes random.

    Raises
    ------
    OptionError
        If an entry is neither a kind nor a parameter that could differ over groups, or is a parameter that a label
        holds equal. A kind stands for its parameters without such a label.
    """
    free = {row.name: row for row in table.rows if any(value is None for value in row.fixed)}
    tied = tied_rows(table)
    chosen: set[str] = set()
    for entry in random:
        if entry in kinds:
            chosen |= {name for name, row in free.items() if _kind(row, table.factors) == entry}
            continue
        found = _parameter(entry, free)
        if found is None:
            raise OptionError(
                f"random= names {entry!r}, which is neither a kind nor a free parameter of the model",
                allowed=f"kinds {', '.join(map(repr, kinds))}; parameters {enumerate_briefly(list(free), 12)}",
                todo=did_you_mean(str(entry), [*kinds, *free]),
            )
        if found in tied:
            raise OptionError(
                f"random= names {found!r}, which a label in the model holds equal",
                allowed="parameters without a label",
                todo="remove the label from the model, or the parameter from random=",
            )
        chosen.add(found)
    return chosen


def tied_rows(table: ParameterTable) -> set[str]:
    """Names of the parameters that a label makes the same over groups, or the same as another parameter."""
    count = Counter(label for row in table.rows for label in row.label if label)
    return {row.name for row in table.rows if any(count[label] > 1 for label in row.label if label)}


def _parameter(entry: str, free: dict[str, Row]) -> str | None:
    """The name in the table of what the user wrote, None if there is none."""
    try:
        lhs, op, rhs = parse_parameter(entry)
    except ModelSyntaxError:
        return None
    orders = ((lhs, rhs), (rhs, lhs)) if op == "~~" else ((lhs, rhs),)
    return next((f"{a}{op}{b}" for a, b in orders if f"{a}{op}{b}" in free), None)


def _kind(row: Row, factors: tuple[str, ...]) -> str:
    """The kind of a parameter, in the words of `random`."""
    if row.op == "=~":
        return "loadings"
    if row.op == "~":
        return "regressions"
    where = "factor" if row.lhs in factors else "residual"
    if row.lhs != row.rhs:
        return f"{where} correlations"
    return "factor variances" if where == "factor" else "residuals"
