"""Models with more and more random parameters, compared: what `random_effect_steps` returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..display import Displayed

if TYPE_CHECKING:
    from ..report.table import Table

__all__ = ["TIED", "RandomEffectSteps", "RandomStep"]

#: A difference in DIC below so many Monte-Carlo standard errors is no difference.
TIED = 2.0


@dataclass(frozen=True, slots=True)
class RandomStep:
    """A model of one measurement block with some random parameters.

    Attributes
    ----------
    block
        Names of the block's factors.
    added
        The parameter that was made random at this step; empty at the first.
    spread
        Posterior mean of its standard deviation over groups in the model with all of them random.
    random
        All candidates that are random at this step.
    dic, dic_error, p_d
        Deviance information criterion with its Monte-Carlo standard error, effective number of parameters.
    difference
        DIC minus the block's smallest.
    tied
        Whether the difference is within two Monte-Carlo standard errors.
    chosen
        Whether it has the smallest DIC.
    trouble
        Whether the draws are not to be trusted.
    """

    block: str
    added: str
    spread: float
    random: tuple[str, ...]
    dic: float
    dic_error: float
    p_d: float
    difference: float
    tied: bool
    chosen: bool
    trouble: bool


@dataclass(frozen=True, eq=False, repr=False)
class RandomEffectSteps(Displayed):
    """Models with more and more random parameters, compared by DIC block by block.

    Attributes
    ----------
    steps
        Block after block, from no random candidate to all of them.
    always
        What is random at every step.
    """

    steps: tuple[RandomStep, ...]
    always: tuple[str, ...]

    @property
    def random(self) -> tuple[str, ...]:
        """What the smallest DIC of every block makes random, as ``MLCFA(random=...)`` takes it."""
        return (*(name for step in self.steps if step.chosen for name in step.random), *self.always)

    @property
    def table(self) -> Table:
        """One row per block and step, ready to print."""
        from ..report.invariance_tables import random_table

        return random_table(self)
