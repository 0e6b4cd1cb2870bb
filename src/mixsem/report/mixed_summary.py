"""The summary of a linear mixed model, in lme4's order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..errors import ConvergenceWarning
from ..mixed.estimates import MixedEstimates
from ..mixed.fit import MixedFit
from ..mixed.penalties.penalised import is_penalised, penalised_facts, penalty_note
from .document import Listing, Prose, Summary
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

if TYPE_CHECKING:
    from ..mixed.inference.ddf import Inference

__all__ = ["has_converged", "mixed_summary", "usual_inference"]

#: Random effects in the dense part of the system, beyond which degrees of freedom are not computed to print a fit:
#: their cost grows with the third power, and up to here it is seconds.
LARGEST_SYSTEM = 3000


def mixed_summary(fit: MixedFit, warnings: Sequence[Listing], inference: Inference | None = None) -> Summary:
    """What was fitted, residuals, random effects, fixed effects and their correlations, notes, then the warnings.

    Parameters
    ----------
    fit
        A linear mixed model.
    warnings
        Its notices, to be shown last.
    inference
        How fixed effects are tested; by Satterthwaite's method if it is not given, or where that would take long,
        by z.

    Examples
    --------
    >>> from mixsem.data import sleepstudy
    >>> from mixsem.mixed.linear import lmer
    >>> print(mixed_summary(lmer("Reaction ~ Days + (Days | Subject)", sleepstudy()), ()).parts[3])
    Fixed effects
    --------------------------------------------------------
                 Estimate  Std. Error    df  t value       p
    --------------------------------------------------------
    (Intercept)   251.405       6.825  17.0   36.838  <0.001
    Days           10.467       1.546  17.0    6.771  <0.001
    --------------------------------------------------------
    Degrees of freedom by Satterthwaite's method.
    """
    parts: list[Table | Listing | Prose] = [Listing("", _facts(fit))]
    parts += [] if fit.reml or is_penalised(fit) else [criteria_table(fit)]
    parts += [scaled_residual_table(fit), random_effect_table(fit, size_notes(fit.design))]
    parts += [] if fit.residual is None else [fit.residual.table]
    parts += _fixed_effects(fit, inference)
    correlations, notes = fixed_correlation_table(fit), _notes(fit)
    parts += [] if correlations is None else [correlations]
    parts += [Prose("Notes", notes, bullets=len(notes) > 1)] if notes else []
    how = "Penalised fit of a linear mixed model" if is_penalised(fit) else "Linear mixed model fitted"
    return Summary(f"{how} by {'REML' if fit.reml else 'maximum likelihood'}", (*parts, *warnings))


def has_converged(fit: MixedEstimates) -> bool:
    """Whether the fit is at an optimum, as judged when it was made."""
    return not any(issubclass(notice.category, ConvergenceWarning) for notice in fit.notices)


def usual_inference(fit: MixedFit) -> Inference:
    """How fixed effects are tested if nothing else is asked for: by Satterthwaite's method, or by z if that is slow."""
    from ..mixed.inference.ddf import inference_of

    large = fit.model.products.layout.blocks.n_tail > LARGEST_SYSTEM
    return inference_of(fit, "none" if large else "satterthwaite")


def _facts(fit: MixedFit) -> tuple[tuple[str, str], ...]:
    design, trace = fit.design, fit.trace
    facts = [("Formula", fit.formula)]
    if design.weights is not None:
        low, high = float(design.weights.min()), float(design.weights.max())
        facts.append(("Weights", f"{low:.4g} to {high:.4g}; the residual variance of a row is sigma² / weight"))
    if design.offset is not None:
        low, high = float(design.offset.min()), float(design.offset.max())
        facts.append(("Offset", f"{low:,.4g} to {high:,.4g}"))
    if fit.residual is not None:
        facts.append(("Residuals", str(fit.residual.structure)))
    if is_penalised(fit):
        facts += penalised_facts(fit)
    elif fit.reml:
        facts.append(("REML criterion", f"{fit.objective:,.2f}"))
    searches = f" in {trace.searches} searches" if trace.searches > 1 else ""
    how = f"{plural(trace.evaluations, 'evaluation')}{searches} ({trace.method})"
    facts.append(("Converged", f"yes, after {how}" if has_converged(fit) else f"NO, stopped after {how}"))
    return tuple(facts)


def _fixed_effects(fit: MixedFit, inference: Inference | None) -> list[Table]:
    """The tests of the fixed effects; nothing if there are none."""
    from ..mixed.inference.ddf import t_table

    if not fit.model.p:
        return []
    known = inference or usual_inference(fit)
    large = inference is None and known.ddf == "none"
    frame = t_table(known, np.eye(fit.model.p))
    frame.insert(0, "name", list(fit.design.fixed_names))
    slow = "z: degrees of freedom would take long for so many random effects; tidy() computes them."
    return [fixed_effect_table(frame, (slow if large else known.note,))]


def _notes(fit: MixedFit) -> tuple[str, ...]:
    """Information that is no trouble."""
    from ..mixed.judgement.boundary import level_notes, scale_notes

    return (*((penalty_note(fit),) if is_penalised(fit) else ()), *level_notes(fit), *scale_notes(fit))
