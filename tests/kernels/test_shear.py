"""The sampler's coordinates: what they mean, that the map is one to one, and what it does to a density."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from mixsem.bayes.posterior import Posterior
from mixsem.kernels.posterior import density
from mixsem.kernels.problem import LEAST_FOR_POLAR
from mixsem.kernels.shear import natural_parameters, pull_back, sheared_parameters

Compiled = Callable[[str], tuple[Posterior, np.ndarray]]

#: With spreads that have a coordinate of their own, with too few groups for that, and with fixed spreads.
NAMES = (
    "one factor, random",
    "one factor, random, few groups",
    "one factor, reference",
    "one factor, symmetric",
    "one factor, each its own role",
    "two factors, random",
    "label ties random loadings of all groups",
    "fixed in one group",
    "random regressions",
    "one group",
    "one group, the reference",
)
#: A handful of multiplications there and back.
ROUNDING = 1e-12
#: Central differences, step 1e-5.
DIFFERENCE = 1e-6


def to_natural(posterior: Posterior, coordinates: np.ndarray) -> np.ndarray:
    natural = np.empty(posterior.n_params)
    natural_parameters(posterior.problem, coordinates, natural)
    return natural


def to_sheared(posterior: Posterior, natural: np.ndarray) -> np.ndarray:
    coordinates = np.empty(posterior.n_coordinates)
    sheared_parameters(posterior.problem, natural, coordinates)
    return coordinates


def somewhere(posterior: Posterior, x: np.ndarray) -> np.ndarray:
    """Coordinates whose directions are not of the length that `sheared_parameters` happens to give them."""
    rng = np.random.default_rng(8)
    coordinates = to_sheared(posterior, x)
    for _, start, count, _, polar in posterior.problem.shear:
        if polar >= 0:
            coordinates[start : start + count - 1] *= rng.uniform(0.5, 2.0)
    return coordinates


def sampled_density(posterior: Posterior, coordinates: np.ndarray) -> tuple[float, np.ndarray]:
    """What the sampler is given."""
    natural, gradient = to_natural(posterior, coordinates), np.full(posterior.n_coordinates, np.nan)
    slope = np.empty(posterior.n_params)
    value = density(posterior.problem, natural, slope)
    return value + pull_back(posterior.problem, coordinates, natural, slope, gradient), gradient


@pytest.mark.parametrize("name", NAMES)
def test_there_and_back(compiled: Compiled, name: str):
    posterior, x = compiled(name)
    np.testing.assert_allclose(to_natural(posterior, to_sheared(posterior, x)), x, rtol=ROUNDING, atol=ROUNDING)
    coordinates = somewhere(posterior, x)
    again = to_sheared(posterior, to_natural(posterior, coordinates))
    for _, start, count, _, polar in posterior.problem.shear:  # the length of a direction is not remembered
        if polar >= 0:
            part = slice(start, start + count - 1)
            again[part] *= np.linalg.norm(coordinates[part]) / np.linalg.norm(again[part])
    np.testing.assert_allclose(again, coordinates, rtol=ROUNDING, atol=ROUNDING)


def test_some_have_spread_coordinates_and_some_have_not(compiled: Compiled):
    """So that the tests here cover both."""
    extra = {name: compiled(name)[0].n_coordinates - compiled(name)[0].n_params for name in NAMES}
    assert extra["one factor, random"] == 8  # three loadings, four unique variances, one factor variance
    assert extra["one factor, random, few groups"] == extra["one factor, reference"] == 0
    assert LEAST_FOR_POLAR == 8


@pytest.mark.parametrize("name", NAMES)
def test_coordinates_are_level_and_spread_of_the_group_effects(compiled: Compiled, name: str):
    """The mean over groups of mu + s z, and the log of their standard deviation with divisor n."""
    posterior, x = compiled(name)
    problem, coordinates = posterior.problem, to_sheared(posterior, x)
    for mu, start, count, e, polar in problem.shear:
        s = math.exp(x[problem.scale[e]]) if problem.scale[e] >= 0 else problem.s[e]
        effects = x[mu] + s * x[start : start + count]
        assert coordinates[mu] == pytest.approx(effects.mean(), rel=1e-10, abs=1e-12)
        if polar >= 0:
            assert coordinates[problem.scale[e]] == pytest.approx(math.log(effects.std()), rel=1e-10, abs=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_gradient_of_the_sampled_density(compiled: Compiled, name: str):
    posterior, x = compiled(name)
    coordinates = somewhere(posterior, x)
    _, gradient = sampled_density(posterior, coordinates)
    numeric = np.empty(coordinates.size)
    for i in range(coordinates.size):
        step = np.zeros(coordinates.size)
        step[i] = 1e-5
        up, down = sampled_density(posterior, coordinates + step)[0], sampled_density(posterior, coordinates - step)[0]
        numeric[i] = (up - down) / 2e-5
    np.testing.assert_allclose(gradient, numeric, rtol=DIFFERENCE, atol=DIFFERENCE * np.abs(numeric).max())


@pytest.mark.parametrize("name", NAMES)
def test_sampled_density_is_that_of_the_change_of_variables(compiled: Compiled, name: str):
    """The natural density, times that of the direction's free length, times the determinant of the Jacobian.

    A direction of n - 1 coordinates is that of a standard normal vector, whose length is chi distributed with n - 1
    degrees of freedom and independent of all else: with these lengths beside the natural parameters the map is one to
    one, and its Jacobian a square matrix.
    """
    posterior, x = compiled(name)

    def extended(coordinates: np.ndarray) -> np.ndarray:
        directions = [coordinates[b : b + n - 1] for _, b, n, _, polar in posterior.problem.shear if polar >= 0]
        return np.concatenate([to_natural(posterior, coordinates), [np.linalg.norm(w) for w in directions]])

    def expected(coordinates: np.ndarray) -> float:
        jacobian = np.empty((coordinates.size, coordinates.size))
        for i in range(coordinates.size):
            step = np.zeros(coordinates.size)
            step[i] = 1e-5
            jacobian[:, i] = (extended(coordinates + step) - extended(coordinates - step)) / 2e-5
        natural = extended(coordinates)
        total = density(posterior.problem, natural[: posterior.n_params].copy(), np.empty(posterior.n_params))
        lengths = iter(natural[posterior.n_params :])
        for _, _, n, _, polar in posterior.problem.shear:
            if polar >= 0:
                total += stats.chi(n - 1).logpdf(next(lengths))
        return float(total + np.linalg.slogdet(jacobian)[1])

    first = somewhere(posterior, x)
    second = first + 0.1 * np.random.default_rng(4).standard_normal(first.size)
    ours = sampled_density(posterior, first)[0] - sampled_density(posterior, second)[0]
    # The Jacobian by differences is good to 1e-9 per column.
    assert ours == pytest.approx(expected(first) - expected(second), abs=1e-5)


def test_a_vanishing_spread_does_no_harm(compiled: Compiled):
    """At s = exp(-40) the coordinates still map back, and level and mean are the same."""
    posterior, x = compiled("one factor, random")
    i = posterior.names.index("sd F=~x2")
    x[i] = -40.0
    coordinates = to_sheared(posterior, x)
    assert coordinates[posterior.names.index("mean F=~x2")] == x[posterior.names.index("mean F=~x2")]
    np.testing.assert_allclose(to_natural(posterior, coordinates), x, rtol=ROUNDING, atol=ROUNDING)
    value, gradient = sampled_density(posterior, coordinates)
    assert math.isfinite(value) and np.isfinite(gradient).all()
