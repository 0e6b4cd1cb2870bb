"""Full-information maximum likelihood: the loss of a covariance structure for rows with missing values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..data.patterns import MissingPatterns
from ..errors import ModelError
from ..kernels.covariance import EntryVectors, inverse_and_log_det, moment_jacobian
from ..kernels.hessian import hessian_from_moments
from ..kernels.missing_em import SaturatedEstimates, saturated_estimates
from ..kernels.moment_hessian import pattern_hessian
from ..kernels.patterns import PatternSums, PatternTables, pattern_information, pattern_sums, row_scores
from .loss import Evaluation
from .matrices import ModelMap

__all__ = ["FullInformation"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False, slots=True)
class FullInformation:
    """Half the likelihood ratio statistic against the saturated model, pattern by pattern; a loss as in `loss`.

    The value is sum_g [log L_g(saturated) - log L_g(theta)], where log L_g uses every answer that is there (Arbuckle,
    1996). It is the ML loss of `MaximumLikelihood` where nothing is missing.

    Attributes
    ----------
    model
        The compiled model; it must have a mean structure.
    patterns
        The rows with missing values, items in the order of the model.
    tables
        Their patterns.
    n
        Rows per group, shape (G,).
    saturated
        Unrestricted estimates of the means and covariances, with their log-likelihood.
    information
        Information of the moments at the saturated estimates given the patterns, shape (G, q, q).

    References
    ----------
    Arbuckle (1996), Full information estimation in the presence of incomplete data. In Marcoulides & Schumacker
    (eds), Advanced structural equation modeling.
    """

    model: ModelMap
    patterns: MissingPatterns
    tables: PatternTables
    n: Array
    saturated: SaturatedEstimates
    information: Array

    @classmethod
    def of(
        cls, model: ModelMap, patterns: MissingPatterns, saturated: SaturatedEstimates | None = None
    ) -> FullInformation:
        """Prepare the loss: the saturated model is estimated once, unless it is given.

        Raises
        ------
        ModelError
            If the model has no mean structure: with missing values, means and covariances inform one another.
        """
        if not model.meanstructure:
            raise ModelError("a model without means for rows with missing values", allowed="meanstructure=True")
        if model.observed != patterns.items:
            raise ValueError(f"the model observes {model.observed}, the patterns are those of {patterns.items}")
        tables = patterns.tables
        saturated = saturated or saturated_estimates(tables)
        information = pattern_information(tables, saturated.covariances)
        return cls(model, patterns, tables, tables.n_rows, saturated, information)

    @property
    def rounding(self) -> float:
        """Size of changes of the loss that mean nothing: it is a small difference of large sums."""
        log_det = inverse_and_log_det(self.saturated.covariances).log_det
        return float(50 * np.finfo(float).eps * self.n @ (np.abs(log_det) + self.saturated.means.shape[1]))

    def value(self, theta: Array) -> float:
        """The loss, infinite where an implied covariance matrix is not positive definite."""
        return float(self.per_group(theta).sum())

    def per_group(self, theta: Array) -> Array:
        """The loss of each group, shape (G,)."""
        implied = self.model.implied(theta)
        return self._loss(implied.Sigma, pattern_sums(self.tables, implied.mu, implied.Sigma))

    def loglik(self, theta: Array) -> Array:
        """Observed-data log-likelihood of each group, shape (G,)."""
        return np.asarray(self.saturated.loglik - self.per_group(theta))

    def gradient(self, theta: Array) -> Array:
        """Gradient of the loss, shape (P,)."""
        implied = self.model.implied(theta)
        sums = pattern_sums(self.tables, implied.mu, implied.Sigma)
        return self.model.add_up(_entry_gradient(self.model.entry_vectors(implied), sums))

    def of_groups(self, groups: NDArray[np.int64]) -> tuple[FullInformation, NDArray[np.int64]]:
        """The loss of some groups, and which parameters it has; rows stay those of all groups."""
        model, used = self.model.of_groups(groups)
        saturated = SaturatedEstimates(
            self.saturated.means[groups],
            self.saturated.covariances[groups],
            self.saturated.loglik[groups],
            self.saturated.converged[groups],
            self.saturated.n_iterations,
        )
        part = FullInformation(
            model, self.patterns, self.tables.of_groups(groups), self.n[groups], saturated, self.information[groups]
        )
        return part, used

    def observe(self, theta: Array) -> Evaluation:
        """Value, gradient and second derivatives."""
        implied = self.model.implied(theta)
        sums = pattern_sums(self.tables, implied.mu, implied.Sigma)
        entries = self.model.entry_vectors(implied)
        per_entry = entries.c * np.einsum("gep,gep->ge", entries.u @ sums.Omega, entries.v)
        per_entry = per_entry - entries.m * np.einsum("gep,gp->ge", entries.u, sums.mean_part)
        moments = pattern_hessian(self.tables, implied.mu, implied.Sigma)
        Delta = moment_jacobian(entries, True)
        kinds = self.model.kinds
        return Evaluation(
            per_group=self._loss(implied.Sigma, sums),
            gradient=self.model.add_up(per_entry),
            information=hessian_from_moments(entries, kinds, implied, Delta, moments, sums.Omega, sums.mean_part),
        )

    def evaluate(self, theta: Array) -> Evaluation:
        """Value, gradient and information, the last with the moments' information at the saturated estimates.

        That information is computed once; `expected_information` has it at theta.
        """
        implied = self.model.implied(theta)
        sums = pattern_sums(self.tables, implied.mu, implied.Sigma)
        entries = self.model.entry_vectors(implied)
        return Evaluation(
            per_group=self._loss(implied.Sigma, sums),
            gradient=self.model.add_up(_entry_gradient(entries, sums)),
            information=_sandwiched(entries, self.information),
        )

    def moment_information(self, theta: Array) -> Array:
        """Expected information of the moments at theta given the patterns, shape (G, q, q)."""
        return pattern_information(self.tables, self.model.implied(theta).Sigma)

    def expected_information(self, theta: Array) -> Array:
        """Expected information of the entries at theta given the patterns, shape (G, E, E)."""
        entries = self.model.entry_vectors(self.model.implied(theta))
        return _sandwiched(entries, self.moment_information(theta))

    def moment_scores(self, theta: Array) -> Array:
        """Derivative of each row's log-likelihood with respect to its group's moments, shape (N, q)."""
        implied = self.model.implied(theta)
        return row_scores(self.tables, self.patterns.values, self.patterns.pattern_of_row, implied.mu, implied.Sigma)

    def _loss(self, Sigma: Array, sums: PatternSums) -> Array:
        # The patterns see parts of Sigma only; all of it must be a covariance matrix.
        proper = inverse_and_log_det(Sigma).proper & np.isfinite(sums.deviance)
        return np.where(proper, 0.5 * sums.deviance + self.saturated.loglik, np.inf)


def _entry_gradient(entries: EntryVectors, sums: PatternSums) -> Array:
    """Gradient of the loss for each group's entries, (G, E): entry e changes Sigma by c (u v' + v u'), mu by m u."""
    gradient = entries.c * np.einsum("gep,gep->ge", entries.u @ sums.Omega, entries.v)
    return np.asarray(gradient - entries.m * np.einsum("gep,gp->ge", entries.u, sums.mean_part))


def _sandwiched(entries: EntryVectors, information: Array) -> Array:
    """Delta' I Delta: information of the moments as that of the entries."""
    Delta = moment_jacobian(entries, True)
    return np.asarray(Delta.swapaxes(1, 2) @ information @ Delta)
