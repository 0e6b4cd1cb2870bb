"""Texts of models and formulas that cannot be read, or mean nothing, and how long reading may take."""

from __future__ import annotations

import time

import numpy as np
import pytest

import mixsem as mx
from mixsem.errors import MixsemError, ModelSyntaxError
from mixsem.mixed.designs.design import read_design
from mixsem.mixed.formulas.formula import parse_formula
from mixsem.syntax import parse_model

#: Model texts that `parse_model` or a fit refuses -> words of the error.
MODELS = {
    "": "",
    " \n\t\n": "",
    "# nothing\n": "",
    "trust": "",
    "trust =~": "",
    "=~ t1": "",
    "trust =~ t1 t2": "",
    "trust =~ t1 ++ t2": "",
    "trust =~ t1 + t2 +": "",
    "trust == t1": "",
    "trust =~ t1 + t2 + t3 +": "",
    "trust = ~ t1": "",
    "trust =~ (t1 + t2": "",
    "trust =~ t1) + t2": "",
    "trust =~ 1e999*t1 + t2 + t3": "too large",
    "trust =~ 1e999999999*t1 + t2 + t3": "too large",
    "trust =~ -t1 + t2": "",
    "trust =~ t1*t2*t3": "",
    "trust =~ (1/0)*t1 + t2 + t3": "",
    "trust =~ (0/0)*t1 + t2 + t3": "",
    "trust =~ 10^400*t1 + t2 + t3": "",
    "trust =~ c(1,2*t1 + t2": "",
    "trust =~ rep(1, 1e9)*t1 + t2": "",
    "trust =~ rep(1, -1)*t1 + t2": "",
    "trust =~ start()*t1 + t2": "",
    "trust =~ start('a')*t1 + t2": "",
    "trust =~ prior('normal(0')*t1 + t2 + t3": "",
    "trust =~ unknown(1)*t1 + t2": "unknown",
    "trust =~ equal('nothing')*t1 + t2 + t3": "",
    "trust =~ t1 + t2 + t3; trust == 3 == 4": "",
    "trust =~ a*t1 + a*t2 + t3; a == b": "b",
    "trust =~ a*t1 + t2 + t3; x := a +": "",
    "trust =~ a*t1 + t2 + t3; x := system('ls')": "system",
    "trust =~ a*t1 + t2 + t3; x := __import__('os')": "",
    "trust =~ a*t1 + t2 + t3; x := x + 1": "",
    "trust =~ a*t1 + t2 + t3; x := y; y := x": "",
    "group:\ntrust =~ t1 + t2 + t3": "",
    "level: 1\ntrust =~ t1 + t2 + t3": "",
    "trust =~ t1 + trust": "",
    "trust =~ fear + t1; fear =~ trust + t2": "",
    "trust ~~ ~ t1": "",
    "trust =~ t1 + t2 + t3\ntrust ~ trust": "",
    "trust =~ t1 + t2 + t3 'a": "",
    "trust =~ `t1": "",
    "tr\x00ust =~ t1": "",
    "trust =~ t1 + t2 \u202e+ t3": "",
    "trust ≈ t1": "",
    "trust =\uff5e t1": "",
    "1trust =~ t1": "",
    "trust =~ t1 + t2 + t3 + 😀": "",
    "\ud800 =~ t1": "",
    "trust =~ country + t1 + t2": "",
}


@pytest.mark.parametrize("text", MODELS, ids=range(len(MODELS)))
def test_a_model_that_cannot_be_read_or_fitted_is_refused(text, survey, refuses):
    refuses(lambda: mx.MGCFA(text).fit(survey, group="country"), MODELS[text])


#: Measurement models that are read, but not by this name of a column or of a type.
@pytest.mark.parametrize(
    "given", [None, 3, b"trust =~ t1", ["trust =~ t1"], {"a": 1}, np.nan, object()], ids=lambda x: type(x).__name__
)
def test_a_model_that_is_no_text_is_refused(given, survey, refuses):
    refuses(lambda: mx.MGCFA(given).fit(survey, group="country"))
    refuses(lambda: mx.sem(given, survey))
    refuses(lambda: mx.lmer(given, survey))


#: Formulas that are refused -> words of the error.
FORMULAS = {
    "": "",
    "y": "",
    "~": "",
    "y ~": "",
    "~ x + (1 | g)": "no response",
    "y ~ x": "no random term",
    "y ~ x + (1 | )": "",
    "y ~ x + ( | g)": "",
    "y ~ x + (1 || )": "",
    "y ~ x + 1 | g": "",
    "y ~ x + (1 | g": "never closed",
    "y ~ x + 1 | g)": "closes nothing",
    "y ~ x + (1 | g) + (1 | g)": "twice",
    "y ~ x ~ z + (1 | g)": "second '~'",
    "y = x + (1 | g)": "'~'",
    "y ~ x + (1 | g | h)": "second bar",
    "y ~ x + (1 | g + h)": "",
    "y ~ x + (1 | g/g)": "nested in itself",
    "y ~ x + (1 | log(g))": "",
    "y ~ x + (1 | 2)": "",
    "y ~ x + (1 | g/h/i/j)": "'h'",
    "y ~ . + (1 | g)": "'.'",
    "y ~ x - (1 | g)": "",
    "y ~ x * (1 | g)": "",
    "y ~ x + ((1 | g)": "",
    "y ~ x + - x + (1 | g)": "in a row",
    "y ~ x^999 + (1 | g)": "",
    "y ~ (x + b)^-1 + (1 | g)": "",
    "y ~ (x + b)^2.5 + (1 | g)": "",
    "y ~ (x + b)^x + (1 | g)": "",
    "y ~ x^1e999 + (1 | g)": "",
    "y ~ I(x^1e999) + (1 | g)": "",
    "y ~ 1e999 + (1 | g)": "",
    "y ~ 3 + (1 | g)": "",
    "y ~ I() + (1 | g)": "",
    "y ~ I(x +) + (1 | g)": "",
    "y ~ log(x, x) + (1 | g)": "log()",
    "y ~ poly(x) + poly(x, -1) + (1 | g)": "",
    "y ~ poly(x, 0) + (1 | g)": "",
    "y ~ poly(x, 'a') + (1 | g)": "",
    "y ~ poly(x, 100000000) + (1 | g)": "100",
    "y ~ bs(x, df=1) + (1 | g)": "",
    "y ~ bs(x, df=10*1000*1000) + (1 | g)": "100",
    "y ~ bs(x, knots=['a']) + (1 | g)": "",
    "y ~ cr(x, df=0) + (1 | g)": "",
    "y ~ C(arm, Treatment('none')) + (1 | g)": "",
    "y ~ C(arm, contr.unknown) + (1 | g)": "contr.unknown",
    "y ~ C(arm, levels=[]) + (1 | g)": "",
    "y ~ scale(arm) + (1 | g)": "",
    "y ~ center() + (1 | g)": "",
    "y ~ lag(x) + (1 | g)": "",
    "y ~ mean(x) + (1 | g)": "all rows together",
    "y ~ np.mean(x) + (1 | g)": "all rows together",
    "y ~ s(x) + (1 | g)": "",
    "y ~ x + offset() + (1 | g)": "offset() is empty",
    "y ~ x + offset(arm) + (1 | g)": "",
    "y ~ x + offset(x, x) + (1 | g)": "",
    "y ~ `x + (1 | g)": "",
    "y ~ 'x' + (1 | g)": "",
    'y ~ "x + (1 | g)': "",
    "y ~ x\x00 + (1 | g)": "",
    "y ~ x + (1 \u2223 g)": "did you mean '|'",
    "y ~ x + (1 | g) \u202e": "",
    "y ~ 2x + (1 | g)": "neither a number nor a name",
    "y ~ x %in% b + (1 | g)": "%in%",
    "y ~ x == 2 + (1 | g)": "I()",
    "y ~ {x} + (1 | g)": "",
    "y ~ [x] + (1 | g)": "",
    "y ~ x[0] + (1 | g)": "",
    "y ~ I(x[0]) + (1 | g)": "",
    "y ~ x; b + (1 | g)": "",
    "\ud800 ~ x + (1 | g)": "",
    "I(0) ~ x + (1 | g)": "names no column",
    "y | b ~ x + (1 | g)": "",
    "y + ~ x + (1 | g)": "",
    "cbind(y, b) ~ x + (1 | g)": "cbind",
}


@pytest.mark.parametrize("formula", FORMULAS, ids=range(len(FORMULAS)))
def test_a_formula_that_cannot_be_read_or_computed_is_refused(formula, panel, refuses):
    refuses(lambda: mx.lmer(formula, panel), FORMULAS[formula])


#: What a formula from somebody else may not do.
CODE = [
    "y ~ I(__import__('os').system('{}')) + (1 | g)",
    "y ~ __import__('os').system('{}') + (1 | g)",
    "y ~ {{__import__('os').system('{}')}} + (1 | g)",
    "y ~ I(open('{}', 'w')) + (1 | g)",
    "y ~ I(exec('{}')) + (1 | g)",
    "y ~ eval('{}') + (1 | g)",
    "y ~ np.save('{}', x) + (1 | g)",
    "y ~ np.lib.format.open_memmap('{}', 'w+', shape=3) + (1 | g)",
    "y ~ np.load('{}', allow_pickle=True) + (1 | g)",
    "y ~ I(x.to_pickle('{}')) + (1 | g)",
    "y ~ x.to_csv('{}') + (1 | g)",
    "y ~ (x).to_csv('{}') + (1 | g)",
    "y ~ I((x).to_csv('{}')) + (1 | g)",
    "y ~ I('{}'.format(x)) + (1 | g)",
    "y ~ I(f'{{open(0)}}{}') + (1 | g)",
    "y ~ I(x if open('{}', 'w') else x) + (1 | g)",
    "y ~ I((lambda: open('{}', 'w'))()) + (1 | g)",
    "y ~ I([open('{}', 'w') for i in x]) + (1 | g)",
    "y ~ I((z := open('{}', 'w'))) + (1 | g)",
    "y ~ C(arm, open('{}', 'w')) + (1 | g)",
    "y ~ hashed(x, 3, hash_func=open('{}', 'w')) + (1 | g)",
    "y ~ Q('{}') + (1 | g)",
    "y ~ log(x, out=open('{}', 'w')) + (1 | g)",
    "y ~ x + (open('{}', 'w') | g)",
    "y ~ x + (1 | open('{}', 'w'))",
    "y ~ x + offset(open('{}', 'w')) + (1 | g)",
    "open('{}', 'w') ~ x + (1 | g)",
    "I(y.to_csv('{}')) ~ x + (1 | g)",
    "log(y, open('{}', 'w')) ~ x + (1 | g)",
    "y ~ `x`.to_csv('{}') + (1 | g)",
    "y ~ I(`x`.to_csv('{}')) + (1 | g)",
    "y ~ I('\\' + open('{}', 'w') + '\\') + (1 | g)",
    "y ~ I(x.__class__) + I(__builtins__['open']('{}')) + (1 | g)",
    "y ~ I(np.ctypeslib.ctypes.CDLL('{}')) + (1 | g)",
    "y ~ I(*open('{}', 'w')) + (1 | g)",
    "y ~ I(**open('{}', 'w')) + (1 | g)",
]


@pytest.mark.parametrize("formula", CODE, ids=range(len(CODE)))
def test_a_formula_runs_no_code(formula, folder, panel, refuses, unchanged):
    with unchanged():
        refuses(lambda: mx.lmer(formula.format(folder / "made"), panel))


def test_a_formula_changes_no_column_of_the_table(panel, refuses):
    before = panel.copy()
    refuses(lambda: mx.lmer("y ~ np.log1p(x, x) + (1 | g)", panel), "more than 1 argument")
    assert panel.equals(before)


def test_predictors_of_clusters_run_no_code_either(folder, refuses, unchanged):
    from mixsem.mixtures.design import formula_variables

    with unchanged():
        refuses(lambda: formula_variables(f"hdi + I(open('{folder / 'made'}', 'w'))"), "open()")
        refuses(lambda: formula_variables(f"hdi + {{__import__('os').mkdir('{folder / 'made'}')}}"), "mkdir")


def test_what_formulas_may_compute_is_still_computed(panel):
    formula = "log(y + 9) ~ np.maximum(x, 2) + I(b > 0) + C(arm, Treatment('old')) + poly(x, 2) + abs(n - 3) + (1 | g)"
    assert np.isfinite(mx.lmer(formula, panel).fixef.to_numpy()).all()


#: Seconds that reading 10,000 hostile characters may take; it takes tenths, and the machine may be busy.
SECONDS = 5.0
LONG = 10_000

HOSTILE_MODELS = {
    "parentheses": "F =~ " + "(" * LONG + "1" + ")" * LONG + "*x",
    "open parentheses": "F =~ " + "(" * LONG,
    "signs": "F =~ " + "-" * LONG + "1*x",
    "powers": "F =~ a*x; z := " + "2^" * (LONG // 2) + "2",
    "products": "F =~ " + "2*" * (LONG // 2) + "x",
    "items": "F =~ " + " + ".join(f"x{i}" for i in range(1500)),
    "the same item": "F =~ " + " + ".join(["x"] * 3000),
    "factors": "; ".join(f"F{i} =~ x" for i in range(900)),
    "quotes": "F =~ " + '"' * LONG,
    "calls": "F =~ " + "c(" * 3000 + "1" + ")" * 3000 + "*x",
    "repeats of repeats": "F =~ " + "rep(" * 9 + "1" + ", 100)" * 9 + "*x",
    "blocks": "group: A\n" * 1000,
    "digits": "F =~ " + "9" * LONG + "*x",
    "definitions of definitions": "; ".join(f"a{i} := a{i + 1} * a{i + 1}" for i in range(500)),
    "constraints": "F =~ a*x + b*y; " + "; ".join(["a == b"] * 900),
    "blank": " " * LONG,
    "line breaks": "\n" * LONG,
    "comment signs": "#" * LONG,
    "operators": "=~" * 5000,
    "colons": "F =~ " + ":".join(["x"] * 4000),
}


@pytest.mark.parametrize("case", HOSTILE_MODELS)
def test_a_hostile_model_is_read_or_refused_soon(case):
    begin = time.perf_counter()
    try:
        parse_model(HOSTILE_MODELS[case])
    except ModelSyntaxError as error:
        assert error.line >= 1 and error.column >= 1
    except MixsemError:
        pass
    assert time.perf_counter() - begin < SECONDS


HOSTILE_FORMULAS = {
    "product": "y ~ " + " * ".join(f"x{i}" for i in range(40)) + " + (1 | g)",
    "product of one": "y ~ " + "*".join(["x"] * 3000) + " + (1 | g)",
    "powers": "y ~ (" + " + ".join(f"x{i}" for i in range(40)) + ")^40 + (1 | g)",
    "powers of powers": "y ~ " + "(" * 40 + "x + b" + ")^9" * 40 + " + (1 | g)",
    "parentheses": "y ~ " + "(" * 4000 + "x" + ")" * 4000 + " + (1 | g)",
    "parentheses in a call": "y ~ I(" + "(" * 4000 + "x" + ")" * 4000 + ") + (1 | g)",
    "calls": "y ~ " + "I(" * 3000 + "x" + ")" * 3000 + " + (1 | g)",
    "signs in a call": "y ~ I(" + "-" * 9000 + "x) + (1 | g)",
    "sum in a call": "y ~ I(" + "x+" * 4000 + "x) + (1 | g)",
    "power of powers": "y ~ I(9**9**9**9**9) + (1 | g)",
    "product of numbers": "y ~ I(x * " + "9" * 4000 + ") + (1 | g)",
    "text times a number": "y ~ I('a' * 10**10) + (1 | g)",
    "list times a number": "y ~ I([1] * 10**10) + (1 | g)",
    "shift": "y ~ I(1 << 10**10) + (1 | g)",
    "nested groups": "y ~ x + (1 | " + "/".join(f"g{i}" for i in range(1500)) + ")",
    "interaction of groups": "y ~ x + (1 | " + ":".join(f"g{i}" for i in range(1500)) + ")",
    "random terms": "y ~ x" + "".join(f" + (1 | g{i})" for i in range(700)),
    "summands": "y ~ " + " + ".join(f"I(x + {i})" for i in range(300)) + " + (1 | g)",
    "bars": "y ~ " + "(1 " + "| g" * 3000 + ")",
    "digits": "y ~ " + "9" * 9000 + " + (1 | g)",
    "quotes": "y ~ " + "'" * 9000 + " + (1 | g)",
    "tildes": "~" * 9000,
    "offsets": "y ~ x + (1 | g)" + " + offset(x)" * 700,
    "interaction": "y ~ " + ":".join(["x", "b"] * 2000) + " + (1 | g)",
    "slashes": "y ~ " + "/".join(["x", "b", "n"] * 900) + " + (1 | g)",
}


@pytest.mark.parametrize("case", HOSTILE_FORMULAS)
def test_a_hostile_formula_is_read_or_refused_soon(case, panel):
    for read in (parse_formula, lambda text: read_design(text, panel)):
        begin = time.perf_counter()
        try:
            read(HOSTILE_FORMULAS[case])
        except MixsemError as error:
            assert len(str(error)) < 30_000
        assert time.perf_counter() - begin < SECONDS


def test_two_words_in_a_call_do_not_become_one(panel, refuses):
    table = panel.assign(xb=panel["x"] + panel["b"])
    refuses(lambda: mx.lmer("y ~ I(x b) + (1 | g)", table), "I(x b)")


def test_predictors_of_clusters_that_cannot_be_read_are_refused(refuses):
    from mixsem.mixtures.design import formula_variables

    for text in (
        "a^(" + "-" * 30 + "b)**2",
        "hdi +[",
        "(a('b')) +[c + d('e')) +[f",
        "hdi )",
        "hdi ~ x ~ z",
        "1",
        "",
        "+".join(["(" * 99 + "a" + ")" * 99] * 3),
    ):
        refuses(lambda text=text: formula_variables(text))
