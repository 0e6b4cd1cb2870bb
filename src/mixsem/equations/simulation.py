"""Data simulated from a structural equation model: a fitted one, or a model text with values."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace
from functools import singledispatch
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelError, OptionError, UnsupportedModelError, enumerate_briefly
from ..model.matrices import compile_table
from ..syntax.defaults import Defaults
from ..syntax.sem import parse_model
from ..syntax.table import ParameterTable, Row, build_table
from .fit import SEMFit
from .support import require_sem

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["simulate_data"]

Array = NDArray[np.float64]


@singledispatch
def simulate_data(
    model: object,
    n: int | Sequence[int] | None = None,
    *,
    seed: int = 0,
    groups: int | Sequence[Hashable] | None = None,
) -> pd.DataFrame:
    """Draw normal rows from a model.

    Parameters
    ----------
    model
        A fitted `cfa`, `sem` or `growth`; or a model text in which every loading and regression has a value, as in
        ``F =~ 1*x1 + .8*x2``, one per group with ``c(.8, .6)*x2``. Values may also be given by ``start()``. What the
        text does not say: a factor's first loading is 1, variances and residual variances are 1, covariances,
        intercepts and means are 0.
    n
        Rows in every group, or one number per group; by default 500, or as many as were fitted.
    seed
        The same seed gives the same rows.
    groups
        For a model text: number of groups, or their labels. A single group by default.

    Returns
    -------
    DataFrame
        The observed variables of the model, after the column of the group if there are several groups; groups one after
        another.

    Raises
    ------
    ModelSyntaxError, UnsupportedModelError
        If the text cannot be read or used, or `model` is neither text nor such a fit.
    ModelError
        If a loading or regression has no value, the text has constraints, or an implied covariance matrix is not
        positive definite.
    OptionError
        If `n` or `groups` is not what is allowed.

    Examples
    --------
    >>> import mixsem as mx
    >>> data = mx.simulate_data("F =~ 1*x1 + .8*x2 + .6*x3; y ~ .5*F", n=5000, seed=1)
    >>> list(data.columns), len(data)
    (['x1', 'x2', 'x3', 'y'], 5000)
    >>> fit = mx.sem("F =~ x1 + x2 + x3; y ~ F", data)
    >>> dict(zip(fit.model.names, fit.coef.round(1).tolist()))["y~F"]
    0.5
    """
    raise UnsupportedModelError(
        f"simulate_data() got {type(model).__name__}", allowed="a model text, or a fit of cfa(), sem() or growth()"
    )


@simulate_data.register(SEMFit)
def _from_fit(
    model: SEMFit,
    n: int | Sequence[int] | None = None,
    *,
    seed: int = 0,
    groups: int | Sequence[Hashable] | None = None,
) -> pd.DataFrame:
    if groups is not None:
        raise OptionError("groups= with a fit", allowed="the groups of the fit", todo="leave groups= out")
    if model.data.ordinal is not None:
        raise UnsupportedModelError("simulation of ordered items", allowed="continuous items")
    sizes = model.data.moments.n.tolist() if n is None else _sizes(n, len(model.groups))
    means = model.implied.mu if model.model.meanstructure else model.data.moments.means
    column = model.data.moments.group if model.data.moments.group is not None else "group"
    return _draw(model.observed, model.groups, column, sizes, means, model.implied.Sigma, seed)


@simulate_data.register(str)
def _from_text(
    model: str,
    n: int | Sequence[int] | None = None,
    *,
    seed: int = 0,
    groups: int | Sequence[Hashable] | None = None,
) -> pd.DataFrame:
    syntax = parse_model(model)
    require_sem(syntax)
    labels = _labels(groups)
    table = build_table(syntax, labels, Defaults(meanstructure=True, fixed_x=False))
    if table.constraints:
        raise ModelError(
            f"'{table.constraints[0]}' in a model to simulate from",
            allowed="values in front of the variables",
            todo="write the values that follow from the constraint",
        )
    complete = _with_values(table, syntax.factors, labels)
    implied = compile_table(complete, labels).implied(np.zeros(0))
    sizes = _sizes(500 if n is None else n, len(labels))
    return _draw(table.observed, labels, "group", sizes, implied.mu, implied.Sigma, seed)


def _labels(groups: int | Sequence[Hashable] | None) -> tuple[Hashable, ...]:
    if groups is None:
        return ("all",)
    if isinstance(groups, int) and not isinstance(groups, bool) and groups > 0:
        return ("all",) if groups == 1 else tuple(range(1, groups + 1))
    if isinstance(groups, Sequence) and not isinstance(groups, str) and len(set(groups)) == len(groups) > 0:
        return tuple(groups)
    raise OptionError(f"groups={groups!r}", allowed="a number of groups, or a sequence of different labels")


def _sizes(n: int | Sequence[int], n_groups: int) -> list[int]:
    sizes = [n] * n_groups if isinstance(n, int | np.integer) else list(n)
    whole = all(isinstance(size, int | np.integer) and not isinstance(size, bool) and size > 0 for size in sizes)
    if not whole or len(sizes) != n_groups:
        raise OptionError(f"n={n!r}", allowed=f"a positive whole number, or {n_groups} of them, one per group")
    return [int(size) for size in sizes]


def _with_values(table: ParameterTable, factors: Sequence[str], labels: Sequence[Hashable]) -> ParameterTable:
    """Fix every parameter at its value."""
    lacking: list[str] = []

    def complete(row: Row) -> Row:
        values = tuple(_value(row, g) for g in range(table.n_groups))
        without = [label for label, value in zip(labels, values, strict=True) if value is None]
        if without:
            lacking.append(row.name if len(labels) == 1 else f"{row.name} ({enumerate_briefly(without, 3)})")
        return replace(row, fixed=values, label=("",) * table.n_groups)

    rows = tuple(complete(row) for row in table.rows)
    if lacking:
        raise ModelError(
            f"no value for {enumerate_briefly(lacking)}",
            allowed="a value for every loading and regression, as in 'F =~ 1*x1 + .8*x2; y ~ .5*F'",
            todo="write the values in front of the variables",
        )
    return replace(table, rows=rows)


def _value(row: Row, g: int) -> float | None:
    """Value of a parameter in a group: given, or the default of its kind; None if it must be given."""
    if row.fixed[g] is not None:
        return row.fixed[g]
    if row.start[g] is not None:
        return row.start[g]
    if row.op in ("=~", "~"):
        return None
    return 1.0 if row.op == "~~" and row.lhs == row.rhs else 0.0


def _draw(
    observed: Sequence[str],
    groups: Sequence[Hashable],
    column: str,
    sizes: list[int],
    means: Array,
    Sigma: Array,
    seed: int,
) -> pd.DataFrame:
    import pandas as pd

    rng, parts = np.random.default_rng(seed), []
    for g, size in enumerate(sizes):
        try:
            root = np.linalg.cholesky(Sigma[g])
        except np.linalg.LinAlgError:
            where = "" if len(groups) == 1 else f" in group {groups[g]}"
            raise ModelError(
                f"the implied covariance matrix is not positive definite{where}",
                allowed="variances above zero and correlations below 1",
                todo="look at the variances and covariances",
            ) from None
        parts.append(means[g] + rng.standard_normal((size, len(observed))) @ root.T)
    frame = pd.DataFrame(np.vstack(parts), columns=list(observed))
    if len(groups) > 1:
        frame.insert(0, column, [label for label, size in zip(groups, sizes, strict=True) for _ in range(size)])
    return frame
