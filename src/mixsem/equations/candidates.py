"""Which parameters a model could have besides its own: what modification indices look at."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations_with_replacement, product
from typing import TYPE_CHECKING

from ..syntax.cells import Key

if TYPE_CHECKING:
    from .fit import SEMFit

__all__ = ["absent_parameters", "placeable"]


def absent_parameters(fit: SEMFit) -> list[Key]:
    """Parameters that no group has, in lavaan's order.

    Loadings of items, residual covariances of items, covariances of factors, regressions among all variables that are
    in one, intercepts and factor means. Covariates whose moments are given are not regressed on anything.
    """
    table = fit.table
    present = {(row.lhs, row.op, row.rhs) for row in table.rows}
    present |= {(row.rhs, row.op, row.lhs) for row in table.rows if row.op == "~~"}
    # A loading of a variable among the factors and a regression on the factor are one parameter.
    present |= {(row.rhs, "~", row.lhs) for row in table.rows if row.op == "=~"}
    present |= {(row.rhs, "=~", row.lhs) for row in table.rows if row.op == "~"}
    return [key for key in dict.fromkeys(_conceivable(fit)) if key not in present]


def _conceivable(fit: SEMFit) -> Iterator[Key]:
    table, factors = fit.table, fit.factors
    items = [name for name in table.observed if name not in table.covariates]
    measured = {row.rhs for row in table.rows if row.op == "=~"}
    in_regressions = [
        *dict.fromkeys(row.lhs for row in table.rows if row.op == "~"),
        *dict.fromkeys(row.rhs for row in table.rows if row.op == "~"),
    ]
    in_regressions = list(dict.fromkeys(in_regressions))
    yield from ((q, "=~", i) for q, i in product(factors, items) if i not in in_regressions)
    indicators = [i for i in items if i in measured]
    yield from ((a, "~~", b) for a, b in combinations_with_replacement(indicators, 2))
    yield from ((a, "~~", b) for a, b in combinations_with_replacement(factors, 2))
    for y, x in product(in_regressions, repeat=2):
        if y != x and y not in table.covariates and not (y in measured and y not in factors and x in factors):
            yield (y, "~", x)
    if fit.model.meanstructure:
        yield from ((name, "~1", "") for name in (*items, *factors))


def placeable(fit: SEMFit, keys: list[Key]) -> list[Key]:
    """Those parameters that have a place in the model's matrices as they are, and that are not there yet.

    A regression on an observed variable needs the variable to stand among the factors; a covariance of a factor and
    an item too.
    """
    factors = set(fit.model.factors)
    return [
        (lhs, op, rhs)
        for lhs, op, rhs in keys
        if not (op == "~" and not {lhs, rhs} <= factors) and not (op == "~~" and (lhs in factors) != (rhs in factors))
    ]
