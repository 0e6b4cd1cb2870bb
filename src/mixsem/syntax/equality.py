"""Parameters held equal over groups: which kinds there are, and one label for each parameter held."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence
from dataclasses import replace
from itertools import pairwise

from ..errors import ModelError
from .cells import Cell, Grid, Key, parameter_name

__all__ = ["EQUAL", "EQUAL_SEM", "equal_over_groups", "kind_of"]

EQUAL = (
    "loadings",
    "intercepts",
    "residuals",
    "residual.covariances",
    "lv.variances",
    "lv.covariances",
    "means",
)
"""The kinds of measurement parameters that can be held equal over groups, by lavaan's names."""

EQUAL_SEM = (*EQUAL, "regressions")
"""The same for structural equation models."""


def kind_of(key: Key, factors: Collection[str]) -> str:
    """Say which of the kinds in `EQUAL_SEM` a parameter is; the covariance of a factor and an item is none."""
    lhs, op, rhs = key
    latent = lhs in factors
    if op == "=~":
        return "loadings"
    if op == "~":
        return "regressions"
    if op == "~1":
        return "means" if latent else "intercepts"
    if lhs == rhs:
        return "lv.variances" if latent else "residuals"
    if latent != (rhs in factors):
        return ""
    return "lv.covariances" if latent else "residual.covariances"


def equal_over_groups(grid: Grid, held: Collection[Key], groups: Sequence[Hashable]) -> Grid:
    """Give the parameters in `held` one label over all groups; labels of the user stay as they are."""
    return {
        key: _held_equal(key, cells, groups) if key in held and len(groups) > 1 else cells
        for key, cells in grid.items()
    }


def _held_equal(key: Key, cells: tuple[Cell, ...], groups: Sequence[Hashable]) -> tuple[Cell, ...]:
    bound = [(g, cell) for g, cell in zip(groups, cells, strict=True) if cell.exists and not cell.label]
    values = {cell.fixed for _, cell in bound}
    if len(values) > 1:
        one, other = next((a, b) for a, b in pairwise(bound) if a[1].fixed != b[1].fixed)
        states = [f"{_state(cell)} in group {g!r}" for g, cell in (one, other)]
        written = next((cell.term for _, cell in bound if cell.term), None)
        raise ModelError(
            f"{parameter_name(key)} is {states[0]} and {states[1]}, but equal= holds it equal over groups"
            + (f" ({written.place})" if written else ""),
            allowed="the same value, or free, in all groups",
            todo=f"add {parameter_name(key)!r} to partial=, or write the same in all groups",
        )
    if values == {None}:
        label = f".{parameter_name(key)}."
        return tuple(replace(c, label=label) if c.exists and not c.label else c for c in cells)
    return cells


def _state(cell: Cell) -> str:
    return "free" if cell.fixed is None else f"fixed at {cell.fixed:g}"
