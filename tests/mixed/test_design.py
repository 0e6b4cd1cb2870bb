"""From formula and table to matrices: every kind of table, missing values, order of terms, new rows, refusals."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from decimal import Decimal

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from mixsem.errors import DataError, MissingDataWarning, ModelError, OptionError, RankDeficiencyWarning
from mixsem.mixed.designs.design import Design, read_design


@pytest.fixture
def table() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    n = 60
    return pd.DataFrame(
        {
            "y": rng.normal(size=n),
            "x": rng.normal(size=n),
            "n": np.arange(n) % 7 + 1,
            "g": np.repeat([308, 309, 310, 330, 331, 332], 10),
            "h": np.tile(list("jihgfedcba"), 6),
            "f": np.tile(["w", "u", "v"], 20),
            "b": np.arange(n) % 4 == 0,
            "größe in m": rng.normal(size=n),
            "w": rng.uniform(0.5, 2.0, size=n),
        }
    )


TABLES: dict[str, Callable[[pd.DataFrame], object]] = {
    "pandas": lambda d: d,
    "pandas, another index": lambda d: d.set_index(pd.Index(range(100, 160))[::-1]),
    "pandas, nullable": lambda d: d.convert_dtypes(),
    "pandas, arrow": lambda d: d.convert_dtypes(dtype_backend="pyarrow"),
    "pandas, objects": lambda d: d.astype(object),
    "polars": pl.from_pandas,
    "polars, lazy": lambda d: pl.from_pandas(d).lazy(),
    "polars, categorical": lambda d: pl.from_pandas(d).with_columns(pl.col("f", "h").cast(pl.Categorical)),
    "pyarrow": pa.Table.from_pandas,
    "duckdb": duckdb.from_df,
    "columns": lambda d: {name: d[name].to_list() for name in d} | {"unused": [1, 2]},
    "arrays": lambda d: {name: d[name].to_numpy() for name in d},
}
FORMULA = "y ~ x*f + b + `größe in m` + log(n) + offset(n / 10) + (x | g) + (1 | h) + (0 + f || g)"


@pytest.mark.parametrize("kind", TABLES)
def test_every_table_gives_the_same_design(table: pd.DataFrame, kind: str) -> None:
    expected = read_design(FORMULA, table, weights="w")
    design = read_design(FORMULA, TABLES[kind](table), weights="w")  # type: ignore[arg-type]
    assert design.fixed_names == expected.fixed_names
    for name in ("y", "X", "weights", "offset"):
        np.testing.assert_allclose(getattr(design, name), getattr(expected, name), rtol=1e-15)
    assert [f.levels for f in design.factors] == [tuple("abcdefghij"), (308, 309, 310, 330, 331, 332)]
    for one, other in zip(design.factors, expected.factors, strict=True):
        np.testing.assert_array_equal(one.codes, other.codes)
    for term, other_term in zip(design.terms, expected.terms, strict=True):
        assert (term.names, term.factor) == (other_term.names, other_term.factor)
    assert design.rows is None and design.notices == () and design.frame.index.equals(pd.RangeIndex(60))


def test_the_matrices(table: pd.DataFrame) -> None:
    design = read_design("y ~ x + f + b + (x | g)", table)
    by_hand = [
        np.ones(60),
        table.x,
        table.f == "v",
        table.f == "w",
        table.b,
    ]
    np.testing.assert_array_equal(design.X, np.column_stack([np.asarray(c, dtype=float) for c in by_hand]))
    assert design.fixed_names == ("(Intercept)", "x", "f[T.v]", "f[T.w]", "b[T.True]")
    assert design.fixed_terms == {"(Intercept)": (0,), "x": (1,), "f": (2, 3), "b": (4,)}
    (term,) = design.terms
    assert term.names == ("(Intercept)", "x")
    np.testing.assert_array_equal(term.Z, np.column_stack([np.ones(60), table.x]))
    np.testing.assert_array_equal(design.factors[0].codes, np.repeat(range(6), 10))
    np.testing.assert_array_equal(design.y, table.y)
    assert design.X.flags.c_contiguous and term.Z is not None and term.Z.flags.c_contiguous
    assert (design.n, design.p, design.n_rows, design.weights, design.offset) == (60, 5, 60, None, None)


def test_order_of_factors_and_terms(table: pd.DataFrame) -> None:
    """That of lme4: more levels first, ties by appearance."""
    design = read_design("y ~ 1 + (1 | f) + (0 + x | g) + (1 | h) + (1 | g) + (1 | f:b)", table)
    assert [(f.name, f.n_levels) for f in design.factors] == [("h", 10), ("g", 6), ("f:b", 6), ("f", 3)]
    assert [(design.factors[t.factor].name, t.names) for t in design.terms] == [
        ("h", ("(Intercept)",)),
        ("g", ("x",)),
        ("g", ("(Intercept)",)),
        ("f:b", ("(Intercept)",)),
        ("f", ("(Intercept)",)),
    ]
    assert [t.Z is None for t in design.terms] == [True, False, True, True, True]


def test_terms_without_correlations_have_all_columns(table: pd.DataFrame) -> None:
    design = read_design("y ~ 1 + (x * f || g)", table)
    (term,) = design.terms
    assert not term.correlated
    assert term.names == ("(Intercept)", "x", "f[T.v]", "f[T.w]", "x:f[T.v]", "x:f[T.w]")


def test_types_of_predictors(table: pd.DataFrame) -> None:
    table["size"] = pd.Categorical(table["f"], categories=["w", "never", "u", "v"], ordered=True)
    table["text number"] = table["n"].astype(str)
    design = read_design("y ~ size + C(n) + I(b + x) + (1 | g)", table)
    assert design.fixed_names[:3] == ("(Intercept)", "size[T.u]", "size[T.v]")
    assert design.fixed_names[3:9] == tuple(f"C(n)[T.{i}]" for i in range(2, 8))
    np.testing.assert_allclose(design.X[:, -1], table.b + table.x)
    assert read_design("y ~ factor(`text number`) + (1 | g)", table).p == 7
    with pytest.raises(DataError, match=r"'text number' holds numbers as text.*\n.*\n.*C\(\)"):
        read_design("y ~ `text number` + (1 | g)", table)
    enum = pl.from_pandas(table[["y", "g", "f"]]).with_columns(pl.col("f").cast(pl.Enum(["w", "u", "v"])))
    assert read_design("y ~ f + (1 | g)", enum).fixed_names == ("(Intercept)", "f[T.u]", "f[T.v]")
    decimals = table.assign(x=[Decimal(str(round(v, 2))) for v in table.x])
    np.testing.assert_allclose(read_design("y ~ x + (1 | g)", decimals).X[:, 1], table.x.round(2))


@pytest.mark.parametrize("response", ["log(y + 10)", "y / 10 + x^2", "(y - x)", "b", "`größe in m`"])
def test_responses(table: pd.DataFrame, response: str) -> None:
    expected = {
        "log(y + 10)": np.log(table.y + 10),
        "y / 10 + x^2": table.y / 10 + table.x**2,
        "(y - x)": table.y - table.x,
        "b": table.b.astype(float),
        "`größe in m`": table["größe in m"],
    }[response]
    np.testing.assert_allclose(read_design(f"{response} ~ 1 + (1 | g)", table).y, expected, rtol=1e-15)


def test_offsets_and_weights(table: pd.DataFrame) -> None:
    formula = "y ~ x + offset(log(n)) + offset(x^2) + (1 | g)"
    expected = np.log(table.n) + table.x**2
    np.testing.assert_allclose(read_design(formula, table).offset, expected)
    with_column = read_design(formula, table, offset="w")
    np.testing.assert_allclose(with_column.offset, expected + table.w)
    np.testing.assert_allclose(with_column.offset_vector(table[:7]), (expected + table.w)[:7])
    with_array = read_design(formula, table, offset=table.w.to_numpy(), weights=pl.Series(table.w.to_list()))
    np.testing.assert_allclose(with_array.offset, expected + table.w)
    np.testing.assert_allclose(with_array.weights, table.w)
    np.testing.assert_allclose(with_array.offset_vector(table), expected)  # an array says nothing about other rows
    assert with_array.fixed_names == ("(Intercept)", "x")


def test_missing_values_are_counted(table: pd.DataFrame) -> None:
    table.loc[:11, "x"] = np.nan
    table.loc[20, "f"] = None
    table.loc[21, "g"] = np.nan
    table.loc[22:25, "w"] = np.nan
    table["unused"] = np.nan
    weights = np.ones(60)
    weights[30] = np.nan
    design = read_design("y ~ x + f + (1 | g) + (1 | h)", table, weights=weights)
    kept = [i for i in range(60) if i not in {*range(12), 20, 21, 30}]
    assert design.rows is not None and design.rows.tolist() == kept
    assert (design.n, design.n_rows, len(design.frame)) == (45, 60, 45)
    np.testing.assert_array_equal(design.y, table.y[kept])
    assert design.factors[1].levels == (309, 310, 330, 331, 332)  # whole numbers again
    (notice,) = design.notices
    assert notice.category is MissingDataWarning
    for words in ("15 of 60 rows (25.0%)", "x (12)", "f (1)", "g (1)", "weights (1)", "1 of 6 levels of g"):
        assert words in notice.text
    assert "levels of h" not in notice.text and "unused" not in notice.text
    complete = read_design("y ~ x + f + (1 | g) + (1 | h)", table.loc[kept])
    np.testing.assert_array_equal(complete.X, design.X)


def test_categories_that_are_lost_with_missing_values_are_no_categories(table: pd.DataFrame) -> None:
    table["f"] = table["f"].astype("category")
    table.loc[table.f == "u", "x"] = np.nan
    design = read_design("y ~ x + f + (1 | g)", table)
    assert (design.fixed_names, design.dropped_columns) == (("(Intercept)", "x", "f[T.w]"), ())


def test_columns_that_follow_from_others_are_left_out(table: pd.DataFrame) -> None:
    table["twice"] = 2 * table.x + 1
    design = read_design("y ~ f + x + twice + x:f + (1 | g)", table)
    assert design.dropped_columns == ("twice",)
    assert design.fixed_names == ("(Intercept)", "f[T.v]", "f[T.w]", "x", "x:f[T.v]", "x:f[T.w]")
    assert design.fixed_terms == {"(Intercept)": (0,), "f": (1, 2), "x": (3,), "x:f": (4, 5)}
    assert np.linalg.matrix_rank(design.X) == design.p == 6
    (notice,) = design.notices
    assert notice.category is RankDeficiencyWarning and "twice" in notice.text
    np.testing.assert_allclose(design.fixed_matrix(table[:4]), design.X[:4])


def test_empty_cells_of_an_interaction(table: pd.DataFrame) -> None:
    cells = table[~((table.f == "v") & table.b)]
    design = read_design("y ~ f * b + (1 | g)", cells)
    assert design.dropped_columns == ("f[T.v]:b[T.True]",)
    assert design.fixed_terms["f:b"] == (4,)


FORMULAS = ["y ~ 1 + (1 | g)", "y ~ x + n + (x | g)", "y ~ poly(x, 2) * f + scale(n) + C(n) + b + (f || g) + (1 | g:h)"]


@pytest.mark.parametrize("formula", FORMULAS)
@pytest.mark.parametrize("kind", ["pandas", "polars, lazy", "pyarrow", "duckdb", "columns"])
def test_new_rows_get_the_same_columns(table: pd.DataFrame, formula: str, kind: str) -> None:
    design: Design = read_design(formula, table, check=False)
    some = table[7:19]
    new = TABLES[kind](some) if kind != "columns" else {name: some[name].to_list() for name in some}
    np.testing.assert_allclose(design.fixed_matrix(new), design.X[7:19], atol=1e-12)  # type: ignore[arg-type]
    for i, term in enumerate(design.terms):
        Z = np.ones((60, 1)) if term.Z is None else term.Z
        np.testing.assert_allclose(design.term_matrix(i, new), Z[7:19], atol=1e-12)  # type: ignore[arg-type]
    for factor in design.factors:
        np.testing.assert_array_equal(design.codes_of(factor, new), factor.codes[7:19])  # type: ignore[arg-type]
        np.testing.assert_array_equal(design.codes_of(factor.name, new), factor.codes[7:19])  # type: ignore[arg-type]


def test_new_rows_need_no_response_and_may_lack_values(table: pd.DataFrame) -> None:
    design = read_design("y ~ x + f + (x | g)", table)
    new = {"x": [1.0, None, 2.0], "f": ["u", "u", None], "g": [308, 1, 309]}
    X = design.fixed_matrix(new)
    np.testing.assert_array_equal(X[0], [1, 1, 0, 0])
    assert np.isnan(X[1:]).all()
    assert design.codes_of(0, new).tolist() == [0, -1, 1]
    np.testing.assert_array_equal(design.term_matrix(0, new)[:, 1], [1.0, np.nan, 2.0])


@pytest.mark.parametrize(
    ("new", "words"),
    [
        ({"x": [1.0], "f": ["uu"], "n": [1]}, r"'f' has categories unknown to the fit: 'uu'.*\n.*\n.*did you mean 'u'"),
        ({"x": [1.0], "f": ["u"], "n": [99]}, "'n' has categories unknown to the fit: 99"),
        ({"x": ["one"], "f": ["u"], "n": [1]}, "'x' holds text, such as 'one', where numbers"),
        ({"f": ["u"], "n": [1]}, "no column 'x'"),
    ],
)
def test_new_rows_that_do_not_fit(table: pd.DataFrame, new: dict[str, list[object]], words: str) -> None:
    design = read_design("y ~ x + f + C(n) + (1 | g)", table)
    with pytest.raises(DataError, match=words):
        design.fixed_matrix(new)


def test_unknown_factor_of_new_rows(table: pd.DataFrame) -> None:
    with pytest.raises(OptionError, match=r"factor='gg'"):
        read_design("y ~ 1 + (1 | g)", table).codes_of("gg", table)


def refuse(formula: str, table: object, words: str, kind: type[Exception] = DataError, **options: object) -> None:
    with pytest.raises(kind, match=words):
        read_design(formula, table, **options)  # type: ignore[arg-type]


def test_refusals(table: pd.DataFrame) -> None:
    table["day"] = pd.Timestamp("2020-01-01") + pd.to_timedelta(range(60), unit="D")
    table["row"] = range(60)
    table["pair"] = np.arange(60) // 2
    table["one"] = "only"
    refuse("y ~ x + (1 | one)", table, "grouping factor one has one level only: 'only'")
    refuse("y ~ x + (1 | row)", table, r"row of \(1 \| row\) has 60 levels for 60 rows")
    refuse("y ~ x + (x | pair)", table, r"\(x \| pair\) has 60 random coefficients \(30 x 2\) for 60 rows")
    refuse("y ~ x + (0 | g)", table, "has no column", ModelError)
    refuse("y ~ x + (1 | g) + (x | g)", table, r"both have the coefficient \(Intercept\) of g", ModelError)
    refuse("y ~ day + (1 | g)", table, "dates or times")
    refuse("f ~ x + (1 | g)", table, "not a column of numbers")
    refuse("y ~ log(x) + (1 | g)", table, r"log\(x\) is not finite")
    refuse("log(y) ~ x + (1 | g)", table, r"log\(y\).* is not finite")
    refuse("y ~ x + (1 | G)", table, r"no column 'G'.*\n.*\n.*did you mean 'g'")
    refuse("y ~ C(row) + (1 | g)", table, "60 fixed effects for 60 rows")
    refuse("y ~ x + (1 | g)", table, "1 weights are zero or negative", weights=np.r_[0.0, np.ones(59)])
    refuse("y ~ x + (1 | g)", table, "weights are zero or negative", weights="x")
    refuse("y ~ x + (1 | g)", table, "weights has 59 values and the table 60 rows", weights=np.ones(59))
    refuse("y ~ x + (1 | g)", table, "weights has shape", OptionError, weights=np.ones((60, 1)))
    refuse("y ~ x + (1 | g)", table, "is not numeric", OptionError, offset=["a"] * 60)
    refuse("y ~ x + (1 | g)", table.assign(x=np.inf), r"infinite values in 'x' \(60\)")
    refuse("y ~ x + (1 | g)", table.assign(x=np.nan), r"no row is complete.*x \(60\)")
    refuse("y ~ x + (1 | g)", table[:0], "no rows")
    refuse("y ~ x + (1 | g)", table[:1], "one level only")
    refuse("y ~ x + (1 | g)", "table.csv", "cannot be used as a table")


def test_the_checks_can_be_left_out(table: pd.DataFrame) -> None:
    table["row"] = range(60)
    design = read_design("y ~ x + (1 | row)", table, check=False)
    assert design.factors[0].n_levels == 60
    # Without correlations each coefficient is a term of its own, as in lme4.
    table["pair"] = np.arange(60) // 2
    assert read_design("y ~ x + (x || pair)", table).terms[0].names == ("(Intercept)", "x")


def test_no_fixed_effect_at_all(table: pd.DataFrame) -> None:
    design = read_design("y ~ 0 + (1 | g)", table)
    assert design.X.shape == (60, 0) and design.fixed_names == ()
    assert design.fixed_matrix(table[:3]).shape == (3, 0)


def test_the_table_is_not_changed(table: pd.DataFrame) -> None:
    table.loc[3, "x"] = np.nan
    before = table.copy(deep=True)
    weights = np.ones(60)
    design = read_design("y ~ x * f + b + (x | g / h)", table, weights=weights, check=False)
    design.fixed_matrix(table)
    pd.testing.assert_frame_equal(table, before)
    design.y[:] = 0.0
    design.X[:] = 0.0
    pd.testing.assert_frame_equal(table, before)
    assert (weights == 1.0).all()


def test_a_design_survives_pickling(table: pd.DataFrame) -> None:
    """Bootstraps send designs to other processes."""
    design = read_design("y ~ poly(x, 2) + f + sqrt(n) + (f | g)", table)
    again = pickle.loads(pickle.dumps(design))
    np.testing.assert_allclose(again.fixed_matrix(table), design.X, atol=1e-12)


def test_formulas_of_other_objects(table: pd.DataFrame) -> None:
    design = read_design("y ~ x + (1 | g)", table)
    assert read_design(design.formula, table).fixed_names == design.fixed_names
    with pytest.raises(OptionError, match="give a text"):
        read_design(None, table)  # type: ignore[arg-type]
