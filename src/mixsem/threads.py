"""One thread for small matrices: handing them out costs more than it saves."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache

from threadpoolctl import ThreadpoolController

__all__ = ["few_threads"]

#: Matrices below this many columns are factorised by one thread.
THREADED_COLUMNS = 1500


def few_threads(columns: int) -> AbstractContextManager[object]:
    """Limit BLAS to one thread while matrices of so many columns are worked on, if they are small."""
    import scipy.linalg  # noqa: F401  its BLAS has to be there when libraries are looked up

    return _controller().limit(limits=1 if columns < THREADED_COLUMNS else None, user_api="blas")


@cache
def _controller() -> ThreadpoolController:
    """The BLAS libraries of this process: to find them takes longer than a small fit."""
    return ThreadpoolController()
