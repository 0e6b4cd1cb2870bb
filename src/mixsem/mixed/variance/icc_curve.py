"""Intraclass correlations where slopes are random: as functions of the predictors that have them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..formulas.formula_text import scan, variables

if TYPE_CHECKING:
    from ..derived.varcorr import TermVariance
    from ..designs.design import Design
    from ..designs.random_part import RandomTerm
    from .sources import AnyFit

__all__ = ["curve", "places", "slope_variables"]

Array = NDArray[np.float64]

#: Up to so many different values all are shown, else quartiles and extremes.
MOST_VALUES = 10
#: Points of a curve to draw.
POINTS = 81


def slope_variables(design: Design) -> tuple[str, ...]:
    """Predictors whose coefficients vary over levels."""
    return tuple(dict.fromkeys(name for term in design.terms for name in _names(term.columns.text)))


def places(design: Design, variable: str, *, fine: bool = False) -> tuple[object, ...]:
    """Values of a predictor to look at.

    Parameters
    ----------
    design
        The matrices.
    variable
        One of `slope_variables`.
    fine
        For a curve: many between the extremes.
    """
    column = design.frame[variable]
    if not pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        observed = column.cat.categories if isinstance(column.dtype, pd.CategoricalDtype) else sorted(column.unique())
        return tuple(value for value in observed if (column == value).any())
    values = np.unique(column.to_numpy(dtype=float))
    if fine:
        values = np.linspace(values[0], values[-1], POINTS)
    elif len(values) > MOST_VALUES:
        values = np.unique(np.quantile(column.to_numpy(dtype=float), [0.0, 0.25, 0.5, 0.75, 1.0]))
    return tuple(values.astype(int).tolist() if (values == np.round(values)).all() else values.tolist())


def curve(fit: AnyFit, variable: str, values: Sequence[object], rest: float, nested: NDArray[np.bool_]) -> pd.DataFrame:
    """Correlation of two rows of one level that have the same value of a predictor, by that value.

    Other predictors with random coefficients stay as they are in the rows of the fit: variances are averaged over them.

    Parameters
    ----------
    fit
        A mixed model.
    variable
        The predictor.
    values
        Its values.
    rest
        Residual variance.
    nested
        (F, F) whether the levels of factor f lie within those of factor g, itself included.

    Returns
    -------
    pandas.DataFrame
        group, variable, value, variance (of the random effects of the factor), icc.
    """
    design = fit.design
    by_factor = np.zeros((len(values), len(design.factors)))
    for term, variance in zip(design.terms, fit.varcorr.terms, strict=True):
        by_factor[:, term.factor] += _term_variance(design, term, variance, variable, values)
    total = by_factor.sum(axis=1) + rest
    frames = []
    for f, factor in enumerate(design.factors):
        shared = by_factor[:, nested[f]].sum(axis=1)
        columns = {"group": factor.name, "variable": variable, "value": list(values)}
        frames.append(pd.DataFrame({**columns, "variance": by_factor[:, f], "icc": shared / total}))
    return pd.concat(frames, ignore_index=True)


def _term_variance(
    design: Design, term: RandomTerm, variance: TermVariance, variable: str, values: Sequence[object]
) -> Array:
    """Variance z' Sigma z of a term at each value, averaged over the other predictors of the term."""
    names = _names(term.columns.text)
    if variable not in names:
        return np.full(len(values), variance.mean_variance)
    others = [name for name in names if name != variable]
    rows = design.frame[names].iloc[:1].assign(count=1)
    if others:
        rows = design.frame.groupby(others, observed=True, dropna=False).size().rename("count").reset_index()
    share = rows["count"].to_numpy() / rows["count"].sum()
    found = np.empty(len(values))
    numbers = pd.api.types.is_numeric_dtype(design.frame[variable])
    for i, value in enumerate(values):
        column = pd.Series([value] * len(rows), rows.index, dtype=None if numbers else design.frame[variable].dtype)
        Z = design.term_matrix(term, rows.assign(**{variable: column}))
        found[i] = share @ np.einsum("ni,ij,nj->n", Z, variance.covariance, Z)
    return found


def _names(text: str) -> list[str]:
    return list(variables(scan(text)))
