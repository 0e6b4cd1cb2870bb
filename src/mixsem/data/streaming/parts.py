"""What one part of the rows adds to the whole, and how parts are put together."""

from __future__ import annotations

import io
import json
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from ..labels import label_from_json, label_to_json
from .comoments import CoMoments

__all__ = ["Cell", "Part", "merged_parts"]

Index = NDArray[np.int64]

Cell: TypeAlias = tuple[Hashable, bytes]
"""Label of a group and, with ``missing="ml"``, the pattern of items that are there (packed bits), else nothing."""

Key = TypeVar("Key", bound=Hashable)

#: Numbers that the moments of all cells may hold together: one GiB.
MOST_NUMBERS = 2**27


@dataclass(frozen=True, eq=False)
class Part:
    """Account and moments of a part of the rows.

    Attributes
    ----------
    labels
        (L,) labels of the groups seen, in the order they appeared.
    n_used, n_dropped
        (L,) rows that are used, and rows that cannot be, because items are missing.
    n_missing
        (L, p) missing answers in all rows of the group.
    cells
        (C,) what the moments belong to.
    comoments
        Moments of the cells.
    n_rows, n_unlabelled
        Rows, and those whose group is missing.
    infinite
        (p,) number of infinite values, which are an error at the end.
    huge
        (p,) whether there are values whose squares cannot be added up.
    """

    labels: tuple[Hashable, ...]
    n_used: Index
    n_dropped: Index
    n_missing: Index
    cells: tuple[Cell, ...]
    comoments: CoMoments
    n_rows: int
    n_unlabelled: int
    infinite: Index
    huge: NDArray[np.bool_]

    def merged(self, other: Part) -> Part:
        """Put together with another part; groups keep the order in which they appeared.

        Raises
        ------
        DataError
            If the groups are so many that their moments would not fit into memory.
        """
        labels, here, there = _united(self.labels, other.labels)
        cells, mine, others = _united(self.cells, other.cells)
        _refuse_too_many(len(cells), self.comoments.products.shape[1])
        return Part(
            labels=labels,
            n_used=_added(self.n_used, here, other.n_used, there, len(labels)),
            n_dropped=_added(self.n_dropped, here, other.n_dropped, there, len(labels)),
            n_missing=_added(self.n_missing, here, other.n_missing, there, len(labels)),
            cells=cells,
            comoments=self.comoments.placed(mine, len(cells)).merged(other.comoments.placed(others, len(cells))),
            n_rows=self.n_rows + other.n_rows,
            n_unlabelled=self.n_unlabelled + other.n_unlabelled,
            infinite=self.infinite + other.infinite,
            huge=self.huge | other.huge,
        )

    def to_bytes(self) -> bytes:
        """As bytes for the way between machines: arrays and JSON, nothing that could be executed."""
        at = {label: position for position, label in enumerate(self.labels)}
        names = {
            "labels": [label_to_json(label) for label in self.labels],
            "cells": [(at[label], pattern.hex()) for label, pattern in self.cells],
            "rows": [self.n_rows, self.n_unlabelled],
        }
        out = io.BytesIO()
        np.savez(
            out,
            names=np.frombuffer(json.dumps(names).encode(), dtype=np.uint8),
            n_used=self.n_used,
            n_dropped=self.n_dropped,
            n_missing=self.n_missing,
            infinite=self.infinite,
            huge=self.huge,
            **self.comoments._asdict(),
        )
        return out.getvalue()

    @classmethod
    def from_bytes(cls, written: bytes) -> Part:
        """Read what `to_bytes` wrote."""
        with np.load(io.BytesIO(written), allow_pickle=False) as arrays:
            names = json.loads(arrays["names"].tobytes())
            labels = tuple(label_from_json(label) for label in names["labels"])
            return cls(
                labels=labels,
                n_used=arrays["n_used"],
                n_dropped=arrays["n_dropped"],
                n_missing=arrays["n_missing"],
                cells=tuple((labels[at], bytes.fromhex(pattern)) for at, pattern in names["cells"]),
                comoments=CoMoments(*(arrays[name] for name in CoMoments._fields)),
                n_rows=names["rows"][0],
                n_unlabelled=names["rows"][1],
                infinite=arrays["infinite"],
                huge=arrays["huge"],
            )


def merged_parts(parts: Iterable[Part]) -> Part | None:
    """Put parts together in their order; None if there are none."""
    whole: Part | None = None
    for part in parts:
        whole = part if whole is None else whole.merged(part)
    return whole


def _united(ours: Sequence[Key], theirs: Sequence[Key]) -> tuple[tuple[Key, ...], Index, Index]:
    """All keys, ours first, and the positions of ours and theirs among them."""
    if ours == theirs:
        same = np.arange(len(ours))
        return tuple(ours), same, same
    position = {key: at for at, key in enumerate(ours)}
    there = np.array([position.setdefault(key, len(position)) for key in theirs], dtype=np.int64)
    return tuple(position), np.arange(len(ours)), there


def _added(ours: Index, here: Index, theirs: Index, there: Index, length: int) -> Index:
    counts = np.zeros((length, *ours.shape[1:]), dtype=np.int64)
    counts[here] = ours
    counts[there] += theirs
    return counts


def _refuse_too_many(cells: int, p: int) -> None:
    if cells * p * p > MOST_NUMBERS:
        raise DataError(
            f"more than {cells:,} groups (or patterns of missing items in groups): their covariance matrices of"
            f" {p} items do not fit into memory",
            allowed=f"{MOST_NUMBERS // p**2:,} of them with so many items",
            todo="name the column that holds the groups, or use fewer items; with missing='ml', use 'listwise'",
        )
