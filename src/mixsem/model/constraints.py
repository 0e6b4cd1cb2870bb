"""Constraints and defined parameters of a compiled model: functions of its free parameters, with gradients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelError, did_you_mean, enumerate_briefly
from ..syntax.derivative import Dual, differentiate
from ..syntax.expression import Expression
from ..syntax.table import ParameterTable
from ..syntax.terms import Constraint, Definition
from .matrices import ModelMap

__all__ = ["Constraints", "compile_constraints"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False, slots=True)
class Constraints:
    """What theta must satisfy besides the model, and what is computed from it.

    Attributes
    ----------
    n_free
        Number of free parameters, P.
    labels
        Index of the free parameter behind each label.
    values
        Value of each label whose parameter is fixed.
    equalities, inequalities
        Constraints of the model text, ``==`` and ``<`` or ``>``.
    definitions
        Defined parameters, ``:=``, in an order in which each can be computed.
    lower, upper
        Bounds of the free parameters, shape (P,).
    """

    n_free: int
    labels: Mapping[str, int]
    values: Mapping[str, float]
    equalities: tuple[Constraint, ...]
    inequalities: tuple[Constraint, ...]
    definitions: tuple[Definition, ...]
    lower: Array
    upper: Array

    @property
    def any(self) -> bool:
        """Whether an optimiser has to mind anything."""
        bounded = np.isfinite(self.lower).any() or np.isfinite(self.upper).any()
        return bool(self.equalities or self.inequalities or bounded)

    @property
    def only_bounds(self) -> bool:
        """Whether there is nothing but bounds of single parameters."""
        return self.any and not self.equalities and not self.inequalities

    def equality(self, theta: Array) -> tuple[Array, Array]:
        """Left minus right side of every equality, shape (c,), and its Jacobian, shape (c, P)."""
        return self._stack([self._gap(c, theta) for c in self.equalities])

    def inequality(self, theta: Array) -> tuple[Array, Array]:
        """What must not be negative, shape (i,), and its Jacobian: inequalities, then finite bounds."""
        unit = np.eye(self.n_free)
        found = []
        for constraint in self.inequalities:
            value, gradient = self._gap(constraint, theta)
            found.append((-value, -gradient) if constraint.op == "<" else (value, gradient))
        found += [(theta[i] - self.lower[i], unit[i]) for i in np.flatnonzero(np.isfinite(self.lower))]
        found += [(self.upper[i] - theta[i], -unit[i]) for i in np.flatnonzero(np.isfinite(self.upper))]
        return self._stack(found)

    def defined(self, theta: Array) -> dict[str, Dual]:
        """Value and gradient, shape (P,), of every defined parameter; NaN where it has no value."""
        environment = self._environment(theta)
        return {definition.name: environment[definition.name] for definition in self.definitions}

    def active_jacobian(self, theta: Array, tolerance: float = 1e-7) -> Array:
        """Jacobian of the constraints of the model text that bind at theta, shape (c, P).

        Equalities and active inequalities; bounds of single parameters are left out, as lavaan does, so that an
        estimate at its bound keeps a standard error.
        """
        values, jacobian = (part[: len(self.inequalities)] for part in self.inequality(theta))
        active = jacobian[values <= tolerance * (1.0 + np.abs(jacobian) @ np.abs(theta))]
        return np.vstack([self.equality(theta)[1], active])

    def _environment(self, theta: Array) -> dict[str, Dual]:
        unit = np.eye(self.n_free)
        known: dict[str, Dual] = {label: (float(theta[i]), unit[i]) for label, i in self.labels.items()}
        known |= {label: (value, np.zeros(self.n_free)) for label, value in self.values.items()}
        for definition in self.definitions:
            try:
                known[definition.name] = self._evaluate(definition.expression, definition, known)
            except ModelError:  # not a number: told of a definition, an error where a constraint needs it
                known[definition.name] = (np.nan, np.full(self.n_free, np.nan))
        return known

    def _gap(self, constraint: Constraint, theta: Array) -> Dual:
        known = self._environment(theta)
        left = self._evaluate(constraint.lhs, constraint, known)
        right = self._evaluate(constraint.rhs, constraint, known)
        if not np.isfinite(left[0] - right[0]):
            raise _no_value(constraint, "a part of it is not a number")
        return left[0] - right[0], left[1] - right[1]

    def _evaluate(self, expression: Expression, where: Constraint | Definition, known: Mapping[str, Dual]) -> Dual:
        try:
            value, gradient = differentiate(expression, known)
        except (ValueError, ZeroDivisionError, OverflowError) as error:
            raise _no_value(where, str(error)) from None
        return value, np.broadcast_to(gradient, self.n_free)

    def _stack(self, found: list[Dual]) -> tuple[Array, Array]:
        values = np.array([value for value, _ in found], dtype=float)
        return values, np.array([gradient for _, gradient in found], dtype=float).reshape(len(found), self.n_free)


def _no_value(where: Constraint | Definition, why: str) -> ModelError:
    return ModelError(
        f"{where.place}: '{where}' has no value: {why}",
        allowed="expressions that can be computed at every value the parameters take",
        todo="give starting values with start(), or write the expression differently",
    )


def compile_constraints(table: ParameterTable, model: ModelMap) -> Constraints:
    """Number the labels of a parameter table and collect its constraints, bounds and definitions.

    Raises
    ------
    ModelError
        If a definition mentions an unknown name, or only a later definition.
    """
    lower, upper = np.full(model.n_free, -np.inf), np.full(model.n_free, np.inf)
    index: dict[str, int] = {}
    fixed: dict[str, float] = {}
    for e, row in enumerate(table.rows):
        free = model.free[:, e]
        used = free >= 0
        np.maximum.at(lower, free[used], np.array(row.lower)[used])
        np.minimum.at(upper, free[used], np.array(row.upper)[used])
        for g, label in enumerate(row.label):
            if label and used[g]:
                index[label] = int(free[g])
            elif label:
                fixed[label] = float(model.fixed[g, e])
    labels = {label: index[root] for label, root in table.aliases.items() if root in index}
    values = {label: fixed[root] for label, root in table.aliases.items() if root in fixed}
    return Constraints(
        n_free=model.n_free,
        labels=labels,
        values=values,
        equalities=tuple(c for c in table.constraints if c.op == "=="),
        inequalities=tuple(c for c in table.constraints if c.op != "=="),
        definitions=_in_order(table.definitions, {*labels, *values}),
        lower=lower,
        upper=upper,
    )


def _in_order(definitions: tuple[Definition, ...], labels: set[str]) -> tuple[Definition, ...]:
    """Require that every definition uses labels and what was defined before it."""
    known = set(labels)
    for definition in definitions:
        for name in definition.expression.names:
            if name not in known:
                raise ModelError(
                    f"{definition.place}: '{name}' in '{definition}' is neither the label of a parameter nor defined"
                    " before",
                    allowed=enumerate_briefly(sorted(n for n in known if not n.startswith(".")), 20)
                    or "labels, written as a*x2; this model has none",
                    todo=did_you_mean(name, known) or "put the label in front of the variable, as in 'y ~ a*x'",
                )
        known.add(definition.name)
    return definitions
