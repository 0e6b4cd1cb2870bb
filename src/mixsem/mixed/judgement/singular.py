"""Is a fit on the boundary of its parameters, and in which directions?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...errors import OptionError
from ..require import require_any_fit

if TYPE_CHECKING:
    import pandas as pd

    from ...report.table import Table
    from ..estimates import MixedEstimates

__all__ = ["BoundaryReport", "Direction", "boundary", "is_singular", "term_labels"]

Array = NDArray[np.float64]

#: Standard deviations below this, relative to the residual one, count as zero; lme4's tolerance.
TOLERANCE = 1e-4
#: Standard deviations above this, relative to the residual one, mean that there is no residual.
NO_RESIDUAL = 1e5
#: Share of an effect in a direction, below which it is left out of its description.
NEGLIGIBLE = 1e-3


@dataclass(frozen=True)
class Direction:
    """A direction without variance.

    Attributes
    ----------
    term
        Label of the random term, as in `VarCorr`; ``"Residual"`` if there is no residual variance.
    effects
        The random effects concerned.
    kind
        ``"sd"`` if one effect does not vary, ``"correlation"`` if two are one, ``"combination"`` of more, or
        ``"residual"``.
    what
        The same in words.
    """

    term: str
    effects: tuple[str, ...]
    kind: str
    what: str


@dataclass(frozen=True, repr=False)
class BoundaryReport:
    """Where a fit is on the boundary of its parameters; false if it is nowhere.

    Attributes
    ----------
    directions
        Directions in which random effects have no variance.
    """

    directions: tuple[Direction, ...]

    def __bool__(self) -> bool:
        return bool(self.directions)

    @property
    def frame(self) -> pd.DataFrame:
        """One row per direction: term, direction, what."""
        import pandas as pd

        rows = [(d.term, ", ".join(d.effects), d.what) for d in self.directions]
        return pd.DataFrame(rows, columns=["term", "direction", "what"])

    def to_pandas(self) -> pd.DataFrame:
        """As `frame`."""
        return self.frame

    @property
    def table(self) -> Table:
        """As a table to print."""
        from ...report.table import Column, Table

        columns = [Column("term", "Term"), Column("direction", "Random effects"), Column("what", "Boundary")]
        note = "" if self else "No boundary fit: all variances are above 0, no correlation is 1 or -1."
        rows = tuple(self.frame.itertuples(index=False, name=None))
        return Table("Boundary (singular) directions", tuple(columns), rows, (note,) if note else ())

    def __repr__(self) -> str:
        return repr(self.table)

    def _repr_html_(self) -> str:
        return self.table._repr_html_()


def is_singular(fit: MixedEstimates, tol: float = TOLERANCE) -> bool:
    """Whether a fit is on the boundary of its parameters: some combination of random effects has no variance.

    Parameters
    ----------
    fit
        The fit.
    tol
        Standard deviations below this count as zero. They are relative to the residual one, and those of slopes are
        per standard deviation of their predictor, so that units and origins of predictors do not matter.

    Examples
    --------
    >>> import mixsem as mx
    >>> mx.is_singular(mx.lmer("Reaction ~ Days + (Days | Subject)", mx.data.sleepstudy()))
    False
    """
    require_any_fit(fit, "is_singular")
    _require_tolerance(tol)
    return any(smallest < tol for _, smallest, _ in _spectra(fit, tol))


def boundary(fit: MixedEstimates, tol: float = TOLERANCE) -> BoundaryReport:
    """Name the directions in which random effects have no variance.

    Parameters
    ----------
    fit
        The fit.
    tol
        As in `is_singular`.

    Returns
    -------
    BoundaryReport
        Prints as a table; ``.frame`` has term, direction and what was found.

    Examples
    --------
    >>> import mixsem as mx
    >>> from mixsem.mixed.judgement.singular import boundary
    >>> boundary(mx.lmer("Reaction ~ Days + (Days | Subject)", mx.data.sleepstudy())).directions
    ()
    """
    require_any_fit(fit, "boundary")
    _require_tolerance(tol)
    found: list[Direction] = []
    largest = 0.0
    labels = term_labels(fit)
    for t, (null, _, top) in enumerate(_spectra(fit, tol)):
        largest = max(largest, top)
        if null.shape[1]:
            found += _directions(fit, t, labels[t], null)
    if largest > NO_RESIDUAL:
        found.append(Direction("Residual", (), "residual", "the residual variance is 0 beside that of random effects"))
    return BoundaryReport(tuple(found))


def _require_tolerance(tol: object) -> None:
    if isinstance(tol, bool) or not isinstance(tol, int | float) or not 0.0 < tol < np.inf:
        raise OptionError(f"tol={tol!r}", allowed="a positive number, such as 1e-4")


def term_labels(fit: MixedEstimates) -> tuple[str, ...]:
    """Labels of the random terms as in `VarCorr`: the grouping factor, further terms of the same with a number."""
    labels: list[str] = []
    for term in fit.design.terms:
        name = fit.design.factors[term.factor].name
        times = sum(fit.design.factors[other.factor].name == name for other in fit.design.terms[: len(labels)])
        labels.append(f"{name}.{times}" if times else name)
    return tuple(labels)


def _spectra(fit: MixedEstimates, tol: float) -> list[tuple[Array, float, float]]:
    """Of each term: combinations of effects without variance (k, d), the smallest and the largest relative SD."""
    theta_map, unit, spectra = fit.model.theta_map, fit.model.products.unit, []
    for t, shape in enumerate(theta_map.terms):
        to_inner = fit.model.products.scaling.random[t].to_inner
        vectors, sds, _ = np.linalg.svd(to_inner @ theta_map.term_lambda(fit.theta, t))
        if not shape.correlated:
            sds = np.abs(np.diagonal(to_inner @ theta_map.term_lambda(fit.theta, t)))
            vectors = np.eye(len(sds))
        # v'(T b) has no variance: in terms of b the combination is T'v
        sds = sds / unit
        spectra.append((to_inner.T @ vectors[:, sds < tol], float(sds.min()), float(sds.max())))
    return spectra


def _directions(fit: MixedEstimates, t: int, label: str, null: Array) -> list[Direction]:
    """Describe the combinations of a term's effects that have no variance; columns of `null` span them."""
    names = fit.design.terms[t].names
    factor = fit.model.theta_map.term_lambda(fit.theta, t)
    sds = np.linalg.norm(factor, axis=1)
    zero = sds * fit.model.products.scaling.random[t].scale < TOLERANCE
    found = [Direction(label, (names[j],), "sd", f"the SD of {names[j]} by {label} is 0") for j in np.flatnonzero(zero)]
    left = np.flatnonzero(~zero)
    n_left = null.shape[1] - int(zero.sum())
    if n_left <= 0 or len(left) < 2:
        return found
    # Effects per standard deviation; the combinations that do not rest on effects which do not vary come first.
    scaled = null[left] * sds[left, None]
    basis = np.linalg.svd(scaled)[0][:, :n_left]
    return found + [_combination(label, names, left, column, sds) for column in _sparse_basis(basis).T]


def _sparse_basis(basis: Array) -> Array:
    """The same space spanned by combinations of few effects each: reduced by elimination with pivots."""
    rows = basis.T.copy()
    taken: list[int] = []
    for i in range(len(rows)):
        free = [c for c in range(rows.shape[1]) if c not in taken]
        pivot = free[int(np.argmax(np.abs(rows[i, free])))]
        taken.append(pivot)
        rows[i] /= rows[i, pivot]
        for other in range(len(rows)):
            if other != i:
                rows[other] -= rows[other, pivot] * rows[i]
    return rows.T


def _combination(label: str, names: tuple[str, ...], left: NDArray[np.int64], weights: Array, sds: Array) -> Direction:
    """A combination of standardised effects without variance, in words."""
    weights = np.where(np.abs(weights) < NEGLIGIBLE * np.abs(weights).max(), 0.0, weights)
    used = np.flatnonzero(weights)
    effects = tuple(names[left[j]] for j in used)
    if len(used) == 2:
        sign = "-1" if weights[used[0]] * weights[used[1]] > 0 else "1"
        what = f"{effects[0]} and {effects[1]} by {label} correlate exactly {sign}"
        return Direction(label, effects, "correlation", what)
    raw = weights[used] / sds[left[used]]
    raw = raw / raw[0]
    parts = [effects[0]]
    for value, name in zip(raw[1:], effects[1:], strict=True):
        parts.append(f"{'-' if value < 0 else '+'} {abs(value):.3g} {name}")
    return Direction(label, effects, "combination", f"the combination {' '.join(parts)} by {label} has no variance")
