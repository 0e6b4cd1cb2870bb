"""Moments as JSON: written whole or not at all, and checked line by line when read (`parquet` writes larger ones)."""

from __future__ import annotations

import gzip
import json
import os
import uuid
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, MixsemWarning, Notice, OutputError
from .account import all_exceed
from .labels import label_from_json, label_to_json
from .unpacking import open_plain

__all__ = [
    "FORMAT",
    "MOMENTS_SUFFIXES",
    "PARQUET",
    "SUFFIXES",
    "VERSION",
    "as_plain",
    "moments_fields",
    "names_moments",
    "notice_to_json",
    "read_content",
    "read_json",
    "write_json",
    "write_moments",
    "write_whole",
]

FORMAT, VERSION = "mixsem-moments", 1
SUFFIXES = (".json", ".json.gz")
PARQUET = ".parquet"
MOMENTS_SUFFIXES = (*SUFFIXES, PARQUET)

# People of a group.
MOST = 10**15
# Smallest eigenvalue of a correlation matrix that rounding to a few digits may leave, with its sign turned.
INDEFINITE = 1e-6


def names_moments(path: str | Path) -> bool:
    """Tell whether a path is that of moments: by its suffix, or, for parquet, by what the file says of itself."""
    name = str(path).lower()
    if not name.endswith(PARQUET):
        return name.endswith(SUFFIXES)
    from .parquet import holds_moments

    return holds_moments(path)


def as_plain(
    account: Mapping[str, Any], means: NDArray[np.float64], covariances: NDArray[np.float64]
) -> dict[str, object]:
    """Moments as plain data for JSON, labels with their type."""
    groups = [label_to_json(label) for label in account["groups"]]
    return {**account, "groups": groups, "means": means.tolist(), "covariances": covariances.tolist()}


def write_moments(
    path: str | Path, account: Mapping[str, Any], means: NDArray[np.float64], covariances: NDArray[np.float64]
) -> None:
    """Write moments as JSON or parquet, by the suffix; `OutputError` if that fails or the suffix is another one."""
    if str(path).lower().endswith(PARQUET):
        from .parquet import write_parquet

        write_parquet(Path(path), account, means, covariances)
    else:
        write_json(path, as_plain(account, means, covariances))


def read_content(path: str | Path) -> object:
    """Read what `write_moments` wrote, for `moments_fields`; `OutputError` if that fails."""
    if str(path).lower().endswith(PARQUET):
        from .parquet import read_parquet

        return read_parquet(Path(path))
    return read_json(path)


def write_json(path: str | Path, content: Mapping[str, object]) -> None:
    """Write plain data as JSON, compressed if the name ends in ``.gz``; all of it or nothing.

    Raises
    ------
    OutputError
        If the suffix is not known or the file cannot be written.
    """
    target = _with_suffix(path)
    try:
        text = json.dumps(content, allow_nan=False, separators=(",", ":")).encode()
    except ValueError as error:
        raise OutputError(f"{target} was not written: {error}", allowed="finite numbers") from error
    # Without a time stamp the same moments give the same bytes.
    write_whole(target, gzip.compress(text, compresslevel=6, mtime=0) if _compressed(target) else text)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file under a passing name and move it into place, so that no half file is ever seen."""
    passing = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        passing.write_bytes(content)
        os.replace(passing, path)
    except OSError as error:
        passing.unlink(missing_ok=True)
        raise OutputError(f"{path} cannot be written: {error.strerror}", todo="check folder and disk") from error


def read_json(path: str | Path) -> object:
    """Read a JSON file, compressed if its name ends in ``.gz``; `OutputError` if that fails."""
    source = _with_suffix(path)
    try:
        with open_plain(source) as file:
            return json.loads(file.read())
    except DataError:
        raise
    except FileNotFoundError as error:
        raise OutputError(f"there is no file {source}", todo="check the path") from error
    except (OSError, EOFError, zlib.error, ValueError, RecursionError) as error:
        raise OutputError(f"{source} cannot be read: {error}", todo="save the moments again") from error


def _with_suffix(path: str | Path) -> Path:
    if not str(path).lower().endswith(SUFFIXES):
        raise OutputError(f"{path} has no suffix for moments", allowed=", ".join(MOMENTS_SUFFIXES))
    return Path(path)


def _compressed(path: Path) -> bool:
    return path.suffix.lower() == ".gz"


def notice_to_json(notice: Notice) -> dict[str, object]:
    """Write a notice with the types of its group labels."""
    return notice.to_dict() | {"groups": [label_to_json(label) for label in notice.groups]}


def moments_fields(content: object) -> dict[str, Any]:
    """Check what a moments file holds and return the fields of `SampleMoments`.

    Raises
    ------
    DataError
        If the content is no moments file, of a newer version, or not consistent in itself.
    """
    if not isinstance(content, Mapping) or content.get("format") != FORMAT:
        raise DataError(
            "this is not a file of sample moments", allowed=f'JSON or parquet metadata with "format": "{FORMAT}"'
        )
    version = content.get("version")
    if version != VERSION:
        raise DataError(
            f"the file of sample moments is of version {version!r}",
            allowed=f"version {VERSION}",
            todo="update mixsem, or save the moments again",
        )
    items = _list(content, "items")
    if not items or not all(isinstance(item, str) for item in items) or len(set(items)) < len(items):
        raise _broken("items", "different names")
    try:
        groups = tuple(label_from_json(written) for written in _list(content, "groups"))
    except ValueError as error:
        raise _broken("groups", "labels: text, number, true or false, date") from error
    if not groups or len(set(groups)) < len(groups):
        raise _broken("groups", "different labels")
    group, has_means = content.get("group"), content.get("has_means")
    if not (group is None or isinstance(group, str)) or not isinstance(has_means, bool):
        raise _broken("group and has_means", "a name or null, and true or false")
    missing = content.get("missing", "listwise")  # files of the first release do not say
    if missing not in ("listwise", "ml", "pairwise"):
        raise _broken("missing", "listwise, ml or pairwise")
    g, p = len(groups), len(items)
    fields: dict[str, Any] = {
        "items": tuple(items),
        "groups": groups,
        "n": _counts(content, "n", g, least=1),
        "means": _numbers(content, "means", (g, p)),
        "covariances": _numbers(content, "covariances", (g, p, p)),
        "n_dropped": _counts(content, "n_dropped", g, least=0),
        "group": group,
        "notices": tuple(_notice(written) for written in _list(content, "notices")),
        "has_means": has_means,
        "missing": missing,
    }
    covariances = fields["covariances"]
    asymmetric = bool((covariances != covariances.swapaxes(1, 2)).any())
    if asymmetric or (missing != "pairwise" and _indefinite(covariances)):
        raise _broken("covariances", "symmetric matrices, positive definite or (in a part of the data) semidefinite")
    return fields


def _indefinite(covariances: NDArray[np.float64]) -> bool:
    """Tell whether a matrix is not even semidefinite; printed digits may leave a little below zero."""
    variances = np.diagonal(covariances, axis1=1, axis2=2)
    if (variances < 0).any():
        return True
    # A variance of zero allows covariances of zero only: with scale 1 anything else shows below zero.
    scale = 1 / np.sqrt(np.where(variances > 0, variances, 1.0))
    correlations = covariances * scale[:, :, None] * scale[:, None, :]
    if all_exceed(correlations, -INDEFINITE / 2):
        return False
    return bool((np.linalg.eigvalsh(correlations)[:, 0] < -INDEFINITE).any())


def _list(content: Mapping[str, object], name: str) -> list[Any]:
    written = content.get(name)
    if not isinstance(written, list):
        raise _broken(name, "a list")
    return written


def _numbers(content: Mapping[str, object], name: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
    written = content.get(name)
    try:
        values = np.array(written if isinstance(written, np.ndarray) else _list(content, name), dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise _broken(name, "numbers") from error
    if values.shape != shape or not np.isfinite(values).all():
        raise _broken(name, f"finite numbers of shape {shape}")
    return values


def _counts(content: Mapping[str, object], name: str, length: int, *, least: int) -> NDArray[np.int64]:
    written: Sequence[Any] = _list(content, name)
    if len(written) != length or not all(type(count) is int and least <= count <= MOST for count in written):
        raise _broken(name, f"{length} whole numbers, {least} or more, at most {MOST:,}")
    try:
        return np.array(written, dtype=np.int64)
    except OverflowError as error:
        raise _broken(name, "whole numbers of 64 bits") from error


def _notice(written: object) -> Notice:
    known = {category.__name__: category for category in MixsemWarning.__subclasses__()}
    match written:
        case {"name": str(name), "text": str(text), "groups": list(groups)} if name in known:
            return Notice(known[name], text, tuple(label_from_json(label) for label in groups))
    raise _broken("notices", "notices with a name, a text and groups")


def _broken(name: str, allowed: str) -> DataError:
    return DataError(
        f"the file of sample moments is broken at {name!r}", allowed=allowed, todo="save the moments again"
    )
