"""The same generalised model for another response, and variations of a model."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from numpy.typing import ArrayLike

from ...data.columns import FrameLike
from ...errors import notify
from ..derived.refit import changed_formula, new_response, require_again, require_columns, unwritten_offset
from ..formulas.formula import parse_formula
from ..inputs import as_optimizer
from .family_choice import as_family
from .glmer import fit_generalised
from .responses import split_response

if TYPE_CHECKING:
    from ..engine.optimise import Method, Optimizer
    from .families import Family
    from .fit import GeneralisedFit
    from .links import Link, LinkName

__all__ = ["refit_generalised", "update_generalised"]


def refit_generalised(fit: GeneralisedFit, y: str | ArrayLike | None) -> GeneralisedFit:
    """Fit the same model to another response; see `GeneralisedFit.refit`."""
    if y is None:
        again = fit_generalised(fit.specification, fit.model)
    else:
        model = fit.model.with_response(new_response(fit.design, y, "glmer"))
        again = fit_generalised(fit.specification, model, fit.theta)
    notify(notice for notice in again.notices if notice not in fit.design.notices)
    return again


def update_generalised(
    fit: GeneralisedFit,
    formula: str | None,
    data: FrameLike | None,
    family: str | Family | None,
    link: LinkName | Link | None,
    n_agq: int | None,
    weights: str | ArrayLike | None,
    offset: str | ArrayLike | None,
    optimizer: Optimizer | Method | None,
) -> GeneralisedFit:
    """Fit a variation of the model; see `GeneralisedFit.update`."""
    old, design = fit.specification, fit.design
    text = changed_formula(fit, formula)
    chosen = old.family
    if family is not None or link is not None:
        chosen = as_family(type(old.family)(old.family.link) if family is None else family, link)
    changed = replace(
        old,
        formula=text,
        family=chosen,
        n_agq=old.n_agq if n_agq is None else n_agq,
        optimizer=old.optimizer if optimizer is None else as_optimizer(optimizer),
    )
    # numbers of trials that a response brings along are no weights that were given
    kept = None if split_response(design.formula.response) is not None else design.weights
    weights = design.weights_column if weights is None else weights
    offset = design.offset_column if offset is None else offset
    if data is not None:
        require_again(design, "weights", kept, weights)
        require_again(design, "offset", unwritten_offset(design), offset)
        return changed.fit(data, weights=weights, offset=offset)
    parsed = parse_formula(text)
    require_columns(design, [*parsed.variables, *(w for w in (weights, offset) if isinstance(w, str))])
    return changed.fit(
        design.frame,
        weights=kept if weights is None else weights,
        offset=unwritten_offset(design) if offset is None else offset,
    )
