"""What the estimates say about parameters that are not in the model: scores, and the information beyond it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelError
from ..kernels.arrow import factorize
from ..model.dense import dense_information, restricted_inverse
from .cells import CellDerivatives

if TYPE_CHECKING:
    from .fit import SEMFit

__all__ = ["Augmented"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

#: A parameter whose information beyond the model is a smaller share of its own is not identified next to it.
UNIDENTIFIED = 1e-7


@dataclass(frozen=True, eq=False)
class Augmented:
    """The model with more cells: entries that each get a value of their own in one group.

    With H the information of the free parameters (within the constraints), a the information shared by a cell and the
    free parameters, i its own and s its score, the cell's information beyond the model is i - a' H^-1 a, the
    statistic s^2 over it, and the expected parameter change s over it. One inverse of H serves all cells.

    Attributes
    ----------
    fit
        The fit.
    derivatives
        Scores and information of the entries of the model and, after these, of others.
    """

    fit: SEMFit
    derivatives: CellDerivatives

    @cached_property
    def inverse(self) -> Array:
        """Inverse expected information of the free parameters within the constraints, shape (P, P).

        Raises
        ------
        ModelError
            If the information is singular.
        """
        return self.inverse_under(self.fit.constraints.active_jacobian(self.fit.coef))

    def inverse_under(self, jacobian: Array) -> Array:
        """The same within other linear constraints, whose Jacobian has the shape (c, P)."""
        model, n = self.fit.model, self.fit.model.matrix.size
        try:
            if not jacobian.shape[0]:  # the arrow shape makes the work linear in the number of groups
                return factorize(model.layout, self.derivatives.information[:, :n, :n]).inverse()
            return restricted_inverse(dense_information(model, self.derivatives.information[:, :n, :n]), jacobian)
        except np.linalg.LinAlgError:
            raise ModelError(
                "the information matrix of the fit is singular: scores cannot be judged against it",
                allowed="models whose parameters the data determine",
                todo="look at the fit's notices, and simplify the model",
            ) from None

    @property
    def score(self) -> Array:
        """Scores, shape (G, E')."""
        return self.derivatives.score

    def diagonal(self, entries: Index) -> Array:
        """Information beyond the model of these entries, each alone, in every group: shape (G, k); NaN where none."""
        own = np.diagonal(self.derivatives.information, axis1=1, axis2=2)[:, entries]
        shared = np.empty(own.shape)
        for g, free in enumerate(self.fit.model.free):
            used = np.flatnonzero(free >= 0)
            a = self.derivatives.information[g][np.ix_(entries, used)]
            at = free[used]
            shared[g] = np.einsum("ke,ef,kf->k", a, self.inverse[np.ix_(at, at)], a, optimize=True)
        beyond = own - shared
        return np.where(beyond > UNIDENTIFIED * own, beyond, np.nan)

    def links(self, groups: Index, entries: Index) -> Array:
        """Information shared by k cells and the free parameters, shape (k, P)."""
        model = self.fit.model
        links = np.zeros((groups.size, model.n_free))
        for g in np.unique(groups):
            rows = np.flatnonzero(groups == g)
            used = np.flatnonzero(model.free[g] >= 0)
            block = self.derivatives.information[g][np.ix_(entries[rows], used)]
            # Entries of one label in a group add up to one parameter.
            np.add.at(links, (rows[:, None], model.free[g, used]), block)
        return links

    def beyond(self, groups: Index, entries: Index) -> tuple[Array, Array]:
        """Information beyond the model of k cells jointly, shape (k, k), and the estimates' share in it.

        The second, H^-1 a of shape (P, k), says how the estimates move when the cells do: by its negative.
        """
        a = self.links(groups, entries)
        weights = self.inverse @ a.T
        information = self.derivatives.information
        own = np.where(groups[:, None] == groups, information[groups[:, None], entries[:, None], entries[None, :]], 0.0)
        return own - a @ weights, weights


def quadratic(score: Array, information: Array, scale: Array) -> tuple[float, int, Array]:
    """Compute s' V^+ s, the rank of V, and V^+ s, for an information matrix V that may be singular.

    `scale` holds the cells' own information: what is negligible beside it counts as zero, and the rank does not
    depend on the units of the items.
    """
    root = np.sqrt(scale)
    values, vectors = np.linalg.eigh(information / np.outer(root, root))
    kept = values > UNIDENTIFIED
    projected = vectors[:, kept].T @ (score / root)
    change = vectors[:, kept] @ (projected / values[kept]) / root
    return float((projected**2 / values[kept]).sum()), int(kept.sum()), change
