"""How sharply the criterion determines theta and sigma, and how the covariance of the fixed effects moves with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .theta import lower_factor

if TYPE_CHECKING:
    from ..fit import MixedFit
    from .model import CompiledMixedModel

__all__ = ["Curvature", "curvature"]

Array = NDArray[np.float64]

#: Length of a difference step, in directions scaled so that the criterion rises by half its square. Two differences
#: are combined, so that what is left is of the order of its fourth power, 1e-7, and rounding of the order of 1e-10.
STEP = 0.02
#: The same for the first, rough Hessian, which only finds these directions.
ROUGH_STEP = 0.05
#: Its length to start with, in units of the factors of centred and scaled columns.
FIRST_STEP = 0.02
#: Step of the derivative of theta by these; smooth, and only directions depend on it.
BASIS_STEP = 1e-5
#: Share of a standard deviation that steps may go, unless it is below the second: then it is 0, and steps go both ways.
NEAR, ON_BOUNDARY = 0.25, 1e-4
#: Against division by 0.
TINY = 1e-300
#: Most rounds of adapting the rough steps to the curvature they meet; one where the first steps were about right.
ROUNDS = 3
#: Columns of the dense tail from which an evaluation takes so long that one difference has to do, along the plain
#: directions: with so many levels the criterion is nearly quadratic over a step.
EXPENSIVE = 300
#: Eigenvalue of the Hessian scaled to a unit diagonal, below which a direction is flat: far above the differences'
#: error, far below what a covariance parameter has that data say anything about.
FLAT = 1e-7


@dataclass(frozen=True, eq=False)
class Curvature:
    """Second derivatives at the estimates.

    Attributes
    ----------
    hessian
        Of the criterion, with the penalty if there is one, by theta and sigma, shape (P, P).
    covariance
        Asymptotic covariance matrix of theta and sigma, twice the inverse; directions without positive curvature are
        taken as known, shape (P, P).
    jacobian
        Derivatives of the covariance matrix of the fixed effects by theta and sigma, shape (P, p, p).
    flat
        Number of directions without positive curvature: at some boundary fits theta is not determined.
    """

    hessian: Array
    covariance: Array
    jacobian: Array
    flat: int


def curvature(fit: MixedFit) -> Curvature:
    """Differentiate the exact gradient and the covariance of the fixed effects by theta and sigma.

    Parameters
    ----------
    fit
        The fit.

    Notes
    -----
    Directions are scaled by a first rough Hessian, so that units and origins of predictors do not matter. On the
    boundary the criterion is an even function of theta, and differences to both sides mean something.

    Examples
    --------
    >>> from mixsem.data import sleepstudy
    >>> from mixsem.mixed.linear import lmer
    >>> found = curvature(lmer("Reaction ~ Days + (1 | Subject)", sleepstudy()))
    >>> np.sqrt(np.diagonal(found.covariance)).round(3)
    array([0.231, 1.727])
    """
    from ..penalties.compiled import compile_penalty

    model, theta, sigma = fit.model, fit.theta, fit.sigma
    k = len(theta)
    basis = _inner_basis(model, theta)
    directions = _directions(model, theta, sigma, fit.reml, basis)
    slopes, spreads = _differences(model, theta, sigma, fit.reml, directions)
    back = np.linalg.inv(directions)
    hessian = np.empty((k + 1, k + 1))
    hessian[:k, :k] = back.T @ _symmetric(directions.T @ slopes[:k]) @ back
    hessian[k, :k] = hessian[:k, k] = slopes[k] @ back
    df = model.n - (model.p if fit.reml else 0)
    penalty = compile_penalty(fit.specification.penalty, model)
    if penalty is not None:
        hessian[:k, :k] += penalty.hessian(theta)
    hessian[k, k] = 6.0 * fit.state.r2 / sigma**4 - 2.0 * df / sigma**2
    jacobian = np.concatenate(
        [sigma**2 * np.einsum("ik,kab->iab", back.T, spreads), 2.0 * sigma * fit.state.unscaled_vcov[None]]
    )
    covariance, flat = _covariance(hessian, basis)
    return Curvature(hessian, covariance, jacobian, flat)


def _differences(
    model: CompiledMixedModel, theta: Array, sigma: float, reml: bool, directions: Array
) -> tuple[Array, Array]:
    """Derivatives of gradient (P, k) and unscaled covariance (k, p, p) along each direction."""
    # Weights of the evaluations at multiples of the step, of fourth or of second order
    stencil = {-1.0: -0.5, 1.0: 0.5} if _is_expensive(model) else {-2.0: 1 / 12, -1.0: -2 / 3, 1.0: 2 / 3, 2.0: -1 / 12}
    slopes, spreads = [], []
    for direction in directions.T:
        step = _step(model, theta, direction, max(stencil))
        slope, spread = np.zeros(len(theta) + 1), np.zeros((model.p, model.p))
        for multiple, weight in stencil.items():
            found = model.slope_and_spread(theta + multiple * step * direction, reml, sigma)
            slope += weight / step * found[0]
            spread += weight / step * found[1]
        slopes.append(slope)
        spreads.append(spread)
    return np.array(slopes).T, np.array(spreads)


def _step(model: CompiledMixedModel, theta: Array, direction: Array, furthest: float) -> float:
    """The usual step, or a shorter one that leaves standard deviations just inside the boundary on their side of 0."""
    inside = model.theta_map.is_diagonal & (theta > ON_BOUNDARY * model.products.unit) & (direction != 0.0)
    room = NEAR * theta[inside] / np.abs(direction[inside]) / furthest
    return float(min(STEP, room.min(initial=np.inf)))


def _is_expensive(model: CompiledMixedModel) -> bool:
    return len(model.products.tail) > EXPENSIVE


def _directions(model: CompiledMixedModel, theta: Array, sigma: float, reml: bool, basis: Array) -> Array:
    """Columns along which the criterion has second derivative 1, uncorrelated; of bounded length where it is flat."""
    k = len(theta)
    if _is_expensive(model):
        levels = np.asarray(model.products.layout.n_levels, dtype=float)[model.theta_map.factor]
        size = [np.sqrt((lam**2).sum() / len(lam)) for lam in model.theta_map.lambdas(theta)]
        return np.asarray(basis * (np.maximum(np.array(size)[model.theta_map.factor], 0.01) / (2.0 * np.sqrt(levels))))
    steps = np.full(k, FIRST_STEP)
    for _ in range(ROUNDS):
        ends = [[theta + c * h * d for c in (-1.0, 1.0)] for h, d in zip(steps, basis.T, strict=True)]
        slopes = [[model.gradient(t, reml, sigma)[1][:-1] for t in pair] for pair in ends]
        columns = np.array([(high - low) / (2.0 * h) for (low, high), h in zip(slopes, steps, strict=True)]).T
        rough = _symmetric(basis.T @ columns)
        with np.errstate(divide="ignore", invalid="ignore"):
            wanted = np.where(np.diagonal(rough) > 0.0, ROUGH_STEP / np.sqrt(np.diagonal(rough)), FIRST_STEP)
        wanted = np.clip(wanted, 1e-6 * FIRST_STEP, 10.0 * FIRST_STEP)
        near = (np.abs(np.log(wanted / steps)) < np.log(4.0)).all()
        steps = wanted
        if near:
            break
    scale = ROUGH_STEP / steps
    values, vectors = np.linalg.eigh(rough / np.outer(scale, scale))
    return np.asarray(basis @ (vectors / np.sqrt(np.clip(values, 1e-3, None)) / scale[:, None]))


def _inner_basis(model: CompiledMixedModel, theta: Array) -> Array:
    """What theta does when elements of the factors of centred and scaled columns move, one column for each.

    Elements of theta of a slope far from its origin say nearly the same: their differences need other directions.
    """
    theta_map, basis = model.theta_map, np.zeros((len(theta), len(theta)))
    for t, (shape, scaling) in enumerate(zip(theta_map.terms, model.products.scaling.random, strict=True)):
        here = np.flatnonzero(theta_map.term == t)
        rows, columns = theta_map.row[here] - theta_map.first[t], theta_map.column[here] - theta_map.first[t]
        basis[here, here] = 1.0 / scaling.scale[rows]
        if not shape.correlated or scaling.intercept < 0:
            continue
        inner = lower_factor(scaling.to_inner @ theta_map.term_lambda(theta, t))
        sign = np.where(np.diagonal(_triangle(scaling.from_inner @ inner)) < 0.0, -1.0, 1.0)
        moved = np.empty((len(here), len(here)))
        for j, (row, column) in enumerate(zip(rows, columns, strict=True)):
            shift = np.zeros_like(inner)
            shift[row, column] = BASIS_STEP
            ends = [(_triangle(scaling.from_inner @ (inner + c * shift)) * sign)[rows, columns] for c in (-1.0, 1.0)]
            moved[:, j] = (ends[1] - ends[0]) / (2.0 * BASIS_STEP)
        if np.linalg.matrix_rank(moved / np.maximum(np.linalg.norm(moved, axis=0), TINY)) == len(here):
            basis[np.ix_(here, here)] = moved
    return basis


def _triangle(factor: Array) -> Array:
    """The lower triangular L with L L' = M M', signs as they come: smooth in M where diagonals go through 0."""
    return np.asarray(np.linalg.qr(factor.T, mode="r")).T


def _covariance(hessian: Array, basis: Array) -> tuple[Array, int]:
    """Twice the inverse, over directions of positive curvature."""
    wide = np.eye(len(hessian))
    wide[:-1, :-1] = basis
    inner = _symmetric(wide.T @ hessian @ wide)
    scale = np.sqrt(np.abs(np.diagonal(inner)))
    scale = np.where(scale > 0.0, scale, 1.0)
    values, vectors = np.linalg.eigh(inner / np.outer(scale, scale))
    sharp = values > FLAT
    root = wide @ (vectors[:, sharp] / np.sqrt(values[sharp]) / scale[:, None])
    return 2.0 * root @ root.T, int((~sharp).sum())


def _symmetric(matrix: Array) -> Array:
    return np.asarray(0.5 * (matrix + matrix.T))
