"""`anova` of whatever was fitted: structural equation models are compared, mixed models tested term by term too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .errors import OptionError
from .mixed.estimates import MixedEstimates

if TYPE_CHECKING:
    from .equations.compare import ModelComparison
    from .equations.fit import SEMFit
    from .mixed.fit import MixedFit
    from .mixed.inference.compare import MixedComparison
    from .mixed.inference.ddf import Ddf, Inference
    from .mixed.inference.f_tables import AnovaType, FTable

__all__ = ["anova"]


def anova(
    *fits: SEMFit | MixedFit,
    method: str = "default",
    names: Sequence[str] = (),
    type: AnovaType = 3,
    ddf: Ddf | Inference | None = None,
) -> ModelComparison | FTable | MixedComparison:
    """Compare nested models, or test the terms of one mixed model.

    Structural equation models are compared by chi-square differences and changes of fit, each with the one before in
    the order of degrees of freedom. Mixed models are compared by likelihood ratios; where fixed parts differ, fits by
    REML are refitted by maximum likelihood first, and the table says so (`compare`, which also simulates, is the same).
    One mixed model alone gives its F table. That structural equation models are nested is for the user to know: the
    test means nothing otherwise.

    Parameters
    ----------
    *fits
        Two or more fits of `cfa`, `sem` or `growth` to the same data with the same estimator; or one or more fits of
        `lmer` or `glmer` to the same rows.
    method
        Of structural equation models: ``"default"``, plain differences, the scaled ones of 2001 for estimators with a
        scaled test (MLR, MLM, WLSM), and those of Satorra (2000) for tests that are adjusted otherwise (MLMV, WLSMV,
        MLMVS); ``"standard"``, ``"satorra-2000"``, ``"satorra-bentler-2001"``, and ``"satorra-bentler-2010"``, whose
        scaling factor rarely is negative, ask for one of them.
    names
        Names of the models, in the order in which they are given; ``"model 1"`` and so on by default.
    type
        Of one mixed model: 3, each term after all others; 2, after those that do not contain it; 1, after those
        before it.
    ddf
        Of one mixed model: ``"satterthwaite"``, the default for linear ones; ``"kenward-roger"`` (REML only);
        ``"none"`` for Wald's chi-square, all that generalised ones have.

    Returns
    -------
    ModelComparison, FTable or MixedComparison
        Prints as a table; `to_pandas` has all columns.

    Raises
    ------
    OptionError
        If too few fits are given, of several kinds, or options are none of those allowed.
    DataError
        If the fits are not of the same data.
    ModelError
        If two structural equation models have the same degrees of freedom.
    UnsupportedModelError
        For anything but such fits.

    Examples
    --------
    >>> import mixsem as mx
    >>> model, data = "visual =~ x1 + x2 + x3; speed =~ x7 + x8 + x9", mx.data.holzinger_swineford_1939()
    >>> free = mx.cfa(model, data, "school")
    >>> equal = mx.cfa(model, data, "school", group_equal="loadings")
    >>> mx.anova(free, equal, names=("configural", "metric")).to_pandas()[["model", "chisq_diff", "df_diff"]].round(3)
            model  chisq_diff  df_diff
    0  configural         NaN      NaN
    1      metric       0.603      4.0
    >>> fit = mx.lmer("Reaction ~ Days + (Days | Subject)", mx.data.sleepstudy())
    >>> mx.anova(fit).to_pandas()[["term", "num_df", "den_df", "F"]].round(3)
       term  num_df  den_df       F
    0  Days       1    17.0  45.853

    References
    ----------
    Satorra (2000), Scaled and adjusted restricted tests in multi-sample analysis of moment structures. Satorra &
    Bentler (2001), Psychometrika 66, 507-514; (2010), Psychometrika 75, 243-248. Numbers agree with lavaan's
    ``lavTestLRT()`` and lmerTest's ``anova()``.
    """
    mixed: list[MixedFit] = [fit for fit in fits if isinstance(fit, MixedEstimates)]
    if any(isinstance(fit, list | tuple) and any(isinstance(one, MixedEstimates) for one in fit) for fit in fits):
        raise OptionError("anova() got a list", allowed="fits", todo="give the fits themselves: anova(*fits)")
    if not fits:
        raise OptionError(
            "anova() got nothing",
            allowed="two or more fits of cfa(), sem() or growth(), or one or more fits of lmer() or glmer()",
            todo="give the fits, as in anova(small, large)",
        )
    if not mixed:
        from .equations.compare import anova as compare_equations

        _refuse("structural equation models", type=(type, 3), ddf=(ddf, None))
        return compare_equations(*fits, method=method, names=names)  # type: ignore[arg-type]
    if len(mixed) < len(fits):
        other = next(fit for fit in fits if not isinstance(fit, MixedEstimates))
        raise OptionError(
            f"anova() got a mixed model and {other.__class__.__name__}",
            allowed="fits of one kind",
            todo="compare mixed models with mixed models",
        )
    _refuse("mixed models", method=(method, "default"))
    if len(mixed) == 1:
        from .mixed.inference.f_tables import f_table

        _refuse("one mixed model", names=(tuple(names), ()))
        return f_table(mixed[0], type, ddf)
    from .mixed.inference.compare import compare_mixed

    _refuse("several mixed models", type=(type, 3), ddf=(ddf, None))
    return compare_mixed(mixed, names)


def _refuse(
    what: str,
    *,
    type: tuple[object, object] = (0, 0),
    ddf: tuple[object, object] = (0, 0),
    method: tuple[object, object] = (0, 0),
    names: tuple[object, object] = (0, 0),
) -> None:
    """Refuse options that mean nothing for these fits, which would pass unnoticed."""
    for option, (given, default) in (("type", type), ("ddf", ddf), ("method", method), ("names", names)):
        if given is not default and given != default:
            raise OptionError(f"{option}={given!r} for {what}", allowed=f"anova() without {option}= here")
