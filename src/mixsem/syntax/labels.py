"""Same label, same parameter: `equal()` and ``==`` turned into labels, and labels made to agree."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isclose, isfinite

from ..errors import ModelError, ModelSyntaxError, did_you_mean, enumerate_briefly
from .cells import Cell, Grid, Key, oriented, parameter_name
from .expression import Expression, Name
from .sem import parse_parameter
from .terms import Constraint

__all__ = ["Tied", "tie"]

_GROUP_SUFFIX = re.compile(r"(?P<parameter>.*)\.g(?P<group>[1-9][0-9]*)")


@dataclass(slots=True)
class _Ties:
    """Labels that mean the same parameter, and the values some of them are fixed at; built up once."""

    parent: dict[str, str] = field(default_factory=dict)

    def root(self, label: str) -> str:
        while label in self.parent:
            label = self.parent[label]
        return label

    def join(self, first: str, second: str) -> None:
        """Make two labels one; a label of the user outlives an automatic one."""
        keep, drop = self.root(first), self.root(second)
        if keep.startswith(".") and not drop.startswith("."):
            keep, drop = drop, keep
        if keep != drop:
            self.parent[drop] = keep


@dataclass(frozen=True, slots=True)
class Tied:
    """A grid whose labels agree.

    Attributes
    ----------
    grid
        The parameters; those that are equal carry one label.
    aliases
        The label that stands for each label of the user, its own or another that it equals.
    rest
        Constraints that labels cannot express, for an optimiser to keep.
    """

    grid: Grid
    aliases: Mapping[str, str]
    rest: tuple[Constraint, ...]


def tie(grid: Grid, constraints: Iterable[Constraint], variables: Sequence[str], defined: Collection[str] = ()) -> Tied:
    """Apply `equal()` and the constraints ``a == b`` and ``a == 1``, then make equal labels agree.

    Parameters with the same label share their fixed value, their starting value and their bounds.

    Parameters
    ----------
    grid
        All parameters.
    constraints
        Constraints of the model text.
    variables
        Factors and observed variables.
    defined
        Names of defined parameters, which constraints may mention.

    Raises
    ------
    ModelError
        If a name is unknown, if equal parameters are fixed at different values, or if no value is left
        between two bounds.
    """
    ties = _Ties()
    grid = _apply_equal(grid, ties, variables)
    labels = {cell.label for cells in grid.values() for cell in cells if cell.label}
    rest, values = [], []
    for constraint in constraints:
        _require_known(constraint, labels, defined)
        match _simple(constraint, labels):
            case None:
                rest.append(constraint)
            case label, float(value):
                values.append((label, value))
            case first, second:
                ties.join(first, str(second))
    merged = {key: tuple(_renamed(cell, ties.root(cell.label)) for cell in cells) for key, cells in grid.items()}
    return Tied(
        _agree(merged, [(ties.root(label), value) for label, value in values]),
        {label: ties.root(label) for label in sorted(labels)},
        tuple(rest),
    )


def _renamed(cell: Cell, label: str) -> Cell:
    """The cell under another label; itself, which costs nothing with thousands of groups, if it is the same."""
    return cell if cell.label == label else replace(cell, label=label)


def _apply_equal(grid: Grid, ties: _Ties, variables: Sequence[str]) -> Grid:
    """Join every cell that carries `equal()` with its target, under an automatic label if both have none."""
    found = {key: list(cells) for key, cells in grid.items()}
    for key, cells in grid.items():
        for g, cell in enumerate(cells):
            if not cell.equal:
                continue
            target, group = _target(cell, grid, variables)
            for k, h in ((target, group), (key, g)):
                if not found[k][h].label:
                    found[k][h] = replace(found[k][h], label=f".{parameter_name(k)}.g{h + 1}.")
            ties.join(found[target][group].label, found[key][g].label)
    return {key: tuple(cells) for key, cells in found.items()}


def _target(cell: Cell, grid: Grid, variables: Sequence[str]) -> tuple[Key, int]:
    """Find what `equal()` names: in the first group unless it ends in ``.g2``, as in lavaan."""
    suffixed = _GROUP_SUFFIX.fullmatch(cell.equal)
    candidates = [(cell.equal, 0)]
    if suffixed:
        candidates.append((suffixed["parameter"], int(suffixed["group"]) - 1))
    for text, group in candidates:
        try:
            key = oriented(parse_parameter(text), variables)
        except ModelSyntaxError:
            continue
        if key in grid and group < len(grid[key]) and grid[key][group].exists:
            return key, group
    names = [parameter_name(key) for key in grid]
    place = f"{cell.term.place}: " if cell.term else ""
    raise ModelError(
        f"{place}equal({cell.equal!r}) names no parameter of the model",
        allowed=enumerate_briefly(names, limit=20),
        todo=did_you_mean("".join(cell.equal.split()), names),
    )


def _require_known(constraint: Constraint, labels: Collection[str], defined: Collection[str]) -> None:
    """Require that a constraint mentions labels and defined parameters only."""
    for name in (*constraint.lhs.names, *constraint.rhs.names):
        if name not in labels and name not in defined:
            raise ModelError(
                f"{constraint.place}: '{name}' in '{constraint}' is not the label of a parameter",
                allowed=enumerate_briefly(sorted(label for label in labels if not label.startswith(".")))
                or "labels, written as a*x2; this model has none",
                todo=did_you_mean(name, labels),
            )


def _simple(constraint: Constraint, labels: Collection[str]) -> tuple[str, str | float] | None:
    """Two labels that are equal, or a label and its value; None for a constraint that computes."""
    if constraint.op != "==":
        return None
    match constraint.lhs, constraint.rhs:
        case Name(name=first), Name(name=second) if first in labels and second in labels:
            return first, second
        case (Name(name=label), Expression() as number) | (Expression() as number, Name(name=label)):
            if label in labels and not number.names and isfinite(value := number.evaluate({})):
                return label, float(value)
    return None


def _agree(grid: Grid, values: Sequence[tuple[str, float]]) -> Grid:
    """Let all cells with the same label share fixed value, start and bounds."""
    members: dict[str, list[tuple[str, Cell]]] = {}
    for label, value in values:
        members.setdefault(label, []).append((f"'{label}'", Cell(fixed=value)))
    for key, cells in grid.items():
        for cell in cells:
            if cell.label:
                members.setdefault(cell.label, []).append((parameter_name(key), cell))
    shared = {label: _common(label, found) for label, found in members.items()}
    result = {}
    for key, cells in grid.items():
        result[key] = tuple(_follow(cell, shared) for cell in cells)
        _require_room(key, result[key])
    return result


def _common(label: str, members: Sequence[tuple[str, Cell]]) -> Cell:
    """Find what the parameters under one label have in common."""
    fixed = [(name, cell.fixed) for name, cell in members if cell.fixed is not None]
    for name, value in fixed:
        if not isclose(value, fixed[0][1], rel_tol=1e-12, abs_tol=1e-15):
            raise ModelError(
                f"the label '{label}' makes {fixed[0][0]} and {name} equal,"
                f" but they are fixed at {fixed[0][1]:g} and {value:g}",
                allowed="one value per label",
                todo="remove one of the values, or use two labels",
            )
    return Cell(
        fixed=fixed[0][1] if fixed else None,
        start=next((cell.start for _, cell in members if cell.start is not None), None),
        lower=max(cell.lower for _, cell in members),
        upper=min(cell.upper for _, cell in members),
    )


def _follow(cell: Cell, shared: Mapping[str, Cell]) -> Cell:
    if not cell.label:
        return cell
    common = shared[cell.label]
    if (cell.fixed, cell.start, cell.lower, cell.upper) == (common.fixed, common.start, common.lower, common.upper):
        return cell
    return replace(cell, fixed=common.fixed, start=common.start, lower=common.lower, upper=common.upper)


def _require_room(key: Key, cells: Sequence[Cell]) -> None:
    for cell in cells:
        if cell.lower > cell.upper:
            place = f"{cell.term.place}: " if cell.term else ""
            raise ModelError(
                f"{place}the bounds of {parameter_name(key)} leave no value:"
                f" lower {cell.lower:g}, upper {cell.upper:g}",
                allowed="lower() at most upper()",
            )
