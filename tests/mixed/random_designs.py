"""Random small designs for mixed models: formulas and data of every shape that users bring."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from hypothesis import strategies as st

__all__ = ["RandomDesign", "random_designs"]

FIXED = ("1", "x", "x + z", "x + f", "x * f", "0 + x", "0 + f + x", "x + I(x ** 2)")
#: Left sides of random terms, and whether the group is written with ``||``.
TERMS = (
    ("1", False),
    ("1", False),
    ("x", False),
    ("0 + x", False),
    ("x", True),
    ("x + z", False),
    ("x + z", True),
    ("f", False),
    ("f", True),
    ("0 + f", False),
    ("1; 0 + z", False),  # two terms of one factor
)
PREDICTORS = ("normal", "normal", "binary", "grid", "nearly constant", "years", "skewed", "by group")
#: Standard deviations of random effects: zero ones make boundary fits.
SPREADS = (0.0, 0.0, 0.1, 0.5, 1.0, 4.0)
SCALES = (1.0, 1.0, 1e-6, 1e-2, 1e3, 1e7)


@dataclass(frozen=True, eq=False)
class RandomDesign:
    """A formula with data.

    Attributes
    ----------
    formula
        The model.
    frame
        The data, with columns y, x, z, f, grouping factors g0, g1, ..., w and o.
    groups
        Grouping columns.
    weights, offset
        ``"w"`` and ``"o"``, or None.
    reml
        How to fit.
    shiftable
        Numeric predictors whose origin does not change the model: every term with them has what takes the shift up.
    seed
        For what a test draws itself.
    """

    formula: str
    frame: pd.DataFrame
    groups: tuple[str, ...]
    weights: str | None
    offset: str | None
    reml: bool
    shiftable: tuple[str, ...]
    seed: int

    def __repr__(self) -> str:
        method, extra = "REML" if self.reml else "ML", [name for name in (self.weights, self.offset) if name]
        return f"<{self.formula}; {len(self.frame)} rows, {method}, {', '.join(extra) or 'plain'}, seed {self.seed}>"


@st.composite
def random_designs(draw: st.DrawFn) -> RandomDesign:
    """Draw a design; what shrinks is the formula, the number of rows and the oddity of the columns."""
    fixed = draw(st.sampled_from(FIXED))
    n_factors = draw(st.sampled_from((1, 1, 2, 2, 3)))
    n = draw(st.integers(14, 120))
    kinds = draw(st.sampled_from(PREDICTORS)), draw(st.sampled_from(PREDICTORS))
    scales = draw(st.sampled_from(SCALES)), draw(st.sampled_from(SCALES)), draw(st.sampled_from(SCALES))
    shift = draw(st.sampled_from((0.0, 0.0, 10.0, 100.0)))
    noise = draw(st.sampled_from((1.0, 1.0, 1.0, 0.03)))
    rounded = draw(st.sampled_from((False, False, False, True)))
    seed = draw(st.integers(0, 2**20))
    rng = np.random.default_rng(seed)
    frame, parents, bars, mean = pd.DataFrame(index=range(n)), [], [], np.zeros(n)
    for f in range(n_factors):
        levels = draw(st.integers(2, 20))
        nested = f > 0 and draw(st.booleans())
        skewed = draw(st.booleans())
        frame[f"g{f}"], group = _codes(rng, n, levels, skewed, parents[-1] if nested else None, f)
        parents.append((group, frame[f"g{f}"].to_numpy()))
        left, uncorrelated = draw(st.sampled_from(TERMS))
        bars += [f"({part} {'||' if uncorrelated else '|'} {group})" for part in left.split("; ")]
    frame["x"], frame["z"] = (_predictor(rng, n, kind, frame["g0"].to_numpy()) for kind in kinds)
    frame["f"] = rng.choice(["p", "q", "r"][: draw(st.integers(2, 3))], n)
    for f, (_, codes) in enumerate(parents):
        _, place = np.unique(codes, return_inverse=True)
        for column in (np.ones(n), _standard(frame["x"]), (frame["f"] == "q").to_numpy()):
            spread = draw(st.sampled_from(SPREADS))
            b = spread * rng.normal(size=place.max() + 1)
            shared = b if f == 0 or column[0] == 1 else spread * rng.normal() * np.ones_like(b)
            mean += column * shared[place]
    y = 1.0 + _standard(frame["x"]) + mean + noise * rng.normal(size=n)
    frame["w"] = np.exp(rng.normal(scale=draw(st.sampled_from((0.3, 2.0))), size=n))
    frame["o"] = rng.normal(size=n) * scales[2]
    frame["y"] = ((np.round(y) if rounded else y) + shift) * scales[2]
    frame["x"], frame["z"] = frame["x"] * scales[0], (frame["z"] + shift) * scales[1]
    return RandomDesign(
        formula=f"y ~ {fixed} + " + " + ".join(bars),
        frame=frame,
        groups=tuple(f"g{f}" for f in range(n_factors)),
        weights=draw(st.sampled_from((None, None, "w"))),
        offset=draw(st.sampled_from((None, None, "o"))),
        reml=draw(st.booleans()),
        shiftable=_shiftable(fixed, bars),
        seed=seed,
    )


def _codes(
    rng: np.random.Generator, n: int, levels: int, skewed: bool, parent: tuple[str, np.ndarray] | None, f: int
) -> tuple[np.ndarray, str]:
    """Labels and the text of the group: nested ones have labels of their own, or are written with a colon."""
    shares = rng.dirichlet(np.full(levels, 0.3 if skewed else 20.0))
    labels = rng.choice(levels, n, p=shares)
    if parent is None:
        return labels, f"g{f}"
    if rng.random() < 0.5:
        return labels % 3, f"{parent[0]}:g{f}"
    _, place = np.unique(parent[1], return_inverse=True)
    return place * 100 + labels % 4, f"g{f}"


def _predictor(rng: np.random.Generator, n: int, kind: str, groups: np.ndarray) -> np.ndarray:
    values = rng.normal(size=n)
    if kind == "binary":
        return (values > 0.8).astype(float)
    if kind == "grid":
        return np.arange(n) % 4 * 1.0
    if kind == "nearly constant":
        return np.where(np.arange(n) == n // 2, 1.5, 1.0) + 0.005 * values
    if kind == "years":
        return 1990.0 + rng.integers(0, 12, n)
    if kind == "skewed":
        return np.exp(2 * values)
    if kind == "by group":
        return np.cos(groups.astype(float)) + 0.05 * values
    return values


def _standard(column: pd.Series) -> np.ndarray:
    values = column.to_numpy(dtype=float)
    return (values - values.mean()) / max(values.std(), 1e-300)


def _shiftable(fixed: str, bars: list[str]) -> tuple[str, ...]:
    found = []
    for name in ("x", "z"):
        texts = [bar for bar in bars if name in bar]
        if not any("||" in bar or "0 +" in bar for bar in texts) and not (name in fixed and fixed.startswith("0")):
            found.append(name)
    return tuple(found)
