"""What rows are made of: fixed-effect columns, random-effect columns, levels; those of the fit and any others."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...data.columns import FrameLike
from ..designs.rows import open_frame

if TYPE_CHECKING:
    from ..designs.design import Design

__all__ = ["RowParts", "new_rows", "own_rows", "take"]

Array = NDArray[np.float64]
Codes = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class RowParts:
    """Rows for a design.

    Attributes
    ----------
    X
        (m, p) fixed-effect columns, NaN in rows where a predictor is missing.
    Z
        (m, k) random-effect columns of each term; None for intercepts alone, and for terms that are not used.
    codes
        Level of each row in each grouping factor; -1 if the fit does not know it. Empty for factors that are not used.
    labels
        Labels of the rows in each grouping factor, where the fit does not know some level; else None.
    offset
        (m,) known part of the mean, or None.
    """

    X: Array
    Z: tuple[Array | None, ...]
    codes: tuple[Codes, ...]
    labels: tuple[pd.DataFrame | None, ...]
    offset: Array | None

    @property
    def m(self) -> int:
        """Number of rows."""
        return len(self.X)

    def times(self, term: int, b: Array) -> Array:
        """Rows of Z of one term times coefficients, one row of them each, (m, k)."""
        Z = self.Z[term]
        return np.asarray(b[:, 0] if Z is None else (Z * b).sum(axis=1))


def take(rows: RowParts, at: NDArray[np.int64]) -> RowParts:
    """Some of the rows, by position."""
    return RowParts(
        X=rows.X[at],
        Z=tuple(None if Z is None else Z[at] for Z in rows.Z),
        codes=tuple(code[at] if len(code) else code for code in rows.codes),
        labels=tuple(None if label is None else label.iloc[at] for label in rows.labels),
        offset=None if rows.offset is None else rows.offset[at],
    )


def own_rows(design: Design) -> RowParts:
    """The rows of the fit."""
    factors = design.factors
    codes = tuple(f.codes for f in factors)
    return RowParts(design.X, tuple(t.Z for t in design.terms), codes, (None,) * len(factors), design.offset)


def new_rows(design: Design, newdata: FrameLike, terms: Collection[int]) -> RowParts:
    """Other rows; of random effects those of the chosen terms.

    A row in which a grouping variable is missing has X of NaN: what is missing is not a new level.
    """
    X = design.fixed_matrix(newdata)
    used = {design.terms[t].factor for t in terms}
    Z: list[Array | None] = []
    for t, term in enumerate(design.terms):
        made = None if t not in terms or term.Z is None else design.term_matrix(term, newdata)
        if made is not None:
            X[np.isnan(made).any(axis=1)] = np.nan
        Z.append(made)
    codes, labels = [], []
    for f, factor in enumerate(design.factors):
        code = design.codes_of(factor, newdata) if f in used else np.zeros(0, np.int32)
        strange = None
        if (code < 0).any():
            strange = open_frame(newdata, factor.variables)
            missing = strange.isna().any(axis=1).to_numpy()
            X[missing] = np.nan
            strange = None if missing[code < 0].all() else strange
        codes.append(code)
        labels.append(strange)
    offset = design.offset_vector(newdata) if design.offset_columns else None
    return RowParts(X, tuple(Z), tuple(codes), tuple(labels), offset)
