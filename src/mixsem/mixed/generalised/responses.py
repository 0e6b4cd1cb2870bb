"""Responses of generalised models: counts of successes and failures, categories, proportions, counts, sizes."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Number

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...errors import DataError
from ..designs.design import Design, ResponseReader
from .families import Family

__all__ = ["check_response", "response_reader", "split_response"]

Array = NDArray[np.float64]

#: How far successes, proportion times trials, may be from whole numbers.
WHOLE = 1e-6


def split_response(text: str) -> tuple[str, str] | None:
    """Successes and failures of ``cbind(successes, failures)``; None for any other response."""
    inside = text.strip()
    if not inside.startswith("cbind(") or not inside.endswith(")"):
        return None
    depth, commas = 0, []
    for i, letter in enumerate(inside):
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 1:
            commas.append(i)
    if len(commas) != 1:
        raise DataError(
            f"the response {text}", allowed="cbind(successes, failures): two columns or expressions", todo="give both"
        )
    return inside[len("cbind(") : commas[0]].strip(), inside[commas[0] + 1 : -1].strip()


def response_reader(family: Family) -> ResponseReader:
    """How `read_design` reads the response of a family."""

    def read(text: str, raw: pd.DataFrame, compute: Callable[[str], Array]) -> tuple[Array, Array | None]:
        sides = split_response(text)
        if sides is not None and not family.has_trials:
            raise DataError(
                f"the response {text} with family={family.name!r}",
                allowed="successes and failures for family='binomial', else one column",
                todo="choose family='binomial', or give counts with an offset",
            )
        if sides is not None:
            return _proportions(text, compute(sides[0]), compute(sides[1]))
        coded = _coded(raw[text], family) if text in raw else None
        return (compute(text) if coded is None else coded), None

    return read


def _proportions(text: str, successes: Array, failures: Array) -> tuple[Array, Array]:
    trials = successes + failures
    wrong = (successes < 0.0) | (failures < 0.0) | (trials <= 0.0) | (successes != np.rint(successes))
    wrong |= failures != np.rint(failures)
    if wrong.any():
        raise DataError(
            f"{int(wrong.sum()):,} rows of {text} are no counts of successes and failures, such as"
            f" {successes[wrong][0]:g} and {failures[wrong][0]:g}",
            allowed="whole numbers, 0 or more, and at least one trial in each row",
            todo="check the columns; leave out rows without trials",
        )
    return successes / trials, trials


def _coded(column: pd.Series, family: Family) -> Array | None:
    """A column of two categories as 0 and 1; None for numbers.

    As in R the first category, in its order or the alphabet's, is the failure.
    """
    if pd.api.types.is_bool_dtype(column.dtype):
        return column.to_numpy(dtype=float)
    if pd.api.types.is_numeric_dtype(column.dtype) or all(isinstance(value, Number) for value in column):
        return None
    categories = column.cat.categories if isinstance(column.dtype, pd.CategoricalDtype) else sorted(column.unique())
    present = [c for c in categories if (column == c).any()]
    if not family.has_trials or len(present) != 2:
        raise DataError(
            f"the response {column.name} has {len(present)} categories",
            allowed="two categories" if family.has_trials else "numbers",
            todo="join categories, or compare two of them" if family.has_trials else "choose family='binomial'",
        )
    return (column == present[1]).to_numpy(dtype=float)


def check_response(design: Design, family: Family) -> None:
    """Check the responses against what the family can have.

    Raises
    ------
    DataError
        If a response is impossible.
    """
    y = design.y
    if family.name == "binomial":
        m = np.ones(len(y)) if design.weights is None else design.weights
        _require((y >= 0.0) & (y <= 1.0), y, design, "0 and 1, or proportions of successes", _binomial_advice)
        uneven = np.abs(y * m - np.rint(y * m)) > WHOLE * np.maximum(m, 1.0)
        if uneven.any():
            raise DataError(
                f"{int(uneven.sum()):,} rows of {design.formula.response} are not successes out of whole trials",
                allowed="0 and 1, or proportions with weights= the numbers of trials",
                todo="give the numbers of trials as weights=, or cbind(successes, failures) as the response",
            )
    elif family.name in ("poisson", "negative binomial"):
        _require((y >= 0.0) & (y == np.rint(y)), y, design, "counts: whole numbers, 0 or more", _count_advice)
    elif family.name in ("gamma", "inverse gaussian"):
        _require(y > 0.0, y, design, "positive numbers", _positive_advice)
    if not np.ptp(y) > 0.0:
        raise DataError(f"the response {design.formula.response} does not vary", todo="check the column")


def _require(
    possible: NDArray[np.bool_], y: Array, design: Design, allowed: str, advice: Callable[[Array], str]
) -> None:
    if possible.all():
        return
    wrong = y[~possible]
    raise DataError(
        f"{len(wrong):,} values of {design.formula.response} are impossible, such as {wrong[0]:g}",
        allowed=allowed,
        todo=advice(y),
    )


def _binomial_advice(y: Array) -> str:
    values = np.unique(y)
    if len(values) == 2:
        return f"code {values[0]:g} as 0 and {values[1]:g} as 1"
    if (y == np.rint(y)).all() and (y >= 0).all():
        return "give cbind(successes, failures), or family='poisson' for counts without a limit"
    return "check the column"


def _count_advice(y: Array) -> str:
    return "for rates give counts, and offset(log(exposure))" if (y >= 0).all() else "check negative values"


def _positive_advice(y: Array) -> str:
    return "zeros have no likelihood there: model whether it is zero apart" if (y >= 0).all() else "check the values"
