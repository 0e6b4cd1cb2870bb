"""A mixed model with what is told of it: tests, intervals, the table of terms; computed once for every output."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from ..mixed.fit import MixedFit
from ..mixed.inference.ddf import CoefficientTable, Ddf, Inference, coefficient_table, inference_of
from ..mixed.inference.f_tables import FTable, f_table
from ..mixed.uncertainty.confidence import ConfidenceIntervals
from ..mixed.uncertainty.intervals import confint as confidence_intervals
from ..mixed.uncertainty.parameters import parameters_of
from .mixed_summary import LARGEST_SYSTEM

if TYPE_CHECKING:
    import pandas as pd

    from .table import Table

__all__ = ["MixedResults", "mixed_results"]

Progress = Callable[[str, int, int], None]
Limits = Literal["wald", "profile", "none"]


@dataclass(frozen=True, eq=False)
class MixedResults:
    """What is told of a mixed model.

    Attributes
    ----------
    fit
        The fit.
    inference
        How fixed effects are tested.
    fixed
        Tests of the fixed effects, with Wald limits.
    terms
        The F table; None if it was not asked for.
    limits
        Which limits stand beside the fixed effects.
    intervals
        Intervals that were asked for, to be told on their own; None if there are none.
    weights, offset
        Columns that came as arguments.
    """

    fit: MixedFit
    inference: Inference
    fixed: CoefficientTable
    terms: FTable | None
    limits: Limits
    intervals: ConfidenceIntervals | None
    weights: str | None = None
    offset: str | None = None

    @property
    def fixed_frame(self) -> pd.DataFrame:
        """One row per fixed effect: name, estimate, se, df, statistic (t or z), p_value, lower, upper.

        Degrees of freedom are missing without a method for them, limits if none were asked for.
        """
        frame = self.fixed.frame.rename(columns={"t": "statistic", "z": "statistic"})
        if "df" not in frame:
            frame.insert(3, "df", np.nan)
        if self.limits != "wald":
            frame[["lower", "upper"]] = np.nan
        if self.limits == "profile" and self.intervals is not None:
            rows = self.intervals.frame[self.intervals.frame["kind"] == "fixed"]
            frame[["lower", "upper"]] = rows[["lower", "upper"]].to_numpy()
        return frame

    @property
    def fixed_table(self) -> Table:
        """The fixed effects as a table to print, with the limits that are told."""
        frame, notes = self.fixed.frame.copy(), self.fixed.notes
        if self.limits == "wald":
            return self.fixed.table
        frame[["lower", "upper"]] = self.fixed_frame[["lower", "upper"]]
        if self.limits == "profile":
            return replace(self.fixed, frame=frame, notes=(*notes, "Limits are those of the profile likelihood.")).table
        return replace(self.fixed, frame=frame.drop(columns=["lower", "upper"])).table

    @property
    def tables(self) -> tuple[Table, ...]:
        """What was asked for besides the summary: the F table, and intervals."""
        terms = () if self.terms is None else (self.terms.table,)
        return terms if self.intervals is None else (*terms, self.intervals.table)

    @property
    def variance_frame(self) -> pd.DataFrame:
        """As `VarCorr.frame`, with the profile limits of each standard deviation and correlation: lower, upper."""
        frame = self.fit.varcorr.frame.assign(lower=np.nan, upper=np.nan)
        if self.limits != "profile" or self.intervals is None:
            return frame
        limits = self.intervals.frame[["lower", "upper"]].to_numpy()
        frame[["lower", "upper"]] = limits[self._places()]  # profiled fits have one residual standard deviation
        return frame

    def _places(self) -> list[int]:
        """Position among the parameters of each row of `VarCorr.frame`, whose correlations follow all SDs of a term."""
        known = {(p.term, *sorted((p.row, p.column))): i for i, p in enumerate(parameters_of(self.fit.model))}
        places = []
        for t, term in enumerate(self.fit.varcorr.terms):
            k = len(term.names)
            pairs = [(a, b) for a in range(k) for b in range(a + 1, k)] if term.correlated else []
            places += [known[t, a, b] for a, b in [*((a, a) for a in range(k)), *pairs]]
        residual = [i for i, p in enumerate(parameters_of(self.fit.model)) if p.kind == "sigma"]
        return [*places, *residual[: len(self.fit.varcorr.residual_rows)]]


def mixed_results(
    fit: MixedFit,
    *,
    ddf: Ddf | None = None,
    confint: Limits | None = None,
    anova: bool = False,
    weights: str | None = None,
    offset: str | None = None,
    progress: Progress | None = None,
) -> MixedResults:
    """Compute what is told of a fit.

    Parameters
    ----------
    fit
        The fit.
    ddf
        How fixed effects are tested; by default by Satterthwaite's method, or by z where that takes long.
    confint
        Which 95% limits: ``"wald"`` (by default), ``"profile"``, or ``"none"``. Those that are named become a table of
        their own.
    anova
        Whether to test the terms of the fixed part.
    weights, offset
        Columns that came as arguments of the fit, which does not know their names.
    progress
        Called while the likelihood is profiled.
    """
    large = isinstance(fit, MixedFit) and fit.model.products.layout.blocks.n_tail > LARGEST_SYSTEM
    known = inference_of(fit, ddf or ("none" if large else None))
    return MixedResults(
        fit,
        known,
        coefficient_table(fit, known),
        f_table(fit, 3, known) if anova else None,
        confint or "wald",
        _intervals(fit, known, confint, progress),
        weights,
        offset,
    )


def _intervals(
    fit: MixedFit, known: Inference, method: Limits | None, progress: Progress | None
) -> ConfidenceIntervals | None:
    if method == "profile":
        return confidence_intervals(fit, "profile", progress=progress)
    return confidence_intervals(fit, "wald", which="fixed", ddf=known) if method == "wald" else None
