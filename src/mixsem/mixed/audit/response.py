"""Audit of the response, and of what is known of it: separation, ordered categories, offsets, weights."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ...errors import enumerate_briefly
from ..formulas.formula_text import scan
from .findings import Finding
from .subject import AuditedDesign, varies_within

__all__ = ["constant_clusters", "count_weights", "few_values", "raw_exposure", "separated"]

Array = NDArray[np.float64]

#: Distinct values of a response up to which it looks like ordered categories, with so many rows for each.
ORDINAL, ROWS_EACH = 7, 10
#: Share of levels (with three rows or more, of so many levels at least) whose response is constant.
CONSTANT, LEAST_LEVELS, LEAST_ROWS = 0.2, 5, 3
#: A logarithm of exposures does not vary by more: that would be a factor of three million.
WIDEST_LOG = 15.0


def few_values(audited: AuditedDesign) -> Iterator[Finding]:
    """A response of a linear model with few distinct values, such as 1 to 5."""
    y, name = audited.design.y, audited.design.formula.response
    if not audited.is_gaussian:
        return
    values = np.unique(y)
    if not 2 <= len(values) <= ORDINAL or len(y) < ROWS_EACH * len(values):
        return
    shown = enumerate_briefly([f"{value:g}" for value in values])
    if len(values) == 2:
        todo = f'glmer("{audited.design.formula.text}", data, family="binomial") is the model for two values.'
        why = "Residuals of two values are not normal, and fitted values may lie outside them."
    else:
        todo = "compare with a model for ordered categories; means over items or occasions are nearer to a number."
        why = "Ordered categories are no measurements: distances between them, and tails, are not what is assumed."
    yield Finding("MX126", "data", f"{name} has {len(values)} distinct values: {shown}.", name, why, todo)


def separated(audited: AuditedDesign) -> Iterator[Finding]:
    """Predictors that tell which rows of a binomial response are all 0 or all 1."""
    design = audited.design
    y = _proportions(audited)
    if y is None:
        return
    found = [*_separated_cells(audited, y), *_separated_numbers(audited, y)]
    if found:
        yield Finding(
            "MX107",
            "data",
            f"Without overlap: {'; '.join(text for _, text in found)}.",
            enumerate_briefly([term for term, _ in found]),
            "The coefficient runs to infinity: it has no estimate, and its standard error is huge.",
            f"check the coding of {design.formula.response}, join categories or leave the predictor out; or use a weak"
            " prior on the coefficients, and say so.",
        )


def _proportions(audited: AuditedDesign) -> Array | None:
    """A binomial response from 0 to 1; None for others."""
    y = audited.design.y
    return y if audited.family == "binomial" and y.min() >= 0.0 and y.max() <= 1.0 and np.ptp(y) > 0 else None


def _separated_cells(audited: AuditedDesign, y: Array) -> Iterator[tuple[str, str]]:
    frame = audited.design.frame
    for term, names in audited.categorical_terms.items():
        extremes = frame[list(names)].assign(_y=y).groupby(list(names), observed=True)["_y"].agg(["min", "max"])
        for value in (0.0, 1.0):
            cells = extremes.index[(extremes["min"] == value) & (extremes["max"] == value)]
            if len(cells):
                shown = [":".join(map(str, c)) if isinstance(c, tuple) else str(c) for c in cells]
                kind = "complete" if _rest_is_other(extremes, value) else "quasi-complete"
                yield term, f"all rows of {term} = {enumerate_briefly(shown, 4)} are {value:g} ({kind} separation)"


def _rest_is_other(extremes: object, value: float) -> bool:
    low, high = np.asarray(extremes["min"]), np.asarray(extremes["max"])  # type: ignore[index]
    constant = (low == high) & ((low == 0.0) | (low == 1.0))
    return bool(constant.all() and (low == value).any())


def _separated_numbers(audited: AuditedDesign, y: Array) -> Iterator[tuple[str, str]]:
    zeros, ones = y < 1.0, y > 0.0  # a proportion between says something on both sides
    for name, column in audited.numeric_columns.items():
        if name not in audited.design.fixed_names:
            continue
        for sign, side in ((1.0, "above"), (-1.0, "below")):
            highest, lowest = (sign * column[zeros]).max(), (sign * column[ones]).min()
            if lowest >= highest:
                kind = "complete" if lowest > highest else "quasi-complete"
                yield name, f"{name} is 1 only {side} {sign * lowest:.4g}, 0 never ({kind} separation)"


def constant_clusters(audited: AuditedDesign) -> Iterator[Finding]:
    """Levels within which the response never changes."""
    design = audited.design
    if not audited.is_gaussian:  # zeros and ones, and small counts, are often all the same by chance
        return
    for factor in design.factors:
        large = factor.sizes >= LEAST_ROWS
        if large.sum() < LEAST_LEVELS:
            continue
        still = large & ~varies_within(design.y, factor.codes, factor.n_levels)
        if still.sum() > CONSTANT * large.sum():
            yield Finding(
                "MX132",
                "data",
                f"{design.formula.response} is constant within {still.sum():,} of {large.sum():,} levels with"
                f" {LEAST_ROWS} rows or more.",
                factor.name,
                "Residuals are taken to have one variance; here many are 0, and SDs over levels are too large for it.",
                "check whether values were carried forward or copied, or belong to the level and not to the row.",
            )


def raw_exposure(audited: AuditedDesign) -> Iterator[Finding]:
    """Exposures given as they are, where the model needs their logarithm."""
    design = audited.design
    if audited.link != "log" or design.offset is None:
        return
    given = [*design.formula.offsets, *([design.offset_column] if design.offset_column else [])]
    for text in given or ["offset="]:
        plain = len(scan(text)) == 2 and not text.lower().startswith(("log", "ln")) if given else True
        values = np.asarray(design.frame[text.strip("`")], dtype=np.float64) if plain and given else design.offset
        counts = plain and values.min() > 0.0 and np.ptp(values) > 0.0 and bool((values == np.round(values)).all())
        if plain and (counts or np.ptp(values) > WIDEST_LOG):
            yield Finding(
                "MX129",
                "data",
                f"The offset goes from {values.min():.4g} to {values.max():.4g} on the scale of the logarithm: a factor"
                f" of exp({np.ptp(values):.4g}) between rows.",
                text,
                "With a log link an exposure such as time at risk or population enters as its logarithm.",
                f"write offset(log({text}))." if given else "give the logarithm of the exposure.",
            )


def count_weights(audited: AuditedDesign) -> Iterator[Finding]:
    """Weights of a linear model that are whole numbers, as numbers of identical rows would be."""
    weights = audited.design.weights
    if weights is None or not audited.is_gaussian:
        return
    if weights.min() >= 1.0 and weights.max() > 1.0 and bool((weights == np.round(weights)).all()):
        yield Finding(
            "MX130",
            "data",
            f"Weights are whole numbers from {weights.min():g} to {weights.max():g}.",
            audited.design.weights_column or "weights",
            "Weights are precisions: the residual variance of a row is sigma^2 / weight. That is right for means of so"
            " many measurements, and wrong for so many identical rows.",
            "repeat the rows if each stands for several; if they are means, all is well.",
        )
