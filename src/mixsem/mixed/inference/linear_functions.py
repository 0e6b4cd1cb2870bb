"""Linear functions of the fixed effects: as a matrix, by names, or as equations in text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import ModelSyntaxError, OptionError, did_you_mean, enumerate_briefly

__all__ = ["LinearFunctions", "linear_functions"]

Array = NDArray[np.float64]
Weights = Mapping[str, float]
LinearFunctions = ArrayLike | str | Weights | Sequence[str] | Mapping[str, "str | Weights | ArrayLike"]

_NUMBER = re.compile(r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


def linear_functions(L: LinearFunctions, names: Sequence[str]) -> tuple[Array, Array, tuple[str, ...]]:
    """Read linear functions of coefficients.

    Parameters
    ----------
    L
        Rows of weights, shape (m, p) or (p,); weights by name of the coefficient; an equation such as
        ``"x - 2 * z = 0"``, several of them separated by ``;`` or in a list; or a mapping from labels to any of these,
        one function each.
    names
        The coefficients.

    Returns
    -------
    NDArray
        The weights, shape (m, p).
    NDArray
        What equations have on their right, shape (m,).
    tuple of str
        Labels.

    Examples
    --------
    >>> linear_functions("a - 2*b = 1; b", ("a", "b"))
    (array([[ 1., -2.],
           [ 0.,  1.]]), array([1., 0.]), ('a - 2*b = 1', 'b'))
    """
    if isinstance(L, str):
        L = [part.strip() for part in L.split(";") if part.strip()]
    if isinstance(L, Mapping):
        if all(isinstance(value, int | float | np.number) for value in L.values()):
            row = _by_name(L, names)  # type: ignore[arg-type]
            return row[None], np.zeros(1), (_label(row, names),)
        parts = [linear_functions(value, names) for value in L.values()]
        for label, (rows, _, _) in zip(L, parts, strict=True):
            if len(rows) != 1:
                raise OptionError(f"{label!r} stands for {len(rows)} functions", allowed="one function per label")
        labels = tuple(str(label) for label in L)
        return np.concatenate([rows for rows, _, _ in parts]), np.concatenate([r for _, r, _ in parts]), labels
    if isinstance(L, Sequence) and len(L) and all(isinstance(part, str) for part in L):
        read = [_equation(str(part), names) for part in L]
        return np.array([row for row, _ in read]), np.array([rhs for _, rhs in read]), tuple(str(part) for part in L)
    rows = _matrix(L, names)
    return rows, np.zeros(len(rows)), tuple(_label(row, names) for row in rows)


def _matrix(L: ArrayLike, names: Sequence[str]) -> Array:
    try:
        rows = np.atleast_2d(np.asarray(L, dtype=float))
    except (TypeError, ValueError):
        rows = np.empty((0, 0))
    if rows.ndim != 2 or not rows.size or rows.shape[1] != len(names) or not np.isfinite(rows).all():
        raise OptionError(
            f"L of shape {np.shape(rows)}" if rows.size else f"L={L!r}",
            allowed=f"{len(names)} finite weights per row, one for each of {enumerate_briefly(names)}",
            todo="or write the function as text, such as 'a - b = 0'",
        )
    return rows


def _by_name(weights: Weights, names: Sequence[str]) -> Array:
    row = np.zeros(len(names))
    for name, weight in weights.items():
        if name not in names:
            raise OptionError(
                f"there is no coefficient {name!r}",
                allowed=enumerate_briefly(names, limit=20),
                todo=did_you_mean(str(name), names),
            )
        row[names.index(name)] = weight
    return row


def _label(row: Array, names: Sequence[str]) -> str:
    parts = [(w, n) for w, n in zip(row, names, strict=True) if w != 0.0]
    text = "".join(
        f" {'-' if w < 0 else '+'} {'' if abs(w) == 1 else f'{abs(w):.4g} '}{name}" for w, name in parts
    ).strip()
    return text.removeprefix("+ ") or "0"


def _equation(text: str, names: Sequence[str]) -> tuple[Array, float]:
    """Weights of the left side less those of the right, and the number they are to equal."""
    ordered = sorted(names, key=len, reverse=True)
    row, constant = np.zeros(len(names)), 0.0
    side, at, equations = 1.0, 0, 0
    expecting = True  # a summand, not an operator
    sign = 1.0
    while (at := _skip(text, at)) < len(text):
        if not expecting:
            operator = re.match(r"==?|[+\-]", text[at:])
            if operator is None:
                raise _unreadable(text, at, "+, - or = is missing here", names)
            found = operator.group()
            if found.startswith("="):
                side, sign, equations = -1.0, 1.0, equations + 1
                if equations > 1:
                    raise _unreadable(text, at, "a second = in one equation", names)
            else:
                sign = -1.0 if found == "-" else 1.0
            at, expecting = at + operator.end(), True
            continue
        if text[at] in "+-":
            sign *= -1.0 if text[at] == "-" else 1.0
            at += 1
            continue
        at, weight, name = _summand(text, at, ordered, names)
        if name is None:
            constant += side * sign * weight
        else:
            row[names.index(name)] += side * sign * weight
        sign, expecting = 1.0, False
    if expecting:
        raise _unreadable(text, len(text), "a coefficient or a number is missing at the end", names)
    if not row.any():
        raise _unreadable(text, 0, "the equation has no coefficient", names)
    return row, 0.0 - constant


def _summand(text: str, at: int, ordered: Sequence[str], names: Sequence[str]) -> tuple[int, float, str | None]:
    """A product of numbers and at most one coefficient: where it ends, its weight, and its name."""
    weight, name, power = 1.0, None, 1.0
    while True:
        at = _skip(text, at)
        found = _name_at(text, at, ordered)
        number = _NUMBER.match(text, at)
        if found is not None:
            if name is not None or power < 0:
                raise _unreadable(text, at, "a product or ratio of coefficients is not linear", names)
            name, at = found[0], at + found[1]
        elif number is not None:
            if power < 0 and float(number.group()) == 0.0:
                raise _unreadable(text, at, "a division by 0", names)
            weight *= float(number.group()) ** power
            at = number.end()
        else:
            raise _unreadable(text, at, "there is no coefficient of this name", names)
        after = _skip(text, at)
        if after >= len(text) or text[after] not in "*/":
            return at, weight, name
        power, at = (1.0 if text[after] == "*" else -1.0), after + 1


def _name_at(text: str, at: int, ordered: Sequence[str]) -> tuple[str, int] | None:
    """The longest coefficient whose name begins here, and the length of what is written; names may have backquotes."""
    if text[at : at + 1] == "`" and "`" in text[at + 1 :]:
        quoted = text[at + 1 : text.index("`", at + 1)]
        return (quoted, len(quoted) + 2) if quoted in ordered else None
    for name in ordered:
        end = at + len(name)
        after = text[end : end + 1]
        cut = (name[-1:].isalnum() and after.isalnum()) or after in ("_", ".", "[", ":")
        if text.startswith(name, at) and not cut:
            return name, len(name)
    return None


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at


def _unreadable(text: str, at: int, got: str, names: Sequence[str]) -> ModelSyntaxError:
    line = text.count("\n", 0, at) + 1
    column = at - (text.rfind("\n", 0, at) + 1) + 1
    word = re.match(r"[\w.]+", text[at:])
    return ModelSyntaxError(
        got,
        text=text,
        line=line,
        column=column,
        allowed=f"sums of numbers times coefficients, which are {enumerate_briefly(names, limit=20)}",
        todo=did_you_mean(word.group(), names) if word else "",
    )
