"""From a parameter table and moments to draws and their averages: the part all Bayesian models share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..data.moments import SampleMoments
from ..errors import OptionError, UnsupportedModelError, did_you_mean
from ..model.matrices import ModelMap, compile_table
from ..syntax.table import ParameterTable
from .draws import Draws, Report, Sampling
from .posterior import Posterior, Role, build_posterior
from .priors import Priors

__all__ = ["DrawSummary", "average_draws", "compile_posterior", "estimate", "likelihood_constant"]

Array = NDArray[np.float64]
METHODS = ("nuts", "laplace")


@dataclass(frozen=True, eq=False)
class DrawSummary:
    """Averages over draws; see `mixsem.kernels.draws.summarise_draws`."""

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
    unit = _units(table, model, S, nu, priors)
    return build_posterior(model, nu, S, lambda e: role_of(model, e), priors, unit, block.groups)


def _units(table: ParameterTable, model: ModelMap, S: Array, nu: Array, priors: Priors) -> Mapping[str, float]:
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
    """Draw from the posterior, or from an approximation to it, and average over the draws.

    Parameters
    ----------
    posterior
        The compiled block.
    method
        ``"nuts"``, or ``"laplace"`` for few draws with proposals from Laplace approximations.
    sampling
        Chains, draws and tuning; with ``"laplace"`` chains x draws is the number of draws, at most 1000.
    seed
        The same seed gives the same draws.
    report
        Called now and then with the draws done and the draws to do.
    """
    if method not in METHODS:
        raise OptionError(f"method={method!r}", allowed="'nuts' or 'laplace'", todo=did_you_mean(str(method), METHODS))
    if method == "laplace":
        from .laplace import laplace_draws  # here and below: compiled code is loaded when it is needed

        draws = laplace_draws(posterior, sampling.chains * sampling.draws, seed)
    else:
        from .sampling import sample_posterior

        draws = sample_posterior(posterior, sampling, seed, report)
    return draws, average_draws(posterior, draws.flat)


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
