"""Factor scores of people: from a structural equation model, or posterior means and standard deviations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..data.columns import FrameLike
from ..data.grouped import GroupedData
from ..data.moments import SampleMoments
from ..equations.fit import SEMFit
from ..equations.scores import SCORE_METHODS, score_rows
from ..errors import DataError, OptionError, UnsupportedModelError
from .score_frames import group_column, read_rows

if TYPE_CHECKING:
    from ..measurement.bayes_fit import BayesianFit

__all__ = ["factor_scores"]

Array = NDArray[np.float64]


def factor_scores(
    fit: SEMFit | BayesianFit,
    data: FrameLike | None = None,
    group: str | None = None,
    *,
    method: str | None = None,
    standard_errors: bool = False,
) -> Any:
    """Estimate every person's factors.

    From a structural equation model, ``method="regression"`` gives the posterior mean given the answers, which is
    closest to the factor on average but drawn towards the mean; ``"bartlett"`` weighs the items so that the score is
    unbiased for each person, at the price of more error. With full information (``missing="ml"``) each row is scored
    from what was answered. A factor that only other factors measure has no Bartlett score.

    From a Bayesian measurement model, scores are posterior means with posterior standard deviations. With x the items'
    deviations from the group's means, A the factor-score weights and V the scores' error covariances in a draw, a score
    has the posterior mean mean(A) x and the posterior variance mean(V) + x' cov(A) x: averages over all draws, no
    score is sampled. Scores are deviations from the group's mean; how uncertain that mean is does not count. Over the
    people of a group, the variance of the means (divisor n - 1) plus the mean of the squared SDs is the factor's
    variance in `factor_moments` (equation 8).

    Regressions need such a correction: scores are not a substitute for factors.

    Parameters
    ----------
    fit
        A fit of `cfa`, `sem` or `growth`, or a fitted `MLCFA` or `MGBCFA`.
    data
        One row per person: the data of the fit, or other people of its groups. With a structural equation model None
        means the rows of the fit.
    group
        Column that names the group of each person; None for that of the fit.
    method
        ``"regression"`` (None means this) or ``"bartlett"``, for structural equation models.
    standard_errors
        Add the standard error of each score, given the model, to those of a structural equation model.

    Returns
    -------
    DataFrame
        Of the kind of `data` (lazy tables come back collected, a mapping as pandas), rows in its order: the column of
        the group, then ``F`` for every factor F, followed by ``F_sd`` (Bayesian) or ``F_se``. Rows with a missing item
        or group have missing scores. Without `data`, a pandas frame of the rows used, in the order of the table that
        was read: with its index if that was a pandas table, else with an index ``row``, their position in it.

    Raises
    ------
    UnsupportedModelError
        If `fit` is no such fit.
    DataError
        If an item or the group is no column, a group is not one of the fit, or the fit knows no means or rows.
    OptionError
        If no column of the group is known, or two columns of the result would have one name.

    Examples
    --------
    >>> import mixsem as mx
    >>> fit = mx.cfa("visual =~ x1 + x2 + x3; speed =~ x7 + x8 + x9", mx.data.holzinger_swineford_1939())
    >>> mx.factor_scores(fit).round(3).head(2)
       visual  speed
    0  -0.701  0.053
    1   0.111  0.635

    >>> survey = mx.data.simulated_survey()
    >>> trust = "trust =~ trust1 + trust2 + trust3 + trust4 + trust5"
    >>> model = mx.MGBCFA(trust, method="laplace", sampling=mx.Sampling(draws=100))
    >>> scores = mx.factor_scores(model.fit(survey, "country", seed=1), survey)
    >>> list(scores.columns), len(scores) == len(survey)
    (['country', 'trust', 'trust_sd'], True)
    """
    from ..measurement.bayes_fit import BayesianFit

    if isinstance(fit, SEMFit):
        return _sem_scores(fit, data, group, method or "regression", standard_errors)
    if not isinstance(fit, BayesianFit):
        raise UnsupportedModelError(
            f"factor_scores() got {type(fit).__name__}",
            allowed="a BayesianFit, or a fit of cfa(), sem() or growth()",
            todo="fit the measurement model with MLCFA, MGBCFA or cfa(); factor_moments() needs no scores",
        )
    if method is not None or standard_errors:
        raise OptionError(
            "method= or standard_errors= with a BayesianFit",
            allowed="posterior means and standard deviations, without further options",
        )
    if data is None:
        raise DataError("no data", allowed="a table with one row per person", todo="give the table of the fit")
    return _bayesian_scores(fit, data, group)


def _bayesian_scores(step1: BayesianFit, data: FrameLike, group: str | None) -> Any:
    if not isinstance(data, SampleMoments | GroupedData) and not step1.moments.has_means:
        raise DataError(
            "the model was fitted to covariance matrices without means, from which scores are deviations",
            todo="fit it to the table, or give the groups' means with the covariances",
        )
    column = None
    if not isinstance(data, SampleMoments | GroupedData):
        column = group_column(step1.moments.group, len(step1.groups), group)
    rows = read_rows(data, step1.items, step1.groups, column)
    means, sds = _scores(step1, rows.values, rows.codes)
    columns = {}
    for q, factor in enumerate(step1.factors):
        columns[factor], columns[f"{factor}_sd"] = means[:, q], sds[:, q]
    return rows.with_scores(_all_named(step1.factors, "_sd", columns))


def _all_named(factors: tuple[str, ...], suffix: str, columns: dict[str, Array]) -> dict[str, Array]:
    """Refuse factors of which one is named as the standard deviation of another."""
    if len(columns) < 2 * len(factors):
        twice = next(name for name in factors if f"{name}{suffix}" in factors)
        raise OptionError(
            f"two columns of the scores would be named {twice}{suffix}",
            allowed="names of the group and of factors F that differ from all F and F_sd",
            todo="rename the factor, or the column of the group",
        )
    return columns


def _sem_scores(fit: SEMFit, data: FrameLike | None, group: str | None, method: str, standard_errors: bool) -> Any:
    if method not in SCORE_METHODS:
        raise OptionError(f"method={method!r}", allowed=" or ".join(map(repr, SCORE_METHODS)))
    if not fit.factors:
        raise OptionError(
            "factor_scores() of a model without factors",
            allowed="models with factors, measured by =~",
            todo="observed variables are their own scores",
        )
    if fit.data.ordinal is not None:
        raise UnsupportedModelError(
            "factor scores of ordered items",
            allowed="continuous items",
            todo="treat the items as continuous for scores",
        )
    if data is None:
        return _own_rows(fit, method, standard_errors)
    if not fit.data.moments.has_means:
        raise DataError(
            "the model was fitted to covariance matrices without means, from which scores are deviations",
            todo="fit it to the table, or give the means with the covariances",
        )
    column = None
    if not isinstance(data, SampleMoments | GroupedData):
        column = group_column(fit.data.moments.group, len(fit.groups), group)
    rows = read_rows(data, fit.observed, fit.groups, column, partial=fit.data.patterns is not None)
    return rows.with_scores(_columns(fit, rows.values, rows.codes, method, standard_errors))


def _columns(
    fit: SEMFit, values: Array, codes: NDArray[np.int64], method: str, standard_errors: bool
) -> dict[str, Array]:
    scores, errors = score_rows(fit, values, codes, method)
    columns: dict[str, Array] = {}
    for q, factor in enumerate(fit.factors):
        columns[factor] = scores[:, q]
        if standard_errors:
            columns[f"{factor}_se"] = errors[:, q]
    return _all_named(fit.factors, "_se", columns) if standard_errors else columns


def _own_rows(fit: SEMFit, method: str, standard_errors: bool) -> Any:
    """Scores of the rows that the model was fitted to, in the order of the table they come from."""
    import pandas as pd

    values, codes, rows = fit.data.values, fit.data.codes, fit.data.rows
    if values is None or codes is None:
        raise DataError(
            "the model was fitted to moments, which hold no people",
            allowed="a fit to a table, or data=",
            todo="give the table: factor_scores(fit, data)",
        )
    frame = pd.DataFrame(_columns(fit, values, codes, method, standard_errors))
    if fit.data.moments.group is not None:
        frame.insert(0, fit.data.moments.group, [fit.groups[g] for g in codes])
    if rows is None:
        return frame
    order = np.argsort(rows)
    frame = frame.iloc[order]
    frame.index = pd.Index(rows[order], name="row") if fit.data.index is None else fit.data.index[rows[order]]
    return frame


def _scores(step1: BayesianFit, x: Array, codes: NDArray[np.int64]) -> tuple[Array, Array]:
    """Posterior means and SDs, each of shape (n, Q); NaN where a row is incomplete."""
    moments = step1.moments.select(step1.items)
    means, sds = np.full((len(x), len(step1.factors)), np.nan), np.full((len(x), len(step1.factors)), np.nan)
    usable = np.flatnonzero(~np.isnan(x).any(axis=1))
    by_group = usable[np.argsort(codes[usable], kind="stable")]
    # Rows without a group have code -1 and come before the first group's.
    ends = np.searchsorted(codes[by_group], np.arange(len(step1.groups) + 1))
    for block in step1.blocks:
        q = np.array([step1.factors.index(name) for name in block.factors])
        i = np.array([step1.items.index(name) for name in block.items])
        for g in range(len(step1.groups)):
            rows = by_group[ends[g] : ends[g + 1]]
            deviation = x[rows[:, None], i] - moments.means[g, i]
            means[rows[:, None], q] = deviation @ block.scores.mean_A[g].T
            for at, factor in enumerate(q):
                spread = block.scores.cov_A[g, at, :, at, :]
                uncertain = ((deviation @ spread) * deviation).sum(axis=1)
                sds[rows, factor] = np.sqrt(block.scores.mean_V[g, at, at] + np.maximum(uncertain, 0.0))
    return means, sds
