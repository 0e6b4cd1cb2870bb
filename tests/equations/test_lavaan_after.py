"""What follows from a fit, against lavaan: standardized solutions, R-squared, score tests, and two-step estimates."""

from __future__ import annotations

import json
import math
import warnings
from pathlib import Path

import numpy as np
import pytest

import mixsem as mx
from mixsem.equations.residual import residuals
from mixsem.equations.scores import score_rows

LAVAAN = json.loads((Path(__file__).parent.parent / "reference" / "sem.json").read_text())
CASES = {case["name"]: case for case in LAVAAN["cases"]}
SAM = {case["name"]: case for case in LAVAAN["sam"]}

#: Functions of estimates that agree to about 1e-8, in 11 printed digits.
VALUE = 2e-6
#: Standard errors by the delta method, with numerical derivatives here or there; with the observed information
#: (incomplete data, MLR) lavaan differences the gradient besides.
ERROR = 2e-5
#: Score tests square small gradients' ratios: relative.
SCORE = 1e-5
#: Both steps of lavaan's sam() stop where nlminb does, at a relative change of 1e-10 in the discrepancy.
TWO_STEPS = 5e-5

#: lavaan's root search for intervals.
ROOT = 2e-5

#: What lavaan 0.6-14 computes otherwise, on purpose or by chance, by measure and a part of the case's name.
LEFT_OUT = [
    # Its divisor counts equal parameters as often as they stand in the model.
    *(("scaling.factor.h0", part) for part in ("school", "fifth_", "over_time", "linear", "path_sites")),
    # The baseline's scaling factor is 1 up to rounding; where rounding makes it exactly 1, lavaan drops the correction.
    ("tli.robust", "path_wlsmv"),
    ("nnfi.robust", "path_wlsmv"),
    ("rni.robust", "path_wlsmv"),
    # With missing values its GFI compares available-case means, not those of full information; for unweighted least
    # squares it counts the moments of covariates, which fit by definition.
    *((key, part) for key in ("gfi", "agfi", "pgfi") for part in ("missing", "fifth_", "path_uls_fixed")),
]

STANDARDIZED = sorted(name for name, case in CASES.items() if "std_all" in case["parameters"])


def having(key: str) -> list[str]:
    return sorted(name for name, case in CASES.items() if key in case)


def close(ours: float, theirs: float | None, tolerance: float) -> bool:
    """Equal up to rounding; lavaan's missing value stands for our missing value or 0."""
    if theirs is None:
        return math.isnan(ours) or ours == 0
    return ours == pytest.approx(theirs, rel=tolerance, abs=tolerance)


def lookup(frame, columns: list[str]) -> dict:
    """(group, lhs, op, rhs) -> values, covariances under both orders."""
    found = {}
    for row in frame.itertuples(index=False):
        values = tuple(getattr(row, column) for column in columns)
        found[str(row.group), row.lhs, row.op, row.rhs] = values
        if row.op == "~~":
            found[str(row.group), row.rhs, row.op, row.lhs] = values
    return found


def rows_of(table: dict, *columns: str):
    return zip(*(table[column] for column in columns), strict=True)


@pytest.mark.parametrize("name", CASES)
def test_fit_measures_by_name(name, fit_case):
    ours, theirs = mx.fit_measures(fit_case(name)), CASES[name]["fit"]
    tolerance = VALUE if CASES[name]["exact"] else 100 * VALUE
    for key, value in theirs.items():
        if any(key == left and part in name for left, part in LEFT_OUT):
            continue
        limit = ROOT if "ci." in key or "missing" in CASES[name]["options"] else tolerance
        assert ours[key] == pytest.approx(value, rel=limit, abs=limit), key


@pytest.mark.parametrize("kind", ["all", "lv"])
@pytest.mark.parametrize("name", STANDARDIZED)
def test_standardized(name, kind, fit_case):
    found = lookup(mx.standardized(fit_case(name), kind), ["estimate", "se"])
    defined = {key[1]: value for key, value in found.items() if key[2] == ":="}
    p = CASES[name]["parameters"]
    for group, lhs, op, rhs, est, se in rows_of(p, "group", "lhs", "op", "rhs", f"std_{kind}", f"std_{kind}_se"):
        ours = defined[lhs] if op == ":=" else found[group, lhs, op, rhs]
        assert close(ours[0], est, VALUE), (group, lhs, op, rhs)
        assert close(ours[1], se, ERROR), (group, lhs, op, rhs)


@pytest.mark.parametrize("name", having("r2"))
def test_r2(name, fit_case):
    ours = {(str(row.group), row.variable): row.r2 for row in mx.r2(fit_case(name)).itertuples()}
    theirs = {(group, item): value for group, values in CASES[name]["r2"].items() for item, value in values.items()}
    assert set(ours) == set(theirs)
    for key, value in theirs.items():
        if value is None:  # lavaan does not tell where a variance is negative
            assert ours[key] > 1, key
        else:
            assert ours[key] == pytest.approx(value, abs=VALUE), key


@pytest.mark.parametrize("name", having("modindices"))
def test_modification_indices(name, fit_case):
    columns = ["mi", "epc", "sepc_lv", "sepc_all"]
    found = lookup(mx.modification_indices(fit_case(name)), columns)
    covariates = fit_case(name).table.covariates
    compared = 0
    for *key, mi, epc, lv, everything in rows_of(CASES[name]["modindices"], "group", "lhs", "op", "rhs", *columns):
        if key[1] in covariates:  # lavaan also lists regressions of given covariates and their (co)variances
            continue
        ours = found[tuple(key)]
        assert ours == pytest.approx((mi, epc, lv, everything), rel=SCORE, abs=SCORE), key
        compared += 1
    assert compared > 5


def cell(text: str) -> tuple[str, str]:
    name, _, group = text.rpartition("|")
    return name, group


TWO_GROUPS = [name for name in having("score_test") if CASES[name]["group"]]


@pytest.mark.parametrize("name", TWO_GROUPS)
def test_scores_of_equal_parameters(name, fit_case):
    """With two groups, freeing one cell is releasing the one constraint on it."""
    everything = ("loadings", "intercepts", "residuals", "regressions", "lv.variances", "lv.covariances", "means")
    cells = mx.release_scores(fit_case(name), everything).cells
    ours = {(f"{row.lhs}{row.op}{row.rhs}", str(row.group)): row.statistic for row in cells.itertuples()}
    table = CASES[name]["score_test"]["univariate"]
    assert len(ours) == 2 * len(table["x2"])
    for lhs, rhs, x2 in rows_of(table, "lhs", "rhs", "x2"):
        for side in (cell(lhs), cell(rhs)):
            assert ours[side] == pytest.approx(x2, rel=SCORE, abs=SCORE), side


@pytest.mark.parametrize("name", having("score_test"))
def test_score_test(name, fit_case):
    ours, theirs = mx.score_test(fit_case(name)), CASES[name]["score_test"]
    assert ours.statistic == pytest.approx(theirs["total"]["x2"], rel=SCORE)
    assert ours.df == theirs["total"]["df"]
    assert ours.p_value == pytest.approx(theirs["total"]["p"], rel=1e-3, abs=1e-9)
    found = {
        (f"{row.lhs}{row.op}{row.rhs}", str(row.group)): (row.statistic, row.df) for row in ours.univariate.itertuples()
    }
    assert len(found) == len(theirs["univariate"]["x2"])
    for lhs, rhs, x2, df in rows_of(theirs["univariate"], "lhs", "rhs", "x2", "df"):
        key = cell(rhs) if "|" in rhs else ("".join(f"{lhs}=={rhs}".split()), "")
        match = next(value for (text, group), value in found.items() if ("".join(text.split()), group) == key)
        assert match == (pytest.approx(x2, rel=SCORE, abs=SCORE), df), key


@pytest.mark.parametrize("name", having("score_test"))
def test_expected_changes(name, fit_case):
    """What all parameters would become if all equality constraints were dropped."""
    found = {
        (f"{row.lhs}{row.op}{row.rhs}", str(row.group)): (row.estimate, row.epc, row.epv)
        for row in mx.score_test(fit_case(name)).changes.itertuples()
    }
    table = CASES[name]["score_test"]["epc"]
    for text, group, est, epc, epv in rows_of(table, "name", "group", "est", "epc", "epv"):
        key = (text, group) if (text, group) in found else ("~~".join(reversed(text.split("~~"))), group)
        assert found[key] == pytest.approx((est, epc, epv), rel=SCORE, abs=SCORE), key


@pytest.mark.parametrize("method", ["regression", "bartlett"])
@pytest.mark.parametrize("name", having("scores"))
def test_scores_of_rows(name, method, fit_case):
    """The first five rows of every group, in the order of the table."""
    fit = fit_case(name)
    scores, _ = score_rows(fit, fit.data.values, fit.data.codes, method)
    for g, group in enumerate(fit.groups):
        theirs = CASES[name]["scores"][method][str(group)]
        rows = np.flatnonzero(fit.data.codes == g)
        first = rows[np.argsort(fit.data.rows[rows])][:5]
        for q, factor in enumerate(theirs["factors"]):
            ours = scores[first, fit.factors.index(factor)]
            if (
                method == "bartlett" and factor == "g"
            ):  # no items of its own: a score would come from a generalized inverse
                assert np.isnan(ours).all()
                continue
            np.testing.assert_allclose(ours, [row[q] for row in theirs["scores"]], atol=VALUE)


@pytest.mark.parametrize("kind", ["raw", "cor", "normalized", "standardized"])
@pytest.mark.parametrize("name", having("residuals"))
def test_residuals(name, kind, fit_case):
    frame = residuals(fit_case(name), kind)
    found = {key: value for key, (value,) in lookup(frame, ["residual"]).items()}
    raw = {key: value for key, (value,) in lookup(residuals(fit_case(name)), ["residual"]).items()}
    compared = 0
    for group, theirs in CASES[name]["residuals"][kind].items():
        values = {(items, "~~"): value for items, value in upper_triangle(theirs)}
        values |= {((item, ""), "~1"): x for item, x in zip(theirs["items"], theirs["mean"] or (), strict=False)}
        for ((lhs, rhs), op), value in values.items():
            key = (group, lhs, op, rhs)
            if "ed" in kind and abs(raw[key]) < 1e-7:  # rounding divided by rounding, or missing, in either program
                continue
            assert found[key] == pytest.approx(value, rel=ERROR, abs=VALUE), key
            compared += 1
    assert compared >= 3


def upper_triangle(part: dict):
    items = part["items"]
    return (((items[i], items[j]), part["cov"][i][j]) for i in range(len(items)) for j in range(i, len(items)))


@pytest.mark.parametrize("test", LAVAAN["differences"], ids=lambda d: f"{d['restricted']}-{d['method']}")
def test_differences(test, fit_case):
    method = test["method"].replace(".", "-")
    frame = mx.anova(fit_case(test["free"]), fit_case(test["restricted"]), method=method).to_pandas()
    ours = frame.iloc[1]
    assert ours["chisq_diff"] == pytest.approx(test["chisq"], rel=SCORE)
    assert ours["df_diff"] == test["df"]
    assert ours["p_value"] == pytest.approx(test["p"], rel=1e-3, abs=1e-9)


@pytest.mark.parametrize("name", SAM)
def test_two_steps(name, data_of):
    case = SAM[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = mx.sam("\n".join(case["syntax"]), data_of(case["data"]), blocks=case["blocks"], method=case["method"])
    values, errors = fit.model.entry_values(fit.coef)[0], fit.standard_errors
    at = {entry: e for e, entry in enumerate(fit.model.entries)}
    compared = 0
    for lhs, op, rhs, est, se in rows_of(case["parameters"], "lhs", "op", "rhs", "est", "se"):
        e = at[f"{lhs}{op}{rhs}"] if f"{lhs}{op}{rhs}" in at else at[f"{rhs}{op}{lhs}"]
        index = fit.model.free[0, e]
        assert values[e] == pytest.approx(est, abs=TWO_STEPS), (lhs, op, rhs)
        if se is not None:
            assert (errors[index] if index >= 0 else 0.0) == pytest.approx(se, abs=TWO_STEPS), (lhs, op, rhs)
        compared += 1
    assert compared > 20


@pytest.mark.parametrize(
    ("name", "slopes", "variances"),
    [
        ("two_blocks_local", (1.472, 0.423, 0.848), (0.446, 3.835, 0.139)),
        ("two_blocks_global", (1.472, 0.423, 0.848), (0.446, 3.835, 0.139)),
        ("three_blocks_local", (1.448, 0.369, 0.803), (0.446, 3.614, 0.260)),
    ],
)
def test_published_two_steps(name, slopes, variances, data_of):
    """Rosseel & Loh (2024), to the digits shown there."""
    case = SAM[name]
    fit = mx.sam("\n".join(case["syntax"]), data_of(case["data"]), blocks=case["blocks"], method=case["method"])
    found = dict(zip(fit.model.names, fit.coef, strict=True))
    entries = ("dem60~ind60", "dem65~ind60", "dem65~dem60")
    assert tuple(round(found[entry], 3) for entry in entries) == pytest.approx(slopes, abs=0.0011)
    entries = ("ind60~~ind60", "dem60~~dem60", "dem65~~dem65")
    assert tuple(round(found[entry], 3) for entry in entries) == pytest.approx(variances, abs=0.0011)
