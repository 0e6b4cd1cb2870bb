"""The data and models of `sem.py`. Data are simulated with fixed seeds, so that stored numbers stay comparable."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

import mixsem as mx

__all__ = ["CASES", "FEW", "INCOMPLETE", "MANY", "Case", "draw_groups", "even_model"]

#: How many times faster than lavaan we claim to be: with one or two groups, with missing values, with many groups.
FEW, INCOMPLETE, MANY = 3.0, 10.0, 30.0
HS = "visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6\nspeed =~ x7 + x8 + x9"
CURVE = "i =~ 1*t1 + 1*t2 + 1*t3 + 1*t4\ns =~ 0*t1 + 1*t2 + 2*t3 + 3*t4\ni ~ x1 + x2\ns ~ x1 + x2"


def even_model(n_items: int, n_factors: int) -> str:
    """Items divided evenly over factors."""
    parts = np.array_split(np.arange(1, n_items + 1), n_factors)
    return "\n".join(f"F{q} =~ " + " + ".join(f"x{j}" for j in part) for q, part in enumerate(parts, start=1))


def draw_groups(
    n_groups: int, n: int, n_items: int, n_factors: int, *, missing: float = 0.0, spread: float = 0.0, seed: int
) -> pd.DataFrame:
    """Rows of many groups with equal loadings, or such that differ by ``spread``, and nearly equal intercepts."""
    rng = np.random.default_rng(seed)
    owner = np.concatenate([[q] * len(p) for q, p in enumerate(np.array_split(np.arange(n_items), n_factors))])
    loading = rng.uniform(0.6, 1.0, n_items)
    frames = []
    for g in range(n_groups):
        root = rng.normal(size=(30, n_factors)) / np.sqrt(30)
        Phi = root.T @ root + 0.3
        eta = rng.normal(size=(n, n_factors)) @ np.linalg.cholesky(Phi).T + 0.3 * rng.normal(size=n_factors)
        own = loading + (spread * rng.normal(size=n_items) if spread else 0.0)
        x = eta[:, owner] * own + rng.normal(size=(n, n_items)) * rng.uniform(0.5, 0.8, n_items)
        x += 0.05 * rng.normal(size=n_items)
        frame = pd.DataFrame(x.round(4), columns=[f"x{j}" for j in range(1, n_items + 1)])
        frames.append(frame.assign(group=f"g{g:03d}"))
    data = pd.concat(frames, ignore_index=True)
    if missing:
        items = data.columns.drop("group")
        data[items] = data[items].mask(rng.random((len(data), n_items)) < missing)
    return data


def draw_curves(n: int, seed: int) -> pd.DataFrame:
    """Four occasions of growth with two covariates."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 2))
    level = 0.6 + x @ [0.6, 0.6] + rng.normal(size=n)
    slope = 1.0 + x @ [0.3, 0.5] + 0.5 * rng.normal(size=n)
    t = {f"t{j + 1}": level + j * slope + 0.8 * rng.normal(size=n) for j in range(4)}
    return pd.DataFrame({**t, "x1": x[:, 0], "x2": x[:, 1]}).round(4)


def holes(data: pd.DataFrame, share: float, seed: int) -> pd.DataFrame:
    """The same data with values missing at random."""
    rng = np.random.default_rng(seed)
    items = [f"x{j}" for j in range(1, 10)]
    data = data[items].copy()
    data[items] = data[items].mask(rng.random(data[items].shape) < share)
    return data


@dataclass(frozen=True)
class Case:
    """One comparison: data, model and options by all programs' names.

    ``semopy`` says whether it can do the same; ``long`` that lavaan takes minutes.
    """

    title: str
    data: Callable[[], pd.DataFrame]
    model: str
    call: str = "cfa"
    options: Mapping[str, Any] = field(default_factory=dict)
    limit: float = FEW
    semopy: bool = False
    long: bool = False


HOLZINGER = mx.data.holzinger_swineford_1939
KINDS = ("loadings", "intercepts", "residuals")


def _survey() -> pd.DataFrame:
    return draw_groups(63, 730, 11, 2, seed=63)


def _equal(*kinds: str) -> dict[str, Any]:
    return {"group": "group", "group_equal": list(kinds)}


CASES: dict[str, Case] = {
    "hs": Case("three factors of nine tests, 301 people", HOLZINGER, HS, semopy=True),
    "wide": Case(
        "four factors of 20 items, 2,000 people",
        lambda: draw_groups(1, 2000, 20, 4, seed=20).drop(columns="group"),
        even_model(20, 4),
        semopy=True,
    ),
    "hs-mlr": Case("nine tests, robust (MLR)", HOLZINGER, HS, options={"estimator": "MLR"}),
    "hs-fiml": Case(
        "nine tests, a fifth of the answers missing",
        lambda: holes(HOLZINGER(), 0.2, 1),
        HS,
        options={"missing": "ml"},
        limit=INCOMPLETE,
    ),
    "growth": Case("growth, 4 occasions, 400 people", lambda: draw_curves(400, 4), CURVE, "growth"),
    "metric-24x20": Case(
        "24 groups of 200, 20 items, equal loadings",
        lambda: draw_groups(24, 200, 20, 4, seed=24),
        even_model(20, 4),
        options=_equal("loadings"),
        limit=MANY,
    ),
    "fiml-12x9": Case(
        "12 groups of 100, 9 items, equal loadings, a fifth missing",
        lambda: draw_groups(12, 100, 9, 3, missing=0.2, seed=9),
        even_model(9, 3),
        options={**_equal("loadings"), "missing": "ml"},
        limit=MANY,
    ),
} | {
    f"63x11-{name}": Case(
        f"63 groups of 730, 11 items, equal: {', '.join(KINDS[:k]) or 'nothing'}",
        _survey,
        even_model(11, 2),
        options=_equal(*KINDS[:k]),
        limit=MANY,
        long=True,
    )
    for k, name in enumerate(("configural", "loadings", "intercepts", "residuals"))
}
