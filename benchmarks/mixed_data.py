"""The problems of `mixed.py`: seeded data of the shapes that users of mixed models have, and a plain dense judge.

What `generalised.py` needs of these is here too. Data go to a folder of raw little-endian columns that Python and R
read alike, with a `problem.json` beside them. A factor's column has codes from 0; its levels are the texts 1, 2, ....
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["PROBLEMS", "Columns", "Problem", "codes", "dense_fit", "group_codes", "insteval_from", "store"]

Array = NDArray[np.float64]
#: Columns by name; those of int32 are codes of factors.
Columns = dict[str, NDArray[np.generic]]


@dataclass(frozen=True)
class Problem:
    """A model and how its data are drawn.

    ``sizes`` are the rows, then the levels of each factor; ``small`` the same for the check that takes seconds.
    ``plain`` are the bars without nesting, for programs that do not read it; ``same`` says which of their groupings is
    which of the nested ones (variables in alphabetic order).
    """

    title: str
    bars: str
    draw: Callable[[np.random.Generator, tuple[int, ...]], Columns]
    sizes: tuple[int, ...]
    small: tuple[int, ...]
    fixed: str = "x1 + x2"
    plain: str = ""
    same: dict[str, str] = field(default_factory=dict)
    response: str = "y"

    def formulas(self) -> dict[str, str]:
        """The model in lme4's words, and with every grouping a column of its own."""
        start = f"{self.response} ~ {self.fixed} + "
        return {"formula": start + self.bars, "plain": start + (self.plain or self.bars)}

    def facts(self) -> dict[str, Any]:
        """What else programs need to know."""
        return {}

    def shown(self) -> str:
        """The model for a reader."""
        return f"`{self.formulas()['formula']}`"

    def columns(self, seed: int, *, small: bool) -> Columns:
        """Draw."""
        return self.draw(np.random.default_rng(seed), self.small if small else self.sizes)


def codes(rng: np.random.Generator, n: int, levels: int, weights: Array | None = None) -> NDArray[np.int32]:
    """A factor in random order, every level at least once."""
    shares = None if weights is None else weights / weights.sum()
    rest = rng.choice(levels, n - levels, p=shares) if n > levels else np.empty(0, int)
    drawn = np.concatenate([np.arange(levels), rest])
    return rng.permutation(drawn).astype(np.int32)


def covariates(rng: np.random.Generator, n: int) -> tuple[Columns, Array]:
    """Two covariates, and the response as far as they and noise make it."""
    x1, x2 = rng.normal(size=n), rng.normal(loc=2.0, size=n)
    return {"x1": x1, "x2": x2}, 1.0 + 0.5 * x1 - 0.2 * x2 + rng.normal(size=n)


def intercepts(rng: np.random.Generator, sizes: tuple[int, ...]) -> Columns:
    """One intercept per level of one factor (g) or of two that cross (g, h)."""
    columns, y = covariates(rng, sizes[0])
    for name, levels, sd in zip("gh", sizes[1:], (0.5, 0.3), strict=False):
        columns[name] = codes(rng, sizes[0], levels)
        y = y + sd * rng.normal(size=levels)[columns[name]]
    return {"y": y, **columns}


def slopes(rng: np.random.Generator, sizes: tuple[int, ...]) -> Columns:
    """Correlated intercepts and slopes of x1 per level."""
    columns, y = covariates(rng, sizes[0])
    for name, levels, sd in zip("gh", sizes[1:], (0.7, 0.4), strict=False):
        columns[name] = codes(rng, sizes[0], levels)
        z = rng.normal(size=(2, levels))
        level, slope = sd * z[0], 0.4 * sd * (0.3 * z[0] + 0.9 * z[1])
        y = y + level[columns[name]] + slope[columns[name]] * columns["x1"]
    return {"y": y, **columns}


def nested(rng: np.random.Generator, sizes: tuple[int, ...]) -> Columns:
    """Three levels; b and c count anew within what they are in, ab and abc are the same by their own names."""
    n, n_a, n_ab, n_abc = sizes
    columns, y = covariates(rng, n)
    abc = codes(rng, n, n_abc)
    within_b, within_a = n_abc // n_ab, n_ab // n_a
    ab = (abc // within_b).astype(np.int32)
    columns |= {"a": ab // within_a, "b": ab % within_a, "c": abc % within_b, "ab": ab, "abc": abc}
    for name, levels, sd in (("a", n_a, 0.4), ("ab", n_ab, 0.5), ("abc", n_abc, 0.6)):
        y = y + sd * rng.normal(size=levels)[columns[name]]
    return {"y": y, **columns}


def ratings(rng: np.random.Generator, sizes: tuple[int, ...]) -> Columns:
    """Students rate lecturers, unevenly: the shape of lme4's InstEval."""
    n, students, lecturers, departments = sizes
    s = codes(rng, n, students, rng.gamma(4.0, size=students))
    d = codes(rng, n, lecturers, rng.lognormal(sigma=1.0, size=lecturers))
    dept = rng.integers(departments, size=lecturers).astype(np.int32)[d]
    service = (rng.random(n) < 0.43).astype(np.int32)
    y = 3.28 - 0.07 * service + 0.33 * rng.normal(size=students)[s] + 0.5 * rng.normal(size=lecturers)[d]
    y = y + 0.15 * rng.normal(size=(departments, 2))[dept, service] + 1.18 * rng.normal(size=n)
    return {"y": np.clip(np.round(y), 1, 5), "service": service, "s": s, "d": d, "dept": dept}


def insteval_from(path: Path) -> Columns:
    """The real ratings, from a CSV file with the columns y, service, s, d and dept."""
    import pandas as pd

    frame = pd.read_csv(path)
    factors = {name: pd.factorize(frame[name], sort=True)[0].astype(np.int32) for name in ("service", "s", "d", "dept")}
    return {"y": frame["y"].to_numpy(np.float64), **factors}


RATINGS, FEW_RATINGS = (73_421, 2_972, 1_128, 14), (734, 120, 45, 4)
PROBLEMS = {
    "one": Problem("10⁶ rows, 1,000 groups", "(1 | g)", intercepts, (10**6, 1000), (10**4, 100)),
    "crossed": Problem(
        "10⁶ rows, 1,000 × 100 crossed", "(1 | g) + (1 | h)", intercepts, (10**6, 1000, 100), (10**4, 100, 60)
    ),
    "crossed-large": Problem(
        "10⁶ rows, 5,000 × 1,000 crossed", "(1 | g) + (1 | h)", intercepts, (10**6, 5000, 1000), (10**4, 500, 100)
    ),
    "insteval": Problem("InstEval, 2,972 × 1,128", "(1 | s) + (1 | d)", ratings, RATINGS, FEW_RATINGS, fixed="service"),
    "insteval-dept": Problem(
        "InstEval with dept:service",
        "(1 | s) + (1 | d) + (1 | dept:service)",
        ratings,
        RATINGS,
        FEW_RATINGS,
        fixed="service",
    ),
    "crossed-slopes": Problem(
        "10⁵ rows, crossed slopes 500 × 200", "(x1 | g) + (x1 | h)", slopes, (10**5, 500, 200), (1000, 50, 20)
    ),
    "slopes": Problem("2 × 10⁵ rows, slopes in 20,000 groups", "(x1 | g)", slopes, (2 * 10**5, 20_000), (2000, 200)),
    "nested": Problem(
        "10⁶ rows, 1,000 / 10,000 / 100,000 nested",
        "(1 | a/b/c)",
        nested,
        (10**6, 1000, 10_000, 100_000),
        (1000, 10, 50, 200),
        plain="(1 | a) + (1 | ab) + (1 | abc)",
        same={"ab": "a:b", "abc": "a:b:c"},
    ),
    "ten-million": Problem("10⁷ rows, 10,000 groups", "(1 | g)", intercepts, (10**7, 10_000), (10**5, 100)),
}


def store(problem: Problem, columns: Columns, folder: Path) -> None:
    """Write the columns and what they are."""
    folder.mkdir(parents=True)
    kinds: dict[str, int] = {}
    for name, column in columns.items():
        factor = column.dtype == np.int32
        kinds[name] = int(column.max()) + 1 if factor else 0
        column.astype("<i4" if factor else "<f8").tofile(folder / f"{name}.bin")
    n = len(next(iter(columns.values())))
    record = {"n": n, "levels": kinds, "same": problem.same, **problem.formulas(), **problem.facts()}
    (folder / "problem.json").write_text(json.dumps(record), encoding="utf-8")


def group_codes(group: str, columns: Columns) -> NDArray[np.int64]:
    """The level of each row in a grouping, which may be an interaction."""
    code = np.zeros(len(columns[group.split(":")[0]]), int)
    for name in group.split(":"):
        code = code * (int(columns[name].max()) + 1) + columns[name]
    return code


def dense_fit(
    problem: Problem, columns: Columns, factors: dict[str, Sequence[Sequence[float]]]
) -> tuple[float, Array, float]:
    """REML criterion, fixed effects and residual SD from the whole covariance matrix of the response, for few rows.

    ``factors`` are the relative covariance factors by the name of the grouping.
    """
    n = len(columns["y"])
    X = np.column_stack([np.ones(n), *(columns[name] for name in problem.fixed.split(" + "))]).astype(float)
    V = np.eye(n)
    for left, group in re.findall(r"\((\w+) \| ([\w:]+)\)", problem.plain or problem.bars):
        code = group_codes(group, columns)
        Z = np.ones((n, 1)) if left == "1" else np.column_stack([np.ones(n), columns[left]])
        half = Z @ np.asarray(factors[problem.same.get(group, group)])
        V += np.where(code[:, None] == code, half @ half.T, 0.0)
    L = np.linalg.cholesky(V)
    white = np.linalg.solve(L, np.column_stack([X, columns["y"]]))
    R = np.linalg.qr(white, mode="r")
    p = X.shape[1]
    logdet = 2 * np.log(np.diag(L)).sum() + 2 * np.log(np.abs(np.diag(R)[:p])).sum()
    criterion = logdet + (n - p) * (1 + np.log(2 * np.pi * R[p, p] ** 2 / (n - p)))
    return float(criterion), np.linalg.solve(R[:p, :p], R[:p, p]), float(abs(R[p, p]) / np.sqrt(n - p))
