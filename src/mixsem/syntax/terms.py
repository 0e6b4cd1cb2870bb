"""What model syntax says, as frozen values: terms, constraints, definitions, blocks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .expression import Expression
from .modifiers import Modifiers

__all__ = ["Block", "Constraint", "Definition", "ModelSyntax", "Term"]


@dataclass(frozen=True, slots=True)
class Block:
    """A header such as ``group: BEL``, under which terms stand.

    Attributes
    ----------
    kind
        ``"group"``, ``"level"``, ``"block"`` or ``"class"``.
    name
        What follows the colon, without quotes; always text.
    outer
        The group block around a level block, if there is one.
    """

    kind: str
    name: str
    outer: Block | None = None

    def __str__(self) -> str:
        return f"{self.kind}: {self.name}"


@dataclass(frozen=True, slots=True)
class Term:
    """One parameter as written: one left-hand name, one operator, one right-hand name.

    Attributes
    ----------
    lhs, op, rhs
        Names and operator; an intercept has the operator ``"~1"`` and an empty `rhs`, an interaction the
        `rhs` ``"a:b"``, a threshold the `rhs` ``"t1"``.
    modifiers
        What was written before the right-hand name, merged over repetitions.
    block
        The header it stands under, or None.
    line, column
        Where its right-hand side begins, modifiers included; of the first occurrence if it is repeated.
    """

    lhs: str
    op: str
    rhs: str
    modifiers: Modifiers
    block: Block | None
    line: int
    column: int

    @property
    def place(self) -> str:
        """Where it is written, for messages."""
        return f"line {self.line}, column {self.column}"

    def __str__(self) -> str:
        return f"{self.lhs} ~ 1" if self.op == "~1" else f"{self.lhs} {self.op} {self.rhs}"


@dataclass(frozen=True, slots=True)
class Constraint:
    """An equality or inequality between labelled parameters; `op` is ``"=="``, ``"<"`` or ``">"``."""

    lhs: Expression
    op: str
    rhs: Expression
    line: int
    column: int

    @property
    def place(self) -> str:
        """Where it is written, for messages."""
        return f"line {self.line}, column {self.column}"

    def __str__(self) -> str:
        return f"{self.lhs} {self.op} {self.rhs}"


@dataclass(frozen=True, slots=True)
class Definition:
    """A new parameter computed from labelled ones, ``name := expression``."""

    name: str
    expression: Expression
    line: int
    column: int

    @property
    def place(self) -> str:
        """Where it is written, for messages."""
        return f"line {self.line}, column {self.column}"

    def __str__(self) -> str:
        return f"{self.name} := {self.expression}"


@dataclass(frozen=True, slots=True)
class ModelSyntax:
    """A model text that was read completely.

    Attributes
    ----------
    text
        The text itself.
    terms
        In order of appearance; repetitions of a parameter in the same block are merged.
    constraints, definitions
        In order of appearance.
    """

    text: str
    terms: tuple[Term, ...]
    constraints: tuple[Constraint, ...] = ()
    definitions: tuple[Definition, ...] = ()

    @property
    def factors(self) -> tuple[str, ...]:
        """Names that are measured by others (left of ``=~``), in order of appearance."""
        return _unique(term.lhs for term in self.terms if term.op == "=~")

    @property
    def indicators(self) -> tuple[str, ...]:
        """Names that measure (right of ``=~``), in order of appearance."""
        return _unique(term.rhs for term in self.terms if term.op == "=~")

    @property
    def observed(self) -> tuple[str, ...]:
        """Names that are used but are neither factors nor composites, in order of appearance.

        An interaction ``a:b`` uses `a` and `b`.
        """
        latent = {term.lhs for term in self.terms if term.op in ("=~", "<~")}
        used = (name for term in self.terms for name in _variables(term))
        return _unique(name for name in used if name not in latent)

    @property
    def regressions(self) -> tuple[Term, ...]:
        """Terms with the operator ``~``; intercepts are not among them."""
        return tuple(term for term in self.terms if term.op == "~")

    @property
    def covariances(self) -> tuple[Term, ...]:
        """Terms with the operator ``~~``, variances included."""
        return tuple(term for term in self.terms if term.op == "~~")


def _variables(term: Term) -> list[str]:
    right = [] if term.op in ("~1", "|") else term.rhs.split(":")
    return [term.lhs, *right]


def _unique(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
