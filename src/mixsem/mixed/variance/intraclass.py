"""Intraclass correlations of a mixed model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...errors import OptionError
from ..fit import MixedFit
from .icc_curve import curve, places, slope_variables
from .latent import THEORETICAL, latent_variance
from .sources import AnyFit, Sources, has_slopes, require_mixed, residual_notes, sources_of, zero_notes
from .tables import VarianceTable

if TYPE_CHECKING:
    from ..designs.design import Design

__all__ = ["ICC", "icc", "nested_in"]


@dataclass(frozen=True, eq=False, repr=False)
class ICC(VarianceTable):
    """Intraclass correlations; prints as a table.

    Attributes
    ----------
    title, frame, notes
        The table. With random intercepts alone `frame` has group, variance, adjusted and unadjusted (shares of the
        variance without and with that of the fixed effects), and icc (correlation of two rows of a level, given the
        fixed effects). With random slopes it has group, variable, value, variance, icc: the correlation of two rows of
        a level that both have this value.
    curve
        With random slopes the same at many values, to draw; else None.
    adjusted
        Share of all random effects in the variance without that of the fixed effects; NaN with random slopes, where
        there is no single number.
    unadjusted
        The same with the variance of the fixed effects.
    """

    curve: pd.DataFrame | None
    adjusted: float
    unadjusted: float


def icc(fit: AnyFit, method: str | None = None) -> ICC:
    """Intraclass correlations: how alike two rows of a cluster are.

    Parameters
    ----------
    fit
        A fit of `lmer` or `glmer`.
    method
        Of generalised models, as in `r2`; for binomial ones ``"theoretical"`` if it is left out. Their correlation is
        that of the latent scale, of the linear predictor, not that of responses.

    Returns
    -------
    ICC
        With random intercepts alone a row for each grouping factor, and one for all together if there are several. With
        random slopes the correlation depends on the predictor, so that there is a table of it by the predictor's values
        (all, or the quartiles with minimum and maximum); ``mixsem.plots.icc`` draws the curve.

    Raises
    ------
    OptionError
        If `fit` is no mixed model, or a method is named for a linear one.
    ModelError
        If a generalised model needs a method.

    Notes
    -----
    The correlation of two rows of a level counts the variances of factors in whose levels the level lies too: two rows
    of one class are also of one school. `implied_cov` shows the correlations of all rows of a cluster: with random
    intercepts of one factor all are the intraclass correlation.

    Examples
    --------
    >>> from mixsem.data import sleepstudy
    >>> from mixsem.mixed.linear import lmer
    >>> icc(lmer("Reaction ~ Days + (1 | Subject)", sleepstudy())).frame.round(3)
         group  variance  adjusted  unadjusted    icc
    0  Subject  1378.178     0.589       0.424  0.589
    >>> icc(lmer("Reaction ~ Days + (Days | Subject)", sleepstudy())).frame.round(3).iloc[[0, 5, 9]]
         group variable  value  variance    icc
    0  Subject     Days      0   612.092  0.483
    5  Subject     Days      5  1584.925  0.708
    9  Subject     Days      9  3625.769  0.847
    """
    require_mixed(fit, "icc")
    latent, words = None, list[str]()
    if not isinstance(fit, MixedFit):
        usual = "theoretical" if fit.family.link.name in THEORETICAL else None
        latent, how = latent_variance(fit, usual if method is None else method, "icc")
        words.append(f"Correlations on the latent scale, not of responses; the variance of an observation is {how}.")
    elif method is not None:
        raise OptionError(
            f"method={method!r} for a linear mixed model", allowed="method= for fits of glmer()", todo="leave it out"
        )
    sources = sources_of(fit, latent)
    nested = nested_in(fit.design)
    words += [*zero_notes(sources.terms, fit.sigma), *residual_notes(fit)]
    made = _by_value(fit, sources, nested) if has_slopes(fit.design.terms) else _single(fit, sources, nested)
    return replace(made, notes=(*made.notes, *words))


def _single(fit: AnyFit, sources: Sources, nested: NDArray[np.bool_]) -> ICC:
    """Random intercepts alone."""
    variances = np.array([term.mean_variance for term in sources.terms])
    factors = [term.factor for term in fit.design.terms]
    by_factor = np.zeros(len(nested))
    by_factor[factors] = variances
    around = sources.random + sources.rest
    frame = pd.DataFrame(
        {
            "group": [factor.name for factor in fit.design.factors],
            "variance": by_factor,
            "adjusted": by_factor / around,
            "unadjusted": by_factor / sources.total,
            "icc": nested @ by_factor / around,
        }
    )
    adjusted, unadjusted = sources.random / around, sources.random / sources.total
    if len(frame) > 1:
        last = pd.DataFrame([("all", sources.random, adjusted, unadjusted, np.nan)], columns=frame.columns)
        frame = pd.concat([frame, last], ignore_index=True)
    notes = [
        "Adjusted: share of the variance around the fixed effects; unadjusted: of the whole variance. ICC: correlation"
        " of two rows of a level, given the fixed effects."
    ]
    names = [factor.name for factor in fit.design.factors]
    inside = [f"{names[f]} within {names[g]}" for f, g in zip(*np.nonzero(nested), strict=True) if f != g]
    if inside:
        notes.append(f"Rows of one level share those around it too ({', '.join(inside)}): ICC counts both.")
    if any(sources.dispersion):
        notes.append("The effect of every single row is overdispersion: it counts as residual.")
    return ICC("Intraclass correlations", frame, tuple(notes), None, adjusted, unadjusted)


def _by_value(fit: AnyFit, sources: Sources, nested: NDArray[np.bool_]) -> ICC:
    """Random slopes."""
    names = slope_variables(fit.design)
    tables = [
        pd.concat(
            [curve(fit, name, places(fit.design, name, fine=fine), sources.rest, nested) for name in names],
            ignore_index=True,
        )
        for fine in (False, True)
    ]
    notes = [
        "With random slopes the correlation of two rows of a level depends on the predictor, so that there is no single"
        " intraclass correlation. Both rows have the value shown; for rows with different values see implied_cov()."
    ]
    if len(names) > 1:
        notes.append("Other predictors with random slopes stay as observed: variances are averaged over the rows.")
    title = f"Intraclass correlation by {', '.join(names)}"
    return ICC(title, tables[0], tuple(notes), tables[1], np.nan, np.nan)


def nested_in(design: Design) -> NDArray[np.bool_]:
    """(F, F) whether each level of factor f lies within one level of factor g."""
    factors = design.factors
    found = np.eye(len(factors), dtype=bool)
    for f, inner in enumerate(factors):
        for g, outer in enumerate(factors):
            if f != g and inner.n_levels >= outer.n_levels:
                first = np.zeros(inner.n_levels, dtype=outer.codes.dtype)
                first[inner.codes] = outer.codes
                found[f, g] = bool((first[inner.codes] == outer.codes).all())
    return found
