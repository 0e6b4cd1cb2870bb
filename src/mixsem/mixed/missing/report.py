"""`check_missing`: an account of missing values before, or after, a fit."""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError, ModelError, OptionError, did_you_mean
from ...options import as_names
from ..derived.frame_table import FrameTable
from ..designs.design import read_design
from .account import level_account, row_account
from .dropout import dropout_table
from .excluded import compare_rows
from .used_rows import UsedRows, read_used_rows

if TYPE_CHECKING:
    import pandas as pd

    from ...data.columns import FrameLike
    from ..fit import MixedFit

__all__ = ["LITTLE", "MissingReport", "check_missing", "loss_advice"]

Numbers = NDArray[np.float64]
#: Share of the rows below which a loss belongs among the limitations, and imputation changes little.
LITTLE = 0.05


@dataclass(frozen=True, eq=False, repr=False)
class MissingReport:
    """What a model loses to missing values; prints as tables.

    Attributes
    ----------
    variables
        Missing values of each variable, and the rows lost because of it alone.
    levels
        Levels of each grouping factor that keep all, some or none of their rows.
    comparison
        Kept and left-out rows compared; None if no row is left out, or none kept.
    dropout
        Occasion by occasion; None if no column of occasions was named.
    to_predict
        Positions of rows of which the outcome alone is missing: ``fit.predict`` takes them.
    left_out
        Positions of all rows that are left out.
    n_rows
        Rows of the table.
    notes
        What the model assumes of missing values, and what to do.
    """

    variables: FrameTable
    levels: FrameTable
    comparison: FrameTable | None
    dropout: FrameTable | None
    to_predict: NDArray[np.int64]
    left_out: NDArray[np.int64]
    n_rows: int
    notes: tuple[str, ...]

    @property
    def tables(self) -> tuple[FrameTable, ...]:
        """The tables that there are, in the order in which they print; notes stand below the last."""
        from dataclasses import replace

        found = [t for t in (self.variables, self.levels, self.dropout, self.comparison) if t is not None]
        return (*found[:-1], replace(found[-1], notes=(*found[-1].notes, *self.notes)))

    def __repr__(self) -> str:
        return "\n\n".join(map(repr, self.tables))

    def _repr_html_(self) -> str:
        return "".join(table._repr_html_() for table in self.tables)


def check_missing(
    fit_or_formula: MixedFit | str,
    data: FrameLike,
    *,
    time: str | None = None,
    group: str | None = None,
    covariates: str | Sequence[str] = (),
) -> MissingReport:
    """Account for rows and levels that a mixed model loses to missing values.

    Parameters
    ----------
    fit_or_formula
        A fit, or a formula before anything is fitted.
    data
        The whole table, incomplete rows included: a fit keeps complete rows only.
    time
        Column of the occasions of longitudinal data: then there is a table of drop-out and gaps.
    group
        Grouping factor that is followed over time, such as ``"person"``; by default the one with most levels.
    covariates
        Further columns on which kept and left-out rows are compared.

    Returns
    -------
    MissingReport
        Prints as tables.

    Raises
    ------
    DataError
        If a column is missing, or the table is not the one that the model was fitted to.
    OptionError
        If an argument is none of what is allowed.

    Notes
    -----
    Rows are left out listwise. With responses alone missing this is no loss: the likelihood of what was observed is all
    there is, and holds if values are missing at random given what is in the model (Rubin, 1976, doi
    10.1093/biomet/63.3.581; Little & Rubin, Statistical Analysis with Missing Data, 3rd ed. 2019).

    Examples
    --------
    >>> import mixsem as mx
    >>> data = mx.data.sleepstudy()
    >>> data.loc[[8, 9, 25], "Reaction"] = float("nan")
    >>> found = check_missing("Reaction ~ Days + (Days | Subject)", data, time="Days")
    >>> found.variables.frame.head(1)
       variable      role  missing     share  alone
    0  Reaction  response        3  0.016667      3
    >>> found.dropout.frame.loc[[5, 8], ["Days", "observed", "gap", "gone"]]
      Days  observed  gap  gone
    5    5        17    1     0
    8    8        17    0     1
    """
    for option, value in (("time", time), ("group", group)):
        if value is not None and not isinstance(value, str):
            raise OptionError(f"{option}={reprlib.repr(value)}", allowed="the name of a column, as text")
    extra = [name for name in (time,) if name is not None]
    further = as_names(covariates, "covariates")
    used = read_used_rows(fit_or_formula, data, [*further, *extra])
    compared = tuple(name for name in used.covariates if name not in extra or name in further or name in used.roles)
    used = UsedRows(used.frame, used.roles, used.absent, used.groups, compared)
    followed = _followed(used, group)
    lost = ~used.complete
    return MissingReport(
        variables=row_account(used),
        levels=level_account(used),
        comparison=compare_rows(used) if lost.any() and not lost.all() else None,
        dropout=None if time is None else dropout_table(used, time, followed),
        to_predict=np.flatnonzero(used.outcome_only),
        left_out=np.flatnonzero(lost),
        n_rows=used.n,
        notes=(*_notes(used), *_unfit(fit_or_formula, used)),
    )


def _followed(used: UsedRows, group: str | None) -> tuple[str, ...]:
    """Variables of the grouping factor that is followed over time."""
    names = [":".join(variables) for variables in used.groups]
    if group is not None:
        if group not in names:
            raise OptionError(
                f"group={group!r}", allowed=", ".join(names), todo=did_you_mean(str(group), names) or "choose one"
            )
        return used.groups[names.index(group)]
    return max(used.groups, key=lambda variables: len(used.frame[list(variables)].drop_duplicates()))


def _unfit(given: MixedFit | str, used: UsedRows) -> tuple[str, ...]:
    """Why the complete rows make no model nevertheless, such as the logarithm of 0: missing values are not all."""
    if not isinstance(given, str) or not used.complete.any():
        return ()

    def response(text: str, raw: pd.DataFrame, compute: Callable[[str], Numbers]) -> tuple[Numbers, None]:
        alone = text in raw or text.strip().startswith("cbind(")  # of any family
        return (np.zeros(len(raw)) if alone else compute(text)), None

    try:
        read_design(given, used.frame, check=False, response=response)
    except (DataError, ModelError) as error:
        return (f"No model can be made of the complete rows yet: {error.got}.",)
    return ()


def _notes(used: UsedRows) -> tuple[str, ...]:
    """What is assumed of what is missing, that this cannot be tested, and whether to do something."""
    lost, outcome = float((~used.complete).mean()), used.outcome_only
    if lost in (0.0, 1.0):
        return ()
    notes = []
    if outcome.any():
        notes.append(
            "Missing outcomes: the likelihood analysis assumes that they are missing at random given the model (MAR):"
            " that, among rows with the same predictors and levels with the same observed outcomes, those that are"
            " missing are like the others. To impute them from the same variables adds nothing."
        )
    if ((~used.complete) & ~outcome).any():
        notes.append(
            "Missing predictors: complete rows give unbiased coefficients if whether a predictor is missing does not"
            " depend on the outcome, given the predictors; precision is lost in any case."
        )
    notes.append(
        "Whether values are missing at random (MAR) or because of what they would have been (MNAR) cannot be tested:"
        " what would tell is what is missing. The comparison shows what went along with being left out, no more."
    )
    return (*notes, loss_advice(lost, float(outcome.mean())))


def loss_advice(lost: float, outcome_only: float = 0.0) -> str:
    """What to do about a share of lost rows, of which in a share of all rows the outcome alone is missing."""
    if lost < LITTLE:
        return f"{lost:.1%} of the rows are lost, less than {LITTLE:.0%}: name it among the limitations, and leave it."
    if lost - outcome_only < LITTLE:
        return (
            f"{lost:.1%} of the rows are lost, but only {lost - outcome_only:.1%}, less than {LITTLE:.0%}, to anything"
            " else than a missing outcome: name it among the limitations, and leave it."
        )
    return (
        f"{lost:.1%} of the rows are lost, {lost - outcome_only:.1%} to other variables than the outcome: name it,"
        " impute once or several times with a model that knows the clusters, and show sensitivity(fit, imputed)"
        " beside the fit."
    )
