"""Random terms: the grouping factors of a formula and the columns whose coefficients vary over them."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...errors import DataError, ModelError
from ..formulas.formula import Bar, plain_columns
from .design_checks import require_finite
from .fixed_part import ModelColumns, build_columns
from .grouping import GroupingFactor, code_groups

__all__ = ["RandomTerm", "random_part"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RandomTerm:
    """The random coefficients of one bar.

    Attributes
    ----------
    factor
        Position of its grouping factor among those of the design.
    names
        Names of the coefficients, length k, as in ``("(Intercept)", "Days")``.
    correlated
        False for ``||``.
    Z
        (n, k) what the coefficients are multiplied with; None if that is the intercept alone.
    bar
        The term as the formula has it.
    columns
        How to make `Z` from other rows.
    """

    factor: int
    names: tuple[str, ...]
    correlated: bool
    Z: Array | None
    bar: Bar
    columns: ModelColumns


def random_part(
    bars: Sequence[Bar], frame: pd.DataFrame, raw: pd.DataFrame
) -> tuple[tuple[GroupingFactor, ...], tuple[RandomTerm, ...]]:
    """Grouping factors and random terms, both in lme4's order.

    Parameters
    ----------
    bars
        The random terms of the formula.
    frame
        Predictors, tidied.
    raw
        The grouping variables.

    Raises
    ------
    DataError
        If a grouping factor has one level.
    ModelError
        If a term has no column, or two terms share one.
    """
    coded: dict[str, tuple[tuple[Hashable, ...], NDArray[np.int32]]] = {}
    found = {group: code_groups(raw, group, coded) for group in dict.fromkeys(bar.group for bar in bars)}
    for factor in found.values():
        if factor.n_levels < 2:
            raise DataError(
                f"the grouping factor {factor.name} has one level only: {factor.levels[0]!r}",
                allowed="two levels or more",
                todo="take its terms out of the formula",
            )
    factors = tuple(sorted(found.values(), key=lambda f: -f.n_levels))
    place = {factor.variables: i for i, factor in enumerate(factors)}
    ordered = sorted(bars, key=lambda bar: -found[bar.group].n_levels)
    terms = [_term(bar, place[bar.group], frame) for bar in ordered]
    _refuse_shared(terms, factors)
    return factors, tuple(terms)


def _term(bar: Bar, factor: int, frame: pd.DataFrame) -> RandomTerm:
    # Ones are made for no row: the intercept alone is the commonest term, and tables may have many rows.
    alone = plain_columns(bar.columns) == (True, ())
    columns, Z = build_columns(bar.columns, frame[:1] if alone else frame)
    if not columns.names:
        raise ModelError(f"the random term {bar.text} has no column", todo="write (1 | g) for random intercepts")
    require_finite(Z, columns)
    return RandomTerm(factor, columns.names, bar.correlated, None if alone else Z, bar, columns)


def _refuse_shared(terms: Sequence[RandomTerm], factors: Sequence[GroupingFactor]) -> None:
    """Two variances for the same column and groups cannot be told apart."""
    seen: dict[tuple[int, str], RandomTerm] = {}
    for term in terms:
        for name in term.names:
            if (term.factor, name) in seen:
                first, factor = seen[term.factor, name], factors[term.factor].name
                raise ModelError(
                    f"{first.bar.text} and {term.bar.text} both have the coefficient {name} of {factor}",
                    allowed="each coefficient of a grouping factor once",
                    todo=f"write (0 + ... | {factor}) for slopes beside (1 | {factor})",
                )
            seen[term.factor, name] = term
