"""Columns of fixed and random effects: names, the way without formulaic, new rows, columns that follow from others."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from formulaic import model_matrix
from hypothesis import given, settings
from hypothesis import strategies as st

from mixsem.errors import ModelError
from mixsem.mixed.designs.fixed_part import build_columns
from mixsem.mixed.designs.rank import independent_columns

FRAME = pd.DataFrame(
    {
        "x": [0.5, 1.5, -2.0, 4.0, 3.0, 1.0],
        "n": [1, 2, 3, 4, 5, 6],
        "f": pd.Categorical(["a", "b", "c", "a", "b", "c"]),
        "my var": [1.0, 2.0, 2.0, 1.0, 0.0, 3.0],
        "µ": [1.0, 3.0, 2.0, 1.0, 0.0, 3.0],
    }
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(["0", "1", "x", "n", "`my var`", "µ"]), min_size=1, max_size=6), st.booleans())
def test_sums_of_columns_are_those_of_formulaic(parts: list[str], without: bool) -> None:
    text = " + ".join(parts) + (" - 1" if without else "")
    columns, X = build_columns(text, FRAME)
    expected = model_matrix(text, FRAME)
    assert columns.plain is not None
    assert columns.names == tuple("(Intercept)" if c == "Intercept" else c for c in expected.columns)
    np.testing.assert_array_equal(X, np.asarray(expected, dtype=float).reshape(len(FRAME), -1))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("x * f", ["(Intercept)", "x", "f[T.b]", "f[T.c]", "x:f[T.b]", "x:f[T.c]"]),
        ("0 + f", ["f[a]", "f[b]", "f[c]"]),
        ("I(x**2)", ["(Intercept)", "I(x ** 2)"]),
        ("I(µ**2)", ["(Intercept)", "I(μ ** 2)"]),  # the micro sign is a Greek letter in Python
        ("sqrt(`my var`)", ["(Intercept)", "sqrt(`my var`)"]),
        ("(x + n)^2", ["(Intercept)", "x", "n", "x:n"]),
        ("bs(x, knots=c(0, 1), degree=1)", ["(Intercept)", *(f"bs(x, knots=c(0, 1), degree=1)[{i}]" for i in "123")]),
        ("C(f, contr.sum)", ["(Intercept)", "C(f, contr.sum)[S.a]", "C(f, contr.sum)[S.b]"]),
    ],
)
def test_names(text: str, names: list[str]) -> None:
    columns, X = build_columns(text, FRAME)
    assert list(columns.names) == names
    assert X.shape == (len(FRAME), len(names))


def test_terms() -> None:
    columns, _ = build_columns("x * f", FRAME)
    assert columns.terms == {"(Intercept)": (0,), "x": (1,), "f": (2, 3), "x:f": (4, 5)}
    assert build_columns("x + n", FRAME)[0].terms == {"(Intercept)": (0,), "x": (1,), "n": (2,)}


@pytest.mark.parametrize("text", ["poly(x, 2)", "scale(x) + center(n)", "bs(x, df=4)", "cr(n, df=3)", "f * scale(x)"])
def test_transforms_remember_the_rows_of_the_fit(text: str) -> None:
    columns, X = build_columns(text, FRAME)
    np.testing.assert_allclose(columns.of(FRAME[2:4]), X[2:4], atol=1e-12)  # the same arithmetic on fewer rows


def test_polynomials_and_scaling_are_those_of_r() -> None:
    """`poly(x, 2)` and `scale(x)` of R 4.2 for x = 1, 3, 4, 8, 9, 12."""
    frame = pd.DataFrame({"x": [1.0, 3.0, 4.0, 8.0, 9.0, 12.0]})
    _, X = build_columns("0 + poly(x, 2) + scale(x)", frame)
    first = [-0.5544562, -0.3398280, -0.2325139, 0.1967425, 0.3040566, 0.6259989]
    second = [0.53684537, -0.09666229, -0.30641671, -0.43210507, -0.28519482, 0.58353353]
    scaled = [-1.2398016, -0.7598784, -0.5199168, 0.4399296, 0.6798912, 1.3997761]
    np.testing.assert_allclose(X.T, [first, second, scaled], atol=5e-8)  # R printed seven digits


@pytest.mark.parametrize(
    ("text", "todo"),
    [
        ("ns(x, 3)", "cr(x"),
        ("relevel(f, 'b')", "Treatment"),
        ("frobnicate(x)", "column of the table"),
        ("C(f, contr.treatment('zz'))", "column of the table"),
        ("x +* n", "I(x / 10)"),
    ],
)
def test_what_formulaic_refuses(text: str, todo: str) -> None:
    with pytest.raises(ModelError) as caught:
        build_columns(text, FRAME)
    assert todo in caught.value.todo


# --- columns that follow from others -----------------------------------------------------------------------


def stacked(*columns: object) -> np.ndarray:
    return np.column_stack([np.asarray(c, dtype=float) for c in columns])


RNG = np.random.default_rng(7)
N = 200
X1, X2 = RNG.normal(size=(2, N))
ONES = np.ones(N)
YEAR = 2000.0 + np.arange(N) % 10
GROUP = np.arange(N) % 3


@pytest.mark.parametrize(
    ("X", "intercept", "kept"),
    [
        (stacked(ONES), True, (0,)),
        (stacked(X1), False, (0,)),
        (stacked(ONES, X1, X2), True, (0, 1, 2)),
        (stacked(ONES, X1, 2 * X1 + 5, X2), True, (0, 1, 3)),
        (stacked(ONES, X1, X2, X1 + X2), True, (0, 1, 2)),
        (stacked(ONES, X1 + X2, X1, X2), True, (0, 1, 2)),
        (stacked(ONES, 0 * X1, X1), True, (0, 2)),
        (stacked(ONES, 3.3 * ONES, X1), True, (0, 2)),
        (stacked(0 * X1, X1), False, (1,)),
        (stacked(X1, X2, X1 - X2), False, (0, 1)),
        (stacked(ONES, GROUP == 0, GROUP == 1, GROUP == 2), True, (0, 1, 2)),
        (stacked(GROUP == 0, GROUP == 1, GROUP == 2, ONES), False, (0, 1, 2)),
        (stacked(ONES, YEAR, YEAR**2), True, (0, 1, 2)),
        (stacked(GROUP == 0, GROUP == 1, GROUP == 2, YEAR), False, (0, 1, 2, 3)),
        (stacked(ONES, 1.7e9 + np.arange(N), X1), True, (0, 1, 2)),  # seconds since 1970
        (stacked(ONES, 1e-30 * X1, 1e30 * X2, 1e-30 * X1 + 1e-30), True, (0, 1, 2)),
        (stacked(ONES, X1, X1 + 1e-5 * X2), True, (0, 1, 2)),
        (stacked(ONES, X1, X1 + 1e-9 * X2), True, (0, 1)),
        (np.empty((N, 0)), False, ()),
        (stacked([1.0], [2.0]), True, (0,)),
        (stacked(ONES[:2], X1[:2], X2[:2]), True, (0, 1)),
    ],
)
def test_columns_that_follow_from_earlier_ones(X: np.ndarray, intercept: bool, kept: tuple[int, ...]) -> None:
    assert independent_columns(X, intercept) == kept


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(st.integers(-2, 2), min_size=5, max_size=5), min_size=1, max_size=6), st.booleans())
def test_as_many_columns_as_the_rank_and_the_earliest(rows: list[list[int]], intercept: bool) -> None:
    X = np.array(rows, dtype=float).T
    X = np.column_stack([np.ones(len(X)), X]) if intercept else X
    kept = independent_columns(X, intercept)
    for j in range(X.shape[1] + 1):
        # Small whole numbers: the rank of NumPy is exact.
        assert len([c for c in kept if c < j]) == (np.linalg.matrix_rank(X[:, :j]) if j else 0)
