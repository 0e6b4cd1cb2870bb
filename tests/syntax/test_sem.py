"""The grammar, fact by fact: what a model text says once it is read."""

from __future__ import annotations

import dataclasses
import math

import pytest

from mixsem.errors import ModelSyntaxError, OptionError
from mixsem.syntax.sem import Block, Modifiers, parse_model, parse_parameter

M = Modifiers
T = tuple[str, str, str]


def triples(text: str) -> list[T]:
    return [(t.lhs, t.op, t.rhs) for t in parse_model(text).terms]


def modifiers(item: str, op: str = "=~") -> Modifiers:
    (term,) = parse_model(f"f {op} {item}").terms
    return term.modifiers


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("f =~ x1 + x2", [("f", "=~", "x1"), ("f", "=~", "x2")]),
        ("f <~ x1 + x2", [("f", "<~", "x1"), ("f", "<~", "x2")]),
        ("u ~*~ u", [("u", "~*~", "u")]),
        ("x1 ~~ x1 + x2", [("x1", "~~", "x1"), ("x1", "~~", "x2")]),
        ("y ~ x", [("y", "~", "x")]),
        ("y |~ x", [("y", "|~", "x")]),
        ("u | t1 + t2", [("u", "|", "t1"), ("u", "|", "t2")]),
        ("a % b", [("a", "%", "b")]),
        ("a :~ z", [("a", ":~", "z")]),
        ("y ~ 1", [("y", "~1", "")]),
        ("y~1+x", [("y", "~1", ""), ("y", "~", "x")]),
        ("y ~ x + a*1", [("y", "~", "x"), ("y", "~1", "")]),
        (
            "f1 + f2 =~ x1 + x2",
            [("f1", "=~", "x1"), ("f1", "=~", "x2"), ("f2", "=~", "x1"), ("f2", "=~", "x2")],
        ),
        ("y1 + y2 ~ 1", [("y1", "~1", ""), ("y2", "~1", "")]),
        ("y ~ f:z + a*g : z", [("y", "~", "f:z"), ("y", "~", "g:z")]),
        ("f =~ x1:x2", [("f", "=~", "x1:x2")]),
        ("f =~ x1; f =~ x2; g =~ x3", [("f", "=~", "x1"), ("f", "=~", "x2"), ("g", "=~", "x3")]),
        ("f =~ x1 + x1", [("f", "=~", "x1")]),
        ("a ~~ b\nb ~~ a", [("a", "~~", "b")]),
        ("a + b ~~ a + b", [("a", "~~", "a"), ("a", "~~", "b"), ("b", "~~", "b")]),
        (
            "_f.1 =~ .x + größe + 因子",
            [("_f.1", "=~", ".x"), ("_f.1", "=~", "größe"), ("_f.1", "=~", "因子")],
        ),
        # Words of the grammar are ordinary names wherever no parenthesis or colon follows.
        ("c =~ start + c1 + group", [("c", "=~", "start"), ("c", "=~", "c1"), ("c", "=~", "group")]),
    ],
)
def test_operators(text: str, expected: list[T]) -> None:
    assert triples(text) == expected


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ("x", M()),
        ("0.5*x", M(fixed=(0.5,))),
        ("-0.5*x", M(fixed=(-0.5,))),
        ("-1*x", M(fixed=(-1.0,))),
        ("1e-3*x", M(fixed=(0.001,))),
        ("-2.5E+2*x", M(fixed=(-250.0,))),
        (".5*x", M(fixed=(0.5,))),
        ("2L*x", M(fixed=(2.0,))),
        ("NA*x", M(fixed=(None,))),
        ("a*x", M(label=("a",))),
        ("x2*x1", M(label=("x2",))),
        ('"a b"*x', M(label=("a b",))),
        ("'a#b!c'*x", M(label=("a#b!c",))),
        ("start(0.5)*x", M(start=(0.5,))),
        ("start(-.5)*x", M(start=(-0.5,))),
        ("0.5?x", M(start=(0.5,))),
        ("-1/2?x", M(start=(-0.5,))),
        ("c(1, 2)?x", M(start=(1.0, 2.0))),
        ("fixed(0.5)*x", M(fixed=(0.5,))),
        ("lower(0)*x", M(lower=(0.0,))),
        ("upper(Inf)*x", M(upper=(math.inf,))),
        ("lower(-Inf)*x", M(lower=(-math.inf,))),
        ('equal("f =~ x2")*x', M(equal=("f =~ x2",))),
        ("label('n')*x", M(label=("n",))),
        ("label(n)*x", M(label=("n",))),
        ('rv("s")*x', M(rv="s")),
        ("prior('normal(0, 1)')*x", M(prior="normal(0, 1)")),
        # arithmetic
        ("sqrt(10)*x", M(fixed=(math.sqrt(10),))),
        ("0.1*sqrt(1.0)*x", M(fixed=(0.1,))),
        ("2*3*x", M(fixed=(6.0,))),
        ("(1+2)*x", M(fixed=(3.0,))),
        ("1/4*x", M(fixed=(0.25,))),
        ("2^-1*x", M(fixed=(0.5,))),
        ("2*(-1)*x", M(fixed=(-2.0,))),
        # one entry per group
        ("c(1, NA, .5)*x", M(fixed=(1.0, None, 0.5))),
        ("c(NA, NA)*x", M(fixed=(None, None))),
        ("c(a, b)*x", M(label=("a", "b"))),
        ("c('a', \"b\", d)*x", M(label=("a", "b", "d"))),
        ("c(a, NA)*x", M(label=("a", ""))),
        ("c(a, '')*x", M(label=("a", ""))),
        ("c(1, sqrt(4), 2*3, -1)*x", M(fixed=(1.0, 2.0, 6.0, -1.0))),
        ("c(+1, -1)*x", M(fixed=(1.0, -1.0))),
        ("c(0.5)*x", M(fixed=(0.5,))),
        ("c(a)*x", M(label=("a",))),
        ('rep("int", 4)*x', M(label=("int",) * 4)),
        ("rep(0.5, 1+1)*x", M(fixed=(0.5, 0.5))),
        ("c(rep(a, 2), c(b))*x", M(label=("a", "a", "b"))),
        ("start(c(1, 2))*x", M(start=(1.0, 2.0))),
        ("start(1, NA)*x", M(start=(1.0, None))),
        ("lower(c(0, NA))*x", M(lower=(0.0, None))),
        ("label(c('n', NA))*x", M(label=("n", ""))),
        ("equal(c('f=~y', ''))*x", M(equal=("f=~y", ""))),
        # several modifiers, and repetitions that add up
        ("start(.5)*x + a*x", M(start=(0.5,), label=("a",))),
        ("NA*x + a*x + lower(0)*x + upper(9)*x", M(fixed=(None,), label=("a",), lower=(0.0,), upper=(9.0,))),
        ("a*start(.5)*x", M(start=(0.5,), label=("a",))),
        ("0.5*a*x", M(fixed=(0.5,), label=("a",))),
        ("0.5*start(1)*x", M(fixed=(0.5,), start=(1.0,))),
        ("2*sqrt*x", M(fixed=(2.0,), label=("sqrt",))),
        ("a*0.5?x", M(start=(0.5,), label=("a",))),
        ("a*x + a*x", M(label=("a",))),
        ("a*x + x", M(label=("a",))),
    ],
)
def test_modifiers(item: str, expected: Modifiers) -> None:
    assert modifiers(item) == expected


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ("1", M()),
        ("0", M(fixed=(0.0,))),
        ("0*1", M(fixed=(0.0,))),
        ("2*3*1", M(fixed=(6.0,))),
        ("NA*1", M(fixed=(None,))),
        ("a*1", M(label=("a",))),
        ("c(0, NA)*1", M(fixed=(0.0, None))),
        ("start(3)*1", M(start=(3.0,))),
        ("3?1", M(start=(3.0,))),
    ],
)
def test_intercepts(item: str, expected: Modifiers) -> None:
    (term,) = parse_model(f"y ~ {item}").terms
    assert (term.op, term.rhs, term.modifiers) == ("~1", "", expected)


def test_efa_on_the_left() -> None:
    first, second = parse_model('efa("b1")*f1 +\n efa("b2")*f2 =~ a*x').terms
    assert (first.lhs, first.modifiers) == ("f1", M(label=("a",), efa="b1"))
    assert (second.lhs, second.modifiers) == ("f2", M(label=("a",), efa="b2"))


def test_modifiers_merge_over_statements_and_directions_but_not_over_blocks() -> None:
    across = parse_model("f =~ x\nf =~ a*x\nx ~~ 0*y; y ~~ start(1)*x").terms
    assert [t.modifiers for t in across] == [M(label=("a",)), M(fixed=(0.0,), start=(1.0,))]
    blocks = parse_model("group: 1\nf =~ 1*x\ngroup: 2\nf =~ 2*x").terms
    assert [t.modifiers.fixed for t in blocks] == [(1.0,), (2.0,)]


@pytest.mark.parametrize(
    ("header", "block"),
    [
        ("group: 1", Block("group", "1")),
        ("group : BEL", Block("group", "BEL")),
        ('group: "Grant-White"', Block("group", "Grant-White")),
        ("GROUP: a.b", Block("group", "a.b")),
        ("level: within", Block("level", "within")),
        ("block: 1", Block("block", "1")),
        ("class:\n 1", Block("class", "1")),
    ],
)
def test_block_headers(header: str, block: Block) -> None:
    before, inside = parse_model(f"f =~ x\n{header}  # comment\nf =~ x").terms
    assert (before.block, inside.block) == (None, block)


def test_levels_lie_inside_groups() -> None:
    text = "group: A; level: 1; y ~ a; level: 2; y ~ b; group: B; level: 1; y ~ c"
    a, b = Block("group", "A"), Block("group", "B")
    assert [t.block for t in parse_model(text).terms] == [
        Block("level", "1", a),
        Block("level", "2", a),
        Block("level", "1", b),
    ]


def test_constraints_and_definitions() -> None:
    model = parse_model("a*2 == b\n b > 0; 0 < exp(c)\n ab := a*b\n more := ab^2 - 1  ! earlier definitions count")
    assert [str(c) for c in model.constraints] == ["a*2 == b", "b > 0", "0 < exp(c)"]
    assert [(c.line, c.column) for c in model.constraints] == [(1, 1), (2, 2), (2, 9)]
    assert [str(d) for d in model.definitions] == ["ab := a*b", "more := ab^2 - 1"]
    assert model.definitions[1].expression.evaluate({"ab": 3.0}) == 8.0


@pytest.mark.parametrize("comment", ["! tail", "# tail", "! a := b == c", "# it's \"odd =~ +", ""])
def test_a_comment_after_a_definition_stays_outside(comment: str) -> None:
    model = parse_model(f"f =~ a*x {comment}\nab := a^2 {comment}\ncd := ab {comment}")
    assert [str(d) for d in model.definitions] == ["ab := a^2", "cd := ab"]


def test_comments_and_blank_lines_inside_a_formula() -> None:
    text = """
      # before
      f =~     ! after the operator

        0.8*x1 +   # after a plus

        ! between
        x2
        + x3       # a line may begin with '+'
    """
    assert triples(text) == [("f", "=~", "x1"), ("f", "=~", "x2"), ("f", "=~", "x3")]


def test_terms_know_their_place() -> None:
    model = parse_model("f =~ x1 +\n   a*x2\nx1 ~~ x2")
    assert [(str(t), t.place) for t in model.terms] == [
        ("f =~ x1", "line 1, column 6"),
        ("f =~ x2", "line 2, column 4"),
        ("x1 ~~ x2", "line 3, column 7"),
    ]
    assert str(parse_model("y ~ 1").terms[0]) == "y ~ 1"


def test_views_of_a_model() -> None:
    model = parse_model("g =~ x1 + x2; f =~ x2 + x3; g ~ f + z:f + w; c <~ v1 + v2; x1 ~~ x3; x1 ~ 1; u | t1; y ~ c")
    assert model.factors == ("g", "f")
    assert model.indicators == ("x1", "x2", "x3")
    assert model.observed == ("x1", "x2", "x3", "z", "w", "v1", "v2", "u", "y")
    assert [str(t) for t in model.regressions] == ["g ~ f", "g ~ z:f", "g ~ w", "y ~ c"]
    assert [str(t) for t in model.covariances] == ["x1 ~~ x3"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("narcissism =~ cnarc3", ("narcissism", "=~", "cnarc3")),
        ("x1~~x2", ("x1", "~~", "x2")),
        ("x1 ~1", ("x1", "~1", "")),
        ("y ~ f:z", ("y", "~", "f:z")),
    ],
)
def test_names_of_parameters(text: str, expected: T) -> None:
    assert parse_parameter(text) == expected


@pytest.mark.parametrize(
    "text", ["x1", "", "f =~ x1 + x2", "f =~ a*x1", "y ~ 0", "a := b", "group: 1\nf =~ x", "a == b"]
)
def test_what_is_not_the_name_of_one_parameter(text: str) -> None:
    with pytest.raises(ModelSyntaxError) as caught:
        parse_parameter(text)
    assert (caught.value.line, caught.value.column) == (1, 1)


@pytest.mark.parametrize("part", ["terms", "constraints", "definitions"])
def test_what_was_read_cannot_be_changed(part: str) -> None:
    model = parse_model("group: 1; f =~ a*x; a == 1; b := a")
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(model, part, ())
    with pytest.raises(dataclasses.FrozenInstanceError):
        getattr(model, part)[0].line = 7


def test_only_text_is_read() -> None:
    with pytest.raises(OptionError, match="came as list"):
        parse_model(["f =~ x"])  # type: ignore[arg-type]
