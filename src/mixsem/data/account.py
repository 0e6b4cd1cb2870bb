"""The account of the rows: what was dropped, and which groups are too small to work with."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from ..errors import (
    MissingDataWarning,
    NonPositiveDefiniteWarning,
    Notice,
    SmallGroupWarning,
    enumerate_briefly,
)

__all__ = ["all_exceed", "dropped_notices", "rows_notices", "singular_groups", "singular_notices"]

# Smallest eigenvalue of a correlation matrix that still counts as positive; rounding leaves about 1e-15.
SINGULAR = 1e-10


def rows_notices(
    groups: Sequence[Hashable],
    n: NDArray[np.int64],
    n_dropped: NDArray[np.int64],
    n_items: int,
    kind: str = "complete",
) -> tuple[Notice, ...]:
    """Return the notices about incomplete rows, if complete ones count, and about groups with too few of the `kind`."""
    notices = []
    if n_dropped.any() and kind == "complete":
        notices.append(_incomplete_rows(groups, n, n_dropped))
    small = n <= n_items
    if small.any():
        named = tuple(compress(groups, small))
        notices.append(
            Notice(
                SmallGroupWarning,
                f"{_groups(len(named))} no more {kind} rows than there are items ({n_items}), so the "
                f"covariance matrix is singular: {_with_counts(named, n[small])}. Leave out small groups "
                f"(SampleMoments.from_frame with min_size={n_items + 1} or more) or use fewer items.",
                named,
            )
        )
    return tuple(notices)


def _incomplete_rows(groups: Sequence[Hashable], n: NDArray[np.int64], n_dropped: NDArray[np.int64]) -> Notice:
    rows = n + n_dropped
    share = n_dropped / rows
    text = (
        f"Dropped {n_dropped.sum():,} of {rows.sum():,} rows ({n_dropped.sum() / rows.sum():.1%}) in which "
        "an item is missing (listwise deletion)"
    )
    if len(groups) > 1:
        worst = [g for g in np.argsort(-share, kind="stable")[:5] if n_dropped[g] > 0]
        text += "; most in " + ", ".join(f"{groups[g]} ({n_dropped[g]} of {rows[g]})" for g in worst)
    return Notice(MissingDataWarning, text + ".", tuple(compress(groups, n_dropped > 0)))


def dropped_notices(
    groups: Sequence[Hashable],
    n: NDArray[np.int64],
    n_dropped: NDArray[np.int64],
    *,
    group: str | None,
    n_unlabelled: int,
    n_rows: int,
    min_size: int | None,
    kind: str = "complete",
) -> tuple[Notice, ...]:
    """Return the notices about rows without a group and about groups left out altogether.

    `kind` is the word for the rows that count: complete, or usable where some missing items are allowed.
    """
    notices = []
    if n_unlabelled:
        text = f"Dropped {n_unlabelled:,} of {n_rows:,} rows whose group ({group!r}) is missing."
        notices.append(Notice(MissingDataWarning, text))
    lost = n == 0
    if lost.any():
        named = tuple(compress(groups, lost))
        text = f"{_groups(len(named))} no {kind} row and left the analysis: "
        notices.append(Notice(MissingDataWarning, text + f"{_with_counts(named, n_dropped[lost])}.", named))
    small = (n > 0) & (n < (min_size or 0))
    if small.any():
        named = tuple(compress(groups, small))
        text = f"{_groups(len(named))} fewer than {min_size} {kind} rows and left the analysis (min_size): "
        notices.append(Notice(SmallGroupWarning, text + f"{_with_counts(named, n[small])}.", named))
    return tuple(notices)


def singular_groups(covariances: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell which covariance matrices (..., p, p), with positive variances, are not positive definite."""
    scale = 1 / np.sqrt(np.diagonal(covariances, axis1=-2, axis2=-1))
    correlations = covariances * scale[..., :, None] * scale[..., None, :]
    if all_exceed(correlations, 2 * SINGULAR):
        return np.zeros(covariances.shape[:-2], dtype=bool)
    singular: NDArray[np.bool_] = np.linalg.eigvalsh(correlations)[..., 0] < SINGULAR
    return singular


def all_exceed(matrices: NDArray[np.float64], bound: float) -> bool:
    """Tell whether the eigenvalues of all symmetric matrices (..., p, p) exceed a bound, without computing them.

    Examples
    --------
    >>> all_exceed(np.array([[2.0, 1.0], [1.0, 2.0]]), 0.9), all_exceed(np.array([[2.0, 1.0], [1.0, 2.0]]), 1.1)
    (True, False)
    """
    try:
        np.linalg.cholesky(matrices - bound * np.eye(matrices.shape[-1]))
    except np.linalg.LinAlgError:
        return False
    return True


def singular_notices(
    groups: Sequence[Hashable],
    n: NDArray[np.int64],
    covariances: NDArray[np.float64],
    constant: NDArray[np.bool_],
    *,
    pairwise: bool = False,
) -> tuple[Notice, ...]:
    """Return the notice about groups that have rows enough but a singular covariance matrix.

    With `pairwise` each element may rest on other rows, and the matrix need not be positive definite. Groups in which
    an item is `constant` (G, p) have a notice of their own.
    """
    singular = (n > covariances.shape[-1]) & ~constant.any(axis=1)
    singular[singular] = singular_groups(covariances[singular])
    named = tuple(compress(groups, singular))
    if not named:
        return ()
    trouble, todo = (
        "rows enough but a singular covariance matrix",
        "An item may be the copy or the sum of others there; leave out that item, or these groups.",
    )
    if pairwise:
        trouble, todo = (
            "a covariance matrix that is not positive definite",
            "Each pair of items rests on other rows (missing='pairwise'), so that covariances need not fit together."
            " Use missing='ml', or leave out these groups or items with many missing answers.",
        )
    text = f"{_groups(len(named))} {trouble}: {enumerate_briefly(named)}. {todo}"
    return (Notice(NonPositiveDefiniteWarning, text, named),)


def _groups(count: int) -> str:
    return "1 group has" if count == 1 else f"{count} groups have"


def _with_counts(groups: Sequence[Hashable], n: NDArray[np.int64]) -> str:
    return enumerate_briefly([f"{label} ({size})" for label, size in zip(groups, n, strict=True)])
