"""Samples drawn from a fit or from its rows, and estimates from each: the work behind `bootstrap`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..data.patterns import read_patterns
from ..data.variation import require_variation
from ..errors import MixsemError
from ..kernels.missing_em import saturated_estimates
from ..model.bounded import minimize_bounded
from ..model.constrained import minimize_constrained
from ..model.fit_ml import Convergence, Optimum, maximize_likelihood
from .compiled import CompiledSEM
from .data import SEMData
from .losses import loss_of

if TYPE_CHECKING:
    from .fit import SEMFit

__all__ = ["Replicate", "Sampler", "refit", "rescaled_rows"]

Array = NDArray[np.float64]

#: Stop at a step of 1e-5 standard errors: far below the error of any bootstrap.
SETTINGS = Convergence(max_iterations=200, tolerance=1e-2)


@dataclass(frozen=True, eq=False, slots=True)
class Replicate:
    """Estimates of one sample; NaN with the reason if there are none."""

    theta: Array
    chisq: float
    failure: str = ""


@dataclass(frozen=True, eq=False, slots=True)
class Sampler:
    """Draws samples and estimates the model in each; can be sent to another process.

    Attributes
    ----------
    compiled
        The model with its data.
    coef
        Estimates, from which every replicate starts.
    values
        Rows to draw from, shape (N, p), sorted by group; None draws normal rows instead.
    means, roots
        Implied means (G, p) and Cholesky factors (G, p, p) of the normal distribution to draw from.
    """

    compiled: CompiledSEM
    coef: Array
    values: Array | None
    means: Array
    roots: Array

    def replicate(self, seed: np.random.SeedSequence) -> Replicate:
        """Draw one sample and estimate the model."""
        nothing = np.full(self.coef.size, np.nan)
        try:
            compiled = refit(self.compiled, self._draw(np.random.default_rng(seed)))
            optimum = _estimate(compiled, self.coef)
        except (MixsemError, np.linalg.LinAlgError) as error:
            return Replicate(nothing, np.nan, str(error).splitlines()[0])
        if not optimum.converged:
            return Replicate(nothing, np.nan, "the optimiser did not converge")
        return Replicate(optimum.theta, 2.0 * float(optimum.loss_per_group.sum()))

    def replicates(self, seeds: list[np.random.SeedSequence]) -> list[Replicate]:
        """Several in turn."""
        return [self.replicate(seed) for seed in seeds]

    def _draw(self, rng: np.random.Generator) -> Array:
        n = self.compiled.data.moments.n
        if self.values is None:
            normal = (rng.standard_normal((size, self.means.shape[1])) for size in n.tolist())
            return np.vstack([m + z @ L.T for m, z, L in zip(self.means, normal, self.roots, strict=True)])
        begins = np.cumsum(n) - n
        chosen = [a + rng.integers(size, size=size) for a, size in zip(begins.tolist(), n.tolist(), strict=True)]
        return np.asarray(self.values[np.concatenate(chosen)])


def refit(compiled: CompiledSEM, values: Array) -> CompiledSEM:
    """Put other rows of the same groups in the place of those of a compiled model."""
    data = _data_of(compiled, values)
    model, covariates = compiled.model, set(compiled.table.covariates)
    given = np.array([{row.lhs, row.rhs or row.lhs} <= covariates for row in compiled.table.rows], dtype=bool)
    given = given & (model.free < 0)
    at = {name: i for i, name in enumerate(data.moments.items)}
    rows = np.array([at.get(row.lhs, 0) for row in compiled.table.rows])
    columns = np.array([at.get(row.rhs, 0) for row in compiled.table.rows])
    moments = data.moments
    mean = np.array([row.op == "~1" for row in compiled.table.rows], dtype=bool)
    own = np.where(mean, moments.means[:, rows], moments.covariances[:, rows, columns])
    model = replace(model, fixed=np.where(given, own, model.fixed))
    loss = loss_of(compiled.estimator, model, data, compiled.table.covariates)
    return replace(compiled, data=data, model=model, loss=loss)


def _data_of(compiled: CompiledSEM, values: Array) -> SEMData:
    moments, codes = (
        compiled.data.moments,
        np.repeat(np.arange(compiled.data.moments.n_groups), compiled.data.moments.n),
    )
    if compiled.data.patterns is not None:
        import pandas as pd

        frame = pd.DataFrame(values, columns=list(moments.items)).assign(**{".group": codes})
        patterns = read_patterns(frame, moments.items, ".group", complete=compiled.table.covariates)
        patterns = replace(patterns, groups=moments.groups)
        saturated = saturated_estimates(patterns.tables)
        means, covariances = saturated.means, saturated.covariances
        now = replace(moments, means=means, covariances=covariances, n=patterns.n)
        return SEMData(now, patterns.values, patterns.codes, patterns.rows, patterns, saturated)
    begins = np.cumsum(moments.n) - moments.n
    means = np.add.reduceat(values, begins) / moments.n[:, None]
    centred = values - means[codes]
    covariances = np.stack(
        [
            centred[a : a + n].T @ centred[a : a + n] / n
            for a, n in zip(begins.tolist(), moments.n.tolist(), strict=True)
        ]
    )
    now = replace(moments, means=means, covariances=covariances)
    require_variation(now)
    return SEMData(now, values, codes)


def _estimate(compiled: CompiledSEM, start: Array) -> Optimum:
    if compiled.constraints.only_bounds:
        return minimize_bounded(compiled.loss, start, compiled.constraints)
    if compiled.constraints.any:
        return minimize_constrained(compiled.loss, start, compiled.constraints)
    return maximize_likelihood(compiled.loss, start, SETTINGS)


def rescaled_rows(fit: SEMFit) -> Array:
    """The rows, moved so that their moments are those of the model (Bollen & Stine, 1992), shape (N, p)."""
    moments, implied = fit.data.moments, fit.implied
    centres = implied.mu if fit.model.meanstructure else moments.means
    assert fit.data.values is not None
    rows = []
    for g in range(len(fit.groups)):
        observed, modelled = np.linalg.cholesky(moments.covariances[g]), np.linalg.cholesky(implied.Sigma[g])
        deviation = fit.data.values_of(g) - moments.means[g]
        rows.append(centres[g] + np.linalg.solve(observed, deviation.T).T @ modelled.T)
    return np.vstack(rows)
