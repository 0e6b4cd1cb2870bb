"""One parameter in one group: what the user wrote, completed by lavaan's defaults."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import TYPE_CHECKING, Any

from ..errors import ModelError, did_you_mean, enumerate_briefly
from .terms import ModelSyntax, Term
from .variables import Variables

if TYPE_CHECKING:
    from .defaults import Defaults

__all__ = ["Cell", "Grid", "Key", "build_grid", "oriented", "parameter_name"]

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

    @property
    def sample(self) -> bool:
        """Whether it is fixed at the group's sample value, as the moments of covariates are."""
        return self.fixed is not None and self.fixed != self.fixed


Grid = dict[Key, tuple[Cell, ...]]
"""Every parameter of the model with its cells, one per group."""


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


def build_grid(syntax: ModelSyntax, groups: Sequence[Hashable], variables: Variables, defaults: Defaults) -> Grid:
    """Write out the model of every group, defaults included, and lay the groups side by side."""
    _require_known_blocks(syntax, groups)
    models: list[dict[Key, Cell]] = []
    alike = not any(_of_one_group(term) for term in syntax.terms)
    for g, group in enumerate(groups):
        if alike and g > 1:  # defaults tell the first group from the others, and nothing else does
            models.append(models[1])
            continue
        written = _written(syntax, g, groups, variables.names)
        _require_complete(variables, written, group)
        models.append({**written, **dict(defaults.cells(variables, written, first=g == 0))})
    keys = dict.fromkeys(oriented((t.lhs, t.op, t.rhs), variables.names) for t in syntax.terms)
    keys |= dict.fromkeys(key for model in models for key in model)
    absent = Cell(fixed=0.0, exists=False)
    return {key: tuple(model.get(key, absent) for model in models) for key in keys}


def _of_one_group(term: Term) -> bool:
    """Whether a term means something else in another group."""
    return term.block is not None or any(len(values) != 1 for values in term.modifiers.given.values())


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


def _require_known_blocks(syntax: ModelSyntax, groups: Sequence[Hashable]) -> None:
    labels = [str(group) for group in groups]
    for term in syntax.terms:
        if term.block is not None and term.block.name not in labels:
            raise ModelError(
                f"{term.place}: '{term}' stands under '{term.block}', which is no group of these data",
                allowed=enumerate_briefly(labels),
                todo=did_you_mean(term.block.name, labels) or "write the label of a group, not its number",
            )


def _require_complete(variables: Variables, written: dict[Key, Cell], group: Hashable) -> None:
    """Every group measures every factor, and uses every observed variable."""
    measured = {key[0] for key in written if key[1] == "=~"}
    used = {name for key in written for name in (key[0], key[2])}
    for what, names, present in (("factor", variables.latent, measured), ("item", variables.observed, used)):
        missing = [name for name in names if name not in present]
        if missing:
            raise ModelError(
                f"the {what} '{missing[0]}' "
                + ("is not used" if missing[0] in variables.structural else "has no loading")
                + f" in group {group!r}",
                allowed="the same factors and items in all groups",
                todo="write what all groups share before the first 'group:' header",
            )
