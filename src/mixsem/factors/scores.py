"""Factor scores of people: posterior means and standard deviations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from ..data.columns import FrameLike, open_columns, to_floats
from ..data.grouped import GroupedData
from ..data.labels import code_labels
from ..data.moments import SampleMoments
from ..errors import DataError, OptionError, UnsupportedModelError, did_you_mean, enumerate_briefly

if TYPE_CHECKING:
    from ..measurement.bayes_fit import BayesianFit

__all__ = ["factor_scores"]

Array = NDArray[np.float64]


def factor_scores(step1: BayesianFit, data: FrameLike, group: str | None = None) -> Any:
    """Posterior mean and standard deviation of every person's factors.

    With x the items' deviations from the group's means, A the factor-score weights and V the scores' error
    covariances in a draw, a score has the posterior mean mean(A) x and the posterior variance
    mean(V) + x' cov(A) x: averages over all draws, no score is sampled. Scores are deviations from the group's mean;
    how uncertain that mean is does not count.

    Over the people of a group, the variance of the means (divisor n - 1) plus the mean of the squared SDs is the
    factor's variance in `factor_moments` (equation 8). Regressions need that correction: scores are not a substitute
    for factors.

    Parameters
    ----------
    step1
        A fitted `MLCFA` or `MGBCFA`.
    data
        One row per person: the data of the fit, or other people of its groups.
    group
        Column that names the group of each person; None for that of the fit.

    Returns
    -------
    DataFrame
        Of the kind of `data` (lazy tables come back collected, a mapping as pandas), rows in its order: the column
        of the group, then ``F`` and ``F_sd`` for every factor F. Rows with a missing item or group have missing
        scores.

    Raises
    ------
    UnsupportedModelError
        If `step1` is not a Bayesian fit.
    DataError
        If an item or the group is no column, a group is not one of the fit, or the fit knows no means.
    OptionError
        If no column of the group is known, or two columns of the result would have one name.

    Examples
    --------
    >>> import mixsem as mx
    >>> survey = mx.data.simulated_survey()
    >>> trust = "trust =~ trust1 + trust2 + trust3 + trust4 + trust5"
    >>> model = mx.MGBCFA(trust, method="laplace", sampling=mx.Sampling(draws=100))
    >>> scores = mx.factor_scores(model.fit(survey, "country", seed=1), survey)
    >>> list(scores.columns), len(scores) == len(survey)
    (['country', 'trust', 'trust_sd'], True)
    """
    from ..measurement.bayes_fit import BayesianFit

    if not isinstance(step1, BayesianFit):
        raise UnsupportedModelError(
            f"factor_scores() got {type(step1).__name__}",
            allowed="a BayesianFit",
            todo="fit the measurement model with MLCFA or MGBCFA; factor_moments() needs no scores",
        )
    column = _group_column(step1, data, group)
    wanted = step1.items if column is None else (*step1.items, column)
    frame = open_columns(data, wanted)
    x = to_floats(frame, step1.items)
    codes = np.zeros(len(x), dtype=np.int64) if column is None else _codes(frame[column], step1.groups, x)
    means, sds = _scores(step1, x, codes)
    found = frame.select(step1.items[0] if column is None else column)
    series = [
        nw.new_series(name, _with_nulls(values[:, q]), nw.Float64, backend=frame.implementation)
        for q, factor in enumerate(step1.factors)
        for name, values in ((factor, means), (f"{factor}_sd", sds))
    ]
    names = [s.name for s in series]
    _require_different([*names, *([] if column is None else [column])])
    scored = found.with_columns(*series)
    return scored.select(*names).to_native() if column is None else scored.to_native()


def _group_column(step1: BayesianFit, data: object, group: str | None) -> str | None:
    """Name of the grouping column; None if the fit has a single group."""
    if isinstance(data, SampleMoments | GroupedData):
        raise DataError(
            f"factor_scores() got {type(data).__name__}",
            allowed="a table with one row per person",
            todo="give the table itself; moments do not hold people",
        )
    if not step1.moments.has_means:
        raise DataError(
            "the model was fitted to covariance matrices without means, from which scores are deviations",
            todo="fit it to the table, or give the groups' means with the covariances",
        )
    column = step1.moments.group if group is None else group
    if column is None and len(step1.groups) > 1:
        raise OptionError("no column of the group is known", allowed="the name of a column", todo="name it with group=")
    return None if len(step1.groups) == 1 and step1.moments.group is None else column


def _with_nulls(values: Array) -> list[float | None]:
    """Numbers as Python has them, None where there is none: every dataframe library reads that alike."""
    return [None if missing else value for value, missing in zip(values.tolist(), np.isnan(values), strict=True)]


def _codes(column: nw.Series[Any], groups: Sequence[Hashable], x: Array) -> NDArray[np.int64]:
    """Position of each row's group in the fit, or -1 where it is missing."""
    labels, codes = code_labels(column)
    where = {label: g for g, label in enumerate(groups)}
    complete = np.flatnonzero(~np.isnan(x).any(axis=1))
    answered = set(codes[complete].tolist())
    # A group without any complete row was in no fit, and has no scores to be missed.
    unknown = [label for k, label in enumerate(labels) if label not in where and k in answered]
    if unknown:
        raise DataError(
            f"the fit has no group {enumerate_briefly(unknown)}",
            allowed=enumerate_briefly(groups),
            todo=did_you_mean(str(unknown[0]), [str(g) for g in groups]) or "leave these rows out",
        )
    position = np.array([*(where.get(label, -1) for label in labels), -1], dtype=np.int64)
    return position[codes]  # a missing label has code -1, the last entry


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


def _require_different(names: Sequence[str]) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise OptionError(
            f"two columns of the scores would be named {enumerate_briefly(twice)}",
            allowed="names of the group and of factors F that differ from all F and F_sd",
            todo="rename the factor, or the column of the group",
        )
