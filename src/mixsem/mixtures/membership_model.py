"""What a regression of membership returns: coefficients, odds ratios, tests and predicted probabilities."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from scipy.stats import chi2, norm

from ..data.columns import FrameLike, open_columns
from ..display import Displayed
from ..errors import Notice
from ..structural.fit import MixtureFit
from .design import Design, formula_variables
from .linear import require_level

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MembershipModel"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class MembershipModel(Displayed):
    """A multinomial logistic regression of cluster membership on variables of the groups.

    Attributes
    ----------
    fit
        The mixture.
    formula
        The predictors.
    method, assignment, se_method, penalty
        The options it was fitted with; a penalty above 0 means penalised estimates.
    reference
        Cluster that the others are compared with.
    clusters
        The other clusters, length K - 1.
    columns
        Names of the coefficients, length P.
    terms
        Coefficients of each predictor: positions in `columns`.
    coefficients
        Differences in the log odds of a cluster against the reference, shape (K - 1, P).
    vcov
        Their covariance, cluster after cluster, shape ((K - 1) P, (K - 1) P). Classification errors are taken as known.
    errors
        Classification errors: probability that a group of the cluster of the row is assigned to that of the column.
    groups
        Labels of the groups with a value of every predictor.
    probabilities
        Fitted probabilities of these groups, shape (n, K).
    loglik
        What was maximised, without penalty; not a likelihood with ``method="bch"``.
    design
        The design matrix.
    notices
        Statistical trouble.
    """

    fit: MixtureFit
    formula: str
    method: str
    assignment: str
    se_method: str
    penalty: float
    reference: int
    clusters: tuple[int, ...]
    columns: tuple[str, ...]
    terms: dict[str, tuple[int, ...]]
    coefficients: Array
    vcov: Array
    errors: Array
    groups: tuple[Hashable, ...]
    probabilities: Array
    loglik: float
    design: Design
    notices: tuple[Notice, ...]

    @property
    def se(self) -> Array:
        """Standard errors, shape (K - 1, P)."""
        return np.sqrt(np.diagonal(self.vcov)).reshape(self.coefficients.shape)

    def to_frame(self, level: float = 0.95) -> pd.DataFrame:
        """Return the coefficients, one row each.

        Parameters
        ----------
        level
            Level of the intervals.

        Returns
        -------
        pandas.DataFrame
            ``cluster``, ``reference``, ``term``, ``estimate``, ``se``, ``z``, ``p_value``, ``lower``, ``upper``, and
            ``odds_ratio``, ``odds_lower``, ``odds_upper``: by how much the odds of the cluster against the reference
            multiply when the predictor is larger by one.
        """
        import pandas as pd

        require_level(level)
        estimate, se = self.coefficients.ravel(), self.se.ravel()
        half = norm.ppf(0.5 + level / 2) * se
        z = estimate / se
        with np.errstate(over="ignore"):
            odds = {"odds_ratio": np.exp(estimate), "odds_lower": np.exp(estimate - half)}
            odds["odds_upper"] = np.exp(estimate + half)
        return pd.DataFrame(
            {
                "cluster": np.repeat(self.clusters, len(self.columns)),
                "reference": self.reference,
                "term": list(self.columns) * len(self.clusters),
                "estimate": estimate,
                "se": se,
                "z": z,
                "p_value": 2 * norm.sf(np.abs(z)),
                "lower": estimate - half,
                "upper": estimate + half,
                **odds,
            }
        )

    def tests(self) -> pd.DataFrame:
        """Return a Wald test for each predictor: all its coefficients are zero, in all clusters.

        Returns
        -------
        pandas.DataFrame
            ``term``, ``chisq``, ``df``, ``p_value``.
        """
        import pandas as pd

        rows = []
        P = len(self.columns)
        for term, columns in self.terms.items():
            at = [t * P + c for t in range(len(self.clusters)) for c in columns]
            b, V = self.coefficients.ravel()[at], self.vcov[np.ix_(at, at)]
            statistic = float(b @ np.linalg.solve(V, b)) if np.isfinite(V).all() else np.nan
            rows.append((term, statistic, len(at), float(chi2.sf(statistic, len(at)))))
        return pd.DataFrame(rows, columns=["term", "chisq", "df", "p_value"])

    def predict(self, data: FrameLike | None = None) -> pd.DataFrame:
        """Return the probability of each cluster given the predictors.

        Parameters
        ----------
        data
            A table with the predictors, such as a grid of values; None for the groups of the fit.

        Returns
        -------
        pandas.DataFrame
            One row per row of `data`, with its predictors, or per group: ``p1`` to ``pK``.
        """
        import pandas as pd

        names = [f"p{c + 1}" for c in range(self.fit.k)]
        if data is None:
            frame = pd.DataFrame({"group": pd.Series(list(self.groups), dtype=None)})
            return frame.assign(**dict(zip(names, self.probabilities.T, strict=True)))
        rows = open_columns(data, formula_variables(self.formula)[1]).to_pandas()
        eta = np.zeros((len(rows), self.fit.k))
        eta[:, np.array(self.clusters) - 1] = self.design.of(rows) @ self.coefficients.T
        return rows.assign(**dict(zip(names, softmax(eta, axis=1).T, strict=True)))
