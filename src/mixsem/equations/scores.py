"""Factor scores of a structural equation model: what a person's answers say about the factors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import OptionError
from ..model.matrices import LAMBDA

if TYPE_CHECKING:
    from .fit import SEMFit

__all__ = ["SCORE_METHODS", "score_rows", "score_weights"]

Array = NDArray[np.float64]

SCORE_METHODS = ("regression", "bartlett")
"""How scores can be computed."""


def score_rows(fit: SEMFit, values: Array, codes: NDArray[np.int64], method: str = "regression") -> tuple[Array, Array]:
    """Scores of rows and their standard errors.

    Parameters
    ----------
    fit
        The fit.
    values
        Rows (N, p), columns as in ``fit.observed``, NaN where missing. A fit with full information uses what there is;
        otherwise incomplete rows have no scores.
    codes
        Group of each row, shape (N,); rows of group -1 have no scores.
    method
        ``"regression"`` or ``"bartlett"``.

    Returns
    -------
    tuple of ndarray
        Scores and standard errors, each of shape (N, number of factors), NaN where there is none.

    Raises
    ------
    OptionError
        If `method` is none of the two.
    """
    if method not in SCORE_METHODS:
        raise OptionError(f"method={method!r}", allowed=" or ".join(map(repr, SCORE_METHODS)))
    m = len(fit.factors)
    scores, errors = np.full((len(values), m), np.nan), np.full((len(values), m), np.nan)
    known = ~np.isnan(values)
    usable = known.any(axis=1) if fit.data.patterns is not None else known.all(axis=1)
    for g in range(len(fit.groups)):
        rows = np.flatnonzero(usable & (codes == g))
        if not rows.size:
            continue
        patterns, of_row = np.unique(known[rows], axis=0, return_inverse=True)
        for k, observed in enumerate(patterns):
            own = rows[of_row.ravel() == k]
            weights, variance = score_weights(fit, g, observed, method)
            # Without a mean structure the implied means are the observed ones, and the factors' means zero.
            deviation = values[np.ix_(own, np.flatnonzero(observed))] - _means(fit, g)[observed]
            scores[own] = fit.implied.eta[g, :m] + deviation @ weights.T
            with np.errstate(invalid="ignore"):
                errors[own] = np.sqrt(np.maximum(variance, 0.0))
    return scores, errors


def _means(fit: SEMFit, g: int) -> Array:
    return fit.implied.mu[g] if fit.model.meanstructure else fit.data.moments.means[g]


def score_weights(fit: SEMFit, g: int, observed: NDArray[np.bool_], method: str) -> tuple[Array, Array]:
    """Weights of the deviations of the observed items, shape (factors, k), and the scores' error variances.

    Regression (Thurstone): C S^-1 with C the covariances of factors and items, the posterior mean; its error variance
    is diag(Phi - C S^-1 C'). Bartlett: (L' S^-1 L)^-1 L' S^-1, unbiased given the factors, with L the loadings; its
    error variance is that of the residuals. A factor without items of its own has no Bartlett score (NaN).
    """
    implied, m = fit.implied, len(fit.factors)
    W = np.linalg.inv(implied.Sigma[g][np.ix_(observed, observed)])
    if method == "regression":
        C = implied.LambdaPhi[g][observed].T
        weights = C @ W
        return weights[:m], np.diagonal(implied.Phi[g] - weights @ C.T)[:m]
    Lambda = fit.model.values_of(LAMBDA, fit.coef)[g][observed]
    measured = (Lambda != 0).any(axis=0)
    L = Lambda[:, measured]
    information = L.T @ W @ L
    weights = np.full((len(measured), int(observed.sum())), np.nan)
    variance = np.full(len(measured), np.nan)
    if np.linalg.matrix_rank(information) == len(information):
        inverse = np.linalg.inv(information)
        weights[measured] = inverse @ L.T @ W
        # The inverse holds the factors' own variances too; the residuals' part is what is left.
        variance[measured] = np.diagonal(inverse - implied.Phi[g][np.ix_(measured, measured)])
    return weights[:m], variance[:m]
