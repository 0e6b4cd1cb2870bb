"""EM for a mixture of path models on group covariances, all starts at once.

Axes: s starts, k clusters, g groups, r coefficients, b outcomes of a residual block. Equation numbers are those of
Zhao et al. (2025), MixML-SEM; the weighted update is Appendix A of Perez Alonso et al. (2024).

A residual block is a set of outcomes whose residuals covary freely among themselves and with nothing else; most
blocks hold one outcome. With residual matrices of their own for every group and cluster, each density is

    log f_gk = -N_g/2 [constant_g + sum over blocks (log|Psi_gkb| + tr(Psi_gkb^-1 E_gkb))],

E_gkb = the block of (I - B_k) Phi_g (I - B_k)', and Psi_gkb = E_gkb maximises it, so that log f depends on B_k alone.

Regressions of a block that belong to the group are maximised out as well: least squares on their predictors leaves the
covariances of what remains of all factors, and with these in the place of Phi_g nothing else changes. With factor
means, Phi_g is augmented by a constant and holds second moments about zero; intercepts are regressions on the constant.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "EMData",
    "Residuals",
    "class_log_densities",
    "coefficient_update",
    "normal_equations",
    "residual_matrices",
    "residual_products",
    "responsibilities",
]

Array = NDArray[np.float64]
Index = NDArray[np.int64]


@dataclass(frozen=True, eq=False, slots=True)
class EMData:
    """What stays fixed over the iterations.

    Attributes
    ----------
    Phi
        Factor covariances, shape (G, Q, Q); with means, second moments of factors and constant, Q counting it.
    n
        People per group, shape (G,).
    outcome, predictor
        Factor behind each coefficient, shape (R,).
    offset
        Value of a fixed coefficient, 0 where free, shape (R,).
    design
        0/1 map from free coefficients to coefficients, shape (R, J); a fixed one has a row of zeros.
    equal
        Which free coefficients are the same in all clusters, shape (J,).
    blocks
        The outcomes of each residual block.
    constant
        Q log 2 pi + log|Phi_xx| + number of exogenous factors, shape (G,).
    floor
        Smallest residual variance allowed, per group and factor, shape (G, Q).
    by_group
        Whether residual matrices belong to group and cluster, or to the cluster only.
    partial
        In the place of `Phi`, for each block: what remains of it when the predictors of the block's group-specific
        regressions are partialled out. Empty if there are none.
    variance
        Variances about the mean, shape (G, Q); None if they are the diagonal of `Phi`.
    """

    Phi: Array
    n: Array
    outcome: Index
    predictor: Index
    offset: Array
    design: Array
    equal: NDArray[np.bool_]
    blocks: tuple[tuple[int, ...], ...]
    constant: Array
    floor: Array
    by_group: bool
    partial: tuple[Array, ...] = ()
    variance: Array | None = None

    @property
    def n_factors(self) -> int:
        """Number of factors, Q."""
        return self.Phi.shape[1]

    @property
    def variances(self) -> Array:
        """Variances of the factors, shape (G, Q)."""
        return np.diagonal(self.Phi, axis1=1, axis2=2) if self.variance is None else self.variance

    def moments(self, block: int) -> Array:
        """What the regressions of a block work on, shape (G, Q, Q): `Phi`, or what is left of it."""
        return self.partial[block] if self.partial else self.Phi

    def of_groups(self, groups: slice) -> EMData:
        """The same model with some groups only."""
        return replace(
            self,
            Phi=self.Phi[groups],
            n=self.n[groups],
            constant=self.constant[groups],
            floor=self.floor[groups],
            partial=tuple(rest[groups] for rest in self.partial),
            variance=None if self.variance is None else self.variance[groups],
        )


@dataclass(frozen=True, eq=False, slots=True)
class Residuals:
    """Residual matrices of one block: Psi and its inverse, shape (s, k, g, b, b), and log|Psi|, (s, k, g)."""

    Psi: Array
    inverse: Array
    log_det: Array


def residual_products(data: EMData, beta: Array) -> tuple[Array, ...]:
    """E_gkb = [(I - B_k) Phi_g (I - B_k)'] restricted to each block, shape (s, k, g, b, b).

    Parameters
    ----------
    beta
        All coefficients, fixed ones included, shape (s, k, R).
    """
    Q = data.n_factors
    I_minus_B = np.zeros((*beta.shape[:2], Q, Q))
    I_minus_B[..., range(Q), range(Q)] = 1.0
    I_minus_B[..., data.outcome, data.predictor] = -beta
    products = []
    for number, block in enumerate(data.blocks):
        flat = data.moments(number).reshape(-1, Q * Q).T
        E = np.empty((*beta.shape[:2], flat.shape[1], len(block), len(block)))
        for a, i in enumerate(block):
            for c, j in enumerate(block[: a + 1]):
                outer = I_minus_B[:, :, i, :, None] * I_minus_B[:, :, j, None, :]
                E[..., a, c] = E[..., c, a] = outer.reshape(*beta.shape[:2], Q * Q) @ flat
        products.append(E)
    return tuple(products)


def residual_matrices(data: EMData, products: tuple[Array, ...], z: Array | None) -> tuple[Residuals, ...]:
    """Maximum likelihood residual matrices, held at or above the floor.

    `z`, shape (s, k, g), is needed only when residual matrices belong to clusters: they then are the weighted
    means of the products over groups. Below the floor the constrained maximum keeps the eigenvectors (in the
    metric of the floor) and raises the eigenvalues.
    """
    residuals = []
    for block, product in zip(data.blocks, products, strict=True):
        root = np.sqrt(data.floor[:, block])  # (g, b)
        E = product
        if not data.by_group:
            assert z is not None
            weight = z * data.n
            total = np.maximum(weight.sum(axis=2), 1e-300)
            E = np.einsum("skg,skgab->skab", weight, product)[:, :, None] / total[:, :, None, None, None]
            share = data.n / data.n.sum()
            root = np.sqrt(share @ data.floor[:, block])[None, :]
        residuals.append(_floored(E, root))
    return tuple(residuals)


def _floored(E: Array, root: Array) -> Residuals:
    """Residual matrices from products; `root` is the square root of the floor, broadcast over groups."""
    if E.shape[-1] == 1:
        floor = (root**2)[None, None, :, :, None]
        Psi = np.maximum(E, floor)
        return Residuals(Psi, 1.0 / Psi, np.log(Psi[..., 0, 0]))
    scale = root[:, :, None] * root[:, None, :]
    values, vectors = np.linalg.eigh(E / scale)
    raised = np.maximum(values, 1.0)
    Psi = (vectors * raised[..., None, :]) @ vectors.swapaxes(-1, -2) * scale
    inverse = (vectors / raised[..., None, :]) @ vectors.swapaxes(-1, -2) / scale
    log_det = np.log(raised).sum(axis=-1) + 2 * np.log(root).sum(axis=-1)
    return Residuals(Psi, inverse, log_det)


def class_log_densities(data: EMData, products: tuple[Array, ...], residuals: tuple[Residuals, ...]) -> Array:
    """Log of group in each cluster (inner part of equation 13), shape (s, k, g)."""
    total = np.zeros(products[0].shape[:3])
    for E, residual in zip(products, residuals, strict=True):
        total += residual.log_det
        if E.shape[-1] == 1:
            total += E[..., 0, 0] * residual.inverse[..., 0, 0]
        else:
            total += (E * residual.inverse).sum(axis=(-1, -2))
    return -0.5 * data.n * (data.constant + total)


def responsibilities(log_density: Array, pi: Array) -> tuple[Array, Array]:
    """E-step: posterior classification probabilities z_gk, shape (s, k, g), and log L of equation 13, shape (s,)."""
    with np.errstate(divide="ignore"):
        joint = log_density + np.log(pi)[:, :, None]
    top = joint.max(axis=1, keepdims=True)
    z = np.exp(joint - top)
    total = z.sum(axis=1, keepdims=True)
    z /= total
    return z, (np.log(total) + top).sum(axis=(1, 2))


def normal_equations(data: EMData, z: Array, residuals: tuple[Residuals, ...]) -> tuple[Array, Array]:
    """H, shape (s, k, R, R), and h, shape (s, k, R), of the generalised least squares update H beta = h.

    Coefficients of the same block are weighted by z_gk N_g Psi_gkb^-1 and act on Phi_g. The score of the
    log-likelihood in the coefficients is h - H beta.
    """
    n_groups = data.n.size
    shape = z.shape[:2]
    R = data.outcome.size
    H, h = np.zeros((*shape, R, R)), np.zeros((*shape, R))
    weight = z * data.n
    for number, (block, residual) in enumerate(zip(data.blocks, residuals, strict=True)):
        Phi = data.moments(number)
        equations = [np.flatnonzero(data.outcome == j) for j in block]
        for a, rows in enumerate(equations):
            if rows.size == 0:
                continue
            x = data.predictor[rows]
            for c, columns in enumerate(equations):
                w = weight * residual.inverse[..., a, c]
                right = Phi[:, x, block[c]]
                left = Phi[:, x[:, None], data.predictor[columns]]
                moments = np.concatenate([left.reshape(n_groups, -1), right], axis=1)
                summed = w @ moments
                H[:, :, rows[:, None], columns] = summed[..., : left[0].size].reshape(*shape, *left.shape[1:])
                h[:, :, rows] += summed[..., left[0].size :]
    return H, h


def coefficient_update(data: EMData, H: Array, h: Array, beta: Array, ridge: Array) -> Array:
    """M-step for the coefficients under fixed values and equalities over clusters, shape (s, k, R).

    A proximal term (`ridge`, shape (R,), times the distance from the current coefficients) keeps a cluster
    without groups where it is; it changes no stationary point.
    """
    H = H.copy()
    H[..., range(ridge.size), range(ridge.size)] += ridge
    h = h + ridge * beta - np.einsum("skrt,t->skr", H, data.offset)
    C = data.design
    Hc, hc = C.T @ H @ C, h @ C
    own, same = np.flatnonzero(~data.equal), np.flatnonzero(data.equal)
    free = np.empty((*beta.shape[:2], C.shape[1]))
    H_oo, h_o = Hc[:, :, own[:, None], own], hc[..., own]
    if same.size:
        H_os = Hc[:, :, own[:, None], same]
        eliminated = np.linalg.solve(H_oo, np.concatenate([H_os, h_o[..., None]], axis=-1))
        H_so = H_os.swapaxes(-1, -2)
        schur = (Hc[:, :, same[:, None], same] - H_so @ eliminated[..., :-1]).sum(axis=1)
        right = (hc[..., same] - (H_so @ eliminated[..., -1:])[..., 0]).sum(axis=1)
        common = np.linalg.solve(schur, right[..., None])[..., 0]
        free[..., same] = common[:, None, :]
        h_o = h_o - (H_os @ common[:, None, :, None])[..., 0]
    if own.size:
        free[..., own] = np.linalg.solve(H_oo, h_o[..., None])[..., 0]
    return free @ C.T + data.offset
