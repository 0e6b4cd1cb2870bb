"""Coordinates of a generalised mixed model: one of its parameters is held at a value, the others are free."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..generalised.fit import GeneralisedFit
from ..generalised.objective import Criterion
from .parameters import Parameter
from .profile_entries import BOUNDS, Entries, entries_of

__all__ = ["GeneralisedCoordinates", "generalised_coordinates"]

Array = NDArray[np.float64]

#: Relative accuracy of -2 log L: that of modes.
ACCURACY = 1e-11


@dataclass(eq=False)
class GeneralisedCoordinates:
    """The -2 log-likelihood of a model with one parameter held at a value, as a function of the other parameters.

    These are the free entries of the covariance factors, fixed effects in units in which they are uncorrelated, and the
    logarithm of the family's parameter. The others follow a fixed effect that is held as their covariances say.

    Attributes
    ----------
    fit
        The fit.
    parameter
        What is held.
    entries
        Free entries of the covariance factors.
    spread
        Of the free fixed effects: a root of their covariance matrix, (p, p) or (p, p - 1).
    along
        Change of all fixed effects with the one that is held, length p; zeros if none is.
    scales
        Sizes of useful steps of the coordinates.
    criterion
        The likelihood, which remembers where it was last.
    """

    fit: GeneralisedFit
    parameter: Parameter
    entries: Entries
    spread: Array
    along: Array
    scales: Array
    criterion: Criterion

    @property
    def bounds(self) -> tuple[float, float]:
        """Smallest and largest value of the parameter."""
        return BOUNDS.get(self.parameter.kind, (-np.inf, np.inf))

    def noise(self, deviance: float) -> float:
        """Differences of -2 log L below this are rounding."""
        return ACCURACY * (1.0 + abs(deviance))

    def start(self) -> Array:
        """Coordinates of the fit."""
        x = np.zeros(len(self.scales))
        packed = self.entries.pack(self.fit.theta)
        x[: len(packed)] = packed
        return x

    def unpack(self, value: float, x: Array) -> tuple[Array, Array, float]:
        """Covariance factors, shape (F, k, k), fixed effects, and the logarithm of the family's parameter."""
        kind, fit, entries = self.parameter.kind, self.fit, self.entries
        lam = entries.with_correlation(value, x) if kind == "cor" else entries.free(x)
        if kind == "sd":
            lam[entries.pinned] = value
        first = len(entries.scales)
        beta = fit.beta + self.spread @ x[first : first + self.spread.shape[1]]
        if kind == "fixed":
            beta = beta + self.along * (value - fit.beta[self.parameter.row])
        log_d = 0.0 if fit.dispersion is None else float(np.log(fit.dispersion))
        if kind == "dispersion":
            return lam, beta, float(np.log(value))
        return lam, beta, log_d + (x[-1] if self.fit.family.parameter else 0.0)

    def evaluate(self, value: float, x: Array, slope: bool = True) -> tuple[float, Array]:
        """-2 log-likelihood and its derivatives by the coordinates; infinite where there is none."""
        model, entries, kind = self.fit.model, self.entries, self.parameter.kind
        with np.errstate(divide="ignore"):
            lam, beta, log_d = self.unpack(value, x)
        found = self.criterion.at_lambda(model.inner @ lam, model.scaling.fixed.to_inner @ beta, log_d, slope)
        if not slope or found.slope is None:
            return found.value, np.zeros(len(x))
        by_lambda = np.swapaxes(model.inner, 1, 2) @ found.slope.by_lambda
        parts = [by_lambda[entries.places]]
        if kind == "cor":
            parts.append(np.array([by_lambda[entries.pinned] @ entries.direction(value)]))
        parts.append(self.spread.T @ (model.scaling.fixed.to_inner.T @ found.slope.by_beta))
        if self.fit.family.parameter and kind != "dispersion":
            parts.append(np.array([found.slope.by_log_d]))
        return found.value, np.concatenate(parts)

    def values(self, value: float, x: Array) -> tuple[Array, Array, float]:
        """Theta, fixed effects and the family's parameter in the user's units."""
        lam, beta, log_d = self.unpack(value, x)
        return self.entries.theta(lam), beta, float(np.exp(log_d))


def generalised_coordinates(fit: GeneralisedFit, parameter: Parameter) -> GeneralisedCoordinates:
    """Choose coordinates for holding a parameter."""
    model, kind, vcov = fit.model, parameter.kind, fit.spread.fixed
    entries, along = entries_of(model, parameter, fit.theta), np.zeros(model.p)
    if kind == "fixed":
        j = parameter.row
        along = vcov[:, j] / vcov[j, j]
        vcov = vcov - np.outer(along, vcov[j])
        others = np.delete(np.arange(model.p), j)
        spread = np.zeros((model.p, model.p - 1))
        spread[others] = _root(vcov[np.ix_(others, others)])
    else:
        spread = _root(vcov)
    free_d = [np.sqrt(2.0 / model.n)] if fit.family.parameter and kind != "dispersion" else []
    scales = np.concatenate([entries.scales, np.ones(spread.shape[1]), free_d])
    criterion = Criterion(model.rows, model.family, model.theta_map, fit.n_agq, near=fit.point.mode)
    return GeneralisedCoordinates(fit, parameter, entries, spread, along, scales, criterion)


def _root(covariance: Array) -> Array:
    """A root of a covariance matrix, which rounding may have left without full rank."""
    if not len(covariance):
        return np.zeros((0, 0))
    scale = np.sqrt(np.diagonal(covariance))
    values, vectors = np.linalg.eigh(covariance / np.outer(scale, scale))
    return np.asarray(scale[:, None] * vectors * np.sqrt(np.maximum(values, 1e-12)))
