"""Profile likelihood: the derived cross-products, exact slopes, the path itself, and what a profile holds."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize

import mixsem as mx
from mixsem.errors import ConvergenceWarning, MixsemWarning, ModelError, OptionError, UnsupportedModelError
from mixsem.mixed.engine.quasi_newton import bfgs, inverse_curvature
from mixsem.mixed.engine.reduced import without_column
from mixsem.mixed.linear import fit_model
from mixsem.mixed.uncertainty.parameters import choose_parameters, parameter_values, parameters_of
from mixsem.mixed.uncertainty.profile_coordinates import coordinates

#: Relative, of deviances computed in two ways from the same numbers: sums in another order.
ROUNDING = 1e-11
#: Relative to the largest, of slopes against central differences with steps of 1e-5.
DIFFERENCES = 1e-6
#: Absolute, of -2 log L at constrained optima found by another optimiser, which stops at about 1e-8.
OTHER_OPTIMISER = 1e-6
#: Of zeta at limits that were solved for.
SOLVED = 1e-8


def crossed_data(seed: int = 3) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    n, g, h = 240, rng.integers(0, 14, 240), rng.integers(0, 9, 240)
    x, z = rng.normal(5, 2, n), rng.normal(0, 1, n)
    y = 3 + 0.5 * x - z + rng.normal(0, 1, 14)[g] + rng.normal(0, 0.7, 9)[h] + rng.normal(0, 0.3, 14)[g] * x
    return pd.DataFrame({"y": y + rng.normal(0, 1, n), "x": x, "z": z, "g": g, "h": h, "w": rng.uniform(0.5, 2, n)})


CROSSED = "y ~ x + z + (x | g) + (1 | h)"
THREE = "y ~ x + z + (x + z | g)"
FORMULAS = [CROSSED, THREE, "y ~ x + (x || g) + (z | h)", "y ~ 0 + x + z + (1 | g)", "y ~ 1 + (1 | g) + (1 | h)"]


def fitted(formula: str, weights: str | None = "w", reml: bool = False) -> mx.MixedFit:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MixsemWarning)
        return mx.lmer(formula, crossed_data(), weights=weights, reml=reml)


@pytest.mark.parametrize("formula", FORMULAS)
def test_cross_products_without_a_column_are_those_of_the_smaller_model(formula):
    """As if the model without x_j had been compiled with the response y - v x_j."""
    fit = fitted(formula)
    names, model, theta = fit.design.fixed_names, fit.model, fit.theta
    weight, n = fit.design.weights, model.n
    for j in range(model.p):
        for v in (0.0, fit.beta[j], fit.beta[j] + 2.0):
            found = replace(model, products=without_column(model.products, j).at(v))
            # V^-1 = W^1/2 (I + Z Lambda Lambda' Z')^-1 W^1/2, in full
            root = np.sqrt(weight)
            Z = np.hstack(
                [
                    _rows_of(fit, t) @ np.kron(np.eye(len(fit.design.factors[term.factor].levels)), lam)
                    for t, term in enumerate(fit.design.terms)
                    for lam in [model.theta_map.term_lambda(theta, t)]
                ]
            )
            V = np.eye(n) + (root[:, None] * Z) @ (root[:, None] * Z).T
            inverse = np.linalg.inv(V)
            others = np.delete(fit.design.X, j, axis=1) * root[:, None]
            y = (model.y - v * fit.design.X[:, j]) * root
            beta = np.linalg.lstsq(others.T @ inverse @ others, others.T @ inverse @ y, rcond=None)[0]
            rest = y - others @ beta
            r2 = rest @ inverse @ rest
            value = np.linalg.slogdet(V)[1] + n * (1 + np.log(2 * np.pi * r2 / n)) - np.log(weight).sum()
            assert found.criterion(theta, reml=False) == pytest.approx(value, rel=ROUNDING), names[j]
            if model.p > 1:
                np.testing.assert_allclose(found.state(theta).beta, beta, rtol=1e-8, atol=1e-8)


def _rows_of(fit: mx.MixedFit, t: int) -> np.ndarray:
    """Dense Z of a term, level by level."""
    term, n = fit.design.terms[t], fit.model.n
    factor = fit.design.factors[term.factor]
    columns = np.ones((n, 1)) if term.Z is None else term.Z
    Z = np.zeros((n, len(factor.levels), columns.shape[1]))
    Z[np.arange(n), factor.codes] = columns
    return Z.reshape(n, -1)


@pytest.mark.parametrize("formula", FORMULAS)
def test_slopes_are_exact(formula):
    fit = fitted(formula)
    rng = np.random.default_rng(0)
    values = parameter_values(fit.model, fit.theta, fit.sigma, fit.beta, parameters_of(fit.model))
    for parameter, value in zip(parameters_of(fit.model), values, strict=True):
        places = coordinates(fit.model, parameter, fit.theta)
        x = places.pack(fit.theta, fit.sigma)
        assert places.evaluate(value, x)[0] == pytest.approx(fit.objective, rel=ROUNDING)
        x = x + 0.1 * places.scales * rng.normal(size=len(x))
        value = 0.9 * value
        _, slope = places.evaluate(value, x)
        for i, scale in enumerate(places.scales):
            step = 1e-5 * scale * (np.arange(len(x)) == i)
            up, down = places.evaluate(value, x + step)[0], places.evaluate(value, x - step)[0]
            tolerance = DIFFERENCES * max(1.0, np.abs(slope * places.scales).max())
            assert slope[i] * scale == pytest.approx((up - down) / 2e-5, rel=0, abs=tolerance)


@pytest.mark.parametrize("formula", FORMULAS)
def test_what_is_held_is_held(formula):
    """The theta and sigma of a constrained point have the value that it is held at."""
    fit = fitted(formula)
    rng = np.random.default_rng(1)
    for parameter in choose_parameters(fit.model, "random"):
        places = coordinates(fit.model, parameter, fit.theta)
        x = places.pack(fit.theta, fit.sigma) + 0.2 * places.scales * rng.normal(size=len(places.scales))
        value = 0.37
        theta, sigma = places.theta(value, x), places.sigma(value, x)
        found = parameter_values(fit.model, theta, sigma, fit.beta, [parameter])
        assert abs(found[0]) == pytest.approx(value, rel=1e-10)


@pytest.mark.filterwarnings("ignore:overflow")  # where SLSQP looks first
@pytest.mark.parametrize("name", ["sd_x|g", "cor_z.x|g", "cor_z.(Intercept)|g", "sd_z|g", "sigma"])
def test_against_another_optimiser(name):
    """Three correlated effects, for which R's references have no profile: SLSQP under the constraint."""
    fit = fitted(THREE)
    model = fit.model
    (parameter,) = choose_parameters(model, name)
    path = mx.profile(fit, name, points=3).paths[0]

    def value_and_slope(p):
        value, slope = model.gradient(p[:-1], False, np.exp(p[-1]))
        slope[-1] *= np.exp(p[-1])
        return value - fit.objective, slope

    inner = [point for point in path.points if abs(point.value) != 1.0]  # at the bounds theta has no slope
    for point in inner[:: max(1, len(inner) // 4)]:

        def excess(p, point=point):
            return parameter_values(model, p[:-1], np.exp(p[-1]), fit.beta, [parameter])[0] - point.value

        begin, best = np.append(path.coordinates.theta(point.value, point.x), np.log(fit.sigma)), np.inf
        for seed in range(6):  # at a standard deviation of 0 some end early
            try:
                found = minimize(
                    value_and_slope,
                    begin + 0.05 * np.random.default_rng(seed).normal(size=7),
                    jac=True,
                    method="SLSQP",
                    constraints={"type": "eq", "fun": excess},
                    options={"ftol": 1e-14, "maxiter": 500},
                )
            except ModelError:  # a first step so long that nothing can be computed there
                continue
            if abs(excess(found.x)) < OTHER_OPTIMISER * 1e-2:
                best = min(best, found.fun)
        close = OTHER_OPTIMISER if point.value else 1e-4  # SDs have a kink at 0: the other stops early
        assert point.zeta**2 < best + OTHER_OPTIMISER, point.value
        assert point.zeta**2 == pytest.approx(best, rel=0, abs=close), point.value


def test_sums_of_squares_of_a_balanced_design():
    """Without z the profile of a coefficient in a balanced one-way design is known in closed form."""
    rng = np.random.default_rng(5)
    g = np.repeat(np.arange(12), 5)
    y = 2 + rng.normal(0, 1.5, 12)[g] + rng.normal(0, 1, 60)
    fit = mx.lmer("y ~ 1 + (1 | g)", pd.DataFrame({"y": y, "g": g}), reml=False)
    means = y.reshape(12, 5).mean(axis=1)
    within = ((y - means[g]) ** 2).sum()
    frame = mx.profile(fit, "fixed").frame
    between = [5 * ((means - v) ** 2).sum() for v in frame["value"]]
    lowest = 5 * ((means - means.mean()) ** 2).sum()
    # -2 log L = 12 log(SSB / 12) + 48 log(SSW / 48) + constant, as long as SSB / 12 > SSW / 48
    assert lowest / 12 > within / 48
    np.testing.assert_allclose(frame["zeta"] ** 2, 12 * np.log(np.array(between) / lowest), rtol=1e-7, atol=1e-9)


def test_a_profile_is_a_path():
    fit = mx.lmer("Reaction ~ Days + (Days | Subject)", mx.data.sleepstudy())
    found = mx.profile(fit, level=0.95, points=5)
    assert found.names == tuple(p.name for p in parameters_of(fit.model))
    frame = found.frame
    assert list(frame.columns[:3]) == ["parameter", "value", "zeta"]
    for name, rows in frame.groupby("parameter", sort=False):
        assert len(rows) == 11
        assert rows["value"].is_monotonic_increasing
        assert rows["zeta"].is_monotonic_increasing
        assert (rows["value"] == rows[name]).all()
        assert np.abs(rows["zeta"].iloc[[0, -1]]).to_numpy() == pytest.approx([1.959963984540054] * 2, abs=SOLVED)
        assert rows["zeta"].diff().dropna().between(0.2, 0.6).all()  # about equally far apart
    # every row is a point of the model: its deviance is what zeta says
    model, ml = found.fit.model, found.fit
    for _, row in frame[frame["parameter"] == "sd_Days|Subject"].iterrows():
        sd0, cor, sd1, sigma = row[list(found.names[:4])]
        theta = np.array([sd0, cor * sd1, sd1 * np.sqrt(1 - cor**2)]) / sigma
        above = model.criterion(theta, False, sigma) - ml.objective
        assert above == pytest.approx(row["zeta"] ** 2, rel=1e-6, abs=1e-8)


def test_a_reml_fit_is_profiled_by_maximum_likelihood():
    data = mx.data.sleepstudy()
    reml, ml = (mx.lmer("Reaction ~ Days + (1 | Subject)", data, reml=r) for r in (True, False))
    assert not mx.profile(reml, "sigma").fit.reml
    a, b = (mx.profile(f).intervals().frame.set_index("parameter")[["lower", "upper"]] for f in (reml, ml))
    np.testing.assert_allclose(a, b, rtol=1e-6)
    assert "REML" in " ".join(mx.confint(reml).notes)
    assert "REML" not in " ".join(mx.confint(ml).notes)


def test_a_boundary_has_zeta_of_its_own():
    """The profile of a standard deviation ends at 0, and so does the interval."""
    rng = np.random.default_rng(2)
    g = np.repeat(np.arange(8), 4)
    data = pd.DataFrame({"y": rng.normal(0, 1, 32), "g": g})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MixsemWarning)
        found = mx.profile(mx.lmer("y ~ 1 + (1 | g)", data), "sd_(Intercept)|g")
    first = found.frame.iloc[0]
    assert first["value"] == 0.0
    assert -1.9 < first["zeta"] <= 0.0
    intervals = found.intervals()
    assert intervals.frame["lower"].tolist() == [0.0]
    assert "ends at 0" in " ".join(intervals.notes)


def test_units_do_not_matter():
    """Years and millions: limits of slopes are those of centred columns in other units."""
    data = crossed_data().assign(year=lambda d: 2000 + d["x"], big=lambda d: 1e6 * d["z"])
    plain = mx.lmer("y ~ x + z + (0 + x | g)", data.assign(x=data["year"] - 2000))
    raw = mx.lmer("y ~ x + big + (0 + x | g)", data)
    a, b = mx.confint(plain).frame, mx.confint(raw).frame
    scale = np.array([1, 1, 1, 1, 1e6])
    np.testing.assert_allclose(a[["lower", "upper"]], b[["lower", "upper"]] * scale[:, None], rtol=1e-6)


def test_a_better_fit_on_the_way_is_told():
    """A fit that is not at the maximum is not profiled in silence."""
    fit = mx.lmer("Reaction ~ Days + (Days | Subject)", mx.data.sleepstudy(), reml=False)
    theta = 1.3 * fit.theta
    state = fit.model.state(theta)
    value = fit.model.criterion(theta, False)
    wrong = replace(fit, theta=theta, objective=value, state=state, sigma=float(np.sqrt(state.r2 / fit.nobs)))
    with pytest.warns(ConvergenceWarning, match="not at the maximum"):
        mx.profile(wrong, "sigma", points=2)


def test_what_cannot_be_profiled():
    data = crossed_data()
    fit = fitted("y ~ x + (1 | g)", None)
    with pytest.raises(OptionError, match="which="):
        mx.profile(fit, "sd_x|g")
    with pytest.raises(OptionError, match="level="):
        mx.profile(fit, level=1.0)
    with pytest.raises(OptionError, match="points="):
        mx.profile(fit, points=1)
    with pytest.raises(OptionError, match="fit of lmer"):
        mx.profile("fit")  # type: ignore[arg-type]
    structured = mx.lmer("y ~ x + (1 | g)", data, residual=mx.Residual(by="h"))
    with pytest.raises(UnsupportedModelError, match="structure"):
        mx.profile(structured)


def test_names_and_choice_of_parameters():
    fit = fitted(THREE)
    names = [p.name for p in parameters_of(fit.model)]
    assert names[:6] == [
        "sd_(Intercept)|g", "cor_x.(Intercept)|g", "cor_z.(Intercept)|g", "sd_x|g", "cor_z.x|g", "sd_z|g",
    ]  # fmt: skip
    assert [p.name for p in choose_parameters(fit.model, "fixed")] == ["(Intercept)", "x", "z"]
    assert [p.name for p in choose_parameters(fit.model, ["x", "sigma"])] == ["sigma", "x"]
    with pytest.raises(OptionError, match=r"did you mean 'sd_z\|g'"):
        choose_parameters(fit.model, "sd_z_g")


def test_correlations_with_nothing_have_no_value():
    fit = fitted("y ~ x + (x | g)", None)
    theta = np.array([0.5, 0.0, 0.0])
    values = parameter_values(fit.model, theta, 2.0, fit.beta, choose_parameters(fit.model, "random"))
    np.testing.assert_array_equal(values, [1.0, np.nan, 0.0, 2.0])


def test_quasi_newton_on_a_curved_valley():
    """Rosenbrock's function, from the usual start, and what it has learnt of the curvature in the end."""

    def rosenbrock(p):
        a, b = 1 - p[0], p[1] - p[0] ** 2
        return a**2 + 100 * b**2, np.array([-2 * a - 400 * p[0] * b, 200 * b])

    x = np.array([-1.2, 1.0])
    value, found, inverse, converged = bfgs(rosenbrock, x, inverse_curvature(rosenbrock, x, np.ones(2)), 0.0)
    assert converged
    assert value < 1e-9
    np.testing.assert_allclose(found, [1, 1], atol=1e-4)
    np.testing.assert_allclose(inverse, np.linalg.inv([[802, -400], [-400, 200]]), rtol=0.2)


def test_refit_by_ml_is_what_confint_starts_from():
    fit = mx.lmer("Reaction ~ Days + (Days | Subject)", mx.data.sleepstudy())
    ml = fit_model(replace(fit.specification, reml=False), fit.model, fit.theta)
    assert mx.profile(fit, "sigma", points=2).fit.objective == pytest.approx(ml.objective, rel=1e-12)


def test_it_says_whose_estimates_it_shows_and_how_far_it_went():
    by_reml = mx.lmer("Reaction ~ Days + (Days | Subject)", mx.data.sleepstudy())
    found = mx.profile(by_reml, "sigma", level=0.9, points=2)
    shown = " ".join(repr(found).split())
    assert shown.startswith("95% profile likelihood intervals")
    assert "Estimates are those of maximum likelihood" in shown
    assert "Profiled as far as 90% intervals reach" in shown
    assert "Estimates are those of maximum likelihood" in " ".join(found.intervals(0.8).notes)
    assert "maximum likelihood" not in repr(mx.profile(by_reml.update(reml=False), "sigma", points=2))
