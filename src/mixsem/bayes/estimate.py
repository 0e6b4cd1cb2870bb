"""From a parameter table and moments to draws and their averages: the part all Bayesian models share."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..data.moments import SampleMoments
from ..errors import DataError, OptionError, UnsupportedModelError, did_you_mean
from ..kernels.problem import FLAT, INVERSE_GAMMA
from ..model.matrices import ModelMap, compile_table
from ..syntax.table import ParameterTable
from .draws import Draws, Report, Sampling
from .posterior import Posterior, Role, build_posterior
from .priors import Priors

__all__ = ["DrawSummary", "average_draws", "compile_posterior", "estimate", "likelihood_constant"]

Array = NDArray[np.float64]
METHODS = ("nuts", "laplace")
#: Items whose correlation is nearer to 1 or -1 than this are the same: rounding leaves about 1e-15.
COPY = 1e-10


@dataclass(frozen=True, eq=False)
class DrawSummary:
    """Averages over D draws, for G groups, p items, m factors and E entries of the model matrices.

    Attributes
    ----------
    loglik
        Log-likelihood of every draw and group, with its constant, shape (D, G).
    mean_A
        Mean of the factor-score weights A_g, shape (G, m, p).
    cov_A
        Covariance of their elements, shape (G, m, p, m, p).
    mean_V
        Mean of the scores' error covariances V_g, shape (G, m, m).
    values
        Mean of every entry on its natural scale, shape (G, E).

    See Also
    --------
    mixsem.kernels.draws.summarise_draws
    """

    loglik: Array
    mean_A: Array
    cov_A: Array
    mean_V: Array
    values: Array


def compile_posterior(
    table: ParameterTable,
    moments: SampleMoments,
    role_of: Callable[[ModelMap, int], Role],
    priors: Priors,
    means: str = "free",
) -> Posterior:
    """Compile a parameter table for the moments of its items.

    Parameters
    ----------
    table
        Parameters of one measurement block.
    moments
        Groups with at least the table's items.
    role_of
        Role of an entry of the compiled model.
    priors
        Prior distributions.
    means
        ``"free"``: group means with a flat prior, integrated out; ``"ignore"``: centred rows taken as independent.

    Raises
    ------
    OptionError, UnsupportedModelError
        If `means` is not known, or the table has intercepts.
    DataError
        If an item is a copy of another one.
    """
    if means not in ("free", "ignore"):
        raise OptionError(
            f"means={means!r}", allowed="'free' or 'ignore'", todo=did_you_mean(str(means), ("free", "ignore"))
        )
    for row in table.rows:
        if row.op == "~1":
            raise UnsupportedModelError(
                f"line {row.line}, column {row.column}: {row.name} is an intercept or a mean",
                allowed="loadings, unique and factor (co)variances; means are integrated out",
                todo="remove it from the model text",
            )
    block = moments.select(table.observed)
    model = compile_table(table, block.groups)
    n = block.n.astype(float)
    nu = n - 1.0 if means == "free" else n
    S = block.covariances * (n / nu)[:, None, None]
    _require_distinct(block, nu, S)
    unit = _units(table, S, nu, priors)
    return build_posterior(model, nu, S, lambda e: role_of(model, e), priors, unit, block.groups)


def _require_distinct(block: SampleMoments, nu: Array, S: Array) -> None:
    """Refuse an item that copies another one: unique variances near zero would have no end of likelihood.

    Three degrees of freedom are what it takes for the total to be infinite; with fewer, rows coincide by chance.
    """
    enough = nu >= 3.0
    if not enough.any():
        return
    scale = np.sqrt(np.diagonal(S[enough], axis1=1, axis2=2))
    copies = (np.abs(S[enough] / (scale[:, :, None] * scale[:, None, :])) > 1.0 - COPY).all(axis=0)
    pairs = [(int(i), int(j)) for i, j in np.argwhere(np.triu(copies, 1))]
    if pairs:
        i, j = pairs[0]
        raise DataError(
            f"{block.items[j]} is a copy of {block.items[i]}: they correlate perfectly in every group",
            allowed="items that differ by more than their units",
            todo=f"leave {block.items[j]} out of the model, or correct the data",
        )


def _units(table: ParameterTable, S: Array, nu: Array, priors: Priors) -> Mapping[str, float]:
    """Pooled within-group standard deviations of the items; factors take their marker's over its loading."""
    names = (*table.observed, *table.factors)
    if priors.units == "raw":
        return dict.fromkeys(names, 1.0)
    pooled = np.sqrt(np.average(np.diagonal(S, axis1=1, axis2=2), axis=0, weights=nu))
    unit = dict(zip(table.observed, (float(v) for v in pooled), strict=True))
    for factor in table.factors:
        unit[factor] = 1.0
        for row in table.rows:
            value = row.fixed[0]
            if row.op == "=~" and row.lhs == factor and value:
                unit[factor] = unit[row.rhs] / abs(value)
                break
    return unit


def estimate(
    posterior: Posterior,
    method: str,
    sampling: Sampling,
    seed: np.random.SeedSequence,
    report: Report | None = None,
) -> tuple[Draws, DrawSummary]:
    """Draw from the posterior and average over the draws.

    Parameters
    ----------
    posterior
        The compiled block.
    method
        ``"nuts"``: the No-U-Turn sampler; ``"laplace"``: a Metropolis-Hastings sampler with proposals from Laplace
        approximations, for few draws.
    sampling
        Chains, draws and tuning; with ``"laplace"`` chains x draws is the number of draws, at most 1000.
    seed
        The same seed gives the same draws.
    report
        Called now and then with the draws done and the draws to do.

    Raises
    ------
    OptionError
        If there is no such method, or a flat prior on a spread over groups leaves the posterior without a finite
        total.
    """
    _require_proper(posterior)
    if method not in METHODS:
        raise OptionError(f"method={method!r}", allowed="'nuts' or 'laplace'", todo=did_you_mean(str(method), METHODS))
    if method == "laplace":
        from .laplace import laplace_draws  # here and below: compiled code is loaded when it is needed

        draws = laplace_draws(posterior, sampling.chains * sampling.draws, seed)
    else:
        from .sampling import sample_posterior

        draws = sample_posterior(posterior, sampling, seed, report)
    return draws, average_draws(posterior, draws.flat)


def _require_proper(posterior: Posterior) -> None:
    """Refuse flat priors on spreads over so few groups that the posterior has no finite total.

    An inverse gamma prior with scale 0 and shape a has the density s^(-2a-1) of a standard deviation s. The likelihood
    of n values falls as s^-n, or s^(1-n) if their mean has a flat prior too, so that the tail is finite if n is above
    -2a, or 1 - 2a: with a = -1, flat on the variance, from 3 values on, or 4. Near s = 0 the likelihood is that of
    equal values, and the total is finite if a < 0.
    """
    problem = posterior.problem
    todo = "take priors='default', or a HalfNormal or HalfT prior for the spread"
    for e, i in enumerate(problem.scale):
        if i < 0 or problem.family[i] != INVERSE_GAMMA or problem.b[i] != 0.0:
            continue
        varying = np.flatnonzero(problem.deviation[:, e] >= 0)
        shape, mean = float(problem.a[i]), int(problem.base[varying[0], e])
        if shape >= 0.0:
            raise OptionError(
                f"{posterior.names[i]}: the prior InverseGamma({shape:g}, 0) on the variance of random effects has an"
                " infinite total near zero, and so has the posterior",
                allowed="InverseGamma with a positive scale, or with shape -1 and scale 0 (flat on the variance)",
                todo=todo,
            )
        least = math.floor(float(problem.family[mean] == FLAT) - 2.0 * shape) + 1
        if varying.size < least:
            prior = "a flat prior" if shape == -1.0 else f"the prior InverseGamma({shape:g}, 0)"
            raise OptionError(
                f"{posterior.names[i]}: {prior} on the variance of random effects over {varying.size} groups leaves the"
                " posterior without a finite total",
                allowed=f"this prior with {least} groups or more",
                todo=todo,
            )


def average_draws(posterior: Posterior, x: Array) -> DrawSummary:
    """Averages over draws x, shape (D, P), and the log-likelihood of each."""
    from ..kernels.draws import summarise_draws

    problem = posterior.problem
    G, p, _ = problem.S.shape
    m, E = int(problem.shape[0]), problem.kind.size
    loglik, values = np.empty((len(x), G)), np.empty((G, E))
    mean_A, mean_AA, mean_V = np.empty((G, m, p)), np.empty((G, m, p, m, p)), np.empty((G, m, m))
    summarise_draws(problem, np.ascontiguousarray(x), loglik, mean_A, mean_AA, mean_V, values)
    cov_A = mean_AA - mean_A[:, :, :, None, None] * mean_A[:, None, None, :, :]
    return DrawSummary(loglik + likelihood_constant(posterior), mean_A, cov_A, mean_V, values)


def likelihood_constant(posterior: Posterior) -> Array:
    """What the log-likelihood of every group lacks in the kernels, shape (G,): the normal's constant.

    With means integrated out (nu = N - 1) a factor N^(-p/2) (2 pi)^(-(N-1)p/2); the kernels' nu does not tell whether
    means were ignored, so the small term -p/2 log N is left out: it is the same in all models of the same items.
    """
    p = posterior.problem.S.shape[1]
    return np.asarray(-0.5 * posterior.problem.nu * p * np.log(2.0 * np.pi))
