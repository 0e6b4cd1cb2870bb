"""A mixed model of people over time as a growth curve: factors with known loadings, regressed on what people are."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...errors import ModelError
from ..structure.residual_sets import read_residual_rows
from .occasions import Occasions, read_occasions

if TYPE_CHECKING:
    from ..designs.design import Design
    from ..fit import MixedFit
    from ..structure.residual_structure import Residual

__all__ = ["FixedPart", "GrowthFactor", "GrowthModel", "read_growth"]

Array = NDArray[np.float64]

#: Columns that are equal up to this, relative to the larger, are taken as the same.
SAME = 1e-10


@dataclass(frozen=True, eq=False)
class GrowthFactor:
    """One latent variable of the curve: an intercept, a slope, a power of time.

    Attributes
    ----------
    name
        Its name in the model text.
    label
        The coefficient of the mixed model that it holds, as in ``"(Intercept)"``.
    loadings
        (T,) its value at each occasion.
    term, place
        The random term and the position in it whose effect it is; -1 if people do not differ in it.
    """

    name: str
    label: str
    loadings: Array
    term: int = -1
    place: int = -1

    @property
    def is_random(self) -> bool:
        """Whether people differ in it beyond what covariates tell."""
        return self.term >= 0


@dataclass(frozen=True)
class FixedPart:
    """Where a fixed effect of the mixed model is in the growth curve.

    Attributes
    ----------
    column
        Its name in the mixed model.
    factor
        Position of the factor.
    covariate
        The covariate that the factor is regressed on; ``""`` if the effect is the factor's mean.
    """

    column: str
    factor: int
    covariate: str = ""


@dataclass(frozen=True, eq=False)
class GrowthModel:
    """A growth curve that is the same model as a mixed model.

    Attributes
    ----------
    occasions
        People and times.
    items
        (T,) names of the response at each occasion.
    factors
        The growth factors, random ones first.
    fixed
        Each fixed effect of the mixed model.
    correlated
        Pairs of positions of factors that covary.
    strata
        (T,) which residual variance each occasion has, and the labels of these.
    wide
        A row per person: the items, NaN where a person has no row, and the covariates.
    """

    occasions: Occasions
    items: tuple[str, ...]
    factors: tuple[GrowthFactor, ...]
    fixed: tuple[FixedPart, ...]
    correlated: tuple[tuple[int, int], ...]
    strata: tuple[int, ...]
    stratum_labels: tuple[str, ...]
    wide: pd.DataFrame

    @property
    def covariates(self) -> tuple[str, ...]:
        """Columns of `wide` beside the items."""
        return tuple(self.wide.columns[len(self.items) :])

    @property
    def random(self) -> tuple[int, ...]:
        """Positions of the factors in which people differ."""
        return tuple(k for k, factor in enumerate(self.factors) if factor.is_random)


def read_growth(fit: MixedFit, residual: Residual | None, time: str | None = None) -> GrowthModel:
    """Read a fit as a growth curve.

    Parameters
    ----------
    fit
        A mixed model with one grouping factor, whose predictors belong to people or to occasions.
    residual
        The structure of the residuals: None, or variances that differ between occasions.
    time
        The column of the time, if it is not to be found.

    Raises
    ------
    ModelError, DataError, OptionError
        If the model has no such form; the message names the part that has not.
    """
    design = fit.design
    if design.weights is not None or design.offset is not None:
        what = "weights" if design.weights is not None else "an offset"
        raise ModelError(f"the fit has {what}", allowed="fits without", todo=f"fit the model without {what}")
    occasions = read_occasions(design, time)
    (n, T), grid = occasions.shape, occasions.grid
    factors = _random_factors(fit, occasions)
    X = design.fixed_matrix(grid).reshape(n, T, design.p)
    means = {j: X[0, :, j] for j in range(design.p) if _same(X[:, :, j], X[:1, :, j])}
    for j, values in means.items():
        if not any(_same(values, factor.loadings) for factor in factors):
            factors.append(GrowthFactor(_factor_name(design.fixed_names[j], factors), design.fixed_names[j], values))
    fixed, covariates = [], dict[str, Array]()
    items = _items(design, occasions)
    for j, column in enumerate(design.fixed_names):
        if j in means:
            k = next(k for k, factor in enumerate(factors) if _same(means[j], factor.loadings))
            fixed.append(FixedPart(column, k))
        else:
            k, values = _product(column, X[:, :, j], factors)
            fixed.append(FixedPart(column, k, _covariate(column, values, factors[k], covariates, items)))
    _require_distinct(covariates)
    labels, strata = _strata(design, occasions, residual)
    y = np.where(occasions.rows >= 0, design.y[occasions.rows], np.nan)
    index = pd.Index(list(occasions.people.levels), name=occasions.people.name)
    wide = pd.DataFrame(dict(zip(items, y.T, strict=True)) | covariates, index=index)
    pairs = _pairs(fit, factors)
    return GrowthModel(occasions, items, tuple(factors), tuple(fixed), pairs, strata, labels, wide)


def _random_factors(fit: MixedFit, occasions: Occasions) -> list[GrowthFactor]:
    (n, T), found = occasions.shape, list[GrowthFactor]()
    for t, term in enumerate(fit.design.terms):
        Z = np.ones((n * T, 1)) if term.Z is None else fit.design.term_matrix(term, occasions.grid)
        for place, label in enumerate(term.names):
            values = Z[:, place].reshape(n, T)
            if not _same(values, values[:1]):
                raise ModelError(
                    f"the random effect {label} of {term.bar.text} is no function of {occasions.times.name} alone",
                    allowed="random effects of the intercept and of functions of the time",
                    todo="stay with the mixed model, or take the effect out of the random term",
                )
            if any(_same(values[0], factor.loadings) for factor in found):
                raise ModelError(f"two random terms have the effect {label}", todo="leave one of them out")
            found.append(GrowthFactor(_factor_name(label, found), label, values[0], t, place))
    return found


def _pairs(fit: MixedFit, factors: list[GrowthFactor]) -> tuple[tuple[int, int], ...]:
    return tuple(
        (a, b)
        for a, one in enumerate(factors)
        for b, other in enumerate(factors[a + 1 :], a + 1)
        if one.is_random and one.term == other.term and fit.design.terms[one.term].correlated
    )


def _product(column: str, values: Array, factors: list[GrowthFactor]) -> tuple[int, Array]:
    """The factor and the covariate of which a column is the product; a factor that is lacking is added."""
    ones = np.ones(values.shape[1])
    if _same(values, values[:, :1]) and not any(_same(ones, factor.loadings) for factor in factors):
        factors.append(GrowthFactor(_factor_name("(Intercept)", factors), "(Intercept)", ones))
    for k, factor in enumerate(factors):
        known = values @ factor.loadings / (factor.loadings @ factor.loadings)
        if _same(values, np.outer(known, factor.loadings)):
            return k, known
    largest = values[np.abs(values).max(axis=1).argmax()]
    loadings = largest / largest[np.abs(largest).argmax()]
    known = values @ loadings / (loadings @ loadings)
    if not _same(values, np.outer(known, loadings)):
        raise ModelError(
            f"the fixed effect {column} is no product of a covariate and a function of time",
            allowed="effects of time, of covariates of people, and their products",
            todo="write it as such, or stay with the mixed model",
        )
    factors.append(GrowthFactor(_factor_name(f"curve_{column}", factors), f"the curve of {column}", loadings))
    return len(factors) - 1, known


def _covariate(column: str, values: Array, factor: GrowthFactor, known: dict[str, Array], items: Iterable[str]) -> str:
    """Name of the covariate with these values, which is added unless it is there."""
    for name, others in known.items():
        if _same(values, others):
            return name
    parts = [part for part in column.split(":") if part != factor.label] or [column]
    name = _free(plain_name("_".join(parts)), [*known, *items])
    known[name] = values
    return name


def _require_distinct(covariates: dict[str, Array]) -> None:
    """Refuse covariates of which one follows from the others: a structural equation model has their covariances."""
    if not covariates:
        return
    values = np.column_stack(list(covariates.values()))
    columns = np.column_stack([np.ones(len(values)), values])
    if np.linalg.matrix_rank(columns / np.linalg.norm(columns, axis=0)) < columns.shape[1]:
        raise ModelError(
            f"the covariates {', '.join(covariates)} add up to a constant or to one another",
            allowed="covariates with covariances that can be inverted",
            todo="write the formula with main effects and the intercept, such as y ~ time * group + (time | person)",
        )


def _items(design: Design, occasions: Occasions) -> tuple[str, ...]:
    """Names of the response at each occasion."""
    response, found = plain_name(design.formula.response), list[str]()
    for level in occasions.times.levels:
        found.append(_free(plain_name(f"{response}_{str(level).replace('-', 'm')}"), found))
    return tuple(found)


def _factor_name(label: str, others: Iterable[GrowthFactor]) -> str:
    return _free(plain_name(label), [factor.name for factor in others])


def _strata(design: Design, occasions: Occasions, residual: Residual | None) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Residual variances: their labels, and the one of each occasion."""
    T = occasions.shape[1]
    if residual is None:
        return ("",), (0,) * T
    if residual.ar1 is not None:
        raise ModelError(
            "the residuals are autocorrelated",
            allowed="independent residuals, with one variance or one per occasion",
            todo="give a fit without ar1=, or stay with the mixed model",
        )
    rows = read_residual_rows(residual, design.frame, design.factors)
    of_time = [np.unique(rows.strata[occasions.times.codes == t]) for t in range(T)]
    if any(len(found) > 1 for found in of_time):
        raise ModelError(
            f"residual variances by {residual.by} differ between people at the same {occasions.times.name}",
            allowed="variances that differ between occasions only",
            todo="use by= with the time, or stay with the mixed model",
        )
    return rows.levels, tuple(int(found[0]) for found in of_time)


def plain_name(text: str) -> str:
    """A name that model syntax can hold: ``"sex[T.male]"`` becomes ``"sex_male"``.

    Examples
    --------
    >>> plain_name("(Intercept)"), plain_name("I(time ** 2)"), plain_name("gpa_0.5"), plain_name("C(sex)[T.male]")
    ('Intercept', 'I_time_2', 'gpa_0.5', 'C_sex_male')
    """
    name = re.sub(r"(?:[^\w.]|_)+", "_", text.replace("[T.", "_")).strip("_.")
    return name if name and not name[0].isdigit() else f"v{name}"


def _free(name: str, taken: Iterable[str]) -> str:
    used = set(taken)
    while name in used:
        name += "_"
    return name


def _same(a: Array, b: Array) -> bool:
    scale = max(float(np.abs(a).max(initial=0.0)), float(np.abs(b).max(initial=0.0)))
    return bool(np.abs(a - b).max(initial=0.0) <= SAME * scale)
