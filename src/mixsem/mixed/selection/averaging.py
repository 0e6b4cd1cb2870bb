"""Predictions averaged over models, with the uncertainty of which model it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...data.columns import FrameLike
from ...errors import OptionError
from ..derived.frame_table import FrameTable
from ..inference.ddf import require_level
from ..inputs import as_numbers
from .aic_table import aic_table, akaike_weights
from .comparable import describe, labels_of, require_linear, require_same_data

if TYPE_CHECKING:
    from ..derived.predict import NewLevels
    from ..fit import MixedFit

__all__ = ["average_predictions"]

Array = NDArray[np.float64]
CRITERIA = ("aic", "aicc", "bic")


def average_predictions(
    fits: Sequence[MixedFit],
    newdata: FrameLike | None = None,
    *,
    weights: str | ArrayLike = "aic",
    random: str | Iterable[str] = "all",
    new_levels: NewLevels = "population",
    level: float = 0.95,
) -> FrameTable:
    """Average the predicted means of several models.

    Where several models are about as good, one of them alone pretends to know which it is. Coefficients are not
    averaged: their meaning differs between models.

    Parameters
    ----------
    fits
        Two or more fits of the same data.
    newdata
        Any table with the predictors of all of them; the rows of the fits if none is given.
    weights
        ``"aic"``, ``"aicc"``, ``"bic"``: weights exp(-delta / 2) of that criterion, by maximum likelihood where fixed
        parts differ. Or numbers, one per fit, which are divided by their sum.
    random, new_levels
        As in ``fit.predict``.
    level
        Coverage of the limits.

    Returns
    -------
    FrameTable
        ``.frame``: fit, se (unconditional), lower, upper, and se_within, the part that is not due to differences
        between the models.

    Raises
    ------
    OptionError
        If there are fewer than two fits, or weights are none of what is allowed.
    DataError
        If the fits are not of the same data, or newdata lacks a column.

    Notes
    -----
    The unconditional standard error is sum_i w_i sqrt(se_i^2 + (fit_i - fit)^2).

    Examples
    --------
    >>> import mixsem as mx
    >>> data = mx.data.sleepstudy()
    >>> fits = [mx.lmer(f"Reaction ~ {x} + (Days | Subject)", data) for x in ("Days", "Days + I(Days**2)")]
    >>> average_predictions(fits, {"Days": [0, 9], "Subject": [308, 308]}).frame.round(1)
         fit    se  lower  upper  se_within
    0  255.5  12.6  230.8  280.2       12.4
    1  432.5  14.2  404.8  460.3       14.0

    References
    ----------
    Burnham & Anderson (2002), Model selection and multimodel inference, Springer, section 4.3.
    """
    import pandas as pd

    if not isinstance(fits, Sequence):
        raise OptionError(
            f"average_predictions() got {type(fits).__name__}",
            allowed="a list of two fits or more",
            todo="write average_predictions([small, large])",
        )
    for fit in fits:
        require_linear(fit, "average_predictions", "standard errors of predictions are averaged for linear models only")
    require_level(level)
    labels = labels_of(fits, ())
    require_same_data(fits, labels)
    shares = _weights(fits, weights)
    found = [fit.predict(newdata, random=random, new_levels=new_levels, interval="confidence") for fit in fits]
    values = np.stack([one["fit"].to_numpy() for one in found])  # type: ignore[call-overload]
    errors = np.stack([one["se"].to_numpy() for one in found])  # type: ignore[call-overload]
    mean = shares @ values
    se = shares @ np.sqrt(errors**2 + (values - mean) ** 2)
    half = NormalDist().inv_cdf(0.5 + level / 2.0) * se
    columns = {"fit": mean, "se": se, "lower": mean - half, "upper": mean + half, "se_within": shares @ errors}
    frame = pd.DataFrame(columns, index=found[0].index)  # type: ignore[union-attr]
    notes = [
        f"{label}, weight {share:.3f}: {describe(fit)}" for label, share, fit in zip(labels, shares, fits, strict=True)
    ]
    notes.append("Standard errors contain the differences between the models; se_within does not.")
    return FrameTable("Predictions averaged over models", frame, tuple(notes))


def _weights(fits: Sequence[MixedFit], weights: str | ArrayLike) -> Array:
    if isinstance(weights, str):
        if weights not in CRITERIA:
            raise OptionError(f"weights={weights!r}", allowed=f"{', '.join(map(repr, CRITERIA))}, or numbers")
        table = aic_table(*fits, names=[str(i) for i in range(len(fits))]).frame.set_index("model")
        return akaike_weights(np.array([table.loc[str(i), weights] for i in range(len(fits))], dtype=float))
    given = as_numbers(weights)
    if given.shape != (len(fits),) or not (given >= 0.0).all() or not 0.0 < given.sum() < np.inf:
        raise OptionError(f"weights={weights!r}", allowed=f"{len(fits)} numbers of 0 or more, one per fit")
    return np.asarray(given / given.sum())
