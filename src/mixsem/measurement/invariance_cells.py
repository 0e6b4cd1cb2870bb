"""Score tests of equal loadings and intercepts: one for every item and group, from a single fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc

from ..equations.augmented import Augmented
from ..equations.cells import cell_derivatives
from ..equations.covariance import kept_jacobian, moment_gamma, moment_weight, score_products
from ..equations.fit import SEMFit
from ..equations.release import require_testable
from ..inference.multiplicity import adjusted_p
from ..model.dense import dense_information
from ..model.matrices import LAMBDA, NU
from .invariance_rules import SearchRules

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["InvarianceCells", "flagged_cells", "invariance_cells"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

KINDS = {"loadings": LAMBDA, "intercepts": NU}


@dataclass(frozen=True, eq=False)
class InvarianceCells:
    """Score tests of K parameters in G groups, each of what one group would gain from a value of its own.

    Attributes
    ----------
    entry
        Index of the model's entry behind each parameter, shape (K,).
    factor, item
        Index of the factor (-1 for an intercept) and of the item, shape (K,).
    statistic
        Chi-square with one degree of freedom, shape (K, G); NaN where a value of its own is not identified.
    pvalue
        Its p-value, shape (K, G).
    epc
        Expected change of the parameter in that group, shape (K, G).
    standardized
        The same in standard deviations: of item per factor for a loading, of the item for an intercept, both of that
        group as the model implies them.
    """

    entry: Index
    factor: Index
    item: Index
    statistic: Array
    pvalue: Array
    epc: Array
    standardized: Array


def invariance_cells(fit: SEMFit, kind: str) -> InvarianceCells:
    """Test every equality over groups of a kind by one score test per group.

    The parameter of one group gets a value of its own, the other groups keep theirs in common. A marker counts as
    equal over groups: its test asks whether its loading relative to the other items' is the same. With a robust
    estimator, or one that is not maximum likelihood, the variance of the score comes from the data (Satorra, 1989),
    else from the expected information.

    Parameters
    ----------
    fit
        A model with these parameters equal over groups.
    kind
        ``"loadings"`` or ``"intercepts"``.

    Raises
    ------
    ModelError
        If the information matrix is singular, or a bound binds.
    """
    require_testable(fit)
    model = fit.model
    entry = _equal_entries(fit, KINDS[kind])
    augmented = Augmented(fit, cell_derivatives(fit))
    score = augmented.score[:, entry]
    left = augmented.diagonal(entry)  # information of the released parameter beyond the model, (G, K)
    variance = left
    if _from_data(fit):
        variance = np.where(np.isfinite(left), _score_variance(fit, augmented, entry), np.nan)
    statistic, epc = (score**2 / variance).T, (score / left).T
    at_item = model.row[entry]
    at_factor = model.column[entry] if kind == "loadings" else np.full(entry.size, -1)
    scale = _scales(fit, at_item, at_factor)
    return InvarianceCells(entry, at_factor, at_item, statistic, chdtrc(1.0, statistic), epc, epc * scale)


def _equal_entries(fit: SEMFit, matrix: int) -> Index:
    """Entries that all groups have in common: one free parameter, or one fixed value other than zero (a marker)."""
    model = fit.model
    chosen = []
    for e in np.flatnonzero(model.matrix == matrix):
        free, fixed = model.free[:, e], model.fixed[:, e]
        shared = free[0] >= 0 and (free == free[0]).all()
        marker = matrix == LAMBDA and (free < 0).all() and fixed[0] != 0 and (fixed == fixed[0]).all()
        if shared or marker:
            chosen.append(int(e))
    return np.array(chosen, dtype=np.int64)


def _from_data(fit: SEMFit) -> bool:
    """Whether the variance of the scores is taken from the data instead of the information."""
    estimator = fit.compiled.estimator
    return estimator.robust or estimator.discrepancy in ("ULS", "DWLS")


def _score_variance(fit: SEMFit, augmented: Augmented, entry: Index) -> Array:
    """Variance of the score s of each released parameter, shape (G, K), with J the covariance of all scores.

    At the estimates s stands for s - a' H^-1 (scores of the free parameters), whose variance takes J on both sides.
    """
    model, compiled = fit.model, fit.compiled
    Delta = kept_jacobian(compiled, fit.coef)
    if compiled.estimator.errors == "sandwich":
        crossed = score_products(compiled, fit.implied.mu, fit.implied.Sigma)
    else:
        V = moment_weight(compiled, fit.optimum)
        crossed = fit.data.moments.n[:, None, None] * (V @ moment_gamma(compiled) @ V)
    J = Delta.swapaxes(1, 2) @ crossed @ Delta  # of the entries of each group, (G, E, E)
    whole = dense_information(model, J)
    variance = np.empty((model.n_groups, entry.size))
    for g, free in enumerate(model.free):
        weights = augmented.links(np.full(entry.size, g), entry) @ augmented.inverse
        used = np.flatnonzero(free >= 0)
        mixed = J[g][np.ix_(entry, used)]
        variance[g] = (
            J[g][entry, entry]
            - 2.0 * np.einsum("ke,ke->k", weights[:, free[used]], mixed)
            + np.einsum("kp,kp->k", weights @ whole, weights)
        )
    return variance


def _scales(fit: SEMFit, item: Index, factor: Index) -> Array:
    """What makes a change a standardized one, shape (K, G)."""
    item_sd = np.sqrt(np.einsum("gii->gi", fit.implied.Sigma))[:, item]
    variance = np.einsum("gqq->gq", fit.implied.Phi)[:, np.maximum(factor, 0)]
    factor_sd = np.where(factor >= 0, np.sqrt(np.maximum(variance, 0.0)), 1.0)
    return np.asarray((factor_sd / item_sd).T)


def flagged_cells(fit: SEMFit, kind: str, rules: SearchRules) -> pd.DataFrame:
    """Score tests of all cells of a kind as a frame, with the adjusted p-values and what is flagged."""
    import pandas as pd

    cells = invariance_cells(fit, kind)
    K, G = cells.statistic.shape
    p = adjusted_p(cells.pvalue, rules.correction)
    factors = [fit.model.factors[q] if q >= 0 else "" for q in cells.factor]
    items = [fit.observed[i] for i in cells.item]
    names = [f"{f} =~ {x}" if f else f"{x} ~ 1" for f, x in zip(factors, items, strict=True)]
    return pd.DataFrame(
        {
            "group": pd.Series(list(fit.groups) * K, dtype=object),
            "factor": [f for f in factors for _ in range(G)],
            "item": [x for x in items for _ in range(G)],
            "parameter": [name for name in names for _ in range(G)],
            "kind": kind,
            "epc": cells.epc.ravel(),
            "deviation": cells.standardized.ravel(),
            "statistic": cells.statistic.ravel(),
            "p_value": cells.pvalue.ravel(),
            "p_adjusted": p.ravel(),
            "flagged": ((p < rules.alpha) & (abs(cells.standardized) > rules.threshold)).ravel(),
        }
    )
