"""Checks of the options of a structural mixture."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from ..errors import OptionError
from ..options import require_seed

if TYPE_CHECKING:
    from .mixture import StructuralMixture

__all__ = ["check_options", "cluster_numbers"]


#: More starts or iterations than this are a slip of the pen.
MOST = 1_000_000


def cluster_numbers(k: int | Iterable[int], n_groups: int) -> tuple[int, ...]:
    """Check k and return the numbers of clusters, sorted."""
    if n_groups < 2:
        raise OptionError(
            "there is one group only",
            allowed="two groups or more",
            todo="name the column of the groups in group=; with one group, fit an ordinary structural model",
        )
    numbers = list(k) if isinstance(k, Iterable) else [k]
    wrong = [x for x in numbers if not _is_whole(x) or not 1 <= x <= n_groups]
    if wrong or not numbers:
        came = f"k={wrong[0]!r}" if wrong else "k is an empty range"
        raise OptionError(
            f"{came} with {n_groups} groups",
            allowed=f"whole numbers from 1 to {n_groups}",
            todo="choose fewer clusters than groups, such as k=range(1, 7)",
        )
    return tuple(sorted({int(x) for x in numbers}))


def _is_whole(x: object) -> bool:
    return isinstance(x, int | np.integer) and not isinstance(x, bool)


def check_options(spec: StructuralMixture, seed: int | None) -> None:
    """Refuse options outside what is allowed."""
    if spec.residuals not in ("group", "cluster"):
        raise OptionError(f"residuals={spec.residuals!r}", allowed="'group' or 'cluster'", todo="choose one of them")
    for name, value in (("n_starts", spec.n_starts), ("max_iterations", spec.max_iterations)):
        if not _is_whole(value) or not 1 <= value <= MOST:
            raise OptionError(f"{name}={value!r}", allowed=f"a whole number, 1 to {MOST:,}", todo=f"leave {name} out")
    if not isinstance(spec.meanstructure, bool):
        raise OptionError(f"meanstructure={spec.meanstructure!r}", allowed="True or False", todo="choose one of them")
    if not spec.tolerance > 0:
        raise OptionError(f"tolerance={spec.tolerance!r}", allowed="a positive number", todo="leave tolerance out")
    if not 0 < spec.residual_floor < 1:
        raise OptionError(
            f"residual_floor={spec.residual_floor!r}", allowed="a share between 0 and 1", todo="use 0.001, the default"
        )
    require_seed(seed)
