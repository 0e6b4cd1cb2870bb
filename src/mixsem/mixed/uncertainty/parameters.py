"""The parameters of a linear mixed model as its users know them: standard deviations, correlations, fixed effects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...errors import OptionError, did_you_mean, enumerate_briefly

if TYPE_CHECKING:
    from ..engine.model import CompiledMixedModel
    from ..generalised.model import CompiledGeneralisedModel
    from ..require import AnyFit

__all__ = ["Kind", "Model", "Parameter", "choose_parameters", "fitted_values", "parameter_values", "parameters_of"]

Array = NDArray[np.float64]
Kind = Literal["sd", "cor", "sigma", "dispersion", "fixed"]
Model: TypeAlias = "CompiledMixedModel | CompiledGeneralisedModel"


@dataclass(frozen=True)
class Parameter:
    """One parameter.

    Attributes
    ----------
    name
        As lme4 writes it with ``oldNames = FALSE``: ``"sd_Days|Subject"``, ``"cor_Days.(Intercept)|Subject"``,
        ``"sigma"``, ``"Days"``.
    kind
        ``"sd"`` or ``"cor"`` of random effects, ``"sigma"`` (of generalised models ``"dispersion"``, the parameter of
        the family, if it has one), ``"fixed"``.
    term
        Random term; -1 for the other kinds.
    row, column
        Random effects that it belongs to, counted in the term; of fixed effects, `row` is the column of X.
    """

    name: str
    kind: Kind
    term: int = -1
    row: int = 0
    column: int = 0


def parameters_of(model: Model) -> tuple[Parameter, ...]:
    """List the parameters in lme4's order: term after term by columns of the covariance matrix, sigma, fixed effects.

    Examples
    --------
    >>> from mixsem.data import sleepstudy
    >>> from mixsem.mixed.linear import lmer
    >>> fit = lmer("Reaction ~ Days + (Days | Subject)", sleepstudy())
    >>> [p.name for p in parameters_of(fit.model)][1:4]
    ['cor_Days.(Intercept)|Subject', 'sd_Days|Subject', 'sigma']
    """
    found = []
    for t, shape in enumerate(model.theta_map.terms):
        names, group = shape.names, shape.group
        for c, name in enumerate(names):
            found.append(Parameter(f"sd_{name}|{group}", "sd", t, c, c))
            below = range(c + 1, len(names)) if shape.correlated else ()
            found += [Parameter(f"cor_{names[r]}.{name}|{group}", "cor", t, r, c) for r in below]
    family = getattr(model, "family", None)
    if family is None:
        found.append(Parameter("sigma", "sigma"))
    elif family.parameter:
        found.append(Parameter(family.parameter, "dispersion"))
    return tuple(found) + tuple(Parameter(name, "fixed", row=j) for j, name in enumerate(model.design.fixed_names))


def parameter_values(
    model: Model,
    theta: Array,
    sigma: float,
    beta: Array,
    parameters: Sequence[Parameter],
    dispersion: float | None = None,
) -> Array:
    """Values of parameters; correlations are NaN where a standard deviation is 0."""
    lambdas = [model.theta_map.term_lambda(theta, t) for t in range(len(model.theta_map.terms))]
    norms = [np.linalg.norm(lam, axis=1) for lam in lambdas]
    values = np.empty(len(parameters))
    for i, p in enumerate(parameters):
        if p.kind == "fixed":
            values[i] = beta[p.row]
        elif p.kind == "sigma":
            values[i] = sigma
        elif p.kind == "dispersion":
            values[i] = np.nan if dispersion is None else dispersion
        elif p.kind == "sd":
            values[i] = sigma * norms[p.term][p.row]
        else:
            lam, size = lambdas[p.term], norms[p.term][p.row] * norms[p.term][p.column]
            values[i] = np.clip(lam[p.row] @ lam[p.column] / size, -1.0, 1.0) if size > 0.0 else np.nan
    return values


def fitted_values(fit: AnyFit, parameters: Sequence[Parameter]) -> Array:
    """Values of parameters in a fit."""
    dispersion = getattr(fit, "dispersion", None)
    return parameter_values(fit.model, fit.theta, fit.sigma, fit.beta, parameters, dispersion)


def choose_parameters(model: Model, which: str | Sequence[str] | None) -> tuple[Parameter, ...]:
    """Choose parameters: all, ``"fixed"``, ``"random"`` (with sigma), or by name.

    Raises
    ------
    OptionError
        If there is no such parameter.
    """
    every = parameters_of(model)
    if which is None:
        return every
    if isinstance(which, str) and which in ("fixed", "random"):
        return tuple(p for p in every if (p.kind == "fixed") == (which == "fixed"))
    wanted = [which] if isinstance(which, str) else list(which)
    known = [p.name for p in every]
    unknown = [name for name in wanted if name not in known]
    if unknown or not wanted:
        raise OptionError(
            f"which={which!r}",
            allowed=f"'fixed', 'random', or names: {enumerate_briefly(known, 20)}",
            todo=did_you_mean(str(unknown[0]), known) if unknown else "leave which= out for all parameters",
        )
    return tuple(p for p in every if p.name in wanted)
