"""The order of parameters: estimates mean something only beside the names that they were stored with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from ..errors import DataError

__all__ = ["Fields", "require_parameters"]

#: Fields of an object in a file, by name.
Fields: TypeAlias = dict[str, Any]


def require_parameters(stored: object, made: Sequence[str]) -> None:
    """Refuse estimates of parameters that the model made again does not have, or has in another order.

    Raises
    ------
    DataError
        With the first that differs.
    """
    if not isinstance(stored, tuple) or stored != tuple(made):
        pairs = zip(stored if isinstance(stored, tuple) else (), made, strict=False)
        first = next(((a, b) for a, b in pairs if a != b), ("", ""))
        raise DataError(
            f"the parameters are others than those of the model: {first[0]!r} in the place of {first[1]!r}",
            todo="read the file with the version of mixsem that wrote it, or fit the model again",
        )
