"""Rows that have given moments: what was drawn as means and covariances, written out as people."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..data.moments import SampleMoments
from .truth import generator

__all__ = ["rows_with_moments"]


def rows_with_moments(moments: SampleMoments, seed: int) -> pd.DataFrame:
    """Draw answers of people whose means and covariances (divisor n) are exactly those given.

    If the moments are those of normal rows, as `draw_moments` draws them, the rows are normal ones.

    Parameters
    ----------
    moments
        Size, means and covariances of G groups; a covariance matrix of n people has at most rank n - 1.
    seed
        The same seed gives the same rows.

    Returns
    -------
    pandas.DataFrame
        The grouping column and the p items; rows in the order of the groups.

    Notes
    -----
    Rows are sqrt(n) Q R' + mean, where S = R R' and the columns of Q are a random orthonormal basis of contrasts
    between people: given their mean and covariance, that is the distribution of normal rows.

    Examples
    --------
    >>> from mixsem.simulate import Population, draw_moments, draw_truth
    >>> moments = draw_moments(draw_truth(Population(n_groups=4, group_size=30), seed=1), seed=1)
    >>> rows = rows_with_moments(moments, seed=1)
    >>> bool(np.allclose(rows[rows["group"] == 2].drop(columns="group").cov(ddof=0), moments.covariances[1]))
    True
    """
    rng = generator(seed, stream=3)
    p = len(moments.items)
    blocks = []
    for n, mean, covariance in zip(moments.n, moments.means, moments.covariances, strict=True):
        rank = min(int(n) - 1, p)
        values, vectors = np.linalg.eigh(covariance)
        root = vectors[:, p - rank :] * np.sqrt(np.maximum(values[p - rank :], 0.0))
        z = rng.standard_normal((int(n), rank))
        q, r = np.linalg.qr(z - z.mean(axis=0))
        q *= np.sign(np.diag(r))  # without it the signs would be those of the algorithm, and Q not uniform
        blocks.append(np.sqrt(n) * q @ root.T + mean)
    frame = pd.DataFrame(np.concatenate(blocks), columns=list(moments.items))
    frame.insert(0, moments.group or "group", np.repeat(np.asarray(moments.groups), moments.n))
    return frame
