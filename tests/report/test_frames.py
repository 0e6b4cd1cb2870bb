"""Frames hold the numbers of the fits, unrounded and in their order."""

from __future__ import annotations

import numpy as np
import pytest

from mixsem.errors import OptionError
from mixsem.measurement import MeasurementFit
from mixsem.report.frames import clusters, glance, tidy
from mixsem.structural import MixtureFit, MixtureSelection


def test_regressions_of_the_clusters(whole: MixtureSelection) -> None:
    fit = whole[2]
    frame = tidy(fit)
    tests = ["se", "z", "p_value", "lower", "upper"]
    kinds = ["equal", "fixed", "group_specific"]
    assert list(frame.columns) == ["cluster", "outcome", "predictor", "estimate", *tests, *kinds]
    for row in frame.itertuples():
        j, i = fit.path.factors.index(row.outcome), fit.path.factors.index(row.predictor)
        assert row.estimate == fit.B[row.cluster - 1, j, i]
    assert set(frame.loc[frame["predictor"] == "F2", "estimate"]) == {0.2}
    assert frame.groupby("predictor")["fixed"].first().to_dict() == {"F1": False, "F2": True}
    assert not frame["equal"].any()


def test_regressions_of_a_selection(selection: MixtureSelection) -> None:
    frame = tidy(selection)
    assert frame["k"].tolist() == [1, 2, 2, 3, 3, 3, 4, 4, 4, 4]
    assert frame.loc[frame["k"] == 3, "estimate"].tolist() == selection[3].coefficients[:, 0].tolist()


def test_measurement_parameters(measurement: MeasurementFit) -> None:
    frame = tidy(measurement).set_index(["block", "group", "lhs", "op", "rhs"])
    for g, group in enumerate(measurement.groups):
        for factor, loadings in zip(measurement.factors, measurement.Lambda[g].T, strict=True):
            for item in np.flatnonzero(loadings):
                name = measurement.items[item]
                assert frame.loc[(factor, group, factor, "=~", name), "estimate"] == loadings[item]
        at = measurement.items.index("V7")
        assert frame.loc[("F2", group, "V7", "~~", "V7"), "estimate"] == measurement.Theta[g, at, at]
    marker = frame.loc[("F1", 1, "F1", "=~", "V1")]
    assert (marker["estimate"], marker["free"]) == (1.0, False)
    assert np.isnan(marker[["se", "z", "p_value"]].astype(float)).all()


def test_standard_errors_are_those_of_the_block(measurement: MeasurementFit) -> None:
    block = measurement.blocks[0]
    frame = tidy(measurement).set_index(["block", "group", "lhs", "op", "rhs"])
    shared = frame.loc[("F1", 4, "F1", "=~", "V3")]
    assert shared["se"] == block.standard_errors[block.model.names.index("F1=~V3")]
    assert shared["z"] == pytest.approx(shared["estimate"] / shared["se"])
    assert shared["p_value"] < 1e-8
    free = frame.loc[("F1", 4, "F1", "=~", "V2")]
    assert free["se"] == block.standard_errors[block.model.names.index("F1=~V2[4]")]
    assert len(frame) == sum(block.model.free.size for block in measurement.blocks)


def test_glance_at_a_measurement_model(measurement: MeasurementFit) -> None:
    frame = glance(measurement)
    assert frame["block"].tolist() == ["F1", "F2", "F3"]
    for name in ("chisq", "df", "cfi", "rmsea_upper", "srmr", "bic", "nobs"):
        assert frame[name].tolist() == [getattr(block.measures, name) for block in measurement.blocks]


def test_glance_at_a_mixture(whole: MixtureSelection) -> None:
    several, one = glance(whole), glance(whole[2])
    assert len(one) == 1
    assert not {"chull", "chull_observed"} & set(one.columns)
    assert one.iloc[0].to_dict() == several.iloc[1][one.columns].to_dict()
    row = one.iloc[0]
    fit = whole[2]
    assert (row["k"], row["loglik"], row["loglik_observed"]) == (2, fit.loglik, fit.loglik_observed)
    assert (row["bic_g"], row["icl_observed"]) == (fit.criteria.bic_g, fit.criteria_observed.icl)
    assert (row["n_params"], row["n_starts"], row["n_best"]) == (fit.n_params, 20, fit.starts.n_best)
    assert several["chull"].isna().tolist() == [np.isnan(r) for r in whole.hull.ratio]


def test_clusters_of_the_groups(fit: MixtureFit) -> None:
    frame = clusters(fit)
    assert frame["group"].tolist() == list(fit.groups)
    assert frame["cluster"].tolist() == fit.clusters.tolist()
    assert (frame[["p1", "p2"]].to_numpy() == fit.posterior).all()
    assert (frame["probability"] == frame[["p1", "p2"]].max(axis=1)).all()
    assert frame["n"].tolist() == fit.moments.n.tolist()


@pytest.mark.parametrize("function", [tidy, glance, clusters])
def test_other_things_are_refused_by_name(function) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(OptionError, match=rf"{function.__name__}\(\) got dict"):
        function({})


def test_clusters_of_a_selection_asks_for_one_number(selection: MixtureSelection) -> None:
    with pytest.raises(OptionError, match=r"fits\[3\]"):
        clusters(selection)  # type: ignore[arg-type]
