"""Variations of a formula, as R's update() writes them: ``". ~ . + x - (1 | g)"``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...errors import ModelSyntaxError, did_you_mean, enumerate_briefly
from .formula import Bar, MixedFormula, parse_formula
from .formula_reader import Reader
from .formula_text import Token, is_call, render, scan, variables

__all__ = ["update_formula"]


@dataclass(frozen=True)
class _Piece:
    """What stands between two signs of the right side."""

    sign: str
    tokens: tuple[Token, ...]

    @property
    def text(self) -> str:
        return render(self.tokens)


def update_formula(old: MixedFormula, change: str) -> str:
    """Write a formula anew.

    Parameters
    ----------
    old
        The formula that the dots stand for.
    change
        The change. A dot on the left is the old response, a dot on the right all that stood there; what follows is
        added or, after a minus, taken away: fixed effects, random terms, offsets. Without a dot on the right the
        right side is new. A left side that is empty is the old response.

    Returns
    -------
    str
        The new formula.

    Raises
    ------
    ModelSyntaxError
        If the change cannot be read, or takes away what is not there.

    Examples
    --------
    >>> old = parse_formula("y ~ x + (1 | g) + (1 | h)")
    >>> update_formula(old, "~ . + z - (1 | g)"), update_formula(old, "log(.) ~ . - x")
    ('y ~ x + z + (1 | h)', 'log(y) ~ 1 + (1 | g) + (1 | h)')
    """
    tokens = scan(change)
    reader = Reader(change, tokens)
    reader.check_brackets()
    tildes = [i for i, token in enumerate(tokens) if token.text == "~"]
    if len(tildes) != 1:
        raise reader.error(
            "a change of a formula has one '~'", allowed="such as '. ~ . + x' or '~ . - (1 | g)'", todo="begin '. ~ .'"
        )
    response = _response(old, tokens[: tildes[0]])
    fixed, bars, offsets = _right(old, Reader(change, tokens[tildes[0] + 1 :]))
    parts = [*fixed, *(f"+ offset({text})" for text in offsets), *(f"+ {bar.text}" for bar in bars)]
    rest = " ".join(parts).removeprefix("+ ")
    return f"{response} ~ {rest if fixed else f'1 + {rest}'}"


def _response(old: MixedFormula, tokens: Sequence[Token]) -> str:
    if not tokens:
        return old.response
    words = [old.response if token.text == "." else None for token in tokens]
    if all(word is None for word in words):
        return render(tokens, arithmetic=True)
    whole = scan(old.response)[:-1]
    put = whole if len(tokens) == 1 or len(whole) == 1 else scan(f"({old.response})")[:-1]
    filled = [t for token in tokens for t in (put if token.text == "." else (token,))]
    return render(filled, arithmetic=True)


def _right(old: MixedFormula, reader: Reader) -> tuple[list[str], list[Bar], list[str]]:
    """Signed fixed effects, random terms and offsets."""
    fixed: list[str] = []
    bars: list[Bar] = []
    offsets: list[str] = []
    for piece in _pieces(reader):
        if piece.text in (".", "`.`"):
            if piece.sign == "-":
                raise reader.error("the old formula is taken away", at=piece.tokens[0], todo="write the new one alone")
            fixed += [f"{p.sign} {p.text}" for p in _pieces(Reader(old.fixed, scan(old.fixed)))]
            bars += old.bars
            offsets += old.offsets
        elif any(token.text == "." for token in piece.tokens):
            raise reader.error("'.' within a term", at=piece.tokens[0], todo="write '.' on its own: . + x:z")
        elif _is_bar(piece.tokens):
            _change_bars(bars, piece, reader)
        elif is_call(piece.tokens, 0) and piece.tokens[0].text == "offset":
            _change(offsets, render(piece.tokens[2:-1], arithmetic=True), piece, reader, "offset")
        else:
            _change_fixed(fixed, old, piece, reader)
    return fixed, bars, offsets


def _pieces(reader: Reader) -> list[_Piece]:
    """Split at the plus and minus signs that stand outside brackets."""
    found: list[_Piece] = []
    sign, words = "+", list[Token]()
    last = reader.tokens[:-1][-1:]
    if not last or last[0].text in ("+", "-"):
        raise reader.error("something is missing here", at=reader.tokens[-1], allowed="such as '. ~ . + x'")
    for token, depth in reader.depths(0, len(reader.tokens) - 1):
        if token.text in ("+", "-") and depth == 0:
            if not words and (found or sign == "-"):
                raise reader.error("two signs in a row", at=token, todo="keep one of them")
            if words:
                found.append(_Piece(sign, tuple(words)))
            sign, words = token.text, []
        else:
            words.append(token)
    return [*found, _Piece(sign, tuple(words))]


def _is_bar(tokens: Sequence[Token]) -> bool:
    # bars inside function calls are or-signs
    return tokens[0].text == "(" and any(token.text in ("|", "||") for token in tokens)


def _change_bars(bars: list[Bar], piece: _Piece, reader: Reader) -> None:
    for bar in parse_formula(f"y ~ {piece.text}").bars:
        if piece.sign == "+":
            bars.append(bar)
            continue
        same = [b for b in bars if _key(b) == _key(bar)]
        if not same:
            raise _absent(reader, piece, f"the random term {bar.text}", [b.text for b in bars])
        bars.remove(same[0])


def _key(bar: Bar) -> tuple[str, frozenset[str], bool]:
    return bar.columns.removeprefix("1 + "), frozenset(bar.group), bar.correlated


def _change(kept: list[str], text: str, piece: _Piece, reader: Reader, what: str) -> None:
    if piece.sign == "+":
        kept.append(text)
    elif text in kept:
        kept.remove(text)
    else:
        raise _absent(reader, piece, f"the {what} {text}", kept)


def _change_fixed(fixed: list[str], old: MixedFormula, piece: _Piece, reader: Reader) -> None:
    """Add, or take away: a summand that is there goes, part of a product such as ``x * z`` is subtracted."""
    if piece.sign == "-" and piece.text != "1" and f"+ {piece.text}" in fixed:
        fixed.remove(f"+ {piece.text}")
    elif piece.sign == "-" and (strange := [v for v in variables(piece.tokens) if v not in old.predictors]):
        raise _absent(reader, piece, strange[0], old.predictors)
    else:
        fixed.append(f"{piece.sign} {piece.text}")


def _absent(reader: Reader, piece: _Piece, what: str, there: Sequence[str]) -> ModelSyntaxError:
    return reader.error(
        f"{what} is taken away but not there",
        at=piece.tokens[0],
        allowed=enumerate_briefly(there) or "nothing is left to take away",
        todo=did_you_mean(piece.text, there),
    )
