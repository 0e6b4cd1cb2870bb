"""Posteriors of many structures on random covariance matrices, shared by the tests of the kernels."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest

from mixsem.bayes.estimate import compile_posterior
from mixsem.bayes.posterior import Approximate, Equal, Free, Posterior, Random, Role
from mixsem.bayes.priors import Beta, Flat, Gamma, HalfNormal, HalfT, InverseGamma, Normal, Priors
from mixsem.bayes.start import central_point
from mixsem.data.moments import SampleMoments
from mixsem.kernels.posterior import density
from mixsem.model.matrices import BETA, LAMBDA, PSI, THETA, ModelMap
from mixsem.syntax.sem import parse_model
from mixsem.syntax.table import ParameterTable, Row, measurement_table

ONE = "F =~ x1 + x2 + x3 + x4"
TWO = "F =~ x1 + x2 + x3\nH =~ x4 + x5 + x6"
THREE = "F =~ x1 + x2 + x3\nH =~ x4 + x5\nK =~ x6 + x7"


DEFAULT = Priors()


@dataclass(frozen=True)
class Case:
    """A model, a role per kind of entry (in the order Lambda, Theta, Psi, B; in single entries by name), priors."""

    syntax: str
    roles: tuple[Role, Role, Role, Role] = (Equal(), Free(), Free(), Equal())
    single: tuple[tuple[str, Role], ...] = ()
    priors: Priors = DEFAULT
    n_groups: int = 3
    regressions: tuple[tuple[str, str], ...] = ()
    means: str = "free"
    std_lv: bool = False


RANDOM = (Random(), Random(), Random(), Random())
NEAR = Approximate(0.04, 1)
SYMMETRIC = Approximate(0.04, None)
#: Every family of a standard deviation, in both places: as the root of a variance and as a spread over groups.
SPREADS = (Gamma(2.0, 1.5), HalfNormal(0.7), HalfT(3.0, 0.6), InverseGamma(1.5, 0.4), InverseGamma())


def with_spread(spread: Gamma | HalfNormal | HalfT | InverseGamma) -> Priors:
    """Take one distribution for all standard deviations, and others than the usual for the rest."""
    return Priors(
        loading=Normal(0.8, 0.3),
        residual_sd=spread,
        factor_sd=spread,
        log_variance=Normal(-0.5, 0.8),
        loading_spread=spread,
        log_variance_spread=spread,
        correlation=Beta(2.0, 3.0),
        correlation_mean=Normal(0.2, 0.6),
        correlation_spread=spread,
        regression_spread=spread,
    )


CASES: dict[str, Case] = {
    "one factor, random": Case(ONE, RANDOM, n_groups=9),
    "one factor, random, few groups": Case(ONE, RANDOM),
    "one factor, all equal": Case(ONE, (Equal(), Equal(), Equal(), Equal())),
    "one factor, all free": Case(ONE, (Free(), Free(), Free(), Free())),
    "one factor, reference": Case(ONE, (NEAR, Free(), Free(), Equal())),
    "one factor, symmetric": Case(ONE, (SYMMETRIC, Free(), Free(), Equal())),
    "one factor, each its own role": Case(
        ONE + " + x5 + x6",
        (Equal(), Free(), Free(), Equal()),
        (("F=~x2", Random()), ("F=~x3", Free()), ("F=~x4", NEAR), ("x1~~x1", Random()), ("x2~~x2", Equal())),
        n_groups=10,
    ),
    "one factor, unit variance": Case(ONE, RANDOM, std_lv=True, n_groups=9),
    "one factor, unit variance, negative fixed": Case("F =~ x1 + -0.5*x2 + 0*x3 + x4", RANDOM, n_groups=8),
    "one factor, means ignored": Case(ONE, RANDOM, means="ignore"),
    "one group": Case(ONE, (NEAR, Free(), Free(), Equal()), n_groups=1),
    "one group, the reference": Case(ONE, (Approximate(0.04, 0), Free(), Free(), Equal()), n_groups=1),
    "two factors, random": Case(TWO, RANDOM, n_groups=9),
    "two factors, symmetric": Case(TWO, (SYMMETRIC, Free(), Free(), Equal())),
    "three factors": Case(THREE, (Random(), Free(), Random(), Equal()), n_groups=8),
    "cross-loading": Case(TWO + "\nH =~ x2", (NEAR, Random(), Free(), Equal())),
    "residual covariance": Case(ONE + "\nx2 ~~ x3", RANDOM, n_groups=9),
    "residual covariance of two factors": Case(TWO + "\nx1 ~~ x4\nx2 ~~ x5", (NEAR, Free(), Free(), Equal())),
    "triangle of residual covariances": Case(ONE + "\nx2 ~~ x3 + x4\nx3 ~~ x4", (Equal(), Free(), Free(), Equal())),
    "three factors and residual covariance": Case(THREE + "\nx2 ~~ x4", (Random(), Free(), Random(), Equal())),
    "fixed residual covariance": Case(ONE + "\nx2 ~~ 0.05*x3", (Equal(), Free(), Free(), Equal())),
    "single item without residual": Case(TWO + "\nK =~ x7", (Random(), Random(), Random(), Equal()), n_groups=8),
    "regressions": Case(THREE, (Equal(), Free(), Free(), Equal()), regressions=(("K", "H"), ("H", "F"))),
    "random regressions": Case(THREE, RANDOM, regressions=(("K", "F"), ("K", "H"), ("H", "F")), n_groups=9),
    "regressions and residual covariance": Case(
        TWO + "\nx2 ~~ x3", (Free(), Free(), Random(), Random()), regressions=(("H", "F"),)
    ),
    "label ties loadings": Case("F =~ x1 + a*x2 + a*x3 + x4", (Random(), Free(), Free(), Equal())),
    "label ties random loadings of all groups": Case(
        "F =~ x1 + c(a,b,d)*x2 + c(a,b,d)*x3 + x4", (Random(), Free(), Free(), Equal())
    ),
    "label ties some groups": Case("F =~ x1 + c(a,a,b)*x2 + x3 + x4", (Free(), Free(), Free(), Equal())),
    "label ties variances": Case(ONE + "\nx1 ~~ v*x1\nx2 ~~ v*x2", (NEAR, Free(), Free(), Equal())),
    "fixed in one group": Case("F =~ x1 + c(NA,0.5,NA)*x2 + x3 + x4", (Random(), Free(), Free(), Equal())),
    "fixed variance in one group": Case(TWO + "\nF ~~ c(1,NA,NA)*F", (NEAR, Free(), Random(), Equal())),
    "flat": Case(TWO, (Equal(), Free(), Free(), Equal()), priors=Priors.mplus()),
    "flat, random": Case(ONE, RANDOM, priors=Priors.mplus(), n_groups=9),
    "raw units": Case(ONE, RANDOM, priors=Priors.blavaan(), n_groups=9),
    **{
        f"{spread}, {name}": Case(TWO, roles, priors=with_spread(spread))
        for spread in SPREADS
        for name, roles in {"free": (NEAR, Free(), Free(), Equal()), "random": RANDOM}.items()
    },
    "flat location": Case(ONE, RANDOM, priors=replace(Priors(), loading=Flat(), log_variance=Flat())),
}


def structural_table(table: ParameterTable, regressions: tuple[tuple[str, str], ...]) -> ParameterTable:
    """Replace covariances of factors by regressions."""
    kept = [r for r in table.rows if not (r.lhs in table.factors and r.op == "~~" and r.lhs != r.rhs)]
    n = table.n_groups
    endless = (float("inf"),) * n
    added = [
        Row(y, "~", x, (None,) * n, ("",) * n, (None,) * n, tuple(-v for v in endless), endless, True, 1, 1)
        for y, x in regressions
    ]
    return replace(table, rows=(*kept, *added))


def compile_case(case: Case, seed: int = 1) -> Posterior:
    """Compile a case for random covariance matrices of groups of 30 to 60, in items' units of .5 to 3."""
    rng = np.random.default_rng(seed)
    syntax = parse_model(case.syntax)
    groups = tuple("abcdefghijklm"[: case.n_groups])
    table = measurement_table(syntax, groups=groups, std_lv=case.std_lv)
    if case.regressions:
        table = structural_table(table, case.regressions)
    p = len(table.observed)
    scale = rng.uniform(0.5, 3.0, size=p)
    n = {group: int(rng.integers(30, 60)) for group in groups}
    rows = {g: (rng.normal(size=(size, p)) + rng.normal(size=(size, 1))) * scale for g, size in n.items()}
    moments = SampleMoments.from_covariances({g: np.cov(x.T) for g, x in rows.items()}, n=n, items=table.observed)
    single = dict(case.single)

    def role_of(model: ModelMap, e: int) -> Role:
        kind = {LAMBDA: 0, THETA: 1, PSI: 2, BETA: 3}[int(model.matrix[e])]
        return single.get(model.entries[e], case.roles[kind])

    return compile_posterior(table, moments, role_of, case.priors, case.means)


def somewhere(posterior: Posterior, seed: int = 2) -> np.ndarray:
    """Natural parameters in a sensible region with a density, none of them at a special place."""
    rng = np.random.default_rng(seed)
    centre = central_point(posterior)
    direction = 0.3 * rng.standard_normal(centre.size) * np.maximum(np.abs(centre), 0.3)
    for halvings in range(10):
        x = np.asarray(centre + 0.5**halvings * direction)
        if np.isfinite(density(posterior.problem, x, np.empty_like(x))):
            return x
    raise AssertionError("no density near the centre")


@functools.cache
def compile_named(name: str) -> tuple[Posterior, np.ndarray]:
    """The posterior of a structure, and parameters at which it has a density; tests copy what they change."""
    posterior = compile_case(CASES[name])
    x = somewhere(posterior)
    x.flags.writeable = False
    return posterior, x


@pytest.fixture(params=list(CASES))
def case(request: pytest.FixtureRequest) -> tuple[Posterior, np.ndarray]:
    """Every structure."""
    posterior, x = compile_named(request.param)
    return posterior, x.copy()


@pytest.fixture
def compiled() -> Callable[[str], tuple[Posterior, np.ndarray]]:
    """A function from the name of a structure to its posterior and parameters."""
    return lambda name: (compile_named(name)[0], compile_named(name)[1].copy())
