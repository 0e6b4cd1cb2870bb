"""What a formula may compute: a formula is evaluated as Python, so that only what is listed here may stand in it.

A formula may come from somebody else, in a study plan or a file. It may compute with columns; it may not call anything
that opens files, imports modules or runs for hours.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from .errors import ModelError, did_you_mean, enumerate_briefly

if TYPE_CHECKING:
    from formulaic import SimpleFormula

__all__ = ["LONGEST", "MOST_TERMS", "refuse_large", "refuse_unsafe"]


#: Makes a number of a condition; written by this package, not by users.
_AS_NUMBER = "number__"
#: Characters of a formula.
LONGEST = 20_000
#: Products that formulaic goes through when it multiplies out: tenths of a second at most.
MOST_TERMS = 20_000
#: Degree of a polynomial, columns of a spline.
_MOST_COLUMNS = 100
#: Levels of nesting inside calls, where Python's own reading is still far from its limit.
_DEEPEST = 50

# fmt: off
_ONE = (
    "abs", "absolute", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctanh", "cbrt", "ceil", "ceiling",
    "cos", "cosh", "deg2rad", "degrees", "exp", "exp2", "expm1", "fabs", "floor", "isfinite", "isinf", "isnan",
    "log", "log10", "log1p", "log2", "logical_not", "negative", "number__", "positive", "rad2deg", "radians",
    "reciprocal", "rint", "sign", "sin", "sinh", "sqrt", "square", "tan", "tanh", "trunc",
)
_TWO = (
    "arctan2", "copysign", "divide", "equal", "float_power", "floor_divide", "fmax", "fmin", "fmod", "greater",
    "greater_equal", "heaviside", "hypot", "isin", "less", "less_equal", "logaddexp", "logaddexp2",
    "logical_and", "logical_or", "logical_xor", "maximum", "minimum", "mod", "multiply", "not_equal", "power",
    "remainder", "round", "subtract", "add", "true_divide",
)
# fmt: on
#: Functions of NumPy that compute a row from the same row: name and most arguments. One more would be `out`.
_OF_ROWS: Mapping[str, int] = {**dict.fromkeys(_ONE, 1), **dict.fromkeys(_TWO, 2), "clip": 3, "where": 3}
# fmt: off
#: Those that need no `np.`: what formulaic and this package bring along.
_BARE = (
    "abs", "ceiling", "cos", "exp", "exp2", "expm1", "floor", "log", "log10", "log1p", "log2", "number__",
    "round", "sin", "sqrt", "tan",
)
#: Functions that make columns: splines, categories and their contrasts.
_MAKERS = (
    "C", "I", "bs", "c", "cc", "center", "cr", "cs", "poly", "scale", "standardize", "Treatment", "Sum",
    "Helmert", "Poly", "Diff",
)
# fmt: on
_COLUMNS_OF = frozenset(("bs", "cc", "cr", "cs", "poly"))
_CONTRASTS = frozenset(("SAS", "diff", "helmert", "poly", "sum", "treatment", "custom"))
_CONSTANTS = frozenset(("pi", "e", "inf", "nan"))

_NODES = (
    *(ast.Expression, ast.Call, ast.Name, ast.Attribute, ast.Constant, ast.List, ast.Tuple, ast.Dict, ast.keyword),
    *(ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.Load, ast.unaryop, ast.boolop, ast.cmpop),
    *(ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.BitAnd, ast.BitOr, ast.BitXor),
)
_ARITHMETIC: Mapping[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
    ast.FloorDiv: lambda a, b: a // b,
    ast.Mod: lambda a, b: a % b,
    ast.Pow: math.pow,
}

_WORD = re.compile(r"""`[^`]*`|"[^"]*"|'[^']*'|\*\*|[-+*/:^()|~]|[^\s\-+*/:^()|~`"']+|\s+""")


class _Unsafe(Exception):
    """What is wrong, what to do."""


def refuse_unsafe(parsed: SimpleFormula, text: str, todo: str = "") -> None:
    """Raise unless every factor of a parsed formula computes with columns and listed functions only.

    Parameters
    ----------
    parsed
        As formulaic parsed it: what is checked is what will be evaluated, not what the text seems to say.
    text
        The formula, for the message.
    todo
        What to do instead, where the caller knows.

    Raises
    ------
    ModelError
        With the function or the sign that is not allowed.

    Examples
    --------
    >>> from formulaic import Formula
    >>> refuse_unsafe(Formula("x + log(z)"), "x + log(z)")
    >>> refuse_unsafe(Formula("x + I(open('file'))"), "x + I(open('file'))")
    Traceback (most recent call last):
    ...
    mixsem.errors.ModelError: open() in the formula "x + I(open('file'))" is no function that a formula can use
    ...
    """
    for factor in dict.fromkeys(factor for term in parsed for factor in term.factors):
        if factor.eval_method is not None and factor.eval_method.value == "lookup":
            continue
        try:
            for node in ast.walk(_tree(factor.expr)):
                _check(node)
        except _Unsafe as found:
            got, *advice = found.args
            what = "function" if got.endswith("()") else "part"
            raise ModelError(
                f"{got} in the formula {_short(text)} is no {what} that a formula can use",
                allowed=f"arithmetic and {enumerate_briefly(sorted({*_BARE, *_MAKERS} - {_AS_NUMBER}), 40)};"
                " functions of one row with np. in front, as in np.maximum(x, 0)",
                todo=todo or next(filter(None, advice), "make the expression a column of the table first"),
            ) from None
        except Exception:  # formulaic and Python raise whatever they stumble over
            raise ModelError(
                f"{_short(factor.expr)} in the formula {_short(text)} cannot be read",
                allowed="arithmetic with columns, and calls of functions",
                todo=todo or "make the expression a column of the table first",
            ) from None


def refuse_large(text: str) -> None:
    """Raise if a formula is so long, or multiplies out to so many terms, that reading it would take minutes.

    Examples
    --------
    >>> refuse_large("(a + b + c)^2 * d")
    >>> refuse_large("(" + " + ".join(f"x{i}" for i in range(100)) + ")^9")
    Traceback (most recent call last):
    ...
    mixsem.errors.ModelError: the formula '(x0 + x1 + ...' multiplies out to too many terms
    ...
    """
    if len(text) > LONGEST:
        raise ModelError(f"the formula {_short(text)} has {len(text):,} characters", allowed=f"{LONGEST:,} or fewer")
    words = [word for word in _WORD.findall(text) if not word.isspace()]
    signs = (all(word in ("+", "-") for word in words[i : i + 3]) for i in range(len(words) - 2))
    if any(signs):  # formulaic takes twice as long for each
        raise ModelError(f"the formula {_short(text)} has three signs in a row", todo="keep one of them")
    if _deepest(words) > _DEEPEST:
        raise ModelError(f"the formula {_short(text)} is nested too deeply", allowed=f"{_DEEPEST} levels")
    if _Size(words).sum() > MOST_TERMS:
        raise ModelError(
            f"the formula {_short(text)} multiplies out to too many terms",
            allowed=f"about {MOST_TERMS:,} products",
            todo="use fewer predictors in one product, or a smaller power",
        )


def _short(text: str) -> str:
    return repr(text if len(text) <= 120 else f"{text[:40]}...")


def _tree(expression: str) -> ast.Expression:
    from formulaic.utils.code import sanitize_variable_names

    return ast.parse(sanitize_variable_names(expression, {}, {}), mode="eval")


def _check(node: ast.AST) -> None:
    match node:
        case ast.Call():
            _check_call(node)
        case ast.Attribute():
            _check_attribute(node)
        case ast.Name(id=name) if name.startswith("__"):
            raise _Unsafe(f"the name {name}")
        case ast.keyword(arg=name) if name is None or name.startswith("_"):
            raise _Unsafe(f"the argument {name or '**'}")
        case ast.Constant(value=value) if not isinstance(value, str | int | float | bool | None):
            raise _Unsafe(f"{value!r}")
        case ast.BinOp(left=left, right=right):
            if any(isinstance(n, ast.List | ast.Tuple | ast.Dict) or _is_text(n) for n in (left, right)):
                raise _Unsafe(f"arithmetic with lists or texts, {ast.unparse(node)!r},")
            # Python computes with whole numbers of any length: 9**9**9 would take days.
            _constant(node)
        case _ if not isinstance(node, _NODES):
            raise _Unsafe(f"Python's {type(node).__name__}")


def _check_call(call: ast.Call) -> None:
    name = ast.unparse(call.func)
    known = name in _BARE or name in _MAKERS
    match call.func:
        case ast.Attribute(value=ast.Name(id="np"), attr=attribute):
            known = attribute in _OF_ROWS and attribute not in (_AS_NUMBER, "ceiling")
        case ast.Attribute(value=ast.Name(id="contr"), attr=attribute):
            known = attribute in _CONTRASTS
    if not known:
        raise _Unsafe(f"{name[:60]}()", did_you_mean(name, (*_BARE, *_MAKERS, *(f"np.{n}" for n in _OF_ROWS))))
    most = _OF_ROWS.get(name.removeprefix("np."))
    if most is not None and (len(call.args) > most or call.keywords):
        raise _Unsafe(f"{name}() with more than {most} argument{'s' * (most > 1)}, or with named ones,")
    if name in _COLUMNS_OF:
        counts = [*call.args[1:2], *(k.value for k in call.keywords if k.arg in ("df", "degree"))]
        for count in (_constant(node) for node in counts):
            if count is not None and not (name == "poly") <= count <= _MOST_COLUMNS:
                raise _Unsafe(f"{name}() with {count:g} columns", f"use 1 to {_MOST_COLUMNS}")


def _check_attribute(node: ast.Attribute) -> None:
    """A dot leads to a function of NumPy, a constant or a contrast, and nowhere else."""
    match node:
        case ast.Attribute(value=ast.Name(id="np"), attr=name) if name in _OF_ROWS or name in _CONSTANTS:
            return
        case ast.Attribute(value=ast.Name(id="contr"), attr=name) if name in _CONTRASTS:
            return
    raise _Unsafe(f"{ast.unparse(node)[:60]!r}")


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _constant(node: ast.AST) -> float | None:
    """Value of arithmetic without columns, None with them; raises where it is no finite number."""
    try:
        match node:
            case ast.Constant(value=int() | float() as value):
                return float(value)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                inner = _constant(operand)
                return None if inner is None else -inner
            case ast.BinOp(left=left, op=op, right=right):
                a, b = _constant(left), _constant(right)
                if a is None or b is None or type(op) not in _ARITHMETIC:
                    return None
                value = _ARITHMETIC[type(op)](a, b)
                if math.isfinite(value):
                    return value
                raise OverflowError
    except (ArithmeticError, ValueError):
        raise _Unsafe(f"{ast.unparse(node)[:60]!r}, which is no finite number,") from None
    return None


def _deepest(words: list[str]) -> int:
    depth = deepest = 0
    for word in words:
        depth += (word == "(") - (word == ")")
        deepest = max(deepest, depth)
    return deepest


class _Size:
    """Counts the products that a formula multiplies out to, without making them; never less than there are."""

    def __init__(self, words: list[str]) -> None:
        self.words, self.at = [*words, ""], 0

    def _next(self) -> str:
        word = self.words[self.at]
        self.at += word != ""
        return word

    def _accept(self, *signs: str) -> bool:
        return self.words[self.at] in signs and bool(self._next())

    def sum(self) -> float:
        """Up to the parenthesis that closes, or the end; whatever joins is taken for a plus."""
        total = self._product()
        while self.words[self.at] not in ("", ")"):
            self._next()
            total += self._product()
        return total

    def _product(self) -> float:
        size = self._interaction()
        while self._accept("*", "/"):
            other = self._interaction()
            size += other + size * other
        return size

    def _interaction(self) -> float:
        size = self._power()
        while self._accept(":"):
            size *= self._power()
        return size

    def _power(self) -> float:
        size = self._operand()
        while self._accept("^", "**"):
            exponent = self._next()
            if exponent.isascii() and exponent.isdecimal():  # a power of one term is multiplied out too
                size = 10.0 ** min(100.0, min(float(exponent), 100.0) * math.log10(max(size, 2.0)))
        return size

    def _operand(self) -> float:
        while self._accept("+", "-"):
            pass
        if self._accept("("):
            size = self.sum()
            self._accept(")")
            return size
        if self.words[self.at] not in ("", ")"):
            self._next()
        if self._accept("("):  # a call is one factor, whatever stands in it
            depth = 1
            while depth and (word := self._next()):
                depth += (word == "(") - (word == ")")
        return 1.0
