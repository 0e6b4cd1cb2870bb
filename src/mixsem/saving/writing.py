"""Values into the document: plain ones as JSON, the others as an object with one key that says what they are."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.labels import label_to_json
from ..errors import OutputError
from .frames import is_pandas, pandas_to_json
from .recipes import RECIPES, holds_rows
from .registry import name_of

__all__ = ["Writer"]

#: Tuples from this length on are written as one value and a number, or as an array, where they are that.
LONG = 16


class Writer:
    """Writes values; what several of them share is written once.

    Attributes
    ----------
    objects
        What was written so far, each after what it is made of.
    arrays
        Arrays, by number.
    rows
        Whether rows of people are among them.
    """

    def __init__(self) -> None:
        self.objects: list[dict[str, Any]] = []
        self.arrays: list[NDArray[Any]] = []
        self.rows = False
        self._known: dict[int, dict[str, int]] = {}
        self._alive: list[object] = []  # an address is that of one value only while the value lives

    def value(self, value: object) -> object:
        """A value for the document.

        Raises
        ------
        OutputError
            If there is no way to write it.
        """
        if value is None or isinstance(value, bool) or type(value) in (int, str):
            return value
        if isinstance(value, np.generic):
            return {"number": [value.dtype.str, self.value(value.item())]} if value.dtype.kind in "biuf" else str(value)
        if isinstance(value, float):
            return value if math.isfinite(value) else {"float": str(value)}
        if isinstance(value, np.ndarray):
            return self._once(value, self._array)
        if is_pandas(value):
            return pandas_to_json(value, self.value)
        if name_of(type(value)) is not None:
            return self._once(value, self._object)
        if isinstance(value, tuple):
            return self._tuple(value)
        return self._container(value)

    def _container(self, value: object) -> object:
        if isinstance(value, list | range):
            return [self.value(v) for v in value]
        if isinstance(value, Mapping):
            return {"mapping": [[self.value(k), self.value(v)] for k, v in value.items()]}
        if isinstance(value, set | frozenset):
            return {"set": [self.value(v) for v in sorted(value, key=repr)]}
        if isinstance(value, date):
            return label_to_json(value)
        raise OutputError(
            f"a value of type {type(value).__name__} cannot be saved",
            allowed="fits, specifications, moments and what functions of mixsem return",
            todo="save the fit, and compute again what is to be known of it",
        )

    def _tuple(self, value: Sequence[object]) -> object:
        """Long tuples of one value, or of numbers, as every group of many has them, take little room."""
        if len(value) >= LONG:
            first = value[0]
            plain = type(first) in (int, float, str, bool) or first is None
            if plain and all(type(v) is type(first) and v == first for v in value):
                return {"repeated": [self.value(first), len(value)]}
            if all(type(v) is float for v in value):
                return {"floats": self._once(np.array(value, dtype=float), self._array)}
        return {"tuple": [self.value(v) for v in value]}

    def _once(self, value: Any, write: Any) -> dict[str, int]:
        if id(value) not in self._known:
            self._known[id(value)] = write(value)
            self._alive.append(value)
        return self._known[id(value)]

    def _array(self, value: NDArray[Any]) -> dict[str, int]:
        if value.dtype.kind not in "biufMm":
            raise OutputError(f"an array of type {value.dtype} cannot be saved", allowed="arrays of numbers")
        self.arrays.append(value)
        return {"array": len(self.arrays) - 1}

    def _object(self, value: Any) -> dict[str, int]:
        kind = name_of(type(value))
        assert kind is not None
        self.rows = self.rows or holds_rows(kind, value)
        recipe = RECIPES.get(kind)
        fields = plain_fields(value) if recipe is None else recipe.take_apart(value)
        written = {name: self.value(v) for name, v in fields.items()}
        self.objects.append({"kind": kind, "fields": written})
        return {"object": len(self.objects) - 1}


def plain_fields(value: Any) -> dict[str, object]:
    """The fields of a dataclass or named tuple."""
    if dataclasses.is_dataclass(value):
        return {f.name: getattr(value, f.name) for f in dataclasses.fields(value) if f.init}
    return dict(value._asdict())
