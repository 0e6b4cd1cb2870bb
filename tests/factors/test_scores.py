"""Factor scores of people: what frames come back, which rows have none, and what is refused."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import mixsem as mx
from mixsem.data.grouped import GroupedData
from mixsem.errors import DataError, OptionError, UnsupportedModelError

COLUMNS = ["group", "F1", "F1_sd", "F2", "F2_sd", "F3", "F3_sd"]


def test_variance_of_means_and_mean_of_variances_make_phi(bayes_fit, people):
    """Equation 8, from the frame that users get."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        Phi = mx.factor_moments(bayes_fit).Phi
    scores = mx.factor_scores(bayes_fit, people).groupby("group")
    for q, factor in enumerate(bayes_fit.factors):
        phi = scores[factor].var(ddof=1) + scores[f"{factor}_sd"].apply(lambda sd: (sd**2).mean())
        np.testing.assert_allclose(Phi[:, q, q], phi.loc[list(bayes_fit.groups)], rtol=1e-10)
        np.testing.assert_allclose(scores[factor].mean(), 0.0, atol=1e-12)


def test_frames_come_back_as_they_were_given(single_fit, people):
    scores = mx.factor_scores(single_fit, people, "group")
    assert list(scores.columns) == COLUMNS
    pd.testing.assert_index_equal(scores.index, people.index)
    pd.testing.assert_series_equal(scores["group"], people["group"])
    table = pl.from_pandas(people)
    for given, kind in ((table, pl.DataFrame), (table.lazy(), pl.DataFrame), (table.to_arrow(), pa.Table)):
        other = mx.factor_scores(single_fit, given)
        assert isinstance(other, kind)
        values = pl.from_arrow(other) if kind is pa.Table else other
        assert values.columns == COLUMNS
        np.testing.assert_array_equal(values.to_numpy(), scores.to_numpy())
    mapping = mx.factor_scores(single_fit, people.to_dict("list"))
    np.testing.assert_array_equal(mapping.to_numpy(), scores.to_numpy())


def test_input_is_never_changed(single_fit, people):
    copy = people.copy(deep=True)
    mx.factor_scores(single_fit, people)
    pd.testing.assert_frame_equal(people, copy)


def test_incomplete_rows_have_no_scores(single_fit, people):
    holes = people.reset_index(drop=True).astype({"group": float})
    holes.loc[[3, 8], "V4"] = np.nan
    holes.loc[5, "group"] = np.nan
    holes.loc[11, "V20"] = np.nan  # not an item of the model
    scores = mx.factor_scores(single_fit, holes)
    full = mx.factor_scores(single_fit, people)
    assert scores["F3"].isna().to_numpy().nonzero()[0].tolist() == [3, 5, 8]
    there = scores["F3"].notna().to_numpy()
    np.testing.assert_array_equal(scores.to_numpy()[there], full.to_numpy()[there])
    nulls = mx.factor_scores(single_fit, pl.from_pandas(holes))
    assert nulls["F1"].null_count() == nulls["F1_sd"].null_count() == 3 and nulls["F1"].is_nan().sum() == 0


def test_people_of_some_groups_will_do(single_fit, people):
    some = people[people["group"].isin([2, 5])]
    full = mx.factor_scores(single_fit, people)
    np.testing.assert_array_equal(mx.factor_scores(single_fit, some), full[people["group"].isin([2, 5])])


def test_groups_the_fit_does_not_have(single_fit, people):
    strange = people.assign(group=people["group"].replace(3, 33))
    with pytest.raises(DataError, match="no group 33"):
        mx.factor_scores(single_fit, strange)
    with pytest.raises(DataError, match="no group 1, 2"):
        mx.factor_scores(single_fit, people.assign(group=people["group"].astype(str)))
    empty = strange.assign(V1=strange["V1"].where(strange["group"] != 33))
    assert mx.factor_scores(single_fit, empty)["F1"].isna().sum() == (strange["group"] == 33).sum()


def test_a_single_group_needs_no_column(people, quietly, single_fit):
    model = mx.MGBCFA("F1 =~ V1 + V2 + V3", sampling=single_fit.specification.sampling)
    fit = quietly(model, people, group=None)
    scores = mx.factor_scores(fit, people)
    assert list(scores.columns) == ["F1", "F1_sd"] and scores.notna().all(axis=None)
    one = people[people["group"] == 7]
    fit = quietly(model, one)
    assert mx.factor_scores(fit, one)["group"].unique().tolist() == [7]
    with pytest.raises(DataError, match="no group 1"):
        mx.factor_scores(fit, people)


@pytest.mark.parametrize(
    ("change", "data", "group", "error", "message"),
    [
        ({}, lambda d: d.drop(columns="V3"), None, DataError, "V3"),
        ({}, lambda d: d, "country", DataError, "country"),
        ({"group": None}, lambda d: d, None, OptionError, "group="),
        ({"has_means": False}, lambda d: d, None, DataError, "without means"),
        ({"group": "F1"}, lambda d: d.rename(columns={"group": "F1"}), None, OptionError, "F1"),
        ({}, lambda d: mx.SampleMoments.from_frame(d, ["V1", "V2"], "group"), None, DataError, "SampleMoments"),
        ({}, lambda d: GroupedData.from_frame(d, ["V1", "V2"], "group"), None, DataError, "GroupedData"),
    ],
)
def test_refused_by_name(single_fit, people, change, data, group, error, message):
    fit = replace(single_fit, moments=replace(single_fit.moments, **change))
    with pytest.raises(error, match=message):
        mx.factor_scores(fit, data(people), group)


def test_other_fits_are_refused_by_name(people):
    fit = mx.MGCFA("F1 =~ V1 + V2 + V3").fit(people, "group")
    with pytest.raises(UnsupportedModelError, match="MeasurementFit"):
        mx.factor_scores(fit, people)
