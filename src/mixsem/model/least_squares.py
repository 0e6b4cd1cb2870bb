"""Least-squares losses of a covariance structure: ULS, GLS, WLS and DWLS, for all moments or some of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..kernels.covariance import Implied, moment_jacobian
from ..kernels.fourth_moments import normal_weight, vech
from .loss import Evaluation
from .matrices import ModelMap

__all__ = ["LeastSquares", "unbiased"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]


def unbiased(n: NDArray[np.int64], S: Array) -> tuple[Array, Array]:
    """Return N_g - 1 and the covariance matrices with that divisor, from N_g and matrices of divisor N_g.

    lavaan's least-squares estimators weigh groups by the first and fit the second.

    Examples
    --------
    >>> unbiased(np.array([5]), np.array([[[4.0]]]))
    (array([4.]), array([[[5.]]]))
    """
    reduced = n.astype(float) - 1.0
    return reduced, S * (n / reduced)[:, None, None]


@dataclass(frozen=True, eq=False, slots=True)
class LeastSquares:
    """Sum over groups of n_g F_g / 2 with F_g = (s_g - sigma_g)' V_g (s_g - sigma_g): half the chi-square statistic.

    The moments are the means, if the model has a mean structure, then the upper triangle of the covariance matrix row
    by row; `kept` chooses among them. For ordered items in the delta parameterisation the model holds no residual
    variances of ordered items and `kept` leaves out their variances, which are 1 by definition: the loss compares
    correlations only, and Theta_jj = 1 - (Lambda Phi Lambda')_jj follows afterwards. Saturated moments, such as
    thresholds free in every group, need no place here either: leaving them out and inverting the rest of Gamma gives
    the same estimates, standard errors and test.

    The loss takes `n` and `S` as they come. lavaan's chi-square of GLS, WLS, ULS and DWLS is twice the loss with
    n = N_g - 1 and S of divisor N_g - 1 (see `unbiased`); Gamma keeps divisor N_g. With polychoric correlations n is
    N_g - 1 too. lavaan's standard errors of continuous data weigh the groups' information by N_g (N - G) / N instead:
    take the information of ``dataclasses.replace(loss, n=...)``.

    Attributes
    ----------
    model
        The compiled model.
    n
        People per group, shape (G,).
    moments
        Observed moments s that are compared, shape (G, q).
    weight
        V of every group, shape (G, q, q), or its diagonal, shape (G, q).
    kept
        Positions of the compared moments among all moments of the model, shape (q,).

    Examples
    --------
    >>> from mixsem.model.fit_ml import maximize_likelihood
    >>> from mixsem.model.matrices import compile_table
    >>> from mixsem.syntax.sem import parse_model
    >>> from mixsem.syntax.table import measurement_table
    >>> model = compile_table(measurement_table(parse_model("F =~ a + b + c"), groups=("all",)), ("all",))
    >>> S = np.array([[[1.0, 0.3, 0.24], [0.3, 1.0, 0.2], [0.24, 0.2, 1.0]]])
    >>> loss = LeastSquares.unweighted(model, np.array([100]), S, np.zeros((1, 3)))
    >>> optimum = maximize_likelihood(loss, np.array([0.5, 0.5, 0.5, 0.5, 0.5, 0.5]))
    >>> dict(zip(model.names, np.round(optimum.theta, 4).tolist()))["F=~b"]
    0.8333

    References
    ----------
    Browne (1984), Asymptotically distribution-free methods for the analysis of covariance structures. British Journal
    of Mathematical and Statistical Psychology 37, 62-83.
    """

    model: ModelMap
    n: Array
    moments: Array
    weight: Array
    kept: Index

    @classmethod
    def of(
        cls,
        model: ModelMap,
        n: NDArray[Any],
        S: Array,
        means: Array,
        weight: Array,
        kept: Index | None = None,
    ) -> LeastSquares:
        """Any weight, shape (G, q, q) or diagonal (G, q), of the moments at the positions `kept` (all by default)."""
        moments = np.concatenate([means, vech(S)], axis=1) if model.meanstructure else vech(S)
        kept = np.arange(moments.shape[1]) if kept is None else np.asarray(kept, dtype=np.int64)
        q, n_groups = kept.size, len(moments)
        if weight.shape not in ((n_groups, q, q), (n_groups, q)):
            raise ValueError(f"weight has the shape {weight.shape}, not {(n_groups, q, q)} or {(n_groups, q)}")
        return cls(model, n.astype(float), moments[:, kept], weight, kept)

    @classmethod
    def unweighted(
        cls, model: ModelMap, n: NDArray[Any], S: Array, means: Array, kept: Index | None = None
    ) -> LeastSquares:
        """ULS: the plain sum of squares of the compared moments, each counted once, as in lavaan."""
        p = S.shape[-1]
        q = p * (p + 1) // 2 + (p if model.meanstructure else 0) if kept is None else len(kept)
        return cls.of(model, n, S, means, np.ones((len(S), q)), kept)

    @classmethod
    def generalized(
        cls, model: ModelMap, n: NDArray[Any], S: Array, means: Array, kept: Index | None = None
    ) -> LeastSquares:
        """GLS: the normal-theory weight at S; raises LinAlgError if a group's S is singular."""
        weight = normal_weight(np.linalg.inv(S).astype(float), meanstructure=model.meanstructure)
        if kept is not None:
            weight = weight[:, kept][:, :, kept]
        return cls.of(model, n, S, means, weight, kept)

    @classmethod
    def weighted(
        cls, model: ModelMap, n: NDArray[Any], S: Array, means: Array, Gamma: Array, kept: Index | None = None
    ) -> LeastSquares:
        """WLS (ADF): V is the inverse of the moments' Gamma, shape (G, q, q); LinAlgError where it is singular."""
        return cls.of(model, n, S, means, np.linalg.inv(Gamma).astype(float), kept)

    @classmethod
    def diagonal(
        cls, model: ModelMap, n: NDArray[Any], S: Array, means: Array, variances: Array, kept: Index | None = None
    ) -> LeastSquares:
        """DWLS: one over the diagonal of Gamma, given as `variances` of shape (G, q)."""
        return cls.of(model, n, S, means, 1.0 / variances, kept)

    @property
    def rounding(self) -> float:
        """Size of changes of the loss that mean nothing."""
        size = np.einsum("gq,gq->g", self.moments, self._weigh(self.moments))
        return float(50 * np.finfo(float).eps * self.n @ size)

    @property
    def weight_matrices(self) -> Array:
        """V of every group as full matrices, shape (G, q, q)."""
        if self.weight.ndim == 3:
            return self.weight
        return self.weight[:, :, None] * np.eye(self.kept.size)

    def value(self, theta: Array) -> float:
        """The loss."""
        return float(self.per_group(theta).sum())

    def per_group(self, theta: Array) -> Array:
        """The loss of each group, shape (G,)."""
        residual = self.residuals(theta)
        return np.asarray(0.5 * self.n * np.einsum("gq,gq->g", residual, self._weigh(residual)))

    def residuals(self, theta: Array) -> Array:
        """Observed minus implied moments, shape (G, q)."""
        return self.moments - self._implied_moments(self.model.implied(theta))

    def jacobian(self, theta: Array) -> Array:
        """Derivatives of the implied moments with respect to every entry of the model, shape (G, q, E)."""
        return self._jacobian(self.model.implied(theta))

    def gradient(self, theta: Array) -> Array:
        """Gradient of the loss, shape (P,)."""
        implied = self.model.implied(theta)
        weighed = self._weigh(self.moments - self._implied_moments(implied))
        return self.model.add_up(-self.n[:, None] * np.einsum("gqe,gq->ge", self._jacobian(implied), weighed))

    def of_groups(self, groups: Index) -> tuple[LeastSquares, Index]:
        """The loss of some groups, and which parameters it has."""
        model, used = self.model.of_groups(groups)
        return LeastSquares(model, self.n[groups], self.moments[groups], self.weight[groups], self.kept), used

    def observe(self, theta: Array) -> None:
        """Second derivatives are not at hand: an optimiser has to do with the information."""

    def evaluate(self, theta: Array) -> Evaluation:
        """Value, gradient and Gauss-Newton information n Delta' V Delta."""
        implied = self.model.implied(theta)
        residual, Delta = self.moments - self._implied_moments(implied), self._jacobian(implied)
        weighed = self._weigh(residual)
        # With a general V its product with Delta is the larger matrix; a diagonal V only scales the rows.
        V_Delta = self.weight @ Delta if self.weight.ndim == 3 else self.weight[:, :, None] * Delta
        return Evaluation(
            per_group=0.5 * self.n * np.einsum("gq,gq->g", residual, weighed),
            gradient=self.model.add_up(-self.n[:, None] * np.einsum("gqe,gq->ge", Delta, weighed)),
            information=self.n[:, None, None] * (Delta.swapaxes(1, 2) @ V_Delta),
        )

    def _weigh(self, residual: Array) -> Array:
        if self.weight.ndim == 2:
            return self.weight * residual
        return np.einsum("gqr,gr->gq", self.weight, residual)

    def _implied_moments(self, implied: Implied) -> Array:
        lower = vech(implied.Sigma)
        stacked = np.concatenate([implied.mu, lower], axis=1) if self.model.meanstructure else lower
        return np.asarray(stacked[:, self.kept])

    def _jacobian(self, implied: Implied) -> Array:
        return moment_jacobian(self.model.entry_vectors(implied), self.model.meanstructure)[:, self.kept]
