"""Expressions over the regressions of the clusters, written as text, with their values and exact derivatives.

``y ~ x`` is a regression, ``indirect(y ~ x)`` and ``total(y ~ x)`` are effects; ``[2]`` after one of them names the
cluster. The arithmetic around them is that of model syntax.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelError, OptionError
from ..structural.fit import MixtureFit
from ..syntax.arithmetic import parse_expression
from ..syntax.derivative import Dual, differentiate
from ..syntax.expression import Expression
from .effects import effect_values, find_effect

__all__ = ["Quantity", "evaluate", "restrictions"]

Array = NDArray[np.float64]

_NAME = r"(?:[^\W\d]|\.)[\w.]*"
_ATOM = re.compile(
    rf"(?:\b(direct|indirect|total)\s*\(\s*)?({_NAME})\s*~\s*({_NAME}|1\b)\s*(?(1)\))(?:\s*\[([^\]]*)\])?"
)


@dataclass(frozen=True, eq=False, slots=True)
class Quantity:
    """What an expression says, in one cluster or over clusters.

    Attributes
    ----------
    cluster
        The cluster it belongs to; None if the text names every cluster itself.
    value
        Its value.
    gradient
        Derivatives by the coefficients, shape (K R,), cluster-major.
    """

    cluster: int | None
    value: float
    gradient: Array


def evaluate(fit: MixtureFit, text: str) -> tuple[Quantity, ...]:
    """Compute an expression over regressions and effects.

    Parameters
    ----------
    fit
        The mixture.
    text
        Such as ``"(m ~ x) * (y ~ m)"``, ``"indirect(y ~ x) / total(y ~ x)"`` or ``"(y ~ x)[1] - (y ~ x)[2]"``; the
        parentheses around a regression may be left out.

    Returns
    -------
    tuple of Quantity
        One per cluster, or a single one if the text names the cluster of everything in it.

    Raises
    ------
    ModelSyntaxError
        If the text is no expression.
    OptionError
        If it names what the model does not have, a cluster that there is not, or no regression at all.
    ModelError
        If it has no value, such as a division by zero.
    """
    text, atoms = _atoms(_clean(text))
    expression = parse_expression(text)
    unknown = [name for name in expression.names if name not in atoms]
    if unknown:
        raise OptionError(
            f"{unknown[0]!r} is no regression of the model",
            allowed="regressions and effects such as 'y ~ x', 'indirect(y ~ x)', 'total(y ~ x)[1]'",
            todo="write the outcome, '~' and the predictor",
        )
    if not expression.names:
        raise OptionError(
            f"{text.strip()!r} names no regression",
            allowed="regressions such as 'y ~ x', with [1] for one cluster",
            todo="name at least one",
        )
    atoms = {name: atoms[name] for name in expression.names}
    named = {name: _cluster(fit, cluster) for name, (_, _, _, cluster) in atoms.items()}
    values = {name: effect_values(fit, find_effect(fit.path, *atom[:3])) for name, atom in atoms.items()}
    every = [c + 1 for c in range(fit.k)] if None in named.values() else [None]
    found = []
    for c in every:
        at = {name: (own or c or 1) - 1 for name, own in named.items()}
        duals = {name: (float(values[name][0][at[name]]), values[name][1][at[name]]) for name in atoms}
        value, gradient = _differentiated(expression, duals)
        found.append(Quantity(c, value, np.broadcast_to(gradient, (fit.coefficients.size,)).astype(float)))
    return tuple(found)


def restrictions(fit: MixtureFit, text: str) -> tuple[Array, Array]:
    """What a hypothesis says must be zero, and the derivatives of that.

    Parameters
    ----------
    fit
        The mixture.
    text
        Statements with ``==``, separated by ``;`` or line ends; ``a == b == c`` says two things at once. What names
        no cluster is said of every cluster.

    Returns
    -------
    tuple of NDArray
        Left minus right side, shape (m,), and its derivatives by the coefficients, shape (m, K R).

    Raises
    ------
    OptionError
        If there is no statement, or one without ``==``. Further errors are those of `evaluate`.
    """
    values, gradients = [], []
    for statement in re.split(r"[;\n]", _clean(text)):
        if not statement.strip():
            continue
        sides = statement.split("==")
        if len(sides) < 2 or not all(side.strip() for side in sides):
            raise OptionError(
                f"the hypothesis {statement.strip()!r} is no equation",
                allowed="'y ~ x == 0', 'y ~ x[1] == y ~ x[2]', 'y ~ x[1] + y ~ x[2] == 1', several of them with ';'",
                todo="write '==' between both sides",
            )
        for left, right in pairwise(sides):
            for quantity in evaluate(fit, f"({left}) - ({right})"):
                values.append(quantity.value)
                gradients.append(quantity.gradient)
    if not values:
        raise OptionError("the hypothesis is empty", allowed="an equation such as 'y ~ x[1] == y ~ x[2]'")
    return np.array(values), np.array(gradients)


def _clean(text: object) -> str:
    """The text without comments."""
    if not isinstance(text, str):
        raise OptionError(f"got a {type(text).__name__} in the place of text", allowed="text such as 'y ~ x[1]'")
    return re.sub(r"[#!].*", "", text)


def _atoms(text: str) -> tuple[str, Mapping[str, tuple[str, str, str, str | None]]]:
    """Replace regressions and effects by names of the same length, which the reader of arithmetic understands."""
    # Parentheses around a regression may stand before its cluster: (y ~ x)[1].
    text = re.sub(rf"(?<![\w.])\(\s*({_NAME}\s*~\s*(?:{_NAME}|1\b))\s*\)\s*(\[[^\]]*\])", r"\1\2", text)
    atoms: dict[str, tuple[str, str, str, str | None]] = {}

    def named(match: re.Match[str]) -> str:
        kind, outcome, predictor, cluster = match.groups()
        atom = (kind or "direct", outcome, predictor, None if cluster is None else cluster.strip())
        name = re.sub(r"[^\w.]", "_", match.group().rstrip())
        while atoms.get(name, atom) != atom:
            name += "_"
        atoms[name] = atom
        return name + match.group()[len(match.group().rstrip()) :]

    return _ATOM.sub(named, text), atoms


def _cluster(fit: MixtureFit, text: str | None) -> int | None:
    """The number in brackets; None if there are none."""
    if text is None:
        return None
    if not text.isdecimal() or not 1 <= int(text) <= fit.k:
        raise OptionError(
            f"there is no cluster [{text}]", allowed=f"clusters 1 to {fit.k}, such as [1], or nothing for every cluster"
        )
    return int(text)


def _differentiated(expression: Expression, duals: Mapping[str, Dual]) -> Dual:
    try:
        value, gradient = differentiate(expression, duals)
    except (ArithmeticError, ValueError) as error:
        todo = "leave it out, or write it otherwise"
        raise ModelError(f"{expression} has no finite value: {error}", todo=todo) from error
    if not (np.isfinite(value) and np.isfinite(gradient).all()):
        raise ModelError(f"{expression} has no finite value", todo="leave it out, or write it otherwise")
    return value, gradient
