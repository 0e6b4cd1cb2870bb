"""One process at a time in a folder, so that the files of two runs never mix."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

__all__ = ["alone_in"]

try:
    import fcntl
except ImportError:  # Windows, where a file that is being written is locked by itself
    fcntl = None  # type: ignore[assignment]


@contextmanager
def alone_in(*folders: Path) -> Iterator[None]:
    """Wait until no other process is in such a block for one of the folders; those that are not there are passed over.

    The operating system lifts the lock when the process ends, however it ends. Nothing is written.

    Parameters
    ----------
    folders
        From outer to inner, so that no two processes wait for each other.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, alone_in(Path(folder), Path(folder, "not there")):
    ...     _ = Path(folder, "results.csv").write_text("a,b")
    """
    with ExitStack() as locks:
        for folder in dict.fromkeys(folder.absolute() for folder in folders):
            if fcntl is not None and folder.is_dir():
                descriptor = os.open(folder, os.O_RDONLY)
                locks.callback(os.close, descriptor)
                # Network disks may know no locks: a folder without one is better than no results.
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX)
                except OSError:
                    continue
        yield
