"""Coordinates in which means and spreads of random effects move freely.

In the non-centred form eta_g = mu + s z_g, z_g ~ N(0, 1), the data of large groups pin each eta_g: mu cannot move
unless all z_g move against it, and s cannot unless all z_g shrink, so that samplers crawl. Ours moves other
coordinates. First the z are reflected (Householder), so that the last coordinate is y_n = sqrt(n) mean(z) and the
n - 1 others stay nearly what they were; all remain independent standard normal. Then, with r the length of those,

    a = mu + s y_n / sqrt(n),    log t = log s + log(r / sqrt(n)),    L = log r,    u = their direction

are level, spread and pattern of the eta_g themselves, which the data determine, while y_n and L are independent of the
data given these. The direction is u = w/|w| with w standard normal; the length of w means nothing. The map is exact for
any data; near s = 0 it changes nothing. With s fixed (approximate invariance), or fewer than `LEAST_FOR_POLAR` groups,
only `a` is used and t = s.

Coordinates of the sampler are the P parameters in their places (a for mu, log t for log s, w and y_n for z), then one L
for every estimated spread.
"""

from __future__ import annotations

import math

from .compiled import cached_njit

__all__ = ["natural_parameters", "pull_back", "sheared_parameters"]


@cached_njit
def reflect(x, start, count):  # type: ignore[no-untyped-def]
    """Reflect x[start : start + count] in place: mean times sqrt(count) to the last place, and back."""
    if count < 2:
        return
    root = math.sqrt(count)
    last = start + count - 1
    level = 0.0
    for i in range(start, last + 1):
        level += x[i]
    level /= root
    shift = (level - x[last]) / (root - 1.0)
    for i in range(start, last):
        x[i] -= shift
    x[last] = level


@cached_njit
def length(x, start, stop):  # type: ignore[no-untyped-def]
    """Euclidean length of x[start : stop]."""
    squares = 0.0
    for i in range(start, stop):
        squares += x[i] * x[i]
    return math.sqrt(squares)


@cached_njit
def natural_parameters(problem, x, natural):  # type: ignore[no-untyped-def]
    """From the sampler's coordinates to natural parameters: mu, log s and z in their places; others stay."""
    natural[:] = x[: natural.size]
    for k in range(problem.shear.shape[0]):
        mu, start, count, e, polar = problem.shear[k]
        last = start + count - 1
        s = problem.s[e]
        if polar >= 0:
            natural[problem.scale[e]] = x[problem.scale[e]] - x[polar] + 0.5 * math.log(count)
            stretch = math.exp(x[polar]) / length(x, start, last)
            for i in range(start, last):
                natural[i] = stretch * x[i]
        if problem.scale[e] >= 0:
            s = math.exp(natural[problem.scale[e]])
        natural[mu] = x[mu] - s * x[last] / math.sqrt(count)
        reflect(natural, start, count)


@cached_njit
def sheared_parameters(problem, natural, x):  # type: ignore[no-untyped-def]
    """An inverse of `natural_parameters`, with w as long as the deviations it points along."""
    x[: natural.size] = natural
    for k in range(problem.shear.shape[0]):
        mu, start, count, e, polar = problem.shear[k]
        reflect(x, start, count)
        last = start + count - 1
        s = problem.s[e]
        if problem.scale[e] >= 0:
            s = math.exp(natural[problem.scale[e]])
        if polar >= 0:
            x[polar] = math.log(length(x, start, last))
            x[problem.scale[e]] = natural[problem.scale[e]] + x[polar] - 0.5 * math.log(count)
        x[mu] = natural[mu] + s * x[last] / math.sqrt(count)


@cached_njit
def pull_back(problem, x, natural, slope, grad):  # type: ignore[no-untyped-def]
    """Gradient by the sampler's coordinates from `slope`, the one by natural parameters (overwritten).

    Returns what the change of coordinates adds to the log density, whose gradient is included.
    """
    added = 0.0
    for k in range(problem.shear.shape[0]):
        mu, start, count, e, polar = problem.shear[k]
        reflect(slope, start, count)
        last, scale = start + count - 1, problem.scale[e]
        s = problem.s[e]
        if scale >= 0:
            s = math.exp(natural[scale])
            slope[scale] -= slope[mu] * s * x[last] / math.sqrt(count)
        slope[last] -= slope[mu] * s / math.sqrt(count)
        if polar < 0:
            continue
        size = length(x, start, last)
        stretch = math.exp(x[polar]) / size
        along = 0.0
        for i in range(start, last):
            along += slope[i] * x[i]
        grad[polar] = stretch * along + (count - 1) - slope[scale]
        for i in range(start, last):
            slope[i] = stretch * (slope[i] - x[i] * along / (size * size)) - x[i]
        added += (count - 1) * x[polar] - 0.5 * size * size
    grad[: slope.size] = slope
    return added
