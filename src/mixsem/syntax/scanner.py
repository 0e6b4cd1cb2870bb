"""Model syntax as tokens and statements, each with the place it came from.

The scanner knows characters, not models: it splits the text into names, numbers, quoted texts and
operators, drops comments, and groups what is left into statements.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from ..errors import ModelSyntaxError

__all__ = ["CONSTRAINTS", "MODEL_OPERATORS", "RELATIONS", "Token", "scan", "statements"]

RELATIONS = ("=~", "<~", "~*~", "~~", "~", "|~", "|", "%", ":~")
CONSTRAINTS = ("==", "<", ">")
MODEL_OPERATORS = frozenset((*RELATIONS, *CONSTRAINTS, ":=", ":"))

# Operators that can end no statement and begin none, so that a line break beside them means nothing.
_LEADING = frozenset(("+", "*", "/", "^", "**", "?", ",", ")"))

_PATTERN = re.compile(
    r"""(?P<blank>[\s\ufeff]+)
      | (?P<comment>[\#!].*)
      | (?P<string>"[^"]*"|'[^']*')
      | (?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?L?)
      | (?P<operator>~\*~|=~|<~|~~|\|~|:~|:=|==|\*\*|[~<>|%:=+\-*/^?(),;])""",
    re.VERBOSE,
)

_LOOKALIKES = {
    **dict.fromkeys("\u223c\uff5e\u301c", "~"),
    **dict.fromkeys("\u2212\u2013\u2014", "-"),
    **dict.fromkeys("\u201c\u201d\u201e\u00ab\u00bb", '"'),
    **dict.fromkeys("\u2018\u2019\u0060\u00b4", "'"),
    **dict.fromkeys("\u00d7\u2217\u22c5", "*"),
    "\uff0b": "+",
    "\uff1a": ":",
    "\uff1b": ";",
    "\uff1d": "=",
}


@dataclass(frozen=True, slots=True)
class Token:
    """One word of model syntax.

    Attributes
    ----------
    kind
        What sort of word it is; ``"end"`` closes each statement.
    text
        The word as written, quotes included.
    line, column
        Where it begins, both counted from 1.
    """

    kind: Literal["name", "number", "string", "operator", "newline", "end"]
    text: str
    line: int
    column: int

    @property
    def value(self) -> str:
        """The text of a string without its quotes."""
        return self.text[1:-1] if self.kind == "string" else self.text

    def __str__(self) -> str:
        if self.kind == "end":
            return "the end of the statement"
        words = {"name": "the name ", "number": "the number ", "string": "the text "}
        return words.get(self.kind, "") + (self.text if self.kind == "string" else f"'{self.text}'")


def scan(text: str) -> Iterator[Token]:
    r"""Split model syntax into tokens; comments and blanks are dropped, line ends kept.

    Parameters
    ----------
    text
        Model syntax of any length.

    Yields
    ------
    Token
        In order of appearance.

    Raises
    ------
    ModelSyntaxError
        For a character that is not part of the syntax, a text without closing quote, or a name that
        begins with a digit.

    Examples
    --------
    >>> [token.text for token in scan("F =~ x1 + .5*x2  # a comment")]
    ['F', '=~', 'x1', '+', '.5', '*', 'x2', '\n']
    """
    # R on some systems writes the small tilde; it stands for the plain one and has the same width.
    for number, line in enumerate(text.replace("\u02dc", "~").splitlines(), start=1):
        position = 0
        while position < len(line):
            kind, end = _match(text, line, number, position)
            if kind not in ("blank", "comment"):
                yield Token(kind, line[position:end], number, position + 1)  # type: ignore[arg-type]
            position = end
        yield Token("newline", "\n", number, len(line) + 1)


def _match(text: str, line: str, number: int, position: int) -> tuple[str, int]:
    """Kind and end of the word at `position`."""
    found = _PATTERN.match(line, position)
    if found and found.lastgroup:
        if found.lastgroup == "number" and _name_end(line, found.end()) > found.end():
            raise _bad_number(text, line, number, found)
        return found.lastgroup, found.end()
    if line[position] == "." or line[position].isidentifier():
        return "name", _name_end(line, position)
    raise _bad_character(text, line, number, position)


def _name_end(line: str, position: int) -> int:
    """First position at or after `position` that cannot be inside a name."""
    while position < len(line) and (line[position] == "." or f"a{line[position]}".isidentifier()):
        position += 1
    return position


def _bad_number(text: str, line: str, number: int, found: re.Match[str]) -> ModelSyntaxError:
    rest = line[found.end() : _name_end(line, found.end())]
    return ModelSyntaxError(
        f"'{found.group()}{rest}' is neither a number nor a name",
        text=text,
        line=number,
        column=found.start() + 1,
        allowed="names that begin with a letter, '_' or '.'",
        todo=f"to multiply, write {found.group()}*{rest}",
    )


def _bad_character(text: str, line: str, number: int, position: int) -> ModelSyntaxError:
    character = line[position]
    if character in "\"'":
        got, todo = "this text has no closing quote", f"close it with {character} on the same line"
    else:
        got = f"unexpected character {character!r} (U+{ord(character):04X})"
        plain = _LOOKALIKES.get(character)
        todo = f"did you mean {plain!r}?" if plain else "names may hold letters, digits, '_' and '.'"
    return ModelSyntaxError(got, text=text, line=number, column=position + 1, todo=todo)


def statements(text: str) -> Iterator[tuple[Token, ...]]:
    r"""Group the tokens of model syntax into statements, each closed by an ``"end"`` token.

    A statement ends at ``;`` or at a line break. A line break means nothing inside parentheses, after
    an operator, before ``+``, ``*`` and the like, and before a model operator if the statement has none
    yet: none of these can end or begin a statement.

    Examples
    --------
    >>> [" ".join(t.text for t in s[:-1]) for s in statements("F =~ x1 +\n  x2; G =~ x3\n + x4")]
    ['F =~ x1 + x2', 'G =~ x3 + x4']
    """
    current: list[Token] = []
    broken = False
    for token in scan(text):
        if token.kind == "newline":
            broken = True
            continue
        ends = token.text == ";" or (broken and not _goes_on(current, token))
        if current and ends:
            yield _closed(current)
            current = []
        if token.text != ";":
            current.append(token)
        broken = False
    if current:
        yield _closed(current)


def _goes_on(current: list[Token], token: Token) -> bool:
    """Whether `token`, first on its line, continues the statement."""
    texts = [t.text for t in current]
    if texts.count("(") > texts.count(")") or token.text in _LEADING:
        return True
    if current and current[-1].kind == "operator" and current[-1].text != ")":
        return True
    return token.text in MODEL_OPERATORS and MODEL_OPERATORS.isdisjoint(texts)


def _closed(tokens: list[Token]) -> tuple[Token, ...]:
    last = tokens[-1]
    return (*tokens, Token("end", "", last.line, last.column + len(last.text)))
