"""Prior variances of loading differences compared by DIC, block by block."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..display import Displayed
from ..errors import OptionError
from .approximation_checks import approximation_notices
from .bayes_blocks import Progress
from .bayes_fit import BayesianBlock
from .bayes_terms import block_deviance, block_predictive_p
from .sampling_checks import sampling_notices

if TYPE_CHECKING:
    from ..report.table import Table

__all__ = ["Candidate", "PriorVarianceChoice", "best_of_grid", "variance_grid"]

#: A difference in DIC below so many Monte-Carlo standard errors is no difference.
TIED = 2.0

Sampler = Callable[[float | None, Progress | None], tuple[BayesianBlock, ...]]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A prior variance tried on one measurement block.

    Attributes
    ----------
    factors
        The block's factors.
    prior_variance
        Prior variance of the difference between a group's loading and the reference group's; None: no constraint.
    dic, dic_error
        Deviance information criterion and its Monte-Carlo standard error.
    p_d
        Effective number of parameters.
    ppp
        Posterior predictive p-value.
    difference, difference_error
        DIC minus the block's smallest, and its Monte-Carlo standard error.
    chosen
        Whether DIC is smallest.
    trouble
        Whether the chains disagree, diverge or are short, or with ``method="laplace"`` few draws are effective, so
        that DIC is not to be trusted.
    """

    factors: tuple[str, ...]
    prior_variance: float | None
    dic: float
    dic_error: float
    p_d: float
    ppp: float
    difference: float
    difference_error: float
    chosen: bool
    trouble: bool

    @property
    def tied(self) -> bool:
        """Whether the difference to the smallest DIC is within Monte-Carlo error: more draws could reverse it."""
        return not self.chosen and self.difference < TIED * self.difference_error


@dataclass(frozen=True, eq=False, repr=False)
class PriorVarianceChoice(Displayed):
    """Prior variances compared by DIC.

    Attributes
    ----------
    candidates
        One per block and prior variance, block after block, variances ascending.
    """

    candidates: tuple[Candidate, ...]

    @property
    def chosen(self) -> dict[str, float | None]:
        """The prior variance of every factor with the smallest DIC, as ``MGBCFA(prior_variance=...)`` takes it."""
        return {f: c.prior_variance for c in self.candidates if c.chosen for f in c.factors}

    @property
    def tied(self) -> dict[str, tuple[float | None, ...]]:
        """Of every factor the prior variances whose DIC is within Monte-Carlo error of the smallest."""
        factors = [f for c in self.candidates if c.chosen for f in c.factors]
        return {f: tuple(c.prior_variance for c in self.candidates if c.tied and f in c.factors) for f in factors}

    @property
    def table(self) -> Table:
        """One row per block and prior variance, ready to print or to turn into a frame."""
        from ..report.bayes_tables import variance_table

        return variance_table(self)


def variance_grid(variances: Sequence[float | None]) -> tuple[float | None, ...]:
    """Sort prior variances, None (no constraint) last.

    Raises
    ------
    OptionError
        If there is none, or one comes twice.
    """
    if not variances or len(set(variances)) < len(variances):
        raise OptionError(
            f"prior variances to choose from: {list(variances)!r}",
            allowed="one or more different numbers, 0 (equal loadings) and None (no constraint) among them",
            todo="try (0.001, 0.005, 0.01, 0.05, 0.1)",
        )
    return tuple(sorted(variances, key=lambda v: math.inf if v is None else v))


def best_of_grid(
    grid: Sequence[float | None],
    sample: Sampler,
    groups: Sequence[Hashable],
    *,
    method: str,
    seed: int | None,
    progress: Progress | None = None,
) -> tuple[tuple[BayesianBlock, ...], PriorVarianceChoice]:
    """Sample the blocks for every prior variance, and keep of each block the one with the smallest DIC.

    Only the best draws so far are held in memory.

    Parameters
    ----------
    grid
        Prior variances.
    sample
        Samples all blocks for one of them.
    groups
        Labels of the groups.
    method
        ``"nuts"`` or ``"laplace"``, of which only effective draws are checked.
    seed
        Of the replicated covariances for the posterior predictive p-value.
    progress
        Called as ``progress(stage, done, total)``.
    """
    best: dict[int, tuple[float, BayesianBlock]] = {}
    tried: dict[int, list[tuple[float | None, float, float, float, float, bool]]] = {}
    for step, variance in enumerate(grid):
        for index, block in enumerate(sample(variance, _part_of(progress, step, len(grid)))):
            deviance, error = block_deviance(block)
            ppp = block_predictive_p(block, np.random.default_rng(seed))
            notices = sampling_notices if method == "nuts" else approximation_notices
            trouble = bool(notices(block, groups))
            tried.setdefault(index, []).append((variance, deviance.dic, error, deviance.p_d, ppp, trouble))
            if index not in best or deviance.dic < best[index][0]:
                best[index] = deviance.dic, block
    blocks = tuple(best[index][1] for index in sorted(best))
    candidates = [c for index, block in enumerate(blocks) for c in _compared(block.factors, tried[index])]
    return blocks, PriorVarianceChoice(tuple(candidates))


def _compared(
    factors: tuple[str, ...], tried: Sequence[tuple[float | None, float, float, float, float, bool]]
) -> list[Candidate]:
    """Candidates of one block with their differences from the best."""
    dics = [row[1] for row in tried]
    at = dics.index(min(dics))
    lowest, lowest_error = dics[at], tried[at][2]
    return [
        Candidate(
            factors=factors,
            prior_variance=variance,
            dic=dic,
            dic_error=error,
            p_d=p_d,
            ppp=ppp,
            difference=dic - lowest,
            difference_error=math.hypot(error, lowest_error) if i != at else 0.0,
            chosen=i == at,
            trouble=trouble,
        )
        for i, (variance, dic, error, p_d, ppp, trouble) in enumerate(tried)
    ]


def _part_of(progress: Progress | None, step: int, steps: int) -> Progress | None:
    """Progress of one step out of several."""
    if progress is None:
        return None

    def report(stage: str, done: int, total: int) -> None:
        progress(stage, step * total + done, steps * total)

    return report
