"""Fit a Bayesian measurement model block by block."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ..bayes.draws import Sampling
from ..bayes.estimate import compile_posterior, estimate
from ..bayes.posterior import Role
from ..bayes.priors import Priors
from ..data.moments import SampleMoments
from ..errors import ModelError, enumerate_briefly
from ..model.matrices import ModelMap
from ..syntax.blocks import block_table
from ..syntax.table import ParameterTable
from .bayes_fit import BayesianBlock, ScoreSummary

__all__ = ["Progress", "fit_blocks"]

Progress = Callable[[str, int, int], None]


def fit_blocks(
    table: ParameterTable,
    parts: Sequence[tuple[str, ...]],
    moments: SampleMoments,
    role_of: Callable[[ModelMap, int], Role],
    *,
    priors: Priors,
    means: str,
    method: str,
    sampling: Sampling,
    seed: int | None,
    progress: Progress | None = None,
) -> tuple[BayesianBlock, ...]:
    """Compile, sample and average every block; the seed of a block depends on its place among the blocks."""
    seeds = np.random.SeedSequence(seed).spawn(len(parts))
    total = sampling.chains * (sampling.warmup + sampling.draws) * len(parts)
    blocks = []
    for index, (part, child) in enumerate(zip(parts, seeds, strict=True)):
        rows = block_table(table, part)
        posterior = compile_posterior(rows, moments, role_of, priors, means)
        before = index * (total // len(parts))

        def report(done: int, _: int, before: int = before) -> None:
            if progress is not None:
                progress("measurement", before + done, total)

        draws, average = estimate(posterior, method, sampling, child, report if progress is not None else None)
        _require_finite(average.loglik, moments, part)
        scores = ScoreSummary(average.mean_A, average.cov_A, average.mean_V)
        blocks.append(
            BayesianBlock(rows.factors, rows.observed, rows, posterior, draws, average.values, scores, average.loglik)
        )
    if progress is not None:
        progress("measurement", total, total)
    return tuple(blocks)


def _require_finite(loglik: NDArray[np.float64], moments: SampleMoments, part: tuple[str, ...]) -> None:
    """Draws without a likelihood would spoil every average: refuse them, naming the groups."""
    bad = [moments.groups[g] for g in np.flatnonzero(~np.isfinite(loglik).all(axis=0))]
    if bad:
        raise ModelError(
            f"{', '.join(part)}: some draws have no finite likelihood in {enumerate_briefly(bad)}",
            allowed="draws with a finite likelihood in every group",
            todo="if this is the fast method, 'laplace', use the No-U-Turn sampler (method='nuts'); otherwise look"
            " at these groups: a unique variance may be zero there, or a prior too vague for so few people",
        )
