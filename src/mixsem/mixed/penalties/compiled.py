"""A penalty with the model that it is for: a part of the criterion that is minimised."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...errors import OptionError, UnsupportedModelError
from .penalty import Penalty

if TYPE_CHECKING:
    from ..engine.model import CompiledMixedModel
    from ..engine.theta import ThetaMap

__all__ = ["CompiledPenalty", "compile_penalty"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class CompiledPenalty:
    """The penalty of all terms as a function of the relative covariance factors of centred and scaled columns.

    Attributes
    ----------
    penalty
        What was asked for.
    theta_map
        The terms.
    outer
        (F, k, k) what takes factors of centred and scaled columns to those of the user's.
    """

    penalty: Penalty
    theta_map: ThetaMap
    outer: Array

    def __call__(self, lam: Array) -> tuple[float, Array]:
        """-2 log density and its slope by the factors, (F, k, k) as these.

        Examples
        --------
        >>> import mixsem as mx
        >>> model = mx.lmer("Reaction ~ Days + (1 | Subject)", mx.data.sleepstudy()).model
        >>> value, slope = compile_penalty(Penalty(), model)(np.full((1, 1, 1), 0.5))
        >>> round(value, 3), slope.ravel()
        (2.079, array([-6.]))
        """
        total, slope = 0.0, np.zeros_like(lam)
        for t, shape in enumerate(self.theta_map.terms):
            at, f = self.theta_map.places(t), shape.factor
            outer = self.outer[f, at, at]
            factor = outer @ lam[f, at, at]
            if shape.correlated:
                value, by_factor = self.penalty.value_and_slope(factor)
            else:
                found = [self.penalty.value_and_slope(np.array([[d]])) for d in np.diagonal(factor)]
                value, by_factor = sum(v for v, _ in found), np.diag([s[0, 0] for _, s in found])
            total += value
            slope[f, at, at] = outer.T @ by_factor
        return total, slope

    def hessian(self, theta: Array) -> Array:
        """Second derivatives by theta, in the units of the user: the factors there are triangular, and its own."""
        diagonal = self.theta_map.is_diagonal
        sizes = np.array([len(t.names) if t.correlated else 1 for t in self.theta_map.terms])[self.theta_map.term]
        excess = np.array([self.penalty.excess(int(k)) for k in sizes])
        curved = np.divide(2.0 * excess, theta**2, out=np.zeros(len(theta)), where=diagonal)
        return np.diag(curved + 2.0 / self.penalty.scale)


def compile_penalty(penalty: Penalty | None, model: CompiledMixedModel) -> CompiledPenalty | None:
    """The penalty for a model; None for none.

    Raises
    ------
    OptionError
        If the density is none for a term.
    UnsupportedModelError
        With a structure of the residuals: there is not one residual variance that covariances could be relative to.
    """
    if penalty is None:
        return None
    if model.structured is not None:
        raise UnsupportedModelError(
            "penalty= along with residual=: the penalty is on covariances relative to one residual variance",
            allowed="penalty= with independent residuals of one variance (or with weights)",
            todo="leave one of them out",
        )
    for shape in model.theta_map.terms:
        k = len(shape.names) if shape.correlated else 1
        if penalty.kind == "gamma" and k > 1:
            raise OptionError(
                f"a gamma penalty for the {k} correlated effects of {shape.group}",
                allowed="gamma for single or uncorrelated effects: (1 | g), (x || g)",
                todo='use penalty="wishart"',
            )
        if penalty.excess(k) <= 0.0:
            raise OptionError(
                f"df={penalty.df:g} for {k} effects of {shape.group}",
                allowed=f"a number above {k + 1}",
                todo="leave df= out: it is the number of effects + 2.5 then",
            )
    return CompiledPenalty(penalty, model.theta_map, model.outer)
