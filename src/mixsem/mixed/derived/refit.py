"""The same model for another response, and variations of a model."""

from __future__ import annotations

import reprlib
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...data.columns import FrameLike
from ...errors import DataError, OptionError, enumerate_briefly, notify
from ..designs.predictor_types import as_floats
from ..designs.rows import row_values
from ..formulas.formula import parse_formula
from ..formulas.formula_update import update_formula
from ..inputs import as_optimizer
from ..linear import fit_model

if TYPE_CHECKING:
    from ..designs.design import Design
    from ..engine.optimise import Method, Optimizer
    from ..estimates import MixedEstimates
    from ..fit import MixedFit

__all__ = ["changed_formula", "new_response", "refit", "require_again", "require_columns", "unwritten_offset", "update"]

Array = NDArray[np.float64]


def refit(fit: MixedFit, y: str | ArrayLike | None) -> MixedFit:
    """Fit the same model to another response; see `MixedFit.refit`."""
    design = fit.design
    if y is None:
        again = fit_model(fit.specification, fit.model)
    else:
        values = new_response(design, y, "lmer")
        again = fit_model(
            fit.specification, fit.model.with_response(values if design.offset is None else values - design.offset)
        )
    notify(notice for notice in again.notices if notice not in design.notices)
    return again


def new_response(design: Design, y: str | ArrayLike, function: str) -> Array:
    """Another response for the rows of a design, by name or as numbers; see `MixedFit.refit`."""
    name, values = row_values("y", y)
    if name is not None:
        require_columns(design, [name])
        values = np.asarray(as_floats(design.frame[name]), dtype=np.float64)
    if values is not None and design.rows is not None and len(values) == design.n_rows:
        values = values[design.rows]
    if values is None or len(values) != design.n:
        got = "nothing" if values is None else f"{len(values):,} values"
        rows = f"{design.n:,} rows of the fit" + (f" or the {design.n_rows:,} of its table" * bool(design.n_rows))
        raise OptionError(f"y: {got}", allowed=f"one number for each of the {rows}")
    if not np.isfinite(values).all():
        raise DataError(
            f"{int((~np.isfinite(values)).sum()):,} values of y are missing or infinite",
            todo=f"refit() keeps the rows of the fit: call {function} with a table in which they are missing",
        )
    return values


def changed_formula(fit: MixedEstimates, formula: str | None) -> str:
    """The formula of a fit after a change such as ``". ~ . + x"``; its own if there is none."""
    if formula is None:
        return fit.formula
    if not isinstance(formula, str):
        raise OptionError(
            f"formula={reprlib.repr(formula)}",
            allowed="a change such as '. ~ . + x'",
            todo="give other data by name: update(data=...)",
        )
    return update_formula(fit.design.formula, formula)


def update(
    fit: MixedFit,
    formula: str | None,
    data: FrameLike | None,
    reml: bool | None,
    weights: str | ArrayLike | None,
    offset: str | ArrayLike | None,
    optimizer: Optimizer | Method | None,
) -> MixedFit:
    """Fit a variation of the model; see `MixedFit.update`."""
    old, design = fit.specification, fit.design
    text = changed_formula(fit, formula)
    changed = replace(
        old,
        formula=text,
        reml=old.reml if reml is None else reml,
        optimizer=old.optimizer if optimizer is None else as_optimizer(optimizer),
    )
    # what a column's name was given for is found by its name in any table
    weights = design.weights_column if weights is None else weights
    offset = design.offset_column if offset is None else offset
    if data is not None:
        require_again(design, "weights", design.weights, weights)
        require_again(design, "offset", unwritten_offset(design), offset)
        return changed.fit(data, weights=weights, offset=offset)
    require_columns(design, [*parse_formula(text).variables, *(w for w in (weights, offset) if isinstance(w, str))])
    return changed.fit(
        design.frame,
        weights=design.weights if weights is None else weights,
        offset=unwritten_offset(design) if offset is None else offset,
    )


def unwritten_offset(design: Design) -> Array | None:
    """The offset that came as an argument: what is more than the formula has."""
    if design.offset is None:
        return None
    written = replace(design, offset_columns=design.offset_columns[: len(design.formula.offsets)])
    rest = design.offset - written.offset_vector(design.frame)
    return None if np.allclose(rest, 0.0) else rest


def require_again(design: Design, name: str, kept: Array | None, given: object) -> None:
    """Refuse other data without what the fit had as numbers, one per row."""
    if kept is not None and given is None:
        raise OptionError(
            f"the fit had {name}, and data= brings other rows",
            allowed=f"{name}= a column of data, or one number per row",
            todo=f"give {name}= again",
        )


def require_columns(design: Design, names: Sequence[str]) -> None:
    """Refuse columns that the fit does not keep."""
    missing = [name for name in names if name not in design.frame.columns]
    if missing:
        raise DataError(
            f"the fit does not keep the column{'s' * (len(missing) > 1)} {enumerate_briefly(missing)}",
            allowed=f"columns that it used: {enumerate_briefly(list(design.frame.columns), limit=20)}",
            todo="give the table again, update(..., data=); for refit() give the numbers",
        )
