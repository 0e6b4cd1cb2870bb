"""Tables of a measurement model: fit per block, loadings, what is equal over groups."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..measurement.fit import BlockFit, MeasurementFit
from .table import Column, Table
from .values import group_sizes, one_line

__all__ = ["fit_table", "loading_table", "measurement_facts"]

Array = NDArray[np.float64]


def measurement_facts(fit: MeasurementFit) -> tuple[tuple[str, str], ...]:
    """Pairs of what and how: people, blocks, scale, equality over groups."""
    specification, n = fit.specification, fit.moments.n
    dropped = int(fit.moments.n_dropped.sum())
    people = f"{fit.nobs:,}" + (f"; groups of {group_sizes(n.tolist())}" if n.size > 1 else "")
    if dropped:
        people += f"; {dropped:,} rows dropped because an item is missing"
    facts = [
        ("People", people),
        ("Measurement blocks", _blocks(fit)),
        ("Scale", "factor variances 1" if specification.std_lv else "first loading 1 (marker variable)"),
    ]
    if n.size > 1:
        facts.append(("Equal over groups", _equality(specification.equal, specification.partial)))
    if specification.ordered:
        facts.append(("Estimator", f"diagonally weighted least squares on polychoric correlations; {_ordered(fit)}"))
        facts.append(("Free parameters", f"{fit.n_params:,}, thresholds of every group included"))
    else:
        means = ", means of the items included" if n.size > 1 else ""
        facts.append(("Log-likelihood", f"{fit.loglik:,.2f}, {fit.n_params:,} free parameters{means}"))
    return tuple((name, one_line(text)) for name, text in facts)


def _ordered(fit: MeasurementFit) -> str:
    """Which items are ordered."""
    names = fit.specification.ordered
    return "all items ordered" if names is True else f"ordered: {', '.join(_listed(names))}"


def _blocks(fit: MeasurementFit) -> str:
    """Which factors were estimated together."""
    if all(len(block.factors) == 1 for block in fit.blocks):
        return "one per factor"
    if len(fit.blocks) == 1:
        return "all factors together"
    return "; ".join(", ".join(block.factors) for block in fit.blocks)


def _equality(equal: object, partial: object) -> str:
    """The equality constraints in words."""
    kinds, free = _listed(equal), _listed(partial)
    if not kinds:
        return "nothing (configural)"
    return ", ".join(kinds) + (f"; free: {', '.join(free)}" if free else "")


def _listed(names: object) -> list[str]:
    """An option that is one name or several."""
    return [names] if isinstance(names, str) else list(names)  # type: ignore[call-overload]


def fit_table(fit: MeasurementFit) -> Table:
    """Fit measures, one row per measurement block."""
    columns = (
        Column("block", "Block"),
        Column("chisq", "χ²", "decimal2"),
        Column("df", "df", "integer"),
        Column("pvalue", "p", "p"),
        Column("cfi", "CFI", "decimal3"),
        Column("tli", "TLI", "decimal3"),
        Column("rmsea", "RMSEA", "decimal3"),
        Column("rmsea_lower", "lower", "decimal3"),
        Column("rmsea_upper", "upper", "decimal3"),
        Column("srmr", "SRMR", "decimal3"),
    )
    records = [{"block": ", ".join(block.factors), **block.measures.to_dict()} for block in fit.blocks]
    notes = ["lower, upper: 90% confidence interval of RMSEA."]
    if fit.specification.ordered:
        notes.append("χ² and what follows from it: corrected in mean and variance (scaled and shifted).")
    return Table.from_records("Fit of the measurement blocks", columns, records, notes)


def loading_table(fit: MeasurementFit) -> Table:
    """Loadings: one estimate where all groups share it, median and range where they do not."""
    rows = [row for block in fit.blocks for row in _loading_rows(block, _standardized(fit), fit)]
    varies = any(row[5] is not None for row in rows)
    columns: tuple[Column, ...] = (
        Column("factor", "Factor"),
        Column("item", "Item"),
        Column("estimate", "Loading", "decimal3"),
        Column("se", "SE", "decimal3"),
        Column("standardized", "Std.", "decimal3"),
        Column("lowest", "Lowest", "decimal3"),
        Column("highest", "Highest", "decimal3"),
        Column("remark", "Remark"),
    )
    notes = ["Std.: standardized loading" + (", median over groups." if len(fit.groups) > 1 else ".")]
    if varies:
        notes.append("Loadings that differ over groups: median, lowest and highest of the groups.")
    else:
        keep = [0, 1, 2, 3, 4, 7]
        columns, rows = tuple(columns[j] for j in keep), [tuple(row[j] for j in keep) for row in rows]
    return Table("Loadings", columns, tuple(rows), tuple(notes))


def _standardized(fit: MeasurementFit) -> Array:
    """Median over groups of loadings in the scale of standardized items and factors, shape (p, Q)."""
    implied = fit.Lambda @ fit.Phi @ fit.Lambda.swapaxes(1, 2) + fit.Theta
    with np.errstate(invalid="ignore", divide="ignore"):
        item = np.sqrt(np.diagonal(implied, axis1=1, axis2=2))
        factor = np.sqrt(np.diagonal(fit.Phi, axis1=1, axis2=2))
        scaled = fit.Lambda * factor[:, None, :] / item[:, :, None]
    return np.nanmedian(scaled, axis=0) if np.isfinite(scaled).any() else np.full(scaled.shape[1:], np.nan)


def _loading_rows(block: BlockFit, standardized: Array, fit: MeasurementFit) -> list[tuple[object, ...]]:
    model = block.model
    values, se = model.entry_values(block.coef), block.standard_errors
    rows: list[tuple[object, ...]] = []
    for e, parameter in enumerate(block.table.rows):
        if parameter.op != "=~":
            continue
        estimates, index = values[:, e], model.free[:, e]
        shared = bool((index == index[0]).all()) and (index[0] >= 0 or bool((estimates == estimates[0]).all()))
        remark = ("fixed" if index[0] < 0 else "") if shared else "differs over groups"
        rows.append(
            (
                parameter.lhs,
                parameter.rhs,
                float(np.median(estimates)),
                float(se[index[0]]) if shared and index[0] >= 0 else None,
                float(standardized[fit.items.index(parameter.rhs), fit.factors.index(parameter.lhs)]),
                None if shared else float(estimates.min()),
                None if shared else float(estimates.max()),
                remark,
            )
        )
    return rows
