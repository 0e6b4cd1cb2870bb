"""Fit measures of Bayesian measurement models: information criteria, posterior predictive p, descriptive measures."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from ..data.moments import SampleMoments
from ..display import Displayed
from ..errors import InformationCriterionWarning, Notice, OptionError, SmallGroupWarning, enumerate_briefly, notify
from ..inference.bayesfit import deviance_information, fit_indices
from .bayes_fit import BayesianBlock, BayesianFit
from .bayes_terms import FitTerms, combine, fit_terms

if TYPE_CHECKING:
    from ..report.table import Table

__all__ = ["BayesFitMeasures", "BlockMeasures", "bayes_fit_measures"]

Array = NDArray[np.float64]
#: Above this shape parameter the importance weights of a group have too heavy a tail (Vehtari et al. 2024).
HIGHEST_K = 0.7


class OneBlock(Protocol):
    """A fit with a single block, such as a multilevel SEM."""

    @property
    def moments(self) -> SampleMoments: ...
    @property
    def block(self) -> BayesianBlock: ...


@dataclass(frozen=True, eq=False)
class BlockMeasures:
    """Fit of one measurement block, or of all together.

    Information criteria are deviances: smaller is better. Their unit is the group: WAIC and LOO predict the data of a
    group, given its own parameters.

    Attributes
    ----------
    block
        Names of the block's factors, or ``"total"``.
    loglik_mean, loglik_at_mean
        Log-likelihood: its mean over draws, and at the posterior mean of the model matrices.
    p_d, dic, dic_error
        Effective number of parameters, DIC and its Monte-Carlo standard error.
    p_waic, waic, waic_se
        Effective number of parameters, WAIC and its standard error over groups.
    p_loo, loo, loo_se
        The same by leaving out one group after the other (Pareto smoothed importance sampling).
    ppp
        Posterior predictive p-value, .5 in the ideal case.
    brmsea, brmsea_lower, brmsea_upper
        Posterior mean of the Bayesian RMSEA, and its 5% and 95% quantiles.
    bcfi, bcfi_lower, bcfi_upper, btli, bgammahat
        Posterior means (and quantiles) of the Bayesian CFI, TLI and gamma hat.
    pareto_k
        Shape of the tail of the importance weights, by group, shape (G,); the largest one over blocks in the total.
    group_ppp
        Posterior predictive p-value of every group, shape (G,).
    """

    block: str
    loglik_mean: float
    loglik_at_mean: float
    p_d: float
    dic: float
    dic_error: float
    p_waic: float
    waic: float
    waic_se: float
    p_loo: float
    loo: float
    loo_se: float
    ppp: float
    brmsea: float
    brmsea_lower: float
    brmsea_upper: float
    bcfi: float
    bcfi_lower: float
    bcfi_upper: float
    btli: float
    bgammahat: float
    pareto_k: Array
    group_ppp: Array

    def to_dict(self) -> dict[str, str | float]:
        """Names and values of all that is not by group."""
        return {name: value for name, value in asdict(self).items() if name not in ("pareto_k", "group_ppp")}


@dataclass(frozen=True, eq=False, repr=False)
class BayesFitMeasures(Displayed):
    """Fit measures of every measurement block and of all blocks together.

    Attributes
    ----------
    groups
        Labels of the groups.
    n_draws
        Draws per block.
    blocks
        Measures of each block.
    total
        Measures of all blocks together: log-likelihoods and chi-squares add up. Covariances between items of
        different blocks are not part of it.
    notices
        What cannot be trusted, by group.
    """

    groups: tuple[Hashable, ...]
    n_draws: int
    blocks: tuple[BlockMeasures, ...]
    total: BlockMeasures
    notices: tuple[Notice, ...]

    @property
    def rows(self) -> tuple[BlockMeasures, ...]:
        """The blocks and the total; a single block stands alone."""
        return (*self.blocks, self.total) if len(self.blocks) > 1 else self.blocks

    @property
    def table(self) -> Table:
        """One row per block and the total, ready to print or to turn into a frame."""
        from ..report.bayes_tables import measures_table

        return measures_table(self)


def bayes_fit_measures(step1: BayesianFit | OneBlock, *, seed: int = 1) -> BayesFitMeasures:
    """Judge how well a Bayesian measurement model fits.

    All of it rests on the log-likelihood of the covariances given a draw, with factor scores and means integrated
    out; random loadings and variances are not: a group is judged by its own parameters.

    - DIC: at the posterior mean of the loadings and (co)variances, on their natural scale.
    - WAIC and LOO: over groups. A group's own parameters are informed by that group alone, so that leaving it out
      changes them a great deal: Pareto's k is often above 0.7, and LOO is then of no use. Compare DIC.
    - Posterior predictive p: share of draws in which covariances replicated from the draw's Sigma (a Wishart matrix)
      have a larger chi-square against the saturated model than the data's.
    - BRMSEA, BCFI, BTLI, BGammaHat: of every draw, chi-square minus number of moments is the misfit, number of moments
      minus p_D the degrees of freedom. As means are integrated out, the moments are the p (p + 1)/2 covariances of
      each group; N counts people; the baseline has independent items with variances of their own in every group.
    - Groups with no more people than items have a singular covariance matrix and no saturated model: they are left
      out of the last two, with a notice.

    Parameters
    ----------
    step1
        What `MLCFA(...).fit` or `MGBCFA(...).fit` returned (or `MLSEM(...).fit`).
    seed
        Of replicated covariances and draws of the baseline.

    Returns
    -------
    BayesFitMeasures
        One `BlockMeasures` per block, and the total.

    Raises
    ------
    OptionError
        If `step1` has no posterior draws.

    Examples
    --------
    >>> import warnings
    >>> import mixsem as mx
    >>> data = mx.data.holzinger_swineford_1939()
    >>> model = mx.MGBCFA("visual =~ x1 + x2 + x3", sampling=mx.Sampling(chains=2, warmup=200, draws=200))
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", mx.errors.MixsemWarning)
    ...     measures = mx.bayes_fit_measures(model.fit(data, group="school", seed=2))
    >>> 0.1 < measures.total.ppp < 0.9
    True

    References
    ----------
    Spiegelhalter, Best, Carlin & van der Linde (2002). Journal of the Royal Statistical Society B 64, 583-639.
    Vehtari, Gelman & Gabry (2017). Statistics and Computing 27, 1413-1432.
    Garnier-Villarreal & Jorgensen (2020), Adapting fit indices for Bayesian SEM. Psychological Methods 25, 46-70.
    """
    blocks = _blocks_of(step1)
    n, groups = step1.moments.n, step1.moments.groups
    rngs = np.random.default_rng(seed).spawn(len(blocks))
    terms = [fit_terms(block, rng) for block, rng in zip(blocks, rngs, strict=True)]
    measures = tuple(_measures(", ".join(b.factors), t, n) for b, t in zip(blocks, terms, strict=True))
    total = _measures("total", combine(terms), n)
    notices = _notices(measures, terms, groups)
    notify(notices)
    return BayesFitMeasures(tuple(groups), len(terms[0].loglik), measures, total, notices)


def _blocks_of(step1: BayesianFit | OneBlock) -> tuple[BayesianBlock, ...]:
    blocks = step1.blocks if hasattr(step1, "blocks") else (getattr(step1, "block", None),)
    if not all(isinstance(block, BayesianBlock) for block in blocks):
        raise OptionError(
            f"bayes_fit_measures() got {type(step1).__name__}",
            allowed="what MLCFA(...).fit, MGBCFA(...).fit or MLSEM(...).fit returned",
            todo="for a fit by maximum likelihood see fit.blocks[0].measures",
        )
    return tuple(blocks)


def _measures(name: str, terms: FitTerms, n: NDArray[np.int64]) -> BlockMeasures:
    deviance = deviance_information(terms.loglik, terms.at_mean)
    usable = terms.usable
    indices = [np.full(1, np.nan)] * 4
    if usable.any():
        found = fit_indices(
            terms.chisq[:, usable].sum(axis=1),
            deviance_information(terms.loglik[:, usable], terms.at_mean[usable]).p_d,
            terms.baseline[:, usable].sum(axis=1),
            float(terms.baseline_p_d[usable].sum()),
            n_moments=int(usable.sum()) * terms.n_covariances,
            n=int(n[usable].sum()),
            n_groups=int(usable.sum()),
            n_items=terms.n_items,
        )
        indices = [found.brmsea, found.cfi, found.tli, found.gamma_hat]
    brmsea, cfi, tli, gamma_hat = indices
    # Of a set of groups the deviances add up, and so do the squares that their standard error is made of.
    waic, loo = -2.0 * terms.waic, -2.0 * terms.loo
    return BlockMeasures(
        block=name,
        loglik_mean=deviance.loglik_mean,
        loglik_at_mean=deviance.loglik_at_mean,
        p_d=deviance.p_d,
        dic=deviance.dic,
        dic_error=terms.dic_error,
        p_waic=float(terms.p_waic.sum()),
        waic=float(waic.sum()),
        waic_se=_standard_error(waic),
        p_loo=float((terms.waic + terms.p_waic - terms.loo).sum()),
        loo=float(loo.sum()),
        loo_se=_standard_error(loo),
        ppp=terms.predictive_p() if usable.any() else np.nan,
        brmsea=float(brmsea.mean()),
        brmsea_lower=float(np.quantile(brmsea, 0.05)),
        brmsea_upper=float(np.quantile(brmsea, 0.95)),
        bcfi=float(cfi.mean()),
        bcfi_lower=float(np.quantile(cfi, 0.05)),
        bcfi_upper=float(np.quantile(cfi, 0.95)),
        btli=float(tli.mean()),
        bgammahat=float(gamma_hat.mean()),
        pareto_k=terms.pareto_k,
        group_ppp=np.where(usable, (terms.replicated >= terms.chisq).mean(axis=0), np.nan),
    )


def _standard_error(pointwise: Array) -> float:
    """Standard error of a sum over groups; NaN with one group."""
    return float(np.sqrt(pointwise.size * pointwise.var(ddof=1))) if pointwise.size > 1 else float("nan")


def _notices(
    measures: Sequence[BlockMeasures], terms: Sequence[FitTerms], groups: Sequence[Hashable]
) -> tuple[Notice, ...]:
    """What cannot be trusted: LOO with heavy tails, DIC with a negative p_D, groups without a saturated model."""
    notices = []
    heavy = np.stack([m.pareto_k > HIGHEST_K for m in measures])
    if heavy.any():
        concerned = tuple(g for g, bad in zip(groups, np.any(heavy, axis=0), strict=True) if bad)
        names = [m.block for m, bad in zip(measures, heavy, strict=True) if bad.any()]
        text = (
            f"LOO is not to be trusted for {enumerate_briefly(names)}: Pareto's k is above {HIGHEST_K} in"
            f" {len(concerned)} of {len(groups)} groups ({enumerate_briefly(concerned)}). Parameters of a group are"
            " informed by that group alone, and its draws say little about what they were without it."
            " Compare models by DIC."
        )
        notices.append(Notice(InformationCriterionWarning, text, concerned))
    negative = [m.block for m in measures if m.p_d < 0]
    if negative:
        text = (
            f"the effective number of parameters p_D is negative for {enumerate_briefly(negative)}: the posterior mean"
            " does not sum the posterior up (are there two modes?). DIC, BRMSEA and BTLI are not to be trusted."
            " Look at the diagnostics; compare WAIC."
        )
        notices.append(Notice(InformationCriterionWarning, text))
    usable = combine(terms).usable
    if not usable.all():
        concerned = tuple(g for g, good in zip(groups, usable, strict=True) if not good)
        text = (
            f"{enumerate_briefly(concerned)}: no more people than items, or items that determine one another, so that"
            " the covariance matrix is singular and chi-square does not exist. Left out of the posterior predictive"
            " p-value, BRMSEA, BCFI, BTLI and BGammaHat."
        )
        notices.append(Notice(SmallGroupWarning, text, concerned))
    return tuple(notices)
