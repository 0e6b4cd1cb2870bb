"""cfa, sem and growth against lavaan: every number of every case in tests/reference/sem.json and gpa_growth.json."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

REFERENCE = Path(__file__).parent.parent / "reference"
CASES = {
    case["name"]: case
    for name in ("sem.json", "gpa_growth.json")
    for case in json.loads((REFERENCE / name).read_text())["cases"]
}

#: Both optima have gradients below 1e-9; what is left is rounding in 11 printed digits and in inverses.
ESTIMATE, STANDARD_ERROR, LIKELIHOOD, DESCRIPTIVE = 2e-6, 2e-6, 2e-6, 2e-7
#: lavaan differences the gradient numerically for the observed information.
OBSERVED = 2e-5
#: Bounds, inequalities and nonlinear constraints: lavaan stops where its gradient is about 1e-6.
CONSTRAINED = 2e-4
#: lavaan finds RMSEA limits by root search with a coarse tolerance.
RMSEA_LIMIT = 2e-5
#: The saturated moments of incomplete data come from EM in both programs.
SATURATED = 2e-5

MEASURES = {
    "chisq": "chisq",
    "baseline_chisq": "baseline.chisq",
    "loglik": "logl",
    "unrestricted_loglik": "unrestricted.logl",
    "aic": "aic",
    "bic": "bic",
    "sabic": "bic2",
}
DESCRIPTIVES = {
    "pvalue": "pvalue",
    "cfi": "cfi",
    "tli": "tli",
    "rmsea": "rmsea",
    "srmr": "srmr",
    "rmsea_lower": "rmsea.ci.lower",
    "rmsea_upper": "rmsea.ci.upper",
    "rmsea_pvalue": "rmsea.pvalue",
}
SCALED = {
    "model.chisq": "chisq.scaled",
    "model.df": "df.scaled",
    "model.pvalue": "pvalue.scaled",
    "model.scale": "chisq.scaling.factor",
    "baseline.chisq": "baseline.chisq.scaled",
    "baseline.df": "baseline.df.scaled",
    "baseline.scale": "baseline.chisq.scaling.factor",
    "cfi_scaled": "cfi.scaled",
    "tli_scaled": "tli.scaled",
    "population.cfi_robust": "cfi.robust",
    "population.tli_robust": "tli.robust",
    "rmsea_scaled": "rmsea.scaled",
    "rmsea_scaled_lower": "rmsea.ci.lower.scaled",
    "rmsea_scaled_upper": "rmsea.ci.upper.scaled",
    "rmsea_scaled_pvalue": "rmsea.pvalue.scaled",
    "population.rmsea_robust": "rmsea.robust",
    "population.rmsea_robust_lower": "rmsea.ci.lower.robust",
    "population.rmsea_robust_upper": "rmsea.ci.upper.robust",
}
ROBUST = sorted(name for name, case in CASES.items() if "chisq.scaled" in case["fit"])


#: lavaan drops the correction where the baseline's scaling factor is 1 exactly, which rounding decides here.
ROUNDED = {("path_wlsmv", "tli.robust")}


def options_of(name: str) -> dict:
    return CASES[name]["options"]


def likelihood_tolerance(name: str) -> float:
    if not CASES[name]["exact"]:
        return CONSTRAINED
    return SATURATED if options_of(name).get("missing") == "ml" else LIKELIHOOD


@pytest.mark.parametrize("name", CASES)
def test_counts_and_likelihood(name, fit_case):
    ours, theirs = fit_case(name).measures, CASES[name]["fit"]
    assert (ours.df, ours.n_params, ours.baseline_df) == (theirs["df"], theirs["npar"], theirs["baseline.df"])
    for attribute, key in MEASURES.items():
        if key in theirs:
            expected = pytest.approx(theirs[key], rel=1e-9, abs=likelihood_tolerance(name))
            assert getattr(ours, attribute) == expected, attribute


@pytest.mark.parametrize("name", CASES)
def test_descriptive_measures(name, fit_case):
    ours, theirs = fit_case(name).measures, CASES[name]["fit"]
    tolerance = max(DESCRIPTIVE, likelihood_tolerance(name) / 10)
    for attribute, key in DESCRIPTIVES.items():
        if key in theirs:
            limit = RMSEA_LIMIT if ".ci." in key else tolerance
            assert getattr(ours, attribute) == pytest.approx(theirs[key], abs=limit), attribute


@pytest.mark.parametrize("name", ROBUST)
def test_robust_tests(name, fit_case):
    ours, theirs = fit_case(name).robust, CASES[name]["fit"]
    compared = 0
    for path, key in SCALED.items():
        if key not in theirs or (name, key) in ROUNDED:
            continue
        value = ours
        for part in path.split("."):
            value = getattr(value, part)
        limit = RMSEA_LIMIT if ".ci." in key else OBSERVED / 10
        assert value == pytest.approx(theirs[key], rel=2e-6, abs=limit), path
        compared += 1
    assert compared >= 8


@pytest.mark.parametrize("name", CASES)
def test_estimates_and_standard_errors(name, fit_case):
    fit, case = fit_case(name), CASES[name]
    values, errors = fit.model.entry_values(fit.coef), fit.standard_errors
    groups = [str(label) for label in fit.groups]
    at = {entry: e for e, entry in enumerate(fit.model.entries)}
    exact, observed = (
        case["exact"],
        options_of(name).get("missing") == "ml" or options_of(name).get("estimator") == "MLR",
    )
    estimate_limit = ESTIMATE if exact else CONSTRAINED
    error_limit = (OBSERVED if observed else STANDARD_ERROR) if exact else CONSTRAINED
    p = case["parameters"]
    defined = 0
    for lhs, op, rhs, group, est, se in zip(*(p[c] for c in ("lhs", "op", "rhs", "group", "est", "se")), strict=True):
        if op == ":=":
            ours = fit.defined[lhs]
            defined += 1
        else:
            e = at[f"{lhs}{op}{rhs}"] if f"{lhs}{op}{rhs}" in at else at[f"{rhs}{op}{lhs}"]
            g = groups.index(group) if len(groups) > 1 else 0
            index = fit.model.free[g, e]
            ours = (values[g, e], errors[index] if index >= 0 else 0.0)
        assert ours[0] == pytest.approx(est, rel=estimate_limit, abs=estimate_limit), (lhs, op, rhs, group)
        assert ours[1] == pytest.approx(se, rel=error_limit, abs=error_limit), (lhs, op, rhs, group)
    assert len(fit.defined) == defined


def test_published_numbers(fit_case):
    """Tables of the lavaan paper (Rosseel, 2012) and of Bollen (1989), to the digits shown there."""
    one = fit_case("hs_ml").measures
    assert (round(one.chisq, 3), one.df, round(one.cfi, 3), round(one.tli, 3)) == (85.306, 24, 0.931, 0.896)
    assert (round(one.loglik, 3), round(one.rmsea, 3), round(one.srmr, 3)) == (-3737.745, 0.092, 0.065)
    bollen = fit_case("pd_full").measures
    assert (round(bollen.chisq, 3), bollen.df, round(bollen.pvalue, 3)) == (38.125, 35, 0.329)
    growth = fit_case("growth_full").measures
    assert (round(growth.chisq, 3), growth.df, round(growth.pvalue, 3)) == (26.059, 21, 0.204)
