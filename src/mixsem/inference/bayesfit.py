"""Fit of a Bayesian covariance structure model, from the log-likelihoods of its draws alone.

D draws, G groups, p items. A group has covariances S with nu degrees of freedom (divisor nu). Given a draw its
log-likelihood is -nu/2 (log|Sigma| + tr(Sigma^-1 S)) plus a constant that all functions here see on both sides.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma, logsumexp

__all__ = [
    "Deviance",
    "Indices",
    "baseline_chisq",
    "deviance_information",
    "fit_indices",
    "pointwise_waic",
    "replicated_chisq",
    "saturated_loglik",
]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Deviance:
    """Deviance information criterion and its parts.

    Attributes
    ----------
    loglik_mean
        Mean of the log-likelihood over draws.
    loglik_at_mean
        Log-likelihood at the posterior mean.
    p_d
        Effective number of parameters.
    dic
        Deviance information criterion.
    """

    loglik_mean: float
    loglik_at_mean: float
    p_d: float
    dic: float


def deviance_information(loglik: Array, at_mean: Array) -> Deviance:
    """DIC = -2 loglik_at_mean + 2 p_D with p_D = 2 (loglik_at_mean - loglik_mean).

    Parameters
    ----------
    loglik
        Log-likelihood of every draw and group, shape (D, G).
    at_mean
        Log-likelihood of every group at the posterior mean, shape (G,).

    References
    ----------
    Spiegelhalter, Best, Carlin & van der Linde (2002). Journal of the Royal Statistical Society B 64, 583-639.
    """
    mean, best = float(loglik.mean(axis=0).sum()), float(at_mean.sum())
    p_d = 2.0 * (best - mean)
    return Deviance(mean, best, p_d, -2.0 * best + 2.0 * p_d)


def pointwise_waic(loglik: Array) -> tuple[Array, Array]:
    """Expected log predictive density by WAIC and its penalty, of every group; both of shape (G,).

    The penalty is the variance of the log-likelihood over draws (form 2 of Watanabe 2010; Gelman et al. 2014).

    Parameters
    ----------
    loglik
        Log-likelihood of every draw and group, shape (D, G).
    """
    penalty = loglik.var(axis=0, ddof=1)
    return logsumexp(loglik, axis=0) - np.log(len(loglik)) - penalty, penalty


def saturated_loglik(nu: Array, S: Array) -> Array:
    """Log-likelihood at Sigma = S, without the constant, shape (G,); NaN where S is singular.

    Parameters
    ----------
    nu, S
        Degrees of freedom, shape (G,), and covariances, shape (G, p, p).
    """
    scale = np.sqrt(np.diagonal(S, axis1=1, axis2=2))
    with np.errstate(divide="ignore", invalid="ignore"):
        correlation = np.nan_to_num(S / (scale[:, :, None] * scale[:, None, :]))
    regular = np.linalg.eigvalsh(correlation)[:, 0] > 1e-10
    log_det = np.full(len(S), np.nan)
    log_det[regular] = np.linalg.slogdet(S[regular])[1]
    return np.asarray(-0.5 * nu * (log_det + S.shape[1]))


def replicated_chisq(rng: np.random.Generator, nu: Array, p: int, n_draws: int) -> Array:
    """Chi-square of replicated covariances against the Sigma they were drawn from, shape (D, G).

    A replicate is S = C A A' C'/nu with Sigma = C C' and A from Bartlett's decomposition of the Wishart distribution.
    Its chi-square against the saturated model, nu (tr(Sigma^-1 S) - log|Sigma^-1 S| - p), depends on A alone: no
    matrix is formed, and the draws of Sigma are not needed.

    Parameters
    ----------
    rng
        Random numbers.
    nu
        Degrees of freedom, shape (G,), at least p.
    p
        Number of items.
    n_draws
        Number of replicates, D.
    """
    degrees = nu[:, None] - np.arange(p)
    squares = rng.chisquare(degrees, size=(n_draws, nu.size, p))  # of the diagonal of A
    trace = squares.sum(axis=2)
    if p > 1:
        trace += rng.chisquare(p * (p - 1) / 2, size=trace.shape)  # of all elements below the diagonal
    return np.asarray(trace - nu * (np.log(squares).sum(axis=2) - p * np.log(nu) + p))


def baseline_chisq(rng: np.random.Generator, nu: Array, S: Array, n_draws: int) -> tuple[Array, Array]:
    """Chi-square of posterior draws of the model of independent items, shape (D, G), and the model's p_D, shape (G,).

    Every item has a variance of its own in every group, with Jeffreys' prior: the posterior is s nu/chi-square(nu), so
    that the draws are exact and independent and p_D has a closed form.

    Parameters
    ----------
    rng
        Random numbers.
    nu, S
        Degrees of freedom, shape (G,), all above 2, and covariances, regular, shape (G, p, p).
    n_draws
        Number of draws, D.
    """
    p = S.shape[1]
    log_variances = np.log(np.diagonal(S, axis1=1, axis2=2)).sum(axis=1)
    least = nu * (log_variances - np.linalg.slogdet(S)[1])
    c = rng.chisquare(nu[:, None], size=(n_draws, nu.size, p))
    excess = c.sum(axis=2) - nu * (np.log(c).sum(axis=2) - p * np.log(nu) + p)
    per_item = nu * (np.log(nu / 2.0 - 1.0) - digamma(nu / 2.0)) + 2.0
    return least + excess, p * per_item


@dataclass(frozen=True, slots=True)
class Indices:
    """Descriptive fit, one value per draw.

    Attributes
    ----------
    brmsea, gamma_hat, cfi, tli
        Shape (D,); NaN if the model has no fewer effective parameters than there are covariances.
    """

    brmsea: Array
    gamma_hat: Array
    cfi: Array
    tli: Array


def fit_indices(
    chisq: Array,
    p_d: float,
    baseline: Array,
    baseline_p_d: float,
    *,
    n_moments: int,
    n: int,
    n_groups: int,
    n_items: int,
) -> Indices:
    """Bayesian RMSEA, gamma hat, CFI and TLI, from the deviance with its own posterior mean of p_D taken off.

    The noncentrality of a draw is max(chisq - n_moments, 0), the degrees of freedom are n_moments - p_D. In a true
    model the chi-square of a draw is about n_moments: what misfit leaves, n_moments - p_D, and what the parameters
    vary, p_D.

    Parameters
    ----------
    chisq, p_d
        Chi-square against the saturated model of every draw, shape (D,), and effective number of parameters.
    baseline, baseline_p_d
        The same of the model of independent items.
    n_moments
        Number of covariances, over all groups.
    n, n_groups, n_items
        People, groups and items.

    References
    ----------
    Garnier-Villarreal & Jorgensen (2020), Adapting fit indices for Bayesian SEM. Psychological Methods 25, 46-70.
    """
    df, baseline_df = n_moments - p_d, n_moments - baseline_p_d
    if not (df > 0 and baseline_df > 0):
        nothing = np.full(chisq.shape, np.nan)
        return Indices(nothing, nothing, nothing, nothing)
    excess = np.maximum(chisq - n_moments, 0.0)
    worst = np.maximum(np.maximum(baseline - n_moments, excess), 1e-300)
    ratio, baseline_ratio = (chisq - p_d) / df, (baseline - baseline_p_d) / baseline_df
    with np.errstate(divide="ignore", invalid="ignore"):
        tli = np.where(baseline_ratio > 1.0, (baseline_ratio - ratio) / (baseline_ratio - 1.0), np.nan)
    return Indices(
        brmsea=np.sqrt(excess / (df * n) * n_groups),
        gamma_hat=n_items / (n_items + 2.0 * excess / n),
        cfi=1.0 - excess / worst,
        tli=tli,
    )
