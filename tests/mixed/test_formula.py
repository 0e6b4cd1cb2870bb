"""Formulas of mixed models: what is read, what is refused and where."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixsem.errors import ModelError, ModelSyntaxError, OptionError
from mixsem.mixed.formulas.formula import Bar, MixedFormula, parse_formula, plain_columns
from mixsem.mixed.formulas.formula_text import scan, variables


def bars(text: str) -> list[tuple[str, str, bool]]:
    return [(bar.columns, bar.group_name, bar.correlated) for bar in parse_formula(text).bars]


def test_parts_of_a_formula() -> None:
    formula = parse_formula("Reaction ~ Days + (Days | Subject)")
    assert formula == MixedFormula(
        text="Reaction ~ Days + (Days | Subject)",
        response="Reaction",
        fixed="Days",
        bars=(Bar("Days", ("Subject",), True, 19, "(Days | Subject)"),),
        offsets=(),
    )
    assert formula.variables == ("Reaction", "Days", "Subject")
    assert str(formula) == formula.text


@pytest.mark.parametrize(
    ("right", "expected"),
    [
        ("(1|g)", [("1", "g", True)]),
        ("(x||g)", [("x", "g", False)]),
        ("(0+x|g)", [("0 + x", "g", True)]),
        ("(x - 1|g)", [("x - 1", "g", True)]),
        ("(-1 + x|g)", [("- 1 + x", "g", True)]),
        ("(1|a/b)", [("1", "b:a", True), ("1", "a", True)]),
        ("(1|a/b/c)", [("1", "c:b:a", True), ("1", "b:a", True), ("1", "a", True)]),
        ("(x||a/b)", [("x", "b:a", False), ("x", "a", False)]),
        ("(1|a:b)", [("1", "a:b", True)]),
        ("(1|a/(b:c))", [("1", "b:c:a", True), ("1", "a", True)]),
        ("(1|g) + (0+x|g)", [("1", "g", True), ("0 + x", "g", True)]),
        ("((1 | g))", [("1", "g", True)]),
        ("(1|factor(g))", [("1", "g", True)]),
        ("(1|as.factor(g)) + (1|C(h))", [("1", "g", True), ("1", "h", True)]),
        ("(1 | `my group`)", [("1", "my group", True)]),
        ("(poly(x, 2) | g)", [("poly(x, 2)", "g", True)]),
        ("(I(x^2) + (x + z)^2 | g)", [("I(x**2) + (x + z)^2", "g", True)]),
        ("(I(a | b) | g)", [("I(a|b)", "g", True)]),
        ("(1 |\n   g)  # comment (1 | h)", [("1", "g", True)]),
    ],
)
def test_random_terms(right: str, expected: list[tuple[str, str, bool]]) -> None:
    assert bars(f"y ~ x + {right}") == expected


def test_a_nested_term_keeps_its_place_and_writes_out_its_parts() -> None:
    found = parse_formula("y ~ (1 | plate/`my well`)").bars
    assert [(bar.column, bar.text) for bar in found] == [(5, "(1 | `my well`:plate)"), (5, "(1 | plate)")]


@pytest.mark.parametrize(
    ("text", "fixed"),
    [
        ("y ~ (1|g)", "1"),
        ("y ~ 1 + (1|g)", "1"),
        ("y ~ 0 + x + (1|g)", "0 + x"),
        ("y ~ (1|g) + x - 1", "x - 1"),
        ("y ~ -1 + x + (1|g)", "- 1 + x"),
        ("y ~ (1|g) + x*z + I(x^2)", "x * z + I(x**2)"),
        ("y ~ (x + z)^2 + (1|g)", "(x + z)^2"),
        ("y ~ factor(f) * poly(x, 2, raw = TRUE) + (1|g)", "C(f) * poly(x, 2, raw=True)"),
        (
            "y ~ Sepal.Length + log(Sepal.Length) + np.log(x) + (1|g)",
            "`Sepal.Length` + log(`Sepal.Length`) + np.log(x)",
        ),
        ("y ~ `my var` + größe + (1|g)", "`my var` + `größe`"),
        ("y ~ x / f + x : f + (1|g)", "x / f + x:f"),
        ('y ~ C(f, Treatment("b")) + (1|g)', 'C(f, Treatment("b"))'),
    ],
)
def test_fixed_part(text: str, fixed: str) -> None:
    assert parse_formula(text).fixed == fixed


@pytest.mark.parametrize(
    ("text", "response"),
    [
        ("log(y) ~ (1|g)", "log(y)"),
        ("y^2 / 10 ~ (1|g)", "y**2 / 10"),
        ("`my y` ~ (1|g)", "`my y`"),
        ("log(y^2) ~ (1|g)", "log(y**2)"),
    ],
)
def test_response(text: str, response: str) -> None:
    assert parse_formula(text).response == response


def test_offsets() -> None:
    formula = parse_formula("y ~ offset(log(n)) + x + offset(z^2) + (1|g)")
    assert (formula.fixed, formula.offsets) == ("x", ("log(n)", "z**2"))
    assert formula.variables == ("y", "x", "n", "z", "g")


SLIPS = [
    # text, line, column, words of the message, words of the advice
    ("~ x + (1|g)", 1, 1, "no response", "begin"),
    ("x + (1|g)", 1, 1, "no '~'", "begin"),
    ("", 1, 1, "no '~'", "begin"),
    ("y ~ x ~ (1|g)", 1, 7, "second '~'", "first"),
    ("y ~ x", 1, 6, "no random term", "ordinary regression"),
    ("y ~", 1, 4, "nothing stands after '~'", "y ~ x"),
    ("y ~ x + (1|g", 1, 9, "never closed", "add the ')'"),
    ("y ~ x + (1|g))", 1, 14, "closes nothing", "remove"),
    ("y ~ x + 1|g", 1, 10, "outside parentheses", "(x | g)"),
    ("y ~ x || g", 1, 7, "outside parentheses", "(x | g)"),
    ("y ~ (|g)", 1, 6, "before the bar", "(1 | g)"),
    ("y ~ (1|)", 1, 8, "behind the bar", "column of the groups"),
    ("y ~ (1|a+b)", 1, 9, "'+'", "(1 | a) + (1 | b)"),
    ("y ~ (1|a*b)", 1, 9, "'*'", "(1 | a:b)"),
    ("y ~ (1|a/)", 1, 10, "ends too early", "column"),
    ("y ~ (1|cut(g, 3))", 1, 8, "call cut()", "column of the table"),
    ("y ~ (1|3)", 1, 8, "'3'", "column of the table"),
    ("y ~ (1|g|h)", 1, 9, "second bar", "a term for each"),
    ("y ~ x * (1|g)", 1, 9, "combined", "on its own"),
    ("y ~ (1|g):x", 1, 10, "combined", "on its own"),
    ("y ~ (x + (1|g))", 1, 5, "inside other parentheses", "away"),
    ("y ~ x - (1|g)", 1, 9, "taken away", "leave it out"),
    ("(1|g) ~ x", 1, 3, "left of '~'", "right"),
    ("y ~ x z + (1|g)", 1, 7, "'z'", "x + z"),
    ("5 + log(2) ~ (1|g)", 1, 1, "names no column", "y ~"),
    ("y z ~ (1|g)", 1, 3, "'z'", "y + z"),
    ("y ~ x + + z + (1|g)", 1, 9, "in a row", "one"),
    ("y ~ x + (1|g) +", 1, 16, "missing after '+'", ""),
    ("y ~ () + (1|g)", 1, 6, "')'", ""),
    ("y ~ x > 2 + (1|g)", 1, 7, "'>'", "I(x > 2)"),
    ("y ~ x %in% z + (1|g)", 1, 7, "'%in%' is not supported", "a/b"),
    ("y ~ . + (1|g)", 1, 5, "'.'", "name the columns"),
    ("y = x + (1|g)", 1, 3, "'='", "'~'"),
    ("y ~ {x} + (1|g)", 1, 5, "'{'", "I("),
    ("y ~ 3x + (1|g)", 1, 5, "neither a number nor a name", "`3x`"),
    ("y ~ `x + (1|g)", 1, 5, "never closed", "`"),
    ("y ~ x\n  + (1|\n g", 2, 5, "never closed", "add"),
    ("y ~ x\n + z § + (1|g)", 2, 6, "'§'", "backquotes"),
    ("y ~ x − 1 + (1|g)", 1, 7, "U+2212", "'-'"),
    ("y ~ x + (1\u2223g)", 1, 11, "U+2223", "'|'"),
    ("y ~ x + \uff081|g)", 1, 9, "U+FF08", "'('"),
    ("y \u223c x + (1|g)", 1, 3, "U+223C", "'~'"),
    ("y ~ x - offset(n) + (1|g)", 1, 9, "offset is taken away", ""),
    ("y ~ offset() + (1|g)", 1, 5, "offset() is empty", ""),
    ("y ~ (offset(n) | g)", 1, 6, "offset", ""),
    ("y ~ ((1|g) | h)", 1, 6, "inside another", "side by side"),
]


@pytest.mark.parametrize(("text", "line", "column", "got", "todo"), SLIPS, ids=[slip[0] for slip in SLIPS])
def test_slips_have_a_place_and_an_advice(text: str, line: int, column: int, got: str, todo: str) -> None:
    with pytest.raises(ModelSyntaxError) as caught:
        parse_formula(text)
    error = caught.value
    assert (error.line, error.column) == (line, column), str(error)
    assert got in error.got
    assert todo in error.todo


@pytest.mark.parametrize(
    "right", ["(1|g) + (1|g)", "(1|g) + (1||g)", "(x|g) + (x|g)", "(1|a/b) + (1|a)", "(1|a:b) + (1|b:a)"]
)
def test_a_term_that_is_there_twice(right: str) -> None:
    with pytest.raises(ModelError, match="twice"):
        parse_formula(f"y ~ {right}")


def test_something_else_than_a_text() -> None:
    with pytest.raises(OptionError, match="give a text"):
        parse_formula(["y ~ (1|g)"])  # type: ignore[arg-type]


def test_absurd_nesting_is_a_syntax_error() -> None:
    with pytest.raises(ModelSyntaxError, match="nested too deeply"):
        parse_formula("y ~ " + "(" * 300 + "x" + ")" * 300 + " + (1|g)")
    with pytest.raises(ModelSyntaxError):
        parse_formula("y ~ (1|" + "(" * 2000 + "g" + ")" * 2000 + ")")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", (True, ())),
        ("0", (False, ())),
        ("x + z", (True, ("x", "z"))),
        ("0 + x", (False, ("x",))),
        ("x - 1", (False, ("x",))),
        ("- 1 + `my var` + x + x", (False, ("my var", "x"))),
        ("x * z", None),
        ("log(x)", None),
        ("x - z", None),
        ("2 + x", None),
    ],
)
def test_sums_of_columns_are_known(text: str, expected: object) -> None:
    assert plain_columns(text) == expected


def test_uses_of_columns() -> None:
    found = variables(
        scan("x + C(f, contr.sum) + C(q > 2) + factor(g) * bs(z, df=4, knots=k) + I(x > pi) + np.sqrt(`my q`)")
    )
    assert {name: sorted(uses) for name, uses in found.items()} == {
        "x": ["alone", "in a call"],
        "f": ["as categories"],
        "q": ["in a call"],
        "g": ["as categories"],
        "z": ["in a call"],
        "k": ["in a call"],
        "pi": ["in a call"],
        "my q": ["in a call"],
    }


WORDS = [
    "y",
    "x",
    "g",
    "`a b`",
    "~",
    "+",
    "-",
    "*",
    "/",
    ":",
    "^",
    "(",
    ")",
    "|",
    "||",
    "1",
    "0",
    "I(",
    "log(",
    ",",
    " ",
]


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from([*WORDS, "offset(", "%in%", ">", "'a'", "\n", ".", "{", "["]), max_size=16))
def test_no_text_does_anything_but_read_or_fail_by_name(words: list[str]) -> None:
    try:
        formula = parse_formula("".join(words))
    except (ModelSyntaxError, ModelError):
        return
    assert formula.bars


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.sampled_from(["x", "log(z)", "I(x^2)", "x:z", "`a b`", "C(f)", "1", "(x + z)^2"]), min_size=1, max_size=4
    ),
    st.lists(
        st.sampled_from(["(1 | g)", "(x || h)", "(0 + x | g)", "(1 | a/b)", "(x | a:c)"]), min_size=1, unique=True
    ),
)
def test_what_is_written_reads_as_the_same_formula(fixed: list[str], random: list[str]) -> None:
    formula = parse_formula("y ~ " + " + ".join([*fixed, *random]))
    again = parse_formula(str(formula))
    assert (again.response, again.fixed) == (formula.response, formula.fixed)
    assert [(b.columns, b.group, b.correlated) for b in again.bars] == [
        (b.columns, b.group, b.correlated) for b in formula.bars
    ]


@pytest.mark.parametrize(
    ("group", "message"), [("a/a", "'a' is nested in itself"), ("a:a", "crossed with itself"), ("b/(a:b:a)", "crossed")]
)
def test_a_column_is_grouped_by_once(group: str, message: str) -> None:
    with pytest.raises(ModelSyntaxError, match=message):
        parse_formula(f"y ~ x + (1 | {group})")
    assert [bar.group for bar in parse_formula("y ~ x + (1 | a/b)").bars] == [("b", "a"), ("a",)]
