"""The sources of the variance of a response: fixed effects, random terms, residuals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from ...errors import OptionError
from ..estimates import MixedEstimates
from ..fit import MixedFit
from ..judgement.singular import TOLERANCE
from ..penalties.penalised import penalised_words

if TYPE_CHECKING:
    from ..derived.varcorr import TermVariance
    from ..designs.random_part import RandomTerm
    from ..generalised.fit import GeneralisedFit

__all__ = ["AnyFit", "Sources", "has_slopes", "require_mixed", "residual_notes", "sources_of", "zero_notes"]


AnyFit: TypeAlias = "MixedFit | GeneralisedFit"


@dataclass(frozen=True, eq=False)
class Sources:
    """Variances of a row of the response, averaged over the rows of the fit.

    Attributes
    ----------
    fixed
        Sample variance of X beta, with divisor n - 1; known offsets are no part of it.
    terms
        The random terms in order; `mean_variance` is what each adds.
    dispersion
        For each term whether every row is its own level: of a generalised model such a term is overdispersion, part of
        what is left over.
    residual
        Residual variance, or that of a single observation on the scale of the linear predictor.
    """

    fixed: float
    terms: tuple[TermVariance, ...]
    dispersion: tuple[bool, ...]
    residual: float

    @property
    def random(self) -> float:
        """Variance of the random effects, without overdispersion."""
        return self._terms(False)

    @property
    def rest(self) -> float:
        """What neither fixed nor random effects account for."""
        return self.residual + self._terms(True)

    @property
    def total(self) -> float:
        """All of it."""
        return self.fixed + self.random + self.rest

    def _terms(self, dispersion: bool) -> float:
        pairs = zip(self.terms, self.dispersion, strict=True)
        return sum(term.mean_variance for term, own_rows in pairs if own_rows == dispersion)


def sources_of(fit: AnyFit, residual: float | None = None) -> Sources:
    """The sources of a fit.

    Parameters
    ----------
    fit
        A mixed model.
    residual
        Variance of an observation of a generalised model; linear models have their own.
    """
    design, varcorr = fit.design, fit.varcorr
    centred = design.X - design.X.mean(axis=0)  # a constant column adds 0, without rounding
    fixed = float(np.var(centred @ fit.beta, ddof=1))
    own_rows = tuple(residual is not None and design.factors[t.factor].n_levels == design.n for t in design.terms)
    return Sources(fixed, varcorr.terms, own_rows, varcorr.mean_residual_variance if residual is None else residual)


def has_slopes(terms: Sequence[RandomTerm]) -> bool:
    """Whether what random effects add differs between rows."""
    return any(term.Z is not None for term in terms)


def zero_notes(terms: Sequence[TermVariance], sigma: float) -> tuple[str, ...]:
    """That variances estimated as 0 are counted as 0."""
    found = [
        f"{name} by {term.group}"
        for term in terms
        for name, sd in zip(term.names, term.sd, strict=True)
        if sd < TOLERANCE * sigma
    ]
    if not found:
        return ()
    what = "These variances were" if len(found) > 1 else "This variance was"
    return (f"{what} estimated as 0, and {'count' if len(found) > 1 else 'counts'} as 0: {', '.join(found)}.",)


def residual_notes(fit: AnyFit) -> tuple[str, ...]:
    """What to know of penalised variances, and of residuals that are not independent with one variance."""
    if not isinstance(fit, MixedFit):
        return ()
    notes, structure = list(penalised_words(fit)), fit.residual
    if fit.design.weights is not None or (structure is not None and len(structure.levels) > 1):
        notes.append("Residual variances differ between rows: their mean counts.")
    if structure is not None and structure.phi is not None:
        notes.append("Residuals are autocorrelated: neighbouring rows are more alike than these numbers say.")
    return tuple(notes)


def require_mixed(fit: object, function: str) -> None:
    """Refuse what is no fitted mixed model.

    Raises
    ------
    OptionError
        If it is none.
    """
    if not isinstance(fit, MixedEstimates):
        raise OptionError(
            f"{function}() got {type(fit).__name__}", allowed="a fit of lmer() or glmer()", todo="fit the model first"
        )
