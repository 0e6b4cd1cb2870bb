"""Every mistake has a place, says what came, and most say what to do."""

from __future__ import annotations

import pytest

from mixsem.errors import ModelSyntaxError
from mixsem.syntax.sem import parse_model

# model text, line, column, part of the message, part of the advice ("" if there is none)
MISTAKES = [
    # operators
    ("F = x1 + x2", 1, 3, "'=' is not an operator", "did you mean '=~'?"),
    ("F = -x1", 1, 3, "'=' is not an operator", "did you mean '=~'?"),
    ("F = ~ x1", 1, 3, "the operator '=~' is split by a blank", "write '=~' as one word"),
    ("x1 ~ ~ x2", 1, 4, "the operator '~~' is split by a blank", "write '~~' as one word"),
    ("a : = b", 1, 3, "the operator ':=' is split by a blank", "write ':=' as one word"),
    ("a = = b", 1, 3, "the operator '==' is split by a blank", "write '==' as one word"),
    ("x1 x2", 1, 4, "two names without an operator: x1 x2", ""),
    ("F =~ x1 + x2\nx3", 2, 1, "no operator", "end that line with '+'"),
    ("x1", 1, 1, "no operator", ""),
    ("F =~ x1 =~ x2", 1, 9, "a second operator, '=~'", "begin a new line"),
    ("F =~ x1 +\nG =~ x2", 2, 3, "a second operator, '=~'", "did line 1 end with a '+' too many?"),
    ("a < b < c", 1, 7, "a second operator, '<'", ""),
    ("F =~ x1 = 2", 1, 9, "a second operator, '='", ""),
    ("F ~= x1", 1, 3, "'~=' is not an operator", "did you mean '=~'?"),
    ("F \u223c x1", 1, 3, "unexpected character '\u223c' (U+223C)", "did you mean '~'?"),
    # missing sides
    ("=~ x1", 1, 1, "nothing stands on the left of '=~'", ""),
    ("F =~ x1\n=~ x2", 2, 1, "nothing stands on the left of '=~'", ""),
    (": 1", 1, 1, "nothing stands on the left of ':'", ""),
    ("== a", 1, 1, "nothing stands on the left of '=='", ""),
    ("F =~", 1, 5, "nothing stands on the right of '=~'", "complete the statement"),
    ("F =~ # x1", 1, 5, "nothing stands on the right of '=~'", ""),
    ("a :=", 1, 5, "nothing stands on the right of ':='", ""),
    ("group:", 1, 7, "nothing stands on the right of ':'", ""),
    ("F =~ x1 +", 1, 10, "the statement ends after '+'", ""),
    ("F =~ x1 +;\nG =~ x2", 1, 10, "the statement ends after '+'", ""),
    ("F =~ x1; + x2", 1, 10, "no operator", ""),
    ("F + =~ x1", 1, 5, "'=~' is unexpected here", ""),
    ("F =~ x1 + + x2", 1, 11, "'+' is unexpected here", ""),
    # names
    ("F =~ x1 x2", 1, 9, "the name 'x2' is unexpected here", "is a '+' missing?"),
    ("F G =~ x1", 1, 3, "the name 'G' is unexpected here", "is a '+' missing?"),
    ("F =~ x1 - x2", 1, 9, "'-' is unexpected here", "terms are joined by '+'"),
    ("F =~ 1", 1, 6, "the number '1' stands where a name is expected", ""),
    ("F =~ 0.5 + x1", 1, 6, "the number '0.5' stands where a name is expected", ""),
    ("1 =~ x1", 1, 1, "the number '1' stands where a name is expected", ""),
    ("F ~~ x1*1", 1, 9, "the number '1' stands where a name is expected", "did you mean 1*x1?"),
    ("'my factor' =~ x1", 1, 1, "the text 'my factor' stands where a name is expected", ""),
    ("F =~ 2x1", 1, 6, "'2x1' is neither a number nor a name", "to multiply, write 2*x1"),
    ("F =~ NA", 1, 6, "NA is a value", "write NA*x"),
    ("y ~ 2", 1, 5, "the number '2' stands where a variable is expected", "write 2*1"),
    ("y ~ a*0", 1, 7, "the number '0' stands where a variable is expected", ""),
    ("a:b ~ c", 1, 1, "an interaction cannot stand on the left", "right of '~'"),
    ("y ~ a:b:c", 1, 8, "an interaction of more than two variables", "compute the product"),
    ("y ~ a:", 1, 7, "the statement ends after ':'", ""),
    ("x1 ~~ a:b", 1, 8, "a second operator, ':'", ""),
    ("u | x1", 1, 5, "'x1' is no threshold", ""),
    ("x1 =~ x1", 1, 7, "'x1' measures itself", "a name that no item has"),
    ("F =~ größe + x§", 1, 15, "unexpected character '§' (U+00A7)", ""),
    # modifiers
    ("F =~ strt(1)*x1", 1, 6, "unknown modifier strt()", "did you mean 'start'?"),
    ("F =~ x1(2)", 1, 6, "unknown modifier x1()", ""),
    ("F =~ c(1, a)*x1", 1, 11, "numbers and labels are mixed in c()", "give the variable twice"),
    ("F =~ c(a, 'b', 2)*x1", 1, 16, "numbers and labels are mixed in c()", ""),
    ("F =~ c(1,)*x1", 1, 10, "')' is unexpected here", ""),
    ("F =~ c()*x1", 1, 8, "')' is unexpected here", ""),
    ("F =~ c(a b)*x1", 1, 10, "the name 'b' is unexpected here", ""),
    ("F =~ c(2*a)*x1", 1, 10, "the name 'a' stands where a number is computed", ""),
    ("F =~ c(start(1), 2)*x1", 1, 8, "unknown function start()", ""),
    ("F =~ -x1", 1, 7, "the name 'x1' stands where a number is computed", "did you mean -1*x1?"),
    ("F =~ start(a)*x1", 1, 12, "start() takes numbers, not the name 'a'", ""),
    ("F =~ lower('0')*x1", 1, 12, "lower() takes numbers, not the text '0'", ""),
    ("F =~ label(1)*x1", 1, 12, "label() takes texts, not the number '1'", ""),
    ("F =~ prior(normal)*x1", 1, 12, "prior() takes one quoted text", ""),
    ("F =~ rv('s', 't')*x1", 1, 9, "rv() takes one quoted text", ""),
    ("F =~ equal(F=~x2)*x1", 1, 13, "'=~' inside parentheses", "put a parameter in quotes"),
    ("F =~ rep(a)*x1", 1, 6, "rep() takes one value and a whole number", ""),
    ("F =~ rep(a, 1.5)*x1", 1, 6, "rep() takes one value and a whole number", ""),
    ("F =~ rep(a, 0)*x1", 1, 13, "rep() cannot repeat 0 times", ""),
    ("F =~ rep(a, times=2)*x1", 1, 18, "'=' inside parentheses", "arguments without names"),
    ("F =~ 0.5 x1", 1, 10, "the name 'x1' is unexpected here", "is a '*' missing?"),
    ("F =~ start(1) + x1", 1, 15, "a modifier without a variable", ""),
    ("F =~ a*", 1, 8, "a modifier without a variable", ""),
    ("F =~ 'a'", 1, 9, "a modifier without a variable", ""),
    ("F =~ a?x1", 1, 7, "'?' follows no number", ""),
    ("F =~ NA?x1", 1, 8, "'?' follows no number", ""),
    ("F =~ a*b*x1", 1, 8, "'label' is given twice", ""),
    ("F =~ a*x1 +\n b*x1", 2, 2, "'label' of F =~ x1 was given on line 1 with another value", "remove one"),
    ("F =~ 1*x1 + NA*x1", 1, 13, "'fixed' of F =~ x1 was given on line 1", ""),
    ("x1 ~~ 0*x2\nx2 ~~ 1*x1", 2, 7, "'fixed' of x2 ~~ x1 was given on line 1", ""),
    ("F =~ sqrt(-1)*x1", 1, 6, "sqrt(-1) has no finite value", ""),
    ("F =~ (Inf-Inf)*x1", 1, 6, "is not a number", ""),
    ("F =~ Inf*x1", 1, 6, "is infinite", ""),
    ("F =~ start(-Inf)*x1", 1, 6, "is infinite", ""),
    ("F =~ 1e999*x1", 1, 6, "the number 1e999 is too large", ""),
    ("0.5*F =~ x1", 1, 1, "the number '0.5' cannot modify a left-hand side", "on the right-hand side"),
    ("start(1)*F =~ x1", 1, 1, "the name 'start' cannot modify a left-hand side", ""),
    ("efa('b')+F =~ x1", 1, 9, "'+' is unexpected here", ""),
    ("F =~ efa('b')*x1", 1, 6, "efa() cannot modify a right-hand side", ""),
    # parentheses and quotes
    ("F =~ c(1, 2*x1", 1, 7, "this parenthesis is never closed", "add the ')'"),
    ("F =~ c(1, 2*x1\nG =~ x2", 1, 7, "this parenthesis is never closed", ""),
    ("F =~ x1)", 1, 8, "')' closes no parenthesis", ""),
    ("F =~ 'a*x1", 1, 6, "this text has no closing quote", "close it with '"),
    ('F =~ "a\n"*x1', 1, 6, "this text has no closing quote", ""),
    ("F =~ “a”*x1", 1, 6, "unexpected character '“' (U+201C)", "did you mean '\"'?"),
    # blocks
    ("grup: 1", 1, 1, "the name 'grup' begins no block", "did you mean 'group'?"),
    ("group: Grant-White", 1, 13, "'-' is unexpected here", "in quotes"),
    ("group: 1 F =~ x1", 1, 10, "the name 'F' is unexpected here", ""),
    ("group: ''\nF =~ x1", 1, 8, "the text '' is unexpected here", ""),
    ("group 1: x", 1, 7, "the number '1' is unexpected here", ""),
    ("level: 1\nF =~ x1\ngroup: 1\nF =~ x1", 3, 1, "a group stands inside a level", "group header first"),
    # constraints and definitions
    ("a := b +", 1, 9, "the statement ends after '+'", ""),
    ("a := b c", 1, 8, "the name 'c' is unexpected here", ""),
    ("a := sqt(b)", 1, 6, "unknown function sqt()", "did you mean 'sqrt'?"),
    ("a + b := c", 1, 3, "'+' is unexpected here", ""),
    ("2 := c", 1, 1, "the number '2' stands where a name is expected", ""),
    ("a := 'b'", 1, 6, "the text 'b' is unexpected here", ""),
    ("a b == c", 1, 3, "the name 'b' is unexpected here", ""),
    ("a <= b", 1, 3, "'<=' is not an operator", "did you mean '<'?"),
    ("a := b\n\n  a := c", 3, 3, "'a' was already defined on line 1", "choose another name"),
    ("F =~ a*x1\na := b", 2, 1, "'a' is already the label of F =~ x1", "choose another name"),
    # nothing at all
    ("", 1, 1, "the model is empty", ""),
    ("\n  # only a comment\n;;", 1, 1, "the model is empty", ""),
    ("group: 1", 1, 1, "the model is empty", ""),
]


@pytest.mark.parametrize(("text", "line", "column", "got", "todo"), MISTAKES, ids=[m[0] for m in MISTAKES])
def test_mistake(text: str, line: int, column: int, got: str, todo: str) -> None:
    with pytest.raises(ModelSyntaxError) as caught:
        parse_model(text)
    error = caught.value
    assert (error.line, error.column) == (line, column), str(error)
    assert got in error.got
    assert todo in error.todo
    assert error.allowed or error.todo


def test_a_message_shows_the_line_and_marks_the_place() -> None:
    with pytest.raises(ModelSyntaxError) as caught:
        parse_model("F =~ x1\nG =~ x2 x3")
    assert str(caught.value) == (
        "line 2, column 9: the name 'x3' is unexpected here\n"
        "    G =~ x2 x3\n"
        "            ^\n"
        "  allowed: '+' or the end of the statement\n"
        "  next: is a '+' missing?"
    )


@pytest.mark.parametrize("text", ["c(" * 200 + "1" + ")" * 200, "(" * 200 + "1" + ")" * 200, "-" * 5000 + "1"])
def test_absurd_nesting_is_a_syntax_error(text: str) -> None:
    with pytest.raises(ModelSyntaxError, match="nested too deeply"):
        parse_model(f"F =~ {text}*x1")
