"""What a Bayesian step 1 returns: draws, and the averages over them that steps 2 and 3 use."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..bayes.draws import Draws
from ..bayes.posterior import Posterior
from ..data.moments import SampleMoments
from ..display import Displayed
from ..errors import Notice
from ..kernels.plain_posterior import model_matrices
from ..syntax.table import ParameterTable

if TYPE_CHECKING:
    from .mgbcfa import MGBCFA
    from .mlcfa import MLCFA
    from .prior_grid import PriorVarianceChoice

__all__ = ["BayesianBlock", "BayesianFit", "ScoreSummary"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ScoreSummary:
    """Factor scores averaged over posterior draws: given a draw, the scores of x are A x with error covariance V.

    Attributes
    ----------
    mean_A
        Posterior mean of A_g = Phi_g Lambda_g' Sigma_g^-1, shape (G, m, p).
    cov_A
        Posterior covariance of its elements (q, j) and (r, k), shape (G, m, p, m, p).
    mean_V
        Posterior mean of V_g = Phi_g - A_g Lambda_g Phi_g, shape (G, m, m).
    """

    mean_A: Array
    cov_A: Array
    mean_V: Array


@dataclass(frozen=True, eq=False)
class BayesianBlock:
    """One measurement block and its posterior.

    Attributes
    ----------
    factors, items
        Names of the block's factors and items.
    table
        Its parameters as specified.
    posterior
        The compiled posterior.
    draws
        The draws.
    values
        Posterior means of all matrix entries on their natural scale, shape (G, E).
    scores
        Factor-score weights averaged over draws.
    loglik
        Log-likelihood of every draw and group, with its constant, shape (chains x draws, G).
    """

    factors: tuple[str, ...]
    items: tuple[str, ...]
    table: ParameterTable
    posterior: Posterior
    draws: Draws
    values: Array
    scores: ScoreSummary
    loglik: Array

    @cached_property
    def matrices(self) -> tuple[Array, Array, Array, Array]:
        """Lambda, Theta, Phi and B of every group at the posterior mean of the entries."""
        return model_matrices(self.posterior.problem, self.values)


@dataclass(frozen=True, eq=False, repr=False)
class BayesianFit(Displayed):
    """A measurement model fitted by Bayes: step 1 of MixML-SEM and MixMG-BSEM.

    Attributes
    ----------
    specification
        The options it was fitted with.
    moments
        The groups' sizes, means and covariances of the model's items.
    factors, items
        Names, in the order of the model text.
    Lambda, Theta, Phi
        Posterior means of loadings, shape (G, p, Q), unique (co)variances, shape (G, p, p), and factor covariances,
        shape (G, Q, Q); zero between blocks.
    blocks
        The blocks with their draws.
    notices
        Statistical trouble, by parameter and group.
    prior_choice
        How prior variances compared, if several were given to choose from, else None.
    seed
        The seed of the draws; None if none was given.
    """

    specification: MLCFA | MGBCFA
    moments: SampleMoments
    factors: tuple[str, ...]
    items: tuple[str, ...]
    Lambda: Array
    Theta: Array
    Phi: Array
    blocks: tuple[BayesianBlock, ...]
    notices: tuple[Notice, ...]
    prior_choice: PriorVarianceChoice | None = None
    seed: int | None = None

    @property
    def groups(self) -> tuple[Hashable, ...]:
        """Labels of the groups."""
        return self.moments.groups

    @property
    def nobs(self) -> int:
        """People over all groups."""
        return self.moments.n_total

    @property
    def method(self) -> str:
        """The clustering method this is step 1 of: ``"mixml-sem"`` or ``"mixmg-bsem"``."""
        return self.specification.method_name

    @property
    def converged(self) -> bool:
        """Whether no notice speaks of trouble with the draws."""
        return not any(notice.name in ("SamplingWarning", "ApproximationWarning") for notice in self.notices)

    def count_measurement(self, factors: Sequence[str]) -> int:
        """Single-indicator loadings and unique variances of some factors: two per factor and group."""
        return 2 * len(factors) * len(self.groups)

    def to_arviz(self) -> Any:
        """Return the draws as an ArviZ ``InferenceData`` object; see `mixsem.bayes.arviz.to_arviz`."""
        from ..bayes.arviz import to_arviz

        return to_arviz(self.blocks, self.groups)


def assemble(
    factors: tuple[str, ...], items: tuple[str, ...], blocks: tuple[BayesianBlock, ...]
) -> tuple[Array, Array, Array]:
    """Put the blocks' Lambda, Theta and Phi into the matrices of all factors and items."""
    G = blocks[0].values.shape[0]
    Lambda, Theta = np.zeros((G, len(items), len(factors))), np.zeros((G, len(items), len(items)))
    Phi = np.zeros((G, len(factors), len(factors)))
    for block in blocks:
        i = np.array([items.index(name) for name in block.items])
        q = np.array([factors.index(name) for name in block.factors])
        Lambda[:, i[:, None], q], Theta[:, i[:, None], i], Phi[:, q[:, None], q], _ = block.matrices
    return Lambda, Theta, Phi
