"""Prior distributions of the Bayesian measurement models, and the presets that other programs use."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from ..errors import OptionError, did_you_mean

__all__ = [
    "Beta",
    "Flat",
    "Gamma",
    "HalfNormal",
    "HalfT",
    "InverseGamma",
    "Location",
    "Normal",
    "Priors",
    "Spread",
    "as_priors",
]


def _require_positive(prior: object, **values: float) -> None:
    for name, value in values.items():
        if not (isinstance(value, int | float) and math.isfinite(value) and value > 0):
            raise OptionError(
                f"{type(prior).__name__}: {name} = {value!r}", allowed="positive numbers", todo="correct the prior"
            )


@dataclass(frozen=True)
class Normal:
    """Normal distribution with mean and standard deviation."""

    mean: float = 0.0
    sd: float = 10.0

    def __post_init__(self) -> None:
        _require_positive(self, sd=self.sd)


@dataclass(frozen=True)
class Flat:
    """No preference: constant density on the whole line, or on all positive variances. Improper."""


@dataclass(frozen=True)
class Gamma:
    """Gamma distribution of a standard deviation, with shape and rate."""

    shape: float = 1.0
    rate: float = 0.5

    def __post_init__(self) -> None:
        _require_positive(self, shape=self.shape, rate=self.rate)


@dataclass(frozen=True)
class HalfNormal:
    """Normal distribution around 0 of a standard deviation, cut at 0."""

    sd: float = 1.0

    def __post_init__(self) -> None:
        _require_positive(self, sd=self.sd)


@dataclass(frozen=True)
class HalfT:
    """Student t distribution around 0 of a standard deviation, cut at 0; ``df=1`` is the half Cauchy."""

    df: float = 3.0
    scale: float = 1.0

    def __post_init__(self) -> None:
        _require_positive(self, df=self.df, scale=self.scale)


@dataclass(frozen=True)
class InverseGamma:
    """Inverse gamma distribution of a variance. Shape -1 and scale 0 is flat on the variance, and improper."""

    shape: float = -1.0
    scale: float = 0.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.shape) and math.isfinite(self.scale) and self.scale >= 0):
            raise OptionError(
                f"InverseGamma(shape={self.shape!r}, scale={self.scale!r})",
                allowed="a finite shape and a scale that is not negative",
                todo="correct the prior",
            )


@dataclass(frozen=True)
class Beta:
    """Beta distribution of (1 + r)/2 for a correlation r; ``Beta(1, 1)`` is uniform."""

    a: float = 1.0
    b: float = 1.0

    def __post_init__(self) -> None:
        _require_positive(self, a=self.a, b=self.b)


#: Priors of a parameter that may be negative, and of a standard deviation.
Location = Normal | Flat
Spread = Gamma | HalfNormal | HalfT | InverseGamma


@dataclass(frozen=True)
class Priors:
    """Prior distributions, by kind of parameter.

    Standard deviations with a scale of their own are measured in `units`: ``"raw"`` takes the items as they are,
    ``"standardized"`` divides every item by its pooled within-group standard deviation first, so that rescaling an
    item rescales its parameters and changes nothing else. Priors of log variances are then about variances relative
    to the item's.

    Parameters
    ----------
    loading
        A loading: of the reference group, equal over groups, free, or the mean of random ones.
    residual_sd, factor_sd
        Square root of a unique variance and of a factor variance that is not random.
    log_variance
        Mean of a random log unique variance or log factor variance.
    loading_spread, log_variance_spread
        Standard deviation over groups of random loadings, and of random log variances.
    correlation
        A residual or factor correlation that is not random.
    correlation_mean, correlation_spread
        Mean and standard deviation over groups of a random correlation, on Fisher's z scale.
    regression, regression_spread
        A regression (or the mean of random ones), and the standard deviation of random ones over groups.
    units
        ``"raw"`` or ``"standardized"``.

    Examples
    --------
    >>> import mixsem as mx
    >>> mx.Priors.blavaan().residual_sd
    Gamma(shape=1.0, rate=0.5)
    >>> mx.Priors(loading_spread=mx.bayes.HalfT(3, 0.5)).units
    'standardized'
    """

    loading: Location = Normal(0.0, 10.0)
    residual_sd: Spread = Gamma(1.0, 0.5)
    factor_sd: Spread = Gamma(1.0, 0.5)
    log_variance: Location = Normal(0.0, 3.0)
    loading_spread: Spread = HalfNormal(1.0)
    log_variance_spread: Spread = HalfNormal(1.0)
    correlation: Beta = Beta(1.0, 1.0)
    correlation_mean: Location = Normal(0.0, 1.0)
    correlation_spread: Spread = HalfNormal(0.5)
    regression: Location = Normal(0.0, 10.0)
    regression_spread: Spread = HalfNormal(1.0)
    units: str = "standardized"

    def __post_init__(self) -> None:
        if self.units not in ("raw", "standardized"):
            raise OptionError(
                f"units={self.units!r}",
                allowed="'raw' or 'standardized'",
                todo=did_you_mean(str(self.units), ("raw", "standardized")),
            )
        for field in fields(self):
            value = getattr(self, field.name)
            allowed = _ALLOWED[str(field.type)]
            if not isinstance(value, allowed):
                raise OptionError(
                    f"{field.name}={value!r}",
                    allowed=f"for {field.name}: {', '.join(t.__name__ for t in allowed)}",
                    todo="take one of the distributions of mixsem.bayes, such as Normal(0, 10) or HalfNormal(1)",
                )

    @classmethod
    def blavaan(cls) -> Priors:
        """Return blavaan's defaults: N(0, 10) on loadings and regressions, Gamma(1, 0.5) on standard deviations.

        All in the items' own units. What blavaan does not have, random loadings and variances, keeps the defaults of
        this package, in those units too.
        """
        return cls(log_variance=Normal(0.0, 10.0), regression=Normal(0.0, 10.0), units="raw")

    @classmethod
    def mplus(cls) -> Priors:
        """Return Mplus's defaults: flat on loadings, means and all variances, those of random effects included.

        With few groups a flat prior on the variance of a random effect overstates it.
        """
        flat = InverseGamma(-1.0, 0.0)
        return cls(
            loading=Flat(),
            residual_sd=flat,
            factor_sd=flat,
            log_variance=Flat(),
            loading_spread=flat,
            log_variance_spread=flat,
            correlation_mean=Normal(0.0, 1.0),
            correlation_spread=HalfNormal(0.5),
            regression=Flat(),
            regression_spread=flat,
            units="raw",
        )


_ALLOWED: dict[str, tuple[type, ...]] = {
    "Location": (Normal, Flat),
    "Spread": (Gamma, HalfNormal, HalfT, InverseGamma),
    "Beta": (Beta,),
    "str": (str,),
}

PRESETS = {"default": Priors, "blavaan": Priors.blavaan, "mplus": Priors.mplus}


def as_priors(priors: Priors | str) -> Priors:
    """Look up a preset by name; priors that are spelled out pass through."""
    if isinstance(priors, Priors):
        return priors
    if priors in PRESETS:
        return PRESETS[priors]()
    raise OptionError(
        f"priors={priors!r}",
        allowed=f"{', '.join(map(repr, PRESETS))}, or mixsem.Priors(...)",
        todo=did_you_mean(str(priors), PRESETS),
    )
