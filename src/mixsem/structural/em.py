"""Fit the mixture of path models: EM from many starts at once."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..kernels.mixture import (
    EMData,
    Residuals,
    class_log_densities,
    coefficient_update,
    normal_equations,
    residual_matrices,
    residual_products,
    responsibilities,
)

__all__ = [
    "EMSettings",
    "EMState",
    "initial_weights",
    "own_coefficients",
    "run_em",
    "settle",
    "start_from",
]

Array = NDArray[np.float64]

#: So many groups are fitted one by one at a time.
ALONE = 64

#: Iterations after which EM is slow: from then on two steps are followed by a leap.
SLOW = 30


@dataclass(frozen=True, slots=True)
class EMSettings:
    """When the iterations stop.

    Attributes
    ----------
    tolerance
        Change of log L between two iterations.
    max_iterations
        Iterations per start.
    """

    tolerance: float = 1e-6
    max_iterations: int = 2000


@dataclass(frozen=True, eq=False, slots=True)
class EMState:
    """All starts at one moment: z, shape (s, k, g); pi, (s, k); beta, (s, k, R); log L and counts, (s,).

    `products` are the residual products at `beta`, which the M-step needs for the residual matrices and the next E-step
    for the densities.
    """

    z: Array
    pi: Array
    beta: Array
    products: tuple[Array, ...]
    residuals: tuple[Residuals, ...]
    loglik: Array
    iterations: NDArray[np.int64]
    converged: NDArray[np.bool_]

    def take(self, which: NDArray[np.int64]) -> EMState:
        """Only the given starts, in the given order."""
        residuals = tuple(Residuals(r.Psi[which], r.inverse[which], r.log_det[which]) for r in self.residuals)
        return EMState(
            self.z[which],
            self.pi[which],
            self.beta[which],
            tuple(product[which] for product in self.products),
            residuals,
            self.loglik[which],
            self.iterations[which],
            self.converged[which],
        )


def own_coefficients(data: EMData) -> tuple[Array, tuple[Array, ...]]:
    """Each group's own regressions and residual products: the path model fitted to one group, shape (G, R).

    Every group is a cluster of its own. A few groups are fitted at a time, so that neither time nor memory grows with
    the square of their number.
    """
    alone = replace(data, by_group=True, equal=np.zeros_like(data.equal))
    parts = [_one_by_one(alone.of_groups(slice(first, first + ALONE))) for first in range(0, data.n.size, ALONE)]
    beta, products = zip(*parts, strict=True)
    return np.concatenate(beta), tuple(np.concatenate(block) for block in zip(*products, strict=True))


def _one_by_one(data: EMData) -> tuple[Array, tuple[Array, ...]]:
    """The path model fitted to each of some groups.

    Iterated to convergence only where residuals covary (then the weights matter); else one step is exact.
    """
    n_groups = data.n.size
    state = start_from(data, np.eye(n_groups)[None], initial_weights(data, n_groups))
    if any(len(block) > 1 for block in data.blocks):
        ridge = _ridge(data)
        for _ in range(200):
            moved = _update(data, state, ridge)
            change = np.abs(moved.beta - state.beta).max()
            state = moved
            if change < 1e-10:
                break
    index = np.arange(n_groups)
    return state.beta[0], tuple(E[0, index, index] for E in state.products)


def initial_weights(data: EMData, n_clusters: int) -> tuple[Residuals, ...]:
    """Residual matrices to weight the first M-step: half the outcome's variance in each group, no covariances."""
    residuals = []
    for block in data.blocks:
        variance = 0.5 * data.variances[:, block]
        Psi = (variance[:, :, None] * np.eye(len(block)))[None, None]
        inverse = (np.eye(len(block)) / variance[:, :, None])[None, None]
        shape = (1, n_clusters, data.n.size)
        residuals.append(
            Residuals(
                np.broadcast_to(Psi, (*shape, *Psi.shape[3:])),
                np.broadcast_to(inverse, (*shape, *Psi.shape[3:])),
                np.broadcast_to(np.log(variance).sum(axis=1), shape),
            )
        )
    return tuple(residuals)


def start_from(data: EMData, z: Array, weights: tuple[Residuals, ...]) -> EMState:
    """The state after a first M-step from given responsibilities z, shape (s, k, g)."""
    H, h = normal_equations(data, z, weights)
    beta = coefficient_update(data, H, h, np.zeros(h.shape), _ridge(data))
    products = residual_products(data, beta)
    residuals = residual_matrices(data, products, z)
    n_starts = z.shape[0]
    return EMState(
        z,
        z.mean(axis=2),
        beta,
        products,
        residuals,
        np.full(n_starts, -np.inf),
        np.zeros(n_starts, dtype=np.int64),
        np.zeros(n_starts, dtype=bool),
    )


def run_em(data: EMData, state: EMState, settings: EMSettings) -> EMState:
    """Iterate every start until its log L changes by less than the tolerance.

    Starts that are done leave the arrays, so that a slow one does not cost the time of all. What is slow leaps ahead
    after every two steps, unless log L would fall; the end is that of EM, as only its own steps are held against the
    tolerance.
    """
    active = np.arange(state.loglik.size)
    parts: list[tuple[NDArray[np.int64], EMState]] = []
    current, ridge = state, _ridge(data)
    points: list[tuple[Array, Array]] = []  # regressions and proportions since the last leap
    for iteration in range(1, settings.max_iterations + 1):
        if len(points) == 3:
            current, points = _leap(data, current, points, ridge), []
            done = np.zeros(active.size, dtype=bool)
        else:
            moved = _update(data, current, ridge)
            done = np.abs(moved.loglik - current.loglik) < settings.tolerance
            current = replace(moved, iterations=moved.iterations + 1, converged=done)
        if iteration == settings.max_iterations:
            done = np.ones_like(done)
        if done.any():
            parts.append((active[done], current.take(np.flatnonzero(done))))
            active, current = active[~done], current.take(np.flatnonzero(~done))
            points = [(beta[~done], pi[~done]) for beta, pi in points]
        if active.size == 0:
            break
        if iteration >= SLOW and data.by_group:
            points.append((current.beta, current.pi))
    order = np.argsort(np.concatenate([index for index, _ in parts]))
    return _stack([part for _, part in parts]).take(order)


def _leap(data: EMData, current: EMState, points: list[tuple[Array, Array]], ridge: Array) -> EMState:
    """One iteration from where the last two steps lead to if they go on, or from `current` if log L is lower there.

    The length is that of SQUAREM's third scheme (Varadhan & Roland 2008, Scandinavian Journal of Statistics 35,
    335-353). Residual matrices of groups follow from the regressions.
    """
    (beta0, pi0), (beta1, pi1), (beta2, pi2) = points
    step, bend = (beta1 - beta0, pi1 - pi0), (beta2 - 2.0 * beta1 + beta0, pi2 - 2.0 * pi1 + pi0)
    with np.errstate(divide="ignore", invalid="ignore"):
        length = np.nan_to_num(np.sqrt(_squares(*step) / _squares(*bend)), nan=1.0, posinf=1.0)[:, None]
    length = np.maximum(length, 1.0)
    pi = pi0 + 2.0 * length * step[1] + length**2 * bend[1]
    length[((pi <= 0.0) & (pi2 > 0.0)).any(axis=1)] = 1.0  # which leads to `current`
    pi = np.where(length == 1.0, pi2, pi)
    length = length[..., None]
    beta = np.where(length == 1.0, beta2, beta0 + 2.0 * length * step[0] + length**2 * bend[0])
    products = residual_products(data, beta)
    ahead = replace(current, beta=beta, pi=pi, products=products, residuals=residual_matrices(data, products, None))
    moved = _update(data, ahead, ridge)
    lower = ~(moved.loglik >= current.loglik)
    if lower.any():
        kept, back = np.flatnonzero(~lower), np.flatnonzero(lower)
        plain = _update(data, current.take(back), ridge)
        moved = _stack([moved.take(kept), plain]).take(np.argsort(np.concatenate([kept, back])))
    return replace(moved, iterations=moved.iterations + 1, converged=np.zeros_like(lower))


def _squares(beta: Array, pi: Array) -> Array:
    """Squared length of changes of each start, shape (s,)."""
    return np.asarray(np.square(beta).sum(axis=(1, 2)) + np.square(pi).sum(axis=1))


def _update(data: EMData, state: EMState, ridge: Array) -> EMState:
    """One iteration: E-step with the current regressions, then M-step for pi, B and Psi."""
    z, loglik = responsibilities(class_log_densities(data, state.products, state.residuals), state.pi)
    H, h = normal_equations(data, z, state.residuals)
    beta = coefficient_update(data, H, h, state.beta, ridge)
    products = residual_products(data, beta)
    residuals = residual_matrices(data, products, z)
    return EMState(z, z.mean(axis=2), beta, products, residuals, loglik, state.iterations, state.converged)


def settle(data: EMData, state: EMState) -> EMState:
    """A last E-step, so that z and log L belong to the final regressions and residuals."""
    z, loglik = responsibilities(class_log_densities(data, state.products, state.residuals), state.pi)
    return replace(state, z=z, loglik=loglik)


def _ridge(data: EMData) -> Array:
    """Proximal weight per coefficient: 1e-9 of what all groups together know about it."""
    variances = data.variances
    information = (data.n[:, None] * variances[:, data.predictor] / variances[:, data.outcome]).sum(axis=0)
    return 1e-9 * information


def _stack(states: list[EMState]) -> EMState:
    """Put starts that ended at different iterations together again."""
    residuals = tuple(
        Residuals(
            np.concatenate([r.Psi for r in block]),
            np.concatenate([r.inverse for r in block]),
            np.concatenate([r.log_det for r in block]),
        )
        for block in zip(*(s.residuals for s in states), strict=True)
    )
    return EMState(
        np.concatenate([s.z for s in states]),
        np.concatenate([s.pi for s in states]),
        np.concatenate([s.beta for s in states]),
        tuple(np.concatenate(block) for block in zip(*(s.products for s in states), strict=True)),
        residuals,
        np.concatenate([s.loglik for s in states]),
        np.concatenate([s.iterations for s in states]),
        np.concatenate([s.converged for s in states]),
    )
