"""What linear and generalised models have each in its own form: files, code that repeats them, sources."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

from ..errors import MixsemError
from ..mixed.inference.ddf import inference_of, is_generalised
from ..report.generalised_report import (
    GeneralisedResults,
    generalised_code,
    write_generalised,
)
from ..report.methods.mixed import generalised_methods, linear_methods
from ..report.mixed_record import mixed_code
from ..report.mixed_report import write_mixed
from ..report.mixed_results import Limits, MixedResults, mixed_results
from .subject import may_profile

if TYPE_CHECKING:
    from ..mixed.fit import MixedFit
    from ..mixed.generalised.fit import GeneralisedFit
    from ..mixed.require import AnyFit
    from ..report.methods import MethodsText

__all__ = ["code_of", "methods_of", "told_of", "write_files"]


def told_of(fit: AnyFit, results: GeneralisedResults | None = None) -> MixedResults:
    """What is told of a fit, by default with profile limits where these take seconds.

    `MixedResults` asks of a fit what linear and generalised ones have in common; so it serves for both here.

    Parameters
    ----------
    fit
        The fit.
    results
        What is known of a generalised one already.
    """
    if results is not None:
        limits: Limits = "wald" if results.intervals is None else "profile"
        known, intervals = inference_of(fit), results.intervals
        told = (results.fixed, results.terms, limits, intervals, results.weights, results.offset)
        return MixedResults(cast("MixedFit", fit), known, *told)
    weights, offset = fit.design.weights_column, fit.design.offset_column
    plain, wanted = cast("MixedFit", fit), may_profile(fit)
    try:
        return mixed_results(plain, confint="profile" if wanted else None, weights=weights, offset=offset)
    except MixsemError:  # a likelihood that falls too slowly has no limits by profile
        return mixed_results(plain, weights=weights, offset=offset)


def code_of(results: MixedResults, source: str) -> str:
    """Python code that repeats the analysis."""
    if _is_linear(results):
        return mixed_code(results, source=source)
    return generalised_code(_generalised(results), source)


def methods_of(results: MixedResults) -> MethodsText:
    """How the fit was made, for a methods section."""
    if _is_linear(results):
        return linear_methods(results.fit, results.inference, results.limits)
    return generalised_methods(cast("GeneralisedFit", results.fit), results.limits == "profile")


def write_files(results: MixedResults, folder: str | Path, *, title: str, page: str) -> dict[str, Path]:
    """Write the page and the tables: all files or none."""
    if _is_linear(results):
        return write_mixed(results, folder, title=title, page=page)
    return write_generalised(_generalised(results), folder, title=title, page=page)


def _is_linear(results: MixedResults) -> bool:
    return not is_generalised(results.fit)


def _generalised(results: MixedResults) -> GeneralisedResults:
    intervals = results.intervals if results.limits == "profile" else None
    told = (results.fixed, results.terms, intervals, results.weights, results.offset)
    return GeneralisedResults(cast("GeneralisedFit", results.fit), *told)
