"""Multigroup confirmatory factor analysis by maximum likelihood: step 1 of MixMG-SEM."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..data.intake import Data, as_moments
from ..data.moments import SampleMoments
from ..data.ordinal import OrdinalMoments
from ..data.variation import require_definite
from ..errors import ModelError, OptionError, UnsupportedModelError, enumerate_briefly, notify
from ..inference.fitmeasures import FitMeasures, fit_measures, srmr
from ..kernels.covariance import log_likelihood
from ..model.bounded import minimize_bounded
from ..model.constraints import compile_constraints
from ..model.fit_ml import Optimum, maximize_likelihood
from ..model.identification import unidentified_parameters
from ..model.loss import MaximumLikelihood
from ..model.matrices import ModelMap, compile_table
from ..model.start import starting_values
from ..options import Names, as_names
from ..syntax.blocks import Blocks, block_table, partition_factors
from ..syntax.sem import parse_model
from ..syntax.support import require_measurement_model
from ..syntax.table import ParameterTable, measurement_table
from ..threads import few_threads
from .checks import measurement_notices
from .fit import BlockFit, MeasurementFit, assemble
from .ordinal import fit_ordered_block, read_ordered

__all__ = ["MGCFA"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class MGCFA:
    """Multigroup confirmatory factor analysis with lavaan's conventions and numbers.

    Parameters
    ----------
    measurement
        Measurement model in lavaan syntax. The first loading of a factor is its marker, fixed at 1.
    equal
        Kinds of parameters that are equal over groups: ``"loadings"`` (default), ``"intercepts"``,
        ``"residuals"``, ``"residual.covariances"``, ``"lv.variances"``, ``"lv.covariances"``, ``"means"``.
    partial
        Single parameters exempt from `equal`, such as ``("narcissism =~ cnarc3",)``.
    blocks
        Measurement blocks: ``"factor"`` (one per factor, default), ``"joint"``, or a partition of the factors.
    std_lv
        Fix factor variances at 1 instead of the marker loadings.
    missing
        ``"listwise"``: rows without a missing value; ``"ml"``: means and covariances estimated from every answer, see
        `SampleMoments.from_frame`; what follows takes them for those of complete rows.
    ordered
        Names of items with ordered categories, or True for all: diagonally weighted least squares on polychoric
        correlations (lavaan's WLSMV) instead of maximum likelihood. Thresholds are free in every group and an item's
        latent response has variance 1 in each, so that only loadings, residual covariances and factor (co)variances can
        be `equal`.

    Examples
    --------
    >>> import mixsem as mx
    >>> data = mx.data.holzinger_swineford_1939()
    >>> model = "visual =~ x1 + x2 + x3; textual =~ x4 + x5 + x6; speed =~ x7 + x8 + x9"
    >>> fit = mx.MGCFA(model, blocks="joint").fit(data, group="school")
    >>> round(fit.blocks[0].measures.chisq, 3), fit.blocks[0].measures.df
    (124.044, 54)

    References
    ----------
    Jöreskog (1971), Simultaneous factor analysis in several populations. Psychometrika 36, 409-426.
    Rosseel & Loh (2024), A structural after measurement approach to SEM. Psychological Methods 29, 561-588.
    """

    measurement: str
    equal: Names = ("loadings",)
    partial: Names = ()
    blocks: Blocks = "factor"
    std_lv: bool = False
    missing: str = "listwise"
    ordered: Names | Literal[True] = ()

    def fit(self, data: Data | OrdinalMoments, group: str | None = None) -> MeasurementFit:
        """Fit the model.

        Parameters
        ----------
        data
            `SampleMoments`, or any dataframe narwhals takes (one row per person); rows, or `OrdinalMoments`, if items
            are ordered.
        group
            Column that names the group of each person; None for a single group. Not used with moments.

        Returns
        -------
        MeasurementFit
            Estimates per group and block. Statistical trouble is issued as warnings and kept as ``notices``.

        Raises
        ------
        ModelSyntaxError, ModelError, UnsupportedModelError
            If the model text cannot be read, or is not a measurement model that can be estimated.
        DataError
            If the data lack an item, or a group's covariance matrix is singular.
        """
        syntax = parse_model(self.measurement)
        require_measurement_model(syntax)  # before the data are read: a wrong model is not a missing column
        equal, partial = as_names(self.equal, "equal"), as_names(self.partial, "partial")
        ordinal = None
        if self.ordered is True or as_names(self.ordered, "ordered"):
            ordered = self.ordered if self.ordered is True else as_names(self.ordered)
            ordinal = read_ordered(data, syntax.indicators, group, ordered, equal, self.missing)
            moments = ordinal.as_moments()
        elif isinstance(data, OrdinalMoments):
            raise OptionError(
                "polychoric correlations came without ordered=", todo="name the ordered items: ordered=True"
            )
        else:
            moments = as_moments(data, syntax.indicators, group, missing=self.missing)
        several = moments.n_groups > 1
        means = bool({"intercepts", "means"} & set(equal)) and several
        table = measurement_table(
            syntax,
            groups=moments.groups,
            equal=equal if several else (),
            partial=partial if several else (),
            std_lv=self.std_lv,
            meanstructure=means,
        )
        if ordinal is not None:
            _refuse_bounds(table)
        parts = partition_factors(table, self.blocks)
        blocks: tuple[BlockFit, ...]
        if ordinal is None:
            blocks = tuple(_fit_block(block_table(table, part), moments) for part in parts)
        else:
            blocks = tuple(fit_ordered_block(block_table(table, part), ordinal) for part in parts)
        notices = (*moments.notices, *measurement_notices(blocks, moments.groups))
        notify(notices)
        return MeasurementFit(
            self,
            moments,
            table.factors,
            table.observed,
            *assemble(table.factors, table.observed, blocks),
            blocks,
            notices,
        )


def _refuse_bounds(table: ParameterTable) -> None:
    """Bounds are not offered for ordered items; to ignore one would be worse."""
    for row in table.rows:
        if any(np.isfinite(bound) for bound in (*row.lower, *row.upper)):
            raise UnsupportedModelError(
                f"line {row.line}, column {row.column}: {row.name} has the modifier lower() or upper()",
                allowed="fixed values, labels and starting values",
                todo="remove the bound; a variance estimated below zero is named in a warning",
            )


def _fit_block(table: ParameterTable, moments: SampleMoments) -> BlockFit:
    """Compile one block, check that it can be estimated, and fit it."""
    block = moments.select(table.observed)
    require_definite(block)
    model = compile_table(table, block.groups)
    loss = MaximumLikelihood.of(model, block.n, block.covariances, block.means)
    start = starting_values(model, table, loss.n, loss.S, loss.means)
    with few_threads(len(table.observed)):
        _require_identified(table, model, loss, start)
        bounds = compile_constraints(table, model)
        optimum = minimize_bounded(loss, start, bounds) if bounds.any else maximize_likelihood(loss, start)
        measures = _measures(loss, optimum, block)
    return BlockFit(table.factors, table.observed, table, model, optimum, measures)


def _measures(loss: MaximumLikelihood, optimum: Optimum, moments: SampleMoments) -> FitMeasures:
    """Fit measures with lavaan's counts: with several groups, saturated means are parameters too."""
    n_groups, p = moments.means.shape
    model = loss.model
    implied = model.implied(optimum.theta)
    saturated_means = n_groups * p if n_groups > 1 and not model.meanstructure else 0
    deviation = loss.means - implied.mu if model.meanstructure else np.zeros((n_groups, p))
    chisq = 2.0 * float(optimum.loss_per_group.sum())
    F = 2.0 * optimum.loss_per_group / loss.n
    return fit_measures(
        chisq=max(chisq, 0.0),
        df=_n_moments(model) - model.n_free,
        n_params=model.n_free + saturated_means,
        loglik=float(log_likelihood(F, loss.n, loss.log_det_S, p).sum()),
        n=moments.n,
        S=loss.S,
        residual_srmr=srmr(
            implied.Sigma, loss.S, moments.n, deviation if saturated_means or model.meanstructure else None
        ),
    )


def _n_moments(model: ModelMap) -> int:
    """Sample moments the model explains."""
    p = len(model.observed)
    return model.n_groups * (p * (p + 1) // 2 + (p if model.meanstructure else 0))


def _require_identified(table: ParameterTable, model: ModelMap, loss: MaximumLikelihood, start: Array) -> None:
    """A model that the moments cannot determine is an error, with the parameters that are to blame."""
    name = ", ".join(table.factors)
    surplus = model.n_free - _n_moments(model)
    loose = unidentified_parameters(loss, start)
    if surplus > 0 or loose:
        why = f"{model.n_free} parameters for {_n_moments(model)} moments" if surplus > 0 else "no unique solution"
        named = f"; not determined: {enumerate_briefly(loose, 6)}" if loose else ""
        if any("~1" in parameter for parameter in loose):
            raise ModelError(
                f"the means in the measurement block of {name} are not identified{named}",
                allowed="factor means where the items' intercepts are fixed or equal over groups",
                todo="drop the factor means, or hold intercepts equal with equal=('loadings', 'intercepts')",
            )
        raise ModelError(
            f"the measurement block of {name} is not identified: {why}{named}",
            allowed="three items per factor, or two when factors are estimated jointly and correlate",
            todo="add items, fix or equate parameters, or estimate factors together (blocks='joint')",
        )
