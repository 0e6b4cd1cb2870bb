"""What is watched in a posterior: every value once, under its name, with the value that the posterior gives it."""

from __future__ import annotations

import numpy as np
import pytest

from mixsem.bayes import monitored as module
from mixsem.bayes.convergence import convergence
from mixsem.bayes.draws import Draws
from mixsem.bayes.estimate import compile_posterior
from mixsem.bayes.monitored import monitor, monitored_convergence, monitored_draws
from mixsem.bayes.posterior import Approximate, Equal, Free, Posterior, Random, Role
from mixsem.bayes.priors import Priors
from mixsem.data.moments import SampleMoments
from mixsem.model.matrices import LAMBDA, PSI, THETA, ModelMap
from mixsem.syntax.sem import parse_model
from mixsem.syntax.table import measurement_table

GROUPS = ("a", "b", "c")
ONE, TWO = "F =~ x1 + x2 + x3 + x4", "F =~ x1 + x2 + x3; H =~ x4 + x5 + x6"
ALL_RANDOM = {LAMBDA: Random(), THETA: Random(), PSI: Random()}
ALL_EQUAL = {LAMBDA: Equal(), THETA: Equal(), PSI: Equal()}
CASES: dict[str, tuple[str, dict[int, Role]]] = {
    "random": (TWO, ALL_RANDOM),
    "equal": (TWO, ALL_EQUAL),
    "reference": (ONE, {LAMBDA: Approximate(0.01, 1), THETA: Free(), PSI: Free()}),
    "symmetric": (ONE, {LAMBDA: Approximate(0.01, None), THETA: Free(), PSI: Free()}),
    "equal correlation, random variances": (TWO + "; F ~~ c(r,r,r)*H", ALL_RANDOM),
    "tied loadings": ("F =~ x1 + a*x2 + a*x3 + x4", ALL_RANDOM),
    "tied random loadings": ("F =~ x1 + c(a,b,d)*x2 + c(a,b,d)*x3 + x4", ALL_RANDOM),
    "tied in two groups": ("F =~ x1 + c(a,a,b)*x2 + x3 + x4", ALL_RANDOM),
    "fixed in one group": ("F =~ x1 + c(NA,0.5,NA)*x2 + x3 + x4", ALL_RANDOM),
    "fixed covariance": (ONE + "; x2 ~~ 0.05*x3", ALL_RANDOM),
    "residual covariance": (ONE + "; x2 ~~ x3", ALL_RANDOM),
}


def compile_case(name: str, groups: tuple[str, ...] = GROUPS) -> Posterior:
    syntax, roles = CASES[name]
    table = measurement_table(parse_model(syntax), groups=groups)
    rng = np.random.default_rng(1)
    p = len(table.observed)
    covariances = {g: np.cov((rng.normal(size=(60, p)) + rng.normal(size=(60, 1))).T) for g in groups}
    moments = SampleMoments.from_covariances(covariances, n=dict.fromkeys(groups, 60), items=table.observed)

    def role_of(model: ModelMap, e: int) -> Role:
        return roles[int(model.matrix[e])]

    return compile_posterior(table, moments, role_of, Priors())


@pytest.fixture(params=list(CASES))
def posterior(request: pytest.FixtureRequest) -> Posterior:
    return compile_case(request.param)


def some_draws(posterior: Posterior, shape: tuple[int, ...] = (2, 8)) -> np.ndarray:
    return 0.3 * np.random.default_rng(2).normal(size=(*shape, posterior.n_params))


def names(case: str) -> list[str]:
    return list(monitor(compile_case(case), GROUPS).names)


def test_values_are_those_of_the_posterior(posterior: Posterior) -> None:
    watched, x = monitor(posterior, GROUPS), some_draws(posterior)
    draws, values = monitored_draws(posterior, watched, x), posterior.values(x)
    for k, (e, g, i) in enumerate(zip(watched.entry, watched.group, watched.source, strict=True)):
        parameter = np.exp(x[..., i]) if watched.what[k] == "sd" else x[..., i]
        expected = values[..., g, e] if i < 0 else parameter
        # The same operations on the same numbers, but for the order of factors under a root.
        np.testing.assert_allclose(draws[..., k], expected, rtol=1e-13, err_msg=watched.names[k])


def test_every_value_that_moves_is_watched_once(posterior: Posterior) -> None:
    """Draws of different quantities differ, and every cell that moves has the draws of one of them."""
    watched, x = monitor(posterior, GROUPS), some_draws(posterior)
    values = posterior.values(x).reshape(16, -1)
    cells = np.flatnonzero(watched.source < 0)
    seen = {tuple(column) for column in monitored_draws(posterior, watched, x, cells).reshape(16, -1).round(10).T}
    assert len(seen) == len(cells)
    moving = np.ptp(values, axis=0) > 0
    assert {tuple(column) for column in values[:, moving].round(10).T} == seen
    assert len(set(watched.names)) == watched.size


@pytest.mark.parametrize(
    ("case", "present", "absent"),
    [
        ("random", {"F=~x2 [a]", "mean F=~x2", "sd F=~x2", "F~~H [c]", "sd F~~H"}, {"F=~x1 [a]", "F=~x2"}),
        ("equal", {"F=~x2", "x1~~x1", "F~~H"}, {"F=~x1", "F=~x2 [a]"}),
        ("reference", {"F=~x2 [a]", "F=~x2 [b]"}, {"mean F=~x2", "sd F=~x2"}),
        ("symmetric", {"F=~x2 [a]", "mean F=~x2"}, {"sd F=~x2"}),
        ("equal correlation, random variances", {"F~~H [a]", "F~~H [b]"}, {"F~~H"}),
        ("tied loadings", {"F=~x2"}, {"F=~x3", "F=~x3 [a]"}),
        ("tied random loadings", {"F=~x2 [a]", "sd F=~x2"}, {"F=~x3 [a]", "sd F=~x3"}),
        ("tied in two groups", {"F=~x2 [a, b]", "F=~x2 [c]"}, {"F=~x2 [a]", "F=~x2 [b]"}),
        ("fixed in one group", {"F=~x2 [a]", "F=~x2 [c]"}, {"F=~x2 [b]"}),
        ("fixed covariance", {"x2~~x2 [a]"}, {"x2~~x3", "x2~~x3 [a]"}),
    ],
)
def test_names(case: str, present: set[str], absent: set[str]) -> None:
    assert present <= set(names(case))
    assert not absent & set(names(case))


def test_one_group_needs_no_label() -> None:
    posterior = compile_case("reference", ("a",))
    assert "F=~x2" in monitor(posterior, ("a",)).names


def test_chunks_and_threads_keep_the_order(monkeypatch: pytest.MonkeyPatch) -> None:
    posterior = compile_case("random")
    x = some_draws(posterior, (2, 40))
    empty = np.zeros((2, 40))
    draws = Draws(x, empty.astype(bool), empty.astype(np.int64), empty, np.ones(2), 0, {})
    watched = monitor(posterior, GROUPS)
    monkeypatch.setattr(module, "CHUNK", 7)
    got = monitored_convergence(posterior, watched, draws)
    expected = convergence(monitored_draws(posterior, watched, x))
    np.testing.assert_allclose(got.rhat, expected.rhat, rtol=1e-12)
    np.testing.assert_allclose(got.ess_tail, expected.ess_tail, rtol=1e-12)
