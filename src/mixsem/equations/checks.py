"""Trouble in a structural equation model, named by matrix, group and parameter, with what to do."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np
from numpy.typing import NDArray

from ..errors import (
    BoundaryWarning,
    ConvergenceWarning,
    HeywoodWarning,
    NonPositiveDefiniteWarning,
    Notice,
    UndefinedParameterWarning,
    enumerate_briefly,
)
from ..model.fit_ml import Optimum
from ..model.matrices import PSI, THETA
from ..model.notices import single_indicators
from .compiled import CompiledSEM

__all__ = ["sem_notices"]

Array = NDArray[np.float64]

#: Eigenvalues of a correlation matrix below this count as negative.
INDEFINITE = -1e-8


def sem_notices(compiled: CompiledSEM, optimum: Optimum) -> list[Notice]:
    """All notices of a fitted model."""
    return [
        *_convergence(compiled, optimum),
        *_variances(compiled, optimum),
        *_fixed_variances(compiled, optimum),
        *_indefinite(compiled, optimum),
        *_bounds(compiled, optimum),
        *single_indicators(compiled.table),
        *_undefined(compiled, optimum),
    ]


def _convergence(compiled: CompiledSEM, optimum: Optimum) -> list[Notice]:
    if optimum.converged:
        return []
    late = tuple(compiled.groups[g] for g in optimum.unfinished)
    steepest = np.argsort(-np.abs(optimum.gradient))[:4]
    named = [compiled.model.names[i] for i in steepest]
    text = (
        f"the optimiser did not converge in {optimum.n_iterations} steps (last step {optimum.step:.2g} standard"
        f" errors){f' in {enumerate_briefly(late)}' if late else ''}: estimates are not the best ones"
        f"{' there' if late else ''}. Steepest: {enumerate_briefly(named)}."
        " Look for factors that are hardly measured, give starting values with start(), or simplify the model."
    )
    return [Notice(ConvergenceWarning, text, late)]


def _variances(compiled: CompiledSEM, optimum: Optimum) -> list[Notice]:
    """Negative variances: Heywood cases."""
    listed, named = _negative(compiled, optimum, free=True)
    if compiled.data.ordinal is not None:
        of_ordered, where = _negative_ordered(compiled, optimum)
        listed, named = [*listed, *of_ordered], tuple(dict.fromkeys((*named, *where)))
    if not listed:
        return []
    text = (
        f"negative variance{'s' * (len(listed) > 1)} (Heywood case): {enumerate_briefly(listed)}. The model may not"
        " fit, two factors or items may be the same, or the group is too small to tell. Consider other items, an"
        " equality, or the bound lower(0)."
    )
    return [Notice(HeywoodWarning, text, named)]


def _fixed_variances(compiled: CompiledSEM, optimum: Optimum) -> list[Notice]:
    """Negative variances that the model text asks for."""
    listed, named = _negative(compiled, optimum, free=False)
    if not listed:
        return []
    text = (
        f"negative variance{'s' * (len(listed) > 1)} fixed by the model: {enumerate_briefly(listed)}. No variable has"
        " such a variance, and R² and standardized values that rest on it mean nothing. Correct the value, or free it."
    )
    return [Notice(HeywoodWarning, text, named)]


def _negative(compiled: CompiledSEM, optimum: Optimum, *, free: bool) -> tuple[list[str], tuple[Hashable, ...]]:
    """Negative variances, free or fixed, in words, and the groups that have them."""
    model, groups = compiled.model, compiled.groups
    values = model.entry_values(optimum.theta)
    variance = np.isin(model.matrix, (THETA, PSI)) & (model.row == model.column)
    found = np.argwhere((values < 0) & variance & ((model.free >= 0) == free)).tolist()
    several = len(groups) > 1
    listed = [f"{model.entries[e]}{f' in {groups[g]}' if several else ''} ({values[g, e]:.3g})" for g, e in found]
    return listed, tuple(dict.fromkeys(groups[g] for g, _ in found)) if several else ()


def _negative_ordered(compiled: CompiledSEM, optimum: Optimum) -> tuple[list[str], tuple[Hashable, ...]]:
    """The same for ordered items, whose residual variance is what the factors leave of 1."""
    assert compiled.data.ordinal is not None
    model, groups = compiled.model, compiled.groups
    left = 1.0 - np.einsum("gii->gi", model.implied(optimum.theta).Sigma)
    found = np.argwhere((left < 0) & compiled.data.ordinal.ordered).tolist()
    several, items = len(groups) > 1, model.observed
    listed = [f"{items[i]}~~{items[i]}{f' in {groups[g]}' if several else ''} ({left[g, i]:.3g})" for g, i in found]
    return listed, tuple(dict.fromkeys(groups[g] for g, _ in found)) if several else ()


def _indefinite(compiled: CompiledSEM, optimum: Optimum) -> list[Notice]:
    """Covariance matrices with positive variances that are not positive definite all the same."""
    model = compiled.model
    Phi = model.implied(optimum.theta).Phi
    latent = len(compiled.table.factors)
    matrices = (
        ("residual covariance matrix of the items (Theta)", model.values_of(THETA, optimum.theta), model.observed),
        (
            "residual covariance matrix of factors and outcomes (Psi)",
            model.values_of(PSI, optimum.theta),
            model.factors,
        ),
        ("covariance matrix of the factors", Phi[:, :latent, :latent], compiled.table.factors),
    )
    notices: list[Notice] = []
    for what, matrix, names in matrices:
        if notices and what.startswith("covariance"):
            continue  # it follows from what was named already
        notices += _indefinite_matrix(what, matrix, names, compiled.groups)
    return notices


def _indefinite_matrix(what: str, matrix: Array, names: tuple[str, ...], groups: tuple[Hashable, ...]) -> list[Notice]:
    if not names:
        return []
    variance = np.einsum("gii->gi", matrix)
    scale = np.sqrt(np.where(variance > 0, variance, 1.0))
    correlation = matrix / (scale[:, :, None] * scale[:, None, :])
    values, vectors = np.linalg.eigh(correlation)
    bad = (values[:, 0] < INDEFINITE) & (variance >= 0).all(axis=1)
    if not bad.any():
        return []
    g = int(np.flatnonzero(bad)[0])
    heavy = np.argsort(-np.abs(vectors[g, :, 0]))[:2]
    pair = enumerate_briefly([names[i] for i in sorted(heavy)])
    named = _at(groups, bad) if len(groups) > 1 else ()
    where = f" in {enumerate_briefly(named)}" if named else ""
    text = (
        f"the {what} is not positive definite{where}: look at {pair}, correlation"
        f" {correlation[g, heavy[0], heavy[1]]:.3f}. They may be one and the same, or the sample is too small; merge"
        " them, fix the covariance, or drop the group."
    )
    return [Notice(NonPositiveDefiniteWarning, text, named)]


def _bounds(compiled: CompiledSEM, optimum: Optimum) -> list[Notice]:
    """Constraints and bounds that bind: standard errors are conditional on them."""
    constraints = compiled.constraints
    values, _ = constraints.inequality(optimum.theta)
    active = np.flatnonzero(values < 1e-6)
    if not active.size:
        return []
    texts = [str(c) for c in constraints.inequalities]
    names = compiled.model.names
    texts += [f"{names[i]} at its lower bound" for i in np.flatnonzero(np.isfinite(constraints.lower))]
    texts += [f"{names[i]} at its upper bound" for i in np.flatnonzero(np.isfinite(constraints.upper))]
    listed = enumerate_briefly([texts[i] for i in active])
    text = (
        f"binding: {listed}. The chi-square test counts such a parameter as free and is conservative; standard errors"
        " take an inequality as given, and those of an estimate at its bound mean little."
    )
    return [Notice(BoundaryWarning, text)]


def _undefined(compiled: CompiledSEM, optimum: Optimum) -> list[Notice]:
    """Defined parameters that have no value at the estimates."""
    values = compiled.constraints.defined(optimum.theta)
    lost = [str(d) for d in compiled.constraints.definitions if not np.isfinite(values[d.name][0])]
    if not lost:
        return []
    text = (
        f"no value at the estimates: {enumerate_briefly(lost)} (a division by zero, the logarithm or root of a negative"
        " number). Write the expression differently, or bound the parameter with lower()."
    )
    return [Notice(UndefinedParameterWarning, text)]


def _at(groups: tuple[Hashable, ...], chosen: NDArray[np.bool_]) -> tuple[Hashable, ...]:
    return tuple(group for group, hit in zip(groups, chosen, strict=True) if hit)
