"""Coefficients of each level from its own rows alone, beside which partial pooling shows what it does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ..fit import MixedFit

__all__ = ["no_pooling", "partial_pooling"]

Array = NDArray[np.float64]

#: Smallest eigenvalue of the cross-products of a level's columns, scaled to a unit diagonal, below which its rows do
#: not determine the coefficients.
DETERMINED = 1e-8


def partial_pooling(fit: MixedFit, factor: int) -> tuple[tuple[str, ...], Array, Array]:
    """Coefficients of the levels of a grouping factor as the model has them.

    Parameters
    ----------
    fit
        A linear mixed model.
    factor
        Position of the factor.

    Returns
    -------
    tuple of str
        Names of the random effects of the factor.
    NDArray
        (n_f, k) fixed plus random effects of each level.
    NDArray
        (k,) the fixed effects of the same names, 0 where there is none.
    """
    names = tuple(name for term in fit.design.terms if term.factor == factor for name in term.names)
    fixed = dict(zip(fit.design.fixed_names, fit.beta.tolist(), strict=True))
    center = np.array([fixed.get(name, 0.0) for name in names])
    return names, fit.state.b[factor] + center, center


def no_pooling(fit: MixedFit, factor: int) -> Array:
    """Least squares within each level of a grouping factor.

    What the coefficients of the level do not explain stays as the model has it: other fixed effects, the random effects
    of other factors, the offset. Where all fixed effects vary over the levels of a single factor, these are the
    regressions of each level's rows alone.

    Parameters
    ----------
    fit
        A linear mixed model.
    factor
        Position of the factor.

    Returns
    -------
    NDArray
        (n_f, k) coefficients, NaN where the rows of a level do not determine them.

    Examples
    --------
    >>> from mixsem.data import sleepstudy
    >>> from mixsem.mixed.linear import lmer
    >>> no_pooling(lmer("Reaction ~ Days + (Days | Subject)", sleepstudy()), 0)[0].round(3)
    array([244.193,  21.765])
    """
    design = fit.design
    names, _, center = partial_pooling(fit, factor)
    Z = _columns(fit, factor)
    codes, n_levels, k = design.factors[factor].codes, len(design.factors[factor].levels), len(names)
    own = np.einsum("nk,nk->n", Z, fit.state.b[factor][codes] + center)
    partial = fit.residuals() + own
    weights = np.ones(design.n) if design.weights is None else design.weights
    gram, right = np.empty((n_levels, k, k)), np.empty((n_levels, k))
    for a in range(k):
        right[:, a] = np.bincount(codes, weights * Z[:, a] * partial, minlength=n_levels)
        for b in range(a, k):
            gram[:, a, b] = gram[:, b, a] = np.bincount(codes, weights * Z[:, a] * Z[:, b], minlength=n_levels)
    return _solve(gram, right)


def _columns(fit: MixedFit, factor: int) -> Array:
    """Columns of all terms of a grouping factor, (n, k)."""
    ones = np.ones((fit.nobs, 1))
    return np.column_stack([ones if t.Z is None else t.Z for t in fit.design.terms if t.factor == factor])


def _solve(gram: Array, right: Array) -> Array:
    """Solve the normal equations of each level, NaN where they are singular."""
    scale = np.sqrt(np.diagonal(gram, axis1=1, axis2=2))
    scale = np.where(scale > 0.0, scale, 1.0)
    scaled = gram / (scale[:, :, None] * scale[:, None, :])
    known = np.linalg.eigvalsh(scaled)[:, 0] > DETERMINED
    found = np.full(right.shape, np.nan)
    found[known] = np.linalg.solve(scaled[known], (right / scale)[known][:, :, None])[:, :, 0] / scale[known]
    return found
