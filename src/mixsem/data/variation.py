"""Items that do not vary within a group: parts of the data may have them, a fit may not."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import compress
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, NonPositiveDefiniteWarning, Notice, enumerate_briefly

if TYPE_CHECKING:
    from .moments import SampleMoments

__all__ = ["constant_items", "constant_notices", "refuse_numbered_rows", "require_definite", "require_variation"]

# A standard deviation of so many units in the last place of the mean is what rounding leaves of no variation.
ROUNDING = 4 * float(np.finfo(np.float64).eps)

#: Squares of smaller standard deviations leave the range in which their products can be computed.
SMALLEST = 1e-75


#: Eigenvalues of a correlation matrix below this count as zero.
SINGULAR = 1e-10


def constant_items(means: NDArray[np.float64], covariances: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell which items (G, p) do not vary within which groups.

    Examples
    --------
    >>> constant_items(np.array([[3.0, 0.0]]), np.array([[[0.0, 0.0], [0.0, 1.0]]]))
    array([[ True, False]])
    """
    variances = np.diagonal(covariances, axis1=1, axis2=2)
    constant: NDArray[np.bool_] = np.sqrt(np.maximum(variances, 0)) <= np.maximum(ROUNDING * np.abs(means), SMALLEST)
    return constant


def constant_notices(
    groups: Sequence[Hashable], n: NDArray[np.int64], items: Sequence[str], constant: NDArray[np.bool_]
) -> tuple[Notice, ...]:
    """Return the notice about groups in which an item is constant; one row never varies and is told as small."""
    concerned = constant.any(axis=1) & (n > 1)
    named = tuple(compress(groups, concerned))
    if not named:
        return ()
    groups_have = "1 group has" if len(named) == 1 else f"{len(named)} groups have"
    text = (
        f"{groups_have} items without variation: {_listed(named, n[concerned], items, constant[concerned])}. "
        "No model can be fitted to them as they are: leave out these groups or these items, "
        "unless other parts of the data are to be merged."
    )
    return (Notice(NonPositiveDefiniteWarning, text, named),)


def require_variation(moments: SampleMoments) -> None:
    """Refuse moments that no model can be fitted to: every item must vary within every group.

    Raises
    ------
    DataError
        If an item does not vary in some group, or not in any, or if all groups are single rows.

    Examples
    --------
    >>> from mixsem.data import SampleMoments
    >>> require_variation(SampleMoments.from_frame({"x": [1, 2, 4], "y": [3, 1, 3]}, ["x", "y"]))
    """
    refuse_numbered_rows(moments.n, moments.group)
    constant = constant_items(moments.means, moments.covariances)
    everywhere = tuple(compress(moments.items, np.all(constant, axis=0).tolist()))
    if everywhere:
        where = "within any group" if moments.n_groups > 1 else "over the rows"
        raise DataError(
            f"no variation {where} in {enumerate_briefly(everywhere)}",
            allowed="items that vary within groups",
            todo="leave these items out of the model",
        )
    concerned: NDArray[np.bool_] = np.any(constant, axis=1)
    if concerned.any():
        named = tuple(compress(moments.groups, concerned))
        found = _listed(named, moments.n[concerned], moments.items, constant[concerned])
        raise DataError(
            f"items without variation in a group: {found}",
            todo="leave out these groups (SampleMoments.from_frame with min_size= leaves out small ones) or these"
            " items",
        )


def require_definite(moments: SampleMoments) -> None:
    """Raise `DataError` if a group's covariance matrix is singular, as maximum likelihood cannot have it."""
    scale = np.sqrt(np.diagonal(moments.covariances, axis1=1, axis2=2))
    smallest = np.linalg.eigvalsh(moments.covariances / (scale[:, :, None] * scale[:, None, :]))[:, 0]
    bad = tuple(compress(moments.groups, (smallest < SINGULAR).tolist()))
    if bad:
        raise DataError(
            f"the covariance matrix of {', '.join(moments.items)} is singular in"
            f" {len(bad)} group{'s' * (len(bad) > 1)}: {enumerate_briefly(bad)}",
            allowed=f"groups with more than {len(moments.items)} complete rows and no item that others determine",
            todo="drop these groups (SampleMoments.from_frame with min_size=), or items that copy one another",
        )


def refuse_numbered_rows(n: NDArray[np.int64], group: str | None) -> None:
    """Raise `DataError` if every group is one row."""
    if len(n) > 1 and n.max() == 1:
        column = "the grouping column" if group is None else repr(group)
        raise DataError(
            f"every group has one complete row only: {column} seems to number the rows",
            todo="name the column that holds the groups",
        )


def _listed(groups: Sequence[Hashable], n: NDArray[np.int64], items: Sequence[str], constant: NDArray[np.bool_]) -> str:
    found = []
    for label, size, row in zip(groups, n, constant, strict=True):
        named = enumerate_briefly(tuple(compress(items, row)), limit=3)
        found.append(f"{label} (one complete row)" if size == 1 else f"{label} ({named})")
    return enumerate_briefly(found, limit=5)
