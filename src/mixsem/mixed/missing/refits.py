"""The model of a fit, fitted to other tables: without its warnings, which are counted."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ...errors import DataError, MixsemError, MixsemWarning, OptionError

if TYPE_CHECKING:
    from ...data.columns import FrameLike
    from ..fit import MixedFit

__all__ = ["as_tables", "refit_all", "variance_parameters", "warning_notes"]


def as_tables(imputed: object) -> list[Any]:
    """One table or several as a list of tables.

    Raises
    ------
    OptionError
        If there is none.
    """
    if isinstance(imputed, Mapping) or hasattr(imputed, "columns") or not isinstance(imputed, Sequence):
        return [imputed]
    if not len(imputed) or isinstance(imputed, str):
        raise OptionError(f"imputed={imputed!r}", allowed="a table without missing values, or a list of such tables")
    return list(imputed)


def refit_all(fit: MixedFit, tables: Sequence[FrameLike], names: Sequence[str]) -> tuple[MixedFit, ...]:
    """Fit the same model, with the same options, weights and offsets, to each table.

    Raises
    ------
    OptionError
        If weights or offsets came as numbers, which belong to rows of one table.
    DataError
        If a table cannot be used, or leads to other coefficients.
    """
    design = fit.design
    for what, column in (("weights", design.weights_column), ("offset", design.offset_column)):
        values = getattr(design, what)
        written = what == "offset" and design.formula.offsets
        if values is not None and column is None and not written:
            raise OptionError(
                f"{what} came as numbers, one per row of the table of the fit",
                allowed=f"{what}= the name of a column, which imputed tables have too",
                todo=f"make them a column, and fit again with {what}= its name",
            )
    found = []
    for name, table in zip(names, tables, strict=True):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MixsemWarning)
            try:
                other = fit.specification.fit(table, weights=design.weights_column, offset=design.offset_column)
            except MixsemError as error:
                raise DataError(f"{name}: {error.args[0]}") from error
        if other.design.fixed_names != design.fixed_names:
            raise DataError(
                f"{name} leads to the coefficients {', '.join(other.design.fixed_names)}",
                allowed=f"those of the fit: {', '.join(design.fixed_names)}",
                todo="give categories of imputed tables the levels, and the order, of the original ones",
            )
        found.append(other)
    return tuple(found)


def variance_parameters(fit: MixedFit) -> pd.Series:
    """Standard deviations and correlations by name: ``sd_Days|Subject``, ``cor_Days.(Intercept)|Subject``, sigma."""
    found: dict[str, float] = {}
    for row in fit.varcorr.frame.to_dict("records"):
        group, effect, other = row["group"], row["effect"], row["effect2"]
        if group == "Residual":
            name = f"sigma {effect}" if isinstance(effect, str) else "sigma"
        else:
            name = f"cor_{other}.{effect}|{group}" if isinstance(other, str) else f"sd_{effect}|{group}"
        found[name] = float(row["sdcor"])
    return pd.Series(found, dtype=float)


def warning_notes(fits: Sequence[MixedFit], names: Sequence[str]) -> tuple[str, ...]:
    """Rows that imputed tables still lose, and how many of their fits had which trouble."""
    notes = []
    lost = np.array([fit.design.n_rows - fit.nobs for fit in fits])
    if lost.any():
        which = ", ".join(f"{name} ({n:,})" for name, n in zip(names, lost, strict=True) if n)
        which = f"{lost[0]:,} in each table" if len(lost) > 1 and (lost == lost[0]).all() else which
        notes.append(f"Rows are still left out, because values are still missing: {which}.")
    counts = Counter(
        category
        for fit in fits
        for category in {n.category.__name__ for n in fit.notices}
        if category != "MissingDataWarning"
    )
    for category, count in sorted(counts.items()):
        notes.append(f"{category} in {count} of {len(fits)} fits: see .fits[i].notices.")
    return tuple(notes)
