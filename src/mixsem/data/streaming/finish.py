"""The sum of all parts as `SampleMoments`: groups sorted and judged, errors and notices as for a table in memory."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from ...errors import MissingDataWarning, Notice
from ..columns import refuse_extremes
from ..grouped import judge_groups, nothing_left
from ..labels import positions, sort_labels, whole_labels
from ..missing import saturated_moments
from ..moments import SampleMoments
from ..patterns import MissingPatterns, require_coverage
from .blocks import Reduction
from .parts import Part

__all__ = ["finished"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

#: How many groups the notice about pairs names.
NAMED = 5


def finished(part: Part, reduction: Reduction, min_size: int | None) -> SampleMoments:
    """Return the moments of all rows.

    Raises
    ------
    DataError
        If values are infinite or huge, no row can be used, labels differ in their type only, no group is large enough,
        or, with missing values allowed, an item or a pair of items is never observed in a group.
    """
    refuse_extremes(reduction.items, part.infinite, part.huge)
    kind = "complete" if reduction.missing == "listwise" else "usable"
    whole = whole_labels(list(part.labels))
    labels = sort_labels(whole)
    order = positions(labels, whole)
    n, n_dropped = part.n_used[order], part.n_dropped[order]
    if n.sum() == 0:
        n_labelled = part.n_rows - part.n_unlabelled
        raise nothing_left(reduction.items, part.n_missing.sum(axis=0), n_labelled, reduction.group, kind)
    keep, notices = judge_groups(
        labels,
        n,
        n_dropped,
        group=reduction.group,
        n_unlabelled=part.n_unlabelled,
        n_rows=part.n_rows,
        min_size=min_size,
        kind=kind,
    )
    kept = _Kept(part, reduction, tuple(compress(labels, keep)), order[keep], notices)
    return {"listwise": _listwise, "pairwise": _pairwise, "ml": _estimated}[reduction.missing](kept)


@dataclass(frozen=True, eq=False)
class _Kept:
    """The groups that stay: sorted labels, and their positions among the labels of the part."""

    part: Part
    reduction: Reduction
    groups: tuple[Hashable, ...]
    at: Index
    notices: tuple[Notice, ...]

    def moments(self, n: Index, means: Array, covariances: Array, notices: tuple[Notice, ...]) -> SampleMoments:
        """Put together what all accounts of missing values have in common."""
        moments = SampleMoments(
            items=self.reduction.items,
            groups=self.groups,
            n=n,
            means=means,
            covariances=covariances,
            n_dropped=self.part.n_dropped[self.at],
            group=self.reduction.group,
            notices=notices,
            missing=self.reduction.missing,
        )
        return moments.renewed()


def _listwise(kept: _Kept) -> SampleMoments:
    n, means, _, products = (array[kept.at] for array in kept.part.comoments)
    return kept.moments(n[:, 0, 0].astype(np.int64), means[:, :, 0], products / n, kept.notices)


def _pairwise(kept: _Kept) -> SampleMoments:
    n, means, _, products = (array[kept.at] for array in kept.part.comoments)
    require_coverage(kept.reduction.items, kept.groups, n)
    smallest = n.min(axis=(1, 2)).astype(np.int64)
    # The mean of an item over all rows that have it is that of the pair with itself.
    own_means = np.diagonal(means, axis1=1, axis2=2).copy()
    notices = (*kept.notices, *_pairs_notice(kept, smallest))
    return kept.moments(smallest, own_means, products / n, notices)


def _pairs_notice(kept: _Kept, smallest: Index) -> tuple[Notice, ...]:
    """How much is missing, which N is used, and what that costs."""
    rows, missing = kept.part.n_used[kept.at], kept.part.n_missing[kept.at].sum(axis=1)
    missing -= kept.part.n_dropped[kept.at] * len(kept.reduction.items)
    if not missing.any():
        return ()
    answers = int(rows.sum()) * len(kept.reduction.items)
    fewest = [g for g in np.argsort(smallest / rows, kind="stable")[:NAMED] if smallest[g] < rows[g]]
    told = ", ".join(f"{kept.groups[g]} ({smallest[g]:,} of {rows[g]:,})" for g in fewest)
    text = (
        f"{missing.sum():,} of {answers:,} answers ({missing.sum() / answers:.1%}) are missing; each covariance is that"
        " of the rows with both items (missing='pairwise'). N of a group is the number of rows of its rarest pair"
        f"{': ' + told if told else ''}. This is right only if answers are missing completely at random; missing='ml'"
        " needs less and uses the answers better."
    )
    return (Notice(MissingDataWarning, text, tuple(compress(kept.groups, missing > 0))),)


def _estimated(kept: _Kept) -> SampleMoments:
    return saturated_moments(_patterns(kept))


def _patterns(kept: _Kept) -> MissingPatterns:
    """The patterns of missing items, sorted by group, without the rows that they were found in."""
    part, items = kept.part, kept.reduction.items
    group_of = {part.labels[at]: g for g, at in enumerate(kept.at)}
    found = sorted(
        (group_of[label], pattern, cell) for cell, (label, pattern) in enumerate(part.cells) if label in group_of
    )
    at = np.array([cell for _, _, cell in found if part.comoments.n[cell, 0, 0] > 0], dtype=np.int64)
    n, means, _, products = (array[at] for array in part.comoments)
    packed = np.frombuffer(b"".join(part.cells[cell][1] for cell in at), dtype=np.uint8).reshape(len(at), -1)
    observed = np.unpackbits(packed, axis=1, count=len(items)).astype(bool)
    pattern_group = np.array([group_of[part.cells[cell][0]] for cell in at], dtype=np.int64)
    pattern_n = n[:, 0, 0].astype(np.int64)
    both = observed[:, :, None] & observed[:, None, :]
    first = np.searchsorted(pattern_group, np.arange(len(kept.groups)))
    require_coverage(items, kept.groups, np.add.reduceat(both * n, first))
    nothing = np.zeros(0, dtype=np.int64)
    return MissingPatterns(
        items=items,
        group=kept.reduction.group,
        groups=kept.groups,
        codes=nothing,
        values=np.zeros((0, len(items))),
        rows=nothing,
        observed=observed,
        pattern_group=pattern_group,
        pattern_n=pattern_n,
        pattern_means=means[:, :, 0],
        pattern_covariances=products / n,
        pattern_of_row=nothing,
        n=part.n_used[kept.at],
        n_dropped=part.n_dropped[kept.at],
        n_missing=part.n_missing[kept.at] - part.n_dropped[kept.at][:, None],
        n_rows=part.n_rows,
        notices=kept.notices,
    )
