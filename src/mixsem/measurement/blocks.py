"""Measurement blocks: which factors are estimated together."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import ModelError, OptionError, did_you_mean, enumerate_briefly
from ..syntax.table import ParameterTable, Row

__all__ = ["Blocks", "block_table", "partition_factors"]

Blocks = str | Sequence[Sequence[str]]


def partition_factors(table: ParameterTable, blocks: Blocks) -> tuple[tuple[str, ...], ...]:
    """Turn the `blocks` option into a partition of the factors.

    Parameters
    ----------
    table
        Parameters of the joint measurement model.
    blocks
        ``"factor"``: one factor per block, factors that share an item or whose items have residual covariances
        together; ``"joint"``: one block; or the partition itself, such as ``[["F1", "F2"], ["F3"]]``.
    """
    factors = table.factors
    tied = _tied_factors(table)
    if blocks == "joint":
        return (factors,)
    if blocks == "factor":
        return _merge([{f} for f in factors], [pair for pair, _ in tied], factors)
    if isinstance(blocks, str):
        raise OptionError(
            f"blocks={blocks!r}",
            allowed="'factor', 'joint', or a partition of the factors such as [['F1', 'F2'], ['F3']]",
            todo=did_you_mean(blocks, ("factor", "joint")),
        )
    given = [tuple(block) for block in blocks]
    _check_partition(given, factors)
    for pair, row in tied:
        if not any(pair <= set(block) for block in given):
            raise OptionError(
                f"{row.name} ties the factors {enumerate_briefly(sorted(pair))}, which blocks= keeps apart",
                allowed="factors that share an item or a residual covariance in one block",
                todo=f"put {enumerate_briefly(sorted(pair))} into the same block, or use blocks='factor'",
            )
    return tuple(tuple(f for f in factors if f in block) for block in given)


def block_table(table: ParameterTable, block: Sequence[str]) -> ParameterTable:
    """The rows of the joint table that belong to the factors of one block."""
    items = {row.rhs for row in table.rows if row.op == "=~" and row.lhs in block}
    inside = set(block) | items
    rows = tuple(row for row in table.rows if row.lhs in inside and (row.rhs in inside or row.op == "~1"))
    return ParameterTable(
        rows=rows,
        factors=tuple(f for f in table.factors if f in block),
        observed=tuple(x for x in table.observed if x in items),
        n_groups=table.n_groups,
        constraints=(),
        definitions=(),
    )


def _tied_factors(table: ParameterTable) -> list[tuple[frozenset[str], Row]]:
    """Pairs of factors that must be estimated together, with the parameter that ties them."""
    homes: dict[str, list[str]] = {}
    for row in table.rows:
        if row.op == "=~":
            homes.setdefault(row.rhs, []).append(row.lhs)
    ties = []
    for row in table.rows:
        if row.op == "=~":
            ties += [(frozenset((row.lhs, other)), row) for other in homes[row.rhs] if other != row.lhs]
        elif row.op == "~~" and row.lhs != row.rhs and row.lhs in homes and row.rhs in homes:
            ties += [(frozenset((a, b)), row) for a in homes[row.lhs] for b in homes[row.rhs] if a != b]
    return ties


def _merge(parts: list[set[str]], ties: list[frozenset[str]], factors: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Merge parts that a tie joins, and keep the order of the factors."""
    for tie in ties:
        touched = [part for part in parts if part & tie]
        parts = [part for part in parts if not part & tie] + [set().union(*touched)]
    ordered = sorted(parts, key=lambda part: min(factors.index(f) for f in part))
    return tuple(tuple(f for f in factors if f in part) for part in ordered)


def _check_partition(given: list[tuple[str, ...]], factors: Sequence[str]) -> None:
    listed = [f for block in given for f in block]
    unknown = [f for f in listed if f not in factors]
    if unknown:
        raise OptionError(
            f"blocks= names {unknown[0]!r}, which is not a factor",
            allowed=enumerate_briefly(factors),
            todo=did_you_mean(unknown[0], factors),
        )
    wrong = [f for f in factors if listed.count(f) != 1]
    if wrong:
        raise ModelError(
            f"blocks= names {wrong[0]!r} {listed.count(wrong[0])} times",
            allowed="every factor in exactly one block",
            todo="list each factor once",
        )
