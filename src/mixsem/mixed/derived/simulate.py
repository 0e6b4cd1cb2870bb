"""Simulated responses: from a fit, and from a design and parameters without one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...data.columns import FrameLike
from ...errors import OptionError
from ...options import require_seed, require_whole
from ..designs.design import read_design
from ..designs.rows import open_frame
from ..engine.theta import TermShape, ThetaMap, theta_map
from ..formulas.formula import MixedFormula, parse_formula
from ..structure.residual_rows import correlate
from .simulation_parameters import as_parameters, draw_family, relative_factors, require_family

if TYPE_CHECKING:
    import pandas as pd

    from ..designs.design import Design
    from ..fit import MixedFit
    from ..generalised.families import Family
    from ..generalised.links import LinkName

__all__ = ["SimulatedRandom", "draw_random_part", "simulate_fit", "simulate_mixed"]

Array = NDArray[np.float64]
SimulatedRandom = Literal["new", "conditional"]


def simulate_fit(fit: MixedFit, n: int, seed: int | None, random: SimulatedRandom) -> Array:
    """Simulate responses of a fit; see `MixedFit.simulate`."""
    _check(n, seed, fit.sigma)
    if random not in ("new", "conditional"):
        raise OptionError(f"random={random!r}", allowed='"new", "conditional"')
    design, generator = fit.design, np.random.default_rng(seed)
    mean = fit.fitted if random == "conditional" else fit.fixed_part
    lambdas = fit.model.theta_map.lambdas(fit.theta)
    drawn = np.empty((design.n, n))
    for i in range(n):
        drawn[:, i] = mean
        if random == "new":
            drawn[:, i] += fit.sigma * draw_random_part(design, fit.model.theta_map, lambdas, generator)
        drawn[:, i] += correlate(fit.model, fit.sigma * generator.standard_normal(design.n))
    return drawn


def simulate_mixed(
    formula: str | MixedFormula,
    data: FrameLike,
    *,
    beta: Mapping[str, float] | ArrayLike,
    theta: Mapping[str, float] | ArrayLike | None = None,
    varcorr: Mapping[str, ArrayLike] | None = None,
    sigma: float = 1.0,
    family: str | Family | None = None,
    link: LinkName | None = None,
    dispersion: float | None = None,
    n: int = 1,
    seed: int | None = None,
    weights: str | ArrayLike | None = None,
    offset: str | ArrayLike | None = None,
) -> Array:
    """Simulate responses from a design and parameters, without a fit.

    Parameters
    ----------
    formula
        The model; its response need not be in the table.
    data
        A table with predictors and grouping variables.
    beta
        Fixed effects, in the order of the columns or by their names, such as ``{"(Intercept)": 250, "Days": 10}``.
    theta
        Elements of the relative covariance factors in lme4's order, or by their names, such as
        ``{"Subject.(Intercept)": 1}``. With random intercepts alone: their standard deviation divided by `sigma`.
    varcorr
        Instead of theta, for each random term by its grouping factor (``"Subject.1"`` for the second term of one, as
        `VarCorr` has it): a covariance matrix, or standard deviations of random effects that do not covary, such as
        ``{"Subject": [24, 6]}`` or ``{"Subject": [[576, 14], [14, 36]]}``.
    sigma
        Residual standard deviation; of responses of a `family` there is none.
    family, link
        Family of the responses and its link, such as ``"poisson"``, for a generalised model: `beta` and `theta` are
        those of the linear predictor. Normal responses with identity link if left out.
    dispersion
        The family's own parameter: dispersion of Gamma and inverse Gaussian responses, size of negative binomial ones.
    n
        Number of simulations.
    seed
        Makes draws repeatable.
    weights, offset
        As in `lmer`; weights of a binomial family are numbers of trials, and responses are proportions.

    Returns
    -------
    NDArray
        (rows of the table, n) responses; NaN in rows where a variable is missing.

    Raises
    ------
    OptionError
        If there are other numbers of parameters than the model has, or other names.

    Examples
    --------
    >>> design = {"g": [1, 1, 2, 2, 3, 3], "x": [0, 1, 0, 1, 0, 1]}
    >>> y = simulate_mixed("y ~ x + (1 | g)", design, beta=[10, 2], theta=[0.5], sigma=1.0, n=1000, seed=1)
    >>> y.shape, y.mean(axis=1).round(1)[:2]
    ((6, 1000), array([10., 12.]))
    >>> simulate_mixed("y ~ x + (1 | g)", design, beta=[1, 0.5], varcorr={"g": 0.5}, family="poisson", seed=1)[:, 0]
    array([5., 3., 3., 9., 3., 5.])
    """
    _check(n, seed, sigma)
    chosen = require_family(family, link, dispersion, sigma)
    parsed, table = _without_response(formula, data, [name for name in (weights, offset) if isinstance(name, str)])
    design = read_design(parsed, table, weights, offset, check=False)
    where = theta_map([TermShape(t.factor, design.factors[t.factor].name, t.names, t.correlated) for t in design.terms])
    fixed, relative = as_parameters("beta", beta, design.fixed_names), relative_factors(where, theta, varcorr, sigma)
    generator, lambdas = np.random.default_rng(seed), where.lambdas(relative)
    mean = design.X @ fixed if design.offset is None else design.X @ fixed + design.offset
    sd = 1.0 if design.weights is None else 1.0 / np.sqrt(design.weights)
    drawn = np.full((design.n_rows, n), np.nan)
    at = slice(None) if design.rows is None else design.rows
    for i in range(n):
        b = draw_random_part(design, where, lambdas, generator)
        if chosen is None:
            drawn[at, i] = mean + sigma * (b + sd * generator.standard_normal(design.n))
        else:
            drawn[at, i] = draw_family(chosen, mean + b, design.weights, generator)
    return drawn


def draw_random_part(
    design: Design, where: ThetaMap, lambdas: Sequence[Array], generator: np.random.Generator
) -> Array:
    """Z b of new random effects, for sigma = 1."""
    total, drawn = np.zeros(design.n), []
    for factor, relative in zip(design.factors, lambdas, strict=True):
        drawn.append(generator.standard_normal((len(factor.levels), len(relative))) @ relative.T)
    for t, term in enumerate(design.terms):
        rows = drawn[term.factor][:, where.places(t)][design.factors[term.factor].codes]
        total += rows[:, 0] if term.Z is None else (term.Z * rows).sum(axis=1)
    return total


def _without_response(
    formula: str | MixedFormula, data: FrameLike, named: Sequence[str]
) -> tuple[MixedFormula, pd.DataFrame]:
    """The formula and its table with a response that is there and never missing."""
    parsed = formula if isinstance(formula, MixedFormula) else parse_formula(formula)
    placeholder = "response"
    while placeholder in parsed.variables or placeholder in named:
        placeholder += "_"
    parsed = replace(parsed, response=placeholder)
    wanted = [name for name in dict.fromkeys([*parsed.variables, *named]) if name != placeholder]
    return parsed, open_frame(data, wanted).assign(**{placeholder: 0.0})


def _check(n: object, seed: object, sigma: object) -> None:
    require_whole("n", n, 1)
    if isinstance(sigma, bool) or not isinstance(sigma, int | float) or not 0.0 <= sigma < np.inf:
        raise OptionError(f"sigma={sigma!r}", allowed="a number, 0 or more")
    require_seed(seed)
