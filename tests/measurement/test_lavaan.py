"""MGCFA against lavaan: every number of every case in tests/reference/mgcfa.json."""

from __future__ import annotations

import gzip
import json
import math
import warnings
from pathlib import Path

import numpy as np
import pytest

from mixsem.data.moments import SampleMoments
from mixsem.errors import ModelError, UnsupportedModelError
from mixsem.factors.sam import mapping_matrix
from mixsem.measurement import MGCFA, MeasurementFit
from mixsem.syntax.blocks import block_table

REFERENCE = Path(__file__).parent.parent / "reference"
LAVAAN = json.loads((REFERENCE / "mgcfa.json").read_text())
GROUPS24 = json.loads((REFERENCE / "mgcfa_24groups.json").read_text())
CASES = {case["name"]: case for case in LAVAAN["cases"]}

#: Both programs stop at a gradient near zero, lavaan's then polished to 1e-9; what is left is rounding in
#: 12 printed digits and in the inversion of the information.
ESTIMATE, STANDARD_ERROR, LIKELIHOOD, DESCRIPTIVE = 2e-6, 2e-6, 2e-6, 1e-7
#: lavaan finds RMSEA limits by root search with a coarse tolerance.
RMSEA_LIMIT = 2e-6

#: lavaan cases that MGCFA refuses: a constraint between two variances; loadings held equal that are fixed apart.
REFUSED = {
    "hs_constraint": (UnsupportedModelError, "=="),
    "hs_labels_loadings": (ModelError, "textual=~x6|textual =~ x6"),
}
#: Cases with options that MGCFA expresses otherwise.
SKIPPED = {
    "hs_single_means": "a single group's saturated means are not counted",
    "hs_orthogonal": "written as visual ~~ 0*textual etc., see hs_orthogonal_pair",
    "hs_intercepts_appearance": "same model as hs_intercepts with another reference group",
    "hs_loadings_std_lv_appearance": "same model as hs_loadings_std_lv with another reference group",
    "hs_intercepts_partial_appearance": "groups are in sorted order",
}


def text_of(case: dict) -> str:
    """The model text of a case."""
    lines = case["syntax"]
    return lines if isinstance(lines, str) else "\n".join(lines)


def moments_of(name: str) -> SampleMoments:
    """Moments stored beside the numbers, in lavaan's scale (divisor N)."""
    data = LAVAAN["data"][name]
    groups = data["groups"] if isinstance(data["groups"], list) else [data["groups"]]
    n = data["n"] if isinstance(data["n"], list) else [data["n"]]
    return stored_moments(groups, n, data["mean"], data["cov"], data["items"])


def stored_moments(groups, n, means, covariances, items) -> SampleMoments:
    p = len(items)
    cov = np.array(covariances, dtype=float).reshape(len(groups), p, p)
    mean = np.array(means, dtype=float).reshape(len(groups), p)
    return SampleMoments.from_covariances(
        dict(zip(groups, cov, strict=True)),
        n=dict(zip(groups, n, strict=True)),
        means=dict(zip(groups, mean, strict=True)),
        items=items,
        divisor="n",
    )


def as_list(value) -> list:
    return value if isinstance(value, list) else [value]


def fit_case(case: dict) -> MeasurementFit:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return MGCFA(
            text_of(case),
            equal=as_list(case["group_equal"]),
            partial=as_list(case["group_partial"]),
            blocks="joint",
            std_lv=case["std_lv"],
        ).fit(moments_of(case["data"]))


def expected_parameters(case: dict) -> dict[tuple[str, str], tuple[float, float]]:
    """(entry, group) -> (estimate, standard error) of lavaan's table."""
    p = case["parameters"]
    names = (f"{a}{o}{b}" for a, o, b in zip(p["lhs"], p["op"], p["rhs"], strict=True))
    groups = p["group"] if isinstance(p["group"], list) else [p["group"]] * len(p["lhs"])
    values = zip(p["est"], p["se"], strict=True)
    return dict(zip(zip(names, groups, strict=True), values, strict=True))


COMPARED = sorted(set(CASES) - set(SKIPPED) - set(REFUSED))


@pytest.mark.parametrize("name", COMPARED)
def test_fit_measures(name):
    case, block = CASES[name], fit_case(CASES[name]).blocks[0]
    ours, theirs = block.measures, case["fit"]
    assert ours.df == theirs["df"]
    assert ours.n_params == theirs["npar"]
    assert ours.baseline_df == theirs["baseline.df"]
    for attribute, key in {
        "chisq": "chisq",
        "baseline_chisq": "baseline.chisq",
        "loglik": "logl",
        "unrestricted_loglik": "unrestricted.logl",
        "aic": "aic",
        "bic": "bic",
        "sabic": "bic2",
    }.items():
        assert getattr(ours, attribute) == pytest.approx(theirs[key], rel=1e-9, abs=LIKELIHOOD), attribute
    keys = {"cfi": "cfi", "tli": "tli", "rmsea": "rmsea", "srmr": "srmr"}
    if ours.df:
        keys |= {"pvalue": "pvalue"}
    for attribute, key in keys.items():
        assert getattr(ours, attribute) == pytest.approx(theirs[key], abs=DESCRIPTIVE), attribute
    if ours.df:
        for attribute, key in {"rmsea_lower": "rmsea.ci.lower.exact", "rmsea_upper": "rmsea.ci.upper.exact"}.items():
            assert getattr(ours, attribute) == pytest.approx(theirs[key], abs=RMSEA_LIMIT), attribute
        assert ours.rmsea_pvalue == pytest.approx(theirs["rmsea.pvalue"], abs=1e-6)


@pytest.mark.parametrize("name", COMPARED)
def test_estimates_and_standard_errors(name):
    case, fit = CASES[name], fit_case(CASES[name])
    block = fit.blocks[0]
    expected = expected_parameters(case)
    values = block.model.entry_values(block.coef)
    errors = block.standard_errors
    compared = 0
    for e, entry in enumerate(block.model.entries):
        for g, group in enumerate(fit.groups):
            key = (entry, str(group))
            if key not in expected:
                left, _, right = entry.partition("~~")
                key = (f"{right}~~{left}", str(group))
            estimate, se = expected[key]
            assert values[g, e] == pytest.approx(estimate, rel=1e-6, abs=ESTIMATE), key
            index = block.model.free[g, e]
            assert (errors[index] if index >= 0 else 0.0) == pytest.approx(se, rel=1e-6, abs=STANDARD_ERROR), key
            compared += 1
    assert compared >= 6


@pytest.mark.parametrize("name", REFUSED)
def test_refused_by_name(name):
    error, message = REFUSED[name]
    with pytest.raises(error, match=message):
        fit_case(CASES[name])


def moments24() -> SampleMoments:
    with gzip.open(REFERENCE / GROUPS24["data"]) as file:
        stored = json.load(file)
    return stored_moments(stored["groups"], stored["n"], stored["mean"], stored["cov"], stored["items"])


def test_published_numbers_of_holzinger_and_swineford():
    """Tables of the lavaan paper and manual, to the digits shown there."""
    measures = fit_case(CASES["hs_single"]).blocks[0].measures
    assert round(measures.chisq, 4) == 85.3055 and measures.df == 24
    assert round(measures.loglik, 4) == -3737.7449
    assert (round(measures.cfi, 4), round(measures.tli, 4)) == (0.9306, 0.8958)
    assert (round(measures.rmsea, 4), round(measures.srmr, 4)) == (0.0921, 0.0652)
    assert (round(measures.rmsea_lower, 4), round(measures.rmsea_upper, 4)) == (0.0714, 0.1137)
    assert (round(measures.aic, 4), round(measures.bic, 4)) == (7517.4899, 7595.3392)
    configural = fit_case(CASES["hs_configural"]).blocks[0].measures
    assert (round(configural.chisq, 4), configural.df) == (115.8513, 48)
    assert (round(configural.cfi, 4), round(configural.rmsea, 4)) == (0.9234, 0.0969)
    metric = fit_case(CASES["hs_loadings"]).blocks[0].measures
    assert (round(metric.chisq, 4), metric.df, round(metric.cfi, 4)) == (124.0435, 54, 0.9209)


def test_24_groups_jointly():
    reference = GROUPS24["joint"]
    fit = MGCFA("\n".join(reference["syntax"]), partial=tuple(GROUPS24["group_partial"]), blocks="joint").fit(
        moments24()
    )
    measures = fit.blocks[0].measures
    assert measures.df == reference["fit"]["df"] and measures.n_params == reference["fit"]["npar"]
    assert measures.chisq == pytest.approx(reference["fit"]["chisq"], abs=1e-4)
    assert measures.loglik == pytest.approx(reference["fit"]["logl"], abs=1e-5)
    np.testing.assert_allclose(fit.Phi, np.array(reference["phi"]).reshape(fit.Phi.shape), atol=ESTIMATE)


def test_24_groups_by_factor_and_their_mapping():
    """One block per factor, and local structural-after-measurement factor covariances."""
    syntax = "\n".join(GROUPS24["joint"]["syntax"])
    fit = MGCFA(syntax, partial=tuple(GROUPS24["group_partial"])).fit(moments24())
    blocks = {block["factor"]: block["fit"] for block in GROUPS24["blocks"]}
    for block in fit.blocks:
        theirs = blocks[block.factors[0]]
        assert block.measures.chisq == pytest.approx(theirs["chisq"], abs=1e-5)
        assert block.measures.loglik == pytest.approx(theirs["logl"], abs=1e-6)
    M = mapping_matrix(fit.Lambda, fit.Theta)
    Phi = M @ (fit.moments.covariances - fit.Theta) @ M.swapaxes(1, 2)
    assert fit.items == fit.moments.items
    expected = np.array(GROUPS24["sam"]["phi"]).reshape(Phi.shape)
    np.testing.assert_allclose(Phi, expected, atol=2e-6)


def test_blocks_are_disjoint_parts_of_the_joint_table():
    fit = fit_case(CASES["hs_loadings"])
    table = fit.blocks[0].table
    parts = [block_table(table, [factor]) for factor in table.factors]
    names = [row.name for part in parts for row in part.rows]
    assert len(names) == len(set(names))
    across = [row.name for row in table.rows if row.name not in names]
    assert sorted(across) == ["textual~~speed", "visual~~speed", "visual~~textual"]
    assert not math.isnan(fit.loglik)
