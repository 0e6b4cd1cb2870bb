"""Random texts, of the grammar and next to it: each is read, or refused with a place; formulas execute nothing."""

from __future__ import annotations

import math

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings

from mixsem.cli.parser import parse_arguments
from mixsem.errors import MixsemError, ModelSyntaxError
from mixsem.mixed.designs.design import read_design
from mixsem.mixed.formulas.formula import parse_formula
from mixsem.studies import read_study
from mixsem.studies.toml import write_study
from mixsem.syntax import measurement_table, parse_model

#: Examples of each property; ten times as many were run when it was written.
MANY = 60

MODEL_WORDS = [
    "F", "G", "x1", "x2", "x3", "x4", "=~", "~", "~~", "==", ":=", "<", ">", "+", "-", "*", "/", "^", "**", "(",
    ")", ",", ";", ":", "|", "~*~", "|~", "<~", "%", ":~", "1", "0", "2.5", "1e5", "1e999", "NA", "NaN", "Inf",
    "-1", "a", "b", "c(", "rep(", "start(", "equal(", "label(", "lower(", "upper(", "prior(", "efa(", "\"x\"",
    "'F=~x1'", "group:", "level:", "A", "#", "!", "?", "=", "`", "\n", "\t", "1L", ".5", "..", "_", "x.1",
    "log(", "exp(", "sqrt(",
]  # fmt: skip
FORMULA_WORDS = [
    "y", "x", "z", "g", "h", "f", "y", "x", "z", "g", "~", "~", "+", "+", "-", "*", ":", "/", "^", "**", "%",
    "%in%", "(", ")", "(", ")", "|", "||", "[", "]", "{", "}", ",", "=", "==", "<", ">", "!", "&", "@", "0",
    "1", "2", "-1", "1e999", "99999999", "0.5", "I(", "I(", "log(", "C(", "poly(", "bs(", "cr(", "scale(",
    "center(", "factor(", "offset(", "np.log(", "np.where(", "np.save(", "contr.sum", "Treatment(", "'a'",
    "\"b\"", "`x`", "`my`", "`", "'", "\"", "#", ".", "..", "x.y", "TRUE", "NULL", "None", "lambda", "if",
    "for", "in", "not", "and", "or", "import", "__import__(", "open(", "eval(", "f'{x}'", "\\", "\n", "\t", ";",
    "$", "?", "é", "\u2223", "\u202e", "😀", "\x00",
]  # fmt: skip
TABLE = pd.DataFrame(
    {
        "y": np.arange(24.0) % 7,
        "x": np.arange(24.0) % 5,
        "z": np.arange(24) % 3,
        "f": ["a", "b"] * 12,
        "g": list("cdefgh") * 4,
        "h": list("ij") * 12,
    }
)


def sentences(words: list[str], most: int = 25) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(words), min_size=1, max_size=most).map(" ".join)


def mutated(seeds: list[str]) -> st.SearchStrategy[str]:
    """A text that is right, with a piece cut out, doubled or replaced."""

    def change(text: str, begin: float, end: float, piece: str, times: int) -> str:
        i, j = sorted((int(begin * len(text)), int(end * len(text))))
        return text[:i] + (piece or text[i:j]) * times + text[j:]

    where = st.floats(0, 1, allow_nan=False)
    return st.builds(change, st.sampled_from(seeds), where, where, st.text(max_size=4), st.integers(0, 3))


MODELS = [
    "F =~ x1 + a*x2 + start(0.8)*x3\nG =~ c(1, NA)*x4 + equal('F =~ x2')*x5\nF ~ b*G\nx1 ~~ x2;"
    " d := a*b + exp(a)^2; a == b",
    "group: A\nF =~ 1*x1 + prior('normal(0,1)')*x2\ngroup: B\nF =~ x1 + x2\nx1 | t1 + t2",
]
FORMULAS = [
    "log(y + 1) ~ x * C(f, Treatment('b')) + poly(x, 2) + offset(z) + (1 + x || g/h) + (0 + f | h)",
    "y ~ I(x^2) + np.where(x > 2, 1, 0) + (x + z + f)^2 - x:z + scale(`x`) + (bs(x, df=4) | g) + (1 | g:h)",
]


@settings(max_examples=MANY)
@given(sentences(MODEL_WORDS) | mutated(MODELS) | st.text(max_size=60))
def test_any_text_is_a_model_or_has_a_place_where_it_stops(text):
    try:
        syntax = parse_model(text)
    except ModelSyntaxError as error:
        assert 1 <= error.line <= text.count("\n") + text.count("\r") + 20
        assert error.column >= 1
        assert str(error)
        return
    assert syntax.terms or syntax.constraints or syntax.definitions
    try:
        table = measurement_table(syntax, groups=("A", "B"))
    except MixsemError:
        return
    fixed = [value for row in table.rows for value in row.fixed if value is not None]
    assert all(math.isfinite(value) for value in fixed)


@settings(max_examples=MANY)
@given(
    sentences(FORMULA_WORDS).map(lambda text: f"y ~ {text} + (1 | g)")
    | sentences(FORMULA_WORDS)
    | mutated(FORMULAS)
    | st.text(max_size=60)
)
def test_any_text_is_a_formula_or_is_refused(text):
    try:
        formula = parse_formula(text)
    except MixsemError:
        return
    assert parse_formula(str(formula)).bars
    try:
        design = read_design(text, TABLE)
    except MixsemError as error:
        assert error.allowed or error.todo, error
        return
    assert np.isfinite(design.X).all() and np.isfinite(design.y).all()
    assert all(np.isfinite(term.Z).all() for term in design.terms if term.Z is not None)


ARGUMENTS = [
    "fit", "moments", "invariance", "cfa", "sem", "growth", "lmer", "glmer", "power", "study", "run", "status",
    "table", "anova", "plot", "data", "show", "explain", "demo", "survey.csv", "--group", "--measurement",
    "--out", "--clusters", "--seed", "--quiet", "--json", "--family", "--levels", "--search", "--help=",
    "--version=", "-h=", "-", "--", "--=x", "1-6", "-1", "nan", "country", "t.txt", "--prior-variance", "0.1",
    "--groups", "--sizes", "--cell", "--format", "csv",
]  # fmt: skip


@settings(max_examples=MANY)
@given(st.lists(st.sampled_from(ARGUMENTS) | st.text(max_size=8), max_size=12))
def test_any_arguments_are_understood_or_refused(argv):
    try:
        arguments = parse_arguments(argv)
    except MixsemError:
        return
    except SystemExit as leaving:  # --help and --version, which argparse answers itself
        assert leaving.code in (0, None)
        return
    assert arguments.command


STUDY = (
    'name = "s"\nreplications = 2\nseed = 3\n[population]\nn_groups = 12\nkind = "multigroup"\n[factors]\n'
    'beta = [0.2, 0.4]\nreliability = ["high", "low"]\n[methods.mmgsem]\nclusters = [2]\n'
    '[methods.other]\nmethod = "mixml-sem"\nchains = 1\n'
)
VALUES = st.one_of(
    st.integers(-3, 10**20),
    st.floats(),
    st.booleans(),
    st.sampled_from(["[]", "[1]", "{}", '"a"', "1979-05-27", "inf", '""', "[[1]]"]),
)


@settings(max_examples=MANY)
@given(
    mutated([STUDY])
    | st.builds(lambda line, value: _with_value(line, str(value).lower()), st.integers(0, STUDY.count("\n")), VALUES)
)
def test_any_study_file_is_a_study_or_is_refused(text):
    try:
        study = read_study(text + "\n")
    except MixsemError:
        return
    assert study.n_data_sets >= 1
    assert write_study(read_study(write_study(study))) == write_study(study)


def _with_value(number: int, value: str) -> str:
    lines = STUDY.splitlines()
    key, equals, _ = lines[number % len(lines)].partition(" = ")
    lines[number % len(lines)] = f"{key} = {value}" if equals else key
    return "\n".join(lines)


@pytest.mark.parametrize("text", MODELS + FORMULAS)
def test_the_seeds_of_mutations_are_right(text):
    assert parse_formula(text).bars if text in FORMULAS else parse_model(text).terms


def test_the_seed_of_studies_is_right():
    assert read_study(STUDY).n_data_sets == 8
