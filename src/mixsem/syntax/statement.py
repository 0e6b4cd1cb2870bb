"""Reading one statement: a block header, terms, a constraint or a definition."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..errors import did_you_mean
from .arithmetic import read_sum
from .cursor import Cursor
from .modifiers import Modifiers, read_efa, read_modifiers
from .scanner import CONSTRAINTS, MODEL_OPERATORS, RELATIONS, Token
from .terms import Block, Constraint, Definition, Term

__all__ = ["read_statement"]

BLOCK_KINDS = ("group", "level", "block", "class")

_OPERATORS = ", ".join(f"'{operator}'" for operator in (*RELATIONS, *CONSTRAINTS, ":="))
_THRESHOLD = re.compile(r"t[1-9][0-9]*")


@dataclass(frozen=True, slots=True)
class _Side:
    """One name of a left- or right-hand side with its modifiers; the name ``""`` is the intercept."""

    name: str
    modifiers: Modifiers
    begin: Token


def read_statement(cursor: Cursor) -> Block | Constraint | Definition | list[Term]:
    """Read a whole statement; every token is consumed or an error says which one was not."""
    operator = _main_operator(cursor)
    if operator is cursor.token:
        raise cursor.error(
            f"nothing stands on the left of '{operator.text}'", allowed=f"a name before '{operator.text}'"
        )
    if operator is cursor.tokens[-2]:
        raise cursor.error(
            f"nothing stands on the right of '{operator.text}'",
            at=cursor.tokens[-1],
            todo=f"complete the statement, or remove the '{operator.text}'",
        )
    statement: Block | Constraint | Definition | list[Term]
    match operator.text:
        case ":":
            statement = _read_header(cursor, operator)
        case ":=":
            statement = _read_definition(cursor)
        case "==" | "<" | ">":
            statement = _read_constraint(cursor)
        case _:
            statement = _read_terms(cursor, operator)
    if cursor.token.kind != "end":
        raise cursor.unexpected("the end of the statement")
    return statement


def _main_operator(cursor: Cursor) -> Token:
    """Find the operator that says what kind of statement this is."""
    depth = 0
    for position, token in enumerate(cursor.tokens):
        depth += (token.text == "(") - (token.text == ")")
        if depth == 0 and token.text == "=":
            cursor.position = position
            raise cursor.equals_sign()
        if depth == 0 and token.text in MODEL_OPERATORS:
            _require_whole(cursor, token, cursor.tokens[position + 1])
            return token
    first, second = cursor.token, cursor.ahead(1)
    if first.kind == second.kind == "name":
        raise cursor.error(f"two names without an operator: {first.text} {second.text}", at=second, allowed=_OPERATORS)
    raise cursor.error(
        "this statement has no operator",
        allowed=_OPERATORS,
        todo="to continue the line above, end that line with '+'" if first.line > 1 else "",
    )


def _require_whole(cursor: Cursor, operator: Token, after: Token) -> None:
    """Refuse an operator in two pieces, and one with a stray ``=`` behind it."""
    if after.kind == "operator" and operator.text + after.text in MODEL_OPERATORS:
        raise cursor.split(operator, after)
    if after.text == "=":
        meant = "=~" if "~" in operator.text else operator.text
        raise cursor.error(
            f"'{operator.text}=' is not an operator",
            at=operator,
            allowed=_OPERATORS,
            todo=f"did you mean '{meant}'?",
        )


def _read_header(cursor: Cursor, colon: Token) -> Block:
    kind = cursor.take()
    if kind.text.lower() not in BLOCK_KINDS:
        if any(t.text in MODEL_OPERATORS for t in cursor.tokens[cursor.tokens.index(colon) + 1 :]):
            raise cursor.error(
                "an interaction cannot stand on the left",
                at=kind,
                todo="let the interaction predict: write it on the right of '~'",
            )
        raise cursor.error(
            f"{kind} begins no block",
            at=kind,
            allowed=", ".join(f"'{known}:'" for known in BLOCK_KINDS),
            todo=did_you_mean(kind.text, BLOCK_KINDS),
        )
    if cursor.token is not colon:
        raise cursor.unexpected("':'")
    cursor.take()
    name = cursor.token
    if name.kind not in ("name", "number", "string") or not name.value:
        raise cursor.unexpected("a name, a number or a quoted text after the ':'")
    cursor.take()
    if cursor.token.kind != "end":
        raise cursor.unexpected(
            "a header on a line of its own", f'put a name with blanks or signs in quotes: {kind.text}: "..."'
        )
    return Block(kind.text.lower(), name.value)


def _read_definition(cursor: Cursor) -> Definition:
    name = _read_name(cursor)
    if not cursor.accept(":="):
        raise cursor.unexpected("':=' after the name of the new parameter")
    return Definition(name.text, read_sum(cursor), name.line, name.column)


def _read_constraint(cursor: Cursor) -> Constraint:
    begin = cursor.token
    left = read_sum(cursor)
    operator = cursor.accept(*CONSTRAINTS)
    if operator is None:
        raise cursor.unexpected("an arithmetic operator, '==', '<' or '>'")
    return Constraint(left, operator.text, read_sum(cursor), begin.line, begin.column)


def _read_terms(cursor: Cursor, operator: Token) -> list[Term]:
    """Read ``f1 + f2 =~ x1 + x2``: every left-hand name with every right-hand name."""
    left = [_read_left(cursor)]
    while cursor.accept("+"):
        left.append(_read_left(cursor))
    if cursor.token is not operator:
        raise cursor.unexpected(f"'+' or '{operator.text}'", _missing_plus(cursor))
    cursor.take()
    right = [_read_right(cursor, operator.text)]
    while cursor.accept("+"):
        right.append(_read_right(cursor, operator.text))
    if cursor.token.kind != "end":
        raise cursor.unexpected("'+' or the end of the statement", _missing_plus(cursor))
    return [_term(cursor, lhs, operator.text, rhs) for lhs in left for rhs in right]


def _term(cursor: Cursor, left: _Side, op: str, right: _Side) -> Term:
    if op == "=~" and left.name == right.name:
        raise cursor.error(
            f"'{left.name}' measures itself", at=right.begin, todo="give the factor a name that no item has"
        )
    if not right.name:
        op = "~1"
    modifiers = right.modifiers.merge(left.modifiers)
    return Term(left.name, op, right.name, modifiers, None, right.begin.line, right.begin.column)


def _read_left(cursor: Cursor) -> _Side:
    begin = cursor.token
    if begin.kind in ("name", "number", "string") and cursor.ahead(1).text in ("*", "?", "("):
        modifiers = read_efa(cursor)
    else:
        modifiers = Modifiers()
    return _Side(_read_name(cursor).text, modifiers, begin)


def _read_right(cursor: Cursor, op: str) -> _Side:
    begin = cursor.token
    modifiers = read_modifiers(cursor)
    variable = cursor.token
    if op == "~" and variable.kind == "number":
        return _read_intercept(cursor, modifiers, begin)
    name = _read_name(cursor).text
    if op in ("=~", "~") and cursor.accept(":"):
        name += ":" + _read_name(cursor).text
        if cursor.at(":"):
            raise cursor.error(
                "an interaction of more than two variables",
                allowed="a:b",
                todo="compute the product as a variable of its own",
            )
    if op == "|" and not _THRESHOLD.fullmatch(name):
        raise cursor.error(f"'{name}' is no threshold", at=variable, allowed="t1, t2, ... on the right of '|'")
    return _Side(name, modifiers, begin)


def _read_intercept(cursor: Cursor, modifiers: Modifiers, begin: Token) -> _Side:
    """Read the ``1`` of an intercept, or the ``0`` that fixes it at zero."""
    number = cursor.take()
    value = float(number.text.rstrip("L"))
    if value == 0.0 and number is begin:
        return _Side("", Modifiers(fixed=(0.0,)), begin)
    if value != 1.0:
        raise cursor.error(
            f"{number} stands where a variable is expected",
            at=number,
            allowed="a variable, or 1 for the intercept (0 to fix it at zero)",
            todo=f"to fix the intercept, write {number.text}*1" if number is begin else "",
        )
    return _Side("", modifiers, begin)


def _read_name(cursor: Cursor) -> Token:
    token = cursor.token
    if token.kind == "name" and token.text != "NA":
        return cursor.take()
    if token.kind == "name":
        raise cursor.error("NA is a value, not the name of a variable", todo="write NA*x to free a parameter")
    if token.kind == "number":
        before = cursor.tokens[max(cursor.position - 2, 0) : cursor.position]
        swapped = len(before) == 2 and before[0].kind == "name" and before[1].text == "*"
        raise cursor.error(
            f"{token} stands where a name is expected",
            allowed="names that begin with a letter, '_' or '.'",
            todo=f"did you mean {token.text}*{before[0].text}?" if swapped else "",
        )
    if token.kind == "string":
        raise cursor.error(
            f"{token} stands where a name is expected", allowed="names without quotes; quotes are for labels"
        )
    raise cursor.unexpected("a name")


def _missing_plus(cursor: Cursor) -> str:
    if cursor.token.kind in ("name", "number", "string"):
        return "is a '+' missing?"
    return "terms are joined by '+'; to fix a parameter at -1, write -1*x" if cursor.at("-") else ""
