"""What a level of invariance costs: differences of chi-square, changes of fit, and the field's cut-offs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..equations.difference import difference_test, resolved_method
from ..equations.fit import SEMFit

__all__ = ["CUTOFFS", "Comparison", "Cutoff", "LevelMeasures", "Verdict", "compare_levels", "level_measures"]


@dataclass(frozen=True, slots=True)
class LevelMeasures:
    """Fit of one level; chi-square, CFI and RMSEA are corrected for non-normality where the estimator does so.

    Attributes
    ----------
    chisq, df, pvalue
        Test of the model; `df` is that of the model.
    scale, shift
        Correction of chi-square: plain / scale + shift.
    cfi, rmsea, rmsea_lower, rmsea_upper, srmr
        Descriptive fit, the interval with 90% confidence.
    loglik, n_params, aic, bic
        NaN without a likelihood.
    """

    chisq: float
    df: int
    pvalue: float
    scale: float
    shift: float
    cfi: float
    rmsea: float
    rmsea_lower: float
    rmsea_upper: float
    srmr: float
    loglik: float
    n_params: int
    aic: float
    bic: float


@dataclass(frozen=True, slots=True)
class Cutoff:
    """How much a step may change fit, by one source.

    Attributes
    ----------
    source
        Authors and year.
    cfi, rmsea, srmr
        Largest fall of CFI, largest rises of RMSEA and SRMR; None if the source has none.
    remark
        For which data.
    """

    source: str
    cfi: float
    rmsea: float | None = None
    srmr: float | None = None
    remark: str = ""


CUTOFFS: dict[str, tuple[Cutoff, ...]] = {
    "metric": (
        Cutoff("Cheung & Rensvold (2002)", 0.010, remark="two groups"),
        Cutoff("Chen (2007)", 0.010, 0.015, 0.030, remark="two groups, N > 300"),
        Cutoff("Rutkowski & Svetina (2014)", 0.020, 0.030, remark="10 or 20 groups"),
    ),
    "scalar": (
        Cutoff("Cheung & Rensvold (2002)", 0.010, remark="two groups"),
        Cutoff("Chen (2007)", 0.010, 0.015, 0.010, remark="two groups, N > 300"),
        Cutoff("Rutkowski & Svetina (2014)", 0.010, 0.010, remark="10 or 20 groups"),
    ),
    "strict": (
        Cutoff("Cheung & Rensvold (2002)", 0.010, remark="two groups"),
        Cutoff("Chen (2007)", 0.010, 0.015, 0.010, remark="two groups, N > 300"),
    ),
}
"""Cut-offs by level: the step to this level. They were found by simulation for the number of groups in the remark."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a step stays within a cut-off; None where the source has none or the measure is missing."""

    source: str
    cfi: bool | None
    rmsea: bool | None
    srmr: bool | None

    @property
    def met(self) -> bool | None:
        """Whether everything that could be judged stays within; None if nothing could."""
        judged = [x for x in (self.cfi, self.rmsea, self.srmr) if x is not None]
        return all(judged) if judged else None


@dataclass(frozen=True, slots=True)
class Comparison:
    """A level against the one before.

    Attributes
    ----------
    chisq, df, pvalue
        Difference of chi-square, as the estimator corrects it; NaN where there is no test.
    method
        ``"standard"``, ``"satorra-bentler-2001"`` (or ``"satorra-bentler-2010"`` where its scaling factor is not
        positive), ``"satorra-2000"``, or ``""`` if there is none.
    cfi, rmsea, srmr, aic, bic
        Changes, this level minus the one before.
    verdicts
        The field's cut-offs, one verdict each.
    """

    chisq: float
    df: int
    pvalue: float
    method: str
    cfi: float
    rmsea: float
    srmr: float
    aic: float
    bic: float
    verdicts: tuple[Verdict, ...]

    def to_dict(self) -> dict[str, Any]:
        """Names and values, without the verdicts."""
        return {name: value for name, value in asdict(self).items() if name != "verdicts"}


def level_measures(fit: SEMFit) -> LevelMeasures:
    """Fit measures of a level."""
    m, robust = fit.measures, fit.robust
    if robust is None:
        test = (m.chisq, m.df, m.pvalue, 1.0, 0.0)
    else:
        t = robust.model
        test = (t.chisq, m.df, t.pvalue, t.scale, t.shift)
    return LevelMeasures(*test, *fit.described[1:], m.srmr, m.loglik, m.n_params, m.aic, m.bic)


def compare_levels(
    level: str, before: LevelMeasures, after: LevelMeasures, looser: SEMFit, stricter: SEMFit
) -> Comparison:
    """Compare a level with the one before."""
    chisq, df, pvalue, method = _difference(looser, stricter)
    changes = {name: getattr(after, name) - getattr(before, name) for name in ("cfi", "rmsea", "srmr", "aic", "bic")}
    verdicts = tuple(
        Verdict(
            cutoff.source,
            _within(-changes["cfi"], cutoff.cfi),
            _within(changes["rmsea"], cutoff.rmsea),
            _within(changes["srmr"], cutoff.srmr),
        )
        for cutoff in CUTOFFS.get(level, ())
    )
    return Comparison(chisq, df, pvalue, method, **changes, verdicts=verdicts)


def _within(change: float, limit: float | None) -> bool | None:
    return None if limit is None or np.isnan(change) else bool(change <= limit)


def _difference(looser: SEMFit, stricter: SEMFit) -> tuple[float, int, float, str]:
    """Difference of chi-square, its degrees of freedom, p and kind; NaN and no kind where there is none."""
    df = stricter.measures.df - looser.measures.df
    if df <= 0:
        return stricter.measures.chisq - looser.measures.chisq, df, np.nan, ""
    methods = [resolved_method(stricter, "default")]
    if methods[0] == "satorra-bentler-2001":
        methods.append("satorra-bentler-2010")  # where the scaling factor of the first is not positive
    for method in methods:
        test = difference_test(looser, stricter, method)
        if np.isfinite(test.chisq):
            return test.chisq, df, test.pvalue, method
    return np.nan, df, np.nan, ""
