"""The file itself: a zip archive of one JSON document and arrays, checked before anything is unpacked."""

from __future__ import annotations

import io
import json
import math
import re
import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from ..data.archive import write_whole
from ..errors import DataError, OutputError

__all__ = ["Archive", "BrokenFile", "broken", "write_archive"]

AnyArray = NDArray[Any]

DOCUMENT = "document.json"
#: Beside the document there are arrays and nothing else: no other path, no folder above.
_ARRAY = re.compile(r"arrays/(0|[1-9][0-9]{0,6})\.npy")
#: Types of numbers that arrays may have: truth values, whole and real numbers, dates and durations.
_NUMBERS = "biufMm"
#: Every file has the same date, so that the same fit gives the same bytes.
_DATE = (1980, 1, 1, 0, 0, 0)
#: Arrays that shrink to less than this share in a sample of so many bytes are compressed.
_WORTH_IT, _SAMPLE = 0.8, 65536


class BrokenFile(DataError):
    """A file holds what it should not."""


def broken(what: str) -> BrokenFile:
    """The error of a file that holds what it should not."""
    return BrokenFile(
        f"the file is broken: {what}",
        allowed="files that mixsem.save wrote",
        todo="save the fit again, or copy the file again",
    )


def write_archive(path: Path, document: Mapping[str, Any], arrays: list[AnyArray]) -> None:
    """Write a file, whole or not at all.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    text = json.dumps(document, allow_nan=False, separators=(",", ":")).encode()
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        _add(archive, DOCUMENT, text)
        for number, array in enumerate(arrays):
            written = io.BytesIO()
            npy.write_array(written, array, version=(1, 0), allow_pickle=False)
            _add(archive, f"arrays/{number}.npy", written.getvalue())
    write_whole(path, content.getvalue())


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, _DATE)
    sample = content[:_SAMPLE]
    entry.compress_type = (
        zipfile.ZIP_DEFLATED if len(zlib.compress(sample, 1)) < _WORTH_IT * len(sample) else zipfile.ZIP_STORED
    )
    archive.writestr(entry, content)


class Archive:
    """An open file, to be used in a ``with`` statement.

    Parameters
    ----------
    path
        The file.
    max_bytes
        What it may unpack to.

    Raises
    ------
    OutputError
        If there is no such file, it cannot be read, or is larger.
    DataError
        If it is no such archive.
    """

    def __init__(self, path: Path, max_bytes: int) -> None:
        self.path = path
        self._read: dict[int, AnyArray] = {}
        try:
            self._archive = zipfile.ZipFile(path)
        except FileNotFoundError as error:
            raise OutputError(f"there is no file {path}", todo="check the path") from error
        except OSError as error:
            raise OutputError(f"{path} cannot be read: {error.strerror}", todo="check path and rights") from error
        except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
            raise DataError(
                f"{path} is no file that mixsem.save wrote",
                allowed="files of mixsem.save; SampleMoments.load reads moments in JSON",
                todo="check the path; if it is the right one, the file is broken: save the fit again",
            ) from error
        try:
            self._check(max_bytes)
        except BaseException:
            self._archive.close()
            raise

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_: object) -> None:
        self._archive.close()

    def _check(self, max_bytes: int) -> None:
        """Look at the list of contents before unpacking any of it."""
        entries = self._archive.infolist()
        names = [entry.filename for entry in entries]
        if DOCUMENT not in names or len(set(names)) < len(names):
            raise broken(f"it has no {DOCUMENT}, or something twice")
        for entry in entries:
            if entry.filename != DOCUMENT and not _ARRAY.fullmatch(entry.filename):
                raise broken(f"it holds {entry.filename[:60]!r}")
            if entry.flag_bits & 1 or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise broken(f"{entry.filename} is encrypted, or compressed in another way")
        size = sum(entry.file_size for entry in entries)
        if size > max_bytes:
            raise OutputError(
                f"{self.path} unpacks to {size / 1e9:,.1f} GB",
                allowed=f"{max_bytes / 1e9:,.1f} GB",
                todo="if you trust the file, load it with a larger max_bytes",
            )

    @property
    def document(self) -> dict[str, Any]:
        """The JSON document."""
        try:
            found = json.loads(self._unpack(DOCUMENT))
        except (ValueError, RecursionError) as error:
            raise broken(f"{DOCUMENT} is no JSON") from error
        if not isinstance(found, dict):
            raise broken(f"{DOCUMENT} is no JSON object")
        return found

    def array(self, number: object) -> AnyArray:
        """An array by its number; asked for twice, it is the same one."""
        if type(number) is not int:
            raise broken("an array without a number")
        if number not in self._read:
            content = self._unpack(f"arrays/{number}.npy")
            try:
                self._read[number] = _read_array(content)
            except ValueError as error:
                raise broken(f"array {number}") from error
        return self._read[number]

    def _unpack(self, name: str) -> bytes:
        """The bytes of an entry; the library checks their number and their sum, and reads no more than declared."""
        try:
            return self._archive.read(name)
        except KeyError as error:
            raise broken(f"{name} is missing") from error
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError) as error:
            raise broken(f"{name} cannot be unpacked") from error


def _read_array(content: bytes) -> AnyArray:
    """An array from NumPy's format; its header is read as data, and has to fit the length."""
    stream = io.BytesIO(content)
    if npy.read_magic(stream) != (1, 0):
        raise ValueError("another version of NumPy's format")
    try:
        shape, by_columns, dtype = npy.read_array_header_1_0(stream)
    except (SyntaxError, tokenize.TokenError) as error:  # how NumPy says that a header is no literal
        raise ValueError("no header") from error
    if dtype.hasobject or dtype.kind not in _NUMBERS or dtype.subdtype is not None:
        raise ValueError("not numbers")
    begin, count = stream.tell(), math.prod(shape)
    if min(shape, default=0) < 0 or count * dtype.itemsize != len(content) - begin:
        raise ValueError("not as long as it says")
    if count == 0:
        return np.empty(shape, dtype)
    values = np.frombuffer(bytearray(content), dtype, count, begin)  # a copy that may be written to
    return values.reshape(shape, order="F" if by_columns else "C")
