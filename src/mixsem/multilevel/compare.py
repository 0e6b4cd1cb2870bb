"""All pairs of groups: how their regressions differ, and in how many pairs they do."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..display import Displayed
from ..errors import OptionError, did_you_mean, enumerate_briefly
from ..options import Names, as_names
from .fit import MultilevelFit, interval, spelled

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["GroupComparison", "compare_groups"]

Array = NDArray[np.float64]

#: Differences of so many draws and pairs are held at a time (16 MB, and copies of it).
CHUNK = 2_000_000


@dataclass(frozen=True, eq=False, repr=False)
class GroupComparison(Displayed):
    """Pairwise differences of group-specific regressions.

    Attributes
    ----------
    regressions
        What was compared, such as ``("F3 ~ F1",)``.
    groups
        The groups, in the order of the fit.
    level
        Probability of the intervals.
    pairs
        One row per regression and pair: ``outcome``, ``predictor``, ``group_a``, ``group_b``, ``difference`` (posterior
        mean of a minus b), ``sd``, ``lower``, ``upper``, ``p_positive`` (probability that a is greater), ``differs``
        (whether the interval leaves out 0).
    """

    regressions: tuple[str, ...]
    groups: tuple[Hashable, ...]
    level: float
    pairs: pd.DataFrame

    @property
    def n_pairs(self) -> int:
        """Pairs of groups."""
        return len(self.groups) * (len(self.groups) - 1) // 2

    @property
    def n_different(self) -> dict[str, int]:
        """Pairs whose interval leaves out 0, by regression."""
        differs = self.pairs["differs"].to_numpy().reshape(len(self.regressions), self.n_pairs)
        return dict(zip(self.regressions, (int(n) for n in differs.sum(axis=1)), strict=True))

    @property
    def statements(self) -> tuple[str, ...]:
        """One sentence per regression: how many pairs differ."""
        return tuple(
            f"{name}: {count:,} of {self.n_pairs:,} pairs of groups differ ({100 * self.level:g}% interval of the"
            " difference leaves out 0)."
            for name, count in self.n_different.items()
        )


def compare_groups(
    fit: MultilevelFit,
    regression: Names,
    groups: Sequence[Hashable] | None = None,
    level: float = 0.95,
) -> GroupComparison:
    r"""Compare a regression between all pairs of groups.

    The differences are those of the draws, so they take account of how the groups' regressions go together in the
    posterior. The regressions are drawn towards their mean over groups; so are the differences, towards zero.
    Intervals are not widened for the number of pairs.

    Parameters
    ----------
    fit
        A multilevel SEM.
    regression
        Such as ``"F3 ~ F1"``, or several.
    groups
        Groups to compare; None for all.
    level
        Probability of the intervals.

    Returns
    -------
    GroupComparison

    Raises
    ------
    OptionError
        If a regression is not in the model or equal over groups, or a group is unknown.

    Examples
    --------
    >>> import mixsem as mx
    >>> table = mx.data.simulated_survey()
    >>> few = table[table["country"].isin(["C01", "C02", "C03", "C04"])]
    >>> model = mx.MLSEM(
    ...     "security =~ security1 + security2 + security3\ntrust =~ trust1 + trust2 + trust3",
    ...     "trust ~ security",
    ...     random="regressions",
    ...     sampling=mx.Sampling(chains=2, warmup=100, draws=50, cores=1),
    ... )
    >>> import warnings
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")  # so few draws are for show
    ...     compared = compare_groups(model.fit(few, "country", seed=1), "trust ~ security")
    >>> compared.n_pairs, compared.pairs[["group_a", "group_b"]].iloc[-1].tolist()
    (6, ['C03', 'C04'])
    """
    import pandas as pd

    if not isinstance(fit, MultilevelFit):
        raise OptionError(
            f"compare_groups() got a {type(fit).__name__}",
            allowed="a MultilevelFit",
            todo="give what MLSEM.fit() returned; groups of a mixture are compared by their clusters",
        )
    if not 0.0 < level < 1.0:
        raise OptionError(f"level={level!r}", allowed="between 0 and 1", todo="take 0.95, say")
    chosen = _chosen_groups(fit, groups)
    names = [_random_regression(fit, text) for text in as_names(regression)]
    if not names or len(set(names)) < len(names):
        raise OptionError(f"regression={regression!r}", allowed="one regression, or several different ones")
    labels = [fit.groups[g] for g in chosen]
    first, second = np.triu_indices(len(chosen), 1)
    frames = []
    for name in names:
        outcome, predictor = name.split("~")
        head = {
            "outcome": outcome,
            "predictor": predictor,
            "group_a": pd.Series([labels[i] for i in first], dtype=None),
            "group_b": pd.Series([labels[i] for i in second], dtype=None),
        }
        frames.append(pd.DataFrame(head | _differences(fit.regression_draws(name)[:, chosen], first, second, level)))
    pairs = pd.concat(frames, ignore_index=True)
    return GroupComparison(tuple(spelled(n) for n in names), tuple(labels), level, pairs)


def _chosen_groups(fit: MultilevelFit, groups: Sequence[Hashable] | None) -> list[int]:
    """Indices of the groups to compare, in the order of the fit."""
    if groups is None:
        return list(range(len(fit.groups)))
    if isinstance(groups, str):
        raise OptionError(f"groups={groups!r}", allowed="a sequence of groups", todo="give two groups or more")
    index = {label: g for g, label in enumerate(fit.groups)}
    for label in groups:
        if label not in index:
            raise OptionError(
                f"groups= names {label!r}, which is not a group of the fit",
                allowed=enumerate_briefly(fit.groups),
                todo=did_you_mean(str(label), [str(g) for g in fit.groups]),
            )
    chosen = sorted({index[label] for label in groups})
    if len(chosen) < 2:
        raise OptionError(f"groups={list(groups)!r}", allowed="two different groups or more", todo="add a group")
    return chosen


def _random_regression(fit: MultilevelFit, text: str) -> str:
    name = fit.regression_name(text)
    if not fit.is_random(name):
        raise OptionError(
            f"{spelled(name)} is equal over groups in this fit",
            allowed=enumerate_briefly([spelled(n) for n in fit.path.names if fit.is_random(n)])
            or "random regressions, of which there is none",
            todo=f"fit with '{spelled(name)}' or 'regressions' in random=, and without a label on it",
        )
    return name


def _differences(draws: Array, first: NDArray[np.intp], second: NDArray[np.intp], level: float) -> dict[str, object]:
    """Summaries of the differences between columns of draws (D, G), a chunk of pairs at a time."""
    n = first.size
    mean, sd, lower, upper, positive = (np.empty(n) for _ in range(5))
    for pairs in _chunks(n, max(1, CHUNK // len(draws))):
        difference = draws[:, first[pairs]] - draws[:, second[pairs]]
        mean[pairs], sd[pairs] = difference.mean(axis=0), difference.std(axis=0, ddof=1)
        lower[pairs], upper[pairs] = interval(difference, level)
        positive[pairs] = (difference > 0).mean(axis=0)
    return {
        "difference": mean,
        "sd": sd,
        "lower": lower,
        "upper": upper,
        "p_positive": positive,
        "differs": (lower > 0) | (upper < 0),
    }


def _chunks(n: int, size: int) -> Iterator[slice]:
    return (slice(i, i + size) for i in range(0, n, size))
