"""Information criteria of several models side by side: differences and Akaike weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...errors import enumerate_briefly
from ...options import require_flag
from ..derived.frame_table import FrameTable
from .comparable import by_maximum_likelihood, describe, labels_of, require_mixed, require_same_data, same_fixed_columns

if TYPE_CHECKING:
    from ..fit import MixedFit

__all__ = ["AICTable", "aic_table", "akaike_weights"]

Array = NDArray[np.float64]

#: Differences of AIC below this are none worth naming: Burnham & Anderson (2002), section 2.6.
INDISTINGUISHABLE = 2.0


@dataclass(frozen=True, eq=False, repr=False)
class AICTable(FrameTable):
    """Information criteria, the model with the lowest AIC first.

    Attributes
    ----------
    title, frame, notes
        The table. `frame` has model, n_params, loglik, aic, delta (from the lowest), weight (Akaike's), aicc, bic, and
        aic_reml if asked for.
    fits
        The fits in this order, refitted by maximum likelihood if they had to be.
    """

    fits: tuple[MixedFit, ...]


def aic_table(*fits: MixedFit, names: Sequence[str] = (), reml: bool = False) -> AICTable:
    """Compare mixed models of the same data by Akaike's criterion; they need not be nested.

    Parameters
    ----------
    *fits
        Fits of the same response in the same rows with the same weights; generalised ones may be of several families.
    names
        Their names, ``"model 1"`` and so on by default.
    reml
        Also show the AIC of the restricted likelihood, as a column beside the others. Where fixed parts differ these
        are not comparable, and the table says so.

    Returns
    -------
    AICTable
        Fits by REML stay as they are where the fixed parts are the same; otherwise all are refitted by maximum
        likelihood.

    Raises
    ------
    OptionError
        If there is no fit, or another number of names.
    DataError
        If rows, responses or weights differ.

    Notes
    -----
    With AIC = -2 log L + 2 k the weight of a model is exp(-delta / 2), divided by the sum over the models. AICc adds
    2 k (k + 1) / (n - k - 1) with n the number of rows; BIC counts rows too, though rows of a cluster are not
    independent. This is the marginal AIC, for new clusters; for the clusters at hand see `caic`.

    Examples
    --------
    >>> from mixsem.data import sleepstudy
    >>> from mixsem.mixed.linear import lmer
    >>> fits = [lmer(f"Reaction ~ Days + {part}", sleepstudy()) for part in ("(1 | Subject)", "(Days | Subject)")]
    >>> aic_table(*fits, names=("intercepts", "slopes")).frame[["model", "aic", "delta", "weight"]].round(3)
            model       aic   delta  weight
    0      slopes  1755.628   0.000     1.0
    1  intercepts  1794.465  38.837     0.0

    References
    ----------
    Burnham & Anderson (2002), Model selection and multimodel inference, Springer, chapter 2.
    """
    import pandas as pd

    for fit in fits:
        require_mixed(fit, "aic_table")
    labels = labels_of(fits, names, least=1)
    require_flag("reml", reml)
    require_same_data(fits, labels, any_family=True)
    used, note, same = _one_likelihood(fits)
    records = [_record(label, fit) for label, fit in zip(labels, used, strict=True)]
    frame = pd.DataFrame(records)
    frame.insert(4, "delta", frame["aic"] - frame["aic"].min())
    frame.insert(5, "weight", akaike_weights(frame["aic"].to_numpy()))
    if reml:
        frame["aic_reml"] = [_restricted(fit) for fit in fits]
    order = np.argsort(frame["aic"].to_numpy(), kind="stable")
    frame = frame.iloc[order].reset_index(drop=True)
    notes = [note, *_close(frame["model"].tolist(), frame["delta"].to_numpy())]
    if reml and not same:
        notes.append(
            "AIC (REML): the fixed parts differ, so that these are criteria of different data and must not be compared;"
            " they are here because they were asked for."
        )
    notes += [f"{labels[i]}: {describe(fits[i])}" for i in order]
    title = "Information criteria of mixed models"
    return AICTable(title, frame, tuple(notes), tuple(used[i] for i in order))


def akaike_weights(aic: Array) -> Array:
    """Weights of models from their criteria, (m,); they sum to 1.

    Examples
    --------
    >>> akaike_weights(np.array([100.0, 102.0])).round(3)
    array([0.731, 0.269])
    """
    likelihood = np.exp(-0.5 * (np.asarray(aic) - np.min(aic)))
    return np.asarray(likelihood / likelihood.sum())


def _one_likelihood(fits: Sequence[MixedFit]) -> tuple[tuple[MixedFit, ...], str, bool]:
    """The fits on one scale, what was done, and whether fixed parts are the same."""
    same = all(same_fixed_columns(fits[0], fit) for fit in fits[1:])
    by_reml = [fit.reml for fit in fits]
    if not any(by_reml):
        return tuple(fits), "By maximum likelihood.", same
    if same and all(by_reml):
        return tuple(fits), "By REML: the fixed parts are the same.", same
    why = "the fixed parts differ" if not same else "some fits are by REML, others not"
    return tuple(by_maximum_likelihood(fit) for fit in fits), f"Refitted by maximum likelihood: {why}.", same


def _record(label: str, fit: MixedFit) -> dict[str, object]:
    k, n = fit.n_params, fit.nobs
    small = 2.0 * k * (k + 1) / (n - k - 1) if n > k + 1 else np.nan
    return {
        "model": label,
        "n_params": k,
        "loglik": fit.loglik,
        "aic": fit.aic,
        "aicc": fit.aic + small,
        "bic": fit.bic,
    }


def _restricted(fit: MixedFit) -> float:
    """AIC of the restricted likelihood, refitted if the fit is by maximum likelihood."""
    if fit.reml:
        return fit.aic
    if getattr(fit, "family", None) is not None:  # there is no restricted likelihood
        return np.nan
    from dataclasses import replace

    from ..linear import fit_model

    return fit_model(replace(fit.specification, reml=True), fit.model, fit.theta).aic


def _close(names: Sequence[str], delta: Array) -> list[str]:
    """The models that the criterion does not tell apart from the first."""
    near = [name for name, d in zip(names[1:], delta[1:], strict=True) if d < INDISTINGUISHABLE]
    if len(names) < 2:
        return []
    if not near:
        return [
            f"No other model is within {INDISTINGUISHABLE:g} of {names[0]}. AIC helps to choose; it does not choose."
        ]
    listed = enumerate_briefly([names[0], *near])
    return [
        f"Within {INDISTINGUISHABLE:g} of the lowest, so indistinguishable: {listed}. Report them all, prefer the one"
        " that the question asks for, or average their predictions (average_predictions)."
    ]
