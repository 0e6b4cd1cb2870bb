"""Worker processes for many samples."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context

from .errors import OptionError

__all__ = ["processes"]


@contextmanager
def processes(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Open a pool of fresh processes; what waits in it is cancelled at the end.

    A copy of this process would inherit locks of threads that it does not have, so each one imports what it needs.

    Parameters
    ----------
    workers
        Number of processes.

    Raises
    ------
    OptionError
        If the processes cannot be started, as in a script that calls this while it is imported, or one was killed.
    """
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"))
    try:
        yield pool
    except BrokenProcessPool:
        raise OptionError(
            f"workers={workers}: the processes could not be started, or one was killed (memory?)",
            allowed="in a script, calls below the line: if __name__ == '__main__':",
            todo="put the call there, or use workers=1",
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)
