"""Trouble with the draws of a Bayesian step 1: chains that disagree, too few draws, divergences."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from ..bayes.convergence import Convergence, energy_fraction
from ..bayes.monitored import Monitored, monitor, monitored_convergence
from ..errors import DivergenceWarning, Notice, SamplingWarning, enumerate_briefly
from ..kernels.problem import LAMBDA
from .bayes_fit import BayesianBlock
from .diagnostics import worst_first

__all__ = ["limits", "sampling_notices"]

#: The limits of Vehtari et al. (2021), for this many draws in all chains together or more.
RHAT, ESS, USUAL = 1.01, 400.0, 1600
#: Least fraction of missing information (Betancourt 2016).
EBFMI = 0.2
#: A standard deviation over groups is near zero below this, on a log or z scale or relative to the mean loading.
NEGLIGIBLE = 0.05
SHOWN = 4


def sampling_notices(block: BayesianBlock, groups: Sequence[Hashable]) -> list[Notice]:
    """Notices about the chains of one block."""
    watched = monitor(block.posterior, groups)
    found = monitored_convergence(block.posterior, watched, block.draws)
    return [*_convergence(block, groups, watched, found), *_divergences(block)]


def limits(n_draws: int) -> tuple[float, float]:
    """Largest R-hat and smallest effective sample size that pass without a notice.

    Parameters
    ----------
    n_draws
        Draws of all chains together.

    Returns
    -------
    float, float
        1.01 and 400. Below 1600 draws R-hat is noisier, and 400 out of reach: both are scaled by the number of draws.

    Examples
    --------
    >>> limits(4000), limits(400)
    ((1.01, 400.0), (1.04, 100.0))

    References
    ----------
    Vehtari, Gelman, Simpson, Carpenter & Bürkner (2021), Rank-normalization, folding, and localization. Bayesian
    Analysis 16, 667-718.
    """
    scarcity = max(1.0, USUAL / n_draws)
    return 1.0 + (RHAT - 1.0) * scarcity, ESS / scarcity


def _convergence(
    block: BayesianBlock, groups: Sequence[Hashable], watched: Monitored, found: Convergence
) -> list[Notice]:
    n_chains, n_draws = block.draws.x.shape[:2]
    rhat, ess = limits(n_chains * n_draws)
    size = np.fmin(found.ess_bulk, found.ess_tail)
    beyond = (found.rhat > rhat) | (size < ess)
    ebfmi = energy_fraction(block.draws.energy).min()
    if not beyond.any() and not ebfmi < EBFMI:
        return []
    worst = [int(i) for i in worst_first(found) if beyond[i]]
    disagree = bool((found.rhat > rhat).any()) or bool(ebfmi < EBFMI)
    what = []
    if disagree and worst:
        what.append(f"R-hat is up to {np.nanmax(found.rhat):.3f} (should be at most {rhat:.4g})")
    if (size < ess).any():
        what.append(
            f"the effective number of draws is down to {np.nanmin(found.ess_bulk):.0f} in the bulk and"
            f" {np.nanmin(found.ess_tail):.0f} in the tails (should be at least {ess:.0f})"
        )
    if ebfmi < EBFMI:
        what.append(f"the chains cross levels of density slowly (E-BFMI {ebfmi:.2f}, should be at least {EBFMI})")
    listed = [f"{watched.names[i]} (R-hat {found.rhat[i]:.3f}, effective draws {size[i]:.0f})" for i in worst]
    beyond_limits = f" Beyond the limits: {len(worst)} of {watched.size} quantities, worst first:"
    named = f"{beyond_limits} {enumerate_briefly(listed, SHOWN)}." if worst else ""
    longer = f"Sampling(warmup=2000, draws={max(2 * n_draws, 2000)})"
    if disagree:
        lead = "the chains do not agree, or are too short to tell"
        advice = (
            " Factor scores and all that rests on them are not reliable yet. Draw more, with a longer warm-up"
            f" ({longer}), or in smaller steps (target_accept=0.95); put a better marker variable first."
        )
    else:
        lead = "few effective draws for some quantities"
        advice = (
            " The chains agree, so averages such as factor scores may be used, but intervals of these quantities are"
            f" rough; for them draw more ({longer})."
        )
    text = f"{', '.join(block.factors)}: {lead}: {'; '.join(what)}.{named}{advice}{_negligible_advice(block)}"
    concerned = tuple(dict.fromkeys(groups[watched.group[i]] for i in worst if watched.what[i] == "group"))
    return [Notice(SamplingWarning, text, concerned)]


def _divergences(block: BayesianBlock) -> list[Notice]:
    n, total = int(block.draws.diverging.sum()), block.draws.diverging.size
    if not n:
        return []
    return [
        Notice(
            DivergenceWarning,
            f"{', '.join(block.factors)}: {n} of {total} draws ({n / total:.2%}) diverged: steps were too long for a"
            " narrow part of the posterior, often where a standard deviation over groups is near zero, and the draws"
            " may miss that part. One or two in thousands hardly matter; more bias the averages. Take smaller steps,"
            " Sampling(target_accept=0.95) and then 0.99, and see whether they go away." + _negligible_advice(block),
        )
    ]


def _negligible_advice(block: BayesianBlock) -> str:
    """Random effects that could go, as a sentence; empty if there are none."""
    listed = [f"{name} ({sd:.2g})" for name, sd in negligible_spreads(block)]
    if not listed:
        return ""
    return (
        f" These standard deviations over groups are near zero: {enumerate_briefly(listed, SHOWN)}; hold such"
        " parameters equal by leaving them out of random=."
    )


def negligible_spreads(block: BayesianBlock) -> list[tuple[str, float]]:
    """Random entries with their standard deviations over groups (posterior medians), where these are near zero."""
    posterior = block.posterior
    problem, flat = posterior.problem, block.draws.flat
    found: list[tuple[str, float]] = []
    for e, i in enumerate(problem.scale):
        name = posterior.model.entries[e]
        if i < 0 or int(posterior.entry[i]) != e:
            continue
        sd = float(np.exp(np.median(flat[:, i])))
        unit = _typical(block.values[:, e]) if problem.kind[e] == LAMBDA else 1.0
        if sd < NEGLIGIBLE * unit:
            found.append((name, sd))
    return sorted(found, key=lambda pair: pair[1])


def _typical(values: NDArray[np.float64]) -> float:
    return float(np.abs(values).mean())
