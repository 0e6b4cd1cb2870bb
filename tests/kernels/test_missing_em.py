"""Likelihood by pattern and saturated EM, against a plain twin that goes row by row."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mixsem.data.patterns import MissingPatterns, read_patterns
from mixsem.kernels.missing_em import saturated_estimates
from mixsem.kernels.patterns import pattern_information, pattern_sums, row_scores

#: Two ways of the same sums of a few hundred terms.
EXACT = 1e-10
#: Central differences with a step of 1e-5 of a function of size 1e3.
DIFFERENCE = 1e-6
#: The gradient in units of the information: rounding of the EM step.
ZERO = 1e-7


def incomplete(n_groups: int = 2, size: int = 80, p: int = 4, share: float = 0.25, seed: int = 1) -> MissingPatterns:
    """Correlated answers of which a share is missing, in groups of different means and units."""
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(n_groups), size)
    values = rng.normal(size=(len(group), p)) + rng.normal(size=(len(group), 1))
    values = values * np.array([1.0, 10.0, 0.1, 1.0, 2.0, 1.0])[:p] + 100 * group[:, None]
    values[rng.random(values.shape) < share] = np.nan
    frame = pd.DataFrame(values, columns=[f"x{i}" for i in range(p)]).assign(group=group)
    return read_patterns(frame, [f"x{i}" for i in range(p)], "group")


def plain_loglik(rows: np.ndarray, mu: np.ndarray, Sigma: np.ndarray) -> float:
    total = 0.0
    for row in rows:
        o = ~np.isnan(row)
        d, S = row[o] - mu[o], Sigma[np.ix_(o, o)]
        total -= 0.5 * (o.sum() * np.log(2 * np.pi) + np.linalg.slogdet(S)[1] + d @ np.linalg.solve(S, d))
    return total


def plain_em(rows: np.ndarray, steps: int = 3000) -> tuple[np.ndarray, np.ndarray]:
    """The textbook's EM: fill in each row's expectations, add the conditional covariances."""
    mu, Sigma = np.nanmean(rows, axis=0), np.diag(np.nanvar(rows, axis=0))
    for _ in range(steps):
        first, second = np.zeros(mu.size), np.zeros(Sigma.shape)
        for row in rows:
            o = ~np.isnan(row)
            weights = Sigma[:, o] @ np.linalg.inv(Sigma[np.ix_(o, o)])
            filled = mu + weights @ (row[o] - mu[o])
            first += filled
            second += np.outer(filled, filled) + Sigma - weights @ Sigma[o]
        before = Sigma
        mu = first / len(rows)
        Sigma = second / len(rows) - np.outer(mu, mu)
        if np.abs(Sigma - before).max() < 1e-13 * np.abs(Sigma).max():
            break
    return mu, Sigma


def somewhere(patterns: MissingPatterns, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Moments near those of the data but not at them."""
    rng = np.random.default_rng(seed)
    found = saturated_estimates(patterns.tables)
    scale = np.sqrt(np.diagonal(found.covariances, axis1=1, axis2=2))
    mu = found.means + 0.2 * scale * rng.normal(size=found.means.shape)
    stretch = 1 + 0.1 * rng.random(found.means.shape)
    return mu, found.covariances * stretch[:, :, None] * stretch[:, None, :]


def stacked(mu: np.ndarray, Sigma: np.ndarray) -> np.ndarray:
    return np.concatenate([mu, Sigma[np.triu_indices(mu.size)]])


def unstacked(x: np.ndarray, p: int) -> tuple[np.ndarray, np.ndarray]:
    Sigma = np.zeros((p, p))
    Sigma[np.triu_indices(p)] = x[p:]
    return x[:p], np.triu(Sigma) + np.triu(Sigma, 1).T


def numeric_gradient(rows: np.ndarray, x: np.ndarray, scale: np.ndarray) -> np.ndarray:
    p = rows.shape[1]
    steps = 1e-5 * np.diag(scale)
    return np.array(
        [(plain_loglik(rows, *unstacked(x + h, p)) - plain_loglik(rows, *unstacked(x - h, p))) / (2 * h.sum())
         for h in steps]
    )  # fmt: skip


def units(Sigma: np.ndarray) -> np.ndarray:
    """Sizes of the moments: standard deviations, and their products."""
    sd = np.sqrt(np.diag(Sigma))
    return stacked(sd, np.outer(sd, sd))


def scores_at(patterns: MissingPatterns, mu: np.ndarray, Sigma: np.ndarray) -> np.ndarray:
    return row_scores(patterns.tables, patterns.values, patterns.pattern_of_row, mu, Sigma)


def test_likelihood_and_derivatives_meet_the_plain_twin():
    patterns = incomplete()
    mu, Sigma = somewhere(patterns)
    sums = pattern_sums(patterns.tables, mu, Sigma)
    upper = np.triu_indices(4)
    halved = np.where(upper[0] == upper[1], 0.5, 1.0)
    for g in range(2):
        rows = patterns.values[patterns.codes == g]
        assert -0.5 * sums.deviance[g] == pytest.approx(plain_loglik(rows, mu[g], Sigma[g]), rel=EXACT)
        expected = numeric_gradient(rows, stacked(mu[g], Sigma[g]), units(Sigma[g])) * units(Sigma[g])
        found = np.concatenate([sums.mean_part[g], -halved * sums.Omega[g][upper]]) * units(Sigma[g])
        np.testing.assert_allclose(found, expected, rtol=DIFFERENCE, atol=DIFFERENCE * np.abs(expected).max())


def test_scores_add_up_to_the_gradient_and_belong_to_their_rows():
    patterns = incomplete()
    mu, Sigma = somewhere(patterns)
    scores, sums = scores_at(patterns, mu, Sigma), pattern_sums(patterns.tables, mu, Sigma)
    for g in range(2):
        np.testing.assert_allclose(scores[patterns.codes == g, :4].sum(axis=0), sums.mean_part[g], rtol=1e-9)
    for row in (0, 7, 100):
        g = patterns.codes[row]
        expected = numeric_gradient(patterns.values[[row]], stacked(mu[g], Sigma[g]), units(Sigma[g]))
        np.testing.assert_allclose(scores[row], expected, rtol=1e-4, atol=1e-6 * np.abs(expected).max())


def test_only_the_wanted_groups_are_worked_on():
    patterns = incomplete(3)
    mu, Sigma = somewhere(patterns)
    some = pattern_sums(patterns.tables, mu, Sigma, np.array([1]))
    everything = pattern_sums(patterns.tables, mu, Sigma)
    np.testing.assert_array_equal(some.Omega[1], everything.Omega[1])
    assert not some.Omega[[0, 2]].any() and not some.deviance[[0, 2]].any()


def test_information_by_its_definition():
    """n/2 tr(W E_a W E_b) with the matrices E_a written out, pattern by pattern."""
    patterns = incomplete()
    _, Sigma = somewhere(patterns)
    information = pattern_information(patterns.tables, Sigma)
    rows, columns = np.triu_indices(4)
    E = np.zeros((10, 4, 4))
    E[np.arange(10), rows, columns] = E[np.arange(10), columns, rows] = 1.0
    expected = np.zeros((2, 14, 14))
    for o, g, n in zip(patterns.observed, patterns.pattern_group, patterns.pattern_n, strict=True):
        W = np.zeros((4, 4))
        W[np.ix_(o, o)] = np.linalg.inv(Sigma[g][np.ix_(o, o)])
        expected[g, :4, :4] += n * W
        expected[g, 4:, 4:] += 0.5 * n * np.einsum("ij,ajk,kl,bli->ab", W, E, W, E)
    np.testing.assert_allclose(information, expected, rtol=EXACT, atol=1e-12)


def test_em_meets_the_plain_twin():
    patterns = incomplete()
    found = saturated_estimates(patterns.tables)
    assert found.converged.all()
    for g in range(2):
        rows = patterns.values[patterns.codes == g]
        mu, Sigma = plain_em(rows)
        np.testing.assert_allclose(found.means[g], mu, rtol=1e-8)
        np.testing.assert_allclose(found.covariances[g], Sigma, rtol=1e-7)
        assert found.loglik[g] == pytest.approx(plain_loglik(rows, mu, Sigma), rel=EXACT)


@pytest.mark.parametrize(("share", "seed"), [(0.1, 1), (0.3, 2), (0.5, 3)])
def test_gradient_is_zero_at_the_solution(share: float, seed: int):
    patterns = incomplete(5, 200, 6, share, seed)
    found = saturated_estimates(patterns.tables)
    assert found.converged.all()
    information = pattern_information(patterns.tables, found.covariances)
    scores = scores_at(patterns, found.means, found.covariances)
    for g in range(5):
        gradient = scores[patterns.codes == g].sum(axis=0)
        assert gradient @ np.linalg.solve(information[g], gradient) < ZERO**2
    rows, x = patterns.values[patterns.codes == 0], stacked(found.means[0], found.covariances[0])
    differences = numeric_gradient(rows, x, units(found.covariances[0])) * units(found.covariances[0])
    assert np.abs(differences).max() < 1e-6 * len(rows)


def test_complete_rows_give_the_usual_moments():
    patterns = incomplete(share=0.0)
    found = saturated_estimates(patterns.tables)
    for g in range(2):
        rows = patterns.values[patterns.codes == g]
        np.testing.assert_allclose(found.means[g], rows.mean(axis=0), rtol=1e-12)
        np.testing.assert_allclose(found.covariances[g], np.cov(rows.T, bias=True), rtol=1e-9)


def test_large_means_do_not_matter():
    patterns = incomplete(1)
    moved = patterns.values + 1e7
    frame = pd.DataFrame(moved, columns=list(patterns.items))
    away = read_patterns(frame, patterns.items)
    here, there = saturated_estimates(patterns.tables), saturated_estimates(away.tables)
    np.testing.assert_allclose(there.covariances, here.covariances, rtol=1e-5)
    assert there.loglik[0] == pytest.approx(here.loglik[0], abs=1e-5)


def test_a_constant_item_has_no_variance_and_stops_nobody():
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(rng.normal(size=(60, 3)), columns=["x", "y", "z"]).assign(group=["a"] * 30 + ["b"] * 30)
    frame.loc[:29, "y"] = 3.1
    frame.loc[::7, "z"] = np.nan
    found = saturated_estimates(read_patterns(frame, ["x", "y", "z"], "group").tables)
    assert found.converged.all() and np.isinf(found.loglik).tolist() == [True, False]
    assert not found.covariances[0, 1].any() and found.means[0, 1] == pytest.approx(3.1, rel=1e-12)


def test_a_singular_group_is_told_and_leaves_the_others_alone():
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(rng.normal(size=(104, 5)), columns=list("vwxyz")).assign(group=["a"] * 4 + ["b"] * 100)
    frame.loc[[0, 60], "v"] = np.nan
    both = saturated_estimates(read_patterns(frame, list("vwxyz"), "group").tables)
    alone = saturated_estimates(read_patterns(frame[4:], list("vwxyz")).tables)
    assert both.converged.tolist() == [False, True]
    assert np.isfinite(both.covariances).all()
    np.testing.assert_allclose(both.covariances[1], alone.covariances[0], rtol=1e-10)


def test_improper_matrices_give_an_infinite_deviance_of_their_group_only():
    patterns = incomplete()
    mu, Sigma = somewhere(patterns)
    Sigma[1, 0, 0] = -1.0
    assert np.isinf(pattern_sums(patterns.tables, mu, Sigma).deviance).tolist() == [False, True]
