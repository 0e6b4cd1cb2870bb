"""CFI, TLI and RMSEA that estimate what they would be in normal, complete data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..inference.fitmeasures import rmsea_interval
from ..inference.incremental import rmsea_not_close

__all__ = ["Corrected", "Described", "RobustMeasures", "incremental", "measures_of", "rmsea"]


@dataclass(frozen=True, slots=True)
class Corrected:
    """A chi-square statistic and what is known of its distribution.

    Attributes
    ----------
    chisq, df
        The plain statistic.
    c
        Its mean per degree of freedom where the model holds; 1 for normal, complete data.
    scaled, scale
        The corrected statistic, and what it was divided by.
    """

    chisq: float
    df: int
    c: float
    scaled: float
    scale: float


@dataclass(frozen=True, slots=True)
class RobustMeasures:
    """Estimates of the population values for normal, complete data; NaN where there is no such correction.

    These are the ones to compare with the usual cut-offs (Brosseau-Liard, Savalei & Li, 2012; Brosseau-Liard & Savalei,
    2014; with missing values Zhang & Savalei, 2023).
    """

    cfi_robust: float = np.nan
    tli_robust: float = np.nan
    rmsea_robust: float = np.nan
    rmsea_robust_lower: float = np.nan
    rmsea_robust_upper: float = np.nan
    rmsea_robust_pvalue: float = np.nan
    rmsea_robust_notclose: float = np.nan
    rni_robust: float = np.nan

    @property
    def known(self) -> bool:
        """Whether there is such a correction."""
        return bool(np.isfinite([self.cfi_robust, self.rmsea_robust]).all())


class Described(NamedTuple):
    """CFI and RMSEA of one kind: ``"robust"``, ``"scaled"``, or ``""`` for those of normal data."""

    kind: str
    cfi: float
    rmsea: float
    rmsea_lower: float
    rmsea_upper: float


def measures_of(model: Corrected, baseline: Corrected, n: int, n_groups: int) -> RobustMeasures:
    """Compute the measures from the statistics of model and baseline model."""
    excess = model.chisq - model.c * model.df
    baseline_excess = baseline.chisq - baseline.c * baseline.df
    worst = max(excess, baseline_excess, 0.0)
    if not model.df:
        return RobustMeasures(1.0, 1.0, 0.0, 0.0, 0.0, rni_robust=1.0)
    lower, upper, _ = rmsea_interval(model.scaled, model.df, n, n_groups)
    root, relative = float(np.sqrt(model.scale)), n / model.scale
    return RobustMeasures(
        cfi_robust=1.0 - max(excess, 0.0) / worst if worst > 0 else 1.0,
        tli_robust=tli(excess, model.df, baseline_excess, baseline.df),
        rmsea_robust=rmsea(excess, model.df, n, n_groups),
        rmsea_robust_lower=lower * root,
        rmsea_robust_upper=upper * root,
        rmsea_robust_pvalue=1.0 - rmsea_not_close(model.scaled, model.df, relative, n_groups, 0.05),
        rmsea_robust_notclose=rmsea_not_close(model.scaled, model.df, relative, n_groups),
        rni_robust=1.0 - excess / baseline_excess if baseline_excess else np.nan,
    )


def rmsea(excess: float, df: float, n: int, n_groups: int) -> float:
    """RMSEA from what a statistic exceeds its expectation by."""
    return float(np.sqrt(n_groups * max(excess, 0.0) / (n * df))) if df else 0.0


def incremental(chisq: float, df: float, baseline: float, baseline_df: float) -> tuple[float, float]:
    """CFI and TLI."""
    worst = max(chisq - df, baseline - baseline_df, 0.0)
    cfi = 1.0 - max(chisq - df, 0.0) / worst if worst > 0 else 1.0
    return cfi, tli(chisq - df, df, baseline - baseline_df, baseline_df)


def tli(excess: float, df: float, baseline_excess: float, baseline_df: float) -> float:
    """TLI from what the statistics exceed their expectations by."""
    if not df or baseline_excess <= 0:
        return 1.0
    return 1.0 - (excess / df) * (baseline_df / baseline_excess)
