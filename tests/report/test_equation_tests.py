"""Score tests and bootstraps as they print."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest

import mixsem as mx
from mixsem.errors import OptionError
from mixsem.report.document import Listing
from mixsem.report.table import Table

MODEL = "visual =~ x1 + x2 + x3; textual =~ x4 + x5 + x6; speed =~ x7 + x8 + x9"


@pytest.fixture(scope="module")
def people():
    return mx.data.holzinger_swineford_1939()


@pytest.fixture(scope="module")
def schools(people):
    return mx.cfa(MODEL, people, "school", group_equal=("loadings", "intercepts"))


@pytest.fixture(scope="module")
def drawn(people):
    fit = mx.cfa("visual =~ x1 + b*x2 + x3; twice := 2*b", people, "school", group_equal="loadings")
    return mx.bootstrap(fit, 30, seed=4)


def tables(result):
    return {part.title: part for part in mx.summary(result).parts if isinstance(part, Table)}


def facts(result):
    return dict(next(part for part in mx.summary(result).parts if isinstance(part, Listing)).entries)


def test_score_tests_print_the_largest_first(schools):
    test = mx.score_test(schools)
    joint, single = tables(test)["Joint test"].to_pandas(), tables(test)["Single constraints"].to_pandas()
    assert joint["statistic"].tolist() == [test.statistic] * 2 and joint["df"].tolist() == [test.df, test.rank]
    assert joint["p_value"].tolist() == [test.p_value, test.p_value_rank]
    assert single["statistic"].tolist() == sorted(test.univariate["statistic"], reverse=True)[:15]
    first = single.iloc[0]
    assert (first["parameter"], first["group"], first["equals"]) == ("x3 ~ 1", "Pasteur", "x3~1 [Grant-White]")
    assert "array(" not in repr(test) and len(repr(test).splitlines()) < 40
    assert "<table" in test._repr_html_()


def test_score_tests_of_lines(people):
    fit = mx.cfa("visual =~ x1 + a*x2 + b*x3; a == 0.5*b", people)
    test = mx.score_test(fit)
    assert list(tables(test)["Joint test"].to_pandas()["df"]) == [1]  # identified: one line
    single = tables(test)["Single constraints"].to_pandas()
    assert "group" not in single and single["parameter"].item() == "a == 0.5*b"


def test_release_scores_print_parameters_and_cells(schools):
    found = mx.release_scores(schools)
    overall, cells = (tables(found)[title] for title in ("Over all groups", "Single groups against all others"))
    assert overall.to_pandas()["statistic"].tolist() == sorted(found.overall["statistic"], reverse=True)
    assert len(cells.rows) == 15 < len(found.cells) and "15 largest of 30" in cells.notes[0]
    assert cells.to_pandas()["sepc_all"].abs().iloc[0] in found.cells["sepc_all"].abs().tolist()
    assert "15 parameters" in repr(found) and "2 groups" in repr(found)


def test_nothing_to_release(people):
    found = mx.release_scores(mx.cfa(MODEL, people, "school"))
    assert found.overall.empty and "No parameter of these kinds is equal over groups" in repr(found)


def test_a_bootstrap_prints_its_intervals(drawn):
    frame = tables(drawn)["Estimates"].to_pandas()
    expected = drawn.intervals()
    assert len(frame) == len(expected) - 2  # two loadings stand once for both groups
    loading = frame.set_index("parameter").loc["visual =~ x3"]
    own = expected.query("rhs == 'x3' and op == '=~'").iloc[0]
    assert loading["group"] == "all"
    for name in ("estimate", "se", "lower", "upper"):
        assert loading[name] == own[name]
    assert frame.iloc[-1]["parameter"] == "twice := 2*b" and frame.iloc[-1]["group"] == ""
    assert set(frame.query("parameter == 'x1 ~~ x1'")["group"]) == {"Grant-White", "Pasteur"}
    assert facts(drawn)["Failures"] == "none" and "Test" not in facts(drawn)
    assert "array(" not in repr(drawn)


def test_a_bootstrap_prints_its_failures_and_its_test(drawn):
    chisq, estimates = drawn.chisq.copy(), drawn.estimates.copy()
    chisq[:2], estimates[:2] = np.nan, np.nan
    some = replace(drawn, chisq=chisq, estimates=estimates, failures=("a", "b"), kind="bollen-stine")
    assert facts(some)["Failures"] == "2 of 30 samples gave no estimates"
    large = int((chisq[2:] >= drawn.fit.measures.chisq - 1e-9).sum())
    assert f"{large} of 28 samples" in facts(some)["Test"] and f"p = {large / 28:.3f}" in facts(some)["Test"]


@pytest.mark.parametrize("function", [mx.summary, mx.tidy, mx.glance])
def test_all_results_that_are_shown_are_named(function, drawn):
    with pytest.raises(OptionError, match=rf"{function.__name__}\(\) got NoneType") as caught:
        function(None)
    assert {"SEMFit", "SAMFit", "MeasurementFit", "MixtureFit"} <= set(caught.value.allowed.split(", "))
    with pytest.raises(OptionError) as caught:
        function(mx.MGCFA(MODEL))
    assert "fit()" in caught.value.todo


def test_tables_of_an_invariance_test_are_elsewhere(people):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        test = mx.invariance_test("visual =~ x1 + x2 + x3", people, "school")
    with pytest.raises(OptionError) as caught:
        mx.tidy(test)
    assert "to_pandas()" in caught.value.todo


def test_path_diagrams_take_equations_too():
    with pytest.raises(OptionError, match="NoneType") as caught:
        mx.plots.paths(None)
    assert "SEMFit" in caught.value.allowed and "cfa()" in caught.value.todo
