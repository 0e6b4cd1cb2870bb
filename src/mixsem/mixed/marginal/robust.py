"""Least squares with cluster-robust standard errors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...data.columns import FrameLike
from ...errors import DataError, enumerate_briefly
from ...options import require_choice
from ..derived.frame_table import FrameTable
from ..estimates import MixedEstimates
from ..inference.ddf import require_level
from .sandwich import KINDS, Kind, Sandwich, sandwich
from .source import ClusteredRegression, clustered_regression, refuse_generalised

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "FEW_CLUSTERS",
    "RobustDf",
    "RobustRegression",
    "Target",
    "cluster_robust",
    "coefficient_frame",
    "lone_notes",
]

Array = NDArray[np.float64]
RobustDf = Literal["satterthwaite", "clusters", "none"]
Target = Literal["equal", "weights"]

#: Below this many clusters, tests without a small-sample correction reject too often.
FEW_CLUSTERS = 40
#: Degrees of freedom below which Satterthwaite's approximation is a rough one (Pustejovsky & Tipton 2018).
LOW_DF = 4.0


@dataclass(frozen=True, eq=False, repr=False)
class RobustRegression(FrameTable):
    """Coefficients of least squares with cluster-robust standard errors.

    Attributes
    ----------
    title, frame, notes
        The table. `frame` has name, estimate, se, df, t, p_value, lower, upper.
    vcov
        (p, p) the covariance matrix of the coefficients.
    kind
        Kind of the covariance matrix.
    cluster
        Name of the clustering variable.
    n_clusters
        Number of clusters.
    nobs
        Number of rows.
    """

    vcov: pd.DataFrame
    kind: str
    cluster: str
    n_clusters: int
    nobs: int


def cluster_robust(
    model: MixedEstimates | str,
    data: FrameLike | None = None,
    *,
    cluster: str | None = None,
    kind: Kind = "CR2",
    df: RobustDf | None = None,
    weights: str | ArrayLike | None = None,
    offset: str | ArrayLike | None = None,
    target: Target = "equal",
    level: float = 0.95,
) -> RobustRegression:
    """Fit ordinary least squares with standard errors that are robust to any dependence within clusters.

    CR2 with Satterthwaite's degrees of freedom is the default for any number of clusters: it is what few clusters need,
    with many it becomes the same as the others, and no rule has to say where few ends.

    Parameters
    ----------
    model
        A fit of `lmer`, of which the fixed part is used; or a formula such as ``"y ~ x"``, with `data`.
    data
        The table of the formula; with a fit only if `cluster` is a column that the fit did not use.
    cluster
        The clustering variable, ``"a:b"`` for combinations. By default the only grouping factor of the model, or the
        one in which all others are nested.
    kind
        ``"CR2"`` of Bell & McCaffrey; ``"CR0"`` without any correction; ``"CR1"`` times G / (G - 1); ``"CR1S"`` also
        times (n - 1) / (n - p): Stata's, and the default of R's sandwich::vcovCL; ``"CR3"``, near the jackknife.
    df
        ``"satterthwaite"`` (the default with CR2 and CR3), ``"clusters"`` for G - 1 (the default with the others), or
        ``"none"`` for the normal distribution.
    weights, offset
        As in `lmer`: weighted least squares. Those of the fit, if one is given.
    target
        Of weighted fits: errors for which CR2 is exactly unbiased and degrees of freedom are computed. ``"equal"``
        variances, as clubSandwich has it by default; ``"weights"`` takes the weights for inverse variances, so that
        numbers are those of unweighted rows times the roots of their weights.
    level
        Confidence level of the limits.

    Returns
    -------
    RobustRegression
        Prints as a table; ``.frame`` has name, estimate, se, df, t, p_value, lower, upper, and ``.vcov`` the
        covariance matrix.

    Raises
    ------
    OptionError
        If an argument is none of what is allowed; with crossed factors, if `cluster` is not named.
    DataError
        If there are fewer than two clusters, no more rows than coefficients, or the table is not that of the fit.
    ModelError
        If the fit is none of `lmer`: least squares of counts or shares knows neither family nor link.

    Notes
    -----
    Coefficients that the clusters cannot tell the error of have no standard error (NaN) and no p-value: those that a
    single cluster determines, whose residuals say nothing of them, and all if there are as many of the others as
    clusters.

    Bell & McCaffrey (2002), Survey Methodology 28, 169-181. Pustejovsky & Tipton (2018), Journal of Business & Economic
    Statistics 36, 672-683, doi 10.1080/07350015.2016.1247004. The numbers are those of R's clubSandwich.

    Examples
    --------
    >>> from mixsem.data import sleepstudy
    >>> found = cluster_robust("Reaction ~ Days", sleepstudy(), cluster="Subject")
    >>> found.frame[["name", "estimate", "se", "df"]].round(3)
              name  estimate     se    df
    0  (Intercept)   251.405  6.825  17.0
    1         Days    10.467  1.546  17.0
    """
    import pandas as pd

    method, level = _require(kind, df, target), require_level(level)
    refuse_generalised(
        model, "cluster_robust", "least squares knows neither family nor link", "use gee(fit), or alternatives(fit)"
    )
    source = clustered_regression(model, data, cluster, weights=weights, offset=offset)
    found = fit_robust(source, kind, target)
    frame, _ = coefficient_frame(source.names, found.beta, found.vcov, _degrees(found, method, source), level)
    names = list(source.names)
    notes = (*_notes(source, kind, method, found), *source.notes)
    title = f"Least squares, standard errors robust within {source.cluster.name}"
    vcov = pd.DataFrame(found.vcov, index=names, columns=names)
    return RobustRegression(title, frame, notes, vcov, kind, source.cluster.name, source.n_clusters, source.design.n)


def _require(kind: object, df: object, target: object) -> RobustDf:
    """Refuse unknown options; the degrees of freedom to use."""
    require_choice("kind", kind, KINDS, "CR2")
    require_choice("target", target, ("equal", "weights"), "equal")
    if df is not None:
        require_choice("df", df, ("satterthwaite", "clusters", "none"), "satterthwaite")
    if df is not None:
        return df  # type: ignore[return-value]
    return "satterthwaite" if kind in ("CR2", "CR3") else "clusters"


def fit_robust(source: ClusteredRegression, kind: Kind, target: Target = "equal") -> Sandwich:
    """Least squares of the fixed part, with the sandwich of a kind."""
    design, X, y, weights = source.design, source.design.X, source.known_response, source.design.weights
    if design.n <= design.p:
        raise DataError(f"{design.n} rows for {design.p} coefficients", todo="use fewer predictors, or more rows")
    if weights is not None and target == "weights":
        root = np.sqrt(weights)
        X, y, weights = root[:, None] * X, root * y, None
    return sandwich(X, y, weights, source.cluster.codes, source.n_clusters, kind)


def _degrees(found: Sandwich, method: RobustDf, source: ClusteredRegression) -> Array:
    if method == "satterthwaite":
        return found.df
    return np.where(np.isnan(found.df), np.nan, np.inf if method == "none" else source.n_clusters - 1.0)


def coefficient_frame(
    names: tuple[str, ...], beta: Array, vcov: Array, df: Array, level: float = 0.95
) -> tuple[pd.DataFrame, Array]:
    """The table of coefficients (name, estimate, se, df, t, p_value, lower, upper), and the standard errors."""
    import pandas as pd
    from scipy.stats import t as student

    se = np.sqrt(np.diagonal(vcov))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = beta / se
    half = student.ppf(0.5 + level / 2.0, df) * se
    columns = {
        "name": list(names),
        "estimate": beta,
        "se": se,
        "df": df,
        "t": ratio,
        "p_value": 2.0 * student.sf(np.abs(ratio), df),
        "lower": beta - half,
        "upper": beta + half,
    }
    return pd.DataFrame(columns), se


def _notes(source: ClusteredRegression, kind: Kind, method: RobustDf, found: Sandwich) -> Iterator[str]:
    words = {
        "satterthwaite": "Satterthwaite's degrees of freedom",
        "clusters": "degrees of freedom clusters less 1",
        "none": "the normal distribution",
    }
    name, count = source.cluster.name, source.n_clusters
    yield (
        f"{count:,} clusters of {name}, {source.design.n:,} rows; standard errors {kind}, tests with {words[method]}."
        f" Coefficients are averages over {name}: nothing is conditioned on, and there are no random effects."
    )
    if count < FEW_CLUSTERS:
        enough = kind == "CR2" and method == "satterthwaite"
        yield f"{count} clusters are few for robust standard errors (fewer than {FEW_CLUSTERS}): " + (
            "CR2 with Satterthwaite's degrees of freedom is made for that. [MX143]"
            if enough
            else "prefer kind='CR2' with Satterthwaite's degrees of freedom. [MX143]"
        )
    yield from lone_notes(source.names, found.lone, found.alone, name)
    low = [n for n, df in zip(source.names, found.df, strict=True) if df < LOW_DF] if method == "satterthwaite" else []
    if low:
        yield (
            f"Degrees of freedom below {LOW_DF:.0f} for {enumerate_briefly(low)}: few clusters tell of"
            f" {'it' if len(low) == 1 else 'them'}, and p-values are rough."
        )


def lone_notes(names: Sequence[str], lone: NDArray[np.bool_], alone: NDArray[np.bool_], cluster: str) -> Iterator[str]:
    """Say which coefficients have no standard error, and why.

    Parameters
    ----------
    names
        Of the coefficients.
    lone, alone
        As in `Sandwich`: which have no standard error, and of which a single cluster is the reason.
    cluster
        Name of the clustering variable.
    """
    single = [name for name, one in zip(names, alone, strict=True) if one]
    others = [name for name, one, two in zip(names, lone, alone, strict=True) if one and not two]
    if single:
        yield (
            f"No standard error for {enumerate_briefly(single)}: a single level of {cluster} determines"
            f" {'it' if len(single) == 1 else 'each of them'}, whose residuals say nothing of"
            f" {'its' if len(single) == 1 else 'their'} error."
        )
    if others:
        yield (
            f"No standard error for {enumerate_briefly(others)}: there are as many of these coefficients as levels of"
            f" {cluster}, or more, and the residuals of so few cannot show the error of so many."
        )
