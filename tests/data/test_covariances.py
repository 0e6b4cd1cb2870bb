"""Starting from covariance matrices: order, divisor, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from mixsem.data import SampleMoments
from mixsem.errors import CorrelationInputWarning, DataError, OptionError, SmallGroupWarning

ITEMS = ["x", "y", "z"]
EYE = np.eye(2)


def table() -> pd.DataFrame:
    rng = np.random.default_rng(8)
    frame = pd.DataFrame(rng.normal(size=(60, 3)) @ rng.normal(size=(3, 3)), columns=ITEMS)
    return frame.assign(g=rng.permutation(np.repeat(["A", "B", "C"], 20)))


def matrices(frame: pd.DataFrame, ddof: int = 1) -> dict[str, pd.DataFrame]:
    return {str(label): rows[ITEMS].cov(ddof=ddof) for label, rows in frame.groupby("g")}


def shuffled(matrix: pd.DataFrame, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return matrix.loc[rng.permutation(ITEMS), rng.permutation(ITEMS)]


FORMS: dict[str, dict[str, Any]] = {
    "frames": {"covariances": matrices(table())},
    "frames in any order": {
        "covariances": {g: shuffled(m, i) for i, (g, m) in enumerate(reversed(matrices(table()).items()))},
        "items": ITEMS,
    },
    "frames without row names": {"covariances": {g: m.reset_index(drop=True) for g, m in matrices(table()).items()}},
    "polars frames": {"covariances": {g: pl.from_pandas(m) for g, m in matrices(table()).items()}},
    "arrays": {"covariances": {g: m.to_numpy() for g, m in matrices(table()).items()}, "items": ITEMS},
    "lists": {
        "covariances": {g: m.to_numpy().tolist() for g, m in matrices(table()).items()},
        "items": ITEMS,
    },
    "divisor n": {"covariances": matrices(table(), ddof=0), "divisor": "n"},
    "n as counted by pandas": {"covariances": matrices(table()), "n": table()["g"].value_counts()},
    "n as a dict": {"covariances": matrices(table()), "n": {"C": 20.0, "B": np.int32(20), "A": 20}},
}


@pytest.mark.parametrize("name", FORMS)
def test_covariances_of_every_form_give_the_moments_of_the_rows(name: str) -> None:
    moments = SampleMoments.from_covariances(**{"n": 20, **FORMS[name]})
    expected = SampleMoments.from_frame(table(), ITEMS, "g")
    assert (moments.items, moments.groups) == (expected.items, expected.groups)
    np.testing.assert_array_equal(moments.n, expected.n)
    np.testing.assert_allclose(moments.covariances, expected.covariances, rtol=0, atol=1e-13)
    assert not moments.has_means and not moments.means.any() and moments.notices == ()


@pytest.mark.parametrize("as_series", [True, False])
def test_means_are_ordered_by_name(as_series: bool) -> None:
    means = {str(g): rows[ITEMS].mean() for g, rows in table().groupby("g")}
    given: dict[str, Any] = {g: m[["z", "x", "y"]] if as_series else m.tolist() for g, m in means.items()}
    moments = SampleMoments.from_covariances(matrices(table()), 20, means=given)
    np.testing.assert_allclose(moments.means, [means[g] for g in "ABC"])
    assert moments.has_means


def test_items_select_from_named_matrices() -> None:
    moments = SampleMoments.from_covariances(matrices(table()), 20, items=["z", "x"])
    expected = SampleMoments.from_frame(table(), ["z", "x"], "g")
    np.testing.assert_allclose(moments.covariances, expected.covariances, atol=1e-13)


def test_rounding_of_the_last_digit_is_evened_out() -> None:
    moments = SampleMoments.from_covariances({"A": [[1, 0.3], [0.3 + 1e-9, 1]]}, 10, items=["x", "y"])
    assert moments.covariances[0, 0, 1] == moments.covariances[0, 1, 0]


def test_labels_of_libraries_become_plain_and_sorted() -> None:
    moments = SampleMoments.from_covariances(
        {np.int64(10): EYE, np.int64(9): 2 * EYE}, n={9: 30, 10: 40}, items=["x", "y"], divisor="n"
    )
    assert moments.groups == (9, 10) and {type(g) for g in moments.groups} == {int}
    assert moments.n.tolist() == [30, 40] and moments.covariances[:, 0, 0].tolist() == [2, 1]


def test_a_small_n_is_kept_as_a_notice() -> None:
    moments = SampleMoments.from_covariances({"A": EYE, "B": 2 * EYE}, {"A": 2, "B": 3}, items=["x", "y"])
    assert [(notice.category, notice.groups) for notice in moments.notices] == [(SmallGroupWarning, ("A",))]


@pytest.mark.parametrize("divisor", ["n", "n-1"])
def test_correlation_matrices_are_told(divisor: Any) -> None:
    """Equal loadings of standardised items are another model, and nothing else would show it."""
    correlations = {g: np.array([[1, r], [r, 1 + 1e-12]]) for g, r in (("A", 0.2), ("B", 0.5))}
    moments = SampleMoments.from_covariances(correlations, 90, items=["x", "y"], divisor=divisor)
    assert [notice.category for notice in moments.notices] == [CorrelationInputWarning]
    assert "covariances, in the items' own units" in moments.notices[0].text
    assert moments.select(["y"]).notices == moments.subset(["A"]).notices == moments.notices


def test_unit_variances_are_no_correlations_where_one_differs() -> None:
    mixed = {"A": EYE, "B": np.diag([1, 1 + 1e-6])}
    assert SampleMoments.from_covariances(mixed, 90, items=["x", "y"]).notices == ()
    assert SampleMoments.from_covariances({"A": EYE}, 90, items=["x", "y"]).notices == ()


def named(*names: str, rows: tuple[str, ...] = ()) -> pd.DataFrame:
    return pd.DataFrame(EYE, index=list(rows or names), columns=list(names))


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no matrix": ({"covariances": {}}, "no covariance matrix"),
    "not square": ({"covariances": {"A": np.ones((2, 3))}}, "group A: the matrix is 2 x 3"),
    "another size": ({"covariances": {"A": EYE, "B": np.eye(3)}}, "group B: the matrix is 3 x 3"),
    "text": ({"covariances": {"A": [["a", "b"], ["c", "d"]]}}, "group A: the values are not numbers"),
    "ragged": ({"covariances": {"A": [[1, 0], [1]]}}, "group A: the values are not numbers"),
    "missing entry": ({"covariances": {"A": [[1, np.nan], [np.nan, 1]]}}, "group A: missing or infinite"),
    "infinite entry": ({"covariances": {"A": [[np.inf, 0], [0, 1]]}}, "group A: missing or infinite"),
    "one triangle only": ({"covariances": {"A": [[1, 0], [0.5, 1]]}}, "group A: x with y is both 0 and 0.5"),
    "zero variance": ({"covariances": {"A": [[1, 0], [0, 0]]}}, "group A: the variance of y is 0"),
    "not positive definite": (
        {"covariances": {"A": EYE, "B": [[1, 2], [2, 1]], "C": [[1, -2], [-2, 1]]}},
        "group B: not positive definite, group C: not positive definite",
    ),
    "singular on a small scale": (
        {"covariances": {"A": [[1e-8, 1e-8], [1e-8, 1e-8]]}},
        "not positive definite",
    ),
    "rows and columns named differently": (
        {"covariances": {"A": named("x", "y", rows=("x", "z"))}, "items": None},
        "group A: rows and columns",
    ),
    "an item lacks": (
        {"covariances": {"A": named("x", "y"), "B": named("x", "w")}, "items": None},
        "group B: the matrix lacks y",
    ),
    "an item more": (
        {"covariances": {"A": named("x", "y").loc[["x"], ["x"]], "B": named("x", "w")}, "items": None},
        "group B: the matrix has w besides",
    ),
    "items unknown": ({"covariances": {"A": named("x", "w")}}, "group A: the matrix lacks y"),
    "labels that differ in type only": (
        {"covariances": {1: EYE, "1": EYE, 2: EYE}},
        r"differ in their type only: 1 \(int\) and '1' \(str\)\n",
    ),
    "n lacks a group": ({"n": {"B": 10}}, "n lacks A; n has B without a covariance matrix"),
    "n too small": ({"n": 1}, "group A: n is 1"),
    "n not whole": ({"n": {"A": 10.5}}, "group A: n is 10.5"),
    "n missing": ({"n": {"A": float("nan")}}, "group A: n is nan"),
    "n as text": ({"n": "ten"}, "group A: n is 'ten'"),
    "n true": ({"n": True}, "group A: n is True"),
    "means of another length": ({"means": {"A": [1, 2, 3]}}, "group A: the means"),
    "means not finite": ({"means": {"A": [1, np.nan]}}, "group A: the means"),
    "means lack a group": ({"means": {"B": [1, 2]}}, "means lacks A"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_covariances_refused(name: str) -> None:
    options, message = REFUSED[name]
    with pytest.raises(DataError, match=message):
        SampleMoments.from_covariances(**{"covariances": {"A": EYE}, "n": 10, "items": ["x", "y"], **options})


OPTIONS_REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "not a mapping": ({"covariances": [EYE]}, "covariances are of type list"),
    "no names": ({"items": None}, "have no names"),
    "an item twice": ({"items": ["x", "x"]}, "given twice"),
    "divisor": ({"divisor": "N"}, "divisor='N'"),
}


@pytest.mark.parametrize("name", OPTIONS_REFUSED)
def test_options_refused(name: str) -> None:
    options, message = OPTIONS_REFUSED[name]
    with pytest.raises(OptionError, match=message):
        SampleMoments.from_covariances(**{"covariances": {"A": EYE}, "n": 10, "items": ["x", "y"], **options})
