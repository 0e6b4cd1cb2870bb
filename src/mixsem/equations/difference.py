"""Difference tests of nested models, corrected for non-normal data where the estimator is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc

from ..errors import OptionError
from ..model.dense import dense_information, null_space
from .cells import first_cells
from .covariance import group_sizes, kept_jacobian, meat, moment_weight
from .robust import scaled_statistic

if TYPE_CHECKING:
    from .fit import SEMFit

__all__ = ["DifferenceMethod", "DifferenceTest", "difference_test", "resolved_method"]

Array = NDArray[np.float64]
DifferenceMethod = Literal["default", "standard", "satorra-2000", "satorra-bentler-2001", "satorra-bentler-2010"]

_METHODS = ("default", "standard", "satorra-2000", "satorra-bentler-2001", "satorra-bentler-2010")


class DifferenceTest(NamedTuple):
    """The test of one model against another in which it is nested; `scale` is 1 if nothing was corrected."""

    chisq: float
    df: int
    pvalue: float
    scale: float


def resolved_method(fit: SEMFit, method: str) -> str:
    """The method to use for fits of this estimator.

    Raises
    ------
    OptionError
        If the estimator has no such test.
    """
    if method not in _METHODS:
        raise OptionError(f"method={method!r}", allowed=", ".join(map(repr, _METHODS)))
    estimator = fit.compiled.estimator
    scaled, adjusted = (
        estimator.test in ("satorra-bentler", "yuan-bentler"),
        estimator.test
        not in (
            "standard",
            "satorra-bentler",
            "yuan-bentler",
        ),
    )
    if method == "default":
        return "satorra-bentler-2001" if scaled else "satorra-2000" if adjusted else "standard"
    allowed = ["standard"]
    if scaled:
        allowed += ["satorra-bentler-2001", "satorra-bentler-2010"]
    if estimator.errors == "moments":
        allowed += ["satorra-2000"]
    if method not in allowed:
        raise OptionError(
            f"method={method!r} with estimator {estimator.name}",
            allowed=", ".join(map(repr, ["default", *allowed])),
            todo="leave method= out",
        )
    return method


def difference_test(free: SEMFit, restricted: SEMFit, method: str) -> DifferenceTest:
    """Test the restrictions by which one model differs from another; `method` as `resolved_method` returns it."""
    gain = restricted.measures.chisq - free.measures.chisq
    df = restricted.measures.df - free.measures.df
    if method == "satorra-2000":
        return _scaled_and_shifted(free, restricted, gain, df)
    scale = 1.0
    if method != "standard":
        assert restricted.robust is not None
        larger = _scale_at(free, restricted) if method == "satorra-bentler-2010" else _scale_of(free)
        scale = (restricted.measures.df * _scale_of(restricted) - free.measures.df * larger) / df
    if not scale > 0:  # a defect of these methods in small samples: no test
        return DifferenceTest(np.nan, df, np.nan, scale)
    value = gain / scale
    return DifferenceTest(value, df, float(chdtrc(df, max(value, 0.0))), scale)


def _scale_of(fit: SEMFit) -> float:
    """Scaling factor of the test; a saturated model has none and needs none."""
    assert fit.robust is not None
    return fit.robust.model.scale if fit.measures.df else 0.0


def _scale_at(free: SEMFit, restricted: SEMFit) -> float:
    """Scaling factor of the larger model at the estimates of the smaller one (Satorra & Bentler, 2010)."""
    if not free.measures.df:
        return 0.0
    optimum = replace(free.optimum, theta=_carried_over(free, restricted))
    return scaled_statistic(free.compiled, optimum, free.measures.chisq, free.measures.df).scale


def _carried_over(free: SEMFit, restricted: SEMFit) -> Array:
    """Estimates of the smaller model as parameters of the larger one; what the smaller does not have is zero."""
    values = restricted.model.entry_values(restricted.coef)
    at = {name: e for e, name in enumerate(restricted.model.entries)}
    groups, entries = first_cells(free.model)
    found = np.zeros(free.model.n_free)
    for p, (g, e) in enumerate(zip(groups.tolist(), entries.tolist(), strict=True)):
        there = at.get(_either_way(free.model.entries[e], at))
        found[p] = 0.0 if there is None else values[g, there]
    return found


def _either_way(name: str, known: dict[str, int]) -> str:
    """A covariance under the name that the other model has for it."""
    lhs, op, rhs = name.partition("~~")
    return f"{rhs}~~{lhs}" if op and name not in known else name


def _scaled_and_shifted(free: SEMFit, restricted: SEMFit, gain: float, df: int) -> DifferenceTest:
    """Satorra's (2000) test, scaled and shifted as by Asparouhov & Muthén (2010).

    The restrictions A are those directions of the larger model in which its moments cannot follow the smaller one.
    With information P, M = P^-1 A' (A P^-1 A')^-1 A P^-1, and M J (J the covariance matrix of the gradient) has the
    eigenvalues that weigh the chi-squares whose sum the difference is.
    """
    compiled, theta = free.compiled, free.coef
    Delta, V = kept_jacobian(compiled, theta), moment_weight(compiled, free.optimum)
    n = group_sizes(compiled)[:, None, None]
    K = null_space(compiled.constraints.active_jacobian(theta))
    P = K.T @ dense_information(free.model, n * (Delta.swapaxes(1, 2) @ V @ Delta)) @ K
    J = K.T @ meat(compiled, free.optimum) @ K
    inner = null_space(restricted.constraints.active_jacobian(restricted.coef))
    reached = np.linalg.lstsq(
        _stacked(free, Delta) @ K,
        _stacked(restricted, kept_jacobian(restricted.compiled, restricted.coef)) @ inner,
        rcond=None,
    )[0]
    left, _, _ = np.linalg.svd(reached)
    A = left[:, reached.shape[1] :].T
    inverse = np.linalg.inv(P)
    MJ = inverse @ A.T @ np.linalg.solve(A @ inverse @ A.T, A @ inverse) @ J
    first, second = float(np.trace(MJ)), float(np.einsum("ij,ji->", MJ, MJ))
    factor = float(np.sqrt(df / second))
    value = factor * gain + df - factor * first
    return DifferenceTest(value, df, float(chdtrc(df, max(value, 0.0))), 1.0 / factor)


def _stacked(fit: SEMFit, Delta: Array) -> Array:
    """Derivatives of all groups' moments with respect to the free parameters, shape (G q, P)."""
    n_groups, q, _ = Delta.shape
    total = np.zeros((n_groups, q, fit.model.n_free))
    for g, free in enumerate(fit.model.free):
        for e in np.flatnonzero(free >= 0):
            total[g, :, free[e]] += Delta[g, :, e]
    return total.reshape(n_groups * q, -1)
