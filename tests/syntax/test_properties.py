"""Any model, however it is spaced, is read as what it says; any text is read or refused with a place."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mixsem.errors import ModelSyntaxError
from mixsem.syntax.expression import Chain, Expression, Name, Number
from mixsem.syntax.scanner import scan
from mixsem.syntax.sem import Block, ModelSyntax, Modifiers, parse_model

NAMES = st.sampled_from(["F", "G1", "x1", "x2", "x.3", "_y", ".z", "größe", "start", "c", "e1", "group"])
LABELS = st.sampled_from(["a", "b.1", "_c", "start", "label"])
QUOTED = st.sampled_from(["a b", "it's", "x#y!z", "a=~b; c", ","])
NUMBERS = st.floats(-1e6, 1e6, allow_nan=False).map(lambda x: round(x, 6) + 0.0)


@dataclass(frozen=True)
class Written:
    """A part of a model: its tokens, and what they mean."""

    tokens: tuple[str, ...]
    meaning: Any


def quote(text: str) -> str:
    return f'"{text}"' if "'" in text else f"'{text}'"


def number_token(value: float) -> tuple[str, ...]:
    return ("-", repr(-value)) if value < 0 else (repr(value),)


def called(name: str, arguments: list[tuple[str, ...]]) -> tuple[str, ...]:
    inside = [word for argument in arguments for word in (*argument, ",")]
    return (name, "(", *inside[:-1], ")")


def vectors(
    field: str, entry: st.SearchStrategy[object], word: Callable[[object], tuple[str, ...]]
) -> st.SearchStrategy[Written]:
    """c(...) with one entry per group."""
    return st.lists(entry, min_size=1, max_size=3).map(
        lambda values: Written(called("c", [word(v) for v in values]), {field: tuple(values)})
    )


def numeric_word(value: object) -> tuple[str, ...]:
    return ("NA",) if value is None else number_token(float(str(value)))


MODIFIERS = st.one_of(
    NUMBERS.map(lambda v: Written(number_token(v), {"fixed": (v,)})),
    st.just(Written(("NA",), {"fixed": (None,)})),
    LABELS.map(lambda v: Written((v,), {"label": (v,)})),
    QUOTED.map(lambda v: Written((quote(v),), {"label": (v,)})),
    vectors("fixed", NUMBERS | st.none(), numeric_word),
    vectors("label", LABELS, lambda v: (str(v),)),
    vectors("label", QUOTED, lambda v: (quote(str(v)),)),
    st.tuples(st.sampled_from(["start", "lower", "upper"]), NUMBERS).map(
        lambda p: Written(called(p[0], [number_token(p[1])]), {p[0]: (p[1],)})
    ),
    st.tuples(st.sampled_from(["label", "equal"]), QUOTED).map(
        lambda p: Written(called(p[0], [(quote(p[1]),)]), {p[0]: (p[1],)})
    ),
    st.tuples(st.sampled_from(["prior", "rv"]), QUOTED).map(
        lambda p: Written(called(p[0], [(quote(p[1]),)]), {p[0]: p[1]})
    ),
)


@st.composite
def items(draw: st.DrawFn, op: str) -> Written:
    """One right-hand name with up to two modifiers; its meaning is (operator, name, modifiers)."""
    tokens: tuple[str, ...] = ()
    meaning: dict[str, Any] = {}
    for modifier in draw(st.lists(MODIFIERS, max_size=2)):
        if not meaning.keys() & modifier.meaning.keys():
            tokens += (*modifier.tokens, "*")
            meaning |= modifier.meaning
    modifiers = Modifiers(**meaning)
    if op == "~" and draw(st.booleans()):
        return Written((*tokens, "1"), ("~1", "", modifiers))
    name = draw(NAMES if op != "|" else st.sampled_from(["t1", "t2", "t10"]))
    if op in ("=~", "~") and draw(st.integers(0, 5)) == 0:
        other = draw(NAMES)
        return Written((*tokens, name, ":", other), (op, f"{name}:{other}", modifiers))
    return Written((*tokens, name), (op, name, modifiers))


@st.composite
def relations(draw: st.DrawFn) -> Written:
    op = draw(st.sampled_from(["=~", "<~", "~*~", "~~", "~", "|~", "|", "%", ":~"]))
    left = draw(st.lists(NAMES, min_size=1, max_size=2, unique=True))
    right = draw(st.lists(items(op), min_size=1, max_size=3, unique_by=lambda item: item.meaning[:2]))
    tokens = (*joined([(name,) for name in left]), op, *joined([item.tokens for item in right]))
    return Written(tokens, [(name, *item.meaning) for name in left for item in right])


def joined(parts: list[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(word for part in parts for word in (*part, "+"))[:-1]


@st.composite
def expressions(draw: st.DrawFn) -> Expression:
    operand = LABELS.map(Name) | st.integers(0, 99).map(lambda n: Number(float(n)))
    rest = draw(st.lists(st.tuples(st.sampled_from("*/"), operand), max_size=2))
    first = draw(operand)
    return Chain(first, tuple(rest)) if rest else first


def expression_tokens(expression: Expression) -> tuple[str, ...]:
    return tuple(token.text for token in scan(str(expression)) if token.kind != "newline")


@st.composite
def side_statements(draw: st.DrawFn) -> Written:
    """Headers, constraints and definitions."""
    kind = draw(st.sampled_from([":", ":=", "==", "<", ">"]))
    if kind == ":":
        name = draw(st.sampled_from(["1", "BEL", "within", "'Grant-White'"]))
        return Written(("group", ":", name), Block("group", name.strip("'")))
    right = draw(expressions())
    if kind == ":=":
        name = draw(st.sampled_from(["total", "indirect", "d.1"]))
        return Written((name, ":=", *expression_tokens(right)), (name, str(right)))
    left = draw(expressions())
    return Written((*expression_tokens(left), kind, *expression_tokens(right)), f"{left} {kind} {right}")


BLANKS = st.sampled_from(["", " ", "  ", "\t"])
BREAKS = st.sampled_from(["\n", " # it's \"a =~ comment\n", "\n\n ! another; one\n   ", "\r\n"])
ENDS = st.sampled_from(["\n", ";", " ; \n", " # tail (\n", "! tail '\n", "\n\n"])
CONTINUES = re.compile(r"[-+*/^,(]|[=~<>|%:]+")


def keys(statement: Written) -> list[object]:
    """What may be said only once: parameters (here in any block) and definitions."""
    if isinstance(statement.meaning, list):
        return [(op, frozenset((lhs, rhs)) if op == "~~" else (lhs, rhs)) for lhs, op, rhs, _ in statement.meaning]
    return [statement.meaning[0]] if isinstance(statement.meaning, tuple) else []


def sensible(statement: Written) -> bool:
    """Nothing is said twice, and nothing measures itself."""
    said = keys(statement)
    return len(said) == len(set(said)) and not any(op == "=~" and len(set(pair)) == 1 for op, pair in said)


RELATIONS = relations().filter(sensible)


@st.composite
def models(draw: st.DrawFn) -> tuple[str, list[Written]]:
    """A model text with random blanks, comments and line breaks, and the statements it holds."""
    chosen: list[Written] = []
    seen: set[object] = set()
    for statement in draw(st.lists(RELATIONS | RELATIONS | side_statements(), min_size=1, max_size=6)):
        if seen.isdisjoint(keys(statement)):
            seen.update(keys(statement))
            chosen.append(statement)
    text = draw(st.sampled_from(["", "\n", "  # first\n", ";"]))
    for statement in chosen:
        for token in statement.tokens:
            loose = CONTINUES.fullmatch(token) and draw(st.booleans())
            text += token + draw(BREAKS if loose else BLANKS)
        text = text.rstrip() + draw(ENDS)
    return text, chosen


MODELS = models().filter(lambda model: any(not isinstance(s.meaning, Block) for s in model[1]))


@settings(max_examples=150)
@given(MODELS)
def test_a_model_is_read_as_it_was_meant(model: tuple[str, list[Written]]) -> None:
    text, statements = model
    terms: list[object] = []
    constraints, definitions = [], []
    block = None
    for statement in statements:
        match statement.meaning:
            case Block() as header:
                block = header
            case list(meaning):
                terms += [(*term, block) for term in meaning]
            case tuple(definition):
                definitions.append(definition)
            case constraint:
                constraints.append(constraint)
    found = parse_model(text)
    assert [(t.lhs, t.op, t.rhs, t.modifiers, t.block) for t in found.terms] == terms
    assert [str(c) for c in found.constraints] == constraints
    assert [(d.name, str(d.expression)) for d in found.definitions] == definitions


@given(MODELS, st.sampled_from([" )", " z", " 1", " 'z'", " ,", " =~", " (", " =", " §", " : :"]))
def test_nothing_after_a_model_is_overlooked(model: tuple[str, list[Written]], extra: str) -> None:
    text = " ; ".join(" ".join(statement.tokens) for statement in model[1])
    parse_model(text)
    assert isinstance(outcome(text + extra), ModelSyntaxError)


def outcome(text: str) -> ModelSyntax | ModelSyntaxError:
    """What the text says, or the error; any other exception fails the test."""
    try:
        return parse_model(text)
    except ModelSyntaxError as error:
        assert error.got
        lines = text.splitlines() or [""]
        assert 1 <= error.line <= len(lines)
        assert 1 <= error.column <= len(lines[error.line - 1]) + 1
        return error


VOCABULARY = (
    "F G x1 x2 a NA Inf c start lower label equal efa rep sqrt group level 1 0 0.5 1e-3 .5 'a' \"b",
    "=~ ~~ ~ ~*~ <~ |~ :~ | % == < > := : = + - * / ^ ** ? ( ) , ; # ! ' \" §",
)
WORDS = st.sampled_from([word for line in VOCABULARY for word in line.split()] + ["\n"])


@settings(max_examples=400)
@given(st.lists(st.tuples(WORDS, st.sampled_from(["", " "])), max_size=14))
def test_any_words_are_read_or_refused_with_a_place(words: list[tuple[str, str]]) -> None:
    outcome("".join(word + blank for word, blank in words))


@settings(max_examples=200)
@given(st.text(max_size=30))
def test_any_text_is_read_or_refused_with_a_place(text: str) -> None:
    outcome(text)


@settings(max_examples=150)
@given(MODELS, st.data())
def test_slips_of_the_pen_are_read_or_refused_with_a_place(
    model: tuple[str, list[Written]], data: st.DataObject
) -> None:
    text = model[0]
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text) - 1))
        match data.draw(st.sampled_from(["delete", "insert", "swap"])):
            case "delete":
                text = text[:at] + text[at + 1 :]
            case "insert":
                text = text[:at] + data.draw(WORDS) + text[at:]
            case _:
                text = text[:at] + text[at + 1 : at + 2] + text[at : at + 1] + text[at + 2 :]
        text = text or "x"
    outcome(text)


@given(MODELS, st.integers(0, 10**6))
def test_no_word_can_be_left_out_unnoticed(model: tuple[str, list[Written]], where: int) -> None:
    """Dropping one token gives an error or another model, never the same one."""
    whole = [[*statement.tokens] for statement in model[1]]
    original = parse_model(";".join(" ".join(tokens) for tokens in whole))
    tokens = whole[where % len(whole)]
    del tokens[where % len(tokens)]
    shorter = outcome(";".join(" ".join(tokens) for tokens in whole))
    assert isinstance(shorter, ModelSyntaxError) or said(shorter) != said(original)


def said(model: ModelSyntax) -> list[object]:
    terms: list[object] = [(t.lhs, t.op, t.rhs, t.modifiers, t.block) for t in model.terms]
    return [*terms, *map(str, model.constraints), *map(str, model.definitions)]
