"""Alignment: factor means and variances of many groups without exact invariance."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..display import Displayed
from ..equations.fit import SEMFit
from ..errors import ConvergenceWarning, Notice, OptionError, enumerate_briefly, notify
from ..kernels.alignment import align_values, simplicity
from ..options import require_seed
from .invariance import InvarianceTest
from .invariance_configural import configural_model, configural_values
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
    configural = configural_model(fit)
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
    items, loadings, intercepts, errors = configural_values(fit, q)
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
