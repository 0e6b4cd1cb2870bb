"""Tests of measurement invariance over many groups: configural, metric, scalar, strict."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..data.intake import Data
from ..display import Displayed
from ..equations.fit import SEMFit
from ..equations.specification import SEM
from ..errors import Notice, OptionError, did_you_mean, notify
from ..options import Names, as_names
from ..syntax.blocks import Blocks
from ..syntax.sem import parse_model, parse_parameter
from .invariance_levels import LEVELS, fit_model, require_levels
from .invariance_measures import Comparison, LevelMeasures, compare_levels, level_measures
from .invariance_text import block_models

if TYPE_CHECKING:
    import pandas as pd

    from ..equations.data import SEMData
    from ..report.table import Table

__all__ = ["InvarianceLevel", "InvarianceTest", "invariance_test"]


@dataclass(frozen=True, eq=False)
class InvarianceLevel:
    """A model at one level of invariance.

    Attributes
    ----------
    block
        Names of the factors that were fitted together.
    level
        ``"configural"``, ``"metric"``, ``"scalar"`` or ``"strict"``.
    fit
        The fitted model.
    measures
        Its fit measures; of the corrected test where the estimator has one.
    comparison
        What it lost against the level before; None for the first.
    notices
        Trouble at this level: no convergence, Heywood cases, by group and item.
    """

    block: str
    level: str
    fit: SEMFit
    measures: LevelMeasures
    comparison: Comparison | None
    notices: tuple[Notice, ...]


@dataclass(frozen=True, eq=False, repr=False)
class InvarianceTest(Displayed):
    """Models with more and more parameters equal over groups, compared.

    Attributes
    ----------
    measurement
        The measurement model.
    partial
        Parameters exempt from the equalities.
    levels
        The fitted models: block after block, from the weakest level to the strongest.
    notices
        All trouble: what was dropped from the data, then level by level.
    """

    measurement: str
    partial: tuple[str, ...]
    levels: tuple[InvarianceLevel, ...]
    notices: tuple[Notice, ...]

    @property
    def groups(self) -> tuple[Hashable, ...]:
        """Labels of the groups."""
        return self.levels[0].fit.groups

    @property
    def nobs(self) -> int:
        """People over all groups."""
        return self.levels[0].fit.nobs

    @property
    def estimator(self) -> str:
        """Name of the estimator."""
        return self.levels[0].fit.compiled.estimator.name

    @property
    def blocks(self) -> tuple[str, ...]:
        """Names of the measurement blocks."""
        return tuple(dict.fromkeys(level.block for level in self.levels))

    @property
    def table(self) -> Table:
        """One row per block and level, ready to print."""
        from ..report.invariance_tables import level_table

        return level_table(self)

    def fit(self, level: str, block: str | None = None) -> SEMFit:
        """The fitted model of a level.

        Parameters
        ----------
        level
            Such as ``"metric"``.
        block
            Which block, if there are several.

        Raises
        ------
        OptionError
            If there is no such level or block, or several blocks to choose from.
        """
        found = [x for x in self.levels if x.level == level and block in (None, x.block)]
        if len(found) == 1:
            return found[0].fit
        levels = list(dict.fromkeys(x.level for x in self.levels))
        if found:
            raise OptionError(f"level {level!r} was fitted to several blocks", allowed=", ".join(self.blocks))
        raise OptionError(
            f"there is no level {level!r}" + (f" of block {block!r}" if block is not None else ""),
            allowed=", ".join(levels) + (f"; blocks {', '.join(self.blocks)}" if block is not None else ""),
            todo=did_you_mean(str(level), levels) or f"fit it: levels={tuple(LEVELS)}",
        )

    def to_pandas(self) -> pd.DataFrame:
        """One row per block and level, unrounded: measures, differences, changes, and which cut-offs are met."""
        from ..report.invariance_tables import level_frame

        return level_frame(self)


def invariance_test(
    measurement: str,
    data: Data,
    group: str | None = None,
    *,
    levels: Names | None = None,
    partial: Names = (),
    estimator: str = "ML",
    missing: str = "listwise",
    ordered: Names | bool = (),
    blocks: Blocks = "joint",
    std_lv: bool = False,
    orthogonal: bool = False,
) -> InvarianceTest:
    """Test measurement invariance: fit the model at each level and compare each with the one before.

    Parameters
    ----------
    measurement
        Measurement model in lavaan syntax.
    data
        Any dataframe narwhals takes, one row per person; or `SampleMoments` for estimators that need no rows.
    group
        Column that names the group of each person.
    levels
        Which of ``"configural"`` (nothing equal), ``"metric"`` (loadings), ``"scalar"`` (and intercepts), ``"strict"``
        (and residual variances). None for all of them, or for the first two with ordered items.
    partial
        Parameters that stay free at all levels, such as ``("F =~ x3", "x3 ~ 1")``.
    estimator
        As of `cfa`; with a robust one, such as ``"MLR"``, differences of chi-square are scaled as by `anova`, and CFI
        and RMSEA are the robust ones.
    missing
        ``"listwise"``, or ``"ml"`` for full information.
    ordered
        Ordered items, or True for all; they have the first two levels, as thresholds are free in every group.
    blocks
        ``"joint"``: all factors together (default); ``"factor"``: one test per factor; or a partition.
    std_lv
        Scale by unit factor variances (of the first group, once loadings are equal) instead of markers. All numbers
        stay the same, but a marker can be named in `partial`.
    orthogonal
        Fix covariances among factors at zero.

    Returns
    -------
    InvarianceTest
        Prints one table, with the field's cut-offs below it; ``.table``, ``.to_pandas()``, ``.fit("metric")``.

    Raises
    ------
    ModelSyntaxError, ModelError, UnsupportedModelError
        If the model cannot be read or estimated.
    DataError
        If there is a single group, or a group's covariance matrix is singular.
    OptionError
        If an option is not what is allowed.

    Examples
    --------
    >>> import mixsem as mx
    >>> data = mx.data.holzinger_swineford_1939()
    >>> model = "visual =~ x1 + x2 + x3; textual =~ x4 + x5 + x6; speed =~ x7 + x8 + x9"
    >>> test = mx.invariance_test(model, data, "school")
    >>> test.to_pandas()[["level", "chisq", "df", "diff_chisq", "diff_df", "diff_p"]].round(3)
            level    chisq  df  diff_chisq  diff_df  diff_p
    0  configural  115.851  48         NaN      NaN     NaN
    1      metric  124.044  54       8.192      6.0   0.224
    2      scalar  164.103  60      40.059      6.0   0.000
    3      strict  181.511  69      17.409      9.0   0.043

    References
    ----------
    Meredith (1993), Measurement invariance, factor analysis and factorial invariance. Psychometrika 58, 525-543.
    Vandenberg & Lance (2000). Organizational Research Methods 3, 4-70.
    """
    ordinal = bool(ordered) if isinstance(ordered, bool) else bool(as_names(ordered, "ordered"))
    wanted = require_levels(levels, ordered=ordinal)
    exempt = as_names(partial, "partial")
    specification = SEM(
        measurement,
        "cfa",
        estimator=estimator,
        missing=missing,
        ordered=ordered,
        std_lv=std_lv,
        orthogonal=orthogonal,
    )
    fitted: list[InvarianceLevel] = []
    about_data: dict[str, Notice] = {}
    models = block_models(measurement, blocks)
    for block, text in models:
        own = exempt if len(models) == 1 else _of_block(exempt, text, measurement)
        read, steps = _fit_levels(replace(specification, model=text), block, data, group, wanted, own)
        fitted += steps
        about_data |= {notice.text: notice for notice in read.notices}
    notices = (*about_data.values(), *(notice for step in fitted for notice in step.notices))
    notify(notices)
    return InvarianceTest(measurement, exempt, tuple(fitted), notices)


def _fit_levels(
    specification: SEM, block: str, data: Data, group: str | None, levels: tuple[str, ...], partial: tuple[str, ...]
) -> tuple[SEMData, list[InvarianceLevel]]:
    """Fit one block at every level; its data are read once."""
    steps: list[InvarianceLevel] = []
    read: SEMData | None = None
    for level in levels:
        equal = LEVELS[level]
        wanted = replace(specification, group_equal=equal, group_partial=partial)
        fit = fit_model(wanted, data if read is None else read, None if read is not None else group)
        read = fit.data
        measures = level_measures(fit)
        comparison = compare_levels(level, steps[-1].measures, measures, steps[-1].fit, fit) if steps else None
        notices = tuple(replace(n, text=f"{level}: {n.text}") for n in fit.notices)
        steps.append(InvarianceLevel(block, level, fit, measures, comparison, notices))
    assert read is not None
    return read, steps


def _of_block(partial: tuple[str, ...], text: str, whole: str) -> tuple[str, ...]:
    """Those of the exempt parameters that belong to a block; names that belong to none stay, to be refused there."""
    mine, known = (set(parse_model(x).factors) | set(parse_model(x).indicators) for x in (text, whole))

    def belongs(name: str) -> bool:
        lhs, _, rhs = parse_parameter(name)
        used = {lhs, rhs} - {""}
        return used <= mine or not used <= known

    return tuple(name for name in partial if belongs(name))
