"""Whether the numbers of a population are numbers: text in their place would fail later, in every data set."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from ..errors import OptionError

__all__ = ["require_numbers"]


def require_numbers(population: Any) -> None:
    """Check the fields of a dataclass that are annotated as numbers.

    Raises
    ------
    OptionError
        If one holds something else, or is not finite.

    Examples
    --------
    >>> from mixsem.simulate import Population
    >>> Population(beta="0.3")
    Traceback (most recent call last):
    mixsem.errors.OptionError: beta='0.3'
      allowed: a number
    """
    for field in dataclasses.fields(population):
        kinds = {kind.strip() for kind in str(field.type).split("|")}
        value = getattr(population, field.name)
        lists = [kind for kind in kinds if kind.startswith("tuple[")]
        if not (kinds & {"int", "float"} or lists) or (value is None and "None" in kinds):
            continue
        whole = not any("float" in kind for kind in kinds)
        values = value if isinstance(value, tuple) and lists else (value,)
        if not values or not all(_is_number(v, whole=whole) for v in values):
            allowed = "a whole number" if whole else "a number"
            raise OptionError(f"{field.name}={value!r}", allowed=allowed + ", or a list of them" * bool(lists))


def _is_number(value: object, *, whole: bool) -> bool:
    return isinstance(value, int if whole else int | float) and not isinstance(value, bool) and math.isfinite(value)
