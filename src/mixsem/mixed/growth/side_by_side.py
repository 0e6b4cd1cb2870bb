"""Estimates of a mixed model and of its growth curve in one frame."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from .curve import GrowthModel
from .parameters import known_parameters

if TYPE_CHECKING:
    from ..fit import MixedFit

__all__ = ["COUNTS", "improper", "side_by_side"]

#: Lines of the frame that are numbers of something.
COUNTS = ("parameters", "people", "rows")

Line = tuple[str, str, str, float, float, float, float]
Estimates = Mapping[tuple[str, str, str], tuple[float, float]]


def side_by_side(model: GrowthModel, mixed: MixedFit, sem: Estimates, whole: tuple[float, ...]) -> pd.DataFrame:
    """One row per parameter and measure of fit.

    Parameters
    ----------
    model
        The growth curve.
    mixed
        The mixed model, by maximum likelihood.
    sem
        Estimates and standard errors of the growth curve by the parts of their lines in the model text: left side,
        operator, right side (``"1"`` for means).
    whole
        Its -2 log-likelihood, AIC, BIC, and numbers of parameters, people, and values of the response.

    Returns
    -------
    pandas.DataFrame
        part, parameter, sem_parameter, mixed, sem, difference, mixed_se, sem_se.
    """
    own = (mixed.objective, mixed.aic, mixed.bic, mixed.n_params, len(model.wide), mixed.nobs)
    lines = [
        *_parameters(model, mixed, sem),
        *(
            ("fit", label, "", float(one), float(other), np.nan, np.nan)
            for label, one, other in zip(("-2 log-likelihood", "AIC", "BIC", *COUNTS), own, whole, strict=True)
        ),
    ]
    columns = ["part", "parameter", "sem_parameter", "mixed", "sem", "mixed_se", "sem_se"]
    frame = pd.DataFrame(lines, columns=columns)
    frame.insert(5, "difference", frame["sem"] - frame["mixed"])
    return frame


def _parameters(model: GrowthModel, mixed: MixedFit, sem: Estimates) -> Iterator[Line]:
    """Parameters; each covariance is followed by the correlation, and residual variances are standard deviations."""
    variances: dict[str, tuple[float, float]] = {}
    for p in known_parameters(model, mixed):
        value, se = sem[p.left, p.operator, p.right]
        text = f"{p.left} {p.operator} {p.right}"
        if p.kind in ("mean", "regression"):
            yield "fixed", p.label, text, p.value, value, p.se, se
        elif p.kind == "residual":
            label = f"residual SD, {model.occasions.times.name} = {p.label}" if p.label else "residual SD"
            text = f"√({text})" if len(p.items) == 1 else "√(residual variances)"
            yield "residual", label, text, _root(p.value), _root(value), np.nan, np.nan
        else:
            yield "random", p.label, text, p.value, value, np.nan, np.nan
        if p.kind == "variance":
            variances[p.left] = (p.value, value)
        if p.kind == "covariance":
            one, other = variances[p.left], variances[p.right]
            pair = [
                c / (_root(a) * _root(b)) if a > 0 and b > 0 else np.nan
                for c, a, b in zip((p.value, value), one, other, strict=True)
            ]
            label = p.label.replace("covariance", "correlation", 1)
            yield "random", label, f"cor({p.left}, {p.right})", pair[0], pair[1], np.nan, np.nan


def _root(variance: float) -> float:
    return float(np.sqrt(variance)) if variance >= 0 else np.nan


def improper(frame: pd.DataFrame) -> list[str]:
    """Say which estimates of the growth curve no mixed model can have.

    Parameters
    ----------
    frame
        What `side_by_side` returned.

    Examples
    --------
    >>> frame = pd.DataFrame({"part": ["random"], "parameter": ["variance of x"], "mixed": [0.0], "sem": [-0.1]})
    >>> improper(frame)
    ['the variance of x is negative']
    """
    random = frame[frame["part"] == "random"]
    negative = random[random["parameter"].str.startswith("variance") & (random["sem"] < 0)]
    beyond = random[random["parameter"].str.startswith("correlation") & (random["sem"].abs() > 1)]
    no_root = frame[(frame["part"] == "residual") & frame["sem"].isna()]
    return [
        *(f"the {name} is negative" for name in negative["parameter"]),
        *(f"the {name} is beyond 1" for name in beyond["parameter"]),
        *(f"the variance behind the {name} is negative" for name in no_root["parameter"]),
    ]
