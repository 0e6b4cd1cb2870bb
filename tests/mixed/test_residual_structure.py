"""Linear mixed models with structured residuals: nlme's numbers, recovery, invariances, refusals."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pandas as pd
import pytest

import mixsem as mx
from mixsem import Residual, lmer
from mixsem.errors import (
    BoundaryWarning,
    DataError,
    MissingDataWarning,
    ModelError,
    OptionError,
    UnsupportedModelError,
)
from mixsem.mixed.linear import fit_model
from mixsem.mixed.structure.residual_rows import relative_sd, whiten
from mixsem.mixed.structure.residual_search import JointEvaluation, residual_notices
from mixsem.mixed.structure.residual_structure import require_plain

from .references import FOLDER, LOGLIK, residual_cases, vector

#: Absolute for phi, relative for ratios, sigma and standard errors: where nlme's optimiser stops, its log-likelihood is
#: up to 5e-8 short of the maximum, and parameters are off by the square root of that.
PARAMETERS = 1e-4
#: Relative, of two fits of one model from the same cross-products up to rounding: the search ends when a Newton step
#: would change parameters by less than 1e-5 of their standard errors.
SAME_FIT = 1e-5

NLME = json.loads((FOLDER / "nlme_residual" / "fits.json").read_text(encoding="utf-8"))
STRUCTURED = [case for case in residual_cases() if case.by or case.time]


def read(name: str) -> pd.DataFrame:
    folder = FOLDER if name == "sleepstudy" else FOLDER / "nlme_residual"
    return pd.read_csv(folder / f"{name}.csv")


@pytest.fixture(scope="module")
def schools() -> pd.DataFrame:
    return read("schools")


def assert_same(fit, other):
    assert fit.loglik == pytest.approx(other.loglik, abs=LOGLIK)
    np.testing.assert_allclose(fit.residual.parameters, other.residual.parameters, rtol=SAME_FIT)
    np.testing.assert_allclose(fit.beta, other.beta, rtol=SAME_FIT)
    assert fit.sigma == pytest.approx(other.sigma, rel=SAME_FIT)


def assert_agrees(fit, numbers):
    assert fit.loglik == pytest.approx(numbers["logLik"], abs=LOGLIK)
    assert fit.n_params == numbers["df"]
    assert fit.sigma == pytest.approx(numbers["sigma"], rel=PARAMETERS)
    np.testing.assert_allclose(fit.beta, vector(numbers["beta"]), rtol=PARAMETERS)
    np.testing.assert_allclose(np.asarray(fit.se), vector(numbers["se"]), rtol=PARAMETERS)
    found = fit.residual
    if numbers.get("phi") is None:
        assert found.phi is None
    else:
        assert found.phi == pytest.approx(numbers["phi"], abs=PARAMETERS)
    if numbers.get("ratios"):
        expected = {str(level): ratio for level, ratio in numbers["ratios"].items()}
        assert dict(zip(found.levels, found.ratios, strict=True)) == pytest.approx(expected, rel=PARAMETERS)
    else:
        assert found.levels == ("",)


@pytest.mark.filterwarnings("ignore::mixsem.errors.BoundaryWarning")  # intercepts that AR(1) residuals leave nothing
@pytest.mark.parametrize("case", STRUCTURED, ids=str)
def test_agrees_with_the_maximum_of_nlmes_likelihood(case):
    structure = Residual(by=case.by, ar1=(case.group, case.time) if case.time else None)
    assert_agrees(lmer(case.formula, case.data, reml=case.reml, residual=structure), case.numbers)


@pytest.mark.parametrize("method", ["REML", "ML"])
@pytest.mark.parametrize("case", NLME["cases"], ids=lambda case: case["name"])
def test_agrees_with_nlme(case, method):
    data, numbers = read(case["data"]), case[method]
    structure = Residual(by=case["by"], ar1=tuple(case["ar1"]) if case["ar1"] else None)
    fit = lmer(case["formula"], data, reml=method == "REML", weights=case["weights"], residual=structure)
    assert_agrees(fit, numbers)
    raw = fit.design.y - fit.fitted
    group, time = ("Subject", "Days") if case["data"] == "sleepstudy" else ("pupil", "time")
    first = np.lexsort((data[time], data[group]))[:8]
    for kind, found in (("pearson", raw / relative_sd(fit.model)), ("normalized", whiten(fit.model, raw))):
        np.testing.assert_allclose(found[first] / fit.sigma, numbers[kind], atol=PARAMETERS, err_msg=kind)


def test_agrees_with_the_growth_curve_of_lavaan():
    fit = lmer("Reaction ~ Days + (Days | Subject)", read("sleepstudy"), reml=False, residual=Residual(by="Days"))
    assert fit.loglik == pytest.approx(NLME["growth"]["logLik"], abs=LOGLIK)
    np.testing.assert_allclose(fit.residual.frame["sd"], NLME["growth"]["residual_sd"], rtol=PARAMETERS)


def simulated(n_groups: int, n_times: int, ratio: float, phi: float, seed: int) -> pd.DataFrame:
    """Groups at times 0, 1, 3, 4, 6, 7, ..., in any order; form "b" is more variable."""
    rng = np.random.default_rng(seed)
    times = np.array([t for t in range(2 * n_times) if t % 3 != 2][:n_times])
    gaps = np.diff(times)
    errors = rng.normal(size=(n_groups, n_times))
    for i, gap in enumerate(gaps, start=1):
        rho = phi**gap
        errors[:, i] = rho * errors[:, i - 1] + np.sqrt(1.0 - rho**2) * errors[:, i]
    form = rng.choice(["a", "b"], size=errors.shape)
    y = 1.0 + 0.2 * times + 0.7 * rng.normal(size=(n_groups, 1)) + np.where(form == "b", ratio, 1.0) * errors
    columns = {"y": y, "time": np.broadcast_to(times, y.shape), "form": form}
    frame = pd.DataFrame({name: column.ravel() for name, column in columns.items()})
    frame["person"] = np.repeat(np.arange(n_groups), n_times)
    return frame.sample(frac=1.0, random_state=seed).reset_index(drop=True)


@pytest.mark.parametrize("phi", [0.6, -0.4])
def test_recovers_what_was_simulated(phi):
    data = simulated(n_groups=2000, n_times=6, ratio=1.7, phi=phi, seed=5)
    fit = lmer("y ~ time + (1 | person)", data, residual=Residual(by="form", ar1=("person", "time")))
    # Standard errors at 12,000 rows: 0.013 of log ratio (1 / sqrt(6000)), at most 0.02 of phi; four of them.
    assert fit.residual.ratios[1] == pytest.approx(1.7, rel=0.055)
    assert fit.residual.phi == pytest.approx(phi, abs=0.08)
    assert fit.sigma == pytest.approx(1.0, rel=0.06)
    plain = lmer("y ~ time + (1 | person)", data)
    assert fit.loglik > plain.loglik + 100.0


def test_finds_a_correlation_where_every_gap_is_wide():
    data = simulated(n_groups=400, n_times=6, ratio=1.0, phi=0.7, seed=6)
    wide, structure = data.assign(time=12 * data["time"]), Residual(ar1=("person", "time"))
    fit = lmer("y ~ time + (1 | person)", data, reml=False, residual=structure)
    other = lmer("y ~ time + (1 | person)", wide, reml=False, residual=structure)
    assert other.loglik == pytest.approx(fit.loglik, abs=10 * LOGLIK)  # two searches, phi on two scales
    assert other.residual.phi**12 == pytest.approx(fit.residual.phi, rel=10 * SAME_FIT)  # the same reason


def test_order_of_rows_and_origin_of_time_do_not_matter(schools):
    structure = Residual(by="form", ar1=("pupil", "time"))
    formula = "y ~ x + (1 | school/pupil)"
    fit = lmer(formula, schools, residual=structure)
    moved = schools.assign(time=schools["time"] - 100).sample(frac=1.0, random_state=2)
    assert_same(lmer(formula, moved, residual=structure), fit)
    assert_same(lmer(formula, schools.sort_values(["school", "pupil", "time"]), residual=structure), fit)


@pytest.mark.filterwarnings("ignore::mixsem.errors.BoundaryWarning")  # a correlation of 1 of the random effects
def test_the_other_level_as_reference_is_the_same_model(schools):
    fit = lmer("y ~ x + (x | school)", schools, residual=Residual(by="form"))
    turned = schools.assign(form=pd.Categorical(schools["form"], ["b", "a"]))
    other = lmer("y ~ x + (x | school)", turned, residual=Residual(by="form"))
    assert other.loglik == pytest.approx(fit.loglik, abs=LOGLIK)
    assert other.residual.ratios[1] == pytest.approx(1.0 / fit.residual.ratios[1], rel=SAME_FIT)
    assert other.sigma == pytest.approx(fit.sigma * fit.residual.ratios[1], rel=SAME_FIT)


def test_an_interaction_can_be_the_group_and_the_strata(schools):
    local = schools.assign(pupil=schools["pupil"] % 100, half=schools["time"] // 5)
    joined = local.assign(both=local["form"] + local["half"].astype(str))
    fit = lmer("y ~ x + (1 | school)", local, residual=Residual(by="form:half", ar1=("school:pupil", "time")))
    other = lmer(
        "y ~ x + (1 | school)",
        joined.assign(pupil=schools["pupil"]),
        residual=Residual(by="both", ar1=("pupil", "time")),
    )
    assert fit.residual.levels == ("a:0", "a:1", "b:0", "b:1")
    assert_same(fit, other)


def test_another_response_is_fitted_with_its_own_structure(schools):
    structure = Residual(by="form", ar1=("pupil", "time"))
    fit = lmer("y ~ x + (1 | school)", schools, residual=structure)
    response = np.random.default_rng(3).normal(size=len(schools))
    again = fit_model(fit.specification, fit.model.with_response(response))
    fresh = lmer("y ~ x + (1 | school)", schools.assign(y=response), residual=structure)
    assert again.loglik == pytest.approx(fresh.loglik, abs=LOGLIK)
    np.testing.assert_allclose(again.residual.parameters, fresh.residual.parameters, atol=PARAMETERS)


def test_the_criterion_at_the_estimates_is_a_minimum(schools):
    fit = lmer("y ~ x + (1 | school/pupil)", schools, residual=Residual(by="form", ar1=("pupil", "time")))
    structured = fit.model.structured
    assert fit.model.criterion(fit.theta) == pytest.approx(fit.objective, abs=LOGLIK)
    for step in 0.05 * np.vstack([np.eye(2), -np.eye(2)]):
        moved = structured.at(structured.eta + step)
        near = fit.model.__class__(fit.design, fit.model.y, moved.products, fit.model.theta_map, moved)
        assert near.criterion(fit.theta) > fit.objective


def test_rows_without_a_time_are_left_out_with_an_account(schools):
    gaps = schools.assign(time=schools["time"].where(schools.index != 4))
    with pytest.warns(MissingDataWarning, match="time"):
        fit = lmer("y ~ x + (1 | school)", gaps, residual=Residual(ar1=("pupil", "time")))
    assert_same(fit, lmer("y ~ x + (1 | school)", schools.drop(index=4), residual=Residual(ar1=("pupil", "time"))))


def test_says_where_random_effects_take_the_residual_of_a_level():
    with pytest.warns(BoundaryWarning, match="residual variance of Days = 9 is zero"):
        fit = lmer(
            "Reaction ~ Days + (Days | Subject)",
            read("sleepstudy"),
            residual=Residual(by="Days", ar1=("Subject", "Days")),
        )
    # nlme stops at -845.475, with a ratio of 1e-8 too.
    assert fit.loglik > -845.46


def test_refuses_a_likelihood_without_a_maximum(schools):
    exact = schools.assign(y=np.where(schools["form"] == "b", 1.0 + 0.3 * schools["x"], schools["y"]))
    with pytest.raises(DataError, match="form = b is zero and the likelihood has no maximum"):
        lmer("y ~ x + (1 | school)", exact, residual=Residual(by="form"))


def test_says_where_residuals_never_change(schools):
    fit = lmer("y ~ x + (1 | school)", schools, residual=Residual(ar1=("pupil", "time")))
    assert residual_notices(fit.model.structured, found_at(fit, fit.model.structured.eta)) == ()
    for z, value in ((8.0, "1"), (-8.0, "-1")):
        (notice,) = residual_notices(fit.model.structured, found_at(fit, np.array([z])))
        assert notice.category is BoundaryWarning
        assert f"residuals within pupil is {value}." in notice.text


def found_at(fit, eta):
    return JointEvaluation(fit.theta, eta, fit.objective, np.zeros(0), np.zeros(len(eta)))


def test_table_and_names():
    fit = lmer(
        "Reaction ~ Days + (1 | Subject)", read("sleepstudy"), residual=Residual(by="few", ar1=("Subject", "Days"))
    )
    assert list(fit.residual.parameters.index) == ["ratio.1", "phi"]
    assert list(fit.residual.frame["level"]) == ["0", "1"]
    assert fit.residual.frame["sd"][0] == fit.sigma
    assert f"correlate {fit.residual.phi:.3f}" in repr(fit.residual)
    assert fit.n_params == 2 + 1 + 1 + 2


AR1 = Residual(ar1=("pupil", "time"))


@pytest.mark.parametrize(
    ("change", "structure", "error", "match"),
    [
        ({"time": lambda d: d["time"] + 0.5}, AR1, DataError, "not whole"),
        ({"time": lambda d: d["time"].astype(str)}, AR1, DataError, "not a number"),
        ({"time": lambda d: d["time"] // 2}, AR1, DataError, r"time = \d comes more than once in pupil = \d+"),
        ({"pupil": lambda d: np.arange(len(d))}, AR1, DataError, "no level of pupil has two rows"),
        ({"form": lambda d: "a"}, Residual(by="form"), DataError, "it has one level"),
        ({}, Residual(by="shape"), DataError, "shape"),
        ({}, Residual(ar1=("school", "time")), DataError, "comes more than once in school"),
    ],
    ids=["halves", "text", "twice", "alone", "one level", "no column", "group too coarse"],
)
def test_refuses_data_without_such_a_structure(change, structure, error, match, schools):
    data = schools.assign(**change)
    with pytest.raises(error, match=match):
        lmer("y ~ x + (1 | school)", data, residual=structure)


def test_refuses_groups_across_levels_of_a_factor(schools):
    with pytest.raises(UnsupportedModelError, match="several levels of form") as caught:
        lmer("y ~ x + (1 | form) + (1 | school)", schools, residual=AR1)
    assert "pupil:form" in str(caught.value)


@pytest.mark.parametrize(
    "given", [{}, {"by": ""}, {"by": 3}, {"ar1": ("g",)}, {"ar1": "g"}, {"ar1": ("g", 1)}], ids=str
)
def test_refuses_what_is_no_structure(given):
    with pytest.raises(OptionError):
        Residual(**given)


def test_refuses_other_optimisers(schools):
    with pytest.raises(OptionError, match="cobyqa"):
        lmer("y ~ x + (1 | school)", schools, residual=AR1, optimizer=mx.Optimizer("cobyqa"))


def test_what_takes_residuals_as_plain_is_refused(schools):
    fit = lmer("y ~ x + (1 | school)", schools, residual=AR1)
    with pytest.raises(UnsupportedModelError, match=r"a test: not for .* \(AR\(1\) within pupil along time\)"):
        require_plain(fit, "a test")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        require_plain(lmer("y ~ x + (1 | school)", schools), "a test")
    assert issubclass(UnsupportedModelError, ModelError)


def test_refuses_a_number_that_was_not_meant_to_have_levels(schools):
    """At once: before the cross-products of a thousand strata are computed."""
    data = schools.assign(x=np.random.default_rng(1).normal(size=len(schools)))
    with pytest.raises(DataError, match=r"have one row(.|\n)*cut a number into a few classes"):
        lmer("y ~ 1 + (1 | school)", data, residual=Residual(by="x"))
