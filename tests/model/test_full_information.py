"""Full-information maximum likelihood: derivatives, the complete-data case, and lavaan's numbers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mixsem.data import SampleMoments, holzinger_swineford_1939
from mixsem.data.patterns import read_patterns
from mixsem.errors import ModelError
from mixsem.kernels.arrow import factorize
from mixsem.model.fit_ml import maximize_likelihood
from mixsem.model.full_information import FullInformation
from mixsem.model.loss import MaximumLikelihood
from mixsem.model.matrices import compile_table
from mixsem.model.start import starting_values
from mixsem.syntax.sem import parse_model
from mixsem.syntax.table import measurement_table

REFERENCE = json.loads((Path(__file__).parents[1] / "reference" / "missing.json").read_text(encoding="utf-8"))
CASES = {case["name"]: case for case in REFERENCE["cases"]}
ITEMS = [f"x{i}" for i in range(1, 10)]

#: lavaan's gradient is below 1e-8 per row; log-likelihoods then agree to far better than this.
LOGLIK = 1e-6
#: Estimates and saturated moments after lavaan's EM, which stops on changes of the log-likelihood.
ESTIMATE = 2e-5
#: Central differences with a step of 1e-5 on a loss of size 1e3.
DIFFERENCE = 1e-6


def deleted(name: str) -> pd.DataFrame:
    """The data of a case, by the rules that missing.json states (rows counted from 1 there)."""
    frame = holzinger_swineford_1939().copy()
    number = np.arange(1, len(frame) + 1)
    frame.loc[number % 5 == 0, "x5"] = np.nan
    frame.loc[number % 7 == 0, "x9"] = np.nan
    if name != "few":
        frame.loc[frame["x1"] > 5.5, "x3"] = np.nan
        frame.loc[frame["x1"] < 4, "x6"] = np.nan
        frame.loc[number % 11 == 3, "x2"] = np.nan
        frame.loc[number == 10, ITEMS] = np.nan
    return frame


def loss_of(name: str) -> tuple[FullInformation, np.ndarray]:
    """The loss of a case and starting values."""
    case = CASES[name]
    group = "school" if "school" in name else None
    patterns = read_patterns(deleted(name), ITEMS, group)
    several = len(patterns.groups) > 1
    table = measurement_table(
        parse_model(REFERENCE["about"]["model"]),
        groups=patterns.groups,
        equal=[str(kind) for kind in case["group_equal"]] if several else [],
        meanstructure=True,
    )
    model = compile_table(table, patterns.groups)
    loss = FullInformation.of(model, patterns)
    return loss, starting_values(model, table, loss.n, loss.saturated.covariances, loss.saturated.means)


@pytest.mark.parametrize("name", CASES)
def test_saturated_moments_are_lavaans(name: str):
    loss, _ = loss_of(name)
    for g, expected in enumerate(CASES[name]["saturated"]):
        assert loss.patterns.n[g] == expected["n"]
        assert loss.saturated.loglik[g] == pytest.approx(expected["loglik"], abs=LOGLIK)
        np.testing.assert_allclose(loss.saturated.means[g], expected["mean"], atol=ESTIMATE)
        np.testing.assert_allclose(loss.saturated.covariances[g], expected["cov"], atol=ESTIMATE)


def test_saturated_loglikelihood_of_the_conformance_data():
    loss, _ = loss_of("few")
    assert loss.saturated.loglik.sum() == pytest.approx(-3582.5020, abs=5e-5)


@pytest.mark.parametrize("name", CASES)
def test_fits_are_lavaans(name: str):
    loss, start = loss_of(name)
    optimum = maximize_likelihood(loss, start)
    assert optimum.converged
    fit, parameters = CASES[name]["fit"], pd.DataFrame(
        {key: value for key, value in CASES[name]["parameters"].items() if key != "se"}
    )  # fmt: skip
    assert 2 * optimum.loss_per_group.sum() == pytest.approx(fit["chisq"], abs=4 * LOGLIK)
    assert loss.loglik(optimum.theta).sum() == pytest.approx(fit["logl"], abs=LOGLIK)
    # Scores give the information of first order; the expected one is lavaan's information="expected".
    errors = {
        "expected": np.sqrt(np.diag(factorize(loss.model.layout, loss.expected_information(optimum.theta)).inverse())),
        "first.order": first_order_errors(loss, optimum.theta),
    }
    values = loss.model.entry_values(optimum.theta)
    entries = list(loss.model.entries)
    compared = 0
    for i, row in parameters[parameters["free"] == 1].iterrows():
        name_of = f"{row['lhs']}{row['op']}{row['rhs']}"
        g, e = loss.patterns.groups.index(row["group"]), entries.index(name_of)
        assert values[g, e] == pytest.approx(row["est"], abs=ESTIMATE)
        for kind, found in errors.items():
            lavaans = CASES[name]["parameters"]["se"][kind][i]
            assert found[loss.model.free[g, e]] == pytest.approx(lavaans, rel=1e-4), (name_of, kind)
        compared += 1
    assert compared >= loss.model.n_free


def first_order_errors(loss: FullInformation, theta: np.ndarray) -> np.ndarray:
    """Standard errors from the sum of squared scores; derivatives of the moments by central differences."""

    def moments(x: np.ndarray) -> np.ndarray:
        implied = loss.model.implied(x)
        rows, columns = np.triu_indices(implied.mu.shape[1])
        return np.concatenate([implied.mu, implied.Sigma[:, rows, columns]], axis=1)

    h = 1e-6
    slopes = [(moments(theta + h * e) - moments(theta - h * e)) / (2 * h) for e in np.eye(theta.size)]
    Delta = np.stack(slopes, axis=2)[loss.patterns.codes]
    scores = np.einsum("nq,nqt->nt", loss.moment_scores(theta), Delta)
    return np.sqrt(np.diag(np.linalg.inv(scores.T @ scores)))


@pytest.mark.parametrize("name", ["many", "many_school_scalar"])
def test_gradient_meets_finite_differences(name: str):
    loss, start = loss_of(name)
    theta = start + 0.05 * np.random.default_rng(1).normal(size=start.size)
    state = loss.evaluate(theta)
    assert state.per_group.sum() == pytest.approx(loss.value(theta), rel=1e-14)
    np.testing.assert_array_equal(loss.gradient(theta), state.gradient)
    h = 1e-5
    numeric = np.array([(loss.value(theta + h * e) - loss.value(theta - h * e)) / (2 * h) for e in np.eye(theta.size)])
    np.testing.assert_allclose(state.gradient, numeric, rtol=DIFFERENCE, atol=DIFFERENCE * np.abs(numeric).max())


def test_complete_rows_give_the_usual_loss():
    frame = holzinger_swineford_1939()
    moments = SampleMoments.from_frame(frame, ITEMS, "school")
    table = measurement_table(parse_model(REFERENCE["about"]["model"]), groups=moments.groups, meanstructure=True)
    model = compile_table(table, moments.groups)
    usual = MaximumLikelihood.of(model, moments.n, moments.covariances, moments.means)
    full = FullInformation.of(model, read_patterns(frame, ITEMS, "school"))
    theta = starting_values(model, table, usual.n, usual.S, usual.means)
    one, other = usual.evaluate(theta), full.evaluate(theta)
    np.testing.assert_allclose(other.per_group, one.per_group, rtol=1e-9)
    np.testing.assert_allclose(other.gradient, one.gradient, atol=1e-8 * np.abs(one.gradient).max())
    expected = factorize(model.layout, one.information).diagonal()
    exact = factorize(model.layout, full.expected_information(theta)).diagonal()
    np.testing.assert_allclose(exact, expected, rtol=1e-8)


def test_a_model_without_means_is_refused():
    table = measurement_table(parse_model(REFERENCE["about"]["model"]), groups=("all",))
    with pytest.raises(ModelError, match="without means"):
        FullInformation.of(compile_table(table, ("all",)), read_patterns(deleted("few"), ITEMS))


def test_improper_moments_give_an_infinite_loss():
    loss, start = loss_of("few")
    start[loss.model.names.index("x1~~x1")] = -9.0
    assert loss.value(start) == np.inf
