"""What a structural equation model is asked to be: the model text and its options."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ..data.intake import Data
from ..options import Names

if TYPE_CHECKING:
    from .fit import SEMFit

__all__ = ["SEM", "Kind"]

Kind = Literal["cfa", "sem", "growth"]


@dataclass(frozen=True)
class SEM:
    """A structural equation model: text and options, without data.

    The functions `cfa`, `sem` and `growth` make and fit one in a single call.

    Parameters
    ----------
    model
        The model in lavaan syntax: factors ``=~``, regressions ``~``, (co)variances ``~~``, intercepts ``~ 1``,
        labels, constraints ``==``, ``<``, ``>``, defined parameters ``:=``, modifiers such as ``c(a, b)*x``,
        ``start(.5)*x``, ``lower(0)*x``.
    kind
        ``"cfa"`` and ``"sem"`` have the same defaults; ``"growth"`` fixes the intercepts of observed variables at zero
        and frees the factor means.
    group_equal
        Kinds of parameters that are equal over groups: ``"loadings"``, ``"intercepts"``, ``"residuals"``,
        ``"residual.covariances"``, ``"lv.variances"``, ``"lv.covariances"``, ``"means"``, ``"regressions"``.
    group_partial
        Single parameters exempt from `group_equal`, such as ``"visual =~ x3"``.
    estimator
        None: ``"ML"``, or ``"WLSMV"`` with ordered items. With robust standard errors and test ``"MLR"`` (non-normal
        or incomplete data), ``"MLM"``, ``"MLMV"``, ``"MLMVS"``; ``"GLS"``, ``"WLS"``, ``"ULS"``, ``"DWLS"``,
        and for ordered items ``"WLSMV"``.
    missing
        ``"listwise"`` drops rows with a missing value; ``"ml"`` uses all that was answered (full information).
    ordered
        Names of ordered items, or True for all items of factors.
    std_lv
        Scale factors by unit variances instead of marker variables.
    meanstructure
        Model means; None decides as lavaan does: with several groups, ``missing="ml"`` or a line ``x ~ 1``.
    fixed_x
        Take the moments of observed covariates as given; False makes them parameters. None decides as lavaan does:
        given for ML and its robust variants.
    orthogonal
        Fix covariances among factors at zero.

    References
    ----------
    Rosseel (2012), lavaan: An R package for structural equation modeling. Journal of Statistical Software 48(2).
    https://doi.org/10.18637/jss.v048.i02
    """

    model: str
    kind: Kind = "sem"
    group_equal: Names = ()
    group_partial: Names = ()
    estimator: str | None = None
    missing: str = "listwise"
    ordered: Names | bool = ()
    std_lv: bool = False
    meanstructure: bool | None = None
    fixed_x: bool | None = None
    orthogonal: bool = False

    def fit(self, data: Data, group: str | None = None) -> SEMFit:
        """Fit the model.

        Parameters
        ----------
        data
            Any dataframe narwhals takes (one row per person), `GroupedData`, or `SampleMoments` for estimators that
            need no rows.
        group
            Column that names the group of each person; None for a single group. Not used with moments.

        Returns
        -------
        SEMFit

        Raises
        ------
        ModelSyntaxError, ModelError, UnsupportedModelError
            If the text cannot be read or the model cannot be estimated.
        DataError
            If the data lack a variable, or a group's covariance matrix is singular.
        OptionError
            If an option is not what is allowed.
        """
        from .fitting import fit_sem

        return fit_sem(self, data, group)
