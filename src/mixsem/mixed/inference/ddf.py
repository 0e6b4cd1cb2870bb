"""How fixed effects are tested: with Satterthwaite's degrees of freedom, Kenward and Roger's method, or none."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeGuard, cast

import numpy as np
from numpy.typing import NDArray

from ...errors import ModelError, OptionError, did_you_mean
from ..derived.frame_table import FrameTable
from ..require import require_any_fit

if TYPE_CHECKING:
    import pandas as pd

    from ..estimates import MixedEstimates
    from ..fit import MixedFit
    from ..generalised.fit import GeneralisedFit

__all__ = [
    "Asymptotic",
    "CoefficientTable",
    "Ddf",
    "Inference",
    "coefficient_table",
    "inference_of",
    "is_generalised",
    "labelled",
    "method_of",
    "require_level",
    "t_table",
]

Array = NDArray[np.float64]
Ddf = Literal["satterthwaite", "kenward-roger", "none"]

METHODS: tuple[Ddf, ...] = ("satterthwaite", "kenward-roger", "none")


class Method(Protocol):
    """What every method offers."""

    @property
    def beta(self) -> Array:
        """Fixed effects, length p."""

    @property
    def vcov(self) -> Array:
        """Their covariance matrix, (p, p)."""

    def df(self, L: Array) -> Array:
        """Degrees of freedom of each row of L (m, p)."""

    def joint(self, L: Array, rhs: Array) -> tuple[float, int, float]:
        """F and its degrees of freedom for L beta = rhs."""


@dataclass(frozen=True, eq=False)
class Asymptotic:
    """Tests as if the variances were known: z and chi-square."""

    beta: Array
    vcov: Array

    def df(self, L: Array) -> Array:
        """Infinity for each row of L."""
        return np.full(len(L), np.inf)

    def joint(self, L: Array, rhs: Array) -> tuple[float, int, float]:
        """F with infinite denominator degrees of freedom."""
        values, vectors = np.linalg.eigh(L @ self.vcov @ L.T)
        kept = values > 1e-10 * values.max(initial=0.0)
        t2 = (vectors[:, kept].T @ (L @ self.beta - rhs)) ** 2 / values[kept]
        return (float(t2.mean()), len(t2), np.inf) if len(t2) else (np.nan, 0, np.nan)


@dataclass(frozen=True, eq=False, repr=False)
class Inference:
    """A fit with what its tests need, computed once for any number of tables.

    Attributes
    ----------
    fit
        The fit.
    ddf
        The method: ``"satterthwaite"``, ``"kenward-roger"`` or ``"none"``.
    tests
        What the method needs of the fit.
    """

    fit: MixedEstimates
    ddf: Ddf
    tests: Method

    def __repr__(self) -> str:
        return f"Inference({self.fit.formula!r}, ddf={self.ddf!r})"

    @property
    def statistic(self) -> str:
        """Name of the ratio of an estimate to its standard error: ``"t"``, or ``"z"`` without degrees of freedom."""
        return "z" if self.ddf == "none" else "t"

    @property
    def note(self) -> str:
        """The method in a sentence."""
        if is_generalised(self.fit):
            return f"Normal approximation: z, no degrees of freedom. {self.fit.hessian_note}"
        known = {
            "satterthwaite": "Degrees of freedom by Satterthwaite's method.",
            "kenward-roger": "Degrees of freedom and standard errors by Kenward and Roger's method.",
            "none": "Normal approximation: variances taken as known, no degrees of freedom.",
        }[self.ddf]
        if self.ddf == "satterthwaite" and self.fit.residual is not None:
            return f"{known} The parameters of the residual structure are taken as known."
        return known


def is_generalised(fit: MixedEstimates) -> TypeGuard[GeneralisedFit]:
    """Whether it is a fit of `glmer`."""
    from ..generalised.fit import GeneralisedFit

    return isinstance(fit, GeneralisedFit)


def inference_of(fit: MixedEstimates, ddf: Ddf | Inference | None = None) -> Inference:
    """Compute what tests of the fixed effects need.

    Parameters
    ----------
    fit
        The fit.
    ddf
        The method; or what was computed for this fit before, which is handed back. By default Satterthwaite's for
        linear models, and z for generalised ones.

    Raises
    ------
    OptionError
        If there is no such method, or not for this fit.

    Examples
    --------
    >>> from mixsem.data import sleepstudy
    >>> from mixsem.mixed.linear import lmer
    >>> known = inference_of(lmer("Reaction ~ Days + (Days | Subject)", sleepstudy()))
    >>> known.tests.df(np.eye(2)).round(2)
    array([17., 17.])
    """
    if isinstance(ddf, Inference):
        if ddf.fit is not fit:
            raise OptionError("the inference given as ddf= is that of another fit", todo="compute it for this fit")
        return ddf
    generalised = is_generalised(fit)
    ddf = ddf or ("none" if generalised else "satterthwaite")
    if ddf not in METHODS:
        raise OptionError(
            f"ddf={ddf!r}",
            allowed="'satterthwaite', 'kenward-roger', or 'none' for z and chi-square",
            todo=did_you_mean(str(ddf), METHODS),
        )
    if generalised and ddf != "none":
        raise ModelError(
            f"ddf={ddf!r} for a generalised model",
            allowed="ddf='none': degrees of freedom are those of an estimated residual variance, which there is not",
            todo="leave ddf= out; with few levels, profile or bootstrap intervals need no degrees of freedom",
        )
    if ddf == "satterthwaite":
        return cast("MixedFit", fit).satterthwaite
    return Inference(fit, ddf, method_of(fit, ddf))


def method_of(fit: MixedEstimates, ddf: Ddf) -> Method:
    """What the tests of a method need, computed anew."""
    if is_generalised(fit):
        return Asymptotic(fit.beta, fit.spread.fixed)
    linear = cast("MixedFit", fit)
    if ddf == "kenward-roger":
        from .kenward_roger import kenward_roger

        return kenward_roger(linear)
    vcov = fit.sigma**2 * fit.state.unscaled_vcov
    if ddf == "none":
        return Asymptotic(fit.beta, vcov)
    from ..engine.curvature import curvature
    from .satterthwaite import Satterthwaite

    return Satterthwaite(fit.beta, vcov, curvature(linear))


def t_table(known: Inference, L: Array, level: float = 0.95, rhs: Array | float = 0.0) -> pd.DataFrame:
    """Estimate, se, df, t (z), p_value, lower and upper of each row of L (m, p); tested is L beta = rhs."""
    import pandas as pd
    from scipy.stats import t as student

    estimate = L @ known.tests.beta
    se = np.sqrt(np.clip(np.einsum("mi,ij,mj->m", L, known.tests.vcov, L), 0.0, None))
    df = np.where(np.isnan(estimate), np.nan, known.tests.df(L))  # what the data do not determine has none
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = (estimate - rhs) / se
    half = student.ppf(0.5 + level / 2.0, df) * se
    columns = {
        "estimate": estimate,
        "se": se,
        "df": df,
        known.statistic: ratio,
        "p_value": 2.0 * student.sf(np.abs(ratio), df),
        "lower": estimate - half,
        "upper": estimate + half,
    }
    if known.ddf == "none":
        del columns["df"]
    return pd.DataFrame(columns)


def labelled(frame: pd.DataFrame, name: str, labels: Sequence[Hashable]) -> pd.DataFrame:
    """The frame with a first column of labels."""
    frame.insert(0, name, list(labels))
    return frame


def require_level(level: float) -> float:
    """Refuse what is no confidence level."""
    if isinstance(level, bool) or not isinstance(level, int | float) or not 0.0 < level < 1.0:
        raise OptionError(f"level={level!r}", allowed="a number between 0 and 1, such as 0.95")
    return float(level)


@dataclass(frozen=True, eq=False, repr=False)
class CoefficientTable(FrameTable):
    """Fixed effects with tests and limits: name, estimate, se, df, t (or z), p_value, lower, upper."""


def coefficient_table(
    fit: MixedEstimates, ddf: Ddf | Inference | None = None, *, level: float = 0.95
) -> CoefficientTable:
    """Test every fixed effect.

    Parameters
    ----------
    fit
        The fit.
    ddf
        ``"satterthwaite"``, the default for linear models; ``"kenward-roger"`` (REML only); ``"none"`` for z, all that
        generalised models have.
    level
        Confidence level of the limits.

    Returns
    -------
    CoefficientTable
        Prints as a table; `to_pandas` has the numbers.

    Examples
    --------
    >>> from mixsem.data import sleepstudy
    >>> from mixsem.mixed.linear import lmer
    >>> found = coefficient_table(lmer("Reaction ~ Days + (Days | Subject)", sleepstudy()))
    >>> found.frame[["name", "estimate", "se", "df", "t"]].round(3)
              name  estimate     se    df       t
    0  (Intercept)   251.405  6.825  17.0  36.838
    1         Days    10.467  1.546  17.0   6.771
    """
    require_any_fit(fit, "coefficient_table")
    known = inference_of(fit, ddf)
    frame = t_table(known, np.eye(fit.model.p), require_level(level))
    return CoefficientTable("Fixed effects", labelled(frame, "name", fit.design.fixed_names), (known.note,))
