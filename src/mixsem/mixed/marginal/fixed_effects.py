"""The within estimator: fixed effects for the clusters, taken out by subtracting means."""

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
from ..designs.rank import independent_columns
from ..estimates import MixedEstimates
from ..inference.ddf import require_level
from .robust import FEW_CLUSTERS, coefficient_frame, lone_notes
from .sandwich import KINDS, Kind, Sandwich, sandwich
from .source import ClusteredRegression, clustered_regression, refuse_generalised

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Dropped", "WithinFit", "cluster_means", "fit_within", "within"]

Array = NDArray[np.float64]
WithinKind = Literal["classical"] | Kind

#: Length of a column's deviations from cluster means, relative to the column's, below which it is constant there.
CONSTANT = 1e-9


@dataclass(frozen=True)
class Dropped:
    """A column that the within estimator has no coefficient for.

    Attributes
    ----------
    name
        The column.
    reason
        Why.
    """

    name: str
    reason: str


@dataclass(frozen=True, eq=False, repr=False)
class WithinFit(FrameTable):
    """Coefficients of the within estimator.

    Attributes
    ----------
    title, frame, notes
        The table. `frame` has name, estimate, se, df, t, p_value, lower, upper.
    dropped
        Columns that it cannot estimate, and why.
    vcov
        Covariance matrix of the coefficients.
    kind
        Kind of the covariance matrix.
    sigma
        Residual standard deviation, of a row with weight 1.
    cluster
        Name of the clustering variable.
    n_clusters
        Number of clusters.
    nobs
        Number of rows.
    """

    dropped: tuple[Dropped, ...]
    vcov: pd.DataFrame
    kind: str
    sigma: float
    cluster: str
    n_clusters: int
    nobs: int


@dataclass(frozen=True, eq=False)
class WithinNumbers:
    """What `within` computes, before it becomes a table."""

    names: tuple[str, ...]
    dropped: tuple[Dropped, ...]
    solution: Sandwich
    vcov: Array
    df: Array
    sigma: float


def within(
    model: MixedEstimates | str,
    data: FrameLike | None = None,
    *,
    cluster: str | None = None,
    kind: WithinKind = "CR2",
    weights: str | ArrayLike | None = None,
    offset: str | ArrayLike | None = None,
    level: float = 0.95,
) -> WithinFit:
    """Compare rows within clusters alone: fixed effects for the clusters (the econometrician's panel estimator).

    The same as least squares with a dummy for each cluster. Whatever is the same for a whole cluster, measured or not,
    cannot bias the coefficients; nor can it have one itself.

    Parameters
    ----------
    model
        A fit of `lmer`, of which the fixed part is used; or a formula such as ``"y ~ x"``, with `data`.
    data
        The table of the formula; with a fit only if `cluster` is a column that the fit did not use.
    cluster
        The clustering variable. By default the only grouping factor, or the one in which all others are nested.
    kind
        ``"classical"``: independent rows with one variance, as plm. Or robust to dependence within clusters: ``"CR0"``,
        ``"CR1"``, ``"CR1S"``, ``"CR2"``, ``"CR3"``, see `cluster_robust`. CR2 and CR3 have Satterthwaite's degrees of
        freedom, CR0 to CR1S the number of clusters less 1.
    weights, offset
        As in `lmer`; weights are taken for inverse variances. Those of the fit, if one is given.
    level
        Confidence level of the limits.

    Returns
    -------
    WithinFit
        Prints as a table, with the columns that drop out and why below it; ``.dropped`` lists them.

    Raises
    ------
    OptionError
        If an argument is none of what is allowed; with crossed factors, if `cluster` is not named.
    DataError
        If no predictor varies within clusters, clusters and predictors describe every row, or the table is not that of
        the fit.
    ModelError
        If the fit is none of `lmer`.

    Notes
    -----
    Wooldridge (2010), Econometric Analysis of Cross Section and Panel Data, 2nd ed., chapter 10. As R's plm; CR2 and
    its degrees of freedom as clubSandwich. ``"CR1S"`` counts the predictors but not the cluster effects, as plm's
    ``vcovHC(type = "sss")``.

    Examples
    --------
    >>> from mixsem.data import sleepstudy
    >>> data = sleepstudy()
    >>> data["young"] = (data["Subject"].astype(int) > 340) * 1.0
    >>> found = within("Reaction ~ Days + young", data, cluster="Subject")
    >>> found.frame[["name", "estimate", "se", "df"]].round(3)
       name  estimate     se    df
    0  Days    10.467  1.546  17.0
    >>> found.dropped[1]
    Dropped(name='young', reason='constant within Subject')
    """
    import pandas as pd

    require_choice("kind", kind, ("classical", *KINDS), "CR2")
    level = require_level(level)
    refuse_generalised(
        model,
        "within",
        "it is least squares, which knows neither family nor link",
        "add the means of clusters as predictors and fit again with glmer(); or see alternatives(fit)",
    )
    source = clustered_regression(model, data, cluster, weights=weights, offset=offset)
    found = fit_within(source, kind)
    frame, _ = coefficient_frame(found.names, found.solution.beta, found.vcov, found.df, level)
    names, factor = list(found.names), source.cluster
    vcov = pd.DataFrame(found.vcov, index=names, columns=names)
    title = f"Within {factor.name} (fixed effects)"
    return WithinFit(
        title=title,
        frame=frame,
        notes=(*_notes(source, found, kind), *dropped_notes(found.dropped), *source.notes),
        dropped=found.dropped,
        vcov=vcov,
        kind=kind,
        sigma=found.sigma,
        cluster=factor.name,
        n_clusters=factor.n_levels,
        nobs=source.design.n,
    )


def fit_within(source: ClusteredRegression, kind: WithinKind) -> WithinNumbers:
    """Take out the means of clusters, and fit what is left."""
    design, codes = source.design, source.cluster.codes
    X, y = design.X, source.known_response
    inside = X - cluster_means(X, source)
    y = y - cluster_means(y[:, None], source)[:, 0]
    if design.weights is not None:
        root = np.sqrt(design.weights)
        inside, y = root[:, None] * inside, root * y
    kept, dropped = _columns(inside, X, source)
    if not kept:
        raise DataError(
            f"no predictor varies within {source.cluster.name}",
            allowed="one or more predictors that differ between rows of a cluster",
            todo="the within estimator has nothing to say here; see cluster_robust()",
        )
    left = design.n - source.n_clusters - len(kept)
    if left < 1:
        raise DataError(
            f"{design.n} rows for {source.n_clusters} cluster effects and {len(kept)} coefficients",
            allowed="more rows than these together",
        )
    inside = inside[:, kept]
    found = sandwich(inside, y, None, codes, source.n_clusters, "CR2" if kind == "classical" else kind)
    sigma2 = float(found.residuals @ found.residuals) / left
    vcov, df = found.vcov, found.df
    if kind == "classical":
        R_inverse = np.linalg.inv(np.linalg.qr(inside, mode="r"))
        vcov, df = sigma2 * (R_inverse @ R_inverse.T), np.full(len(kept), float(left))
    elif kind not in ("CR2", "CR3"):
        df = np.where(found.lone, np.nan, source.n_clusters - 1.0)
    return WithinNumbers(tuple(design.fixed_names[j] for j in kept), dropped, found, vcov, df, float(np.sqrt(sigma2)))


def cluster_means(A: Array, source: ClusteredRegression) -> Array:
    """Means of the columns over the rows of each row's cluster, weighted where there are weights; (n, k)."""
    codes, count = source.cluster.codes, source.n_clusters
    w = source.design.weights
    size = np.bincount(codes, w, minlength=count)
    sums = [np.bincount(codes, a if w is None else w * a, minlength=count) for a in A.T]
    return np.column_stack([(total / size)[codes] for total in sums])


def _columns(inside: Array, X: Array, source: ClusteredRegression) -> tuple[list[int], tuple[Dropped, ...]]:
    """Columns that the deviations determine, and why the others drop out."""
    names, name = source.names, source.cluster.name
    there = np.linalg.norm(inside, axis=0) > CONSTANT * np.linalg.norm(X, axis=0)
    varying = np.flatnonzero(there)
    kept = [int(varying[j]) for j in independent_columns(inside[:, varying], intercept=False)]
    reasons = []
    for j, column in enumerate(names):
        if j in kept:
            continue
        if column == "(Intercept)":
            reasons.append(Dropped(column, f"part of the effects of {name}"))
        elif not there[j]:
            reasons.append(Dropped(column, f"constant within {name}"))
        else:
            reasons.append(Dropped(column, f"follows from other columns within {name}"))
    return kept, tuple(reasons)


def dropped_notes(dropped: Sequence[Dropped]) -> Iterator[str]:
    """What drops out of the within estimator and why, by reason."""
    for reason in dict.fromkeys(d.reason for d in dropped if d.name != "(Intercept)"):
        names = [d.name for d in dropped if d.reason == reason and d.name != "(Intercept)"]
        yield f"No within coefficient for {enumerate_briefly(names, limit=20)}: {reason}."


def _notes(source: ClusteredRegression, found: WithinNumbers, kind: WithinKind) -> Iterator[str]:
    name, count = source.cluster.name, source.n_clusters
    errors = {"classical": "for independent rows with one variance"}.get(kind, f"robust within clusters ({kind})")
    yield (
        f"{count:,} effects of {name} are conditioned on; coefficients compare rows of the same cluster."
        f" Standard errors {errors}. Residual SD {found.sigma:,.4g}."
    )
    alone = int((source.cluster.sizes == 1).sum())
    if alone:
        yield f"{alone:,} cluster{'s' * (alone > 1)} of one row add{'s' * (alone == 1)} nothing to these coefficients."
    if kind != "classical":
        yield from lone_notes(found.names, found.solution.lone, found.solution.alone, name)
    if count < FEW_CLUSTERS and kind in ("CR0", "CR1", "CR1S", "CR3"):
        yield f"{count} clusters are few for robust standard errors: prefer kind='CR2'. [MX143]"
