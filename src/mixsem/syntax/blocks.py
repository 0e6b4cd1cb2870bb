"""Measurement blocks: which factors are estimated together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product

from ..errors import ModelError, OptionError, did_you_mean, enumerate_briefly
from .table import ParameterTable, Row

__all__ = ["Blocks", "block_table", "partition_factors"]

Blocks = str | Sequence[Sequence[str]]


def partition_factors(table: ParameterTable, blocks: Blocks) -> tuple[tuple[str, ...], ...]:
    """Turn the `blocks` option into a partition of the factors.

    Parameters
    ----------
    table
        Parameters of the joint measurement model.
    blocks
        ``"factor"``: one factor per block, but together what a parameter ties: factors that share an item, a
        residual covariance or a label, or whose covariance is fixed or equal over groups; ``"joint"``: one
        block; or the partition itself, such as ``[["F1", "F2"], ["F3"]]``.
    """
    factors = table.factors
    tied = _tied_factors(table)
    if blocks == "joint":
        return (factors,)
    if blocks == "factor":
        return _merge([{f} for f in factors], [pair for pair, _ in tied], factors)
    if isinstance(blocks, str) or not isinstance(blocks, Iterable) or any(isinstance(b, str) for b in blocks):
        raise OptionError(
            f"blocks={blocks!r}",
            allowed="'factor', 'joint', or a partition of the factors such as [['F1', 'F2'], ['F3']]",
            todo=did_you_mean(str(blocks), ("factor", "joint")),
        )
    given = [tuple(block) for block in blocks]
    _check_partition(given, factors)
    for pair, row in tied:
        if not any(pair <= set(block) for block in given):
            raise OptionError(
                f"{row.name} ties the factors {enumerate_briefly(sorted(pair))}, which blocks= keeps apart",
                allowed="in one block: factors that share an item, a residual covariance or a label, or whose"
                " covariance is fixed or equal over groups",
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
    """Pairs of factors that must be estimated together, with the parameter that ties them.

    They share an item, a residual covariance, a label, or a factor covariance that is not simply free.
    """
    homes: dict[str, list[str]] = {factor: [factor] for factor in table.factors}
    for row in table.rows:
        if row.op == "=~":
            homes.setdefault(row.rhs, []).append(row.lhs)
    ties = [
        (frozenset((a, b)), row)
        for row in table.rows
        if row.op == "=~" or row.lhs not in table.factors or not _simply_free(row)
        for a, b in product(homes[row.lhs], homes.get(row.rhs, homes[row.lhs]))
        if a != b
    ]
    first: dict[str, str] = {}
    for row in table.rows:
        for label in filter(None, row.label):
            home = homes[row.lhs][0]
            if first.setdefault(label, home) != home:
                ties.append((frozenset((first[label], home)), row))
    return ties


def _simply_free(row: Row) -> bool:
    """Whether a parameter is free in every group and equal to no other."""
    return all(value is None for value in row.fixed) and not any(row.label)


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
