"""What the parameter table refuses: unsupported parts by name and place, contradictions, unknown options."""

from __future__ import annotations

import pytest

from mixsem.errors import ModelError, OptionError, UnsupportedModelError
from mixsem.syntax import measurement_table, parse_model

ONE = ("all",)
AB = ("A", "B")


def table(
    text: str, groups: tuple[str, ...] = ONE, *, equal: tuple[str, ...] = (), partial: tuple[str, ...] = ()
) -> None:
    measurement_table(parse_model(text), groups=groups, equal=equal, partial=partial)


GOOD = "F =~ x1 + x2 + x3"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (f"{GOOD}; G =~ x4 + x5\nG ~ F", ("line 2, column 5", "'G ~ F' is a regression", "structural=")),
        ("F <~ x1 + x2", ("line 1, column 6", "a composite")),
        (f"{GOOD}\nx1 | t1", ("line 2, column 6", "a threshold")),
        (f"{GOOD}\nx1 ~*~ x1", ("line 2", "a scaling factor")),
        (f"{GOOD}\na :~ x1", ("line 2", "a moderated parameter")),
        (f"{GOOD}\nx1 % x2", ("line 2", "the operator '%'")),
        (f"{GOOD}\nx1 |~ x2", ("line 2", "the operator '|~'")),
        ("level: 1\nF =~ x1 + x2", ("line 2, column 6", "a block 'level: 1'", "MLCFA")),
        ("class: 1\nF =~ x1 + x2", ("a block 'class: 1'", "structural step")),
        ("block: 1\nF =~ x1 + x2", ("a block 'block: 1'", "group:")),
        ("efa('e')*F =~ x1 + x2", ("exploratory factors, efa()",)),
        ("F =~ x1 + rv('s')*x2", ("line 1, column 11", "a random slope, rv()", "random=")),
        ("F =~ x1 + prior('normal(0,1)')*x2", ("a prior distribution, prior()", "MGBCFA")),
        ("F =~ x1 + x2:x3", ("an interaction",)),
        (f"{GOOD}\nH =~ F + x4", ("line 2, column 6", "a factor as an indicator", "second-order")),
        (f"{GOOD}\nx1 =~ x4 + x5", ("'x1' is measured by x4, x5", "rename the factor")),
        (f"{GOOD}\nF ~~ x1", ("line 2", "a covariance of a factor with an item")),
        ("F =~ x1 + a*x2\na > 0", ("line 2, column 1", "'a > 0' is an inequality", "remove it")),
        ("F =~ x1 + a*x2\n\nab := a^2", ("line 3, column 1", "'ab := a^2' is a defined parameter")),
        ("F =~ x1 + a*x2 + b*x3\na == 2*b", ("line 2, column 1", "'a == 2*b' is neither", "'a == 0.5'")),
        ("F =~ x1 + a*x2\n1 == 1", ("line 2", "is neither two labels")),
    ],
)
def test_what_a_measurement_model_cannot_use(text: str, parts: tuple[str, ...]) -> None:
    with pytest.raises(UnsupportedModelError) as caught:
        table(text)
    assert all(part in str(caught.value) for part in parts), str(caught.value)


@pytest.mark.parametrize(
    ("text", "groups", "parts"),
    [
        ("x1 ~~ x2", ONE, ("no factor",)),
        (f"{GOOD}\nF ~~ H", ONE, ("line 2, column 6", "'H' in 'F ~~ H' is neither a factor nor an item")),
        (f"{GOOD}\nx9 ~ 1", ONE, ("'x9' in 'x9 ~ 1'", "factors F; items x1, x2, x3")),
        (
            "F =~ x1 + c(a, b)*x2",
            ("A", "B", "C"),
            (
                "line 1, column 11",
                "'label' of 'F =~ x2' has 2 entries for 3 groups",
                "'A', 'B', 'C'",
                "write 3 entries",
            ),
        ),
        ("F =~ x1 + c(1, 2)*x2", ONE, ("has 2 entries for the one group 'all'", "one entry", "a single value without")),
        (
            "group: A\nF =~ x1 + c(1, 2)*x2\ngroup: B\nF =~ x1 + x2",
            AB,
            ("has 2 entries for the one group 'A'",),
        ),
        (f"{GOOD}\ngroup: C\nx1 ~~ x2", AB, ("'group: C', which is no group", "A, B")),
        (f"{GOOD}\ngroup: 1\nx1 ~~ x2", AB, ("'group: 1'", "not its number")),
        ("group: A\nF =~ x1 + x2", AB, ("the factor 'F' has no loading in group 'B'", "before the first")),
        ("F =~ x1 + x2\ngroup: A\nF =~ x3", AB, ("the item 'x3' has no loading in group 'B'",)),
        (
            "F =~ x1 + a*x2 + b*x3; aa == b",
            ONE,
            ("'aa' in 'aa == b' is not the label", "a, b", "did you mean 'a'"),
        ),
        (f"{GOOD}; a == 1", ONE, ("this model has none",)),
        ("F =~ x1 + a*x2 + 2*a*x3; a == 3", ONE, ("the label 'a'", "fixed at 3 and 2")),
        ("F =~ a*x1 + a*x2 + 2*a*x3", ONE, ("F=~x1 and F=~x3", "fixed at 1 and 2")),
        ("F =~ x1 + x2 + equal('F=~x9')*x3", ONE, ("line 1, column 16", "equal('F=~x9') names no parameter")),
        ("F =~ x1 + x2 + equal('x2')*x3", ONE, ("equal('x2') names no parameter",)),
        ("F =~ x1 + x2 + equal('F=~x2.g3')*x3", AB, ("equal('F=~x2.g3') names no parameter",)),
        ("F =~ x1 + lower(1)*x2 + upper(0)*x2", ONE, ("line 1, column 11: the bounds of F=~x2 leave no value",)),
        ("F =~ x1 + lower(1)*a*x2 + upper(0)*a*x3", ONE, ("leave no value: lower 1, upper 0",)),
    ],
)
def test_models_that_contradict_themselves_or_the_groups(
    text: str, groups: tuple[str, ...], parts: tuple[str, ...]
) -> None:
    with pytest.raises(ModelError) as caught:
        table(text, groups)
    assert not isinstance(caught.value, UnsupportedModelError)
    assert all(part in str(caught.value) for part in parts), str(caught.value)


@pytest.mark.parametrize(
    ("equal", "partial", "parts"),
    [
        (("loading",), (), ("equal= got 'loading'", "'residual.covariances'", "did you mean 'loadings'")),
        (("regressions",), (), ("equal= got 'regressions'",)),
        ("loadings", (), ("equal= got the text", "equal=('loadings',)")),
        ((), "F =~ x2", ("partial= got the text",)),
        (
            ("loadings",),
            ("F =~ x22",),
            ("'F =~ x22', which is not", "F=~x1, F=~x2, F=~x3", "did you mean 'F=~x2'"),
        ),
        (("loadings",), ("x2",), ("'x2', which is not a parameter", "loadings F=~x1")),
        (("loadings",), ("x2 ~~ y",), ("'x2 ~~ y', which is not a parameter",)),
        (("loadings",), ("y ~~ x2",), ("'y ~~ x2', which is not a parameter",)),
        (("loadings",), ("x2 ~ 1",), ("'x2 ~ 1', which is not a parameter",)),
        (
            ("loadings",),
            ("F =~ x1",),
            ("cannot free F=~x1, which is fixed at 1", "make another item the marker"),
        ),
    ],
)
def test_options_that_do_not_fit(equal: tuple[str, ...], partial: tuple[str, ...], parts: tuple[str, ...]) -> None:
    with pytest.raises(OptionError) as caught:
        table(GOOD, AB, equal=equal, partial=partial)
    assert all(part in str(caught.value) for part in parts), str(caught.value)


def test_partial_cannot_undo_a_label() -> None:
    with pytest.raises(OptionError, match="which the label 'a' holds equal"):
        table("F =~ x1 + a*x2", AB, equal=("loadings",), partial=("F =~ x2",))


def test_there_must_be_a_group() -> None:
    with pytest.raises(OptionError, match="groups= is empty"):
        table(GOOD, ())
