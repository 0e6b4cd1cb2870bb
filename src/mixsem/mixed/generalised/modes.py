"""Conditional modes of the random effects by Newton's method: penalised iteratively reweighted least squares.

At given Lambda, beta and dispersion the mode of u maximises log f(y | u) - |u|^2 / 2 (Bates et al. 2015b, vignette of
lme4 on generalised models). With score s and weights w of the rows at eta, a Newton step solves

    (Lambda' Z'WZ Lambda + I) u = Lambda' Z'(s + W (eta - base)),   base = offset + X beta.

Weights are observed ones, so that the last factorisation is that of the Laplace approximation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..engine.factor import Factor, factorise
from .families import Family
from .fixed_part import eliminate_random, scaled_effects
from .rows import EffectRows
from .system import solve

__all__ = ["EXACT", "TOLERANCE", "Mode", "find_mode"]

Array = NDArray[np.float64]

#: The iteration ends when a Newton step would raise the penalised log-likelihood by less than half of this: where the
#: determinant is corrected for the last step, and where it is not.
TOLERANCE, EXACT = 1e-13, 1e-18
#: Steps that gain more than this are checked, and shortened if they go too far.
LARGE = 1e-2
#: Largest change of a linear predictor after which log-likelihoods of well-behaved links are nearly parabolas.
SAFE = 1.0
#: Most Newton steps, and the shortest.
MOST_STEPS, SHORTEST = 100, 1e-8


@dataclass(frozen=True, eq=False)
class Mode:
    """Conditional modes, and what rows say there.

    Attributes
    ----------
    lam
        Covariance factors in inner units, shape (F, k, k).
    beta
        Fixed effects in inner units.
    d
        Parameter of the family; 1 if it has none.
    u, b
        Spherical random effects, and Lambda u, in the order of elimination.
    eta, score, weight
        Linear predictor of each row; first and minus second derivative of its log-likelihood.
    products
        Z'WZ: values of the sparse levels, and the tail.
    factor
        Cholesky factor of Omega.
    loglik
        Log-likelihood given the random effects.
    move
        What the last Newton step changed of `eta`: score, weights and factor are those before it.
    steps
        Newton steps.
    """

    lam: Array
    beta: Array
    d: float
    u: Array
    b: Array
    eta: Array
    score: Array
    weight: Array
    products: tuple[Array, Array]
    factor: Factor
    loglik: float
    move: Array
    steps: int

    @property
    def laplace(self) -> float:
        """-2 log-likelihood by Laplace's approximation, but for what the last step changes of the determinant."""
        return -2.0 * self.loglik + float(self.u @ self.u) + self.factor.log_det


def find_mode(
    rows: EffectRows,
    family: Family,
    lam: Array,
    beta: Array,
    d: float,
    near: Mode | None = None,
    joint: bool = False,
    tolerance: float = TOLERANCE,
) -> Mode | None:
    """Find the conditional modes; None if the family has no value there, or the iteration does not end.

    Parameters
    ----------
    rows, family
        The data.
    lam, beta, d
        Covariance factors and fixed effects in inner units, and the family's parameter.
    near
        The mode at parameters nearby, from which to start.
    joint
        Whether `beta` is only a start: the joint mode of u and beta is found.
    tolerance
        What another Newton step may gain.
    """
    climb = _Climb(rows, family, lam, d, joint, tolerance)
    if near is not None:
        u = _carried_over(rows, near, lam, rows.offset + rows.X @ beta)
        found = None if u is None else climb.start(u, beta)
        if found is not None:
            return found
    return climb.start(np.zeros(rows.n_effects), beta)


def _carried_over(rows: EffectRows, near: Mode, lam: Array, base: Array) -> Array | None:
    """The modes that the rows' quadratic approximations at another point imply."""
    factor = factorise(rows.layout, *near.products, lam)
    if factor is None:
        return None
    return solve(rows.layout, factor, rows.sums(near.score + near.weight * (near.eta - base)))


@dataclass(frozen=True, eq=False)
class _Climb:
    """Newton steps for the modes at given parameters."""

    rows: EffectRows
    family: Family
    lam: Array
    d: float
    joint: bool
    tolerance: float

    def start(self, u: Array, beta: Array) -> Mode | None:
        """Climb from u, and beta."""
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            return self._climb(u, beta)

    def _climb(self, u: Array, beta: Array) -> Mode | None:
        rows, family, d = self.rows, self.family, self.d
        y, m = rows.y, rows.m
        b = scaled_effects(rows, self.lam, u)
        eta = rows.predictor(rows.offset + rows.X @ beta, b)
        for step in range(1, MOST_STEPS + 1):
            score, weight = family.newton(y, m, eta, d)
            if not np.isfinite(score @ score + weight @ weight):
                return None
            products = rows.weigh(weight)
            factor, used = factorise(rows.layout, *products, self.lam), weight
            target = None if factor is None else self._target(factor, used, score, eta, beta)
            if target is None:  # not yet near the mode: expected weights are never negative
                used = family.expected(m, eta, d)
                factor = factorise(rows.layout, *rows.weigh(used), self.lam)
                target = None if factor is None else self._target(factor, used, score, eta, beta)
            if factor is None or target is None:
                return None
            u_new, beta_new = target
            b_new = scaled_effects(rows, self.lam, u_new)
            eta_new = rows.predictor(rows.offset + rows.X @ beta_new, b_new)
            change, move = u_new - u, eta_new - eta
            gain = float(change @ change + used @ move**2)
            if gain < self.tolerance * (1.0 + float(u @ u)) and used is weight:
                value = float(family.loglik(y, m, eta_new, d).sum()) + rows.constant
                return Mode(
                    self.lam, beta_new, d, u_new, b_new, eta_new, score, weight, products, factor, value, move, step
                )
            sure = gain < LARGE or (family.is_safe and float(np.abs(move).max()) < SAFE)
            length = 1.0 if sure else self._shorten(u, change, eta, move)
            if length == 0.0:
                return None
            u, b, eta = u + length * change, b + length * (b_new - b), eta + length * move
            beta = beta + length * (beta_new - beta)
        return None

    def _target(
        self, factor: Factor, weight: Array, score: Array, eta: Array, beta: Array
    ) -> tuple[Array, Array] | None:
        """Where a whole Newton step goes: penalised least squares of a working response; None if there is no way up."""
        rows, response = self.rows, score + weight * (eta - self.rows.offset)
        if not self.joint:
            return solve(rows.layout, factor, rows.sums(response - weight * (rows.X @ beta))), beta
        u = solve(rows.layout, factor, rows.sums(response))
        part = eliminate_random(rows, self.lam, factor, weight)
        beta = part.solve(rows.X.T @ response - part.border.T @ scaled_effects(rows, self.lam, u))
        return (u - part.solved @ beta, beta) if np.isfinite(beta).all() else None

    def _shorten(self, u: Array, change: Array, eta: Array, move: Array) -> float:
        """Largest of the lengths 1, 1/2, ... at which the penalised log-likelihood is no lower; 0 if there is none."""

        def penalised(length: float) -> float:
            moved = u + length * change
            values = self.family.loglik(self.rows.y, self.rows.m, eta + length * move, self.d)
            return float(values.sum() - 0.5 * moved @ moved)

        here = penalised(0.0)
        length = 1.0 if np.isfinite(here) else 0.0
        while length > SHORTEST:
            if penalised(length) >= here - 1e-12 * abs(here):
                return length
            length *= 0.5
        return 0.0
