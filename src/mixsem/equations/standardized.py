"""Standardized solutions: parameters in standard deviations of the variables, with delta-method standard errors."""

from __future__ import annotations

from functools import singledispatch
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from ..errors import OptionError
from ..model.matrices import ALPHA, BETA, LAMBDA, NU, PSI, THETA, ModelMap
from .cells import cell_model, entry_labels, first_cells, parameters_of
from .fit import SEMFit
from .inputs import not_a_fit, require_level
from .sam_fit import SAMFit

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Scales", "Standardization", "scale_factors", "scales_of", "standardized"]

Array = NDArray[np.float64]
Standardization = Literal["all", "lv", "nox"]

#: Step of central differences, as a share of the entry's size.
STEP = 1e-5


class Scales(NamedTuple):
    """Standard deviations by which parameters are scaled; 1 where a variable keeps its unit."""

    observed: Array  # (G, p)
    factors: Array  # (G, m)
    residual_observed: Array  # (G, p)
    residual_factors: Array  # (G, m)


@singledispatch
def standardized(fit: object, kind: Standardization = "all", *, level: float = 0.95) -> pd.DataFrame:
    """Standardize the parameters of a fit.

    A loading or regression becomes the change of the outcome, in its standard deviations, that goes with one standard
    deviation of the predictor; covariances become correlations (of residuals where they are covariances of
    residuals); residual variances become shares of the variance. Standard deviations are those of the model in the
    same group. Standard errors follow from those of the estimates by the delta method.

    Parameters
    ----------
    fit
        A fitted `cfa`, `sem` or `growth`, or a `MixtureFit`, which takes no further options.
    kind
        ``"all"``: all variables have unit variance. ``"lv"``: the factors only. ``"nox"``: all but covariates whose
        moments are taken as given, such as dummies, for which a standard deviation means little.
    level
        Confidence level of the intervals.

    Returns
    -------
    DataFrame
        group, lhs, op, rhs, estimate, se, z, p_value, lower, upper; defined parameters come last (with an empty
        group), computed from the standardized values of their labels. se is 0 and z missing where a value is fixed by
        the standardization.

        Of a `MixtureFit`: level, cluster, group, outcome, predictor, estimate, probability, n. First the mean of each
        cluster (level ``"cluster"``, no group), in which a group counts with its people times the probability of the
        cluster; then every group in every cluster (level ``"group"``). Standard deviations are those that the model
        implies for the group in that cluster.

    Raises
    ------
    OptionError
        If `kind` or `level` is none of those allowed.
    UnsupportedModelError
        If there is no standardized solution for this kind of fit.

    Examples
    --------
    >>> import mixsem as mx
    >>> fit = mx.cfa("visual =~ x1 + x2 + x3; speed =~ x7 + x8 + x9", mx.data.holzinger_swineford_1939())
    >>> frame = mx.standardized(fit)
    >>> frame.loc[:2, ["lhs", "op", "rhs", "estimate", "se"]].round(3)
          lhs  op rhs  estimate     se
    0  visual  =~  x1     0.667  0.060
    1  visual  =~  x2     0.456  0.061
    2  visual  =~  x3     0.678  0.060

    References
    ----------
    Numbers agree with lavaan's ``standardizedSolution()``, types std.all, std.lv and std.nox.
    """
    raise not_a_fit(fit, "standardized")


@standardized.register(SEMFit)
def _sem_standardized(fit: SEMFit, kind: Standardization = "all", *, level: float = 0.95) -> pd.DataFrame:
    if kind not in ("all", "lv", "nox"):
        raise OptionError(f"kind={kind!r}", allowed="'all', 'lv' (factors only) or 'nox' (all but covariates)")
    require_level(level)
    import pandas as pd

    values, jacobian = _values_and_jacobian(fit, kind)
    columns = entry_labels(fit)
    estimate, se = values.ravel(), _standard_errors(fit, jacobian).ravel()
    defined = _defined(fit, values, jacobian)
    for definition in fit.constraints.definitions:
        value, error = defined[definition.name]
        for key, text in zip(columns, ("", definition.name, ":=", str(definition.expression)), strict=True):
            columns[key].append(text)
        estimate, se = np.append(estimate, value), np.append(se, error)
    with np.errstate(invalid="ignore", divide="ignore"):
        z = np.where(se > 0, estimate / se, np.nan)
    half = float(ndtri(0.5 + 0.5 * level)) * se
    return pd.DataFrame(
        {
            **columns,
            "estimate": estimate,
            "se": se,
            "z": z,
            "p_value": 2.0 * ndtr(-np.abs(z)),
            "lower": estimate - half,
            "upper": estimate + half,
        }
    )


standardized.register(SAMFit, _sem_standardized)


def scales_of(fit: SEMFit | SAMFit, model: ModelMap, theta: Array, kind: Standardization) -> Scales:
    """Standard deviations at `theta` of a model with the variables of `fit`."""
    implied = model.implied(theta)
    total = np.einsum("gii->gi", implied.Sigma)
    residual = np.einsum("gii->gi", model.values_of(THETA, theta))
    if fit.data.ordinal is not None:
        ordered = (
            fit.data.ordinal.ordered
        )  # their latent responses have unit variance, of which the residual is the rest
        residual = np.where(ordered, 1.0 - total, residual)
        total = np.where(ordered, 1.0, total)
    kept = _kept_units(fit, kind)
    observed = np.array([name in kept for name in model.observed], dtype=bool)
    factors = np.array([name in kept for name in model.factors], dtype=bool)
    disturbance = np.einsum("gii->gi", model.values_of(PSI, theta))
    with np.errstate(invalid="ignore"):
        return Scales(
            np.where(observed, 1.0, np.sqrt(total)),
            np.where(factors, 1.0, np.sqrt(np.einsum("gii->gi", implied.Phi))),
            np.where(observed, 1.0, np.sqrt(np.abs(residual))),
            np.where(factors, 1.0, np.sqrt(np.abs(disturbance))),
        )


def _kept_units(fit: SEMFit | SAMFit, kind: Standardization) -> set[str]:
    if kind == "lv":
        return set(fit.table.observed)
    return set(fit.table.covariates) if kind == "nox" else set()


def scale_factors(model: ModelMap, scales: Scales) -> Array:
    """What each entry is multiplied by, shape (G, E)."""
    row, column = model.row, model.column
    factor = np.ones((scales.observed.shape[0], model.matrix.size))

    def at(kind: int) -> NDArray[np.int64]:
        return np.flatnonzero(model.matrix == kind)

    with np.errstate(invalid="ignore", divide="ignore"):
        e = at(LAMBDA)
        factor[:, e] = scales.factors[:, column[e]] / scales.observed[:, row[e]]
        e = at(BETA)
        factor[:, e] = scales.factors[:, column[e]] / scales.factors[:, row[e]]
        e = at(NU)
        factor[:, e] = 1.0 / scales.observed[:, row[e]]
        e = at(ALPHA)
        factor[:, e] = 1.0 / scales.factors[:, row[e]]
        pairs = ((THETA, scales.observed, scales.residual_observed), (PSI, scales.factors, scales.residual_factors))
        for kind, whole, residual in pairs:
            e = at(kind)
            own = row[e] == column[e]
            side = np.where(own, whole[:, row[e]], residual[:, row[e]])
            factor[:, e] = 1.0 / (side * np.where(own, whole[:, column[e]], residual[:, column[e]]))
    return np.where(np.isfinite(factor), factor, np.nan)  # a variance of zero gives no scale


def _values_and_jacobian(fit: SEMFit, kind: Standardization) -> tuple[Array, Array]:
    """Standardized entries (G, E) and their derivatives by the entries of the same group, (G, E, E).

    An entry is moved in all groups at once: 2E evaluations, however many groups there are.
    """
    cells = cell_model(fit)
    x = fit.model.entry_values(fit.coef)

    def scaled(values: Array) -> Array:
        return values * scale_factors(cells, scales_of(fit, cells, parameters_of(cells, values), kind))

    # Steps are shares of the entry, or of what would be a tenth when standardized: they follow the items' units.
    unit = 1.0 / scale_factors(cells, scales_of(fit, cells, parameters_of(cells, x), "all"))
    size = np.fmax(np.abs(x), 0.1 * np.abs(np.where(np.isfinite(unit), unit, np.nan)))
    size = np.where(size > 0, size, 0.1)
    jacobian = np.zeros((*x.shape, x.shape[1]))
    for e in np.flatnonzero((fit.model.free >= 0).any(axis=0)):
        step = np.zeros_like(x)
        step[:, e] = STEP * size[:, e]
        jacobian[:, :, e] = (scaled(x + step) - scaled(x - step)) / (2.0 * step[:, e, None])
    return scaled(x), np.where((fit.model.free >= 0)[:, None, :], jacobian, 0.0)


def _standard_errors(fit: SEMFit, jacobian: Array) -> Array:
    free = fit.model.free
    variance = np.empty(free.shape)
    for g, (at, J) in enumerate(zip(free, jacobian, strict=True)):
        used = at >= 0
        own = fit.vcov[np.ix_(at[used], at[used])]
        variance[g] = np.einsum("ij,jk,ik->i", J[:, used], own, J[:, used], optimize=True)
    # What the standardization fixes, such as a total variance of 1, has no error: differences leave rounding there.
    return np.where(variance > 1e-16, np.sqrt(np.maximum(variance, 0.0)), np.where(np.isnan(variance), np.nan, 0.0))


def _defined(fit: SEMFit, values: Array, jacobian: Array) -> dict[str, tuple[float, float]]:
    """Defined parameters of the standardized values; a label stands for the first place that has it."""
    if not fit.constraints.definitions:
        return {}
    groups, entries = first_cells(fit.model)
    found = fit.constraints.defined(values[groups, entries])
    result = {}
    for name, (value, gradient) in found.items():
        slope = np.zeros(fit.model.n_free)
        for p in np.flatnonzero(gradient):
            free = fit.model.free[groups[p]]
            used = free >= 0
            np.add.at(slope, free[used], gradient[p] * jacobian[groups[p], entries[p], used])
        result[name] = (value, float(np.sqrt(slope @ fit.vcov @ slope)))
    return result
