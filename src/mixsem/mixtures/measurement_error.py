"""How uncertain the factor covariances of step 2 are, and what that adds to the uncertainty of step 3."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import UnsupportedModelError
from ..factors.moments import positive_uniqueness
from ..kernels.arrow import ArrowSystem, factorize
from ..kernels.covariance import inverse_and_log_det
from ..kernels.mapping import mapping_matrix
from ..measurement.fit import BlockFit, MeasurementFit
from ..model.loss import MaximumLikelihood
from ..model.matrices import LAMBDA, PSI, THETA, ModelMap

__all__ = ["extra_variance", "influence_of_items"]

Array = NDArray[np.float64]

#: Groups worked on at a time, where there is a matrix for each of their quantities.
AT_A_TIME = 500


class _Mapping(NamedTuple):
    """The mapping Phi = M (S - Theta) M' and its ingredients, all of shape (G, ., .)."""

    M: Array
    rest: Array  # S - Theta
    solved: Array  # Theta^-1 (I - Lambda M)
    G: Array  # (Lambda' Theta^-1 Lambda)^-1


def extra_variance(step1: MeasurementFit, factors: tuple[str, ...], Phi: Array, C: Array) -> Array:
    """Variance of C applied to the estimated factor covariances, beyond that of covariances of error-free scores.

    The factor covariances of a group follow its item covariances, directly and through the measurement parameters,
    which equal loadings share among all groups. To first order, d Phi = sum_h L_h d S_h, so that their variance is
    sum_h L_h Gamma_h L_h' / N_h; what step 3 counts already, the sampling variance of covariances of N_g people whose
    factor scores were known, is taken off.

    Parameters
    ----------
    step1
        The measurement model, by maximum likelihood.
    factors
        Names of the factors in `Phi`.
    Phi
        Factor covariances, shape (G, Q, Q).
    C
        Derivatives of J quantities with respect to the upper triangles of Phi, shape (G, J, Q (Q + 1) / 2).

    Returns
    -------
    NDArray
        Shape (J, J).
    """
    if any(
        not hasattr(block.optimum, "system") or getattr(block, "ordered", None) is not None for block in step1.blocks
    ):
        raise UnsupportedModelError(
            "two-step standard errors after ordered items", allowed="continuous items", todo="use bootstrap(fit)"
        )
    S, n = step1.moments.select(step1.items).covariances, step1.moments.n.astype(float)
    influence = influence_of_items(step1, factors, C)
    return _sampling_variance(influence, S, n) - _sampling_variance(C, Phi, n)


def influence_of_items(step1: MeasurementFit, factors: tuple[str, ...], C: Array) -> Array:
    """Derivatives of C applied to the factor covariances with respect to each group's item covariances.

    Parameters and shapes as in `extra_variance`; returns shape (G, J, p (p + 1) / 2), upper triangles.
    """
    at = np.array([step1.factors.index(f) for f in factors])
    S = step1.moments.select(step1.items).covariances
    influence = _direct(step1, S, at, C)
    for block in step1.blocks:
        found = _through_parameters(step1, block, S, at, C)
        if found is not None:
            influence[..., _places(step1, block)] += found
    return influence


def _sampling_variance(C: Array, V: Array, n: Array) -> Array:
    """Covariance matrix (J, J) of sum_g C_g vech(S_g), S_g the covariance matrices of n_g normal people around V_g.

    Of tr(K_i S) and tr(K_j S) it is 2/n tr(K_i V K_j V).
    """
    total = np.zeros((C.shape[1], C.shape[1]))
    for part in _parts(n.size):
        KV = _symmetric(C[part], V.shape[-1]) @ V[part, None]
        total += np.einsum("gips,gjsp->ij", KV * (2.0 / n[part])[:, None, None, None], KV, optimize=True)
    return total


def _parts(n_groups: int) -> list[slice]:
    """Some groups at a time, to bound memory."""
    return [slice(first, first + AT_A_TIME) for first in range(0, n_groups, AT_A_TIME)]


def _is_mapped(step1: MeasurementFit) -> bool:
    """Whether factor covariances were mapped from several blocks; one block has its own."""
    return len(step1.blocks) > 1


def _mapping(step1: MeasurementFit, S: Array) -> _Mapping:
    Theta = positive_uniqueness(step1.Theta, S)
    M = mapping_matrix(step1.Lambda, Theta)
    p = S.shape[-1]
    solved = np.asarray(np.linalg.solve(Theta, np.eye(p) - step1.Lambda @ M), dtype=float)
    weighted = np.linalg.solve(Theta, step1.Lambda)
    return _Mapping(
        M, S - step1.Theta, solved, np.asarray(np.linalg.inv(step1.Lambda.swapaxes(1, 2) @ weighted), dtype=float)
    )


def _direct(step1: MeasurementFit, S: Array, at: NDArray[np.int64], C: Array) -> Array:
    """Part of the influence of S that does not go through parameters: M dS M', shape (G, J, p (p + 1) / 2)."""
    p = S.shape[-1]
    found = np.zeros((*C.shape[:2], p * (p + 1) // 2))
    if not _is_mapped(step1):
        return found
    M = _mapping(step1, S).M[:, at]
    for part in _parts(len(S)):
        weights = _symmetric(C[part], len(at))  # <weights, dPhi> = C vech(dPhi)
        found[part] = _packed(np.einsum("gqp,gjqr,grs->gjps", M[part], weights, M[part], optimize=True))
    return found


def _symmetric(C: Array, Q: int) -> Array:
    """Symmetric matrices K with C vech(V) = tr(K V), shape (G, J, Q, Q)."""
    rows, columns = np.triu_indices(Q)
    K = np.zeros((*C.shape[:2], Q, Q))
    K[..., rows, columns] = np.where(rows == columns, 1.0, 0.5) * C
    K[..., columns, rows] = np.where(rows == columns, 1.0, 0.5) * C
    return K


def _packed(K: Array) -> Array:
    """The reverse: coefficients of the upper triangle of V in tr(K V), for symmetric V."""
    rows, columns = np.triu_indices(K.shape[-1])
    K = 0.5 * (K + K.swapaxes(-1, -2))
    return np.asarray(np.where(rows == columns, 1.0, 2.0) * K[..., rows, columns])


def _through_parameters(
    step1: MeasurementFit, block: BlockFit, S: Array, at: NDArray[np.int64], C: Array
) -> Array | None:
    """Influence of a block's S through its measurement parameters, shape (G, J, p (p + 1) / 2), p items; None if none.

    Estimates follow the data as d theta = H^-1 sum_h n_h Delta_h' W_h d vech S_h (maximum likelihood), H the observed
    information.
    """
    model, theta = block.model, block.optimum.theta
    system = _observed_system(step1, block, S)
    if system is None or theta.size == 0:
        return None
    sensitivity = _entry_sensitivity(step1, block, S, at, C)  # (G, J, E)
    J = C.shape[1]
    per_parameter = np.stack([model.add_up(sensitivity[:, j]) for j in range(J)])  # (J, P)
    solved = np.stack([system.solve(row) for row in per_parameter])  # (J, P)
    implied = model.implied(theta)
    W = inverse_and_log_det(implied.Sigma).W[:, None]
    entries = model.entry_vectors(implied)
    n = step1.moments.n.astype(float)
    p = len(block.items)
    found = np.empty((*C.shape[:2], p * (p + 1) // 2))
    for part in _parts(n.size):
        free = model.free[part]
        values = np.where(free[:, None, :] >= 0, solved[:, np.maximum(free, 0)].swapaxes(0, 1), 0.0)
        # Delta' W_h d vech S is tr(W dSigma W dS) / 2, dSigma the change of the implied matrix that the values make.
        half = (values * entries.c).swapaxes(1, 2)[..., None] * entries.u[part, :, None, :]  # (G, E, J, p)
        change = np.einsum("gejp,geq->gjpq", half, entries.v[part], optimize=True)
        found[part] = n[part, None, None] * _packed(0.5 * W[part] @ (change + change.swapaxes(-1, -2)) @ W[part])
    return found


def _observed_system(step1: MeasurementFit, block: BlockFit, S: Array) -> ArrowSystem | None:
    """The factorised observed information of a block; the expected one where that is not positive definite."""
    moments = step1.moments.select(block.items)
    loss = MaximumLikelihood.of(block.model, moments.n, moments.covariances, moments.means)
    observed = loss.observe(block.optimum.theta)
    try:
        system = factorize(block.model.layout, observed.information)
    except np.linalg.LinAlgError:
        return block.optimum.system
    return system if (system.diagonal() > 0).all() else block.optimum.system


def _places(step1: MeasurementFit, block: BlockFit) -> NDArray[np.int64]:
    """Where the covariances of a block's items, upper triangle, are among those of all items."""
    p = len(step1.items)
    place = np.empty((p, p), dtype=np.int64)
    upper = np.triu_indices(p)
    place[upper] = place[upper[1], upper[0]] = np.arange(upper[0].size)
    index = np.array([step1.items.index(name) for name in block.items])
    rows, columns = np.triu_indices(index.size)
    return place[index[rows], index[columns]]


def _entry_sensitivity(step1: MeasurementFit, block: BlockFit, S: Array, at: NDArray[np.int64], C: Array) -> Array:
    """Derivatives of the J quantities with respect to the entries of a block, shape (G, J, E)."""
    model = block.model
    q = np.array([step1.factors.index(name) for name in model.factors])
    items = np.array([step1.items.index(name) for name in model.observed])
    found = np.zeros((*C.shape[:2], model.matrix.size))
    mapping = _mapping(step1, S) if _is_mapped(step1) else None
    for part in _parts(len(S)):
        K = np.zeros((*C[part].shape[:2], len(step1.factors), len(step1.factors)))
        K[:, :, at[:, None], at] = _symmetric(C[part], len(at))
        if mapping is None:
            e = np.flatnonzero(model.matrix == PSI)
            twice = np.where(model.row[e] == model.column[e], 1.0, 2.0)
            found[part][..., e] = twice * K[:, :, q[model.row[e]], q[model.column[e]]]
        else:
            found[part] = _mapped_sensitivity(model, _Mapping(*(array[part] for array in mapping)), K, q, items)
    return found


def _mapped_sensitivity(
    model: ModelMap, mapping: _Mapping, K: Array, q: NDArray[np.int64], items: NDArray[np.int64]
) -> Array:
    """Derivatives of tr(K Phi), K of shape (G, J, Q, Q), with respect to the entries, shape (G, J, E).

    tr(K dPhi) = 2 tr(K dM R) - tr(K M dTheta M'), R = (S - Theta) M'.
    """
    M, rest, solved, G = mapping
    found = np.zeros((*K.shape[:2], model.matrix.size))
    KM = K @ M[:, None]  # (G, J, Q, p)
    R = rest @ M.swapaxes(1, 2)
    tail = solved @ R  # Theta^-1 (I - Lambda M) (S - Theta) M', (G, p, Q)
    e = np.flatnonzero(model.matrix == LAMBDA)
    i, f = items[model.row[e]], q[model.column[e]]
    # dM = G dLambda' Theta^-1 (I - Lambda M) - M dLambda M
    first = np.einsum("gjqe,geq->gje", K @ G[:, None, :, f], tail[:, i])
    second = np.einsum("gjqe,geq->gje", KM[..., i], (M @ R)[:, f])
    found[..., e] = 2.0 * (first - second)
    e = np.flatnonzero(model.matrix == THETA)
    a, b = items[model.row[e]], items[model.column[e]]
    # dM = -M dTheta Theta^-1 (I - Lambda M)
    through = np.einsum("gjqe,geq->gje", KM[..., a], tail[:, b]) + np.einsum("gjqe,geq->gje", KM[..., b], tail[:, a])
    own = np.einsum("gqe,gjqe->gje", M[..., a], KM[..., b])  # a and b can be exchanged: K is symmetric
    found[..., e] = -np.where(a == b, 1.0, 2.0) * (through + own)
    return found
