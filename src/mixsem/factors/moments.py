"""FactorMoments: what the clustering needs to know of the data, whoever filled it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..display import Displayed
from ..errors import DataError, Notice, UnsupportedModelError, enumerate_briefly
from .means import FactorMeans

if TYPE_CHECKING:
    from ..measurement.bayes_fit import BayesianFit
    from ..measurement.fit import MeasurementFit

__all__ = ["FactorMoments", "positive_uniqueness", "repair_covariances"]

Array = NDArray[np.float64]

#: A unique variance at or below this share of the indicator's variance (a Heywood case) counts as this share
#: where Theta is inverted; the factor then rests on that indicator, and no weight is infinite or negative.
SMALLEST_UNIQUENESS = 1e-3


@dataclass(frozen=True, eq=False, repr=False)
class FactorMoments(Displayed):
    """Factor covariances per group, and the indicators they came from: the output of step 2.

    Attributes
    ----------
    factors
        Names of the factors, length Q.
    groups
        Labels of the groups, length G.
    n
        People per group, shape (G,).
    Phi
        Factor covariances, shape (G, Q, Q), positive definite; with divisor n from maximum likelihood, and as if
        with n - 1 (population values) from factor scores.
    indicators
        Names of what was observed: the items, or factor scores named ``"score of F"``; length p.
    Lambda, Theta
        Loadings, shape (G, p, Q), and unique (co)variances, shape (G, p, p), of the indicators.
    observed
        Covariances of the indicators with divisor n, shape (G, p, p).
    reliability
        Share of true variance in each factor's score, shape (G, Q).
    n_measurement
        Free measurement parameters, counted in the information criteria.
    method
        The method whose step 1 this came from: ``"mmgsem"``, ``"mixml-sem"``, ``"mixmg-bsem"``, or ``"given"``.
    notices
        Statistical trouble so far, steps 1 and 2.
    measurement
        The fitted measurement model this came from; None if factor covariances were given.
    mean_structure
        Factor means, if step 1 has equal intercepts or means were given; else None.

    Examples
    --------
    A clustering can start from published factor covariances:

    >>> import numpy as np
    >>> from mixsem.factors import FactorMoments
    >>> Phi = np.array([[[1.0, 0.5], [0.5, 1.0]], [[1.0, 0.1], [0.1, 1.0]]])
    >>> moments = FactorMoments.from_covariances(Phi, n=[200, 300], factors=["F1", "F2"], groups=["a", "b"])
    >>> moments.n_groups, moments.factors
    (2, ('F1', 'F2'))
    """

    factors: tuple[str, ...]
    groups: tuple[Hashable, ...]
    n: NDArray[np.int64]
    Phi: Array
    indicators: tuple[str, ...]
    Lambda: Array
    Theta: Array
    observed: Array
    reliability: Array
    n_measurement: int
    method: str = "given"
    notices: tuple[Notice, ...] = ()
    measurement: MeasurementFit | BayesianFit | None = None
    mean_structure: FactorMeans | None = None

    @property
    def means(self) -> Array | None:
        """Factor means, shape (G, Q); None if there are none that can be compared."""
        return None if self.mean_structure is None else self.mean_structure.values

    @property
    def n_groups(self) -> int:
        """Number of groups, G."""
        return len(self.groups)

    @property
    def n_total(self) -> int:
        """People over all groups, N."""
        return int(self.n.sum())

    @property
    def error(self) -> Array:
        """Variances of the factor scores' measurement error, shape (G, Q)."""
        share = np.maximum(self.reliability, 1e-6)
        return np.asarray(np.diagonal(self.Phi, axis1=1, axis2=2) * (1.0 - share) / share)

    def select(self, factors: Sequence[str]) -> FactorMoments:
        """Keep some factors and their indicators.

        Scores of factors estimated together stay what they are: those of the kept factors.

        Parameters
        ----------
        factors
            Names of the factors to keep, in the wanted order.

        Raises
        ------
        UnsupportedModelError
            If a factor that is left out shares an item with one that is kept.
        """
        if tuple(factors) == self.factors:
            return self
        q = [self.factors.index(f) for f in factors]
        if len(self.indicators) == len(self.factors):
            i, Lambda, Theta = np.array(q), *self._marginal(q)
        else:
            i = self._own_indicators(q)
            Lambda, Theta = self.Lambda[:, i][:, :, q], self.Theta[:, i][:, :, i]
        counted = self.n_measurement if self.measurement is None else self.measurement.count_measurement(factors)
        return replace(
            self,
            factors=tuple(factors),
            Phi=self.Phi[:, q][:, :, q],
            indicators=tuple(self.indicators[j] for j in i),
            Lambda=Lambda,
            Theta=Theta,
            observed=self.observed[:, i][:, :, i],
            reliability=self.reliability[:, q],
            n_measurement=counted,
            mean_structure=self._selected_means(factors, np.array(q), np.array(i)),
        )

    def _selected_means(self, factors: Sequence[str], q: NDArray[np.int64], i: NDArray[np.int64]) -> FactorMeans | None:
        if self.mean_structure is None:
            return None
        count = getattr(self.measurement, "count_intercepts", None)
        return self.mean_structure.select(q, i, self.mean_structure.n_parameters if count is None else count(factors))

    def _own_indicators(self, q: list[int]) -> NDArray[np.int64]:
        """Positions of the indicators of factors q; refuse any that also belong to a factor that is left out."""
        left_out = [i for i in range(len(self.factors)) if i not in q]
        loads = np.abs(self.Lambda).max(axis=0) > 0
        kept = loads[:, q].any(axis=1)
        for other in left_out:
            shared = np.flatnonzero(kept & loads[:, other])
            if shared.size:
                raise UnsupportedModelError(
                    f"the factor {self.factors[other]!r} is in no regression, but shares the item"
                    f" {self.indicators[shared[0]]!r} with one that is",
                    allowed="factors that are left out of the structural model, if their items are their own",
                    todo=f"add {self.factors[other]!r} to a regression",
                )
        return np.flatnonzero(kept)

    def _marginal(self, q: list[int]) -> tuple[Array, Array]:
        """Loadings and unique covariances of the indicators of factors q, one each, without the other factors.

        Scores of factors estimated together load on each other's factors. What a score owes to factors that are left
        out goes to its unique variance, but for the part that the kept factors predict.
        """
        Lambda, Theta = self.Lambda[:, q], self.Theta[:, q][:, :, q]
        left_out = [i for i in range(len(self.factors)) if i not in q]
        if not Lambda[:, :, left_out].any():
            return Lambda[:, :, q], Theta
        kept = self.Phi[:, q][:, :, q]
        covariance = Lambda @ self.Phi
        marginal = np.asarray(
            np.linalg.solve(kept, covariance[:, :, q].swapaxes(1, 2)).swapaxes(1, 2), dtype=np.float64
        )
        rest = covariance @ Lambda.swapaxes(1, 2) - marginal @ kept @ marginal.swapaxes(1, 2)
        return marginal, Theta + 0.5 * (rest + rest.swapaxes(1, 2))

    @classmethod
    def from_covariances(
        cls, Phi: object, *, n: object, factors: object, groups: object, means: object = None
    ) -> FactorMoments:
        """Start from factor covariances (and means) as they are, taken as measured without error.

        Parameters
        ----------
        Phi
            Covariances with divisor n, shape (G, Q, Q).
        n
            People per group, shape (G,).
        factors, groups
            Names, length Q and G.
        means
            Factor means, shape (G, Q), if the clustering is to use them.
        """
        covariances = np.array(Phi, dtype=float)
        names, labels = tuple(factors), tuple(groups)  # type: ignore[arg-type, var-annotated]
        sizes = np.array(n, dtype=np.int64)
        G, Q = len(labels), len(names)
        if covariances.shape != (G, Q, Q) or sizes.shape != (G,):
            raise DataError(
                f"Phi has shape {covariances.shape} and n {sizes.shape} for {G} groups and {Q} factors",
                allowed=f"shapes ({G}, {Q}, {Q}) and ({G},)",
                todo="give one matrix and one size per group",
            )
        _require_definite(covariances, labels)
        ones = np.broadcast_to(np.eye(Q), (G, Q, Q)).copy()
        structure = None
        if means is not None:
            values = np.array(means, dtype=float)
            if values.shape != (G, Q) or not np.isfinite(values).all():
                raise DataError(
                    f"means has shape {values.shape} for {G} groups and {Q} factors, or holds values that are missing",
                    allowed=f"numbers of shape ({G}, {Q})",
                    todo="give one row of means per group",
                )
            structure = FactorMeans(values, values, covariances / sizes[:, None, None])
        return cls(
            names, labels, sizes, covariances, names, ones, np.zeros((G, Q, Q)), covariances, np.ones((G, Q)), 0,
            mean_structure=structure,
        )  # fmt: skip


def _require_definite(covariances: Array, labels: tuple[Hashable, ...]) -> None:
    symmetric = np.allclose(covariances, covariances.swapaxes(1, 2), rtol=1e-6, atol=1e-10)
    bad = [g for g, S in zip(labels, covariances, strict=True) if not np.linalg.eigvalsh(S)[0] > 0]
    if bad or not symmetric:
        raise DataError(
            "factor covariances are not symmetric"
            if not symmetric
            else f"factor covariances are not positive definite in {enumerate_briefly(bad)}",
            allowed="symmetric positive definite matrices",
            todo="check the order of rows and columns, or drop these groups",
        )


def repair_covariances(
    Phi: Array,
    ceiling: Array,
    *,
    error: Array | None = None,
    n: NDArray[np.int64] | None = None,
    smallest: float = 1e-3,
) -> tuple[Array, NDArray[np.bool_]]:
    """Replace factor covariance matrices that are not positive definite by the nearest that plausibly are.

    The nearest matrix in the scale of the factors' standard deviations has the same eigenvectors and eigenvalues
    raised to a limit; a variance that is not positive is first set to 1% of `ceiling`. Matrices whose scaled
    eigenvalues are all above zero are returned as they are.

    The limit is the standard error of an eigenvalue that is zero in truth: what was observed in its direction is
    measurement error alone, whose variance has the standard error sqrt(2/n) times itself. A matrix that is all but
    singular would claim that the factors of a group determine one another, which nothing so imprecise can know, and
    the likelihood of a mixture would let that group have a cluster of its own.

    Parameters
    ----------
    Phi
        Shape (G, Q, Q).
    ceiling
        Variances of the factor scores, error included, shape (G, Q).
    error
        Variances of the scores' measurement error, shape (G, Q); None for none.
    n
        People per group, shape (G,); with `error`.
    smallest
        Smallest eigenvalue of a repaired correlation matrix where the limit is lower.

    Returns
    -------
    tuple
        The matrices and which of them were repaired, shape (G,).
    """
    variances = np.diagonal(Phi, axis1=1, axis2=2)
    scale = np.sqrt(np.where(variances > 0.0, variances, 0.01 * ceiling))
    metric = scale[:, :, None] * scale[:, None, :]
    values, vectors = np.linalg.eigh(Phi / metric)
    broken = values[:, 0] <= 0.0
    limit = np.full_like(values, smallest)
    if error is not None and n is not None:
        in_direction = np.einsum("gqk,gq->gk", vectors**2, np.maximum(error, 0.0) / scale**2)
        limit = np.maximum(limit, np.sqrt(2.0 / n)[:, None] * in_direction)
    nearest = (vectors * np.maximum(values, limit)[:, None, :]) @ vectors.swapaxes(1, 2) * metric
    return np.where(broken[:, None, None], nearest, Phi), broken


def positive_uniqueness(Theta: Array, observed: Array) -> Array:
    """Theta made fit for inversion: Heywood cases raised, matrices that stay indefinite reduced to the diagonal.

    Parameters
    ----------
    Theta, observed
        Unique (co)variances and covariances of the indicators, shape (G, p, p).
    """
    p = Theta.shape[-1]
    positive = Theta.copy()
    lowest = SMALLEST_UNIQUENESS * np.diagonal(observed, axis1=1, axis2=2)
    positive[:, range(p), range(p)] = np.maximum(np.diagonal(Theta, axis1=1, axis2=2), lowest)
    positive[np.linalg.eigvalsh(positive)[:, 0] <= 0] *= np.eye(p)
    return positive
