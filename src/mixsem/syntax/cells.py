"""One parameter in one group: what the user wrote, completed by lavaan's defaults for `cfa()`."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import inf
from typing import Any

from ..errors import ModelError, did_you_mean, enumerate_briefly
from .terms import ModelSyntax, Term

__all__ = ["Cell", "Defaults", "Grid", "Key", "build_grid", "oriented", "parameter_name"]

_NO_BOUND = {"lower": -inf, "upper": inf}

Key = tuple[str, str, str]
"""Left-hand name, operator, right-hand name of a parameter, covariances in the order of the variables."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One parameter in one group.

    Attributes
    ----------
    fixed
        The value it is fixed at; None if it is free.
    given
        Whether the user wrote a number or ``NA`` for it, so that no default applies.
    exists
        False if the group's model lacks the parameter, which is the same as fixing it at zero.
    label, start, lower, upper, equal
        As in `Modifiers`, for this group.
    term
        Where the user wrote it; None for a default.
    """

    fixed: float | None = None
    given: bool = False
    exists: bool = True
    label: str = ""
    start: float | None = None
    lower: float = -inf
    upper: float = inf
    equal: str = ""
    term: Term | None = None


Grid = dict[Key, tuple[Cell, ...]]
"""Every parameter of the model with its cells, one per group."""


@dataclass(frozen=True, slots=True)
class Defaults:
    """Which of lavaan's defaults apply.

    Attributes
    ----------
    std_lv
        Scale the factors by unit variances instead of marker variables.
    meanstructure
        Model intercepts and factor means.
    free_variances, free_means
        Free the factor variances (means) in all groups but the first, because equal loadings (intercepts)
        carry the scale (origin) of the first group over.
    """

    std_lv: bool = False
    meanstructure: bool = False
    free_variances: bool = False
    free_means: bool = False


def parameter_name(key: Key) -> str:
    """Short name of a parameter, as in results: ``"F=~x2"``, ``"x1~1"``."""
    lhs, op, rhs = key
    return f"{lhs}{op}{rhs}"


def oriented(key: Key, variables: Sequence[str]) -> Key:
    """Give a covariance the one order of its variables that the table uses."""
    lhs, op, rhs = key
    known = lhs in variables and rhs in variables
    if op == "~~" and known and variables.index(lhs) > variables.index(rhs):
        return rhs, op, lhs
    return key


def build_grid(syntax: ModelSyntax, groups: Sequence[Hashable], defaults: Defaults) -> Grid:
    """Write out the model of every group, defaults included, and lay the groups side by side."""
    variables = (*syntax.factors, *syntax.indicators)
    _require_known_blocks(syntax, groups)
    models = []
    for g, group in enumerate(groups):
        written = _written(syntax, g, groups, variables)
        _require_complete(syntax, written, group)
        models.append({**written, **dict(_defaults(syntax, written, defaults, first=g == 0))})
    keys = dict.fromkeys(oriented((t.lhs, t.op, t.rhs), variables) for t in syntax.terms)
    keys |= dict.fromkeys(key for model in models for key in model)
    absent = Cell(fixed=0.0, exists=False)
    return {key: tuple(model.get(key, absent) for model in models) for key in keys}


def _written(syntax: ModelSyntax, g: int, groups: Sequence[Hashable], variables: Sequence[str]) -> dict[Key, Cell]:
    """Collect what the user wrote for one group; its own block refines what stands before all blocks."""
    common = [term for term in syntax.terms if term.block is None]
    own = [term for term in syntax.terms if term.block is not None and term.block.name == str(groups[g])]
    cells: dict[Key, Cell] = {}
    for term in (*common, *own):
        key = oriented((term.lhs, term.op, term.rhs), variables)
        cells[key] = _refine(cells.get(key, Cell()), term, g, groups)
    return cells


def _refine(cell: Cell, term: Term, g: int, groups: Sequence[Hashable]) -> Cell:
    """Add a term's modifiers for group `g` to a cell."""
    changes: dict[str, Any] = {"term": cell.term or term}
    for name, values in term.modifiers.given.items():
        if len(values) not in (1, 1 if term.block else len(groups)):
            raise _wrong_length(term, name, len(values), [groups[g]] if term.block else groups)
        value = values[g] if len(values) > 1 else values[0]
        changes[name] = _NO_BOUND.get(name) if value is None else value
    return replace(cell, given=cell.given or "fixed" in changes, **changes)


def _wrong_length(term: Term, name: str, length: int, groups: Sequence[Hashable]) -> ModelError:
    labels = enumerate_briefly([repr(group) for group in groups])
    one = len(groups) == 1
    return ModelError(
        f"{term.place}: '{name}' of '{term}' has {length} entries for "
        + (f"the one group {labels}" if one else f"{len(groups)} groups"),
        allowed="one entry" if one else f"one entry, or one per group in this order: {labels}",
        todo="write a single value without c()" if one else f"write {len(groups)} entries in c(), or a single value",
    )


def _defaults(
    syntax: ModelSyntax, written: dict[Key, Cell], defaults: Defaults, *, first: bool
) -> Iterator[tuple[Key, Cell]]:
    """Yield lavaan's default cells, and the written cells that a default fixes.

    Markers (or unit variances) give the factors their scale; residuals and factors have variances, and all
    factors covary; the residual variance of a factor's only item is zero, for it could not be told apart.
    """
    factors, items = syntax.factors, syntax.indicators
    loadings = [key for key in written if key[1] == "=~"]
    for factor in factors:
        marker = next(key for key in loadings if key[0] == factor)
        if not defaults.std_lv and not written[marker].given:
            yield marker, replace(written[marker], fixed=1.0)
    alone = {items_of[0] for f in factors if len(items_of := [k[2] for k in loadings if k[0] == f]) == 1}
    for item in items:
        only = item in alone and sum(key[2] == item for key in loadings) == 1
        yield from _unless_written(written, (item, "~~", item), Cell(fixed=0.0 if only else None))
    for factor in factors:
        key = (factor, "~~", factor)
        if key in written and defaults.std_lv and not written[key].given:
            yield key, replace(written[key], fixed=1.0)
        unit = defaults.std_lv and (first or not defaults.free_variances)
        yield from _unless_written(written, key, Cell(fixed=1.0 if unit else None))
    for a, b in combinations(factors, 2):
        yield from _unless_written(written, (a, "~~", b), Cell())
    if defaults.meanstructure:
        for item in items:
            yield from _unless_written(written, (item, "~1", ""), Cell())
        for factor in factors:
            zero = first or not defaults.free_means
            yield from _unless_written(written, (factor, "~1", ""), Cell(fixed=0.0 if zero else None))


def _unless_written(written: dict[Key, Cell], key: Key, cell: Cell) -> Iterator[tuple[Key, Cell]]:
    if key not in written:
        yield key, cell


def _require_known_blocks(syntax: ModelSyntax, groups: Sequence[Hashable]) -> None:
    labels = [str(group) for group in groups]
    for term in syntax.terms:
        if term.block is not None and term.block.name not in labels:
            raise ModelError(
                f"{term.place}: '{term}' stands under '{term.block}', which is no group of these data",
                allowed=enumerate_briefly(labels),
                todo=did_you_mean(term.block.name, labels) or "write the label of a group, not its number",
            )


def _require_complete(syntax: ModelSyntax, written: dict[Key, Cell], group: Hashable) -> None:
    """Every group measures every factor, and uses every item."""
    loadings = [key for key in written if key[1] == "=~"]
    for what, names, position in (("factor", syntax.factors, 0), ("item", syntax.indicators, 2)):
        missing = [name for name in names if all(key[position] != name for key in loadings)]
        if missing:
            raise ModelError(
                f"the {what} '{missing[0]}' has no loading in group {group!r}",
                allowed="the same factors and items in all groups",
                todo="write what all groups share before the first 'group:' header",
            )
