"""Structural after measurement: the measurement model first, in blocks, then the regressions with it held fixed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..data.intake import Data
from ..errors import ConvergenceWarning, HeywoodWarning, MixsemError, ModelError, Notice, OptionError, notify
from ..kernels.mapping import definite_share, mapping_matrix
from ..model.constraints import compile_constraints
from ..model.dense import restricted_inverse
from ..model.fit_ml import Optimum
from ..model.loss import MaximumLikelihood
from ..model.matrices import LAMBDA, NU, THETA, ModelMap, compile_table
from ..options import Names
from ..syntax.blocks import Blocks, block_table, partition_factors
from ..syntax.table import ParameterTable
from .checks import sem_notices
from .compiled import CompiledSEM, compile_sem
from .covariance import estimates_covariance, information
from .data import SEMData, read_data
from .fitting import estimate
from .losses import loss_of
from .measures import degrees_of_freedom, model_measures
from .sam_fit import Method, SAMBlock, SAMFit
from .sam_tables import (
    block_rows,
    is_measurement,
    measured_part,
    require_two_steps,
    structural_rows,
    with_values,
)
from .specification import SEM

__all__ = ["sam"]

Array = NDArray[np.float64]

#: Residual variances below this share of an item's variance count as this share where Theta is inverted.
SMALLEST_UNIQUENESS = 1e-3


def sam(
    model: str,
    data: Data,
    group: str | None = None,
    *,
    blocks: Blocks = "factor",
    method: Method = "local",
    group_equal: Names = (),
    group_partial: Names = (),
    missing: str = "listwise",
    meanstructure: bool | None = None,
) -> SAMFit:
    """Estimate a structural equation model in two steps: structural after measurement (SAM).

    Step 1 fits the measurement model by maximum likelihood, block by block, with factor covariances free. Step 2
    estimates the structural part while loadings, residual variances and intercepts keep their values: from factor
    covariances Phi_g = M_g (S_g - Theta_g) M_g' (local), or from the likelihood of the whole model (global). Mistakes
    in one part of a model then do not spread to the others, and small samples give fewer improper solutions. Standard
    errors of step 2 allow for the uncertainty of step 1.

    Parameters
    ----------
    model
        The model in lavaan syntax; factors are measured by items.
    data
        Any dataframe narwhals takes, one row per person; or `SampleMoments`.
    group
        Column that names the group of each person.
    blocks
        Factors that are measured together: ``"factor"`` (each by itself, but together what an item, a residual
        covariance or a label ties), ``"joint"``, or a partition such as ``[["ind60"], ["dem60", "dem65"]]``.
    method
        ``"local"`` or ``"global"``.
    group_equal, group_partial
        Kinds of parameters that are equal over groups, and parameters exempt from it.
    missing
        ``"listwise"``, or ``"ml"`` for full information in both steps.
    meanstructure
        Model means; None decides as `sem` does.

    Returns
    -------
    SAMFit
        Its `summary` and `tidy` are those of other fits.

    Raises
    ------
    UnsupportedModelError
        If factors are measured by factors, or ``==`` constrains the measurement part.
    ModelError
        If a block cannot be estimated by itself, such as a factor of two items.
    OptionError
        If `blocks` splits what is tied, or another option is unknown.

    Examples
    --------
    >>> import mixsem as mx
    >>> model = "visual =~ x1 + x2 + x3; speed =~ x7 + x8 + x9; speed ~ b*visual"
    >>> fit = mx.sam(model, mx.data.holzinger_swineford_1939())
    >>> at = fit.model.names.index("speed~visual")
    >>> print(f"{fit.coef[at]:.3f} ({fit.standard_errors[at]:.3f})")
    0.359 (0.092)

    References
    ----------
    Rosseel & Loh (2024), A structural after measurement approach to structural equation modeling. Psychological
    Methods 29, 561-588. https://doi.org/10.1037/met0000503
    """
    if method not in ("local", "global"):
        raise OptionError(f"method={method!r}", allowed="'local' or 'global'")
    specification = SEM(
        model, group_equal=group_equal, group_partial=group_partial, missing=missing, meanstructure=meanstructure
    )
    joint = compile_sem(specification, data, group)
    require_two_steps(joint.table)
    measured = measured_part(joint.table)
    parts = partition_factors(measured, blocks)
    fitted = [_fit_block(joint, block_table(measured, part), data, group) for part in parts]
    return _second_step(specification, method, joint, fitted)


def _fit_block(
    joint: CompiledSEM, block: ParameterTable, data: Data, group: str | None
) -> tuple[SAMBlock, list[Notice]]:
    """Step 1 of one block; residual variances that come out negative are held at zero."""
    content = _content(joint, block.observed, data, group)
    compiled = _compile(joint, block_rows(joint.table, block), content)
    named = ", ".join(block.factors)
    try:
        optimum = estimate(compiled)
    except ModelError as error:
        todo = "measure it together with other factors (blocks=), or fix a parameter"
        raise ModelError(f"measurement block {named}: {error.got}", allowed=error.allowed, todo=todo) from error
    notices: list[Notice] = []
    values = compiled.model.entry_values(optimum.theta)
    variance = (compiled.model.matrix == THETA) & (compiled.model.row == compiled.model.column)
    negative = np.argwhere((values < 0.0) & variance)
    if negative.size:
        compiled = _compile(joint, block_rows(joint.table, block, lower=0.0), content)
        optimum = estimate(compiled)
        where = [f"{compiled.model.entries[e]} in {compiled.groups[g]}" for g, e in negative[:6].tolist()]
        text = f"negative residual variances held at zero in step 1: {', '.join(where)}. The factor rests on that item."
        notices.append(Notice(HeywoodWarning, text, tuple(compiled.groups[g] for g in np.unique(negative[:, 0]))))
    else:
        notices += sem_notices(compiled, optimum)
    vcov = estimates_covariance(compiled, optimum)
    return SAMBlock(compiled, optimum, vcov, model_measures(compiled, optimum)), notices


def _content(joint: CompiledSEM, items: tuple[str, ...], data: Data, group: str | None) -> SEMData:
    """The items of a block: of the same people, or of all who answered one of them (full information)."""
    if joint.data.patterns is not None:
        return read_data(data, items, group, joint.estimator, missing="ml")
    return SEMData(joint.data.moments.select(items))


def _compile(joint: CompiledSEM, table: ParameterTable, data: SEMData) -> CompiledSEM:
    model = compile_table(table, joint.groups)
    return CompiledSEM(
        joint.estimator, data, table, model, loss_of(joint.estimator, model, data), compile_constraints(table, model)
    )


def _second_step(
    specification: SEM, method: Method, joint: CompiledSEM, fitted: list[tuple[SAMBlock, list[Notice]]]
) -> SAMFit:
    """Put the blocks together, estimate the structural part, correct its standard errors."""
    blocks = tuple(block for block, _ in fitted)
    first = np.array([is_measurement(joint.table, row) for row in joint.table.rows])
    values, step1_vcov = _collected(joint, blocks, first)
    Phi = reliability = None
    if method == "local":
        second, Phi, reliability = _local(joint, values)
    else:
        second = _compile(joint, with_values(joint.table, values.tolist()), joint.data)
    try:
        optimum = estimate(second)
    except MixsemError as error:
        raise type(error)(f"structural part: {error.got}", allowed=error.allowed, todo=error.todo) from error
    own = second.model.entry_values(optimum.theta)
    place = {name: e for e, name in enumerate(second.model.entries)}
    for e in np.flatnonzero(~first):
        values[:, e] = own[:, place[joint.model.entries[e]]]
    theta = _theta(joint.model, values)
    vcov = _corrected(joint, optimum, theta, first, step1_vcov)
    notices = [*joint.data.notices, *(notice for _, found in fitted for notice in found)]
    if not optimum.converged:
        text = "the structural part did not converge: estimates are not the best ones. Simplify it, or use sem()."
        notices.append(Notice(ConvergenceWarning, text))
    notify(notices)
    return SAMFit(
        specification=specification,
        method=method,
        compiled=joint,
        blocks=blocks,
        coef=theta,
        vcov=vcov,
        factor_covariances=Phi,
        reliability=reliability,
        chisq=max(2.0 * float(optimum.loss_per_group.sum()), 0.0),
        df=degrees_of_freedom(second if method == "local" else joint, optimum.theta if method == "local" else theta),
        converged=optimum.converged and all(block.optimum.converged for block in blocks),
        notices=tuple(dict.fromkeys(notices)),
    )


def _collected(joint: CompiledSEM, blocks: tuple[SAMBlock, ...], first: NDArray[np.bool_]) -> tuple[Array, Array]:
    """Measurement entries of all blocks, shape (G, E), and the covariance matrix of their parameters, shape (P, P)."""
    model = joint.model
    values = model.fixed.copy()
    place = {name: e for e, name in enumerate(model.entries)}
    vcov = np.zeros((model.n_free, model.n_free))
    for block in blocks:
        own = block.compiled.model
        entries = own.entry_values(block.optimum.theta)
        to = np.full(own.n_free, -1)
        for e, name in enumerate(own.entries):
            if name in place and first[place[name]]:
                at = place[name]
                values[:, at] = entries[:, e]
                used = own.free[:, e] >= 0
                to[own.free[used, e]] = model.free[used, at]
        kept = np.flatnonzero(to >= 0)
        vcov[np.ix_(to[kept], to[kept])] = block.vcov[np.ix_(kept, kept)]
    return values, vcov


def _theta(model: ModelMap, values: Array) -> Array:
    """Free parameters from their entries."""
    return model.add_up(values) / np.maximum(model.add_up(np.ones_like(values)), 1.0)


def _local(joint: CompiledSEM, values: Array) -> tuple[CompiledSEM, Array, Array]:
    """The structural part with the mapped means and covariances as its data."""
    model, moments = joint.model, joint.data.moments
    theta = _theta(model, values)
    Lambda, Theta, S = model.values_of(LAMBDA, theta), model.values_of(THETA, theta), moments.covariances
    p = S.shape[-1]
    floor = SMALLEST_UNIQUENESS * np.einsum("gii->gi", S)
    invertible = Theta.copy()
    invertible[:, range(p), range(p)] = np.maximum(np.einsum("gii->gi", Theta), floor)
    M = mapping_matrix(Lambda, invertible)
    score, error = M @ S @ M.swapaxes(1, 2), M @ Theta @ M.swapaxes(1, 2)
    Phi: Array = score - definite_share(score, error, moments.n.astype(float))[:, None, None] * error
    Phi = 0.5 * (Phi + Phi.swapaxes(1, 2))
    means = np.einsum("gqp,gp->gq", M, moments.means - model.values_of(NU, theta))
    names = (*joint.table.factors, *joint.table.structural)
    content = SEMData(replace(moments, items=names, means=means, covariances=Phi, notices=()))
    table = structural_rows(joint.table)
    compiled = compile_table(table, joint.groups)
    second = CompiledSEM(
        joint.estimator,
        content,
        table,
        compiled,
        MaximumLikelihood.of(compiled, moments.n, Phi, means),
        compile_constraints(table, compiled),
    )
    reliability = np.einsum("gqq->gq", Phi) / np.einsum("gqq->gq", score)
    return second, Phi, reliability[:, : len(joint.table.factors)]


def _corrected(joint: CompiledSEM, optimum: Optimum, theta: Array, first: NDArray[np.bool_], step1: Array) -> Array:
    """Covariance matrix of all parameters, shape (P, P).

    With information I of the whole model at the estimates and V1 that of step 1, step 2 has
    I22^-1 + I22^-1 I21 V1 I12 I22^-1 (Rosseel & Loh, 2024, section on standard errors; Gong & Samaniego, 1981).
    """
    model = joint.model
    free = model.free
    one = np.unique(free[:, first][free[:, first] >= 0])
    two = np.setdiff1d(np.unique(free[free >= 0]), one)
    H = information(joint, replace(optimum, theta=theta))
    inverse = restricted_inverse(H[np.ix_(two, two)], joint.constraints.active_jacobian(theta)[:, two])
    slope = -inverse @ H[np.ix_(two, one)]
    V1 = step1[np.ix_(one, one)]
    vcov = np.zeros_like(H)
    vcov[np.ix_(one, one)] = V1
    vcov[np.ix_(two, one)] = slope @ V1
    vcov[np.ix_(one, two)] = (slope @ V1).T
    vcov[np.ix_(two, two)] = inverse + slope @ V1 @ slope.T
    return vcov
