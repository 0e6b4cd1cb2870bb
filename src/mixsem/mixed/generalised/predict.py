"""Predictions of a generalised mixed model: means or linear predictors, of a typical level, of known ones, on average.

Where random effects are averaged over, z'b is normal with a known variance: one dimension for Gauss-Hermite quadrature,
however many random effects there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from statistics import NormalDist
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ...data.columns import FrameLike
from ...errors import OptionError
from ...options import require_seed
from ..derived.predict import drawn_part, known_part, offset_of, refuse_given, refuse_new_levels
from ..derived.row_parts import RowParts, new_rows, own_rows, take
from ..derived.term_choice import choose_terms
from ..designs.rows import count_rows
from ..inference.ddf import require_level
from .row_errors import effect_slopes, effect_variances, parameter_covariance

if TYPE_CHECKING:
    from .fit import GeneralisedFit
    from .links import Link

__all__ = ["GeneralisedInterval", "GeneralisedNewLevels", "PredictionType", "predict_generalised"]

Array = NDArray[np.float64]
PredictionType = Literal["response", "link"]
GeneralisedNewLevels = Literal["error", "population", "draw", "average"]
GeneralisedInterval = Literal["confidence"]

#: Points of the Gauss-Hermite rule: the mean of a logit at a standard deviation of 5 has eight digits.
POINTS = 61
#: Rows times points that are computed at a time.
BLOCK = 2**20


def predict_generalised(
    fit: GeneralisedFit,
    newdata: FrameLike | None,
    type: PredictionType,
    random: str | Iterable[str],
    new_levels: GeneralisedNewLevels,
    interval: GeneralisedInterval | None,
    level: float,
    seed: int | None,
    offset: ArrayLike | None,
) -> Array | pd.DataFrame:
    """Predict rows; see `GeneralisedFit.predict`."""
    _check(type, new_levels, interval, level, seed, random)
    design, everywhere = fit.design, random == "average"
    terms = choose_terms(design, "none" if everywhere else random)
    if newdata is None:
        refuse_given({"offset": offset})
        rows, known = own_rows(design), design.offset
    elif not count_rows(newdata):
        return np.zeros(0) if interval is None else _frame(np.zeros(0), np.zeros(0), np.zeros(0), np.zeros(0))
    else:
        rows = _averaged_rows(fit, newdata) if everywhere else new_rows(design, newdata, terms)
        known = offset_of(design, rows, offset)
    if new_levels == "error" and not everywhere:
        refuse_new_levels(design, rows)
    eta = rows.X @ fit.beta + known_part(fit, fit.state.b, rows, terms)
    eta = eta if known is None else eta + known
    if new_levels == "draw":
        eta = eta + drawn_part(fit, rows, terms, seed)
    averaged = range(len(design.terms)) if everywhere else terms if new_levels == "average" else ()
    spread = _Spread(fit, rows, averaged, everywhere)
    mean = _mean(fit.family.link, eta, spread.sd) if averaged or type == "response" else None
    values = eta if mean is None else mean.value
    if interval is None:
        return values
    found = _limits(fit, rows, () if everywhere else terms, eta, spread, level, type)
    return found.set_axis(newdata.index) if isinstance(newdata, pd.DataFrame) else found


class _Mean(NamedTuple):
    """Mean of g^-1(eta + sd u) over a standard normal u, and its derivatives by eta and by sd."""

    value: Array
    by_eta: Array
    by_sd: Array


def _mean(link: Link, eta: Array, sd: Array) -> _Mean:
    value, by_eta, by_sd = np.empty_like(eta), np.empty_like(eta), np.zeros_like(eta)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        at = np.flatnonzero(sd == 0.0)
        value[at], by_eta[at] = link.terms(eta[at])[:2]
        at = np.flatnonzero(sd != 0.0)
        nodes, weights = np.polynomial.hermite_e.hermegauss(POINTS)
        weights = weights / weights.sum()
        for begin in range(0, len(at), BLOCK // POINTS):
            part = at[begin : begin + BLOCK // POINTS]
            terms = link.terms(eta[part, None] + sd[part, None] * nodes)
            value[part], by_eta[part] = terms.mu @ weights, terms.first @ weights
            by_sd[part] = terms.first @ (weights * nodes)
    return _Mean(value, by_eta, by_sd)


class _Spread:
    """Standard deviation of what is averaged over in each row, and its derivatives by theta."""

    def __init__(self, fit: GeneralisedFit, rows: RowParts, terms: Sequence[int], everywhere: bool) -> None:
        theta_map = fit.model.theta_map
        variance, slope = np.zeros(rows.m), np.zeros((rows.m, len(fit.theta)))
        for t in terms:
            f, lam = fit.design.terms[t].factor, theta_map.term_lambda(fit.theta, t)
            here = np.ones(rows.m, dtype=bool) if everywhere else rows.codes[f] < 0
            Z = rows.Z[t]
            z = (np.ones((rows.m, 1)) if Z is None else Z) * here[:, None]
            half = z @ lam
            variance += (half**2).sum(axis=1)
            own = np.flatnonzero(theta_map.term == t)
            first = theta_map.first[t]
            slope[:, own] = 2.0 * z[:, theta_map.row[own] - first] * half[:, theta_map.column[own] - first]
        self.sd = np.sqrt(variance)
        self.by_theta = np.divide(slope, 2.0 * self.sd[:, None], out=np.zeros_like(slope), where=self.sd[:, None] > 0.0)


def _averaged_rows(fit: GeneralisedFit, newdata: FrameLike) -> RowParts:
    """Rows with the columns of all random effects, and no levels."""
    rows, Z = new_rows(fit.design, newdata, ()), []
    for term in fit.design.terms:
        made = None if term.Z is None else fit.design.term_matrix(term, newdata)
        if made is not None:
            rows.X[np.isnan(made).any(axis=1)] = np.nan
        Z.append(made)
    return replace(rows, Z=tuple(Z))


def _limits(
    fit: GeneralisedFit,
    rows: RowParts,
    terms: Sequence[int],
    eta: Array,
    spread: _Spread,
    level: float,
    type: PredictionType,
) -> pd.DataFrame:
    """Limits on the scale of the link, taken to that of the response."""
    link, averaged = fit.family.link, spread.sd > 0.0
    mean = _mean(link, eta, spread.sd)
    center = np.where(averaged, link.forward(mean.value), eta)
    per_link = np.abs(link.terms(center).first)
    by_eta = np.where(averaged, mean.by_eta / per_link, 1.0)
    by_sd = np.where(averaged, mean.by_sd / per_link, 0.0)
    variance = np.full(rows.m, np.nan)
    at = np.flatnonzero(np.isfinite(rows.X).all(axis=1))
    if len(at):
        chosen = take(rows, at)
        own = effect_variances(fit, chosen, terms)
        own = own - spread.sd[at] ** 2 if terms else own  # new levels that are averaged over are not unknown
        slopes = _predictor_slopes(fit, chosen, terms) * by_eta[at, None]
        slopes[:, : len(fit.theta)] += spread.by_theta[at] * by_sd[at, None]
        variance[at] = own * by_eta[at] ** 2 + np.einsum("mi,ij,mj->m", slopes, parameter_covariance(fit), slopes)
    se = np.sqrt(variance)
    half = NormalDist().inv_cdf(0.5 + level / 2.0) * se
    if type == "link":
        return _frame(eta, se, eta - half, eta + half)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        ends = np.sort([link.inverse(center - half), link.inverse(center + half)], axis=0)
    return _frame(mean.value, se * per_link, *ends)


def _predictor_slopes(fit: GeneralisedFit, rows: RowParts, terms: Sequence[int]) -> Array:
    """Derivatives of x'beta + z'b by theta, beta and the logarithm of the family's parameter, (m, parameters)."""
    n_theta, p = len(fit.theta), fit.model.p
    slopes = np.zeros((rows.m, n_theta + p + bool(fit.model.family.parameter)))
    if terms:
        for j, effects in enumerate(effect_slopes(fit)):
            slopes[:, j] = known_part(fit, effects, rows, terms)
    slopes[:, n_theta : n_theta + p] += rows.X
    return slopes


def _frame(values: Array, se: Array, lower: Array, upper: Array) -> pd.DataFrame:
    return pd.DataFrame({"fit": values, "se": se, "lower": lower, "upper": upper})


def _check(
    type: str, new_levels: str, interval: str | None, level: float, seed: int | None, random: str | Iterable[str]
) -> None:
    for name, given, known in (
        ("type", type, ("response", "link")),
        ("new_levels", new_levels, ("error", "population", "draw", "average")),
        ("interval", interval, (None, "confidence")),
    ):
        if given not in known:
            todo = "draw new responses with simulate()" if given == "prediction" else ""
            raise OptionError(f"{name}={given!r}", allowed=", ".join(map(repr, known)), todo=todo)
    require_level(level)
    require_seed(seed)
    averaged = isinstance(random, str) and "average" in (random, new_levels)
    for wrong, got, allowed in (
        (type == "link" and averaged, 'type="link" of averages', 'type="response"'),
        (interval and new_levels == "draw", 'an interval with new_levels="draw"', 'new_levels="population"'),
        (level != 0.95 and not interval, "level= without interval=", "level= with interval="),
        (seed is not None and new_levels != "draw", 'seed= without new_levels="draw"', "nothing random elsewhere"),
    ):
        if wrong:
            raise OptionError(got, allowed=allowed, todo="leave one of them out")
