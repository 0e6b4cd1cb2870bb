"""The numbers of a user's own population, each in its place; what is missing or impossible is refused by name."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeGuard

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelSyntaxError, OptionError, UnsupportedModelError, did_you_mean, enumerate_briefly
from ..syntax.sem import parse_model, parse_parameter
from ..syntax.support import require_measurement_model

if TYPE_CHECKING:
    from ..structural.path_model import PathModel
    from .own import Numbers, OwnPopulation

__all__ = ["Layout", "is_number", "lay_out", "no_residual"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Layout:
    """A population's parameters in the average group.

    Attributes
    ----------
    items, factors
        Names of the p items and q factors.
    owner
        (p,) number of the factor of each item.
    marker
        (p,) whether an item is the first of its factor.
    measurement, structural
        Models to fit. The first loading is fixed to its true value, so that estimates have the population's scale.
    regressions
        (outcome, predictor) of every regression.
    order
        Outcomes in causal order.
    exogenous
        Factors that are no outcomes.
    B
        (K, q, q) regressions.
    loading, unique
        (p,) loadings and unique variances.
    variance
        (q,) total factor variances.
    correlation
        (E, E) correlations of the exogenous factors.
    """

    items: tuple[str, ...]
    factors: tuple[str, ...]
    owner: NDArray[np.int64]
    marker: NDArray[np.bool_]
    measurement: str
    structural: str
    regressions: tuple[tuple[int, int], ...]
    order: tuple[int, ...]
    exogenous: tuple[int, ...]
    B: Array
    loading: Array
    unique: Array
    variance: Array
    correlation: Array


def lay_out(population: OwnPopulation) -> Layout:
    """Read the models and put every number in its place.

    Raises
    ------
    OptionError
        If a number is missing, of nothing in the models, or impossible.
    ModelError, ModelSyntaxError
        If the models cannot be read or used.
    """
    from ..structural.path_model import compile_structural  # it knows of simulated data, which begin here

    measured = _measured(population.measurement)
    factors = tuple(measured)
    path = compile_structural(population.structural, factors)
    _require_plain_structure(population.structural, path, factors)
    items = tuple(item for own in measured.values() for item in own)
    owner = np.repeat(np.arange(len(factors)), [len(own) for own in measured.values()])
    marker = np.append(True, owner[1:] != owner[:-1])
    variance = _by_name(population.factor_variances, "factor_variances", {f: (f,) for f in factors}, above=0.0)
    loading, unique = _measurement_numbers(population, items, factors, owner, variance[owner])
    exogenous = tuple(path.exogenous)
    layout = Layout(
        items=items,
        factors=factors,
        owner=owner,
        marker=marker,
        measurement="\n".join(_scaled(f, measured[f], loading[marker][j]) for j, f in enumerate(factors)),
        structural=population.structural,
        regressions=tuple((int(j), int(i)) for j, i in zip(path.outcome, path.predictor, strict=True)),
        order=tuple(j for block in path.blocks for j in block),
        exogenous=exogenous,
        B=_regressions(population.coefficients, path, len(factors)),
        loading=loading,
        unique=unique,
        variance=variance,
        correlation=_correlation_matrix(population.correlations, [factors[e] for e in exogenous]),
    )
    _require_residual_variance(layout)
    return layout


def is_number(value: object) -> TypeGuard[float]:
    """Whether this is a finite number."""
    real = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    return real and math.isfinite(float(value))  # type: ignore[arg-type]


def no_residual(layout: Layout, cluster: int, outcome: int, explained: float, variance: float) -> OptionError:
    """Say that the regressions of a cluster (from 0) explain all variance of an outcome."""
    parts = [
        f"{layout.factors[outcome]} ~ {layout.factors[i]} = {layout.B[cluster, j, i]:g}"
        for j, i in layout.regressions
        if j == outcome
    ]
    return OptionError(
        f"{layout.factors[outcome]} has no residual variance left in cluster {cluster + 1}: its regressions"
        f" ({', '.join(parts)}) explain {explained:.3g} of its variance of {variance:.3g}",
        allowed="regressions that explain less than the whole variance",
        todo="choose smaller regressions or correlations, or a larger variance of the factor",
    )


def _measured(text: str) -> dict[str, tuple[str, ...]]:
    """Items of every factor."""
    syntax = parse_model(text)
    require_measurement_model(syntax)
    plain = "lines such as 'F =~ x1 + x2 + x3', without numbers, labels or other operators"
    found: dict[str, list[str]] = {}
    owners: dict[str, str] = {}
    if syntax.constraints or syntax.definitions:
        raise UnsupportedModelError("the measurement model of a population has constraints", allowed=plain)
    for term in syntax.terms:
        if term.op != "=~" or term.modifiers.given or term.block is not None:
            raise UnsupportedModelError(
                f"{term.place}: '{term}' in the measurement model of a population",
                allowed=plain,
                todo="numbers come as loadings=, reliability= and loading_variance=",
            )
        if term.rhs in owners:
            raise UnsupportedModelError(
                f"{term.place}: {term.rhs!r} measures {owners[term.rhs]!r} and {term.lhs!r}",
                allowed="one factor per item",
            )
        owners[term.rhs] = term.lhs
        found.setdefault(term.lhs, []).append(term.rhs)
    return {factor: tuple(items) for factor, items in found.items()}


def _require_plain_structure(text: str, path: PathModel, factors: tuple[str, ...]) -> None:
    """Regressions of all factors, without numbers, and nothing else."""
    for term in parse_model(text).terms:
        if term.op != "~" or term.modifiers.given:
            raise UnsupportedModelError(
                f"{term.place}: '{term}' in the structural model of a population",
                allowed="regressions such as 'y ~ x1 + x2', without numbers or labels",
                todo="numbers come as coefficients= and correlations=; residuals do not covary",
            )
    if unused := [f for f in factors if f not in path.factors]:
        raise UnsupportedModelError(
            f"the structural model does not use {enumerate_briefly(unused)}",
            allowed="factors that are outcome or predictor of a regression",
            todo="remove them from the measurement model",
        )


def _scaled(factor: str, items: Sequence[str], first: float) -> str:
    """The line of a factor, whose first loading is fixed; 1 is what it is fixed to anyway."""
    marker = items[0] if first == 1.0 else f"{float(first)!r}*{items[0]}"
    return f"{factor} =~ {' + '.join((marker, *items[1:]))}"


def _measurement_numbers(
    population: OwnPopulation, items: tuple[str, ...], factors: tuple[str, ...], owner: NDArray[np.int64], phi: Array
) -> tuple[Array, Array]:
    """Loadings and unique variances (p,), from what was given of loadings, reliability and unique variances."""
    from .own import RELIABILITY

    places = {item: (factors[f], f"{factors[f]} =~ {item}", item) for item, f in zip(items, owner, strict=True)}
    given = population.reliability
    if given is None and population.loadings is None:
        given = RELIABILITY
    rho = None if given is None else _by_name(given, "reliability", places, above=0.0, below=1.0)
    if population.loadings is None:
        assert rho is not None
        loading = np.asarray(np.sqrt(rho / phi)).round(6)
    else:
        loading = _by_name(population.loadings, "loadings", places)
    if population.unique_variances is not None:
        return loading, _by_name(population.unique_variances, "unique_variances", places, above=0.0)
    if (loading == 0).any():
        raise OptionError(f"the loading of {items[int(np.argmax(loading == 0))]} is 0", allowed="any other number")
    unique = 1.0 - loading**2 * phi if rho is None else loading**2 * phi * (1.0 - rho) / rho
    if (unique <= 0).any():
        j = int(np.argmax(unique <= 0))
        raise OptionError(
            f"the loading {loading[j]:g} leaves {items[j]} of {factors[owner[j]]} no unique variance:"
            f" with a factor variance of {phi[j]:g} it explains all of an item variance of 1",
            allowed="standardized loadings between -1 and 1",
            todo="give reliability= or unique_variances= if the items have other variances than 1",
        )
    return loading, unique


def _by_name(
    given: Numbers,
    option: str,
    places: Mapping[str, tuple[str, ...]],
    *,
    above: float = -np.inf,
    below: float = np.inf,
    missing: str = "add it, or give one number for all",
) -> Array:
    """One number per place; of several names that mean it the last, most specific one counts."""
    allowed = "numbers" if above == -np.inf else f"numbers above {above:g}"
    allowed += "" if below == np.inf else f" and below {below:g}"
    for name, value in given.items() if isinstance(given, Mapping) else (("", given),):
        if not (is_number(value) and above < value < below):
            raise OptionError(f"{option}: {name + ' = ' if name else ''}{value!r}", allowed=allowed)
    if not isinstance(given, Mapping):
        return np.full(len(places), float(given))
    wanted = {_spelled(name): float(value) for name, value in given.items()}
    if len(wanted) < len(given):
        raise OptionError(f"{option} has two numbers for one parameter: {dict(given)!r}", todo="leave out one of them")
    known = {name for names in places.values() for name in names}
    for name in wanted:
        if name not in known:
            raise OptionError(
                f"{name!r} in {option} is nothing that the population has there",
                allowed=enumerate_briefly(sorted(known), 12) if known else "one number",
                todo=did_you_mean(name, known),
            )
    values = []
    for place, names in places.items():
        found = [wanted[name] for name in names if name in wanted]
        if not found:
            raise OptionError(f"no number for {place} in {option}", allowed="a number for each", todo=missing)
        values.append(found[-1])
    return np.array(values)


def _spelled(name: str) -> str:
    """A parameter's name with its blanks as we write them; other names as they are."""
    try:
        lhs, op, rhs = parse_parameter(name)
    except ModelSyntaxError:
        return str(name).strip()
    return f"{lhs} {op} {rhs}"


def _regressions(coefficients: Sequence[Mapping[str, float]], path: PathModel, q: int) -> Array:
    """Place the regressions of every cluster in (K, q, q)."""
    names = {name.replace("~", " ~ "): (name.replace("~", " ~ "),) for name in path.names}
    B = np.zeros((len(coefficients), q, q))
    for k, given in enumerate(coefficients):
        B[k, path.outcome, path.predictor] = _by_name(
            given, f"coefficients of cluster {k + 1}", names, missing="add it; 0 where there is no relation"
        )
    return B


def _correlation_matrix(given: Numbers, exogenous: Sequence[str]) -> Array:
    """Place the correlations in (E, E)."""
    pairs = [(a, b) for b in range(len(exogenous)) for a in range(b)]
    both = [(f"{exogenous[a]} ~~ {exogenous[b]}", f"{exogenous[b]} ~~ {exogenous[a]}") for a, b in pairs]
    matrix = np.eye(len(exogenous))
    values = _by_name(given, "correlations", {names[0]: names for names in both}, above=-1.0, below=1.0)
    for (a, b), value in zip(pairs, values, strict=True):
        matrix[a, b] = matrix[b, a] = value
    if len(matrix) and np.linalg.eigvalsh(matrix)[0] <= 0:
        raise OptionError(
            f"correlations={given!r} of {enumerate_briefly(list(exogenous))} contradict each other",
            allowed="a positive definite correlation matrix",
        )
    return matrix


def _require_residual_variance(layout: Layout) -> None:
    """The average group of every cluster has variance left for the residuals."""
    at = np.array(layout.exogenous)
    scale = np.sqrt(layout.variance[at])
    for k, B in enumerate(layout.B):
        phi = np.zeros_like(B)
        phi[np.ix_(at, at)] = layout.correlation * scale * scale[:, None]
        for j in layout.order:
            phi[j] = phi[:, j] = phi @ B[j]
            explained = float(B[j] @ phi @ B[j])
            phi[j, j] = layout.variance[j]
            if explained >= layout.variance[j]:
                raise no_residual(layout, k, j, explained, layout.variance[j])
