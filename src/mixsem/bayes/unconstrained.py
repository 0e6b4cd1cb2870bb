"""Priors on the unconstrained scales of the sampler: family, two numbers, and the exponent's factor."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..kernels.problem import BETA, BETA_PRIOR, FLAT, GAMMA, HALF_NORMAL, HALF_T, INVERSE_GAMMA, LAMBDA, NORMAL, THETA
from ..model.matrices import ModelMap
from .priors import Flat, Gamma, HalfNormal, HalfT, InverseGamma, Location, Priors, Spread

__all__ = ["Coded", "random_priors", "value_prior"]

#: Family, a, b and c as in `mixsem.kernels.problem.Problem`.
Coded = tuple[int, float, float, float]


def value_prior(model: ModelMap, e: int, priors: Priors, unit: Mapping[str, float]) -> Coded:
    """Prior of a value that is not random, on its unconstrained scale."""
    kind, i, j = int(model.matrix[e]), int(model.row[e]), int(model.column[e])
    if kind == LAMBDA:
        return _location(priors.loading, unit[model.observed[i]] / unit[model.factors[j]])
    if kind == BETA:
        return _location(priors.regression, unit[model.factors[i]] / unit[model.factors[j]])
    names = model.observed if kind == THETA else model.factors
    if i != j:
        return (BETA_PRIOR, priors.correlation.a, priors.correlation.b, 1.0)
    return _spread(priors.residual_sd if kind == THETA else priors.factor_sd, unit[names[i]], 0.5)


def random_priors(model: ModelMap, e: int, priors: Priors, unit: Mapping[str, float]) -> tuple[Coded, Coded]:
    """Priors of mean and log standard deviation of a random entry."""
    kind, i, j = int(model.matrix[e]), int(model.row[e]), int(model.column[e])
    if kind == LAMBDA:
        u = unit[model.observed[i]] / unit[model.factors[j]]
        return _location(priors.loading, u), _spread(priors.loading_spread, u, 1.0)
    if kind == BETA:
        u = unit[model.factors[i]] / unit[model.factors[j]]
        return _location(priors.regression, u), _spread(priors.regression_spread, u, 1.0)
    if i != j:
        return _location(priors.correlation_mean, 1.0), _spread(priors.correlation_spread, 1.0, 1.0)
    names = model.observed if kind == THETA else model.factors
    mean = _location(priors.log_variance, 1.0, shift=2.0 * np.log(unit[names[i]]))
    return mean, _spread(priors.log_variance_spread, 1.0, 1.0)


def _location(prior: Location, unit: float, shift: float = 0.0) -> Coded:
    if isinstance(prior, Flat):
        return (FLAT, 0.0, 1.0, 1.0)
    return (NORMAL, prior.mean * unit + shift, prior.sd * unit, 1.0)


def _spread(prior: Spread, unit: float, c: float) -> Coded:
    """Prior of a standard deviation q = exp(c x) measured in `unit`."""
    if isinstance(prior, Gamma):
        return (GAMMA, prior.shape, prior.rate / unit, c)
    if isinstance(prior, HalfNormal):
        return (HALF_NORMAL, 0.0, prior.sd * unit, c)
    if isinstance(prior, HalfT):
        return (HALF_T, prior.df, prior.scale * unit, c)
    assert isinstance(prior, InverseGamma)
    return (INVERSE_GAMMA, prior.shape, prior.scale * unit**2, c)
