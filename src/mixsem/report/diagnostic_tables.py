"""The table of a Bayesian step 1's diagnostics."""

from __future__ import annotations

from ..measurement.diagnostics import Diagnostics
from .table import Column, Table

__all__ = ["diagnostics_table"]


def diagnostics_table(found: Diagnostics) -> Table:
    """One row per measurement block: the worst of its quantities, and what the sampler reported."""
    ess = (
        Column("ess_bulk", "bulk", "integer", group="Effective draws"),
        Column("ess_tail", "tail", "integer", group="Effective draws"),
    )
    sampled = (
        Column("block", "Block"),
        Column("rhat", "R-hat", "decimal3"),
        *ess,
        Column("divergences", "Divergent", "integer"),
        Column("ebfmi", "E-BFMI", "decimal2"),
        Column("seconds", "Seconds", "decimal1"),
        Column("worst", "Worst quantity"),
    )
    independent = (Column("block", "Block"), *ess, Column("seconds", "Seconds", "decimal1"))
    columns = sampled if found.method == "nuts" else independent
    notes = ["R-hat: largest; effective draws: smallest, over all quantities of a block."]
    title = "Diagnostics of the draws"
    records = [{str(name): value for name, value in row.items()} for row in found.frame.to_dict("records")]
    return Table.from_records(title, columns, records, notes if found.method == "nuts" else [])
