"""Multinomial logistic regression of an uncertain membership: arrays in, arrays out.

Axes: g groups, t clusters, s clusters assigned, p columns of the design. The logits of the reference are zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax, logsumexp

__all__ = ["LogitProblem", "LogitSolution", "solve_logit"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False, slots=True)
class LogitProblem:
    """What is maximised.

    Attributes
    ----------
    X
        Design, shape (G, P).
    weights
        Shares assigned, or weights of the clusters (BCH, naive), shape (G, K).
    errors
        Classification errors (row: cluster, column: assigned), shape (K, K), in the likelihood of the assignments
        sum_g sum_s w_gs log sum_t P(t | x_g) D_ts; None for sum_g sum_t w_gt log P(t | x_g).
    reference
        Index of the cluster whose logits are zero.
    penalty
        Precision of each coefficient's normal prior around zero, shape (P,).
    """

    X: Array
    weights: Array
    errors: Array | None
    reference: int
    penalty: Array

    @property
    def others(self) -> NDArray[np.int64]:
        """Clusters with logits of their own, shape (K - 1,)."""
        return np.delete(np.arange(self.weights.shape[1]), self.reference)

    def log_probabilities(self, gamma: Array) -> Array:
        """Logs of P(t | x_g), shape (G, K), for coefficients (K - 1, P)."""
        eta = np.zeros(self.weights.shape)
        eta[:, self.others] = self.X @ gamma.T
        return np.asarray(log_softmax(eta, axis=1))

    def evaluate(self, gamma: Array) -> tuple[float, Array, Array]:
        """Log-likelihood without penalty, scores of every group (G, (K - 1) P), Hessian without penalty."""
        log_p = self.log_probabilities(gamma)
        p = np.exp(log_p)
        curvature = p[:, :, None] * p[:, None, :] - p[:, :, None] * np.eye(p.shape[1])  # -(diag p - p p')
        if self.errors is None:
            value, expected = float((self.weights * log_p).sum()), self.weights
            curvature = curvature * self.weights.sum(axis=1)[:, None, None]
        else:
            value, expected, spread = self._assigned(log_p)
            curvature = curvature + spread
        difference = expected - p * self.weights.sum(axis=1, keepdims=True)
        at = self.others
        scores = (difference[:, at, None] * self.X[:, None, :]).reshape(p.shape[0], -1)
        blocks = np.einsum("gtu,gp,gq->tpuq", curvature[:, at[:, None], at], self.X, self.X)
        return value, scores, blocks.reshape(scores.shape[1], -1)

    def _assigned(self, log_p: Array) -> tuple[float, Array, Array]:
        """Likelihood of the assignments, expected membership given them, and its spread."""
        assert self.errors is not None
        used = np.flatnonzero(self.weights.sum(axis=0) > 0)
        w = self.weights[:, used]
        with np.errstate(divide="ignore"):
            joint = log_p[:, :, None] + np.log(self.errors[None, :, used])
        total = logsumexp(joint, axis=1)
        r = np.exp(joint - total[:, None, :])  # P(t | x_g, assigned s)
        expected = np.einsum("gs,gts->gt", w, r)
        spread = expected[:, :, None] * np.eye(expected.shape[1]) - np.einsum("gs,gts,gus->gtu", w, r, r)
        return float((w * total).sum()), expected, spread


@dataclass(frozen=True, eq=False, slots=True)
class LogitSolution:
    """Where it ended: coefficients (K - 1, P), log-likelihood, scores per group, minus penalised Hessian, success."""

    gamma: Array
    loglik: float
    scores: Array
    information: Array
    converged: bool

    def covariance(self, robust: bool) -> Array:
        """Covariance of the coefficients, shape ((K - 1) P, (K - 1) P); NaN where the information is singular."""
        values = np.linalg.eigvalsh(self.information)
        if not values[0] > 1e-10 * max(values[-1], 1e-300):
            return np.full(self.information.shape, np.nan)
        inverse = np.linalg.inv(self.information)
        if not robust:
            return np.asarray(inverse, dtype=np.float64)
        return np.asarray(inverse @ (self.scores.T @ self.scores) @ inverse)


def solve_logit(problem: LogitProblem, start: Array | None = None) -> LogitSolution:
    """Maximise by Newton's method with trust regions.

    Parameters
    ----------
    problem
        What is maximised; columns of X should be standardised.
    start
        Coefficients to start from, shape (K - 1, P); zeros if left out.
    """
    shape = (problem.others.size, problem.X.shape[1])
    penalty = np.tile(problem.penalty, shape[0])

    def objective(x: Array) -> tuple[float, Array]:
        value, scores, _ = problem.evaluate(x.reshape(shape))
        return 0.5 * float(penalty @ x**2) - value, penalty * x - scores.sum(axis=0)

    def hessian(x: Array) -> Array:
        return np.diag(penalty) - problem.evaluate(x.reshape(shape))[2]

    found = minimize(
        objective,
        np.zeros(shape).ravel() if start is None else start.ravel(),
        jac=True,
        hess=hessian,
        method="trust-exact",
        options={"gtol": 1e-8, "maxiter": 300},
    )
    gamma = found.x.reshape(shape)
    value, scores, H = problem.evaluate(gamma)
    gradient = np.abs(objective(found.x)[1]).max()
    return LogitSolution(gamma, value, scores, np.diag(penalty) - H, bool(gradient < 1e-5))
