"""Standard errors of the clusters' regressions: observed information, corrected for what steps 1 and 2 estimated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import OptionError, UnsupportedModelError
from ..kernels.mixture import EMData
from ..kernels.mixture_information import mixture_hessian, phi_derivative
from ..measurement.fit import MeasurementFit
from ..structural.fit import MixtureFit
from ..structural.mixture import em_data
from .measurement_error import extra_variance

__all__ = ["Method", "StandardErrors", "standard_errors"]

Array = NDArray[np.float64]
Method = Literal["two-step", "naive", "draws"]


@dataclass(frozen=True, eq=False)
class StandardErrors:
    """How uncertain the regressions of the clusters are.

    Attributes
    ----------
    fit
        The mixture.
    method
        ``"two-step"``, ``"draws"`` or ``"naive"``.
    coefficients
        Regressions, shape (K, R).
    vcov
        Their covariance matrix, cluster after cluster, shape (K R, K R); zeros for fixed and
        group-specific ones, an equal one repeated.
    naive
        The same if the factor covariances were those of people whose factor scores are known.
    logits_vcov
        Covariance matrix of the logits of the proportions against the last cluster, shape (K - 1, K - 1).
    """

    fit: MixtureFit
    method: Method
    coefficients: Array
    vcov: Array
    naive: Array
    logits_vcov: Array

    @property
    def se(self) -> Array:
        """Standard errors, shape (K, R); 0 for fixed regressions, NaN for group-specific ones."""
        return self._of_clusters(self.vcov)

    @property
    def naive_se(self) -> Array:
        """Uncorrected standard errors, shape (K, R)."""
        return self._of_clusters(self.naive)

    def _of_clusters(self, vcov: Array) -> Array:
        """Standard errors of what has one value per cluster."""
        se = _roots(vcov).reshape(self.coefficients.shape)
        return np.where(self.fit.path.group_specific, np.nan, se)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of rows and columns of `vcov`, such as ``"support~narcissism[1]"``."""
        return tuple(f"{name}[{c + 1}]" for c in range(self.fit.k) for name in self.fit.path.names)


def standard_errors(
    fit: MixtureFit, method: Method | None = None, *, n_draws: int = 200, seed: int = 0
) -> StandardErrors:
    """Standard errors of the regressions of a mixture.

    The observed information of the log-likelihood (equation 13), with residual variances maximised out, is exact and
    analytic; it takes factor covariances as observed. The correction adds what their estimation contributes: error in
    the items, and measurement parameters that were estimated, many of them from all groups together.

    Parameters
    ----------
    fit
        A fitted mixture with one number of clusters.
    method
        ``"two-step"`` after maximum likelihood (`MGCFA`), by the two-step formula; ``"draws"``: steps 2 and 3 again
        under redrawn measurement parameters, posterior draws after a Bayesian step 1, else normal around the estimates;
        ``"naive"``: no correction. By default two-step after maximum likelihood, draws after Bayes, and naive if
        factor covariances were given.
    n_draws, seed
        For ``"draws"``: how many, and the seed that chooses them.

    Returns
    -------
    StandardErrors

    Raises
    ------
    OptionError
        If `method` does not go with step 1.
    UnsupportedModelError
        If residual variances belong to clusters, or the information is singular, as it is where a cluster is empty.

    Examples
    --------
    >>> import mixsem as mx
    >>> measurement, structural = mx.data.survey_models()
    >>> fit = mx.mmgsem(measurement, structural, mx.data.simulated_survey(), group="country", k=2, seed=1)
    >>> errors = mx.standard_errors(fit)
    >>> errors.se.shape == fit.coefficients.shape, bool((errors.se > errors.naive_se).all())
    (True, True)

    References
    ----------
    Louis (1982), Finding the observed information matrix when using the EM algorithm. JRSS B 44, 226-233.
    Bakk, Oberski & Vermunt (2014), Relating latent class assignments to external variables: Standard errors for
    correct inference. Political Analysis 22, 520-540. Di Mari & Kuha (2025), arXiv:2507.16324.
    """
    if not isinstance(fit, MixtureFit):
        raise OptionError(
            f"standard_errors() got {type(fit).__name__}",
            allowed="a MixtureFit",
            todo="choose one fit, such as fits[3]",
        )
    chosen = method or _default_method(fit)
    _require_method(fit, chosen)
    if fit.specification.meanstructure and chosen != "naive":
        raise UnsupportedModelError(
            "corrected standard errors with factor means",
            allowed="method='naive', which takes factor means and covariances as observed",
            todo="use bootstrap(fit, kind='people')",
        )
    if fit.specification.residuals == "cluster":
        raise UnsupportedModelError(
            "standard errors with residuals='cluster'",
            allowed="residual variances of each group and cluster (residuals='group')",
            todo="use bootstrap(fit)",
        )
    data = em_data(fit.path, fit.moments, by_group=True, floor=fit.specification.residual_floor)
    inverse, T = _inverse_information(fit, data)
    size = fit.coefficients.size
    naive = T @ inverse @ T.T
    V = naive
    if chosen != "naive":
        C = np.einsum("ab,gbq->gaq", naive, _cross_derivatives(fit, data))
    if chosen == "two-step":
        measurement = fit.moments.measurement
        assert isinstance(measurement, MeasurementFit)
        V = naive + extra_variance(measurement, fit.moments.factors, fit.moments.Phi, C)
    elif chosen == "draws":
        from .redraw import between_draws, score_variance

        V = naive + score_variance(fit, C)
        V[:size, :size] += between_draws(fit, n_draws, seed)
    return StandardErrors(fit, chosen, fit.coefficients, V[:size, :size], naive[:size, :size], V[size:, size:])


def _default_method(fit: MixtureFit) -> Method:
    if fit.moments.measurement is None:
        return "naive"
    return "two-step" if isinstance(fit.moments.measurement, MeasurementFit) else "draws"


def _require_method(fit: MixtureFit, method: str) -> None:
    allowed = ["naive"]
    if fit.moments.measurement is not None:
        allowed += ["draws"]
    if isinstance(fit.moments.measurement, MeasurementFit):
        allowed += ["two-step"]
    if method not in allowed:
        raise OptionError(
            f"method={method!r} after this step 1 ({fit.moments.method})",
            allowed=" or ".join(map(repr, allowed)),
            todo="leave method= out",
        )


def _inverse_information(fit: MixtureFit, data: EMData) -> tuple[Array, Array]:
    """Inverse of minus the Hessian over free parameters, and the map from them to all coefficients and logits."""
    H = mixture_hessian(data, fit.coefficients, fit.proportions, fit.posterior.T)
    T = _free_map(data, fit.k)
    reduced = -T.T @ H @ T
    values = np.linalg.eigvalsh(reduced / np.sqrt(np.outer(np.diagonal(reduced), np.diagonal(reduced)).clip(1e-300)))
    if reduced.size and not values[0] > 1e-10:
        raise UnsupportedModelError(
            "the information of the regressions is singular: a cluster is empty or hardly more than one group, or the"
            " solution is no maximum",
            allowed="solutions in which every cluster holds groups that determine its regressions",
            todo="use fewer clusters, or more starts",
        )
    return np.asarray(np.linalg.inv(reduced), dtype=float), T


def _free_map(data: EMData, k: int) -> Array:
    """0/1 matrix from free parameters (regressions by cluster, equal ones, logits) to all coefficients and logits."""
    own, same = np.flatnonzero(~data.equal), np.flatnonzero(data.equal)
    R = data.outcome.size
    T = np.zeros((k * R + k - 1, k * own.size + same.size + k - 1))
    for c in range(k):
        T[c * R : (c + 1) * R, c * own.size : (c + 1) * own.size] = data.design[:, own]
        T[c * R : (c + 1) * R, k * own.size : k * own.size + same.size] = data.design[:, same]
    T[k * R :, k * own.size + same.size :] = np.eye(k - 1)
    return T


def _cross_derivatives(fit: MixtureFit, data: EMData) -> Array:
    """Derivatives of all scores with respect to the upper triangle of each group's Phi, shape (g, k r + k - 1, q)."""
    Q = data.n_factors
    left = _partialling(fit, data)
    columns = []
    for i, j in zip(*np.triu_indices(Q), strict=True):
        direction = np.zeros((Q, Q))
        direction[i, j] = direction[j, i] = 1.0
        changes = tuple(T @ direction @ T.swapaxes(1, 2) for T in left)
        columns.append(phi_derivative(data, fit.coefficients, fit.posterior.T, changes))
    return np.stack(columns, axis=2)


def _partialling(fit: MixtureFit, data: EMData) -> list[Array]:
    """For each block the matrices T, (g, Q, Q), that partial the predictors of its group-specific regressions out.

    T Phi T' is what remains of Phi; as it does not change with the coefficients of least squares, T dPhi T' is how
    that changes.
    """
    path, Q = fit.path, data.n_factors
    found = []
    for block in data.blocks:
        own = path.group_specific & np.isin(path.outcome, block)
        w = np.unique(path.predictor[own])
        T = np.tile(np.eye(Q), (data.n.size, 1, 1))
        if w.size:
            slopes = np.linalg.solve(data.Phi[:, w[:, None], w], data.Phi[:, w]).swapaxes(1, 2)
            T[:, :, w] -= slopes
        found.append(T)
    return found


def _roots(vcov: Array) -> Array:
    with np.errstate(invalid="ignore"):
        return np.asarray(np.sqrt(np.diagonal(vcov)))
