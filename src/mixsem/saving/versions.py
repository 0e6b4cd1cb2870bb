"""The version of the format, and how older files become like new ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from ..errors import DataError

__all__ = ["FORMAT", "MIGRATIONS", "OLDEST_READER", "VERSION", "Migration", "migrated", "read_version"]

Version: TypeAlias = tuple[int, int]
Fields: TypeAlias = dict[str, Any]
Migration: TypeAlias = Callable[[Fields], Fields]

FORMAT = "mixsem-saved"
#: Major and minor. A new minor adds fields and kinds, which older readers leave out; a new major changes what is there.
VERSION: Version = (1, 0)
#: The oldest version that reads the files written here.
OLDEST_READER: Version = (1, 0)

#: Kind -> versions with what turns the fields of files before that version into those of it, oldest first.
MIGRATIONS: Mapping[str, tuple[tuple[Version, Migration], ...]] = {}


def migrated(kind: str, fields: Fields, version: Version, migrations: Mapping[str, Any] = MIGRATIONS) -> Fields:
    """The fields of an object of a file, as they are called and meant now.

    Examples
    --------
    >>> renamed = {"trace": (((1, 1), lambda fields: {"steps": fields.pop("n"), **fields}),)}
    >>> migrated("trace", {"n": 3}, (1, 0), renamed), migrated("trace", {"steps": 3}, (1, 1), renamed)
    ({'steps': 3}, {'steps': 3})
    """
    for since, migrate in migrations.get(kind, ()):
        if version < since:
            fields = migrate(dict(fields))
    return fields


def read_version(document: Mapping[str, Any]) -> Version:
    """The version of a file, if this version can read it.

    Raises
    ------
    DataError
        If it takes a newer mixsem to read the file.
    """
    version, reader = _pair(document.get("version")), _pair(document.get("reader"))
    if version is None or reader is None:
        raise DataError("the file does not say its version", todo="save it again")
    if reader > VERSION or version[0] > VERSION[0]:
        raise DataError(
            f"the file is of version {version[0]}.{version[1]} of the format, written by mixsem"
            f" {document.get('mixsem')!s:.20}",
            allowed=f"files that version {VERSION[0]}.{VERSION[1]} can read",
            todo="update mixsem: pip install --upgrade mixsem",
        )
    return version


def _pair(written: object) -> Version | None:
    match written:
        case [int(major), int(minor)] if not isinstance(major, bool) and not isinstance(minor, bool):
            return major, minor
    return None
