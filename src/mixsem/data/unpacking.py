"""Compressed files, unpacked no further than an honest file would go: a kilobyte can hold gigabytes of blanks."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ..errors import DataError

__all__ = ["open_plain"]

#: Bytes that may always come out of a compressed file.
ALLOWED = 100 * 1024**2
#: What a compressed byte may turn into: tables of answers and matrices of moments stay below 20, blanks reach 1,000.
RATIO = 100


class _Measured(io.RawIOBase):
    """What is unpacked, up to a limit."""

    def __init__(self, unpacked: BinaryIO, path: Path) -> None:
        self._unpacked, self._path, self._read = unpacked, path, 0
        self._limit = max(ALLOWED, RATIO * path.stat().st_size)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        part = self._unpacked.read(len(buffer))
        self._read += len(part)
        if self._read > self._limit:
            raise DataError(
                f"{self._path.name} of {self._path.stat().st_size:,} bytes unpacks to more than {self._limit:,}",
                allowed=f"compressed files that unpack to {RATIO} times their size",
                todo="unpack it yourself if you trust it, and read what comes out",
            )
        buffer[: len(part)] = part
        return len(part)


@contextmanager
def open_plain(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading its bytes, unpacked if its name ends in ``.gz``.

    Raises
    ------
    DataError
        While reading, if it unpacks to a hundred times its size and more than 100 MB.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "x.csv.gz")
    ...     _ = path.write_bytes(gzip.compress(b"a,b"))
    ...     with open_plain(path) as file:
    ...         file.read()
    b'a,b'
    """
    if path.suffix.lower() != ".gz":
        with path.open("rb") as file:
            yield file
        return
    with gzip.open(path) as unpacked:
        yield io.BufferedReader(_Measured(unpacked, path), buffer_size=1024**2)  # type: ignore[arg-type]
