"""Words that formulaic would take for something else: columns named as functions are, conditions that are added up."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from .formula_text import Token, is_call, scan

__all__ = ["AS_NUMBER", "named_back", "shielded_columns", "shielded_text", "whole_column_calls"]

#: What is put behind the name of a column that a function of the same name would be lost for.
_COLUMN = "__column"
#: The function that makes a number of a condition: Python takes the sum of two conditions for an "or".
AS_NUMBER = "number__"

#: Functions whose value for a row depends on the other rows.
_WHOLE = frozenset(("min", "max", "mean", "median", "mode", "std", "var", "sd", "sum", "prod", "len", "ptp", "average"))
_WHOLE |= frozenset(
    ("nanmin", "nanmax", "nanmean", "nanmedian", "nanstd", "nanvar", "nansum", "quantile", "percentile")
)
_WHOLE |= frozenset(("cumsum", "cumprod", "cummax", "cummin", "diff", "shift", "lag", "rank", "argsort", "sort"))
_CONDITIONS = frozenset(("==", "!=", "<", ">", "<=", ">=", "&", "|"))
_ARITHMETIC = frozenset(("+", "-", "*", "/", "**", "//", "%"))


def shielded_text(text: str) -> str:
    """A right-hand side in which columns and functions have different names, and conditions that are added are numbers.

    Examples
    --------
    >>> shielded_text("C + C(f) + I((x > 1) + (z > 2))")
    'C__column + C(f) + I(number__(x > 1) + number__(z > 2))'
    """
    tokens = scan(text)
    hidden = _called(tokens)
    changes = [(i, f"{t.value}{_COLUMN}", len(t.text)) for i, t in enumerate(tokens) if _is_column(tokens, i, hidden)]
    changes += [(i, f"{AS_NUMBER}(", 1) for i in _added_conditions(tokens)]
    for i, words, length in sorted(changes, reverse=True):
        begin = tokens[i].column - 1
        text = text[:begin] + words + text[begin + length :]
    return text


def shielded_columns(text: str, frame: pd.DataFrame) -> pd.DataFrame:
    """The columns of a table by the names that the shielded text has for them."""
    hidden = _called(scan(text)) & set(frame.columns)
    return frame.rename(columns={name: f"{name}{_COLUMN}" for name in hidden}) if hidden else frame


def named_back(name: str) -> str:
    """The name of a column of the design in the user's words."""
    return name.replace(_COLUMN, "").replace(f"{AS_NUMBER}(", "(")


def whole_column_calls(text: str) -> list[str]:
    """Calls of functions that depend on all rows together, such as ``mean(x)``, ``np.mean(x)`` and ``x.mean()``.

    Examples
    --------
    >>> whole_column_calls("I(x - np.mean(x)) + scale(x)")
    ['np.mean']
    """
    tokens = scan(text)
    names = [token.text for i, token in enumerate(tokens) if is_call(tokens, i)]
    return [name for name in names if name.split(".")[-1] in _WHOLE]


def _called(tokens: Sequence[Token]) -> frozenset[str]:
    """Names of functions that are called, and of modules: the first parts of names with dots."""
    names = [t.text for i, t in enumerate(tokens) if t.kind == "name" and (is_call(tokens, i) or "." in t.text)]
    return frozenset(name.split(".")[0] for name in names)


def _is_column(tokens: Sequence[Token], i: int, hidden: frozenset[str]) -> bool:
    token = tokens[i]
    return token.is_name and token.value in hidden and not is_call(tokens, i) and tokens[i + 1].text != "="


def _added_conditions(tokens: Sequence[Token]) -> list[int]:
    """Positions of parentheses, inside calls, that hold a condition and stand beside an arithmetic sign."""
    found: list[int] = []
    # one entry per open bracket: where it is, whether it is that of a call, whether a condition was met within
    opened: list[tuple[int, bool, bool]] = []
    for i, token in enumerate(tokens):
        if token.text in ("(", "[", "{"):
            opened.append((i, i > 0 and is_call(tokens, i - 1), False))
        elif token.text in (")", "]", "}") and opened:
            begin, called, condition = opened.pop()
            beside = {tokens[begin - 1].text if begin else "", tokens[i + 1].text}
            inside = any(call for _, call, _ in opened)
            if condition and inside and not called and beside & _ARITHMETIC:
                found.append(begin)
        elif token.text in _CONDITIONS and opened:
            opened[-1] = (*opened[-1][:2], True)
    return found
