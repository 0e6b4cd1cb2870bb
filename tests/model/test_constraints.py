"""Constraints: gradients of their expressions, and what the constrained optimiser finds."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mixsem.data.datasets import holzinger_swineford_1939
from mixsem.equations.entry import sem
from mixsem.errors import BoundaryWarning, ModelError, UndefinedParameterWarning
from mixsem.model.dense import null_space, restricted_inverse
from mixsem.syntax.arithmetic import parse_expression
from mixsem.syntax.derivative import differentiate

#: Central differences of smooth functions of order one.
DIFFERENCES = 1e-8

#: Newton's method on the optimality conditions ends at rounding; constraints hold this well.
FEASIBLE = 1e-9


@pytest.mark.parametrize(
    "text",
    [
        "a + b*c - 2*a/b",
        "a^2 + b^c",
        "(-a)^2 - 2^b",
        "exp(a) * log(b) / sqrt(c)",
        "sin(a) + cos(b) + tan(c) + atan(a) + tanh(b) + sinh(c) + cosh(a)",
        "log2(b) + log10(c) + log1p(a) + expm1(a) + abs(-b)",
        "asin(a/2) + acos(a/3)",
        "0.5 * (a + b) / 2",
    ],
)
def test_gradients_of_expressions_are_exact(text: str) -> None:
    point = {"a": 0.4, "b": 1.3, "c": 2.1}
    expression = parse_expression(text)
    value, gradient = differentiate(expression, {k: (v, np.eye(3)[i]) for i, (k, v) in enumerate(point.items())})
    assert value == pytest.approx(expression.evaluate(point), rel=1e-14)
    for i, name in enumerate(point):
        high, low = (expression.evaluate(point | {name: point[name] + h}) for h in (1e-6, -1e-6))
        assert np.broadcast_to(gradient, 3)[i] == pytest.approx((high - low) / 2e-6, abs=DIFFERENCES, rel=DIFFERENCES)


PATHS = "x4 ~ a*x1 + b*x2 ; x5 ~ c*x4 + d*x1"


@pytest.fixture(scope="module")
def school_data():
    return holzinger_swineford_1939()


def estimates(fit) -> dict[str, float]:
    return dict(zip(fit.model.names, fit.coef, strict=True))


def test_a_linear_constraint_costs_one_parameter(school_data) -> None:
    plain, tied = sem(PATHS, school_data), sem(PATHS + "; a == 2*b", school_data)
    found = estimates(tied)
    assert found["x4~x1"] == pytest.approx(2 * found["x4~x2"], abs=FEASIBLE)
    assert tied.n_params == plain.n_params - 1
    assert tied.measures.df == plain.measures.df + 1
    assert tied.loglik < plain.loglik


def test_a_constraint_as_label_or_as_equation_is_the_same(school_data) -> None:
    """An equality of labels is a shared parameter; written as an equation it goes to the constrained optimiser."""
    shared = sem("x4 ~ a*x1 + a*x2 ; x5 ~ c*x4 + d*x1", school_data)
    equation = sem(PATHS + "; a - b == 0", school_data)
    assert equation.loglik == pytest.approx(shared.loglik, abs=1e-8)
    assert estimates(equation)["x4~x2"] == pytest.approx(estimates(shared)["x4~x1"], abs=1e-8)
    se = dict(zip(equation.model.names, equation.standard_errors, strict=True))
    assert se["x4~x1"] == pytest.approx(shared.standard_errors[0], rel=1e-8)


def test_the_multipliers_vanish_off_the_constraint(school_data) -> None:
    """At the optimum the gradient is a combination of the constraints' gradients, and of nothing else."""
    fit = sem(PATHS + "; b == c^2; a + d == 0.5", school_data)
    jacobian = fit.constraints.equality(fit.coef)[1]
    gradient = fit.loss.gradient(fit.coef)
    assert np.abs(fit.constraints.equality(fit.coef)[0]).max() < FEASIBLE
    assert np.abs(null_space(jacobian).T @ gradient).max() < 1e-6
    assert np.abs(gradient).max() > 1.0


def test_an_inequality_that_does_not_bind_changes_nothing(school_data) -> None:
    plain, free = sem(PATHS, school_data), sem(PATHS + "; a > -5; c < 4", school_data)
    assert np.allclose(free.coef, plain.coef, atol=1e-8)
    assert np.allclose(free.standard_errors, plain.standard_errors, rtol=1e-7)
    assert not free.notices


def test_a_binding_inequality_equals_the_equality(school_data) -> None:
    with pytest.warns(BoundaryWarning, match="a < 0.1"):
        bound = sem(PATHS + "; a < 0.1", school_data)
    held = sem(PATHS.replace("a*x1", "0.1*x1"), school_data)
    assert bound.loglik == pytest.approx(held.loglik, abs=1e-8)


def test_a_bound_is_kept_and_named(school_data) -> None:
    with pytest.warns(BoundaryWarning, match="x5~x1 at its lower bound"):
        fit = sem("x4 ~ x1 + x2 ; x5 ~ x4 + lower(0.2)*x1", school_data)
    assert estimates(fit)["x5~x1"] == pytest.approx(0.2, abs=1e-12)


def test_defined_parameters_have_delta_method_errors(school_data) -> None:
    fit = sem(PATHS + "; ind := a*c; total := ind + d; ratio := log(ind/total)", school_data)
    V, names = fit.vcov, fit.model.names
    a, c = names.index("x4~x1"), names.index("x5~x4")
    value, error = fit.defined["ind"]
    assert value == pytest.approx(fit.coef[a] * fit.coef[c])
    g = np.zeros(len(names))
    g[a], g[c] = fit.coef[c], fit.coef[a]
    assert error == pytest.approx(math.sqrt(g @ V @ g))
    assert fit.defined["ratio"][0] == pytest.approx(math.log(value / fit.defined["total"][0]))


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("ind := a*zz", ("'zz'", "neither the label of a parameter nor defined", "line 1")),
        ("u := v + a; v := a", ("'v'", "defined before")),
        ("a == 2*zz", ("'zz'", "not the label of a parameter")),
        ("b == log(a - 10)", ("has no value", "log(a - 10)")),
        ("a < -5; a > 5", ("no values", "a < -5", "a > 5")),
    ],
)
def test_what_cannot_be_computed_is_said(school_data, line: str, parts: tuple[str, ...]) -> None:
    with pytest.raises(ModelError) as caught:
        _ = sem(PATHS + "; " + line, school_data).defined
    assert all(part in str(caught.value) for part in parts), str(caught.value)


def test_a_definition_without_value_is_named_and_harms_nothing(school_data) -> None:
    with pytest.warns(UndefinedParameterWarning, match="log"):
        fit = sem(PATHS + "; ind := a*c; bad := log(a - 10); worse := bad + 1", school_data)
    assert np.isfinite(fit.defined["ind"]).all()
    assert np.isnan(fit.defined["bad"]).all() and np.isnan(fit.defined["worse"]).all()


def test_restricted_inverse_is_the_inverse_on_the_allowed_directions() -> None:
    rng = np.random.default_rng(2)
    root = rng.normal(size=(5, 5))
    H, J = root @ root.T, rng.normal(size=(2, 5))
    V = restricted_inverse(H, J)
    assert np.abs(J @ V).max() < 1e-12
    K = null_space(J)
    assert np.allclose(K.T @ V @ K, np.linalg.inv(K.T @ H @ K))
    assert np.allclose(restricted_inverse(H, np.zeros((0, 5))), np.linalg.inv(H))


def test_bounds_alone_agree_with_the_general_optimiser(school_data) -> None:
    """Two methods, one problem: the active set, and sequential quadratic programming with an idle equation."""
    text = "x4 ~ x1 + x2 ; x5 ~ x4 + lower(0.2)*x1; x6 ~ upper(0.3)*x4 + e*x5 + lower(-1)*x1"
    with pytest.warns(BoundaryWarning):
        alone = sem(text, school_data)
    with pytest.warns(BoundaryWarning):
        general = sem(text + "; e > -10", school_data)
    assert np.allclose(alone.coef, general.coef, atol=1e-7)
    assert alone.loglik == pytest.approx(general.loglik, abs=1e-9)


def test_a_heywood_case_is_held_at_zero_in_its_group_only() -> None:
    """Many groups, one of them with a negative variance: the bound binds there and nowhere else."""
    from mixsem.data.moments import SampleMoments
    from mixsem.equations.entry import cfa

    good = np.full((3, 3), 0.5) + 0.5 * np.eye(3)
    bad = np.array([[1.0, 0.8, 0.7], [0.8, 1.0, 0.4], [0.7, 0.4, 1.0]])
    S = {f"g{i:02d}": good + 0.02 * i * np.eye(3) for i in range(12)} | {"odd": bad}
    moments = SampleMoments.from_covariances(S, n=100, items=["a", "b", "c"])
    free = cfa("F =~ a + b + c", moments, meanstructure=False)
    assert (free.coef < 0).sum() == 1
    with pytest.warns(BoundaryWarning, match="odd"):
        held = cfa("F =~ a + b + c; a ~~ lower(0)*a; b ~~ lower(0)*b; c ~~ lower(0)*c", moments, meanstructure=False)
    values = dict(zip(held.model.names, held.coef, strict=True))
    assert values["a~~a[odd]"] == 0.0
    assert min(value for name, value in values.items() if name != "a~~a[odd]") > 0
    others = [i for i, name in enumerate(held.model.names) if "[odd]" not in name]
    assert np.allclose(held.coef[others], free.coef[others], atol=1e-9)
