"""Tables from files, by suffix, with the mistakes that files invite named."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ..errors import DataError, enumerate_briefly
from .archive import FORMAT, PARQUET, names_moments
from .unpacking import open_plain

__all__ = ["is_moments_file", "read_table"]

_SEPARATORS = {".csv": ",", ".csv.gz": ",", ".tsv": "\t", ".tsv.gz": "\t"}
_BINARY = (".parquet", ".arrow", ".feather")
_NAMES = {",": "commas", ";": "semicolons", "\t": "tabs"}

# Missing in text too: nothing, and the point of SPSS and SAS.
_MISSING = ("", ".")

# Whole numbers written in the one way that leads back to them; with ".0" if a missing one made them floats.
_WHOLE = re.compile(r"0|-?[1-9][0-9]{0,17}")
_WHOLE_FLOAT = re.compile(r"(?:0|-?[1-9][0-9]{0,14})\.0")


def read_table(path: str | Path, group: str | Collection[str] | None = None) -> pd.DataFrame:
    r"""Read a table by the suffix of its file.

    A cell that is empty, blank or a lone point is missing. In a column of numbers the usual codes (``NA``,
    ``NaN``, ``null``, ...) are missing too; in a column of text they are not, so that ``NA`` remains the label
    of a group (Namibia).

    Parameters
    ----------
    path
        A .csv, .csv.gz, .tsv, .tsv.gz, .parquet, .arrow or .feather file; text in UTF-8.
    group
        Name of the grouping column, or names of several, if there are any: their labels stay text unless all of them
        are whole numbers that are written the same way again. So 01 stays 01, and 1.10 is not 1.1.

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
    groups = {group} if isinstance(group, str) else set(group or ())
    try:
        separator = _SEPARATORS.get(suffix)
        table = _read_binary(source, suffix) if separator is None else _read_text(source, separator, groups)
    except DataError:
        raise
    except UnicodeDecodeError as error:
        raise DataError(f"{source.name} is not text in UTF-8", todo="save it as UTF-8 (CSV UTF-8)") from error
    except (OSError, EOFError, zlib.error, csv.Error, ValueError) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{source.name} cannot be read: {reason}", todo="write the file again") from error
    if table.empty:
        raise DataError(f"{source.name} has no rows", allowed="one row or more below the names of columns")
    return table


def is_moments_file(path: str | Path) -> bool:
    """Tell whether a file holds sample moments, as written by `SampleMoments.save`."""
    source = Path(path)
    if not names_moments(source) or not source.is_file():
        return False
    if source.name.lower().endswith(PARQUET):
        return True
    try:
        with gzip.open(source) if _compressed(source) else source.open("rb") as file:
            return FORMAT.encode() in file.read(4096)
    except (OSError, EOFError, zlib.error):
        return False


def _suffix(source: Path) -> str:
    """Return the suffix of a file that is there and may hold a table."""
    try:
        there = source.exists()
    except (OSError, ValueError):  # a name too long, or with a NUL byte
        there = False
    if not there:
        raise DataError(f"there is no file {str(source)[:200]}", todo="check the path")
    if source.is_dir():
        raise DataError(f"{source} is a folder", todo="name a file in it")
    if names_moments(source):
        raise DataError(
            f"{source.name} holds moments and no rows", todo="SampleMoments.load reads them; a fit takes them as data"
        )
    known = (*_SEPARATORS, *_BINARY)
    suffix = next((suffix for suffix in known if source.name.lower().endswith(suffix)), None)
    if suffix is None:
        raise DataError(
            f"{source.name} has no suffix of a table",
            allowed=", ".join(known),
            todo="save it as one of these, or in Python read it with pandas, polars or DuckDB and pass the table on",
        )
    return suffix


def _compressed(source: Path) -> bool:
    return source.suffix.lower() == ".gz"


def _read_text(source: Path, separator: str, groups: Collection[str]) -> pd.DataFrame:
    _check_header(source, separator)

    def read(how: Mapping[str, Any]) -> pd.DataFrame:
        with open_plain(source) as file:
            return pd.read_csv(file, sep=separator, low_memory=False, **how)

    table = read({"na_values": list(_MISSING)})
    numbers = [name for name in table.columns if not _may_hold_words(table[name])]
    # Read once more, as text, what are not numbers: there "NA" is a label and not missing.
    words = [name for name in table.columns if name not in numbers or name in groups]
    if not words:
        return table
    text = read({"usecols": words, "dtype": str, "keep_default_na": False, "na_values": list(_MISSING)})
    blank = _blank_cells(text)
    if blank:
        # Cells of nothing but spaces had made text of numbers.
        table = table.assign(**read({"usecols": words, "na_values": [*_MISSING, *blank]}))
        text = text.mask(text.isin(blank))
        numbers = [name for name in table.columns if not _may_hold_words(table[name])]
    plain = {name: text[name] for name in words if name not in numbers and text[name].notna().any()}
    for group in (name for name in numbers if name in groups):
        plain[group] = _whole_or_text(text[group].where(table[group].notna()))
    return table.assign(**plain)


def _blank_cells(text: pd.DataFrame) -> Sequence[str]:
    """Return the cells that hold spaces, or spaces and a point, and nothing else."""
    cells = {cell for name in text.columns for cell in text[name].dropna().unique()}
    return sorted(cell for cell in cells if cell.strip() in _MISSING)


def _whole_or_text(labels: pd.Series) -> pd.Series:
    """Turn labels into whole numbers if every one can be written the same way again; else leave them text."""
    codes, distinct = pd.factorize(labels)
    written = [str(label).strip() for label in distinct]
    if not all(map(_WHOLE.fullmatch, written)) and not all(map(_WHOLE_FLOAT.fullmatch, written)):
        return labels
    whole = pd.array([int(label.removesuffix(".0")) for label in written], dtype="Int64")
    numbers = pd.Series(whole.take(codes, allow_fill=True), index=labels.index)
    return numbers if numbers.isna().any() else numbers.astype("int64")


def _may_hold_words(column: pd.Series) -> bool:
    if pd.api.types.is_numeric_dtype(column) and not column.isna().all():
        return False
    return pd.api.types.infer_dtype(column, skipna=True) != "boolean"


def _check_header(source: Path, separator: str) -> None:
    """Refuse what would be misread in silence: another separator, two columns of one name, row names."""
    with open_plain(source) as raw, io.TextIOWrapper(raw, encoding="utf-8-sig", newline="") as file:
        rows = (row for row in csv.reader(file, delimiter=separator) if row)
        names = next(rows, [])
        cells = next(rows, names)
    if not names:
        raise DataError(f"{source.name} is empty", allowed="a line with the names of columns, and rows")
    other = next((s for s in _NAMES if s != separator and len(names) == 1 and s in names[0]), None)
    if other is not None:
        decimal = ", decimal=','" if other == ";" else ""
        raise DataError(
            f"{source.name} has one column only: its header seems to be separated by {_NAMES[other]}",
            allowed=f"{_NAMES[separator]} in a file of this suffix",
            todo=f"save it with {_NAMES[separator]}, or in Python pass on the table of"
            f" pandas.read_csv({source.name!r}, sep={other!r}{decimal})",
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
