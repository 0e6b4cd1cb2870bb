"""Better than random starts alone: merge two clusters, split another, and let EM decide.

Random starts find the best solution easily where clusters are distinct, and seldom where they are not. Most local
maxima have one true cluster in two pieces and two in one; the move that mends this is rare among random
partitions, but one of a few dozen here.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..kernels.mixture import EMData
from .ascent import ascend
from .em import EMSettings, EMState

__all__ = ["split_and_merge"]

Array = NDArray[np.float64]

#: Rounds at most, ways to split a cluster besides the main direction, and moves tried at most per round.
ROUNDS, RANDOM_SPLITS, MOVES = 20, 2, 400


def split_and_merge(
    data: EMData, own: Array, best: EMState, settings: EMSettings, rng: np.random.Generator, better: float
) -> EMState:
    """Repeat split-and-merge moves on the best solution until none is better.

    Parameters
    ----------
    data
        What the iterations work on.
    own
        Each group's own regressions, shape (G, R): clusters are split along their main direction.
    best
        The best solution so far (one start).
    settings
        When EM stops.
    rng
        Source of randomness.
    better
        Gain in log L that counts.

    Returns
    -------
    EMState
        The best solution (one start).
    """
    k = best.pi.shape[1]
    if k == 1:
        return best
    for _ in range(ROUNDS):
        top = ascend(data, _moves(best.z[0], own, data.n, rng), settings).best
        if not top.loglik[0] > best.loglik[0] + better:
            return best
        best = top
    return best


def _moves(z: Array, own: Array, n: Array, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Partitions one move away from the modal one: merge a and b, split c (which may be the merged one)."""
    k = z.shape[0]
    modal = z.argmax(axis=0)
    partitions = []
    for a in range(k):
        for b in range(a):
            merged = np.where(modal == a, b, modal)
            for c in (c for c in range(k) if c != a):
                members = np.flatnonzero(merged == c)
                for half in _halves(members, own, n, rng):
                    partition = merged.copy()
                    partition[half] = a
                    partitions.append(partition)
    chosen = np.array(partitions)
    if len(partitions) > MOVES:
        chosen = chosen[np.sort(rng.choice(len(partitions), MOVES, replace=False))]
    return np.asarray(chosen[:, None, :] == np.arange(k)[None, :, None])


def _halves(members: NDArray[np.int64], own: Array, n: Array, rng: np.random.Generator) -> list[NDArray[np.int64]]:
    """Ways to split a cluster: along the main direction of its groups' regressions, and at random."""
    if members.size < 2:
        return [members[:1]]
    weight = np.sqrt(n[members])[:, None]
    centred = (own[members] - np.average(own[members], axis=0, weights=n[members])) * weight
    direction = np.linalg.svd(centred, full_matrices=False)[2][0]
    side = centred @ direction > 0
    halves = [members[side]]
    for _ in range(RANDOM_SPLITS):
        halves.append(members[rng.random(members.size) < 0.5])
    return halves
