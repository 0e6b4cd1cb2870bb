"""Tables of the parameters of a structural equation model, section by section as lavaan's summary has them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..equations.fit import SEMFit
from ..equations.r2 import r2
from ..equations.sam_fit import SAMFit
from ..syntax.table import Row
from .equation_facts import FEW_GROUPS
from .equation_frames import ParameterValues, parameter_values, two_sided
from .table import Column, Table
from .thresholds import thresholds_of
from .values import one_line

__all__ = ["defined_table", "explained_table", "parameter_tables"]

#: Title, heading of the first column, operator, and whether both sides are the same variable.
_SECTIONS = (
    ("Loadings", "Loading", "=~", None),
    ("Regressions", "Regression", "~", None),
    ("Covariances", "Covariance", "~~", False),
    ("Intercepts and means", "Variable", "~1", None),
    ("Variances", "Variable", "~~", True),
)
_DOT = "A dot marks residuals and intercepts: what the model does not explain."


def parameter_tables(fit: SEMFit | SAMFit) -> list[Table]:
    """All parameters: a table per kind, groups side by side if they are few.

    With many groups, parameters that are equal over groups stand in one table per kind, and those that differ in
    another, by their lowest, middle and highest estimate and where these are.
    """
    values = parameter_values(fit)
    tables: list[Table] = []
    for title, heading, op, same in _SECTIONS:
        chosen = [e for e, row in enumerate(fit.table.rows) if _belongs(row, op, same) and _shown(fit, row)]
        if not chosen:
            continue
        names = [_name(fit, fit.table.rows[e]) for e in chosen]
        labels = [_labels(fit.table.rows[e]) for e in chosen]
        if len(fit.groups) <= FEW_GROUPS:
            tables.append(_side_by_side(title, heading, fit, values, chosen, names, labels))
        else:
            tables += _many_groups(title, heading, fit, values, chosen, names, labels)
    return [*tables, *threshold_tables(fit)]


def threshold_tables(fit: SEMFit | SAMFit) -> list[Table]:
    """Thresholds of ordered items: of each group if they are few, else their range; nothing without ordered items."""
    if fit.data.ordinal is None:
        return []
    found = thresholds_of(fit.data.ordinal)
    names = [f"{item} | {name}" for item, name in zip(found.items, found.names, strict=True)]
    columns: list[Column] = [Column("parameter", "Threshold")]
    if len(fit.groups) <= FEW_GROUPS:
        several = len(fit.groups) > 1
        body: list[list[object]] = [[name] for name in names]
        for g, group in enumerate(fit.groups):
            suffix = f"_{g + 1}" if several else ""
            columns += _statistics(one_line(group) if several else "", suffix)[:2]
            for row, estimate, se in zip(body, found.estimate[g], found.se[g], strict=True):
                row += [float(estimate), float(se)]
        return [Table("Thresholds", tuple(columns), tuple(map(tuple, body)))]
    columns += [Column("lowest", "Lowest", "decimal3"), Column("lowest_in", "in")]
    columns += [Column("median", "Median", "decimal3")]
    columns += [Column("highest", "Highest", "decimal3"), Column("highest_in", "in")]
    rows = []
    for name, of_groups in zip(names, found.estimate.T, strict=True):
        low, high = int(np.nanargmin(of_groups)), int(np.nanargmax(of_groups))
        middle = float(np.nanmedian(of_groups))
        where = (one_line(fit.groups[low]), one_line(fit.groups[high]))
        rows.append((name, float(of_groups[low]), where[0], middle, float(of_groups[high]), where[1]))
    return [Table("Thresholds", tuple(columns), tuple(rows))]


def _belongs(row: Row, op: str, same: bool | None) -> bool:
    return row.op == op and (same is None or (row.lhs == row.rhs) == same)


def _shown(fit: SEMFit | SAMFit, row: Row) -> bool:
    """Leave out the given moments of covariates, and zeros that nobody asked for."""
    covariates = fit.table.covariates
    given = row.op in ("~~", "~1") and row.lhs in covariates and (row.op == "~1" or row.rhs in covariates)
    unasked = not row.user and all(value == 0.0 for value in row.fixed)
    return not (given or unasked)


def _name(fit: SEMFit | SAMFit, row: Row) -> str:
    """The parameter in words: ``visual: x2``, ``speed ~ visual``, ``.x1``."""
    if row.op == "=~":
        return f"{row.lhs} =~ {row.rhs}"
    if row.op == "~":
        return f"{row.lhs} ~ {row.rhs}"
    left = _dotted(fit, row.lhs)
    return left if row.op == "~1" or row.lhs == row.rhs else f"{left} ~~ {_dotted(fit, row.rhs)}"


def _dotted(fit: SEMFit | SAMFit, name: str) -> str:
    explained = any((r.op == "=~" and r.rhs == name) or (r.op == "~" and r.lhs == name) for r in fit.table.rows)
    return f".{name}" if explained else name


def _labels(row: Row) -> str:
    """Labels that the user gave."""
    return ", ".join(dict.fromkeys(label for label in row.label if label and not label.startswith(".")))


def _statistics(group: str, prefix: str) -> tuple[Column, ...]:
    return (
        Column(f"estimate{prefix}", "Estimate", "decimal3", group=group),
        Column(f"se{prefix}", "SE", "decimal3", group=group),
        Column(f"z{prefix}", "z", "decimal2", group=group),
        Column(f"p{prefix}", "p", "p", group=group),
        Column(f"std{prefix}", "Std.", "decimal3", group=group),
    )


def _side_by_side(
    title: str,
    heading: str,
    fit: SEMFit | SAMFit,
    values: ParameterValues,
    chosen: Sequence[int],
    names: Sequence[str],
    labels: Sequence[str],
) -> Table:
    several = len(fit.groups) > 1
    columns: list[Column] = [Column("parameter", heading)]
    z, rows = values.z, [[name] for name in names]
    if any(labels):
        columns.append(Column("label", "Label"))
        rows = [[name, label] for name, label in zip(names, labels, strict=True)]
    body: list[list[object]] = [list(row) for row in rows]
    for g, group in enumerate(fit.groups):
        columns += _statistics(one_line(group) if several else "", f"_{g + 1}" if several else "")
        for row, e in zip(body, chosen, strict=True):
            row += [*_numbers(values, z, g, e), values.standardized[g, e]]
    return Table(title, tuple(columns), tuple(map(tuple, body)), _notes(title, names))


def _numbers(values: ParameterValues, z: np.ndarray, g: int, e: int) -> list[object]:
    if values.free[g, e] < 0:
        return [values.estimate[g, e], None, None, None]
    return [values.estimate[g, e], values.se[g, e], z[g, e], float(two_sided(z[g, e]))]


def _notes(title: str, names: Sequence[str], *extra: str) -> tuple[str, ...]:
    dotted = title in ("Covariances", "Intercepts and means", "Variances") and any("." in name for name in names)
    first = ("Std.: in units of standard deviations. Without a standard error: fixed.",) if title == "Loadings" else ()
    return (*first, *extra, *((_DOT,) if dotted and title == "Variances" else ()))


def _many_groups(
    title: str,
    heading: str,
    fit: SEMFit | SAMFit,
    values: ParameterValues,
    chosen: Sequence[int],
    names: Sequence[str],
    labels: Sequence[str],
) -> list[Table]:
    """Equal ones once, the others by their range."""
    z, labelled = values.z, any(labels)
    common: list[tuple[object, ...]] = []
    varying: list[tuple[object, ...]] = []
    for e, name, label in zip(chosen, names, labels, strict=True):
        estimate, free = values.estimate[:, e], values.free[:, e]
        if (free == free[0]).all() and (free[0] >= 0 or (estimate == estimate[0]).all()):
            middle = float(np.median(values.standardized[:, e]))
            common.append((name, *((label,) if labelled else ()), *_numbers(values, z, 0, e), middle))
            continue
        low, high = int(np.argmin(estimate)), int(np.argmax(estimate))
        significant = float((two_sided(z[free >= 0, e]) < 0.05).mean()) if (free >= 0).any() else None
        varying.append(
            (
                name, float(estimate[low]), one_line(fit.groups[low]), float(np.median(estimate)),
                float(estimate[high]), one_line(fit.groups[high]), significant,
                float(np.median(values.standardized[:, e])),
            )
        )  # fmt: skip
    label_column = (Column("label", "Label"),) if labelled else ()
    tables = []
    if common:
        suffix = " equal over groups" if varying else ""
        columns = (Column("parameter", heading), *label_column, *_statistics("", ""))
        note = "Std.: median over groups." if title == "Loadings" else ""
        tables.append(Table(title + suffix, columns, tuple(common), _notes("", names, *((note,) if note else ()))))
    if varying:
        columns = (
            Column("parameter", heading),
            Column("lowest", "Lowest", "decimal3"),
            Column("lowest_in", "in"),
            Column("median", "Median", "decimal3"),
            Column("highest", "Highest", "decimal3"),
            Column("highest_in", "in"),
            Column("significant", "p < .05", "decimal2"),
            Column("std", "Std.", "decimal3"),
        )
        suffix = " that differ over groups" if common else ""
        extra = () if tables or title != "Loadings" else ("p < .05: share of the groups. Std.: median over groups.",)
        tables.append(Table(title + suffix, columns, tuple(varying), _notes("", names, *extra)))
    return tables


def defined_table(fit: SEMFit | SAMFit) -> Table | None:
    """Defined parameters with delta-method standard errors; None if there are none."""
    if not fit.constraints.definitions:
        return None
    columns = (Column("parameter", "Parameter"), Column("definition", "Definition"), *_statistics("", "")[:4])
    rows = []
    for definition, (estimate, se) in zip(fit.constraints.definitions, fit.defined.values(), strict=True):
        z = estimate / se if se > 0 else np.nan
        rows.append((definition.name, str(definition.expression), estimate, se, z, float(two_sided(np.array(z)))))
    return Table("Defined parameters", columns, tuple(rows))


def explained_table(fit: SEMFit | SAMFit) -> Table | None:
    """R-square of items and outcomes; None if nothing is explained."""
    frame = r2(fit)
    if frame.empty:
        return None
    names = list(dict.fromkeys(frame["variable"]))
    found = list(zip(names, frame["r2"].to_numpy().reshape(len(fit.groups), len(names)).T, strict=True))
    columns: tuple[Column, ...]
    rows: list[tuple[object, ...]]
    if len(fit.groups) <= FEW_GROUPS:
        several = len(fit.groups) > 1
        columns = tuple(
            Column(f"r2_{g + 1}", one_line(group) if several else "Estimate", "decimal3")
            for g, group in enumerate(fit.groups)
        )
        rows = [(name, *map(float, share)) for name, share in found]
    else:
        columns = (
            Column("lowest", "Lowest", "decimal3"),
            Column("lowest_in", "in"),
            Column("median", "Median", "decimal3"),
            Column("highest", "Highest", "decimal3"),
            Column("highest_in", "in"),
        )
        rows = []
        for name, share in found:
            low, high = int(np.argmin(share)), int(np.argmax(share))
            row: tuple[object, ...] = (share[low], one_line(fit.groups[low]), float(np.median(share)))
            rows.append((name, *row, share[high], one_line(fit.groups[high])))
    return Table("R²", (Column("variable", "Variable"), *columns), tuple(rows))
