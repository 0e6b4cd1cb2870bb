"""Tables from files, by suffix, with the mistakes that files invite named."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections import Counter
from pathlib import Path

import pandas as pd

from ..errors import DataError, enumerate_briefly
from .archive import FORMAT, SUFFIXES

__all__ = ["is_moments_file", "read_table"]

_SEPARATORS = {".csv": ",", ".csv.gz": ",", ".tsv": "\t", ".tsv.gz": "\t"}
_BINARY = (".parquet", ".arrow", ".feather")
_NAMES = {",": "commas", ";": "semicolons", "\t": "tabs"}


def read_table(path: str | Path) -> pd.DataFrame:
    r"""Read a table by the suffix of its file.

    In a column of numbers an empty cell and the usual codes (``NA``, ``NaN``, ``null``, ...) are missing; in
    a column of text only an empty cell is, so that ``NA`` remains the label of a group (Namibia).

    Parameters
    ----------
    path
        A .csv, .csv.gz, .tsv, .tsv.gz, .parquet, .arrow or .feather file; text in UTF-8.

    Returns
    -------
    pandas.DataFrame
        The table.

    Raises
    ------
    DataError
        If there is no such file, its suffix is not known, it cannot be read, has no rows, two columns of one
        name, or another separator than its suffix says.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "answers.csv")
    ...     _ = path.write_text("country,x1\nNA,3\nDE,NA\n")
    ...     read_table(path)
      country   x1
    0      NA  3.0
    1      DE  NaN
    """
    source = Path(path)
    suffix = _suffix(source)
    try:
        separator = _SEPARATORS.get(suffix)
        table = _read_binary(source, suffix) if separator is None else _read_text(source, separator)
    except DataError:
        raise
    except UnicodeDecodeError as error:
        raise DataError(f"{source.name} is not text in UTF-8", todo="save it as UTF-8 (CSV UTF-8)") from error
    except (OSError, EOFError, zlib.error, csv.Error, ValueError) as error:
        raise DataError(f"{source.name} cannot be read: {error}", todo="write the file again") from error
    if table.empty:
        raise DataError(f"{source.name} has no rows")
    return table


def is_moments_file(path: str | Path) -> bool:
    """Tell whether a file holds sample moments, as written by `SampleMoments.save`."""
    source = Path(path)
    if not source.name.endswith(SUFFIXES) or not source.is_file():
        return False
    try:
        with gzip.open(source) if source.suffix == ".gz" else source.open("rb") as file:
            return FORMAT.encode() in file.read(4096)
    except (OSError, EOFError, zlib.error):
        return False


def _suffix(source: Path) -> str:
    """Return the suffix of a file that is there and may hold a table."""
    if not source.exists():
        raise DataError(f"there is no file {source}", todo="check the path")
    if source.is_dir():
        raise DataError(f"{source} is a folder", todo="name a file in it")
    known = (*_SEPARATORS, *_BINARY)
    suffix = next((suffix for suffix in known if source.name.lower().endswith(suffix)), None)
    if suffix is None:
        raise DataError(
            f"{source.name} has no suffix of a table",
            allowed=", ".join(known),
            todo="read it with pandas, polars or DuckDB and pass the table on",
        )
    return suffix


def _read_text(source: Path, separator: str) -> pd.DataFrame:
    _check_header(source, separator)
    table = pd.read_csv(source, sep=separator, low_memory=False)
    # Read once more, as text, what are not numbers: there "NA" is a label and not missing.
    words = [name for name in table.columns if _may_hold_words(table[name])]
    if not words:
        return table
    text = pd.read_csv(source, sep=separator, usecols=words, dtype=str, keep_default_na=False, na_values=[""])
    return table.assign(**{name: text[name] for name in words if text[name].notna().any()})


def _may_hold_words(column: pd.Series) -> bool:
    if pd.api.types.is_numeric_dtype(column) and not column.isna().all():
        return False
    return pd.api.types.infer_dtype(column, skipna=True) != "boolean"


def _check_header(source: Path, separator: str) -> None:
    """Refuse what would be misread in silence: another separator, two columns of one name, row names."""
    opener = gzip.open if source.suffix == ".gz" else open
    with opener(source, "rt", encoding="utf-8-sig", newline="") as file:
        rows = (row for row in csv.reader(file, delimiter=separator) if row)
        names = next(rows, [])
        cells = next(rows, names)
    if not names:
        raise DataError(f"{source.name} is empty")
    other = next((s for s in _NAMES if s != separator and len(names) == 1 and s in names[0]), None)
    if other is not None:
        decimal = ", decimal=','" if other == ";" else ""
        raise DataError(
            f"{source.name} has one column only: its header seems to be separated by {_NAMES[other]}",
            allowed=f"{_NAMES[separator]} in a file of this suffix",
            todo=f"pandas.read_csv({source.name!r}, sep={other!r}{decimal}), and pass the table on",
        )
    if len(cells) > len(names):
        raise DataError(
            f"{source.name} has {len(names)} column names, but {len(cells)} cells in the first row",
            todo="name every column; in R, write with row.names = FALSE",
        )
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise DataError(
            f"{source.name} has more than one column named {enumerate_briefly(repeated)}",
            todo="rename or drop the copies",
        )


def _read_binary(source: Path, suffix: str) -> pd.DataFrame:
    if suffix == ".parquet":
        return pd.read_parquet(source)
    if suffix == ".feather":
        return pd.read_feather(source)
    import pyarrow as pa

    with pa.memory_map(str(source)) as file:
        try:
            return pa.ipc.open_file(file).read_all().to_pandas()
        except pa.ArrowInvalid:  # the streaming form of the format has no footer
            file.seek(0)
            return pa.ipc.open_stream(file).read_all().to_pandas()
