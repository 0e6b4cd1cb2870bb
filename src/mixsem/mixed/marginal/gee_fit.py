"""Generalised estimating equations: marginal coefficients with robust standard errors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...data.columns import FrameLike
from ...errors import ConvergenceWarning, DataError, Notice, OptionError, notify
from ..derived.frame_table import FrameTable
from ..designs.predictor_types import as_floats
from ..designs.same_table import further_columns
from ..estimates import MixedEstimates
from ..inference.ddf import require_level
from .estimating import Errors, GEENumbers, Order, WorkingCorrelation, solve
from .marginal_family import MarginalFamily, family_of, reader_of, require_one_of
from .robust import FEW_CLUSTERS, coefficient_frame, lone_notes
from .source import ClusteredRegression, clustered_regression

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["GEEFit", "gee"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class GEEFit(FrameTable):
    """Marginal coefficients by generalised estimating equations.

    Attributes
    ----------
    title, frame, notes
        The table. `frame` has name, estimate, se, df (infinite), t (which is z), p_value, lower, upper.
    vcov
        (p, p) robust covariance matrix.
    model_vcov
        (p, p) covariance matrix if the working correlation is true.
    working
        The working correlation.
    correlation
        Its parameter: of any two rows (exchangeable), or of rows one step apart (ar1).
    scale
        Pearson's chi-square by the number of rows.
    family, link
        Their names.
    cluster
        Name of the clustering variable.
    n_clusters, nobs
        Number of clusters and rows.
    notices
        Statistical trouble.
    """

    vcov: pd.DataFrame
    model_vcov: pd.DataFrame
    working: str
    correlation: float
    scale: float
    family: str
    link: str
    cluster: str
    n_clusters: int
    nobs: int
    notices: tuple[Notice, ...]


def gee(
    model: MixedEstimates | str,
    data: FrameLike | None = None,
    *,
    cluster: str | None = None,
    family: str | None = None,
    link: str | None = None,
    working: WorkingCorrelation = "exchangeable",
    time: str | None = None,
    se: Errors = "robust",
    weights: str | ArrayLike | None = None,
    offset: str | ArrayLike | None = None,
    level: float = 0.95,
) -> GEEFit:
    """Fit marginal coefficients by generalised estimating equations (GEE).

    The mean of the response is modelled, averaged over clusters. The working correlation is only a guess: coefficients
    and robust standard errors are right with many clusters even if it is wrong.

    Parameters
    ----------
    model
        A fit of a mixed model, of which the fixed part (and the family) is used; or a formula, with `data`.
    data
        The table of the formula; with a fit only if `cluster` or `time` are columns that the fit did not use.
    cluster
        The clustering variable, one only. By default the only grouping factor, or the one in which all are nested.
    family, link
        ``"gaussian"``, ``"binomial"``, ``"poisson"``, ``"gamma"``, ``"inverse gaussian"``, and the name of a link; the
        identity, logit and log (for all others) by default. Those of the fit, if one is given.
    working
        Working correlation of the rows of a cluster: ``"independence"``, ``"exchangeable"``, or ``"ar1"``, rho to the
        power of the time between two rows.
    time
        For ``"ar1"``: a column of numbers; occasions may be missing. By default rows are one step apart, in their
        order.
    se
        ``"robust"``, the sandwich without a correction for few clusters, as geepack; or ``"bias-reduced"`` of Mancl &
        DeRouen (2001).
    weights, offset
        As in `lmer`; the working variance of a row is divided by its weight, which is the number of trials if responses
        are shares. Those of the fit, if one is given.
    level
        Confidence level of the limits.

    Returns
    -------
    GEEFit
        Prints as a table; ``.frame`` has name, estimate, se, df, t, p_value, lower, upper.

    Raises
    ------
    OptionError
        If an argument is none of what is allowed; with crossed factors, if `cluster` is not named.
    DataError
        If responses are not what the family allows, two rows of a cluster have the same time, or the table is not that
        of the fit.
    ModelError
        If the estimating equations have no solution.

    Notes
    -----
    Liang & Zeger (1986), Biometrika 73, 13-22. The equations are solved by statsmodels; the scale and the working
    correlation are estimated as in R's geepack: by the means of products of Pearson residuals, over all pairs.

    Examples
    --------
    >>> from mixsem.data import sleepstudy
    >>> found = gee("Reaction ~ Days", sleepstudy(), cluster="Subject")
    >>> found.frame[["name", "estimate", "se"]].round(3), round(found.correlation, 3)
    (          name  estimate     se
    0  (Intercept)   251.405  6.632
    1         Days    10.467  1.502, 0.576)
    """
    import pandas as pd

    level = require_level(level)
    require_one_of("working", working, ("independence", "exchangeable", "ar1"))
    require_one_of("se", se, ("robust", "bias-reduced"))
    if time is not None and working != "ar1":
        raise OptionError(f"time={time!r} with working={working!r}", allowed="time= with working='ar1' only")
    chosen = family_of(model, family, link)
    reader = reader_of(chosen) if isinstance(model, str) else None
    source = clustered_regression(model, data, cluster, weights=weights, offset=offset, response=reader)
    order = None if working != "ar1" else _order(source, data, time)
    found = solve(source, chosen, working, order, se)
    names = list(source.names)
    frame, _ = coefficient_frame(source.names, found.beta, found.vcov, np.full(len(names), np.inf), level)
    notices = () if found.converged else (Notice(ConvergenceWarning, _UNSOLVED),)
    notify(notices)
    return GEEFit(
        title=f"Generalised estimating equations, {working} within {source.cluster.name}",
        frame=frame,
        notes=(*_notes(source, chosen, working, found, se, time), *source.notes),
        vcov=pd.DataFrame(found.vcov, index=names, columns=names),
        model_vcov=pd.DataFrame(found.model_vcov, index=names, columns=names),
        working=working,
        correlation=found.correlation,
        scale=found.scale,
        family=chosen.name,
        link=chosen.link,
        cluster=source.cluster.name,
        n_clusters=source.n_clusters,
        nobs=source.design.n,
        notices=notices,
    )


_UNSOLVED = "the estimating equations were not solved to full precision: try another working correlation"


def _order(source: ClusteredRegression, data: FrameLike | None, time: str | None) -> Order:
    """The rows by cluster and time, and their times."""
    design, codes = source.design, source.cluster.codes
    if time is None:
        rows = np.argsort(codes, kind="stable")
        starts = np.cumsum(np.bincount(codes)) - np.bincount(codes)
        return rows, np.arange(design.n, dtype=np.float64) - starts[codes[rows]]
    frame = design.frame
    if time not in frame.columns:
        if data is None:
            raise OptionError(f"time={time!r}", allowed="a column that the fit used", todo="give the table as data=")
        frame = further_columns(design, data, [time])
    try:
        values = np.asarray(as_floats(frame[time]), dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"{time} is not numeric", todo="number the occasions") from error
    if len(values) != design.n or not np.isfinite(values).all():
        raise DataError(f"{time} is missing in rows of the model", todo="fit to the rows that have it")
    rows = np.lexsort((values, codes))
    same = np.diff(codes[rows]) == 0
    if (np.diff(values[rows])[same] == 0.0).any():
        raise DataError(
            f"two rows of one level of {source.cluster.name} have the same {time}",
            todo="use working='exchangeable', or another time=",
        )
    return rows, values[rows]


def _notes(
    source: ClusteredRegression,
    family: MarginalFamily,
    working: str,
    found: GEENumbers,
    se: Errors,
    time: str | None,
) -> Iterator[str]:
    name, count = source.cluster.name, source.n_clusters
    gaussian = (family.name, family.link) == ("gaussian", "identity")
    yield (
        f"{family.name.capitalize()}, {family.link} link; {count:,} clusters of {name}, {source.design.n:,} rows. Scale"
        f" {found.scale:,.4g}."
        + (f" Working correlation {found.correlation:.3f}." if working != "independence" else "")
    )
    yield (
        f"Marginal effects: differences between averages over {name}. There are no random effects and no variances"
        " between clusters, and one clustering variable."
    )
    if gaussian and working == "independence":
        yield (
            "With these choices GEE is least squares with cluster-robust standard errors "
            + ("without correction (CR0)." if se == "robust" else "that are close to the jackknife (CR3).")
        )
    if working == "ar1" and time is None:
        yield "Rows of a cluster are taken to be one step apart, in the order of the table; say time= if they are not."
    yield from lone_notes(source.names, found.lone, found.alone, name)
    if count < FEW_CLUSTERS:
        errors = "robust standard errors without correction are too small" if se == "robust" else "z is a rough guide"
        instead = "cluster_robust() with CR2" if gaussian else "se='bias-reduced'"
        yield f"{count} clusters, fewer than {FEW_CLUSTERS}: {errors}" + (
            f"; compare {instead}. [MX143]" if se == "robust" or gaussian else ". [MX143]"
        )
