"""The variance of one observation on the scale of the linear predictor, where residuals have no variance of their own.

Nakagawa, Johnson & Schielzeth (2017), doi 10.1098/rsif.2017.0213.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from ...errors import ModelError, OptionError, did_you_mean

if TYPE_CHECKING:
    from ..generalised.families import Family
    from ..generalised.fit import GeneralisedFit

__all__ = ["METHODS", "LatentMethod", "latent_variance", "methods_for", "observation_variance", "typical_mean"]

LatentMethod = Literal["theoretical", "delta", "lognormal", "trigamma"]
METHODS: tuple[LatentMethod, ...] = ("theoretical", "delta", "lognormal", "trigamma")

#: Variances of the distributions that links of binary responses stand for: logistic, normal, extreme value.
THEORETICAL = {"logit": np.pi**2 / 3.0, "probit": 1.0, "cloglog": np.pi**2 / 6.0}
#: Of Gauss-Hermite quadrature; the mean of a logistic function over a normal distribution is smooth.
POINTS = 51


def latent_variance(fit: GeneralisedFit, method: str | None, function: str) -> tuple[float, str]:
    """Variance of one observation of a generalised model, and how it was found.

    Parameters
    ----------
    fit
        A generalised mixed model.
    method
        How; None is refused, for it is a convention.
    function
        Name of the function that asks.

    Raises
    ------
    ModelError
        If no method is named, or the one named is not for this family and link.
    """
    family = fit.family
    link, possible = family.link.name, methods_for(family)
    if method is not None and method not in METHODS:
        raise OptionError(
            f"method={method!r}",
            allowed=", ".join(map(repr, METHODS)),
            todo=did_you_mean(str(method), METHODS) or "choose one",
        )
    if method not in possible:
        what = "" if method is None else f" with method={method!r}"
        raise ModelError(
            f"{function}() of a {family.name} model with {link} link{what}: on the predictor's scale the variance of"
            " a single observation is a convention, not an estimate",
            allowed=", ".join(f'method="{name}"' for name in possible),
            todo="name one of these methods, and report it with the result",
        )
    if method == "theoretical":
        return THEORETICAL[link], f"that of the distribution behind the {link} link"
    mu = typical_mean(fit)
    return observation_variance(family, mu, method), f"by the {method} method at the mean {mu:.4g} of the null model"


def methods_for(family: Family) -> tuple[LatentMethod, ...]:
    """Methods that there are for a family with its link.

    Examples
    --------
    >>> from mixsem.mixed.generalised.family_choice import as_family
    >>> methods_for(as_family("binomial")), methods_for(as_family("poisson"))
    (('theoretical', 'delta'), ('delta', 'lognormal', 'trigamma'))
    """
    if family.name == "binomial":
        return ("theoretical", "delta") if family.link.name in THEORETICAL else ("delta",)
    return ("delta", "lognormal", "trigamma") if family.link.name == "log" else ("delta",)


def observation_variance(family: Family, mu: float, method: str) -> float:
    """Variance of an observation with mean mu on the scale of the link.

    Parameters
    ----------
    family
        A family with its link, and a value of its parameter if it has one. Binomial responses are single trials.
    mu
        Mean of the response.
    method
        ``"delta"``: variance by the squared derivative of the link. ``"lognormal"``: log(1 + c), and ``"trigamma"``:
        trigamma(1 / c), with c the squared coefficient of variation.

    Examples
    --------
    >>> from mixsem.mixed.generalised.family_choice import as_family
    >>> observation_variance(as_family("poisson"), 4.0, "delta")
    0.25
    >>> round(observation_variance(as_family("binomial"), 0.5, "delta"), 6)
    4.0
    """
    at = np.array([mu])
    variance = float(family.variance(at, 1.0 if family.dispersion is None else family.dispersion)[0])
    if method == "delta":
        slope = float(family.link.terms(family.link.forward(at)).first[0])  # of the mean by the predictor
        return variance / slope**2
    ratio = variance / mu**2
    if method == "lognormal":
        return float(np.log1p(ratio))
    from scipy.special import polygamma

    return float(polygamma(1, 1.0 / ratio))


def typical_mean(fit: GeneralisedFit) -> float:
    """Mean of the response in the null model: random effects as in the fit, no predictor but the intercept.

    The inverse link is averaged over the normal distribution of the random effects, their variance being the mean over
    the rows, and over offsets: for a log link exp(b0 + v/2), as Nakagawa et al. (2017) advise. insight 0.19 takes the
    inverse link of b0 alone.
    """
    design, null = fit.design, _null_model(fit)
    variance = sum(term.mean_variance for term in null.varcorr.terms)
    offset = np.zeros(1) if design.offset is None else design.offset
    nodes, weights = np.polynomial.hermite_e.hermegauss(POINTS)
    eta = float(null.beta[0]) + offset[:, None] + np.sqrt(variance) * nodes
    means = fit.family.link.inverse(eta) @ (weights / weights.sum())
    return float(means.mean())


def _null_model(fit: GeneralisedFit) -> GeneralisedFit:
    """The model without predictors but the intercept."""
    from ..generalised.glmer import fit_generalised
    from ..generalised.model import compile_generalised

    if fit.design.fixed_names == ("(Intercept)",):
        return fit
    ones, names = np.ones((fit.nobs, 1)), ("(Intercept)",)
    design = replace(fit.design, X=ones, fixed_names=names, fixed_terms={names[0]: (0,)}, dropped_columns=())
    return fit_generalised(fit.specification, compile_generalised(design, fit.specification.family), None)
