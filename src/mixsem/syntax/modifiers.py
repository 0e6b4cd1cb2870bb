"""What may stand before a variable: ``0.5*x``, ``c(a, b)*x``, ``start(.8)*x``, and how it adds up."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

from ..errors import did_you_mean
from .arguments import VECTORS, Element, finite, numbers, one_quoted, read_arguments, read_number, texts
from .arithmetic import read_product
from .cursor import Cursor
from .expression import FUNCTIONS
from .scanner import Token

__all__ = ["Modifiers", "at_variable", "read_efa", "read_modifiers"]

_FUNCTIONS = ("start", "lower", "upper", "fixed", "label", "equal", "prior", "rv", "efa", *VECTORS)


@dataclass(frozen=True, slots=True)
class Modifiers:
    """All modifiers of one term.

    Each tuple is empty if the modifier was not given, has one entry for all groups, or one entry per
    group.

    Attributes
    ----------
    fixed
        Numbers to fix the parameter at; None for ``NA``, explicitly free.
    label
        Parameter labels; the empty text for a group without label.
    start
        Starting values; None for a group without one.
    lower, upper
        Bounds; None for a group without one.
    equal
        Parameters to equal, such as ``"F =~ x2"``; the empty text for a group without one.
    prior, rv, efa
        Texts of the modifiers of that name: a prior distribution, a random slope, a block of
        exploratory factors.
    """

    fixed: tuple[float | None, ...] = ()
    label: tuple[str, ...] = ()
    start: tuple[float | None, ...] = ()
    lower: tuple[float | None, ...] = ()
    upper: tuple[float | None, ...] = ()
    equal: tuple[str, ...] = ()
    prior: str = ""
    rv: str = ""
    efa: str = ""

    @property
    def given(self) -> dict[str, Any]:
        """The modifiers that were written, by name."""
        return {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name)}

    def clash(self, other: Modifiers) -> str:
        """Name of a modifier that both give with different values, or an empty text."""
        mine = self.given
        return next((name for name, value in other.given.items() if mine.get(name, value) != value), "")

    def merge(self, other: Modifiers) -> Modifiers:
        """Add what `other` gives; where both give the same modifier, `other` holds.

        Examples
        --------
        >>> Modifiers(start=(0.5,)).merge(Modifiers(label=("a",))).given
        {'label': ('a',), 'start': (0.5,)}
        """
        return replace(self, **other.given)


def read_modifiers(cursor: Cursor) -> Modifiers:
    """Read every modifier before the next variable, each with the ``*`` or ``?`` that closes it."""
    found = Modifiers()
    while not at_variable(cursor):
        start = cursor.token
        modifier = _close(cursor, _read_modifier(cursor))
        if name := found.clash(modifier):
            raise cursor.error(f"'{name}' is given twice with different values", at=start, allowed="each modifier once")
        found = found.merge(modifier)
    return found


def at_variable(cursor: Cursor, steps: int = 0) -> bool:
    """Whether the token `steps` ahead is the variable (or a number in its place), not a modifier."""
    token, following = cursor.ahead(steps), cursor.ahead(steps + 1)
    if token.kind == "name":
        return following.text not in ("*", "?", "(")
    return token.kind == "number" and (following.kind == "end" or following.text == "+")


def read_efa(cursor: Cursor) -> Modifiers:
    """Read ``efa("block")*``, the only modifier on a left-hand side."""
    name = cursor.token
    if name.text != "efa" or cursor.ahead(1).text != "(":
        raise cursor.error(
            f"{name} cannot modify a left-hand side",
            allowed='efa("block")* is the only modifier on a left-hand side',
            todo="put other modifiers before variables on the right-hand side",
        )
    modifier = Modifiers(efa=one_quoted(cursor, name, read_arguments(cursor)))
    if not cursor.accept("*"):
        raise cursor.unexpected("'*' and the name of a factor")
    return modifier


def _read_modifier(cursor: Cursor) -> Modifiers:
    """Read one modifier, without the sign that closes it."""
    token = cursor.token
    calls = token.kind == "name" and cursor.ahead(1).text == "("
    if token.kind == "string":
        return Modifiers(label=(cursor.take().value,))
    if calls and token.text not in FUNCTIONS:
        return _read_function(cursor)
    if token.kind == "name" and not calls and token.text != "Inf":
        cursor.take()
        return Modifiers(fixed=(None,)) if token.text == "NA" else Modifiers(label=(token.text,))
    if token.kind in ("name", "number") or cursor.at("-", "("):
        value = read_number(cursor, lambda c: read_product(c, _closes_number))
        return Modifiers(fixed=finite(cursor, (value,), token))
    raise cursor.unexpected("a variable, or a modifier such as 0.5*, NA*, a label*, c(...)*, start(...)*")


def _closes_number(cursor: Cursor) -> bool:
    """Whether the ``*`` or ``/`` ahead is a ``*`` between a number and a variable or another modifier."""
    after = cursor.ahead(1)
    if not cursor.at("*"):
        return False
    if after.kind == "name":
        return not (cursor.ahead(2).text == "(" and after.text in FUNCTIONS)
    return after.kind in ("string", "end") or at_variable(cursor, 1)


def _close(cursor: Cursor, modifier: Modifiers) -> Modifiers:
    """Read the ``*`` after a modifier, or the ``?`` that makes a number a starting value."""
    if cursor.at("?"):
        if set(modifier.fixed) <= {None}:
            raise cursor.error("'?' follows no number", allowed="a starting value, as in 0.5?x")
        modifier = Modifiers(start=modifier.fixed)
    sign = cursor.accept("*", "?")
    if cursor.token.kind == "end" or (sign is None and cursor.at("+")):
        quoted = "text in quotes is a label; names of variables have no blanks: rename the column"
        raise cursor.error(
            "a modifier without a variable",
            allowed="modifier*variable",
            todo=quoted if modifier.label and sign is None else "",
        )
    if sign is None:
        raise cursor.unexpected("'*' and a variable after a modifier", "is a '*' missing?")
    return modifier


def _read_function(cursor: Cursor) -> Modifiers:
    name = cursor.token
    if name.text not in _FUNCTIONS:
        raise cursor.error(
            f"unknown modifier {name.text}()",
            allowed=", ".join(f"{known}()" for known in (*_FUNCTIONS, *FUNCTIONS)),
            todo=did_you_mean(name.text, (*_FUNCTIONS, *FUNCTIONS)),
        )
    elements = read_arguments(cursor)
    value: Any
    match name.text:
        case "c" | "rep":
            return _vector(cursor, name, elements)
        case "fixed" | "start":
            value = finite(cursor, numbers(cursor, name, elements), name)
        case "lower" | "upper":
            value = numbers(cursor, name, elements)
        case "label" | "equal":
            value = texts(cursor, name, elements)
        case "prior" | "rv":
            value = one_quoted(cursor, name, elements)
        case _:
            raise cursor.error("efa() cannot modify a right-hand side", at=name, allowed='efa("b")*F =~ ...')
    return Modifiers(**{name.text: value})


def _vector(cursor: Cursor, name: Token, elements: list[Element]) -> Modifiers:
    """Turn the entries of ``c(...)`` into fixed values or labels, never a mixture of both."""
    kinds = [type(e.value) for e in elements if e.value is not None]
    if str not in kinds:
        return Modifiers(fixed=finite(cursor, numbers(cursor, name, elements), name))
    if float not in kinds:
        return Modifiers(label=texts(cursor, name, elements))
    stray = next(e for e in elements if e.value is not None and type(e.value) is not kinds[0])
    raise cursor.error(
        f"numbers and labels are mixed in {name.text}()",
        at=stray.token,
        allowed="numbers and NA, or labels and NA",
        todo='give the variable twice, as in c(1, NA)*x + c("", a)*x',
    )
