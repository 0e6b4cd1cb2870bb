"""Samples from a population: rows, or their moments without the rows."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..data.account import rows_notices
from ..data.moments import SampleMoments
from ..errors import OptionError
from .truth import Truth, generator

__all__ = ["draw_frame", "draw_moments"]

Sample = Literal["random", "fixed"]


def draw_frame(truth: Truth, seed: int, *, sample: Sample = "random") -> pd.DataFrame:
    """Draw the answers of all people.

    Parameters
    ----------
    truth
        The population.
    seed
        The same seed gives the same answers.
    sample
        "random": multivariate normal answers. "fixed": answers whose means (zero) and covariances
        (divisor n) are exactly those of the population.

    Returns
    -------
    pandas.DataFrame
        Columns ``group`` (1 to G) and the items, such as ``V1`` to ``V20``; rows in the order of the groups.

    Raises
    ------
    OptionError
        If `sample` is "fixed" and a group has no more people than items.

    Examples
    --------
    >>> from mixsem.simulate import Population, draw_truth
    >>> draw_frame(draw_truth(Population(n_groups=4, group_size=30), seed=1), seed=1).shape
    (120, 21)
    """
    _check(sample)
    if sample == "fixed" and truth.n.min() <= len(truth.items):
        raise OptionError(
            f"a group of {truth.n.min()} cannot have exactly the population's covariances",
            allowed=f"more than {len(truth.items)} people per group",
        )
    rng = generator(seed, stream=1)
    factors = np.linalg.cholesky(truth.Sigma)
    blocks = []
    for size, factor in zip(truth.n, factors, strict=True):
        z = rng.standard_normal((size, len(truth.items)))
        blocks.append((_whitened(z) if sample == "fixed" else z) @ factor.T)
    frame = pd.DataFrame(np.concatenate(blocks), columns=list(truth.items))
    frame.insert(0, "group", np.repeat(truth.groups, truth.n))
    return frame


def draw_moments(truth: Truth, seed: int, *, sample: Sample = "random") -> SampleMoments:
    """Draw the sample moments of all groups without drawing people.

    Parameters
    ----------
    truth
        The population.
    seed
        The same seed gives the same moments (other ones than those of `draw_frame`).
    sample
        "random": normal means and Wishart covariances with n - 1 degrees of freedom, divisor n. "fixed":
        exactly the population's means (zero) and covariances.

    Returns
    -------
    SampleMoments
        Grouped by ``group``, with the items of the population.

    Notes
    -----
    Wishart matrices by the Bartlett (1933) decomposition: S = L A A' L' / n, with A lower triangular, squares
    of its diagonal chi-square with n - 1, n - 2, ... degrees of freedom and standard normals below.

    Examples
    --------
    >>> from mixsem.simulate import Population, draw_truth
    >>> truth = draw_truth(Population(n_groups=4), seed=1)
    >>> bool((draw_moments(truth, seed=1, sample="fixed").covariances == truth.Sigma).all())
    True
    """
    _check(sample)
    means, covariances = np.zeros(truth.Sigma.shape[:2]), truth.Sigma
    if sample == "random":
        rng = generator(seed, stream=2)
        factor = np.linalg.cholesky(truth.Sigma)
        z = rng.standard_normal((*means.shape, 1)) / np.sqrt(truth.n)[:, None, None]
        means = (factor @ z)[:, :, 0]
        root = factor @ _bartlett(truth.n - 1, len(truth.items), rng)
        covariances = root @ root.swapaxes(1, 2) / truth.n[:, None, None]
    n_dropped = np.zeros_like(truth.n)
    return SampleMoments(
        items=truth.items,
        groups=truth.groups,
        n=truth.n,
        means=means,
        covariances=covariances,
        n_dropped=n_dropped,
        group="group",
        notices=rows_notices(truth.groups, truth.n, n_dropped, len(truth.items)),
    )


def _check(sample: str) -> None:
    if sample not in ("random", "fixed"):
        raise OptionError(f"sample={sample!r}", allowed='"random" or "fixed"')


def _whitened(z: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the columns means of exactly 0 and covariances (divisor n) of exactly the identity."""
    centred = z - z.mean(axis=0)
    q: NDArray[np.float64] = np.linalg.qr(centred)[0]
    return q * np.sqrt(len(z))


def _bartlett(df: NDArray[np.int64], p: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw (G, p, p) factors A with A A' Wishart(df, I); columns beyond df are zero (singular Wishart)."""
    below = np.tril(rng.standard_normal((len(df), p, p)), -1)
    left = df[:, None] - np.arange(p)
    diagonal = np.sqrt(rng.chisquare(np.maximum(left, 1)))
    factor: NDArray[np.float64] = below + diagonal[:, :, None] * np.eye(p)
    return factor * (left > 0)[:, None, :]
