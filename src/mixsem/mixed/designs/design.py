"""From a formula and a table to the matrices of a mixed model."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ...data.columns import FrameLike
from ...errors import DataError, Notice, OptionError, did_you_mean, enumerate_briefly
from ..formulas.formula import MixedFormula, parse_formula
from ..formulas.formula_text import Use, scan, variables
from .design_checks import check_fixed, check_term, check_weights, require_finite
from .fixed_part import ModelColumns, build_columns
from .grouping import GroupingFactor, recode
from .predictor_types import PredictorTypes, predictor_types
from .random_part import RandomTerm, random_part
from .rank import dropped_notice, independent_columns
from .rows import Rows, count_rows, missing_values, open_frame, read_rows, row_values

__all__ = ["Design", "GroupingFactor", "RandomTerm", "read_design"]

Array = NDArray[np.float64]
Codes = NDArray[np.int32]
#: See `read_design`.
ResponseReader: TypeAlias = Callable[[str, pd.DataFrame, Callable[[str], Array]], "tuple[Array, Array | None]"]


@dataclass(frozen=True, eq=False)
class Design:
    """The matrices of a mixed model, and how to make them for other rows.

    Attributes
    ----------
    formula
        The formula.
    y
        (n,) the response.
    X
        (n, p) the columns of the fixed effects, of full rank.
    fixed_names
        Their names; the intercept is ``"(Intercept)"``.
    fixed_terms
        For each term of the fixed part its columns in `X`.
    dropped_columns
        Columns left out because they follow from earlier ones.
    factors
        The grouping factors by decreasing number of levels, ties by first appearance.
    terms
        The random terms by decreasing number of levels of their factors, ties by appearance: lme4's order.
    weights, offset
        (n,) each, or None.
    frame
        The used columns, complete rows only.
    rows
        Positions of the complete rows in the table; None if all are.
    n_rows
        Rows of the table.
    notices
        What a reader should know: rows and columns that were left out.
    columns
        How to make `X`, with the dropped columns, from other rows.
    offset_columns
        How to make the offsets from other rows, with an offset column's name among them.
    weights_column, offset_column
        Columns that weights= and offset= named; None if they came as numbers.
    types
        Types of the predictors.
    """

    formula: MixedFormula
    y: Array
    X: Array
    fixed_names: tuple[str, ...]
    fixed_terms: dict[str, tuple[int, ...]]
    dropped_columns: tuple[str, ...]
    factors: tuple[GroupingFactor, ...]
    terms: tuple[RandomTerm, ...]
    weights: Array | None
    offset: Array | None
    frame: pd.DataFrame
    rows: NDArray[np.int64] | None
    n_rows: int
    notices: tuple[Notice, ...]
    columns: ModelColumns
    offset_columns: tuple[ModelColumns, ...]
    types: PredictorTypes
    weights_column: str | None = None
    offset_column: str | None = None

    @property
    def n(self) -> int:
        """Rows of the fit."""
        return len(self.y)

    @property
    def p(self) -> int:
        """Columns of `X`."""
        return self.X.shape[1]

    @cached_property
    def kept_columns(self) -> tuple[int, ...]:
        """Positions of the columns of `X` among all columns of the fixed part."""
        dropped = set(self.dropped_columns)
        return tuple(i for i, name in enumerate(self.columns.names) if name not in dropped)

    def fixed_matrix(self, newdata: FrameLike) -> Array:
        """The columns of `X` for other rows, (m, p); NaN in rows where a predictor is missing.

        Raises
        ------
        DataError
            If a column is missing, or a category is unknown.
        """
        return self._columns_of(self.columns, newdata)[:, list(self.kept_columns)]

    def term_matrix(self, term: int | RandomTerm, newdata: FrameLike) -> Array:
        """The columns of a random term for other rows, (m, k); NaN in rows where a predictor is missing."""
        chosen = self.terms[term] if isinstance(term, int) else term
        return self._columns_of(chosen.columns, newdata)

    def offset_vector(self, newdata: FrameLike) -> Array:
        """The offsets that have names, in the formula or as a column, for other rows, (m,)."""
        total = np.zeros(count_rows(newdata))
        for columns in self.offset_columns:
            total = total + self._columns_of(columns, newdata)[:, 0]
        return total

    def codes_of(self, factor: int | str | GroupingFactor, newdata: FrameLike) -> Codes:
        """Position of the level of each other row, (m,); -1 for unknown levels and missing labels."""
        chosen = factor if isinstance(factor, GroupingFactor) else self.factors[self._position(factor)]
        return recode(chosen, open_frame(newdata, chosen.variables))

    def _position(self, factor: int | str) -> int:
        if isinstance(factor, int):
            return factor
        names = [f.name for f in self.factors]
        if factor not in names:
            raise OptionError(
                f"factor={factor!r}", allowed=enumerate_briefly(names), todo=did_you_mean(factor, names) or "choose one"
            )
        return names.index(factor)

    def _columns_of(self, columns: ModelColumns, newdata: FrameLike) -> Array:
        names = list(variables(scan(columns.text)))
        if not names:
            return np.ones((count_rows(newdata), len(columns.names)))
        frame = open_frame(newdata, names)
        absent = [m for name in names if (m := missing_values(frame[name])) is not None]
        if not absent:
            return columns.of(self.types.tidy(frame))
        present = ~np.logical_or.reduce(absent)
        made = np.full((len(frame), len(columns.names)), np.nan)
        if present.any():
            made[present] = columns.of(self.types.tidy(frame[present]))
        return made


def read_design(
    formula: str | MixedFormula,
    data: FrameLike,
    weights: str | ArrayLike | None = None,
    offset: str | ArrayLike | None = None,
    *,
    check: bool = True,
    extra: Sequence[str] = (),
    response: ResponseReader | None = None,
) -> Design:
    """Read what a mixed model needs from a table.

    Rows with a missing value in any used column are left out, with an account. Text becomes categories in the order of
    the alphabet, categoricals keep their order (ordered ones get treatment contrasts too), booleans are categories with
    False as the reference. Columns of the fixed part that follow from earlier ones are left out, as lme4 does.

    Parameters
    ----------
    formula
        As in ``"y ~ x + (x | g)"``.
    data
        A pandas, polars or pyarrow table, a DuckDB relation, or a mapping of columns; it is not changed.
    weights
        Positive weights of the rows: the residual variance of a row is the common one divided by its weight.
    offset
        Known part of the linear predictor, added to that of ``offset()`` in the formula.
    extra
        Further columns that have to be complete, and are kept in `Design.frame`.
    check
        Refuse designs whose variances a linear mixed model cannot tell apart.
    response
        How to read a response that is not a column of numbers: from its text, the columns as they are, and a function
        that computes an expression, to the response and, if they come with it, weights.

    Returns
    -------
    Design
        The matrices.

    Raises
    ------
    ModelSyntaxError, ModelError
        If the formula cannot be read or computed.
    DataError
        If a column is missing or of a type that cannot be used, a grouping factor has one level, or a random term has
        no fewer coefficients than there are rows.

    Examples
    --------
    >>> table = {"y": [1.0, 2.0, 4.0, 3.0, 5.0, 7.0], "x": [0, 1, 2, 0, 1, 2], "g": ["a", "a", "a", "b", "b", "b"]}
    >>> design = read_design("y ~ x + (1 | g)", table)
    >>> design.fixed_names, design.factors[0].levels, design.terms[0].names
    (('(Intercept)', 'x'), ('a', 'b'), ('(Intercept)',))
    """
    parsed = formula if isinstance(formula, MixedFormula) else parse_formula(formula)
    weight_name, weight_values = row_values("weights", weights)
    offset_name, offset_values = row_values("offset", offset)
    named = [name for name in (weight_name, offset_name) if name is not None]
    wanted = tuple(dict.fromkeys([*parsed.variables, *named, *extra]))
    groups = [bar.group for bar in parsed.bars]
    rows = read_rows(data, wanted, groups, {"weights": weight_values, "offset": offset_values})
    types, frame = _typed(parsed, rows, named)
    columns, X = build_columns(parsed.fixed, frame)
    require_finite(X, columns)
    _refuse_response(parsed.response, columns.terms)
    kept = independent_columns(X, columns.intercept)
    dropped = tuple(name for i, name in enumerate(columns.names) if i not in set(kept))
    factors, terms = random_part(parsed.bars, frame, rows.frame)
    _refuse_response(parsed.response, [name for term in terms for name in term.names])
    _require_numbers(types, weights=weight_name, offset=offset_name)
    weight_values = rows.values[0] if weight_name is None else _vector(f"`{weight_name}`", frame)[1]
    quoted = [] if offset_name is None else [f"`{offset_name}`"]
    made = [_vector(text, frame) for text in (*parsed.offsets, *quoted)]
    y, weight_values = _response(parsed.response, rows.frame, frame, response, weight_values)
    check_weights(weight_values)
    if check:
        check_fixed(len(y), len(kept))
        for term in terms:
            check_term(term.bar.text, factors[term.factor], len(term.names), term.correlated, len(y))
    return Design(
        formula=parsed,
        y=y,
        X=X if not dropped else np.ascontiguousarray(X[:, list(kept)]),
        fixed_names=tuple(columns.names[i] for i in kept),
        fixed_terms=_terms_left(columns, kept),
        dropped_columns=dropped,
        factors=factors,
        terms=terms,
        weights=weight_values,
        offset=_total([*(values for _, values in made), rows.values[1]]),
        frame=rows.frame,
        rows=rows.kept,
        n_rows=rows.n_rows,
        notices=(*rows.notices, *dropped_notice(dropped)),
        columns=columns,
        offset_columns=tuple(columns for columns, _ in made),
        types=types,
        weights_column=weight_name,
        offset_column=offset_name,
    )


def _response(
    text: str, raw: pd.DataFrame, frame: pd.DataFrame, reader: ResponseReader | None, weights: Array | None
) -> tuple[Array, Array | None]:
    """The response, and the weights of the rows."""
    if reader is None:
        return _vector(text, frame)[1], weights
    y, own = reader(text, raw, lambda expression: _vector(expression, frame)[1])
    if own is not None and weights is not None:
        raise DataError(
            f"weights= beside {text}, which brings its own",
            allowed="successes and failures without weights, or proportions with numbers of trials as weights",
            todo="leave weights= out",
        )
    return y, weights if own is None else own


def _typed(parsed: MixedFormula, rows: Rows, named: Sequence[str]) -> tuple[PredictorTypes, pd.DataFrame]:
    """Types of all that formulas compute with, and these columns."""
    uses: dict[str, frozenset[Use]] = {}
    for text in (parsed.fixed, *(bar.columns for bar in parsed.bars)):
        for name, use in variables(scan(text)).items():
            uses[name] = uses.get(name, frozenset()) | use
    # The response and offsets are numbers, as what functions compute with: a boolean counts as 0 and 1.
    numbers = [name for text in (parsed.response, *parsed.offsets) for name in variables(scan(text))]
    for name in (*numbers, *named):
        uses[name] = uses.get(name, frozenset()) | {"in a call"}
    used = rows.frame[list(uses)]
    types = predictor_types(used, uses)
    return types, types.tidy(used)


def _refuse_response(response: str, predictors: Collection[str]) -> None:
    if response in predictors:
        raise DataError(
            f"the response {response} is its own predictor",
            allowed="predictors that are not the response",
            todo=f"take {response} out of the right-hand side",
        )


def _require_numbers(types: PredictorTypes, **named: str | None) -> None:
    """Refuse columns of categories where an argument names a column of numbers."""
    for what, name in named.items():
        if name is not None and types.categories[name] is not None:
            raise DataError(
                f"{what}={name!r}: the column holds text or categories",
                allowed="a column of positive numbers" if what == "weights" else "a column of numbers",
                todo="turn it into numbers",
            )


def _vector(text: str, frame: pd.DataFrame) -> tuple[ModelColumns, Array]:
    """One number per row: a column or an expression."""
    tokens = scan(text)
    source = text if len(tokens) == 2 and tokens[0].is_name else f"I({text})"
    columns, values = build_columns(f"0 + {source}", frame)
    if values.shape[1] != 1:
        raise DataError(
            f"{text} is not a column of numbers",
            allowed="a numeric response and offset; for a binary response see generalised models",
            todo="turn it into numbers",
        )
    require_finite(values, columns)
    return columns, values[:, 0]


def _terms_left(columns: ModelColumns, kept: Sequence[int]) -> dict[str, tuple[int, ...]]:
    """Columns of each term among those kept."""
    place = {column: i for i, column in enumerate(kept)}
    left = {name: tuple(place[i] for i in at if i in place) for name, at in columns.terms.items()}
    return {name: at for name, at in left.items() if at}


def _total(parts: Sequence[Array | None]) -> Array | None:
    given = [part for part in parts if part is not None]
    return None if not given else np.sum(given, axis=0)
