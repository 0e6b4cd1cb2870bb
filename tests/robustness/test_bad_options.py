"""Options of public functions that are out of range, of another type, or contradict each other."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mixsem as mx

MODEL, STRUCTURE = "trust =~ t1 + t2 + t3\nfear =~ f1 + f2 + f3", "trust ~ fear"
GOOD = np.eye(3) + 0.5
ROWS = 60
#: Survey, panel, name of the option, its value.
Call = Callable[[pd.DataFrame, pd.DataFrame, str, Any], Any]


def mmgsem(survey: pd.DataFrame, panel: pd.DataFrame, name: str, value: Any) -> Any:
    return mx.mmgsem(MODEL, STRUCTURE, survey, **{"group": "country", "k": 2, "n_starts": 5, name: value})


def mgcfa(survey: pd.DataFrame, panel: pd.DataFrame, name: str, value: Any) -> Any:
    return mx.MGCFA(MODEL, **{name: value}).fit(survey, group="country")


def mgbcfa(survey: pd.DataFrame, panel: pd.DataFrame, name: str, value: Any) -> Any:
    return mx.MGBCFA(MODEL, **{name: value}).fit(survey, group="country")


def mlcfa(survey: pd.DataFrame, panel: pd.DataFrame, name: str, value: Any) -> Any:
    return mx.MLCFA(MODEL, **{name: value}).fit(survey, group="country")


def cfa(survey: pd.DataFrame, panel: pd.DataFrame, name: str, value: Any) -> Any:
    return mx.cfa(MODEL, survey, **{"group": "country", name: value})


def lmer(survey: pd.DataFrame, panel: pd.DataFrame, name: str, value: Any) -> Any:
    return mx.lmer("y ~ x + (1 | g)", panel, **{name: value})


def glmer(survey: pd.DataFrame, panel: pd.DataFrame, name: str, value: Any) -> Any:
    return mx.glmer("b ~ x + (1 | g)", panel, **{"family": "binomial", name: value})


def moments(survey: pd.DataFrame, panel: pd.DataFrame, name: str, value: Any) -> Any:
    return mx.SampleMoments.from_frame(survey, **{"items": ["t1"], "group": "country", name: value})


def power(survey: pd.DataFrame, panel: pd.DataFrame, name: str, value: Any) -> Any:
    plan = {"n_groups": [12], "group_size": [50], "replications": 1, "n_starts": 5, "workers": 1}
    return mx.power(mx.simulate.Population(12), **{**plan, name: value})


def sampling(survey: pd.DataFrame, panel: pd.DataFrame, name: str, value: Any) -> Any:
    return mx.Sampling(**{name: value})


#: Function -> option -> values that are refused.
OPTIONS: dict[Call, dict[str, list[Any]]] = {
    mmgsem: {
        "k": [0, -1, 1.5, "2", None, True, 7, [], [2, 0], [1, 99], np.nan, 10**30],
        "n_starts": [0, -1, 1.5, "5", None, np.inf],
        "seed": [-1, 1.5, "1", np.nan, [1], {}],
        "group": [1, ["country"], "nation", "t1", "", b"country"],
        "equal_regressions": [["trust ~ hope"], [3]],
    },
    mgcfa: {
        "partial": [["t2"], ["trust =~ f1"], [3], 3, [""]],
        "equal": [["loading"], [3], 3],
        "blocks": ["each", [["trust"]], [["trust", "trust"], ["fear"]], 3, [[]], ["trust", "fear"]],
        "missing": ["fiml", None, 3, True],
    },
    mgbcfa: {"prior_variance": [-1, "a", np.nan, np.inf, {"hope": 0.1}, {"trust =~ t9": 1}]},
    mlcfa: {"random": [["magic"], [3]]},
    cfa: {"estimator": ["OLS", 3], "group_equal": [["everything"], 3], "ordered": ["t9", ["t9"]]},
    moments: {
        "min_size": [0, -1, 1000],
        "items": [[], "t1", ["t1", "t1"], ["country"], [1], None, 3],
    },
    lmer: {
        "reml": ["yes", None, 2],
        "weights": [
            *(
                -np.ones(ROWS),
                np.zeros(ROWS),
                np.ones(ROWS - 1),
                np.full(ROWS, np.inf),
                np.ones((ROWS, 2)),
                np.ones(ROWS) * 1j,
            ),
            *("arm", "nothing", 3, [[1]], ["a"] * ROWS),
        ],
        "offset": [np.ones(3), "arm", np.full(ROWS, np.inf), "nothing", 3, object()],
        "start": [[1, 2, 3], "a", [np.nan], [np.inf], [[1]], {}],
        "optimizer": ["magic", 3, ""],
        "penalty": ["magic", 3],
        "residual": ["ar1"],
    },
    glmer: {
        "family": ["normal", None, 3, ""],
        "link": ["logti", 3, "sqrt"],
        "n_agq": [-1, 1.5, "1", 10**6, None],
    },
    power: {
        "n_groups": [[0], ["a"], []],
        "group_size": [[0], []],
        "replications": [0, 1.5, 10**40],
        "threshold": [2],
        "wanted": [-1],
        "seed": [-1],
        "method": ["magic"],
    },
    sampling: {
        "chains": [0, 10**9],
        "draws": [0, 10**12],
        "warmup": [-1, 10**12],
        "target_accept": [1.0, np.nan, "a"],
        "max_depth": [0, 99],
        "cores": [0],
    },
}

CASES = {
    f"{call.__name__} {name} {i}": partial(call, name=name, value=value)
    for call, options in OPTIONS.items()
    for name, values in options.items()
    for i, value in enumerate(values)
}


@pytest.mark.parametrize("case", CASES)
def test_an_option_that_cannot_be_is_refused(case, survey, panel, refuses):
    refuses(lambda: CASES[case](survey, panel))


#: Matrices, and sizes, of a group that are refused.
MATRICES: dict[str, tuple[Any, Any]] = {
    "indefinite": (1.5 - np.eye(3), 100),
    "singular": (np.ones((3, 3)), 100),
    "with a negative variance": (np.diag([1.0, -1.0, 1.0]), 100),
    "of zeros": (np.zeros((3, 3)), 100),
    "not symmetric": (np.triu(GOOD), 100),
    "with NaN": (GOOD * np.nan, 100),
    "infinite": (GOOD * np.inf, 100),
    "huge": (GOOD * 1e300, 100),
    "complex": (GOOD * (1 + 0.1j), 100),
    "complex without real parts": (GOOD * 1j, 100),
    "of another size": (np.eye(2), 100),
    "a text": ("abc", 100),
    "a vector": (np.ones(3), 100),
    "a cube": (np.ones((3, 3, 3)), 100),
    "nothing": (None, 100),
    **{f"with {n!r} people": (GOOD, n) for n in (0, -1, 1, "100", np.nan, None, 2.5)},
    "with more people than there are numbers": (GOOD, 10**400),
}


@pytest.mark.parametrize("case", MATRICES)
def test_a_matrix_that_is_no_covariance_matrix_is_refused(case, refuses):
    matrix, n = MATRICES[case]
    items = ["a", "b", "c"]
    refuses(
        lambda: mx.MGCFA("F =~ a + b + c").fit(
            mx.SampleMoments.from_covariances({"A": matrix}, n={"A": n}, items=items)
        )
    )


def test_matrices_without_groups_or_sizes_are_refused(refuses):
    refuses(lambda: mx.SampleMoments.from_covariances({}, n={}))
    refuses(lambda: mx.SampleMoments.from_covariances([GOOD], n=[100]))
    refuses(lambda: mx.SampleMoments.from_covariances({"A": GOOD}, n={"B": 100}))


#: Functions of a fit.
OF_FITS = (
    "aic_table", "all_fit", "alternatives", "anova", "bootstrap", "check_convergence", "classification",
    "compare", "confint", "diagnostics", "factor_moments", "fit_measures", "glance", "growth_syntax", "icc",
    "is_singular", "modification_indices", "r2", "re_pca", "refit", "stability", "standard_errors",
    "standardized", "summary", "tidy", "variance_shares", "wald",
)  # fmt: skip


@pytest.mark.parametrize("given", ["no fit", None, 3], ids=repr)
@pytest.mark.parametrize("function", OF_FITS)
def test_what_is_no_fit_is_refused(function, given, refuses):
    refuses(lambda: getattr(mx, function)(given))
