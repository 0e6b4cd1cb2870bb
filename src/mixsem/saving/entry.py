"""`save` and `load`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import MixsemWarning, Notice, OptionError, OutputError, enumerate_briefly, notify
from .archive import Archive, broken, write_archive
from .reading import Reader
from .registry import KINDS, name_of
from .versions import FORMAT, OLDEST_READER, VERSION, read_version
from .writing import Writer

__all__ = ["MAX_BYTES", "SUFFIX", "Header", "load", "read_header", "save"]

SUFFIX = ".mixsem"
#: What a file may unpack to unless more is allowed: 4 GB.
MAX_BYTES = 4 * 10**9


def save(fit: object, path: str | Path) -> Path:
    """Write a fit to a file that `load` reads, with this and later versions.

    Everything that a user gets can be saved: fits of every model, specifications, moments, standard errors, tests,
    bootstraps, tables, reports. The file holds what cannot be computed again from other parts of it; the same fit gives
    the same bytes.

    Parameters
    ----------
    fit
        The fit.
    path
        A file; the suffix is ``.mixsem``. A file that is there is replaced.

    Returns
    -------
    Path
        The path.

    Raises
    ------
    OptionError
        If `fit` is nothing that can be saved, or the suffix is another one.
    OutputError
        If the file cannot be written; then nothing has changed.

    Notes
    -----
    Mixed models, and structural equation models fitted to rows, keep the rows of the people they were fitted to, and so
    does the file: `read_header` and ``mixsem show`` tell. Fits of moments hold moments only.

    Examples
    --------
    >>> import tempfile, mixsem as mx
    >>> fit = mx.lmer("Reaction ~ Days + (Days | Subject)", mx.data.sleepstudy())
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     again = mx.load(mx.save(fit, f"{folder}/sleep.mixsem"))
    >>> again.objective == fit.objective
    True
    """
    target = check_path(path)
    require_kind(fit)
    writer = Writer()
    root = writer.value(fit)
    from .. import __version__

    document = {
        "format": FORMAT,
        "version": list(VERSION),
        "reader": list(OLDEST_READER),
        "mixsem": __version__,
        "kind": name_of(type(fit)),
        "rows": writer.rows,
        "objects": writer.objects,
        "root": root,
    }
    write_archive(target, document, writer.arrays)
    return target


def load(path: str | Path, *, max_bytes: int = MAX_BYTES) -> Any:
    """Read a fit that `save` wrote.

    Nothing in the file is executed, so that files of others can be read; what they say is as true as who wrote it.

    Parameters
    ----------
    path
        The file.
    max_bytes
        What the file may unpack to; 4 GB.

    Returns
    -------
    The fit, of the type that was saved. Compiled models and the like are made again, so that all functions work on it.

    Raises
    ------
    OutputError
        If there is no such file, or it cannot be read.
    DataError
        If it is no such file, is broken, or needs a newer version of mixsem; the message says which.

    Warns
    -----
    MixsemWarning
        If the file was written by a newer version, and parts of it that this one does not know were left out.
    """
    with Archive(Path(path), max_bytes) as archive:
        document = archive.document
        header = _header(document)
        reader = Reader(archive, document, header.version, max_bytes)
    found = reader.root(document)
    if name_of(type(found)) != header.kind:
        raise broken("it holds something else than it says")
    if reader.left_out:
        left = enumerate_briefly(sorted(set(reader.left_out)), 4)
        text = (
            f"{path} was written by mixsem {header.mixsem}, which is newer: {left} left out. What was fitted is"
            " complete; update mixsem to see the rest."
        )
        notify((Notice(MixsemWarning, text),))
    return found


@dataclass(frozen=True)
class Header:
    """What a file says of itself.

    Attributes
    ----------
    kind
        What it holds, such as ``"sem-fit"``.
    mixsem
        The version of mixsem that wrote it.
    version
        The version of the format.
    rows
        Whether it holds rows of people, beside moments and estimates.
    """

    kind: str
    mixsem: str
    version: tuple[int, int]
    rows: bool


def read_header(path: str | Path, *, max_bytes: int = MAX_BYTES) -> Header:
    """What a file says of itself, without making the fit; errors as those of `load`."""
    with Archive(Path(path), max_bytes) as archive:
        return _header(archive.document)


def _header(document: Mapping[str, Any]) -> Header:
    if document.get("format") != FORMAT:
        raise broken("it does not say that mixsem wrote it")
    version = read_version(document)
    kind, mixsem, rows = document.get("kind"), document.get("mixsem"), document.get("rows")
    if not isinstance(kind, str) or not isinstance(mixsem, str) or not isinstance(rows, bool):
        raise broken("kind, version of mixsem or rows")
    return Header(kind, mixsem, version, rows)


def check_path(path: str | Path) -> Path:
    """Refuse what no file can be written to.

    Raises
    ------
    OptionError
        If the suffix is another one.
    OutputError
        If there is no such folder, or a folder has the name.
    """
    target = Path(path)
    if target.suffix.lower() != SUFFIX:
        raise OptionError(f"path={str(path)!r}", allowed=f"a file whose name ends in {SUFFIX}", todo="change the name")
    if not target.parent.is_dir():
        raise OutputError(f"{target}: there is no folder {target.parent}", todo="make it first")
    if target.is_dir():
        raise OutputError(f"{target} is a folder", todo="choose another name")
    return target


def require_kind(fit: object) -> None:
    """Refuse what cannot be saved.

    Raises
    ------
    OptionError
        With what can.
    """
    if name_of(type(fit)) is None:
        raise OptionError(
            f"fit is a {type(fit).__name__}",
            allowed="fits, specifications, moments and results of mixsem: " + enumerate_briefly([*KINDS], 12),
            todo="save the fit that it came from; tables of pandas have to_csv()",
        )
