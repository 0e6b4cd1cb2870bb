"""The conditional AIC of a linear mixed model: for conclusions about the clusters at hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..derived.frame_table import FrameTable
from ..engine.deviance import decompose, gradient
from ..engine.theta import ThetaMap
from ..judgement.singular import boundary
from ..penalties.penalised import refuse_penalised
from ..structure.residual_structure import require_plain
from .comparable import require_linear
from .reduced_formula import without_zero_variances

if TYPE_CHECKING:
    from ..engine.deviance import Decomposition
    from ..engine.model import CompiledMixedModel
    from ..fit import MixedFit

__all__ = ["ConditionalAIC", "caic"]

Array = NDArray[np.float64]

#: Length of a difference step of a factor of covariance, in its own units; weights of four values remove errors up to
#: the fourth order, so that what is left is of order 1e-8.
STEP = 0.01
STENCIL = {-2.0: 1 / 12, -1.0: -2 / 3, 1.0: 2 / 3, 2.0: -1 / 12}
#: Standard deviations of centred and scaled columns below this, relative to the residual one, count as 0.
ZERO = 1e-4
#: Curvature relative to the largest, after scaling to a unit diagonal, below which a direction only turns the factor.
FLAT = 1e-7


@dataclass(frozen=True, eq=False, repr=False)
class ConditionalAIC(FrameTable):
    """Conditional AIC of a fit.

    Attributes
    ----------
    title, frame, notes
        The table, of one row: cond_loglik, rho, caic, hat_trace, n_params.
    caic
        -2 conditional log-likelihood + 2 rho.
    rho
        Effective degrees of freedom, as cAIC4 computes them: the trace of the hat matrix, what the estimation of the
        random effects' covariance adds, and 1 for sigma.
    cond_loglik
        Log-likelihood of the responses given the random effects.
    hat_trace
        Trace of the hat matrix: rho if the covariance of the random effects were known, without the 1 for sigma.
    rho_exact, caic_exact
        The same with the exact derivative of the fitted values; see the notes of `caic`.
    formula
        The formula without effects whose variance is 0; that of the fit if there are none, None if no random effect is
        left.
    """

    caic: float
    rho: float
    cond_loglik: float
    hat_trace: float
    rho_exact: float
    caic_exact: float
    formula: str | None


def caic(fit: MixedFit) -> ConditionalAIC:
    """Conditional AIC with the correction of Greven & Kneib for the estimation of the random effects' covariance.

    The marginal AIC (``fit.aic``) asks how well new clusters are predicted, the conditional AIC how well new rows of
    these clusters are. Of random effects it counts what they use: between none and one parameter each.

    Parameters
    ----------
    fit
        A linear mixed model, by REML or maximum likelihood.

    Returns
    -------
    ConditionalAIC
        Prints as a table.

    Raises
    ------
    UnsupportedModelError
        For generalised models, and for fits with a structure of the residuals.

    Notes
    -----
    rho = sum_i d yhat_i / d y_i + 1, where yhat depends on y also through the estimated theta. The derivative of theta
    follows from the criterion's second derivatives, so that only fitted values at nearby theta are needed: no matrix
    has a row and a column per observation. Effects with variance 0 are left out first, which changes neither the fit
    nor yhat; at correlations of -1 and 1 the derivative is along that boundary (cAIC4 drops such an effect with its
    variance and fits another model).

    cAIC4 1.0 (``calculateGaussianBc``) weighs one term of that derivative by 1/2: rho is then larger, by 0.05 of 31 in
    sleepstudy. `rho` and `caic` are computed in this way, so that they agree with it; `rho_exact` and `caic_exact` are
    with the derivative itself, as refitting to responses that are a little different shows it. With weights cAIC4 takes
    unweighted residuals where weighted ones belong, and there is no agreement.

    Examples
    --------
    >>> from mixsem.data import sleepstudy
    >>> from mixsem.mixed.linear import lmer
    >>> found = caic(lmer("Reaction ~ Days + (Days | Subject)", sleepstudy()))
    >>> round(found.caic, 2), round(found.rho, 2), round(found.rho_exact, 2)
    (1711.62, 31.3, 31.25)

    References
    ----------
    Greven & Kneib (2010), On the behaviour of marginal and conditional AIC in linear mixed models, Biometrika 97,
    773-789, doi 10.1093/biomet/asq042. Saefken, Ruegamer, Kneib & Greven (2021), Journal of Statistical Software 99(8).
    """
    import pandas as pd

    require_linear(fit, "caic", "the correction is known for normal responses only")
    refuse_penalised(fit, "caic()")
    require_plain(fit, "the conditional AIC")
    loglik, trace = _conditional_loglik(fit), float(fit.hat_values().sum())
    first, second = _correction(fit)
    rho, exact = trace + first - 0.5 * second + 1.0, trace + first - second + 1.0
    formula, dropped = without_zero_variances(fit)
    found = {"cond_loglik": loglik, "rho": rho, "caic": 2.0 * (rho - loglik), "hat_trace": trace}
    notes = _notes(fit, exact, 2.0 * (exact - loglik), formula, dropped)
    return ConditionalAIC(
        title="Conditional AIC",
        frame=pd.DataFrame([{**found, "n_params": fit.n_params}]),
        notes=notes,
        **found,
        rho_exact=exact,
        caic_exact=2.0 * (exact - loglik),
        formula=formula,
    )


def _conditional_loglik(fit: MixedFit) -> float:
    """Log density of the responses around their fitted values."""
    scaled = fit.residuals("scaled")
    logs = 0.0 if fit.design.weights is None else 0.5 * float(np.log(fit.design.weights).sum())
    return float(logs - 0.5 * (scaled @ scaled) - fit.nobs * np.log(fit.sigma * np.sqrt(2.0 * np.pi)))


def _correction(fit: MixedFit) -> tuple[float, float]:
    """What the estimation of theta adds to the trace of the hat matrix, as two terms: the second is subtracted.

    With a = W (y - yhat) and r2 the penalised residual sum of squares the criterion's gradient by y is 2 m a / r2,
    where m is n, or n - p by REML. Its derivatives by theta give d theta / d y by the implicit function theorem.
    """
    model, weights = fit.model, 1.0 if fit.design.weights is None else fit.design.weights
    directions = _directions(model.theta_map, model, fit.theta)
    if not directions:
        return 0.0, 0.0
    moved, slopes, change = [], [], []
    for direction in directions:
        a, slope, r2 = _along(fit, direction, directions)
        moved.append(a)
        slopes.append(slope)
        change.append(r2)
    hessian = np.array(slopes)
    scale = np.sqrt(np.maximum(np.abs(np.diagonal(hessian)), 1e-300))
    values, vectors = np.linalg.eigh(0.5 * (hessian + hessian.T) / np.outer(scale, scale))
    sharp = values > FLAT * values.max()
    root = vectors[:, sharp] / np.sqrt(values[sharp]) / scale[:, None]
    r2, df = fit.state.r2, fit.nobs - (model.p if fit.reml else 0)
    residuals = fit.design.y - fit.fitted
    shifts = np.array(moved).T @ root  # of the fitted values, per direction
    through_mean = float((weights * (shifts**2).T).sum()) * 2.0 * df / r2
    along = (np.asarray(weights * residuals) @ shifts) * -1.0  # how r2 moves with the residuals
    return through_mean, float(along @ (np.array(change) @ root)) * 2.0 * df / r2**2


def _along(fit: MixedFit, direction: Array, directions: list[Array]) -> tuple[Array, Array, float]:
    """Derivatives of fitted values, of the slopes along all directions, and of r2."""
    model, base = fit.model, fit.model.inner @ fit.model.theta_map.stacked(fit.theta)
    fitted, slope, r2 = np.zeros(fit.nobs), np.zeros(len(directions)), 0.0
    for multiple, weight in STENCIL.items():
        lam = base + multiple * STEP * direction
        outer = model.outer @ lam
        theta = model.theta_map.from_lambdas(
            [factor[:k, :k] for factor, k in zip(outer, model.theta_map.sizes, strict=True)]
        )
        state = model.state(theta)
        fitted += weight / STEP * fitted_at(fit, state.beta, state.b)
        by_lambda = gradient(model.products, _decomposed(model, lam), fit.reml)
        slope += weight / STEP * np.array([float((by_lambda * d).sum()) for d in directions])
        r2 += weight / STEP * state.r2
    return fitted, slope, r2


def _decomposed(model: CompiledMixedModel, lam: Array) -> Decomposition:
    parts = decompose(model.products, lam)
    assert parts is not None  # a step from the optimum, where there is a factorisation
    return parts


def fitted_at(fit: MixedFit, beta: Array, b: tuple[Array, ...]) -> Array:
    """Fitted values, (n,), with other coefficients and random effects."""
    design = fit.design
    total = design.X @ beta
    for t, term in enumerate(design.terms):
        rows = b[term.factor][:, fit.model.theta_map.places(t)][design.factors[term.factor].codes]
        total += rows[:, 0] if term.Z is None else (term.Z * rows).sum(axis=1)
    return np.asarray(total if design.offset is None else total + design.offset)


def _directions(where: ThetaMap, model: CompiledMixedModel, theta: Array) -> list[Array]:
    """Directions of the factors in which variances stay where they are 0, each of the shape of the stacked factors.

    A factor of rank r is a matrix of r columns, all of whose entries may move; some directions only turn it.
    """
    inner, unit, found = model.inner @ where.stacked(theta), model.products.unit, []
    for t, shape in enumerate(where.terms):
        at, f = where.places(t), shape.factor
        block = inner[f, at, at]
        k = len(block)
        if shape.correlated:
            right, sizes = np.linalg.svd(block)[2], np.linalg.svd(block, compute_uv=False)
            changes = [np.outer(np.eye(k)[i], right[j]) for j in range(k) if sizes[j] > ZERO * unit for i in range(k)]
        else:
            changes = [np.diag(np.eye(k)[i]) for i in range(k) if abs(block[i, i]) > ZERO * unit]
        for change in changes:
            direction = np.zeros(inner.shape)
            direction[f, at, at] = change * unit
            found.append(direction)
    return found


def _notes(
    fit: MixedFit, exact: float, caic_exact: float, formula: str | None, dropped: tuple[str, ...]
) -> tuple[str, ...]:
    notes = [
        "For the clusters at hand: how well new rows of these would be predicted. For new clusters see aic_table()."
    ]
    notes.append(
        f"rho agrees with cAIC4; with the exact derivative of the fitted values it is {exact:.2f}, and the criterion"
        f" {caic_exact:,.1f}."
    )
    if dropped:
        left = formula or "no random effect is left"
        notes.append(f"Without variance, and left out first: {', '.join(dropped)}. Model: {left}.")
    flat = [d.what for d in boundary(fit).directions if d.kind in ("correlation", "combination")]
    if flat:
        notes += [f"{what[0].upper()}{what[1:]}." for what in flat]
        notes.append("rho is that of fits on this boundary, where cAIC4 would drop an effect.")
    notes.append("Compare fits of one kind, all by REML or all by maximum likelihood.")
    return tuple(notes)
