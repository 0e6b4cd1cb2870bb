"""Audit of the random part: numbers of levels, singletons, slopes that the data cannot show."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...errors import DataError, enumerate_briefly
from ..designs.design_checks import check_term
from ..judgement.boundary import FEW_LEVELS
from .findings import Finding
from .subject import AuditedDesign, varies_within

__all__ = ["few_levels", "lone_slopes", "singletons", "still_slopes", "too_many_coefficients"]

#: Share of levels with one row from which on they are worth a word; and of levels whose rows show a slope.
MOSTLY_SINGLE, FEW_SHOW = 0.5, 0.5
#: What fixed effects leave of a column, relative to its length, below which they describe it.
SPANNED = 1e-6
#: Rows that the check of the fixed part looks at.
MOST_ROWS = 20_000


def too_many_coefficients(audited: AuditedDesign) -> Iterator[Finding]:
    """Terms with as many random coefficients as rows, which a linear model refuses."""
    design = audited.design
    if not audited.is_gaussian:
        return
    for term in design.terms:
        factor = design.factors[term.factor]
        try:
            check_term(term.bar.text, factor, len(term.names), term.correlated, design.n)
        except DataError as error:
            yield Finding(
                "MX133",
                "simpler model",
                f"{error.got}.",
                term.bar.text,
                "lmer() will refuse: it needs levels x coefficients below the number of rows.",
                f"{error.todo}.",
            )


def few_levels(audited: AuditedDesign) -> Iterator[Finding]:
    """Grouping factors with too few levels to estimate a variance from."""
    few = [factor for factor in audited.design.factors if factor.n_levels < FEW_LEVELS]
    if few:
        yield Finding(
            "MX103",
            "few-level factors",
            f"Fewer than {FEW_LEVELS} levels: {', '.join(f'{f.name} ({f.n_levels})' for f in few)}.",
            enumerate_briefly([factor.name for factor in few]),
            "A variance over so few is biased and imprecise, and often estimated as 0.",
            f"make fixed effects of them: {', '.join(_as_fixed(f.variables) for f in few)} instead of the random term.",
        )


def _as_fixed(variables: tuple[str, ...]) -> str:
    return ":".join(f"C({name})" for name in variables)


def singletons(audited: AuditedDesign) -> Iterator[Finding]:
    """Factors most of whose levels have one row."""
    for factor in audited.design.factors:
        alone = int((factor.sizes == 1).sum())
        if audited.is_gaussian and MOSTLY_SINGLE * factor.n_levels < alone < factor.n_levels:
            rest = factor.n_levels - alone
            yield Finding(
                "MX131",
                "data",
                f"{alone:,} of {factor.n_levels:,} levels have one row.",
                factor.name,
                f"What varies between levels and what within them is told apart by the other {rest:,} alone. The"
                " estimates are not wrong for that.",
                "keep these rows; look at the interval of the SD, and leave slopes out.",
            )


def still_slopes(audited: AuditedDesign) -> Iterator[Finding]:
    """Random slopes of what does not vary within the levels."""
    design = audited.design
    for t, name, column in audited.random_columns():
        factor = design.factors[design.terms[t].factor]
        shows = varies_within(column, factor.codes, factor.n_levels)
        # a dummy of (0 + f | g) that stands for a whole level is an intercept of its own
        if shows.mean() > FEW_SHOW or not np.ptp(column) > 0.0 or "(Intercept)" not in _companions(audited, t):
            continue
        some = int(shows.sum())
        if some:
            what = f"{name} varies within {some:,} of {factor.n_levels:,} levels of {factor.name} only."
            why = "Its random slope, and the slope's SD, rest on these levels alone."
            todo = f"leave the slope out unless these levels are many: (1 | {factor.name})."
        else:
            what = f"{name} does not vary within any level of {factor.name}."
            why = "No level can show a slope: the data do not tell the slope's variance from that of the intercept."
            todo = f"take {name} out of the random term; as a fixed effect it is fine."
        yield Finding("MX127", "simpler model", what, design.terms[t].bar.text, why, todo)


def _companions(audited: AuditedDesign, t: int) -> set[str]:
    """Coefficients of the same grouping factor, over all its terms."""
    terms = audited.design.terms
    return {name for term in terms if term.factor == terms[t].factor for name in term.names}


def lone_slopes(audited: AuditedDesign) -> Iterator[Finding]:
    """Random slopes whose mean is taken as 0, because no fixed effect is there."""
    design = audited.design
    step = max(1, design.n // MOST_ROWS)
    X = design.X[::step]
    scale = np.sqrt((X**2).mean(axis=0))
    X = X / np.where(scale > 0.0, scale, 1.0)
    lone: dict[str, list[str]] = {}
    for t, name, column in audited.random_columns():
        if name in design.columns.names:
            continue
        values = column[::step]
        left = values - X @ np.linalg.lstsq(X, values, rcond=None)[0] if X.shape[1] else values
        if np.linalg.norm(left) > SPANNED * np.linalg.norm(values):
            lone.setdefault(design.terms[t].bar.text, []).append(name)
    for text, names in lone.items():
        yield Finding(
            "MX128",
            "simpler model",
            f"Random slopes of {enumerate_briefly(names)} without a fixed effect.",
            text,
            "Slopes are then taken to be 0 on average; where they are not, their SD takes in the mean.",
            f"add {' + '.join(names)} to the fixed part, unless 0 is meant."
            if "[" not in "".join(names)
            else "add the variable to the fixed part, unless 0 is meant.",
        )
