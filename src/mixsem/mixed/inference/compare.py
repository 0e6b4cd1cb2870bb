"""Likelihood-ratio comparison of mixed models of the same rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from ...options import require_seed, require_whole
from ..derived.frame_table import FrameTable
from ..fit import MixedFit
from ..judgement.singular import is_singular
from ..penalties.penalised import refuse_penalised
from ..selection.comparable import (
    describe,
    labels_of,
    means_within,
    on_one_scale,
    require_mixed,
    require_same_data,
    residuals_within,
    same_links,
    same_offsets,
    same_random_terms,
)
from ..selection.random_nesting import RandomChange, mixture_p_value, mixture_text, random_change

__all__ = ["MixedComparison", "compare", "compare_mixed"]

#: Falls of the deviance smaller than this are the optimiser's stopping rule.
SLACK = 1e-6
COLUMNS = ["model", "n_params", "aic", "bic", "loglik", "deviance", "chisq", "df_diff", "p_value", "p_boundary"]


@dataclass(frozen=True, eq=False, repr=False)
class MixedComparison(FrameTable):
    """Mixed models in the order of their number of parameters, each compared with the one before.

    Attributes
    ----------
    title, frame, notes
        The table. `frame` has model, n_params, aic, bic, loglik, deviance (-2 log-likelihood, restricted if the fits
        are by REML), chisq, df_diff, p_value (chi-square), p_boundary (where variances are tested: the mixture of
        chi-squares that allows for their bound) and, if asked for, p_simulated.
    fits
        The fits compared, in this order; refitted ones if they had to be.
    """

    fits: tuple[MixedFit, ...]


def compare(
    *fits: MixedFit, names: Sequence[str] = (), simulate: int | None = None, seed: int | None = 0
) -> MixedComparison:
    """Compare mixed models by likelihood ratios, with the rules of REML and ML kept and told.

    Fits by REML stay as they are where the fixed parts are the same, columns and scaling; where these differ, all are
    refitted by maximum likelihood, as restricted likelihoods would be of other data. Models are sorted by their number
    of parameters, and each is tested against the one before if that is a special case of it.

    Parameters
    ----------
    *fits
        Two or more fits of the same response in the same rows with the same weights; generalised ones of the same
        family with the same ``n_agq``.
    names
        Their names, ``"model 1"`` and so on by default.
    simulate
        Number of data sets drawn from the smaller model of each pair, to which both are fitted: p_simulated needs no
        asymptotics. None for none.
    seed
        Makes the draws repeatable.

    Returns
    -------
    MixedComparison
        Prints as a table, with what was done below it.

    Raises
    ------
    OptionError
        If there are fewer than two fits, other things than fits, or another number of names.
    DataError
        If rows, responses, weights, or families differ.
    ModelError
        If likelihood ratios cannot be simulated for these models.

    Notes
    -----
    A variance cannot be below 0, so that the chi-square with all parameters as degrees of freedom is too careful where
    variances are tested. For one new variance with k covariances p_boundary is from 1/2 chi-square(k) +
    1/2 chi-square(k + 1); for several variances without covariances among them from binomial weights, which holds if
    their estimates are independent, and is an approximation otherwise. With two new correlated effects or more the
    weights depend on the data: there `simulate` is the way. For one variance alone see `variance_test`.

    Examples
    --------
    >>> from mixsem.data import sleepstudy
    >>> from mixsem.mixed.linear import lmer
    >>> small = lmer("Reaction ~ Days + (1 | Subject)", sleepstudy())
    >>> large = lmer("Reaction ~ Days + (Days | Subject)", sleepstudy())
    >>> row = compare(small, large).frame.iloc[1]
    >>> round(float(row["chisq"]), 2), f"{row['p_value']:.1e}", f"{row['p_boundary']:.1e}"
    (42.84, '5.0e-10', '2.8e-10')

    References
    ----------
    Stram & Lee (1994), Variance components testing in the longitudinal mixed effects model, Biometrics 50, 1171-1177.
    Self & Liang (1987), Journal of the American Statistical Association 82, 605-610.
    """
    for fit in fits:
        require_mixed(fit, "compare")
    return compare_mixed(fits, names, simulate, seed)


def compare_mixed(
    fits: Sequence[MixedFit], names: Sequence[str] = (), simulate: int | None = None, seed: int | None = 0
) -> MixedComparison:
    """Compare a sequence of fits; see `compare`.

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
    for fit in fits:
        refuse_penalised(fit, "a likelihood comparison")
    labels = labels_of(fits, names)
    require_whole("simulate", simulate or 0, 0)
    require_seed(seed)
    require_same_data(fits, labels)
    fits, note = on_one_scale(fits)
    order = sorted(range(len(fits)), key=lambda i: fits[i].n_params)
    pairs = _Pairs(simulate or 0, seed)
    records, told = [_record(labels[order[0]], fits[order[0]])], [note]
    for before, after in pairwise(order):
        record, words = pairs.step(fits[before], fits[after], labels[before], labels[after])
        records.append({**_record(labels[after], fits[after]), **record})
        told += words
    frame = pd.DataFrame(records, columns=COLUMNS + ["p_simulated"] * bool(simulate))
    told.append(_count(fits))
    told += [f"{labels[i]}: {describe(fits[i])}" for i in order]
    return MixedComparison("Comparison of mixed models", frame, tuple(told), tuple(fits[i] for i in order))


def _record(label: str, fit: MixedFit) -> dict[str, object]:
    return {
        "model": label,
        "n_params": fit.n_params,
        "aic": fit.aic,
        "bic": fit.bic,
        "loglik": fit.loglik,
        "deviance": fit.objective,
    }


def _count(fits: Sequence[MixedFit]) -> str:
    """How parameters were counted."""
    parts = ["fixed effects", "variances and covariances of random effects"]
    if all(getattr(fit, "family", None) is None for fit in fits):
        parts.append("the residual variance")
    elif any(getattr(fit.family, "dispersion", None) is not None for fit in fits):  # type: ignore[attr-defined]
        parts.append("the dispersion of the family")
    if any(getattr(fit, "residual", None) is not None for fit in fits):
        parts.append("parameters of the residual structure")
    return f"Parameters are {', '.join(parts[:-1])} and {parts[-1]}; random effects themselves are not counted."


@dataclass(frozen=True)
class _Pairs:
    """Tests of pairs of fits."""

    simulate: int
    seed: int | None

    def step(self, small: MixedFit, large: MixedFit, before: str, after: str) -> tuple[dict[str, object], list[str]]:
        """Likelihood ratio of two models, and what to know of it."""
        from scipy.stats import chi2

        df = large.n_params - small.n_params
        chisq = small.objective - large.objective
        why, change = _why_no_test(small, large, before, after, df, chisq)
        if why:
            return {}, [why]
        chisq = max(chisq, 0.0)
        record: dict[str, object] = {"chisq": chisq, "df_diff": df, "p_value": float(chi2.sf(chisq, df))}
        notes = []
        if not (means_within(large, small) or same_random_terms(small, large)):
            notes.append(
                f"{after} and {before} differ in the fixed and in the random part: the test answers two questions at"
                " once, and cannot say which part made the difference. Compare in two steps to tell."
            )
        if change.variances:
            if change.closed:
                record["p_boundary"] = mixture_p_value(chisq, df, change.variances)
            notes.append(_boundary_note(small, change, df, before, after))
        if self.simulate:
            from ..selection.null_distribution import simulated_p_value, simulated_ratios

            ratios = simulated_ratios(small, large, self.simulate, self.seed)
            record["p_simulated"] = simulated_p_value(ratios, chisq)
            notes.append(
                f"p_simulated: {self.simulate:,} data sets drawn from {before}, both models fitted to each;"
                f" {np.mean(ratios < SLACK):.0%} of the ratios were 0."
            )
        return record, notes


def _why_no_test(
    small: MixedFit, large: MixedFit, before: str, after: str, df: int, chisq: float
) -> tuple[str, RandomChange]:
    """Why there is no test, if there is none; and what the random part of the larger model adds."""
    none = RandomChange(False)
    if df == 0:
        return f"{before} and {after} have as many parameters: no test, compare AIC or BIC.", none
    if not same_links(small, large):
        return f"{before} and {after} have other links: no test, compare AIC or BIC.", none
    if not means_within(small, large):
        what = "fixed part" if same_offsets(small, large) else "fixed part, with the offset,"
        return f"The {what} of {before} is not within that of {after}: no test, compare AIC or BIC.", none
    if not residuals_within(small, large):
        text = f"The residuals of {before} are no special case of those of {after}: no test, compare AIC or BIC."
        return text, none
    if chisq < -SLACK:
        text = (
            f"{after} fits worse than {before}, which has fewer parameters (chi-square {chisq:,.3f}): they are not"
            " nested, or one is not at its optimum. No test."
        )
        return text, none
    change = random_change(small, large)
    if not change.nested:
        return f"The random part of {before} is not within that of {after}: no test, compare AIC or BIC.", change
    return "", change


def _boundary_note(small: MixedFit, change: RandomChange, df: int, before: str, after: str) -> str:
    """What p_boundary rests on."""
    k = change.variances
    text = f"{after} against {before} tests {'a variance' if k == 1 else f'{k} variances'} at"
    text += f" {'its' if k == 1 else 'their'} bound of 0: the p-value is too large."
    if not change.closed:
        text += " The mixture for several new correlated effects depends on the data: simulate= gives a p-value."
        return text
    text += f" p_boundary: {mixture_text(df, k)}"
    text += ", an approximation, exact if the variances' estimates are independent." if k > 1 else "."
    if getattr(small, "family", None) is None and is_singular(small):
        text += f" {before} is itself a boundary fit, so that p_boundary is rough; simulate= is not."
    return text
