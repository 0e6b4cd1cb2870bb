"""Predictions of a linear mixed model: any of its random effects, known and new levels, intervals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import NormalDist
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ...data.columns import FrameLike
from ...errors import DataError, OptionError, enumerate_briefly
from ...options import require_seed
from ..designs.grouping import label_hint
from ..designs.predictor_types import as_floats
from ..designs.rows import count_rows, open_frame, row_values
from ..engine.quadratic_forms import row_variances
from ..inference.ddf import require_level
from ..structure.residual_rows import relative_sd
from ..structure.residual_structure import require_plain
from .row_parts import RowParts, new_rows, own_rows, take
from .term_choice import choose_terms

if TYPE_CHECKING:
    from ..designs.design import Design
    from ..estimates import MixedEstimates
    from ..fit import MixedFit

__all__ = [
    "IntervalKind",
    "NewLevels",
    "drawn_part",
    "known_part",
    "offset_of",
    "predict",
    "refuse_given",
    "refuse_new_levels",
]

Array = NDArray[np.float64]
NewLevels = Literal["error", "population", "draw"]
IntervalKind = Literal["confidence", "prediction"]


def predict(
    fit: MixedFit,
    newdata: FrameLike | None,
    random: str | Iterable[str],
    new_levels: NewLevels,
    interval: IntervalKind | None,
    level: float,
    seed: int | None,
    weights: str | ArrayLike | None,
    offset: ArrayLike | None,
) -> Array | pd.DataFrame:
    """Predict rows; see `MixedFit.predict`."""
    _check(new_levels, interval, level, seed)
    _refuse_ignored(new_levels, interval, level, seed, weights)
    design = fit.design
    terms = choose_terms(design, random)
    if newdata is None:
        refuse_given({"weights": weights, "offset": offset})
        rows, known = own_rows(design), design.offset
    elif not count_rows(newdata):
        return np.zeros(0) if interval is None else _with_limits(np.zeros(0), np.zeros(0), level)
    else:
        rows = new_rows(design, newdata, terms)
        known = offset_of(design, rows, offset)
    if new_levels == "error":
        refuse_new_levels(design, rows)
    values = rows.X @ fit.beta + known_part(fit, fit.state.b, rows, terms)
    values = values if known is None else values + known
    if new_levels == "draw":
        values = values + drawn_part(fit, rows, terms, seed)
    if interval is None:
        return values
    residual = None if interval == "confidence" else _residual_variance(fit, newdata, weights, rows.m)
    found = _with_limits(values, _variances(fit, rows, terms, residual), level)
    return found.set_axis(newdata.index) if isinstance(newdata, pd.DataFrame) else found


def known_part(fit: MixedEstimates, effects: Sequence[Array], rows: RowParts, terms: Iterable[int]) -> Array:
    """Z b of random effects of each factor; a level that the fit does not know has 0."""
    total = np.zeros(rows.m)
    for t in terms:
        f, at = fit.design.terms[t].factor, fit.model.theta_map.places(t)
        b = np.vstack([effects[f][:, at], np.zeros(at.stop - at.start)])  # code -1 takes the last row
        total += rows.times(t, b[rows.codes[f]])
    return total


def drawn_part(fit: MixedEstimates, rows: RowParts, terms: Iterable[int], seed: int | None) -> Array:
    """Z b of new levels, b drawn from its distribution, once for each level."""
    generator, total = np.random.default_rng(seed), np.zeros(rows.m)
    lambdas = fit.model.theta_map.lambdas(fit.theta)
    for f, labels in enumerate(rows.labels):
        if labels is None:
            continue
        new = np.flatnonzero(rows.codes[f] < 0)
        number = labels.iloc[new].groupby(list(labels.columns), sort=False, observed=True, dropna=False).ngroup()
        draws = generator.standard_normal((int(number.max()) + 1, len(lambdas[f]))) @ lambdas[f].T
        b = np.zeros((rows.m, len(lambdas[f])))
        b[new] = fit.sigma * draws[number.to_numpy()]
        for t in (t for t in terms if fit.design.terms[t].factor == f):
            total += rows.times(t, b[:, fit.model.theta_map.places(t)])
    return total


def _variances(fit: MixedFit, rows: RowParts, terms: Iterable[int], residual: Array | float | None) -> Array:
    """Variance of each row's error; NaN where a predictor is missing."""
    complete = np.flatnonzero(np.isfinite(rows.X).all(axis=1))
    variances = np.full(rows.m, np.nan)
    if len(complete):
        chosen = rows if len(complete) == rows.m else take(rows, complete)
        variances[complete] = fit.sigma**2 * row_variances(fit.model, fit.theta, chosen, tuple(terms)).sum(axis=1)
    return variances if residual is None else variances + residual


def _residual_variance(
    fit: MixedFit, newdata: FrameLike | None, weights: str | ArrayLike | None, m: int
) -> Array | float:
    if newdata is None:
        return (fit.sigma * relative_sd(fit.model)) ** 2
    require_plain(fit, "prediction intervals of other rows")
    name, values = row_values("weights", fit.design.weights_column if weights is None else weights)
    if name is not None:
        values = _weights_column(newdata, name)
    if values is None:
        return fit.sigma**2
    if len(values) != m or not (values[~np.isnan(values)] > 0.0).all():
        raise OptionError("weights= does not fit the rows", allowed=f"{m:,} positive numbers, one per row of newdata")
    return fit.sigma**2 / values


def _weights_column(newdata: FrameLike, name: str) -> Array:
    """A column of weights of other rows; NaN where missing."""
    try:
        column = open_frame(newdata, [name])[name]
    except DataError as error:
        todo = f"add {name!r} to newdata, or give weights=, one number per row"
        raise DataError(error.got, allowed=error.allowed, todo=todo) from error
    present = column.notna().to_numpy()
    values = np.full(len(column), np.nan)
    values[present] = as_floats(column[present])
    return values


def _with_limits(values: Array, variances: Array, level: float) -> pd.DataFrame:
    se = np.sqrt(variances)
    half = NormalDist().inv_cdf(0.5 + level / 2.0) * se
    return pd.DataFrame({"fit": values, "se": se, "lower": values - half, "upper": values + half})


def offset_of(design: Design, rows: RowParts, given: ArrayLike | None) -> Array | None:
    """Offsets of other rows: those that have names, and one that came as numbers."""
    if given is None:
        if design.offset is not None and not _named(design):
            raise OptionError(
                "the fit had an offset that was given as numbers",
                allowed="offset=numbers, one per row of newdata",
                todo="give offset=, or fit with the name of a column",
            )
        return rows.offset
    _, values = row_values("offset", given)
    if values is None or len(values) != rows.m:
        raise OptionError("offset= does not fit the rows", allowed=f"{rows.m:,} numbers, one per row of newdata")
    return values if rows.offset is None else rows.offset + values


def _named(design: Design) -> bool:
    """Whether the offsets with names are all there is."""
    return bool(design.offset_columns) and np.allclose(
        design.offset_vector(design.frame), np.zeros(design.n) if design.offset is None else design.offset
    )


def refuse_given(arguments: Mapping[str, object]) -> None:
    """Refuse what belongs to other rows."""
    for name, given in arguments.items():
        if given is not None:
            raise OptionError(f"{name}= without newdata", allowed="the rows of the fit have their own")


def refuse_new_levels(design: Design, rows: RowParts) -> None:
    """Refuse levels that the fit does not know."""
    for factor, labels, codes in zip(design.factors, rows.labels, rows.codes, strict=True):
        if labels is None:
            continue
        new = labels[codes < 0].dropna().drop_duplicates()
        strange = [row[0] if len(row) == 1 else ":".join(map(str, row)) for row in new.to_numpy(dtype=object).tolist()]
        meant = any(str(level) == str(strange[0]) for level in factor.levels)
        raise DataError(
            f"{len(new):,} level{'s' * (len(new) > 1)} of {factor.name} unknown to the fit:"
            f" {enumerate_briefly([*map(repr, strange)])}",
            allowed='levels of the fit, or new_levels="population" (their random effects are 0) or "draw"',
            todo=label_hint(strange[0], factor) if meant else 'choose new_levels=, or random="none"',
        )


def _refuse_ignored(new_levels: str, interval: str | None, level: float, seed: int | None, weights: object) -> None:
    """Refuse what would have no effect."""
    for name, given, needed in (
        ("weights", weights is not None and interval != "prediction", 'interval="prediction"'),
        ("level", level != 0.95 and interval is None, "interval="),
        ("seed", seed is not None and new_levels != "draw", 'new_levels="draw"'),
    ):
        if given:
            raise OptionError(f"{name}= without {needed}", allowed=f"{name}= with {needed}", todo=f"leave {name}= out")


def _check(new_levels: str, interval: str | None, level: float, seed: int | None) -> None:
    if new_levels not in ("error", "population", "draw"):
        raise OptionError(f"new_levels={new_levels!r}", allowed='"error", "population", "draw"')
    if interval not in (None, "confidence", "prediction"):
        raise OptionError(f"interval={interval!r}", allowed='None, "confidence", "prediction"')
    require_level(level)
    if interval is not None and new_levels == "draw":
        raise OptionError(
            f'interval={interval!r} with new_levels="draw"',
            allowed="one of the two",
            todo='new_levels="population": the interval contains the variance of new levels',
        )
    require_seed(seed)
