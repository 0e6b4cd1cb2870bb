"""The covariance of the rows of one cluster that a mixed model implies."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...errors import OptionError, did_you_mean, enumerate_briefly
from ..designs.grouping import label_hint
from ..require import require_fit
from ..structure.residual_rows import relative_sd

if TYPE_CHECKING:
    from ..engine.model import CompiledMixedModel
    from ..fit import MixedFit

__all__ = ["ImpliedCovariance", "implied_cov"]

Array = NDArray[np.float64]

#: More rows of a level are refused: their matrix could not be read by anyone.
LARGEST = 5000


@dataclass(frozen=True, eq=False, repr=False)
class ImpliedCovariance:
    """Covariance matrix of the rows of one level of a grouping factor.

    Attributes
    ----------
    group, level
        The level.
    covariance
        (m, m) covariances of the responses given the fixed effects; rows and columns are positions in the table.
    """

    group: str
    level: Hashable
    covariance: pd.DataFrame

    @property
    def correlation(self) -> pd.DataFrame:
        """The same as correlations: with random intercepts alone all are equal, to the intraclass correlation."""
        sd = np.sqrt(np.diagonal(self.covariance))
        return self.covariance.div(sd, axis=0).div(sd, axis=1)

    @property
    def frame(self) -> pd.DataFrame:
        """As `covariance`."""
        return self.covariance

    def to_pandas(self) -> pd.DataFrame:
        """As `covariance`."""
        return self.covariance.copy()

    def __repr__(self) -> str:
        return f"Implied covariance of the rows of {self.group} {self.level!r}\n{self.covariance!r}"

    def _repr_html_(self) -> str:
        return str(self.covariance._repr_html_())  # type: ignore[operator]


def implied_cov(fit: MixedFit, level: Hashable, group: str | None = None) -> ImpliedCovariance:
    """Covariance of the rows of one cluster that a fit implies: sigma^2 (Z Lambda Lambda' Z' + W^-1).

    Parameters
    ----------
    fit
        A linear mixed model.
    level
        A level of the grouping factor.
    group
        The grouping factor; may be left out if there is one only.

    Returns
    -------
    ImpliedCovariance
        Covariances and correlations. Other grouping factors count too, where rows share their levels.

    Raises
    ------
    OptionError
        If there is no such factor or level, or the level has too many rows.

    Examples
    --------
    >>> from mixsem import lmer
    >>> from mixsem.data import sleepstudy
    >>> fit = lmer("Reaction ~ Days + (1 | Subject)", sleepstudy())
    >>> implied_cov(fit, 308).correlation.iloc[:2, :3].round(3)
           0      1      2
    0  1.000  0.589  0.589
    1  0.589  1.000  0.589
    """
    require_fit(fit, "implied_cov")
    factor = fit.design.factors[_factor(fit, group)]
    if not isinstance(level, Hashable) or level not in factor.levels:
        raise OptionError(
            f"level={level!r}",
            allowed=enumerate_briefly([*map(repr, factor.levels)]),
            todo=label_hint(level, factor) or f"choose a level of {factor.name}",
        )
    code = factor.levels.index(level)
    level = factor.levels[code]  # a number of NumPy becomes the plain one
    rows = np.flatnonzero(factor.codes == code)
    if len(rows) > LARGEST:
        raise OptionError(f"{factor.name} {level!r} has {len(rows):,} rows", allowed=f"{LARGEST:,} or fewer")
    covariance = fit.sigma**2 * (_random(fit, rows) + _residual(fit.model, rows))
    names = rows if fit.design.rows is None else fit.design.rows[rows]
    return ImpliedCovariance(factor.name, level, pd.DataFrame(covariance, index=names, columns=names))


def _factor(fit: MixedFit, group: str | None) -> int:
    names = [factor.name for factor in fit.design.factors]
    if group is None and len(names) == 1:
        return 0
    if group not in names:
        raise OptionError(f"group={group!r}", allowed=", ".join(names), todo=did_you_mean(str(group), names))
    return names.index(group)


def _random(fit: MixedFit, rows: NDArray[np.int64]) -> Array:
    total = np.zeros((len(rows), len(rows)))
    for t, term in enumerate(fit.design.terms):
        half = fit.model.theta_map.term_lambda(fit.theta, t)
        half = np.tile(half[0], (len(rows), 1)) if term.Z is None else term.Z[rows] @ half
        codes = fit.design.factors[term.factor].codes[rows]
        total += (half @ half.T) * (codes[:, None] == codes)
    return total


def _residual(model: CompiledMixedModel, rows: NDArray[np.int64]) -> Array:
    sd, structured = relative_sd(model)[rows], model.structured
    if structured is None or not structured.weighing.ar:
        return np.diag(sd**2)
    phi = structured.weighing.split(structured.eta)[1]
    before, gaps = structured.rows.before, structured.rows.gaps
    time, here = np.zeros(model.n), np.arange(model.n)
    while (before[here] >= 0).any():  # each row's way back to the first of its group
        time += np.where(before[here] >= 0, gaps[here], 0)
        here = np.where(before[here] >= 0, before[here], here)
    root = here[rows]
    distance = np.abs(time[rows][:, None] - time[rows])
    return np.outer(sd, sd) * np.where(root[:, None] == root, phi**distance, 0.0)
