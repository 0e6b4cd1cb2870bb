"""Tables of a Bayesian measurement model: loadings, variances, groups that deviate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..bayes.roles import Approximate, Equal, Free, Random, Role
from ..measurement.bayes_fit import BayesianFit
from ..measurement.mgbcfa import MGBCFA
from .bayes_tables import variance_name
from .bayesian_frames import LoadingVariation
from .document import NO_BREAK
from .table import Column, Table
from .values import one_line

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["bayesian_loading_table", "bayesian_variance_table", "deviation_entries"]

Record = dict[str, object]

#: Of so many groups that deviate the names are listed.
SHOWN = 15

INTERVAL = "lower, upper: 95% intervals."


def bayesian_loading_table(fit: BayesianFit, parameters: pd.DataFrame, variation: Sequence[LoadingVariation]) -> Table:
    """Loadings: posterior mean over groups, how much they vary, and in how many groups they deviate.

    Parameters
    ----------
    fit
        The measurement model.
    parameters
        Its `tidy` frame.
    variation
        What `loading_variation` found.
    """
    found = {(v.factor, v.item): v for v in variation}
    roles = _roles(fit)
    loadings = parameters[parameters["op"] == "=~"]
    records = []
    for (factor, item), rows in loadings.groupby(["lhs", "rhs"], sort=False):
        record = {"factor": factor, "item": item, **_over_groups(rows)}
        own = found.get((str(factor), str(item)))
        if own is not None:
            record |= _of_variation(own, record)
        records.append(record | _of_role(roles.get(f"{factor}=~{item}"), rows, fit))
    kept = _loading_columns(records)
    notes = [f"Loading: posterior mean over groups. {INTERVAL}"]
    if any(r.get("sd") is not None for r in records):
        notes.append("SD: standard deviation of the loading over groups.")
    if found:
        notes.append(
            "Lowest, highest: posterior means of the groups. Deviate: groups whose difference from the average over"
            " groups has a 95% interval without 0; some do by chance where there are many groups."
        )
    return Table.from_records("Loadings", kept, records, notes)


def _loading_columns(records: Sequence[Record]) -> list[Column]:
    """Columns that hold something."""
    over, sd, range_ = "Over groups", "SD over groups", "Groups"
    columns = [
        Column("factor", "Factor"),
        Column("item", "Item"),
        Column("variance", "Prior variance", align="right"),
        Column("estimate", "Loading", "decimal3", group=over),
        Column("lower", "lower", "decimal3", group=over),
        Column("upper", "upper", "decimal3", group=over),
        Column("sd", "SD", "decimal3", group=sd),
        Column("sd_lower", "lower", "decimal3", group=sd),
        Column("sd_upper", "upper", "decimal3", group=sd),
        Column("lowest", "Lowest", "decimal3", group=range_),
        Column("highest", "Highest", "decimal3", group=range_),
        Column("deviate", "Deviate", "integer", group=range_),
        Column("remark", "Remark"),
    ]
    return [c for c in columns if any(r.get(c.name) not in (None, "") for r in records)]


def _roles(fit: BayesianFit) -> dict[str, Role | None]:
    """Role of every entry by its name."""
    return {
        name: role
        for block in fit.blocks
        for name, role in zip(block.posterior.model.entries, block.posterior.roles, strict=True)
    }


def _over_groups(rows: pd.DataFrame) -> Record:
    """Mean and SD over groups where they are parameters, else the one value."""
    record: Record = {}
    for what in ("fixed", "equal", "mean"):
        for row in rows[rows["what"] == what].to_dict("records")[:1]:
            record |= {"estimate": row["estimate"], "lower": row["lower"], "upper": row["upper"]}
    for row in rows[rows["what"] == "sd"].to_dict("records"):
        record |= {"sd": row["estimate"], "sd_lower": row["lower"], "sd_upper": row["upper"]}
    return record


def _of_variation(own: LoadingVariation, record: Record) -> Record:
    """Range and deviations; the average over groups where there is no mean among the parameters."""
    average = (
        {} if record.get("sd") is not None else dict(zip(("estimate", "lower", "upper"), own.average, strict=True))
    )
    return {
        **average,
        "lowest": float(own.estimates.min()),
        "highest": float(own.estimates.max()),
        "deviate": int(own.deviating.sum()),
    }


def _of_role(role: Role | None, rows: pd.DataFrame, fit: BayesianFit) -> Record:
    """Prior variance, or a remark on what is fixed or equal."""
    multigroup = isinstance(fit.specification, MGBCFA)
    fixed = bool((rows["what"] == "fixed").any())
    if isinstance(role, Approximate):
        return {"variance": variance_name(role.variance)}
    if multigroup and isinstance(role, Free):
        return {"variance": variance_name(None)}
    if multigroup and isinstance(role, Equal):
        return {"variance": variance_name(0.0)}
    if isinstance(role, Random):
        return {}
    equal = bool((rows["what"] == "equal").any())
    return {"remark": "fixed" if fixed else "equal over groups" if equal else "tied by a label"}


def bayesian_variance_table(parameters: pd.DataFrame) -> Table:
    """Unique and factor (co)variances: average and range over groups, and the SD of their logs where random.

    Parameters
    ----------
    parameters
        The `tidy` frame of the measurement model.
    """
    records = []
    for (left, right), rows in parameters[parameters["op"] == "~~"].groupby(["lhs", "rhs"], sort=False):
        values = rows[rows["what"].isin(["group", "equal", "fixed"])]["estimate"].to_numpy()
        record: Record = {"parameter": f"{one_line(left)} ~~ {one_line(right)}", "estimate": float(values.mean())}
        if values.size > 1:
            record |= {"lowest": float(values.min()), "highest": float(values.max())}
        for row in rows[rows["what"] == "sd"].to_dict("records"):
            record |= {"sd": row["estimate"], "sd_lower": row["lower"], "sd_upper": row["upper"]}
        if values.size == 1:
            record["remark"] = "fixed" if "fixed" in set(rows["what"]) else "equal over groups"
        records.append(record)
    columns = [
        Column("parameter", "Parameter"),
        Column("estimate", "Average", "decimal3", group="Groups"),
        Column("lowest", "Lowest", "decimal3", group="Groups"),
        Column("highest", "Highest", "decimal3", group="Groups"),
        Column("sd", "SD", "decimal3", group="SD of the log over groups"),
        Column("sd_lower", "lower", "decimal3", group="SD of the log over groups"),
        Column("sd_upper", "upper", "decimal3", group="SD of the log over groups"),
        Column("remark", "Remark"),
    ]
    kept = [c for c in columns if any(r.get(c.name) not in (None, "") for r in records)]
    notes = ["Posterior means of the groups' (co)variances."]
    if any("sd" in r for r in records):
        pairs = any("sd" in r and len(set(str(r["parameter"]).split(" ~~ "))) == 2 for r in records)
        notes.append("Of a covariance the SD is that of Fisher's z of the correlation. " * pairs + INTERVAL)
    return Table.from_records("Unique variances, factor variances and covariances", kept, records, notes)


def deviation_entries(
    fit: BayesianFit, variation: Sequence[LoadingVariation], shown: int = SHOWN
) -> tuple[tuple[str, str], ...]:
    """Pairs of loading and the groups that deviate from its average, the furthest first."""
    entries = []
    for own in variation:
        at = np.flatnonzero(own.deviating)
        at = at[np.argsort(-np.abs(own.differences[0, at]), kind="stable")]
        words = [_deviation(fit, own, int(k)) for k in at[:shown]]
        more = f" and {at.size - shown:,} more" if at.size > shown else ""
        entries.append((f"{own.factor} =~ {own.item}", (", ".join(words) or "none") + more))
    return tuple(entries)


def _deviation(fit: BayesianFit, own: LoadingVariation, k: int) -> str:
    number = f"{own.differences[0, k]:+.2f}".replace("-", "−")
    return f"{one_line(fit.groups[own.groups[k]])}{NO_BREAK}({number})"
