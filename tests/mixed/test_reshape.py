"""Wide and long tables: there and back, in the library they came from, with an account; copies refused by name."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest

from mixsem.errors import DataError, OptionError
from mixsem.mixed.growth.reshape import to_long, to_wide


@pytest.fixture
def long() -> pd.DataFrame:
    frame = pd.DataFrame({"who": np.repeat(["b", "a", "c"], 3), "time": [0, 1, 10] * 3, "y": np.arange(9.0)})
    frame["n"], frame["sex"] = np.arange(9), np.repeat(["f", "m", "f"], 3)
    return frame


def test_wide_has_people_and_occasions_in_order(long):
    made = to_wide(long.sample(frac=1.0, random_state=1), "who", "time", ["y", "n"], keep="sex")
    assert list(made.data) == ["who", "sex", "y_0", "y_1", "y_10", "n_0", "n_1", "n_10"]
    assert list(made.data["who"]) == ["a", "b", "c"]
    assert made.data.loc[0].tolist() == ["a", "m", 3.0, 4.0, 5.0, 3, 4, 5]
    assert made.data["n_1"].dtype.kind == "i"
    assert (made.n_people, made.n_occasions) == (3, 3)
    assert "every person has every one" in made.notes[-1]


def test_holes_are_counted_and_missing(long):
    long.loc[0, "y"] = np.nan
    made = to_wide(long.drop(index=[4, 8]), "who", "time", "y")
    assert made.frame["missing"].tolist() == [1, 1, 1]
    assert made.frame["people"].tolist() == [2, 2, 2]
    assert made.notes == ("7 rows of 3 people at 3 occasions; 2 combinations have no row, and are missing here.",)
    assert "y_10" in repr(made)


def test_there_and_back(long):
    wide = to_wide(long, "who", "time", ["y", "n"], keep="sex").data
    sets = {value: [f"{value}_{t}" for t in (0, 1, 10)] for value in ("y", "n")}
    back = to_long(wide, "who", sets, keep="sex").data
    expected = long.sort_values(["who", "time"]).reset_index(drop=True)
    pd.testing.assert_frame_equal(back[expected.columns], expected, check_dtype=False)


def test_rows_without_values_are_left_out_unless_kept():
    wide = pd.DataFrame({"who": [1, 2, 3], "t0": [1.0, np.nan, np.nan], "t1": [2.0, 3.0, np.nan]})
    made = to_long(wide, "who", ["t0", "t1"])
    assert made.data["value"].tolist() == [1.0, 2.0, 3.0]
    assert made.notes[0] == "3 of 6 rows have no value, and were left out, and with them 1 of 3 people."
    assert len(to_long(wide, "who", ["t0", "t1"], drop_missing=False).data) == 6
    named = to_long(wide, "who", ["t0", "t1"], times=["before", "after"], time="when")
    assert named.data["when"].tolist() == ["before", "after", "after"]


def test_polars_in_polars_out(long):
    made = to_wide(pl.from_pandas(long.drop(index=4)), "who", "time", "y", keep="sex").data
    assert isinstance(made, pl.DataFrame)
    assert made["y_1"].to_list() == [None, 1.0, 7.0]
    back = to_long(made.lazy(), "who", ["y_0", "y_1", "y_10"], value="y").data
    assert isinstance(back, pl.DataFrame)
    assert back["y"].to_list() == [3.0, 5.0, 0.0, 1.0, 2.0, 6.0, 7.0, 8.0]


def test_copies_are_refused_by_name(long):
    twice = pd.concat([long, long.iloc[[4, 5, 0]]])
    with pytest.raises(DataError, match=r"who 'a' has more than one row with time = 1; 3 rows .* of who a, b"):
        to_wide(twice, "who", "time", "y")
    with pytest.raises(DataError, match="who 'a' has two rows of the wide table"):
        to_long({"who": ["a", "a"], "y_0": [1, 2]}, "who", ["y_0"])


def test_what_else_cannot_be(long):
    with pytest.raises(DataError, match="y differs between the rows of who 'a'"):
        to_wide(long, "who", "time", "n", keep="y")
    with pytest.raises(DataError, match="would be called 'y_0'"):
        to_wide(long.rename(columns={"sex": "y_0"}), "who", "time", "y", keep="y_0")
    with pytest.raises(OptionError, match="no column"):
        to_wide(long, "who", "time", ())
    wide = {"who": [1], "first": [1.0], "second": [2.0], "y_0": [1.0], "y_1": [1.0]}
    with pytest.raises(OptionError, match="no occasions can be read from first, second"):
        to_long(wide, "who", ["first", "second"])
    with pytest.raises(OptionError, match="times="):
        to_long(wide, "who", ["first", "second"], times=[1])
    with pytest.raises(OptionError, match="different numbers of columns"):
        to_long(wide, "who", {"a": ["first"], "b": ["y_0", "y_1"]})
    with pytest.raises(OptionError, match="two columns of the long table would be called 'who'"):
        to_long(wide, "who", ["y_0", "y_1"], value="who")


def test_rows_without_a_person_are_left_out(long):
    long.loc[2, "who"] = None
    made = to_wide(long, "who", "time", "y")
    assert made.notes[0] == "1 of 9 rows lack who or time, and were left out."
    assert np.isnan(made.data["y_10"][1])


WIDE = {"who": ["a", "b", None], "y_0": [1.0, 2.0, 3.0], "y_1": [3.0, 4.0, 5.0]}


def test_rows_without_an_id_are_left_out_of_the_long_table_too():
    long = to_long(WIDE, "who", ["y_0", "y_1"])
    assert (len(long.data), long.n_people) == (4, 2)
    assert "1 of 3 rows lack who, and were left out." in long.notes
    assert long.frame["people"].tolist() == [2, 2]


@pytest.mark.parametrize("columns", [3, None, [3], "y_0", [], {"y": 3}])
def test_columns_that_are_no_names_are_refused(columns):
    with pytest.raises(OptionError, match="columns="):
        to_long(WIDE, "who", columns)


def test_a_column_given_twice_is_named():
    with pytest.raises(OptionError, match="columns= names y_0 twice"):
        to_long(WIDE, "who", ["y_0", "y_0"])


def test_a_list_of_one_name_is_that_name():
    assert to_long(WIDE, ["who"], ["y_0", "y_1"]).n_people == 2
    long = {"who": [1, 1, 2], "t": [0, 1, 0], "y": [1.0, 2.0, 3.0]}
    assert to_wide(long, ["who"], ["t"], "y").n_people == 2
    with pytest.raises(OptionError, match="time="):
        to_wide(long, "who", ["t", "y"], "y")


def test_days_name_columns_without_hours():
    days = pd.to_datetime(["2024-01-01", "2024-01-02"])
    wide = to_wide({"who": [1, 1], "day": days, "y": [1.0, 2.0]}, "who", "day", "y").data
    assert list(wide.columns) == ["who", "y_2024-01-01", "y_2024-01-02"]
