"""Groups that share nothing are fitted apart: the same estimates, and a hopeless group harms no other."""

from __future__ import annotations

import numpy as np
import pytest

from mixsem.data.moments import SampleMoments
from mixsem.equations.entry import cfa
from mixsem.errors import ConvergenceWarning, HeywoodWarning
from mixsem.model.fit_groups import maximize_by_group

MODEL = "F =~ a + b + c; H =~ d + e + f"


def moments(n_groups: int = 9) -> SampleMoments:
    rng = np.random.default_rng(1)
    L = np.kron(np.eye(2), np.ones((3, 1))) * rng.uniform(0.6, 1.2, size=(6, 1))
    S = {}
    for g in range(n_groups):
        Phi = np.array([[1.0, 0.3], [0.3, 1.0]]) * rng.uniform(0.5, 2.0)
        rows = rng.multivariate_normal(np.zeros(6), L @ Phi @ L.T + 0.5 * np.eye(6), size=150)
        S[f"g{g}"] = np.cov(rows.T)
    return SampleMoments.from_covariances(S, n=150, means={g: np.zeros(6) for g in S}, items=[*"abcdef"])


def test_many_groups_at_once_are_each_group_alone() -> None:
    data = moments()
    fit = cfa(MODEL, data)
    for group in data.groups:
        alone = cfa(MODEL, data.subset([group]), meanstructure=True)
        own = [i for i, name in enumerate(fit.model.names) if name.endswith(f"[{group}]")]
        assert np.allclose(fit.coef[own], alone.coef, atol=1e-8)
        assert np.allclose(fit.standard_errors[own], alone.standard_errors, rtol=1e-7)


def test_a_part_of_the_loss_is_the_loss_of_the_part() -> None:
    fit = cfa(MODEL, moments())
    groups = np.array([1, 4, 5])
    part, used = fit.loss.of_groups(groups)
    theta = fit.coef * 1.1
    assert np.allclose(part.per_group(theta[used]), fit.loss.per_group(theta)[groups])
    assert np.allclose(part.gradient(theta[used]), fit.loss.gradient(theta)[used])
    assert maximize_by_group(part, theta[used]).steps.max() < 1e-8


def test_a_group_without_a_maximum_is_named_and_the_others_converge() -> None:
    data = moments(4)
    S = dict(zip(data.groups, data.covariances, strict=True))
    rng = np.random.default_rng(7)
    for _ in range(
        2
    ):  # the second draw: items of a factor that hardly correlate, so that its likelihood has no maximum
        rows = rng.normal(size=(40, 6))
        rows[:, :3] += rng.normal(size=(40, 1))
    S["odd"] = np.cov(rows.T, bias=True)
    mixed = SampleMoments.from_covariances(
        S,
        n={g: 40 if g == "odd" else 150 for g in S},
        means={g: np.zeros(6) for g in S},
        items=[*"abcdef"],
        divisor="n",
    )
    with pytest.warns((ConvergenceWarning, HeywoodWarning), match="odd"):
        fit = cfa(MODEL, mixed)
    unfinished = [fit.groups[g] for g in fit.optimum.unfinished]
    if not unfinished:  # the search went so far that it saw no slope any more; which, depends on its library
        assert fit.coef[fit.model.names.index("H~~H[odd]")] < -100
    else:
        assert unfinished == ["odd"]
    alone = cfa(MODEL, data)
    for group in data.groups:
        here, there = (
            [f.coef[i] for i, name in enumerate(f.model.names) if name.endswith(f"[{group}]")] for f in (fit, alone)
        )
        assert np.allclose(here, there, atol=1e-8)
