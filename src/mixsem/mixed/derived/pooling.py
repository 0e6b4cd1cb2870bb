"""No, partial and complete pooling: what a mixed model does to the coefficients of each level."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...errors import OptionError, did_you_mean
from ...options import as_name
from ..penalties.penalised import penalised_words
from ..require import require_fit
from .frame_table import FrameTable
from .no_pooling import no_pooling, partial_pooling

if TYPE_CHECKING:
    import pandas as pd

    from ...report.table import Table
    from ..fit import MixedFit

__all__ = ["PoolingComparison", "compare_pooling"]

Array = NDArray[np.float64]

#: Levels that are printed; the frame has all.
SHOWN = 12
#: Eigenvalues of a covariance matrix below this, relative to the largest, are zero.
ZERO = 1e-10
#: Relative, of coefficients that are equal.
SAME = 1e-4


@dataclass(frozen=True, eq=False, repr=False)
class PoolingComparison(FrameTable):
    """Coefficients of each level of a grouping factor with no, partial and complete pooling.

    Attributes
    ----------
    title, frame, notes
        The table. `frame` has a row per level and effect: level, n (rows), effect, no_pooling (NaN where the rows of
        the level do not determine it), partial (as `coef`), fixed (the fixed effect, to which partial pooling moves),
        complete (least squares of all rows, 0 for effects without a fixed one), factor (the shrinkage factor: 1 less
        conditional variance / variance of the random effect, between 0 and 1).
    fit
        The mixed model.
    group
        The grouping factor.
    matrices
        (n_f, k, k) shrinkage matrices W of the levels: partial = fixed + W (own - fixed) in models of one factor. An
        own slope changes a level's intercept through what is off the diagonal.
    complete
        All coefficients of complete pooling.
    """

    fit: MixedFit
    group: str
    matrices: Array
    complete: pd.Series

    @property
    def table(self) -> Table:
        """As a table to print, the first levels only if there are many."""
        effects = self.matrices.shape[1]
        if len(self.matrices) <= SHOWN:
            return super().table
        more = f"The first {SHOWN} of {len(self.matrices):,} levels; all are in frame."
        return FrameTable(self.title, self.frame.head(SHOWN * effects), (more, *self.notes)).table


def compare_pooling(fit: MixedFit, group: str | None = None) -> PoolingComparison:
    """Compare no pooling, partial pooling and complete pooling of the levels of a grouping factor.

    No pooling is least squares within each level, all else (other fixed effects, other factors) as the model has it;
    complete pooling is least squares of all rows without random effects; partial pooling is the mixed model.

    Parameters
    ----------
    fit
        A linear mixed model.
    group
        A grouping factor; may be left out if there is one only.

    Returns
    -------
    PoolingComparison
        Prints as a table; ``mixsem.plots.shrinkage`` draws it.

    Raises
    ------
    OptionError
        If there is no such factor, or `fit` is no linear mixed model.

    Notes
    -----
    With the covariance matrix Sigma of the random effects and that of a level's effects given the data, C, the
    shrinkage factors are 1 - C_jj / Sigma_jj, and the shrinkage matrix is W = I - C Sigma^-1. With a random intercept
    alone both are tau^2 / (tau^2 + sigma^2 / n), also called the reliability of the level's mean: large for levels with
    many rows. Where a variance is 0 the factor is 0. Gelman & Hill (2007), Data analysis using regression and
    multilevel models, chapter 12.

    Examples
    --------
    >>> from mixsem.data import sleepstudy
    >>> from mixsem.mixed.linear import lmer
    >>> fit = lmer("Reaction ~ Days + (Days | Subject)", sleepstudy())
    >>> compare_pooling(fit).frame.head(2).round(2)
       level   n       effect  no_pooling  partial   fixed  complete  factor
    0    308  10  (Intercept)      244.19   253.66  251.41    251.41    0.76
    1    308  10         Days       21.76    19.67   10.47     10.47    0.85
    """
    import pandas as pd

    require_fit(fit, "compare_pooling")
    f = _position(fit, group)
    factor = fit.design.factors[f]
    names, partial, fixed = partial_pooling(fit, f)
    own, matrices, complete = no_pooling(fit, f), _matrices(fit, f), _complete(fit)
    k, levels = len(names), np.empty(factor.n_levels, dtype=object)
    levels[:] = factor.levels
    frame = pd.DataFrame(
        {
            "level": pd.Series(np.repeat(levels, k)).infer_objects(),
            "n": np.repeat(factor.sizes, k),
            "effect": list(names) * factor.n_levels,
            "no_pooling": own.ravel(),
            "partial": partial.ravel(),
            "fixed": np.tile(fixed, factor.n_levels),
            "complete": [complete.get(name, 0.0) for name in names] * factor.n_levels,
            "factor": _factors(fit, f).ravel(),
        }
    )
    title = f"Coefficients of the levels of {factor.name} with no, partial and complete pooling"
    notes = _notes(fit, f, int(np.isnan(own).any(axis=1).sum()), names)
    if not np.allclose(fit.beta, complete, rtol=SAME):
        notes += ("Fixed effects differ from complete pooling, which takes all rows as independent.",)
    return PoolingComparison(title, frame, notes, fit, factor.name, matrices, complete)


def _notes(fit: MixedFit, f: int, unknown: int, names: tuple[str, ...]) -> tuple[str, ...]:
    design = fit.design
    notes = [
        "Partial pooling moves the own coefficients of a level towards the fixed effects. factor is 1 - conditional"
        " variance / variance: near 1 the rows of the level decide, near 0 the fixed effects do."
    ]
    if unknown:
        word = "level has" if unknown == 1 else "levels have"
        notes.append(
            f"{unknown:,} {word} too few different rows for least squares (missing under no_pooling); partial pooling"
            " has coefficients for all."
        )
    if len(names) > 1:
        notes.append("With several effects each moves with the others too: the whole of it is in matrices.")
    if any(name not in design.fixed_names for name in names):
        notes.append("Effects without a fixed effect are moved towards 0.")
    varying = {name for name in names if name in design.fixed_names}
    if len(design.factors) > 1 or len(varying) < design.p:
        notes.append("Other effects stay as the mixed model has them when the rows of a level are taken alone.")
    if fit.residual is not None:
        notes.append("No and complete pooling leave the structure of the residuals out.")
    return (*notes, *penalised_words(fit))


def _factors(fit: MixedFit, f: int) -> Array:
    """Shrinkage factors 1 - C_jj / Sigma_jj, (n_f, k); 0 where there is no variance."""
    lam = fit.model.theta_map.lambdas(fit.theta)[f]
    prior = (lam**2).sum(axis=1)
    conditional = np.diagonal(fit.model.conditional_covariances(fit.theta)[f], axis1=1, axis2=2)
    return np.asarray(np.where(prior > 0.0, 1.0 - conditional / np.where(prior > 0.0, prior, 1.0), 0.0))


def _matrices(fit: MixedFit, f: int) -> Array:
    """Shrinkage matrices I - C Sigma^-1, (n_f, k, k); directions without variance are shrunk to nothing."""
    lam = fit.model.theta_map.lambdas(fit.theta)[f]
    prior, conditional = lam @ lam.T, fit.model.conditional_covariances(fit.theta)[f]
    scale = np.sqrt(np.diagonal(prior))
    scale = np.where(scale > 0.0, scale, 1.0)
    values, vectors = np.linalg.eigh(prior / np.outer(scale, scale))
    kept = values > ZERO * max(values[-1], ZERO)
    vectors = vectors[:, kept]
    inverse = (vectors / values[kept]) @ vectors.T / np.outer(scale, scale)
    projection = np.diag(scale) @ vectors @ vectors.T @ np.diag(1.0 / scale)
    return np.asarray(projection - conditional @ inverse)


def _complete(fit: MixedFit) -> pd.Series:
    """Least squares of all rows, weighted if the model is."""
    import pandas as pd

    design = fit.design
    root = np.ones(design.n) if design.weights is None else np.sqrt(design.weights)
    y = design.y if design.offset is None else design.y - design.offset
    scale = np.linalg.norm(design.X, axis=0)
    found = np.linalg.lstsq(root[:, None] * (design.X / scale), root * y, rcond=None)[0] / scale
    return pd.Series(found, index=list(design.fixed_names), name="complete")


def _position(fit: MixedFit, group: str | None) -> int:
    names = [factor.name for factor in fit.design.factors]
    if group is None and len(names) == 1:
        return 0
    name = None if group is None else as_name(group, "group")
    if name not in names:
        raise OptionError(
            f"group={name!r}",
            allowed=", ".join(names),
            todo=(name is not None and did_you_mean(name, names)) or "name a grouping factor",
        )
    return names.index(name)
