"""What the alternatives to a mixed model need: its fixed part, its rows, and one clustering variable."""

from __future__ import annotations

import reprlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...data.columns import FrameLike
from ...errors import DataError, ModelError, OptionError, did_you_mean, enumerate_briefly, notify
from ..designs.design import Design, ResponseReader, read_design
from ..designs.grouping import GroupingFactor, code_groups
from ..designs.same_table import further_columns, require_table_of
from ..estimates import MixedEstimates
from ..fit import MixedFit
from ..formulas.formula_text import scan

__all__ = ["ClusteredRegression", "clustered_regression", "nested_in", "refuse_generalised", "top_factor"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ClusteredRegression:
    """A fixed part with its rows, and the clusters that they come from.

    Attributes
    ----------
    design
        The matrices.
    cluster
        The clustering variable.
    has_random
        Whether the formula has random terms, which the alternatives leave out.
    """

    design: Design
    cluster: GroupingFactor
    has_random: bool

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns."""
        return self.design.fixed_names

    @property
    def n_clusters(self) -> int:
        """Number of clusters."""
        return self.cluster.n_levels

    @property
    def known_response(self) -> Array:
        """The response less the offset."""
        design = self.design
        return design.y if design.offset is None else design.y - design.offset

    @property
    def notes(self) -> tuple[str, ...]:
        """What the choice of the clusters leaves out."""
        factors = self.design.factors if self.has_random else ()
        across = [f.name for f in factors if f.name != self.cluster.name and not nested_in(f, self.cluster)]
        if not across:
            return ()
        return (
            f"Rows of different levels of {self.cluster.name} count as independent: what they share through"
            f" {enumerate_briefly(across)} is left out, so that standard errors may be too small.",
        )


def clustered_regression(
    given: MixedEstimates | str,
    data: FrameLike | None,
    cluster: str | None,
    *,
    weights: str | ArrayLike | None = None,
    offset: str | ArrayLike | None = None,
    response: ResponseReader | None = None,
) -> ClusteredRegression:
    """Take the fixed part, the rows and the clusters from a fit, or from a formula and a table.

    Parameters
    ----------
    given
        A fit of a mixed model; or a formula, whose random terms only say which rows are complete.
    data
        The table; with a fit only if `cluster` is a column that the fit did not use. It must then be the table that
        the fit was made with, rows in the same order.
    cluster
        The clustering variable, ``"a:b"`` for the combinations of two. By default the only grouping factor, or the one
        in which all others are nested.
    weights, offset
        As in `lmer`; those of the fit otherwise.
    response
        How to read the response of a formula, if not as numbers; see `read_design`.

    Raises
    ------
    OptionError
        If there is no single clustering variable, or an argument does not go with what was given.
    DataError
        If there are fewer than two clusters, or the table is not that of the fit.
    """
    if isinstance(given, MixedEstimates):
        found = _of_fit(given, data, cluster, weights, offset)
    elif isinstance(given, str):
        found = _of_formula(given, data, cluster, weights, offset, response)
    else:
        raise OptionError(
            f"{type(given).__name__} in the place of a model",
            allowed="a fit of a mixed model, or a formula with data=",
        )
    if found.n_clusters < 2:
        raise DataError(
            f"{found.cluster.name} has one level", allowed="two clusters or more", todo="name another cluster="
        )
    return found


def _of_fit(
    fit: MixedEstimates, data: FrameLike | None, cluster: str | None, weights: object, offset: object
) -> ClusteredRegression:
    if weights is not None or offset is not None:
        raise OptionError(
            "weights= or offset= beside a fit", allowed="those of the fit", todo="give a formula and data= instead"
        )
    design, variables = fit.design, () if cluster is None else _variables(cluster)
    if data is not None:
        require_table_of(design, data)
    if cluster is None:
        return ClusteredRegression(design, top_factor(design), True)
    known = {factor.name: factor for factor in design.factors}
    if cluster in known:
        return ClusteredRegression(design, known[cluster], True)
    if set(variables) <= set(design.frame.columns):
        return ClusteredRegression(design, code_groups(design.frame, variables), True)
    if data is None:
        raise OptionError(
            f"cluster={cluster!r}",
            allowed=f"a grouping factor of the fit ({enumerate_briefly(list(known))}) or a column that it used",
            todo=did_you_mean(cluster, known) or "give the table as data= if it is another column",
        )
    return ClusteredRegression(design, code_groups(further_columns(design, data, variables), variables), True)


def refuse_generalised(model: object, function: str, why: str, todo: str) -> None:
    """Refuse fits that are none of `lmer` where the method is one of least squares.

    Raises
    ------
    ModelError
        If it is a fit of a generalised model.
    """
    if isinstance(model, MixedEstimates) and not isinstance(model, MixedFit):
        raise ModelError(
            f"{function}() of a {type(model).__name__} of {getattr(model, 'family', 'another family')}: {why}",
            allowed="a fit of lmer(), or a formula with data=",
            todo=todo,
        )


def _of_formula(
    formula: str,
    data: FrameLike | None,
    cluster: str | None,
    weights: str | ArrayLike | None,
    offset: str | ArrayLike | None,
    response: ResponseReader | None,
) -> ClusteredRegression:
    if data is None:
        raise OptionError("a formula without data=", todo="give the table")
    has_random = any(token.text in ("|", "||") for token in scan(formula))
    if cluster is None and not has_random:
        raise OptionError(
            f"no cluster= for {reprlib.repr(formula)}", allowed="a column's name, or 'a:b' for combinations"
        )
    variables = () if cluster is None else _variables(cluster)
    text = formula if has_random else f"{formula} + (1 | {':'.join(f'`{name}`' for name in variables)})"
    design = read_design(text, data, weights, offset, check=False, extra=variables, response=response)
    notify(design.notices)
    factor = top_factor(design) if cluster is None else code_groups(design.frame, variables)
    return ClusteredRegression(design, factor, has_random)


def _variables(cluster: object) -> tuple[str, ...]:
    names = tuple(part.strip().strip("`") for part in cluster.split(":")) if isinstance(cluster, str) else ()
    if not names or not all(names):
        raise OptionError(f"cluster={reprlib.repr(cluster)}", allowed="a column's name, or 'a:b' for combinations")
    return names


def top_factor(design: Design) -> GroupingFactor:
    """The only grouping factor, or the one in which all others are nested.

    Raises
    ------
    OptionError
        If there is none, as with crossed factors.
    """
    for factor in reversed(design.factors):  # the one with the fewest levels first
        if all(nested_in(other, factor) for other in design.factors if other is not factor):
            return factor
    names = [factor.name for factor in design.factors]
    raise OptionError(
        f"the grouping factors {enumerate_briefly(names)} are crossed, and this method knows one clustering variable",
        allowed=f"cluster= one of {enumerate_briefly(names)}",
        todo="choose the one whose levels were sampled; what rows share through the others is then left out",
    )


def nested_in(fine: GroupingFactor, coarse: GroupingFactor) -> bool:
    """Whether every level of the first belongs to one level of the second."""
    home = np.full(fine.n_levels, -1, dtype=np.int64)
    home[fine.codes] = coarse.codes
    return bool((home[fine.codes] == coarse.codes).all())
