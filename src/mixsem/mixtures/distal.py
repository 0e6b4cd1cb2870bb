"""Do clusters differ in other variables of the groups? Means of distal outcomes, corrected for misclassification."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2, norm

from ..data.columns import FrameLike
from ..display import Displayed
from ..errors import DataError, ModelError, Notice, OptionError, notify
from ..inference.multiplicity import adjusted_p
from ..structural.fit import MixtureFit
from .assignment import assign_groups, require_clusters
from .group_table import complete_rows, group_table
from .linear import require_level
from .propagate import PropagatedPosterior

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["DistalOutcome", "distal"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class DistalOutcome(Displayed):
    """Means of a variable of the groups in every cluster.

    Attributes
    ----------
    fit
        The mixture.
    outcome
        Name of the variable.
    method, assignment
        The options it was computed with.
    means
        Shape (K,).
    sds
        SD of the variable over the groups of a cluster, shape (K,); NaN where corrected weights leave no variance.
    vcov
        Sandwich covariance of the means, shape (K, K). Classification errors are taken as known.
    weights
        Weights of the groups, shape (n, K); corrected ones can be negative.
    groups
        Labels of the n groups with a value.
    values
        Values of the variable, shape (n,).
    notices
        Statistical trouble.
    """

    fit: MixtureFit
    outcome: str
    method: str
    assignment: str
    means: Array
    sds: Array
    vcov: Array
    weights: Array
    groups: tuple[Hashable, ...]
    values: Array
    notices: tuple[Notice, ...]

    @property
    def se(self) -> Array:
        """Standard errors of the means, shape (K,)."""
        return np.sqrt(np.diagonal(self.vcov))

    @property
    def test(self) -> tuple[float, int, float]:
        """Wald test that all means are equal: chi-square, degrees of freedom, p-value."""
        k = self.means.size
        C = np.eye(k - 1, k) - np.eye(k - 1, k, 1)
        difference, V = C @ self.means, C @ self.vcov @ C.T
        statistic = float(difference @ np.linalg.solve(V, difference))
        return statistic, k - 1, float(chi2.sf(statistic, k - 1))

    def to_frame(self, level: float = 0.95) -> pd.DataFrame:
        """Return one row per cluster: ``cluster``, ``mean``, ``se``, interval, ``sd``, ``groups`` (sum of weights)."""
        import pandas as pd

        require_level(level)
        half = norm.ppf(0.5 + level / 2) * self.se
        return pd.DataFrame(
            {
                "cluster": np.arange(1, self.means.size + 1),
                "mean": self.means,
                "se": self.se,
                "lower": self.means - half,
                "upper": self.means + half,
                "sd": self.sds,
                "groups": self.weights.sum(axis=0),
            }
        )

    def pairs(self) -> pd.DataFrame:
        """Return one row per pair of clusters.

        Returns
        -------
        pandas.DataFrame
            ``first``, ``second``, ``difference`` (first minus second), ``se``, ``z``, ``p_value``, ``p_holm``.
        """
        import pandas as pd

        V = self.vcov
        rows = []
        for a, b in combinations(range(self.means.size), 2):
            difference = self.means[a] - self.means[b]
            se = float(np.sqrt(V[a, a] + V[b, b] - 2 * V[a, b]))
            rows.append((a + 1, b + 1, difference, se, difference / se, 2 * norm.sf(abs(difference / se))))
        frame = pd.DataFrame(rows, columns=["first", "second", "difference", "se", "z", "p_value"])
        return frame.assign(p_holm=adjusted_p(frame["p_value"].to_numpy(), "holm"))


def distal(
    fit: MixtureFit,
    data: FrameLike,
    outcome: str,
    group: str | None = None,
    *,
    method: str = "bch",
    assignment: str = "modal",
    posterior: PropagatedPosterior | Array | Sequence[Sequence[float]] | None = None,
) -> DistalOutcome:
    """Compare clusters on a variable of the groups that follows from, or goes with, their cluster.

    Groups are assigned to clusters and weighted so that the errors of this assignment cancel (BCH): the weights are the
    assigned shares times the inverse of the classification errors. No distribution is assumed; a variable of zeros and
    ones gives proportions.

    Parameters
    ----------
    fit
        A mixture with two clusters or more.
    data
        A table with one row per group, the labels of the groups in one of its columns.
    outcome
        Column of the variable, numbers.
    group
        Column of the labels; if left out, that of step 1 or the only one that holds all labels.
    method
        ``"bch"``, or ``"naive"``: assignments taken for the clusters, which draws the means together.
    assignment, posterior
        As in `predictors`.

    Returns
    -------
    DistalOutcome
        Means with standard errors, a test of equality, and all pairs.

    Raises
    ------
    OptionError
        If an option is outside what is allowed.
    DataError
        If a group or the variable is missing in the table, or it is not of numbers or constant.
    ModelError
        If the weights do not exist, or a cluster has no group with a value.

    Examples
    --------
    >>> from mixsem.factors import FactorMoments
    >>> from mixsem.structural import StructuralMixture
    >>> Phi = [[[1.0, 0.5], [0.5, 1.0]]] * 3 + [[[1.0, 0.1], [0.1, 1.0]]] * 5
    >>> moments = FactorMoments.from_covariances(Phi, n=[300] * 8, factors=["x", "y"], groups=list("abcdefgh"))
    >>> fit = StructuralMixture("y ~ x", k=2).fit(moments, seed=1)
    >>> table = {"country": list("abcdefgh"), "trust": [5, 6, 7, 1, 2, 3, 2, 2]}
    >>> distal(fit, table, "trust").means.round(1)
    array([2., 6.])

    References
    ----------
    Bolck, Croon & Hagenaars (2004), Political Analysis 12, 3-27. Bakk & Vermunt (2016), Robustness of stepwise latent
    class modeling with continuous distal outcomes. Structural Equation Modeling 23, 20-31.
    """
    mixture, z, groups = require_clusters(fit, posterior, "distal")
    if method not in ("bch", "naive"):
        raise OptionError(f"method={method!r}", allowed="'bch' or 'naive'", todo="choose one of them")
    if not isinstance(outcome, str):
        raise OptionError(f"outcome={outcome!r}", allowed="the name of one column", todo="call once per outcome")
    assigned = assign_groups(z, assignment)
    measurement = mixture.moments.measurement
    usual = None if measurement is None else measurement.moments.group
    table = group_table(data, (outcome,), groups, group, usual)
    complete, notices = complete_rows(table, groups)
    notify(notices)
    y = _numbers(table[outcome][complete].tolist(), outcome)
    weights = (assigned.corrected() if method == "bch" else assigned.weights)[complete]
    total = weights.sum(axis=0)
    if not (total > 1e-8).all():
        lost = int(total.argmin()) + 1
        raise ModelError(
            f"no group with a value of {outcome} is assigned to cluster {lost}",
            todo="choose fewer clusters, or assignment='proportional'",
        )
    means = weights.T @ y / total
    deviation = weights * (y[:, None] - means)
    n, k = weights.shape
    variance = np.einsum("gk,gk->k", weights, (y[:, None] - means) ** 2) / total
    return DistalOutcome(
        fit=mixture,
        outcome=outcome,
        method=method,
        assignment=assignment,
        means=means,
        sds=np.sqrt(np.where(variance > 0, variance, np.nan)),
        vcov=deviation.T @ deviation / np.outer(total, total) * n / (n - k),
        weights=weights,
        groups=tuple(g for g, keep in zip(groups, complete, strict=True) if keep),
        values=y,
        notices=notices,
    )


def _numbers(values: list[object], name: str) -> Array:
    if any(isinstance(v, str) or not hasattr(v, "__float__") for v in values):
        raise DataError(f"{name} is not a column of numbers", allowed="numbers; 0 and 1 for proportions")
    y = np.array(values, dtype=float)
    if not np.isfinite(y).all() or np.ptp(y) == 0.0:
        raise DataError(f"{name} is infinite somewhere, or the same in all groups", todo="choose another outcome")
    return y
