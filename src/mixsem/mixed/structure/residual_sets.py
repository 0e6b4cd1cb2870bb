"""The precision of structured residuals as a sum of fixed matrices, each times a function of a few parameters.

Let rows of one AR(1) group be sorted by time, d the gap between a row and the one before it, s and s' their strata, and
x a row of [Z X y] (times the square root of its weight). The residual of a row given those before it is whitened by

    (x / delta_s - rho x' / delta_s') / sqrt(1 - rho^2),     rho = phi^d,

so that [Z X y]' W [Z X y] is a sum over three kinds of sets of rows:

    rows of stratum s                     xx'            1 / delta_s^2
    rows of stratum s beside a gap d      xx'            rho^2 / (1 - rho^2) / delta_s^2
    pairs (s, s') at gap d                xx'' + x'x'    -rho / (1 - rho^2) / (delta_s delta_s')
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...errors import DataError, UnsupportedModelError, enumerate_briefly
from ..designs.grouping import GroupingFactor, code_groups
from .residual_structure import Residual

__all__ = ["ResidualRows", "RowSet", "Weighing", "read_residual_rows"]

Array = NDArray[np.float64]
Positions = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class RowSet:
    """Rows (or pairs of rows) whose cross-products share a coefficient.

    Attributes
    ----------
    gap
        The gap in time, 0 for rows regardless of gaps.
    first, second
        Their strata; equal if they are rows, not pairs.
    rows, others
        Positions of the rows, and of their partners; None if they are rows, not pairs.
    """

    gap: int
    first: int
    second: int
    rows: Positions
    others: Positions | None


@dataclass(frozen=True, eq=False)
class ResidualRows:
    """What the residual structure says of the rows.

    Attributes
    ----------
    structure
        What was asked for.
    levels
        Levels of `by`.
    strata
        (n,) level of `by` of each row.
    before
        (n,) the row before each row in its group, -1 if there is none.
    gaps
        (n,) time since that row, 0 if there is none.
    """

    structure: Residual
    levels: tuple[str, ...]
    strata: NDArray[np.int32]
    before: Positions
    gaps: Positions

    @property
    def n_eta(self) -> int:
        """Length of eta: log ratios of all levels but the first, then atanh(phi)."""
        return len(self.levels) - 1 + (self.structure.ar1 is not None)

    def sets(self) -> list[RowSet]:
        """The sets of rows."""
        every = np.arange(len(self.strata))
        found = [RowSet(0, s, s, rows, None) for (s,), rows in _split(every, self.strata)]
        later = np.flatnonzero(self.before >= 0)
        if not len(later):
            return found
        earlier, gap = self.before[later], self.gaps[later]
        sides, both = np.concatenate([later, earlier]), np.concatenate([gap, gap])
        found += [RowSet(d, s, s, rows, None) for (d, s), rows in _split(sides, both, self.strata[sides])]
        low, high = np.sort([self.strata[later], self.strata[earlier]], axis=0)
        return found + [RowSet(d, s, t, rows, self.before[rows]) for (d, s, t), rows in _split(later, gap, low, high)]


def _split(rows: Positions, *keys: NDArray[np.int64] | NDArray[np.int32]) -> list[tuple[tuple[int, ...], Positions]]:
    """The rows that share all keys, by these."""
    found, codes = np.unique(np.stack(keys), axis=1, return_inverse=True)
    parts = np.split(rows[np.argsort(codes, kind="stable")], np.cumsum(np.bincount(codes.ravel()))[:-1])
    return [(tuple(key), part) for key, part in zip(found.T.tolist(), parts, strict=True)]


@dataclass(frozen=True, eq=False)
class Weighing:
    """Coefficients of the sets, and the log-determinant of the precision, as functions of eta.

    Attributes
    ----------
    gap, first, second, is_pair
        Gap, strata and kind of each set, length M.
    n_rows
        Rows of each stratum, (S,).
    distances, n_pairs
        The distinct gaps, and how many rows have them.
    ar
        Whether there is a phi.
    """

    gap: Positions
    first: Positions
    second: Positions
    is_pair: NDArray[np.bool_]
    n_rows: Positions
    distances: Positions
    n_pairs: Positions
    ar: bool

    @classmethod
    def of(cls, rows: ResidualRows, sets: Sequence[RowSet]) -> Weighing:
        """Those of these sets."""
        gap, first, second = np.array([(m.gap, m.first, m.second) for m in sets], dtype=np.int64).T
        distances, n_pairs = np.unique(rows.gaps[rows.before >= 0], return_counts=True)
        is_pair = np.array([m.others is not None for m in sets])
        n_rows = np.bincount(rows.strata, minlength=len(rows.levels))
        return cls(gap, first, second, is_pair, n_rows, distances, n_pairs, rows.structure.ar1 is not None)

    def split(self, eta: Array) -> tuple[Array, float]:
        """Log ratios of all strata, and phi."""
        n = len(self.n_rows) - 1
        return np.concatenate([[0.0], eta[:n]]), float(np.tanh(eta[n])) if self.ar else 0.0

    def coefficients(self, eta: Array) -> Array:
        """Coefficient of each set, (M,)."""
        logs, phi = self.split(eta)
        return np.asarray(self._temporal(phi)[0] * np.exp(-logs[self.first] - logs[self.second]))

    def _temporal(self, phi: float) -> tuple[Array, Array]:
        """The part of the coefficients that depends on phi, and its derivative by atanh(phi)."""
        gap = np.maximum(self.gap, 1)
        rho, by_z = _correlation(phi, gap)
        rest = 1.0 - rho**2
        beside, pair = rho**2 / rest, -rho / rest
        value = np.where(self.gap == 0, 1.0, np.where(self.is_pair, pair, beside))
        by_rho = np.where(self.is_pair, -(1.0 + rho**2), 2.0 * rho) / rest**2
        return value, np.where(self.gap == 0, 0.0, by_rho * by_z)

    def derivatives(self, eta: Array) -> Array:
        """Derivatives of the coefficients by eta, (n_eta, M)."""
        logs, phi = self.split(eta)
        temporal, by_z = self._temporal(phi)
        spread = np.exp(-logs[self.first] - logs[self.second])
        strata = np.arange(1, len(logs))[:, None]
        found = -(temporal * spread) * ((self.first == strata) * 1.0 + (self.second == strata))
        return np.vstack([found, by_z * spread]) if self.ar else found

    def log_det(self, eta: Array) -> float:
        """Log-determinant of the precision of the residuals, without that of the weights."""
        logs, phi = self.split(eta)
        rho, _ = _correlation(phi, self.distances)
        return float(-2.0 * (self.n_rows @ logs) - self.n_pairs @ np.log1p(-(rho**2)))

    def log_det_derivatives(self, eta: Array) -> Array:
        """Its derivatives by eta, (n_eta,)."""
        _, phi = self.split(eta)
        by_logs = -2.0 * self.n_rows[1:].astype(float)
        if not self.ar:
            return by_logs
        rho, by_z = _correlation(phi, self.distances)
        return np.append(by_logs, self.n_pairs @ (2.0 * rho / (1.0 - rho**2) * by_z))

    def curvature(self, eta: Array) -> Array:
        """About the second derivatives of the deviance by eta, each parameter alone, (n_eta,)."""
        _, phi = self.split(eta)
        n = self.n_rows.astype(float)
        by_logs = (4.0 * n * (1.0 - n / n.sum()))[1:]
        if not self.ar:
            return by_logs
        rho, by_z = _correlation(phi, self.distances)
        return np.append(by_logs, self.n_pairs @ (2.0 * (by_z / (1.0 - rho**2)) ** 2))


def _correlation(phi: float, gap: Positions) -> tuple[Array, Array]:
    """phi^gap for whole gaps from 1, and its derivative by atanh(phi)."""
    before = np.asarray(np.power(phi, gap - 1), dtype=np.float64)
    return before * phi, np.asarray(gap * before * (1.0 - phi**2))


def read_residual_rows(structure: Residual, frame: pd.DataFrame, factors: Sequence[GroupingFactor]) -> ResidualRows:
    """Find strata, groups and times of the rows.

    Raises
    ------
    DataError
        If `by` has one level, times are not whole numbers or come twice in a group, or no group has two rows.
    UnsupportedModelError
        If rows of one AR(1) group are in several levels of a grouping factor.
    """
    n = len(frame)
    levels: tuple[str, ...] = ("",)
    strata = np.zeros(n, dtype=np.int32)
    if structure.by is not None:
        by = code_groups(frame, [name.strip() for name in structure.by.split(":")])
        levels, strata = tuple(map(str, by.levels)), by.codes
        if len(levels) < 2:
            raise DataError(
                f"residual variances by {structure.by}: it has one level", todo="leave by= out, or name another column"
            )
        _check_strata(structure, by)
    before, gaps = np.full(n, -1), np.zeros(n, dtype=np.int64)
    if structure.ar1 is not None:
        group = code_groups(frame, [name.strip() for name in structure.ar1[0].split(":")])
        times = _whole_times(frame[structure.ar1[1]])
        order = np.lexsort((times, group.codes))
        same = np.diff(group.codes[order]) == 0
        before[order[1:][same]] = order[:-1][same]
        gaps[order[1:][same]] = np.diff(times[order])[same]
        _check_pairs(structure, group, times, before, gaps, factors)
    return ResidualRows(structure, levels, strata, before, gaps)


def _check_strata(structure: Residual, by: GroupingFactor) -> None:
    """Refuse levels of one row, as numbers have that are not meant to have levels.

    The mean can pass through a row, whose variance is then best 0: the likelihood has no maximum.
    """
    rows = np.bincount(by.codes, minlength=len(by.levels))
    single = int((rows == 1).sum())
    if single:
        level = by.levels[int(np.argmin(rows))]
        raise DataError(
            f"residual variances by {structure.by}: {single:,} of its {len(by.levels):,} levels have one row, such as"
            f" {level}",
            allowed="levels with two rows or more",
            todo="cut a number into a few classes, join small levels, or give known relative variances as weights=",
        )


def _whole_times(column: pd.Series) -> Positions:
    todo = "number the occasions, or count them in a smaller unit"
    if not pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        raise DataError(
            f"{column.name} is the time of an AR(1) residual, but not a number", allowed="whole numbers", todo=todo
        )
    values = column.to_numpy(dtype=np.float64)
    odd = values[(values != np.round(values)) | (np.abs(values) > 2.0**52)]
    if len(odd):
        raise DataError(
            f"{column.name} is the time of an AR(1) residual, and not whole in {len(odd):,} rows: "
            f"{enumerate_briefly([float(x) for x in odd[:4]])}",
            allowed="whole numbers",
            todo=todo,
        )
    return values.astype(np.int64)


def _check_pairs(
    structure: Residual,
    group: GroupingFactor,
    times: Positions,
    before: Positions,
    gaps: Positions,
    factors: Sequence[GroupingFactor],
) -> None:
    later = np.flatnonzero(before >= 0)
    if not len(later):
        raise DataError(
            f"no level of {group.name} has two rows: an AR(1) correlation cannot be estimated",
            todo="name the column whose levels are followed over time",
        )
    twice = later[gaps[later] == 0]
    if len(twice):
        row = twice[0]
        name = structure.ar1[1] if structure.ar1 is not None else ""
        raise DataError(
            f"{name} = {times[row]} comes more than once in {group.name} = {group.levels[group.codes[row]]} "
            f"({len(twice):,} such rows)",
            allowed="one row per time in each group of an AR(1) residual",
            todo='name a finer group ("a:b" for combinations), or average the rows',
        )
    for factor in factors:
        across = later[factor.codes[later] != factor.codes[before[later]]]
        if len(across):
            level = group.levels[group.codes[across[0]]]
            raise UnsupportedModelError(
                f"AR(1) residuals within {group.name}, but rows of {group.name} = {level} are in several levels of "
                f"{factor.name}",
                allowed=f"a group that lies within one level of {factor.name}",
                todo=f'use ar1=("{group.name}:{factor.name}", ...), or leave out the random effects of {factor.name}',
            )
