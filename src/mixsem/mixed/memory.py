"""A fit that does not fit into memory: an error that says so, in the place of NumPy's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import DataError

__all__ = ["memory_in_words"]


@contextmanager
def memory_in_words() -> Iterator[None]:
    """Turn a lack of memory into `DataError`.

    Examples
    --------
    >>> with memory_in_words():
    ...     raise MemoryError("Unable to allocate 9 GiB")
    Traceback (most recent call last):
    ...
    mixsem.errors.DataError: the model needs more memory than there is: Unable to allocate 9 GiB
    ...
    """
    try:
        yield
    except MemoryError as error:
        reason = f": {error}" if str(error) else ""
        raise DataError(
            f"the model needs more memory than there is{reason}",
            allowed="fewer rows, categories with fewer levels, fewer random slopes",
            todo="leave out what has the most levels, fit to a sample of the rows, or use a larger machine",
        ) from error
