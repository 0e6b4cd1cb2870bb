"""Families of responses of estimating equations, by our names and statsmodels'."""

from __future__ import annotations

import reprlib
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError, OptionError, did_you_mean
from ..designs.design import ResponseReader
from ..estimates import MixedEstimates

__all__ = ["MarginalFamily", "family_of", "reader_of", "require_one_of", "require_responses"]

Array = NDArray[np.float64]

#: Names of the families, and of their links, the usual one first: what statsmodels calls them.
FAMILIES: dict[str, tuple[str, dict[str, str]]] = {
    "gaussian": ("Gaussian", {"identity": "Identity", "log": "Log", "inverse": "InversePower"}),
    "binomial": (
        "Binomial",
        {"logit": "Logit", "probit": "Probit", "cloglog": "CLogLog", "cauchit": "Cauchy", "log": "Log"},
    ),
    "poisson": ("Poisson", {"log": "Log", "identity": "Identity", "sqrt": "Sqrt"}),
    "gamma": ("Gamma", {"log": "Log", "inverse": "InversePower", "identity": "Identity"}),
    "inverse gaussian": (
        "InverseGaussian",
        {"log": "Log", "1/mu^2": "InverseSquared", "inverse": "InversePower", "identity": "Identity"},
    ),
    "negative binomial": ("NegativeBinomial", {"log": "Log"}),
}


@dataclass(frozen=True)
class MarginalFamily:
    """A family with its link.

    Attributes
    ----------
    name, link
        Their names.
    size
        The size of a negative binomial response.
    """

    name: str
    link: str
    size: float | None = None

    def made(self) -> Any:
        """The family of statsmodels."""
        from statsmodels.genmod import families

        family, links = FAMILIES[self.name]
        link = getattr(families.links, links[self.link])()
        if self.name == "negative binomial":
            return families.NegativeBinomial(link, alpha=1.0 / float(self.size or 1.0))
        with warnings.catch_warnings():  # of links that can leave the range of the mean, which were asked for
            warnings.simplefilter("ignore")
            return getattr(families, family)(link)


def require_one_of(name: str, value: object, allowed: tuple[str, ...]) -> None:
    """Refuse an argument that is none of the allowed texts."""
    if not isinstance(value, str) or value not in allowed:
        raise OptionError(
            f"{name}={reprlib.repr(value)}",
            allowed=", ".join(allowed),
            todo=did_you_mean(str(value), allowed) or "choose one",
        )


def family_of(model: MixedEstimates | str, family: str | None, link: str | None) -> MarginalFamily:
    """The family: that of a fit, or by its name.

    Raises
    ------
    OptionError
        If there is no such family or link, or one is given beside a fit.
    """
    own = getattr(model, "family", None)
    if isinstance(model, MixedEstimates):
        if family is not None or link is not None:
            raise OptionError("family= or link= beside a fit", allowed="those of the fit", todo="give a formula")
        if own is None:
            return MarginalFamily("gaussian", "identity")
        return MarginalFamily(own.name, own.link.name, own.dispersion)
    if family is not None and not isinstance(family, str):
        raise OptionError(f"family={reprlib.repr(family)}", allowed=", ".join(FAMILIES), todo="give its name")
    name = " ".join((family or "gaussian").lower().replace("_", " ").split())
    require_one_of("family", name, tuple(n for n in FAMILIES if n != "negative binomial"))  # its size comes from a fit
    links = FAMILIES[name][1]
    chosen = next(iter(links)) if link is None else link
    require_one_of("link", chosen, tuple(links))
    return MarginalFamily(name, chosen)


def reader_of(family: MarginalFamily) -> ResponseReader | None:
    """How the response of a formula is read: as `glmer` reads it, two categories and cbind() among it."""
    from ..generalised.family_choice import as_family
    from ..generalised.responses import response_reader

    return None if family.name == "gaussian" else response_reader(as_family(family.name))


def require_responses(y: Array, family: MarginalFamily) -> None:
    """Refuse responses that the family does not have."""
    low, high = float(y.min()), float(y.max())
    allowed = {
        "binomial": (low >= 0.0 and high <= 1.0, "0 and 1, or shares between with the numbers of trials as weights"),
        "poisson": (low >= 0.0, "counts, 0 or more"),
        "negative binomial": (low >= 0.0, "counts, 0 or more"),
        "gamma": (low > 0.0, "positive numbers"),
        "inverse gaussian": (low > 0.0, "positive numbers"),
    }.get(family.name, (True, ""))
    if not allowed[0]:
        raise DataError(f"responses from {low:g} to {high:g} for the {family.name} family", allowed=allowed[1])
