"""Just-in-time compilation that keeps its results on disk, and still works where no disk can be written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba

__all__ = ["cached_cfunc", "cached_njit"]

F = TypeVar("F", bound=Callable[..., Any])


def cached_njit(function: F) -> F:
    """Compile with numba; the compiled code is kept for later processes where a cache folder can be written.

    The arithmetic stays as written (no reordering of sums), so that results do not depend on the machine.
    """
    try:
        return numba.njit(cache=True, nogil=True, error_model="numpy")(function)  # type: ignore[return-value]
    except RuntimeError:  # no folder that numba could write to: compile anew in every process
        return numba.njit(nogil=True, error_model="numpy")(function)  # type: ignore[return-value]


def cached_cfunc(signature: Any) -> Callable[[Callable[..., int]], Any]:
    """As `cached_njit`, for a function that is called from outside Python by its address."""

    def compile_function(function: Callable[..., int]) -> Any:
        try:
            return numba.cfunc(signature, cache=True, error_model="numpy")(function)
        except RuntimeError:
            return numba.cfunc(signature, error_model="numpy")(function)

    return compile_function
