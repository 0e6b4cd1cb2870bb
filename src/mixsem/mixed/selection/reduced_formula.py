"""Formulas with fewer random effects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..formulas.formula import Bar, MixedFormula
from ..judgement.singular import boundary, term_labels

if TYPE_CHECKING:
    from ..designs.random_part import RandomTerm
    from ..fit import MixedFit

__all__ = ["INTERCEPT", "bar_text", "with_bars", "without_zero_variances"]

INTERCEPT = "(Intercept)"


def without_zero_variances(fit: MixedFit) -> tuple[str | None, tuple[str, ...]]:
    """The formula without random effects whose variance is 0, and these; None if no random effect is left."""
    zero = {(d.term, d.effects[0]) for d in boundary(fit).directions if d.kind == "sd"}
    if not zero:
        return fit.formula, ()
    bars, dropped = [], []
    for label, term in zip(term_labels(fit), fit.design.terms, strict=True):
        gone = [name for name in term.names if (label, name) in zero]
        dropped += [f"{name} by {label}" for name in gone]
        if not gone:
            bars.append(term.bar.text)
        elif len(gone) < len(term.names):
            bars.append(bar_text(term, _terms_left(term, gone)))
    return (with_bars(fit.design.formula, bars) if bars else None), tuple(dropped)


def _terms_left(term: RandomTerm, gone: Sequence[str]) -> list[str]:
    """Terms of a bar of which a column is left."""
    names = np.array(term.columns.names)
    return [name for name, at in term.columns.terms.items() if set(names[list(at)]) - set(gone)]


def bar_text(term: RandomTerm, kept: Sequence[str], correlated: bool | None = None) -> str:
    """A random term with some of its summands, by their names; ``"(Intercept)"`` is the intercept.

    Examples
    --------
    >>> from mixsem.data import sleepstudy
    >>> from mixsem.mixed.designs.design import read_design
    >>> term = read_design("Reaction ~ Days + (Days | Subject)", sleepstudy()).terms[0]
    >>> bar_text(term, ["(Intercept)"]), bar_text(term, ["Days"])
    ('(1 | Subject)', '(0 + Days | Subject)')
    >>> bar_text(term, ["(Intercept)", "Days"], correlated=False)
    '(1 + Days || Subject)'
    """
    bar: Bar = term.bar
    slopes = [name for name in kept if name != INTERCEPT]
    columns = " + ".join(["1" if INTERCEPT in kept else "0", *slopes])
    sign = "|" if (bar.correlated if correlated is None else correlated) or len(kept) == 1 else "||"
    group = ":".join(name if name.isidentifier() else f"`{name}`" for name in bar.group)
    return f"({columns} {sign} {group})"


def with_bars(formula: MixedFormula, bars: Sequence[str]) -> str:
    """The formula with other random terms."""
    plain = str(replace(formula, bars=()))
    return " + ".join([plain, *bars])
