"""Tables of Bayesian fit measures and of the choice of a prior variance."""

from __future__ import annotations

from ..measurement.bayes_measures import BayesFitMeasures
from ..measurement.prior_grid import TIED, Candidate, PriorVarianceChoice
from .table import Cell, Column, Table
from .values import plural

__all__ = ["choice_entries", "measures_table", "variance_name", "variance_table"]

MEASURES = (
    Column("block", "Block"),
    Column("dic", "DIC", "decimal1"),
    Column("p_d", "p", "decimal1", subscript="D"),
    Column("waic", "WAIC", "decimal1"),
    Column("loo", "LOO", "decimal1"),
    Column("ppp", "ppp", "decimal3"),
    Column("brmsea", "BRMSEA", "decimal3"),
    Column("brmsea_lower", "lower", "decimal3"),
    Column("brmsea_upper", "upper", "decimal3"),
    Column("bcfi", "BCFI", "decimal3"),
    Column("btli", "BTLI", "decimal3"),
    Column("bgammahat", "BΓ̂", "decimal3"),
)

VARIANCES = (
    Column("block", "Block"),
    Column("prior_variance", "Prior variance", align="right"),
    Column("dic", "DIC", "decimal1"),
    Column("difference", "Difference", "decimal1"),
    Column("difference_error", "MC error", "decimal1"),
    Column("p_d", "p", "decimal1", subscript="D"),
    Column("ppp", "ppp", "decimal3"),
    Column("remark", "Remark"),
)


def measures_table(measures: BayesFitMeasures) -> Table:
    """Fit measures, one row per block and the total."""
    notes = [
        f"{plural(measures.n_draws, 'draw')}. ppp: posterior predictive p-value. lower, upper: 5% and 95% quantiles of"
        " BRMSEA."
    ]
    if len(measures.blocks) > 1:
        notes.append("total: all blocks; covariances between items of different blocks are not part of it.")
    records = [row.to_dict() for row in measures.rows]
    table = Table.from_records("Bayesian fit", MEASURES, records, notes)
    rules = (len(measures.blocks),) if len(measures.blocks) > 1 else ()
    return Table(table.title, table.columns, table.rows, table.notes, rules)


def variance_table(choice: PriorVarianceChoice) -> Table:
    """Prior variances, one row per block and variance."""
    rows = tuple(
        (
            ", ".join(c.factors),
            variance_name(c.prior_variance),
            Cell(c.dic, strong=c.chosen),
            c.difference,
            None if c.chosen else c.difference_error,
            c.p_d,
            c.ppp,
            _remark(c),
        )
        for c in choice.candidates
    )
    firsts = [i for i, c in enumerate(choice.candidates) if i and c.factors != choice.candidates[i - 1].factors]
    notes = [
        "Difference: from the smallest DIC of the block; MC error: its Monte-Carlo standard error;"
        f" tied: below {TIED:g} such errors."
    ]
    if any(c.trouble for c in choice.candidates):
        notes.append("sampling trouble: chains disagree, diverge or are short; DIC is not to be trusted.")
    return Table("Prior variances compared by DIC", VARIANCES, rows, tuple(notes), tuple(firsts))


def choice_entries(choice: PriorVarianceChoice) -> tuple[tuple[str, str], ...]:
    """Pairs of factor and what was chosen, with what is as good and whether the grid ends there."""
    tried = {f: [c.prior_variance for c in choice.candidates if f in c.factors] for f in choice.chosen}
    entries = []
    for factor, chosen in choice.chosen.items():
        text = variance_name(chosen)
        if choice.tied[factor]:
            text += f"; practically tied with {', '.join(map(variance_name, choice.tied[factor]))}"
        if len(tried[factor]) > 1 and chosen is not None:
            edge = {tried[factor][0]: "smallest", tried[factor][-1]: "largest"}.get(chosen)
            text += f"; the {edge} one tried: extend the grid" if edge and chosen > 0 else ""
        entries.append((factor, text))
    return tuple(entries)


def variance_name(variance: float | None) -> str:
    """A prior variance in words."""
    if variance is None:
        return "no constraint"
    return f"{variance:g}" if variance > 0 else "0 (equal)"


def _remark(candidate: Candidate) -> str:
    words = ["chosen"] if candidate.chosen else ["tied"] if candidate.tied else []
    return ", ".join([*words, *(["sampling trouble"] if candidate.trouble else [])])
