"""Covariance matrices given by the user, brought to one order of groups and items and checked."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ..errors import CorrelationInputWarning, DataError, Notice, OptionError, enumerate_briefly
from .account import singular_groups
from .columns import check_items
from .labels import plain_labels, sort_labels

if TYPE_CHECKING:
    import polars as pl

__all__ = ["GivenMoments", "Labelled", "MatrixLike", "VectorLike", "correlation_notices", "read_covariances"]

MatrixLike: TypeAlias = "ArrayLike | pd.DataFrame | pl.DataFrame"
VectorLike: TypeAlias = "ArrayLike | pd.Series[Any]"

# Printed matrices are symmetric to their last digit; a difference in correlations above this is a mistake.
ASYMMETRY = 1e-6

# Variances this close to 1 in every group are those of standardised items.
UNIT = 1e-8


class Labelled(Protocol):
    """Anything that maps a group label to a value: a dict, a pandas Series."""

    def keys(self) -> Any:
        """Return the group labels."""

    def __getitem__(self, label: Any, /) -> Any:
        """Return the value of a group."""


class GivenMoments(NamedTuple):
    """Moments as given by the user, in one order: items, groups, n, means, covariances."""

    items: tuple[str, ...]
    groups: tuple[Hashable, ...]
    n: NDArray[np.int64]
    means: NDArray[np.float64]
    covariances: NDArray[np.float64]


def read_covariances(
    covariances: Mapping[Any, MatrixLike],
    n: Labelled | int,
    means: Mapping[Any, VectorLike] | None,
    items: Sequence[str] | None,
) -> GivenMoments:
    """Check and order covariance matrices; see `SampleMoments.from_covariances`. The divisor stays."""
    if not isinstance(covariances, Mapping):
        raise OptionError(
            f"covariances are of type {type(covariances).__name__}",
            allowed="a mapping from group label to covariance matrix",
            todo="from_covariances({'A': matrix_a, 'B': matrix_b}, n={'A': 100, 'B': 120})",
        )
    if not covariances:
        raise DataError("no covariance matrix was given", allowed="one matrix per group, by its label")
    names = check_items(items) if items is not None else _items_of(next(iter(covariances.values())))
    by_label = dict(zip(plain_labels(covariances), covariances.values(), strict=True))
    groups = sort_labels(by_label)

    matrices = [_ordered_matrix(label, by_label[label], names, free=items is not None) for label in groups]
    problems = [(label, _problem(matrix, names)) for label, matrix in zip(groups, matrices, strict=True)]
    found = [f"group {label}: {problem}" for label, problem in problems if problem]
    if found:
        raise DataError(
            "not a covariance matrix in " + enumerate_briefly(found, limit=4),
            allowed="finite, symmetric, positive definite matrices",
            todo="leave out these groups, or fill in both triangles if only one was given",
        )
    stacked = np.stack(matrices)
    sizes = [_size(label, value) for label, value in _per_group("n", n, groups).items()]
    vectors = {} if means is None else _per_group("means", means, groups)
    centres = [_ordered_vector(label, vector, names) for label, vector in vectors.items()]
    return GivenMoments(
        items=names,
        groups=groups,
        n=np.array(sizes, dtype=np.int64),
        means=np.array(centres) if centres else np.zeros(stacked.shape[:2]),
        covariances=(stacked + stacked.swapaxes(-1, -2)) / 2,
    )


def correlation_notices(covariances: NDArray[np.float64]) -> tuple[Notice, ...]:
    """Return the notice about matrices, as they were given, that are correlations in every group."""
    if len(covariances) < 2 or (np.abs(np.diagonal(covariances, axis1=1, axis2=2) - 1) > UNIT).any():
        return ()
    text = (
        "Every variance is 1 in every group, so these seem to be correlation matrices. Equal loadings and regressions "
        "compared over groups need covariances, in the items' own units: multiply each correlation by both "
        "standard deviations."
    )
    return (Notice(CorrelationInputWarning, text),)


def _items_of(matrix: MatrixLike) -> tuple[str, ...]:
    names = getattr(matrix, "columns", None)
    if names is None:
        raise OptionError(
            "the covariance matrices have no names",
            todo="name the items in the order of the rows: items=[...]",
        )
    return check_items([str(name) for name in names])


def _ordered_matrix(label: Hashable, matrix: MatrixLike, items: tuple[str, ...], *, free: bool) -> NDArray[np.float64]:
    """Read one matrix with rows and columns in the order of `items`; `free` if it may hold more items."""
    values = _numbers(label, matrix)
    columns = getattr(matrix, "columns", items)
    names = [str(name) for name in columns]
    rows = _row_names(matrix, names)
    if values.shape != (len(names), len(names)):
        size = " x ".join(map(str, values.shape))
        raise DataError(f"group {label}: the matrix is {size}", allowed=f"{len(names)} x {len(names)}")
    if sorted(rows) != sorted(names):
        raise DataError(
            f"group {label}: rows and columns of the matrix are not named alike",
            allowed=f"rows named as the columns: {enumerate_briefly(names)}",
        )
    lacking = [item for item in items if item not in names]
    extra = [] if free else [name for name in names if name not in items]
    if lacking or extra:
        told = [f"lacks {enumerate_briefly(lacking)}"] if lacking else []
        told += [f"has {enumerate_briefly(extra)} besides the others' items"] if extra else []
        raise DataError(
            f"group {label}: the matrix {' and '.join(told)}",
            allowed="the same items in all groups",
            todo="name the items they have in common: items=[...]",
        )
    return values[np.ix_([rows.index(item) for item in items], [names.index(item) for item in items])]


def _row_names(matrix: MatrixLike, columns: list[str]) -> list[str]:
    """Return the names of the rows; numbered rows are in the order of the columns."""
    if not isinstance(matrix, pd.DataFrame) or list(matrix.index) == list(range(len(matrix))):
        return columns
    return [str(name) for name in matrix.index]


def _ordered_vector(label: Hashable, vector: VectorLike, items: tuple[str, ...]) -> NDArray[np.float64]:
    values = _numbers(label, vector)
    if isinstance(vector, pd.Series) and set(items) <= set(vector.index):
        values = vector[list(items)].to_numpy(dtype=np.float64)
    if values.shape != (len(items),) or not np.isfinite(values).all():
        raise DataError(f"group {label}: the means are not one finite number per item", allowed=f"{len(items)} means")
    return values


def _numbers(label: Hashable, given: ArrayLike) -> NDArray[np.float64]:
    try:
        if np.iscomplexobj(given):  # NumPy would keep the real parts, and only warn
            raise TypeError("they are complex")
        return np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"group {label}: the values are not numbers ({error})", allowed="finite numbers") from error


def _problem(matrix: NDArray[np.float64], items: tuple[str, ...]) -> str:
    """Say why a square matrix is no covariance matrix, or return an empty text."""
    if not np.isfinite(matrix).all():
        return "missing or infinite entries"
    variances = np.diagonal(matrix)
    if (variances <= 0).any():
        j = int(np.argmin(variances))
        return f"the variance of {items[j]} is {variances[j]:g}"
    deviation = np.abs(matrix - matrix.T) / np.outer(np.sqrt(variances), np.sqrt(variances))
    if deviation.max() > ASYMMETRY:
        i, j = divmod(int(np.argmax(deviation)), len(items))
        return f"{items[i]} with {items[j]} is both {matrix[i, j]:g} and {matrix[j, i]:g}"
    return "not positive definite" if singular_groups(matrix) else ""


def _per_group(name: str, given: Labelled | Any, groups: tuple[Hashable, ...]) -> dict[Hashable, Any]:
    """Give each group its value; one value stands for all groups."""
    keys: Callable[[], Any] | None = getattr(given, "keys", None)
    if keys is None:
        return dict.fromkeys(groups, given)
    originals = list(keys())
    by_label = {label: given[key] for label, key in zip(plain_labels(originals), originals, strict=True)}
    lacking, extra = [g for g in groups if g not in by_label], [g for g in by_label if g not in groups]
    if lacking or extra:
        told = [f"{name} lacks {enumerate_briefly(lacking)}"] if lacking else []
        told += [f"{name} has {enumerate_briefly(extra)} without a covariance matrix"] if extra else []
        raise DataError("; ".join(told), allowed=f"the groups {enumerate_briefly(groups)}")
    return {label: by_label[label] for label in groups}


def _size(label: Hashable, value: Any) -> int:
    try:
        whole = not isinstance(value, bool) and int(value) == value and 2 <= value <= 10**15
    except (TypeError, ValueError, OverflowError):
        whole = False
    if not whole:
        raise DataError(f"group {label}: n is {value!r}", allowed="a whole number of people, 2 or more")
    return int(value)
