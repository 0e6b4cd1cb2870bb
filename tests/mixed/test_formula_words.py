"""Formulas compute as R does: numbers are floats, conditions are 0 and 1, and columns may be named as functions are."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest

from mixsem.errors import ModelError
from mixsem.mixed.designs.design import read_design
from mixsem.mixed.designs.fixed_part import build_columns

#: Floats of the same sums.
ROUNDING = 1e-12
WIDE = pd.DataFrame(
    {
        "y": [1.0, 3.0, 2.0, 5.0, 4.0, 7.0, 5.0, 6.0],
        "x": [20.0, 100.0, 60.0, 40.0, 120.0, 80.0, 20.0, 127.0],
        "z": [3.0, 100.0, 50.0, 0.0, 90.0, 110.0, 7.0, 1.0],
        "g": list("aabbccdd"),
    }
)
EXPRESSIONS = [
    "I(x^2)",
    "I(x^5)",
    "x:z",
    "x*z",
    "I(x * z)",
    "I(z - x)",
    "I(-x - 100)",
    "I(x + 100)",
    "I((x + 1)^-1)",
    "np.square(x)",
    "log(x + 120)",
    "sqrt(x * 2)",
    "poly(x, 2)",
    "scale(x)",
]


@pytest.mark.parametrize("kind", ["int8", "uint8", "int16", "int32", "float32", "Int8", "uint8[pyarrow]"])
@pytest.mark.parametrize("text", EXPRESSIONS)
def test_short_numbers_are_computed_with_as_floats(text, kind):
    short = WIDE.astype({"x": kind, "z": kind})
    expected = read_design(f"y ~ {text} + (1 | g)", WIDE)
    design = read_design(f"y ~ {text} + (1 | g)", short)
    assert design.fixed_names == expected.fixed_names
    np.testing.assert_allclose(design.X, expected.X, rtol=ROUNDING)
    np.testing.assert_allclose(expected.fixed_matrix(short), expected.X, rtol=ROUNDING)


def test_responses_offsets_and_random_slopes_too():
    formula = "I(y * x * x) ~ z + offset(x * x) + (I(x^2) | g)"
    expected = read_design(formula, WIDE, check=False)
    for table in (WIDE.astype({"x": "int8"}), pl.from_pandas(WIDE).with_columns(pl.col("x").cast(pl.Int8))):
        design = read_design(formula, table, check=False)
        np.testing.assert_allclose(design.y, expected.y, rtol=ROUNDING)
        np.testing.assert_allclose(design.offset, expected.offset, rtol=ROUNDING)
        np.testing.assert_allclose(design.terms[0].Z, expected.terms[0].Z, rtol=ROUNDING)


def test_powers_of_long_integers():
    table = WIDE.assign(x=(WIDE["x"] * 1e5).astype("int64"))
    design = read_design("y ~ I(x^3) + (1 | g)", table)
    np.testing.assert_allclose(design.X[:, 1], (WIDE["x"] * 1e5) ** 3, rtol=ROUNDING)


def test_categories_of_whole_numbers_keep_their_labels():
    frame = pd.DataFrame({"n": np.array([1, 2, 3, 1], dtype="int8")})
    columns, X = build_columns("n + C(n)", frame)
    assert columns.names == ("(Intercept)", "n", "C(n)[T.2]", "C(n)[T.3]")
    np.testing.assert_array_equal(columns.of(frame[1:2]), [[1.0, 2.0, 1.0, 0.0]])
    assert build_columns("n + C(n, Treatment(3))", frame)[0].names[2:] == (
        "C(n, Treatment(3))[T.1]",
        "C(n, Treatment(3))[T.2]",
    )
    assert X.shape == (4, 4)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("I((x > 50) + (z > 50))", [0, 2, 1, 0, 2, 2, 0, 1]),
        ("I(3 - (x > 50) * (z > 50))", [3, 2, 3, 3, 2, 2, 3, 3]),
        ("I(-(x > 50))", [0, -1, -1, 0, -1, -1, 0, -1]),
        ("I(((x > 50) | (z > 5)) + 1)", [1, 2, 2, 1, 2, 2, 2, 2]),
        ("I(x %% 50)", [20, 0, 10, 40, 20, 30, 20, 27]),
        ("I(x %/% 50)", [0, 2, 1, 0, 2, 1, 0, 2]),
    ],
)
def test_sums_of_conditions_and_remainders(text, values):
    design = read_design(f"y ~ {text} + (1 | g)", WIDE)
    np.testing.assert_array_equal(design.X[:, 1], values)
    np.testing.assert_array_equal(design.fixed_matrix(WIDE), design.X)
    assert "__" not in "".join(design.fixed_names)


@pytest.mark.parametrize("name", ["C", "I", "Q", "log", "np", "poly", "scale"])
def test_a_column_named_as_a_function(name):
    """Both are there: the column, and the function where it is called."""
    frame = WIDE.assign(f=pd.Categorical(list("uvwuvwuv")))
    right = "col + I(col**2) + C(f, contr.sum) + np.log(x) + poly(x, 2) + log(col + 1) + scale(z) + I(x * 2)"
    expected, X = build_columns(right, frame.rename(columns={"z": "col"}).assign(z=frame["z"]))
    columns, found = build_columns(right.replace("col", name), frame.assign(**{name: frame["z"]}))
    np.testing.assert_allclose(found, X, rtol=ROUNDING)
    assert columns.names == tuple(n.replace("col", name) for n in expected.names)
    assert list(columns.terms) == [n.replace("col", name) for n in expected.terms]
    np.testing.assert_allclose(columns.of(frame.assign(**{name: frame["z"]})[2:4]), X[2:4], rtol=ROUNDING)


def test_a_column_named_c_beside_its_function_in_a_design():
    table = WIDE.assign(C=WIDE["z"], f=list("uvwuvwuv"))
    design = read_design("y ~ C + C(f) + (1 | g)", table)
    assert design.fixed_names == ("(Intercept)", "C", "C(f)[T.v]", "C(f)[T.w]")
    np.testing.assert_array_equal(design.fixed_matrix(table), design.X)


@pytest.mark.parametrize(
    "text", ["I(x - min(x))", "I(x - np.mean(x))", "np.cumsum(x)", "I(x / x.max())", "I(x - mean(x))", "lag(x)"]
)
def test_functions_of_all_rows_together_are_refused(text):
    """On other rows they would be computed anew, and predictions be silently wrong."""
    with pytest.raises(ModelError, match="depends on all rows together"):
        read_design(f"y ~ {text} + (1 | g)", WIDE)


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("I(x - mean(x))", r"center\(x\) is x less its mean"),
        ("is.na(x)", "rows with missing values are left out"),
        ("as.numeric(x)", r"leave as.numeric\(\) out"),
        ("I(x %in% 2)", "cannot be read: invalid syntax\n"),
    ],
)
def test_functions_of_r_that_are_not_there(text, advice):
    with pytest.raises(ModelError, match=advice):
        read_design(f"y ~ {text} + (1 | g)", WIDE)
