"""The arithmetic of Wald tests: one estimate, several at once, and differences between clusters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc, ndtr, ndtri

from ..errors import OptionError
from ..inference.multiplicity import adjusted_p

__all__ = ["adjusted_once", "normal_tests", "require_level", "standard_error", "wald_statistic"]

Array = NDArray[np.float64]

#: Directions whose variance is below this share of the largest, on the scale of correlations, say nothing new.
SINGULAR = 1e-9
#: A variance below this share of its terms is rounding: the terms cancel.
ROUNDING = 1e-12
#: A restriction on fixed values is broken if it is off by more.
BROKEN = 1e-6


def require_level(level: float) -> float:
    """Refuse what is no confidence level."""
    if not isinstance(level, int | float | np.number) or isinstance(level, bool) or not 0 < level < 1:
        raise OptionError(f"level={level!r}", allowed="a probability between 0 and 1, such as 0.95")
    return float(level)


def standard_error(gradients: Array, vcov: Array) -> Array:
    """Delta method: the standard error of each quantity; NaN where nothing that was estimated moves it.

    Parameters
    ----------
    gradients
        Derivatives of m quantities by the parameters, shape (m, P).
    vcov
        Covariance of the parameters, shape (P, P).

    Returns
    -------
    NDArray
        Shape (m,).
    """
    variance = np.einsum("mi,ij,mj->m", gradients, vcov, gradients, optimize=True)
    size = np.einsum("mi,i->m", gradients**2, np.abs(np.diag(vcov)))
    return np.sqrt(np.where(variance > ROUNDING * size, variance, np.nan))


def normal_tests(estimate: Array, se: Array, level: float = 0.95) -> dict[str, Array]:
    """Estimate, se, z, p-value (two-sided) and confidence limits as columns.

    Examples
    --------
    >>> test = normal_tests(np.array([1.0]), np.array([0.5]))
    >>> {name: float(column[0].round(3)) for name, column in test.items()}
    {'estimate': 1.0, 'se': 0.5, 'z': 2.0, 'p_value': 0.046, 'lower': 0.02, 'upper': 1.98}
    """
    z = np.asarray(estimate) / se
    half = float(ndtri(0.5 + 0.5 * level)) * se
    return {
        "estimate": estimate,
        "se": se,
        "z": z,
        "p_value": 2.0 * ndtr(-np.abs(z)),
        "lower": estimate - half,
        "upper": estimate + half,
    }


def adjusted_once(p_values: Array, same: Sequence[object], family: Sequence[object]) -> dict[str, Array]:
    """Holm's and Benjamini and Hochberg's adjusted p-values; a test that stands in several rows counts once.

    Parameters
    ----------
    p_values
        One per row, NaN where there is no test.
    same
        What is tested in each row; rows with the same are one test.
    family
        The family of each row; p-values are adjusted within it.

    Returns
    -------
    dict
        ``p_holm`` and ``p_fdr``, in the order of the rows.
    """
    p = np.asarray(p_values, dtype=float)
    first = {key: i for i, key in reversed(list(enumerate(same)))}
    home = np.array([first[key] for key in same], dtype=int)
    alone = home == np.arange(p.size)
    holm, fdr = np.full(p.size, np.nan), np.full(p.size, np.nan)
    for name in dict.fromkeys(family):
        rows = np.array([own == name for own in family], dtype=bool)
        chosen = np.flatnonzero(rows & alone)
        holm[chosen], fdr[chosen] = adjusted_p(p[chosen], "holm"), adjusted_p(p[chosen], "BH")
    return {"p_holm": holm[home], "p_fdr": fdr[home]}


def wald_statistic(values: Array, gradients: Array, vcov: Array) -> tuple[float, int, float]:
    """Wald's chi-square that several quantities are all zero.

    Parameters
    ----------
    values
        The quantities, shape (m,).
    gradients
        Their derivatives, shape (m, P).
    vcov
        Covariance of the parameters, shape (P, P).

    Returns
    -------
    tuple of float, int, float
        Statistic, degrees of freedom (restrictions that say something new) and p-value.

    Raises
    ------
    OptionError
        If nothing estimated is restricted, or the restrictions contradict one another or a fixed value.

    Examples
    --------
    The last restriction follows from the first two and is not counted:

    >>> C = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, -1.0]])
    >>> statistic, df, p = wald_statistic(C @ [1.0, 2.0], C, np.eye(2))
    >>> round(statistic, 6), df, round(p, 3)
    (5.0, 2, 0.082)
    """
    se = standard_error(gradients, vcov)
    if not np.isfinite(vcov).all():
        return np.nan, int(np.linalg.matrix_rank(gradients)), np.nan
    known = np.isnan(se)
    if known.all():
        raise OptionError(
            "the hypothesis is about fixed values only",
            allowed="hypotheses about regressions that were estimated; equal ones do not differ over clusters",
        )
    scaled = values[~known] / se[~known]
    J = gradients[~known] / se[~known, None]
    size, vectors = np.linalg.eigh(J @ vcov @ J.T)
    kept = size > SINGULAR * size[-1]
    along = vectors.T @ scaled
    broken = np.abs(along[~kept]) > BROKEN * max(1.0, np.abs(scaled).max())
    if broken.any() or (np.abs(values[known]) > BROKEN).any():
        raise OptionError(
            "the hypothesis cannot hold: its equations contradict one another or a fixed regression",
            allowed="equations that can hold together",
            todo="test them one by one",
        )
    statistic = float((along[kept] ** 2 / size[kept]).sum())
    df = int(kept.sum())
    return statistic, df, float(chdtrc(df, statistic))
