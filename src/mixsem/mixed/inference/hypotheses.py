"""The hypotheses of F tables: which linear functions of the coefficients does a term stand for?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..designs.fixed_part import INTERCEPT
from ..designs.rank import independent_columns

if TYPE_CHECKING:
    import pandas as pd

    from ..designs.design import Design

__all__ = ["sequential", "type_2", "type_3"]

Array = NDArray[np.float64]

#: Coefficients of a hypothesis below this, relative to its largest, are rounding.
ROUNDING = 1e-11


@dataclass(frozen=True)
class TermParts:
    """What a term is a product of.

    Attributes
    ----------
    categorical, numeric
        Its factors, as written in the formula.
    """

    categorical: frozenset[str]
    numeric: frozenset[str]

    @property
    def order(self) -> int:
        """Number of factors and numbers."""
        return len(self.categorical) + len(self.numeric)

    def within(self, other: TermParts) -> bool:
        """Whether the other term contains this one: the same numbers, and more factors."""
        return self.numeric == other.numeric and self.categorical < other.categorical


def sequential(design: Design, root: Array | None = None) -> dict[str, Array]:
    """Hypotheses of type I: each term after those before it in the formula.

    Rows of the triangular factor of X: what they say of beta does not depend on later terms. Weights are left out, as
    lmerTest does. In generalised models a root of the inverse covariance of beta takes the place of X, as in R's car.
    """
    R = _unit_triangle(design.X if root is None else root)
    return {term: _clean(R[list(columns)]) for term, columns in _tested(design)}


def type_2(design: Design, root: Array | None = None) -> dict[str, Array]:
    """Hypotheses of type II: each term after all terms that do not contain it."""
    if len(_tested(design)) == 1:  # the basis that lmerTest has
        return sequential(design, root)
    X = design.X if root is None else root
    parts, found = _parts(design), {}
    for term, columns in _tested(design):
        containing = [
            i
            for other, at in design.fixed_terms.items()
            if other != term and parts[term].within(parts[other])
            for i in at
        ]
        if not containing:  # the basis that lmerTest has
            found[term] = np.eye(design.p)[list(columns)]
            continue
        before = [i for i in range(design.p) if i not in columns and i not in containing]
        order = [*before, *columns, *containing]
        R = np.zeros((design.p, design.p))
        R[:, order] = _unit_triangle(X[:, order])
        found[term] = _clean(R[len(before) : len(before) + len(columns)])
    return found


def type_3(design: Design, root: Array | None = None) -> dict[str, Array]:
    """Hypotheses of type III: each term after all others, as if every factor had contrasts that sum to zero.

    Main effects are then averages over the levels of the other factors, each level with the same weight, whatever
    contrasts the fit has and however often combinations occur. Numbers stay as they are: a factor that interacts with
    a number is tested where that is 0. With empty cells there are no such averages, and the hypotheses are SAS's.
    """
    if len(_tested(design)) == 1:  # the basis that lmerTest has
        return sequential(design, root)
    if not any(map(_is_categorical, _encoder_state(design).values())):
        eye = np.eye(design.p)
        return {term: eye[list(columns)] for term, columns in _tested(design)}
    coded = _coded(design, _treatment if design.dropped_columns else _sum_to_zero)
    kept = list(range(coded.columns.shape[1]))
    if design.dropped_columns:  # empty cells: what is left after earlier columns, as in the fit
        kept = list(independent_columns(coded.columns, design.columns.intercept))
    solved = np.linalg.lstsq(design.X, coded.columns[:, kept], rcond=None)[0]
    back = np.linalg.inv(solved)  # coefficients of these columns from those of the fit
    if design.dropped_columns:
        back = _estimable(design, coded, kept) @ back
    found = {}
    for term, columns in coded.places.items():
        rows = [row for row, column in enumerate(kept) if column in columns]
        if rows and term != INTERCEPT:
            found[term] = _clean(back[rows])
    return found


def _estimable(design: Design, coded: Coded, kept: Sequence[int]) -> Array:
    """SAS's hypotheses where cells are empty, (kept, kept): one for each column that is left, as in lmerTest.

    Each column is a function of the coefficients of all indicators of all levels, and those of a term are made
    orthogonal to those of the terms that contain it: how often the cells that there are occur does not matter.
    """
    everything = np.linalg.lstsq(coded.columns[:, kept], coded.indicators, rcond=None)[0].T
    everything[np.abs(everything) < ROUNDING * np.abs(everything).max()] = 0.0
    parts = _parts(design)
    at = {term: [r for r, c in enumerate(kept) if c in columns] for term, columns in coded.places.items()}
    for term in sorted(set(at) - {INTERCEPT}, key=lambda term: -parts[term].order):
        above = [r for other in at if other != INTERCEPT and parts[term].within(parts[other]) for r in at[other]]
        if above:
            known, own = everything[:, above], everything[:, at[term]]
            everything[:, at[term]] = own - known @ np.linalg.lstsq(known, own, rcond=None)[0]
    return np.asarray(everything[[coded.indicator_of[column] for column in kept]].T)


def _tested(design: Design) -> list[tuple[str, tuple[int, ...]]]:
    return [(term, at) for term, at in design.fixed_terms.items() if term != INTERCEPT]


def _unit_triangle(X: Array) -> Array:
    """The triangular factor of X'X with a unit diagonal, Doolittle's."""
    R = np.asarray(np.linalg.qr(X, mode="r"))
    return R / np.diagonal(R)[:, None]


def _clean(L: Array) -> Array:
    """Zeros where rounding left next to nothing."""
    L = L / np.abs(L).max()
    return np.where(np.abs(L) > ROUNDING, L, 0.0)


def _encoder_state(design: Design) -> dict[str, Any]:
    specification = design.columns.specification
    return {} if specification is None else dict(specification.encoder_state)


def _is_categorical(entry: Any) -> bool:
    return str(entry[0].value) == "categorical"


def _parts(design: Design) -> dict[str, TermParts]:
    specification, state = design.columns.specification, _encoder_state(design)
    if specification is None:
        return {term: TermParts(frozenset(), frozenset([term])) for term in design.fixed_terms}
    found = {}
    for term in specification.term_indices:
        factors = [str(factor) for factor in term.factors if str(factor) != "1"]
        categorical = frozenset(f for f in factors if f in state and _is_categorical(state[f]))
        found[_name(term)] = TermParts(categorical, frozenset(factors) - categorical)
    return found


@dataclass(frozen=True)
class Coded:
    """The fixed part, dropped columns too, with other contrasts.

    Attributes
    ----------
    columns
        (n, q) the columns.
    places
        Which are those of each term.
    indicators
        (n, r) indicators of all levels of all terms, times their numbers.
    indicator_of
        Of each column the indicator that it is with treatment contrasts.
    """

    columns: Array
    places: dict[str, range]
    indicators: Array
    indicator_of: tuple[int, ...]


def _coded(design: Design, contrasts: Callable[[int], Array]) -> Coded:
    """The columns by contrasts, a function of the number of levels."""
    frame = design.types.tidy(design.frame)
    factors: dict[str, Array] = {}
    columns: list[Array] = []
    indicators: list[Array] = []
    indicator_of: list[int] = []
    places: dict[str, range] = {}
    for encoded in design.columns.specification.structure:
        begin = len(columns)
        for factor in encoded.term.factors:
            if factor.expr not in factors and str(factor) != "1":
                factors[factor.expr] = _factor_columns(design, factor, frame)
        for scoped in encoded.scoped_terms:
            product, whole, which = np.ones((design.n, 1)), np.ones((design.n, 1)), np.zeros(1, dtype=int)
            for part in getattr(scoped, "factors", ()):
                values = factors[part.factor.expr]
                size = values.shape[1]
                whole, which = _times(whole, values), which[:, None] * size + np.arange(int(part.reduced), size)
                product, which = _times(product, values @ contrasts(size) if part.reduced else values), which.ravel()
            columns += list(product.T)
            indicator_of += [len(indicators) + int(position) for position in which]
            indicators += list(whole.T)
        places[_name(encoded.term)] = range(begin, len(columns))
    return Coded(np.column_stack(columns), places, np.column_stack(indicators), tuple(indicator_of))


def _times(one: Array, other: Array) -> Array:
    """Products of each column of one with each of the other, the latter varying fastest."""
    return (one[:, :, None] * other[:, None, :]).reshape(len(one), -1)


def _treatment(n_levels: int) -> Array:
    """Indicators of all levels but the first, (n_levels, n_levels - 1)."""
    return np.eye(n_levels)[:, 1:]


def _sum_to_zero(n_levels: int) -> Array:
    """Columns that sum to zero and have the differences from the first level as coefficients, (n_levels, n_levels - 1).

    Satterthwaite's pooled degrees of freedom depend, by some 1e-4, on the basis: with this one they are lmerTest's.
    """
    differences = np.column_stack([-np.ones(n_levels - 1), np.eye(n_levels - 1)])
    return np.asarray(np.linalg.pinv(differences))


def _factor_columns(design: Design, factor: Any, frame: pd.DataFrame) -> Array:
    """What a factor of a term is in each row: indicators of all its levels, or numbers."""
    from formulaic import Formula
    from formulaic.parser.types import Term

    alone = design.columns.specification.update(formula=Formula([Term([factor])]), structure=None)
    return replace(design.columns, specification=alone).of(frame)


def _name(term: Any) -> str:
    return INTERCEPT if str(term) == "1" else str(term)
