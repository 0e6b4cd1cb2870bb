"""The arrow algebra against the same algebra on the full matrix."""

from __future__ import annotations

import numpy as np
import pytest

from mixsem.kernels.arrow import arrow_layout, factorize

LAYOUTS = {
    "shared and local": np.array([[0, 1, 2, 3], [0, 1, 4, 5], [0, 1, 6, 7]]),
    "one parameter twice in a group": np.array([[0, 0, 1, 2], [3, 3, 4, 5]]),
    "fixed entries, uneven groups": np.array([[0, -1, 1, 2], [0, 3, -1, -1], [0, 4, 5, 6]]),
    "shared by two of three groups": np.array([[0, 1, 2], [0, 3, 4], [5, 6, 7]]),
    "nothing shared": np.array([[0, 1, 2], [3, 4, 5]]),
    "one group": np.array([[0, 1, 2, 2]]),
    "all shared": np.array([[0, 1], [0, 1]]),
}


def random_information(free: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positive definite entry matrices per group, and the full matrix they add up to."""
    rng = np.random.default_rng(1)
    n_groups, n_entries = free.shape
    root = rng.normal(size=(n_groups, n_entries, n_entries + 3))
    information = root @ root.swapaxes(1, 2)
    full = np.zeros((free.max() + 1, free.max() + 1))
    for g in range(n_groups):
        used = np.flatnonzero(free[g] >= 0)
        np.add.at(full, np.ix_(free[g, used], free[g, used]), information[g][np.ix_(used, used)])
    return information, full


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("damping", [0.0, 0.5])
def test_solve_and_inverse_equal_dense_algebra(name, damping):
    free = LAYOUTS[name]
    information, full = random_information(free)
    full = full + damping * np.diag(np.diag(full))
    system = factorize(arrow_layout(free, free.max() + 1), information, damping)
    right = np.random.default_rng(2).normal(size=full.shape[0])
    np.testing.assert_allclose(system.solve(right), np.linalg.solve(full, right), rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(system.inverse(), np.linalg.inv(full), rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(system.diagonal(), np.diag(np.linalg.inv(full)), rtol=1e-9)
