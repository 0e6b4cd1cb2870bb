"""Reading arithmetic: from tokens to an `Expression`, with R's precedence."""

from __future__ import annotations

import math
from collections.abc import Callable

from ..errors import ModelSyntaxError, did_you_mean
from .cursor import Cursor
from .expression import FUNCTIONS, Call, Chain, Expression, Name, Negative, Number, Power
from .scanner import statements

__all__ = ["parse_expression", "read_product", "read_sum"]


def parse_expression(text: str) -> Expression:
    """Read one arithmetic expression.

    Parameters
    ----------
    text
        Numbers, labels, ``+ - * / ^ **``, parentheses and the functions in `FUNCTIONS`.

    Raises
    ------
    ModelSyntaxError
        With line and column, if the text is not exactly one expression.

    Examples
    --------
    >>> parse_expression("-2^2").evaluate({})
    -4.0
    """
    found = list(statements(text))
    if not found:
        raise ModelSyntaxError("the expression is empty", text=text, line=1, column=1, allowed="one, such as 'a * b'")
    cursor = Cursor(text, found[0])
    expression = read_sum(cursor)
    if cursor.token.kind != "end":
        raise cursor.unexpected("an arithmetic operator")
    if len(found) > 1:
        raise cursor.error("a second expression begins here", at=found[1][0], allowed="one expression")
    return expression


def read_sum(cursor: Cursor) -> Expression:
    """Read operands joined by ``+`` and ``-``, as far as they go."""
    first = read_product(cursor)
    rest = []
    while operator := cursor.accept("+", "-"):
        rest.append((operator.text, read_product(cursor)))
    return Chain(first, tuple(rest)) if rest else first


def read_product(cursor: Cursor, stop: Callable[[Cursor], bool] = lambda cursor: False) -> Expression:
    """Read operands joined by ``*`` and ``/``, as far as they go, or up to a ``*`` that `stop` claims.

    Modifiers need `stop`: in ``2*3*x1`` the last ``*`` belongs to the variable.
    """
    first = _read_signed(cursor)
    rest = []
    while cursor.at("*", "/") and not stop(cursor):
        operator = cursor.take()
        rest.append((operator.text, _read_signed(cursor)))
    return Chain(first, tuple(rest)) if rest else first


def _read_signed(cursor: Cursor) -> Expression:
    if sign := cursor.accept("-", "+"):
        with cursor.nested():
            operand = _read_signed(cursor)
        return Negative(operand) if sign.text == "-" else operand
    base = _read_atom(cursor)
    if cursor.accept("^", "**"):
        with cursor.nested():
            return Power(base, _read_signed(cursor))
    return base


def _read_atom(cursor: Cursor) -> Expression:
    token = cursor.token
    if token.kind == "number":
        cursor.take()
        value = float(token.text.rstrip("L"))
        if math.isinf(value):
            raise cursor.error(f"the number {token.text} is too large", at=token, allowed="numbers below 1.8e308")
        return Number(value)
    if token.kind == "name":
        cursor.take()
        return _read_call(cursor, token.text) if cursor.at("(") else Name(token.text)
    if cursor.at("("):
        return _read_parenthesis(cursor)
    raise cursor.unexpected("a number, a label or '('")


def _read_call(cursor: Cursor, function: str) -> Expression:
    if function not in FUNCTIONS:
        raise cursor.error(
            f"unknown function {function}()",
            at=cursor.tokens[cursor.position - 1],
            allowed=", ".join(FUNCTIONS),
            todo=did_you_mean(function, FUNCTIONS),
        )
    return Call(function, _read_parenthesis(cursor))


def _read_parenthesis(cursor: Cursor) -> Expression:
    cursor.take()
    with cursor.nested():
        inner = read_sum(cursor)
    if not cursor.accept(")"):
        raise cursor.unexpected("an arithmetic operator or ')'")
    return inner
