"""Data sets on the workers of a Dask cluster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from .. import __version__
from ..errors import OptionError
from .work import Row, Task, failed_rows, work

__all__ = ["on_cluster"]

#: Data sets that are sent ahead per thread of the cluster.
AHEAD = 2
#: How often a data set is sent again when its worker is lost.
RETRIES = 3
#: Seconds to wait for the scheduler.
PATIENCE = 30


def on_cluster(tasks: Sequence[Task], address: str) -> Iterator[list[Row]]:
    """Results in the order in which they come from the workers of a cluster.

    Parameters
    ----------
    tasks
        What to do.
    address
        Of the scheduler.

    Raises
    ------
    OptionError
        If Dask is not installed, the scheduler does not answer, or workers lack mixsem or have another version.
    """
    try:
        from distributed import Client, as_completed
    except ImportError:
        raise OptionError("dask: the package distributed is not installed", todo="pip install 'mixsem[dask]'") from None
    try:
        client = Client(address, timeout=PATIENCE)
    except (OSError, TimeoutError, ValueError) as error:
        raise OptionError(
            f"no Dask scheduler answers at {address!r}: {error}",
            allowed="an address such as tcp://10.0.0.1:8786",
            todo="start one with: dask scheduler",
        ) from None
    with client:
        threads = _threads(client, address)
        waiting = iter(tasks)
        sent = {
            client.submit(work, task, pure=False, retries=RETRIES): task for task in islice(waiting, AHEAD * threads)
        }
        running = as_completed(list(sent))
        for future in running:
            task, trouble = sent.pop(future), future.exception()
            # A data set whose workers were lost again and again (memory?) is a failure like others.
            yield future.result() if trouble is None else failed_rows(task, trouble)
            for following in islice(waiting, 1):
                added = client.submit(work, following, pure=False, retries=RETRIES)
                sent[added] = following
                running.add(added)


def _threads(client: object, address: str) -> int:
    """Threads of all workers, which must have this version of mixsem."""
    try:
        found = client.run(_version_there)  # type: ignore[attr-defined]
    except Exception as error:
        raise OptionError(
            f"the workers of {address!r} cannot import mixsem: {type(error).__name__}: {error}",
            todo="install it where they run",
        ) from None
    if not found:
        raise OptionError(f"the cluster at {address!r} has no workers", todo=f"start some with: dask worker {address}")
    other = {worker: v for worker, v in found.items() if v != __version__}
    if other:
        worker, theirs = next(iter(other.items()))
        raise OptionError(
            f"worker {worker} has mixsem {theirs}, this process {__version__}", todo="install the same version"
        )
    return sum(client.nthreads().values())  # type: ignore[attr-defined]


def _version_there() -> str:
    import mixsem

    return mixsem.__version__
