"""What step 2 has to say: repaired covariance matrices and factors that hardly vary, by group."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import LowReliabilityWarning, NonPositiveDefiniteWarning, Notice, enumerate_briefly

__all__ = ["LEAST_RELIABLE", "factor_notices"]

Array = NDArray[np.float64]

#: Below this reliability a factor's score in a group is mostly measurement error.
LEAST_RELIABLE = 0.3


def factor_notices(
    factors: Sequence[str],
    groups: Sequence[Hashable],
    raw: Array,
    repaired: NDArray[np.bool_],
    reliability: Array,
) -> list[Notice]:
    """Notices of step 2.

    Parameters
    ----------
    factors, groups
        Names, length Q and G.
    raw
        Factor covariances before the repair, shape (G, Q, Q).
    repaired
        Which of them were replaced, shape (G,).
    reliability
        Share of true variance in each factor's score, shape (G, Q).
    """
    return [*_repaired(factors, groups, raw, repaired), *_unreliable(factors, groups, reliability)]


def _repaired(
    factors: Sequence[str], groups: Sequence[Hashable], raw: Array, repaired: NDArray[np.bool_]
) -> list[Notice]:
    if not repaired.any():
        return []
    named = [groups[int(g)] for g in np.flatnonzero(repaired)]
    negative = [
        f"{factors[int(q)]} in {groups[int(g)]}" for g, q in np.argwhere(np.diagonal(raw, axis1=1, axis2=2) <= 0)
    ]
    detail = f" (no variance left for {enumerate_briefly(negative)})" if negative else ""
    return [
        Notice(
            NonPositiveDefiniteWarning,
            f"the factor covariance matrix is not positive definite in {enumerate_briefly(named)}{detail}; it was"
            " replaced by the nearest one that is. These groups say little about the regressions: they are too small,"
            " or two factors are hardly distinct there.",
            tuple(named),
        )
    ]


def _unreliable(factors: Sequence[str], groups: Sequence[Hashable], reliability: Array) -> list[Notice]:
    """Factors that hardly vary in some groups."""
    low = np.argwhere(reliability < LEAST_RELIABLE)
    if not low.size:
        return []
    named = [f"{factors[q]} in {groups[g]} ({reliability[g, q]:.2f})" for g, q in low]
    return [
        Notice(
            LowReliabilityWarning,
            f"less than {LEAST_RELIABLE:.0%} of the variance of a factor's score is true variance:"
            f" {enumerate_briefly(named)}. The regressions of these groups rest on next to nothing; check the items,"
            " or leave the groups out.",
            tuple(dict.fromkeys(groups[int(g)] for g, _ in low)),
        )
    ]
