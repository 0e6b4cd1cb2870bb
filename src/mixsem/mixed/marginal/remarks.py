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

__all__ = ["error_remarks", "estimate_remarks", "own_ratios", "working_remarks"]

Array = NDArray[np.float64]

#: Ratio of standard errors that is worth a word.
FAR = 1.2


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
    known = mixed.set_index("name")["estimate"]
    gap = inside.set_index("name")["estimate"] - known
    apart = [str(name) for name, se in zip(inside["name"], inside["se"], strict=True) if abs(gap[name]) > se]
    if apart:
        yield (
            f"Within {cluster} the estimate{'s' * (len(apart) > 1)} of {enumerate_briefly(apart)} differ"
            f"{'s' * (len(apart) == 1)} from the mixed model's by more than a standard error: the effect between"
            f" clusters may be another. See within_between()."
        )


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
