"""R's numbers for linear mixed models (tests/reference/mixed): data, models written our way, and how close to be.

Every case is one fit, by REML or ML, of one model of one data set: ``numbers`` is R's JSON of it (layout: README.md
there), ``data`` the frame with R's factors as categoricals in R's order, ``ours`` turns R's names into ours.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

FOLDER = Path(__file__).parents[1] / "reference" / "mixed"

#: Absolute, of log-likelihoods: R's are evaluated at polished optima, where the likelihood is flat to 1e-10; what is
#: left is the optimiser's own stopping rule.
LOGLIK = 1e-6
#: Absolute, of relative covariance factors: a deviance within 1e-9 of its minimum leaves theta this uncertain.
THETA = 1e-4
#: Nearer to 0 than this, an element of R's theta was put on the boundary.
ZERO = 1e-8
#: Relative (with respect to the standard error for coefficients near 0), of coefficients and standard errors: they
#: move with the square of theta's error, or by a small multiple of it.
FIXEF_RELATIVE = 1e-5
#: Relative, of Satterthwaite and Kenward-Roger degrees of freedom: lmerTest differentiates the deviance numerically.
DF_RELATIVE = 1e-3
#: Of profile limits, relative to the limit's distance from the estimate: the exact limits are good to 1e-7, but the
#: deviance rises linearly there, so that an optimiser's 1e-5 inside the profile shows. lme4's own limits come from
#: splines and are off by up to 1e-2 of that distance.
PROFILE = 1e-3
#: Relative to the residual standard deviation, of conditional modes and their standard deviations: linear in theta.
MODES = 1e-4


@dataclass(frozen=True, eq=False)
class Case:
    """One fit in R.

    Attributes
    ----------
    dataset, model
        Names of the data set and of the model in it.
    method
        ``"REML"`` or ``"ML"``.
    formula
        Our formula.
    weights
        Column of the weights, if there are any.
    subset
        Column that is 1 in the rows to use, if not all are.
    r_formula
        R's formula.
    rename
        R's names of random effects that were fitted as indicator columns -> those the factor would have had.
    numbers
        What R says.
    """

    dataset: str
    model: str
    method: str
    formula: str
    weights: str | None
    subset: str | None
    r_formula: str
    rename: dict[str, str]
    numbers: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.dataset}-{self.model}-{self.method}"

    @property
    def reml(self) -> bool:
        return self.method == "REML"

    @property
    def data(self) -> pd.DataFrame:
        """The rows of this model; R's first five fitted values are those of its first five complete rows."""
        frame = read_data(self.dataset)
        return frame if self.subset is None else frame[frame[self.subset] == 1].reset_index(drop=True)

    @property
    def fixed_names(self) -> list[str]:
        """Our names of R's coefficients, in R's order."""
        return self.ours(list(self.numbers["beta"]))

    def ours(self, names: list[str]) -> list[str]:
        """Our names of columns of a fixed or random part, all of one part: contrasts depend on one another."""
        return our_names([self.rename.get(name, name) for name in names], read_data(self.dataset))

    def random_names(self) -> dict[tuple[str, str], str]:
        """R's (group, random effect) -> our name of the random effect."""
        terms: dict[str, list[str]] = {}
        for modes in self.numbers["modes"]:
            terms.setdefault(modes["group"], []).append(modes["term"])
        return {
            (group, name): our
            for group, names in terms.items()
            for name, our in zip(names, self.ours(names), strict=True)
        }

    def theta(self) -> dict[str, float]:
        """Theta under our names, without terms whose covariances do not determine it (a zero before the last row)."""
        stored, known = self.numbers["theta"], self.random_names()
        found: dict[str, float] = {}
        for block in self.numbers["varcorr"]["blocks"]:
            group, names = block["group"], block["cov"]["rows"]
            if all(stored[f"{group}.{name}"] > ZERO for name in names[:-1]):
                pairs = [(a, b) for i, a in enumerate(names) for b in names[i:]]
                for a, b in pairs:
                    key, our = (a, known[group, a]) if a == b else (f"{b}.{a}", f"{known[group, b]}.{known[group, a]}")
                    found[f"{group}.{our}"] = stored[f"{group}.{key}"]
        return found


@dataclass(frozen=True, eq=False)
class ResidualCase:
    """One fit of nlme's lme with a structured residual: variances by the levels of `by`, AR(1) along `time`."""

    dataset: str
    model: str
    method: str
    formula: str
    group: str
    by: str | None
    time: str | None
    numbers: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.dataset}-{self.model}-{self.method}"

    @property
    def reml(self) -> bool:
        return self.method == "REML"

    @property
    def data(self) -> pd.DataFrame:
        return read_data(self.dataset)


def datasets() -> list[str]:
    """Names of the data sets; other files of the folder have no models."""
    return sorted(path.stem for path in FOLDER.glob("*.json") if "models" in load(path.stem))


@lru_cache
def load(dataset: str) -> dict[str, Any]:
    """The JSON of a data set."""
    return json.loads((FOLDER / f"{dataset}.json").read_text(encoding="utf-8"))


@lru_cache
def read_data(dataset: str) -> pd.DataFrame:
    """The data frame, factors as categoricals with R's levels."""
    return read_factors(FOLDER / f"{dataset}.csv", load(dataset)["columns"])


def read_factors(path: Path, columns: dict[str, Any]) -> pd.DataFrame:
    """A data frame of numbers, and of factors as categoricals with R's levels."""
    text = pd.read_csv(path, dtype=str)
    return pd.DataFrame(
        {
            name: pd.Categorical(text[name], column["levels"])
            if column["type"] == "factor"
            else text[name].astype(float)
            for name, column in columns.items()
        }
    )


def cases(*names: str) -> list[Case]:
    """Every lmer fit, of all data sets or of those named."""
    return [
        Case(
            dataset,
            model["name"],
            method,
            model["formula"] or our_formula(model["r_formula"]),
            model["weights"],
            model["subset"],
            model["r_formula"],
            model["rename"] or {},
            model[method],
        )
        for dataset in names or datasets()
        for model in load(dataset)["models"]
        for method in ("REML", "ML")
    ]


def residual_cases(*names: str) -> list[ResidualCase]:
    """Every fit with a structured residual, of all data sets or of those named."""
    return [
        ResidualCase(dataset, fit["name"], method, fit["formula"], fit["group"], fit["by"], fit["time"], fit[method])
        for dataset in names or datasets()
        for fit in load(dataset)["nlme"] or ()
        for method in ("REML", "ML")
    ]


def our_formula(r_formula: str) -> str:
    """R's formula with powers as Python writes them."""
    return r_formula.replace("^", " ** ")


def our_names(names: list[str], frame: pd.DataFrame) -> list[str]:
    """R's column names (``"Aq:x"``) as formulaic writes them (``"A[T.q]:x"``, or ``"A[q]:x"`` where all levels are)."""
    levels = {
        f"{column}{level}": (column, str(level))
        for column in frame.columns
        if isinstance(frame[column].dtype, pd.CategoricalDtype)
        for level in frame[column].cat.categories
    }
    split = [[levels.get(part, (part, None)) for part in name.split(":")] for name in names]
    full = {
        (tuple(column for column, _ in parts), i)
        for parts in split
        for i, (column, level) in enumerate(parts)
        if level is not None and level == str(frame[column].cat.categories[0])
    }

    def text(parts: list[tuple[str, str | None]], i: int) -> str:
        column, level = parts[i]
        if level is None:
            return our_formula(column)
        return f"{column}[{level}]" if (tuple(c for c, _ in parts), i) in full else f"{column}[T.{level}]"

    return [":".join(text(parts, i) for i in range(len(parts))) for parts in split]


def matrix(stored: dict[str, Any]) -> np.ndarray:
    """A stored matrix; R's NA becomes NaN."""
    return np.array(stored["values"], dtype=float).reshape(len(stored["rows"]), len(stored["cols"]))


def vector(stored: dict[str, Any] | list[Any]) -> np.ndarray:
    """A stored vector, named or not; R's NA becomes NaN."""
    return np.array(list(stored.values()) if isinstance(stored, dict) else stored, dtype=float)


def table(stored: dict[str, Any]) -> pd.DataFrame:
    """A stored data frame; its row names, if kept, become the index."""
    frame = pd.DataFrame(stored)
    return frame.set_index("row") if "row" in frame else frame
