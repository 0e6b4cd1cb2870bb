"""Variances and correlations of random effects, as lme4's VarCorr shows them, with shares of the total."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...errors import OptionError, did_you_mean
from ..structure.residual_rows import relative_sd

if TYPE_CHECKING:
    import pandas as pd

    from ...report.table import Table
    from ..estimates import MixedEstimates
    from ..fit import MixedFit
    from ..generalised.fit import GeneralisedFit
    from ..structure.residual_structure import ResidualEstimate

__all__ = ["TermVariance", "VarCorr", "generalised_varcorr", "varcorr"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TermVariance:
    """Covariance matrix of the random effects of one term.

    Attributes
    ----------
    group
        Its label: the grouping factor, with ``".1"`` and so on for further terms of the same factor.
    names
        Its random effects.
    covariance
        (k, k) their covariances, in the units of the response and the predictors.
    correlated
        Whether they covary in the model.
    mean_variance
        What the term adds to the variance of a row, z' Sigma z averaged over the rows of the fit.
    """

    group: str
    names: tuple[str, ...]
    covariance: Array
    correlated: bool
    mean_variance: float

    @property
    def sd(self) -> Array:
        """Standard deviations, length k."""
        return np.sqrt(np.diagonal(self.covariance))

    @property
    def correlation(self) -> Array:
        """Correlations, (k, k); NaN beside an effect whose variance is 0."""
        with np.errstate(divide="ignore", invalid="ignore"):
            found = self.covariance / np.outer(self.sd, self.sd)
        np.fill_diagonal(found, 1.0)
        return np.asarray(found)


@dataclass(frozen=True, eq=False, repr=False)
class VarCorr:
    """Variance components; prints in lme4's layout.

    Attributes
    ----------
    terms
        Random terms in lme4's order.
    sigma
        Residual standard deviation, of a row with weight 1; NaN for generalised models, which have none.
    mean_residual_variance
        Residual variance averaged over the rows of the fit; NaN for generalised models, and so are shares.
    residual
        The estimated structure of the residuals; None if they are independent with one variance.
    dispersion
        Name and value of the parameter of a generalised model's family; None if it has none.
    """

    terms: tuple[TermVariance, ...]
    sigma: float
    mean_residual_variance: float
    residual: ResidualEstimate | None = None
    dispersion: tuple[str, float] | None = None

    def __getitem__(self, group: str) -> TermVariance:
        """The term with this label, as in ``fit.varcorr["Subject"]``."""
        labels = [term.group for term in self.terms]
        if group not in labels:
            raise OptionError(
                f"group={group!r}", allowed=", ".join(labels), todo=did_you_mean(str(group), labels) or "choose one"
            )
        return self.terms[labels.index(group)]

    @property
    def total(self) -> float:
        """Variance of the response around x'beta, averaged over the rows of the fit."""
        return self.mean_residual_variance + sum(term.mean_variance for term in self.terms)

    @property
    def frame(self) -> pd.DataFrame:
        """One row per variance and covariance.

        Columns: group, effect, effect2 (missing for variances), vcov (variance or covariance), sdcor (standard
        deviation or correlation), and share: that of the term in the variance of the response around x'beta, on the
        first row of the term. It is an average over the rows of the fit: what a random slope adds differs between them.
        Where residual variances differ, each level has a row, with its name as effect.
        """
        import pandas as pd

        records: list[tuple[object, ...]] = []
        for term in self.terms:
            sd, correlation, k = term.sd, term.correlation, len(term.names)
            for a in range(k):
                share = term.mean_variance / self.total if a == 0 else np.nan
                records.append((term.group, term.names[a], None, term.covariance[a, a], sd[a], share))
            for a, b in _pairs(k) if term.correlated else ():
                pair = (term.names[a], term.names[b])
                records.append((term.group, *pair, term.covariance[a, b], correlation[a, b], np.nan))
        share = self.mean_residual_variance / self.total
        for i, (level, value) in enumerate(self.residual_rows):
            records.append(("Residual", level or None, None, value**2, value, share if i == 0 else np.nan))
        return pd.DataFrame(records, columns=["group", "effect", "effect2", "vcov", "sdcor", "share"])

    @property
    def residual_rows(self) -> tuple[tuple[str, float], ...]:
        """Levels that have a residual standard deviation, as ``"by = level"``, and these; ``""`` for all rows."""
        if np.isnan(self.sigma):
            return ()
        if self.residual is None or self.residual.structure.by is None:
            return (("", self.sigma),)
        by, frame = self.residual.structure.by, self.residual.frame
        return tuple((f"{by} = {level}", float(sd)) for level, sd in zip(frame["level"], frame["sd"], strict=True))

    @property
    def notes(self) -> tuple[str, ...]:
        """What else there is to know of the residuals, and the parameter of a family."""
        own = () if self.dispersion is None else (f"{self.dispersion[0].capitalize()}: {self.dispersion[1]:.4g}.",)
        return own if self.residual is None else (*own, *self.residual.notes)

    def to_pandas(self) -> pd.DataFrame:
        """As `frame`."""
        return self.frame

    @property
    def table(self) -> Table:
        """As a table to print."""
        from ...report.table import Column, Table

        widest = max((len(t.names) for t in self.terms if t.correlated), default=1)
        columns = [
            Column("group", "Groups"),
            Column("effect", "Name"),
            Column("sd", "Std.Dev.", align="right"),
            *(Column(f"cor{i}", "Corr" if i == 1 else "", "decimal2", "right") for i in range(1, widest)),
        ]
        residuals = self.residual_rows
        write = _writer([*np.concatenate([t.sd for t in self.terms]), *(sd for _, sd in residuals)])
        rows: list[tuple[object, ...]] = []
        for term in self.terms:
            sd, correlation = term.sd, term.correlation
            for a, name in enumerate(term.names):
                before = list(correlation[a, :a]) if term.correlated else []
                padded = (before + [None] * widest)[: widest - 1]
                rows.append((term.group if a == 0 else "", name, write(sd[a]), *padded))
        for i, (level, value) in enumerate(residuals):
            rows.append(("" if i else "Residual", level, write(value), *[None] * (widest - 1)))
        return Table("", tuple(columns), tuple(rows), self.notes)

    def __repr__(self) -> str:
        return repr(self.table)

    def _repr_html_(self) -> str:
        return self.table._repr_html_()


def varcorr(fit: MixedFit) -> VarCorr:
    """Variance components of a fit."""
    residual = fit.sigma**2
    if fit.design.weights is not None or fit.residual is not None:
        residual *= float(np.mean(relative_sd(fit.model) ** 2))
    return VarCorr(_terms(fit), fit.sigma, residual, fit.residual)


def generalised_varcorr(fit: GeneralisedFit) -> VarCorr:
    """Variance components of a generalised fit, on the scale of the linear predictor."""
    dispersion = None if fit.dispersion is None else (fit.family.parameter, fit.dispersion)
    return VarCorr(_terms(fit), np.nan, np.nan, dispersion=dispersion)


def _terms(fit: MixedEstimates) -> tuple[TermVariance, ...]:
    """Label covariance matrices, one per term, and average what they add over the rows of the fit."""
    design, found, seen = fit.design, [], dict[str, int]()
    for t, term in enumerate(design.terms):
        relative = fit.sigma * fit.model.theta_map.term_lambda(fit.theta, t)
        covariance = relative @ relative.T
        name = design.factors[term.factor].name
        times = seen.get(name, 0)
        seen[name] = times + 1
        label = f"{name}.{times}" if times else name
        squares = np.ones((1, 1)) if term.Z is None else term.Z.T @ term.Z / design.n
        mean = float((squares * covariance).sum())
        found.append(TermVariance(label, term.names, covariance, term.correlated, mean))
    return tuple(found)


def _pairs(k: int) -> list[tuple[int, int]]:
    return [(a, b) for a in range(k) for b in range(a + 1, k)]


def _writer(values: Sequence[float]) -> Callable[[float], str]:
    """Write all with as many decimals as the largest needs for five digits, and the smallest for two."""
    sizes = [abs(v) for v in values if v != 0.0 and np.isfinite(v)]
    decimals = 3
    if sizes:
        high, low = np.floor(np.log10([max(sizes), min(sizes)]))
        decimals = int(np.clip(max(4 - high, 1 - low), 0, 8))
    return lambda value: f"{value:,.{decimals}f}"
