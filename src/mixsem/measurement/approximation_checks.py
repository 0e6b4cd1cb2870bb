"""Do the draws of the fast method (`mixsem.bayes.laplace`) hold enough effective ones of every factor."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

from ..bayes.convergence import effective_size
from ..bayes.monitored import monitor, monitored_draws
from ..errors import ApproximationWarning, Notice, enumerate_briefly
from ..kernels.problem import THETA
from .bayes_fit import BayesianBlock

__all__ = ["approximation_notices"]

#: Smallest share of the draws that is effective. Of 1000 draws 50 are left, which puts the Monte Carlo error of a
#: posterior mean at a seventh of the posterior standard deviation.
LEAST_SHARE = 0.05
SHOWN = 4


def approximation_notices(block: BayesianBlock, groups: Sequence[Hashable]) -> list[Notice]:
    """Name groups whose loadings or factor (co)variances have few effective draws.

    Unique variances are not watched: one near zero has a long tail on the log scale, which is slow to explore and
    hardly moves the factor's scores.

    Parameters
    ----------
    block
        A block fitted with ``method="laplace"``.
    groups
        Labels of the groups.
    """
    watched = monitor(block.posterior, groups)
    own = (watched.source < 0) & (block.posterior.problem.kind[watched.entry] != THETA)
    which = np.flatnonzero(own)
    size = effective_size(monitored_draws(block.posterior, watched, block.draws.x, which))
    n_draws = block.draws.x.shape[0] * block.draws.x.shape[1]
    least = LEAST_SHARE * n_draws
    beyond = np.flatnonzero(size < least)
    if not beyond.size:
        return []
    worst = [int(i) for i in beyond[np.argsort(size[beyond], kind="stable")]]
    listed = [f"{watched.names[which[i]]} ({size[i]:.0f})" for i in worst]
    text = (
        f"{', '.join(block.factors)}: the fast method's proposals suit the posterior badly. Of {n_draws} draws fewer"
        f" than {least:.0f} are effective for {len(worst)} of {which.size} loadings and factor (co)variances, worst"
        f" first: {enumerate_briefly(listed, SHOWN)}. Factor moments there carry Monte Carlo error. Use the No-U-Turn"
        " sampler (method='nuts')."
    )
    single = [which[i] for i in worst if watched.what[which[i]] == "group"]
    return [Notice(ApproximationWarning, text, tuple(dict.fromkeys(groups[watched.group[i]] for i in single)))]
