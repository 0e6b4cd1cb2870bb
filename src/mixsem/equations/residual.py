"""Residual covariances and means: where a model and the data differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from ..errors import OptionError
from ..kernels.covariance import inverse_and_log_det, moment_jacobian
from ..kernels.fourth_moments import normal_weight
from ..kernels.moment_hessian import moment_hessian, pattern_hessian
from ..model.dense import dense_information
from ..model.full_information import FullInformation
from ..model.least_squares import LeastSquares
from .covariance import bread, moment_gamma, moment_weight, score_products
from .indices import modelled_moments
from .inputs import require_count, require_fit

if TYPE_CHECKING:
    import pandas as pd

    from .fit import SEMFit

__all__ = ["residuals"]

Array = NDArray[np.float64]
ResidualKind = Literal["raw", "cor", "normalized", "standardized"]

#: Residuals smaller than this share of the standard deviations are rounding: they have no z.
NEGLIGIBLE = 1e-8


def residuals(fit: SEMFit, kind: ResidualKind = "raw", *, largest: int | None = None) -> pd.DataFrame:
    """Compare observed and implied covariances and means.

    Parameters
    ----------
    fit
        A fitted `cfa`, `sem` or `growth`.
    kind
        ``"raw"``: observed minus implied. ``"cor"``: the same divided by the observed standard deviations, as SRMR adds
        them up. ``"normalized"``: raw, divided by the standard error of the observed moment. ``"standardized"``: raw,
        divided by its own standard error, roughly standard normal where the model holds.
    largest
        Return only so many, those with the largest z first.

    Returns
    -------
    DataFrame
        group, lhs, op (``"~~"``, and ``"~1"`` where means are modelled), rhs, observed, implied, residual, se, z,
        p_value. `residual` is of the kind asked for, `observed` and `implied` are in the items' units; `se`, `z` and
        `p_value` are those of raw or correlation residuals (with ``"normalized"`` the observed moment's), missing where
        the model fits a moment by definition.

    Raises
    ------
    OptionError
        If `kind` or `largest` is none of those allowed.
    UnsupportedModelError
        For anything but such a fit.

    Examples
    --------
    >>> import mixsem as mx
    >>> model = "visual =~ x1 + x2 + x3; textual =~ x4 + x5 + x6; speed =~ x7 + x8 + x9"
    >>> fit = mx.cfa(model, mx.data.holzinger_swineford_1939())
    >>> mx.residuals(fit, "cor", largest=2)[["lhs", "op", "rhs", "residual", "z"]].round(3)
      lhs  op rhs  residual      z
    0  x7  ~~  x8     0.075  4.823
    1  x3  ~~  x5    -0.151 -4.157

    References
    ----------
    Maydeu-Olivares & Shi (2017), Effect sizes of model misfit in structural equation models. Methodology 13, 23-30.
    Numbers agree with lavaan's ``lavResiduals()``, types raw and cor.bentler, and ``residuals()``, types normalized and
    standardized.
    """
    require_fit(fit, "residuals")
    if kind not in ("raw", "cor", "normalized", "standardized"):
        raise OptionError(f"kind={kind!r}", allowed="'raw', 'cor', 'normalized' or 'standardized'")
    require_count(largest, "largest")
    import pandas as pd

    observed, implied = _moments(fit)
    unit = _units(fit)
    raw = observed - implied
    variance = _variances(fit, own=kind != "normalized")
    fitted = np.abs(raw) <= NEGLIGIBLE * unit  # by definition
    with np.errstate(invalid="ignore", divide="ignore"):
        se = np.where(np.sqrt(np.maximum(variance, 0.0)) > NEGLIGIBLE * unit, np.sqrt(variance), np.nan)
        z = np.where(fitted, np.nan, raw / se)
    if kind == "cor":
        se = se / unit
    value = raw if kind == "raw" else raw / unit if kind == "cor" else np.where(fitted, 0.0, z)
    names = _names(fit)
    frame = pd.DataFrame(
        {
            "group": [group for group in fit.groups for _ in names],
            "lhs": [name[0] for _ in fit.groups for name in names],
            "op": [name[1] for _ in fit.groups for name in names],
            "rhs": [name[2] for _ in fit.groups for name in names],
            "observed": observed.ravel(),
            "implied": implied.ravel(),
            "residual": value.ravel(),
            "se": se.ravel(),
            "z": z.ravel(),
            "p_value": 2.0 * ndtr(-np.abs(z.ravel())),
        }
    )
    if largest is None:
        return frame
    return frame.sort_values("z", key=np.abs, ascending=False, kind="stable").head(largest).reset_index(drop=True)


def _names(fit: SEMFit) -> list[tuple[str, str, str]]:
    items = fit.observed
    rows, columns = np.triu_indices(len(items))
    means = [(item, "~1", "") for item in items] if fit.model.meanstructure else []
    return means + [(items[i], "~~", items[j]) for i, j in zip(rows, columns, strict=True)]


def _stacked(fit: SEMFit, matrices: Array, means: Array) -> Array:
    """Means, if they are modelled, and upper triangles, shape (G, q)."""
    rows, columns = np.triu_indices(matrices.shape[-1])
    upper = matrices[:, rows, columns]
    return np.concatenate([means, upper], axis=1) if fit.model.meanstructure else upper


def _moments(fit: SEMFit) -> tuple[Array, Array]:
    """Observed and implied moments, each of shape (G, q)."""
    Sigma = fit.implied.Sigma
    if fit.data.ordinal is not None:
        ordered = np.flatnonzero(fit.data.ordinal.ordered)
        Sigma = Sigma.copy()  # the latent responses of ordered items have unit variance by definition
        Sigma[:, ordered, ordered] = 1.0
    return _stacked(fit, _covariances(fit), fit.data.moments.means), _stacked(fit, Sigma, fit.implied.mu)


def _covariances(fit: SEMFit) -> Array:
    """Observed covariances that the estimator fits, shape (G, p, p)."""
    if fit.data.ordinal is not None:
        return fit.data.ordinal.covariances
    S, n = fit.data.moments.covariances, fit.data.moments.n.astype(float)
    return S * (n / (n - 1.0))[:, None, None] if isinstance(fit.loss, LeastSquares) else S


def _units(fit: SEMFit) -> Array:
    """Observed standard deviations, and products of two, shape (G, q)."""
    sd = np.sqrt(np.einsum("gii->gi", _covariances(fit)))
    return _stacked(fit, sd[:, :, None] * sd[:, None, :], sd)


def _variances(fit: SEMFit, *, own: bool) -> Array:
    """Sampling variances of the residuals, or of the observed moments, shape (G, q).

    With Gamma_g the covariance matrix of a group's moments, it is Q Gamma_g Q', Q = I - n Delta H^-1 Delta' V.
    """
    n = fit.data.moments.n.astype(float)[:, None, None]
    if fit.data.ordinal is not None:
        return np.full((len(fit.groups), len(_names(fit))), np.nan)
    Gamma = _observed_gamma(fit)
    if not own:
        return np.asarray(np.einsum("gqq->gq", Gamma))
    kept = modelled_moments(fit)
    V = _implied_weight(fit) * kept[:, None] * kept
    Delta = moment_jacobian(fit.model.entry_vectors(fit.implied), fit.model.meanstructure)
    H = dense_information(fit.model, n * (Delta.swapaxes(1, 2) @ V @ Delta))
    inverse = bread(fit.compiled, fit.optimum, H) if fit.model.n_free else H
    variances = np.empty(Gamma.shape[:2])
    for g, free in enumerate(fit.model.free):
        used = np.flatnonzero(free >= 0)
        D = Delta[g][:, used]
        Q = np.eye(len(D)) - n[g] * (D @ inverse[np.ix_(free[used], free[used])] @ D.T @ V[g])
        variances[g] = np.einsum("ij,jk,ik->i", Q, Gamma[g], Q, optimize=True)
    return variances


def _implied_weight(fit: SEMFit) -> Array:
    """Information of the moments of one person at the model's estimates, shape (G, q, q).

    Observed where the estimator's standard errors rest on the observed information, as in lavaan.
    """
    n, implied = fit.data.moments.n, fit.implied
    if isinstance(fit.loss, FullInformation):
        return pattern_hessian(fit.loss.tables, implied.mu, implied.Sigma) / n[:, None, None]
    if fit.compiled.estimator.errors == "sandwich":
        return _observed_weight(fit)
    return _among_all(fit, moment_weight(fit.compiled, fit.optimum))


def _observed_weight(fit: SEMFit) -> Array:
    """Observed information of the moments of one person, complete rows, at the model's estimates."""
    moments, means = fit.data.moments, fit.model.meanstructure
    W = inverse_and_log_det(fit.implied.Sigma).W
    z = np.einsum("gij,gj->gi", W, moments.means - fit.implied.mu) if means else np.zeros(moments.means.shape)
    M = W @ moments.covariances @ W + z[:, :, None] * z[:, None, :] - 0.5 * W
    one = np.ones(1)
    return np.stack([moment_hessian(W[g : g + 1], M[g : g + 1], z[g : g + 1], one, means) for g in range(len(W))])


def _among_all(fit: SEMFit, weight: Array) -> Array:
    """Matrices of the moments that least squares compare, among all moments: zero elsewhere."""
    if not isinstance(fit.loss, LeastSquares):
        return weight
    kept, q = fit.loss.kept, len(_names(fit))
    full = np.zeros((len(weight), q, q))
    full[:, kept[:, None], kept] = weight
    return full


def _observed_gamma(fit: SEMFit) -> Array:
    """Covariance matrix of the observed moments, shape (G, q, q); zero for those of covariates."""
    moments, kept = fit.data.moments, modelled_moments(fit).astype(bool)
    n, errors = moments.n.astype(float)[:, None, None], fit.compiled.estimator.errors
    if isinstance(fit.loss, FullInformation):
        information = pattern_hessian(fit.loss.tables, moments.means, moments.covariances)
    elif isinstance(fit.loss, LeastSquares):
        information = n * _among_all(fit, fit.loss.weight_matrices)
    else:
        W = inverse_and_log_det(moments.covariances).W
        information = n * normal_weight(W, meanstructure=fit.model.meanstructure)
    at = np.ix_(np.arange(len(n)), np.flatnonzero(kept), np.flatnonzero(kept))
    inner = np.linalg.inv(information[at])
    if errors == "sandwich":
        inner = inner @ score_products(fit.compiled, moments.means, moments.covariances)[at] @ inner
    elif errors == "moments":
        inner = _among_all(fit, moment_gamma(fit.compiled))[at] / n
    Gamma = np.zeros(information.shape)
    Gamma[at] = inner
    return Gamma
