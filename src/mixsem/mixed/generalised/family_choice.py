"""From names of families and links to a family."""

from __future__ import annotations

import reprlib

from ...errors import OptionError, did_you_mean
from .binomial import Binomial
from .continuous import Gamma, Gaussian, InverseGaussian
from .counts import NegativeBinomial, Poisson
from .families import Family
from .links import LINKS, Link

__all__ = ["FAMILIES", "as_family"]

#: Families by name.
FAMILIES: dict[str, type[Family]] = {
    family.name: family for family in (Binomial, Poisson, NegativeBinomial, Gamma, InverseGaussian, Gaussian)
}
_ALIASES = {
    "bernoulli": "binomial",
    "negativebinomial": "negative binomial",
    "negbinomial": "negative binomial",
    "nbinom2": "negative binomial",
    "inversegaussian": "inverse gaussian",
    "normal": "gaussian",
}


def as_family(family: object, link: object = None) -> Family:
    """A family by its name or as an object, with a link by its name, or its usual one.

    Raises
    ------
    OptionError
        If there is no such family or link, or the link is not one of the family's.
    """
    if isinstance(family, Family):
        return family if link is None else type(family)(_as_link(type(family), link), family.dispersion)
    known = list(FAMILIES)
    if not isinstance(family, str):
        raise OptionError(f"family={reprlib.repr(family)}", allowed=", ".join(known), todo="give a family by its name")
    name = " ".join(family.lower().replace("_", " ").replace(".", " ").replace("-", " ").split())
    name = _ALIASES.get(name.replace(" ", ""), name)
    if name not in FAMILIES:
        todo = did_you_mean(name, known) or "choose one"
        raise OptionError(f"family={family!r}", allowed=", ".join(known), todo=todo)
    kind = FAMILIES[name]
    return kind(_as_link(kind, kind.links[0] if link is None else link))


def _as_link(kind: type[Family], link: object) -> Link:
    name = link.name if isinstance(link, Link) else link
    if not isinstance(name, str) or name not in kind.links:
        raise OptionError(
            f"link={reprlib.repr(link)} for {kind.name} responses",
            allowed=", ".join(kind.links),
            todo=did_you_mean(name, kind.links) if isinstance(name, str) else "give a link by its name",
        )
    return LINKS[name]
