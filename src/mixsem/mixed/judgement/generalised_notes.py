"""What to know of a generalised fit that is no trouble: how good its approximation is, odd offsets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from ..audit.response import raw_exposure
from ..audit.subject import AuditedDesign
from .quadrature_check import check_quadrature, is_scalar

if TYPE_CHECKING:
    from ..generalised.fit import GeneralisedFit

__all__ = ["generalised_notes", "quadrature_note"]

#: Groups of fewer binary responses than this say little of their random effect.
SMALL_GROUPS = 10.0
#: Up to so many rows quadrature is fitted beside Laplace's approximation when a fit is printed.
CHEAP_ROWS = 20_000


def generalised_notes(fit: GeneralisedFit) -> tuple[str, ...]:
    """Sentences for the summary of a fit."""
    return (*_rough(fit), *quadrature_note(fit), *_exposure(fit))


def quadrature_note(fit: GeneralisedFit) -> Iterator[str]:
    """What adaptive quadrature gives for few binary responses per group, computed here."""
    if fit.n_agq != 1 or not fit.family.has_trials or (fit.trials > 1.0).any():
        return
    size = min(fit.nobs / len(factor.levels) for factor in fit.design.factors)
    if size >= SMALL_GROUPS:
        return
    few = f"Few binary responses per group ({size:.3g} on average), where Laplace's approximation may be poor"
    if not is_scalar(fit):
        yield (
            f"{few}, with variances too small. With several random effects there is no quadrature to compare with;"
            " bootstrap(fit) shows the bias. [MX142]"
        )
        return
    if fit.nobs > CHEAP_ROWS:
        yield f"{few}: see check_quadrature(fit). [MX142]"
        return
    found = check_quadrature(fit, 9)
    name, before, after = found.frame.loc[0, ["parameter", "laplace", "quadrature"]]
    if found.matters:
        yield (
            f"{few}: with adaptive quadrature (9 nodes) {name} is {after:.3g} instead of {before:.3g}, and fixed"
            f" effects change by up to {found.largest_change:.2g} SE. Fit with n_agq=9 (check_quadrature). [MX142]"
        )
    else:
        yield f"{few}; here quadrature (9 nodes) gives nearly the same: {name} is {after:.3g}, not {before:.3g}."


def _rough(fit: GeneralisedFit) -> Iterator[str]:
    if fit.n_agq == 0:
        yield (
            "n_agq=0 takes fixed effects from the joint mode with the random effects: fast and rough, they are a little"
            " too near to 0. Report n_agq=1 or quadrature."
        )


def _exposure(fit: GeneralisedFit) -> Iterator[str]:
    design = AuditedDesign(fit.design, fit.family.name, fit.family.link.name)
    if design.link == "log" and fit.design.offset is not None and np.ptp(fit.design.offset) > 0.0:
        for finding in raw_exposure(design):
            yield f"{finding.what} {finding.why} What to do: {finding.todo} [{finding.identifier}]"
