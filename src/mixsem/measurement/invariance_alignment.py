"""Alignment: factor means and variances of many groups without exact invariance."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..display import Displayed
from ..equations.fit import SEMFit
from ..errors import ConvergenceWarning, ModelError, Notice, OptionError, enumerate_briefly, notify
from ..kernels.alignment import align_values, simplicity
from ..model.matrices import ALPHA, LAMBDA, NU
from ..options import require_seed
from .invariance import InvarianceTest
from .invariance_sets import invariant_sets

if TYPE_CHECKING:
    import pandas as pd

    from ..report.table import Table

__all__ = ["AlignedFactor", "Alignment", "align"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class AlignedFactor:
    """One factor, aligned.

    Attributes
    ----------
    factor, items
        Names.
    loadings, intercepts
        Aligned values, shape (G, k).
    loading_errors, intercept_errors
        Their standard errors, the alignment taken as given, shape (G, k).
    means, variances
        Of the factor, shape (G,).
    loading_r2, intercept_r2
        Share of the variation over groups of the configural loadings and intercepts that differences in factor
        variances and means explain, shape (k,): 1 where an item is invariant. NaN if there is no variation.
    loading_invariant, intercept_invariant
        Whether the group belongs to the item's set of invariant groups, shape (G, k).
    value
        Simplicity function at the solution.
    agreeing, starts
        How many of the starts reached it.
    """

    factor: str
    items: tuple[str, ...]
    loadings: Array
    intercepts: Array
    loading_errors: Array
    intercept_errors: Array
    means: Array
    variances: Array
    loading_r2: Array
    intercept_r2: Array
    loading_invariant: NDArray[np.bool_]
    intercept_invariant: NDArray[np.bool_]
    value: float
    agreeing: int
    starts: int


@dataclass(frozen=True, eq=False, repr=False)
class Alignment(Displayed):
    """Aligned factors.

    Attributes
    ----------
    kind
        ``"fixed"`` or ``"free"``.
    reference
        The group with factor mean 0 and variance 1; None for ``"free"``.
    groups
        Labels of the groups.
    factors
        One entry per factor.
    notices
        Trouble, by factor.
    """

    kind: str
    reference: Hashable | None
    groups: tuple[Hashable, ...]
    factors: tuple[AlignedFactor, ...]
    notices: tuple[Notice, ...]

    @property
    def table(self) -> Table:
        """One row per item: mean and range of the aligned values, R2, share of groups that are not invariant."""
        from ..report.invariance_tables import alignment_table

        return alignment_table(self)

    def to_pandas(self) -> pd.DataFrame:
        """Aligned loadings and intercepts: group, factor, item, kind, estimate, se, invariant."""
        from ..report.invariance_tables import alignment_frame

        return alignment_frame(self)

    def means(self) -> pd.DataFrame:
        """Factor means and variances: group, factor, mean, variance."""
        import pandas as pd

        return pd.concat(
            [
                pd.DataFrame(
                    {
                        "group": pd.Series(list(self.groups), dtype=object),
                        "factor": f.factor,
                        "mean": f.means,
                        "variance": f.variances,
                    }
                )
                for f in self.factors
            ],
            ignore_index=True,
        )


def align(
    fit: SEMFit | InvarianceTest,
    *,
    kind: str = "fixed",
    reference: Hashable | None = None,
    epsilon: float = 0.01,
    starts: int = 10,
    seed: int | None = 1,
) -> Alignment:
    """Align the factors of a configural model, one after the other.

    Factor means and variances are chosen so that loadings and intercepts differ between groups as little as possible in
    the sense of the simplicity function: many differences near zero and a few large ones, rather than many of medium
    size. The configural model's fit does not change.

    Parameters
    ----------
    fit
        A configural model with means and without cross-loadings, from `cfa` with ``group=``; or an `InvarianceTest`
        with the level ``"configural"``.
    kind
        ``"fixed"``: the reference group's factor mean is 0; ``"free"``: all means are estimated, which needs
        substantial non-invariance to be determined. The product of the variances is 1 while the function is minimised;
        with ``"fixed"`` the result is then put on the scale of the reference group, variance 1.
    reference
        Label of the reference group; the first by default. Not with ``"free"``.
    epsilon
        Rounds the simplicity function off at zero.
    starts
        Starting points: the configural scale, then random ones.
    seed
        Of the random starts.

    Returns
    -------
    Alignment

    Raises
    ------
    ModelError
        If loadings or intercepts are equal over groups already, an item has two factors, or there are no means.
    OptionError
        If an option is not what is allowed.

    Notes
    -----
    R2 and the sets of invariant groups are those of Asparouhov & Muthén; standard errors are conditional on the
    alignment, so that the sets are somewhat too small.

    Examples
    --------
    >>> import mixsem as mx
    >>> data = mx.data.holzinger_swineford_1939()
    >>> aligned = mx.align(mx.cfa("textual =~ x4 + x5 + x6", data, "school"))
    >>> aligned.means().round(2)
             group   factor  mean  variance
    0  Grant-White  textual  0.00      1.00
    1      Pasteur  textual -0.59      0.95

    References
    ----------
    Asparouhov & Muthén (2014), Multiple-group factor analysis alignment. Structural Equation Modeling 21, 495-508.
    https://doi.org/10.1080/10705511.2014.919210
    """
    configural = _configural(fit)
    groups = configural.groups
    at = _reference(kind, reference, groups)
    if not isinstance(epsilon, int | float) or not epsilon > 0:
        raise OptionError(f"epsilon={epsilon!r}", allowed="a small positive number, such as 0.01")
    if not isinstance(starts, int) or isinstance(starts, bool) or starts < 1:
        raise OptionError(f"starts={starts!r}", allowed="a whole number, 1 or more")
    require_seed(seed)
    rng = np.random.default_rng(seed)
    factors = tuple(
        _align_factor(configural, q, at, float(epsilon), starts, rng) for q in range(len(configural.factors))
    )
    notices = tuple(_notices(factors))
    notify(notices)
    return Alignment(kind, None if at is None else groups[at], groups, factors, notices)


def _align_factor(
    fit: SEMFit, q: int, reference: int | None, epsilon: float, starts: int, rng: np.random.Generator
) -> AlignedFactor:
    items, loadings, intercepts, errors = _configural_values(fit, q)
    n = fit.data.moments.n.astype(float)
    G = n.size
    free = np.ones(G, dtype=bool)
    if reference is not None:
        free[reference] = False
    x, value, agreeing = _minimize(loadings, intercepts, n, epsilon, free, starts, rng)
    sds, means = np.exp(x[:G] - x[:G].mean()), np.where(free, x[G:], 0.0)
    if reference is not None:  # in units of the reference group
        means, sds = means / sds[reference], sds / sds[reference]
    aligned, shifted = align_values(loadings, intercepts, means, sds)
    # Conditional on the alignment, lambda = lambda0 / sd and nu = nu0 - (mean / sd) lambda0.
    loading_errors = errors[0] / sds[:, None]
    ratio = (means / sds)[:, None]
    variance = errors[1] ** 2 + ratio**2 * errors[0] ** 2 - 2.0 * ratio * errors[2]
    intercept_errors = np.sqrt(np.maximum(variance, 0.0))
    mean_loading, mean_intercept = aligned.mean(axis=0), shifted.mean(axis=0)
    explained = sds[:, None] * mean_loading
    expected = mean_intercept + means[:, None] * mean_loading
    return AlignedFactor(
        fit.factors[q],
        items,
        aligned,
        shifted,
        loading_errors,
        intercept_errors,
        means,
        sds**2,
        _share(loadings, explained),
        _share(intercepts, expected),
        invariant_sets(aligned, loading_errors, n),
        invariant_sets(shifted, intercept_errors, n),
        value,
        agreeing,
        starts,
    )


def _minimize(
    loadings: Array,
    intercepts: Array,
    n: Array,
    epsilon: float,
    free: NDArray[np.bool_],
    starts: int,
    rng: np.random.Generator,
) -> tuple[Array, float, int]:
    """The best of several minima, its value, and how many starts found it."""
    from scipy.optimize import minimize

    G = n.size
    best, found = None, []
    for start in range(starts):
        spread = 0.0 if start == 0 else 1.0
        x = np.concatenate([_sizes(loadings), _shifts(loadings, intercepts, free)])
        x = x + spread * np.concatenate([0.3 * rng.standard_normal(G), 0.5 * rng.standard_normal(G)])
        for rounding in (1.0, 0.1, epsilon):  # from a smooth function to the rugged one
            if rounding < epsilon:
                continue
            result = minimize(
                lambda z, e=rounding: simplicity(loadings, intercepts, n, z, e, free),
                x,
                jac=True,
                method="L-BFGS-B",
                options={"maxiter": 2000, "ftol": 1e-12, "gtol": 1e-8},
            )
            x = result.x
        found.append(float(result.fun))
        if best is None or result.fun < best[1] - 1e-10:
            best = (result.x, float(result.fun))
    assert best is not None
    return best[0], best[1], int(sum(value < best[1] + 1e-6 for value in found))


def _sizes(loadings: Array) -> Array:
    """Log sizes of the groups' loadings, less their mean: a start for the standard deviations."""
    size = np.log(np.maximum(np.abs(loadings).mean(axis=1), 1e-3))
    return np.asarray(size - size.mean())


def _shifts(loadings: Array, intercepts: Array, free: NDArray[np.bool_]) -> Array:
    """Factor means that bring the intercepts close to those of the reference group, by least squares."""
    origin = intercepts[~free][0] if (~free).any() else intercepts.mean(axis=0)
    common = loadings.mean(axis=0)
    return np.asarray((intercepts - origin) @ common / max(float(common @ common), 1e-12))


def _share(values: Array, explained: Array) -> Array:
    """Share of the variation over groups that is explained, shape (k,)."""
    total = values.var(axis=0)
    left = (values - explained).var(axis=0)
    return np.where(total > 1e-14, 1.0 - left / np.where(total > 1e-14, total, 1.0), np.nan)


def _configural(fit: object) -> SEMFit:
    if isinstance(fit, InvarianceTest):
        fit = fit.fit("configural")
    if not isinstance(fit, SEMFit) or len(fit.groups) < 2:
        raise OptionError(
            f"align() got {'a fit of one group' if isinstance(fit, SEMFit) else type(fit).__name__}",
            allowed="a configural model of several groups",
            todo="fit mixsem.cfa(model, data, group)",
        )
    model = fit.model
    if not model.meanstructure or fit.data.ordinal is not None:
        raise ModelError("align() needs a model with means", allowed="continuous items with their means")
    measured = np.isin(model.matrix, (LAMBDA, NU))
    free = model.free[:, measured]
    if ((free[0] >= 0) & (free == free[0]).all(axis=0)).any():
        raise ModelError(
            "loadings or intercepts are equal over groups: there is nothing left to align",
            allowed="a configural model",
            todo="fit without group_equal=",
        )
    at = model.row[model.matrix == LAMBDA]
    if np.unique(at).size < at.size or model.units.size:
        raise ModelError(
            "an item measures several factors, or none", allowed="items of one factor each", todo="drop cross-loadings"
        )
    return fit


def _configural_values(fit: SEMFit, q: int) -> tuple[tuple[str, ...], Array, Array, tuple[Array, Array, Array]]:
    """Items; loadings and intercepts with the factor's mean 0 and variance 1, (G, k); their errors and covariances."""
    model, theta = fit.model, fit.coef
    entries = np.flatnonzero((model.matrix == LAMBDA) & (model.column == q))
    rows = model.row[entries]
    nu_at = [int(np.flatnonzero((model.matrix == NU) & (model.row == r))[0]) for r in rows]
    values = model.entry_values(theta)
    phi = np.einsum("gqq->gq", fit.implied.Phi)[:, q]
    alpha = fit.model.values_of(ALPHA, theta)[:, q]
    if (phi <= 0).any():
        bad = [g for g, v in zip(fit.groups, phi, strict=True) if v <= 0]
        raise ModelError(
            f"{fit.factors[q]} has no positive variance in {enumerate_briefly(bad)}", todo="leave these groups out"
        )
    sd = np.sqrt(phi)[:, None]
    loadings, intercepts = values[:, entries] * sd, values[:, nu_at] + values[:, entries] * alpha[:, None]
    return tuple(model.observed[r] for r in rows), loadings, intercepts, _errors(fit, q, entries, nu_at, sd)


def _errors(fit: SEMFit, q: int, entries: Array, nu_at: list[int], sd: Array) -> tuple[Array, Array, Array]:
    """Standard errors of unit-variance loadings and of intercepts, and the covariances between the two, (G, k)."""
    from ..model.matrices import PSI

    model, vcov = fit.model, fit.vcov
    values = model.entry_values(fit.coef)
    variance_at = int(np.flatnonzero((model.matrix == PSI) & (model.row == q) & (model.column == q))[0])
    G, k = model.n_groups, len(entries)
    lambda_var, nu_var, both = np.zeros((G, k)), np.zeros((G, k)), np.zeros((G, k))
    for g in range(G):
        for j, e in enumerate(entries):
            # lambda0 = lambda sqrt(phi)
            gradient = np.zeros(vcov.shape[0])
            if model.free[g, e] >= 0:
                gradient[model.free[g, e]] += sd[g, 0]
            if model.free[g, variance_at] >= 0:
                gradient[model.free[g, variance_at]] += 0.5 * values[g, e] / sd[g, 0]
            moved = vcov @ gradient
            lambda_var[g, j] = gradient @ moved
            p = model.free[g, nu_at[j]]
            if p >= 0:
                nu_var[g, j], both[g, j] = vcov[p, p], moved[p]
    return np.sqrt(np.maximum(lambda_var, 0.0)), np.sqrt(np.maximum(nu_var, 0.0)), both


def _reference(kind: str, reference: Hashable | None, groups: tuple[Hashable, ...]) -> int | None:
    if kind not in ("fixed", "free"):
        raise OptionError(f"kind={kind!r}", allowed="'fixed' or 'free'")
    if kind == "free":
        if reference is not None:
            raise OptionError(f"reference={reference!r} with kind='free'", allowed="kind='fixed'")
        return None
    if reference is None:
        return 0
    if reference not in groups:
        raise OptionError(f"reference={reference!r}", allowed=enumerate_briefly(groups, 20))
    return groups.index(reference)


def _notices(factors: tuple[AlignedFactor, ...]) -> list[Notice]:
    rare = [f for f in factors if f.starts > 1 and f.agreeing < max(2, f.starts // 10)]
    if not rare:
        return []
    listed = enumerate_briefly([f"{f.factor} ({f.agreeing} of {f.starts})" for f in rare])
    text = f"few starts reached the best alignment: {listed}. There may be a better one: raise starts=."
    return [Notice(ConvergenceWarning, text)]
