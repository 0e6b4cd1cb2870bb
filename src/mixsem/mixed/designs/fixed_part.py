"""Columns of a design from a right-hand side: plain sums at once, everything else by formulaic."""

from __future__ import annotations

import re
import unicodedata
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...errors import DataError, ModelError
from ...safe_formulas import refuse_large, refuse_unsafe
from ..formulas.formula import plain_columns
from ..formulas.formula_words import AS_NUMBER, named_back, shielded_columns, shielded_text, whole_column_calls
from .predictor_types import as_floats

__all__ = ["INTERCEPT", "ModelColumns", "build_columns"]

Array = NDArray[np.float64]

#: Rows of a matrix that are written at a time.
ROWS = 8192
INTERCEPT = "(Intercept)"


def _combine(*values: object) -> list[object]:
    return list(values)


def _categories(data: Any, *settings: Any, **named: Any) -> Any:
    """C(): whole numbers have labels without a decimal point, though all numbers come as floats."""
    from formulaic.transforms import C

    if isinstance(data, pd.Series) and data.dtype.kind == "f" and (data == data.round()).all():
        data = data.astype(np.int64)
    return C(data, *settings, **named)


def _number(condition: Any) -> Any:
    return condition * 1.0


#: Functions of R and NumPy that formulaic does not bring along, or in another way.
FUNCTIONS: Mapping[str, Callable[..., object]] = {
    "sqrt": np.sqrt,
    "log1p": np.log1p,
    "expm1": np.expm1,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "floor": np.floor,
    "ceiling": np.ceil,
    "round": np.round,
    "c": _combine,
    "C": _categories,
    AS_NUMBER: _number,
}


#: Functions of R that are called otherwise here.
ADVICE: Mapping[str, str] = {
    "ns": "natural splines are cr(x, df=3, constraints='center')",
    "s": "splines are bs(x, df=4) or cr(x, df=4, constraints='center')",
    "rcs": "restricted cubic splines are cr(x, df=3, constraints='center')",
    "relevel": "name the reference in C(), as in C(f, Treatment('b'))",
    "cut": "cut the variable into a column of the table first",
    "mean": "center(x) is x less its mean, scale(x) is that divided by its standard deviation",
    "as.numeric": "columns of numbers are used as they are: leave as.numeric() out",
    "is.na": "rows with missing values are left out; make the expression a column of the table first",
    "ifelse": "write a condition, as in I(x > 2), or make the expression a column of the table first",
}


@dataclass(frozen=True, eq=False)
class ModelColumns:
    """How to make the columns of one right-hand side from rows of data.

    Attributes
    ----------
    text
        The right-hand side.
    names
        Names of the columns; the intercept is ``"(Intercept)"``.
    terms
        Columns of each term.
    plain
        The variables, where the columns are these (after an intercept, if there is one); None if formulaic makes them.
    specification
        What formulaic remembers: contrasts, knots, means.
    """

    text: str
    names: tuple[str, ...]
    terms: dict[str, tuple[int, ...]]
    plain: tuple[str, ...] | None
    specification: Any = None

    @property
    def intercept(self) -> bool:
        """Whether there is an intercept; it comes first."""
        return self.names[:1] == (INTERCEPT,)

    def of(self, frame: pd.DataFrame) -> Array:
        """The columns for other rows, (m, k).

        Parameters
        ----------
        frame
            The variables, of the types of the fit and none missing.
        """
        if self.plain is not None:
            return _plain_matrix(frame, self.intercept, self.plain)
        return _matrix(self.specification, frame, self.text)[0]


def build_columns(text: str, frame: pd.DataFrame) -> tuple[ModelColumns, Array]:
    """Make the columns of a right-hand side.

    Parameters
    ----------
    text
        Right-hand side, as formulaic writes it.
    frame
        Its variables, tidied and none missing, n rows.

    Returns
    -------
    ModelColumns
        How to make them again.
    NDArray
        (n, k) the columns.

    Raises
    ------
    ModelError
        If formulaic cannot read or compute it.

    Examples
    --------
    >>> frame = pd.DataFrame({"x": [1.0, 2.0], "f": pd.Categorical(["a", "b"])})
    >>> columns, X = build_columns("x * f", frame)
    >>> columns.names, X.tolist()
    (('(Intercept)', 'x', 'f[T.b]', 'x:f[T.b]'), [[1.0, 1.0, 0.0, 0.0], [1.0, 2.0, 1.0, 2.0]])
    """
    found = plain_columns(text)
    if found is not None and all(isinstance(t, np.dtype) and t.kind in "iuf" for t in frame.dtypes[list(found[1])]):
        intercept, variables = found
        names = (INTERCEPT, *variables) if intercept else variables
        terms: dict[str, tuple[int, ...]] = {name: (i,) for i, name in enumerate(names)}
        return ModelColumns(text, names, terms, variables), _plain_matrix(frame, intercept, variables)
    X, specification, names = _matrix(_parsed(text), frame, text)
    terms = {_named(str(t)): tuple(at) for t, at in specification.term_indices.items()}
    return ModelColumns(text, names, terms, None, specification), X


def _plain_matrix(frame: pd.DataFrame, intercept: bool, variables: tuple[str, ...]) -> Array:
    columns = [as_floats(frame[name]) for name in variables]
    X = np.empty((len(frame), intercept + len(variables)))
    for begin in range(0, len(X), ROWS):  # a few rows at a time: each is written once to memory, not once per column
        rows = slice(begin, begin + ROWS)
        if intercept:
            X[rows, 0] = 1.0
        for j, column in enumerate(columns, start=int(intercept)):
            X[rows, j] = column[rows]
    return X


def _parsed(text: str) -> Any:
    from formulaic import Formula, SimpleFormula

    whole = whole_column_calls(text)
    if whole:
        raise ModelError(
            f"{whole[0]}() in {text!r} depends on all rows together: in predictions it would have another value",
            allowed="functions of one row, and center(), scale(), poly(), bs(), cr(), which remember those of the fit",
            todo=_advice(text) or "make the expression a column of the table first",
        )
    refuse_large(text)
    try:
        parsed = Formula(shielded_text(text))
    except Exception as error:  # formulaic raises whatever it stumbles over
        reason = error.msg if isinstance(error, SyntaxError) else _first_line(error)
        raise ModelError(
            f"the formula {text!r} cannot be read: {reason}",
            allowed="variables, + - * / : ^ ( ), C(...), and functions such as log(), scale(), poly(), bs()",
            todo=_advice(text) or "put arithmetic into I(), as in I(x / 10)",
        ) from error
    if not isinstance(parsed, SimpleFormula):
        raise ModelError(f"the formula {text!r} has several parts", todo="join predictors by '+'")
    refuse_unsafe(parsed, text, _advice(text))
    return parsed


def _matrix(source: Any, frame: pd.DataFrame, text: str) -> tuple[Array, Any, tuple[str, ...]]:
    from formulaic.errors import DataMismatchWarning, FormulaicError

    try:
        with warnings.catch_warnings(), np.errstate(divide="ignore", invalid="ignore"):
            warnings.simplefilter("error", DataMismatchWarning)
            made = source.get_model_matrix(_ready(text, frame), context=FUNCTIONS, na_action="ignore")
    except DataMismatchWarning as error:
        raise DataError(
            f"{text!r} meets categories that it does not know: {_first_line(error)}",
            allowed="the categories of the fit, or those that levels= names",
            todo="leave these rows out",
        ) from error
    except (FormulaicError, ArithmeticError, LookupError, SyntaxError, TypeError, ValueError) as error:
        if "extend beyond" in str(error):
            raise _beyond(text, error) from error
        reason = error.msg if isinstance(error, SyntaxError) else _first_line(error)
        raise ModelError(
            f"the formula {text!r} cannot be computed: {reason}",
            allowed="variables of the table, C(...), and functions such as log(), sqrt(), scale(), poly(), bs()",
            todo=_advice(text) or "make the expression a column of the table first",
        ) from error
    X = np.ascontiguousarray(np.asarray(made, dtype=np.float64)).reshape(len(frame), -1)
    return X, made.model_spec, tuple(_named(str(name)) for name in made.model_spec.column_names)


def _beyond(text: str, error: BaseException) -> DataError:
    """The error for values outside the range that splines were made for."""
    factor = re.search(r"factor `([^`]+)`", str(error))
    return DataError(
        f"values beyond the range of the fit in {named_back(factor[1]) if factor else text}",
        allowed="values between the boundary knots of the spline",
        todo="leave these rows out, or fit with bs(..., extrapolation='extend'), which continues the polynomials",
    )


def _ready(text: str, frame: pd.DataFrame) -> pd.DataFrame:
    """Columns as formulaic computes with them.

    Numbers are floats, as in R: the square of a short integer may be no number of its type. Python reads names such as
    that of the micro sign as others, which are then there too.
    """
    frame = shielded_columns(text, frame)
    short = [n for n, t in frame.dtypes.items() if isinstance(t, np.dtype) and t.kind in "iuf" and t != np.float64]
    frame = frame.astype(dict.fromkeys(short, np.float64)) if short else frame
    names = {name: unicodedata.normalize("NFKC", str(name)) for name in frame.columns}
    return frame.assign(**{alias: frame[name] for name, alias in names.items() if alias not in names})


def _advice(text: str) -> str:
    """What stands for a function of R that formulaic does not have."""
    return next((todo for name, todo in ADVICE.items() if re.search(rf"\b{re.escape(name)}\(", text)), "")


def _named(name: str) -> str:
    return INTERCEPT if name in ("Intercept", "1") else named_back(name)


def _first_line(error: BaseException) -> str:
    lines = re.sub(r"\x1b\[[0-9;]*m|⧛[^⧚]*⧚", "", str(error)).strip().splitlines()
    return lines[0] if lines else type(error).__name__
