"""The complete-case fit beside the same model fitted to imputed data."""

from __future__ import annotations

import reprlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...errors import OptionError, enumerate_briefly
from ...options import as_names, require_choice, require_flag
from ..derived.frame_table import FrameTable
from ..fit import MixedFit
from .refits import as_tables, rebuilt_columns, refit_all, variance_parameters, warning_notes
from .report import LITTLE, loss_advice
from .rubin import Pooled, pool_estimates

if TYPE_CHECKING:
    from ...data.columns import FrameLike

__all__ = ["DfComplete", "Sensitivity", "sensitivity"]

DfComplete = Literal["satterthwaite", "residual", "infinite"]
DF_COMPLETE: tuple[DfComplete, ...] = ("satterthwaite", "residual", "infinite")

#: Change of an estimate, in standard errors of the complete-case fit, that is worth a word.
NOTABLE = 0.5
#: Degrees of freedom from which on t is normal.
UNLIMITED = 1e5


@dataclass(frozen=True, eq=False, repr=False)
class Sensitivity:
    """Estimates from complete cases beside those from imputed data; prints as two tables.

    Attributes
    ----------
    fixed
        Fixed effects: name, estimate and se of the complete cases, then those of each imputed table, or pooled ones
        with df, p_value and fmi (fraction of missing information); change, in standard errors of the complete cases.
    random
        Standard deviations and correlations, likewise.
    fit
        The complete-case fit.
    fits
        Those to imputed tables.
    names
        Their names.
    pooled
        The fixed effects by Rubin's rules; None if not pooled.
    """

    fixed: FrameTable
    random: FrameTable
    fit: MixedFit
    fits: tuple[MixedFit, ...]
    names: tuple[str, ...]
    pooled: Pooled | None

    def __repr__(self) -> str:
        return f"{self.fixed!r}\n\n{self.random!r}"

    def _repr_html_(self) -> str:
        return self.fixed._repr_html_() + self.random._repr_html_()


def sensitivity(
    fit: MixedFit,
    imputed: FrameLike | Sequence[FrameLike],
    names: str | Sequence[str] | None = None,
    *,
    pool: bool = True,
    df_complete: DfComplete | None = None,
) -> Sensitivity:
    """Fit the same model to imputed data, and show its estimates beside those of the complete cases.

    Parameters
    ----------
    fit
        The complete-case fit.
    imputed
        A table with the missing values filled in, or several: multiple imputations, or scenarios. They may come from
        any program.
    names
        Names of the tables; ``"imputed 1"`` and so on by default.
    pool
        Whether several tables are pooled by Rubin's rules. False shows each in its own columns: for scenarios, which
        are no draws from one distribution.
    df_complete
        Degrees of freedom that complete data would have, on which those of pooled estimates rest:
        ``"satterthwaite"`` (the default for linear models: the mean over the imputed fits), ``"residual"`` (rows less
        parameters, as mice takes them, far too many for predictors of clusters), ``"infinite"``.

    Returns
    -------
    Sensitivity
        Prints as two tables; ``.fits`` has the fits.

    Raises
    ------
    OptionError
        If an argument is none of what is allowed, weights or offsets came as numbers, or the response is scaled anew
        in each table.
    DataError
        If the model cannot be fitted to a table, has other coefficients there, or values are beyond the range of a
        spline of the fit.

    Notes
    -----
    Columns such as ``poly(x, 2)``, ``scale(x)`` and ``bs(x)`` are made of imputed tables with the means, lengths and
    knots of the complete cases, as predictions make them: coefficients of all tables have the same units.

    Of variance components no standard errors are pooled: standard deviations are averaged on the log scale,
    correlations on Fisher's z scale.

    References
    ----------
    Rubin (1987), Multiple Imputation for Nonresponse in Surveys. Barnard & Rubin (1999), doi 10.1093/biomet/86.4.948.
    Van Buuren (2018), Flexible Imputation of Missing Data, 2nd ed., chapter 7 on clusters.

    Examples
    --------
    >>> import warnings
    >>> import mixsem as mx
    >>> data = mx.data.sleepstudy()
    >>> whole = data.copy()
    >>> data.loc[[8, 9, 25], "Reaction"] = float("nan")
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")  # rows are left out
    ...     fit = mx.lmer("Reaction ~ Days + (1 | Subject)", data)
    >>> sensitivity(fit, whole).fixed.frame[["name", "estimate", "se", "change"]].round(2)
              name  estimate    se  change
    0  (Intercept)    252.65  9.47   -0.13
    1         Days     10.01  0.79    0.58
    """
    tables = as_tables(imputed)
    require_flag("pool", pool)
    labels = _labels(names, len(tables))
    fits = refit_all(fit, tables, labels)
    pooled = None
    chosen = df_complete or ("satterthwaite" if isinstance(fit, MixedFit) else "infinite")
    if pool and len(fits) > 1:
        require_choice("df_complete", chosen, DF_COMPLETE, "satterthwaite")
        pooled = _pool(fits, chosen)
    elif df_complete is not None:
        raise OptionError("df_complete= where nothing is pooled", allowed="it with several tables and pool=True")
    return Sensitivity(
        fixed=_fixed_table(fit, fits, labels, pooled, chosen),
        random=_random_table(fit, fits, labels, pooled is not None),
        fit=fit,
        fits=fits,
        names=labels,
        pooled=pooled,
    )


def _labels(names: str | Sequence[str] | None, n: int) -> tuple[str, ...]:
    if names is None:
        return ("imputed",) if n == 1 else tuple(f"imputed {i + 1}" for i in range(n))
    labels = as_names(names)
    if len(labels) != n or len(set(labels)) < n:
        raise OptionError(f"names={reprlib.repr(names)} for {n} tables", allowed="one name per table, each once")
    return labels


def _pool(fits: Sequence[MixedFit], df_complete: DfComplete) -> Pooled:
    estimates = np.array([fit.beta for fit in fits])
    variances = np.array([np.asarray(fit.se) ** 2 for fit in fits])
    df: NDArray[np.float64] | float = np.inf
    if df_complete == "residual":
        df = float(fits[0].df_residual)
    elif df_complete == "satterthwaite":
        if not all(isinstance(fit, MixedFit) for fit in fits):
            raise OptionError("df_complete='satterthwaite' for a generalised model", allowed="'residual', 'infinite'")
        df = np.mean([fit.satterthwaite.tests.df(np.eye(fit.model.p)) for fit in fits], axis=0)
    return pool_estimates(estimates, variances, df)


def _fixed_table(
    fit: MixedFit, fits: Sequence[MixedFit], names: Sequence[str], pooled: Pooled | None, df_complete: DfComplete
) -> FrameTable:
    """Fixed effects side by side."""
    se = np.asarray(fit.se)
    columns: dict[str, object] = {"name": list(fit.design.fixed_names), "estimate": fit.beta, "se": se}
    if pooled is not None:
        df = np.where(pooled.df > UNLIMITED, np.inf, pooled.df)
        columns |= {"pooled": pooled.estimate, "pooled_se": pooled.se, "df": df, "p_value": pooled.p_value}
        columns |= {"fmi": pooled.fmi, "change": (pooled.estimate - fit.beta) / se}
    else:
        for name, other in zip(names, fits, strict=True):
            columns |= {name: other.beta, f"{name} SE": np.asarray(other.se)}
        if len(fits) == 1:
            columns["change"] = (fits[0].beta - fit.beta) / se
    return FrameTable(
        "Fixed effects: complete cases and imputed data",
        pd.DataFrame(columns),
        _fixed_notes(fit, fits, names, pooled, df_complete, columns.get("change")),
    )


def _fixed_notes(
    fit: MixedFit,
    fits: Sequence[MixedFit],
    names: Sequence[str],
    pooled: Pooled | None,
    df_complete: DfComplete,
    change: object,
) -> tuple[str, ...]:
    lost = 1.0 - fit.nobs / fit.design.n_rows
    others = sorted({other.nobs for other in fits})
    used = f"{others[0]:,}" if len(others) == 1 else f"{others[0]:,} to {others[-1]:,}"
    notes = [f"estimate and se: the {fit.nobs:,} complete of {fit.design.n_rows:,} rows; imputed data: {used} rows."]
    if pooled is not None:
        basis = {"residual": "rows less parameters", "infinite": "z"}.get(df_complete, "Satterthwaite's")
        notes.append(
            f"pooled: {pooled.m} imputations by Rubin's rules; df by Barnard and Rubin (complete data: {basis}); fmi:"
            " fraction of missing information."
        )
        worst = float(np.max(pooled.fmi))
        if pooled.m < 100.0 * worst:
            notes.append(
                f"The largest fmi is {worst:.2f}: standard errors are stable with some {np.ceil(100 * worst):.0f}"
                " imputations (one for each percent; White, Royston & Wood, 2011)."
            )
    if change is not None:
        size = np.abs(np.asarray(change, dtype=float))
        far = [name for name, moved in zip(fit.design.fixed_names, size, strict=True) if moved > NOTABLE]
        told = "none is" if not far else f"{', '.join(far)} {'is' if len(far) == 1 else 'are'}"
        notes.append(
            f"change: in standard errors of the complete cases; {told} above {NOTABLE:g}."
            + " What is said about these rests on how missing values are treated." * bool(far)
        )
    rebuilt = rebuilt_columns(fit)
    if rebuilt:
        notes.append(
            f"{enumerate_briefly(rebuilt)}: means, lengths and knots are those of the complete cases in all tables, so"
            " that coefficients have the same units."
        )
    if fit.nobs == fit.design.n_rows:
        notes.append("The fit lost no row: imputed data only differ in values that were there.")
    notes.append(
        "Imputed values are as good as the model that made them: it needs the clusters, the outcome, and every"
        " interaction and random slope of this model. One imputation alone treats them as observed, and standard errors"
        " are too small."
        if pooled is None
        else "Imputed values are as good as the model that made them: it needs the clusters, the outcome, and every"
        " interaction and random slope of this model."
    )
    if 0.0 < lost < LITTLE:
        notes.append(loss_advice(lost))
    return (*notes, *warning_notes(fits, names, fit.design.n_rows))


def _random_table(fit: MixedFit, fits: Sequence[MixedFit], names: Sequence[str], pool: bool) -> FrameTable:
    """Standard deviations and correlations side by side; pooled ones as means on scales without bounds."""
    base, others = variance_parameters(fit), [variance_parameters(other) for other in fits]
    columns: dict[str, object] = {"name": list(base.index), "estimate": base.to_numpy()}
    aligned = [other.reindex(base.index).to_numpy() for other in others]
    notes: tuple[str, ...] = ()
    if pool:
        stacked = np.array(aligned)
        is_cor = np.array([name.startswith("cor_") for name in base.index])
        columns |= {"pooled": _pooled_scale(stacked, is_cor)}
        columns |= {"lowest": stacked.min(axis=0), "highest": stacked.max(axis=0)}
        notes = (
            "pooled: standard deviations averaged on the log scale, correlations on Fisher's z scale; where an"
            " imputation lies on the boundary, plain means. lowest and highest: of the imputations. Rubin's rules are"
            " for estimates that are nearly normal: there are no pooled standard errors here.",
        )
    else:
        columns |= dict(zip(names, aligned, strict=True))
    return FrameTable("Random effects: complete cases and imputed data", pd.DataFrame(columns), notes)


def _pooled_scale(values: NDArray[np.float64], is_cor: NDArray[np.bool_]) -> NDArray[np.float64]:
    with np.errstate(divide="ignore", invalid="ignore"):
        free = np.where(is_cor, np.arctanh(values), np.log(values)).mean(axis=0)
        back = np.where(is_cor, np.tanh(free), np.exp(free))
    return np.where(np.isfinite(free), back, values.mean(axis=0))
