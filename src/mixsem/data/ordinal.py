"""Moments of ordered items per group: thresholds, polychoric correlations and their asymptotic covariance."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import DataError, Notice, OptionError, did_you_mean, enumerate_briefly, notify
from ..kernels.ordinal_gamma import compared_moments
from .columns import FrameLike, check_items
from .grouped import GroupedData, read_grouped
from .labels import positions
from .moments import SampleMoments
from .ordinal_groups import estimate_groups, ordinal_notices

__all__ = ["MOST_CATEGORIES", "Ordered", "OrdinalMoments", "code_categories", "ordered_items"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]
Ordered = Sequence[str] | Literal[True]

MOST_CATEGORIES = 30
"""An item with more categories is taken for a continuous one that was named by mistake."""


@dataclass(frozen=True, eq=False, repr=False)
class OrdinalMoments:
    """What a model of ordered items is fitted to, per group, estimated in two steps as by Olsson (1979).

    Each ordered item is a normal variable of mean 0 and variance 1 within every group, cut at thresholds: those come
    from the margins, a correlation from the likelihood of its pair given the thresholds. Continuous items keep their
    means and variances (divisor n); their correlations are Pearson's, or polyserial with ordered items.

    A model is compared with the moments at `kept`: the upper triangle of `covariances`, row by row, without the
    variances of ordered items, which are 1 by definition. Its residual variances of ordered items are therefore not
    parameters: Theta_jj = 1 - (Lambda Phi Lambda')_jj follows from the rest (delta parameterisation).

    Attributes
    ----------
    items, groups, n, n_dropped, group
        As in `SampleMoments`.
    ordered
        Which items are ordered, shape (p,).
    categories
        The values of each ordered item over all groups, ascending; empty for a continuous item.
    counts
        People per group, item and category, shape (G, p, K), 0 beyond an item's categories.
    thresholds
        Shape (G, p, K - 1): the one after each category but the last; NaN beyond an item's thresholds and for
        continuous items, infinite beyond the categories a group has.
    means
        Shape (G, p); 0 for ordered items.
    covariances
        Shape (G, p, p): correlations of ordered items, covariances with and among continuous ones.
    Gamma
        Per group, asymptotic covariance of sqrt(n) times thresholds and means, item after item, then the moments at
        `kept`; a group without some category has fewer thresholds.
    notices
        Correlations near 1, empty cells, categories that a group lacks, and the notices of the rows.

    Examples
    --------
    >>> import mixsem as mx
    >>> rng = np.random.default_rng(1)
    >>> x = rng.normal(size=500)
    >>> data = {"a": np.digitize(x, [-0.5, 0.5]), "b": np.digitize(x + rng.normal(size=500), [0.0])}
    >>> moments = OrdinalMoments.from_frame(data, ["a", "b"])
    >>> moments.thresholds.round(2).tolist(), float(moments.covariances[0, 0, 1].round(2))
    ([[[-0.53, 0.59], [0.16, nan]]], 0.64)

    References
    ----------
    Olsson (1979), Maximum likelihood estimation of the polychoric correlation coefficient. Psychometrika 44, 443-460.
    Muthen (1984), A general structural equation model with dichotomous, ordered categorical, and continuous latent
    variable indicators. Psychometrika 49, 115-132.
    """

    items: tuple[str, ...]
    groups: tuple[Hashable, ...]
    n: NDArray[np.int64]
    n_dropped: NDArray[np.int64]
    group: str | None
    ordered: NDArray[np.bool_]
    categories: tuple[tuple[float, ...], ...]
    counts: NDArray[np.int64]
    thresholds: Array
    means: Array
    covariances: Array
    Gamma: tuple[Array, ...]
    notices: tuple[Notice, ...] = ()

    @classmethod
    def from_frame(
        cls,
        data: FrameLike,
        items: Sequence[str],
        group: str | None = None,
        *,
        ordered: Ordered = True,
        min_size: int | None = None,
    ) -> OrdinalMoments:
        """Read complete rows of a table and estimate; `ordered` names items, or True for all.

        Raises
        ------
        DataError
            As `GroupedData.from_frame`; if an item does not vary in a group, or an ordered one has too many categories.
        OptionError
            If `ordered` names something else than items.
        """
        data = code_categories(data, ordered_items(ordered, items))
        moments = cls.from_grouped(read_grouped(data, items, group, min_size=min_size), ordered=ordered)
        notify(moments.notices)
        return moments

    @classmethod
    def from_grouped(
        cls, grouped: GroupedData, items: Sequence[str] | None = None, ordered: Ordered = True
    ) -> OrdinalMoments:
        """Estimate from rows already read, all items or some, without a warning (the notices are kept)."""
        if items is not None and tuple(items) != grouped.items:
            grouped = replace(
                grouped, items=check_items(items), values=grouped.values[:, positions(items, grouped.items)]
            )
        named = ordered_items(ordered, grouped.items)
        is_ordered = np.array([item in named for item in grouped.items])
        categories = tuple(
            tuple(np.unique(grouped.values[:, j]).tolist()) if is_ordered[j] else () for j in range(len(grouped.items))
        )
        _require_few(grouped.items, categories)
        estimates = estimate_groups(grouped, is_ordered, categories)
        return cls(
            items=grouped.items,
            groups=grouped.groups,
            n=grouped.n,
            n_dropped=grouped.n_dropped,
            group=grouped.group,
            ordered=is_ordered,
            categories=categories,
            counts=estimates.counts,
            thresholds=estimates.thresholds,
            means=estimates.means,
            covariances=estimates.covariances,
            Gamma=estimates.Gamma,
            notices=(*grouped.notices, *ordinal_notices(grouped, categories, estimates)),
        )

    def __repr__(self) -> str:
        """Sizes at a glance."""
        return (
            f"OrdinalMoments: {self.n_groups:,} groups, {len(self.items)} items, {self.ordered.sum()} of them ordered, "
            f"N = {self.n_total:,} ({self.n.min():,} to {self.n.max():,} per group)"
        )

    @property
    def n_groups(self) -> int:
        """Number of groups G."""
        return len(self.groups)

    @property
    def n_total(self) -> int:
        """Complete rows over all groups."""
        return int(self.n.sum())

    @property
    def kept(self) -> Index:
        """Positions of the compared moments in the upper triangle of `covariances`, row by row, shape (q,)."""
        return compared_moments(self.ordered)

    @property
    def moment_gamma(self) -> Array:
        """The part of Gamma that belongs to the moments at `kept`, shape (G, q, q)."""
        q = self.kept.size
        return np.stack([matrix[-q:, -q:] for matrix in self.Gamma])

    @property
    def n_locations(self) -> int:
        """Thresholds and means of all groups, one parameter each when none is equal over groups."""
        return int(self._widths.sum())

    @property
    def same_categories(self) -> bool:
        """Whether every group has every category, as thresholds that are equal over groups require."""
        return all((self.counts[:, j, : len(values)] > 0).all() for j, values in enumerate(self.categories))

    def select(self, items: Sequence[str]) -> OrdinalMoments:
        """Keep these items, in this order."""
        names = check_items(items)
        unknown = [name for name in names if name not in self.items]
        if unknown:
            raise DataError(
                f"no item {enumerate_briefly(unknown)} in the moments",
                allowed=enumerate_briefly(self.items, limit=20),
                todo=did_you_mean(unknown[0], self.items),
            )
        at = positions(names, self.items)
        return replace(
            self,
            items=names,
            ordered=self.ordered[at],
            categories=tuple(self.categories[j] for j in at),
            counts=self.counts[:, at],
            thresholds=self.thresholds[:, at],
            means=self.means[:, at],
            covariances=self.covariances[:, at[:, None], at],
            Gamma=tuple(self._selected(g, at) for g in range(self.n_groups)),
        )

    def as_moments(self) -> SampleMoments:
        """Sizes, means and `covariances` as the moments that step 2 works on."""
        return SampleMoments(
            items=self.items,
            groups=self.groups,
            n=self.n,
            means=self.means,
            covariances=self.covariances,
            n_dropped=self.n_dropped,
            group=self.group,
            notices=self.notices,
        )

    @property
    def _widths(self) -> Index:
        """Thresholds of each item that a group has, or 1 for a mean, shape (G, p)."""
        return np.where(self.ordered, (self.counts > 0).sum(axis=2) - 1, 1)

    def _selected(self, g: int, at: Index) -> Array:
        """Gamma of a group for the items at these positions."""
        starts = np.concatenate([[0], np.cumsum(self._widths[g])])
        located = [np.arange(starts[j], starts[j + 1]) for j in at]
        p = len(self.items)
        place = np.full(p * (p + 1) // 2, -1)
        place[self.kept] = starts[-1] + np.arange(self.kept.size)
        square = np.empty((p, p), dtype=np.int64)
        square[np.triu_indices(p)] = place
        square.T[np.triu_indices(p)] = place
        chosen = square[np.ix_(at, at)][np.triu_indices(at.size)][compared_moments(self.ordered[at])]
        index = np.concatenate([*located, chosen])
        return np.asarray(self.Gamma[g][np.ix_(index, index)])


def code_categories(data: Any, items: Sequence[str]) -> Any:
    """The table with ordered pandas categories of these items as 0, 1, 2, ..., in their order; others as they are.

    Examples
    --------
    >>> import pandas as pd
    >>> answers = pd.Categorical(["low", "high", None], categories=["low", "high"], ordered=True)
    >>> code_categories(pd.DataFrame({"x": answers}), ["x"])["x"].tolist()
    [0.0, 1.0, nan]
    """
    if not isinstance(data, pd.DataFrame):
        return data
    coded = {}
    for item in items:
        kind = data[item].dtype if item in data.columns else None
        if isinstance(kind, pd.CategoricalDtype) and kind.ordered:
            coded[item] = data[item].cat.codes.astype(float).where(data[item].notna())
    return data.assign(**coded) if coded else data


def ordered_items(ordered: Ordered, items: Sequence[str]) -> tuple[str, ...]:
    """Names of the ordered items, from the option `ordered`: names, or True for all.

    Raises
    ------
    OptionError
        If it is a text, or names something else than items.

    Examples
    --------
    >>> ordered_items(True, ("a", "b")), ordered_items(("b",), ("a", "b"))
    (('a', 'b'), ('b',))
    """
    if ordered is True:
        return tuple(items)
    if isinstance(ordered, str):
        raise OptionError(
            f"ordered= got the text {ordered!r}",
            allowed="True, or a sequence of item names",
            todo=f"write ordered=({ordered!r},)",
        )
    unknown = [name for name in ordered or () if name not in items]
    if unknown:
        raise OptionError(
            f"ordered= names {enumerate_briefly(unknown)}, not an item of the model",
            allowed=enumerate_briefly(items, limit=20),
            todo=did_you_mean(str(unknown[0]), items),
        )
    return tuple(item for item in items if item in (ordered or ()))


def _require_few(items: Sequence[str], categories: Sequence[Sequence[float]]) -> None:
    many = [
        f"{item} ({len(values)})"
        for item, values in zip(items, categories, strict=True)
        if len(values) > MOST_CATEGORIES
    ]
    if many:
        raise DataError(
            f"ordered items with more than {MOST_CATEGORIES} different values: {enumerate_briefly(many)}",
            allowed="items with a few ordered categories",
            todo="leave them out of ordered=, which makes them continuous, or join categories",
        )
