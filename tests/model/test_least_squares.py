"""ULS, GLS, WLS and DWLS: lavaan's numbers, analytic against numerical derivatives, weights against their meaning."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import mixsem as mx
from mixsem.data.grouped import read_grouped
from mixsem.kernels.arrow import factorize
from mixsem.kernels.fourth_moments import adf_gamma, normal_gamma, normal_weight, vech
from mixsem.model.fit_ml import maximize_likelihood
from mixsem.model.least_squares import LeastSquares, unbiased
from mixsem.model.matrices import ModelMap, compile_table
from mixsem.model.start import starting_values
from mixsem.syntax.sem import parse_model
from mixsem.syntax.table import measurement_table

THREE = "visual =~ x1 + x2 + x3; textual =~ x4 + x5 + x6; speed =~ x7 + x8 + x9"

#: lavaan prints six digits after the point; both optimisers go on until the gradient is far below that.
CHISQ = 2e-6
#: lavaan's optimiser leaves the estimates uncertain by about 1e-6, and standard errors follow to first order; weights
#: of N_g - 1 in the place of N_g would change the one of DWLS by 4e-5.
STANDARD_ERROR = 3e-6
#: Central differences of a function of size 1e2 with steps of 1e-5: rounding 1e-9, truncation 1e-8.
NUMERICAL = 1e-5


def school_data():
    grouped = read_grouped(mx.data.holzinger_swineford_1939(), [f"x{i}" for i in range(1, 10)], "school")
    return [grouped.values[grouped.codes == g] for g in range(2)]


def prepared(rows, groups, **options):
    table = measurement_table(parse_model(THREE), groups=groups, **options)
    model = compile_table(table, groups)
    N = np.array([len(x) for x in rows])
    means = np.array([x.mean(axis=0) for x in rows])
    n, S = unbiased(N, np.array([np.cov(x.T, bias=True) for x in rows]))
    return model, n, S, means, starting_values(model, table, n, S, means)


def losses(rows, model: ModelMap, n, S, means):
    Gamma = np.array([adf_gamma(x, meanstructure=model.meanstructure) for x in rows])
    return {
        "GLS": LeastSquares.generalized(model, n, S, means),
        "WLS": LeastSquares.weighted(model, n, S, means, Gamma),
        "ULS": LeastSquares.unweighted(model, n, S, means),
        "DWLS": LeastSquares.diagonal(model, n, S, means, np.diagonal(Gamma, axis1=1, axis2=2)),
    }


@pytest.mark.parametrize(
    ("name", "chisq"), [("GLS", 77.470723), ("WLS", 83.318580), ("ULS", 72.098220), ("DWLS", 43.902285)]
)
def test_chi_square_of_one_group_is_lavaans(name, chisq):
    rows = [np.vstack(school_data())]
    model, n, S, means, start = prepared(rows, ("all",))
    optimum = maximize_likelihood(losses(rows, model, n, S, means)[name], start)
    assert optimum.converged
    assert 2 * optimum.loss_per_group.sum() == pytest.approx(chisq, abs=CHISQ)


@pytest.mark.parametrize(
    ("name", "chisq", "first"),
    [
        ("GLS", 105.056758, 0.107699709),
        ("WLS", 124.361655, None),
        ("ULS", 101.545058, None),
        ("DWLS", 61.272870, 0.075880161),
    ],
)
def test_two_groups_with_equal_loadings_are_lavaans(name, chisq, first):
    """lavaan 0.6-14, cfa(..., group = "school", group.equal = "loadings", se = "standard")."""
    rows = school_data()
    model, n, S, means, start = prepared(rows, ("Grant-White", "Pasteur"), equal=("loadings",))
    loss = losses(rows, model, n, S, means)[name]
    optimum = maximize_likelihood(loss, start)
    assert 2 * optimum.loss_per_group.sum() == pytest.approx(chisq, abs=CHISQ)
    if first is not None:
        N = np.array([len(x) for x in rows])
        weighed = replace(loss, n=N * (N.sum() - 2) / N.sum())
        system = factorize(model.layout, weighed.evaluate(optimum.theta).information, 0.0)
        assert model.names[0] == "visual=~x2"
        assert np.sqrt(system.diagonal()[0]) == pytest.approx(first, rel=STANDARD_ERROR)


@pytest.mark.parametrize(
    ("name", "chisq"), [("GLS", 146.230030), ("WLS", 197.961276), ("ULS", 133.961736), ("DWLS", 87.919205)]
)
def test_mean_structure_is_lavaans(name, chisq):
    rows = school_data()
    model, n, S, means, start = prepared(rows, ("Grant-White", "Pasteur"), equal=("loadings", "intercepts"))
    if name == "WLS":
        start = maximize_likelihood(losses(rows, model, n, S, means)["GLS"], start).theta
    optimum = maximize_likelihood(losses(rows, model, n, S, means)[name], start)
    assert 2 * optimum.loss_per_group.sum() == pytest.approx(chisq, abs=CHISQ)


@pytest.mark.parametrize("name", ["GLS", "WLS", "ULS", "DWLS"])
@pytest.mark.parametrize("kept", [None, [0, 3, 12, 20, 31, 53]])
def test_derivatives(name, kept):
    rows = school_data()
    model, n, S, means, start = prepared(rows, ("G", "P"), equal=("loadings", "intercepts"))
    loss = losses(rows, model, n, S, means)[name]
    if kept is not None:
        at = np.array(kept)
        weight = loss.weight[:, at] if loss.weight.ndim == 2 else loss.weight[:, at[:, None], at]
        loss = LeastSquares.of(model, n, S, means, weight, at)
    theta = start + 0.05 * np.sin(np.arange(start.size))
    state = loss.evaluate(theta)
    assert state.per_group.sum() == pytest.approx(loss.value(theta), rel=1e-12)
    gradient, jacobian = np.empty(theta.size), np.empty((2, loss.kept.size, theta.size))
    for i in range(theta.size):
        step = 1e-5 * (np.arange(theta.size) == i)
        gradient[i] = (loss.value(theta + step) - loss.value(theta - step)) / 2e-5
        jacobian[:, :, i] = (loss.residuals(theta - step) - loss.residuals(theta + step)) / 2e-5
    np.testing.assert_allclose(state.gradient, gradient, rtol=NUMERICAL, atol=NUMERICAL * np.abs(gradient).max())
    information = np.einsum("g,gqi,gqr,grj->ij", loss.n, jacobian, loss.weight_matrices, jacobian)
    summed = np.zeros_like(information)
    for g in range(2):
        used = np.flatnonzero(model.free[g] >= 0)
        at = model.free[g, used]
        np.add.at(summed, (at[:, None], at), state.information[g][np.ix_(used, used)])
    np.testing.assert_allclose(summed, information, rtol=1e-4, atol=1e-6 * np.abs(information).max())


def test_leaving_out_saturated_moments_changes_nothing():
    """Free means with their covariance to the rest of Gamma, or no means and that part of Gamma: one and the same."""
    rows = school_data()
    groups = ("G", "P")
    with_means = prepared(rows, groups, equal=("loadings",), meanstructure=True)
    without = prepared(rows, groups, equal=("loadings",))
    start = without[-1]
    a = maximize_likelihood(losses(rows, *with_means[:-1])["WLS"], with_means[-1])
    b = maximize_likelihood(losses(rows, *without[:-1])["WLS"], start)
    assert a.loss_per_group == pytest.approx(b.loss_per_group, abs=1e-7)


def test_a_weight_of_another_shape_is_refused():
    rows = school_data()
    model, n, S, means, _ = prepared(rows, ("G", "P"))
    with pytest.raises(ValueError, match="shape"):
        LeastSquares.of(model, n, S, means, np.ones((2, 44)))


@pytest.mark.parametrize("meanstructure", [True, False])
def test_the_normal_weight_inverts_the_normal_gamma(meanstructure):
    S = np.cov(school_data()[0].T)
    product = normal_weight(np.linalg.inv(S), meanstructure=meanstructure) @ normal_gamma(
        S, meanstructure=meanstructure
    )
    np.testing.assert_allclose(product, np.eye(len(product)), atol=1e-10)


def test_gammas_agree_for_many_normal_rows():
    """200,000 normal rows: the distribution-free Gamma is the normal one but for sampling error of about 1 percent."""
    S = np.array([[1.0, 0.5, 0.2], [0.5, 2.0, -0.3], [0.2, -0.3, 0.7]])
    rows = np.random.default_rng(1).multivariate_normal(np.ones(3), S, 200_000)
    expected = normal_gamma(S)
    scale = np.sqrt(np.diagonal(expected))
    np.testing.assert_allclose(adf_gamma(rows) / np.outer(scale, scale), expected / np.outer(scale, scale), atol=0.03)


def test_vech_order_is_the_jacobians():
    assert vech(np.array([[1.0, 2.0, 3.0], [2.0, 4.0, 5.0], [3.0, 5.0, 6.0]])).tolist() == [1, 2, 3, 4, 5, 6]
