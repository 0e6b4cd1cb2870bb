"""Two-step estimates of ordered items: lavaan's numbers, a plain reckoning, and trouble named by group."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mixsem as mx
from mixsem.data.grouped import read_grouped
from mixsem.data.ordinal import OrdinalMoments, ordered_items
from mixsem.errors import (
    DataError,
    NonPositiveDefiniteWarning,
    OptionError,
    PolychoricWarning,
    SparseCategoriesWarning,
)
from mixsem.syntax.sem import parse_model

CASES = {
    case["name"]: case
    for case in json.loads((Path(__file__).parents[1] / "reference" / "ordinal.json").read_text())["cases"]
}
WITH_STATISTICS = [name for name, case in CASES.items() if case["statistics"]]
ITEMS = [f"x{i}" for i in range(1, 10)]

#: Thresholds are quantiles of counts: only the inverse normal distribution function differs.
THRESHOLD = 1e-8
#: lavaan's search for a correlation stops at a relative change of 1e-10 in the log-likelihood, a few 1e-7 in rho.
CORRELATION = 1e-6
#: Gamma is continuous in rho with derivatives of order 10, and rho differs by up to 1e-6; relative to its diagonal.
GAMMA = 1e-5


def cut_data(case):
    """HolzingerSwineford1939 with the case's items cut as the script did: upper ends belong to the category."""
    table = mx.data.holzinger_swineford_1939()
    data = {name: np.asarray(table[name])[: case["rows"]] for name in [*ITEMS, "school"]}
    for name in case["ordered"]:
        data[name] = 1 + np.searchsorted(np.quantile(data[name], case["at"]), data[name], side="left")
    return data


def estimated(case):
    items = parse_model("\n".join(case["syntax"])).indicators
    grouped = read_grouped(cut_data(case), items, case["group"])
    return OrdinalMoments.from_grouped(grouped, ordered=case["ordered"])


def lavaan_order(moments, g):
    """Positions in our Gamma of lavaan's statistics, and their signs: it stacks thresholds and minus the means, then
    the variances of continuous items, then the other (co)variances."""
    m = len(moments.Gamma[g]) - moments.kept.size
    rows, columns = np.triu_indices(len(moments.items))
    diagonal = (rows == columns)[moments.kept]
    order = np.concatenate([np.arange(m), m + np.flatnonzero(diagonal), m + np.flatnonzero(~diagonal)])
    sign = np.ones(order.size)
    located = zip(moments.ordered, np.isfinite(moments.thresholds[g]).sum(axis=1), strict=True)
    sign[:m] = np.concatenate([np.ones(count) if is_ordered else -np.ones(1) for is_ordered, count in located])
    return order, sign


@pytest.mark.parametrize("name", WITH_STATISTICS)
def test_thresholds_means_and_correlations_are_lavaans(name):
    case = CASES[name]
    moments = estimated(case)
    assert moments.n.tolist() == case["n"]
    for g, expected in enumerate(case["statistics"]):
        at, idx = np.array(expected["th"]), np.array(expected["th_idx"])
        for j in range(len(moments.items)):
            if moments.ordered[j]:
                found = moments.thresholds[g, j]
                np.testing.assert_allclose(found[np.isfinite(found)], at[idx == j + 1], atol=THRESHOLD)
                assert moments.means[g, j] == 0
            else:
                assert moments.means[g, j] == pytest.approx(expected["mean"][j], abs=THRESHOLD)
        np.testing.assert_allclose(moments.covariances[g], expected["cov"], atol=CORRELATION)


@pytest.mark.parametrize("name", WITH_STATISTICS)
def test_gamma_is_lavaans(name):
    case = CASES[name]
    moments = estimated(case)
    for g, expected in enumerate(case["statistics"]):
        order, sign = lavaan_order(moments, g)
        found = moments.Gamma[g][np.ix_(order, order)] * np.outer(sign, sign)
        scale = np.sqrt(np.diagonal(found))
        upper = np.triu_indices(order.size)
        reference = np.array(expected["gamma"])
        assert np.abs((found[upper] - reference) / np.outer(scale, scale)[upper]).max() < GAMMA
        if name.startswith("quartiles"):
            np.testing.assert_allclose(1 / np.diagonal(found), expected["wls_v_diagonal"], rtol=GAMMA)


def simulated(G=3, n=300, p=4, seed=1):
    rng = np.random.default_rng(seed)
    factor = rng.normal(size=G * n)
    data = {f"x{j}": 1 + np.digitize(0.7 * factor + 0.7 * rng.normal(size=G * n), [-1, 0, 1]) for j in range(p)}
    return data | {"g": np.repeat(list("ABCDEFGH")[:G], n)}


def read(data, items=("x0", "x1", "x2", "x3"), ordered=True):
    return OrdinalMoments.from_grouped(read_grouped(data, list(items), "g"), ordered=ordered)


def test_selecting_items_gives_what_these_items_alone_give():
    data = simulated()
    data["x2"] = data["x2"] + np.random.default_rng(2).normal(size=900)
    ordered = ("x0", "x1", "x3")
    every, some = read(data, ordered=ordered), read(data, ("x3", "x2", "x0"), ordered=("x3", "x0"))
    chosen = every.select(("x3", "x2", "x0"))
    for name in ("thresholds", "means", "covariances", "counts", "ordered", "kept", "moment_gamma"):
        np.testing.assert_allclose(getattr(chosen, name), getattr(some, name), atol=1e-10, err_msg=name)
    for a, b in zip(chosen.Gamma, some.Gamma, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-8 * np.abs(b).max())
    with pytest.raises(DataError, match="x9"):
        every.select(("x9",))


def test_groups_are_estimated_apart_and_codes_do_not_matter():
    data = simulated()
    one = {name: np.asarray(values)[300:600] for name, values in data.items()}
    one["x1"] = np.array([-5.0, 0.5, 10.0, 11.0])[one["x1"] - 1]
    np.testing.assert_allclose(read(one).covariances[0], read(data).covariances[1], atol=1e-12)
    assert read(one).categories[1] == (-5.0, 0.5, 10.0, 11.0)


@pytest.mark.parametrize("missing", [1, 2, 4])
def test_a_category_missing_in_a_group_is_told_and_left_out_there(missing):
    data = simulated()
    x = np.array(data["x1"])
    x[300:600][x[300:600] == missing] = 3
    moments = read(data | {"x1": x})
    (notice,) = [notice for notice in moments.notices if "some category" in notice.text]
    assert notice.category is SparseCategoriesWarning
    assert notice.groups == ("B",)
    assert f"x1 = {missing}" in notice.text
    assert not moments.same_categories
    joined = np.searchsorted(np.unique(x[300:600]), x[300:600])
    alone = read({name: np.asarray(values)[300:600] for name, values in data.items()} | {"x1": joined})
    np.testing.assert_allclose(moments.covariances[1], alone.covariances[0], atol=1e-12)
    np.testing.assert_allclose(moments.moment_gamma[1], alone.moment_gamma[0], rtol=1e-8)
    some, few = moments.select(("x3", "x1")), alone.select(("x3", "x1"))
    np.testing.assert_allclose(some.Gamma[1], few.Gamma[0], rtol=1e-8)
    assert some.n_locations == few.n_locations + 2 * 6
    if missing != 2:
        assert np.isinf(moments.thresholds[1, 1]).sum() == 1


def test_empty_cells_and_correlations_near_one_are_told():
    data = simulated()
    x = np.array(data["x1"])
    x[:300] = np.asarray(data["x0"])[:300]
    moments = read(data | {"x1": x})
    found = {notice.category: notice for notice in moments.notices}
    assert found[SparseCategoriesWarning].groups[0] == "A"
    assert found[PolychoricWarning].groups == ("A",)
    assert "x0 with x1 in A" in found[PolychoricWarning].text
    assert moments.covariances[0, 0, 1] == pytest.approx(0.999, abs=1e-6)


def test_an_indefinite_matrix_is_told():
    """Thirty people, four binary items: each correlation has its own table, and together they contradict each other."""
    rng = np.random.default_rng(23)
    factor = rng.normal(size=30)
    data = {
        f"x{j}": (0.9 * factor + 0.4 * rng.normal(size=30) > t).astype(int) for j, t in enumerate((-0.5, 0, 0.5, 0.8))
    }
    moments = read(data | {"g": ["A"] * 30})
    assert np.linalg.eigvalsh(moments.covariances[0])[0] < 0
    (notice,) = [n for n in moments.notices if n.category is NonPositiveDefiniteWarning]
    assert notice.groups == ("A",)


def test_wrong_options_and_data_are_refused():
    data = simulated()
    with pytest.raises(OptionError, match="ordered"):
        ordered_items("x1", ("x1", "x2"))
    with pytest.raises(OptionError, match="x9"):
        ordered_items(("x9",), ("x1", "x2"))
    continuous = np.random.default_rng(1).normal(size=900)
    with pytest.raises(DataError, match="x0 \\(900\\)"):
        read(data | {"x0": continuous})
    constant = np.array(data["x0"])
    constant[300:600] = 2
    with pytest.raises(DataError, match="x0 in B"):
        read(data | {"x0": constant})


def test_step_two_gets_the_correlations_as_moments():
    moments = read(simulated())
    plain = moments.as_moments()
    np.testing.assert_array_equal(plain.covariances, moments.covariances)
    assert plain.groups == ("A", "B", "C")
    assert plain.n.tolist() == [300] * 3


def test_ordered_categories_with_words_are_their_order() -> None:
    rng = np.random.default_rng(4)
    latent = rng.normal(size=400)
    codes = {item: np.digitize(latent + rng.normal(size=400), [-0.5, 0.7]) for item in "abc"}
    words = {
        item: pd.Categorical.from_codes(code, categories=["never", "now and then", "always"], ordered=True)
        for item, code in codes.items()
    }
    numbers = OrdinalMoments.from_frame(pd.DataFrame(codes), [*"abc"])
    texts = OrdinalMoments.from_frame(pd.DataFrame(words), [*"abc"])
    assert np.array_equal(numbers.covariances, texts.covariances)
    assert np.array_equal(numbers.thresholds, texts.thresholds)
