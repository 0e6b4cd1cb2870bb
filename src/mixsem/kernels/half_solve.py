"""Quadratic forms in the inverse of a mixed model's system: leverage of rows, uncertainty of predictions.

For a row v = [Lambda' z; x] and the factorised system Omega = L L', v' Omega^-1 v is the squared length of L^-1 v. The
sparse levels are solved forward along the short path from a row's levels; the dense tail, of which rows touch few
columns, is weighed by its inverse. What a level of the first grouping factor brings is solved once for all its rows.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .blocked import forward
from .compiled import cached_njit

__all__ = ["quadratic_forms"]

Array = NDArray[np.float64]
Positions = NDArray[np.int64]


class Room(NamedTuple):
    """Where a vector is solved forward.

    Attributes
    ----------
    U, L, w
        Of one level: its columns, its Cholesky factor, its solution.
    v
        The vector: unscaled ahead of the path, solved behind it, in the tail updated. Length n_sparse + n_tail.
    fixed
        Its part of the fixed effects, length p.
    path
        Next sparse level of each grouping factor's path, the number of levels at its end.
    visited, touched
        Sparse levels and tail columns that are not zero, in the order of `walk`.
    seen
        Whether a column of the tail is among them.
    """

    U: Array
    L: Array
    w: Array
    v: Array
    fixed: Array
    path: Positions
    visited: Positions
    touched: Positions
    seen: NDArray[np.bool_]


@cached_njit
def quadratic_forms(
    blocks: Any,
    values: Array,
    lam: Array,
    inverse: Array,
    root: Array,
    place: tuple[Positions, Positions, Positions],
    codes: NDArray[np.int32],
    z: Array,
    x: Array,
    out: Array,
) -> None:
    """Compute v' Omega^-1 v of rows v, split into what is there with fixed effects known, and what they add.

    Parameters
    ----------
    blocks
        Where things are.
    values
        Values of the sparse levels, each as it was when it was eliminated.
    lam
        Relative covariance factors, shape (F, k, k).
    inverse
        Lambda times inverse times Lambda' of the tail's random part: the first n_tail rows and columns.
    root
        Rows of L^-1 that belong to fixed effects, transposed; those of the tail's levels times Lambda. Shape
        (n_tail + p, p).
    place
        Number of each factor's first level, position of each level among the sparse ones (-1 in the tail), and its
        first scalar column.
    codes
        Level of each row in each factor, shape (F, m), rows of the same level of the first factor together. A level
        of -1 is unknown: it brings z' lambda lambda' z.
    z
        Random-effect columns of each row, shape (m, F, k), in inner units.
    x
        Fixed-effect columns, shape (m, p), in inner units.
    out
        Filled, shape (m, 2).
    """
    offset, level, scalar = place
    n_factors, k, p, n_sparse = lam.shape[0], blocks.size[0], x.shape[1], blocks.n_sparse
    room = make_room(blocks, lam, p)
    tail = room.v[n_sparse:]
    # of the unit vectors of a level of the first factor: solved, times the inverse in the tail, fixed effects, products
    unit, weighed = np.zeros((k, len(room.v))), np.zeros((k, len(tail)))
    unit_fixed, own, g = np.zeros((k, p)), np.zeros((k, k)), np.empty(p)
    behind = np.zeros(0, np.int64)
    here = -1
    for r in range(x.shape[0]):
        known = 0.0
        first = codes[0, r]
        if first >= 0 and first != here:
            here = first
            unit[:, behind] = 0.0
            behind = solve_first(blocks, values, lam, inverse, root, level[first], room, unit, weighed, unit_fixed, own)
        room.path[:] = len(blocks.factor)
        room.fixed[:] = x[r]
        n_touched = 0
        for f in range(n_factors):
            if codes[f, r] < 0:
                known += new_level(lam[f], z[r, f], blocks.size[f])
            elif f > 0:
                node = offset[f] + codes[f, r]
                if level[node] >= 0:
                    room.path[f] = level[node]
                for a in range(blocks.size[f]):
                    column = scalar[node] + a
                    room.v[column] = z[r, f, a]
                    n_touched = touch(column - n_sparse, room, n_touched)
        part, n_visited, n_touched = walk(blocks, values, lam, room, n_touched)
        touched = room.touched[:n_touched]
        fixed_effects(root, touched, tail, room.fixed, g)
        known += part + tail_form(inverse, touched, tail)
        if first >= 0:
            for a in range(k):
                cross = 0.0
                for i in room.visited[:n_visited]:
                    for c in range(blocks.start[i], blocks.start[i] + blocks.size[blocks.factor[i]]):
                        cross += unit[a, c] * room.v[c]
                for c in touched:
                    cross += weighed[a, c] * tail[c]
                for b in range(k):
                    cross += 0.5 * own[a, b] * z[r, 0, b]
                known += 2.0 * z[r, 0, a] * cross
                g += z[r, 0, a] * unit_fixed[a]
        clear(blocks, room, n_visited, n_touched)
        out[r, 0] = known
        out[r, 1] = (g * g).sum()


@cached_njit
def make_room(blocks: Any, lam: Array, p: int) -> Room:
    """Allocate."""
    widest, n_levels, k = blocks.n_dense, len(blocks.factor), lam.shape[1]
    for i in range(n_levels):
        widest = max(widest, blocks.pointer[i + 1] - blocks.pointer[i] + blocks.n_dense)
    return Room(
        np.empty((k, widest)),
        np.empty((k, k)),
        np.empty(k),
        np.zeros(blocks.n_sparse + blocks.n_tail),
        np.empty(p),
        np.empty(lam.shape[0], np.int64),
        np.empty(n_levels, np.int64),
        np.empty(blocks.n_tail, np.int64),
        np.zeros(blocks.n_tail, np.bool_),
    )


@cached_njit
def solve_first(
    blocks: Any,
    values: Array,
    lam: Array,
    inverse: Array,
    root: Array,
    level: int,
    room: Room,
    unit: Array,
    weighed: Array,
    unit_fixed: Array,
    own: Array,
) -> Positions:
    """Solve for the unit vectors of a level; return the columns in which they are not zero."""
    columns = np.zeros(0, np.int64)
    for a in range(unit.shape[0]):
        room.path[:] = len(blocks.factor)
        room.path[0] = level
        room.v[blocks.start[level] + a] = 1.0
        room.fixed[:] = 0.0
        _, n_visited, n_touched = walk(blocks, values, lam, room, 0)
        touched, tail = room.touched[:n_touched], room.v[blocks.n_sparse :]
        fixed_effects(root, touched, tail, room.fixed, unit_fixed[a])
        weighed[a] = 0.0
        for c in touched:
            weighed[a] += tail[c] * inverse[c, : len(tail)]
        columns = nonzero(blocks, room, n_visited, n_touched)
        for c in columns:
            unit[a, c] = room.v[c]
        clear(blocks, room, n_visited, n_touched)
        for b in range(a + 1):
            total = 0.0
            for c in columns:
                total += unit[b, c] * (unit[a, c] if c < blocks.n_sparse else weighed[a, c - blocks.n_sparse])
            own[a, b] = own[b, a] = total
    return columns


@cached_njit
def walk(blocks: Any, values: Array, lam: Array, room: Room, n_touched: int) -> tuple[float, int, int]:
    """Solve forward along the paths; return the squared length of the sparse part, and the numbers of what was met.

    What a level meets lies on the path of its first later level (the elimination tree).
    """
    end, squares, n_visited = len(blocks.factor), 0.0, 0
    i = room.path.min()
    while i < end:
        relative, k, start = lam[blocks.factor[i]], blocks.size[blocks.factor[i]], blocks.start[i]
        width = forward(blocks, values, i, lam, room.L, room.U)
        first, n_random = blocks.pointer[i], width - blocks.n_dense
        for a in range(k):
            value = 0.0
            for c in range(k):
                value += relative[c, a] * room.v[start + c]
            for c in range(a):
                value -= room.L[a, c] * room.w[c]
            room.w[a] = value / room.L[a, a]
            squares += room.w[a] ** 2
        for a in range(k):
            room.v[start + a] = room.w[a]
            for j in range(n_random):
                room.v[blocks.columns[first + j]] -= room.U[a, j] * room.w[a]
            for j in range(len(room.fixed)):
                room.fixed[j] -= room.U[a, n_random + j] * room.w[a]
        for j in range(n_random):
            n_touched = touch(blocks.columns[first + j] - blocks.n_sparse, room, n_touched)
        room.visited[n_visited] = i
        n_visited += 1
        later = end
        if n_random > 0 and blocks.columns[first] < blocks.n_sparse:
            later = blocks.owner[blocks.columns[first]]
        for f in range(len(room.path)):
            if room.path[f] == i:
                room.path[f] = later
        i = room.path.min()
    return squares, n_visited, n_touched


@cached_njit
def touch(column: int, room: Room, n_touched: int) -> int:
    """Note a column of the tail, once; columns before it have negative numbers."""
    if column < 0 or room.seen[column]:
        return n_touched
    room.seen[column] = True
    room.touched[n_touched] = column
    return n_touched + 1


@cached_njit
def nonzero(blocks: Any, room: Room, n_visited: int, n_touched: int) -> Positions:
    """Columns of the vector that a walk has met."""
    found, n = np.empty(n_touched + n_visited * blocks.size.max(), np.int64), 0
    for i in room.visited[:n_visited]:
        for c in range(blocks.start[i], blocks.start[i] + blocks.size[blocks.factor[i]]):
            found[n] = c
            n += 1
    for c in room.touched[:n_touched]:
        found[n] = blocks.n_sparse + c
        n += 1
    return found[:n]


@cached_njit
def clear(blocks: Any, room: Room, n_visited: int, n_touched: int) -> None:
    """Make the vector zero again."""
    for i in room.visited[:n_visited]:
        room.v[blocks.start[i] : blocks.start[i] + blocks.size[blocks.factor[i]]] = 0.0
    for c in room.touched[:n_touched]:
        room.v[blocks.n_sparse + c] = 0.0
        room.seen[c] = False


@cached_njit
def new_level(relative: Array, z: Array, k: int) -> float:
    """Variance that a level without data brings: z' lambda lambda' z."""
    total = 0.0
    for b in range(k):
        half = 0.0
        for a in range(k):  # in inner units lambda need not be triangular
            half += relative[a, b] * z[a]
        total += half * half
    return total


@cached_njit
def tail_form(inverse: Array, touched: Positions, tail: Array) -> float:
    """Quadratic form of the tail's vector in its inverse."""
    total = 0.0
    for s in range(len(touched)):
        row, half = inverse[touched[s]], 0.0
        for t in range(s):
            half += tail[touched[t]] * row[touched[t]]
        value = tail[touched[s]]
        total += value * (2.0 * half + value * row[touched[s]])
    return total


@cached_njit
def fixed_effects(root: Array, touched: Positions, tail: Array, fixed: Array, out: Array) -> None:
    """Solve for the part of the fixed effects."""
    p, n_tail = len(fixed), len(tail)
    out[:] = 0.0
    for c in touched:
        out += tail[c] * root[c]
    for c in range(p):
        out += fixed[c] * root[n_tail + c]
