"""The columns that a model uses, for all rows of a table, and where their values are missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError, OptionError
from ..designs.rows import missing_values, open_frame
from ..designs.same_table import require_same_rows
from ..formulas.formula import MixedFormula, parse_formula
from ..formulas.formula_text import scan, variables

if TYPE_CHECKING:
    import pandas as pd

    from ...data.columns import FrameLike
    from ..fit import MixedFit

__all__ = ["UsedRows", "read_used_rows"]

Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class UsedRows:
    """Columns of a model for all rows, complete or not.

    Attributes
    ----------
    frame
        The columns, and any further ones that were asked for.
    roles
        What the model uses each of its columns as: response, predictor, grouping and so on.
    absent
        Where the values of each are missing, (n,) each.
    groups
        Variables of each grouping factor.
    covariates
        Columns on which rows are compared: the response, predictors, and further ones.
    """

    frame: pd.DataFrame
    roles: Mapping[str, str]
    absent: Mapping[str, Flags]
    groups: tuple[tuple[str, ...], ...]
    covariates: tuple[str, ...]

    @property
    def n(self) -> int:
        """Rows of the table."""
        return len(self.frame)

    @property
    def response(self) -> tuple[str, ...]:
        """Columns of the response."""
        return tuple(name for name, role in self.roles.items() if role == "response")

    @property
    def complete(self) -> Flags:
        """Rows with all values."""
        return ~self._any(self.absent)

    @property
    def outcome_only(self) -> Flags:
        """Rows of which the response alone is missing."""
        return self._any(self.response) & ~self._any([name for name in self.absent if name not in self.response])

    def _any(self, names: Sequence[str] | Mapping[str, Flags]) -> Flags:
        return np.logical_or.reduce([np.zeros(self.n, dtype=bool), *(self.absent[name] for name in names)])


def read_used_rows(model: MixedFit | str, data: FrameLike, extra: Sequence[str] = ()) -> UsedRows:
    """Take the columns of a model, and further ones, from its table.

    Parameters
    ----------
    model
        A fit, or a formula.
    data
        The table, incomplete rows included.
    extra
        Further columns, on which rows are to be compared.

    Raises
    ------
    OptionError
        If the model is neither a fit nor a formula.
    DataError
        If a column is missing, or the table is not that of the fit.
    """
    if isinstance(model, str):
        roles = _roles(parse_formula(model), {})
        groups = [bar.group for bar in parse_formula(model).bars]
    elif hasattr(model, "design") and hasattr(model, "specification"):
        design = model.design
        others = {name: what for name, what in _named(model).items() if name is not None}
        roles, groups = _roles(design.formula, others), [bar.group for bar in design.formula.bars]
    else:
        raise OptionError(
            f"check_missing() got {model.__class__.__name__}", allowed="a fitted mixed model, or a formula as text"
        )
    frame = open_frame(data, list(dict.fromkeys([*roles, *extra])))
    nothing = np.zeros(len(frame), dtype=bool)
    absent = {name: nothing if (found := missing_values(frame[name])) is None else found for name in roles}
    covariates = [name for name, role in roles.items() if role in ("response", "predictor")]
    used = UsedRows(frame, roles, absent, tuple(dict.fromkeys(groups)), tuple(dict.fromkeys([*covariates, *extra])))
    return used if isinstance(model, str) else _checked(model, used)


def _named(fit: MixedFit) -> dict[str | None, str]:
    """Columns that arguments of the fit named, and as what."""
    residual = getattr(fit.specification, "residual", None)
    columns: dict[str | None, str] = {name: "residuals" for name in (() if residual is None else residual.columns)}
    return {**columns, fit.design.offset_column: "offset", fit.design.weights_column: "weights"}


def _roles(formula: MixedFormula, others: Mapping[str, str]) -> dict[str, str]:
    """What each column is used as; the first use counts."""
    found = dict.fromkeys(variables(scan(formula.response)), "response")
    for names, role in (
        (formula.predictors, "predictor"),
        ([name for text in formula.offsets for name in variables(scan(text))], "offset"),
        ([name for bar in formula.bars for name in bar.group], "grouping"),
    ):
        for name in names:
            found.setdefault(name, role)
    for name, role in others.items():
        found.setdefault(name, role)
    return found


def _checked(fit: MixedFit, used: UsedRows) -> UsedRows:
    """Refuse another table than that of the fit; weights and offsets that came as numbers may miss values too."""
    design = fit.design
    kept = np.ones(used.n, dtype=bool)
    if used.n == design.n_rows and design.rows is not None:
        kept[:] = False
        kept[design.rows] = True
    given = [name for name in ("weights", "offset") if getattr(design, name) is not None]
    by_numbers = bool(given) and not (kept & ~used.complete).any()
    if used.n != design.n_rows or (not np.array_equal(kept, used.complete) and not by_numbers):
        raise DataError(
            f"the table has {used.n:,} rows, {int(used.complete.sum()):,} of them complete; the fit was made from"
            f" {design.n_rows:,}, and kept {design.n:,}",
            allowed="the table that the model was fitted to, incomplete rows included",
            todo="give that table, or the formula in place of the fit",
        )
    require_same_rows(design, used.frame)
    lost = used.complete & ~kept
    if not lost.any():
        return used
    name = f"{' or '.join(given)} (numbers)"
    from dataclasses import replace

    return replace(used, roles={**used.roles, name: given[0]}, absent={**used.absent, name: lost})
