"""The parameter table: lavaan's defaults, groups, labels, equality.

Expected tables are those of lavaan 0.6-14 (`lavaanify` with the settings of `cfa()`), where lavaan has them.
"""

from __future__ import annotations

from math import inf

import pytest

from mixsem.errors import ModelError
from mixsem.syntax import ParameterTable, Row, measurement_table, parse_model

ONE = ("all",)
AB = ("A", "B")


def table(
    text: str,
    groups: tuple[object, ...] = ONE,
    *,
    equal: tuple[str, ...] = (),
    partial: tuple[str, ...] = (),
    std_lv: bool = False,
    meanstructure: bool = False,
) -> ParameterTable:
    return measurement_table(
        parse_model(text),
        groups=groups,
        equal=equal,
        partial=partial,
        std_lv=std_lv,
        meanstructure=meanstructure,
    )


def row(found: ParameterTable, name: str) -> Row:
    (match,) = [r for r in found.rows if r.name == name]
    return match


def fixed(found: ParameterTable) -> dict[str, tuple[float | None, ...]]:
    """Every parameter that is fixed in some group."""
    return {r.name: r.fixed for r in found.rows if set(r.fixed) != {None}}


def labels(found: ParameterTable) -> dict[str, tuple[str, ...]]:
    return {r.name: r.label for r in found.rows if set(r.label) != {""}}


# --- defaults --------------------------------------------------------------------------------------------


def test_the_whole_table() -> None:
    found = table("F =~ x1 + a*x2\nG =~ x3 + x4\nx4 ~~ x1", meanstructure=True)
    assert [r.name for r in found.rows if r.user] == ["F=~x1", "F=~x2", "G=~x3", "G=~x4", "x1~~x4"]
    assert [r.name for r in found.rows if not r.user] == [
        *("x1~~x1", "x2~~x2", "x3~~x3", "x4~~x4", "F~~F", "G~~G", "F~~G"),
        *("x1~1", "x2~1", "x3~1", "x4~1", "F~1", "G~1"),
    ]
    assert fixed(found) == {"F=~x1": (1.0,), "G=~x3": (1.0,), "F~1": (0.0,), "G~1": (0.0,)}
    assert labels(found) == {"F=~x2": ("a",)}
    assert (found.factors, found.observed, found.n_groups) == (("F", "G"), ("x1", "x2", "x3", "x4"), 1)
    assert (found.n_free, len(found.rows)) == (14, 18)
    assert (row(found, "x1~~x4").line, row(found, "x1~~x4").column) == (3, 7)
    assert (row(found, "x1~1").line, row(found, "x1~1").column) == (0, 0)
    assert row(found, "F=~x2").lower == (-inf,) and row(found, "F=~x2").upper == (inf,)


@pytest.mark.parametrize(
    ("text", "std_lv", "expected"),
    [
        ("F =~ x1 + x2 + x3", False, {"F=~x1": (1.0,)}),
        ("F =~ x1 + x2 + x3", True, {"F~~F": (1.0,)}),
        ("F =~ NA*x1 + 1*x2", False, {"F=~x2": (1.0,)}),
        ("F =~ x1 + 2*x2", False, {"F=~x1": (1.0,), "F=~x2": (2.0,)}),
        ("F =~ 3*x1 + x2", False, {"F=~x1": (3.0,)}),
        ("F =~ start(2)*x1 + x2", False, {"F=~x1": (1.0,)}),
        ("F =~ a*x1 + a*x2 + x3", False, {"F=~x1": (1.0,), "F=~x2": (1.0,)}),
        ("F =~ 1*x1 + x2", True, {"F=~x1": (1.0,), "F~~F": (1.0,)}),
        ("F =~ x1 + x2\nF ~~ NA*F", True, {}),
        ("F =~ x1 + x2\nF ~~ a*F", True, {"F~~F": (1.0,)}),
        ("F =~ NA*x1 + x2\nF ~~ 1*F", False, {"F~~F": (1.0,)}),
        ("F =~ x1 + x2\nx1 ~~ 0.5*x1", False, {"F=~x1": (1.0,), "x1~~x1": (0.5,)}),
        # the only item of a factor has no residual, unless it is written or another factor uses the item
        ("F =~ x1\nG =~ x2 + x3", False, {"F=~x1": (1.0,), "G=~x2": (1.0,), "x1~~x1": (0.0,)}),
        ("F =~ x1\nG =~ x2 + x3\nx1 ~~ x1", False, {"F=~x1": (1.0,), "G=~x2": (1.0,)}),
        ("F =~ x1\nG =~ x1 + x3", False, {"F=~x1": (1.0,), "G=~x1": (1.0,)}),
        ("F =~ x1\nG =~ x2\nF ~~ 0*G\nx1 ~~ .3*x1", True, None),
        ("F =~ x1 + x2\nx1 ~ 0", False, {"F=~x1": (1.0,), "x1~1": (0.0,), "F~1": (0.0,)}),
        ("F =~ x1 + x2\nF ~ 1", False, {"F=~x1": (1.0,)}),
    ],
)
def test_what_is_fixed(text: str, std_lv: bool, expected: dict[str, tuple[float]] | None) -> None:
    found = fixed(table(text, std_lv=std_lv))
    ones = {"F~~F": (1.0,), "G~~G": (1.0,), "F~~G": (0.0,), "x1~~x1": (0.3,), "x2~~x2": (0.0,)}
    assert found == (ones if expected is None else expected)


@pytest.mark.parametrize(
    ("equal", "std_lv", "means", "n_free"),
    [
        # Holzinger and Swineford's three factors in two schools: parameters as counted by lavaan
        ((), False, True, 60),
        (("loadings",), False, True, 54),
        (("loadings", "intercepts"), False, True, 48),
        (("loadings", "intercepts", "residuals"), False, True, 39),
        (("loadings", "intercepts", "residuals", "means"), False, True, 36),
        ((), False, False, 42),
        (("loadings",), True, False, 36),
        (("loadings", "lv.variances"), True, False, 33),
        (("lv.variances", "lv.covariances", "residuals"), False, False, 27),
    ],
)
def test_number_of_parameters(equal: tuple[str, ...], std_lv: bool, means: bool, n_free: int) -> None:
    text = "visual =~ x1 + x2 + x3; textual =~ x4 + x5 + x6; speed =~ x7 + x8 + x9"
    schools = ("Grant-White", "Pasteur")
    assert table(text, schools, equal=equal, std_lv=std_lv, meanstructure=means).n_free == n_free


def test_equal_loadings_and_intercepts_free_the_scale_and_origin_of_later_groups() -> None:
    text = "F =~ x1 + x2 + x3"
    found = table(text, ("A", "B", "C"), equal=("loadings", "intercepts"), std_lv=True)
    assert fixed(found) == {"F~~F": (1.0, None, None), "F~1": (0.0, None, None)}
    held = table(text, AB, equal=("loadings", "intercepts", "lv.variances", "means"), std_lv=True)
    assert fixed(held) == {"F~~F": (1.0, 1.0), "F~1": (0.0, 0.0)}
    written = table(f"{text}; F ~~ F; F ~ 0", AB, equal=("loadings", "intercepts"), std_lv=True)
    assert fixed(written) == {"F~~F": (1.0, 1.0), "F~1": (0.0, 0.0)}


# --- equality over groups --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "held"),
    [
        ("loadings", ["F=~x2", "G=~x4"]),
        ("intercepts", ["x1~1", "x2~1", "x3~1", "x4~1"]),
        ("residuals", ["x1~~x1", "x2~~x2", "x3~~x3", "x4~~x4"]),
        ("residual.covariances", ["x1~~x3"]),
        ("lv.variances", ["F~~F", "G~~G"]),
        ("lv.covariances", ["F~~G"]),
        ("means", ["G~1"]),
    ],
)
def test_each_kind_holds_its_own(kind: str, held: list[str]) -> None:
    found = table("F =~ x1 + x2; G =~ x3 + x4; x1 ~~ x3; G ~ 1", AB, equal=(kind,), meanstructure=True)
    assert labels(found) == {name: (f".{name}.",) * 2 for name in held}


def test_partial_frees_and_labels_of_the_user_win() -> None:
    text = "F =~ x1 + x2 + c(a, b)*x3 + c('', d)*x4 + x5; x2 ~~ x5"
    equal = ("loadings", "residual.covariances")
    found = table(text, AB, equal=equal, partial=("F =~ x5", "x5 ~~ x2"))
    assert labels(found) == {
        "F=~x2": (".F=~x2.", ".F=~x2."),
        "F=~x3": ("a", "b"),
        "F=~x4": (".F=~x4.", "d"),
    }


def test_with_one_group_there_is_nothing_to_hold_equal() -> None:
    assert labels(table("F =~ x1 + x2", equal=("loadings",), partial=("F =~ x1",))) == {}


@pytest.mark.parametrize("loading", ["c(1, 2)*x2", "c(2, NA)*x2", "c(NA, 2)*x2"])
def test_a_loading_cannot_be_held_equal_and_differ(loading: str) -> None:
    message = r"F=~x2 is .* in group 'A' and .* in group 'B', but equal= holds it .* \(line 1, column 11\)"
    with pytest.raises(ModelError, match=message):
        table(f"F =~ x1 + {loading} + x3", AB, equal=("loadings",))
    freed = table(f"F =~ x1 + {loading} + x3", AB, equal=("loadings",), partial=("F =~ x2",))
    assert labels(freed) == {"F=~x3": (".F=~x3.",) * 2}


# --- labels, equal(), constraints ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("F =~ x1 + a*x2 + a*x3", {"F=~x2": ("a", "a"), "F=~x3": ("a", "a")}),
        ("F =~ x1 + c(a, b)*x2 + x3", {"F=~x2": ("a", "b")}),
        ("F =~ x1 + c(a, NA)*x2 + x3", {"F=~x2": ("a", "")}),
        ("F =~ x1 + a*x2 + b*x3; a == b", {"F=~x2": ("a", "a"), "F=~x3": ("a", "a")}),
        (
            "F =~ x1 + a*x2 + b*x3 + d*x4; d == b; b == a",
            {"F=~x2": ("d", "d"), "F=~x3": ("d", "d"), "F=~x4": ("d", "d")},
        ),
        # equal() means the first group, as in lavaan, unless it says which
        (
            "F =~ x1 + x2 + equal('F =~ x2')*x3",
            {"F=~x2": (".F=~x2.g1.", ""), "F=~x3": (".F=~x2.g1.", ".F=~x2.g1.")},
        ),
        (
            "F =~ x1 + x2 + equal(c('F=~x2', 'F=~x2.g2'))*x3",
            {"F=~x2": (".F=~x2.g1.", ".F=~x2.g2."), "F=~x3": (".F=~x2.g1.", ".F=~x2.g2.")},
        ),
        ("F =~ x1 + a*x2 + equal('F=~x2')*x3", {"F=~x2": ("a", "a"), "F=~x3": ("a", "a")}),
        ("F =~ x1 + x2 + a*equal('F=~x2')*x3", {"F=~x2": ("a", ""), "F=~x3": ("a", "a")}),
        ("F =~ x1 + x2; x1 ~~ v*x1; x2 ~~ v*x2", {"x1~~x1": ("v", "v"), "x2~~x2": ("v", "v")}),
    ],
)
def test_labels(text: str, expected: dict[str, tuple[str, str]]) -> None:
    assert labels(table(text, AB)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("F =~ x1 + a*x2 + x3; a == 0.7", (0.7, 0.7)),
        ("F =~ x1 + a*x2 + x3; sqrt(0.25) == a", (0.5, 0.5)),
        ("F =~ x1 + a*x2 + b*x3; a == b; b == -2", (-2.0, -2.0)),
        ("F =~ x1 + c(a, b)*x2 + x3; b == 2", (None, 2.0)),
        ("F =~ x1 + a*x2 + c(2, NA)*a*x3", (2.0, 2.0)),
        ("F =~ x1 + x2 + 2*x3; x1 ~~ x2; F =~ equal('F=~x3')*x2", (2.0, 2.0)),
    ],
)
def test_a_label_carries_its_value(text: str, expected: tuple[float, float]) -> None:
    assert row(table(text, AB), "F=~x2").fixed == expected


def test_equal_loadings_meet_equal_labels() -> None:
    found = table("F =~ x1 + x2 + equal('F=~x2')*x3", AB, equal=("loadings",))
    assert labels(found) == {"F=~x2": (".F=~x2.",) * 2, "F=~x3": (".F=~x2.",) * 2}
    assert found.n_free == table("F =~ x1 + a*x2 + a*x3", AB).n_free


def test_starts_and_bounds_belong_to_the_parameter() -> None:
    text = "F =~ x1 + c(.5, NA)?x2 + lower(0)*x2 + upper(c(2, NA))*x2 + lower(-1)*x3"
    found = row(table(text, AB), "F=~x2")
    assert (found.start, found.lower, found.upper) == ((0.5, None), (0.0, 0.0), (2.0, inf))
    shared = row(table(text, AB, equal=("loadings",)), "F=~x2")
    assert (shared.start, shared.lower, shared.upper) == ((0.5, 0.5), (0.0, 0.0), (2.0, 2.0))


# --- group blocks ----------------------------------------------------------------------------------------


def test_a_group_block_adds_to_what_all_groups_share() -> None:
    text = """
      F =~ x1 + x2 + a*x3
      group: BEL
      x1 ~~ x2
      F =~ 0.5*x2
      group: "New Zealand"
      F =~ b*x3
    """
    found = table(text, ("BEL", "FRA", "New Zealand"))
    assert row(found, "x1~~x2").fixed == (None, 0.0, 0.0)
    assert row(found, "F=~x2").fixed == (0.5, None, None)
    assert labels(found) == {"F=~x3": ("a", "a", "b")}


def test_full_blocks_and_numeric_labels() -> None:
    found = table("group: 2\nF =~ x2 + x1\ngroup: 1\nF =~ x1 + x2", (1, 2))
    assert fixed(found) == {"F=~x1": (1.0, None), "F=~x2": (None, 1.0)}
    assert found.observed == ("x2", "x1")


def test_a_loading_of_one_group_is_zero_and_not_held_equal_elsewhere() -> None:
    text = "F =~ x1 + x2; G =~ x3 + x4\ngroup: A\nF =~ x4"
    found = table(text, ("A", "B", "C"), equal=("loadings",))
    assert row(found, "F=~x4").fixed == (None, 0.0, 0.0)
    assert row(found, "F=~x4").label == (".F=~x4.", "", "")
