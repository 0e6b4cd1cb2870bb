"""Likelihood-ratio comparison of linear mixed models of the same rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from ...errors import DataError, OptionError
from ..derived.frame_table import FrameTable
from ..fit import MixedFit

__all__ = ["MixedComparison", "compare_mixed"]

#: Length of what is left of a column outside the span of others, relative to its own, below which it lies within.
WITHIN = 1e-7
#: Falls of the deviance smaller than this are the optimiser's stopping rule.
SLACK = 1e-6


@dataclass(frozen=True, eq=False, repr=False)
class MixedComparison(FrameTable):
    """Mixed models in the order of their number of parameters, each compared with the one before.

    Attributes
    ----------
    title, frame, notes
        The table. `frame` has model, n_params, aic, bic, loglik, deviance (-2 log-likelihood, restricted if the fits
        are by REML), chisq, df_diff, p_value.
    fits
        The fits compared, in this order; refitted ones if they had to be.
    """

    fits: tuple[MixedFit, ...]


def compare_mixed(fits: Sequence[MixedFit], names: Sequence[str] = ()) -> MixedComparison:
    """Compare fits by likelihood ratios.

    Restricted likelihoods of models with different fixed parts are not comparable: such fits are refitted by maximum
    likelihood first.

    Parameters
    ----------
    fits
        Two or more fits of the same response in the same rows with the same weights. Offsets and structures of the
        residuals may differ: there is a test where a model is a special case of the next one.
    names
        Their names, ``"model 1"`` and so on by default.

    Raises
    ------
    OptionError
        If there are fewer than two fits, or another number of names.
    DataError
        If rows, responses or weights differ.

    Examples
    --------
    >>> from mixsem.data import sleepstudy
    >>> from mixsem.mixed.linear import lmer
    >>> small = lmer("Reaction ~ Days + (1 | Subject)", sleepstudy())
    >>> large = lmer("Reaction ~ Days + (Days | Subject)", sleepstudy())
    >>> compare_mixed([small, large]).frame[["n_params", "chisq", "df_diff"]].round(3)
       n_params   chisq  df_diff
    0         4     NaN      NaN
    1         6  42.837      2.0
    """
    import pandas as pd

    if len(fits) < 2:
        raise OptionError(f"{len(fits)} fit to compare", allowed="two fits or more")
    if isinstance(names, str) or (names and len(names) != len(fits)):
        raise OptionError(f"names={names!r} for {len(fits)} fits", allowed="one name per fit")
    labels = tuple(names) or tuple(f"model {i + 1}" for i in range(len(fits)))
    for label, fit in zip(labels[1:], fits[1:], strict=True):
        _require_same_data(fits[0], fit, labels[0], label)
    fits, note = _on_one_scale(fits)
    order = sorted(range(len(fits)), key=lambda i: fits[i].n_params)
    records, notes = [_record(labels[order[0]], fits[order[0]])], [note]
    for before, after in pairwise(order):
        record, words = _step(fits[before], fits[after], labels[before], labels[after])
        records.append({**_record(labels[after], fits[after]), **record})
        notes += words
    columns = ["model", "n_params", "aic", "bic", "loglik", "deviance", "chisq", "df_diff", "p_value"]
    frame = pd.DataFrame(records, columns=columns)
    notes += [f"{labels[i]}: {_description(fits[i])}" for i in order]
    return MixedComparison("Comparison of mixed models", frame, tuple(notes), tuple(fits[i] for i in order))


def _record(label: str, fit: MixedFit) -> dict[str, object]:
    return {
        "model": label,
        "n_params": fit.n_params,
        "aic": fit.aic,
        "bic": fit.bic,
        "loglik": fit.loglik,
        "deviance": fit.objective,
    }


def _description(fit: MixedFit) -> str:
    """What tells the model from others: the formula, an offset that came as an argument, the residuals."""
    parts, design = [fit.formula], fit.design
    if design.offset is not None and not design.formula.offsets:
        named = ", ".join(columns.text.removeprefix("0 + ").strip("`") for columns in design.offset_columns)
        parts.append(f"offset {named}" if named else "an offset")
    if fit.specification.residual is not None:
        parts.append(f"residuals: {fit.specification.residual}")
    return "; ".join(parts)


def _require_same_data(first: MixedFit, fit: MixedFit, label: str, other: str) -> None:
    a, b = first.design, fit.design
    what = ""
    if a.n != b.n:
        what = f"{label} has {a.n:,} rows and {other} {b.n:,}"
    elif a.formula.response != b.formula.response or not np.array_equal(a.y, b.y):
        what = f"{label} and {other} have other responses"
    elif not _same(a.weights, b.weights, 1.0):
        what = f"{label} and {other} have other weights"
    if what:
        raise DataError(
            f"the fits are not of the same data: {what}",
            allowed="models of the same rows, response and weights",
            todo="fit both to the rows that are complete in all variables of both",
        )


def _same(a: np.ndarray | None, b: np.ndarray | None, default: float) -> bool:
    if a is None and b is None:
        return True
    left = default if a is None else a
    right = default if b is None else b
    return bool(np.all(np.asarray(left) == np.asarray(right)))


def _on_one_scale(fits: Sequence[MixedFit]) -> tuple[tuple[MixedFit, ...], str]:
    """The fits with comparable likelihoods, and which these are."""
    first = fits[0]
    if not any(fit.reml for fit in fits):
        return tuple(fits), "Fitted by maximum likelihood."
    same_fixed = all(
        set(fit.design.fixed_names) == set(first.design.fixed_names) and _means_within(first, fit) for fit in fits[1:]
    )
    if same_fixed and all(fit.reml for fit in fits):
        return tuple(fits), "Restricted likelihoods (REML): the fixed parts are the same."
    why = "fits by REML and by maximum likelihood" if same_fixed else "the fixed parts differ"
    return tuple(_by_maximum_likelihood(fit) for fit in fits), f"Refitted by maximum likelihood: {why}."


def _by_maximum_likelihood(fit: MixedFit) -> MixedFit:
    if not fit.reml:
        return fit
    from ..linear import fit_model

    return fit_model(replace(fit.specification, reml=False), fit.model, fit.theta)


def _step(small: MixedFit, large: MixedFit, before: str, after: str) -> tuple[dict[str, object], list[str]]:
    """Likelihood ratio of two models, and what to know of it."""
    from scipy.stats import chi2

    df = large.n_params - small.n_params
    if df == 0:
        return {}, [f"{before} and {after} have as many parameters: no test, compare AIC or BIC."]
    if not _means_within(small, large):
        what = "fixed part" if np.array_equal(_offset(small), _offset(large)) else "fixed part, with the offset,"
        return {}, [f"The {what} of {before} is not within that of {after}: no test, compare AIC or BIC."]
    if not _residuals_within(small, large):
        return {}, [f"The residuals of {before} are no special case of those of {after}: no test, compare AIC or BIC."]
    chisq = small.objective - large.objective
    if chisq < -SLACK:
        text = (
            f"{after} fits worse than {before}, which has fewer parameters (chi-square {chisq:,.3f}): they are not"
            " nested, or one is not at its optimum. No test."
        )
        return {}, [text]
    notes = []
    if large.model.theta_map.is_diagonal.sum() > small.model.theta_map.is_diagonal.sum():  # not for correlations
        notes.append(f"{after} against {before} tests variances at their bound: the p-value is too large.")
    chisq = max(chisq, 0.0)
    return {"chisq": chisq, "df_diff": df, "p_value": float(chi2.sf(chisq, df))}, notes


def _offset(fit: MixedFit) -> np.ndarray:
    return np.zeros(fit.nobs) if fit.design.offset is None else fit.design.offset


def _means_within(small: MixedFit, large: MixedFit) -> bool:
    """Whether the large model has every mean that the small one has: offset + X beta."""
    difference = (_offset(small) - _offset(large))[:, None]
    return _spans(large.design.X, small.design.X) and (
        not difference.any() or _spans(large.design.X, difference)  # without a column there is nothing to span
    )


def _residuals_within(small: MixedFit, large: MixedFit) -> bool:
    """Whether the structure of the residuals of the large model allows that of the small one."""
    if small.model.structured is None:
        return True
    if large.model.structured is None:
        return False
    one, other = small.model.structured.rows, large.model.structured.rows
    finest = len(np.unique(np.stack([one.strata, other.strata]), axis=1).T)
    if finest > len(other.levels):  # a level of the large model has rows of several levels of the small one
        return False
    same_order = np.array_equal(one.before, other.before) and np.array_equal(one.gaps, other.gaps)
    return one.structure.ar1 is None or (other.structure.ar1 is not None and same_order)


def _spans(large: np.ndarray, small: np.ndarray) -> bool:
    """Whether all columns of the small matrix are linear functions of those of the large one."""
    if small.shape == large.shape and np.array_equal(small, large):
        return True
    left = small - large @ np.linalg.lstsq(large, small, rcond=None)[0]
    return bool((np.linalg.norm(left, axis=0) <= WITHIN * np.linalg.norm(small, axis=0)).all())
