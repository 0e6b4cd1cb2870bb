"""Mixture of structural models: step 3 of MixMG-SEM, MixML-SEM and MixMG-BSEM."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ..errors import Notice, OptionError, UnusedFactorWarning, notify
from ..factors.moments import FactorMoments
from ..kernels.mixture import EMData
from ..options import Names, as_names, require_progress
from .ascent import ascend
from .checks import mixture_notices
from .em import EMSettings, EMState, own_coefficients
from .fit import SAME_SOLUTION, MixtureFit, StartRecord
from .observed import observed_log_likelihood
from .options import check_options, cluster_numbers
from .path_model import PathModel, compile_structural
from .profiled import implied_means, partial_moments, require_means, second_moments, with_group_specific
from .search import split_and_merge
from .select import MixtureSelection
from .sharpen import sharpen
from .solutions import distinct_solutions
from .starts import Start, starting_partitions

__all__ = ["StructuralMixture", "assemble_fit", "em_data", "path_matrices"]

Array = NDArray[np.float64]
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class StructuralMixture:
    """Clusters of groups that share the regressions among factors (equations 10 to 13).

    Exogenous covariances belong to each group, residual variances to each group in each cluster, so that nothing
    but the regressions drives the clustering.

    Parameters
    ----------
    structural
        Structural model in lavaan syntax: ``~`` among factors, ``~~`` among residuals of outcomes. It must be
        recursive. A number fixes a regression, a label makes it the same in all clusters.
    k
        Number of clusters, or several numbers (such as ``range(1, 7)``) to choose from; they may start anywhere.
    residuals
        ``"group"``: residual (co)variances of each group and cluster (default); ``"cluster"``: of each cluster.
    equal
        Regressions that are the same in all clusters, such as ``("support ~ narcissism",)``.
    n_starts
        Random starts per number of clusters.
    start
        ``"hard"`` (random partitions), ``"soft"`` (random probabilities), or a partition to start from.
    tolerance
        EM stops when log L changes by less.
    max_iterations
        EM iterations per start at most.
    residual_floor
        Residual variances are kept above this share of the factor's variance; groups that hit it are named.
    group_specific
        Regressions that are free in every group and so do not drive the clustering.
    meanstructure
        Cluster on factor means too: outcomes get intercepts, which belong to clusters like regressions and are named
        as in ``"support ~ 1"``; means of exogenous factors belong to groups. Needs comparable factor means from step 1.

    Examples
    --------
    >>> import mixsem as mx
    >>> truth = mx.simulate.draw_truth(mx.simulate.Population(n_groups=24, n_clusters=2), seed=1)
    >>> moments = mx.factors.FactorMoments.from_covariances(
    ...     truth.Phi, n=[200] * 24, factors=["F1", "F2", "F3", "F4"], groups=range(24)
    ... )
    >>> fit = mx.StructuralMixture("F3 ~ F1 + F2; F4 ~ F1 + F3", k=2).fit(moments, seed=1)
    >>> mx.simulate.adjusted_rand_index(fit.clusters, truth.clusters)
    1.0

    References
    ----------
    Perez Alonso, Rosseel, Vermunt & De Roover (2024), Mixture multigroup structural equation modeling.
    Psychological Methods. Zhao, Vermunt & De Roover (2025), Mixture multilevel SEM vs. multilevel SEM for comparing
    structural relations across groups in presence of measurement non-invariance. Frontiers in Psychology 16.
    """

    structural: str
    k: int | Sequence[int]
    residuals: str = "group"
    equal: Names = ()
    n_starts: int = 200
    start: Start = "hard"
    tolerance: float = 1e-6
    max_iterations: int = 5000
    residual_floor: float = 1e-3
    group_specific: Names = ()
    meanstructure: bool = False

    def fit(
        self, moments: FactorMoments, *, seed: int | None = None, progress: Progress | None = None
    ) -> MixtureFit | MixtureSelection:
        """Find the clusters.

        Parameters
        ----------
        moments
            Factor covariances of the groups, from `factor_moments`.
        seed
            Seed of the random starts; the same seed gives the same numbers, and each k has its own stream.
        progress
            Called as ``progress(stage, done, total)``.

        Returns
        -------
        MixtureFit or MixtureSelection
            One fit if `k` is a number, a selection (a mapping from k to fits, with a table) if it is several.

        Raises
        ------
        ModelSyntaxError, ModelError, UnsupportedModelError
            If the structural model cannot be read or used.
        OptionError
            If an option is outside what is allowed, such as k larger than the number of groups, or `moments` are
            something else, such as the measurement model itself.
        """
        _require_moments(moments)
        numbers = cluster_numbers(self.k, moments.n_groups)
        check_options(self, seed)
        require_progress(progress)
        path = compile_structural(
            self.structural,
            moments.factors,
            equal=as_names(self.equal, "equal"),
            group_specific=as_names(self.group_specific, "group_specific"),
            meanstructure=self.meanstructure,
        )
        if self.meanstructure:
            require_means(moments)
        used, remarks = _restrict(moments, path)
        data = em_data(path, used, by_group=self.residuals == "group", floor=self.residual_floor)
        own, own_products = own_coefficients(data)
        own_all = with_group_specific(path, data, own[:, None])[:, 0]
        fits = []
        for k in numbers:
            state, record = _best_start(self, data, own, used, k, seed, progress)
            fit = assemble_fit(replace(self, k=k), used, path, data, state, record, own_all)
            checks = mixture_notices(fit, data, own_products)
            fits.append(replace(fit, notices=(*used.notices, *remarks, *checks)))
            notify(checks)
        notify(remarks)
        return fits[0] if isinstance(self.k, int | np.integer) else MixtureSelection(tuple(fits))


def _require_moments(moments: object) -> None:
    """Refuse what step 1 returned, and data: step 2 comes in between."""
    if not isinstance(moments, FactorMoments):
        raise OptionError(
            f"StructuralMixture.fit() got a {type(moments).__name__}",
            allowed="FactorMoments",
            todo="call factor_moments(step1) on what .fit() of MGCFA, MLCFA or MGBCFA returned, and give its result",
        )


def _restrict(moments: FactorMoments, path: PathModel) -> tuple[FactorMoments, tuple[Notice, ...]]:
    """Keep the factors of the structural model; say which ones are left out."""
    left_out = [f for f in moments.factors if f not in path.factors]
    text = f"{', '.join(left_out)}: measured, but in no regression; left out of the structural model."
    return moments.select(path.factors), (Notice(UnusedFactorWarning, text),) if left_out else ()


def em_data(path: PathModel, moments: FactorMoments, *, by_group: bool, floor: float) -> EMData:
    """Compile the structural model and the factor moments to the arrays of the EM iterations."""
    variance = np.diagonal(moments.Phi, axis1=1, axis2=2)
    Phi = second_moments(moments) if path.meanstructure else moments.Phi
    exogenous = np.array(path.exogenous, dtype=np.int64)  # never empty: the model is recursive
    Q = len(path.factors)
    design = np.zeros((path.slot.size, path.equal.size))
    free = np.flatnonzero(path.slot >= 0)
    design[free, path.slot[free]] = 1.0
    log_det = np.linalg.slogdet(moments.Phi[:, exogenous[:, None], exogenous])[1]
    return EMData(
        Phi=Phi,
        n=moments.n.astype(float),
        outcome=path.outcome,
        predictor=path.predictor,
        offset=np.nan_to_num(path.fixed),
        design=design,
        equal=path.equal,
        blocks=path.blocks,
        constant=Q * np.log(2 * np.pi) + log_det + exogenous.size,
        floor=floor * variance,
        by_group=by_group,
        partial=partial_moments(path, Phi),
        variance=np.pad(variance, ((0, 0), (0, 1)), constant_values=1.0) if path.meanstructure else None,
    )


def _best_start(
    spec: StructuralMixture,
    data: EMData,
    own: Array,
    moments: FactorMoments,
    k: int,
    seed: int | None,
    progress: Progress | None,
) -> tuple[EMState, StartRecord]:
    """Run all starts, improve and finish the best one, and keep the record."""
    rng = np.random.default_rng(None if seed is None else [seed, k])
    z = starting_partitions(spec.start, moments.groups, k, spec.n_starts, rng)
    settings = EMSettings(spec.tolerance, spec.max_iterations)
    ends = ascend(data, z, settings, None if progress is None else partial(progress, f"k = {k}"))
    best = ends.best
    if isinstance(spec.start, str):
        best = split_and_merge(data, own, best, settings, rng, SAME_SOLUTION)
    best = sharpen(data, best, settings)
    record = StartRecord(
        logliks=ends.logliks,
        iterations=ends.iterations,
        converged=bool(best.converged[0]),
        best=float(best.loglik[0]),
        solutions=distinct_solutions(ends.logliks, ends.clusters, SAME_SOLUTION),
        seed=None if seed is None else int(seed),
    )
    return best, record


def assemble_fit(
    spec: StructuralMixture,
    moments: FactorMoments,
    path: PathModel,
    data: EMData,
    state: EMState,
    record: StartRecord,
    own: Array,
) -> MixtureFit:
    """Order the clusters by size and put the solution into matrices."""
    order = np.lexsort((*state.beta[0].T[::-1], -state.pi[0].round(12)))
    n_groups, Q, k = data.n.size, len(path.factors), order.size
    z, pi = state.z[0, order].T, state.pi[0, order]
    beta, specific = state.beta[0, order], None
    if path.group_specific.any():
        specific = with_group_specific(path, data, np.broadcast_to(beta, (n_groups, *beta.shape)))
        weight = z / np.maximum(z.sum(axis=0), 1e-300)
        at = path.group_specific
        beta[:, at] = np.einsum("gk,gkr->kr", weight, specific[..., at])
    B, intercepts = path_matrices(path, beta)
    x = np.array(path.exogenous)
    Psi = np.zeros((n_groups, k, Q, Q))
    Psi[:, :, x[:, None], x] = moments.Phi[:, None, x[:, None], x]
    for block, residual in zip(path.blocks, state.residuals, strict=True):
        j = np.array(block)
        matrices = np.broadcast_to(residual.Psi[0], (k, n_groups, j.size, j.size))
        Psi[:, :, j[:, None], j] = matrices[order].swapaxes(0, 1)
    in_groups = (B, intercepts) if specific is None else path_matrices(path, specific)
    means = None
    if path.meanstructure:
        means = implied_means(path, moments, in_groups[0], np.broadcast_to(in_groups[1], (n_groups, k, Q)))
    n_sets = n_groups if spec.residuals == "group" else k
    n_own = path.n_exogenous_parameters + int(path.group_specific.sum())
    n_factors = (k - 1) + path.n_regressions(k) + n_groups * n_own + n_sets * path.n_residual_parameters
    n_intercepts = moments.mean_structure.n_parameters if path.meanstructure and moments.mean_structure else 0
    return MixtureFit(
        specification=spec,
        moments=moments,
        path=path,
        B=B,
        Psi=Psi,
        proportions=pi,
        posterior=z,
        loglik=float(state.loglik[0]),
        loglik_observed=observed_log_likelihood(moments, in_groups[0], Psi, pi, means),
        n_params_factors=n_factors,
        n_params=n_factors + moments.n_measurement + n_intercepts,
        own=own,
        starts=record,
        notices=(),
        intercepts=intercepts if path.meanstructure else None,
        group_coefficients=specific,
    )


def path_matrices(path: PathModel, beta: Array) -> tuple[Array, Array]:
    """Regressions among factors (..., Q, Q) and intercepts (..., Q) from coefficients (..., R)."""
    Q = len(path.factors)
    full = np.zeros((*beta.shape[:-1], Q, Q + 1))
    full[..., path.outcome, path.predictor] = beta
    return np.ascontiguousarray(full[..., :Q]), full[..., Q]
