"""A reading position in the words of a formula; every error of its grammar is made here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ...errors import ModelSyntaxError
from .formula_text import Token, is_call, render, variables

__all__ = ["Reader", "Summand"]

_DEEPEST = 50  # levels of nesting: far beyond any model, well inside Python's own limit
_CLOSING = {"(": ")", "[": "]", "{": "}"}
_BETWEEN = ("*", "/", ":", "^", "**")
_OPERAND = "columns, numbers and calls of functions, joined by + - * / : ^"
_BAR = "a random term in parentheses, as in (1 | g) or (x | g)"


@dataclass(frozen=True, slots=True)
class Summand:
    """One part between plus and minus signs.

    Attributes
    ----------
    sign
        ``"+"`` or ``"-"``.
    tokens
        Its words; of an offset those inside the parentheses, of a bar from ``(`` to ``)``.
    kind
        What it is.
    """

    sign: str
    tokens: tuple[Token, ...]
    kind: Literal["fixed", "bar", "offset"] = "fixed"


class Reader:
    """Reads the words of one side of a formula.

    Parameters
    ----------
    text
        The whole formula, for messages.
    tokens
        The words, closed by one of the kind ``"end"``.
    """

    def __init__(self, text: str, tokens: Sequence[Token]) -> None:
        self.text, self.tokens, self.position, self._depth = text, tuple(tokens), 0, 0

    @property
    def token(self) -> Token:
        """The word to be read next."""
        return self.tokens[self.position]

    def _at_end(self) -> bool:
        return self.token.kind == "end"

    def error(self, got: str, *, at: Token | None = None, allowed: str = "", todo: str = "") -> ModelSyntaxError:
        """Make the error for the next word, or for the word `at`."""
        place = at or self.token
        return ModelSyntaxError(got, text=self.text, line=place.line, column=place.column, allowed=allowed, todo=todo)

    def check_brackets(self) -> None:
        """Raise unless every bracket has its partner."""
        opened: list[Token] = []
        for token in self.tokens:
            if token.text in _CLOSING:
                opened.append(token)
                if len(opened) > _DEEPEST:
                    raise self.error("this is nested too deeply", at=token, todo=f"use at most {_DEEPEST} levels")
            elif token.text in _CLOSING.values():
                if not opened or _CLOSING[opened[-1].text] != token.text:
                    raise self.error(f"this '{token.text}' closes nothing", at=token, todo="remove it, or open it")
                opened.pop()
        if opened:
            raise self.error(
                f"this '{opened[-1].text}' is never closed",
                at=opened[-1],
                todo=f"add the '{_CLOSING[opened[-1].text]}'",
            )

    def response(self) -> str:
        """Read the left side of ``~``."""
        for token in self.tokens:
            if token.text in ("|", "||"):
                raise self.error("a random term on the left of '~'", at=token, todo="write it on the right")
        self._expression()
        if not self._at_end():
            raise self._unexpected()
        if not variables(self.tokens):
            raise self.error("the response names no column", at=self.tokens[0], todo="begin with a column: y ~")
        return render(self.tokens[:-1], arithmetic=True)

    def _expression(self) -> None:
        """An expression of arithmetic, as the response may be."""
        while self.token.text in ("-", "+"):
            self.position += 1
        self._primary()
        while self.token.text in (*_BETWEEN, "+", "-"):
            self.position += 1
            self._primary()

    def summands(self) -> list[Summand]:
        """Read a right side: fixed effects, offsets and random terms."""
        return self._sum(random=True)

    def coefficients(self) -> list[Summand]:
        """Read a sum without random terms, such as the left side of a bar."""
        return self._sum(random=False)

    def _sum(self, *, random: bool) -> list[Summand]:
        if self._at_end():
            missing = "nothing stands after '~'" if random else "nothing stands before the bar"
            todo = "write y ~ x + (1 | g)" if random else "write (1 | g) for random intercepts, (x | g) for slopes"
            raise self.error(missing, allowed="predictors, 1 for an intercept, 0 for none", todo=todo)
        found = [self._summand(self._sign(first=True), random)]
        while not self._at_end():
            if self.token.text not in ("+", "-"):
                raise self._unexpected()
            found.append(self._summand(self._sign(), random))
        return found

    def _sign(self, *, first: bool = False) -> str:
        if self.token.text not in ("+", "-"):
            return "+"
        sign = self.token.text
        self.position += 1
        if self.token.text in ("+", "-"):
            raise self.error(f"'{sign}' and '{self.token.text}' in a row", todo="keep one of them")
        return sign

    def _summand(self, sign: str, random: bool) -> Summand:
        begin = self.position
        if self.token.text == "(" and self._bar_ahead():
            return self._bar(sign, random)
        if self.token.text == "offset" and is_call(self.tokens, begin):
            return self._offset(sign, random)
        self._product()
        return Summand(sign, self.tokens[begin : self.position])

    def _bar(self, sign: str, random: bool) -> Summand:
        begin, end = self.position, self._closing(self.position)
        if not random:
            raise self.error("a random term inside another one", allowed=_BAR, todo="write them side by side")
        if sign == "-":
            raise self.error("a random term is taken away", allowed="terms that are added", todo="leave it out")
        self.position = end + 1
        if self.token.text in _BETWEEN:
            raise self.error(
                f"a random term is combined with something else by '{self.token.text}'",
                allowed="random terms between plus signs",
                todo="write it on its own: + (x | g)",
            )
        # Parentheses around parentheses mean nothing.
        while self.tokens[begin + 1].text == "(" and self._closing(begin + 1) == end - 1:
            begin, end = begin + 1, end - 1
        bars = [t for t, depth in self.depths(begin, end + 1) if t.text in ("|", "||") and depth == 1]
        if not bars:
            raise self.error(
                "a random term inside other parentheses", at=self.tokens[begin], allowed=_BAR, todo="take these away"
            )
        if len(bars) > 1:
            raise self.error("a second bar in one random term", at=bars[1], allowed=_BAR, todo="write a term for each")
        return Summand("+", self.tokens[begin : end + 1], "bar")

    def _offset(self, sign: str, random: bool) -> Summand:
        begin, end = self.position + 1, self._closing(self.position + 1)
        if not random or sign == "-":
            where = "is taken away" if random else "stands in a random term"
            raise self.error(f"an offset {where}", allowed="offsets that are added, as in y ~ x + offset(log(n))")
        if end == begin + 1:
            raise self.error("offset() is empty", allowed="a column or an expression, as in offset(log(n))")
        self.position = end + 1
        return Summand(sign, self.tokens[begin + 1 : end], "offset")

    def _product(self) -> None:
        self._primary()
        while self.token.text in _BETWEEN:
            self.position += 1
            if self.token.text == "(" and self._bar_ahead():
                raise self.error("a random term is combined with something else", todo="write it on its own: + (x | g)")
            self._primary()

    def _primary(self) -> None:
        """A name, a number, a call, or a sum in parentheses."""
        token = self.token
        if is_call(self.tokens, self.position):
            self.position = self._closing(self.position + 1) + 1
        elif token.text == ".":
            raise self.error("'.' for all other columns is not supported", todo="name the columns")
        elif token.is_name or token.kind == "number":
            self.position += 1
        elif token.text == "(":
            self._parenthesis()
        else:
            raise self._unexpected()

    def _parenthesis(self) -> None:
        end = self._open()
        while self.position < end:
            if self.token.text in ("+", "-"):
                self.position += 1
            if self.token.text == "(" and self._bar_ahead():
                raise self.error("a random term inside other parentheses", allowed=_BAR, todo="take the others away")
            self._product()
            if self.position < end and self.token.text not in ("+", "-"):
                raise self._unexpected()
        if self.tokens[end - 1].text in ("(", "+", "-"):
            raise self._unexpected()
        self._close(end)

    def _open(self) -> int:
        """Step into a parenthesis and return where it ends."""
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self.error("this is nested too deeply", todo=f"use at most {_DEEPEST} levels")
        end = self._closing(self.position)
        self.position += 1
        return end

    def _close(self, end: int) -> None:
        self.position = end + 1
        self._depth -= 1

    def grouping(self) -> list[tuple[str, ...]]:
        """Read the right side of a bar: the variables of each grouping factor, the innermost factor first."""
        if self._at_end():
            raise self.error("nothing stands behind the bar", allowed=_BAR, todo="name the column of the groups")
        nested = [self._interaction()]
        while self.token.text == "/":
            self.position += 1
            nested.append((*self._interaction(), *nested[-1]))
            if len(nested) > _DEEPEST:
                raise self.error("this is nested too deeply", todo=f"use at most {_DEEPEST} levels")
        if not self._at_end():
            raise self._bad_grouping()
        if len({frozenset(names) for names in nested}) < len(nested):
            raise self.error(f"{nested[0][0]!r} is nested in itself", at=self.tokens[0], todo="name each column once")
        return [tuple(dict.fromkeys(names)) for names in reversed(nested)]

    def _interaction(self) -> tuple[str, ...]:
        names = self._group_name()
        while self.token.text == ":":
            self.position += 1
            names = (*names, *self._group_name())
        if len(set(names)) < len(names):
            raise self.error(f"a column is crossed with itself: {':'.join(names)}", todo="name each column once")
        return names

    def _group_name(self) -> tuple[str, ...]:
        token = self.token
        if is_call(self.tokens, self.position):
            end = self._closing(self.position + 1)
            inner = self.tokens[self.position + 2 : end]
            if token.text not in ("factor", "as.factor", "C") or len(inner) != 1 or not inner[0].is_name:
                raise self._bad_grouping()
            self.position = end + 1
            return (inner[0].value,)
        if token.text == "(":
            end = self._open()
            names = self._interaction()
            if self.position != end:
                raise self._bad_grouping()
            self._close(end)
            return names
        if not token.is_name:
            raise self._bad_grouping()
        self.position += 1
        return (token.value,)

    def _bad_grouping(self) -> ModelSyntaxError:
        token = self.token
        todo = {
            "+": "write a term for each: (1 | a) + (1 | b)",
            "*": "write the terms out: (1 | a) + (1 | b) + (1 | a:b)",
            "%in%": "write (1 | a/b) for b within a",
        }.get(token.text, "make the expression a column of the table first, and name that")
        if is_call(self.tokens, self.position):
            got = f"the groups are given by the call {token.text}()"
        else:
            got = "the grouping ends too early" if token.kind == "end" else f"{token} is unexpected in a grouping"
        return self.error(got, allowed="columns joined by ':' or '/', as in (1 | a:b) or (1 | a/b)", todo=todo)

    def _unexpected(self) -> ModelSyntaxError:
        token = self.token
        before = self.tokens[self.position - 1] if self.position else None
        if token.text in ("|", "||"):
            return self.error(f"'{token.text}' outside parentheses", allowed=_BAR, todo="write (x | g), with the '('")
        if token.text == "%in%":
            return self.error("'%in%' is not supported", todo="write b %in% a as a:b, or a/b for both")
        if token.text in ("==", "<", ">", "<=", ">=", "!=", "!", "&"):
            return self.error(f"{token} is unexpected here", todo="put a comparison into I(), as in I(x > 2)")
        if token.text == "{":
            return self.error("'{' is unexpected here", todo="put arithmetic into I(), as in I(x / 10)")
        if token.text == "=":
            return self.error("'=' is unexpected here", todo="did you mean '~'?")
        if token.kind == "end":
            missing = f"something is missing after {before}" if before else "something is missing here"
            return self.error(missing, allowed=_OPERAND)
        operands = ("name", "quoted", "number")
        todo = f"join them by '+': {before.text} + {token.text}" if before and before.kind in operands else ""
        return self.error(f"{token} is unexpected here", allowed=_OPERAND, todo=todo if token.kind in operands else "")

    def _closing(self, opening: int) -> int:
        """Position of the bracket that closes the one at `opening`."""
        depth = 0
        for i in range(opening, len(self.tokens)):
            depth += (self.tokens[i].text in _CLOSING) - (self.tokens[i].text in _CLOSING.values())
            if depth == 0:
                return i
        raise self.error("this '(' is never closed", at=self.tokens[opening], todo="add the ')'")

    def depths(self, begin: int, end: int) -> list[tuple[Token, int]]:
        """The words from `begin` to `end` with the number of brackets around each."""
        depth, found = 0, []
        for token in self.tokens[begin:end]:
            depth -= token.text in _CLOSING.values()
            found.append((token, depth))
            depth += token.text in _CLOSING
        return found

    def _bar_ahead(self) -> bool:
        """Whether the parenthesis that comes next holds a bar outside function calls."""
        end = self._closing(self.position)
        i = self.position
        while i < end:
            if is_call(self.tokens, i):
                i = self._closing(i + 1)
            elif self.tokens[i].text in ("|", "||"):
                return True
            i += 1
        return False
