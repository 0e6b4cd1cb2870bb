"""Trouble that the table of a model shows before anything is estimated."""

from __future__ import annotations

from ..errors import Notice, SingleIndicatorWarning
from ..syntax.table import ParameterTable

__all__ = ["single_indicators"]


def single_indicators(table: ParameterTable) -> list[Notice]:
    """Factors with one item, whose unique variance nobody set: taken as zero, as lavaan does."""
    notices = []
    for row in table.rows:
        if row.op != "~~" or row.lhs != row.rhs or row.lhs in table.factors or row.user:
            continue
        if all(value == 0.0 for value in row.fixed):
            notices.append(
                Notice(
                    SingleIndicatorWarning,
                    f"{row.lhs} is the only item of its factor and is taken as measured without error. If you know its"
                    f" reliability, fix its unique variance, as in '{row.lhs} ~~ 0.4*{row.lhs}'.",
                )
            )
    return notices
