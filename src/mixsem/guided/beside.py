"""What other approaches would say: alternatives to mixed models, and the growth curve."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from ..growth_curves import growth_curve
from ..mixed.fit import MixedFit
from ..mixed.marginal import alternatives
from ..mixed.variance.intraclass import nested_in
from ..report.words import join
from .part import Item, sentence
from .subject import OCCASIONS, PEOPLE, ROBUST_CLUSTER, ROBUST_ROWS

if TYPE_CHECKING:
    from .subject import Subject

__all__ = ["alternative_items", "growth_items", "missing_items"]


def alternative_items(subject: Subject) -> Iterator[Item]:
    """The table of alternatives, or why there is none."""
    fit, factors = subject.fit, subject.fit.design.factors
    contains_all = nested_in(fit.design).all(axis=0)
    if not contains_all.any():
        names = join([factor.name for factor in factors])
        yield sentence(
            f"Not computed: {names} are crossed, and the alternatives know one clustering variable. Choose one,"
            f" as in alternatives(fit, cluster={factors[0].name!r}); what rows share through others is then left out."
        )
    elif fit.nobs > ROBUST_ROWS or factors[int(contains_all.argmax())].sizes.max() > ROBUST_CLUSTER:
        yield sentence("Not computed, as robust errors of so many rows take a while: alternatives(fit) does it.")
    else:
        yield alternatives(fit).table


def growth_items(subject: Subject) -> Iterator[Item]:
    """The fit and the same model as a growth curve; nothing if it is none."""
    model, fit = subject.growth, subject.fit
    if model is None or not isinstance(fit, MixedFit):
        return
    people, occasions = len(model.wide), len(model.items)
    if occasions > OCCASIONS or people > PEOPLE:
        text = f"Not computed for {people:,} people with {occasions:,} occasions: growth_curve(fit) does it."
        yield sentence(text)
        return
    yield growth_curve(fit).table


def missing_items(subject: Subject) -> Iterator[Item]:
    """Tables on what was left out; nothing if nothing was, or the whole table is not known."""
    found = subject.missing
    if found is not None:
        first, *others = (table.table for table in found.tables)
        yield from (replace(first, title=""), *others)
    elif subject.data is not None and subject.fit.design.n_rows > subject.fit.nobs:
        yield sentence("Not computed: the data are not the table that the model was fitted to.")
