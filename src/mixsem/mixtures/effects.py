"""Direct, indirect and total effects of every cluster, with their derivatives by the regressions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import OptionError, did_you_mean, enumerate_briefly
from ..structural.fit import MixtureFit
from ..structural.path_model import PathModel

__all__ = ["KINDS", "Effect", "effect_values", "effects_of", "find_effect"]

Array = NDArray[np.float64]

KINDS = ("direct", "indirect", "total")
"""Kinds of effects: a regression, all paths through other factors, and both together."""


@dataclass(frozen=True, slots=True)
class Effect:
    """An effect of one factor on another.

    Attributes
    ----------
    kind
        ``"direct"``, ``"indirect"`` or ``"total"``.
    outcome, predictor
        Indices of the factors.
    name
        Such as ``"y ~ x"`` (a regression) or ``"indirect(y ~ x)"``.
    """

    kind: str
    outcome: int
    predictor: int
    name: str


def effects_of(path: PathModel) -> tuple[Effect, ...]:
    """Every regression, then the indirect and total effect of every pair joined by a path through other factors.

    Where no other factor lies between, the total effect is the regression and is not repeated. A regression fixed at
    zero is no path; group-specific regressions, and effects that lead over them, are none of a cluster.

    Parameters
    ----------
    path
        The structural model.

    Examples
    --------
    >>> from mixsem.structural.path_model import compile_structural
    >>> path = compile_structural("m ~ x; y ~ x + m", ["x", "m", "y"])
    >>> [effect.name for effect in effects_of(path)]
    ['m ~ x', 'y ~ x', 'y ~ m', 'indirect(y ~ x)', 'total(y ~ x)']
    """
    pairs = zip(path.outcome.tolist(), path.predictor.tolist(), path.group_specific, strict=True)
    found = [_effect(path, "direct", j, i) for j, i, own in pairs if not own]
    _, through = _reached(path)
    for kind in KINDS[1:]:
        found += [_effect(path, kind, j, i) for j, i in np.argwhere(through).tolist()]
    return tuple(found)


def find_effect(path: PathModel, kind: str, outcome: str, predictor: str) -> Effect:
    """The effect of this kind between two factors, by name.

    Parameters
    ----------
    path
        The structural model.
    kind
        ``"direct"``, ``"indirect"`` or ``"total"``.
    outcome, predictor
        Names of the factors.

    Raises
    ------
    OptionError
        If no regression, or no path, leads from the predictor to the outcome.
    """
    name = _name(kind, outcome, predictor)
    direct, through = _reached(path)
    if kind == "direct":
        possible = _joined(path, ~path.group_specific)
    else:
        possible = through if kind == "indirect" else direct | through
    listed = [_name(kind, path.nodes[j], path.nodes[i]) for j, i in np.argwhere(possible).tolist()]
    if name not in listed:
        what = {"direct": "regression", "indirect": "indirect effect", "total": "effect"}[kind]
        raise OptionError(
            f"{name!r} is no {what} of the model",
            allowed=enumerate_briefly(listed) or "this model has no path through another factor",
            todo=did_you_mean(name, listed),
        )
    return _effect(path, kind, path.nodes.index(outcome), path.nodes.index(predictor))


def effect_values(fit: MixtureFit, effect: Effect) -> tuple[Array, Array]:
    """An effect in every cluster, and its exact derivatives.

    With A = (I - B)^-1 the total effects are A - I, and dA = A dB A: the derivative of the effect of i on j by the
    regression of o on p is A_jo A_pi.

    Parameters
    ----------
    fit
        The mixture.
    effect
        One of its effects.

    Returns
    -------
    tuple of NDArray
        Values, shape (K,), and derivatives by the K R coefficients (cluster-major), shape (K, K R).
    """
    path, K, R = fit.path, fit.k, fit.path.outcome.size
    j, i = effect.outcome, effect.predictor
    own = ((path.outcome == j) & (path.predictor == i)).astype(float)
    slopes: Array = np.broadcast_to(own, (K, R))
    # An intercept leads nowhere: the constant has a row and a column that no path of two steps uses.
    B = np.zeros((K, len(path.nodes), len(path.nodes)))
    B[:, path.outcome, path.predictor] = np.where(path.group_specific, 0.0, fit.coefficients)
    values: Array = B[:, j, i]
    if effect.kind != "direct":
        A = np.asarray(np.linalg.inv(np.eye(B.shape[-1]) - B), dtype=np.float64)
        total = A[:, j, path.outcome] * A[:, path.predictor, i]
        indirect = effect.kind == "indirect"
        values = A[:, j, i] - values if indirect else A[:, j, i]
        slopes = total - own if indirect else total
    gradient = np.zeros((K, K, R))
    gradient[np.arange(K), np.arange(K)] = slopes
    return np.array(values, dtype=float), gradient.reshape(K, K * R)


def _joined(path: PathModel, chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which pairs are joined by one of these regressions: row = outcome, column = predictor."""
    found = np.zeros((len(path.nodes),) * 2, dtype=bool)
    found[path.outcome[chosen], path.predictor[chosen]] = True
    return found


def _reached(path: PathModel) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which pairs of factors are joined by a regression, and which by a path through other factors.

    Pairs with a path over a group-specific regression are left out: their effects differ within a cluster.
    """
    factors = (path.fixed != 0) & ~path.is_intercept
    direct = _joined(path, factors)
    reached = direct | np.eye(len(direct), dtype=bool)
    for _ in path.factors:
        reached |= direct @ reached
    own = reached @ _joined(path, factors & path.group_specific) @ reached
    return direct & ~own, (direct @ (reached & ~np.eye(len(direct), dtype=bool))) & ~own


def _effect(path: PathModel, kind: str, outcome: int, predictor: int) -> Effect:
    return Effect(kind, outcome, predictor, _name(kind, path.nodes[outcome], path.nodes[predictor]))


def _name(kind: str, outcome: str, predictor: str) -> str:
    return f"{outcome} ~ {predictor}" if kind == "direct" else f"{kind}({outcome} ~ {predictor})"
