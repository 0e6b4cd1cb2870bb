"""Is the random part of one model within that of another, and which variances does the larger one add?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ..fit import MixedFit

__all__ = ["NO_RATIO", "RandomChange", "mixture_p_value", "mixture_text", "random_change"]

Array = NDArray[np.float64]

#: Relative to the largest, below which numbers of drawn covariance matrices are 0: far above rounding.
ZERO = 1e-7
#: Likelihood ratios below this are 0: two searches do not end nearer to one another.
NO_RATIO = 1e-6


@dataclass(frozen=True)
class RandomChange:
    """What a larger random part adds to a smaller one that it contains.

    Attributes
    ----------
    nested
        Whether it contains the smaller one.
    variances
        Variances that are 0 in the smaller model, each of one random effect.
    covariances
        Covariance parameters that it adds beside these.
    closed
        Whether each is the only new effect of its term: with two new correlated effects or more, the weights of the
        mixture depend on the data.
    """

    nested: bool
    variances: int = 0
    covariances: int = 0
    closed: bool = True


def random_change(small: MixedFit, large: MixedFit) -> RandomChange:
    """Compare random parts.

    Covariance matrices of the small model are drawn, of every form that it allows, and written in the columns of the
    large one: the parts are nested if the large model allows each of them.
    """
    variances = covariances = 0
    closed, left = True, set(range(len(small.design.factors)))
    for f, factor in enumerate(large.design.factors):
        mine = next((g for g in left if _same_groups(small.design.factors[g].codes, factor.codes)), None)
        left -= {mine}
        found = _of_factor(small, mine, large, f)
        if found is None:
            return RandomChange(False)
        for added, parameters in found:
            variances += added
            covariances += parameters - added
            closed &= added < 2
    return RandomChange(not left, variances, covariances, closed)


def _same_groups(a: NDArray[np.int32], b: NDArray[np.int32]) -> bool:
    """Whether two codings make the same groups of rows."""
    n = int(a.max()) + 1
    if n != int(b.max()) + 1:
        return False
    first = np.full(n, -1, dtype=np.int64)
    first[a] = b
    return bool((first[a] == b).all())


def _of_factor(small: MixedFit, g: int | None, large: MixedFit, f: int) -> list[tuple[int, int]] | None:
    """Of each block of one grouping factor: new variances and new parameters; None if parts are not nested."""
    blocks, columns = _columns(large, f)
    size = columns.shape[1]
    drawn = np.zeros((size, size))
    mine, narrow = _columns(small, g) if g is not None else ([], np.zeros((len(columns), 0)))
    if narrow.shape[1]:
        weights = np.linalg.lstsq(columns, narrow, rcond=None)[0]
        if np.abs(narrow - columns @ weights).max() > ZERO * np.abs(narrow).max():
            return None
        generator = np.random.default_rng(0)
        scale = np.linalg.norm(columns, axis=0)
        for at in mine:
            half = (weights[:, at] * scale[:, None]) @ generator.standard_normal((len(at), len(at)))
            drawn += half @ half.T
    found, inside = [], np.zeros((size, size), dtype=bool)
    for at in blocks:
        inside[np.ix_(at, at)] = True
        values = np.linalg.eigvalsh(drawn[np.ix_(at, at)])
        rank = int((values > ZERO * max(drawn.max(), 1.0)).sum()) if narrow.shape[1] else 0
        found.append((len(at) - rank, _free(at)))
    if np.abs(drawn[~inside]).max(initial=0.0) > ZERO * max(np.abs(drawn).max(), 1.0):
        return None
    free = sum(_free(at) for at in mine)
    return [*found, (0, -free)]  # the parameters of the small model belong to some block: only their sum counts


def _free(at: list[int]) -> int:
    """Parameters of a covariance matrix."""
    return len(at) * (len(at) + 1) // 2


def _columns(fit: MixedFit, f: int) -> tuple[list[list[int]], Array]:
    """Columns of the random effects of a factor, and which of them covary."""
    blocks: list[list[int]] = []
    made, total = [], 0
    for term in fit.design.terms:
        if term.factor != f:
            continue
        k = len(term.names)
        made.append(np.ones((fit.nobs, 1)) if term.Z is None else term.Z)
        places = list(range(total, total + k))
        blocks += [places] if term.correlated else [[i] for i in places]
        total += k
    return blocks, np.concatenate(made, axis=1)


def mixture_p_value(chisq: float, df: int, variances: int) -> float:
    """Probability of a larger likelihood ratio where so many of the parameters are variances at 0.

    The others, and each variance that comes out positive, add a degree of freedom; independent ones are positive with
    probability 1/2 each. Self & Liang (1987), Journal of the American Statistical Association 82, 605-610, case 5 and
    following; Stram & Lee (1994), Biometrics 50, 1171-1177.

    Examples
    --------
    >>> round(mixture_p_value(2.71, 1, 1), 3), round(mixture_p_value(2.71, 2, 1), 3)
    (0.05, 0.179)
    """
    from scipy.stats import binom, chi2

    if chisq <= NO_RATIO:
        return 1.0
    positive = np.arange(variances + 1)
    degrees = df - variances + positive
    tails = np.where(degrees > 0, chi2.sf(chisq, np.maximum(degrees, 1)), 0.0)
    return float(binom.pmf(positive, variances, 0.5) @ tails)


def mixture_text(df: int, variances: int) -> str:
    """The mixture in words."""
    base = df - variances
    if variances == 1:
        return f"1/2 chi-square({base}) + 1/2 chi-square({base + 1})"
    return f"chi-squares with {base} to {df} degrees of freedom, in binomial weights"
