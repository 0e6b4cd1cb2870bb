"""Values out of the document: everything is looked at before it is made, and only what the registry lists is made."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ..data.labels import label_from_json
from ..errors import MixsemError
from .archive import Archive, BrokenFile, broken
from .frames import pandas_from_json
from .recipes import RECIPES
from .registry import class_of
from .versions import VERSION, Version, migrated

__all__ = ["Reader"]

_FLOATS = {"nan": np.nan, "inf": np.inf, "-inf": -np.inf}
_PANDAS = ("frame", "series", "index", "interval", "timestamp", "missing")
#: What goes wrong where the parts of an object do not fit together.
_MISFITS = (
    TypeError,
    ValueError,
    KeyError,
    IndexError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    RecursionError,
)


class Reader:
    """Reads the objects of a document, one after the other: each is made of earlier ones.

    Parameters
    ----------
    archive
        The file.
    document
        Its document.
    version
        The version of the format it is written in.
    max_bytes
        What repeated values may unpack to.
    """

    def __init__(self, archive: Archive, document: Mapping[str, Any], version: Version, max_bytes: int) -> None:
        self.archive, self.version = archive, version
        self.made: list[object] = []
        self.left_out: list[str] = []
        self._room = max_bytes // 8
        written = document.get("objects")
        if not isinstance(written, list):
            raise broken("it has no objects")
        for entry in written:
            self.made.append(self._object(entry))

    def root(self, document: Mapping[str, Any]) -> object:
        """What the file was written for."""
        match document.get("root"):
            case {"object": int(number)} if 0 <= number < len(self.made):
                return self._earlier(number)
        raise broken("it does not say which object it is about")

    def value(self, written: Any) -> Any:
        """A value that `Writer.value` wrote."""
        if written is None or isinstance(written, bool | int | float | str):
            return written
        if isinstance(written, list):
            return [self.value(v) for v in written]
        if not isinstance(written, dict) or len(written) != 1:
            raise broken("a value that says not what it is")
        ((kind, content),) = written.items()
        if kind in _PANDAS:
            return pandas_from_json(kind, content, self.value)
        return self._tagged(kind, content)

    def _tagged(self, kind: str, content: Any) -> Any:
        match kind, content:
            case "float", str(text) if text in _FLOATS:
                return _FLOATS[text]
            case "number", [str(dtype), item] if np.dtype(dtype).kind in "biuf":
                return np.dtype(dtype).type(self.value(item))
            case "array", _:
                return self.archive.array(content)
            case "tuple", list(values):
                return tuple(self.value(v) for v in values)
            case "repeated", [value, int(times)] if times >= 0:
                self._room -= times
                if self._room < 0:
                    raise broken("repeated values beyond all measure")
                return (self.value(value),) * times
            case "floats", _:
                return tuple(self.value(content).tolist())
            case "mapping", list(pairs):
                return {self.value(k): self.value(v) for k, v in pairs}
            case "set", list(values):
                return frozenset(self.value(v) for v in values)
            case "object", int(number) if 0 <= number < len(self.made):
                return self._earlier(number)
            case (("date" | "datetime"), _):
                return label_from_json({kind: content})
        raise broken(f"a value of the kind {kind[:40]!r}")

    def _earlier(self, number: int) -> object:
        found = self.made[number]
        if isinstance(found, _Unknown):
            raise broken(f"it needs {found.kind[:40]!r}, which this version does not know")
        return found

    def _object(self, entry: Any) -> object:
        match entry:
            case {"kind": str(kind), "fields": dict(fields)}:
                found = class_of(kind)
                if found is not None:
                    return self._make(kind, found, fields)
                if self.version > VERSION:  # of a later version; no harm as long as nothing needs it
                    return _Unknown(kind)
                raise broken(f"the kind {kind[:40]!r}, which there is not")
        raise broken("an object without kind and fields")

    def _make(self, kind: str, found: type, written: dict[str, Any]) -> object:
        recipe = RECIPES.get(kind)
        known: dict[str, Any] = dict.fromkeys(recipe.fields) if recipe else {f.name: f for f in parts_of(found)}
        written = migrated(kind, written, self.version)
        unknown = [name for name in written if name not in known]
        if unknown and self.version <= VERSION:
            raise broken(f"{kind} has a field {unknown[0][:40]!r}, which there is not")
        self.left_out += [f"{kind}.{name}" for name in unknown]
        try:
            values = {name: self.value(v) for name, v in written.items() if name in known}
            if recipe is not None:
                return recipe.put_together(values)
            for name, part in known.items():
                if name in values and not fits(part.type, values[name]):
                    raise broken(f"{kind}.{name} is {type(values[name]).__name__}")
            return found(**values)
        except BrokenFile:
            raise
        except MixsemError as error:
            raise broken(f"{kind}: {error.got}") from error
        except _MISFITS as error:
            raise broken(f"the fields of {kind} do not fit together ({type(error).__name__})") from error


@dataclasses.dataclass(frozen=True)
class _Unknown:
    kind: str


@dataclasses.dataclass(frozen=True)
class _Part:
    """A field of a named tuple, in the words of dataclasses."""

    name: str
    type: object


def parts_of(kind: type) -> tuple[Any, ...]:
    """The fields that an object is made of."""
    if dataclasses.is_dataclass(kind):
        return tuple(f for f in dataclasses.fields(kind) if f.init)
    names: tuple[str, ...] = kind._fields  # type: ignore[attr-defined]
    return tuple(_Part(name, kind.__annotations__[name]) for name in names)


#: Beginnings of annotations -> types of values; what is not listed is left to the class itself.
_TYPES: dict[str, tuple[type, ...]] = {
    "None": (type(None),),
    "str": (str,),
    "bool": (bool, np.bool_),
    "int": (int, np.integer),
    "float": (float, int, np.floating, np.integer),
    "tuple": (tuple,),
    "dict": (dict,),
    "Mapping": (dict,),
    "NDArray": (np.ndarray,),
    "Array": (np.ndarray,),
    "Index": (np.ndarray,),
    "Codes": (np.ndarray,),
    "pd.DataFrame": (pd.DataFrame,),
    "pd.Series": (pd.Series,),
}


def fits(annotation: object, value: object) -> bool:
    """Whether a value is of the type that a field says, as far as that is plain.

    Examples
    --------
    >>> fits("tuple[str, ...] | None", None), fits("float", "1.0"), fits("NDArray[np.int64]", 3)
    (True, False, False)
    """
    if not isinstance(annotation, str):
        return True
    plain = re.sub(r"\[[^\[\]]*\]", "", re.sub(r"\[[^\[\]]*\]", "", re.sub(r"\[[^\[\]]*\]", "", annotation)))
    allowed = [_TYPES.get(name.strip()) for name in plain.split("|")]
    if any(types is None for types in allowed):
        return True
    if isinstance(value, bool) and "bool" not in plain:
        return False
    return any(isinstance(value, types) for types in allowed if types is not None)
