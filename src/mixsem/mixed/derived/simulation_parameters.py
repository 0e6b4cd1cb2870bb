"""Parameters of a simulation: by name or in order, covariances for theta, families of responses."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import OptionError, enumerate_briefly
from ..engine.theta import ThetaMap
from ..inputs import as_numbers

if TYPE_CHECKING:
    from ..generalised.families import Family

__all__ = ["as_parameters", "draw_family", "relative_factors", "require_family"]

Array = NDArray[np.float64]

#: Eigenvalues of a covariance matrix may be as far below 0, relative to the largest: rounding.
NEGATIVE = 1e-10


def as_parameters(what: str, given: Mapping[str, float] | ArrayLike, names: Sequence[str]) -> Array:
    """Parameters in order.

    Examples
    --------
    >>> as_parameters("beta", {"x": 2, "(Intercept)": 1}, ["(Intercept)", "x"])
    array([1., 2.])
    """
    if isinstance(given, Mapping):
        wrong = [name for name in (*given, *names) if (name in given) != (name in names)]
        if wrong:
            raise OptionError(
                f"{what}: {enumerate_briefly(list(dict.fromkeys(wrong)))} missing or unknown",
                allowed=enumerate_briefly(names, limit=30),
                todo="give each of these a value",
            )
        given = [given[name] for name in names]
    values = as_numbers(given)
    if values.shape != (len(names),) or not np.isfinite(values).all():
        raise OptionError(
            f"{what}={reprlib.repr(given)}",
            allowed=f"{len(names)} numbers: {enumerate_briefly(names, limit=30)}",
            todo="give all",
        )
    return values


def relative_factors(
    where: ThetaMap,
    theta: Mapping[str, float] | ArrayLike | None,
    varcorr: Mapping[str, ArrayLike] | None,
    sigma: float,
) -> Array:
    """Theta, as given or from covariances.

    Raises
    ------
    OptionError
        If both are given or neither, or covariances are none.
    """
    if (theta is None) == (varcorr is None):
        raise OptionError(
            f"simulate_mixed() got {'neither theta= nor' if theta is None else 'both theta= and'} varcorr=",
            allowed="one of the two",
            todo='give varcorr={"group": standard deviations or a covariance matrix}',
        )
    if theta is not None:
        return as_parameters("theta", theta, where.names)
    if not sigma > 0.0:
        raise OptionError(f"sigma={sigma!r} with varcorr=", allowed="a positive number", todo="give theta=")
    labels = _labels(where)
    given = varcorr if isinstance(varcorr, Mapping) else {}
    if set(given) != set(labels):
        raise OptionError(
            f"varcorr={reprlib.repr(varcorr)}",
            allowed=f"a matrix or standard deviations for each of {', '.join(labels)}",
            todo="name each term by its grouping factor",
        )
    lambdas = [np.zeros((k, k)) for k in where.sizes]
    for t, (label, shape) in enumerate(zip(labels, where.terms, strict=True)):
        lambdas[shape.factor][where.places(t), where.places(t)] = _root(label, given[label], shape.names) / sigma
    return where.from_lambdas(lambdas)


def _labels(where: ThetaMap) -> list[str]:
    """Labels of the terms as in `VarCorr`: further terms of a factor are numbered."""
    groups = [shape.group for shape in where.terms]
    before = [groups[:t].count(group) for t, group in enumerate(groups)]
    return [f"{group}.{times}" if times else group for group, times in zip(groups, before, strict=True)]


def _root(label: str, given: ArrayLike, names: Sequence[str]) -> Array:
    """A matrix M with covariance M M'."""
    values, k = np.atleast_1d(as_numbers(given)), len(names)
    if values.shape == (k,) and np.isfinite(values).all() and (values >= 0.0).all():
        return np.diag(values)
    if values.shape == (k, k) and np.isfinite(values).all() and np.allclose(values, values.T):
        roots, vectors = np.linalg.eigh(values)
        if roots[0] >= -NEGATIVE * max(roots[-1], 0.0):
            return np.asarray(vectors * np.sqrt(np.maximum(roots, 0.0)))
    raise OptionError(
        f"varcorr: {label}={reprlib.repr(given)}",
        allowed=f"{k} standard deviation{'s' * (k > 1)}, or a {k} x {k} covariance matrix: {', '.join(names)}",
        todo="give standard deviations, or a symmetric matrix without negative eigenvalues",
    )


def require_family(family: object, link: object, dispersion: object, sigma: float) -> Family | None:
    """The family of the responses; None for normal ones with identity link.

    Raises
    ------
    OptionError
        If there is no such family, or a parameter is missing, or means nothing for it.
    """
    if family is None:
        for name, given in (("link", link), ("dispersion", dispersion)):
            if given is not None:
                raise OptionError(f"{name}={given!r} without family=", allowed=f"family= with {name}=", todo="name one")
        return None
    from ..generalised.family_choice import as_family

    chosen = as_family(family, link)
    value = chosen.dispersion if dispersion is None else dispersion
    if sigma != 1.0:
        raise OptionError(
            f"sigma={sigma!r} with family={family!r}",
            allowed="dispersion=" if chosen.parameter else "no such parameter",
            todo="leave sigma= out",
        )
    if not chosen.parameter:
        if value is not None:
            raise OptionError(
                f"dispersion={value!r} for {chosen.name}", allowed="families that have it", todo="leave it out"
            )
        return chosen
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 < value < np.inf:
        todo = f"give dispersion=, the {chosen.parameter} of {chosen.name} responses"
        raise OptionError(f"dispersion={value!r} for {chosen.name}", allowed="a positive number", todo=todo)
    return chosen.with_dispersion(float(value))


def draw_family(family: Family, eta: Array, weights: Array | None, generator: np.random.Generator) -> Array:
    """Responses at a linear predictor; weights are numbers of trials, or what they are to the family."""
    mu = family.link.inverse(eta)
    if np.isnan(mu).any():
        raise OptionError(
            f"the linear predictor leaves the range of the {family.link.name} link",
            allowed="parameters with which all means are possible",
            todo="choose other parameters, or another link",
        )
    m = np.ones(len(eta)) if weights is None else weights
    return family.draw(mu, m, 1.0 if family.dispersion is None else family.dispersion, generator)
