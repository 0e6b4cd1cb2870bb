"""The model of a fit, fitted to other tables: without its warnings, which are counted."""

from __future__ import annotations

import reprlib
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ...errors import DataError, MixsemError, MixsemWarning, OptionError
from ..designs.rows import count_rows
from ..estimates import MixedEstimates
from ..formulas.formula_text import is_call, scan

if TYPE_CHECKING:
    from ...data.columns import FrameLike
    from ..designs.design import Design
    from ..fit import MixedFit

__all__ = ["as_tables", "rebuilt_columns", "refit_all", "variance_parameters", "warning_notes"]

#: Functions that remember the rows they were first computed from.
_REMEMBER = frozenset(("bs", "cc", "center", "cr", "cs", "poly", "scale", "standardize"))
#: Columns that differ by less than this, relative to their largest value, are the same but for rounding.
SAME = 1e-10


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
        raise OptionError(
            f"imputed={reprlib.repr(imputed)}", allowed="a table without missing values, or a list of such tables"
        )
    return list(imputed)


def refit_all(fit: MixedFit, tables: Sequence[FrameLike], names: Sequence[str]) -> tuple[MixedFit, ...]:
    """Fit the same model, with the same options, weights, offsets and bases of columns, to each table.

    Raises
    ------
    OptionError
        If it is no fit of a mixed model; if weights or offsets came as numbers, which belong to rows of one table, or
        the response is scaled anew in each table.
    DataError
        If a table cannot be used, has fewer rows than the fit, or leads to other coefficients.
    """
    _require_refittable(fit)
    design = fit.design
    found = []
    for name, table in zip(names, tables, strict=True):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MixsemWarning)
            try:
                _require_rows(design, table)
                other = fit.specification.fit(table, weights=design.weights_column, offset=design.offset_column)
            except MixsemError as error:
                raise DataError(f"{name}: {error.got}", allowed=error.allowed, todo=error.todo) from error
        if other.design.fixed_names != design.fixed_names:
            raise DataError(
                f"{name} leads to the coefficients {', '.join(other.design.fixed_names)}",
                allowed=f"those of the fit: {', '.join(design.fixed_names)}",
                todo="give categories of imputed tables the levels, and the order, of the original ones",
            )
        found.append(_with_columns_of(fit, other, name))
    return tuple(found)


def _require_refittable(fit: object) -> None:
    """Refuse what cannot be fitted in the same way to another table."""
    if not isinstance(fit, MixedEstimates):
        raise OptionError(f"sensitivity() got {type(fit).__name__}", allowed="a fit of lmer() or glmer()")
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
    tokens = scan(design.formula.response)
    scaled = [token.text for i, token in enumerate(tokens) if is_call(tokens, i) and token.text in _REMEMBER]
    if scaled:
        raise OptionError(
            f"the response {design.formula.response}, which {scaled[0]}() would compute anew in each table",
            allowed="a response that is the same for the same row in any table",
            todo="make it a column of all tables first, with the same constants",
        )


def _require_rows(design: Design, table: FrameLike) -> None:
    n = count_rows(table)
    if n < design.n:
        raise DataError(
            f"the table has {n:,} rows, fewer than the {design.n:,} complete ones of the fit",
            allowed="the table of the fit with its missing values filled in",
        )


def _with_columns_of(fit: MixedFit, other: MixedFit, name: str) -> MixedFit:
    """The refit with the columns that the fit would make of its rows: means, lengths and knots are those of the fit.

    A basis such as ``poly(x, 2)`` that each table makes for itself has coefficients in units of its own.
    """
    base, design = fit.design, other.design
    try:
        X, offset = base.fixed_matrix(design.frame), base.offset_vector(design.frame) if base.offset_columns else None
        place = {term.bar: term for term in base.terms}
        terms = tuple(
            term if term.Z is None else replace(place[term.bar], factor=term.factor, Z=Z)
            for term, Z in ((term, base.term_matrix(place[term.bar], design.frame)) for term in design.terms)
        )
    except MixsemError as error:
        got = f"{name}: with the columns of the fit, {error.got}"
        raise DataError(got, allowed=error.allowed, todo=error.todo) from error
    pairs = [(X, design.X), *((a.Z, b.Z) for a, b in zip(terms, design.terms, strict=True))]
    pairs += [] if offset is None else [(offset, design.offset)]
    if all(a is b or _same(a, b) for a, b in pairs):
        return other
    made = replace(design, X=np.ascontiguousarray(X), terms=terms, offset=offset, columns=base.columns)
    made = replace(made, offset_columns=base.offset_columns, types=base.types)
    return _fitted(other, made)


def _same(a: Any, b: Any) -> bool:
    return bool(np.abs(a - b).max(initial=0.0) <= SAME * np.abs(b).max(initial=0.0))


def _fitted(other: Any, design: Design) -> Any:
    """The model of a fit with another design, without a warning."""
    from ..fit import MixedFit

    specification = other.specification
    if isinstance(other, MixedFit):
        from ..engine.model import compile_model
        from ..linear import fit_model

        return fit_model(specification, compile_model(design, specification.residual))
    from ..generalised.glmer import fit_generalised
    from ..generalised.model import compile_generalised

    return fit_generalised(specification, compile_generalised(design, specification.family))


def rebuilt_columns(fit: MixedFit) -> list[str]:
    """Terms of the fixed and random part whose columns depend on the rows that they were first made of."""
    texts = [*fit.design.fixed_terms, *(name for term in fit.design.terms for name in term.columns.terms)]
    found = []
    for text in dict.fromkeys(texts):
        tokens = scan(text)
        if any(is_call(tokens, i) and token.text in _REMEMBER for i, token in enumerate(tokens)):
            found.append(text)
    return found


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


def warning_notes(fits: Sequence[MixedFit], names: Sequence[str], known: int) -> tuple[str, ...]:
    """Rows that imputed tables still lose or have otherwise, and how many of their fits had which trouble.

    Parameters
    ----------
    fits, names
        Fits to imputed tables, and their names.
    known
        Rows of the table of the fit.
    """
    notes = []
    lost = np.array([fit.design.n_rows - fit.nobs for fit in fits])
    if lost.any():
        which = ", ".join(f"{name} ({n:,})" for name, n in zip(names, lost, strict=True) if n)
        which = f"{lost[0]:,} in each table" if len(lost) > 1 and (lost == lost[0]).all() else which
        notes.append(f"Rows are still left out, because values are still missing: {which}.")
    sizes = sorted({fit.design.n_rows for fit in fits} - {known})
    if sizes:
        notes.append(
            f"Imputed tables have {', '.join(f'{n:,}' for n in sizes)} rows, that of the fit {known:,}: the change is"
            " also one of rows."
        )
    counts = Counter(
        category
        for fit in fits
        for category in {n.category.__name__ for n in fit.notices}
        if category != "MissingDataWarning"
    )
    for category, count in sorted(counts.items()):
        notes.append(f"{category} in {count} of {len(fits)} fits: see .fits[i].notices.")
    return tuple(notes)
