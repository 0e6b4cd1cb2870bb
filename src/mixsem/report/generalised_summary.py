"""The summary of a generalised mixed model, in lme4's order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..mixed.generalised.fit import GeneralisedFit
from .document import Listing, Prose, Summary
from .mixed_summary import has_converged
from .mixed_tables import (
    criteria_table,
    fixed_correlation_table,
    fixed_effect_table,
    random_effect_table,
    scaled_residual_table,
    size_notes,
)
from .table import Table
from .values import plural

__all__ = ["approximation", "generalised_facts", "generalised_summary"]


def generalised_summary(fit: GeneralisedFit, warnings: Sequence[Listing]) -> Summary:
    """What was fitted and how, residuals, random effects, fixed effects and their correlations, notes, the warnings.

    Parameters
    ----------
    fit
        A generalised mixed model.
    warnings
        Its notices, to be shown last.
    """
    from ..mixed.judgement.boundary import level_notes, scale_notes
    from ..mixed.judgement.generalised_notes import generalised_notes

    correlations = fixed_correlation_table(fit)
    notes = (*generalised_notes(fit), *level_notes(fit), *scale_notes(fit))
    parts: list[Table | Listing | Prose] = [
        Listing("", generalised_facts(fit)),
        criteria_table(fit),
        scaled_residual_table(fit),
        random_effect_table(fit, size_notes(fit.design)),
        *_fixed_effects(fit),
        *([] if correlations is None else [correlations]),
        *([Prose("Notes", notes, bullets=len(notes) > 1)] if notes else []),
    ]
    return Summary("Generalised linear mixed model fitted by maximum likelihood", (*parts, *warnings))


def approximation(n_agq: int) -> str:
    """How the likelihood was computed, in words."""
    if n_agq == 0:
        return "Laplace approximation, fixed effects at the joint mode with the random effects (n_agq=0)"
    return "Laplace approximation" if n_agq == 1 else f"adaptive Gauss-Hermite quadrature, {n_agq} nodes"


def generalised_facts(fit: GeneralisedFit) -> tuple[tuple[str, str], ...]:
    """What was fitted and how, in pairs."""
    design, trace = fit.design, fit.trace
    facts = [("Formula", fit.formula), ("Family", f"{fit.family.name}, {fit.family.link.name} link")]
    facts.append(("Likelihood", approximation(fit.n_agq)))
    if fit.dispersion is not None:
        facts.append((fit.family.parameter.capitalize(), f"{fit.dispersion:.4g}"))
    if design.weights is not None:
        low, high = float(design.weights.min()), float(design.weights.max())
        span = f"{low:,.4g}" if low == high else f"{low:,.4g} to {high:,.4g}"
        facts.append(
            ("Trials", f"{span} per row") if fit.family.has_trials else ("Weights", f"{span}; of the log-likelihoods")
        )
    if design.offset is not None:
        facts.append(("Offset", f"{float(design.offset.min()):,.4g} to {float(design.offset.max()):,.4g}"))
    how = f"{plural(trace.evaluations, 'evaluation')} ({trace.method})"
    facts.append(("Converged", f"yes, after {how}" if has_converged(fit) else f"NO, stopped after {how}"))
    return tuple(facts)


def _fixed_effects(fit: GeneralisedFit) -> list[Table]:
    """The tests of the fixed effects; nothing if there are none."""
    from ..mixed.inference.ddf import inference_of, t_table

    if not fit.model.p:
        return []
    known = inference_of(fit)
    frame = t_table(known, np.eye(fit.model.p))
    frame.insert(0, "name", list(fit.design.fixed_names))
    return [fixed_effect_table(frame, (known.note,))]
