"""What each group says against the equality of a parameter over groups: score tests of every cell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc

from ..display import Displayed
from ..errors import ModelError, OptionError, did_you_mean
from ..options import Names, as_names
from ..syntax.equality import EQUAL_SEM, kind_of
from .augmented import Augmented, quadratic
from .cells import cell_derivatives
from .inputs import require_fit
from .standardized import scale_factors, scales_of

if TYPE_CHECKING:
    import pandas as pd

    from .fit import SEMFit

__all__ = ["ReleaseScores", "release_scores", "require_testable"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]


@dataclass(frozen=True, eq=False, repr=False)
class ReleaseScores(Displayed):
    """Score tests of parameters that are equal over groups; prints as tables.

    Attributes
    ----------
    cells
        One row per parameter and group: group, lhs, op, rhs, statistic, df (1), p_value, epc, sepc_all. The test asks
        whether the group differs from all others; `epc` is by how much it would if it had a value of its own, and
        `sepc_all` the same with all variables standardized.
    overall
        One row per parameter: lhs, op, rhs, statistic, df, p_value. The test asks whether the groups differ at all,
        with one degree of freedom less than there are groups, or fewer where not all of them could be identified.
    """

    cells: pd.DataFrame
    overall: pd.DataFrame


def release_scores(fit: SEMFit, kinds: Names = ("loadings", "intercepts")) -> ReleaseScores:
    """Test every parameter that is equal over groups: in each group against all others, and overall.

    These are Lagrange multiplier tests: nothing is fitted again. Each uses the expected information of the model with
    the group's parameter freed, of which one inverse serves all tests.

    Parameters
    ----------
    fit
        A fit with several groups and equal parameters.
    kinds
        Kinds of parameters to look at: ``"loadings"``, ``"intercepts"``, ``"residuals"``, ``"residual.covariances"``,
        ``"lv.variances"``, ``"lv.covariances"``, ``"means"``, ``"regressions"``.

    Returns
    -------
    ReleaseScores
        Frames `cells` and `overall`, with no rows if no parameter of these kinds is equal over groups.

    Raises
    ------
    OptionError
        If `kinds` names no kind.
    UnsupportedModelError
        For anything but such a fit.
    ModelError
        If the information matrix is singular, or an inequality constraint binds.

    Examples
    --------
    >>> import mixsem as mx
    >>> model = "visual =~ x1 + x2 + x3; textual =~ x4 + x5 + x6; speed =~ x7 + x8 + x9"
    >>> data = mx.data.holzinger_swineford_1939()
    >>> fit = mx.cfa(model, data, "school", group_equal=("loadings", "intercepts"))
    >>> overall = mx.release_scores(fit).overall
    >>> overall.nlargest(2, "statistic").round(3)[["lhs", "op", "statistic", "df"]]
       lhs  op  statistic  df
    8   x3  ~1     19.193   1
    12  x7  ~1     15.021   1

    References
    ----------
    Sörbom (1989), Model modification. Psychometrika 54, 371-384.
    """
    import pandas as pd

    require_fit(fit, "release_scores")
    wanted = as_names(kinds)
    for kind in wanted:
        if kind not in EQUAL_SEM:
            raise OptionError(
                f"kinds= names {kind!r}", allowed=", ".join(EQUAL_SEM), todo=did_you_mean(kind, EQUAL_SEM)
            )
    require_testable(fit)
    groups, entries, parameter = _equal_cells(fit, wanted)
    augmented = Augmented(fit, cell_derivatives(fit))
    score = augmented.score[groups, entries]
    V, _ = augmented.beyond(groups, entries)
    own = np.diagonal(augmented.derivatives.information, axis1=1, axis2=2)[groups, entries]
    single = np.where(np.diagonal(V) > 1e-7 * own, np.diagonal(V), np.nan)
    statistic = score**2 / single
    cells = model_factors(fit)[groups, entries]
    rows = [fit.table.rows[e] for e in entries]
    return ReleaseScores(
        cells=pd.DataFrame(
            {
                "group": pd.Series([fit.groups[g] for g in groups], dtype=object if not len(groups) else None),
                "lhs": [row.lhs for row in rows],
                "op": [row.op for row in rows],
                "rhs": [row.rhs for row in rows],
                "statistic": statistic,
                "df": np.ones(len(rows), dtype=int),
                "p_value": chdtrc(1, statistic),
                "epc": score / single,
                "sepc_all": score / single * cells,
            }
        ),
        overall=pd.DataFrame(
            _overall(fit, entries, parameter, score, V, own),
            columns=["lhs", "op", "rhs", "statistic", "df", "p_value"],
        ),
    )


def require_testable(fit: SEMFit) -> None:
    """Require a singular-free interior: at a bound the score is not zero, and the tests mean nothing.

    Raises
    ------
    ModelError
        If an inequality or a bound binds.
    """
    values, _ = fit.constraints.inequality(fit.coef)
    if (values < 1e-6).any():
        raise ModelError(
            "score tests of a fit with an inequality constraint or a bound that binds",
            allowed="fits whose inequalities and bounds do not bind",
            todo="fit without the bound, or with the parameter fixed at it",
        )


def model_factors(fit: SEMFit) -> Array:
    """What turns each entry into its fully standardized value, shape (G, E)."""
    return scale_factors(fit.model, scales_of(fit, fit.model, fit.coef, "all"))


def _equal_cells(fit: SEMFit, kinds: tuple[str, ...]) -> tuple[Index, Index, Index]:
    """Group, entry and parameter of all cells whose parameter the same entry of another group has too."""
    free, found = fit.model.free, []
    for e, row in enumerate(fit.table.rows):
        if kind_of((row.lhs, row.op, row.rhs), fit.factors) not in kinds:
            continue
        labels, counts = np.unique(free[:, e][free[:, e] >= 0], return_counts=True)
        for p in labels[counts > 1]:
            found += [(int(g), e, int(p)) for g in np.flatnonzero(free[:, e] == p)]
    array = np.array(found, dtype=np.int64).reshape(-1, 3)
    return array[:, 0], array[:, 1], array[:, 2]


def _overall(
    fit: SEMFit, entries: Index, parameter: Index, score: Array, V: Array, own: Array
) -> list[tuple[str, str, str, float, int, float]]:
    """Joint tests of all cells of a parameter."""
    keys = np.stack([entries, parameter], axis=1)
    _, first = np.unique(keys, axis=0, return_index=True)
    result = []
    for at in np.sort(first):
        cells = np.flatnonzero((keys == keys[at]).all(axis=1))
        statistic, df, _ = quadratic(score[cells], V[np.ix_(cells, cells)], own[cells])
        row = fit.table.rows[entries[at]]
        result.append((row.lhs, row.op, row.rhs, statistic, df, float(chdtrc(df, statistic)) if df else np.nan))
    return result
