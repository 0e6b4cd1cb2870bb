"""A user's own population: their factors, items and regressions, and how alike the groups are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from numbers import Integral
from typing import TypeAlias

import numpy as np

from ..errors import OptionError
from .layout import Layout, is_number, lay_out
from .truth import MOST_GROUPS, MOST_PEOPLE

__all__ = ["Numbers", "OwnPopulation", "size_range"]

Numbers: TypeAlias = float | Mapping[str, float]
"""One number for all, or one for each of the names given."""

#: Share of an item's variance that its factor explains, where nothing is said of the items.
RELIABILITY = 0.6


@dataclass(frozen=True, eq=False)
class OwnPopulation:
    """What you expect of your own groups, before their parameters are drawn.

    Factors have the variances of `factor_variances` in the average group, and all other numbers are on that scale.
    As long as these variances are 1, which is the default, regressions and loadings are standardized: they are what
    the columns of standardized solutions in papers and programs hold.

    Attributes
    ----------
    measurement
        Which items measure which factor, in lavaan syntax without numbers or labels; each item has one factor.
    structural
        Which factor regresses on which, recursive.
    coefficients
        The regressions of each cluster, from ``"outcome ~ predictor"`` to a number; 0 where there is none. There are
        as many clusters as mappings.
    n_groups
        Number of groups G.
    group_size
        People per group; one number per group; or ``"50-200"``: each group has a size of its own between the two.
    proportions
        Shares of the clusters; None for equal ones.
    loadings
        One number, or numbers by factor (``"F1"``) or item (``"F1 =~ x2"``). None: as the reliability implies.
    reliability
        Share of an item's variance that its factor explains: one number, or by factor or item. None: .6, or what
        `loadings` imply if items have a variance of 1, or what `loadings` and `unique_variances` imply.
    unique_variances
        Variances of the items' errors in the place of `reliability`: one number, or by factor or item. Without
        `loadings`, these are then the square root of .6, in units of the factors.
    factor_variances
        Variances of the factors in the average group, total ones also for outcomes: one number, or by factor.
    correlations
        Correlations of factors that are no outcomes, in the average group: one number, or by pair (``"F1 ~~ F2"``).
    loading_variance
        Variance of the difference between two groups' loadings (approximate invariance); each factor's first item
        does not differ. 0 is exact invariance.
    variance_sd, correlation_sd, unique_sd
        How much groups differ: standard deviation over groups of the factor variances, in shares of their mean; of
        the correlations; and of the unique variances, in shares of their mean. In the published simulations they are
        about .15.

    Raises
    ------
    OptionError
        If a number is missing, of something that the models do not have, or impossible, such as regressions that
        explain more than all of a factor's variance; it names factor and cluster.
    ModelError, ModelSyntaxError
        If a model cannot be read or is not recursive.

    Examples
    --------
    >>> population = OwnPopulation(
    ...     measurement="trust =~ t1 + t2 + t3; fear =~ f1 + f2 + f3 + f4",
    ...     structural="fear ~ trust",
    ...     coefficients=({"fear ~ trust": -0.4}, {"fear ~ trust": 0.0}),
    ...     n_groups=30,
    ...     group_size="100-300",
    ...     loadings={"trust": 0.7, "fear": 0.8, "fear =~ f4": 0.5},
    ... )
    >>> population.n_clusters
    2
    """

    measurement: str
    structural: str
    coefficients: Sequence[Mapping[str, float]]
    n_groups: int = 24
    group_size: int | str | tuple[int, ...] = 100
    proportions: tuple[float, ...] | None = None
    loadings: Numbers | None = None
    reliability: Numbers | None = None
    unique_variances: Numbers | None = None
    factor_variances: Numbers = 1.0
    correlations: Numbers = 0.0
    loading_variance: float = 0.0
    variance_sd: float = 0.15
    correlation_sd: float = 0.15
    unique_sd: float = 0.15

    def __post_init__(self) -> None:
        """Refuse what no population can be."""
        several = isinstance(self.coefficients, Iterable) and not isinstance(self.coefficients, Mapping)
        if not several or not all(isinstance(c, Mapping) for c in self.coefficients):
            raise OptionError(
                f"coefficients={self.coefficients!r}",
                allowed='one mapping per cluster, such as ({"y ~ x": 0.4}, {"y ~ x": 0.0})',
            )
        # Copies: a mapping that is changed later does not change the population.
        object.__setattr__(self, "coefficients", tuple(dict(c) for c in self.coefficients))
        for name in ("group_size", "proportions"):
            value = getattr(self, name)
            if isinstance(value, list | np.ndarray):
                object.__setattr__(self, name, tuple(np.asarray(value).tolist()))
        for name, (fine, allowed) in self._checks().items():
            if not fine:
                raise OptionError(f"{name}={getattr(self, name)!r}", allowed=allowed)
        _ = self.layout

    def _checks(self) -> dict[str, tuple[bool, str]]:
        """By field: whether it is fine, and what is allowed."""
        K, G, size, shares = self.n_clusters, self.n_groups, self.group_size, self.proportions
        sizes = size_range(size) if isinstance(size, str) else size if isinstance(size, tuple) else (size,)
        low = min(sizes) if sizes and all(map(_whole, sizes)) else 0
        checks = {
            "coefficients": (K >= 1, "one mapping per cluster"),
            "n_groups": (
                _whole(G) and K <= G <= MOST_GROUPS,
                f"a whole number, {K} (one per cluster) to {MOST_GROUPS:,}",
            ),
            "group_size": (
                low >= 2 and max(sizes) <= MOST_PEOPLE and (not isinstance(size, tuple) or len(size) == G),
                f'2 to {MOST_PEOPLE:,} people: one number, one per group, or a range such as "50-200"',
            ),
            "proportions": (
                shares is None or (isinstance(shares, tuple) and len(shares) == K and all(map(_positive, shares))),
                "one positive share per cluster",
            ),
            "unique_variances": (
                self.unique_variances is None or self.reliability is None,
                "one of reliability and unique_variances",
            ),
        }
        for name in ("loading_variance", "variance_sd", "correlation_sd", "unique_sd"):
            value = getattr(self, name)
            checks[name] = (value == 0 or _positive(value), "a number, 0 or more")
        return checks

    @property
    def n_clusters(self) -> int:
        """Number of clusters K."""
        return len(self.coefficients)

    @cached_property
    def layout(self) -> Layout:
        """The numbers, each in its place."""
        return lay_out(self)


def size_range(text: str) -> tuple[int, int]:
    """Smallest and largest size of ``"50-200"``; of ``"50"`` both are the same.

    Raises
    ------
    OptionError
        If the text is no range.

    Examples
    --------
    >>> size_range("50-200")
    (50, 200)
    """
    first, dash, last = text.partition("-")
    last = last if dash else first
    if not (first.strip().isdecimal() and last.strip().isdecimal() and 2 <= int(first) <= int(last)):
        raise OptionError(f"group_size={text!r}", allowed='a range such as "50-200", 2 or more people')
    return int(first), int(last)


def _whole(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _positive(value: object) -> bool:
    return is_number(value) and value > 0
