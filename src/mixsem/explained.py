"""`r2` of whatever was fitted: outcomes of structural equation models and mixtures, and mixed models."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from .errors import OptionError
from .mixed.estimates import MixedEstimates

if TYPE_CHECKING:
    import pandas as pd

    from .equations.fit import SEMFit
    from .equations.sam_fit import SAMFit
    from .mixed.variance.explained import MixedR2
    from .mixed.variance.latent import LatentMethod
    from .mixed.variance.sources import AnyFit
    from .structural.fit import MixtureFit

__all__ = ["r2"]


def r2(
    fit: SEMFit | SAMFit | MixtureFit | MixedEstimates, method: LatentMethod | None = None
) -> pd.DataFrame | MixedR2:
    """Share of the variance that predictors explain.

    Parameters
    ----------
    fit
        A fit of `cfa`, `sem` or `growth`, a `MixtureFit`, or a fit of `lmer` or `glmer`.
    method
        Of generalised mixed models only, where it has to be named: ``"theoretical"``, ``"delta"``, ``"lognormal"`` or
        ``"trigamma"``; see `r2_mixed`.

    Returns
    -------
    DataFrame or MixedR2
        Of structural equation models: group, variable, r2: items and other observed outcomes first, then factors that
        are regressed on something.

        Of a `MixtureFit`: level, cluster, group, variable, r2, probability, n. First the mean of each cluster (level
        ``"cluster"``, no group), in which a group counts with its people times the probability of the cluster; then
        every group in every cluster (level ``"group"``).

        Of a mixed model: the marginal and the conditional R-squared with the variances that they come from.

    Raises
    ------
    UnsupportedModelError
        If there is no R-squared for this kind of fit.
    OptionError, ModelError
        If a method is missing, or not for this fit.

    Examples
    --------
    >>> import mixsem as mx
    >>> fit = mx.cfa("visual =~ x1 + x2 + x3; speed =~ x7 + x8 + x9", mx.data.holzinger_swineford_1939())
    >>> mx.r2(fit).round(3).head(3)
      group variable     r2
    0   all       x1  0.445
    1   all       x2  0.208
    2   all       x3  0.460
    >>> mx.r2(mx.lmer("Reaction ~ Days + (Days | Subject)", mx.data.sleepstudy())).title
    'Marginal R² 0.279, conditional R² 0.799'
    """
    if isinstance(fit, MixedEstimates):
        from .mixed.variance.explained import r2_mixed

        return r2_mixed(cast("AnyFit", fit), method)
    from .mixtures.explained import r2 as r2_of_outcomes

    if method is not None:
        raise OptionError(f"method={method!r} for {type(fit).__name__}", allowed="method= for fits of glmer()")
    return r2_of_outcomes(fit)
