"""Tables and words on how sure memberships are: classification, propagated probabilities, stability."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..mixtures.classification import Classification
from ..mixtures.propagate import PROPAGATION, PropagatedPosterior
from ..mixtures.stability import Stability, Transition
from ..structural.fit import MixtureFit
from .document import Listing, Prose, Summary
from .mixture_tables import CERTAIN, method_name
from .table import Column, Table
from .values import one_line, plural

__all__ = [
    "OVERCONFIDENT",
    "PROPAGATED",
    "border_table",
    "classification_summary",
    "classification_table",
    "propagated_summary",
    "propagated_table",
    "stability_summary",
]

OVERCONFIDENT = (
    "The mixture's probabilities are overconfident: they take the factor covariances of every group as those of"
    " perfectly measured people, and the regressions of the clusters as known."
)
PROPAGATED = (
    "Propagated probabilities count measurement error, the uncertainty of step 1 and that of the clusters' regressions"
    " and proportions; in simulations with two clusters, groups were in the right one about as often as these say."
    " Where they favour another cluster than the mixture does, the group is undecided."
)
#: Rows of a table of groups, at most.
MOST_ROWS = 60


def classification_table(found: Classification) -> Table:
    """One row per cluster: expected and modal groups, expected error, average probabilities."""
    k = found.fit.k
    columns = [
        Column("cluster", "Cluster", "integer"),
        Column("expected", "Expected", "decimal1", group="Groups"),
        Column("modal", "Put here", "integer", group="Groups"),
        Column("correct", "Found", "decimal3", group="Share of its groups"),
        Column("lost", "Lost", "decimal3", group="Share of its groups"),
    ]
    columns += [Column(f"p{c}", f"Cluster {c}", "decimal3", group="Average probability") for c in range(1, k + 1)]
    kept, average = np.diagonal(found.assigned), found.average
    rows = [
        (c + 1, found.expected[c], int(found.modal[c]), kept[c], 1.0 - kept[c], *average[c].tolist()) for c in range(k)
    ]
    notes = (
        "Expected: sum of the probabilities. Found, lost: expected share of the cluster's groups that are put here, or"
        " elsewhere. Average probability: of the groups put here.",
    )
    return Table("Classification", tuple(columns), tuple(rows), notes)


def border_table(found: Classification) -> Table:
    """Groups near a border with their two most probable clusters."""
    columns = (
        Column("group", "Group"),
        Column("first", "Cluster", "integer"),
        Column("p_first", "Probability", "decimal3"),
        Column("second", "Or", "integer"),
        Column("p_second", "Probability", "decimal3"),
        Column("odds", "Odds", "decimal1"),
    )
    rows = [
        (one_line(b.group), b.clusters[0], b.probabilities[0], b.clusters[1], b.probabilities[1], b.odds)
        for b in found.border
    ]
    return Table(f"Groups near a border (probability below {found.certain:.2f})", columns, *_capped(rows))


def classification_summary(found: Classification) -> Summary:
    """Entropy, error, tables, and how far to trust them."""
    border = found.border
    facts = [
        ("Probabilities", "propagated" if found.propagated else "of the mixture"),
        ("Entropy R²", f"{found.entropy_r2:.3f}"),
        ("Expected error", f"{found.error:.3f} ({found.error * len(found.fit.groups):.1f} groups)"),
        ("Near a border", plural(len(border), "group")),
    ]
    said = PROPAGATED if found.propagated else f"{OVERCONFIDENT} propagated_posterior() counts both."
    if found.fit.k == 1:
        said = "There is one cluster, so that nothing is uncertain about memberships."
    parts: list[Listing | Table | Prose] = [Listing("", tuple(facts)), classification_table(found)]
    parts += [border_table(found)] if border else []
    return Summary(f"Classification: {_size(found.fit)}", (*parts, Prose("", (said,))))


def propagated_table(found: PropagatedPosterior, *, certain: float = CERTAIN) -> Table:
    """Groups whose cluster is not certain once everything counts: as is, propagated, and the second cluster."""
    fit, own = found.fit, found.of_fitted
    others = found.probabilities.copy()
    others[np.arange(len(others)), fit.clusters - 1] = -1.0
    second = others.argmax(axis=1)
    rows = [
        (
            one_line(fit.groups[g]), int(fit.moments.n[g]), int(fit.clusters[g]), float(fit.posterior[g].max()),
            float(own[g]), int(second[g]) + 1, float(others[g, second[g]]),
        )
        for g in np.argsort(own, kind="stable")
        if own[g] < certain
    ]  # fmt: skip
    columns = (
        Column("group", "Group"),
        Column("n", "People", "integer"),
        Column("cluster", "Cluster", "integer"),
        Column("as_is", "As is", "decimal3", group="Probability"),
        Column("propagated", "Propagated", "decimal3", group="Probability"),
        Column("second", "Cluster", "integer", group="Or"),
        Column("p_second", "Propagated", "decimal3", group="Or"),
    )
    return Table(f"Uncertain groups (propagated probability below {certain:.2f})", columns, *_capped(rows))


def propagated_summary(found: PropagatedPosterior) -> Summary:
    """How much less certain memberships are, and which groups are uncertain."""
    fit, own = found.fit, found.of_fitted
    as_is = fit.posterior.max(axis=1)
    facts = (
        ("Method", f"{found.method}: {PROPAGATION[found.method]}"),
        ("Mean probability", f"{own.mean():.3f} propagated, {as_is.mean():.3f} as is"),
        (
            f"Below {CERTAIN:.2f}",
            f"{plural(int((own < CERTAIN).sum()), 'group')}, {int((as_is < CERTAIN).sum())} as is",
        ),
        ("More probable elsewhere", plural(int((found.clusters != fit.clusters).sum()), "group")),
        ("Effective share of people", f"{found.effective.mean():.2f} on average, {found.effective.min():.2f} at least"),
    )
    table = propagated_table(found)
    said = (OVERCONFIDENT,) if found.method != "integrated" else (f"{OVERCONFIDENT} {PROPAGATED}",)
    return Summary(
        f"Propagated memberships: {_size(fit)}",
        (Listing("", facts), *((table,) if table.rows else ()), *((Prose("", said),) if fit.k > 1 else ())),
    )


def stability_summary(found: Stability) -> Summary:
    """Other solutions in a table and words, then from each number of clusters to the next."""
    columns = (
        Column("k", "Clusters", "integer"),
        Column("below", "log L below", "decimal2"),
        Column("n_starts", "Starts", "integer"),
        Column("agreement", "Rand index", "decimal3"),
        Column("moved", "Groups elsewhere", "integer"),
    )
    rows = tuple((o.k, o.below, o.n_starts, o.agreement, len(o.moved)) for o in found.others)
    notes = ("Adjusted Rand index with the best solution: 1 is the same partition.",)
    parts: list[Listing | Table | Prose] = []
    if rows:
        parts.append(Table(f"Other solutions, log L lower by {found.tolerance:g} at most", columns, rows, notes))
    parts.append(Prose("Over starts", tuple(_start_words(found, k) for k in found.selection if k > 1), bullets=True))
    if found.transitions:
        parts.append(Prose("Over numbers of clusters", tuple(map(_split_words, found.transitions)), bullets=True))
        parts += [_cross_table(step) for step in found.transitions]
    return Summary(f"Stability: {_size(found.selection.fits[0], counted=False)}", tuple(parts))


def _start_words(found: Stability, k: int) -> str:
    record, moving = found.selection[k].starts, found.moving(k)
    head = f"{k} clusters: {record.n_best:,} of {plural(record.n_starts, 'start')} reached the best solution"
    if not moving:
        return f"{head}; none within {found.tolerance:g} in log L of it has another partition."
    shown = ", ".join(one_line(group) for group in moving[:15]) + (", …" if len(moving) > 15 else "")
    return f"{head}; {plural(len(moving), 'group')} would be elsewhere in a solution almost as good: {shown}."


def _split_words(step: Transition) -> str:
    parts = []
    for old in step.splits:
        new = [str(c) for c in step.sources[old - 1]]
        parts.append(f"cluster {old} splits into {', '.join(new[:-1])} and {new[-1]}")
    said = "; ".join(parts) if parts else "no cluster simply splits"
    total = int(step.table.sum())
    strays = total - round(step.nested * total)
    rest = "all groups go with their clusters" if not strays else f"{plural(strays, 'group')} change clusters otherwise"
    return f"{step.fewer} to {step.more}: {said}; {rest}."


def _cross_table(step: Transition) -> Table:
    columns = [Column("cluster", f"Of {step.fewer}", "integer")]
    columns += [Column(f"to_{c}", f"Cluster {c}", "integer", group=f"Of {step.more}") for c in range(1, step.more + 1)]
    rows = tuple((c + 1, *map(int, row)) for c, row in enumerate(step.table))
    return Table(f"Groups in {step.fewer} and in {step.more} clusters", tuple(columns), rows)


def _size(fit: MixtureFit, *, counted: bool = True) -> str:
    clusters = f"{plural(fit.k, 'cluster')} of " if counted else ""
    return f"{method_name(fit)}, {clusters}{plural(len(fit.groups), 'group')}"


def _capped(rows: Sequence[tuple[object, ...]]) -> tuple[tuple[tuple[object, ...], ...], tuple[str, ...]]:
    """The first rows, and a note if there are more."""
    note = (f"And {plural(len(rows) - MOST_ROWS, 'more group')}.",) if len(rows) > MOST_ROWS else ()
    return tuple(rows[:MOST_ROWS]), note
