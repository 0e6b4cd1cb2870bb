"""Tables of linear mixed models: random effects, fixed effects and their correlations, scaled residuals, sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..mixed.require import AnyFit
from .table import Column, Table
from .values import enough_decimals, plural

if TYPE_CHECKING:
    import pandas as pd

    from ..mixed.designs.design import Design
    from ..mixed.designs.grouping import GroupingFactor

__all__ = [
    "criteria_table",
    "fixed_correlation_table",
    "fixed_effect_table",
    "random_effect_table",
    "scaled_residual_table",
    "size_notes",
]

#: More fixed effects than this have a matrix of correlations that nobody reads; lme4's limit is near.
MOST_CORRELATED = 12
#: Standard deviations below this, relative to the residual one, need no digits.
NOTHING = 1e-3
QUANTILES = (("min", "Min"), ("q1", "1Q"), ("median", "Median"), ("q3", "3Q"), ("max", "Max"))


def criteria_table(fit: AnyFit) -> Table:
    """Information criteria and log-likelihood of a fit by maximum likelihood."""
    columns = (
        Column("aic", "AIC", "decimal1"),
        Column("bic", "BIC", "decimal1"),
        Column("loglik", "logLik", "decimal2"),
        Column("deviance", "-2 logLik", "decimal2"),
        Column("df_residual", "df.resid", "integer"),
    )
    row = (fit.aic, fit.bic, fit.loglik, fit.deviance, fit.df_residual)
    return Table("", columns, (row,), (f"{plural(fit.n_params, 'parameter')}.",))


def scaled_residual_table(fit: AnyFit) -> Table:
    """Smallest, quartiles and largest of the residuals in residual standard deviations."""
    values = np.quantile(fit.residuals("scaled"), np.linspace(0.0, 1.0, 5))
    columns = tuple(Column(name, label, "decimal3") for name, label in QUANTILES)
    return Table("Scaled residuals", columns, (tuple(map(float, values)),))


def random_effect_table(fit: AnyFit, notes: tuple[str, ...] = ()) -> Table:
    """Variances, standard deviations and correlations of the random effects, then the residual.

    Parameters
    ----------
    fit
        A mixed model.
    notes
        Sentences below the table.
    """
    varcorr = fit.varcorr
    widest = max((len(t.names) for t in varcorr.terms if t.correlated), default=1)
    sds = _sizeable(fit)
    columns = (
        Column("group", "Groups"),
        Column("name", "Name"),
        Column("variance", "Variance", enough_decimals([sd**2 for sd in sds])),
        Column("sd", "Std.Dev.", enough_decimals(sds)),
        *(Column(f"cor{i}", "Corr" if i == 1 else "", "decimal2", "right") for i in range(1, widest)),
    )
    rows: list[tuple[object, ...]] = []
    for term in varcorr.terms:
        correlation = term.correlation
        for a, name in enumerate(term.names):
            before = [float(r) for r in correlation[a, :a]] if term.correlated else []
            padded = [*before, *[None] * widest][: widest - 1]
            group = term.group if a == 0 else ""
            rows.append((group, name, float(term.covariance[a, a]), float(term.sd[a]), *padded))
    for level, sd in varcorr.residual_rows[:1]:  # the others stand in the table of the residuals
        rows.append(("Residual", level, sd**2, sd, *[None] * (widest - 1)))
    return Table("Random effects", columns, tuple(rows), notes)


def _sizeable(fit: AnyFit) -> list[float]:
    """Standard deviations that need digits: not those that are next to nothing per SD of their predictor."""
    found = [fit.sigma] if fit.varcorr.residual_rows else []
    for term, scaling in zip(fit.varcorr.terms, fit.model.scaling.random, strict=True):
        found += [
            float(sd) for sd, scale in zip(term.sd, scaling.scale, strict=True) if sd * scale > NOTHING * fit.sigma
        ]
    return found


def fixed_effect_table(frame: pd.DataFrame, notes: tuple[str, ...] = ()) -> Table:
    """Estimates, standard errors and tests of the fixed effects.

    Parameters
    ----------
    frame
        As `CoefficientTable.frame` has it: name, estimate, se, df, t, p_value; or with z, and without df.
    notes
        Sentences below the table.
    """
    form = enough_decimals(frame["se"])
    statistic = "t" if "t" in frame else "z"
    columns = [
        Column("name", ""),
        Column("estimate", "Estimate", form),
        Column("se", "Std. Error", form),
        *([Column("df", "df", "decimal1")] if "df" in frame else []),
        Column(statistic, f"{statistic} value", "decimal3"),
        Column("p_value", "p", "p"),
    ]
    names = [column.name for column in columns]
    rows = tuple(frame[names].astype(object).itertuples(index=False, name=None))
    return Table("Fixed effects", tuple(columns), rows, notes)


def fixed_correlation_table(fit: AnyFit) -> Table | None:
    """Correlations of the estimates of the fixed effects; None where there are none, or too many to read."""
    names = fit.design.fixed_names
    if not 2 <= len(names) <= MOST_CORRELATED:
        return None
    vcov = fit.vcov.to_numpy()
    se = np.sqrt(np.diagonal(vcov))
    correlation = vcov / np.outer(se, se)
    # Numbers as headings: names of interactions are wider than the numbers below them.
    columns = (Column("name", ""), *(Column(f"cor{j + 1}", str(j + 1), "decimal2") for j in range(len(names) - 1)))
    rows = tuple(
        (f"{i + 1} {name}", *(float(correlation[i, j]) if j < i else None for j in range(len(names) - 1)))
        for i, name in enumerate(names)
    )
    return Table("Correlation of fixed effects", columns, rows)


def size_notes(design: Design) -> tuple[str, ...]:
    """Number of rows and of levels, and how many rows the levels have."""
    lost = f" of {design.n_rows:,}" if design.n < design.n_rows else ""
    groups = "; ".join(f"{factor.name}, {len(factor.levels):,}" for factor in design.factors)
    sizes = "; ".join(f"{factor.name} {_sizes(factor)}" for factor in design.factors)
    return (f"Number of obs: {design.n:,}{lost}, groups: {groups}.", f"Rows per level: {sizes}.")


def _sizes(factor: GroupingFactor) -> str:
    """Rows per level in words: "10 each" or "1 to 12, median 3, 4 levels with a single row"."""
    counts = np.bincount(factor.codes, minlength=len(factor.levels))
    low, high = int(counts.min()), int(counts.max())
    if low == high:
        return f"{low:,} each"
    single = int((counts == 1).sum())
    singles = f", {plural(single, 'level')} with a single row" if single else ""
    return f"{low:,} to {high:,}, median {float(np.median(counts)):,.4g}{singles}"
