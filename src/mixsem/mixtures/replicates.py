"""Many samples in turn or in several processes, kept in a file so that a run that was stopped goes on."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any, NoReturn, Protocol

import numpy as np

from ..errors import OptionError, OutputError
from ..workers import processes

__all__ = ["Record", "Task", "check_run", "fingerprint", "replicates"]

Record = dict[str, Any]
Progress = Callable[[str, int, int], None]

FORMAT, VERSION = "mixsem-replicates", 1
#: Samples that a process works on at a time, and after which they are written.
BATCH = 10


class Task(Protocol):
    """What is done with one sample; it and its records can be sent to other processes."""

    def __call__(self, seed: np.random.SeedSequence) -> Record:
        """Plain data for JSON of the sample with this seed."""


def check_run(n: int, seed: int, workers: int, n_starts: int) -> None:
    """Refuse options that are no whole numbers in range, with an `OptionError`."""
    for name, value, least in (("n", n, 2), ("workers", workers, 1), ("n_starts", n_starts, 0), ("seed", seed, 0)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
            raise OptionError(f"{name}={value!r}", allowed=f"a whole number of at least {least}")


def fingerprint(*parts: object) -> str:
    """Whether two runs draw the same samples: a hash of everything that they depend on, arrays and plain data."""
    digest = hashlib.sha256()
    for part in parts:
        array = isinstance(part, np.ndarray)
        digest.update(np.ascontiguousarray(part).tobytes() if array else repr(part).encode())
    return digest.hexdigest()


def replicates(
    task: Task,
    n: int,
    *,
    seed: int,
    workers: int,
    store: str | Path | None,
    identity: str,
    progress: Progress | None = None,
) -> Iterator[Record]:
    """Records of n samples in their order, which neither the number of workers nor an interruption changes.

    Parameters
    ----------
    task
        What is done with a sample.
    n
        Number of samples. A store with fewer is added to; of one with more, the first n are taken.
    seed
        Sample i has the i-th seed spawned from it.
    workers
        Processes.
    store
        A file with one JSON object per line to take finished samples from, and to add batches to; None for none.
    identity
        `fingerprint` of the run: a store of another one is refused.
    progress
        Called as ``progress("bootstrap", done, total)``.

    Raises
    ------
    OutputError
        If `store` cannot be written, or holds something else.
    """
    file = None if store is None else _Store(Path(store), identity)
    done = [] if file is None else file.open()[:n]
    yield from done
    if progress is not None and done:
        progress("bootstrap", len(done), n)
    seeds = np.random.SeedSequence(seed).spawn(n)[len(done) :]
    batches = [seeds[i : i + BATCH] for i in range(0, len(seeds), BATCH)]
    count = len(done)
    for records in _finished(task, batches, workers):
        if file is not None:
            file.append(records)
        count += len(records)
        if progress is not None:
            progress("bootstrap", count, n)
        yield from records


def _finished(task: Task, batches: list[list[np.random.SeedSequence]], workers: int) -> Iterator[list[Record]]:
    if workers == 1 or len(batches) < 2:
        yield from (_work(task, batch) for batch in batches)
        return
    with processes(workers) as pool:
        futures: list[Future[list[Record]]] = [pool.submit(_work, task, batch) for batch in batches]
        for future in futures:
            yield future.result()


def _work(task: Task, seeds: list[np.random.SeedSequence]) -> list[Record]:
    return [task(seed) for seed in seeds]


class _Store:
    """A file of one heading and one line per sample. A line that a killed run left unfinished is cut off."""

    def __init__(self, path: Path, identity: str) -> None:
        self.path = path
        self.heading: Record = {"format": FORMAT, "version": VERSION, "fingerprint": identity}

    def open(self) -> list[Record]:
        """Finished samples; the file is made if there is none."""
        try:
            content = self.path.read_bytes() if self.path.exists() else b""
            whole = content[: content.rfind(b"\n") + 1]
            if self._line(self.heading).startswith(content):  # a new file, or one that was hardly begun
                self.path.write_bytes(b"")
                self.append([self.heading])
                return []
            heading, *records = self._read(whole)
            if not isinstance(heading, dict) or heading.get("format") != FORMAT:
                self._refuse("is no store of a bootstrap")
            if heading != self.heading:
                self._refuse("holds samples of another fit, seed or option")
            if len(whole) < len(content):
                os.truncate(self.path, len(whole))
        except OutputError:
            raise
        except OSError as error:
            raise OutputError(f"{self.path} cannot be used: {error.strerror}", todo="check folder and disk") from error
        return records

    def _read(self, whole: bytes) -> list[Record]:
        try:
            records = [json.loads(line) for line in whole.splitlines()]
        except ValueError:
            records = []
        return records or self._refuse("is no store of a bootstrap")

    @staticmethod
    def _line(record: Record) -> bytes:
        return (json.dumps(record, separators=(",", ":")) + "\n").encode()

    def append(self, records: list[Record]) -> None:
        """Add a batch in one piece, on the disk before the next one begins."""
        lines = b"".join(self._line(record) for record in records)
        try:
            with self.path.open("ab") as file:
                file.write(lines)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise OutputError(
                f"{self.path} cannot be written: {error.strerror}", todo="check folder and disk"
            ) from error

    def _refuse(self, why: str) -> NoReturn:
        raise OutputError(
            f"{self.path} {why}", allowed="a new file, or the store of the same bootstrap", todo="name another file"
        )
