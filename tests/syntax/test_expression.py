"""Arithmetic: R's precedence, values, printing, and what is refused."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixsem.errors import ModelError, ModelSyntaxError
from mixsem.syntax.arithmetic import parse_expression
from mixsem.syntax.expression import FUNCTIONS, Call, Chain, Expression, Name, Negative, Number, Power

VALUES = {"a": 0.5, "b": 3.0, "c.1": -2.0, "_d": 0.25}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1.0),
        ("1e-3", 0.001),
        ("4L", 4.0),
        ("a*b", 1.5),
        ("1 - 2 - 3", -4.0),
        ("1 - (2 - 3)", 2.0),
        ("8/4/2", 1.0),
        ("8/(4/2)", 4.0),
        ("2*3/4", 1.5),
        ("-2^2", -4.0),
        ("(-2)^2", 4.0),
        ("2^-1", 0.5),
        ("2^3^2", 512.0),
        ("(2^3)^2", 64.0),
        ("2**3", 8.0),
        ("-a*b", -1.5),
        ("a - -b", 3.5),
        ("+a", 0.5),
        ("2*-c.1", 4.0),
        ("sqrt(b*3) + abs(c.1)", 5.0),
        ("exp(log(b))", 3.0),
        ("log(exp(1))*_d", 0.25),
        ("a*b/(a*b + _d)", 1.5 / 1.75),
    ],
)
def test_values(text: str, value: float) -> None:
    assert parse_expression(text).evaluate(VALUES) == pytest.approx(value, rel=1e-15)


def test_names_in_order_of_appearance() -> None:
    assert parse_expression("b*a + exp(b - c.1)^_d").names == ("b", "a", "c.1", "_d")


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("a*(b+1)", "a*(b + 1)"),
        ("((a))", "a"),
        ("(a-b)-(c-d)", "a - b - (c - d)"),
        ("(-a)^2", "(-a)^2"),
        ("-(a^2)", "-a^2"),
        ("a^(b^c)", "a^b^c"),
        ("2 ** -1", "2^-1"),
        ("sqrt( a )", "sqrt(a)"),
        ("1.50*1e-7", "1.5*1e-07"),
    ],
)
def test_printing(text: str, printed: str) -> None:
    assert str(parse_expression(text)) == printed


def operands() -> st.SearchStrategy[Expression]:
    numbers = st.floats(0, 1e6, allow_nan=False).map(Number)
    return numbers | st.sampled_from(sorted(VALUES)).map(Name)


def chains(inner: st.SearchStrategy[Expression], signs: str) -> st.SearchStrategy[Expression]:
    rest = st.lists(st.tuples(st.sampled_from(signs), inner), min_size=1, max_size=3).map(tuple)
    return st.builds(Chain, inner, rest)


EXPRESSIONS = st.recursive(
    operands(),
    lambda inner: st.one_of(
        chains(inner, "+-"),
        chains(inner, "*/"),
        st.builds(Negative, inner),
        st.builds(Power, inner, inner),
        st.builds(Call, st.sampled_from(sorted(FUNCTIONS)), inner),
    ),
    max_leaves=12,
)


@given(EXPRESSIONS)
def test_printed_and_read_again_it_is_the_same(expression: Expression) -> None:
    again = parse_expression(str(expression))
    assert str(again) == str(expression)
    assert value_or_none(again) == value_or_none(expression)


def value_or_none(expression: Expression) -> object:
    try:
        value = expression.evaluate(VALUES)
    except ModelError:
        return None
    return "nan" if math.isnan(value) else value


@given(st.lists(st.tuples(st.sampled_from("+-*/"), st.integers(1, 9)), min_size=1, max_size=8), st.integers(1, 9))
def test_agrees_with_python_where_the_grammars_agree(rest: list[tuple[str, int]], first: int) -> None:
    text = str(first) + "".join(f" {sign} {number}" for sign, number in rest)
    assert parse_expression(text).evaluate({}) == pytest.approx(eval(text), rel=1e-12)


@pytest.mark.parametrize("text", ["log(-1)", "sqrt(-1)", "1/0", "exp(1000)", "0^-1", "(-8)^(1/3)", "acos(2)"])
def test_arithmetic_without_result(text: str) -> None:
    with pytest.raises(ModelError, match="has no finite value"):
        parse_expression(text).evaluate({})


def test_a_label_without_value() -> None:
    with pytest.raises(ModelError, match=r"'loadng' has no value[\s\S]*did you mean 'loading'"):
        parse_expression("2*loadng").evaluate({"loading": 1.0})


@pytest.mark.parametrize(
    ("text", "column", "part"),
    [
        ("", 1, "empty"),
        ("a +", 4, "ends after '+'"),
        ("a b", 3, "the name 'b' is unexpected"),
        ("a; b", 4, "a second expression"),
        ("* a", 1, "'*' is unexpected"),
        ("sqt(a)", 1, "unknown function sqt()"),
        ("a(b)", 1, "unknown function a()"),
        ("'a'", 1, "the text 'a' is unexpected"),
        ("(a", 1, "never closed"),
        ("a)", 2, "closes no parenthesis"),
        ("(a b)", 4, "the name 'b' is unexpected"),
        ("log(a, b)", 6, "',' is unexpected"),
        ("a == b", 3, "'==' is unexpected"),
        ("__import__('os')", 1, "unknown function __import__()"),
    ],
)
def test_what_is_no_expression(text: str, column: int, part: str) -> None:
    with pytest.raises(ModelSyntaxError) as caught:
        parse_expression(text)
    assert caught.value.column == column
    assert part in str(caught.value)


@pytest.mark.parametrize(
    "text", ["(" * 500 + "a" + ")" * 500, "-" * 500 + "a", "2^" * 500 + "a", "exp(" * 99 + "a" + ")" * 99]
)
def test_absurd_nesting_is_a_syntax_error(text: str) -> None:
    with pytest.raises(ModelSyntaxError, match="nested too deeply"):
        parse_expression(text)


def test_sensible_nesting_is_read() -> None:
    assert parse_expression("(" * 40 + "a" + ")" * 40).evaluate({"a": 2.0}) == 2.0


def test_long_sums_are_no_nesting() -> None:
    assert parse_expression("+".join(["a"] * 5000)).evaluate({"a": 2.0}) == 10_000.0
