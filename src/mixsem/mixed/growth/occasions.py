"""People and occasions of a mixed model: which column is the time, and every predictor of every person at every one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...errors import DataError, ModelError, OptionError, enumerate_briefly
from ..designs.grouping import GroupingFactor, code_groups
from ..formulas.formula_text import scan, variables
from .reshape import occasion_rows

if TYPE_CHECKING:
    from ..designs.design import Design

__all__ = ["Occasions", "read_occasions"]

Codes = NDArray[np.int64]

#: Fewer people than this at an average occasion: times are everyone's own.
FEWEST_AT_ONE_TIME = 2.0


@dataclass(frozen=True, eq=False)
class Occasions:
    """The rows of a design as people by occasions.

    Attributes
    ----------
    people
        The grouping factor, N levels.
    times
        The column of the time as a factor, T levels.
    rows
        (N, T) the row of each person at each occasion, -1 where there is none.
    grid
        Predictors of every person at every occasion, N T rows, those of a person together.
    """

    people: GroupingFactor
    times: GroupingFactor
    rows: Codes
    grid: pd.DataFrame

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of people and of occasions."""
        return self.people.n_levels, self.times.n_levels


def read_occasions(design: Design, time: str | None = None) -> Occasions:
    """Read people and occasions of a design whose predictors belong to people or to occasions.

    Parameters
    ----------
    design
        The matrices of a mixed model with one grouping factor.
    time
        The column that tells occasions apart; by default the predictor that varies within people and determines all
        others that do.

    Raises
    ------
    ModelError
        If there are other grouping factors, no time, or a predictor that varies over both people and occasions.
    DataError
        If a person has two rows of one occasion, or times are not common.
    OptionError
        If `time` is no column that the fit used.
    """
    if len(design.factors) != 1:
        raise ModelError(
            f"the model has {len(design.factors)} grouping factors: {', '.join(f.name for f in design.factors)}",
            allowed="one grouping factor, the person, for a growth curve",
            todo="stay with the mixed model: crossed or nested factors need other structural equation models",
        )
    people, frame = design.factors[0], design.frame
    coded = {name: code_groups(frame, [name]) for name in design.formula.predictors}
    within = [name for name, factor in coded.items() if not _determines(people.codes, factor.codes)]
    name = _time(design, within, coded) if time is None else time
    if name not in frame.columns:
        raise OptionError(f"time={name!r}", allowed=f"a column that the fit used: {enumerate_briefly(list(frame))}")
    times = coded.get(name) or code_groups(frame, [name])
    both = [v for v in within if not _determines(times.codes, coded[v].codes)]
    if both:
        raise ModelError(
            f"{enumerate_briefly(both)} varies within {people.name} and is no function of {name}",
            allowed="predictors that belong to the person, or to the occasion",
            todo="leave it out here, or stay with the mixed model: as a predictor that varies with time, a structural"
            " equation model needs one column and one regression of it per occasion",
        )
    if people.codes.size < FEWEST_AT_ONE_TIME * times.n_levels:
        raise DataError(
            f"{times.n_levels:,} different values of {name} in {people.codes.size:,} rows: times are not common",
            allowed="times that people share: a structural equation model has one variable per occasion",
            todo="stay with the mixed model, for which any times will do; rounding times makes another model",
        )
    rows = occasion_rows(people, times)
    return Occasions(people, times, rows, _grid(frame, within, list(coded), rows))


def _determines(one: NDArray[np.int32], other: NDArray[np.int32]) -> bool:
    """Whether rows that agree in the first codes agree in the second."""
    pairs = np.unique(np.stack([one, other]), axis=1).shape[1]
    return pairs == len(np.unique(one))


def _time(design: Design, within: list[str], coded: dict[str, GroupingFactor]) -> str:
    """The predictor that stands for the occasion."""
    slopes = [name for bar in design.formula.bars for name in variables(scan(bar.columns))]
    candidates = sorted(within, key=lambda name: (name not in slopes, not _numeric(design.frame, name)))
    if not candidates:
        raise ModelError(
            f"no predictor of {design.formula.text!r} varies within {design.factors[0].name}: the model has no time",
            allowed="a model with the time as a predictor, as in y ~ time + (time | person)",
            todo="add the time to the formula",
        )
    shared = [name for name in candidates if coded[name].codes.size >= FEWEST_AT_ONE_TIME * coded[name].n_levels]
    candidates = shared or candidates  # a predictor that never repeats determines everything, and is no time
    for name in candidates:
        if all(_determines(coded[name].codes, coded[other].codes) for other in candidates):
            return name
    return candidates[0]


def _numeric(frame: pd.DataFrame, name: str) -> bool:
    return pd.api.types.is_numeric_dtype(frame.dtypes[name])


def _grid(frame: pd.DataFrame, within: list[str], predictors: list[str], rows: Codes) -> pd.DataFrame:
    """Each predictor from any row of the person, or of the occasion."""
    n_people, n_times = rows.shape
    of_person = np.repeat(rows[np.arange(n_people), (rows >= 0).argmax(axis=1)], n_times)
    of_time = np.tile(rows[(rows >= 0).argmax(axis=0), np.arange(n_times)], n_people)
    columns = {
        name: frame[name].iloc[of_time if name in within else of_person].reset_index(drop=True) for name in predictors
    }
    return pd.DataFrame(columns, index=range(n_people * n_times))
