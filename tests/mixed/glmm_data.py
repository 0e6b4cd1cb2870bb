"""R's numbers for generalised mixed models (tests/reference/mixed/glmm), and how close to be.

Every case is one fit: ``numbers`` is R's JSON of it (layout: README.md there), ``data`` the frame with R's factors as
categoricals in R's order, ``ours`` turns R's names into ours.
"""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mixsem.errors import MixsemWarning
from mixsem.mixed.generalised.fit import GeneralisedFit
from mixsem.mixed.generalised.glmer import glmer

from .references import FOLDER, our_formula, our_names, read_factors

GLMM = FOLDER / "glmm"

#: Absolute, of -2 log L: R's optima are polished to gradients below 1e-6, where it is flat to 1e-12 or so; what is left
#: is our optimiser's stopping rule.
OBJECTIVE = 1e-7
#: Absolute, of -2 log L at given parameters: R's criterion and ours are the same sums; both modes are good to 1e-10 and
#: the criterion is linear in them only through the determinant.
POINT = 1e-7
#: Relative to 1 + value, of covariance factors and of the logarithm of dispersions: -2 log L within 1e-10 of its
#: minimum leaves them this uncertain.
THETA = 1e-5
#: In standard errors, of coefficients, and relative, of the standard errors: as theta.
FIXEF = 5e-5
#: Relative to the standard deviation of the effects, of conditional modes and their standard deviations: as theta.
MODES = 5e-5
#: Relative to 1 + value, of means, residuals and predictions: they follow the coefficients and modes.
FITTED = 5e-5

#: Names of R's families here -> ours.
FAMILIES = {
    "binomial": "binomial",
    "poisson": "poisson",
    "nbinom": "negative binomial",
    "gamma": "gamma",
    "inverse_gaussian": "inverse gaussian",
    "gaussian": "gaussian",
}


@dataclass(frozen=True, eq=False)
class GlmmCase:
    """One generalised mixed model in R.

    Attributes
    ----------
    dataset, model
        Names of the data set and of the model in it.
    formula
        Our formula.
    family, link
        Our names.
    n_agq
        Nodes of the quadrature: 0, 1 (Laplace) or more.
    weights
        Column of the weights, if there are any.
    numbers
        What R says.
    """

    dataset: str
    model: str
    formula: str
    family: str
    link: Any
    n_agq: int
    weights: str | None
    numbers: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.dataset}-{self.model}"

    @property
    def data(self) -> pd.DataFrame:
        """The data of the model."""
        return read_glmm(self.dataset)

    @property
    def fixed_names(self) -> list[str]:
        """Our names of R's coefficients, in R's order."""
        return our_names(list(self.numbers["beta"]), self.data)

    @property
    def theta(self) -> dict[str, float]:
        """R's covariance factors; names are ours too, as random effects have numeric columns only."""
        return self.numbers["theta"]

    @property
    def new_rows(self) -> pd.DataFrame:
        """Rows to predict, the last of an unknown level."""
        rows = pd.DataFrame(self.numbers["predict"]["rows"])
        known = self.data
        for name in rows.columns:
            if rows[name].dtype == object and "new" not in set(rows[name]):
                rows[name] = pd.Categorical(rows[name], known[name].cat.categories)
        return rows


@lru_cache
def load_glmm(dataset: str) -> dict[str, Any]:
    """The JSON of a data set."""
    return json.loads((GLMM / f"{dataset}.json").read_text(encoding="utf-8"))


@lru_cache
def read_glmm(dataset: str) -> pd.DataFrame:
    """The data frame, factors as categoricals with R's levels."""
    return read_factors(GLMM / f"{dataset}.csv", load_glmm(dataset)["columns"])


@lru_cache
def glmm_cases() -> tuple[GlmmCase, ...]:
    """Every fit of every data set."""
    return tuple(
        GlmmCase(
            dataset,
            model["name"],
            model["formula"] or our_formula(model["r_formula"]),
            FAMILIES[model["family"]],
            model["link"],
            model["n_agq"],
            model["weights"],
            model,
        )
        for dataset in sorted(path.stem for path in GLMM.glob("*.json"))
        for model in load_glmm(dataset)["models"]
    )


def glmm_case(dataset: str, model: str) -> GlmmCase:
    """The fit of a name."""
    return next(case for case in glmm_cases() if (case.dataset, case.model) == (dataset, model))


@lru_cache
def fitted(case: GlmmCase) -> GeneralisedFit:
    """Our fit; boundary fits and rough approximations are among the cases."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MixsemWarning)
        return glmer(
            case.formula, case.data, family=case.family, link=case.link, n_agq=case.n_agq, weights=case.weights
        )


def cases_with(key: str) -> pytest.MarkDecorator:
    """The fits of which R has something, as values of a test's `case`."""
    chosen = [case for case in glmm_cases() if case.numbers[key] is not None]
    assert chosen, key
    return pytest.mark.parametrize("case", chosen, ids=str)


def near(found: object, expected: object, tolerance: float) -> None:
    """Whether numbers agree, relative to 1 + their size."""
    np.testing.assert_allclose(np.asarray(found, float), np.asarray(expected, float), rtol=tolerance, atol=tolerance)
