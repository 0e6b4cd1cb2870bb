"""The same model by all optimisers: is the solution the optimum?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from ...errors import MixsemError, OptionError, UnsupportedModelError
from ..engine.optimise import METHODS, Method, Optimizer
from ..penalties.penalised import is_penalised, penalised_criterion
from ..require import AnyFit, require_any_fit
from .continuation import fit_again
from .convergence import check_convergence

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from ...report.table import Table

__all__ = ["AllFit", "all_fit", "check_optimum"]

#: Differences of the criterion below this are none: Bates, Alday & Kokandakar's (2025) tolerance.
EQUAL = 1e-4


@dataclass(frozen=True, eq=False, repr=False)
class AllFit:
    """One model fitted in several ways.

    Attributes
    ----------
    frame
        One row per way: optimizer, difference (of the criterion, from the lowest of all, the fit's own among them),
        evaluations, seconds, beta_change (largest difference of a fixed effect from the fit's, in standard errors),
        sd_change (largest difference of a standard deviation of a random effect, in residual standard deviations and
        per standard deviation of its predictor), verdict (``"same"``, ``"worse"`` or ``"failed"``).
    fits
        The fits by the same names, without those that failed.
    fit
        The fit that they are compared with.
    difference
        How much the criterion of `fit` is above the lowest.
    failures
        Why others failed, by their names.
    verdict
        Of `check_convergence` for the fit, asked for if its criterion is not the lowest: a search cut short is no sign
        of several optima.
    """

    frame: pd.DataFrame
    fits: dict[str, AnyFit]
    fit: AnyFit
    difference: float
    failures: Mapping[str, str] = field(default_factory=dict)
    verdict: str = "converged"

    @property
    def agree(self) -> bool:
        """Whether the fit's criterion is the lowest, or equal to it."""
        return self.difference < EQUAL

    @property
    def text(self) -> str:
        """The verdict."""
        if self.agree:
            kind = "penalised criterion" if is_penalised(self.fit) else "criterion"
            return f"No optimizer found a lower {kind} than the fit, {penalised_criterion(self.fit):,.4f}."
        above = f"The fit's criterion is {self.difference:.2g} above the lowest:"
        if self.verdict == "not converged":
            return f"{above} its search had not arrived. Go on with refit(fit, 'lbfgsb'), or take the best of .fits."
        if self.verdict == "saddle point":
            return f"{above} its search ended at a saddle point, which is no optimum. Take the best of .fits."
        return (
            f"{above} the likelihood has several optima. Take the best of .fits, and mistrust conclusions that differ"
            " between them."
        )

    def to_pandas(self) -> pd.DataFrame:
        """As a data frame."""
        return self.frame.copy()

    @property
    def table(self) -> Table:
        """As a table to print."""
        from ...report.table import Column, Table

        columns = [
            Column("optimizer", "Optimizer"),
            Column("difference", "Criterion", align="right"),
            Column("evaluations", "Evaluations", "integer"),
            Column("seconds", "Seconds", "decimal3"),
            Column("beta_change", "Beta/SE", align="right"),
            Column("sd_change", "SD", align="right"),
            Column("verdict", "Verdict"),
        ]
        small = ("difference", "beta_change", "sd_change")
        records = [
            {str(k): ("" if np.isnan(v) else f"{v:.1g}") if k in small else v for k, v in record.items()}
            for record in self.frame.astype(object).to_dict("records")
        ]
        failed = tuple(f"{name} failed: {reason}." for name, reason in self.failures.items())
        notes = (self.text, f"Differences; those of the criterion below {EQUAL:g} are none.", *failed)
        return Table.from_records("The same model by several optimizers", columns, records, notes)

    def __repr__(self) -> str:
        return repr(self.table)

    def _repr_html_(self) -> str:
        return self.table._repr_html_()


def all_fit(fit: AnyFit, methods: Sequence[Method] = METHODS) -> AllFit:
    """Fit the same model with several optimisers, each from the plain start.

    Parameters
    ----------
    fit
        The fit.
    methods
        Methods of `Optimizer`; all by default.

    Returns
    -------
    AllFit
        Prints as a table; ``.fits`` has the fits.

    Raises
    ------
    OptionError
        If a method is unknown, or none is given.
    UnsupportedModelError
        For fits with a structure of the residuals, which one method alone can search for.

    Notes
    -----
    To go on with one of them, take it from ``.fits``, or fit again with ``optimizer=Optimizer(method=...)``.

    Examples
    --------
    >>> import mixsem as mx
    >>> fit = mx.lmer("Reaction ~ Days + (Days | Subject)", mx.data.sleepstudy())
    >>> mx.all_fit(fit, ["lbfgsb", "cobyqa"]).frame[["optimizer", "verdict"]]
      optimizer verdict
    0    lbfgsb    same
    1    cobyqa    same
    """
    _require_methods(fit, "all_fit")
    if isinstance(methods, str) or not isinstance(methods, Sequence) or not methods:
        raise OptionError(f"methods={methods!r}", allowed=f"a list of {', '.join(METHODS)}")
    return _compare(fit, [(method, replace(_optimizer(fit), method=method), None) for method in methods])


def check_optimum(fit: AnyFit) -> AllFit:
    """Look for a better solution with COBYQA, which needs no gradient, from the solution and from the plain start.

    Examples
    --------
    >>> import mixsem as mx
    >>> from mixsem.mixed.judgement.all_fit import check_optimum
    >>> check_optimum(mx.lmer("Reaction ~ Days + (1 | Subject)", mx.data.sleepstudy())).agree
    True
    """
    _require_methods(fit, "check_optimum")
    optimizer = replace(_optimizer(fit), method="cobyqa")
    ways = [("cobyqa from the solution", optimizer, fit.theta), ("cobyqa from the plain start", optimizer, None)]
    return _compare(fit, ways)


def _require_methods(fit: AnyFit, function: str) -> None:
    """Refuse what is no fit, and a fit that other methods cannot search for."""
    require_any_fit(fit, function)
    if fit.specification.residual is not None:
        raise UnsupportedModelError(
            f"{function}(): L-BFGS-B alone fits a structure of the residuals ({fit.specification.residual}) along with"
            " the random effects",
            allowed="fits with independent residuals of one variance (or with weights)",
            todo="fit again with other start= values, and compare .objective",
        )


def _optimizer(fit: AnyFit) -> Optimizer:
    """That of the fit, with evaluations enough for methods without gradients."""
    optimizer = fit.specification.optimizer
    return replace(optimizer, max_evaluations=max(optimizer.max_evaluations, 1000 * (1 + len(fit.theta))))


def _compare(fit: AnyFit, ways: Sequence[tuple[str, Optimizer, NDArray[np.float64] | None]]) -> AllFit:
    import pandas as pd

    fits: dict[str, AnyFit] = {}
    failures: dict[str, str] = {}
    for name, optimizer, start in ways:
        try:
            fits[name] = fit_again(fit, optimizer, start)
        except (MixsemError, ValueError, ArithmeticError, np.linalg.LinAlgError) as error:
            failures[name] = (str(error).splitlines() or [error.__class__.__name__])[0]
    reached = penalised_criterion(fit)
    lowest = min([reached, *map(penalised_criterion, fits.values())])
    rows = [_row(name, fits.get(name), fit, lowest) for name, _, _ in ways]
    columns = ["optimizer", "difference", "evaluations", "seconds", "beta_change", "sd_change", "verdict"]
    difference = reached - lowest
    verdict = check_convergence(fit).verdict if difference >= EQUAL else "converged"
    return AllFit(pd.DataFrame(rows, columns=columns), fits, fit, difference, failures, verdict)


def _row(name: str, other: AnyFit | None, fit: AnyFit, lowest: float) -> tuple[object, ...]:
    if other is None:
        return (name, np.nan, None, np.nan, np.nan, np.nan, "failed")
    difference = penalised_criterion(other) - lowest
    beta = np.abs(other.beta - fit.beta) / np.asarray(fit.se)
    sd = max(np.abs(a * other.sigma - b * fit.sigma).max() for a, b in zip(_sds(other), _sds(fit), strict=True))
    trace = other.trace
    return (
        name,
        difference,
        trace.evaluations,
        trace.seconds,
        float(beta.max(initial=0.0)),
        float(sd / fit.sigma),
        "same" if difference < EQUAL else "worse",
    )


def _sds(fit: AnyFit) -> list[NDArray[np.float64]]:
    """Relative standard deviations of each term's random effects, per standard deviation of their predictors."""
    theta_map, random = fit.model.theta_map, fit.model.products.scaling.random
    return [
        np.linalg.norm(theta_map.term_lambda(fit.theta, t), axis=1) * random[t].scale
        for t in range(len(theta_map.terms))
    ]
