"""The estimates of a mixed model under the names that they have in its growth curve."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from .curve import GrowthModel

if TYPE_CHECKING:
    from ..fit import MixedFit

__all__ = ["KnownParameter", "known_parameters", "person_coefficients"]

Array = NDArray[np.float64]
Kind = Literal["mean", "regression", "variance", "covariance", "residual"]


@dataclass(frozen=True)
class KnownParameter:
    """A parameter of both models.

    Attributes
    ----------
    kind
        What it is. A residual parameter is a variance here.
    label
        What it is called in the mixed model.
    left, right
        The two sides of its line in the model text; right is ``"1"`` for a mean.
    value
        Its estimate in the mixed model.
    se
        The estimate's standard error, NaN but for fixed effects.
    items
        Of a residual variance: the items that have it.
    """

    kind: Kind
    label: str
    left: str
    right: str
    value: float
    se: float = np.nan
    items: tuple[str, ...] = ()

    @property
    def operator(self) -> str:
        """Of its line in the model text."""
        return "~" if self.kind in ("mean", "regression") else "~~"


def known_parameters(model: GrowthModel, fit: MixedFit) -> tuple[KnownParameter, ...]:
    """Every free parameter of a growth curve, with the estimate of the mixed model.

    Parameters
    ----------
    model
        The growth curve of the fit.
    fit
        The mixed model.
    """
    return (*_fixed(model, fit), *_random(model, fit), *_residual(model, fit))


def _fixed(model: GrowthModel, fit: MixedFit) -> Iterator[KnownParameter]:
    for part, value, se in zip(model.fixed, fit.beta, fit.se, strict=True):
        left = model.factors[part.factor].name
        kind: Kind = "regression" if part.covariate else "mean"
        yield KnownParameter(kind, part.column, left, part.covariate or "1", float(value), float(se))


def _random(model: GrowthModel, fit: MixedFit) -> Iterator[KnownParameter]:
    terms = fit.varcorr.terms
    for k in model.random:
        one = model.factors[k]
        value = terms[one.term].covariance[one.place, one.place]
        yield KnownParameter("variance", f"variance of {one.label}", one.name, one.name, float(value))
    for a, b in model.correlated:
        one, other = model.factors[a], model.factors[b]
        value = terms[one.term].covariance[one.place, other.place]
        label = f"covariance of {one.label} and {other.label}"
        yield KnownParameter("covariance", label, one.name, other.name, float(value))


def _residual(model: GrowthModel, fit: MixedFit) -> Iterator[KnownParameter]:
    ratios = np.ones(1) if fit.residual is None else fit.residual.ratios
    for stratum, label in enumerate(model.stratum_labels):
        items = tuple(item for item, s in zip(model.items, model.strata, strict=True) if s == stratum)
        value = float((fit.sigma * ratios[stratum]) ** 2)
        yield KnownParameter("residual", label, items[0], items[0], value, items=items)


def person_coefficients(model: GrowthModel, fit: MixedFit) -> Array:
    """Each person's value of each growth factor, (N, K): fixed effects, also of covariates, and random ones.

    Parameters
    ----------
    model
        The growth curve of the fit.
    fit
        The mixed model.
    """
    found = np.zeros((len(model.wide), len(model.factors)))
    for part, value in zip(model.fixed, fit.beta, strict=True):
        found[:, part.factor] += value * (model.wide[part.covariate].to_numpy() if part.covariate else 1.0)
    for k in model.random:
        factor = model.factors[k]
        found[:, k] += fit.state.b[0][:, fit.model.theta_map.places(factor.term)][:, factor.place]
    return found
