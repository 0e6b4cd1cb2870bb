"""Expressions over labels with their derivatives: dual numbers, no differences."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from .expression import FUNCTIONS, Call, Chain, Expression, Name, Negative, Number, Power

__all__ = ["Dual", "differentiate"]

Array = NDArray[np.float64]

Dual = tuple[float, Array]
"""A value and its gradient over the free parameters."""

_DERIVATIVES: Mapping[str, Callable[[float], float]] = {
    "abs": lambda x: math.copysign(1.0, x),
    "acos": lambda x: -1.0 / math.sqrt(1.0 - x * x),
    "asin": lambda x: 1.0 / math.sqrt(1.0 - x * x),
    "atan": lambda x: 1.0 / (1.0 + x * x),
    "cos": lambda x: -math.sin(x),
    "cosh": math.sinh,
    "exp": math.exp,
    "expm1": math.exp,
    "log": lambda x: 1.0 / x,
    "log10": lambda x: 1.0 / (x * math.log(10.0)),
    "log1p": lambda x: 1.0 / (1.0 + x),
    "log2": lambda x: 1.0 / (x * math.log(2.0)),
    "sin": math.cos,
    "sinh": math.cosh,
    "sqrt": lambda x: 0.5 / math.sqrt(x),
    "tan": lambda x: 1.0 / math.cos(x) ** 2,
    "tanh": lambda x: 1.0 - math.tanh(x) ** 2,
}


def differentiate(expression: Expression, values: Mapping[str, Dual]) -> Dual:
    """Evaluate an expression and its gradient.

    Parameters
    ----------
    expression
        From the model text.
    values
        Value and gradient, shape (P,), of every label it mentions.

    Raises
    ------
    ValueError, ZeroDivisionError, OverflowError
        Where the expression has no value, such as the logarithm of a negative number.

    Examples
    --------
    >>> from mixsem.syntax.arithmetic import parse_expression
    >>> value, gradient = differentiate(
    ...     parse_expression("a * b^2"), {"a": (2.0, np.array([1.0, 0.0])), "b": (3.0, np.array([0.0, 1.0]))}
    ... )
    >>> value, gradient.tolist()
    (18.0, [9.0, 12.0])
    """
    match expression:
        case Number(value=value):
            return float(value), np.zeros(1)
        case Name(name=name):
            return values[name]
        case Negative(operand=operand):
            value, gradient = differentiate(operand, values)
            return -value, -gradient
        case Chain(first=first, rest=rest):
            total = differentiate(first, values)
            for operator, operand in rest:
                total = _join(operator, total, differentiate(operand, values))
            return total
        case Power(base=base, exponent=exponent):
            return _power(differentiate(base, values), differentiate(exponent, values))
        case Call(function=function, argument=argument):
            value, gradient = differentiate(argument, values)
            return FUNCTIONS[function](value), _DERIVATIVES[function](value) * gradient
    raise TypeError(f"no derivative of {type(expression).__name__}")


def _join(operator: str, a: Dual, b: Dual) -> Dual:
    match operator:
        case "+":
            return a[0] + b[0], a[1] + b[1]
        case "-":
            return a[0] - b[0], a[1] - b[1]
        case "*":
            return a[0] * b[0], a[1] * b[0] + a[0] * b[1]
    return a[0] / b[0], a[1] / b[0] - b[1] * (a[0] / b[0] ** 2)


def _power(base: Dual, exponent: Dual) -> Dual:
    value = math.pow(base[0], exponent[0])
    gradient = np.zeros(1)
    if base[1].any():
        gradient = gradient + exponent[0] * math.pow(base[0], exponent[0] - 1.0) * base[1]
    if exponent[1].any():
        gradient = gradient + value * math.log(base[0]) * exponent[1]
    return value, gradient
