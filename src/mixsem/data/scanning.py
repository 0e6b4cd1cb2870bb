"""Files that are read in passing: parquet and Arrow, one of them, many, or a folder."""

from __future__ import annotations

import glob
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import DataError, enumerate_briefly
from .archive import names_moments

if TYPE_CHECKING:
    from pyarrow import RecordBatchReader
    from pyarrow.dataset import Dataset

__all__ = ["can_scan", "scan_table"]

_ARROW = (".arrow", ".feather")
_SUFFIXES = (".parquet", *_ARROW)


def can_scan(path: str | Path) -> bool:
    """Tell whether a path is for `scan_table`: a parquet or Arrow file, a folder, or a pattern (``*.parquet``)."""
    source = Path(path)
    return source.is_dir() or (source.name.lower().endswith(_SUFFIXES) and not names_moments(source))


def scan_table(path: str | Path) -> Dataset | RecordBatchReader:
    """Open parquet or Arrow files of any size, to be read by `SampleMoments.from_frame` in one pass.

    Parameters
    ----------
    path
        A .parquet, .arrow or .feather file; a folder with parquet files, also in folders named ``column=value``
        (hive partitions), which become a column; or a pattern such as ``answers/*.parquet``. Files of one table
        may have different number types, and lack columns.

    Returns
    -------
    pyarrow.dataset.Dataset or pyarrow.RecordBatchReader
        Nothing is read yet. A reader, of an Arrow file in the streaming format, can be read once.

    Raises
    ------
    DataError
        If there is no such file, the suffix is another one, or a file cannot be read.

    Examples
    --------
    >>> import tempfile, pandas as pd
    >>> from mixsem.data import SampleMoments
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name, values in {"one": [1.0, 2.0], "two": [3.0, 6.0]}.items():
    ...         pd.DataFrame({"x": values}).to_parquet(f"{folder}/{name}.parquet")
    ...     SampleMoments.from_frame(scan_table(folder), ["x"])
    SampleMoments: 1 groups, 1 items, N = 4 (4 to 4 per group), 0 rows dropped
    """
    import pyarrow as pa

    source = Path(path)
    try:
        if source.name.lower().endswith(_ARROW) and source.is_file():
            return _arrow_file(source)
        files = _parquet_files(source)
        return _parquet_dataset(files, source)
    except (pa.ArrowException, OSError) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{source.name} cannot be read: {reason}", todo="write the file again") from error


def _parquet_files(source: Path) -> list[Path]:
    if source.is_file():
        found = [source]
    elif source.is_dir():
        found = sorted(file for file in source.rglob("*.parquet") if _is_visible(file.relative_to(source)))
    else:
        found = sorted(Path(name) for name in glob.glob(str(source), recursive=True) if Path(name).is_file())
    if not found:
        what = f"{source} is a folder without .parquet files" if source.is_dir() else f"there is no file {source}"
        raise DataError(what, allowed=", ".join(_SUFFIXES), todo="check the path")
    others = [file for file in found if not file.name.lower().endswith(".parquet")]
    if others:
        raise DataError(
            f"{enumerate_briefly([file.name for file in others])} cannot be read in passing",
            allowed=f"{', '.join(_SUFFIXES)}; of patterns and folders .parquet only",
            todo="read it whole: read_table(path)",
        )
    moments = [file for file in found if names_moments(file)]
    if moments:
        raise DataError(f"{moments[0].name} holds moments", todo="SampleMoments.load reads them")
    return found


def _is_visible(inside: Path) -> bool:
    """Other programs keep their own notes in files and folders whose names begin with a point or an underscore."""
    return not any(part.startswith((".", "_")) for part in inside.parts)


def _parquet_dataset(files: list[Path], source: Path) -> Dataset:
    import pyarrow as pa
    import pyarrow.dataset as pads

    names = [str(file) for file in files]
    folder = str(source) if source.is_dir() else None
    opened = pads.dataset(names, format="parquet", partitioning="hive", partition_base_dir=folder)
    if len(files) == 1:
        return opened
    # The first file alone would say which type a column has, and whole numbers cannot hold what comes later.
    schemas = [opened.schema, *(fragment.physical_schema for fragment in opened.get_fragments())]
    schema = pa.unify_schemas(schemas, promote_options="permissive")
    return pads.dataset(names, format="parquet", partitioning="hive", partition_base_dir=folder, schema=schema)


def _arrow_file(source: Path) -> Dataset | RecordBatchReader:
    import pyarrow as pa
    import pyarrow.dataset as pads

    try:
        return pads.dataset(str(source), format="ipc")
    except (pa.ArrowInvalid, OSError):  # the streaming form of the format has no footer
        return pa.ipc.open_stream(pa.memory_map(str(source)))
