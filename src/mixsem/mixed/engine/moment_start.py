"""Where the search starts: moment estimates of the covariances, one grouping factor at a time.

The sums s_i = Z_i' r of the residuals r of ordinary least squares over level i have, if there were no other factor, the
expectation E s_i s_i' = A_i Sigma A_i + s^2 A_i, with A_i = Z_i'Z_i and s^2 the variance within levels. Adding up over
levels gives linear equations for Sigma. They know nothing of the other factors, but land within some ten per cent of
the solution where a plain start is off by a factor of ten.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .products import Products
from .theta import ThetaMap

__all__ = ["moment_start"]

Array = NDArray[np.float64]

#: Standard deviations relative to the residual one that a search may start from.
SMALLEST, LARGEST = 0.1, 10.0
#: Smallest principal standard deviation of a start relative to the largest: EM steps are slow near singular ones.
FLATTEST = 0.2
#: What is added to the diagonal of each level's cross-products, relative to their mean.
RIDGE = 1e-10


def moment_start(products: Products, theta_map: ThetaMap) -> Array:
    """Theta of the centred and scaled columns from moments.

    Parameters
    ----------
    products
        The cross-products.
    theta_map
        Where theta stands.
    """
    blocks, m = products.layout.blocks, products.layout.blocks.n_dense
    dense = products.tail[blocks.n_tail :, blocks.n_tail :]
    information = np.tril(dense[:-1, :-1]) + np.tril(dense[:-1, :-1], -1).T
    beta = np.linalg.lstsq(information, dense[-1, :-1], rcond=None)[0] if m > 1 else np.zeros(0)
    rss = float(dense[-1, -1] - beta @ dense[-1, :-1])
    total = rss / max(products.n - products.p, 1)
    if not total > 0.0:
        return theta_map.start * products.unit
    residual_of = np.append(-beta, 1.0)
    found, explained = [], 0.0
    for f, k in enumerate(theta_map.sizes):
        own, sums = _level_sums(products, f, k, residual_of)
        added = own.sum(axis=0)
        ridge = np.diagonal(added) / len(own)  # levels may have fewer rows than effects
        ridge = RIDGE * np.diag(np.where(ridge > 0.0, ridge, 1.0))
        solved = np.linalg.solve(own + ridge, sums[:, :, None])[:, :, 0]
        within = max(rss - float((sums * solved).sum()), 0.0) / max(products.n - len(own) * k, 1)
        equations = np.einsum("iab,icd->acbd", own, own).reshape(k * k, k * k)
        moments = np.einsum("ia,ib->ab", sums, sums) - min(within, total) * added
        Sigma = np.linalg.lstsq(equations, moments.ravel(), rcond=None)[0].reshape(k, k)
        found.append(0.5 * (Sigma + Sigma.T))
        explained += max(float((found[-1] * added).sum()) / products.n, 0.0)
    rest = max(total - explained, 0.1 * total)
    unit = products.unit
    roots = [unit * _root(theta_map, f, Sigma / (rest * unit**2)) for f, Sigma in enumerate(found)]
    return theta_map.from_lambdas(roots)


def _level_sums(products: Products, f: int, k: int, residual_of: Array) -> tuple[Array, Array]:
    """A_i and s_i of all levels of a factor, shapes (n_f, k, k) and (n_f, k)."""
    blocks, m = products.layout.blocks, products.layout.blocks.n_dense
    at = np.flatnonzero(blocks.factor == f)
    base, stride = blocks.values[at], (blocks.values[at + 1] - blocks.values[at]) // k
    rows = base[:, None] + np.arange(k) * stride[:, None]
    own = products.values[rows[:, :, None] + np.arange(k)]
    ends = rows + (stride - m)[:, None]
    sums = products.values[ends[:, :, None] + np.arange(m)] @ residual_of
    first = blocks.tail_start[blocks.tail_factor == f]
    if not len(first):
        return own, sums
    columns = first[:, None] + np.arange(k)
    border = products.tail[blocks.n_tail :, : blocks.n_tail]
    low = np.maximum(columns[:, :, None], columns[:, None, :])
    high = np.minimum(columns[:, :, None], columns[:, None, :])
    in_tail = np.moveaxis(border[:, columns], 0, -1) @ residual_of
    return np.concatenate([own, products.tail[low, high]]), np.concatenate([sums, in_tail])


def _root(theta_map: ThetaMap, f: int, Sigma: Array) -> Array:
    """A factor of the covariance matrix, term by term, with standard deviations a search can start from."""
    root = np.zeros_like(Sigma)
    for t, shape in enumerate(theta_map.terms):
        if shape.factor == f:
            at = theta_map.places(t)
            block = Sigma[at, at] if shape.correlated else np.diag(np.diagonal(Sigma[at, at]))
            values, vectors = np.linalg.eigh(block)
            deviations = np.clip(np.sqrt(np.maximum(values, 0.0)), SMALLEST, LARGEST)
            root[at, at] = vectors * np.maximum(deviations, FLATTEST * deviations.max())
            if not shape.correlated:
                root[at, at] = np.abs(root[at, at] @ vectors.T)
    return root
