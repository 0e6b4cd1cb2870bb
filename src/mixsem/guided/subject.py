"""The fit that is reported, with what several parts ask of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, cast

from ..errors import DataError, MixsemError
from ..mixed.fit import MixedFit
from ..mixed.penalties.penalised import is_penalised

if TYPE_CHECKING:
    from ..data.columns import FrameLike
    from ..mixed.growth.curve import GrowthModel
    from ..mixed.missing.report import MissingReport
    from ..mixed.require import AnyFit
    from ..report.mixed_results import MixedResults

__all__ = ["Subject", "may_profile", "may_refit", "profile_refused"]

#: Sizes above which parts are left out, which would take longer than a minute together: random effects in the dense
#: part of the system, whose cost grows with the third power; rows of generalised models, whose likelihood reads each.
PROFILE_EFFECTS, REFIT_EFFECTS = 500, 2000
PROFILE_ROWS, REFIT_ROWS = 10_000, 100_000
#: Parameters whose likelihood is profiled.
PROFILE_PARAMETERS = 40
#: Rows of the conditional AIC, of robust standard errors, and of their largest cluster.
CONDITIONAL_ROWS, ROBUST_ROWS, ROBUST_CLUSTER = 200_000, 200_000, 500
#: Occasions and people of a growth curve.
OCCASIONS, PEOPLE = 20, 20_000


@dataclass(frozen=True, eq=False)
class Subject:
    """What is reported.

    Attributes
    ----------
    results
        The fit with its tests and intervals.
    data
        The whole table, incomplete rows included; None if it was not given.
    """

    results: MixedResults
    data: FrameLike | None = None

    @property
    def fit(self) -> AnyFit:
        """The fit."""
        return cast("AnyFit", self.results.fit)

    @property
    def is_linear(self) -> bool:
        """Whether it is a linear mixed model."""
        return isinstance(self.fit, MixedFit)

    @property
    def may_refit(self) -> bool:
        """Whether the model can be fitted a few times more in seconds."""
        return may_refit(self.fit)

    @cached_property
    def growth(self) -> GrowthModel | None:
        """The fit as a growth curve; None if it is none."""
        from ..mixed.growth.curve import read_growth

        fit = self.fit
        if not isinstance(fit, MixedFit):
            return None
        try:
            model = read_growth(fit, fit.specification.residual)
        except MixsemError:
            return None
        return model if model.random else None

    @cached_property
    def missing(self) -> MissingReport | None:
        """The account of rows that were left out; None if there are none, or the whole table is not known."""
        from ..mixed.missing.report import check_missing

        if self.data is None or self.fit.design.n_rows == self.fit.nobs:
            return None
        try:
            return check_missing(self.fit, self.data, time=self.time)  # type: ignore[arg-type]
        except DataError:  # another table
            return None

    @property
    def time(self) -> str | None:
        """The column of the occasions, if rows are occasions of people."""
        return None if self.growth is None else self.growth.occasions.times.name


def tail_effects(fit: AnyFit) -> int:
    """Random effects in the dense part of the system."""
    if isinstance(fit, MixedFit):
        return fit.model.products.layout.blocks.n_tail
    return sum(sorted(factor.n_levels for factor in fit.design.factors)[:-1])


def may_refit(fit: AnyFit) -> bool:
    """Whether the model can be fitted a few times more in seconds."""
    few_rows = isinstance(fit, MixedFit) or fit.nobs <= REFIT_ROWS
    return few_rows and tail_effects(fit) <= REFIT_EFFECTS


def may_profile(fit: AnyFit) -> bool:
    """Whether the likelihood of every parameter can be profiled, and in seconds."""
    return not profile_refused(fit) and _is_quick(fit)


def profile_refused(fit: AnyFit) -> str:
    """Why the likelihood of this model has no profile, however long it may take; empty if it has one."""
    if fit.residual is not None:
        return "they are known for independent residuals of one variance only"
    if isinstance(fit, MixedFit) and is_penalised(fit):
        return "a penalised fit does not maximise the likelihood"
    if not isinstance(fit, MixedFit) and fit.n_agq == 0:
        return "n_agq=0 has no likelihood of fixed effects"
    return ""


def _is_quick(fit: AnyFit) -> bool:
    few_rows = isinstance(fit, MixedFit) or fit.nobs <= PROFILE_ROWS
    return few_rows and tail_effects(fit) <= PROFILE_EFFECTS and fit.n_params <= PROFILE_PARAMETERS
