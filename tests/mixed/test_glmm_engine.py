"""The likelihood of generalised mixed models: families, modes, Laplace's approximation, quadrature, gradients."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad
from scipy.linalg import block_diag

from mixsem.errors import MixsemError
from mixsem.kernels.plain_blocked import dense_random
from mixsem.kernels.plain_laplace import plain_laplace
from mixsem.mixed.designs.design import read_design
from mixsem.mixed.generalised.families import Family
from mixsem.mixed.generalised.family_choice import FAMILIES, as_family
from mixsem.mixed.generalised.model import CompiledGeneralisedModel, compile_generalised

#: Central differences of step 1e-5 of functions of order 1: truncation 1e-10, rounding 1e-11 times third derivatives.
DIFFERENCES = 1e-6
#: Central differences of step 1e-4 of a criterion of order 1e3: truncation 1e-8 times third derivatives of order 1e3.
CRITERION_DIFFERENCES = 3e-5
#: Two ways to the same number in floating point; modes are iterated to 1e-13 in the criterion.
SAME = 1e-7

CASES = [(name, link) for name, kind in FAMILIES.items() for link in kind.links]
FORMULAS = ["y ~ x + z + (1 | g)", "y ~ x + z + (x | g) + (1 | h)", "y ~ x + z + (1 | g) + (0 + z | h) + (1 | h)"]
ROWS = 240


def predictors(link: str, name: str, rng: np.random.Generator) -> np.ndarray:
    """Linear predictors at which the link has a mean."""
    eta = np.clip(1.5 * rng.normal(size=ROWS), -3.0, 1.5 if link == "cloglog" else 3.0)
    if name == "binomial" and link == "log":
        return -np.abs(eta) - 0.2
    positive = link in ("inverse", "1/mu^2", "sqrt") or (link == "identity" and name != "gaussian")
    return np.abs(eta) + 0.3 if positive else eta


def responses(family: Family, eta: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    m = rng.integers(1, 6, len(eta)).astype(float) if family.has_trials else np.ones(len(eta))
    return family.draw(family.link.inverse(eta), m, 0.4, rng), m


@pytest.mark.parametrize(("name", "link"), CASES)
def test_derivatives_of_a_family(name: str, link: str) -> None:
    rng = np.random.default_rng(3)
    family, d, h = as_family(name, link), 0.4, 1e-5
    eta = predictors(link, name, rng)
    y, m = responses(family, eta, rng)

    def close(found: np.ndarray, function: object) -> None:
        numeric = (function(h) - function(-h)) / (2 * h)  # type: ignore[operator]
        assert np.abs(found - numeric).max() < DIFFERENCES * (1.0 + np.abs(found).max())

    score, weight = family.newton(y, m, eta, d)
    close(score, lambda e: family.loglik(y, m, eta + e, d))
    close(-weight, lambda e: family.newton(y, m, eta + e, d)[0])
    close(family.slope(y, m, eta, d), lambda e: family.newton(y, m, eta + e, d)[1])
    if family.parameter:
        terms = family.by_dispersion(y, m, eta, d)
        close(terms.loglik, lambda e: family.loglik(y, m, eta, d * np.exp(e)))
        close(terms.score, lambda e: family.newton(y, m, eta, d * np.exp(e))[0])
        close(terms.weight, lambda e: family.newton(y, m, eta, d * np.exp(e))[1])
    close(family.link.terms(eta).first, lambda e: family.link.inverse(eta + e))


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_log_likelihoods_are_densities(name: str) -> None:
    from scipy import stats

    rng, d = np.random.default_rng(8), 0.4
    family = as_family(name)
    eta = predictors(family.link.name, name, rng)
    y, m = responses(family, eta, rng)
    mu = family.link.inverse(eta)
    density = {
        "binomial": lambda: stats.binom.logpmf(np.rint(m * y), m, mu),
        "poisson": lambda: stats.poisson.logpmf(y, mu),
        "negative binomial": lambda: stats.nbinom.logpmf(y, d, d / (d + mu)),
        "gamma": lambda: stats.gamma.logpdf(y, 1 / d, scale=mu * d),
        "inverse gaussian": lambda: stats.invgauss.logpdf(y, mu * d, scale=1 / d),
        "gaussian": lambda: stats.norm.logpdf(y, mu, np.sqrt(d)),
    }[name]()
    found = family.loglik(y, m, eta, d).sum() + family.constant(y, m)
    assert found == pytest.approx(density.sum(), rel=1e-10)


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_draws_have_the_mean_and_the_variance_of_the_family(name: str) -> None:
    family, n, d = as_family(name), 200_000, 0.4
    mu = np.full(n, 0.3 if name == "binomial" else 1.7)
    drawn = family.draw(mu, np.ones(n), d, np.random.default_rng(2))
    variance = float(family.variance(mu[:1], d)[0])
    assert abs(drawn.mean() - mu[0]) < 5.0 * np.sqrt(variance / n)
    assert drawn.var() == pytest.approx(variance, rel=0.1)  # fourth moments of the skewest of them: 2 % for 1 SE


def test_a_large_size_is_poisson() -> None:
    counts, poisson = as_family("negative binomial"), as_family("poisson")
    rng = np.random.default_rng(4)
    eta, one = rng.normal(size=ROWS), np.ones(ROWS)
    y = poisson.draw(np.exp(eta), one, 1.0, rng)
    for size, apart in ((1e6, 1e-3), (1e12, 1e-9)):  # they differ by (y - mu)^2 / 2 size or so, and by no rounding
        gap = counts.loglik(y, one, eta, size) - poisson.loglik(y, one, eta, 1.0)
        assert np.abs(gap).max() < apart
        steps = [counts.loglik(y, one, eta, size * np.exp(h)).sum() for h in (0.5, -0.5)]
        slope = counts.by_dispersion(y, one, eta, size).loglik.sum()
        assert abs(slope - (steps[0] - steps[1])) < max(0.1 * abs(slope), 1e-11)


@pytest.mark.parametrize("link", ["logit", "probit", "cloglog"])
def test_extreme_predictors_keep_binary_likelihoods_finite(link: str) -> None:
    family, one = as_family("binomial", link), np.ones(4)
    eta, y = np.array([-30.0, -8.0, 5.0, 30.0 if link != "cloglog" else 4.0]), np.array([1.0, 0.0, 1.0, 0.0])
    score, weight = family.newton(y, one, eta, 1.0)
    values = [family.loglik(y, one, eta, 1.0), score, weight, family.slope(y, one, eta, 1.0)]
    assert all(np.isfinite(v).all() for v in values)
    assert (values[0] <= 0.0).all() and (weight >= 0.0).all()


def model(name: str, link: str, formula: str) -> tuple[CompiledGeneralisedModel, np.ndarray, np.ndarray, float | None]:
    """A compiled model, and parameters near the truth."""
    rng = np.random.default_rng(11)
    family, d = as_family(name, link), 0.4
    frame = pd.DataFrame(
        {
            "g": rng.integers(0, 14, ROWS),
            "h": rng.integers(0, 8, ROWS),
            "x": 3.0 * rng.normal(size=ROWS) + 5.0,
            "z": rng.normal(size=ROWS),
        }
    )
    eta = 0.3 + 0.1 * (frame.x - 5.0) + 0.2 * frame.z + 0.4 * rng.normal(size=14)[frame.g]
    shift, scale = {"inverse": (2.0, 0.2), "1/mu^2": (2.0, 0.2), "sqrt": (3.0, 1.0), "identity": (3.0, 0.3)}.get(
        link, (-1.5, 0.2) if (name, link) == ("binomial", "log") else (0.0, 1.0)
    )
    eta = (shift + scale * eta).to_numpy()
    y, m = responses(family, eta, rng)
    design = read_design(formula, frame.assign(y=y), weights=m if family.has_trials else None, check=False)
    compiled = compile_generalised(design, family)
    theta = np.where(compiled.theta_map.is_diagonal, 0.3, -0.05) * scale
    theta[[name.endswith(".x") for name in compiled.theta_map.names]] *= 0.2
    beta = np.array([shift - 0.2 * scale, 0.1 * scale, 0.2 * scale])
    return compiled, theta, beta, d if family.parameter else None


@pytest.mark.parametrize("formula", FORMULAS)
@pytest.mark.parametrize(("name", "link"), CASES)
def test_criterion_is_that_of_dense_algebra(name: str, link: str, formula: str) -> None:
    compiled, theta, beta, d = model(name, link, formula)
    design, family = compiled.design, compiled.family
    theta_map, codes, columns, blocks = compiled.theta_map, [], [], []
    for t, term in enumerate(design.terms):
        codes.append(design.factors[term.factor].codes)
        columns.append(np.ones((design.n, 1)) if term.Z is None else term.Z)
        levels = len(design.factors[term.factor].levels)
        blocks.append(np.kron(np.eye(levels), theta_map.term_lambda(theta, t)))
    Z = dense_random(codes, columns, [len(design.factors[t.factor].levels) for t in design.terms])
    m = np.ones(design.n) if design.weights is None else design.weights
    at = 1.0 if d is None else d
    value = plain_laplace(
        lambda eta: (family.loglik(design.y, m, eta, at), *family.newton(design.y, m, eta, at)),
        design.X @ beta,
        Z,
        block_diag(*blocks),
    )
    expected = value - 2.0 * family.constant(design.y, m)
    assert compiled.gradient(theta, beta, d)[0] == pytest.approx(expected, abs=SAME * abs(expected))
    assert compiled.criterion(theta, beta, d) == pytest.approx(expected, abs=SAME * abs(expected))


@pytest.mark.parametrize("formula", FORMULAS)
@pytest.mark.parametrize(("name", "link"), CASES)
def test_gradient_is_that_of_differences(name: str, link: str, formula: str) -> None:
    compiled, theta, beta, d = model(name, link, formula)
    _check_gradient(compiled, theta, beta, d, 1)


@pytest.mark.parametrize(("name", "link"), CASES)
def test_gradient_of_the_quadrature(name: str, link: str) -> None:
    for formula in ("y ~ x + z + (1 | g)", "y ~ x + z + (0 + z | g)"):
        compiled, theta, beta, d = model(name, link, formula)
        _check_gradient(compiled, theta, beta, d, 7)


def _check_gradient(
    compiled: CompiledGeneralisedModel, theta: np.ndarray, beta: np.ndarray, d: float | None, n_agq: int
) -> None:
    def value(at: np.ndarray) -> float:
        moved = None if d is None else float(np.exp(at[-1]))
        return compiled.gradient(at[: len(theta)], at[len(theta) : len(theta) + len(beta)], moved, n_agq)[0]

    at = np.concatenate([theta, beta, [] if d is None else [np.log(d)]])
    slope = compiled.gradient(theta, beta, d, n_agq)[1]
    h = 1e-4
    numeric = [(value(at + h * e) - value(at - h * e)) / (2 * h) for e in np.eye(len(at))]
    assert np.abs(slope - numeric).max() < CRITERION_DIFFERENCES * (1.0 + np.abs(slope).max())


@pytest.mark.parametrize(("name", "link"), [("binomial", "logit"), ("poisson", "log"), ("gamma", "inverse")])
def test_quadrature_converges_to_the_integral(name: str, link: str) -> None:
    compiled, theta, beta, d = model(name, link, "y ~ x + z + (1 | g)")
    design, family = compiled.design, compiled.family
    m = np.ones(design.n) if design.weights is None else design.weights
    base, at = design.X @ beta, 1.0 if d is None else d
    total = -2.0 * family.constant(design.y, m)
    for g in range(len(design.factors[0].levels)):
        rows = design.factors[0].codes == g
        peak = max(
            family.loglik(design.y[rows], m[rows], base[rows] + theta[0] * u, at).sum() for u in (-1.0, 0.0, 1.0)
        )

        def density(u: float, rows: np.ndarray = rows, peak: float = peak) -> float:
            inside = family.loglik(design.y[rows], m[rows], base[rows] + theta[0] * u, at).sum()
            return 0.0 if np.isnan(inside) else float(np.exp(inside - peak - 0.5 * u * u) / np.sqrt(2 * np.pi))

        total -= 2.0 * (np.log(quad(density, -9, 9, epsabs=1e-12, epsrel=1e-12, limit=400)[0]) + peak)
    errors = [abs(compiled.criterion(theta, beta, d, n) - total) for n in (1, 5, 25)]
    assert errors[2] < 1e-8
    assert errors[0] > 10 * errors[1] > 10 * errors[2]


def test_one_node_is_laplace() -> None:
    compiled, theta, beta, d = model("binomial", "logit", "y ~ x + z + (1 | g)")
    from mixsem.mixed.generalised.quadrature import integrate

    point = compiled.point(theta, beta, d)
    assert point.mode is not None
    assert integrate(compiled.rows, compiled.family, point.mode, 1).value == pytest.approx(point.mode.laplace, abs=1e-9)


def test_no_likelihood_is_an_error_that_says_where() -> None:
    compiled, theta, beta, d = model("gamma", "inverse", "y ~ x + z + (1 | g)")
    with pytest.raises(MixsemError, match="no likelihood at theta"):
        compiled.criterion(theta, -10.0 * beta, d)
