"""Modification indices: what freeing one parameter would do to the fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc

from ..errors import OptionError, did_you_mean, enumerate_briefly
from ..options import Names, as_names
from ..syntax.cells import Key, parameter_name
from .augmented import Augmented
from .candidates import absent_parameters, placeable
from .cells import cell_derivatives, cell_model, cell_values
from .inputs import require_count, require_fit
from .release import require_testable
from .standardized import Standardization, scale_factors, scales_of

if TYPE_CHECKING:
    import pandas as pd

    from .fit import SEMFit

__all__ = ["adjusted_p_values", "modification_indices"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

_KINDS: tuple[Standardization, ...] = ("lv", "all")
_OPERATORS = ("=~", "~~", "~", "~1")


def modification_indices(fit: SEMFit, *, free: Names = (), top: int | None = None) -> pd.DataFrame:
    """Rank the parameters that the model does not have by how much the fit would gain.

    For every parameter that is absent or fixed, in every group: the score (Lagrange multiplier) test of its value, and
    the expected parameter change if it alone were freed. Nothing is fitted again; one inverse of the expected
    information serves all. Parameters that would not be identified are left out, and so are those that are equal over
    groups: see `release_scores` and `score_test`. Many tests are made at once: p-values adjusted for their number are
    given besides, and a change that makes no sense is no improvement.

    Parameters
    ----------
    fit
        A fitted `cfa`, `sem` or `growth`.
    free
        The parameters to look at: operators (``"=~"`` loadings, ``"~~"`` covariances, ``"~"`` regressions, ``"~1"``
        intercepts and means) or names such as ``"visual =~ x9"``; all by default.
    top
        Return the largest only.

    Returns
    -------
    DataFrame
        group, lhs, op, rhs, mi (chi-square, 1 df), p_value, p_holm, p_fdr (adjusted over all rows, by Holm, 1979, and
        Benjamini & Hochberg, 1995), epc, and the epc standardized: sepc_lv (factors only), sepc_all. Largest first.

    Raises
    ------
    OptionError
        If `free` names what is no absent or fixed parameter, or `top` is no positive number.
    UnsupportedModelError
        For anything but such a fit.
    ModelError
        If the information matrix is singular, or an inequality constraint binds.

    Examples
    --------
    >>> import mixsem as mx
    >>> model = "visual =~ x1 + x2 + x3; textual =~ x4 + x5 + x6; speed =~ x7 + x8 + x9"
    >>> fit = mx.cfa(model, mx.data.holzinger_swineford_1939())
    >>> mx.modification_indices(fit, top=3)[["lhs", "op", "rhs", "mi", "epc"]].round(3)
          lhs  op rhs      mi    epc
    0  visual  =~  x9  36.411  0.577
    1      x7  ~~  x8  34.145  0.536
    2  visual  =~  x7  18.631 -0.422

    References
    ----------
    Sörbom (1989), Model modification. Psychometrika 54, 371-384. Numbers agree with lavaan's ``modindices()``.
    """
    import pandas as pd

    require_fit(fit, "modification_indices")
    require_count(top, "top")
    require_testable(fit)
    absent = placeable(fit, absent_parameters(fit))
    keys = [(row.lhs, row.op, row.rhs) for row in fit.table.rows] + absent
    groups, entries = _tested_cells(fit, keys, _chosen(fit, keys, absent, as_names(free)))
    augmented = Augmented(fit, cell_derivatives(fit, absent))
    information = augmented.diagonal(np.arange(len(keys)))[groups, entries]
    score = augmented.score[groups, entries]
    mi = score**2 / information
    lv, everything = (_scale(fit, absent, kind)[groups, entries] for kind in _KINDS)
    frame = pd.DataFrame(
        {
            "group": [fit.groups[g] for g in groups],
            "lhs": [keys[e][0] for e in entries],
            "op": [keys[e][1] for e in entries],
            "rhs": [keys[e][2] for e in entries],
            "mi": mi,
            "p_value": chdtrc(1, mi),
            "epc": score / information,
            "sepc_lv": score / information * lv,
            "sepc_all": score / information * everything,
        }
    )[~np.isnan(mi)]
    holm, fdr = adjusted_p_values(frame["p_value"].to_numpy())
    frame.insert(6, "p_holm", holm)
    frame.insert(7, "p_fdr", fdr)
    frame = frame.sort_values("mi", ascending=False, kind="stable").reset_index(drop=True)
    return frame if top is None else frame.head(top)


def adjusted_p_values(p: Array) -> tuple[Array, Array]:
    """P-values adjusted by Holm (familywise error) and by Benjamini and Hochberg (false discovery rate).

    Examples
    --------
    >>> adjusted_p_values(np.array([0.01, 0.04, 0.03]))
    (array([0.03, 0.06, 0.06]), array([0.03, 0.04, 0.04]))
    """
    m, order = p.size, np.argsort(p, kind="stable")
    holm, fdr = np.empty(m), np.empty(m)
    rank = np.arange(1, m + 1)
    holm[order] = np.minimum(np.maximum.accumulate((m - rank + 1) * p[order]), 1.0)
    fdr[order] = np.minimum(np.minimum.accumulate((m / rank * p[order])[::-1])[::-1], 1.0)
    return holm, fdr


def _chosen(fit: SEMFit, keys: list[Key], absent: list[Key], names: tuple[str, ...]) -> set[Key]:
    """The parameters that `free` asks for."""
    if not names:
        return set(keys)
    fixed = {
        key
        for key, row in zip(keys, fit.table.rows, strict=False)
        if any(value is not None for value in row.fixed) and not _given(fit, key)
    }
    known = {parameter_name(key): key for key in [*keys, *absent] if key in fixed or key in set(absent)}
    known |= {f"{b}~~{a}": (a, op, b) for (a, op, b) in known.values() if op == "~~"}
    chosen: set[Key] = set()
    for name in names:
        short = "".join(name.split())
        if short in _OPERATORS:
            chosen |= {key for key in keys if key[1] == short}
        elif short in known:
            chosen.add(known[short])
        else:
            raise OptionError(
                f"free= names {name!r}, which is no absent or fixed parameter",
                allowed=f"operators {', '.join(_OPERATORS)}; parameters such as {enumerate_briefly(sorted(known), 8)}",
                todo=did_you_mean(short, known),
            )
    return chosen


def _given(fit: SEMFit, key: Key) -> bool:
    """Whether it is a moment of covariates, which the model takes as it is."""
    return all(name in fit.table.covariates for name in (key[0], key[2]) if name) and key[1] in ("~~", "~1")


def _tested_cells(fit: SEMFit, keys: list[Key], chosen: set[Key]) -> tuple[Index, Index]:
    """Groups and entries of what is fixed or absent: group after group."""
    n = fit.model.matrix.size
    tested = np.ones((len(fit.groups), len(keys)), dtype=bool)
    tested[:, :n] = fit.model.free < 0
    tested[:, [e for e, key in enumerate(keys) if key not in chosen or _given(fit, key)]] = False
    groups, entries = np.nonzero(tested)
    return groups, entries


def _scale(fit: SEMFit, absent: list[Key], kind: Standardization) -> Array:
    """What standardizes each change, shape (G, E'); residual covariances become correlations of residuals."""
    cells = cell_model(fit, absent)
    return scale_factors(cells, scales_of(fit, cells, cell_values(fit, cells), kind))
