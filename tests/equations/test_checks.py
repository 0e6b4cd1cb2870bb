"""Trouble in the model text, or in what came out, that a fit names."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import mixsem as mx
from mixsem.errors import HeywoodWarning, SingleIndicatorWarning


@pytest.fixture(scope="module")
def people():
    return mx.data.holzinger_swineford_1939()


def notices(fit, category):
    return [notice for notice in fit.notices if notice.category is category]


def test_the_only_item_of_a_factor_is_named(people):
    with pytest.warns(SingleIndicatorWarning, match="x1 is the only item of its factor"):
        fit = mx.cfa("f =~ x1", people)
    assert len(notices(fit, SingleIndicatorWarning)) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert mx.cfa("f =~ x1; x1 ~~ 0.4*x1", people).notices == ()
        assert mx.sem("x1 ~ x2 + x3", people).notices == ()


def test_fixed_negative_variances_are_named(people):
    with pytest.warns(HeywoodWarning, match=r"fixed by the model: visual~~visual \(-1\)"):
        fit = mx.cfa("visual =~ x1 + x2 + x3; visual ~~ -1*visual", people)
    assert notices(fit, HeywoodWarning)[0].groups == ()
    with pytest.warns(HeywoodWarning, match=r"x1~~x1 in Pasteur \(-0.1\)"):
        fit = mx.cfa("visual =~ x1 + x2 + x3; x1 ~~ c(0.3, -0.1)*x1", people, "school")
    assert notices(fit, HeywoodWarning)[0].groups == ("Pasteur",)


@pytest.mark.filterwarnings("ignore::mixsem.errors.SparseCategoriesWarning")
def test_negative_residuals_of_ordered_items_are_named():
    """Correlations .8, .8 and .3 need a loading of sqrt(.8 * .8 / .3) > 1."""
    R = np.array([[1, 0.8, 0.8], [0.8, 1, 0.3], [0.8, 0.3, 1]])
    z = np.random.default_rng(1).standard_normal((800, 3))
    z = np.linalg.solve(np.linalg.cholesky(np.cov(z, rowvar=False)), (z - z.mean(axis=0)).T).T
    rows = pd.DataFrame(z @ np.linalg.cholesky(R).T, columns=["a", "b", "c"])
    ordered = rows.apply(lambda column: pd.qcut(column, 4, labels=False))
    with pytest.warns(HeywoodWarning, match=r"negative variance \(Heywood case\): a~~a \(-"):
        fit = mx.cfa("f =~ a + b + c", ordered, ordered=True, estimator="WLSMV")
    loading = mx.standardized(fit).query("rhs == 'a'")["estimate"].item()
    assert loading > 1 and f"({1 - loading**2:.3g})" in notices(fit, HeywoodWarning)[0].text
