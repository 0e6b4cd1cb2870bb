"""Step 1 by maximum likelihood in sentences: the multigroup factor model, and what was equal over groups."""

from __future__ import annotations

from ...measurement.fit import MeasurementFit
from ...options import as_names
from ..values import plural
from ..words import join
from .sample import fold, sample_sentences
from .sources import cite
from .text import MethodsText, software, step

__all__ = ["equality_sentences", "measurement_methods", "measurement_sentences"]

#: Kinds of parameters as they stand in a sentence.
KINDS = {
    "loadings": "factor loadings",
    "intercepts": "item intercepts",
    "residuals": "residual variances",
    "residual.covariances": "residual covariances",
    "lv.variances": "factor variances",
    "lv.covariances": "factor covariances",
    "means": "factor means",
    "regressions": "regressions",
    "thresholds": "thresholds",
}


def measurement_methods(fit: MeasurementFit, min_size: int | None = None) -> MethodsText:
    """The methods section of a measurement model by itself."""
    return MethodsText(
        (
            ("Sample", sample_sentences(fit.moments, min_size)),
            ("Measurement model", measurement_sentences(fit)),
            ("Software", software()),
        )
    )


def measurement_sentences(fit: MeasurementFit) -> str:
    """Factors and items, estimator, scale, blocks, equalities, convergence."""
    model, several = fit.specification, len(fit.groups) > 1
    kind = "Multigroup confirmatory factor analysis" if several else "Confirmatory factor analysis"
    sizes = f"{plural(len(fit.factors), 'factor')} ({join(list(fit.factors))}) and {plural(len(fit.items), 'item')}"
    ordered = bool(model.ordered) if model.ordered is True else bool(as_names(model.ordered))
    source = f" {cite('multigroup')}" if several else ""
    said = f"{kind}{source} with {sizes} was fitted by {_estimator(ordered)}."
    done = "All blocks converged." if len(fit.blocks) > 1 else "The estimation converged."
    return step(
        said,
        _blocks(fit),
        "Factor variances were fixed at 1."
        if model.std_lv
        else "The loading of the first item of a factor was fixed at 1.",
        equality_sentences(as_names(model.equal), as_names(model.partial)) if several else "",
        done if fit.converged else "The estimation did not converge in all blocks.",
    )


def _estimator(ordered: bool) -> str:
    if ordered:
        return (
            "diagonally weighted least squares on polychoric correlations"
            f" {cite('polychoric')}, with thresholds free in every group"
        )
    return "maximum likelihood"


def _blocks(fit: MeasurementFit) -> str:
    """Which factors were fitted together."""
    if len(fit.factors) == 1:
        return ""
    if len(fit.blocks) == 1:
        return "All factors were estimated together."
    if len(fit.blocks) == len(fit.factors):
        return "Each factor was estimated by itself, as a measurement block of its own."
    listed = "; ".join(", ".join(block.factors) for block in fit.blocks)
    return f"Factors were estimated in {len(fit.blocks)} measurement blocks ({listed})."


def equality_sentences(equal: tuple[str, ...], partial: tuple[str, ...]) -> str:
    """What was equal over groups, and what was exempt.

    Examples
    --------
    >>> print(equality_sentences(("loadings",), ("F =~ x3",)))
    Factor loadings were held equal across groups, except F =~ x3, which was free in every group (partial invariance).
    >>> equality_sentences((), ())
    'No parameter was held equal across groups.'
    """
    if not equal:
        return "No parameter was held equal across groups."
    words = join([KINDS.get(kind, kind) for kind in equal])
    said = f"{words[0].upper()}{words[1:]} were held equal across groups"
    if not partial:
        return f"{said}; all other parameters were free in every group."
    verb = "was" if len(partial) == 1 else "were"
    return f"{said}, except {fold(partial)}, which {verb} free in every group (partial invariance)."
