"""What kind of variable each predictor is, and the same again for other rows.

Text becomes categories in the order of the alphabet, categoricals keep their order, booleans are categories with
False as the reference as in R, and everything else must be numbers.
"""

from __future__ import annotations

import numbers
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...errors import DataError, did_you_mean, enumerate_briefly
from ..formulas.formula_text import Use
from .grouping import code_column

#: A column that a formula has in ``C()`` only is categorical, whatever its type.
CATEGORIES = frozenset(("as categories",))

__all__ = ["PredictorTypes", "as_floats", "predictor_types"]


@dataclass(frozen=True)
class PredictorTypes:
    """Types of the predictors, as learnt from the rows of the fit.

    Attributes
    ----------
    categories
        For each variable its categories in order, or None for a number.
    """

    categories: Mapping[str, tuple[Hashable, ...] | None]

    def tidy(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Columns of these types, from rows without missing values.

        Raises
        ------
        DataError
            If a number is expected and something else there, or a category is unknown.
        """
        columns: dict[str, Any] = {}
        for name in frame.columns:
            if name not in self.categories:
                columns[name] = frame[name]
                continue
            known = self.categories[name]
            columns[name] = as_floats(frame[name]) if known is None else _categorical(frame[name], known)
        return pd.DataFrame(columns, index=frame.index, copy=False)


def predictor_types(frame: pd.DataFrame, uses: Mapping[str, frozenset[Use]]) -> PredictorTypes:
    """Learn the types of the predictors.

    Parameters
    ----------
    frame
        Their columns, without missing values.
    uses
        The names, and how the formula uses them. Where functions compute with it, a boolean counts as 0 and 1.
    """
    return PredictorTypes({name: _categories(frame[name], use) for name, use in uses.items()})


def _categories(values: pd.Series, use: frozenset[Use]) -> tuple[Hashable, ...] | None:
    if isinstance(values.dtype, pd.CategoricalDtype):
        return code_column(values)[0]
    if _is_boolean(values):
        return None if "in a call" in use else (False, True)
    if _is_text(values):
        found = sorted(set(pd.unique(values)))
        if use != CATEGORIES:
            _refuse_numbers_as_text(str(values.name), found)
        return tuple(found)
    if use == CATEGORIES:
        return code_column(values)[0]
    as_floats(values)
    return None


def _is_boolean(values: pd.Series) -> bool:
    if values.dtype == object:
        return all(isinstance(v, bool | np.bool_) for v in values)
    return pd.api.types.is_bool_dtype(values)


def _is_text(values: pd.Series) -> bool:
    if values.dtype == object:
        return all(isinstance(v, str) for v in values)
    return pd.api.types.is_string_dtype(values)


def _refuse_numbers_as_text(name: str, texts: Iterable[str]) -> None:
    """A number kept as text would become a category of its own for every value."""
    texts = list(texts)
    if pd.to_numeric(pd.Series(texts, dtype=object), errors="coerce").notna().all():
        raise DataError(
            f"{name!r} holds numbers as text, such as {texts[0]!r}",
            allowed="numbers, or texts that are categories",
            todo="turn it into numbers, or write C() around its name for categories",
        )


def as_floats(values: pd.Series) -> NDArray[Any]:
    """A column as numbers: those of NumPy as they are, any others as floats.

    Raises
    ------
    DataError
        If it holds something else.
    """
    if isinstance(values.dtype, np.dtype) and values.dtype.kind in "iuf":
        return values.to_numpy()
    if pd.api.types.is_numeric_dtype(values.dtype) or pd.api.types.is_bool_dtype(values.dtype):
        return values.to_numpy(dtype=np.float64, na_value=np.nan)
    if values.dtype == object and all(isinstance(v, numbers.Real | Decimal | np.bool_) for v in values):
        return values.to_numpy().astype(np.float64)
    kind = "dates or times" if pd.api.types.is_datetime64_any_dtype(values) else f"values of type {values.dtype}"
    first = values.iloc[0] if len(values) else ""
    if isinstance(first, str):
        kind = "text"
    raise DataError(
        f"{str(values.name)!r} holds {kind}, such as {str(first)!r}, where numbers are needed",
        allowed="numbers; for predictors also text, booleans and categories",
        todo="turn it into numbers, for dates the days since a start",
    )


def _categorical(values: pd.Series, known: tuple[Hashable, ...]) -> pd.Categorical:
    """Rows as the known categories; others are refused by name."""
    labels, codes = code_column(values)
    position = {label: code for code, label in enumerate(known)}
    strange = [label for label in labels if label not in position]
    if strange:
        raise DataError(
            f"{str(values.name)!r} has categories unknown to the fit: {enumerate_briefly([*map(repr, strange)])}",
            allowed=enumerate_briefly([*map(repr, known)], limit=20),
            todo=did_you_mean(str(strange[0]), map(str, known)) or "leave these rows out",
        )
    places = np.array([position[label] for label in labels], dtype=np.int32)
    return pd.Categorical.from_codes(places[codes], categories=pd.Index(known), ordered=False)
