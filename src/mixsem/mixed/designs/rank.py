"""Which columns of a design follow from those before them?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...errors import Notice, RankDeficiencyWarning, enumerate_briefly

__all__ = ["dropped_notice", "independent_columns"]

Array = NDArray[np.float64]

#: Share of a column's variance that the columns before it leave, above which the cross-products settle the matter:
#: far above their rounding error, about n^(1/2) 1e-16. Below it the columns themselves are looked at.
SETTLED = 1e-8
#: Length left of a column of length 1, below which it counts as following from the others: the tolerance of R's `qr`.
ALIASED = 1e-7
#: A column whose deviations from its mean are smaller than this, relative to its length, is constant.
CONSTANT = 1e-12
#: Ratio of the mean square to the variance above which a mean is taken away before squaring, not after.
FAR = 1e6
#: Numbers taken together when adding up cross-products: they stay in the processor's cache.
BLOCK = 2**17


def independent_columns(X: Array, intercept: bool) -> tuple[int, ...]:
    """Columns that do not follow from those before them; earlier columns win, as in lme4.

    With an intercept, columns are judged by their deviations from their means, so that years or time stamps are no
    nearer to a constant than they are in another unit.

    Parameters
    ----------
    X
        (n, p) the columns, finite.
    intercept
        Whether the first column is constant.

    Examples
    --------
    >>> x = np.array([1990.0, 1991.0, 1992.0, 1993.0])
    >>> independent_columns(np.column_stack([np.ones(4), x, 2 * x + 1, x**2]), intercept=True)
    (0, 1, 3)
    """
    p = X.shape[1]
    if p == 0 or (p == 1 and intercept):
        return tuple(range(p))
    left = _left_in_order(_cross_products(X, intercept))
    if left is not None and left.min() > SETTLED:
        return tuple(range(p))
    return _by_orthogonalisation(X, intercept)


def _cross_products(X: Array, intercept: bool) -> Array:
    """Sums of products of the columns, about their means with an intercept (which is left out)."""
    products = X.T @ X
    if not intercept:
        return np.asarray(products)
    sums = products[0, 1:]
    about = products[1:, 1:] - np.outer(sums, sums) / len(X)
    if (np.diagonal(products)[1:] < FAR * np.diagonal(about)).all():
        return np.asarray(about)
    return _about_first_rows(X[:, 1:])


def _about_first_rows(X: Array) -> Array:
    """Sums of products about the means, for columns far from zero: taken about near values first."""
    n, p = X.shape
    step = max(64, BLOCK // p)
    shift = X[:step].mean(axis=0)
    products, sums = np.zeros((p, p)), np.zeros(p)
    for begin in range(0, n, step):
        block = X[begin : begin + step] - shift
        products += block.T @ block
        sums += block.sum(axis=0)
    return products - np.outer(sums, sums) / n


def _left_in_order(products: Array) -> Array | None:
    """Share of each column that those before it leave; None where rounding errors rule."""
    scale = np.sqrt(np.diagonal(products))
    if not scale.min() > 0:
        return None
    try:
        root = np.linalg.cholesky(products / np.outer(scale, scale))
    except np.linalg.LinAlgError:
        return None
    return np.asarray(np.diagonal(root) ** 2)


def _by_orthogonalisation(X: Array, intercept: bool) -> tuple[int, ...]:
    length = np.sqrt(np.einsum("ij,ij->j", X, X))
    first = int(intercept)
    V = X[:, first:] - X[:, first:].mean(axis=0) if intercept else X
    left = np.sqrt(np.einsum("ij,ij->j", V, V))
    there = left > CONSTANT * length[first:]
    # The triangular factor has the inner products of the columns: all further work is in p.
    R: Array = np.asarray(np.linalg.qr(V[:, there] / left[there], mode="r"))
    kept, basis = [], np.empty((R.shape[0], 0))
    for j, v in zip(np.flatnonzero(there), R.T, strict=True):
        for _ in range(2):
            v = v - basis @ (basis.T @ v)
        size = np.linalg.norm(v)
        if size > ALIASED:
            kept.append(int(j) + first)
            basis = np.column_stack([basis, v / size])
    return (*range(first), *kept)


def dropped_notice(dropped: Sequence[str]) -> tuple[Notice, ...]:
    """What to say of columns that were left out."""
    if not dropped:
        return ()
    text = (
        f"{len(dropped)} column{'s' * (len(dropped) > 1)} of the fixed part left out because"
        f" {'they follow' if len(dropped) > 1 else 'it follows'} from earlier ones: {enumerate_briefly(dropped)}."
        " Empty cells of an interaction, a predictor that is a sum of others, or one that is constant within the levels"
        " of another lead to this; predictions stay the same."
    )
    return (Notice(RankDeficiencyWarning, text),)
