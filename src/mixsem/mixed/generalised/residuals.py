"""Residuals of generalised mixed models: as they are, in standard deviations, by deviance, on the scale of the link."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from ...errors import OptionError, did_you_mean

if TYPE_CHECKING:
    from .fit import GeneralisedFit

__all__ = ["KINDS", "GeneralisedResidualKind", "generalised_residuals", "unit_variance"]

Array = NDArray[np.float64]
GeneralisedResidualKind = Literal["deviance", "pearson", "response", "working", "scaled"]
KINDS: tuple[GeneralisedResidualKind, ...] = ("deviance", "pearson", "response", "working", "scaled")


def generalised_residuals(fit: GeneralisedFit, kind: GeneralisedResidualKind) -> Array:
    """Residuals of the rows of a fit; see `GeneralisedFit.residuals`."""
    if kind not in KINDS:
        raise OptionError(
            f"kind={kind!r}", allowed=", ".join(KINDS), todo=did_you_mean(str(kind), KINDS) or 'choose "deviance"'
        )
    mean = fit.family.link.terms(fit.linear_predictor)
    raw = fit.design.y - mean.mu
    if kind == "response":
        return np.asarray(raw)
    if kind == "working":
        return np.asarray(raw / mean.first)
    if kind == "deviance":
        size = 1.0 if fit.dispersion is None else fit.dispersion
        squares = fit.family.deviance(fit.design.y, fit.trials, mean.mu, size)
        return np.asarray(np.sign(raw) * np.sqrt(np.maximum(squares, 0.0)))
    pearson = raw * np.sqrt(fit.trials / unit_variance(fit, mean.mu))
    return np.asarray(pearson / np.sqrt(_phi(fit)) if kind == "scaled" else pearson)


def unit_variance(fit: GeneralisedFit, mu: Array) -> Array:
    """The variance function of the family: without its dispersion, with the size of negative binomial counts."""
    scaled = fit.family.parameter == "dispersion" or fit.dispersion is None
    return fit.family.variance(mu, 1.0 if scaled or fit.dispersion is None else fit.dispersion)


def _phi(fit: GeneralisedFit) -> float:
    """The dispersion, of families that have one."""
    return fit.dispersion if fit.family.parameter == "dispersion" and fit.dispersion is not None else 1.0
