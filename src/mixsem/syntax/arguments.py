"""The arguments of modifiers: entries of ``c(...)``, and arithmetic that comes out as a number."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ..errors import ModelError
from .arithmetic import read_sum
from .cursor import Cursor
from .expression import Expression
from .scanner import MODEL_OPERATORS, Token

__all__ = ["VECTORS", "Element", "finite", "numbers", "one_quoted", "read_arguments", "read_number", "texts"]

VECTORS = ("c", "rep")

_ARITHMETIC = ("+", "-", "*", "/", "^", "**", "(")
_CONSTANTS: Mapping[str, float] = {"Inf": math.inf}  # R's infinity
_MOST_REPEATS = 10_000


@dataclass(frozen=True, slots=True)
class Element:
    """One entry of an argument list: a number, a text, or None for NA."""

    value: float | str | None
    token: Token


def read_arguments(cursor: Cursor) -> list[Element]:
    """Read a function name and ``(...)``; inner c() and rep() are laid out flat, as in R."""
    name = cursor.take()
    cursor.take()
    elements: list[Element] = []
    with cursor.nested():
        while True:
            elements += _read_element(cursor)
            if cursor.accept(")"):
                break
            if not cursor.accept(","):
                raise cursor.unexpected("',' or ')'")
    return _repeat(cursor, name, elements) if name.text == "rep" else elements


def _read_element(cursor: Cursor) -> list[Element]:
    token, following = cursor.token, cursor.ahead(1)
    if token.kind == "string":
        return [Element(cursor.take().value, token)]
    if token.kind == "name" and following.text == "(" and token.text in VECTORS:
        return read_arguments(cursor)
    if token.kind == "name" and following.text in ("=", *MODEL_OPERATORS):
        raise cursor.error(
            f"'{following.text}' inside parentheses",
            at=following,
            todo='put a parameter in quotes, as in equal("F =~ x1"); write arguments without names',
        )
    if token.kind == "name" and following.text not in _ARITHMETIC and token.text not in _CONSTANTS:
        cursor.take()
        return [Element(None if token.text == "NA" else token.text, token)]
    if token.kind in ("name", "number") or cursor.at("-", "+", "("):
        return [Element(read_number(cursor, read_sum), token)]
    raise cursor.unexpected("a number, NA, a label or a quoted text")


def _repeat(cursor: Cursor, name: Token, elements: list[Element]) -> list[Element]:
    *repeated, times = elements
    count = times.value
    if len(repeated) != 1 or not isinstance(count, float) or not count.is_integer():
        raise cursor.error("rep() takes one value and a whole number", at=name, allowed='rep("a", 4)')
    if not 1 <= count <= _MOST_REPEATS:
        raise cursor.error(f"rep() cannot repeat {count:g} times", at=times.token, allowed="1 or more")
    return repeated * int(count)


def read_number(cursor: Cursor, read: Callable[[Cursor], Expression]) -> float:
    """Read an expression that must come out as a number there and then."""
    begin = cursor.token
    position = cursor.position
    expression = read(cursor)
    if strange := next((name for name in expression.names if name not in _CONSTANTS), None):
        place = next(t for t in cursor.tokens[position : cursor.position] if t.text == strange)
        raise cursor.error(
            f"{place} stands where a number is computed",
            at=place,
            allowed="numbers only, as in 0.1*sqrt(2)*x",
            todo=f"did you mean -1*{strange}?" if begin.text == "-" else "",
        )
    try:
        value = expression.evaluate(_CONSTANTS)
    except ModelError as error:
        raise cursor.error(error.got, at=begin, allowed="arithmetic that has a result") from error
    if math.isnan(value):
        raise cursor.error(f"{expression} is not a number", at=begin, allowed="arithmetic that has a result")
    return value


def numbers(cursor: Cursor, name: Token, elements: list[Element]) -> tuple[float | None, ...]:
    """Take the arguments of a modifier that wants numbers and NA."""
    found: list[float | None] = []
    for element in elements:
        if isinstance(element.value, str):
            raise cursor.error(
                f"{name.text}() takes numbers, not {element.token}",
                at=element.token,
                allowed="numbers and NA",
            )
        found.append(element.value)
    return tuple(found)


def texts(cursor: Cursor, name: Token, elements: list[Element]) -> tuple[str, ...]:
    """Take the arguments of a modifier that wants texts; NA is the empty text."""
    found: list[str] = []
    for element in elements:
        if isinstance(element.value, float):
            raise cursor.error(
                f"{name.text}() takes texts, not {element.token}", at=element.token, allowed="texts and NA"
            )
        found.append(element.value or "")
    return tuple(found)


def one_quoted(cursor: Cursor, name: Token, elements: list[Element]) -> str:
    """Take the argument of a modifier that wants a single text in quotes."""
    first = elements[0].token
    if len(elements) > 1 or first.kind != "string" or not first.value:
        raise cursor.error(f"{name.text}() takes one quoted text", at=first, allowed=f'{name.text}("...")')
    return first.value


def finite(cursor: Cursor, values: tuple[float | None, ...], place: Token) -> tuple[float | None, ...]:
    """Return the same values, none of them infinite."""
    if any(value is not None and math.isinf(value) for value in values):
        raise cursor.error("a fixed or starting value is infinite", at=place, allowed="finite numbers and NA")
    return values
