"""What standard errors that differ between methods say about a mixed model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...errors import enumerate_briefly
from ..structure.residual_rows import relative_sd
from .fixed_effects import CONSTANT, cluster_means

if TYPE_CHECKING:
    import pandas as pd

    from ..designs.design import Design
    from ..fit import MixedFit
    from .source import ClusteredRegression

__all__ = ["error_remarks", "estimand_remark", "estimate_remarks", "own_ratios", "weighing_remarks", "working_remarks"]

Array = NDArray[np.float64]

#: Ratio of standard errors that is worth a word.
FAR = 1.2
#: Difference of coefficients, in standard errors, below which they are the same but for quadrature and rounding.
EQUAL = 1e-4


def error_remarks(
    fit: MixedFit, source: ClusteredRegression, mixed: pd.DataFrame, robust: pd.DataFrame
) -> Iterator[str]:
    """Compare robust standard errors with those of the mixed model.

    Robust errors of least squares may be larger for two reasons: the mixed model leaves out a random slope, or least
    squares weighs rows otherwise than the mixed model. To tell them apart, robust errors of the mixed model's own
    estimates are looked at, which differ from those of the model for the first reason alone.

    Parameters
    ----------
    fit
        The mixed model.
    source
        Its fixed part and the clusters.
    mixed, robust
        Coefficients of the mixed model and of least squares, in the order of the columns.
    """
    slopes = {n for term in fit.design.terms for n in term.names}
    varying = _varying(source)
    plain = robust["se"].to_numpy() / mixed["se"].to_numpy()
    own = own_ratios(fit, source)
    without, otherwise, smaller = [], [], []
    for j, name in enumerate(source.names):
        if name == "(Intercept)" or name not in varying or name in slopes:
            continue
        if own[j] > FAR:
            without.append(j)
        elif plain[j] > FAR:
            otherwise.append(j)
        elif max(plain[j], own[j]) < 1.0 / FAR:
            smaller.append(j)
    if without:
        yield _slope_remark(source, without, own)
    if otherwise:
        yield (
            f"Least squares has larger errors than the mixed model for {_named(source, otherwise, plain)}: it weighs"
            " differences between clusters otherwise, which is no sign of a random slope (robust errors of the mixed"
            " model's own estimates are not larger)."
        )
    if smaller:
        yield (
            f"Robust errors are smaller than those of the mixed model for {_named(source, smaller, plain)}: chance if"
            " there are few clusters, or residuals that depend on one another or on the predictor."
        )


def estimate_remarks(mixed: pd.DataFrame, inside: pd.DataFrame, cluster: str) -> Iterator[str]:
    """Name coefficients that are others within clusters than in the mixed model, which mixes within and between.

    Parameters
    ----------
    mixed, inside
        Coefficients of the mixed model and of the within estimator.
    cluster
        Name of the clustering variable.
    """
    apart = _apart(mixed, inside, inside)
    if apart:
        yield (
            f"Within {cluster} the estimate{'s' * (len(apart) > 1)} of {enumerate_briefly(apart)} differ"
            f"{'s' * (len(apart) == 1)} from the mixed model's by more than a standard error: the effect between"
            f" clusters may be another. See within_between()."
        )


def _apart(one: pd.DataFrame, other: pd.DataFrame, unit: pd.DataFrame) -> list[str]:
    """Coefficients of both that differ by more than a standard error of a third table."""
    gap = (one.set_index("name")["estimate"] - other.set_index("name")["estimate"]).abs()
    large = gap > unit.set_index("name")["se"].reindex(gap.index)
    return [str(name) for name in gap.index[large] if name != "(Intercept)"]


def weighing_remarks(
    source: ClusteredRegression, mixed: pd.DataFrame, least_squares: pd.DataFrame, inside: pd.DataFrame | None
) -> Iterator[str]:
    """Name coefficients that are others in least squares, where a within coefficient has not told why already.

    Parameters
    ----------
    source
        The fixed part and the clusters.
    mixed, least_squares
        Coefficients of both.
    inside
        Those of the within estimator; None if there are none.
    """
    said, varying = [] if inside is None else _apart(mixed, inside, inside), _varying(source)
    apart = [name for name in _apart(mixed, least_squares, mixed) if name not in said]
    name = source.cluster.name
    for names, why in (
        (
            [n for n in apart if n in varying],
            f"least squares gives more weight to differences between levels of {name}, where the effect may be"
            " another. See within_between().",
        ),
        (
            [n for n in apart if n not in varying],
            f"of a level of {name} the mixed model gives more weight to rows that its random effects make less"
            " variable. That matters only if the effect is not the same in all rows: look for an interaction that is"
            " missing, with the predictors of random slopes first.",
        ),
    ):
        if names:
            yield (
                f"Least squares and mixed model differ by more than a standard error in {enumerate_briefly(names)}:"
                f" {why}"
            )


def estimand_remark(mixed: pd.DataFrame, averaged: pd.DataFrame, link: str, factors: str) -> str:
    """Say where the coefficients given random effects and those averaged over them are the same, and where not.

    Parameters
    ----------
    mixed, averaged
        Coefficients of a generalised mixed model, in the same order.
    link
        Name of the link.
    factors
        Names of the grouping factors.
    """
    gap = (mixed["estimate"] - averaged["estimate"]).abs() > EQUAL * mixed["se"]
    differ = [str(name) for name in mixed["name"][gap]]
    if not differ:
        why = "the link is the identity" if link == "identity" else "the estimated random effects have no variance"
        return f"Effects at given random effects of {factors} are also those on averages here: {why}."
    question = (
        "The first column answers another question than the others: the effect at given random effects is not the"
        " effect on averages"
    )
    if len(differ) < len(mixed):
        return (
            f"{question}. They differ in {enumerate_briefly(differ)}, and are the same in the other coefficients, as"
            f" the {link} link has it with these random effects."
        )
    larger = " (with such a link it is larger)" if link in ("logit", "probit", "cloglog", "cauchit") else ""
    return f"{question}{larger}. Both are right."


def working_remarks(exchangeable: pd.DataFrame, independence: pd.DataFrame) -> Iterator[str]:
    """Name coefficients that depend on the working correlation by more than two standard errors.

    Parameters
    ----------
    exchangeable, independence
        Coefficients of estimating equations, in the same order.
    """
    gap = (exchangeable["estimate"] - independence["estimate"]).abs() > 2.0 * exchangeable["se"]
    names = [str(name) for name in exchangeable["name"][gap] if name != "(Intercept)"]
    if names:
        yield (
            f"The working correlation matters for {enumerate_briefly(names)}, by more than two standard errors: effects"
            " within and between clusters may be different ones. Cluster means as further predictors tell them apart."
        )


def own_ratios(fit: MixedFit, source: ClusteredRegression) -> Array:
    """Robust standard errors (CR1) of the mixed model's own estimates, relative to those of the model.

    The score of a row is x times its residual, random effects taken into account: no matrix of a cluster is needed.
    """
    structure = None if fit.residual is None else fit.residual.structure
    if structure is not None and structure.ar1 is not None:  # the score of a row needs the rows before it
        return np.ones(fit.model.p)
    root = relative_sd(fit.model)
    residuals = fit.residuals("pearson") / (root * fit.sigma**2)
    count = source.n_clusters
    scores = np.column_stack(
        [np.bincount(source.cluster.codes, x * residuals, minlength=count) for x in fit.design.X.T]
    )
    vcov = np.asarray(fit.vcov)
    robust = vcov @ (scores.T @ scores) @ vcov * (count / (count - 1.0))
    return np.asarray(np.sqrt(np.diagonal(robust) / np.diagonal(vcov)))


def _slope_remark(source: ClusteredRegression, at: Sequence[int], ratios: Array) -> str:
    slopes = " + ".join(dict.fromkeys(s for j in at for s in _slopes(source, source.names[j])))
    verb = "is" if len(at) == 1 else "are"
    return (
        f"Robust errors are larger than those of the model for {_named(source, at, ratios)}, whose"
        f" slope{'s' * (len(at) > 1)} {verb} not random: robust errors come near those of a model with random slopes,"
        f" not those of a random intercept. Try ({slopes} | {source.cluster.name})."
    )


def _named(source: ClusteredRegression, at: Sequence[int], ratio: Array) -> str:
    return enumerate_briefly([f"{source.names[j]} ({ratio[j]:.2f} times)" for j in at])


def _varying(source: ClusteredRegression) -> set[str]:
    """Columns that vary within clusters."""
    X = source.design.X
    inside = np.linalg.norm(X - cluster_means(X, source), axis=0) > CONSTANT * np.linalg.norm(X, axis=0)
    return {name for name, there in zip(source.names, inside, strict=True) if there}


def _columns(design: Design, at: Sequence[int]) -> list[str]:
    return [design.fixed_names[j] for j in at]


def _slopes(source: ClusteredRegression, column: str) -> list[str]:
    """What to write before the bar: the term of a column, of an interaction those parts that vary within clusters."""
    design, varying = source.design, _varying(source)
    j = design.fixed_names.index(column)
    term = next((t for t, at in design.fixed_terms.items() if j in at), column)
    parts = term.split(":")
    if len(parts) == 1:
        return [term]
    constant = {t for t, at in design.fixed_terms.items() if not any(name in varying for name in _columns(design, at))}
    return [":".join(part for part in parts if part not in constant)]
