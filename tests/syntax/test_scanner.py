"""Tokens and statements: what is a word, where it stands, and where a statement ends."""

from __future__ import annotations

import pytest

from mixsem.errors import ModelSyntaxError
from mixsem.syntax.scanner import scan, statements


def words(text: str) -> list[str]:
    return [token.text for token in scan(text) if token.kind != "newline"]


def lines(text: str) -> list[str]:
    return [" ".join(token.text for token in statement[:-1]) for statement in statements(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("f=~x1+x2", ["f", "=~", "x1", "+", "x2"]),
        ("u~*~u", ["u", "~*~", "u"]),
        ("a:=b", ["a", ":=", "b"]),
        ("a:b", ["a", ":", "b"]),
        ("a:~b", ["a", ":~", "b"]),
        ("x|~y", ["x", "|~", "y"]),
        ("f<~x", ["f", "<~", "x"]),
        ("x~~y", ["x", "~~", "y"]),
        ("a==-1", ["a", "==", "-", "1"]),
        ("f=~-1*x", ["f", "=~", "-", "1", "*", "x"]),
        ("2**3^4", ["2", "**", "3", "^", "4"]),
        (".5?x", [".5", "?", "x"]),
        ("1e-3*x 1.E+2*y 4L", ["1e-3", "*", "x", "1.E+2", "*", "y", "4L"]),
        (".x _y x.1 .. ._", [".x", "_y", "x.1", "..", "._"]),
        ("größe 因子 x\u0301 नमस्ते", ["größe", "因子", "x\u0301", "नमस्ते"]),
        ("\ufeffF =~ x\u00a0+ y", ["F", "=~", "x", "+", "y"]),
        ("y \u02dc x", ["y", "~", "x"]),  # the small tilde that some locales write
        ("'a b' \"c#d!e\" '\"'", ["'a b'", '"c#d!e"', "'\"'"]),
        ("a # b 'c\nd ! e \"f\ng", ["a", "d", "g"]),
        ("a#b", ["a"]),
        ("", []),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert words(text) == expected


def test_each_word_knows_its_place() -> None:
    text = 'F =~ x1 +\n\n\t "a b"*größe ; G'
    places = [(t.kind, t.text, t.line, t.column) for t in scan(text)]
    assert places == [
        ("name", "F", 1, 1),
        ("operator", "=~", 1, 3),
        ("name", "x1", 1, 6),
        ("operator", "+", 1, 9),
        ("newline", "\n", 1, 10),
        ("newline", "\n", 2, 1),
        ("string", '"a b"', 3, 3),
        ("operator", "*", 3, 8),
        ("name", "größe", 3, 9),
        ("operator", ";", 3, 15),
        ("name", "G", 3, 17),
        ("newline", "\n", 3, 18),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a ~ b\nc ~ d", ["a ~ b", "c ~ d"]),
        ("a ~ b;c ~ d ;; ; e ~ f;", ["a ~ b", "c ~ d", "e ~ f"]),
        ("a ~ b\r\nc ~ d\r\n", ["a ~ b", "c ~ d"]),
        ("a ~\n\n  # comment\n b +\n ! another\n c", ["a ~ b + c"]),
        ("a ~ b # tail\n + c ! tail\n * d", ["a ~ b + c * d"]),
        ("a\n ~ b", ["a ~ b"]),
        ("a ~ c(1,\n 2\n )*b\nd ~ e", ["a ~ c ( 1 , 2 ) * b", "d ~ e"]),
        ("a ~ 0.5\n ?b", ["a ~ 0.5 ? b"]),
        ("group:\n 1\na ~ b", ["group : 1", "a ~ b"]),
        # A model operator begins no statement, but it continues only one that has none yet.
        ("a ~ b\n~ c", ["a ~ b", "~ c"]),
        # A semicolon ends a statement whatever comes next.
        ("a ~ b +; c", ["a ~ b +", "c"]),
        ("k := a -\n b\nm := c\n-d", ["k := a - b", "m := c", "- d"]),
        ("# only\n! comments", []),
    ],
)
def test_where_statements_end(text: str, expected: list[str]) -> None:
    assert lines(text) == expected


def test_a_statement_is_closed_where_it_stops() -> None:
    (statement,) = statements("a ~ bcd  # comment\n\n")
    end = statement[-1]
    assert (end.kind, end.line, end.column) == ("end", 1, 8)


@pytest.mark.parametrize("text", ["'abc", '"abc\n"', "x § y", "2x", "1.2.3", "1e", "3Lx", "٣"])
def test_what_is_no_word(text: str) -> None:
    with pytest.raises(ModelSyntaxError):
        list(scan(text))
