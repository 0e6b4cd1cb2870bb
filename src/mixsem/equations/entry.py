"""`cfa`, `sem` and `growth`: a model, data, and a fit in one call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..data.intake import Data
from ..options import Names
from .specification import SEM

if TYPE_CHECKING:
    from .fit import SEMFit

__all__ = ["cfa", "growth", "sem"]


def cfa(
    model: str,
    data: Data,
    group: str | None = None,
    *,
    group_equal: Names = (),
    group_partial: Names = (),
    estimator: str | None = None,
    missing: str = "listwise",
    ordered: Names | bool = (),
    std_lv: bool = False,
    meanstructure: bool | None = None,
    fixed_x: bool | None = None,
    orthogonal: bool = False,
) -> SEMFit:
    """Fit a confirmatory factor model, with the defaults of lavaan's ``cfa()``.

    The first loading of each factor is 1 unless `std_lv` fixes the factors' variances; all factors covary.

    Parameters
    ----------
    model
        The model in lavaan syntax.
    data
        Any dataframe narwhals takes, one row per person; or `SampleMoments` for estimators that need no rows.
    group
        Column that names the group of each person.
    group_equal, group_partial
        Kinds of parameters that are equal over groups, and parameters exempt from it.
    estimator
        None (``"ML"``, with ordered items ``"WLSMV"``), ``"ML"``, ``"MLR"``, ``"MLM"``, ``"MLMV"``, ``"MLMVS"``,
        ``"GLS"``, ``"WLS"``, ``"ULS"``, ``"DWLS"``, ``"WLSMV"``.
    missing
        ``"listwise"``, or ``"ml"`` for full information.
    ordered
        Ordered items, or True for all items; the estimator is then ``"WLSMV"`` unless another is named.
    std_lv
        Unit variances instead of marker variables.
    meanstructure
        Model means; None decides as lavaan does.
    fixed_x
        Take the moments of observed covariates as given; None decides as lavaan does (given for the ML family).
    orthogonal
        Fix covariances among factors at zero.

    Returns
    -------
    SEMFit
        See `SEM` for the options in full and for the errors.

    Raises
    ------
    ModelSyntaxError, ModelError, UnsupportedModelError, DataError, OptionError
        As `SEM.fit` does.

    Examples
    --------
    >>> import mixsem as mx
    >>> model = "visual =~ x1 + x2 + x3; textual =~ x4 + x5 + x6; speed =~ x7 + x8 + x9"
    >>> fit = mx.cfa(model, mx.data.holzinger_swineford_1939())
    >>> round(fit.measures.chisq, 3), fit.measures.df, round(fit.measures.cfi, 3)
    (85.306, 24, 0.931)
    """
    specification = SEM(
        model,
        "cfa",
        group_equal=group_equal,
        group_partial=group_partial,
        estimator=estimator,
        missing=missing,
        ordered=ordered,
        std_lv=std_lv,
        meanstructure=meanstructure,
        fixed_x=fixed_x,
        orthogonal=orthogonal,
    )
    return specification.fit(data, group)


def sem(
    model: str,
    data: Data,
    group: str | None = None,
    *,
    group_equal: Names = (),
    group_partial: Names = (),
    estimator: str | None = None,
    missing: str = "listwise",
    ordered: Names | bool = (),
    std_lv: bool = False,
    meanstructure: bool | None = None,
    fixed_x: bool | None = None,
    orthogonal: bool = False,
) -> SEMFit:
    """Fit a structural equation model, with the defaults of lavaan's ``sem()``.

    The measurement part is as in `cfa`; residuals of outcomes that predict nothing covary, and the moments of
    observed covariates are taken as given (`fixed_x`).

    Parameters
    ----------
    model
        The model in lavaan syntax.
    data
        Any dataframe narwhals takes, one row per person; or `SampleMoments` for estimators that need no rows.
    group
        Column that names the group of each person.
    group_equal, group_partial
        Kinds of parameters that are equal over groups, and parameters exempt from it.
    estimator
        None (``"ML"``, with ordered items ``"WLSMV"``), ``"ML"``, ``"MLR"``, ``"MLM"``, ``"MLMV"``, ``"MLMVS"``,
        ``"GLS"``, ``"WLS"``, ``"ULS"``, ``"DWLS"``, ``"WLSMV"``.
    missing
        ``"listwise"``, or ``"ml"`` for full information.
    ordered
        Ordered items, or True for all items; the estimator is then ``"WLSMV"`` unless another is named.
    std_lv
        Unit variances instead of marker variables.
    meanstructure
        Model means; None decides as lavaan does.
    fixed_x
        Take the moments of observed covariates as given; None decides as lavaan does (given for the ML family).
    orthogonal
        Fix covariances among factors at zero.

    Returns
    -------
    SEMFit
        See `SEM` for the options in full and for the errors.

    Raises
    ------
    ModelSyntaxError, ModelError, UnsupportedModelError, DataError, OptionError
        As `SEM.fit` does.

    Examples
    --------
    >>> import mixsem as mx
    >>> model = '''
    ...     visual =~ x1 + x2 + x3
    ...     speed =~ x7 + x8 + x9
    ...     speed ~ a*visual + grade
    ...     visual ~ b*grade
    ...     indirect := a*b
    ... '''
    >>> fit = mx.sem(model, mx.data.holzinger_swineford_1939())
    >>> print("indirect effect %.3f (%.3f)" % fit.defined["indirect"])
    indirect effect ...
    """
    specification = SEM(
        model,
        "sem",
        group_equal=group_equal,
        group_partial=group_partial,
        estimator=estimator,
        missing=missing,
        ordered=ordered,
        std_lv=std_lv,
        meanstructure=meanstructure,
        fixed_x=fixed_x,
        orthogonal=orthogonal,
    )
    return specification.fit(data, group)


def growth(
    model: str,
    data: Data,
    group: str | None = None,
    *,
    group_equal: Names = (),
    group_partial: Names = (),
    estimator: str | None = None,
    missing: str = "listwise",
    ordered: Names | bool = (),
    std_lv: bool = False,
    meanstructure: bool | None = None,
    fixed_x: bool | None = None,
    orthogonal: bool = False,
) -> SEMFit:
    """Fit a latent growth curve, with the defaults of lavaan's ``growth()``.

    Intercepts of observed variables are zero and means of factors are free, so that fixed loadings such as
    ``slope =~ 0*t1 + 1*t2 + 2*t3`` describe a curve.

    Parameters
    ----------
    model
        The model in lavaan syntax.
    data
        Any dataframe narwhals takes, one row per person; or `SampleMoments` for estimators that need no rows.
    group
        Column that names the group of each person.
    group_equal, group_partial
        Kinds of parameters that are equal over groups, and parameters exempt from it.
    estimator
        None (``"ML"``, with ordered items ``"WLSMV"``), ``"ML"``, ``"MLR"``, ``"MLM"``, ``"MLMV"``, ``"MLMVS"``,
        ``"GLS"``, ``"WLS"``, ``"ULS"``, ``"DWLS"``, ``"WLSMV"``.
    missing
        ``"listwise"``, or ``"ml"`` for full information.
    ordered
        Ordered items, or True for all items; the estimator is then ``"WLSMV"`` unless another is named.
    std_lv
        Unit variances instead of marker variables.
    meanstructure
        Model means; None decides as lavaan does.
    fixed_x
        Take the moments of observed covariates as given; None decides as lavaan does (given for the ML family).
    orthogonal
        Fix covariances among factors at zero.

    Returns
    -------
    SEMFit
        See `SEM` for the options in full and for the errors.

    Raises
    ------
    ModelSyntaxError, ModelError, UnsupportedModelError, DataError, OptionError
        As `SEM.fit` does.

    Examples
    --------
    >>> import mixsem as mx
    >>> moments = mx.SampleMoments.from_covariances(
    ...     {"all": [[1.0, 0.6, 0.5], [0.6, 1.2, 0.8], [0.5, 0.8, 1.5]]},
    ...     n=100,
    ...     means={"all": [1.0, 1.5, 2.1]},
    ...     items=["t1", "t2", "t3"],
    ... )
    >>> fit = mx.growth("level =~ 1*t1 + 1*t2 + 1*t3; slope =~ 0*t1 + 1*t2 + 2*t3", moments)
    >>> fit.measures.df
    1
    """
    specification = SEM(
        model,
        "growth",
        group_equal=group_equal,
        group_partial=group_partial,
        estimator=estimator,
        missing=missing,
        ordered=ordered,
        std_lv=std_lv,
        meanstructure=meanstructure,
        fixed_x=fixed_x,
        orthogonal=orthogonal,
    )
    return specification.fit(data, group)
