"""What a bootstrap of a linear mixed model returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from ...errors import Notice, OptionError
from ...inference.resampled import resampled_limits
from ..inference.ddf import require_level
from ..penalties.penalised import is_penalised
from ..require import AnyFit
from .confidence import ConfidenceIntervals, intervals_frame, structure_notes
from .parameters import Parameter, choose_parameters, fitted_values, parameters_of

if TYPE_CHECKING:
    import pandas as pd

    from ...report.table import Table

__all__ = ["MixedBootstrap"]

Array = NDArray[np.float64]
IntervalMethod = Literal["percentile", "basic", "bc"]
_WORDS = {"percentile": "Percentiles", "basic": "Basic limits", "bc": "Bias-corrected percentiles"}


@dataclass(frozen=True, eq=False, repr=False)
class MixedBootstrap:
    """A mixed model fitted again to n samples drawn from its fit; prints as a table of 95% intervals.

    Attributes
    ----------
    fit
        The fit.
    draws
        Parameters in every sample, one column each; NaN where a sample could not be fitted, and for correlations with
        a random effect of no variance.
    statistics
        Values of the user's statistic in every sample; None if there is none.
    original
        The statistic of the fit itself.
    boundary
        Which samples had a fit on the boundary: a variance of 0 or a correlation of 1 or -1, shape (n,).
    failures
        Why samples could not be fitted, one text each.
    seed
        Makes the same samples again.
    notices
        Trouble with the samples.
    """

    fit: AnyFit
    draws: pd.DataFrame
    statistics: pd.DataFrame | None
    original: Mapping[str, float]
    boundary: NDArray[np.bool_]
    failures: tuple[str, ...]
    seed: int
    notices: tuple[Notice, ...] = ()

    @property
    def n(self) -> int:
        """Number of samples."""
        return len(self.draws)

    @property
    def n_boundary(self) -> int:
        """Samples whose fit is on the boundary."""
        return int(self.boundary.sum())

    @property
    def n_failed(self) -> int:
        """Samples that could not be fitted."""
        return len(self.failures)

    def intervals(
        self, level: float = 0.95, method: IntervalMethod = "percentile", which: str | Sequence[str] | None = None
    ) -> ConfidenceIntervals:
        """Bootstrap intervals of the parameters, and of the statistic.

        Parameters
        ----------
        level
            Confidence level.
        method
            ``"percentile"``; ``"basic"``: percentiles mirrored at the estimate; ``"bc"``: percentiles corrected for the
            share of samples below the estimate (Efron, 1982).
        which
            Parameters, as in `confint`; all, and the statistic, by default.

        Returns
        -------
        ConfidenceIntervals
            Also has the columns se and bias.

        Raises
        ------
        OptionError
            If `level`, `method` or `which` is none of those allowed.
        """
        require_level(level)
        if method not in _WORDS:
            raise OptionError(f"method={method!r}", allowed=", ".join(map(repr, _WORDS)))
        fit, chosen = self.fit, choose_parameters(self.fit.model, which)
        estimate = fitted_values(fit, chosen)
        names = [p.name for p in parameters_of(fit.model)]
        columns = [self.draws.iloc[:, names.index(p.name)].to_numpy() for p in chosen]
        if self.statistics is not None and which is None:
            extra = [str(name) for name in self.statistics]
            chosen += tuple(Parameter(name, "fixed") for name in extra)
            estimate = np.append(estimate, [self.original.get(name, np.nan) for name in extra])
            columns += [self.statistics[name].to_numpy() for name in extra]
        limits = np.array([_limits(c, e, level, method) for c, e in zip(columns, estimate, strict=True)])
        frame = intervals_frame(chosen, estimate, limits[:, 0], limits[:, 1])
        if self.statistics is not None and which is None:
            frame.loc[frame.index[-len(extra) :], "kind"] = "statistic"
        usable = [_usable(column) for column in columns]
        frame["se"] = [drawn.std(ddof=1) if len(drawn) > 1 else np.nan for drawn in usable]
        frame["bias"] = [drawn.mean() if len(drawn) else np.nan for drawn in usable] - estimate
        title = f"{100 * level:g}% parametric bootstrap intervals"
        return ConfidenceIntervals(title, frame, self._notes(method), "bootstrap", level)

    def _notes(self, method: str) -> tuple[str, ...]:
        notes = [f"{_WORDS[method]} of {self.n:,} samples drawn from the fit, seed {self.seed}."]
        if self.n_boundary:
            notes.append(f"{self.n_boundary:,} samples have a variance of 0 or a correlation of 1 or -1.")
        if self.n_failed:
            notes.append(f"{self.n_failed:,} samples could not be fitted and are left out ({self.failures[0]}).")
        undefined = int(self.draws.isna().any(axis=1).sum()) - self.n_failed
        if undefined:
            notes.append(f"{undefined:,} samples have a correlation without a value, which is left out.")
        if is_penalised(self.fit):
            notes.append(
                "Samples are fitted with the penalty of the fit, which pulls standard deviations up once more: their"
                " limits may not hold the estimate."
            )
        return (*notes, *structure_notes(self.fit))

    @property
    def table(self) -> Table:
        """The 95% percentile intervals as a table to print."""
        return self.intervals().table

    def to_pandas(self) -> pd.DataFrame:
        """The draws as a data frame, statistics last."""
        return self.draws.copy() if self.statistics is None else self.draws.join(self.statistics)

    def __repr__(self) -> str:
        return repr(self.table)

    def _repr_html_(self) -> str:
        return self.table._repr_html_()


def _usable(column: Array) -> Array:
    return np.asarray(column[np.isfinite(column)])


def _limits(column: Array, estimate: float, level: float, method: str) -> tuple[float, float]:
    """Limits from the samples in which the parameter has a value."""
    drawn = _usable(column)
    if len(drawn) < 2:
        return np.nan, np.nan
    plain = "bc" if method == "bc" else "percentile"
    lower, upper = resampled_limits(drawn[:, None], np.array([estimate]), level, plain)
    if method == "basic":
        return float(2.0 * estimate - upper[0]), float(2.0 * estimate - lower[0])
    return float(lower[0]), float(upper[0])
