"""Tables of variances: as many decimals as the smallest variance needs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ...report.values import enough_decimals
from ..derived.frame_table import FrameTable

if TYPE_CHECKING:
    from ...report.table import Table

__all__ = ["VarianceTable"]

#: Columns in the units of the response, squared or not.
IN_UNITS = ("variance", "sd", "lower", "upper")
HEADINGS = {"sd": "SD", "icc": "ICC", "lower": "Lower (SD)", "upper": "Upper (SD)"}


@dataclass(frozen=True, eq=False, repr=False)
class VarianceTable(FrameTable):
    """A frame with variances, shown as a table.

    Attributes
    ----------
    title, frame, notes
        As of any such table.
    """

    @property
    def table(self) -> Table:
        """As a table to print."""
        table = super().table
        columns = []
        for column in table.columns:
            units = column.name in IN_UNITS
            form = enough_decimals(self.frame[column.name].dropna()) if units else column.format
            columns.append(replace(column, label=HEADINGS.get(column.name, column.label.capitalize()), format=form))
        return replace(table, columns=tuple(columns))
