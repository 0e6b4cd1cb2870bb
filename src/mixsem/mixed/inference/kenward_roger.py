"""Kenward and Roger's covariance matrix of fixed effects and degrees of freedom, without a matrix of n by n.

With V = sigma_0 W^-1 + sum sigma_r Z E_r Z', everything follows from Z'WZ, Z'WX and X'WX: R = (I + Z'WZ Sigma)^-1,
where Sigma is the covariance of all random effects divided by sigma_0, gives Z'V^-1 Z = R Z'WZ / sigma_0 and so on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import block_diag

from ...errors import DataError, OptionError
from ..penalties.penalised import refuse_penalised

if TYPE_CHECKING:
    from ..fit import MixedFit

__all__ = ["KenwardRoger", "kenward_roger"]

Array = NDArray[np.float64]
Pair = tuple[slice, slice]

#: Random effects above which the dense algebra, seven matrices of so many rows and columns, is refused.
LARGEST = 6_000
#: Share of the largest eigenvalue of the information, below which a variance is taken as undetermined.
UNDETERMINED = 1e-12
#: Share of the largest eigenvalue below which a row of a hypothesis follows from the others.
RANK = 1e-10


@dataclass(frozen=True, eq=False)
class KenwardRoger:
    """Tests by Kenward and Roger's method.

    Attributes
    ----------
    beta
        Fixed effects, length p.
    plain
        Their covariance matrix as if the variances were known, shape (p, p).
    vcov
        The adjusted covariance matrix.
    slopes
        Derivatives of the inverse of `plain` by each (co)variance, shape (R, p, p).
    covariance
        Asymptotic covariance matrix of the (co)variances, shape (R, R).

    References
    ----------
    Kenward & Roger (1997), Small sample inference for fixed effects from restricted maximum likelihood, Biometrics 53,
    983-997; as in Halekoh & Hojsgaard (2014), doi 10.18637/jss.v059.i09.
    """

    beta: Array
    plain: Array
    vcov: Array
    slopes: Array
    covariance: Array

    label = "Kenward-Roger"

    def df(self, L: Array) -> Array:
        """Degrees of freedom of each row of L (m, p)."""
        projected = L @ self.plain
        variance = np.einsum("mi,mi->m", projected, L)
        change = np.einsum("mi,kij,mj->mk", projected, self.slopes, projected) / variance[:, None]
        spread = np.einsum("mk,kl,ml->m", change, self.covariance, change)
        with np.errstate(divide="ignore"):
            return np.asarray(np.where(spread > 0.0, 2.0 / spread, np.inf))

    def joint(self, L: Array, rhs: Array) -> tuple[float, int, float]:
        """Scaled F, and its degrees of freedom, of the hypothesis L beta = rhs; rows may follow from others."""
        values, vectors = np.linalg.eigh(L @ self.plain @ L.T)
        kept = values > RANK * values.max(initial=0.0)
        rotation = (vectors[:, kept] / np.sqrt(values[kept])).T  # now L plain L' = I
        L, gap = rotation @ L, rotation @ (L @ self.beta - rhs)
        q = len(L)
        if q == 0:
            return np.nan, 0, np.nan
        projected = L @ self.plain
        change = np.einsum("ai,kij,bj->kab", projected, self.slopes, projected)
        traces = np.einsum("kaa->k", change)
        a1 = float(traces @ self.covariance @ traces)
        a2 = float(np.einsum("kl,kab,lba->", self.covariance, change, change))
        df, factor = _df_and_factor(q, a1, a2)
        return factor * float(gap @ np.linalg.solve(L @ self.vcov @ L.T, gap)) / q, q, df


def _df_and_factor(q: int, a1: float, a2: float) -> tuple[float, float]:
    """Degrees of freedom and scale that match the first two moments (Kenward & Roger, p. 987)."""
    if not a2 > 0.0:
        return np.inf, 1.0
    b = (a1 + 6.0 * a2) / (2.0 * q)
    g = ((q + 1.0) * a1 - (q + 4.0) * a2) / ((q + 2.0) * a2)
    c = 3.0 * q + 2.0 * (1.0 - g)
    v0, v1, v2 = 1.0 + g * b / c, 1.0 - (q - g) * b / c, 1.0 - (q + 2.0 - g) * b / c
    if abs(v0) < 1e-10:
        v0 = 0.0
    mean = 1.0 - a2 / q
    ratio = 1.0 if abs(mean) < 1e-14 and abs(v1) < 1e-14 else mean / v1
    df = 4.0 + (q + 2.0) / (ratio**2 * v0 / v2 - 1.0)
    return df, 1.0 if abs(df - 2.0) < 1e-2 else df * mean / (df - 2.0)


def kenward_roger(fit: MixedFit) -> KenwardRoger:
    """Adjust the covariance matrix of the fixed effects for that of the variances.

    Parameters
    ----------
    fit
        A fit by REML.

    Raises
    ------
    OptionError
        If it was fitted by maximum likelihood.
    DataError
        If it has too many random effects for dense algebra.

    Examples
    --------
    >>> from mixsem.data import sleepstudy
    >>> from mixsem.mixed.linear import lmer
    >>> kenward_roger(lmer("Reaction ~ Days + (Days | Subject)", sleepstudy())).df(np.eye(2)).round(6)
    array([17., 17.])
    """
    _require(fit)
    scaling, variance = fit.model.products.scaling, fit.sigma**2
    ZZ, ZX, XX, pairs, Sigma = _cross_products(fit)
    q, n = len(ZZ), fit.nobs
    R = np.linalg.inv(np.eye(q) + ZZ @ Sigma)
    B = R @ ZZ / variance
    C = R @ ZX / variance
    thin = R @ C / variance  # Z' V^-1 W^-1 V^-1 X
    wide = R @ B / variance  # the same with Z for X is R ZZ R' / sigma^4 = R B / sigma^2, as R ZZ is symmetric

    # The residual variance stands first, then the (co)variances of the random effects.
    RX, K = R @ ZX, ZX.T @ Sigma @ R
    plain_inverse = (XX - K @ ZX) / variance
    first = (XX - K @ (ZX + RX)) / variance**2
    cube = (XX - K @ (ZX + RX + R @ RX)) / variance**3
    m = 1 + len(pairs)
    slopes = np.array([first, *(_quadratic(C, C, pair) for pair in pairs)])
    second = np.empty((m, m, *XX.shape))
    traces = np.empty((m, m))
    second[0, 0] = cube
    traces[0, 0] = (n - q + np.einsum("ij,ji->", R, R)) / variance**2
    for i, pair in enumerate(pairs, start=1):
        second[0, i] = _quadratic(thin, C, pair)
        second[i, 0] = second[0, i].T
        traces[0, i] = traces[i, 0] = _trace(wide, pair)
        for j, other in enumerate(pairs[:i], start=1):
            second[i, j] = _sandwich(C, B, pair, other)
            second[j, i] = second[i, j].T
            traces[i, j] = traces[j, i] = _trace_of_two(B, pair, other)
    plain = np.linalg.inv(plain_inverse)
    covariance, vcov = _adjusted(np.asarray(plain), slopes, second, traces)
    back, to_inner = scaling.fixed.from_inner, scaling.fixed.to_inner
    return KenwardRoger(
        beta=fit.beta,
        plain=back @ plain @ back.T,
        vcov=back @ vcov @ back.T,
        slopes=to_inner.T @ slopes @ to_inner,
        covariance=covariance,
    )


def _adjusted(plain: Array, slopes: Array, second: Array, traces: Array) -> tuple[Array, Array]:
    """Covariance matrix of the variances from their expected information, and the adjusted one of fixed effects."""
    moved = plain @ slopes  # Phi P_r
    information = traces - 2.0 * np.einsum("ij,rsji->rs", plain, second) + np.einsum("rij,sji->rs", moved, moved)
    scale = np.sqrt(np.abs(np.diagonal(information)))
    scale = np.where(scale > 0.0, scale, 1.0)
    values, vectors = np.linalg.eigh(0.5 * (information + information.T) / np.outer(scale, scale))
    known = np.abs(values) > UNDETERMINED * values.max()
    covariance = 2.0 * (vectors[:, known] / values[known]) @ vectors[:, known].T / np.outer(scale, scale)
    inner = np.einsum("rs,rsij->ij", covariance, second) - np.einsum("rs,rij,sjk->ik", covariance, slopes, moved)
    vcov = plain + 2.0 * plain @ (0.5 * (inner + inner.T)) @ plain
    return covariance, vcov


def _require(fit: MixedFit) -> None:
    refuse_penalised(fit, "Kenward and Roger's method for the tests")
    if not fit.reml:
        raise OptionError(
            "Kenward and Roger's method for a fit by maximum likelihood",
            allowed="fits by REML, whose variances it is derived for",
            todo="fit with reml=True, or use ddf='satterthwaite'",
        )
    if fit.residual is not None:
        raise OptionError(
            "Kenward and Roger's method for a fit with structured residuals",
            allowed="fits with independent residuals of one variance, or known weights",
            todo="use ddf='satterthwaite'",
        )
    q = sum(len(f.levels) * k for f, k in zip(fit.design.factors, fit.model.theta_map.sizes, strict=True))
    if q > LARGEST:
        raise DataError(
            f"Kenward and Roger's method needs dense matrices of all {q:,} random effects, {56e-9 * q**2:,.1f} GB",
            allowed=f"{LARGEST:,} random effects",
            todo="use ddf='satterthwaite', which agrees with it where there are so many",
        )


def _cross_products(fit: MixedFit) -> tuple[Array, Array, Array, list[Pair], Array]:
    """Z'WZ, Z'WX, X'WX in inner units; places of the random effects of each (co)variance; Sigma."""
    from scipy.sparse import csr_array, hstack

    design, scaling = fit.design, fit.model.products.scaling
    weights = np.ones(fit.nobs) if design.weights is None else design.weights
    X = (design.X - scaling.fixed.center) / scaling.fixed.scale
    rows = np.arange(fit.nobs)
    blocks, pairs, sigmas, begin = [], [], [], 0
    for t, (term, scale) in enumerate(zip(design.terms, scaling.random, strict=True)):
        factor = design.factors[term.factor]
        n_levels, k = len(factor.levels), len(term.names)
        Z = np.ones((fit.nobs, 1)) if term.Z is None else (term.Z - scale.center) / scale.scale
        blocks += [csr_array((z, (rows, factor.codes)), shape=(fit.nobs, n_levels)) for z in Z.T]
        places = [slice(begin + a * n_levels, begin + (a + 1) * n_levels) for a in range(k)]
        pairs += [(places[a], places[b]) for b in range(k) for a in range(b, k if term.correlated else b + 1)]
        lam = scale.to_inner @ fit.model.theta_map.term_lambda(fit.theta, t)
        sigmas.append(np.kron(lam @ lam.T, np.eye(n_levels)))
        begin += k * n_levels
    Z = hstack(blocks, format="csr")
    weighted = (Z * weights[:, None]).tocsr()
    return (Z.T @ weighted).toarray(), weighted.T @ X, X.T @ (weights[:, None] * X), pairs, block_diag(*sigmas)


# E of a pair (a, b) of columns joins the a-th and the b-th random effect of each level, both ways if a is not b.


def _ways(pair: Pair) -> tuple[Pair, ...]:
    return (pair,) if pair[0] == pair[1] else (pair, pair[::-1])


def _quadratic(left: Array, right: Array, pair: Pair) -> Array:
    """The product left' E right."""
    return np.asarray(sum(left[a].T @ right[b] for a, b in _ways(pair)))


def _trace(B: Array, pair: Pair) -> float:
    """Trace of B E."""
    return float(sum(np.trace(B[b, a]) for a, b in _ways(pair)))


def _sandwich(C: Array, B: Array, pair: Pair, other: Pair) -> Array:
    """C' E B F C."""
    return np.asarray(sum(C[a].T @ (B[b, c] @ C[d]) for a, b in _ways(pair) for c, d in _ways(other)))


def _trace_of_two(B: Array, pair: Pair, other: Pair) -> float:
    """Trace of B E B F."""
    return float(sum((B[b, c] * B[a, d]).sum() for a, b in _ways(pair) for c, d in _ways(other)))
