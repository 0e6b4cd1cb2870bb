"""A generalised mixed model with its data, compiled: the likelihood as a function of all parameters."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import ModelError
from ..engine.model import State
from ..engine.theta import TermShape, ThetaMap, theta_map
from .families import Family
from .fixed_part import eliminate_random
from .modes import Mode
from .objective import Criterion, Point
from .rows import EffectRows, compile_rows
from .system import inverse_entries

if TYPE_CHECKING:
    from ..designs.design import Design
    from ..engine.scaling import Scaling

__all__ = ["CompiledGeneralisedModel", "compile_generalised"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class CompiledGeneralisedModel:
    """A design with its family.

    Attributes
    ----------
    design
        The design; its `y` are responses (proportions of successes for binomial ones), its `weights` numbers of trials
        or weights.
    family
        The family.
    rows
        Its rows in the order and units of computation.
    theta_map
        Where theta stands in the covariance factors.
    """

    design: Design
    family: Family
    rows: EffectRows
    theta_map: ThetaMap

    @property
    def n(self) -> int:
        """Rows."""
        return self.design.n

    @property
    def p(self) -> int:
        """Fixed effects."""
        return self.design.p

    @property
    def structured(self) -> None:
        """None: there are no residuals that could have a structure."""
        return None

    @property
    def products(self) -> EffectRows:
        """The rows, by the name under which judgements of linear mixed models find layout and scales."""
        return self.rows

    @property
    def scaling(self) -> Scaling:
        """How columns were centred and scaled."""
        return self.rows.scaling

    def with_response(self, y: Array) -> CompiledGeneralisedModel:
        """The same model for another response; numbers of trials stay.

        Raises
        ------
        DataError
            If a response is impossible.
        """
        from .responses import check_response

        design = replace(self.design, y=np.asarray(y, dtype=float))
        check_response(design, self.family)
        rows = replace(self.rows, y=design.y[self.rows.order], constant=self.family.constant(design.y, self._multiples))
        return replace(self, design=design, rows=rows)

    @property
    def _multiples(self) -> Array:
        """Numbers of trials, or weights, in the order of the design."""
        return self.rows.unsorted(self.rows.m)

    @cached_property
    def inner(self) -> Array:
        """Matrices T_f with inner random effects = T_f b, shape (F, k, k)."""
        return self.theta_map.block_diagonal([s.to_inner for s in self.rows.scaling.random])

    @cached_property
    def outer(self) -> Array:
        """Their inverses."""
        return self.theta_map.block_diagonal([s.from_inner for s in self.rows.scaling.random])

    def theta_of(self, phi: Array) -> Array:
        """Theta of the user's columns from that of the centred and scaled ones."""
        return self._turned(self.outer, phi)

    def phi_of(self, theta: Array) -> Array:
        """Theta of the centred and scaled columns from that of the user's."""
        return self._turned(self.inner, theta)

    def _turned(self, by: Array, theta: Array) -> Array:
        stacked = by @ self.theta_map.stacked(theta)
        blocks = [lam[:k, :k] for lam, k in zip(stacked, self.theta_map.sizes, strict=True)]
        return self.theta_map.from_lambdas(blocks)

    def point(
        self, theta: ArrayLike, beta: ArrayLike, dispersion: float | None = None, n_agq: int = 1, slope: bool = True
    ) -> Point:
        """The criterion in inner units.

        Raises
        ------
        ModelError
            If there is no likelihood at these parameters.
        """
        theta, beta = np.asarray(theta, dtype=float), np.asarray(beta, dtype=float)
        criterion = Criterion(self.rows, self.family, self.theta_map, n_agq)
        log_d = 0.0 if dispersion is None else float(np.log(dispersion))
        lam = self.inner @ self.theta_map.stacked(theta)
        found = criterion.at_lambda(lam, self.rows.scaling.fixed.to_inner @ beta, log_d, slope)
        if found.mode is None:
            raise ModelError(
                f"no likelihood at theta = {np.array2string(theta, precision=3)}, beta ="
                f" {np.array2string(beta, precision=3)}: no mean of the family there, or no mode of the random effects",
                todo="use values nearer to those of a fit",
            )
        return found

    def criterion(self, theta: ArrayLike, beta: ArrayLike, dispersion: float | None = None, n_agq: int = 1) -> float:
        """-2 log-likelihood at any value of the parameters.

        Parameters
        ----------
        theta
            (n_theta,) elements of the Cholesky factor of the random effects' covariance, in the order of the fit's.
        beta
            (p,) fixed effects on the scale of the link; with ``n_agq=0`` the search for their mode starts there.
        dispersion
            The family's parameter (its size or dispersion), if it has one.
        n_agq
            Nodes of the quadrature; 1 is Laplace's approximation.
        """
        return self.point(theta, beta, dispersion, n_agq, slope=False).value

    def gradient(
        self, theta: ArrayLike, beta: ArrayLike, dispersion: float | None = None, n_agq: int = 1
    ) -> tuple[float, Array]:
        """The criterion and its exact gradient: by theta (n_theta), beta (p) and the parameter's logarithm.

        Parameters
        ----------
        theta, beta, dispersion, n_agq
            As in `criterion`.
        """
        found = self.point(theta, beta, dispersion, n_agq)
        return found.value, self.outer_slope(found)

    def outer_slope(self, found: Point) -> Array:
        """Derivatives by theta, beta and log d in the units of the user, of a point from `Criterion.at_lambda`."""
        n_d = int(bool(self.family.parameter))
        if found.slope is None:
            return np.full(len(self.theta_map) + self.p + n_d, np.nan)
        by_theta = self.theta_map.pick(np.swapaxes(self.inner, 1, 2) @ found.slope.by_lambda)
        by_beta = self.rows.scaling.fixed.to_inner.T @ found.slope.by_beta
        return np.concatenate([by_theta, by_beta, np.full(n_d, found.slope.by_log_d)])

    def state(self, mode: Mode, theta: Array) -> State:
        """Fixed and random effects at a mode, and the covariance of the fixed effects with theta known."""
        part = eliminate_random(self.rows, mode.lam, mode.factor, mode.weight)
        scaling = self.rows.scaling.fixed
        inverse = part.inverse
        sign, log_det = np.linalg.slogdet(part.schur) if self.p else (1.0, 0.0)
        return State(
            theta=theta,
            beta=scaling.from_inner @ mode.beta,
            unscaled_vcov=scaling.from_inner @ inverse @ scaling.from_inner.T,
            r2=float(np.sum(mode.weight * (mode.score / np.where(mode.weight > 0.0, mode.weight, np.inf)) ** 2)),
            log_det_random=mode.factor.log_det,
            log_det_fixed=float(log_det) if sign > 0 else np.nan,
            b=self.by_factor(mode.b),
        )

    def by_factor(self, effects: Array) -> tuple[Array, ...]:
        """Random effects in the order of elimination as (n_f, k_f) arrays in the units of the user."""
        layout, found = self.rows.layout, []
        for f, (first, count) in enumerate(zip(layout.offset, layout.n_levels, strict=True)):
            k = self.theta_map.sizes[f]
            at = layout.scalar[first : first + count][:, None] + np.arange(k)
            found.append(effects[at] @ self.outer[f, :k, :k].T)
        return tuple(found)

    def conditional_covariances(self, mode: Mode) -> tuple[Array, ...]:
        """Covariances of the random effects given the responses, each (n_f, k_f, k_f); all parameters known."""
        layout, blocks = self.rows.layout, self.rows.layout.blocks
        _, values, tail = inverse_entries(layout, mode.factor)
        found = []
        for f, (first, count) in enumerate(zip(layout.offset, layout.n_levels, strict=True)):
            k = self.theta_map.sizes[f]
            inverse = np.empty((count, k, k))
            place = layout.level[first : first + count]
            sparse = np.flatnonzero(place >= 0)
            base = blocks.values[place[sparse]]
            stride = (blocks.values[place[sparse] + 1] - base) // k
            at = base[:, None, None] + np.arange(k)[:, None] * stride[:, None, None] + np.arange(k)
            inverse[sparse] = values[at]
            dense = np.flatnonzero(place < 0)
            start = layout.scalar[first : first + count][dense] - blocks.n_sparse
            columns = start[:, None] + np.arange(k)
            low = np.maximum(columns[:, :, None], columns[:, None, :])
            high = np.minimum(columns[:, :, None], columns[:, None, :])
            inverse[dense] = tail[low, high]
            T = self.outer[f, :k, :k]
            found.append(T @ inverse @ T.T)
        return tuple(found)


def compile_generalised(design: Design, family: Family) -> CompiledGeneralisedModel:
    """Compile a design."""
    terms = [TermShape(t.factor, design.factors[t.factor].name, t.names, t.correlated) for t in design.terms]
    return CompiledGeneralisedModel(design, family, compile_rows(design, family), theta_map(terms))
