"""What to know of marginal means: what they are averaged over, where they stand, and when they may mislead."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ...errors import enumerate_briefly
from ..formulas.formula_text import scan, variables

if TYPE_CHECKING:
    from ..designs.design import Design
    from .reference_grid import At, ReferenceGrid

__all__ = ["mean_notes", "scale_note"]


def mean_notes(
    design: Design, grid: ReferenceGrid, names: Sequence[str], slope: str | None, weights: str, at: At | None
) -> Iterator[str]:
    """Sentences below a table of means.

    Parameters
    ----------
    design
        The matrices of the fit.
    grid
        The combinations of predictors.
    names
        Variables that the means are of.
    slope
        The variable whose slope stands in the place of the mean.
    weights
        How levels are weighted.
    at
        Values that were asked for.
    """
    others = [name for name in grid.varied if name not in names]
    if others:
        how = "" if weights == "equal" else ", weighted by how often they occur"
        yield f"Averaged over the levels of {', '.join(others)}{how}."
    held = [f"{name} = {value:.4g}" for name, value in grid.held.items() if name not in names]
    if held:
        yield f"At {', '.join(held)}."
    shown = tuple(dict.fromkeys((*names, *(() if slope is None else (slope,)))))
    asked = {name for name in at or () if len(grid.levels[name]) == 1}
    partners = [name for name in _partners(design, shown) if name not in asked]
    if partners:
        verb = "interacts" if len(shown) == 1 else "interact"
        yield (
            f"{enumerate_briefly(shown)} {verb} with {enumerate_briefly(partners)}: averages over levels, and numbers"
            " at their means, may mislead. Name these in specs= or at=."
        )


def scale_note(design: Design) -> tuple[str, ...]:
    """That the response is a function of a column, whose scale the numbers have; nothing if it is the column itself."""
    response = design.formula.response
    names = list(variables(scan(response)))
    if names in ([response], [response.strip("`")]):
        return ()
    return (f"On the scale of {response}, not on that of {enumerate_briefly(names)}.",)


def _partners(design: Design, names: Sequence[str]) -> list[str]:
    """Other variables that share a term of the fixed part with one of these, in order."""
    specification = design.columns.specification
    found: dict[str, None] = {}
    for term in () if specification is None else specification.term_indices:
        within = {name for factor in term.factors for name in variables(scan(str(factor)))}
        if within & set(names):
            found.update(dict.fromkeys(sorted(within - set(names))))
    return list(found)
