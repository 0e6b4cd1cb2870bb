"""The compiled log posterior against its plain twin, SciPy's distributions and finite differences."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from mixsem.bayes.posterior import Posterior
from mixsem.kernels.plain_posterior import (
    entry_values,
    implied_covariances,
    log_likelihoods,
    log_posterior,
    model_matrices,
)
from mixsem.kernels.posterior import density
from mixsem.kernels.problem import (
    BETA_PRIOR,
    FLAT,
    GAMMA,
    HALF_NORMAL,
    HALF_T,
    INVERSE_GAMMA,
    NORMAL,
    Problem,
)
from mixsem.kernels.shear import pull_back, sheared_parameters

Compiled = Callable[[str], tuple[Posterior, np.ndarray]]

#: Two ways to add up some hundred terms agree to rounding.
ROUNDING = 1e-11
#: Central differences with a step of 1e-5 of a function of size 1e3: truncation 1e-10 times the third derivative
#: (up to some thousands here), rounding 1e-13 / 1e-5 of the function.
DIFFERENCE = 3e-6


def value_and_gradient(problem: Problem, x: np.ndarray) -> tuple[float, np.ndarray]:
    gradient = np.full(x.size, np.nan)
    return density(problem, x, gradient), gradient


def central_differences(function: Callable[[np.ndarray], float], x: np.ndarray, step: float = 1e-5) -> np.ndarray:
    slopes = np.empty(x.size)
    for i in range(x.size):
        up, down = x.copy(), x.copy()
        up[i] += step
        down[i] -= step
        slopes[i] = (function(up) - function(down)) / (2 * step)
    return slopes


def test_value_is_that_of_the_plain_twin(case):
    posterior, x = case
    value, _ = value_and_gradient(posterior.problem, x)
    assert math.isfinite(value)
    assert value == pytest.approx(log_posterior(posterior.problem, x), rel=ROUNDING)


def test_gradient_is_that_of_finite_differences_of_the_plain_twin(case):
    posterior, x = case
    _, gradient = value_and_gradient(posterior.problem, x)
    numeric = central_differences(lambda y: log_posterior(posterior.problem, y), x)
    np.testing.assert_allclose(gradient, numeric, rtol=DIFFERENCE, atol=DIFFERENCE * np.abs(numeric).max())


def test_value_is_a_sum_of_scipy_densities(case):
    """Wishart densities of S and prior densities with their Jacobians: differences between two points agree."""
    posterior, x = case
    y = x + 0.1 * np.random.default_rng(5).standard_normal(x.size)
    ours = value_and_gradient(posterior.problem, x)[0] - value_and_gradient(posterior.problem, y)[0]
    theirs = scipy_log_posterior(posterior.problem, x) - scipy_log_posterior(posterior.problem, y)
    assert ours == pytest.approx(theirs, rel=1e-9, abs=1e-8)


def scipy_log_posterior(problem: Problem, x: np.ndarray) -> float:
    """Nothing of the kernels but the implied covariances and the arrays' meaning."""
    total = 0.0
    for nu, S, Sigma in zip(problem.nu, problem.S, implied_covariances(problem, entry_values(problem, x)), strict=True):
        total += stats.wishart.logpdf(nu * S, df=nu, scale=Sigma)
    for xi, family, a, b, c in zip(x, problem.family, problem.a, problem.b, problem.c, strict=True):
        q = math.exp(c * xi)
        r = math.tanh(xi)
        if family == NORMAL:
            total += stats.norm.logpdf(xi, a, b)
        elif family == GAMMA:
            total += stats.gamma.logpdf(q, a, scale=1 / b) + c * xi
        elif family == HALF_NORMAL:
            total += stats.halfnorm.logpdf(q, scale=b) + c * xi
        elif family == HALF_T:
            total += stats.t.logpdf(q, a, scale=b) + c * xi
        elif family == INVERSE_GAMMA and a > 0:
            total += stats.invgamma.logpdf(q * q, a, scale=b) + 2 * c * xi
        elif family == INVERSE_GAMMA:  # flat on the variance
            assert (a, b) == (-1.0, 0.0)
            total += 2 * c * xi
        elif family == BETA_PRIOR:
            total += stats.beta.logpdf((1 + r) / 2, a, b) + math.log1p(-r * r)
        else:
            assert family == FLAT
    return total


def test_entry_values_by_hand(compiled: Compiled):
    """Random loading: mean + s z; log variance: exp of that; random correlation: tanh of that times both SDs."""
    posterior, x = compiled("two factors, random")
    value = entry_values(posterior.problem, x)
    names, entries = posterior.names, posterior.model.entries

    def parts(entry: str, group: str) -> float:
        mean, sd = x[names.index(f"mean {entry}")], x[names.index(f"sd {entry}")]
        return mean + math.exp(sd) * x[names.index(f"deviation {entry} [{group}]")]

    for g, group in enumerate("abc"):
        row = dict(zip(entries, value[g], strict=True))
        assert row["F=~x1"] == 1.0
        assert row["F=~x2"] == pytest.approx(parts("F=~x2", group), rel=ROUNDING)
        assert row["x2~~x2"] == pytest.approx(math.exp(parts("x2~~x2", group)), rel=ROUNDING)
        product = math.sqrt(row["F~~F"] * row["H~~H"])
        assert row["F~~H"] == pytest.approx(math.tanh(parts("F~~H", group)) * product, rel=ROUNDING)


def test_reference_group_has_the_mean_and_symmetric_groups_half_the_variance(compiled: Compiled):
    posterior, x = compiled("one factor, reference")
    e = posterior.model.entries.index("F=~x2")
    mean = x[posterior.names.index("mean F=~x2")]
    assert posterior.values(x)[1, e] == mean
    assert "deviation F=~x2 [b]" not in posterior.names
    z = x[posterior.names.index("deviation F=~x2 [a]")]
    assert posterior.values(x)[0, e] == pytest.approx(mean + 0.2 * z, rel=ROUNDING)  # the variance is .04

    posterior, x = compiled("one factor, symmetric")
    mean = x[posterior.names.index("mean F=~x2")]
    z = x[posterior.names.index("deviation F=~x2 [b]")]
    assert posterior.values(x)[1, e] == pytest.approx(mean + math.sqrt(0.02) * z, rel=ROUNDING)


@pytest.mark.parametrize("name", ["label ties loadings", "label ties variances"])
def test_a_label_within_groups_means_one_value(compiled: Compiled, name: str):
    posterior, x = compiled(name)
    pair = ("F=~x2", "F=~x3") if name == "label ties loadings" else ("x1~~x1", "x2~~x2")
    i, j = (posterior.model.entries.index(entry) for entry in pair)
    value = posterior.values(x)
    np.testing.assert_array_equal(value[:, i], value[:, j])
    assert (value[:, i] == value[0, i]).all()


def test_a_label_over_some_groups_means_one_value_there(compiled: Compiled):
    posterior, x = compiled("label ties some groups")
    value = posterior.values(x)[:, posterior.model.entries.index("F=~x2")]
    assert value[0] == value[1] != value[2]


def test_a_value_fixed_in_one_group_is_not_moved(compiled: Compiled):
    posterior, x = compiled("fixed in one group")
    e = posterior.model.entries.index("F=~x2")
    for scale in (0.0, 1.0, 2.0):
        assert posterior.values(scale * x)[1, e] == 0.5
    assert sum(name.startswith("deviation F=~x2") for name in posterior.names) == 2


CONTRADICTIONS = {
    "three factors": ("F~~H", "F~~K", "H~~K"),
    "three factors and residual covariance": ("F~~H", "F~~K", "H~~K"),
    "triangle of residual covariances": ("x2~~x3", "x2~~x4", "x3~~x4"),
}


@pytest.mark.parametrize("size", [0.6, 5.0])
@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_no_density_where_correlations_contradict_each_other(compiled: Compiled, name: str, size: float):
    """Correlations of r, r and -r: with r = .54 the covariances of the items are positive definite all the same."""
    posterior, x = compiled(name)
    problem, entries = posterior.problem, posterior.model.entries
    x = x.copy()
    for entry, sign in zip(CONTRADICTIONS[name], (1, 1, -1), strict=True):
        e = entries.index(entry)
        x[problem.base[:, e]] = sign * size
        if problem.scale[e] >= 0:
            x[problem.deviation[:, e]] = 0.0
    _, Theta, Phi, _ = model_matrices(problem, entry_values(problem, x))
    smallest = min(np.linalg.eigvalsh(Theta)[:, 0].min(), np.linalg.eigvalsh(Phi)[:, 0].min())
    assert smallest < 0.0
    assert math.isnan(value_and_gradient(problem, x)[0])


def test_extreme_parameters_give_no_density_instead_of_a_crash(compiled: Compiled):
    for name in ("one factor, random", "two factors, random", "residual covariance"):
        posterior, x = compiled(name)
        for extreme in (800.0, -800.0):
            value, _ = value_and_gradient(posterior.problem, np.full(x.size, extreme))
            assert not math.isfinite(value), name


def test_log_likelihood_is_that_of_centred_rows(compiled: Compiled):
    """nu = N - 1 integrates a flat mean out of the normal density of the rows: up to a constant in Sigma."""
    posterior, x = compiled("one factor, random, few groups")
    problem = posterior.problem
    p = problem.S.shape[1]
    rng = np.random.default_rng(9)
    values = [entry_values(problem, x), entry_values(problem, x + 0.1 * rng.standard_normal(x.size))]
    integrated = []
    for value in values:
        Sigma = implied_covariances(problem, value)
        per_group = []
        for g, nu in enumerate(problem.nu):
            n = int(nu) + 1
            rows = _rows_with_covariance(problem.S[g], n, rng)
            at_mean = stats.multivariate_normal(np.zeros(p), Sigma[g]).logpdf(rows).sum()
            # Integral over the mean: the mean's likelihood is N(0, Sigma/n), whose peak is (2 pi)^(-p/2)|Sigma/n|^-.5
            per_group.append(at_mean + 0.5 * p * math.log(2 * math.pi) + 0.5 * np.linalg.slogdet(Sigma[g] / n)[1])
        integrated.append(np.array(per_group))
    ours = [log_likelihoods(problem, implied_covariances(problem, value)) for value in values]
    np.testing.assert_allclose(ours[0] - ours[1], integrated[0] - integrated[1], rtol=1e-8, atol=1e-8)


def _rows_with_covariance(S: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Rows with mean 0 and exactly the covariance S with divisor n - 1."""
    z = rng.standard_normal((n, len(S)))
    z -= z.mean(axis=0)
    whitened = np.linalg.solve(np.linalg.cholesky(np.cov(z.T)), z.T)
    return np.asarray((np.linalg.cholesky(S) @ whitened).T)


WITHOUT_COMPILER = """
import sys
import numba
import numpy as np
from mixsem.kernels.plain_posterior import log_posterior
from mixsem.kernels.posterior import density
from mixsem.kernels.problem import Problem
from mixsem.kernels.shear import natural_parameters, pull_back, sheared_parameters

assert numba.config.DISABLE_JIT
for path in sys.argv[1:]:
    stored = np.load(path)
    problem, x = Problem(*(stored[name] for name in Problem._fields)), stored["x"]
    gradient = np.empty(x.size)
    value = density(problem, x, gradient)
    assert abs(value - log_posterior(problem, x)) < 1e-9 * abs(value)
    np.testing.assert_allclose(gradient, stored["gradient"], rtol=1e-9, atol=1e-9)
    n = stored["pulled"].size
    sheared, back, pulled = np.empty(n), np.empty(x.size), np.empty(n)
    sheared_parameters(problem, x, sheared)
    natural_parameters(problem, sheared, back)
    np.testing.assert_allclose(back, x, atol=1e-12)
    pull_back(problem, sheared, x, gradient, pulled)
    np.testing.assert_allclose(pulled, stored["pulled"], rtol=1e-9, atol=1e-9)
print("same")
"""


def test_the_same_numbers_without_the_compiler(compiled: Compiled, tmp_path):
    """What is compiled is the Python that is written: no reliance on wrapping or on indices out of bounds."""
    paths = []
    for name in ("one factor, random", "residual covariance", "two factors, symmetric"):
        posterior, x = compiled(name)
        _, gradient = value_and_gradient(posterior.problem, x)
        sheared, pulled = np.empty(posterior.n_coordinates), np.empty(posterior.n_coordinates)
        sheared_parameters(posterior.problem, x, sheared)
        pull_back(posterior.problem, sheared, x, gradient.copy(), pulled)
        paths.append(str(tmp_path / f"{name}.npz"))
        np.savez(paths[-1], **posterior.problem._asdict(), x=x, gradient=gradient, pulled=pulled)
    run = subprocess.run(
        [sys.executable, "-c", WITHOUT_COMPILER, *paths],
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stdout.strip() == "same", run.stderr


@pytest.mark.parametrize("name", ["one factor, all free", "two factors, symmetric"])
def test_a_vanishing_unique_variance_never_gives_a_wrong_density(compiled: Compiled, name: str):
    """On the way to a Heywood case the value stays right until there is none; rounding must not raise it."""
    posterior, x = compiled(name)
    i = posterior.names.index("x1~~x1 [a]")
    defined = []
    for log_variance in np.arange(0.0, -80.0, -0.5):
        x[i] = log_variance
        value, gradient = value_and_gradient(posterior.problem, x)
        defined.append(math.isfinite(value))
        if defined[-1]:
            # 1e-10 of the item's variance, rounding 1e-16, nu of 60 and some dozen terms
            assert value == pytest.approx(log_posterior(posterior.problem, x), abs=1e-3)
            assert np.isfinite(gradient).all()
    assert defined == sorted(defined, reverse=True)
    assert 40 <= sum(defined) < 60
