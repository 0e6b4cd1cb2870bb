"""Information criteria, entropy and the convex hull procedure, from numbers alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Criteria", "HullChoice", "convex_hull", "criteria", "entropy", "entropy_r2"]

Array = NDArray[np.float64]

#: Gains in log L per parameter below this are taken for it when scree ratios are compared. AIC asks for 1 of a
#: parameter that is to be worth its while; a twentieth of that is nothing.
LEAST_GAIN = 0.05


@dataclass(frozen=True, slots=True)
class Criteria:
    """Information criteria of one model; smaller is better.

    ``aic`` = -2 log L + 2 P, ``aic3`` with 3 P, ``bic_g`` with P log(number of groups), ``bic_n`` with P log(number
    of people), ``icl`` = ``bic_g`` + 2 times the summed entropy of the classification.
    """

    aic: float
    aic3: float
    bic_g: float
    bic_n: float
    icl: float


def criteria(loglik: float, n_params: int, n_groups: int, n_people: int, posterior: Array) -> Criteria:
    """All criteria of one model.

    Parameters
    ----------
    loglik, n_params
        log L and number of free parameters P.
    n_groups, n_people
        The two sample sizes.
    posterior
        Posterior classification probabilities, shape (G, K).
    """
    deviance = -2.0 * loglik
    bic_g = deviance + n_params * float(np.log(n_groups))
    return Criteria(
        aic=deviance + 2 * n_params,
        aic3=deviance + 3 * n_params,
        bic_g=bic_g,
        bic_n=deviance + n_params * float(np.log(n_people)),
        icl=bic_g + 2 * float(entropy(posterior).sum()),
    )


def entropy(probabilities: Array) -> Array:
    """-sum p log p over the last axis, with 0 log 0 = 0."""
    logs = np.log(np.where(probabilities > 0, probabilities, 1.0))
    return -(probabilities * logs).sum(axis=-1)


def entropy_r2(posterior: Array, proportions: Array) -> float:
    """Entropy R2 = 1 - mean entropy of the classification / entropy of the proportions; 1 for one cluster.

    1 means that every group is classified with certainty, 0 that nothing is known beyond cluster sizes.
    """
    prior = float(entropy(proportions))
    return 1.0 if prior == 0 else float(1.0 - entropy(posterior).mean() / prior)


@dataclass(frozen=True, slots=True)
class HullChoice:
    """Result of the convex hull procedure (CHull).

    Attributes
    ----------
    on_hull
        Whether each model lies on the upper convex hull of log L against P.
    ratio
        Scree ratio of each model: gain per parameter before it divided by gain per parameter after it; NaN off
        the hull and at its ends, infinite where nothing is gained after it.
    chosen
        Index of the chosen model, None if the hull has fewer than three models.
    remark
        What to know about the choice; empty if nothing.
    """

    on_hull: tuple[bool, ...]
    ratio: tuple[float, ...]
    chosen: int | None
    remark: str


def convex_hull(n_params: Sequence[int], loglik: Sequence[float]) -> HullChoice:
    """Convex hull procedure of Ceulemans & Kiers (2006): the hull first, then the ratios.

    The first and the last model of the hull can never be chosen. Where nothing at all is gained after a model, its
    ratio is infinite, whether it gained a thousand itself or the millionth part of one. To tell these apart, gains
    after a model count as no less than `LEAST_GAIN` when ratios are compared: the model that gained a thousand is the
    elbow, and the other, whose ratio is inflated (Wilderjans, Ceulemans & Meers 2013), is passed over with a remark.

    Parameters
    ----------
    n_params
        Free parameters of each model.
    loglik
        log L of each model.

    Examples
    --------
    >>> convex_hull([10, 14, 18, 22], [-100.0, -60.0, -55.0, -53.0]).chosen
    1
    >>> convex_hull([10, 14, 18, 22], [-100.0, -60.0, -55.0, -55.0]).chosen  # nothing after the third
    2
    >>> convex_hull([10, 14, 18, 22], [-100.0, -60.0, -59.9999, -59.9999]).chosen  # and hardly anything by it
    1
    """
    P, L = np.asarray(n_params, dtype=float), np.asarray(loglik, dtype=float)
    flat = 1e-9 * max(float(np.abs(L).max(initial=0.0)), 1.0)
    hull = _upper_hull(P, L, flat)
    ratio, compared = np.full(P.size, np.nan), np.full(P.size, -np.inf)
    for before, here, after in zip(hull, hull[1:], hull[2:], strict=False):
        gain = (L[here] - L[before]) / (P[here] - P[before])
        loss = (L[after] - L[here]) / (P[after] - P[here])
        ratio[here] = np.inf if L[after] - L[here] <= flat else gain / loss
        compared[here] = gain / max(loss, LEAST_GAIN)
    on_hull = tuple(bool(i in hull) for i in range(P.size))
    as_tuple = tuple(float(r) for r in ratio)
    if len(hull) < 3:
        few = "fewer than three models on the hull: CHull cannot choose, look at the scree plot"
        return HullChoice(on_hull, as_tuple, None, few)
    chosen = int(compared.argmax())
    remark = ""
    if np.isinf(ratio[chosen]):
        remark = "nothing is gained after the chosen model: its scree ratio is infinite"
    elif np.isinf(ratio).any():
        remark = "an infinite scree ratio was passed over: its model itself gains next to nothing"
    return HullChoice(on_hull, as_tuple, chosen, remark)


def _upper_hull(P: Array, L: Array, flat: float) -> list[int]:
    """Indices of the upper convex hull from the smallest model to the best, in order of P.

    A model no more than `flat` below a smaller one gains nothing, but shows that there is nothing to gain.
    """
    level = L.copy()
    best: list[int] = []
    for i in np.lexsort((-L, P)):
        if best and (P[i] == P[best[-1]] or L[i] < level[best[-1]] - flat):
            continue  # not better than a smaller model
        level[i] = max(L[i], level[best[-1]] if best else -np.inf)
        best.append(int(i))
    hull: list[int] = []
    for i in best:
        while len(hull) > 1:
            a, b = hull[-2], hull[-1]
            if (level[b] - level[a]) * (P[i] - P[a]) > (level[i] - level[a]) * (P[b] - P[a]):
                break
            hull.pop()
        hull.append(i)
    return hull
