"""Which levels of grouping factors meet, and what elimination adds to it (symbolic factorisation)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .compiled import cached_njit

__all__ = ["fill_pattern", "unique_pairs"]

Positions = NDArray[np.int64]
Codes = NDArray[np.int32]


@cached_njit
def unique_pairs(first: Codes, n_first: int, second: Codes, n_second: int) -> tuple[Positions, Positions]:
    """Find the levels of a second factor that each level of a first one meets in some row.

    Parameters
    ----------
    first, second
        Level of each row, length n.
    n_first, n_second
        Numbers of levels.

    Returns
    -------
    tuple
        Pointers, length n_first + 1, into the second array: levels of the second factor, as they come.
    """
    rows = np.zeros(n_first + 1, np.int64)
    for r in range(len(first)):
        rows[first[r] + 1] += 1
    for i in range(n_first):
        rows[i + 1] += rows[i]
    partner = np.empty(len(first), np.int32)
    at = rows[:-1].copy()
    for r in range(len(first)):
        partner[at[first[r]]] = second[r]
        at[first[r]] += 1
    seen = np.full(n_second, -1, np.int64)
    pointer = np.zeros(n_first + 1, np.int64)
    found = 0
    for i in range(n_first):  # the distinct partners of level i move to the front of what was read already
        for r in range(rows[i], rows[i + 1]):
            if seen[partner[r]] != i:
                seen[partner[r]] = i
                partner[found] = partner[r]
                found += 1
        pointer[i + 1] = found
    return pointer, partner[:found].astype(np.int64)


@cached_njit
def fill_pattern(
    pointer: Positions, columns: Positions, n_free: int, dense_share: float
) -> tuple[int, Positions, Positions]:
    """Find the later levels that each level meets once earlier ones are eliminated, up to where that gets dense.

    The pattern of a level is the union of its own and of those of the levels whose first later level it is
    (the elimination tree).

    Parameters
    ----------
    pointer, columns
        Later levels that each level meets in the data, ascending; levels in the order of elimination.
    n_free
        So many first levels meet none of one another: they are never dense.
    dense_share
        Stop at a level that meets more than this share of the levels that remain.

    Returns
    -------
    tuple
        Number of levels before that stop; pointers and columns of their patterns, as they come.
    """
    n = len(pointer) - 1
    filled = np.empty(max(16, 2 * len(columns)), np.int64)
    out = np.zeros(n + 1, np.int64)
    child, sibling = np.full(n, -1, np.int64), np.full(n, -1, np.int64)
    seen = np.full(n, -1, np.int64)
    found = 0
    for i in range(n):
        room = n - i
        if found + room > len(filled):
            larger = np.empty(max(2 * len(filled), found + room), np.int64)
            larger[:found] = filled[:found]
            filled = larger
        begin = found
        seen[i] = i
        for at in range(pointer[i], pointer[i + 1]):
            seen[columns[at]] = i
            filled[found] = columns[at]
            found += 1
        c = child[i]
        while c >= 0:
            for at in range(out[c], out[c + 1]):
                if seen[filled[at]] != i:
                    seen[filled[at]] = i
                    filled[found] = filled[at]
                    found += 1
            c = sibling[c]
        if i >= n_free and found - begin + 1 > dense_share * room:
            return i, out[: i + 1], filled[:begin]
        out[i + 1] = found
        if found > begin:
            parent = filled[begin]
            for at in range(begin + 1, found):
                parent = min(parent, filled[at])
            sibling[i] = child[parent]
            child[parent] = i
    return n, out, filled[:found]
