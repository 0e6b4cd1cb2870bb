"""A linear mixed model with its data, compiled: the deviance as a function of theta, and what follows from a theta."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from ...errors import ModelError
from .deviance import Decomposition, criterion, decompose, gradient, inverse_blocks
from .products import Products, cross_products
from .theta import TermShape, ThetaMap, theta_map

if TYPE_CHECKING:
    from ..designs.design import Design
    from ..structure.residual_products import StructuredProducts
    from ..structure.residual_structure import Residual
    from .scaling import Scaling

__all__ = ["CompiledMixedModel", "State", "compile_model"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class State:
    """What a theta implies.

    Attributes
    ----------
    theta
        The parameters.
    beta
        Fixed effects, length p.
    unscaled_vcov
        Their covariance matrix divided by sigma^2, shape (p, p).
    r2
        Penalised residual sum of squares.
    log_det_random, log_det_fixed
        log |Lambda' Z'WZ Lambda + I| and log |R_X|^2.
    b
        Conditional modes of the random effects of each grouping factor, shape (n_f, k_f).
    """

    theta: Array
    beta: Array
    unscaled_vcov: Array
    r2: float
    log_det_random: float
    log_det_fixed: float
    b: tuple[Array, ...]


@dataclass(frozen=True, eq=False)
class CompiledMixedModel:
    """A design and its cross-products.

    Attributes
    ----------
    design
        The design.
    y
        Response without offset.
    products
        The cross-products.
    theta_map
        Where theta stands in the relative covariance factors.
    structured
        Where residuals have a structure: the cross-products as a function of its parameters, of which `products` is
        one value.
    """

    design: Design
    y: Array
    products: Products
    theta_map: ThetaMap
    structured: StructuredProducts | None = None

    @property
    def n(self) -> int:
        """Rows."""
        return self.products.n

    @property
    def p(self) -> int:
        """Fixed effects."""
        return self.products.p

    @property
    def scaling(self) -> Scaling:
        """How columns were centred and scaled."""
        return self.products.scaling

    @cached_property
    def inner(self) -> Array:
        """Matrices T_f with inner random effects = T_f b, shape (F, k, k)."""
        return self.theta_map.block_diagonal([s.to_inner for s in self.products.scaling.random])

    @cached_property
    def outer(self) -> Array:
        """Their inverses."""
        return self.theta_map.block_diagonal([s.from_inner for s in self.products.scaling.random])

    def decompose(self, theta: Array) -> Decomposition:
        """Factorise the system at theta.

        Raises
        ------
        ModelError
            If theta is so large that the system is not positive definite in floating-point numbers.
        """
        parts = decompose(self.products, self.inner @ self.theta_map.stacked(theta))
        if parts is None:
            raise ModelError(
                f"no deviance at theta = {np.array2string(np.asarray(theta), precision=3)}",
                todo="use values nearer to 1",
            )
        return parts

    def criterion(self, theta: Array, reml: bool = True, sigma: float | None = None) -> float:
        """REML criterion or -2 log-likelihood, profiled over beta, and over sigma if none is given."""
        return criterion(self.products, self.decompose(theta), reml, sigma)

    def gradient(self, theta: Array, reml: bool = True, sigma: float | None = None) -> tuple[float, Array]:
        """The criterion and its derivatives by theta, and by sigma (last) if one is given."""
        parts = self.decompose(theta)
        return criterion(self.products, parts, reml, sigma), self._slope(parts, reml, sigma)

    def slope_and_spread(self, theta: Array, reml: bool, sigma: float) -> tuple[Array, Array]:
        """Derivatives by theta and sigma, and the unscaled covariance of the fixed effects, from one factorisation."""
        parts = self.decompose(theta)
        root = self._fixed_root(parts)
        return self._slope(parts, reml, sigma), root.T @ root

    def _slope(self, parts: Decomposition, reml: bool, sigma: float | None) -> Array:
        by_lambda = np.swapaxes(self.inner, 1, 2) @ gradient(self.products, parts, reml, sigma)
        slope = self.theta_map.pick(by_lambda)
        if sigma is None:
            return slope
        df = self.n - (self.p if reml else 0)
        return np.append(slope, 2.0 * (df - parts.r2 / sigma**2) / sigma)

    def _fixed_root(self, parts: Decomposition) -> Array:
        """R with R'R the unscaled covariance matrix of the fixed effects, in the units of the user."""
        q = self.products.layout.blocks.n_tail
        root = solve_triangular(parts.tail[q:-1, q:-1], np.eye(self.p), lower=True)
        return np.asarray(root @ self.products.scaling.fixed.from_inner.T)

    def state(self, theta: Array) -> State:
        """Fixed effects, random effects and determinants at theta."""
        parts = self.decompose(theta)
        scaling, q = self.products.scaling, self.products.layout.blocks.n_tail
        # coefficients of the tail: L_c' x = last row of the factor, without its last entry; only the triangle is read
        solution = solve_triangular(parts.tail[:-1, :-1], parts.tail[-1, :-1], lower=True, trans="T")
        root = self._fixed_root(parts)
        beta = scaling.fixed.from_inner @ solution[q:]
        if scaling.fixed.intercept >= 0:
            beta[scaling.fixed.intercept] += scaling.response
        if scaling.shift is not None:
            beta += scaling.shift
        return State(
            theta=np.asarray(theta, dtype=float),
            beta=beta,
            unscaled_vcov=root.T @ root,
            r2=parts.r2,
            log_det_random=parts.log_det_random,
            log_det_fixed=parts.log_det_fixed + 2.0 * scaling.log_scale,
            b=self._modes(parts, solution),
        )

    def _modes(self, parts: Decomposition, solution: Array) -> tuple[Array, ...]:
        """Conditional modes in the units of the user, from the solution of the tail."""
        from ...kernels.blocked_solve import back_substitute, multiply_levels

        blocks = self.products.layout.blocks
        in_levels = np.zeros((len(blocks.factor), parts.lam.shape[1]))
        in_tail = np.zeros((len(blocks.tail_factor), parts.lam.shape[1]))
        multiply_levels(blocks, parts.lam, solution, in_tail)
        # what the sparse levels see of the tail: unscaled random effects, fixed effects, and 1 for minus the response
        seen = np.concatenate([np.zeros(blocks.n_tail), solution[blocks.n_tail :], [-1.0]])
        for node, (f, first) in enumerate(zip(blocks.tail_factor, blocks.tail_start, strict=True)):
            seen[first : first + blocks.size[f]] = in_tail[node, : blocks.size[f]]
        back_substitute(blocks, parts.values, parts.lam, seen, in_levels)
        return self._by_factor(in_levels, in_tail, lambda b, T: b @ T.T)

    def conditional_covariances(self, theta: Array) -> tuple[Array, ...]:
        """Conditional covariances of the random effects divided by sigma^2, each (n_f, k_f, k_f); beta is known."""
        parts = self.decompose(theta)
        levels, tail = inverse_blocks(self.products, parts)
        blocks, lam = self.products.layout.blocks, parts.lam

        def scaled(inverse: Array, factor: NDArray[np.int64]) -> Array:
            return lam[factor] @ inverse @ np.swapaxes(lam[factor], 1, 2)

        return self._by_factor(
            scaled(levels, blocks.factor), scaled(tail, blocks.tail_factor), lambda C, T: T @ C @ T.T
        )

    def _by_factor(self, in_levels: Array, in_tail: Array, to_outer: object) -> tuple[Array, ...]:
        """Sort what is known of sparse levels and levels of the tail by grouping factor, in the units of the user."""
        layout = self.products.layout
        joined = np.concatenate([in_levels, in_tail])
        place = np.where(layout.level >= 0, layout.level, len(in_levels) + layout.tail_level)
        found = []
        for f, (begin, size) in enumerate(zip(layout.offset, layout.n_levels, strict=True)):
            k = self.theta_map.sizes[f]
            values = joined[place[begin : begin + size]]
            values = values[:, :k] if values.ndim == 2 else values[:, :k, :k]
            found.append(to_outer(values, self.outer[f, :k, :k]))  # type: ignore[operator]
        return tuple(found)

    def with_response(self, y: Array) -> CompiledMixedModel:
        """The same model for another response (offset subtracted); what does not depend on it is shared."""
        if self.structured is None:
            products = cross_products(self.design, y, self.products.layout, self.products.scaling)
            return replace(self, y=y, products=products)
        structured = self.structured.with_response(self.design, y)
        return replace(self, y=y, products=structured.products, structured=structured)


def compile_model(design: Design, residual: Residual | None = None) -> CompiledMixedModel:
    """Compile a design; where residuals have a structure, its parameters start at none."""
    y = design.y if design.offset is None else design.y - design.offset
    terms = [TermShape(t.factor, design.factors[t.factor].name, t.names, t.correlated) for t in design.terms]
    model = CompiledMixedModel(design, y, cross_products(design, y), theta_map(terms))
    if residual is None:
        return model
    from ..structure.residual_products import structured_products
    from ..structure.residual_sets import read_residual_rows

    rows = read_residual_rows(residual, design.frame, design.factors)
    structured = structured_products(design, y, model.products, rows)
    return replace(model, products=structured.products, structured=structured)
