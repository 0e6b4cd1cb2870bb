"""Second derivatives of a block's log posterior: groups depend on each other only through the shared parameters.

Ordered as (group 1, ..., group G, shared), the Hessian has an arrow's shape,

    [ A_1              C_1 ]
    [      ...         ... ]
    [           A_G    C_G ]
    [ C_1' ...  C_G'   D   ],

with blocks of the size of one group's parameters. It comes from differences of the compiled gradient: as groups do not
meet, the j-th parameter of all groups is moved at the same time, and 2 (n + D) gradients give the whole matrix. A
system with it is solved by elimination of the groups.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..kernels.posterior import density
from .posterior import Posterior

__all__ = ["Arrow", "Layout", "arrow_hessian", "find_layout", "find_mode", "solve_arrow"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

#: Step of the differences, relative to the scale of a parameter.
STEP = 1e-3
MAX_ITERATIONS = 30
#: Longest Newton step of a parameter, relative to its scale.
LONGEST = 1.5


@dataclass(frozen=True, eq=False)
class Layout:
    """Which parameters belong to which group.

    Attributes
    ----------
    local
        Parameters of each group alone, padded by -1, shape (G, n).
    shared
        All others, shape (D,).
    """

    local: Index
    shared: Index


@dataclass(frozen=True, eq=False)
class Arrow:
    """Blocks of the Hessian.

    Attributes
    ----------
    A
        Group blocks, shape (G, n, n); identity where `Layout.local` is padded.
    C
        Borders, shape (G, n, D).
    D
        Shared block, shape (D, D).
    """

    A: Array
    C: Array
    D: Array


def find_layout(posterior: Posterior, shared: Index | None = None) -> Layout:
    """Find the parameters of each group; `shared` restricts the shared ones, as if the rest were known."""
    problem, what = posterior.problem, np.array(posterior.what)
    G = problem.nu.size
    alone = np.isin(what, ("deviation", "group"))
    owner = np.full(what.size, -1)
    for g in range(G):
        cells = np.concatenate([problem.deviation[g], problem.base[g]])
        owner[cells[(cells >= 0) & alone[cells]]] = g
    members = [np.flatnonzero(owner == g) for g in range(G)]
    local = np.full((G, max((m.size for m in members), default=0)), -1)
    for g, own in enumerate(members):
        local[g, : own.size] = own
    return Layout(local, np.flatnonzero(~alone) if shared is None else shared)


def gradient(posterior: Posterior, x: Array) -> Array:
    """Gradient of the log posterior, shape (P,)."""
    slope = np.empty_like(x)
    density(posterior.problem, x, slope)
    return slope


def arrow_hessian(posterior: Posterior, layout: Layout, x: Array, step: Array) -> Arrow:
    """Hessian of the log posterior by central differences of its gradient.

    Parameters
    ----------
    posterior
        The compiled block.
    layout
        Which parameters belong to which group.
    x
        Where, shape (P,).
    step
        Size of the differences, shape (P,).
    """
    local, shared = layout.local, layout.shared
    G, n = local.shape
    present = local >= 0
    A = np.zeros((G, n, n))
    C, D = np.zeros((G, n, shared.size)), np.zeros((shared.size, shared.size))

    def difference(moved: Index) -> Array:
        shift = np.zeros_like(x)
        shift[moved] = step[moved]
        return gradient(posterior, x + shift) - gradient(posterior, x - shift)

    for j in range(n):
        own = present[:, j]
        moved = local[own, j]
        A[own, :, j] = np.where(present, difference(moved)[local], 0.0)[own] / (2.0 * step[moved])[:, None]
    for k, i in enumerate(shared):
        column = difference(shared[k : k + 1]) / (2.0 * step[i])
        C[:, :, k] = np.where(present, column[local], 0.0)
        D[:, k] = column[shared]
    A = 0.5 * (A + A.swapaxes(1, 2))
    A[:, np.arange(n), np.arange(n)] -= ~present
    return Arrow(A, C, 0.5 * (D + D.T))


def solve_arrow(arrow: Arrow, local: Array, shared: Array) -> tuple[Array, Array]:
    """Solve the system with minus the Hessian, made positive definite where it is not.

    Parameters
    ----------
    arrow
        The Hessian.
    local, shared
        Right-hand side, shapes (G, n) and (D,).
    """
    A = made_positive(-arrow.A)
    inner = np.linalg.solve(A, np.concatenate([-arrow.C, local[:, :, None]], axis=2))
    X, y = inner[:, :, :-1], inner[:, :, -1]
    border = -arrow.C.swapaxes(1, 2)
    schur = made_positive(-arrow.D - (border @ X).sum(0))
    outer = np.linalg.solve(schur, shared - np.einsum("gkn,gn->k", border, y))
    return y - X @ outer, outer


def made_positive(M: Array, least: float = 0.02) -> Array:
    """Replace eigenvalues of symmetric matrices, scaled to unit diagonal, by their size, at least `least`."""
    scale = np.sqrt(np.maximum(np.abs(np.diagonal(M, axis1=-2, axis2=-1)), 1e-12))
    weight = scale[..., :, None] * scale[..., None, :]
    value, vector = np.linalg.eigh(M / weight)
    value = np.maximum(np.abs(value), least)
    return np.asarray((vector * value[..., None, :]) @ vector.swapaxes(-1, -2) * weight)


def find_mode(posterior: Posterior, x: Array, scales: Array, moving: Index) -> Array:
    """Newton's method on the arrow system, over all group parameters and the shared ones in `moving`.

    It ends where a step promises to raise the log posterior by less than a hundredth: the centre of an approximation
    needs no more.

    Parameters
    ----------
    posterior
        The compiled block.
    x
        Where to start, shape (P,).
    scales
        Order of magnitude of every parameter, shape (P,).
    moving
        Shared parameters to maximise over; the others stay.
    """
    layout = find_layout(posterior, moving)
    present = layout.local >= 0
    slope = np.empty_like(x)
    value = density(posterior.problem, x, slope)
    for _ in range(MAX_ITERATIONS):
        arrow = arrow_hessian(posterior, layout, x, STEP * scales)
        local, shared = solve_arrow(arrow, np.where(present, slope[layout.local], 0.0), slope[moving])
        direction = np.zeros_like(x)
        direction[layout.local[present]] = local[present]
        direction[moving] = shared
        promise = float(direction @ slope)
        length = min(1.0, LONGEST / max(float(np.abs(direction / scales).max()), 1e-300))
        for _halving in range(30):
            trial = x + length * direction
            new = density(posterior.problem, trial, slope)
            if np.isfinite(new) and new > value + 1e-4 * length * promise:
                break
            length *= 0.5
        else:
            density(posterior.problem, x, slope)
            return x
        x, value = trial, new
        if promise < 0.01:
            break
    return x
