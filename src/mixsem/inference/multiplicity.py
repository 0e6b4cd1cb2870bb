"""p-values adjusted for many tests."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import OptionError, did_you_mean

__all__ = ["CORRECTIONS", "adjusted_p"]

CORRECTIONS = ("BH", "holm", "none")
"""Known corrections: Benjamini & Hochberg (1995), Holm (1979), none."""


def adjusted_p(p_values: NDArray[np.float64], correction: str = "BH") -> NDArray[np.float64]:
    """Adjust p-values for the number of tests.

    Parameters
    ----------
    p_values
        Any shape; NaN is no test and stays NaN.
    correction
        ``"BH"`` controls the expected share of false ones among the rejected hypotheses (Benjamini & Hochberg, 1995),
        ``"holm"`` the probability of a single false rejection (Holm, 1979), ``"none"`` nothing.

    Returns
    -------
    NDArray
        Adjusted p-values, to be compared with alpha, in the shape of `p_values`.

    Raises
    ------
    OptionError
        If the correction is not known.

    Examples
    --------
    >>> adjusted_p(np.array([0.01, 0.02, 0.03, 0.5]), "holm").round(2).tolist()
    [0.04, 0.06, 0.06, 0.5]
    >>> adjusted_p(np.array([0.01, 0.02, 0.03, 0.5])).round(2).tolist()
    [0.04, 0.04, 0.04, 0.5]
    """
    if correction not in CORRECTIONS:
        raise OptionError(
            f"correction={correction!r}",
            allowed=", ".join(map(repr, CORRECTIONS)),
            todo=did_you_mean(str(correction), CORRECTIONS),
        )
    adjusted = np.array(p_values, dtype=float)
    known = np.isfinite(adjusted)
    p = adjusted[known]
    m = p.size
    if correction == "none" or m == 0:
        return adjusted
    order = np.argsort(p, kind="stable")
    if correction == "holm":
        stepped = np.maximum.accumulate(p[order] * np.arange(m, 0, -1))
    else:
        stepped = np.minimum.accumulate((p[order] * m / np.arange(1, m + 1))[::-1])[::-1]
    back = np.empty(m)
    back[order] = np.minimum(stepped, 1.0)
    adjusted[known] = back
    return adjusted
