"""Audit of a design before the model is fitted, or blamed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ...data.columns import FrameLike
from ...errors import OptionError, enumerate_briefly
from ..estimates import MixedEstimates
from ..judgement.boundary import FEW_LEVELS, SOME_LEVELS
from .findings import DesignAudit, Finding, in_order
from .fitted import fit_findings
from .groups import few_levels, lone_slopes, singletons, still_slopes, too_many_coefficients
from .nesting import reused_labels
from .predictors import aliased, collinear, empty_cells, far_scales, year_like
from .response import constant_clusters, count_weights, few_values, raw_exposure, separated
from .subject import AuditedDesign, varies_within

if TYPE_CHECKING:
    from ..designs.design import Design
    from ..generalised.families import Family

__all__ = ["CHECKS", "check_design"]

#: All checks; within a step of advice findings come in this order.
CHECKS: tuple[Callable[[AuditedDesign], Iterator[Finding]], ...] = (
    aliased,
    empty_cells,
    separated,
    collinear,
    few_values,
    constant_clusters,
    reused_labels,
    raw_exposure,
    count_weights,
    singletons,
    too_many_coefficients,
    still_slopes,
    lone_slopes,
    far_scales,
    year_like,
    few_levels,
)
#: The grouping factor of a random term.
BAR = re.compile(r"\| (\S+?)\)")


def check_design(
    formula: str | MixedEstimates,
    data: FrameLike | None = None,
    family: str | Family | None = None,
    *,
    weights: str | ArrayLike | None = None,
    offset: str | ArrayLike | None = None,
) -> DesignAudit:
    """Look for trouble in the data and the model before fitting, or before blaming the optimiser.

    Looked for are predictors that repeat others, empty cells, separation, labels used again, odd offsets and weights,
    scales, few levels, and slopes that the data cannot show.

    Parameters
    ----------
    formula
        As `lmer` takes it; or a fit, whose data and options are taken then, and whose variances of 0 and search are
        judged too.
    data
        Any table; not with a fit.
    family
        Family of the response if it is not normal, such as ``"binomial"``.
    weights, offset
        As `lmer` takes them.

    Returns
    -------
    DesignAudit
        Prints as findings (identifier, what, where, why it matters, what to do) in the order of advice: data, simpler
        model, scale, few-level factors, zero variances, restart; and as a table of the sizes of clusters. False if
        nothing was found.

    Raises
    ------
    OptionError
        If data are missing, or given beside a fit.
    MixsemError
        If the formula cannot be read, or is none for these data.

    Notes
    -----
    Findings ask for a look, and not every one is a fault. ``explain(identifier)`` shows the page of each. Of large
    tables some checks look at every k-th row.

    Examples
    --------
    >>> import mixsem as mx
    >>> mx.check_design("Reaction ~ Days + (Days | Subject)", mx.data.sleepstudy())
    Audit of Reaction ~ Days + (Days | Subject)
    <BLANKLINE>
    Nothing to report.
    <BLANKLINE>
    Rows per level
    ---------------------------------------------
    Group    Levels  Min  Median  Max  Singletons
    ---------------------------------------------
    Subject      18   10    10.0   10           0
    ---------------------------------------------
    Fewer than 20 levels: Subject (18). SDs over so few are imprecise, as their intervals show.
    """
    audited, text = _subject(formula, data, family, weights, offset)
    findings = [finding for check in CHECKS for finding in check(audited)]
    findings += fit_findings(formula) if isinstance(formula, MixedEstimates) else []
    return DesignAudit(text, in_order(_agreeing(findings)), _sizes(audited.design), tuple(_notes(audited.design)))


def _agreeing(findings: list[Finding]) -> list[Finding]:
    """The findings, where a factor may be nested without the advice to make a fixed effect of it first."""
    nested = {factor for f in findings if f.identifier == "MX122" for factor in BAR.findall(f.where)}
    return [
        replace(f, todo=f"see MX122 first: nested labels make more levels. If they are no more than these, {f.todo}")
        if f.identifier == "MX103" and nested & set(f.where.split(", "))
        else f
        for f in findings
    ]


def _subject(
    formula: str | MixedEstimates, data: object, family: object, weights: object, offset: object
) -> tuple[AuditedDesign, str]:
    """The design, read or taken from a fit, and the formula."""
    if isinstance(formula, MixedEstimates):
        if any(given is not None for given in (data, family, weights, offset)):
            raise OptionError("check_design() got a fit and more", allowed="a fit alone, or a formula with data")
        chosen = getattr(formula, "family", None)
        return _audited(formula.design, chosen), formula.formula
    if not isinstance(formula, str):
        raise OptionError(
            f"check_design() got {type(formula).__name__}", allowed="a fit, or a formula with data", todo="give a text"
        )
    if data is None:
        raise OptionError("check_design() got a formula without data", todo="write check_design(formula, data)")
    design, chosen = _read(formula, data, family, weights, offset)
    return _audited(design, chosen), formula


def _read(formula: str, data: object, family: object, weights: object, offset: object) -> tuple[Design, Family | None]:
    from ..designs.design import read_design
    from ..generalised.family_choice import as_family
    from ..generalised.responses import response_reader

    chosen = None if family is None else as_family(family)
    design = read_design(
        formula,
        cast("FrameLike", data),
        cast("str | ArrayLike | None", weights),
        cast("str | ArrayLike | None", offset),
        check=False,
        response=None if chosen is None else response_reader(chosen),
    )
    return design, chosen


def _audited(design: Design, family: Family | None) -> AuditedDesign:
    return AuditedDesign(design) if family is None else AuditedDesign(design, family.name, family.link.name)


def _sizes(design: Design) -> pd.DataFrame:
    rows = []
    for factor in design.factors:
        n = factor.sizes
        alone = int((n == 1).sum())
        rows.append((factor.name, factor.n_levels, int(n.min()), float(np.median(n)), int(n.max()), alone))
    return pd.DataFrame(rows, columns=["group", "levels", "min", "median", "max", "singletons"])


def _notes(design: Design) -> Iterator[str]:
    """What is good to know: factors with some levels, and predictors of levels, which can have no random slope."""
    some = [f"{f.name} ({f.n_levels})" for f in design.factors if FEW_LEVELS <= f.n_levels < SOME_LEVELS]
    if some:
        yield (
            f"Fewer than {SOME_LEVELS} levels: {enumerate_briefly(some)}. SDs over so few are imprecise, as their"
            " intervals show."
        )
    for factor in design.factors:
        still = [
            name
            for name, column in zip(design.fixed_names, design.X.T, strict=True)
            if np.ptp(column) > 0.0 and not varies_within(column, factor.codes, factor.n_levels).any()
        ]
        if still and factor.sizes.max() > 1:
            yield f"Constant within {factor.name}, so without random slopes over it: {enumerate_briefly(still)}."
