"""What a bootstrap of a mixture returns."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from ..display import Displayed
from ..errors import Notice
from ..inference.resampled import resampled_limits
from ..structural.fit import MixtureFit
from ..structural.select import MixtureSelection

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MixtureBootstrap", "SelectionBootstrap"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class MixtureBootstrap(Displayed):
    """A mixture fitted again in n samples, its clusters matched with the original ones.

    Attributes
    ----------
    fit
        The original mixture.
    kind
        ``"groups"`` or ``"people"``: what was drawn.
    center
        What people were drawn around.
    coefficients
        Regressions, shape (n, K, R), in the order of ``fit.path.names``; NaN where a sample gave no estimates.
    proportions
        Proportions of the clusters, shape (n, K).
    members
        Cluster of each group, numbered as in `fit`, shape (n, G); 0 where a group is not in the sample.
    ari
        Adjusted Rand index between a sample's clusters and the original ones, over the groups in it, shape (n,).
    loglik
        Log-likelihood of the factors in every sample, shape (n,).
    failures
        Why samples gave no estimates, one text each.
    notices
        Trouble with the samples.
    """

    fit: MixtureFit
    kind: str
    center: str
    coefficients: Array
    proportions: Array
    members: NDArray[np.int64]
    ari: Array
    loglik: Array
    failures: tuple[str, ...] = ()
    notices: tuple[Notice, ...] = ()

    @property
    def n(self) -> int:
        """Number of samples."""
        return len(self.coefficients)

    @property
    def n_failed(self) -> int:
        """Samples without estimates."""
        return len(self.failures)

    @property
    def usable(self) -> NDArray[np.bool_]:
        """Which samples gave estimates, shape (n,)."""
        return np.isfinite(self.loglik)

    @property
    def names(self) -> tuple[str, ...]:
        """Names such as ``"y~x[1]"``, cluster by cluster, length K R."""
        return tuple(f"{name}[{c}]" for c in range(1, self.fit.k + 1) for name in self.fit.path.names)

    @cached_property
    def vcov(self) -> Array:
        """Covariance matrix of the regressions over samples, cluster by cluster, shape (K R, K R)."""
        draws = self._flat()
        return np.cov(draws, rowvar=False).reshape(draws.shape[1], draws.shape[1])

    @property
    def se(self) -> Array:
        """Standard deviations of the regressions over samples, shape (K, R)."""
        return np.sqrt(np.diagonal(self.vcov)).reshape(self.fit.coefficients.shape)

    def intervals(self, level: float = 0.95, method: Literal["percentile", "bc"] = "percentile") -> pd.DataFrame:
        """Bootstrap intervals of the regressions.

        Parameters
        ----------
        level
            Confidence level.
        method
            ``"percentile"``, or ``"bc"``: corrected for the share of samples below the estimate (Efron, 1982).

        Returns
        -------
        DataFrame
            cluster, regression, estimate, se, bias, lower, upper.

        Raises
        ------
        OptionError
            If `level` or `method` is none of those allowed.
        """
        import pandas as pd

        draws, estimate = self._flat(), self.fit.coefficients.ravel()
        lower, upper = resampled_limits(draws, estimate, level, method)
        return pd.DataFrame(
            {
                "cluster": np.repeat(np.arange(1, self.fit.k + 1), len(self.fit.path.names)),
                "regression": list(self.fit.path.names) * self.fit.k,
                "estimate": estimate,
                "se": self.se.ravel(),
                "bias": draws.mean(axis=0) - estimate,
                "lower": lower,
                "upper": upper,
            }
        )

    @cached_property
    def comembership(self) -> Array:
        """How often two groups share a cluster among the samples with both, shape (G, G); NaN if there are none."""
        present = (self.members > 0).astype(float)
        same = sum((self.members == c).astype(float).T @ (self.members == c) for c in range(1, self.fit.k + 1))
        with np.errstate(invalid="ignore"):
            return np.asarray(same / (present.T @ present))

    @cached_property
    def occurrences(self) -> NDArray[np.int64]:
        """Samples with estimates that each group is in, shape (G,)."""
        return np.asarray((self.members > 0).sum(axis=0))

    @property
    def shares(self) -> Array:
        """How often each group is in each cluster, among the samples that it is in, shape (G, K)."""
        counts = np.stack([(self.members == c).sum(axis=0) for c in range(1, self.fit.k + 1)], axis=1)
        with np.errstate(invalid="ignore"):
            return np.asarray(counts / self.occurrences[:, None])

    @property
    def stability(self) -> Array:
        """How often each group is in its original cluster, among the samples that it is in, shape (G,)."""
        return self.shares[np.arange(len(self.fit.groups)), self.fit.clusters - 1]

    def groups_frame(self) -> pd.DataFrame:
        """One row per group.

        Returns
        -------
        DataFrame
            group, n, cluster, probability, stability, samples (that it is in), share_1 to share_K.
        """
        import pandas as pd

        fit = self.fit
        frame = {
            "group": list(fit.groups),
            "n": fit.moments.n,
            "cluster": fit.clusters,
            "probability": fit.posterior.max(axis=1),
            "stability": self.stability,
            "samples": self.occurrences,
        }
        return pd.DataFrame(frame | {f"share_{c + 1}": share for c, share in enumerate(self.shares.T)})

    def _flat(self) -> Array:
        return self.coefficients[self.usable].reshape(int(self.usable.sum()), -1)


@dataclass(frozen=True, eq=False, repr=False)
class SelectionBootstrap(Displayed):
    """The number of clusters chosen again in n samples.

    Attributes
    ----------
    fits
        The original fits.
    kind, center
        What was drawn, and around what.
    criteria
        Names as in ``fits.choices``, length C.
    chosen
        Number of clusters that each criterion chose, shape (n, C); NaN where CHull could not choose, or the sample
        gave no estimates.
    failures
        Why samples gave no estimates, one text each.
    notices
        Trouble with the samples.
    """

    fits: MixtureSelection
    kind: str
    center: str
    criteria: tuple[str, ...]
    chosen: Array
    failures: tuple[str, ...] = ()
    notices: tuple[Notice, ...] = ()

    @property
    def n(self) -> int:
        """Number of samples."""
        return len(self.chosen)

    @property
    def n_failed(self) -> int:
        """Samples without estimates."""
        return len(self.failures)

    def shares(self) -> pd.DataFrame:
        """How often each number of clusters wins.

        Returns
        -------
        DataFrame
            One row per criterion: criterion, original (its choice in the data), one column per number of clusters with
            the share of the samples with estimates, and undecided.
        """
        import pandas as pd

        usable = self.n - self.n_failed
        rows = []
        for name, column in zip(self.criteria, self.chosen.T, strict=True):
            counted: dict[str | int, float] = {k: float((column == k).sum()) / usable for k in self.fits}
            undecided = max(0.0, 1.0 - sum(counted.values()))
            named: dict[str | int, object] = {"criterion": name, "original": self.fits.choices[name]}
            rows.append({**named, **counted, "undecided": undecided})
        return pd.DataFrame(rows).astype({"original": "Int64"}).round({"undecided": 12})
