"""The ML loss of a covariance structure: value, gradient and expected information at theta."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..kernels.covariance import (
    Implied,
    Inverted,
    discrepancy,
    entry_gradient,
    entry_information,
    inverse_and_log_det,
)
from ..kernels.hessian import entry_hessian
from .matrices import ModelMap

__all__ = ["Evaluation", "Loss", "MaximumLikelihood"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]


class Evaluation(NamedTuple):
    """The loss at one theta: per group, gradient over parameters, information per group and entry."""

    per_group: Array  # (G,) n_g F_g / 2
    gradient: Array  # (P,)
    information: Array  # (G, E, E), expected or observed


class Loss(Protocol):
    """What an optimiser and the information matrices need of a loss: half the chi-square statistic, by group."""

    @property
    def model(self) -> ModelMap:
        """The compiled model."""

    @property
    def rounding(self) -> float:
        """Size of changes of the loss that mean nothing."""

    def value(self, theta: Array) -> float:
        """The loss, infinite where an implied covariance matrix is not positive definite."""

    def per_group(self, theta: Array) -> Array:
        """The loss of each group, shape (G,)."""

    def gradient(self, theta: Array) -> Array:
        """Gradient of the loss, shape (P,)."""

    def evaluate(self, theta: Array) -> Evaluation:
        """Value, gradient and expected information."""

    def observe(self, theta: Array) -> Evaluation | None:
        """The same with second derivatives in place of the information; None for a loss that has only the first."""

    def of_groups(self, groups: Index) -> tuple[Loss, Index]:
        """The loss of some groups, and which parameters it has."""


@dataclass(frozen=True, eq=False, slots=True)
class MaximumLikelihood:
    """Sum over groups of n_g F_g / 2, the normal-theory ML loss (half the chi-square statistic).

    Attributes
    ----------
    model
        The compiled model.
    n
        People per group, shape (G,).
    S
        Observed covariances with divisor n, shape (G, p, p).
    means
        Observed means, shape (G, p); used only if the model has a mean structure.
    log_det_S
        log|S| per group, shape (G,).
    """

    model: ModelMap
    n: Array
    S: Array
    means: Array
    log_det_S: Array

    @classmethod
    def of(cls, model: ModelMap, n: NDArray[np.int64], S: Array, means: Array) -> MaximumLikelihood:
        """Prepare the loss: log-determinants are taken once."""
        return cls(model, n.astype(float), S, means, inverse_and_log_det(S).log_det)

    @property
    def rounding(self) -> float:
        """Size of changes of the loss that mean nothing: it is a small difference of large sums."""
        return float(50 * np.finfo(float).eps * self.n @ (np.abs(self.log_det_S) + self.S.shape[-1]))

    def of_groups(self, groups: Index) -> tuple[MaximumLikelihood, Index]:
        """The loss of some groups, and which parameters it has."""
        model, used = self.model.of_groups(groups)
        part = MaximumLikelihood(model, self.n[groups], self.S[groups], self.means[groups], self.log_det_S[groups])
        return part, used

    def value(self, theta: Array) -> float:
        """The loss, infinite where an implied covariance matrix is not positive definite."""
        return float(self.per_group(theta).sum())

    def per_group(self, theta: Array) -> Array:
        """The loss of each group, shape (G,)."""
        implied = self.model.implied(theta)
        return self._loss(inverse_and_log_det(implied.Sigma), self._deviation(implied))

    def gradient(self, theta: Array) -> Array:
        """Gradient of the loss, shape (P,)."""
        implied = self.model.implied(theta)
        inverted, deviation = inverse_and_log_det(implied.Sigma), self._deviation(implied)
        entries = self.model.entry_vectors(implied)
        return self.model.add_up(entry_gradient(entries, self.n, implied.Sigma, inverted.W, self.S, deviation))

    def evaluate(self, theta: Array) -> Evaluation:
        """Value, gradient and expected information; the last two mean nothing where the loss is infinite."""
        implied = self.model.implied(theta)
        inverted, deviation = inverse_and_log_det(implied.Sigma), self._deviation(implied)
        entries = self.model.entry_vectors(implied)
        per_entry = entry_gradient(entries, self.n, implied.Sigma, inverted.W, self.S, deviation)
        return Evaluation(
            per_group=self._loss(inverted, deviation),
            gradient=self.model.add_up(per_entry),
            information=entry_information(entries, self.n, inverted.W, self.model.meanstructure),
        )

    def observe(self, theta: Array) -> Evaluation:
        """Value, gradient and second derivatives."""
        implied = self.model.implied(theta)
        inverted, deviation = inverse_and_log_det(implied.Sigma), self._deviation(implied)
        entries = self.model.entry_vectors(implied)
        per_entry = entry_gradient(entries, self.n, implied.Sigma, inverted.W, self.S, deviation)
        return Evaluation(
            per_group=self._loss(inverted, deviation),
            gradient=self.model.add_up(per_entry),
            information=entry_hessian(entries, self.model.kinds, implied, self.n, inverted.W, self.S, deviation),
        )

    def _deviation(self, implied: Implied) -> Array | None:
        """Observed minus implied means, or None when they are saturated."""
        return self.means - implied.mu if self.model.meanstructure else None

    def _loss(self, inverted: Inverted, deviation: Array | None) -> Array:
        return 0.5 * self.n * discrepancy(inverted, self.S, self.log_det_S, deviation)
