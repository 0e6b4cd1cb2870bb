"""The words of a mixed-model formula, each with its place, and how they read in Python.

Formulas come from R. Where R and Python write the same thing differently, inside function calls, the words are
translated: ``^`` is a power, ``%%`` a remainder, ``factor()`` is ``C()``, ``TRUE`` is ``True``, and a name with a dot
is one name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from ...errors import ModelSyntaxError

__all__ = ["Token", "Use", "is_call", "render", "scan", "variables"]

_PATTERN = re.compile(
    r"""(?P<blank>[\s\ufeff]+)
      | (?P<comment>\#.*)
      | (?P<quoted>`[^`\n]+`)
      | (?P<string>"[^"\n]*"|'[^'\n]*')
      | (?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
      | (?P<operator>%[^%\s]*%|\|\||\*\*|[=!<>]=|//|[~|+\-*/^:(),=<>!&\[\]{}%@])""",
    re.VERBOSE,
)

_LOOKALIKES = {
    **dict.fromkeys("\u223c\uff5e\u301c\u02dc", "~"),
    **dict.fromkeys("\u2212\u2013\u2014\u2010\u2011", "-"),
    **dict.fromkeys("\u00d7\u2217\u22c5", "*"),
    **dict.fromkeys("\u2223\uff5c\u00a6\u01c0\u2502", "|"),
    **dict.fromkeys("\u2016\u2225", "||"),
    **dict.fromkeys("\u2018\u2019\u00b4", "`"),
    **dict.fromkeys("\u201c\u201d", '"'),
    **{"\uff0b": "+", "\uff1a": ":", "\uff08": "(", "\uff09": ")", "\u2215": "/", "\u2044": "/", "\uff0c": ","},
}

#: Words of R inside calls, and those of Python for them.
_WORDS = {"TRUE": "True", "FALSE": "False", "NULL": "None", "factor": "C", "as.factor": "C", "ordered": "C"}
#: Signs of R inside calls, and those of Python for them.
_OPERATORS = {"^": "**", "%%": "%", "%/%": "//"}
_OPERANDS = ("name", "quoted", "number", "string")
_SPACED = frozenset(("+", "-", "*", "/", "|", "||", "~"))
#: First parts of names with dots that mean Python's or formulaic's own things.
_MODULES = ("np.", "contr.")
_CONSTANTS = frozenset(("True", "False", "None", "TRUE", "FALSE", "NULL", "and", "or", "not", "in", "if", "else"))


Use = Literal["alone", "as categories", "in a call"]
"""How a formula uses a column: as it is, in ``C()``, or as an argument of any other function."""


@dataclass(frozen=True, slots=True)
class Token:
    """One word of a formula.

    Attributes
    ----------
    kind
        What sort of word it is; a name in backquotes is a ``"quoted"`` one.
    text
        The word as written, quotes included.
    line, column
        Where it begins, both counted from 1.
    """

    kind: Literal["name", "quoted", "number", "string", "operator", "end"]
    text: str
    line: int
    column: int

    @property
    def is_name(self) -> bool:
        """Whether it names a column or a function."""
        return self.kind in ("name", "quoted")

    @property
    def value(self) -> str:
        """The name without backquotes."""
        return self.text[1:-1] if self.kind == "quoted" else self.text

    def __str__(self) -> str:
        return "the end of the formula" if self.kind == "end" else f"'{self.text}'"


def scan(text: str) -> tuple[Token, ...]:
    """Split a formula into words, closed by one of the kind ``"end"``; line breaks count as blanks.

    Raises
    ------
    ModelSyntaxError
        For a character that no formula has, a quote that is not closed, a name that begins with a digit.

    Examples
    --------
    >>> [token.text for token in scan("y ~ I(x^2) + (1 | `my group`)")][:-1]
    ['y', '~', 'I', '(', 'x', '^', '2', ')', '+', '(', '1', '|', '`my group`', ')']
    """
    return tuple(_words(text))


def _words(text: str) -> Iterator[Token]:
    position, line, begin = 0, 1, 0
    while position < len(text):
        kind, end = _match(text, position, line, begin)
        if kind not in ("blank", "comment"):
            yield Token(kind, text[position:end], line, position - begin + 1)  # type: ignore[arg-type]
        breaks = text.count("\n", position, end)
        if breaks:
            line, begin = line + breaks, text.rindex("\n", position, end) + 1
        position = end
    yield Token("end", "", line, position - begin + 1)


def _match(text: str, position: int, line: int, begin: int) -> tuple[str, int]:
    """Kind and end of the word at `position`."""
    found = _PATTERN.match(text, position)
    if found and found.lastgroup:
        end = found.end()
        if found.lastgroup == "number" and _name_end(text, end) > end:
            name = text[position : _name_end(text, end)]
            raise ModelSyntaxError(
                f"'{name}' is neither a number nor a name",
                text=text,
                line=line,
                column=position - begin + 1,
                todo=f"if it is a column, write `{name}` in backquotes",
            )
        return found.lastgroup, end
    if text[position] == "." or text[position].isidentifier():
        return "name", _name_end(text, position)
    raise _bad_character(text, position, line, position - begin + 1)


def _name_end(text: str, position: int) -> int:
    while position < len(text) and (text[position] == "." or f"a{text[position]}".isidentifier()):
        position += 1
    return position


def _bad_character(text: str, position: int, line: int, column: int) -> ModelSyntaxError:
    character = text[position]
    if character in "\"'`":
        got, todo = f"this {character} is never closed", f"close it with {character} on the same line"
    else:
        got = f"unexpected character {character!r} (U+{ord(character):04X})"
        plain = _LOOKALIKES.get(character)
        todo = f"did you mean '{plain}'?" if plain else "put names with unusual characters in backquotes: `my var`"
    return ModelSyntaxError(got, text=text, line=line, column=column, todo=todo)


def is_call(tokens: Sequence[Token], at: int) -> bool:
    """Whether the word at this position is the name of a function that is called."""
    return tokens[at].kind == "name" and at + 1 < len(tokens) and tokens[at + 1].text == "("


def _calls(tokens: Sequence[Token]) -> Iterator[tuple[int, tuple[str, ...], int]]:
    """Position of every word, the functions that it stands in (outermost first), and which argument it is in."""
    # One entry per open bracket: the function's name (nothing for plain parentheses) and its argument's number.
    opened: list[tuple[str, int]] = []
    for i, token in enumerate(tokens):
        if token.text in (")", "]", "}") and opened:
            opened.pop()
        inside = tuple(name for name, _ in opened if name)
        yield i, inside, opened[-1][1] if opened else 0
        if token.text in ("(", "[", "{"):
            opened.append((tokens[i - 1].text if i and is_call(tokens, i - 1) else "" if token.text == "(" else "[", 0))
        elif token.text == "," and opened:
            opened[-1] = (opened[-1][0], opened[-1][1] + 1)


def render(tokens: Sequence[Token], *, arithmetic: bool = False) -> str:
    """Write words as formulaic and Python read them.

    Parameters
    ----------
    tokens
        The words.
    arithmetic
        Whether ``^`` is a power outside calls too, as in a response.

    Examples
    --------
    >>> render(scan("x+I(a.b^2)*factor(g)"))
    'x + I(`a.b`**2) * C(g)'
    """
    parts: list[str] = []
    for i, inside, _ in _calls(tokens):
        token = tokens[i]
        if i and token.kind in _OPERANDS and tokens[i - 1].kind in _OPERANDS:
            parts.append(" ")  # two words stay two: Python says what is wrong with them
        if token.kind == "operator":
            text = _OPERATORS.get(token.text, token.text) if inside or arithmetic else token.text
            unary = i == 0 or tokens[i - 1].text in ("(", "~", "|")
            spaced = text in _SPACED and not inside and not unary
            parts.append(", " if text == "," else f" {text} " if spaced else text)
        elif token.kind == "name":
            parts.append(_name(token.text, is_call(tokens, i), bool(inside) and i > 0))
        else:
            parts.append(token.text)
    return "".join(parts).strip()


def _name(text: str, called: bool, inside: bool) -> str:
    if called or inside:
        text = _WORDS.get(text, text)
    if called or text.startswith(_MODULES):
        return text
    # Python would take the dot for an attribute, and normalises letters outside ASCII.
    return f"`{text}`" if "." in text or not text.isascii() else text


def variables(tokens: Sequence[Token]) -> dict[str, frozenset[Use]]:
    """Names of the columns that words use, in order, and how.

    Examples
    --------
    >>> {name: sorted(uses) for name, uses in variables(scan("x + C(f, contr.sum) + poly(x, degree=2)")).items()}
    {'x': ['alone', 'in a call'], 'f': ['as categories']}
    """
    found: dict[str, frozenset[Use]] = {}
    for i, inside, argument in _calls(tokens):
        token = tokens[i]
        if not token.is_name or is_call(tokens, i):
            continue
        translated = [_WORDS.get(name, name) for name in inside]
        if token.kind == "name" and inside:
            keyword = i + 1 < len(tokens) and tokens[i + 1].text == "="
            # What follows the first argument of C() are contrasts and levels.
            setting = translated[-1] == "C" and argument > 0
            if keyword or setting or token.text in _CONSTANTS or token.text.startswith(_MODULES):
                continue
        whole = tokens[i - 1].text == "(" and tokens[i + 1].text in (")", ",")  # C(x), not C(x > 2)
        categories = set(translated) == {"C"} and whole
        use: Use = "alone" if not inside else "as categories" if categories else "in a call"
        found[token.value] = found.get(token.value, frozenset()) | {use}
    return found
