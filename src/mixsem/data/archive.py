"""Moments as JSON: written whole or not at all, and checked line by line when read."""

from __future__ import annotations

import gzip
import json
import os
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, MixsemWarning, Notice, OutputError
from .labels import label_from_json, label_to_json

__all__ = ["FORMAT", "VERSION", "moments_fields", "notice_to_json", "read_json", "write_json", "write_whole"]

FORMAT, VERSION = "mixsem-moments", 1
SUFFIXES = (".json", ".json.gz")

# Smallest eigenvalue of a correlation matrix that rounding to a few digits may leave, with its sign turned.
INDEFINITE = 1e-6


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
    passing = path.with_name(f".{path.name}.{os.getpid()}.tmp")
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
        raw = source.read_bytes()
        return json.loads(gzip.decompress(raw) if _compressed(source) else raw)
    except FileNotFoundError as error:
        raise OutputError(f"there is no file {source}", todo="check the path") from error
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise OutputError(f"{source} cannot be read: {error}", todo="save the moments again") from error


def _with_suffix(path: str | Path) -> Path:
    if not str(path).lower().endswith(SUFFIXES):
        raise OutputError(f"{path} has no suffix for moments", allowed=" or ".join(SUFFIXES))
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
        raise DataError("this is not a file of sample moments", allowed=f'JSON with "format": "{FORMAT}"')
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
    if missing not in ("listwise", "ml"):
        raise _broken("missing", "listwise or ml")
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
    if (covariances != covariances.swapaxes(1, 2)).any() or _indefinite(covariances):
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
    return bool((np.linalg.eigvalsh(correlations)[:, 0] < -INDEFINITE).any())


def _list(content: Mapping[str, object], name: str) -> list[Any]:
    written = content.get(name)
    if not isinstance(written, list):
        raise _broken(name, "a list")
    return written


def _numbers(content: Mapping[str, object], name: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
    try:
        values = np.array(_list(content, name), dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise _broken(name, "numbers") from error
    if values.shape != shape or not np.isfinite(values).all():
        raise _broken(name, f"finite numbers of shape {shape}")
    return values


def _counts(content: Mapping[str, object], name: str, length: int, *, least: int) -> NDArray[np.int64]:
    written: Sequence[Any] = _list(content, name)
    if len(written) != length or not all(type(count) is int and count >= least for count in written):
        raise _broken(name, f"{length} whole numbers, {least} or more")
    return np.array(written, dtype=np.int64)


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
