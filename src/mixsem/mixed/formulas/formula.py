"""Formulas of mixed models: the response, the fixed part, the random terms.

The bars are read here, word by word, so that every slip has a place and an advice; what is left is a formula that
formulaic understands.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import ModelError, ModelSyntaxError, OptionError
from ...options import shown
from .formula_reader import Reader
from .formula_text import Token, render, scan, variables

__all__ = ["Bar", "MixedFormula", "parse_formula", "plain_columns"]


@dataclass(frozen=True)
class Bar:
    """One random term.

    Attributes
    ----------
    columns
        Left side of the bar, the columns with random coefficients, as in ``"1 + x"``.
    group
        Variables of the grouping factor; more than one for an interaction, as in ``("cask", "batch")``.
    correlated
        False for ``||``: no two of the term's coefficients are correlated, the dummies of a factor neither.
    column
        Where the term stands in the text, counted from 1.
    text
        The term as read, as in ``"(1 | cask:batch)"``.
    """

    columns: str
    group: tuple[str, ...]
    correlated: bool
    column: int
    text: str

    @property
    def group_name(self) -> str:
        """Name of the grouping factor, as in ``"cask:batch"``."""
        return ":".join(self.group)


@dataclass(frozen=True)
class MixedFormula:
    """A formula with at least one random term.

    Attributes
    ----------
    text
        As given.
    response
        Left side; an expression of Python unless it is a column's name.
    fixed
        Right side without random terms and offsets, for formulaic; ``"1"`` if nothing else is left.
    bars
        The random terms in order of appearance, nested ones written out.
    offsets
        What stands in ``offset()``, in order.
    """

    text: str
    response: str
    fixed: str
    bars: tuple[Bar, ...]
    offsets: tuple[str, ...] = ()

    def __str__(self) -> str:
        parts = [self.fixed, *(f"offset({o})" for o in self.offsets), *(bar.text for bar in self.bars)]
        return f"{self.response} ~ {' + '.join(parts)}"

    @property
    def predictors(self) -> tuple[str, ...]:
        """Columns that the fixed part and the left sides of the bars use, in order."""
        found = [name for text in (self.fixed, *(bar.columns for bar in self.bars)) for name in variables(scan(text))]
        return tuple(dict.fromkeys(found))

    @property
    def variables(self) -> tuple[str, ...]:
        """Columns that anything of the formula uses, the response first."""
        outer = [name for text in (self.response, *self.offsets) for name in variables(scan(text))]
        groups = [name for bar in self.bars for name in bar.group]
        return tuple(dict.fromkeys([*outer[:1], *self.predictors, *outer, *groups]))


def parse_formula(text: str) -> MixedFormula:
    """Read a formula such as ``"y ~ x + (x | g)"``, with the operators that lme4 and formulaic know.

    ``(x | g)`` gives each level of ``g`` an intercept and a slope, correlated; ``(x || g)`` the same without
    correlations; ``(1 | a/b)`` is ``(1 | b:a) + (1 | a)``. Names that are no names of Python or R stand in backquotes.
    Inside function calls ``^`` is a power, as in ``I(x^2)``; ``factor(x)`` is ``C(x)``.

    Parameters
    ----------
    text
        The formula.

    Returns
    -------
    MixedFormula
        Its parts.

    Raises
    ------
    ModelSyntaxError
        If it cannot be read: with line, column and what to write instead.
    ModelError
        If a random term is there twice.

    Examples
    --------
    >>> formula = parse_formula("y ~ 0 + x + offset(log(n)) + (1 | a/b) + (x || c)")
    >>> formula.response, formula.fixed, formula.offsets
    ('y', '0 + x', ('log(n)',))
    >>> [(bar.columns, bar.group_name, bar.correlated) for bar in formula.bars]
    [('1', 'b:a', True), ('1', 'a', True), ('x', 'c', False)]

    Source
    ------
    Bates, Mächler, Bolker & Walker (2015), Fitting linear mixed-effects models using lme4. Journal of Statistical
    Software 67(1), section 2.
    """
    if not isinstance(text, str):
        raise OptionError(f"formula={shown(text)}", allowed="a text such as 'y ~ x + (x | g)'", todo="give a text")
    tokens = scan(text)
    tilde = _tilde(text, tokens)
    left, right = Reader(text, (*tokens[:tilde], _end(tokens[tilde]))), Reader(text, tokens[tilde + 1 :])
    response = left.response()
    fixed: list[str] = []
    bars: list[Bar] = []
    offsets: list[str] = []
    for summand in right.summands():
        if summand.kind == "bar":
            bars += _bars(right, summand.tokens)
        elif summand.kind == "offset":
            offsets.append(render(summand.tokens, arithmetic=True))
        else:
            fixed.append(f"{summand.sign} {render(summand.tokens)}")
    if not bars:
        raise right.error(
            "the formula has no random term",
            at=tokens[-1],
            allowed="random terms in parentheses, as in y ~ x + (1 | g)",
            todo="add one; for a model without random effects use an ordinary regression",
        )
    _refuse_repeated(bars)
    rhs = " ".join(fixed).removeprefix("+ ") or "1"
    return MixedFormula(text, response, rhs, tuple(bars), tuple(offsets))


def _end(token: Token) -> Token:
    return Token("end", "", token.line, token.column)


def _tilde(text: str, tokens: tuple[Token, ...]) -> int:
    """Position of the one ``~``."""
    reader = Reader(text, tokens)
    reader.check_brackets()
    found = [i for i, token in enumerate(tokens) if token.text == "~"]
    example = "response ~ predictors + (1 | group)"
    if not found:
        equals = next((t for t, depth in reader.depths(0, len(tokens)) if t.text == "=" and depth == 0), None)
        if equals is not None:
            raise reader.error("'=' is no part of a formula", at=equals, allowed=example, todo="did you mean '~'?")
        raise reader.error("the formula has no '~', so no response", at=tokens[0], allowed=example, todo="begin 'y ~'")
    if found[0] == 0:
        raise reader.error(
            "nothing stands before '~': the formula has no response", at=tokens[0], allowed=example, todo="begin 'y ~'"
        )
    if len(found) > 1:
        raise reader.error("a second '~'", at=tokens[found[1]], allowed=example, todo="keep the first one only")
    return found[0]


def _bars(reader: Reader, tokens: tuple[Token, ...]) -> list[Bar]:
    """The random terms of one pair of parentheses: several if the grouping is nested."""
    opening = tokens[0]
    inner = tokens[1:-1]
    depths = Reader(reader.text, inner).depths(0, len(inner))
    at = next(i for i, (token, depth) in enumerate(depths) if token.text in ("|", "||") and depth == 0)
    bar = inner[at]
    left = Reader(reader.text, (*inner[:at], _end(bar)))
    right = Reader(reader.text, (*inner[at + 1 :], _end(tokens[-1])))
    columns = " ".join(f"{s.sign} {render(s.tokens)}" for s in left.coefficients()).removeprefix("+ ")
    found = []
    for group in right.grouping():
        shown = ":".join(name if name.isidentifier() else f"`{name}`" for name in group)
        written = f"({columns} {bar.text} {shown})"
        found.append(Bar(columns, group, bar.text == "|", opening.column, written))
    return found


def _refuse_repeated(bars: list[Bar]) -> None:
    seen: dict[tuple[str, frozenset[str]], Bar] = {}
    for bar in bars:
        key = (bar.columns, frozenset(bar.group))
        if key in seen:
            raise ModelError(
                f"the random term {bar.text} is there twice (columns {seen[key].column} and {bar.column})",
                allowed="each term once; (1 | a/b) stands for (1 | b:a) + (1 | a)",
                todo="take one of the two out",
            )
        seen[key] = bar


def plain_columns(text: str) -> tuple[bool, tuple[str, ...]] | None:
    """Whether there is an intercept, and the names, if the text is a sum of columns; None for anything else.

    Examples
    --------
    >>> plain_columns("0 + x + z"), plain_columns("x * z")
    ((False, ('x', 'z')), None)
    """
    try:
        summands = Reader(text, scan(text)).coefficients()
    except ModelSyntaxError:  # formulaic's own braces and the like
        return None
    intercept, names = True, []
    for summand in summands:
        if len(summand.tokens) != 1:
            return None
        token = summand.tokens[0]
        if token.is_name and summand.sign == "+":
            names.append(token.value)
        elif token.text in ("0", "1"):
            intercept = (token.text == "1") == (summand.sign == "+")
        else:
            return None
    return intercept, tuple(dict.fromkeys(names))
