"""Missing values: the account of them, and moments that use every answer."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import (
    ConvergenceWarning,
    MissingDataWarning,
    NonPositiveDefiniteWarning,
    Notice,
    OptionError,
    enumerate_briefly,
)
from .account import singular_groups
from .columns import FrameLike
from .grouped import open_rows
from .moments import SampleMoments
from .patterns import MissingPatterns, read_patterns

if TYPE_CHECKING:
    from ..kernels.missing_em import SaturatedEstimates

__all__ = ["ACCOUNTS", "check_missing", "missing_account", "read_moments", "saturated_moments", "saturated_notices"]

#: What may become of missing values.
ACCOUNTS = ("listwise", "ml", "pairwise")

#: Smallest eigenvalue of a correlation matrix from incomplete rows below which it counts as nearly singular.
NEARLY_SINGULAR = 1e-6

#: How many items, and groups, an account names.
NAMED = 5


def check_missing(missing: str) -> None:
    """Refuse what is none of ``"listwise"``, ``"ml"`` and ``"pairwise"``."""
    if missing not in ACCOUNTS:
        raise OptionError(
            f"missing={missing!r}",
            allowed="'listwise' (complete rows only), 'ml' (every answer, maximum likelihood) or 'pairwise' (for every"
            " pair of items the rows that have both)",
        )


def missing_account(data: FrameLike, items: Sequence[str], group: str | None = None) -> pd.DataFrame:
    """Count missing answers per group and item, before anything is dropped.

    Parameters
    ----------
    data, items, group
        As in `GroupedData.from_frame`.

    Returns
    -------
    DataFrame
        One row per group and item: ``group``, ``item``, ``n`` (rows of the group), ``missing`` (rows without this
        item), ``share`` of the rows, and for the group ``complete`` (rows without any missing item), ``empty`` (rows
        without any answer) and ``patterns`` (different patterns of missing items, the complete one included).

    Raises
    ------
    DataError, OptionError
        If the table or a column cannot be used, as `GroupedData.from_frame`.

    Examples
    --------
    >>> data = {"x": [1.0, 2.0, None, 4.0], "y": [1.0, None, None, 3.0], "country": ["A", "A", "B", "B"]}
    >>> missing_account(data, ["x", "y"], "country")[["group", "item", "n", "missing", "share", "patterns"]]
      group item  n  missing  share  patterns
    0     A    x  2        0    0.0         2
    1     A    y  2        1    0.5         2
    2     B    x  2        1    0.5         2
    3     B    y  2        1    0.5         2
    """
    table = open_rows(data, items, group)
    absent = np.isnan(table.values)
    counted = []
    for g, label in enumerate(table.labels):
        rows = absent[table.codes == g]
        whole = {
            "complete": int((~rows.any(axis=1)).sum()),
            "empty": int(rows.all(axis=1).sum()),
            "patterns": len(np.unique(rows, axis=0)),
        }
        for item, count in zip(table.items, rows.sum(axis=0).tolist(), strict=True):
            counted.append(
                {"group": label, "item": item, "n": len(rows), "missing": count, "share": count / len(rows), **whole}
            )
    return pd.DataFrame(counted)


def read_moments(
    data: FrameLike, items: Sequence[str], group: str | None = None, *, min_size: int | None = None
) -> SampleMoments:
    """Read a table whose missing values are allowed for: `read_patterns`, then `saturated_moments`."""
    return saturated_moments(read_patterns(data, items, group, min_size=min_size))


def saturated_moments(patterns: MissingPatterns) -> SampleMoments:
    """Unrestricted maximum likelihood estimates of means and covariances per group, without a warning.

    Parameters
    ----------
    patterns
        Incomplete rows.

    Returns
    -------
    SampleMoments
        With ``missing="ml"``; ``n`` counts the rows with an answer. The notices give an account of what is missing
        and name groups whose estimates are in doubt.

    Examples
    --------
    >>> data = {"x": [1.0, 2.0, 4.0, 5.0], "y": [1.0, 3.0, 4.0, None]}
    >>> moments = saturated_moments(read_patterns(data, ["x", "y"]))
    >>> moments.n, moments.means.round(3)
    (array([4]), array([[3.   , 3.286]]))
    """
    from ..kernels.missing_em import saturated_estimates

    estimates = saturated_estimates(patterns.tables)
    moments = SampleMoments(
        items=patterns.items,
        groups=patterns.groups,
        n=patterns.n,
        means=estimates.means,
        covariances=estimates.covariances,
        n_dropped=patterns.n_dropped,
        group=patterns.group,
        notices=(*saturated_notices(patterns, estimates), *_taken_as_complete(patterns)),
        missing="ml",
    )
    return moments.renewed()


def saturated_notices(patterns: MissingPatterns, estimates: SaturatedEstimates) -> tuple[Notice, ...]:
    """Return what was dropped, what is missing, and which groups' unrestricted estimates are in doubt.

    Parameters
    ----------
    patterns
        Incomplete rows.
    estimates
        Unrestricted estimates of their moments.
    """
    variances = np.diagonal(estimates.covariances, axis1=1, axis2=2)
    # Small groups, items that do not vary and matrices that are singular altogether have notices of their own.
    judged = (patterns.n > len(patterns.items)) & (variances > 0).all(axis=1)
    near, singular = np.zeros((2, patterns.n_groups), dtype=bool)
    near[judged] = _smallest_eigenvalues(estimates.covariances[judged]) < NEARLY_SINGULAR
    singular[judged] = singular_groups(estimates.covariances[judged])
    stopped = judged & ~estimates.converged & ~near
    return (
        *patterns.notices,
        *_account(patterns),
        *_near_notice(patterns, near & ~singular),
        *_slow(patterns, stopped),
    )


def _smallest_eigenvalues(covariances: NDArray[np.float64]) -> NDArray[np.float64]:
    scale = 1 / np.sqrt(np.diagonal(covariances, axis1=1, axis2=2))
    return np.asarray(np.linalg.eigvalsh(covariances * scale[:, :, None] * scale[:, None, :])[:, 0], dtype=float)


def _account(patterns: MissingPatterns) -> tuple[Notice, ...]:
    """How much is missing, and where most of it."""
    missing = patterns.n_missing
    if not missing.any() and not patterns.n_dropped.any():
        return ()
    rows = int((~patterns.observed.all(axis=1)) @ patterns.pattern_n)
    n_answers = int(patterns.n.sum()) * len(patterns.items)
    text = (
        f"{missing.sum():,} of {n_answers:,} answers ({missing.sum() / n_answers:.1%}) are missing, in {rows:,} of"
        f" {patterns.n.sum():,} rows; all answers that are there were used (missing='ml')"
    )
    by_item = missing.sum(axis=0)
    worst = [f"{patterns.items[j]} ({by_item[j]:,})" for j in np.argsort(-by_item, kind="stable")[:NAMED] if by_item[j]]
    text += f". Most are missing in {', '.join(worst)}" if worst else ""
    shares = missing.sum(axis=1) / (patterns.n * len(patterns.items))
    if patterns.n_groups > 1 and missing.any():
        most = [g for g in np.argsort(-shares, kind="stable")[:NAMED] if shares[g] > 0]
        text += "; by group in " + ", ".join(f"{patterns.groups[g]} ({shares[g]:.1%})" for g in most)
    if patterns.n_dropped.any():
        text += f". Dropped {patterns.n_dropped.sum():,} rows without any answer that could be used"
    concerned = missing.any(axis=1) | (patterns.n_dropped > 0)
    return (Notice(MissingDataWarning, text + ".", tuple(compress(patterns.groups, concerned))),)


def _taken_as_complete(patterns: MissingPatterns) -> tuple[Notice, ...]:
    """What becomes of standard errors when the moments are used like those of complete rows."""
    if not patterns.n_missing.any():
        return ()
    text = (
        "Moments estimated from incomplete rows are used like those of complete ones: factor covariances and"
        " regressions are consistent if answers are missing at random, but standard errors, posterior intervals and"
        " tests of the measurement model (step 1) take no account of what is missing and are too optimistic. The"
        " function cfa has the exact ones, by full information."
    )
    return (Notice(MissingDataWarning, text),)


def _near_notice(patterns: MissingPatterns, near: NDArray[np.bool_]) -> tuple[Notice, ...]:
    named = tuple(compress(patterns.groups, near))
    if not named:
        return ()
    text = (
        f"the covariance matrix estimated from incomplete rows is nearly singular in {enumerate_briefly(named)}:"
        " too few rows have the same items. Leave out these groups, or items with many missing answers."
    )
    return (Notice(NonPositiveDefiniteWarning, text, named),)


def _slow(patterns: MissingPatterns, stopped: NDArray[np.bool_]) -> tuple[Notice, ...]:
    named = tuple(compress(patterns.groups, stopped))
    if not named:
        return ()
    text = (
        f"the iterations for means and covariances of incomplete rows stopped early in {enumerate_briefly(named)}: some"
        " items there are rarely answered together, or nearly copies of others. Leave out these groups or these items."
    )
    return (Notice(ConvergenceWarning, text, named),)
