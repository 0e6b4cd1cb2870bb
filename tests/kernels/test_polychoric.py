"""The bivariate normal distribution and correlations from tables, against numerical integration and a plain search."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import minimize_scalar
from scipy.special import ndtr

from mixsem.kernels.bivariate import FAR, bivariate_cdf, bivariate_density, differences
from mixsem.kernels.ordinal_gamma import GroupItems, compared_moments, gamma_matrix
from mixsem.kernels.polychoric import LIMIT, cell_probabilities, cutpoints, keep_margins, polychoric, polyserial

#: quad is asked for 1e-14 on each of up to six pieces; the rule itself is exact to 1e-12 up to .999.
EXACT = 1e-12
#: A bounded search by function values alone finds a maximum to about the root of the rounding of the sum.
SEARCH = 2e-6


def by_integration(h, k, rho):
    R = np.sqrt(1 - rho**2)
    bend = k / rho
    inner = [x for x in (bend - 8 * R, bend - R, bend, bend + R, bend + 8 * R) if -12 < x < h]
    ends = [-12.0, *inner, h]

    def slice_at(x):
        return np.exp(-x * x / 2) / np.sqrt(2 * np.pi) * ndtr((k - rho * x) / R)

    return sum(quad(slice_at, a, b, epsabs=1e-15, epsrel=1e-13)[0] for a, b in pairwise(ends))


@pytest.mark.parametrize("size", [0.05, 0.5, 0.9, 0.925, 0.926, 0.97, 0.99, 0.999])
def test_distribution_function(size):
    rng = np.random.default_rng(7)
    h = rng.normal(size=24)
    k = h * rng.choice([-1, 1], 24) + rng.choice([0, 0.01, 0.3, 1], 24) * rng.normal(size=24)
    rho = size * rng.choice([-1, 1], 24)
    expected = [by_integration(*point) for point in zip(h, k, rho, strict=True)]
    np.testing.assert_allclose(bivariate_cdf(h, k, rho), expected, atol=EXACT)


def test_far_points_stand_for_infinity():
    k, rho = np.array([-1.0, 0.3]), np.array([0.6, -0.95])
    np.testing.assert_allclose(bivariate_cdf(np.array([np.inf, np.inf]), k, rho), ndtr(k), atol=1e-15)
    np.testing.assert_allclose(bivariate_cdf(np.array([-np.inf, -np.inf]), k, rho), 0, atol=1e-15)


def test_density_is_the_derivative_to_the_correlation():
    h, k, rho = np.array([0.3, -1.0]), np.array([-0.2, -0.8]), np.array([0.4, 0.95])
    step = 1e-6
    slope = (bivariate_cdf(h, k, rho + step) - bivariate_cdf(h, k, rho - step)) / (2 * step)
    np.testing.assert_allclose(bivariate_density(h, k, rho), slope, rtol=1e-6)


def random_tables(rng, pairs, rows, columns):
    tables = rng.integers(0, 40, (pairs, rows, columns)).astype(float)
    tables[:, np.arange(min(rows, columns)), np.arange(min(rows, columns))] += rng.integers(0, 90, (pairs, 1))
    return tables


@pytest.mark.parametrize(("rows", "columns"), [(2, 2), (3, 5), (4, 4)])
def test_polychoric_is_the_best_correlation_of_a_plain_search(rows, columns):
    tables = random_tables(np.random.default_rng(rows), 12, rows, columns)
    cut_i, cut_j = cutpoints(tables.sum(axis=2)), cutpoints(tables.sum(axis=1))
    found = polychoric(cut_i, cut_j, tables)
    for m, table in enumerate(tables):

        def loss(rho, m=m, table=table):
            corner = np.array([[bivariate_cdf(a, b, np.array(rho)) for b in cut_j[m]] for a in cut_i[m]])
            P = np.maximum(differences(corner), 1e-300)
            return -float((table * np.log(P)).sum())

        best = minimize_scalar(loss, bounds=(-LIMIT, LIMIT), method="bounded", options={"xatol": 1e-9})
        assert found[m] == pytest.approx(best.x, abs=SEARCH)


def test_padding_with_infinite_cutpoints_changes_nothing():
    tables = random_tables(np.random.default_rng(3), 5, 3, 4)
    cut_i, cut_j = cutpoints(tables.sum(axis=2)), cutpoints(tables.sum(axis=1))
    padded = np.pad(tables, ((0, 0), (0, 2), (0, 1)))
    wide_i = np.pad(cut_i, ((0, 0), (0, 2)), constant_values=FAR)
    wide_j = np.pad(cut_j, ((0, 0), (0, 1)), constant_values=FAR)
    np.testing.assert_allclose(polychoric(wide_i, wide_j, padded), polychoric(cut_i, cut_j, tables), atol=1e-12)


def test_independence_and_full_dependence():
    independent = np.outer([10.0, 20.0, 30.0], [3.0, 7.0])[None]
    cut = cutpoints(independent.sum(axis=2)), cutpoints(independent.sum(axis=1))
    assert polychoric(*cut, independent)[0] == pytest.approx(0, abs=1e-9)
    full = np.diag([10.0, 20.0, 30.0])[None]
    cut = cutpoints(full.sum(axis=2))
    assert polychoric(cut, cut, full)[0] == pytest.approx(LIMIT, abs=1e-6)


def test_cells_add_up_to_the_margins():
    cut = cutpoints(np.array([[10, 20, 5, 65]]))
    P = cell_probabilities(cut, cut, np.array([0.7]))
    np.testing.assert_allclose(P.sum(axis=2), [[0.10, 0.20, 0.05, 0.65]], atol=1e-14)


def test_only_one_empty_cell_of_a_two_by_two_table_is_filled():
    tables = np.array([[[5.0, 0.0], [3.0, 4.0]], [[5.0, 0.0], [0.0, 4.0]], [[5.0, 1.0], [3.0, 4.0]]])
    adjusted = keep_margins(tables)
    assert adjusted[0].tolist() == [[4.5, 0.5], [3.5, 3.5]]
    np.testing.assert_array_equal(adjusted[1:], tables[1:])
    np.testing.assert_array_equal(adjusted.sum(axis=1), tables.sum(axis=1))
    three = np.array([[[5.0, 0.0, 1.0], [3.0, 4.0, 2.0]]])
    np.testing.assert_array_equal(keep_margins(three), three)


def test_polyserial_is_the_best_correlation_of_a_plain_search():
    rng = np.random.default_rng(5)
    x = rng.normal(size=(2, 300))
    latent = 0.8 * x + 0.6 * rng.normal(size=x.shape)
    z = (x - x.mean(axis=1, keepdims=True)) / x.std(axis=1, keepdims=True)
    cuts = np.array([-FAR, -0.7, 0.2, FAR])
    code = np.digitize(latent, cuts[1:-1])
    found = polyserial(z, cuts[code], cuts[code + 1])
    for m in range(2):

        def loss(rho, m=m):
            R = np.sqrt(1 - rho**2)
            high, low = (cuts[code[m] + 1] - rho * z[m]) / R, (cuts[code[m]] - rho * z[m]) / R
            return -float(np.log(np.maximum(ndtr(high) - ndtr(low), 1e-300)).sum())

        best = minimize_scalar(loss, bounds=(-0.99, 0.99), method="bounded", options={"xatol": 1e-9})
        assert found[m] == pytest.approx(best.x, abs=SEARCH)


def test_gamma_is_the_variance_over_samples():
    """Two thresholds and the correlation of two binary items in 3000 samples of 400: sampling error about 3 percent."""
    rng = np.random.default_rng(11)
    reps, n, rho = 3000, 400, 0.5
    x = rng.normal(size=(reps, n))
    y = rho * x + np.sqrt(1 - rho**2) * rng.normal(size=(reps, n))
    a, b = (x > 0.3).astype(int), (y > -0.4).astype(int)
    tables = np.stack([np.stack([((a == r) & (b == c)).sum(axis=1) for c in (0, 1)], axis=-1) for r in (0, 1)], axis=1)
    cut_a, cut_b = cutpoints(tables.sum(axis=2)), cutpoints(tables.sum(axis=1))
    estimates = np.column_stack([cut_a[:, 1], cut_b[:, 1], polychoric(cut_a, cut_b, tables.astype(float))])
    observed = n * np.cov(estimates.T)
    R = np.array([[1.0, rho], [rho, 1.0]])
    cuts = np.array([[-FAR, 0.3, FAR], [-FAR, -0.4, FAR]])
    large = np.stack([a.ravel(), b.ravel()], axis=1)
    ordered, sizes = np.array([True, True]), np.array([2, 2])
    Gamma = gamma_matrix(GroupItems(large, np.zeros(large.shape), cuts, np.ones(2), R, ordered, sizes))
    scale = np.sqrt(np.diagonal(Gamma))
    np.testing.assert_allclose(observed / np.outer(scale, scale), Gamma / np.outer(scale, scale), atol=0.12)


def test_compared_moments_leave_out_variances_of_ordered_items():
    assert compared_moments(np.array([True, True, True])).tolist() == [1, 2, 4]
    assert compared_moments(np.array([False, False])).tolist() == [0, 1, 2]
