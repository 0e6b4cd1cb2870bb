"""Wald tests of the regressions: zero, equal over clusters, pairs of clusters, and any hypothesis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from ..display import Displayed
from ..errors import MixsemError, OptionError
from ..structural.fit import MixtureFit
from .errors import StandardErrors
from .known import errors_of, known_errors
from .linear import adjusted_once, normal_tests, require_level, standard_error, wald_statistic
from .quantities import restrictions

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Hypothesis", "WaldTests", "known_tests", "wald"]

Array = NDArray[np.float64]
Hypothesis = str | NDArray[np.float64] | Sequence[str] | Mapping[str, "str | NDArray[np.float64]"]
Family = Literal["all", "regression"]

_MATRIX = "restrictions of the matrix"


@dataclass(frozen=True, eq=False, repr=False)
class WaldTests(Displayed):
    """Wald tests of a mixture's regressions.

    Attributes
    ----------
    errors
        The standard errors behind them; ``errors.fit`` is the mixture.
    zero
        Is the regression zero? One row per cluster and regression: cluster, outcome, predictor, estimate, se, z,
        p_value, lower, upper, p_holm, p_fdr. Missing where the regression is fixed; a regression that is the same in
        all clusters stands in each and counts as one test.
    equal
        Is the regression the same in all clusters? One row per regression that may differ: outcome, predictor,
        statistic (chi-square), df, p_value, p_holm, p_fdr.
    pairs
        Which clusters differ? One row per such regression and pair of clusters: outcome, predictor, cluster, other,
        estimate (the first minus the other), se, z, p_value, lower, upper, p_holm, p_fdr.
    joint
        All regressions at once: hypothesis, statistic, df, p_value.
    hypotheses
        The hypotheses asked for, in the columns of `joint` with p_holm and p_fdr.
    level
        Confidence level of lower and upper.
    family
        Within what p-values were adjusted: ``"all"`` tests of a table, or those of each ``"regression"``.
    """

    errors: StandardErrors
    zero: pd.DataFrame
    equal: pd.DataFrame
    pairs: pd.DataFrame
    joint: pd.DataFrame
    hypotheses: pd.DataFrame
    level: float
    family: str

    @property
    def fit(self) -> MixtureFit:
        """The mixture."""
        return self.errors.fit


def wald(
    fit: MixtureFit,
    errors: StandardErrors | None = None,
    *,
    hypothesis: Hypothesis | None = None,
    value: float | Sequence[float] | Array = 0.0,
    level: float = 0.95,
    family: Family = "all",
) -> WaldTests:
    """Test the regressions of a mixture.

    Clusters are found by making their regressions differ. The tests of equality take the number of clusters as
    given and hold where the other regressions tell the clusters apart; they cannot show that there is more than one
    cluster, and where there is one they reject far too often.

    Parameters
    ----------
    fit
        A mixture with one number of clusters.
    errors
        Its standard errors; `standard_errors` with its defaults if None.
    hypothesis
        Further hypotheses. As text: ``"y ~ x[1] == y ~ x[2]"``, where ``[1]`` is the cluster; several equations,
        separated by ``;``, are tested together; what names no cluster is said of every cluster; ``indirect(y ~ x)``
        and ``total(y ~ x)`` are effects, and products of regressions are linearised (delta method). As a matrix:
        shape (m, K R), one row per equation and one column per coefficient in the order of ``errors.names``. A list
        of texts, or a mapping from names to texts or matrices, gives several hypotheses, tested one by one.
    value
        Right-hand side of matrices, shape (m,).
    level
        Confidence level of the limits.
    family
        Adjust p-values over ``"all"`` tests of a table, or within each ``"regression"``.

    Returns
    -------
    WaldTests
        Prints as tables; its attributes are data frames.

    Raises
    ------
    OptionError
        If an option is none of those allowed, `errors` belong to another fit, or a hypothesis names what the model
        does not have or cannot hold.
    ModelSyntaxError
        If a hypothesis cannot be read.

    Examples
    --------
    >>> import mixsem as mx
    >>> Phi = [[[1.0, 0.5], [0.5, 1.0]]] * 3 + [[[1.0, 0.1], [0.1, 1.0]]] * 5
    >>> moments = mx.FactorMoments.from_covariances(Phi, n=[300] * 8, factors=["x", "y"], groups=list("abcdefgh"))
    >>> fit = mx.StructuralMixture("y ~ x", k=2).fit(moments, seed=1)
    >>> tests = mx.wald(fit, hypothesis="y ~ x[2] == 5 * y ~ x[1]")
    >>> tests.equal[["statistic", "df"]].round(1)
       statistic  df
    0      107.1   1
    >>> tests.hypotheses["p_value"].round(2).tolist()
    [1.0]

    References
    ----------
    Wald (1943), Tests of statistical hypotheses concerning several parameters when the number of observations is
    large. Transactions of the American Mathematical Society 54, 426-482.
    """
    if family not in ("all", "regression"):
        raise OptionError(f"family={family!r}", allowed="'all' (all tests of a table) or 'regression' (within each)")
    level = require_level(level)
    errors = errors_of(fit, errors, "wald")
    zero, pairs = _zero(errors, level, family), _pairs(errors, level, family)
    return WaldTests(
        errors, zero, _equal(errors), pairs, _joint(errors), _asked(errors, hypothesis, value), level, family
    )


def known_tests(fit: MixtureFit, errors: StandardErrors | None = None) -> tuple[WaldTests | None, str]:
    """Wald tests with the standard errors given or known, or the reason why there are none; see `known_errors`."""
    if errors is not None:
        return wald(fit, errors), ""
    errors, reason = known_errors(fit)
    if errors is None:
        return None, reason
    try:
        return wald(fit, errors), ""
    except MixsemError as error:
        return None, error.got


def _names(fit: MixtureFit) -> list[tuple[str, str]]:
    """Outcome and predictor of every regression."""
    path = fit.path
    return [(path.nodes[j], path.nodes[i]) for j, i in zip(path.outcome, path.predictor, strict=True)]


def _differing(fit: MixtureFit) -> list[int]:
    """Regressions that may differ between clusters."""
    path = fit.path
    return [r for r, slot in enumerate(path.slot) if slot >= 0 and not path.equal[slot]] if fit.k > 1 else []


def _columns(fit: MixtureFit, regressions: Sequence[int]) -> dict[str, object]:
    names = _names(fit)
    return {"outcome": [names[r][0] for r in regressions], "predictor": [names[r][1] for r in regressions]}


def _zero(errors: StandardErrors, level: float, family: str) -> pd.DataFrame:
    import pandas as pd

    fit, (K, R) = errors.fit, errors.coefficients.shape
    se = standard_error(np.eye(K * R), errors.vcov)
    tests = normal_tests(errors.coefficients.ravel(), se, level)
    slot, equal = fit.path.slot, fit.path.equal
    # An equal regression stands in every cluster, and two with one label are one coefficient.
    same = [
        ("fixed", c, r) if slot[r] < 0 else (int(slot[r]), 0 if equal[slot[r]] else c)
        for c in range(K)
        for r in range(R)
    ]
    homes: list[object] = ["all" if family == "all" else int(s) if s >= 0 else "fixed" for s in slot]
    return pd.DataFrame(
        {
            "cluster": np.repeat(np.arange(1, K + 1), R),
            **_columns(fit, [*range(R)] * K),
            **tests,
            **adjusted_once(tests["p_value"], same, homes * K),
        }
    )


def _contrasts(errors: StandardErrors, regression: int) -> Array:
    """Differences of each cluster but the first from the first, shape (K - 1, K R)."""
    K, R = errors.coefficients.shape
    C = np.zeros((K - 1, K, R))
    C[:, 0, regression] = -1.0
    C[np.arange(K - 1), np.arange(1, K), regression] = 1.0
    return C.reshape(K - 1, K * R)


def _statistic(errors: StandardErrors, C: Array) -> dict[str, float]:
    statistic, df, p_value = wald_statistic(C @ errors.coefficients.ravel(), C, errors.vcov)
    return {"statistic": statistic, "df": df, "p_value": p_value}


def _equal(errors: StandardErrors) -> pd.DataFrame:
    import pandas as pd

    regressions = _differing(errors.fit)
    tests = [_statistic(errors, _contrasts(errors, r)) for r in regressions]
    frame = pd.DataFrame(tests, columns=["statistic", "df", "p_value"])
    adjusted = adjusted_once(frame["p_value"].to_numpy(dtype=float), regressions, ["all"] * len(regressions))
    return pd.DataFrame({**_columns(errors.fit, regressions), **frame, **adjusted})


def _pairs(errors: StandardErrors, level: float, family: str) -> pd.DataFrame:
    import pandas as pd

    K, R = errors.coefficients.shape
    rows = [(r, a, b) for r in _differing(errors.fit) for a, b in combinations(range(K), 2)]
    C = np.zeros((len(rows), K * R))
    for row, (r, a, b) in enumerate(rows):
        C[row, a * R + r], C[row, b * R + r] = 1.0, -1.0
    tests = normal_tests(C @ errors.coefficients.ravel(), standard_error(C, errors.vcov), level)
    homes = ["all" if family == "all" else r for r, _, _ in rows]
    return pd.DataFrame(
        {
            **_columns(errors.fit, [r for r, _, _ in rows]),
            "cluster": np.array([a + 1 for _, a, _ in rows], dtype=int),
            "other": np.array([b + 1 for _, _, b in rows], dtype=int),
            **tests,
            **adjusted_once(tests["p_value"], rows, homes),
        }
    )


def _joint(errors: StandardErrors) -> pd.DataFrame:
    """Everything zero, everything equal: where there is something to test."""
    import pandas as pd

    free = np.tile(errors.fit.path.slot >= 0, errors.fit.k)
    rows = [("all regressions zero", np.eye(free.size)[free])] if free.any() else []
    differing = _differing(errors.fit)
    if differing:
        rows.append(("all regressions equal over clusters", np.vstack([_contrasts(errors, r) for r in differing])))
    records = [{"hypothesis": name, **_statistic(errors, C)} for name, C in rows]
    return pd.DataFrame(records, columns=["hypothesis", "statistic", "df", "p_value"])


def _asked(
    errors: StandardErrors, hypothesis: Hypothesis | None, value: float | Sequence[float] | Array
) -> pd.DataFrame:
    import pandas as pd

    named: dict[str, object] = {}
    if isinstance(hypothesis, str):
        named = {_short(hypothesis): hypothesis}
    elif isinstance(hypothesis, Mapping):
        named = {str(name): entry for name, entry in hypothesis.items()}
    elif isinstance(hypothesis, Sequence) and all(isinstance(entry, str) for entry in hypothesis):
        named = {_short(str(text)): text for text in hypothesis}
    elif hypothesis is not None:
        named = {_MATRIX: hypothesis}
    records = []
    for name, entry in named.items():
        if isinstance(entry, str):
            values, gradients = restrictions(errors.fit, entry)
        else:
            values, gradients = _matrix(errors, entry, value)
        statistic, df, p_value = wald_statistic(values, gradients, errors.vcov)
        records.append({"hypothesis": name, "statistic": statistic, "df": df, "p_value": p_value})
    frame = pd.DataFrame(records, columns=["hypothesis", "statistic", "df", "p_value"])
    adjusted = adjusted_once(frame["p_value"].to_numpy(dtype=float), list(frame["hypothesis"]), ["all"] * len(frame))
    return frame.assign(p_holm=adjusted["p_holm"], p_fdr=adjusted["p_fdr"])


def _short(text: str) -> str:
    """A hypothesis on one line."""
    return " ".join(text.split())


def _matrix(errors: StandardErrors, hypothesis: object, value: object) -> tuple[Array, Array]:
    """Restrictions given as numbers."""
    size = errors.coefficients.size
    try:
        C = np.atleast_2d(np.asarray(hypothesis, dtype=float))
        right = np.asarray(value, dtype=float)
        values = C @ errors.coefficients.ravel() - right
        fits = C.ndim == 2 and len(C) > 0 and values.shape == (len(C),) and bool(np.isfinite([*values, C.sum()]).all())
    except (TypeError, ValueError):
        fits = False
    if not fits:
        raise OptionError(
            "the matrix of the hypothesis, or its right side, has another shape or holds no numbers",
            allowed=f"{size} columns, one per coefficient in the order of errors.names: "
            + ", ".join(errors.names[:4])
            + (", ..." if size > 4 else "")
            + "; value= one number, or one per row",
            todo="or write the hypothesis as text, such as 'y ~ x[1] == y ~ x[2]'",
        )
    return values, C
