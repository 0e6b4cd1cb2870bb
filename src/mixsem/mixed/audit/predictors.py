"""Audit of the predictors: columns that repeat others, empty cells, scales, calendar years."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ...errors import enumerate_briefly
from ..judgement.boundary import FAR_SCALES, YEAR_DISTANCE, YEAR_MEAN
from .findings import Finding
from .subject import AuditedDesign

__all__ = ["aliased", "collinear", "empty_cells", "far_scales", "variance_inflation", "year_like"]

Array = NDArray[np.float64]

#: Variance inflation beyond which a coefficient says little of its own; a convention.
INFLATED = 10.0
#: Rows that a check of collinearity looks at, and coefficients that are no rounding.
MOST_ROWS, NEGLIGIBLE = 20_000, 1e-6


def aliased(audited: AuditedDesign) -> Iterator[Finding]:
    """Columns of the fixed part that follow exactly from others."""
    design = audited.design
    explained = {name for names in _empty(audited).values() for name in names[1]}
    dropped = [name for name in design.dropped_columns if name not in explained]
    if not dropped:
        return
    every = design.columns.of(design.types.tidy(design.frame[list(design.types.categories)]))
    parts = []
    for name in dropped[:3]:
        column = every[:, design.columns.names.index(name)]
        parts.append(f"{name} = {_written(design.fixed_names, _solved(design.X, column))}")
    rest = f" ({len(dropped) - 3} more)" if len(dropped) > 3 else ""
    yield Finding(
        "MX104",
        "data",
        f"{'These columns follow' if len(dropped) > 1 else 'This column follows'} exactly from others:"
        f" {'; '.join(parts)}{rest}.",
        enumerate_briefly(dropped),
        "It is left out, and the coefficients of the others mean something else than they seem to.",
        "leave out one of the columns that say the same, and choose which.",
    )


def _solved(X: Array, column: Array) -> Array:
    scale = np.sqrt((X**2).mean(axis=0))
    return np.asarray(np.linalg.lstsq(X / scale, column, rcond=None)[0] / scale)


def _written(names: tuple[str, ...], weights: Array) -> str:
    """A sum of columns in words, rounding errors left out."""
    large = np.abs(weights) > NEGLIGIBLE * np.abs(weights).max(initial=1e-300)
    parts = []
    for name, weight in zip(np.array(names, dtype=object)[large], weights[large], strict=True):
        size = "" if np.isclose(abs(weight), 1.0) else f"{abs(weight):.4g} "
        size = f"{abs(weight):.4g}" if name == "(Intercept)" else size + name
        parts.append((" - " if weight < 0 else " + ") + size)
    return "".join(parts).strip().removeprefix("+ ") or "0"


def collinear(audited: AuditedDesign) -> Iterator[Finding]:
    """Main effects that the others nearly determine; powers and interactions are no trouble of the data."""
    found = {term: value for term, value in variance_inflation(audited).items() if value > INFLATED}
    if found:
        shown = ", ".join(f"{term} ({value:,.0f})" for term, value in found.items())
        yield Finding(
            "MX121",
            "data",
            f"Variance inflation above {INFLATED:.0f}: {shown}.",
            enumerate_briefly(list(found)),
            "These predictors say nearly the same: each coefficient is uncertain and may change its sign, their sum"
            " may be well known.",
            "keep one of them, or their mean; do not read their coefficients one by one.",
        )


def variance_inflation(audited: AuditedDesign) -> dict[str, float]:
    """Variance inflation of each main effect by the other main effects, per coefficient; empty if there is one only."""
    design = audited.design
    terms = [t for t in design.fixed_terms if t in audited.main_effects]
    at = [j for t in terms for j in design.fixed_terms[t]]
    if len(terms) < 2:
        return {}
    step = max(1, design.n // MOST_ROWS)
    X = design.X[::step][:, at] - design.X[::step][:, at].mean(axis=0)
    spread = np.sqrt((X**2).mean(axis=0))
    if not spread.min() > 0:
        return {}
    correlation = (X / spread).T @ (X / spread) / len(X)
    found, begin = {}, 0
    for term in terms:
        own = np.arange(begin, begin := begin + len(design.fixed_terms[term]))
        found[term] = _generalised_inflation(correlation, own, np.setdiff1d(np.arange(len(at)), own))
    return found


def _generalised_inflation(correlation: Array, own: NDArray[np.int64], others: NDArray[np.int64]) -> float:
    """Variance inflation of a term of one or more columns; Fox & Monette (1992), per coefficient."""
    logs = [np.linalg.slogdet(correlation[np.ix_(s, s)])[1] for s in (own, others, np.arange(len(correlation)))]
    return float(np.exp(min((logs[0] + logs[1] - logs[2]) / len(own), 50.0)))


def _empty(audited: AuditedDesign) -> dict[str, tuple[list[str], list[str]]]:
    """Of interactions of categories: combinations without a row, and the columns that go missing because of them."""
    import itertools

    design, found = audited.design, {}
    for term, names in audited.categorical_terms.items():
        if len(names) < 2:
            continue
        there = set(design.frame[list(names)].drop_duplicates().itertuples(index=False, name=None))
        possible = itertools.product(*(design.types.categories[name] or () for name in names))
        empty = [":".join(map(str, cell)) for cell in possible if cell not in there]
        if empty:
            lost = [design.columns.names[j] for j in design.columns.terms[term]]
            found[term] = (empty, [name for name in lost if name in design.dropped_columns])
    return found


def empty_cells(audited: AuditedDesign) -> Iterator[Finding]:
    """Combinations of categories without a row, where their interaction is in the model."""
    for term, (empty, lost) in _empty(audited).items():
        gone = f" Columns left out: {enumerate_briefly(lost)}." if lost else ""
        yield Finding(
            "MX125",
            "data",
            f"No row has {enumerate_briefly(empty)}.{gone}",
            term,
            "The interaction is not defined there, so that its test and marginal means over these cells are not what"
            " they are called.",
            "check the labels, join categories, or leave the interaction out.",
        )


def far_scales(audited: AuditedDesign) -> Iterator[Finding]:
    """Predictors on very different scales, or on an extreme one."""
    spread = {name: float(column.std()) for name, column in audited.numeric_columns.items()}
    spread = {name: sd for name, sd in spread.items() if sd > 0}
    if not spread:
        return
    low, high = min(spread, key=spread.__getitem__), max(spread, key=spread.__getitem__)
    ratio = spread[high] / spread[low]
    extreme = [name for name, sd in spread.items() if not 1.0 / FAR_SCALES <= sd <= FAR_SCALES]
    if ratio <= FAR_SCALES and not extreme:
        return
    what = f"SDs: {', '.join(f'{name} {spread[name]:.3g}' for name in dict.fromkeys([*extreme[:3], high, low]))}."
    if ratio > FAR_SCALES:
        what += f" Those of {high} and {low} differ by a factor of {ratio:,.0f}."
    yield Finding(
        "MX123",
        "scale",
        what,
        enumerate_briefly(list(dict.fromkeys([*extreme, *((high, low) if ratio > FAR_SCALES else ())]))),
        "The fit does not suffer, since columns are scaled inside; coefficients and SDs of slopes are hard to read.",
        "choose other units, such as thousands.",
    )


def year_like(audited: AuditedDesign) -> Iterator[Finding]:
    """Predictors such as calendar years: far from 0 for how much they vary."""
    found = {
        name: column
        for name, column in audited.numeric_columns.items()
        if column.min() > YEAR_MEAN and column.mean() > YEAR_DISTANCE * column.std() > 0.0
    }
    if found:
        ranges = ", ".join(f"{name} from {c.min():.6g} to {c.max():.6g}" for name, c in found.items())
        first, column = next(iter(found.items()))
        yield Finding(
            "MX124",
            "scale",
            f"Far from 0: {ranges}.",
            enumerate_briefly(list(found)),
            f"Intercepts, their SDs and their correlations with slopes speak of {first} = 0.",
            f"let it start at 0, as in I({first} - {column.min():.6g}).",
        )
