"""Tables of step 2: how much factors vary, how they correlate and how reliable they are, over the groups."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from ..errors import NonPositiveDefiniteWarning, enumerate_briefly
from ..factors.moments import FactorMoments
from .table import Column, Table
from .values import group_sizes, one_line

__all__ = ["correlation_table", "factor_facts", "factor_table"]

Array = NDArray[np.float64]

#: Methods whose factors are measured by their scores.
SINGLE_INDICATORS = ("mixml-sem", "mixmg-bsem")
NOTE = "Mean, lowest and highest of the groups."


def factor_facts(moments: FactorMoments) -> tuple[tuple[str, str], ...]:
    """Pairs of what and value: people, indicators, groups whose matrix was repaired."""
    people = f"{moments.n_total:,}"
    people += f"; groups of {group_sizes(moments.n.tolist())}" if moments.n_groups > 1 else ""
    word = "items" if moments.method == "mmgsem" else "factor scores"
    measured = moments.n_measurement > 0
    facts = [
        ("People", people),
        ("Factors", ", ".join(moments.factors)),
        ("Measured by", f"{len(moments.indicators):,} {word}" if measured else "nothing: covariances were given"),
    ]
    if measured:
        repaired = _repaired(moments)
        facts.append(("Repaired groups", f"{len(repaired):,}: {enumerate_briefly(repaired)}" if repaired else "none"))
    return tuple((name, one_line(text)) for name, text in facts)


def _repaired(moments: FactorMoments) -> tuple[Hashable, ...]:
    """Groups whose factor covariance matrix was replaced: what step 2 says beyond step 1."""
    before = () if moments.measurement is None else moments.measurement.notices
    own = [n for n in moments.notices if n.category is NonPositiveDefiniteWarning and n not in before]
    return tuple(dict.fromkeys(group for notice in own for group in notice.groups))


def factor_table(moments: FactorMoments) -> Table:
    """Variance and reliability of each factor over the groups; given covariances have no reliability."""
    kinds = [("variance", "Variance", np.diagonal(moments.Phi, axis1=1, axis2=2))]
    if moments.n_measurement:
        kinds.append(("reliability", "Reliability", moments.reliability))
    columns = [Column("factor", "Factor")]
    for name, label, _ in kinds:
        columns += _range_columns(name, label)
    rows = tuple(
        (factor, *(number for _, _, values in kinds for number in _range(values[:, q])))
        for q, factor in enumerate(moments.factors)
    )
    notes = [NOTE]
    if moments.method in SINGLE_INDICATORS:
        notes.append("Reliability: share of true variance in the factor's score, its loading as a single indicator.")
    return Table("Factors", tuple(columns), rows, tuple(notes))


def correlation_table(moments: FactorMoments) -> Table:
    """Correlation of each pair of factors over the groups."""
    scale = np.sqrt(np.diagonal(moments.Phi, axis1=1, axis2=2))
    R = moments.Phi / (scale[:, :, None] * scale[:, None, :])
    rows = tuple(
        (f"{one_line(moments.factors[a])}, {one_line(moments.factors[b])}", *_range(R[:, a, b]))
        for a, b in combinations(range(len(moments.factors)), 2)
    )
    return Table("Correlations", (Column("factors", "Factors"), *_range_columns("correlation", "")), rows, (NOTE,))


def _range_columns(name: str, group: str) -> Sequence[Column]:
    labels = {"mean": "Mean", "lowest": "Lowest", "highest": "Highest"}
    return [Column(f"{name}_{end}", label, "decimal3", group=group) for end, label in labels.items()]


def _range(values: Array) -> tuple[float, float, float]:
    return float(values.mean()), float(values.min()), float(values.max())
