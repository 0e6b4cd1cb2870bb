"""The sample in sentences: groups, people, and what became of missing values."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..values import group_sizes, plural
from .sources import cite
from .text import step

__all__ = ["fold", "sample_sentences"]


class Moments(Protocol):
    """What is asked of the moments of a sample."""

    @property
    def n(self) -> NDArray[np.int64]:
        """People per group."""

    @property
    def n_dropped(self) -> NDArray[np.int64]:
        """Rows that were dropped, per group."""

    @property
    def missing(self) -> str:
        """How incomplete rows were treated."""


def sample_sentences(moments: Moments, min_size: int | None = None) -> str:
    """Groups, people, dropped rows and missing values.

    Parameters
    ----------
    moments
        The moments of the sample.
    min_size
        Smallest group that was kept when the data were read.
    """
    n, dropped = moments.n, int(moments.n_dropped.sum())
    people = plural(int(n.sum()), "person", "people")
    if n.size > 1:
        said = f"The sample comprised {people} in {plural(n.size, 'group')} ({group_sizes(n.tolist())}"
        said += f"; median {float(np.median(n)):,.6g})." if n.min() < n.max() else ")."
    else:
        said = f"The sample comprised {people}."
    kind = "complete rows" if moments.missing == "listwise" else "rows with an answer"
    left = f"Groups with fewer than {min_size:,} {kind} were left out." if min_size is not None else ""
    if moments.missing == "ml":
        treated = (
            "Incomplete rows were kept: the means and covariances of each group were estimated by maximum likelihood"
            f" from all answers (EM algorithm), assuming that values were missing at random {cite('missing')}; later"
            " steps took these moments for those of complete rows."
        )
        empty = f"{plural(dropped, 'row')} without any answer {was(dropped)} dropped." if dropped else ""
        return step(said, treated, empty, left)
    if moments.missing == "pairwise":
        treated = (
            "Each covariance was computed from the rows with both items (pairwise deletion), assuming that values were"
            " missing completely at random; the size of a group is the number of rows of its rarest pair of items."
        )
        empty = f"{plural(dropped, 'row')} without any answer {was(dropped)} dropped." if dropped else ""
        return step(said, treated, empty, left)
    if dropped:
        rows = dropped + int(n.sum())
        share = dropped / rows
        treated = f"Rows with a missing item were dropped (listwise deletion): {dropped:,} of {rows:,} ({share:.1%})."
    else:
        treated = "No row was dropped for missing items; only complete rows were analysed."
    return step(said, treated, left)


def was(count: int) -> str:
    """The verb that goes with a count."""
    return "was" if count == 1 else "were"


def fold(names: tuple[str, ...] | list[str], most: int = 8) -> str:
    """Names as in a sentence, the rest of many as a number."""
    from ..words import join

    shown = list(names[:most])
    rest = len(names) - len(shown)
    return join([*shown, f"{rest:,} more"] if rest else shown)
