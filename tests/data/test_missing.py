"""Moments of incomplete rows, and the account of what is missing."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mixsem as mx
from mixsem.data import GroupedData, SampleMoments, as_moments, missing_account
from mixsem.errors import (
    ConvergenceWarning,
    DataError,
    MissingDataWarning,
    NonPositiveDefiniteWarning,
    OptionError,
    SmallGroupWarning,
)

REFERENCE = json.loads((Path(__file__).parents[1] / "reference" / "missing.json").read_text(encoding="utf-8"))
ITEMS = [f"x{i}" for i in range(1, 10)]
#: Rounding of the reference (12 digits) and where lavaan's EM stops.
LAVAAN = 2e-5


def incomplete() -> pd.DataFrame:
    """The data of the cases ``many`` of the reference, see missing.json."""
    frame = mx.data.holzinger_swineford_1939().copy()
    number = np.arange(1, len(frame) + 1)
    for item, gone in (
        ("x5", number % 5 == 0),
        ("x9", number % 7 == 0),
        ("x3", frame["x1"] > 5.5),
        ("x6", frame["x1"] < 4),
        ("x2", number % 11 == 3),
    ):
        frame.loc[gone, item] = np.nan
    frame.loc[number == 10, ITEMS] = np.nan
    return frame


@pytest.fixture
def moments() -> SampleMoments:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return SampleMoments.from_frame(incomplete(), ITEMS, "school", missing="ml")


def test_moments_are_lavaans(moments: SampleMoments) -> None:
    case = next(case for case in REFERENCE["cases"] if case["name"] == "many_school")
    assert moments.missing == "ml" and moments.n.tolist() == [s["n"] for s in case["saturated"]]
    assert moments.n_dropped.tolist() == [0, 1] and moments.n_total == 300
    for g, expected in enumerate(case["saturated"]):
        assert moments.groups[g] == expected["group"]
        np.testing.assert_allclose(moments.means[g], expected["mean"], atol=LAVAAN)
        np.testing.assert_allclose(moments.covariances[g], expected["cov"], atol=LAVAAN)


def test_the_notices_give_an_account() -> None:
    frame = incomplete()
    with pytest.warns(MissingDataWarning) as caught:
        moments = SampleMoments.from_frame(frame, ITEMS, "school", missing="ml")
    told = " ".join(str(warning.message) for warning in caught)
    used = frame.drop(index=9)[ITEMS].isna()
    assert f"{used.sum().sum():,} of 2,700 answers" in told and f"in {used.any(axis=1).sum()} of 300 rows" in told
    worst = used.sum().sort_values(ascending=False, kind="stable")
    assert f"Most are missing in {worst.index[0]} ({worst.iloc[0]}), {worst.index[1]} ({worst.iloc[1]})" in told
    assert "by group in " in told and "Dropped 1 rows without any answer" in told
    assert "too optimistic" in told and "listwise" not in told
    # A selection keeps what happened when the rows were read, and adds no account of listwise deletion.
    selected = moments.select(ITEMS[:3])
    assert selected.missing == "ml" and set(selected.notices) == set(moments.notices)


def test_nothing_missing_is_no_news() -> None:
    frame = mx.data.holzinger_swineford_1939()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        one = SampleMoments.from_frame(frame, ITEMS, "school", missing="ml")
        other = SampleMoments.from_frame(frame, ITEMS, "school")
    np.testing.assert_allclose(one.covariances, other.covariances, rtol=1e-9, atol=1e-12)


def test_the_file_remembers(moments: SampleMoments, tmp_path: Path) -> None:
    moments.save(tmp_path / "moments.json")
    again = SampleMoments.load(tmp_path / "moments.json")
    assert again.missing == "ml" and again.notices == moments.notices
    np.testing.assert_array_equal(again.covariances, moments.covariances)
    content = moments.to_dict()
    del content["missing"]  # as files of the first release
    assert SampleMoments.from_dict(content).missing == "listwise"
    with pytest.raises(DataError, match="broken at 'missing'"):
        SampleMoments.from_dict(moments.to_dict() | {"missing": "fiml"})


def test_parts_of_one_group_do_not_pool(moments: SampleMoments) -> None:
    with pytest.raises(DataError, match=r"parts of Grant-White, Pasteur cannot be pooled: .*incomplete rows"):
        moments.merge(moments)
    one, other = moments.subset(["Pasteur"]), moments.subset(["Grant-White"])
    both = one.merge(other)
    assert both.missing == "ml"
    np.testing.assert_array_equal(both.covariances, moments.covariances)


def test_what_cannot_have_missing_values_is_refused(moments: SampleMoments) -> None:
    frame = incomplete()
    complete = SampleMoments.from_grouped(GroupedData.from_frame(frame.dropna(), ITEMS, "school"))
    with pytest.raises(OptionError, match="missing='ml' came with moments"):
        as_moments(complete, ITEMS, missing="ml")
    with pytest.raises(OptionError, match="missing='ml' came with complete rows"):
        as_moments(GroupedData.from_frame(frame.dropna(), ITEMS), ITEMS, missing="ml")
    assert as_moments(moments, ITEMS, missing="ml").missing == "ml"
    with pytest.raises(OptionError, match="missing='fiml'"):
        as_moments(frame, ITEMS, missing="fiml")
    with pytest.raises(OptionError, match="missing='fiml'"):
        SampleMoments.from_frame(frame, ITEMS, missing="fiml")


def test_an_item_that_does_not_vary_is_refused_by_a_fit() -> None:
    frame = incomplete()
    frame.loc[(frame["school"] == "Pasteur") & frame["x5"].notna(), "x5"] = 3.0
    with pytest.raises(DataError, match=r"without variation in a group: Pasteur \(x5\)"):
        as_moments(frame, ITEMS, "school", missing="ml")


def test_doubtful_groups_are_named() -> None:
    rng = np.random.default_rng(5)
    frame = pd.DataFrame(rng.normal(size=(330, 4)), columns=list("wxyz"))
    frame["group"] = ["a"] * 300 + ["b"] * 20 + ["c"] * 10
    frame.loc[frame["group"] == "b", "z"] = frame.loc[frame["group"] == "b", "y"] + 5e-4 * frame["w"]
    frame.loc[322:, "x"] = np.nan  # two rows of group c have x: no covariance with three others
    frame.loc[::9, "w"] = np.nan
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        SampleMoments.from_frame(frame, list("wxyz"), "group", missing="ml")
    told = {(warning.category, str(warning.message)) for warning in caught}
    near = [text for category, text in told if category is NonPositiveDefiniteWarning]
    assert len(near) == 1 and "nearly singular in b, c" in near[0]
    assert not any(category is SmallGroupWarning for category, _ in told)
    small = pd.concat([frame[frame["group"] != "c"], frame[frame["group"] == "c"].iloc[:4]])
    moments = as_moments(small, list("wxyz"), "group", missing="ml")
    (told_small,) = (notice for notice in moments.notices if notice.category is SmallGroupWarning)
    assert "no more usable rows than there are items (4)" in told_small.text and told_small.groups == ("c",)


def test_iterations_that_stop_early_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    from mixsem.kernels import missing_em

    usual = missing_em.saturated_estimates
    monkeypatch.setattr(missing_em, "saturated_estimates", lambda tables: usual(tables, max_iterations=1))
    moments = as_moments(incomplete(), ITEMS, "school", missing="ml")
    (told,) = (notice for notice in moments.notices if notice.category is ConvergenceWarning)
    assert "stopped early in Grant-White, Pasteur" in told.text and told.groups == ("Grant-White", "Pasteur")


def test_the_account() -> None:
    frame = incomplete()
    account = missing_account(frame, ITEMS, "school")
    assert list(account.columns) == ["group", "item", "n", "missing", "share", "complete", "empty", "patterns"]
    assert len(account) == 18
    for school, part in account.groupby("group"):
        rows = frame[frame["school"] == school][ITEMS].isna()
        np.testing.assert_array_equal(part["missing"], rows.sum())
        np.testing.assert_allclose(part["share"], rows.mean())
        assert set(part["n"]) == {len(rows)} and set(part["patterns"]) == {len(rows.drop_duplicates())}
        assert set(part["complete"]) == {int((~rows).all(axis=1).sum())}
        assert set(part["empty"]) == {int(rows.all(axis=1).sum())}
    assert missing_account(frame.assign(x1=np.nan), ITEMS)["missing"].iloc[0] == len(frame)
