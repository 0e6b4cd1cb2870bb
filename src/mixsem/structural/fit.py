"""What step 3 returns: clusters of groups with their regressions."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..display import Displayed
from ..errors import Notice
from ..factors.moments import FactorMoments
from ..inference.criteria import Criteria, criteria, entropy_r2
from .path_model import PathModel
from .solutions import LocalSolution

if TYPE_CHECKING:
    from .mixture import StructuralMixture

__all__ = ["MixtureFit", "StartRecord"]

Array = NDArray[np.float64]

#: Two solutions whose log-likelihoods differ by no more than this are the same one (the papers' rule).
SAME_SOLUTION = 1e-3


@dataclass(frozen=True, eq=False, slots=True)
class StartRecord:
    """How the starts ended.

    Attributes
    ----------
    logliks
        log L reached by each start, shape (s,).
    iterations
        Iterations of each start, shape (s,).
    converged
        Whether the best solution converged.
    best
        log L of the best solution, which split-and-merge moves may have improved beyond the best start.
    solutions
        The ten best distinct solutions that starts reached, the best first.
    seed
        The seed they were drawn with; None if none was given.
    """

    logliks: Array
    iterations: NDArray[np.int64]
    converged: bool
    best: float
    solutions: tuple[LocalSolution, ...] = ()
    seed: int | None = None

    @property
    def n_starts(self) -> int:
        """Number of starts."""
        return int(self.logliks.size)

    @property
    def n_best(self) -> int:
        """Starts that reached the best solution, up to .001 in log L."""
        return int((self.logliks >= self.best - SAME_SOLUTION).sum())


@dataclass(frozen=True, eq=False, repr=False)
class MixtureFit(Displayed):
    """A mixture of structural models with K clusters of groups.

    Clusters are numbered from 1 in order of their proportions, the largest first.

    Attributes
    ----------
    specification
        The options it was fitted with.
    moments
        The factor moments it was fitted to, restricted to the factors of the structural model.
    path
        The compiled structural model; its factor order is that of `B` and `Psi`.
    B
        Regressions, row = outcome, column = predictor, shape (K, Q, Q).
    Psi
        Exogenous covariances and residual covariances, shape (G, K, Q, Q).
    proportions
        pi_k, shape (K,).
    posterior
        Posterior classification probabilities z_gk, shape (G, K).
    loglik, loglik_observed
        log L of the factors (equation 13, maximised) and of the indicators (equations 16 and 17).
    n_params_factors, n_params
        Free parameters without and with the measurement model.
    own
        Regressions of each group by itself, shape (G, R), in the order of ``path.names``.
    starts
        How the starts ended.
    notices
        Statistical trouble of all steps.
    intercepts
        Intercepts of the outcomes in each cluster, 0 for exogenous factors, shape (K, Q); None without means.
    group_coefficients
        All regressions of each group if it belongs to each cluster, shape (G, K, R), if some are group-specific, else
        None. Of these, `B`, `intercepts` and `coefficients` hold the mean over the groups of the cluster.
    """

    specification: StructuralMixture
    moments: FactorMoments
    path: PathModel
    B: Array
    Psi: Array
    proportions: Array
    posterior: Array
    loglik: float
    loglik_observed: float
    n_params_factors: int
    n_params: int
    own: Array
    starts: StartRecord
    notices: tuple[Notice, ...]
    intercepts: Array | None = None
    group_coefficients: Array | None = None

    @property
    def k(self) -> int:
        """Number of clusters, K."""
        return int(self.proportions.size)

    @property
    def groups(self) -> tuple[Hashable, ...]:
        """Labels of the groups."""
        return self.moments.groups

    @property
    def nobs(self) -> int:
        """People over all groups, N."""
        return self.moments.n_total

    @property
    def coefficients(self) -> Array:
        """Regressions (and intercepts) of each cluster in the order of ``path.names``, shape (K, R)."""
        B = self.B if self.intercepts is None else np.concatenate([self.B, self.intercepts[:, :, None]], axis=2)
        return B[:, self.path.outcome, self.path.predictor]

    @property
    def clusters(self) -> NDArray[np.int64]:
        """Modal cluster of each group, numbered from 1, shape (G,)."""
        return self.posterior.argmax(axis=1) + 1

    @property
    def entropy_r2(self) -> float:
        """Entropy R2 of the classification."""
        return entropy_r2(self.posterior, self.proportions)

    @property
    def criteria(self) -> Criteria:
        """Information criteria on the log-likelihood of the factors."""
        return self._criteria(self.loglik, self.n_params_factors)

    @property
    def criteria_observed(self) -> Criteria:
        """Information criteria on the log-likelihood of the indicators."""
        return self._criteria(self.loglik_observed, self.n_params)

    def _criteria(self, loglik: float, n_params: int) -> Criteria:
        return criteria(loglik, n_params, len(self.groups), self.nobs, self.posterior)
