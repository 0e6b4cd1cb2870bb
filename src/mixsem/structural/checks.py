"""Trouble in step 3: starts, empty clusters, near-singular groups."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np
from numpy.typing import NDArray

from ..errors import (
    ConvergenceWarning,
    EmptyClusterWarning,
    FewStartsWarning,
    Notice,
    ResidualFloorWarning,
    enumerate_briefly,
)
from ..kernels.mixture import EMData
from .fit import MixtureFit

__all__ = ["mixture_notices"]

#: Fewer than this share of the starts at the best solution is too few to trust it.
FEW = 0.02


def mixture_notices(fit: MixtureFit, data: EMData, own_products: tuple[NDArray[np.float64], ...]) -> tuple[Notice, ...]:
    """All notices of one fit."""
    return (*_starts(fit), *_clusters(fit), *_floors(fit, data, own_products))


def _starts(fit: MixtureFit) -> list[Notice]:
    record = fit.starts
    notices = []
    if not record.converged:
        notices.append(
            Notice(
                ConvergenceWarning,
                f"k = {fit.k}: EM stopped after {record.iterations.max()} iterations before log L settled."
                " Raise max_iterations.",
            )
        )
    if record.n_starts > 1 and record.n_best < max(2, FEW * record.n_starts):
        reached = f"only {record.n_best}" if record.n_best else "none"
        by_moves = "" if record.n_best else " (it was found by splitting and merging clusters)"
        notices.append(
            Notice(
                FewStartsWarning,
                f"k = {fit.k}: {reached} of {record.n_starts} starts reached the best solution{by_moves}; a better one"
                " may exist. Use more starts; if that does not help, the groups hardly form so many clusters.",
            )
        )
    return notices


def _clusters(fit: MixtureFit) -> list[Notice]:
    notices = []
    empty = [c for c in range(1, fit.k + 1) if not (fit.clusters == c).any()]
    if empty:
        named = f"cluster{'s' * (len(empty) > 1)} {enumerate_briefly(empty)}"
        text = f"k = {fit.k}: no group belongs to {named} more than to another. Choose fewer clusters."
        notices.append(Notice(EmptyClusterWarning, text))
    coefficients = fit.coefficients[:, fit.path.slot >= 0]
    gap = np.abs(coefficients[:, None] - coefficients[None, :]).max(axis=2) + np.eye(fit.k)
    if fit.k > 1 and not fit.path.equal.all() and gap.min() < 1e-3:
        a, b = np.unravel_index(gap.argmin(), gap.shape)
        notices.append(
            Notice(
                EmptyClusterWarning,
                f"k = {fit.k}: clusters {min(a, b) + 1} and {max(a, b) + 1} have the same regressions."
                " Choose fewer clusters.",
            )
        )
    return notices


def _floors(fit: MixtureFit, data: EMData, own_products: tuple[NDArray[np.float64], ...]) -> list[Notice]:
    """Groups whose own regressions leave almost no residual variance; the same for every number of clusters."""
    hit: dict[Hashable, list[str]] = {}
    for block, product in zip(fit.path.blocks, own_products, strict=True):
        for a, j in enumerate(block):
            for g in np.flatnonzero(product[:, a, a] <= data.floor[:, j]):
                hit.setdefault(fit.groups[g], []).append(fit.path.factors[j])
    if not hit:
        return []
    named = [f"{', '.join(factors)} in {group}" for group, factors in hit.items()]
    return [
        Notice(
            ResidualFloorWarning,
            f"the residual variance of {enumerate_briefly(named)} runs towards zero; it is held at"
            f" {fit.specification.residual_floor:g} of the factor's variance. Such groups are near singular and weigh"
            " heavily in their cluster; check them, or leave them out.",
            tuple(hit),
        )
    ]
