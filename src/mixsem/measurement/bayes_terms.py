"""What the fit measures of a Bayesian block are made of, by draw and group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..bayes.estimate import likelihood_constant
from ..inference.bayesfit import (
    Deviance,
    baseline_chisq,
    deviance_information,
    pointwise_waic,
    replicated_chisq,
    saturated_loglik,
)
from ..inference.loo import leave_one_out, monte_carlo_error
from ..kernels.plain_posterior import implied_covariances, log_likelihoods
from ..kernels.problem import PSI, THETA
from .bayes_fit import BayesianBlock

__all__ = ["FitTerms", "block_deviance", "block_predictive_p", "combine", "fit_terms"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FitTerms:
    """Terms of a block's fit measures, for D draws and G groups; of several blocks they add up.

    Attributes
    ----------
    loglik, at_mean
        Log-likelihood of the draws, shape (D, G), and at the posterior mean, shape (G,).
    dic_error
        Monte-Carlo standard error of DIC.
    waic, p_waic
        Expected log predictive density by WAIC, and its penalty, shape (G,).
    loo, pareto_k
        Expected log predictive density by LOO, and Pareto's k, shape (G,).
    usable
        Groups that have a saturated model, shape (G,).
    chisq, replicated, baseline
        Chi-square against the saturated model of the data, of replicated data and of the data under independent
        items, shape (D, G); NaN where a group is not usable.
    baseline_p_d
        p_D under independent items, shape (G,).
    n_covariances, n_items
        Covariances of a group, and items.
    """

    loglik: Array
    at_mean: Array
    dic_error: float
    waic: Array
    p_waic: Array
    loo: Array
    pareto_k: Array
    usable: NDArray[np.bool_]
    chisq: Array
    replicated: Array
    baseline: Array
    baseline_p_d: Array
    n_covariances: int
    n_items: int

    def predictive_p(self) -> float:
        """Share of draws whose replicated data have a larger chi-square than the data."""
        replicated, observed = (x[:, self.usable].sum(axis=1) for x in (self.replicated, self.chisq))
        return float((replicated >= observed).mean())


def fit_terms(block: BayesianBlock, rng: np.random.Generator) -> FitTerms:
    """All terms of one block."""
    D, G = block.loglik.shape
    p = len(block.items)
    problem = block.posterior.problem
    waic, p_waic = pointwise_waic(block.loglik)
    loo, k = leave_one_out(block.loglik.reshape(block.draws.n_chains, -1, G))
    chisq, usable = _chisq(block)
    nu, S = problem.nu[usable], problem.S[usable]
    replicated, baseline, baseline_p_d = np.full((D, G), np.nan), np.full((D, G), np.nan), np.full(G, np.nan)
    if usable.any():
        replicated[:, usable] = replicated_chisq(rng, nu, p, D)
        baseline[:, usable], baseline_p_d[usable] = baseline_chisq(rng, nu, S, D)
    return FitTerms(
        loglik=block.loglik,
        at_mean=_loglik_at_mean(block),
        dic_error=block_deviance(block)[1],
        waic=waic,
        p_waic=p_waic,
        loo=loo,
        pareto_k=k,
        usable=usable,
        chisq=chisq,
        replicated=replicated,
        baseline=baseline,
        baseline_p_d=baseline_p_d,
        n_covariances=p * (p + 1) // 2,
        n_items=p,
    )


def combine(terms: Sequence[FitTerms]) -> FitTerms:
    """Terms of blocks that were sampled independently: deviances and chi-squares add, and so do variances.

    A group is usable if it is in all blocks.
    """

    def added(name: str) -> Array:
        return np.asarray(sum(getattr(t, name) for t in terms))

    return FitTerms(
        loglik=added("loglik"),
        at_mean=added("at_mean"),
        dic_error=float(np.sqrt(sum(t.dic_error**2 for t in terms))),
        waic=added("waic"),
        p_waic=added("p_waic"),
        loo=added("loo"),
        pareto_k=np.max([t.pareto_k for t in terms], axis=0),
        usable=np.all([t.usable for t in terms], axis=0),
        chisq=added("chisq"),
        replicated=added("replicated"),
        baseline=added("baseline"),
        baseline_p_d=added("baseline_p_d"),
        n_covariances=sum(t.n_covariances for t in terms),
        n_items=sum(t.n_items for t in terms),
    )


def block_deviance(block: BayesianBlock) -> tuple[Deviance, float]:
    """DIC of a block and its Monte-Carlo standard error.

    DIC is 2 loglik_at_mean - 4 loglik_mean. To first order its error is that of the mean over draws of
    2 g'v - 4 loglik, with v the entries of the model matrices and g the slope of the log-likelihood at their mean.
    """
    deviance = deviance_information(block.loglik, _loglik_at_mean(block))
    posterior, x = block.posterior, block.draws.x
    slope = _slope_at_mean(block)
    linear = np.stack([(posterior.values(chain) * slope).sum(axis=(1, 2)) for chain in x])
    return deviance, monte_carlo_error(2.0 * linear - 4.0 * block.loglik.sum(axis=1).reshape(linear.shape))


def block_predictive_p(block: BayesianBlock, rng: np.random.Generator) -> float:
    """Posterior predictive p-value of a block over the groups that have a saturated model; NaN if none has."""
    chisq, usable = _chisq(block)
    if not usable.any():
        return float("nan")
    replicated = replicated_chisq(rng, block.posterior.problem.nu[usable], len(block.items), len(chisq))
    return float((replicated.sum(axis=1) >= chisq[:, usable].sum(axis=1)).mean())


def _loglik_at_mean(block: BayesianBlock) -> Array:
    """Log-likelihood of every group at the posterior mean of the model matrices' entries, shape (G,)."""
    problem = block.posterior.problem
    return log_likelihoods(problem, implied_covariances(problem, block.values)) + likelihood_constant(block.posterior)


def _slope_at_mean(block: BayesianBlock) -> Array:
    """Slope of every group's log-likelihood in its entries at their posterior mean, by differences, shape (G, E)."""
    problem, values = block.posterior.problem, block.values
    variance = np.isin(problem.kind, (THETA, PSI)) & (problem.row == problem.column)
    step = 1e-5 * np.where(variance, values, np.maximum(np.abs(values).max(axis=0), 1e-8))
    slope = np.zeros_like(values)
    for e in np.flatnonzero((problem.base >= 0).any(axis=0) | (problem.deviation >= 0).any(axis=0)):
        sides = []
        for sign in (1.0, -1.0):
            moved = values.copy()
            moved[:, e] += sign * step[:, e]
            sides.append(log_likelihoods(problem, implied_covariances(problem, moved)))
        slope[:, e] = (sides[0] - sides[1]) / (2.0 * step[:, e])
    return slope


def _chisq(block: BayesianBlock) -> tuple[Array, NDArray[np.bool_]]:
    """Chi-square against the saturated model, shape (D, G), and the groups that have one."""
    problem = block.posterior.problem
    p = problem.S.shape[1]
    saturated = saturated_loglik(problem.nu, problem.S)
    # Replicates need nu >= p, and the baseline's variances a mean.
    usable = np.isfinite(saturated) & (problem.nu >= max(p, 3))
    saturated = np.where(usable, saturated + likelihood_constant(block.posterior), np.nan)
    return 2.0 * (saturated - block.loglik), usable
