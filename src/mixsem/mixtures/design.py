"""From a formula and the variables of the groups to a design matrix."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import qr

from ..errors import DataError, OptionError
from ..safe_formulas import refuse_large, refuse_unsafe

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Design", "build_design", "formula_variables"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False, slots=True)
class Design:
    """A design matrix.

    Attributes
    ----------
    X
        Shape (G, P).
    columns
        Names of its columns, length P; the intercept is ``"Intercept"``.
    terms
        Columns of each predictor, the intercept left out.
    specification
        How to make the same columns from other rows.
    formula, frame
        What it was made from.
    """

    X: Array
    columns: tuple[str, ...]
    terms: dict[str, tuple[int, ...]]
    specification: Any
    formula: str
    frame: pd.DataFrame

    def of(self, frame: pd.DataFrame) -> Array:
        """The same columns for other rows, shape (n, P)."""
        return np.asarray(self.specification.get_model_matrix(_with_categories(frame), na_action="ignore"), dtype=float)


def formula_variables(formula: object) -> tuple[Any, tuple[str, ...]]:
    """Read a formula such as ``"hdi + individualism"``; return it with the names of its variables.

    Raises
    ------
    OptionError
        If it cannot be read, has a left-hand side, or names no variable.
    """
    from formulaic import Formula

    allowed = "a right-hand side such as 'hdi + individualism', 'C(region) + log(gdp)' or 'hdi * individualism'"
    if not isinstance(formula, str):
        raise OptionError(f"formula={formula!r}", allowed=allowed, todo="give a text")
    refuse_large(formula)
    try:
        parsed = Formula(formula.strip().removeprefix("~"))
    except Exception as error:  # formulaic raises whatever it stumbles over
        raise OptionError(f"formula={formula!r} cannot be read: {_first_line(error)}", allowed=allowed) from error
    if hasattr(parsed, "lhs") or hasattr(parsed, "rhs"):
        raise OptionError(
            f"formula={formula!r} has several parts",
            allowed=allowed,
            todo="write predictors only: the outcome is the cluster",
        )
    refuse_unsafe(parsed, formula)
    names = tuple(sorted(map(str, parsed.required_variables)))
    if not names:
        raise OptionError(f"formula={formula!r} names no variable", allowed=allowed)
    return parsed, names


def _first_line(error: Exception) -> str:
    lines = re.sub(r"\x1b\[[0-9;]*m|⧛[^⧚]*⧚", "", str(error)).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def build_design(parsed: Any, frame: pd.DataFrame) -> Design:
    """The design matrix of the groups.

    Parameters
    ----------
    parsed
        A formula that was read.
    frame
        Its variables, none missing, one row per group.

    Raises
    ------
    DataError
        If a predictor is constant, not finite, a number kept as text, or follows from the others.
    OptionError
        If the formula cannot be computed.
    """
    from formulaic.errors import FormulaicError

    for name in frame.columns:
        _require_variable(frame[name], str(name))
    try:
        matrix = parsed.get_model_matrix(_with_categories(frame), context={}, na_action="ignore")
    except FormulaicError as error:
        raise OptionError(
            f"the formula cannot be computed: {_first_line(error)}",
            allowed="variables of the table, + : * ( ), C(...), and functions such as log(), scale(), poly()",
        ) from error
    X = np.asarray(matrix, dtype=float)
    columns = tuple(map(str, matrix.columns))
    terms = {str(t): tuple(at) for t, at in matrix.model_spec.term_indices.items() if str(t) != "1"}
    for name, at in terms.items():
        if not np.isfinite(X[:, list(at)]).all():
            raise DataError(f"{name} is not finite in some groups", todo="check zeros under log() and divisions")
        if not at or np.ptp(X[:, list(at)], axis=0).max() == 0.0:
            raise DataError(
                f"the predictor {name} is the same in all {len(X)} groups", todo="take it out of the formula"
            )
    _require_rank(X, columns)
    return Design(X, columns, terms, matrix.model_spec, str(parsed), frame)


def _require_variable(values: pd.Series, name: str) -> None:
    """A number kept as text would become a category of its own in every group."""
    import pandas as pd

    if pd.api.types.is_numeric_dtype(values) or isinstance(values.dtype, pd.CategoricalDtype):
        return
    texts = [v for v in values if isinstance(v, str)]
    if texts and len(texts) == len(values) and pd.to_numeric(values, errors="coerce").notna().all():
        raise DataError(
            f"{name} holds numbers as text, such as {texts[0]!r}", todo="turn it into numbers, or into a categorical"
        )


def _with_categories(frame: pd.DataFrame) -> pd.DataFrame:
    """Text as categories in the order of the alphabet, whichever type the table has for text."""
    import pandas as pd

    text = [n for n in frame.columns if any(isinstance(v, str) for v in frame[n])]
    kept = [n for n in text if not isinstance(frame[n].dtype, pd.CategoricalDtype)]
    return frame.assign(**{str(n): pd.Categorical(frame[n].astype(object)) for n in kept})


def _require_rank(X: Array, columns: tuple[str, ...]) -> None:
    scale = np.sqrt((X**2).mean(axis=0))
    R, order = qr(X / np.where(scale > 0, scale, 1.0), mode="r", pivoting=True)[:2]
    size = np.abs(np.diagonal(R[: min(R.shape)]))
    rank = int((size > 1e-9 * size[0]).sum())
    if rank < X.shape[1]:
        extra = ", ".join(columns[i] for i in sorted(order[rank:]))
        raise DataError(
            f"{X.shape[0]} groups do not determine {X.shape[1]} coefficients: {extra} follows from the others",
            allowed="predictors of which none is a sum of others, fewer than groups",
            todo="take predictors out of the formula",
        )
