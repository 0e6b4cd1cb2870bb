"""The reference grid: every combination of the factors, numbers at their means."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...errors import OptionError, did_you_mean, enumerate_briefly
from ..designs.predictor_types import as_floats
from ..formulas.formula_text import scan, variables

if TYPE_CHECKING:
    from ..designs.design import Design

__all__ = ["ReferenceGrid", "reference_grid"]

Array = NDArray[np.float64]
At = Mapping[str, "Hashable | Sequence[Hashable]"]

#: Numbers with no more distinct values than this are treated like factors, as emmeans does: indicators, above all.
FEW_VALUES = 2


@dataclass(frozen=True, eq=False)
class ReferenceGrid:
    """Combinations of the predictors.

    Attributes
    ----------
    levels
        Values of each variable of the fixed part, and of the offset.
    frame
        One row per combination, the first variable fastest.
    held
        Numbers that have one value, and which.
    """

    levels: dict[str, tuple[Hashable, ...]]
    frame: pd.DataFrame
    held: dict[str, float]

    @property
    def varied(self) -> tuple[str, ...]:
        """Variables with several values."""
        return tuple(name for name, values in self.levels.items() if len(values) > 1)


def reference_grid(design: Design, at: At | None = None) -> ReferenceGrid:
    """Combine the levels of all factors; numbers stand at their means, or at the values asked for.

    Raises
    ------
    OptionError
        If `at` names no variable of the fixed part, or a level that is not there.
    """
    if at is not None and not isinstance(at, Mapping):
        raise OptionError(f"at={at!r}", allowed="values by the names of variables", todo='write at={"x": [0, 1]}')
    at = {} if at is None else dict(at)
    uses: dict[str, frozenset[str]] = {}
    for text in (design.formula.fixed, *(columns.text for columns in design.offset_columns)):
        for name, use in variables(scan(text)).items():
            uses[name] = uses.get(name, frozenset()) | use
    for name in at:
        if name not in uses:
            raise OptionError(
                f"at= names {name!r}, which the fixed part does not have",
                allowed=enumerate_briefly(list(uses)) or "no variable",
                todo=did_you_mean(str(name), uses),
            )
    levels = {
        name: _asked(design, name, at[name]) if name in at else _usual(design, name, "as categories" in use)
        for name, use in uses.items()
    }
    rows = [combination[::-1] for combination in product(*list(levels.values())[::-1])]
    frame = pd.DataFrame(rows, columns=list(levels)) if levels else pd.DataFrame(index=range(1))
    held = {
        name: float(values[0])  # type: ignore[arg-type]
        for name, values in levels.items()
        if len(values) == 1 and design.types.categories[name] is None
    }
    return ReferenceGrid(levels, frame, held)


def _usual(design: Design, name: str, as_categories: bool) -> tuple[Hashable, ...]:
    known = design.types.categories[name]
    if known is not None:
        return tuple(known)
    values = as_floats(design.frame[name])
    distinct = np.unique(values)
    if as_categories or len(distinct) <= FEW_VALUES:
        return tuple(distinct.tolist())
    return (float(values.mean()),)


def _asked(design: Design, name: str, values: object) -> tuple[Hashable, ...]:
    single = isinstance(values, str) or not isinstance(values, Sequence | np.ndarray | pd.Series)
    found: tuple[Hashable, ...] = (values,) if single else tuple(values)  # type: ignore[arg-type]
    known = design.types.categories[name]
    if known is not None:
        strange = [value for value in found if value not in known]
        if strange or not found:
            raise OptionError(
                f"at= has {strange[0]!r} for {name}" if strange else f"at= has no value for {name}",
                allowed=enumerate_briefly([*map(repr, known)], limit=20),
                todo=did_you_mean(str(strange[0]), map(str, known)) if strange else "",
            )
        return found
    numbers = [v for v in found if isinstance(v, int | float | np.number) and np.isfinite(v)]
    if not found or len(numbers) < len(found):
        raise OptionError(f"at={{{name!r}: {values!r}}}", allowed="finite numbers")
    return tuple(float(v) for v in numbers)


def grid_matrix(design: Design, frame: pd.DataFrame) -> Array:
    """The columns of X at rows of a grid; NaN where the data do not determine the mean, in empty cells."""
    if not len(frame.columns):
        return np.ones((len(frame), design.p))
    full = design.columns.of(design.types.tidy(frame))
    kept = list(design.kept_columns)
    X = full[:, kept]
    if design.dropped_columns:
        dropped = [i for i in range(full.shape[1]) if i not in design.kept_columns]
        rows = design.columns.of(design.types.tidy(design.frame))[:, dropped]
        follows = np.linalg.lstsq(design.X, rows, rcond=None)[0]
        size = 1.0 + np.abs(full).max(axis=1)
        X[np.abs(full[:, dropped] - X @ follows).max(axis=1) > 1e-8 * size] = np.nan
    return X


def grid_offset(design: Design, frame: pd.DataFrame) -> Array:
    """The offset at rows of a grid; offsets given as numbers stand at their mean."""
    if design.offset is None:
        return np.zeros(len(frame))
    named, there = np.zeros(design.n), np.zeros(len(frame))
    for columns in design.offset_columns:
        named = named + columns.of(design.types.tidy(design.frame))[:, 0]
        there = there + columns.of(design.types.tidy(frame))[:, 0]
    return there + float(np.mean(design.offset - named))
