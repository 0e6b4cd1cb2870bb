"""The problems of `generalised.py`: seeded counts and answers, and a plain dense judge."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, gammaln

from mixed_data import Columns, Problem, codes, group_codes

__all__ = ["PROBLEMS", "GeneralisedProblem", "cbpp_from", "dense_value", "verbagg_from"]

Array = NDArray[np.float64]
NEWTON_STEPS = 100


@dataclass(frozen=True)
class GeneralisedProblem(Problem):
    """A model of one of the canonical links.

    ``trials`` is a column with numbers of trials, ``proportion`` one with successes divided by them, ``successes`` one
    with the successes; empty where the response itself is 0 or 1, or a count.
    """

    family: str = "binomial"
    n_agq: int = 1
    successes: str = ""
    proportion: str = ""
    trials: str = ""

    def formulas(self) -> dict[str, str]:
        """The model in lme4's words, and with a proportion for programs that do not read two columns of counts."""
        formula = super().formulas()["formula"]
        return {"formula": formula, "plain": formula.replace(self.response, self.proportion or self.response)}

    def facts(self) -> dict[str, Any]:
        """Family, nodes, and the column of trials."""
        return {"family": self.family, "n_agq": self.n_agq, "trials": self.trials}

    def shown(self) -> str:
        """The model for a reader."""
        nodes = f"quadrature with {self.n_agq} nodes" if self.n_agq > 1 else "Laplace"
        return f"{super().shown()}, {self.family}, {nodes}"


def answers(rng: np.random.Generator, sizes: tuple[int, ...]) -> Columns:
    """Every person answers every item yes or no: the shape of lme4's VerbAgg."""
    _, persons, items = sizes
    person, item = (grid.ravel().astype(np.int32) for grid in np.mgrid[:persons, :items])
    anger = np.round(rng.normal(20.0, 4.8, persons))
    gender = (rng.random(persons) < 0.25).astype(np.int32)
    btype, situ = (np.arange(items) % 3).astype(np.int32), (np.arange(items) // 3 % 2).astype(np.int32)
    eta = (0.057 * anger + 0.32 * gender + 1.34 * rng.normal(size=persons))[person]
    eta = eta + (0.2 - np.array([0.0, 1.06, 2.1])[btype] - 1.05 * situ + 0.5 * rng.normal(size=items))[item]
    columns = {"Anger": anger[person], "Gender": gender[person], "btype": btype[item], "situ": situ[item]}
    return {"r2": (rng.random(len(eta)) < expit(eta)).astype(float), **columns, "id": person, "item": item}


def herds(rng: np.random.Generator, sizes: tuple[int, ...]) -> Columns:
    """Sick animals of herds in periods: the shape of lme4's cbpp."""
    _, n_herds, n_periods = sizes
    herd, period = (grid.ravel().astype(np.int32) for grid in np.mgrid[:n_herds, :n_periods])
    eta = -1.4 - 0.5 * period + 0.64 * rng.normal(size=n_herds)[herd]
    size = 2 + rng.poisson(13.0, len(eta))
    return counts_of_herds(rng.binomial(size, expit(eta)), size, herd, period)


def counts_of_herds(sick: NDArray[Any], size: NDArray[Any], herd: NDArray[Any], period: NDArray[Any]) -> Columns:
    """The columns that programs read, as numbers of either kind of animal, and as a proportion of the herd."""
    sick, size = np.asarray(sick, float), np.asarray(size, float)
    counts = {"incidence": sick, "healthy": size - sick, "size": size, "prop": sick / size}
    return {**counts, "period": np.asarray(period, np.int32), "herd": np.asarray(herd, np.int32)}


def responses(rng: np.random.Generator, sizes: tuple[int, ...]) -> Columns:
    """With one factor (g) answers of 0 and 1, with two that cross (g, h) counts."""
    n = sizes[0]
    columns: Columns = {"x1": rng.normal(size=n), "x2": rng.normal(loc=2.0, size=n)}
    eta = 0.3 + 0.5 * columns["x1"] - 0.2 * columns["x2"]
    for name, levels, sd in zip("gh", sizes[1:], (0.7, 0.4), strict=False):
        columns[name] = codes(rng, n, levels)
        eta = eta + sd * rng.normal(size=levels)[columns[name]]
    y = rng.poisson(np.exp(eta)) if "h" in columns else rng.random(n) < expit(eta)
    return {"y": y.astype(float), **columns}


def verbagg_from(path: Path) -> Columns:
    """The real answers, from a CSV file with the columns r2 (N or Y), Anger, Gender, btype, situ, id and item."""
    import pandas as pd

    frame = pd.read_csv(path)
    names = ("Gender", "btype", "situ", "id", "item")
    factors = {name: pd.factorize(frame[name], sort=True)[0].astype(np.int32) for name in names}
    return {"r2": (frame["r2"] == "Y").to_numpy(float), "Anger": frame["Anger"].to_numpy(float), **factors}


def cbpp_from(path: Path) -> Columns:
    """The real herds, from a CSV file with the columns incidence, size, period and herd."""
    import pandas as pd

    frame = pd.read_csv(path)
    herd, period = (pd.factorize(frame[name], sort=True)[0] for name in ("herd", "period"))
    return counts_of_herds(frame["incidence"].to_numpy(), frame["size"].to_numpy(), herd, period)


def _cbpp(title: str, n_agq: int) -> GeneralisedProblem:
    shape = (60, 15, 4)
    columns = {"response": "cbind(incidence, healthy)", "successes": "incidence", "proportion": "prop"}
    return GeneralisedProblem(title, "(1 | herd)", herds, shape, shape, "period", n_agq=n_agq, trials="size", **columns)


PROBLEMS = {
    "verbagg": GeneralisedProblem(
        "VerbAgg, 316 × 24",
        "(1 | id) + (1 | item)",
        answers,
        (7584, 316, 24),
        (480, 40, 12),
        "Anger + Gender + btype + situ",
        response="r2",
    ),
    "cbpp": _cbpp("cbpp, 15 herds", 1),
    "cbpp-quadrature": _cbpp("cbpp with quadrature", 9),
    "logistic": GeneralisedProblem(
        "Logistic, 2 × 10⁵ rows, 1,000 groups", "(1 | g)", responses, (2 * 10**5, 1000), (1000, 50)
    ),
    "poisson": GeneralisedProblem(
        "Poisson, 10⁵ rows, 1,000 × 100 crossed",
        "(1 | g) + (1 | h)",
        responses,
        (10**5, 1000, 100),
        (1000, 50, 20),
        family="poisson",
    ),
}


def dense_value(
    problem: GeneralisedProblem,
    columns: Columns,
    factors: dict[str, Sequence[Sequence[float]]],
    fixed: Sequence[float],
) -> float:
    """-2 log-likelihood with all constants, from whole matrices, for few rows.

    ``factors`` are the covariance factors by the name of the grouping, ``fixed`` the fixed effects.
    """
    y = np.asarray(columns[problem.successes or problem.response], float)
    m = np.asarray(columns[problem.trials], float) if problem.trials else np.ones(len(y))
    poisson = problem.family == "poisson"
    fixed_part = _fixed_matrix(problem, columns) @ np.asarray(fixed)
    bars = re.findall(r"\(1 \| ([\w:]+)\)", problem.bars)
    groups = [group_codes(group, columns) for group in bars]
    Z = np.column_stack(
        [
            (code[:, None] == np.arange(code.max() + 1)) * factors[group][0][0]
            for group, code in zip(bars, groups, strict=True)
        ]
    )

    def rows(u: Array) -> Array:
        """Log density of each row."""
        eta = fixed_part + Z @ u
        if poisson:
            return y * eta - np.exp(eta) - gammaln(y + 1)
        return y * eta - m * np.logaddexp(0.0, eta) + gammaln(m + 1) - gammaln(y + 1) - gammaln(m - y + 1)

    u, H = _mode(rows, lambda u: _moments(fixed_part + Z @ u, m, poisson), y, Z)
    if problem.n_agq == 1:
        return float(-2 * rows(u).sum() + u @ u + np.linalg.slogdet(H)[1])
    # One random effect per group: the Hessian is diagonal, and each group has an integral of its own.
    x, w = np.polynomial.hermite.hermgauss(problem.n_agq)
    scale = np.sqrt(2.0 / np.diag(H))
    logs = []
    for node in x:
        at = u + scale * node
        logs.append(np.bincount(groups[0], rows(at)) - at**2 / 2 + node**2)
    integrals = np.einsum("k,kg->g", w, np.exp(np.array(logs))) * scale / np.sqrt(2 * np.pi)
    return float(-2 * np.log(integrals).sum())


def _moments(eta: Array, m: Array, poisson: bool) -> tuple[Array, Array]:
    """Means and variances of the responses."""
    mean = np.exp(eta) if poisson else m * expit(eta)
    return mean, mean if poisson else mean * expit(-eta)


def _mode(rows: Any, moments: Any, y: Array, Z: Array) -> tuple[Array, Array]:
    """The mode of the spherical random effects and the Hessian there, by Newton steps that are halved if too long."""
    u = np.zeros(Z.shape[1])
    value = rows(u).sum()
    for _ in range(NEWTON_STEPS):
        mean, variance = moments(u)
        H = (Z.T * variance) @ Z + np.eye(len(u))
        step = np.linalg.solve(H, Z.T @ (y - mean) - u)
        moved = value
        for _ in range(30):
            moved = rows(u + step).sum() - (u + step) @ (u + step) / 2
            if moved >= value - 1e-12 * abs(value):
                break
            step = step / 2
        u, value = u + step, moved
        if np.abs(step).max() < 1e-10:
            return u, (Z.T * moments(u)[1]) @ Z + np.eye(len(u))
    raise RuntimeError("no mode of the random effects")


def _fixed_matrix(problem: Problem, columns: Columns) -> Array:
    """Intercept, covariates, and levels of factors against the first."""
    n = len(next(iter(columns.values())))
    parts: list[Array] = [np.ones((n, 1))]
    for name in problem.fixed.split(" + "):
        column = columns[name]
        factor = column.dtype == np.int32
        levels = np.arange(1, column.max() + 1) if factor else None
        parts.append((column[:, None] == levels).astype(float) if factor else column[:, None].astype(float))
    return np.hstack(parts)
