"""How well a Bayesian step 1 was sampled: block by block, and for every quantity that its results rest on."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..bayes.convergence import Convergence, energy_fraction
from ..bayes.monitored import Monitored, monitor, monitored_convergence
from ..display import Displayed
from ..errors import OptionError
from .bayes_fit import BayesianBlock, BayesianFit

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Diagnostics", "diagnostics", "sampled_blocks", "worst_first"]


@dataclass(frozen=True, eq=False, repr=False)
class Diagnostics(Displayed):
    """Diagnostics of the draws of a Bayesian measurement model.

    Attributes
    ----------
    method
        ``"nuts"``, or ``"laplace"``, of which the columns about the No-U-Turn sampler are missing.
    n_chains, n_draws
        Chains, and draws per chain.
    frame
        One row per measurement block: ``block``, ``quantities`` (how many were watched), ``rhat`` (largest R-hat),
        ``ess_bulk`` and ``ess_tail`` (smallest effective sample sizes), ``worst`` (quantity with the largest R-hat, or
        with the smallest effective sample size for its limit if that is worse), ``divergences``, ``at_max_depth``
        (share of draws that stopped at the largest depth), ``ebfmi`` (estimated fraction of missing information of
        the worst chain), ``seconds`` (of sampling), ``ess_per_second`` (smallest bulk or tail size per second).
    parameters
        One row per quantity: ``block``, ``name`` (with the group, such as ``"F=~x2 [BEL]"``,
        or ``"sd F=~x2"``), ``parameter`` (lavaan's name), ``what`` (``"group"``, ``"common"``,
        ``"mean"``, ``"sd"``), ``group`` (None if it belongs to no single one), ``rhat``, ``ess_bulk``, ``ess_tail``.
        Means and standard deviations over groups are of logs for variances and of Fisher's z for correlations.
    """

    method: str
    n_chains: int
    n_draws: int
    frame: pd.DataFrame
    parameters: pd.DataFrame


def diagnostics(step1: Any) -> Diagnostics:
    """Diagnose the draws of a Bayesian measurement model, or of a multilevel SEM.

    Parameters
    ----------
    step1
        A `BayesianFit`, which ``MLCFA(...).fit()`` and ``MGBCFA(...).fit()`` return, or a multilevel SEM.

    Returns
    -------
    Diagnostics
        ``.frame`` by block, ``.parameters`` by quantity: every loading, variance and covariance of every group, and
        means and standard deviations of random effects.

    Raises
    ------
    OptionError
        If `step1` has no draws.

    Examples
    --------
    >>> import warnings
    >>> import mixsem as mx
    >>> from mixsem.simulate import Population, draw_moments, draw_truth
    >>> moments = draw_moments(draw_truth(Population(n_groups=4), seed=1), seed=1)
    >>> few = mx.Sampling(chains=2, warmup=200, draws=200)
    >>> fit = mx.MGBCFA("F1 =~ V1 + V2 + V3", sampling=few).fit(moments, seed=1)
    >>> mx.diagnostics(fit).frame[["block", "quantities"]].to_dict("records")
    [{'block': 'F1', 'quantities': 24}]

    References
    ----------
    Vehtari, Gelman, Simpson, Carpenter & Bürkner (2021), Rank-normalization, folding, and localization: an improved
    R-hat for assessing convergence of MCMC. Bayesian Analysis 16, 667-718.
    """
    import pandas as pd

    blocks = sampled_blocks(step1, "diagnostics")
    method = step1.specification.method
    rows, frames = [], []
    for block in blocks:
        watched = monitor(block.posterior, step1.groups)
        found = monitored_convergence(block.posterior, watched, block.draws)
        rows.append(_block_row(block, watched, found, method, step1.specification.sampling.max_depth))
        frames.append(_parameter_frame(block, watched, found, step1.groups))
    chains, draws = blocks[0].draws.x.shape[:2]
    parameters = pd.concat(frames, ignore_index=True)
    return Diagnostics(method, chains, draws, pd.DataFrame(rows), parameters)


def sampled_blocks(fit: object, function: str) -> tuple[BayesianBlock, ...]:
    """The sampled blocks of a fit.

    Parameters
    ----------
    fit
        A `BayesianFit`, or a fit of one block, such as a multilevel SEM.
    function
        Name of the function it was given to, for the message.

    Raises
    ------
    OptionError
        If it is anything else.
    """
    if isinstance(fit, BayesianFit):
        return fit.blocks
    block = getattr(fit, "block", None)
    if not isinstance(block, BayesianBlock):
        raise OptionError(
            f"{function}() got a {type(fit).__name__}",
            allowed="a BayesianFit, or a multilevel SEM",
            todo="give what MLCFA(...).fit() or MGBCFA(...).fit() returned; maximum likelihood has no draws",
        )
    return (block,)


def worst_first(found: Convergence) -> NDArray[np.int64]:
    """Order of the quantities by how badly they were sampled.

    R-hat - 1 counts in units of 0.01, effective sample sizes as 400 over the size: equal at their usual limits.
    """
    rhat = np.nan_to_num((found.rhat - 1.0) / 0.01, nan=-np.inf)
    size = np.fmin(found.ess_bulk, found.ess_tail)
    badness = np.fmax(rhat, np.nan_to_num(400.0 / size, nan=-np.inf))
    return np.argsort(-badness, kind="stable")


def _block_row(
    block: BayesianBlock, watched: Monitored, found: Convergence, method: str, max_depth: int
) -> dict[str, Any]:
    draws, sampled = block.draws, method == "nuts"
    seconds = float(draws.seconds.get("sample", np.nan)) if sampled else float(sum(draws.seconds.values()))
    ess = _extreme(np.fmin(found.ess_bulk, found.ess_tail), np.nanmin)
    return {
        "block": ", ".join(block.factors),
        "quantities": watched.size,
        "rhat": _extreme(found.rhat, np.nanmax),
        "ess_bulk": _extreme(found.ess_bulk, np.nanmin),
        "ess_tail": _extreme(found.ess_tail, np.nanmin),
        "worst": watched.names[worst_first(found)[0]] if sampled and watched.size else None,
        "divergences": int(draws.diverging.sum()) if sampled else None,
        "at_max_depth": float((draws.depth >= max_depth).mean()) if sampled else np.nan,
        "ebfmi": _extreme(energy_fraction(draws.energy), np.nanmin) if sampled else np.nan,
        "seconds": seconds,
        "ess_per_second": ess / seconds if seconds else np.nan,
    }


def _extreme(values: NDArray[np.float64], of: Any) -> float:
    """The smallest or largest value; nan if there is none."""
    return float(of(values)) if np.isfinite(values).any() else float("nan")


def _parameter_frame(
    block: BayesianBlock, watched: Monitored, found: Convergence, labels: Sequence[Hashable]
) -> pd.DataFrame:
    import pandas as pd

    single = [what == "group" for what in watched.what]
    groups = [labels[g] if one else None for g, one in zip(watched.group, single, strict=True)]
    return pd.DataFrame(
        {
            "block": ", ".join(block.factors),
            "name": watched.names,
            "parameter": watched.parameter,
            "what": watched.what,
            "group": pd.Series(groups, dtype=object),
            "rhat": found.rhat,
            "ess_bulk": found.ess_bulk,
            "ess_tail": found.ess_tail,
        }
    )
