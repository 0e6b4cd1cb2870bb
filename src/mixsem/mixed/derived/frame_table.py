"""Results that are a data frame and print as a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...report.values import Format

if TYPE_CHECKING:
    import pandas as pd

    from ...report.table import Table

__all__ = ["FrameTable"]

#: Heading and format of columns, by their names; any other is text, or has three decimals.
HEADINGS: Mapping[str, tuple[str, Format]] = {
    "estimate": ("Estimate", "decimal3"),
    "se": ("SE", "decimal3"),
    "df": ("df", "decimal1"),
    "lower": ("Lower", "decimal3"),
    "upper": ("Upper", "decimal3"),
    "rhs": ("Value", "decimal3"),
    "p_value": ("p", "p"),
    "sum_sq": ("Sum of squares", "decimal3"),
    "mean_sq": ("Mean square", "decimal3"),
    "num_df": ("df", "integer"),
    "den_df": ("Denominator df", "decimal1"),
    "chisq": ("Chi-square", "decimal3"),
    "n_params": ("Parameters", "integer"),
    "aic": ("AIC", "decimal1"),
    "bic": ("BIC", "decimal1"),
    "loglik": ("Log-likelihood", "decimal2"),
    "deviance": ("Deviance", "decimal2"),
    "df_diff": ("df", "integer"),
    "p_boundary": ("p (boundary)", "p"),
    "p_simulated": ("p (simulated)", "p"),
    "aicc": ("AICc", "decimal1"),
    "aic_reml": ("AIC (REML)", "decimal1"),
    "caic": ("Conditional AIC", "decimal1"),
    "cond_loglik": ("Conditional log-likelihood", "decimal2"),
    "delta": ("Delta", "decimal2"),
    "p_naive": ("p (chi-square)", "p"),
    "log_score": ("Log score", "decimal3"),
    "rmse": ("RMSE", "decimal3"),
    "rmse_se": ("SE of RMSE", "decimal3"),
    "difference_se": ("SE of difference", "decimal3"),
    "n_rows": ("Rows", "integer"),
}


@dataclass(frozen=True, eq=False, repr=False)
class FrameTable:
    """A data frame with a title and notes, shown as a table.

    Attributes
    ----------
    title
        What it shows.
    frame
        The numbers, unrounded.
    notes
        Sentences below the table.
    """

    title: str
    frame: pd.DataFrame
    notes: tuple[str, ...]

    @property
    def table(self) -> Table:
        """As a table to print."""
        from ...report.table import Column, Table

        columns = []
        for name in map(str, self.frame.columns):
            other: Format = "decimal3" if self.frame[name].dtype.kind == "f" else "text"
            label, form = HEADINGS.get(name, (name.replace("_", " "), other))
            columns.append(Column(name, label, form))
        records = self.frame.astype(object).to_dict("records")
        return Table.from_records(self.title, columns, [{str(k): v for k, v in r.items()} for r in records], self.notes)

    def to_pandas(self) -> pd.DataFrame:
        """As a data frame."""
        return self.frame.copy()

    def __repr__(self) -> str:
        return repr(self.table)

    def _repr_html_(self) -> str:
        return self.table._repr_html_()
