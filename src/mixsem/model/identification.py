"""Is the model identified where the optimiser starts?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .loss import Loss

__all__ = ["unidentified_parameters"]

Array = NDArray[np.float64]

#: Eigenvalues of the scaled information below this count as zero: rounding leaves about 1e-15, and real
#: models, however poor, stay above 1e-8.
SINGULAR = 1e-11


def unidentified_parameters(loss: Loss, theta: Array) -> list[str]:
    """Names of parameters that move along a direction in which the likelihood is flat; empty if identified.

    The information is scaled to unit diagonal. Its arrow shape is kept: first each group's own block, then what
    is left of the shared part once the groups' parameters are eliminated.
    """
    model, layout = loss.model, loss.model.layout
    # A generic point, away from the symmetric start where some models look singular without being so.
    jitter = 1.0 + 0.03 * np.cos(1.7 * np.arange(1, theta.size + 1))
    point = theta * jitter
    if not np.isfinite(loss.value(point)):
        point = theta
    H = layout.gather.swapaxes(1, 2) @ loss.evaluate(point).information @ layout.gather
    s = layout.shared.size
    scale = np.sqrt(np.einsum("gii->gi", H))
    scale = np.where(scale > 0, scale, 1.0)
    own = H[:, s:, s:] / (scale[:, s:, None] * scale[:, None, s:])
    padding = layout.local < 0
    own[:, np.arange(padding.shape[1]), np.arange(padding.shape[1])] += padding
    values, vectors = np.linalg.eigh(own)
    if padding.shape[1] and (values[:, 0] < SINGULAR).any():
        g = int(values[:, 0].argmin())
        return [model.names[layout.local[g, i]] for i in _heavy(vectors[g, :, 0]) if layout.local[g, i] >= 0]
    border = H[:, s:, :s]
    local = (own * (scale[:, s:, None] * scale[:, None, s:])) if padding.shape[1] else own
    schur = H[:, :s, :s].sum(axis=0)
    if padding.shape[1]:
        schur = schur - np.einsum("gms,gmt->st", border, np.linalg.solve(local, border))
    if s == 0:
        return []
    unit = np.sqrt(np.maximum(np.diagonal(H[:, :s, :s].sum(axis=0)), 1e-300))
    values_s, vectors_s = np.linalg.eigh(schur / np.outer(unit, unit))
    if values_s[0] < SINGULAR:
        return [model.names[layout.shared[i]] for i in _heavy(vectors_s[:, 0])]
    return []


def _heavy(vector: Array) -> list[int]:
    """Entries of a null vector that matter, heaviest first."""
    weight = np.abs(vector)
    return [int(i) for i in np.argsort(-weight) if weight[i] > 0.1 * weight.max()]
