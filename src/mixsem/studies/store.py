"""The folder of a study: each result is on the disk, whole, as soon as it exists.

One Parquet file per data set, written under another name and renamed, so that a process that is killed leaves files
that are whole or not there. Many small files are merged from time to time; a result that is in two files, because the
process was killed between merging and deleting, or because two processes worked in the same folder, counts once.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import OutputError
from .study import Method, Study, described_population, own_fields

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from .work import Row

__all__ = ["KEY", "Store"]

KEY = ("cell", "replication", "method", "variant")
"""Columns that say which result a row is."""

_INTEGERS, _TEXTS = ("cell", "replication", "seed"), ("method", "variant", "status", "error", "notices")
FORMAT, VERSION = "mixsem-study", 1
#: So many files of single data sets are merged into one.
MERGED_AT = 200
#: A file that was being written and is older than this (seconds) was left by a process that is gone.
ABANDONED = 3600.0


class Store:
    """Results of one study in a folder.

    Parameters
    ----------
    folder
        Made if it does not exist.
    study
        The study. Cells, replications and methods may be added to a folder; what is there must not change.

    Raises
    ------
    OutputError
        If the folder cannot be used, or holds another study.
    """

    def __init__(self, folder: str | Path, study: Study) -> None:
        self.folder, self.study = Path(folder), study
        self.results = self.folder / "results"
        with _files_of(self.folder):
            self.results.mkdir(parents=True, exist_ok=True)
            self._claim()
            for left in self.results.glob(".*.tmp"):
                if time.time() - left.stat().st_mtime > ABANDONED:
                    left.unlink(missing_ok=True)
        self._n_single = len(list(self.results.glob("set-*.parquet")))

    def append(self, rows: Sequence[Row]) -> None:
        """Add the rows of one data set."""
        name = f"set-{rows[0]['cell']:06d}-{rows[0]['replication']:05d}-{uuid.uuid4().hex[:8]}.parquet"
        with _files_of(self.folder):
            self._write(self._table(rows), name)
            self._n_single += 1
            if self._n_single >= MERGED_AT:
                self.merge()

    def merge(self, *, everything: bool = False) -> None:
        """Put all single files into one; with `everything` those merged before, too."""
        self._n_single = 0
        files = sorted(self.results.glob("*.parquet" if everything else "set-*.parquet"))
        if len(files) < 2:
            return
        with _files_of(self.folder):
            try:
                together = _read(files)
            except FileNotFoundError:
                return  # another process has merged them
            self._write(together, f"merged-{uuid.uuid4().hex}.parquet")
            for path in files:
                path.unlink(missing_ok=True)

    def frame(self) -> pd.DataFrame:
        """All results of the folder, one row each, sorted by their key."""
        with _files_of(self.folder):
            return read_rows(self.results)

    def done(self, *, retry: bool = False) -> set[tuple[int, int, str]]:
        """(cell, replication, method) of what is there, with all variants; without what failed if `retry`."""
        frame = self.frame()
        if retry:
            frame = frame[frame["status"] == "done"]
        counts = Counter(zip(frame["cell"], frame["replication"], frame["method"], strict=True))
        wanted = {m.name: len(m.variants) for m in self.study.methods}
        return {key for key, n in counts.items() if n >= wanted.get(key[2], 1)}

    def log(self, record: dict[str, Any]) -> None:
        """Add the record of a run to ``runs.jsonl``."""
        with _files_of(self.folder), (self.folder / "runs.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")

    def _claim(self) -> None:
        """Make the folder this study's, or check that it is."""
        from ..simulate.populations import Population
        from .toml import write_study

        path = self.folder / "identity.json"
        identity = _identity(self.study)
        known = _load_identity(path)
        if known is not None:
            methods = {name: identity["methods"].get(name, digest) for name, digest in known["methods"].items()}
            if known["design"] != identity["design"] or known["methods"] != methods:
                raise OutputError(
                    f"{self.folder} holds the results of another study, or of other settings",
                    allowed="the same population, factors, seed and settings of methods; more cells, replications,"
                    " methods",
                    todo="name another folder, or give a changed method another name",
                )
            identity["methods"] = known["methods"] | identity["methods"]
        elif any(self.results.iterdir()):
            raise OutputError(f"{self.results} has files but no study", todo="name another folder")
        _write_text(path, json.dumps(identity, indent=1))
        if isinstance(self.study.population, Population):
            _write_text(self.folder / "study.toml", write_study(self.study))

    def _table(self, rows: Sequence[Row]) -> pa.Table:
        """Rows as columns whose types do not depend on the rows."""
        import pyarrow as pa

        columns: dict[str, Any] = {}
        for name in dict.fromkeys(name for row in rows for name in row):
            values = [row.get(name) for row in rows]
            levels = self.study.factors.get(name, ())
            if name in _TEXTS or any(isinstance(level, str) for level in levels):
                kind = pa.string()
            elif name in _INTEGERS or (levels and all(isinstance(level, int) for level in levels)):
                kind = pa.int64()
            else:
                kind, values = pa.float64(), [None if v is None else float(v) for v in values]
            columns[name] = pa.array(values, type=kind)
        return pa.table(columns)

    def _write(self, table: pa.Table, name: str) -> None:
        import pyarrow.parquet as pq

        with _passing(self.results / f".{name}.tmp") as temporary:
            with temporary.open("wb") as file:
                pq.write_table(table, file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, self.results / name)


def read_rows(results: Path) -> pd.DataFrame:
    """Results in a folder of Parquet files; files that another process merges meanwhile are looked for again."""
    import pandas as pd

    for attempt in range(10):
        paths = sorted(results.glob("*.parquet"))
        try:
            frame = _read(paths).to_pandas() if paths else pd.DataFrame(columns=[*KEY, "status"])
            break
        except FileNotFoundError:
            if attempt == 9:
                raise
            time.sleep(0.05)
    # What failed and was done later counts as done.
    frame = frame.sort_values([*KEY, "status"], kind="stable").drop_duplicates(list(KEY))
    return frame.reset_index(drop=True)


def _read(paths: Sequence[Path]) -> pa.Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    tables = []
    for path in paths:
        try:
            tables.append(pq.ParquetFile(path).read())
        except pa.ArrowInvalid:
            raise OutputError(
                f"{path} is damaged", todo="delete it: the data sets that were in it are run again"
            ) from None
    return pa.concat_tables(tables, promote_options="default")


def _identity(study: Study) -> dict[str, Any]:
    """What must not change in a folder: hashes of the design, and of every method."""
    levels = {name: [float(v) if isinstance(v, int | float) else v for v in vs] for name, vs in study.factors.items()}
    design = [described_population(study.population), levels, study.seed, study.sample]
    methods = {m.name: _digest(_settings(m)) for m in study.methods}
    return {"format": FORMAT, "version": VERSION, "design": _digest(design), "methods": methods}


def _settings(method: Method) -> list[Any]:
    """What changes the results of a method, if it is not as always."""
    return [(name, value) for name, value in own_fields(method).items() if name != "name"]


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def _load_identity(path: Path) -> dict[str, Any] | None:
    if not path.exists():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        content = None
    whole = isinstance(content, dict) and {"design", "methods"} <= set(content)
    if not whole or content.get("format") != FORMAT or content.get("version") != VERSION:
        raise OutputError(f"{path} is not of a study that this version reads", todo="name another folder")
    return content


def _write_text(path: Path, text: str) -> None:
    with _passing(path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")) as temporary:
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)


@contextmanager
def _passing(temporary: Path) -> Iterator[Path]:
    """A file that gets its name when it is whole, and goes if it never is."""
    try:
        yield temporary
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def _files_of(folder: Path) -> Iterator[None]:
    """Name the folder in what the operating system complains of."""
    try:
        yield
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(
            f"{folder} cannot be used: {error.strerror or error}", todo="check folder, rights and disk"
        ) from error
