"""Shares of the variance: standard deviations of the random effects, with their profile intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...options import require_flag
from ..fit import MixedFit
from ..inference.ddf import require_level
from ..uncertainty.intervals import confint
from ..uncertainty.parameters import choose_parameters
from .sources import AnyFit, has_slopes, require_mixed, residual_notes, zero_notes
from .tables import VarianceTable

if TYPE_CHECKING:
    import pandas as pd


__all__ = ["variance_shares"]


def variance_shares(fit: AnyFit, ci: bool = False, *, level: float = 0.95) -> VarianceTable:
    """Variances of the random effects and the residual, their standard deviations and shares of the total.

    Parameters
    ----------
    fit
        A mixed model.
    ci
        Whether to add profile intervals of the standard deviations.
    level
        Their coverage.

    Returns
    -------
    VarianceTable
        Prints as a table. `frame` has group, effect, variance, sd, with intervals lower and upper (of sd), and share:
        that of the whole term in the variance around the fixed effects, averaged over the rows of the fit.

    Raises
    ------
    OptionError
        If `fit` is no mixed model.
    UnsupportedModelError
        If intervals are asked for, and residuals have a structure.

    Notes
    -----
    Covariances are in ``fit.varcorr``. Shares count them: what a term adds to the variance of a row is z' Sigma z.

    Examples
    --------
    >>> from mixsem.data import sleepstudy
    >>> from mixsem.mixed.linear import lmer
    >>> fit = lmer("Reaction ~ Days + (1 | Subject)", sleepstudy())
    >>> variance_shares(fit, ci=True).frame.round(2)
          group       effect  variance     sd  lower  upper  share
    0   Subject  (Intercept)   1378.18  37.12  26.01  52.94   0.59
    1  Residual         <NA>    960.46  30.99  27.81  34.59   0.41
    """
    require_mixed(fit, "variance_shares")
    linear = isinstance(fit, MixedFit)
    require_flag("ci", ci, "True for profile intervals, False for none")
    require_level(level)
    frame, notes = _frame(fit, linear), []
    if ci:
        shown = [p.name for p in choose_parameters(fit.model, "random") if p.kind in ("sd", "sigma")]
        found = confint(fit, level=level, which=shown)  # in the order of the terms, sigma last
        for place, name in ((4, "lower"), (5, "upper")):
            frame.insert(place, name, found.frame[name].to_numpy())
        notes += [f"Limits of standard deviations: {level:.0%}.", *found.notes]
    if has_slopes(fit.design.terms):
        notes.append(
            "Variances of slopes are in the units of their predictors. Shares are those of whole terms, averaged over"
            " the rows."
        )
    if not linear:
        notes.append("Shares among the random effects: single observations have no variance of their own here.")
    notes += [*zero_notes(fit.varcorr.terms, fit.sigma), *residual_notes(fit)]
    return VarianceTable("Variance components", frame, tuple(notes))


def _frame(fit: AnyFit, linear: bool) -> pd.DataFrame:
    import pandas as pd

    varcorr = fit.varcorr
    total = varcorr.total if linear else sum(term.mean_variance for term in varcorr.terms)
    rows: list[tuple[object, ...]] = []
    for term in varcorr.terms:
        for a, name in enumerate(term.names):
            share = term.mean_variance / total if a == 0 and total > 0.0 else np.nan
            rows.append((term.group, name, term.sd[a] ** 2, term.sd[a], share))
    if linear:
        for i, (text, sd) in enumerate(varcorr.residual_rows):
            share = varcorr.mean_residual_variance / total if i == 0 else np.nan
            rows.append(("Residual", text or None, sd**2, sd, share))
    frame = pd.DataFrame(rows, columns=["group", "effect", "variance", "sd", "share"])
    return frame.astype({"effect": "string"})
