"""Averages of residual moments: RMR, SRMR and CRMR in their variants."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["correlation_residuals", "residual_indices"]

Array = NDArray[np.float64]


def correlation_residuals(S: Array, Sigma: Array) -> Array:
    """Observed minus implied correlations, shape (G, p, p)."""
    return _correlation(S) - _correlation(Sigma)


def _correlation(S: Array) -> Array:
    scale = np.sqrt(np.einsum("gii->gi", S))
    return np.asarray(S / (scale[:, :, None] * scale[:, None, :]))


def residual_indices(
    S: Array, Sigma: Array, n: NDArray[np.int64], means: tuple[Array, Array] | None = None
) -> dict[str, float]:
    """Root mean squares of residuals, averaged over groups by their size; lavaan's names.

    RMR takes residuals as they are, SRMR divides them by the observed standard deviations (Bentler), CRMR compares
    correlations, and Mplus' variant compares correlations and relative variances.

    Parameters
    ----------
    S, Sigma
        Observed and implied covariances, shape (G, p, p).
    n
        People per group, shape (G,).
    means
        Observed and implied means, each of shape (G, p); None if means are not modelled.

    Examples
    --------
    >>> S, Sigma = np.array([[[1.0, 0.5], [0.5, 1.0]]]), np.array([[[1.0, 0.2], [0.2, 1.0]]])
    >>> found = residual_indices(S, Sigma, np.array([10]))
    >>> round(found["srmr"], 4), round(found["crmr"], 4)
    (0.1732, 0.3)
    """
    p = S.shape[-1]
    below, share = np.tril_indices(p, -1), n / n.sum()
    sd, implied_sd = np.sqrt(np.einsum("gii->gi", S)), np.sqrt(np.einsum("gii->gi", Sigma))
    raw = S - Sigma
    kinds = {
        "rmr": (raw, None if means is None else means[0] - means[1]),
        "srmr": (raw / (sd[:, :, None] * sd[:, None, :]), None if means is None else (means[0] - means[1]) / sd),
        "crmr": (correlation_residuals(S, Sigma), None if means is None else (means[0] - means[1]) / sd),
    }
    variance = {"rmr": np.einsum("gii->gi", raw), "srmr": np.einsum("gii->gi", raw) / sd**2}
    variance["crmr"] = variance["srmr"][:, :0]
    found: dict[str, float] = {}
    for name, (matrix, mean) in kinds.items():
        cells = np.concatenate([matrix[:, below[0], below[1]], variance[name]], axis=1)
        found |= _with_and_without(name, cells, mean, share)
    crmr = kinds["crmr"][0]
    mean = None if means is None else means[0] / sd - means[1] / implied_sd
    cells = np.concatenate([crmr[:, below[0], below[1]], variance["srmr"]], axis=1)
    found |= _with_and_without("srmr_mplus", cells, mean, share)
    found["srmr_bentler"], found["srmr_bentler_nomean"] = found["srmr"], found.pop("srmr_nomean")
    return found


def _with_and_without(name: str, cells: Array, mean: Array | None, share: Array) -> dict[str, float]:
    def average(values: Array) -> float:
        return float(share @ np.sqrt((values**2).mean(axis=1))) if values.shape[1] else 0.0

    everything = cells if mean is None else np.concatenate([cells, mean], axis=1)
    return {name: average(everything), f"{name}_nomean": average(cells)}
