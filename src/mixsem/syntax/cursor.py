"""A reading position in one statement, and the one place where errors of the grammar are made."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import ModelSyntaxError
from .scanner import MODEL_OPERATORS, Token

__all__ = ["Cursor"]

_DEEPEST = 50  # levels of nesting: far beyond any model, well inside Python's own limit


class Cursor:
    """A reading position in one statement; the readers share it and raise their errors through it.

    Parameters
    ----------
    text
        The whole model text, for messages.
    tokens
        One statement, closed by an ``"end"`` token.

    Raises
    ------
    ModelSyntaxError
        If a parenthesis has no partner.
    """

    def __init__(self, text: str, tokens: tuple[Token, ...]) -> None:
        self.text, self.tokens, self.position = text, tokens, 0
        self._depth = 0
        self._check_parentheses()

    @property
    def token(self) -> Token:
        """The token to be read next."""
        return self.tokens[self.position]

    def ahead(self, steps: int) -> Token:
        """Look at the token `steps` after the next one; past the end, the end."""
        return self.tokens[min(self.position + steps, len(self.tokens) - 1)]

    def at(self, *texts: str) -> bool:
        """Whether the next token is one of these operators."""
        return self.token.kind == "operator" and self.token.text in texts

    def take(self) -> Token:
        """Read the next token; the end of the statement stays where it is."""
        token = self.token
        if token.kind != "end":
            self.position += 1
        return token

    def accept(self, *texts: str) -> Token | None:
        """Read the next token if it is one of these operators."""
        return self.take() if self.at(*texts) else None

    @contextmanager
    def nested(self) -> Iterator[None]:
        """Guard one level of recursion, so that absurd nesting is a syntax error."""
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self.error("this is nested too deeply", todo=f"use at most {_DEEPEST} levels")
        yield
        self._depth -= 1

    def error(self, got: str, *, at: Token | None = None, allowed: str = "", todo: str = "") -> ModelSyntaxError:
        """Make the error for the next token, or for the token `at`."""
        place = at or self.token
        return ModelSyntaxError(got, text=self.text, line=place.line, column=place.column, allowed=allowed, todo=todo)

    def unexpected(self, allowed: str, todo: str = "") -> ModelSyntaxError:
        """Make the error for a next token that does not fit, naming the commonest slips."""
        token = self.token
        before = self.tokens[self.position - 1] if self.position else None
        if token.kind == "end" and before:
            return self.error(f"the statement ends after {before}", allowed=allowed, todo=todo)
        if token.kind != "operator":
            return self.error(f"{token} is unexpected here", allowed=allowed, todo=todo)
        if before and before.kind == "operator" and before.text + token.text in MODEL_OPERATORS:
            return self.split(before, token)
        earlier = [t.text for t in self.tokens[: self.position]]
        if token.text in ("=", *MODEL_OPERATORS) and not MODEL_OPERATORS.isdisjoint(earlier):
            return self._second_operator()
        return self.error(f"{token} is unexpected here", allowed=allowed, todo=todo)

    def split(self, first: Token, second: Token) -> ModelSyntaxError:
        """Make the error for an operator with a blank inside."""
        whole = first.text + second.text
        return self.error(f"the operator '{whole}' is split by a blank", at=first, todo=f"write {whole!r} as one word")

    def equals_sign(self) -> ModelSyntaxError:
        """Make the error for a lone ``=``."""
        following = self.ahead(1)
        if following.kind == "operator" and "=" + following.text in MODEL_OPERATORS:
            return self.split(self.token, following)
        return self.error(
            "'=' is not an operator of model syntax",
            allowed="'=~' (is measured by), '==' (equals, a constraint), ':=' (is defined as)",
            todo="did you mean '=~'?",
        )

    def _second_operator(self) -> ModelSyntaxError:
        previous = [t for t in self.tokens[: self.position] if t.line < self.token.line]
        left_over = previous and previous[-1].kind == "operator"
        return self.error(
            f"a second operator, {self.token}, in one statement",
            allowed="one operator per statement",
            todo=f"did line {previous[-1].line} end with a '{previous[-1].text}' too many?"
            if left_over
            else "begin a new line, or put ';' between two statements",
        )

    def _check_parentheses(self) -> None:
        opened: list[Token] = []
        for token in self.tokens:
            if token.text == "(":
                opened.append(token)
            elif token.text == ")" and not opened:
                raise self.error("')' closes no parenthesis", at=token, todo="remove it, or add the '('")
            elif token.text == ")":
                opened.pop()
        if opened:
            raise self.error("this parenthesis is never closed", at=opened[-1], todo="add the ')'")
