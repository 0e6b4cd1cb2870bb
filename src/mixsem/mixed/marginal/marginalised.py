"""What a generalised mixed model says of averages over clusters: its marginalised coefficients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ModelError

if TYPE_CHECKING:
    from ..estimates import MixedEstimates

__all__ = ["Marginalised", "marginalised", "predictor_variance"]

Array = NDArray[np.float64]

#: Points of the Gauss-Hermite rule, which the mean of a logit at a standard deviation of 5 needs for eight digits.
POINTS = 61
#: Rows times points that are computed at a time.
BLOCK = 2**20


@dataclass(frozen=True, eq=False)
class Marginalised:
    """Coefficients of averages over clusters.

    Attributes
    ----------
    beta
        Coefficients, length p.
    vcov
        (p, p) their covariance matrix, the variances of the random effects taken as known.
    mean
        (n,) mean response of each row, over the distribution of the random effects.
    """

    beta: Array
    vcov: Array
    mean: Array


def predictor_variance(fit: MixedEstimates) -> Array:
    """Variance of z'b of each row over the distribution of the random effects, (n,)."""
    total = np.zeros(fit.nobs)
    for t, term in enumerate(fit.design.terms):
        factor = fit.sigma * fit.model.theta_map.term_lambda(fit.theta, t)
        total += factor[0, 0] ** 2 if term.Z is None else ((term.Z @ factor) ** 2).sum(axis=1)
    return total


def marginalised(fit: Any) -> Marginalised:
    """Average the means of a generalised mixed model over its random effects.

    With mu_M = E g^-1(x'beta + z'b) by Gauss-Hermite quadrature (z'b is normal: one dimension, however many random
    effects there are), the coefficients are those of the regression of g(mu_M) on X: beta_M = (X'X)^-1 X'g(mu_M). They
    describe averages as well as the link allows: the averages of a logistic mixed model are no exact logistic model.

    Parameters
    ----------
    fit
        A fit of `glmer`.

    Notes
    -----
    Hedeker, du Toit, Demirtas & Gibbons (2018), Biometrics 74, 354-361, doi 10.1111/biom.12707; as ``marginal_coefs``
    of R's GLMMadaptive.
    """
    design, link = fit.design, fit.family.link
    X, offset = design.X, design.offset
    eta = X @ fit.beta if offset is None else X @ fit.beta + offset
    mean, slope = _averages(link, eta, np.sqrt(predictor_variance(fit)))
    there = link.forward(mean)
    if not np.isfinite(there).all():
        raise ModelError(
            "the averages over clusters have no linear predictor", todo="use a link that allows every linear predictor"
        )
    Q, R = np.linalg.qr(X)
    back = np.linalg.solve(R, Q.T)
    beta = back @ (there if offset is None else there - offset)
    jacobian = back @ ((slope / link.terms(there).first)[:, None] * X)  # g'(mu) is one over the derivative of g^-1
    return Marginalised(beta, jacobian @ np.asarray(fit.vcov) @ jacobian.T, mean)


def _averages(link: Any, eta: Array, sd: Array) -> tuple[Array, Array]:
    """Means of g^-1(eta + sd u) and of its derivative over a standard normal u."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(POINTS)
    weights = weights / weights.sum()
    mean, slope = np.empty_like(eta), np.empty_like(eta)
    step = max(BLOCK // POINTS, 1)
    for begin in range(0, len(eta), step):
        rows = slice(begin, begin + step)
        terms = link.terms(eta[rows, None] + sd[rows, None] * nodes)
        mean[rows], slope[rows] = terms.mu @ weights, terms.first @ weights
    return mean, slope
