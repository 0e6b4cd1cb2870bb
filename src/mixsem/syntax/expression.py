"""Arithmetic over parameter labels: the right-hand side of ``:=``, both sides of ``==``.

A small tree of frozen nodes. Nothing is handed to Python's own evaluator, so model text can compute
but cannot run code.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from ..errors import ModelError, did_you_mean

__all__ = [
    "FUNCTIONS",
    "Call",
    "Chain",
    "Expression",
    "Name",
    "Negative",
    "Number",
    "Power",
]

FUNCTIONS: Mapping[str, Callable[[float], float]] = {
    "abs": abs,
    "acos": math.acos,
    "asin": math.asin,
    "atan": math.atan,
    "cos": math.cos,
    "cosh": math.cosh,
    "exp": math.exp,
    "expm1": math.expm1,
    "log": math.log,
    "log10": math.log10,
    "log1p": math.log1p,
    "log2": math.log2,
    "sin": math.sin,
    "sinh": math.sinh,
    "sqrt": math.sqrt,
    "tan": math.tan,
    "tanh": math.tanh,
}

# How tightly a node binds, for printing with as few parentheses as possible.
_SUM, _PRODUCT, _SIGN, _POWER, _ATOM = range(5)


class Expression(ABC):
    """An arithmetic expression over parameter labels.

    Examples
    --------
    >>> from mixsem.syntax.arithmetic import parse_expression
    >>> indirect = parse_expression("a * b / (1 - a^2)")
    >>> indirect.names
    ('a', 'b')
    >>> indirect.evaluate({"a": 0.5, "b": 0.75})
    0.5
    >>> print(indirect)
    a*b/(1 - a^2)
    """

    __slots__ = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The labels it mentions, in order of appearance, each once."""
        return tuple(dict.fromkeys(self._walk()))

    def evaluate(self, values: Mapping[str, float]) -> float:
        """Compute the expression.

        Parameters
        ----------
        values
            A number for every label in `names`.

        Raises
        ------
        ModelError
            For a label without value, and for arithmetic without result such as ``log(-1)``.
        """
        try:
            return float(self._compute(values))
        except ModelError:
            raise
        except (ArithmeticError, ValueError) as error:
            raise ModelError(f"{self} has no finite value: {error}", allowed="arithmetic that has a result") from error

    @property
    def _binding(self) -> int:
        """How tightly the node holds its operands together."""
        return _ATOM

    def _within(self, binding: int) -> str:
        """Text of this node as an operand of something that binds as tightly as `binding`."""
        return f"({self})" if self._binding < binding else str(self)

    @abstractmethod
    def _walk(self) -> Iterator[str]: ...

    @abstractmethod
    def _compute(self, values: Mapping[str, float]) -> float: ...


@dataclass(frozen=True, slots=True)
class Number(Expression):
    """A number, never negative: the sign is a node of its own."""

    value: float

    def __str__(self) -> str:
        return f"{self.value:.0f}" if self.value.is_integer() and self.value < 1e15 else repr(self.value)

    def _walk(self) -> Iterator[str]:
        return iter(())

    def _compute(self, values: Mapping[str, float]) -> float:
        return self.value


@dataclass(frozen=True, slots=True)
class Name(Expression):
    """A parameter label."""

    name: str

    def __str__(self) -> str:
        return self.name

    def _walk(self) -> Iterator[str]:
        yield self.name

    def _compute(self, values: Mapping[str, float]) -> float:
        if self.name not in values:
            raise ModelError(
                f"the label {self.name!r} has no value",
                allowed=", ".join(values) or "no label has a value",
                todo=did_you_mean(self.name, values),
            )
        return values[self.name]


@dataclass(frozen=True, slots=True)
class Negative(Expression):
    """A term with a minus sign before it."""

    operand: Expression

    @property
    def _binding(self) -> int:
        return _SIGN

    def __str__(self) -> str:
        return "-" + self.operand._within(_SIGN)

    def _walk(self) -> Iterator[str]:
        return self.operand._walk()

    def _compute(self, values: Mapping[str, float]) -> float:
        return -self.operand._compute(values)


@dataclass(frozen=True, slots=True)
class Chain(Expression):
    """Operands joined from left to right by operators of equal rank: a sum or a product.

    Attributes
    ----------
    first
        The first operand.
    rest
        Operator (``"+"`` and ``"-"``, or ``"*"`` and ``"/"``) and operand, one pair per further operand.
    """

    first: Expression
    rest: tuple[tuple[str, Expression], ...]

    @property
    def _binding(self) -> int:
        return _SUM if self.rest[0][0] in "+-" else _PRODUCT

    def __str__(self) -> str:
        binding = self._binding
        space = " " if binding == _SUM else ""
        parts = [f"{space}{operator}{space}{operand._within(binding + 1)}" for operator, operand in self.rest]
        return self.first._within(binding) + "".join(parts)

    def _walk(self) -> Iterator[str]:
        yield from self.first._walk()
        for _, operand in self.rest:
            yield from operand._walk()

    def _compute(self, values: Mapping[str, float]) -> float:
        total = self.first._compute(values)
        for operator, operand in self.rest:
            value = operand._compute(values)
            match operator:
                case "+":
                    total += value
                case "-":
                    total -= value
                case "*":
                    total *= value
                case _:
                    total /= value
        return total


@dataclass(frozen=True, slots=True)
class Power(Expression):
    """``base ^ exponent``; binds more tightly than a minus sign on its left, as in R."""

    base: Expression
    exponent: Expression

    @property
    def _binding(self) -> int:
        return _POWER

    def __str__(self) -> str:
        return f"{self.base._within(_ATOM)}^{self.exponent._within(_SIGN)}"

    def _walk(self) -> Iterator[str]:
        yield from self.base._walk()
        yield from self.exponent._walk()

    def _compute(self, values: Mapping[str, float]) -> float:
        return math.pow(self.base._compute(values), self.exponent._compute(values))


@dataclass(frozen=True, slots=True)
class Call(Expression):
    """A function of one argument, one of `FUNCTIONS`."""

    function: str
    argument: Expression

    def __str__(self) -> str:
        return f"{self.function}({self.argument})"

    def _walk(self) -> Iterator[str]:
        return self.argument._walk()

    def _compute(self, values: Mapping[str, float]) -> float:
        return FUNCTIONS[self.function](self.argument._compute(values))
