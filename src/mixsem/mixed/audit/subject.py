"""What an audit looks at: a design, and for which family of responses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..formulas.formula_text import scan, variables

if TYPE_CHECKING:
    from ..designs.design import Design

__all__ = ["AuditedDesign", "varies_within"]

Array = NDArray[np.float64]

#: Variation within clusters below this, relative to the largest value, is rounding.
ROUNDING = 1e-10


@dataclass(frozen=True, eq=False)
class AuditedDesign:
    """A design with what all checks ask of it.

    Attributes
    ----------
    design
        The matrices.
    family
        Name of the family; ``"gaussian"`` for linear models.
    link
        Name of the link.
    """

    design: Design
    family: str = "gaussian"
    link: str = "identity"

    @property
    def is_gaussian(self) -> bool:
        """Whether the model is linear."""
        return self.family == "gaussian"

    @cached_property
    def numeric_columns(self) -> dict[str, Array]:
        """Numeric predictors by name: columns of fixed and random effects that are no dummies, each once."""
        design, found = self.design, {}
        for names, columns in [(design.fixed_names, design.X), *((t.names, t.Z) for t in design.terms)]:
            if columns is None:
                continue
            for name, column in zip(names, columns.T, strict=True):
                if self._is_numeric(name) and name not in found and len(np.unique(column[:1000])) > 2:
                    found[name] = column
        return found

    def _is_numeric(self, name: str) -> bool:
        """Whether a column is a variable of the table, or a function of one, and no dummy or product."""
        return name != "(Intercept)" and "[" not in name and ":" not in name

    @cached_property
    def main_effects(self) -> frozenset[str]:
        """Terms of the fixed part that are a variable of the table, as it is or as categories."""
        uses = {term: variables(scan(term)) for term in self.design.columns.terms if term != "(Intercept)"}
        plain = {"alone", "as categories"}
        return frozenset(
            term for term, found in uses.items() if len(found) == 1 and next(iter(found.values())) <= plain
        )

    @cached_property
    def categorical_terms(self) -> dict[str, tuple[str, ...]]:
        """Terms of the fixed part made of categories only, with their variables, as ``{"f:h": ("f", "h")}``."""
        found: dict[str, tuple[str, ...]] = {}
        categories = self.design.types.categories
        for term in self.design.columns.terms:
            names = () if term == "(Intercept)" else tuple(variables(scan(term)))
            if names and all(categories.get(name) is not None for name in names):
                found[term] = names
        return found

    def random_columns(self) -> Iterator[tuple[int, str, Array]]:
        """Position of the random term, name and values of each random coefficient that is no intercept."""
        for t, term in enumerate(self.design.terms):
            if term.Z is not None:
                for name, column in zip(term.names, term.Z.T, strict=True):
                    if name != "(Intercept)":
                        yield t, name, column


def varies_within(column: Array, codes: NDArray[np.int32], n_levels: int) -> NDArray[np.bool_]:
    """Of each level, whether a column varies among its rows."""
    low, high = np.full(n_levels, np.inf), np.full(n_levels, -np.inf)
    np.minimum.at(low, codes, column)
    np.maximum.at(high, codes, column)
    return np.asarray(high - low > ROUNDING * np.abs(column).max(initial=1e-300))
