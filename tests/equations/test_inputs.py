"""What the functions that follow a fit refuse, and by what words."""

from __future__ import annotations

import pytest

import mixsem as mx
from mixsem.errors import OptionError, UnsupportedModelError

AFTER = (
    mx.standardized,
    mx.residuals,
    mx.modification_indices,
    mx.score_test,
    mx.release_scores,
    mx.fit_measures,
    mx.r2,
    mx.bootstrap,
    mx.anova,
)
MODEL = "visual =~ x1 + x2 + x3; textual =~ x4 + x5 + x6"


@pytest.fixture(scope="module")
def people():
    return mx.data.holzinger_swineford_1939()


@pytest.fixture(scope="module")
def fit(people):
    return mx.cfa(MODEL, people)


@pytest.mark.parametrize("function", AFTER, ids=lambda function: function.__name__)
@pytest.mark.parametrize("what", [None, 3, "visual =~ x1 + x2", object()], ids=["none", "number", "text", "object"])
def test_what_is_no_fit_is_named(function, what):
    with pytest.raises(UnsupportedModelError, match=rf"{function.__name__}\(\) got {type(what).__name__}") as caught:
        function(what)
    assert "cfa(), sem() or growth()" in caught.value.allowed


def test_other_results_are_told_what_to_do(people, fit):
    with pytest.raises(UnsupportedModelError, match="got SAMFit") as caught:
        mx.fit_measures(mx.sam(f"{MODEL}; visual ~ textual", people))
    assert "sem()" in caught.value.todo
    with pytest.raises(UnsupportedModelError, match="got MeasurementFit") as caught:
        mx.standardized(mx.MGCFA(MODEL).fit(people, "school"))
    assert "cfa()" in caught.value.todo
    with pytest.raises(UnsupportedModelError, match="got DataFrame") as caught:
        mx.residuals(people)
    assert "fit a model to the data first" in caught.value.todo
    with pytest.raises(UnsupportedModelError, match="got list") as caught:
        mx.anova([fit, fit])
    assert "anova(*fits)" in caught.value.todo


def test_comparisons_need_two_fits(fit):
    with pytest.raises(OptionError, match="got nothing"):
        mx.anova()
    with pytest.raises(OptionError, match="got one fit"):
        mx.anova(fit)
    with pytest.raises(UnsupportedModelError, match=r"anova\(\) got NoneType"):
        mx.anova(fit, None)


@pytest.mark.parametrize("level", [0, 1, 1.5, "0.95", None, True])
def test_levels(fit, level):
    with pytest.raises(OptionError, match="level="):
        mx.standardized(fit, level=level)


@pytest.mark.parametrize("count", [0, -1, 2.5, "3", True])
def test_numbers_of_rows(fit, count):
    with pytest.raises(OptionError, match="top="):
        mx.modification_indices(fit, top=count)
    with pytest.raises(OptionError, match="largest="):
        mx.residuals(fit, largest=count)
