"""Step 1 for ordered items: diagonally weighted least squares on polychoric correlations, block by block."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..data.grouped import GroupedData, read_grouped
from ..data.intake import Data
from ..data.moments import SampleMoments
from ..data.ordinal import Ordered, OrdinalMoments, code_categories, ordered_items
from ..errors import DataError, ModelError, OptionError, UnsupportedModelError, enumerate_briefly
from ..inference.fitmeasures import FitMeasures, fit_measures, srmr
from ..model.dense import dense_information
from ..model.fit_ml import maximize_likelihood
from ..model.identification import unidentified_parameters
from ..model.least_squares import LeastSquares
from ..model.matrices import THETA, ModelMap, compile_table
from ..model.start import starting_values
from ..syntax.table import ParameterTable
from .fit import BlockFit

__all__ = ["AdjustedTest", "OrderedBlock", "adjusted_test", "fit_ordered_block", "read_ordered"]

Array = NDArray[np.float64]

#: Kinds of parameters that may be equal over groups; the others are not parameters of the delta parameterisation.
EQUAL = ("loadings", "residual.covariances", "lv.variances", "lv.covariances")


@dataclass(frozen=True, slots=True)
class AdjustedTest:
    """The DWLS statistic corrected in mean and variance (scaled and shifted): chisq = plain / scale + shift.

    Attributes
    ----------
    chisq, df
        The corrected statistic and its degrees of freedom.
    plain
        The statistic itself, which does not follow a chi-square distribution.
    scale, shift
        The correction.
    """

    chisq: float
    df: int
    plain: float
    scale: float
    shift: float


@dataclass(frozen=True, eq=False)
class OrderedBlock(BlockFit):
    """A measurement block with ordered items, fitted by diagonally weighted least squares.

    Its `measures` rest on the corrected statistic; there is no likelihood, so that log-likelihood and information
    criteria are NaN.

    Attributes
    ----------
    ordered
        Which items are ordered, shape (p,).
    test
        The test statistic, plain and corrected.
    robust
        Covariance matrix of the free parameters (sandwich), shape (P, P).
    """

    ordered: NDArray[np.bool_]
    test: AdjustedTest
    robust: Array

    @property
    def vcov(self) -> Array:
        """Covariance matrix of the free parameters, robust to the diagonal weights (sandwich), shape (P, P)."""
        return self.robust

    @property
    def standard_errors(self) -> Array:
        """Robust standard errors of the free parameters, shape (P,)."""
        with np.errstate(invalid="ignore"):
            return np.asarray(np.sqrt(np.diagonal(self.robust)))

    @property
    def Theta(self) -> Array:
        """Unique variances, 1 - (Lambda Phi Lambda')_jj of ordered items, and residual covariances, (G, p, p)."""
        Theta = self.model.values_of(THETA, self.optimum.theta)
        j = np.flatnonzero(self.ordered)
        Theta[:, j, j] = 1.0 - np.diagonal(self.model.implied(self.optimum.theta).Sigma, axis1=1, axis2=2)[:, j]
        return Theta


def read_ordered(
    data: Data | OrdinalMoments,
    items: tuple[str, ...],
    group: str | None,
    ordered: Ordered,
    equal: tuple[str, ...],
    missing: str,
) -> OrdinalMoments:
    """Polychoric correlations of the items, after refusing what ordered items do not go with.

    Raises
    ------
    OptionError
        If `equal`, `missing` or `data` is none that ordered items can have.
    """
    wrong = [kind for kind in equal if kind not in EQUAL]
    if wrong:
        raise OptionError(
            f"equal={wrong[0]!r} came with ordered items",
            allowed=", ".join(map(repr, EQUAL)),
            todo="leave it out: thresholds are free in every group, and residual variances of ordered items are what is"
            " left of a total variance of 1",
        )
    if missing != "listwise":
        raise OptionError(
            f"missing={missing!r} came with ordered items",
            allowed="missing='listwise'",
            todo="leave missing= out, or leave ordered= out to take the items as continuous",
        )
    named = ordered_items(ordered, items)
    if isinstance(data, OrdinalMoments):
        moments = data.select(items)
        if {item for item, is_ordered in zip(items, moments.ordered, strict=True) if is_ordered} != set(named):
            raise OptionError("ordered= names other items than the moments were made with", todo="name the same items")
        return moments
    if isinstance(data, SampleMoments):
        raise OptionError(
            "ordered= came with sample moments, which hold no categories",
            allowed="a table with one row per person",
            todo="give the table itself, or leave ordered= out to take the items as continuous",
        )
    if isinstance(data, GroupedData):
        lacking = [item for item in items if item not in data.items]
        if lacking:
            raise DataError(f"the rows lack {enumerate_briefly(lacking)}", allowed=enumerate_briefly(data.items, 20))
        return OrdinalMoments.from_grouped(data, items, named)
    return OrdinalMoments.from_grouped(read_grouped(code_categories(data, named), items, group), ordered=named)


def fit_ordered_block(table: ParameterTable, moments: OrdinalMoments) -> OrderedBlock:
    """Compile one block without residual variances of ordered items, and fit it to the polychoric correlations."""
    block = moments.select(table.observed)
    names = {name for name, is_ordered in zip(block.items, block.ordered, strict=True) if is_ordered}
    table = _without_residuals(table, names)
    model = compile_table(table, block.groups)
    Gamma = block.moment_gamma
    variances = np.diagonal(Gamma, axis1=1, axis2=2)
    # lavaan's weights of the groups: N_g - 1 in the statistic, N_g in standard errors and corrections.
    loss = LeastSquares.diagonal(model, block.n - 1, block.covariances, block.means, variances, block.kept)
    start = starting_values(model, table, loss.n, block.covariances, block.means)
    _require_identified(table, model, loss, start)
    optimum = maximize_likelihood(loss, start)
    chisq = max(2.0 * float(optimum.loss_per_group.sum()), 0.0)
    weighed, jacobian = replace(loss, n=block.n.astype(float)), loss.jacobian(optimum.theta)
    robust, test = _corrected(weighed, jacobian, Gamma, chisq)
    measures = _measures(block, model, loss, optimum.theta, Gamma, test)
    return OrderedBlock(table.factors, table.observed, table, model, optimum, measures, block.ordered, test, robust)


def _without_residuals(table: ParameterTable, ordered: set[str]) -> ParameterTable:
    """Leave out the residual variances of ordered items; refuse what was written about them."""
    own_factor = {
        row.rhs
        for row in table.rows
        if row.op == "=~" and sum(r.op == "=~" and r.lhs == row.lhs for r in table.rows) == 1
    }
    kept = []
    for row in table.rows:
        if row.op == "~1":
            raise UnsupportedModelError(
                f"{row.name} came with ordered items",
                allowed="loadings, (co)variances of factors, residual covariances",
                todo="leave means and intercepts out: thresholds are free in every group",
            )
        if not (row.op == "~~" and row.lhs == row.rhs and row.lhs in ordered):
            kept.append(row)
        elif row.user:
            raise UnsupportedModelError(
                f"line {row.line}, column {row.column}: {row.name} is the residual variance of an ordered item",
                allowed="1 minus what the factors explain (delta parameterisation)",
                todo="leave it out, or take the item as continuous",
            )
        elif row.lhs in own_factor:
            raise UnsupportedModelError(
                f"{row.lhs} is ordered and the only item of its factor",
                allowed="factors with several ordered items",
                todo="take the item as continuous, or add items",
            )
    return replace(table, rows=tuple(kept))


def _require_identified(table: ParameterTable, model: ModelMap, loss: LeastSquares, start: Array) -> None:
    """A model that the correlations cannot determine is an error, with the parameters that are to blame."""
    count = loss.moments.size
    loose = unidentified_parameters(loss, start)
    if model.n_free > count or loose:
        why = f"{model.n_free} parameters for {count} correlations" if model.n_free > count else "no unique solution"
        named = f"; not determined: {enumerate_briefly(loose, 6)}" if loose else ""
        raise ModelError(
            f"the measurement block of {', '.join(table.factors)} is not identified: {why}{named}",
            allowed="three items per factor, or two when factors are estimated jointly and correlate",
            todo="add items, fix or equate parameters, or estimate factors together (blocks='joint')",
        )


def _corrected(weighed: LeastSquares, Delta: Array, Gamma: Array, chisq: float) -> tuple[Array, AdjustedTest]:
    """Sandwich covariance matrix of the parameters, and the corrected test.

    With U = V - V Delta H^-1 Delta' V the statistic has the distribution of a sum of chi-squares weighed by the
    eigenvalues of U Gamma, which is never formed over all groups.
    """
    model, n, V = weighed.model, weighed.n[:, None, None], weighed.weight_matrices
    turned = Delta.swapaxes(1, 2)
    VG = V @ Gamma
    H, J, K = (dense_information(model, n * (turned @ inner @ Delta)) for inner in (V, VG @ V, VG @ VG @ V))
    try:
        inverse = np.linalg.inv(H)
    except np.linalg.LinAlgError:
        inverse = np.full_like(H, np.nan)
    HJ = inverse @ J
    first = float(np.einsum("gii->", VG) - np.trace(HJ))
    second = float(np.einsum("gij,gji->", VG, VG) - 2.0 * np.trace(inverse @ K) + np.trace(HJ @ HJ))
    df = weighed.moments.size - model.n_free
    total = weighed.n.sum()
    robust = np.asarray(HJ @ inverse) * total / (total - weighed.n.size)  # lavaan's N - G
    return robust, adjusted_test(chisq, df, first, second)


def adjusted_test(chisq: float, df: int, first: float, second: float) -> AdjustedTest:
    """Scale and shift a statistic so that its mean and variance are those of a chi-square with `df` degrees of freedom.

    Parameters
    ----------
    chisq, df
        The statistic and its degrees of freedom.
    first, second
        Traces of U Gamma and of its square.

    Examples
    --------
    >>> adjusted_test(10.0, 4, 4.0, 4.0).chisq  # U Gamma has four eigenvalues of 1: nothing to correct
    10.0

    References
    ----------
    Asparouhov & Muthen (2010), Simple second order chi-square correction. Mplus technical appendix.
    """
    if df == 0:
        return AdjustedTest(chisq, 0, chisq, np.nan, 0.0)
    scale = float(np.sqrt(second / df))
    shift = df - first / scale
    return AdjustedTest(chisq / scale + shift, df, chisq, scale, shift)


def _measures(
    block: OrdinalMoments, model: ModelMap, loss: LeastSquares, theta: Array, Gamma: Array, test: AdjustedTest
) -> FitMeasures:
    """Fit measures of the corrected statistic; log-likelihood and information criteria are NaN."""
    S, p = block.covariances, len(block.items)
    rows, columns = np.triu_indices(p)
    apart = (rows != columns)[block.kept]
    weight, residual = loss.weight[:, apart], loss.moments[:, apart]
    VG = weight[:, :, None] * Gamma[:, apart][:, :, apart]
    baseline = adjusted_test(
        float(loss.n @ (weight * residual**2).sum(axis=1)),
        residual.size,
        float(np.einsum("gii->", VG)),
        float(np.einsum("gij,gji->", VG, VG)),
    )
    Sigma = model.implied(theta).Sigma
    j = np.flatnonzero(block.ordered)
    Sigma[:, j, j] = 1.0
    found = fit_measures(
        chisq=test.chisq,
        df=test.df,
        n_params=model.n_free + block.n_locations,
        loglik=np.nan,
        n=block.n - 1,  # lavaan's RMSEA of least-squares estimators
        residual_srmr=srmr(Sigma, S, block.n, None),
        baseline=(baseline.chisq, baseline.df),
        has_likelihood=False,
    )
    return replace(found, nobs=block.n_total)
