"""What a fit itself adds to the audit of its design: variances of 0, and a search that did not arrive."""

from __future__ import annotations

from collections.abc import Iterator

from ...errors import ConvergenceWarning
from ..estimates import MixedEstimates
from ..fit import MixedFit
from ..judgement.convergence import check_convergence
from ..judgement.singular import boundary
from .findings import Finding

__all__ = ["fit_findings"]


def fit_findings(fit: MixedEstimates) -> Iterator[Finding]:
    """Boundary and convergence of a linear mixed model; what comes last in the order of advice."""
    if not isinstance(fit, MixedFit):
        return
    directions = boundary(fit).directions
    if directions:
        yield Finding(
            "MX101",
            "zero variances",
            f"Boundary fit (singular fit): {'; '.join(d.what for d in directions)}.",
            ", ".join(dict.fromkeys(d.term for d in directions)),
            "The estimates are the optimum; tests and intervals of these variances are not the usual ones.",
            "drop the correlation, then the slope, or the term; or compare with alternatives(fit), or use penalty=.",
        )
    if any(notice.category is ConvergenceWarning for notice in fit.notices):
        yield Finding(
            "MX102",
            "restart",
            check_convergence(fit).text,
            f"the search by {fit.trace.method}",
            "The estimates are not the maximum.",
            "refit(fit) continues from here; then another optimiser, or all of them by all_fit(fit).",
        )
