"""theta <-> Lambda, Theta, Psi, B and means: an index map built once per model."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelError
from ..kernels.arrow import ArrowLayout, arrow_layout
from ..kernels.covariance import EntryVectors, Implied, implied_moments
from ..kernels.hessian import EntryKinds
from ..syntax.table import ParameterTable, Row

__all__ = ["MATRICES", "ModelMap", "compile_table"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

MATRICES = ("Lambda", "Theta", "Psi", "B", "nu", "alpha")
LAMBDA, THETA, PSI, BETA, NU, ALPHA = range(6)


@dataclass(frozen=True, eq=False, slots=True)
class ModelMap:
    """The compiled model: which entry of which matrix is which free parameter, in every group.

    Attributes
    ----------
    observed, factors
        Names of the rows and columns of Lambda.
    entries
        Names of the entries, such as ``"F1=~x2"``, length E.
    matrix, row, column
        Position of each entry, shape (E,); `matrix` indexes `MATRICES`.
    free
        Index of the free parameter behind each entry, -1 where fixed, shape (G, E).
    fixed
        Value of each entry where it is fixed, else 0, shape (G, E).
    names
        One name per free parameter, length P; a parameter of one group only ends in ``[group]``.
    layout
        How the groups' entries add up to parameters.
    units
        Rows and columns of Lambda that are fixed at 1 and are no parameters, shape (2, t): observed variables that
        stand among the factors.
    places
        Entries of each matrix, in the order of `MATRICES`.
    factor
        c of every entry in the table of `mixsem.kernels.covariance`, shape (E,).
    kinds
        What every entry is, for second derivatives.
    """

    observed: tuple[str, ...]
    factors: tuple[str, ...]
    entries: tuple[str, ...]
    matrix: Index
    row: Index
    column: Index
    free: Index
    fixed: Array
    names: tuple[str, ...]
    layout: ArrowLayout
    units: Index
    places: tuple[Index, ...]
    factor: Array
    kinds: EntryKinds

    @property
    def n_free(self) -> int:
        """Number of free parameters."""
        return len(self.names)

    @property
    def n_groups(self) -> int:
        """Number of groups."""
        return self.free.shape[0]

    @property
    def meanstructure(self) -> bool:
        """Whether means are modelled; if not, each group keeps its own saturated means."""
        return self.places[NU].size + self.places[ALPHA].size > 0

    def entry_values(self, theta: Array) -> Array:
        """Value of every entry, shape (G, E)."""
        return np.where(self.free >= 0, theta[np.maximum(self.free, 0)], self.fixed) if theta.size else self.fixed

    def values_of(self, kind: int, theta: Array) -> Array:
        """One model matrix (an index into `MATRICES`) for every group; zeros where the model has no entry."""
        return self._matrix(kind, self.entry_values(theta))

    def _matrix(self, kind: int, values: Array) -> Array:
        p, m = len(self.observed), len(self.factors)
        shape = ((p, m), (p, p), (m, m), (m, m), (p,), (m,))[kind]
        matrix = np.zeros((self.n_groups, *shape))
        at = self.places[kind]
        if kind == LAMBDA and self.units.size:
            matrix[:, self.units[0], self.units[1]] = 1.0
        if not at.size:
            return matrix
        row, column, own = self.row[at], self.column[at], values[:, at]
        if kind >= NU:
            matrix[:, row] = own
            return matrix
        matrix[:, row, column] = own
        if kind in (THETA, PSI):
            matrix[:, column, row] = own
        return matrix

    def implied(self, theta: Array) -> Implied:
        """Implied moments of every group at theta."""
        values = self.entry_values(theta)
        has_B, has_means = self.places[BETA].size > 0, self.meanstructure
        return implied_moments(
            self._matrix(LAMBDA, values),
            self._matrix(THETA, values),
            self._matrix(PSI, values),
            self._matrix(BETA, values) if has_B else None,
            self._matrix(NU, values) if has_means else None,
            self._matrix(ALPHA, values) if has_means else None,
        )

    def entry_vectors(self, implied: Implied) -> EntryVectors:
        """The rank-two derivatives of every entry, as tabulated in `mixsem.kernels.covariance`."""
        n_groups, p = implied.mu.shape
        effects, crossed = implied.LambdaA.swapaxes(1, 2), implied.LambdaPhi.swapaxes(1, 2)
        u = np.zeros((n_groups, self.matrix.size, p))
        v = np.zeros_like(u)
        m = np.zeros((n_groups, self.matrix.size))
        for kind, at in enumerate(self.places):
            if not at.size:
                continue
            row, column = self.row[at], self.column[at]
            if kind in (LAMBDA, THETA, NU):
                u[:, at, row] = 1.0
            else:
                u[:, at] = effects[:, row]
            if kind == THETA:
                v[:, at, column] = 1.0
            elif kind == PSI:
                v[:, at] = effects[:, column]
            elif kind in (LAMBDA, BETA):
                v[:, at] = crossed[:, column]
                m[:, at] = implied.eta[:, column]
            else:
                m[:, at] = 1.0
        return EntryVectors(u, v, self.factor, m)

    def of_groups(self, groups: Index) -> tuple[ModelMap, Index]:
        """The model of some groups, and which parameters it has, shape (P',)."""
        used = np.unique(self.free[groups])
        used = used[used >= 0]
        number = np.full(self.n_free + 1, -1, dtype=np.int64)
        number[used] = np.arange(used.size)
        free = number[self.free[groups]]
        names = tuple(self.names[i] for i in used)
        part = replace(self, free=free, fixed=self.fixed[groups], names=names, layout=arrow_layout(free, used.size))
        return part, used

    def add_up(self, per_entry: Array) -> Array:
        """Add entry values (G, E) up to free parameters (P,)."""
        used = self.free >= 0
        return np.asarray(np.bincount(self.free[used], weights=per_entry[used], minlength=self.n_free), dtype=float)


def compile_table(table: ParameterTable, groups: Sequence[Hashable]) -> ModelMap:
    """Compile a parameter table: place every row in its matrix and number the free parameters.

    Rows with the same label, within or over groups, are the same parameter. Parameters are numbered in the order
    of the rows, group after group, so that the number does not depend on anything but the model.
    """
    observed, factors = list(table.observed), [*table.factors, *table.structural]
    places = [_place(row, observed, factors) for row in table.rows]
    free = np.full((len(groups), len(table.rows)), -1, dtype=np.int64)
    fixed = np.zeros(free.shape)
    names: list[str] = []
    numbered: dict[str, int] = {}
    for e, row in enumerate(table.rows):
        for g, group in enumerate(groups):
            value, label = row.fixed[g], row.label[g]
            if value is not None:
                fixed[g, e] = value
                continue
            if label in numbered:
                free[g, e] = numbered[label]
                continue
            free[g, e] = len(names)
            if label:
                numbered[label] = len(names)
            names.append(row.name if label or len(groups) == 1 else f"{row.name}[{group}]")
    matrix, at_row, at_column = np.array(places, dtype=np.int64).reshape(-1, 3).T
    diagonal = np.isin(matrix, (THETA, PSI)) & (at_row == at_column)
    return ModelMap(
        observed=tuple(observed),
        factors=tuple(factors),
        entries=tuple(row.name for row in table.rows),
        matrix=matrix,
        row=at_row,
        column=at_column,
        free=free,
        fixed=fixed,
        names=tuple(names),
        layout=arrow_layout(free, len(names)),
        units=np.array([[axis.index(x) for x in table.structural] for axis in (observed, factors)], dtype=np.int64),
        places=tuple(np.flatnonzero(matrix == kind) for kind in range(len(MATRICES))),
        factor=np.where(matrix >= NU, 0.0, np.where(diagonal, 0.5, 1.0)),
        kinds=_kinds(matrix, at_row, at_column),
    )


def _kinds(matrix: Index, row: Index, column: Index) -> EntryKinds:
    """What the second derivatives need to know of the entries."""
    loading, psi, regression, alpha = ((matrix == kind).astype(float) for kind in (LAMBDA, PSI, BETA, ALPHA))
    among = np.isin(matrix, (PSI, BETA, ALPHA))
    return EntryKinds(
        loading,
        psi,
        regression,
        alpha,
        np.where(among, row, 0),
        np.where(np.isin(matrix, (LAMBDA, PSI, BETA)), column, 0),
    )


def _place(row: Row, observed: list[str], factors: list[str]) -> tuple[int, int, int]:
    """Matrix, row and column of a parameter.

    An indicator that stands among the factors is reached by a regression: a loading is an entry of B then.
    """
    latent = row.lhs in factors
    if row.op == "=~":
        if row.rhs in factors:
            return BETA, factors.index(row.rhs), factors.index(row.lhs)
        return LAMBDA, observed.index(row.rhs), factors.index(row.lhs)
    if row.op == "~1":
        return (ALPHA, factors.index(row.lhs), 0) if latent else (NU, observed.index(row.lhs), 0)
    if latent != (row.rhs in factors):
        raise ModelError(
            f"{row.name} joins a factor and an observed variable",
            allowed="(co)variances and regressions among factors, covariances among items",
            todo="give the observed variable a factor of its own, or write a loading with =~",
        )
    if row.op == "~":
        return BETA, factors.index(row.lhs), factors.index(row.rhs)
    names, kind = (factors, PSI) if latent else (observed, THETA)
    return kind, names.index(row.lhs), names.index(row.rhs)
