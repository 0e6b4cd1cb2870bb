"""Have the chains converged, and how much do their draws say: R-hat and effective sample sizes, many at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft
from scipy.special import ndtri

__all__ = ["Convergence", "convergence", "effective_size", "energy_fraction"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

#: Values worked on at a time: what the sorts and transforms of one chunk need stays in the processor's cache, and is
#: small enough that memory is not asked of the system again and again.
CHUNK = 2**15
TAILS = (0.05, 0.95)


@dataclass(frozen=True, eq=False)
class Convergence:
    """Convergence of M quantities.

    Attributes
    ----------
    rhat
        Rank-normalized split R-hat, the larger one of bulk and folded draws, shape (M,); near 1 if chains agree.
    ess_bulk
        Independent draws that would tell as much about the centre of the distribution, shape (M,).
    ess_tail
        The same of its tails: the smaller one of the 5% and the 95% quantile, shape (M,).
    """

    rhat: Array
    ess_bulk: Array
    ess_tail: Array


def convergence(draws: Array) -> Convergence:
    """R-hat and effective sample sizes of many quantities.

    Parameters
    ----------
    draws
        Shape (chains, draws, M), at least four draws. Chains are split into halves, so that one chain is enough.

    Returns
    -------
    Convergence
        Values are nan for a quantity that is constant or not finite everywhere.

    Examples
    --------
    >>> import numpy as np
    >>> from mixsem.bayes.convergence import convergence
    >>> draws = np.random.default_rng(1).normal(size=(4, 500, 2))
    >>> draws[0, :, 1] += 2.0  # the first chain is elsewhere
    >>> convergence(draws).rhat.round(2)
    array([1.  , 1.31])

    References
    ----------
    Vehtari, Gelman, Simpson, Carpenter & Bürkner (2021), Rank-normalization, folding, and localization: an improved
    R-hat for assessing convergence of MCMC. Bayesian Analysis 16, 667-718.
    Geyer (1992), Practical Markov chain Monte Carlo. Statistical Science 7, 473-483.
    """
    C, D, M = draws.shape
    out = np.full((3, M), np.nan)
    if D < 4:
        return Convergence(*out)
    step = max(1, CHUNK // (C * D))
    for first in range(0, M, step):
        x = np.ascontiguousarray(np.moveaxis(draws[:, :, first : first + step], 2, 0), dtype=float)
        usable = np.isfinite(x).all(axis=(1, 2)) & (np.ptp(x, axis=(1, 2)) > 0.0)
        if usable.any():
            out[:, first + np.flatnonzero(usable)] = _of_chunk(x[usable])
    return Convergence(*out)


def effective_size(draws: Array) -> Array:
    """Effective sample sizes of means, shape (M,), of draws (chains, draws, M), on their own scale.

    Quicker than `convergence`. Chains are split into halves.
    """
    return _effective_size(_split(np.ascontiguousarray(np.moveaxis(draws, 2, 0), dtype=float)))


def energy_fraction(energy: Array) -> Array:
    """Estimated Bayesian fraction of missing information of every chain, shape (C,), from energies (C, D).

    Below about 0.2 the sampler moves too slowly between regions of high and low density.

    References
    ----------
    Betancourt (2016), Diagnosing suboptimal cotangent disintegrations in Hamiltonian Monte Carlo. arXiv:1604.00695.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.square(np.diff(energy, axis=1)).mean(axis=1) / np.var(energy, axis=1, ddof=1))


def _of_chunk(x: Array) -> Array:
    """R-hat, bulk and tail effective sample size, shape (3, m), of draws (m, C, D)."""
    halves = _split(x)
    m, n_halves, n = halves.shape
    flat = halves.reshape(m, -1)
    size = flat.shape[1]
    order = np.argsort(flat, axis=1)
    starts = size * np.arange(m)[:, None]  # of the rows, in the flat array
    order += starts
    ascending = flat.ravel()[order]
    middle = 0.5 * (ascending[:, (size - 1) // 2] + ascending[:, size // 2])
    # Of sorted draws, distances from the median fall and then rise: a merge sort needs one merge.
    folded = np.abs(ascending - middle[:, None])
    folded_order = np.argsort(folded, axis=1, kind="stable")
    normal = _normal_scores(ascending)
    folded_order += starts
    normal_folded = _normal_scores(folded.ravel()[folded_order])

    series = np.empty((3, m, size))
    series[0].ravel()[order] = normal
    rhat = _rhat(series[0].reshape(halves.shape))
    series[1].ravel()[order.ravel()[folded_order]] = normal_folded
    rhat = np.maximum(rhat, _rhat(series[1].reshape(halves.shape)))

    whole = ascending if x.shape[2] % 2 == 0 else np.sort(x.reshape(m, -1), axis=1)
    for place, probability in zip((1, 2), TAILS, strict=True):
        # The quantile lies between this draw and the next one: the same draws are below it.
        threshold = whole[:, int(probability * (whole.shape[1] - 1) + 1e-9)]
        np.less_equal(flat, threshold[:, None], out=series[place])
    ess = _effective_size(series.reshape(3 * m, n_halves, n)).reshape(3, m)
    return np.stack([rhat, ess[0], np.minimum(ess[1], ess[2])])


def _split(x: Array) -> Array:
    """Both halves of every chain as chains, shape (m, 2 C, D // 2); of an odd number the middle draw is left out."""
    m, C, D = x.shape
    half = D // 2
    return np.stack([x[:, :, :half], x[:, :, D - half :]], axis=2).reshape(m, 2 * C, half)


def _normal_scores(ascending: Array) -> Array:
    """Normal quantiles of the ranks of sorted values, shape (m, S); equal values share their average rank."""
    size = ascending.shape[1]
    # All ranks there can be, in steps of one half.
    table = ndtri((np.arange(2 * size - 1) / 2.0 + 1.0 - 0.375) / (size + 0.25))
    scores = np.tile(table[::2], (len(ascending), 1))
    equal = ascending[:, 1:] == ascending[:, :-1]
    row, place = np.nonzero(equal)
    if not row.size:
        return scores
    # Runs of equal values: pairs (place, place + 1) that follow one another.
    begins = np.ones(row.size, dtype=bool)
    begins[1:] = (np.diff(row) != 0) | (np.diff(place) != 1)
    run = np.cumsum(begins) - 1
    first = place[begins]
    length = np.bincount(run) + 1
    shared = table[2 * first + length - 1]
    scores[row, place] = shared[run]
    scores[row, place + 1] = shared[run]
    return scores


def _rhat(z: Array) -> Array:
    """R-hat of chains (m, C, n), shape (m,)."""
    n = z.shape[2]
    within = z.var(axis=2, ddof=1).mean(axis=1)
    between = n * z.mean(axis=2).var(axis=1, ddof=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.sqrt((between / within + n - 1.0) / n))


def _effective_size(z: Array) -> Array:
    """Effective sample size of the mean of chains (m, C, n), shape (m,).

    Autocorrelations are summed in pairs (even and next odd lag) up to the first pair that is not positive, each pair
    at most as large as the ones before it: Geyer's initial monotone sequence.
    """
    m, C, n = z.shape
    means = z.mean(axis=2)
    length = next_fast_len(2 * n, real=True)
    padded = np.zeros((m, C, length))
    np.subtract(z, means[:, :, None], out=padded[:, :, :n])
    parts = rfft(padded, axis=2).view(float)  # real, imaginary, real, imaginary, ...
    power = np.einsum("mcf,mcf->mf", parts, parts).reshape(m, -1, 2).sum(axis=2)
    covariance = irfft(power, n=length, axis=1)[:, :n] / (n * C)
    within = covariance[:, :1] * n / (n - 1.0)
    total = covariance[:, :1] + means.var(axis=1, ddof=1)[:, None]
    constant = total[:, 0] <= 0.0
    rho = 1.0 - (within - covariance) / np.where(total > 0.0, total, 1.0)
    rho[:, 0] = 1.0

    pairs = rho[:, : n - n % 2].reshape(m, -1, 2).sum(axis=2)
    last = max(-(-(n - 2) // 2) - 1, 0)
    stops = pairs[:, : last + 1] <= 0.0
    end = np.where(stops.any(axis=1), stops.argmax(axis=1), last)
    falling = np.minimum.accumulate(pairs, axis=1)
    whole = np.where(np.arange(pairs.shape[1]) < end[:, None], falling, 0.0).sum(axis=1)
    rows = np.arange(m)
    even = rho[rows, 2 * end]
    even = np.where((even > 0.0) | (pairs[rows, end] >= 0.0), even, 0.0)
    size = C * n
    time = np.maximum(-1.0 + 2.0 * whole + even, 1.0 / np.log10(size))
    return np.where(constant, float(size), size / time)
