"""The same fixed part and rows with other random terms, without a warning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..designs.design import read_design
from ..engine.model import compile_model
from ..fit import MixedFit
from ..linear import fit_model
from .reduced_formula import with_bars

__all__ = ["with_random_terms"]


def with_random_terms(fit: MixedFit, bars: Sequence[str], reml: bool | None = None) -> MixedFit:
    """Fit with these random terms, all of whose columns the fit has used.

    Parameters
    ----------
    fit
        The fit.
    bars
        Texts such as ``"(1 | g)"``.
    reml
        As in `lmer`; as before if not given.
    """
    design = fit.design
    text = with_bars(design.formula, bars)
    structure = fit.specification.residual
    read = read_design(text, design.frame, design.weights, extra=() if structure is None else structure.columns)
    # an offset that came as an argument is none of the formula; what names it had goes on with it
    kept = replace(read, offset=design.offset, offset_columns=design.offset_columns, offset_column=design.offset_column)
    kept = replace(kept, weights_column=design.weights_column, rows=design.rows, n_rows=design.n_rows)
    specification = replace(fit.specification, formula=text, reml=fit.reml if reml is None else reml)
    return fit_model(specification, compile_model(kept, structure))
