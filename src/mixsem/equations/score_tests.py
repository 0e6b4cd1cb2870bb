"""Score tests of equality constraints: which labels, equal parameters and other constraints the data speak against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc

from ..display import Displayed
from ..errors import ModelError, OptionError, did_you_mean, enumerate_briefly
from ..model.matrices import ModelMap
from ..options import Names, as_names
from .augmented import Augmented, quadratic
from .cells import cell_derivatives, entry_labels, first_cells
from .inputs import require_fit
from .release import model_factors, require_testable

if TYPE_CHECKING:
    import pandas as pd

    from .fit import SEMFit

__all__ = ["ScoreTest", "score_test"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]


@dataclass(frozen=True, eq=False, repr=False)
class ScoreTest(Displayed):
    """Score tests of equality constraints; prints as tables.

    Attributes
    ----------
    statistic, df, p_value
        The test of all released constraints together, with as many degrees of freedom as constraints (lavaan's count).
    rank, p_value_rank
        Degrees of freedom of what can be identified once they are released, and the p-value with these. Smaller than
        `df` where the constraints carry the scale of factors over to other groups: releasing all equal intercepts
        with free factor means, say. The statistic then tests `rank` restrictions, and this is the p-value to report.
    univariate
        One row per constraint: group, lhs, op, rhs (the parameter set free), equals (what it is equal to), statistic,
        df, p_value, epc (its expected difference from the other).
    changes
        All parameters: group, lhs, op, rhs, estimate, epc (expected change when all released constraints are dropped),
        epv (estimate + epc), sepc_all.
    """

    statistic: float
    df: int
    p_value: float
    rank: int
    p_value_rank: float
    univariate: pd.DataFrame
    changes: pd.DataFrame


def score_test(fit: SEMFit, release: Names | None = None) -> ScoreTest:
    """Test equality constraints without fitting the larger model.

    Constraints are labels that several parameters have, parameters that ``group_equal`` holds equal, and lines such as
    ``a == 2*b``.

    Parameters
    ----------
    fit
        A fitted `cfa`, `sem` or `growth` with equality constraints.
    release
        Labels or names of parameters (``"visual =~ x2"``, ``"x3 ~ 1"``) whose constraints are released; all by default.
        With names, constraints written with ``==`` stay.

    Returns
    -------
    ScoreTest
        The joint test, the tests of single constraints, and the expected changes of all parameters.

    Raises
    ------
    ModelError
        If there is no equality constraint, an inequality binds, or the information matrix is singular.
    OptionError
        If `release` names what is under no constraint.
    UnsupportedModelError
        For anything but such a fit.

    Examples
    --------
    >>> import mixsem as mx
    >>> model = "visual =~ x1 + x2 + x3; textual =~ x4 + x5 + x6; speed =~ x7 + x8 + x9"
    >>> data = mx.data.holzinger_swineford_1939()
    >>> fit = mx.cfa(model, data, "school", group_equal=("loadings", "intercepts"))
    >>> test = mx.score_test(fit)
    >>> round(test.statistic, 3), test.df, test.rank
    (46.956, 15, 12)
    >>> test.univariate.nlargest(2, "statistic")[["lhs", "op", "statistic"]].round(3)
       lhs  op  statistic
    8   x3  ~1     19.193
    12  x7  ~1     15.021

    References
    ----------
    Numbers agree with lavaan's ``lavTestScore()``, which uses the expected information and, with robust estimators too,
    normal data. Bentler & Chou (1992), Some new covariance structure model improvement statistics. Sociological Methods
    & Research 21, 259-282.
    """
    require_fit(fit, "score_test")
    require_testable(fit)
    groups, entries = _tied_cells(fit.model)
    if release is not None:
        kept = _named(fit, groups, entries, as_names(release))
        groups, entries = groups[kept], entries[kept]
    if not groups.size and (release is not None or not fit.constraints.equalities):
        raise ModelError(
            "the fit has no equality constraints to test",
            allowed="labels that several parameters have, group_equal=, or lines such as 'a == b'",
            todo="use modification_indices() for parameters that are fixed or absent",
        )
    augmented = Augmented(fit, cell_derivatives(fit))
    univariate = _univariate(fit, augmented, groups, entries, with_lines=release is None)
    if release is None:
        statistic, df, rank, change = _all_released(fit, augmented, groups.size)
    else:
        statistic, df, rank, change = _some_released(fit, augmented, groups, entries)
    return ScoreTest(
        statistic,
        df,
        float(chdtrc(df, statistic)),
        rank,
        float(chdtrc(rank, statistic)) if rank else np.nan,
        univariate,
        _changes(fit, change),
    )


def _tied_cells(model: ModelMap) -> tuple[Index, Index]:
    """Cells whose parameter stands in another cell before them: one equality each."""
    group, entry = np.nonzero(model.free >= 0)
    first = set(zip(*(x.tolist() for x in first_cells(model)), strict=True))
    tied = [i for i, cell in enumerate(zip(group.tolist(), entry.tolist(), strict=True)) if cell not in first]
    return group[tied], entry[tied]


def _named(fit: SEMFit, groups: Index, entries: Index, names: tuple[str, ...]) -> Index:
    """Which of the cells belong to these labels or names."""
    kept: set[int] = set()
    rows = fit.table.rows
    known = [(rows[e].name, rows[e].label[g]) for g, e in zip(groups, entries, strict=True)]
    for name in names:
        short = "".join(name.split())
        label = fit.table.aliases.get(short, short)
        found = [i for i, (own, tied) in enumerate(known) if short == own or label == tied]
        if not found:
            allowed = sorted({x for pair in known for x in pair if x and not x.startswith(".")})
            raise OptionError(
                f"release= names {name!r}, which no equality constraint holds",
                allowed=enumerate_briefly(allowed, 20),
                todo=did_you_mean(short, allowed),
            )
        kept.update(found)
    return np.array(sorted(kept), dtype=np.int64)


def _univariate(fit: SEMFit, augmented: Augmented, groups: Index, entries: Index, *, with_lines: bool) -> pd.DataFrame:
    import pandas as pd

    single = augmented.diagonal(np.arange(fit.model.matrix.size))[groups, entries]
    score = augmented.score[groups, entries]
    first_group, first_entry = first_cells(fit.model)
    records: list[dict[str, Any]] = []
    for i, (g, e) in enumerate(zip(groups.tolist(), entries.tolist(), strict=True)):
        row, p = fit.table.rows[e], fit.model.free[g, e]
        other = fit.table.rows[int(first_entry[p])].name
        records.append(
            {
                "group": fit.groups[g],
                "lhs": row.lhs,
                "op": row.op,
                "rhs": row.rhs,
                "equals": other if len(fit.groups) == 1 else f"{other} [{fit.groups[int(first_group[p])]}]",
                "statistic": score[i] ** 2 / single[i],
                "epc": score[i] / single[i],
            }
        )
    for r, constraint in enumerate(fit.constraints.equalities if with_lines else ()):
        text = {"lhs": str(constraint.lhs), "op": "==", "rhs": str(constraint.rhs)}
        statistic = _without_line(fit, augmented, r)
        records.append({"group": "", **text, "equals": "", "statistic": statistic, "epc": np.nan})
    frame = pd.DataFrame(records)
    frame.insert(6, "df", 1)
    frame.insert(7, "p_value", chdtrc(1, frame["statistic"].to_numpy(dtype=float)))
    return frame


def _without_line(fit: SEMFit, augmented: Augmented, r: int) -> float:
    """Statistic of one line ``a == b``, the others kept."""
    jacobian = fit.constraints.equality(fit.coef)[1]
    inverse = augmented.inverse_under(np.delete(jacobian, r, axis=0))
    score = -fit.loss.gradient(fit.coef)
    return float(score @ inverse @ score)


def _all_released(fit: SEMFit, augmented: Augmented, n_tied: int) -> tuple[float, int, int, Array]:
    """Joint test of all equalities, and the change of every cell: the groups are independent then."""
    jacobian = fit.constraints.equality(fit.coef)[1]
    lines = int(np.linalg.matrix_rank(jacobian)) if jacobian.size else 0
    change = np.zeros(fit.model.free.shape)
    statistic, rank = 0.0, lines - fit.model.n_free
    for g, free in enumerate(fit.model.free):
        used = np.flatnonzero(free >= 0)
        if not used.size:
            continue
        block = augmented.derivatives.information[g][np.ix_(used, used)]
        part, own_rank, _ = quadratic(augmented.score[g, used], block, np.diagonal(block))
        change[g, used] = _smallest_change(augmented.score[g, used], block, own_rank)
        statistic, rank = statistic + part, rank + own_rank
    return statistic, n_tied + lines, rank, change


def _smallest_change(score: Array, information: Array, rank: int) -> Array:
    """V^+ s; in the parameters' own units, so that it is lavaan's where the released model is not identified."""
    values, vectors = np.linalg.eigh(information)
    kept = slice(values.size - rank, None)
    return np.asarray(vectors[:, kept] @ ((vectors[:, kept].T @ score) / values[kept]))


def _some_released(fit: SEMFit, augmented: Augmented, groups: Index, entries: Index) -> tuple[float, int, int, Array]:
    """Joint test of some equalities, and the change of every cell."""
    V, weights = augmented.beyond(groups, entries)
    own = np.diagonal(augmented.derivatives.information, axis1=1, axis2=2)[groups, entries]
    statistic, rank, delta = quadratic(augmented.score[groups, entries], V, own)
    moved = -weights @ delta
    change = np.where(fit.model.free >= 0, moved[np.maximum(fit.model.free, 0)], 0.0)
    change[groups, entries] += delta
    return statistic, groups.size, rank, change


def _changes(fit: SEMFit, change: Array) -> pd.DataFrame:
    import pandas as pd

    estimate = fit.model.entry_values(fit.coef)
    frame = pd.DataFrame(
        {
            **entry_labels(fit),
            "estimate": estimate.ravel(),
            "epc": change.ravel(),
            "epv": (estimate + change).ravel(),
            "sepc_all": (change * model_factors(fit)).ravel(),
        }
    )
    return frame[fit.model.free.ravel() >= 0].reset_index(drop=True)
