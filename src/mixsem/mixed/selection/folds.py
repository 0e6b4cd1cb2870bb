"""Folds of rows or clusters, a fit without a fold, and how well it predicts that fold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError, OptionError
from ..derived.row_parts import RowParts
from ..designs.design import Design
from ..designs.grouping import GroupingFactor
from ..engine.model import compile_model
from ..engine.quadratic_forms import row_variances
from ..fit import MixedFit
from ..linear import fit_model

__all__ = ["Split", "choose_split", "held_out"]

Array = NDArray[np.float64]
Positions = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Split:
    """How rows are divided.

    Attributes
    ----------
    unit
        (n,) what is held out together: the cluster of each row, or the row itself.
    fold
        (n,) the fold of each row.
    factor
        Name of the grouping factor whose levels are held out; None for rows.
    n_folds
        Number of folds.
    """

    unit: Positions
    fold: Positions
    factor: str | None
    n_folds: int


def choose_split(design: Design, by: str, folds: int, seed: int | None) -> Split:
    """Divide rows, or the levels of a grouping factor, at random into folds of nearly equal size.

    Raises
    ------
    OptionError
        If it is not clear which factor's levels are meant, or there are more folds than units.
    """
    names = [factor.name for factor in design.factors]
    if by == "row":
        unit, factor = np.arange(design.n), None
    else:
        chosen = _coarsest(design.factors) if by == "cluster" else by
        if chosen not in names:
            what = "the factors are crossed: say whose levels are held out" if by == "cluster" else ""
            raise OptionError(f"by={by!r}" + (f": {what}" if what else ""), allowed=", ".join(["'row'", *names]))
        factor = chosen
        unit = design.factors[names.index(chosen)].codes.astype(np.int64)
    n_units = int(unit.max()) + 1
    if not 2 <= folds <= n_units:
        raise OptionError(f"folds={folds}", allowed=f"2 to {n_units:,}, the number of {factor or 'rows'}")
    fold = np.empty(n_units, dtype=np.int64)
    fold[np.random.default_rng(seed).permutation(n_units)] = np.arange(n_units) % folds
    return Split(unit, fold[unit], factor, folds)


def _coarsest(factors: Sequence[GroupingFactor]) -> str | None:
    """The factor that all others are nested in; None if there is none."""
    last = factors[-1]
    for factor in factors[:-1]:
        pairs = len(np.unique(factor.codes.astype(np.int64) * last.n_levels + last.codes))
        if pairs > factor.n_levels:
            return None
    return last.name


def held_out(fit: MixedFit, split: Split, fold: int) -> tuple[Positions, Array, Array]:
    """Fit without a fold and predict it: its units, their log predictive densities, their sums of squared errors.

    Of a cluster the density is the joint one of its rows.
    """
    out = split.fold == fold
    train, test, design = np.flatnonzero(~out), np.flatnonzero(out), fit.design
    small = fit_model(fit.specification, compile_model(_rows_of(design, train)), fit.theta)
    rows = _left_out(design, small, test)
    error = design.y[test] - _mean(small, rows)
    units, place = np.unique(split.unit[test], return_inverse=True)
    squares: Array = np.bincount(place, error**2, minlength=len(units)).astype(np.float64)
    weights = np.ones(len(test)) if design.weights is None else design.weights[test]
    if split.factor is None:
        spread = row_variances(small.model, small.theta, rows, range(len(design.terms))).sum(axis=1)
        variance = small.sigma**2 * (spread + 1.0 / weights)
        return units, -0.5 * (np.log(2.0 * np.pi * variance) + error**2 / variance), squares
    known = any((codes >= 0).any() for codes in rows.codes)
    logs = np.empty(len(units))
    for i in range(len(units)):
        at = np.flatnonzero(place == i)
        if known:
            logs[i] = _beside_known_levels(design, small, train, test[at])
        else:
            logs[i] = _of_new_levels(design, small, test[at], error[at], weights[at])
    return units, logs, squares


def _left_out(design: Design, small: MixedFit, test: Positions) -> RowParts:
    """Rows that were left out, as the fit without them sees them."""
    codes = tuple(
        _positions(factor, kept)[factor.codes[test]]
        for factor, kept in zip(design.factors, small.design.factors, strict=True)
    )
    return RowParts(
        X=design.X[test],
        Z=tuple(None if term.Z is None else term.Z[test] for term in design.terms),
        codes=codes,
        labels=(None,) * len(codes),
        offset=None if design.offset is None else design.offset[test],
    )


def _mean(small: MixedFit, rows: RowParts) -> Array:
    """Predicted means; random effects of levels that were left out are 0."""
    mean = rows.X @ small.beta + (0.0 if rows.offset is None else rows.offset)
    for t, term in enumerate(small.design.terms):
        b = small.state.b[term.factor][:, small.model.theta_map.places(t)]
        known = np.concatenate([b, np.zeros((1, b.shape[1]))])  # code -1 is the last row
        mean = mean + rows.times(t, known[rows.codes[term.factor]])
    return np.asarray(mean)


def _of_new_levels(design: Design, small: MixedFit, at: Positions, error: Array, weights: Array) -> float:
    """Joint log density of rows all of whose levels are new: normal, with the covariance that the fit implies."""
    covariance = np.diag(1.0 / weights) + design.X[at] @ small.state.unscaled_vcov @ design.X[at].T
    for t, term in enumerate(design.terms):
        relative = small.model.theta_map.term_lambda(small.theta, t)
        half = np.tile(relative[0], (len(at), 1)) if term.Z is None else term.Z[at] @ relative
        codes = design.factors[term.factor].codes[at]
        covariance += (half @ half.T) * (codes[:, None] == codes)
    root = np.linalg.cholesky(small.sigma**2 * covariance)
    scaled = np.linalg.solve(root, error)
    logs = np.log(np.diagonal(root)).sum()
    return float(-0.5 * len(at) * np.log(2.0 * np.pi) - logs - 0.5 * (scaled @ scaled))


def _beside_known_levels(design: Design, small: MixedFit, train: Positions, at: Positions) -> float:
    """The same where some levels are known: what the rows add to the restricted log-likelihood, theta and sigma known.

    A restricted likelihood is the density with the fixed effects integrated out, so that the difference of two is the
    density of the additional rows given the others.
    """
    wider = compile_model(_rows_of(design, np.sort(np.concatenate([train, at]))))
    before = small.model.criterion(small.theta, True, small.sigma)
    return -0.5 * (wider.criterion(small.theta, True, small.sigma) - before)


def _rows_of(design: Design, at: Positions) -> Design:
    """The design of some of the rows; columns stay as they are."""
    X = design.X[at]
    if np.linalg.matrix_rank(X) < design.p:
        raise DataError(
            "without the rows of a fold the fixed effects are not determined: a category or a combination is rare",
            todo="use more folds, join rare categories, or leave the predictor out",
        )
    return replace(
        design,
        y=design.y[at],
        X=X,
        factors=tuple(_factor_of(factor, at) for factor in design.factors),
        terms=tuple(replace(term, Z=None if term.Z is None else term.Z[at]) for term in design.terms),
        weights=None if design.weights is None else design.weights[at],
        offset=None if design.offset is None else design.offset[at],
        frame=design.frame.iloc[at],
        rows=None,
        n_rows=len(at),
    )


def _factor_of(factor: GroupingFactor, at: Positions) -> GroupingFactor:
    used, codes = np.unique(factor.codes[at], return_inverse=True)
    return replace(
        factor,
        levels=tuple(factor.levels[i] for i in used),
        codes=codes.astype(np.int32).reshape(-1),
        parts=tuple(factor.parts[i] for i in used) if factor.parts else (),
    )


def _positions(factor: GroupingFactor, kept: GroupingFactor) -> NDArray[np.int32]:
    """Position of each level among those that are left, -1 for the others."""
    place = {level: i for i, level in enumerate(kept.levels)}
    return np.array([place.get(level, -1) for level in factor.levels], dtype=np.int32)
