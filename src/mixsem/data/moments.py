"""What every method works on: size, means and covariance matrix of the items per group."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, Notice, OptionError, did_you_mean, enumerate_briefly, notify
from .account import rows_notices, singular_notices
from .archive import FORMAT, VERSION, as_plain, moments_fields, notice_to_json, read_content, write_moments
from .columns import FrameLike, check_items
from .covariances import Labelled, MatrixLike, VectorLike, correlation_notices, read_covariances
from .grouped import GroupedData
from .labels import positions, sort_labels
from .pooling import centred_moments, check_alike, pooled_moments
from .variation import constant_items, constant_notices

__all__ = ["SampleMoments"]


@dataclass(frozen=True, eq=False, repr=False)
class SampleMoments:
    """Moments of the items per group: all that a likelihood of within-group centred data depends on.

    Make them with `from_frame`, `from_covariances`, `from_grouped` or `load`.

    Attributes
    ----------
    items
        Names of the p items.
    groups
        Labels of the G groups as Python scalars, sorted; ``("all",)`` if the data are not grouped.
    n
        (G,) complete rows per group; with ``missing="ml"`` rows with an answer, with ``"pairwise"`` those that have
        both items of the rarest pair.
    means
        (G, p) means; zeros if they were not given.
    covariances
        (G, p, p) covariance matrices, divisor ``n`` (maximum likelihood).
    n_dropped
        (G,) rows dropped per group because an item is missing; otherwise than listwise because all are.
    group
        Name of the grouping column; None if there is none.
    notices
        What was dropped, and which groups are small, have items without variation or a singular covariance
        matrix.
    has_means
        False if the means are not known.
    missing
        ``"listwise"``: moments of complete rows; ``"ml"``: estimated by maximum likelihood from incomplete ones;
        ``"pairwise"``: each covariance from the rows that have both items.
    """

    items: tuple[str, ...]
    groups: tuple[Hashable, ...]
    n: NDArray[np.int64]
    means: NDArray[np.float64]
    covariances: NDArray[np.float64]
    n_dropped: NDArray[np.int64]
    group: str | None = None
    notices: tuple[Notice, ...] = ()
    has_means: bool = True
    missing: str = "listwise"

    def __post_init__(self) -> None:
        """Check that the shapes agree."""
        g, p = len(self.groups), len(self.items)
        shapes = (self.n.shape, self.means.shape, self.covariances.shape, self.n_dropped.shape)
        if shapes != ((g,), (g, p), (g, p, p), (g,)):
            raise DataError(
                f"n, means, covariances and n_dropped have the shapes {shapes}",
                allowed=f"{((g,), (g, p), (g, p, p), (g,))} for {g} groups and {p} items",
            )

    @property
    def n_groups(self) -> int:
        """Number of groups G."""
        return len(self.groups)

    @property
    def n_total(self) -> int:
        """Complete rows over all groups."""
        return int(self.n.sum())

    def __repr__(self) -> str:
        """Sizes at a glance."""
        return (
            f"SampleMoments: {self.n_groups:,} groups, {len(self.items)} items, N = {self.n_total:,} "
            f"({self.n.min():,} to {self.n.max():,} per group), {self.n_dropped.sum():,} rows dropped"
        )

    @classmethod
    def from_frame(
        cls,
        data: FrameLike,
        items: Sequence[str],
        group: str | None = None,
        *,
        min_size: int | None = None,
        missing: str = "listwise",
    ) -> SampleMoments:
        """Compute the moments of a table; parameters and errors are those of `GroupedData.from_frame`.

        A lazy table of any size (polars, DuckDB, a pyarrow dataset or reader, Dask, PySpark) passes by once, in blocks,
        and is never in memory as a whole. The table may also be a part of the data, to be merged with others: an item
        that does not vary within a group is told in the notices, and refused only when a model is fitted.

        With ``missing="ml"`` no answer is dropped: means and covariances of every group are estimated by maximum
        likelihood from complete and incomplete rows (unrestricted normal model, EM algorithm), which is right if
        answers are missing at random. With ``"pairwise"`` each covariance is that of the rows which have both items:
        quick, but right only if answers are missing completely at random, and a matrix need not be positive definite.
        With both, rows without any answer are dropped, `min_size` counts the others, and an item, or a pair of items,
        that is never observed in a group is a `DataError`.

        Examples
        --------
        >>> data = {"x": [1, 2, 3, 4], "y": [1.0, 0.5, 2.5, 2.0]}
        >>> moments = SampleMoments.from_frame(data, ["x", "y"])
        >>> moments.means, moments.covariances
        (array([[2.5, 1.5]]), array([[[1.25 , 0.625],
                [0.625, 0.625]]]))
        """
        from .streaming.reading import table_moments

        moments = table_moments(data, items, group, min_size=min_size, missing=missing)
        notify(moments.notices)
        return moments

    @classmethod
    def from_grouped(cls, grouped: GroupedData) -> SampleMoments:
        """Compute the moments of rows already read, without a warning (the notices are kept)."""
        means, covariances = centred_moments(grouped.values, grouped.n)
        moments = cls(
            items=grouped.items,
            groups=grouped.groups,
            n=grouped.n,
            means=means,
            covariances=covariances,
            n_dropped=grouped.n_dropped,
            group=grouped.group,
        )
        return replace(moments, notices=grouped.notices + moments._matrix_notices())

    @classmethod
    def from_covariances(
        cls,
        covariances: Mapping[Any, MatrixLike],
        n: Labelled | int,
        *,
        means: Mapping[Any, VectorLike] | None = None,
        items: Sequence[str] | None = None,
        divisor: Literal["n-1", "n"] = "n-1",
    ) -> SampleMoments:
        """Start from covariance matrices, for example published ones, instead of rows.

        Parameters
        ----------
        covariances
            Covariance matrix (p x p) of each group label: data frames, ordered by their names, or
            plain matrices in the order of `items`.
        n
            People per group, or one number for all groups.
        means
            p means of each group label; None if they are not known.
        items
            Names of the items: needed for plain matrices; for data frames their order, or a selection.
        divisor
            Divisor of the given matrices: "n-1" as of R, pandas and most publications, or "n".

        Returns
        -------
        SampleMoments
            With the covariance matrices turned to divisor n. Correlation matrices are told in the notices,
            which a fit issues.

        Raises
        ------
        DataError
            If a matrix is not finite, symmetric and positive definite, groups or items do not match, or
            labels differ in their type only.
        OptionError
            If the items have no names, or the divisor is not known.

        Examples
        --------
        >>> moments = SampleMoments.from_covariances({"A": [[2.0]], "B": [[4.0]]}, n=10, items=["x"])
        >>> moments.covariances.ravel(), moments.has_means
        (array([1.8, 3.6]), False)
        """
        if divisor not in ("n-1", "n"):
            raise OptionError(f"divisor={divisor!r}", allowed='"n-1" or "n"')
        given = read_covariances(covariances, n, means, items)
        scale = (given.n - 1) / given.n if divisor == "n-1" else np.ones(len(given.n))
        moments = cls(
            items=given.items,
            groups=given.groups,
            n=given.n,
            means=given.means,
            covariances=given.covariances * scale[:, None, None],
            n_dropped=np.zeros_like(given.n),
            has_means=means is not None,
        )
        return replace(moments, notices=correlation_notices(given.covariances) + moments._current_notices())

    def select(self, items: Sequence[str]) -> SampleMoments:
        """Keep these items, in this order; rows once dropped for another item stay dropped."""
        names = check_items(items)
        unknown = [name for name in names if name not in self.items]
        if unknown:
            raise DataError(
                f"no item {enumerate_briefly(unknown)} in the moments",
                allowed=enumerate_briefly(self.items, limit=20),
                todo=did_you_mean(unknown[0], self.items) or "compute the moments with these items",
            )
        at = positions(names, self.items)
        return self._renewed(
            items=names, means=self.means[:, at], covariances=self.covariances[:, at[:, None], at[None, :]]
        )

    def subset(self, groups: Sequence[Hashable]) -> SampleMoments:
        """Keep these groups, in the order of the moments."""
        if isinstance(groups, str) or len(groups) == 0:
            raise OptionError(f"groups={groups!r}", allowed="a list of one group label or more")
        unknown = [label for label in groups if label not in self.groups]
        if unknown:
            raise DataError(
                f"no group {enumerate_briefly(unknown)} in the moments",
                allowed=enumerate_briefly(self.groups, limit=20),
                todo=did_you_mean(str(unknown[0]), map(str, self.groups)),
            )
        return self._at(np.unique(positions(groups, self.groups)))

    def merge(self, *others: SampleMoments) -> SampleMoments:
        """Pool moments computed in parts, as if all rows had been read at once.

        ``a.merge(b, c)`` and ``SampleMoments.merge(a, b, c)`` are the same. A group that is in several
        parts is pooled exactly: sums of squares within the parts plus those between them (Chan, Golub &
        LeVeque, 1983, The American Statistician 37, 242-247).

        Raises
        ------
        DataError
            If the parts do not have the same items or grouping column, a group is in several parts but its
            means are not known or were estimated with ``missing="ml"``, or labels differ in their type only.
        """
        check_alike((self, *others))
        parts = (self, *(other.select(self.items) for other in others))
        pooled = replace(
            self,
            **pooled_moments(parts)._asdict(),
            group=next((part.group for part in parts if part.group is not None), None),
            has_means=all(part.has_means for part in parts),
            missing=next((part.missing for part in parts if part.missing != "listwise"), "listwise"),
        )
        history = dict.fromkeys(notice for part in parts for notice in part._history())
        return replace(pooled, notices=(*history, *pooled._current_notices()))

    def to_dict(self) -> dict[str, object]:
        """As plain data for JSON, labels with their type."""
        return as_plain(self._account(), self.means, self.covariances)

    def _account(self) -> dict[str, object]:
        """All but the means and covariances, labels as they are."""
        return {
            "format": FORMAT,
            "version": VERSION,
            "items": list(self.items),
            "group": self.group,
            "groups": self.groups,
            "n": self.n.tolist(),
            "n_dropped": self.n_dropped.tolist(),
            "has_means": self.has_means,
            "missing": self.missing,
            "notices": [notice_to_json(notice) for notice in self.notices],
        }

    @classmethod
    def from_dict(cls, content: object) -> SampleMoments:
        """Read what `to_dict` wrote; `DataError` if it is anything else."""
        moments = cls(**moments_fields(content))
        labels = sort_labels(moments.groups)
        return moments.renewed() if labels == moments.groups else moments._at(positions(labels, moments.groups))

    def save(self, path: str | Path) -> None:
        """Write to a ``.json``, ``.json.gz`` or ``.parquet`` file in full precision, all of it or nothing.

        Parquet is smaller and faster where groups are many; JSON can be read without any library.

        Raises
        ------
        OutputError
            If the suffix is another one or the file cannot be written.
        """
        write_moments(path, self._account(), self.means, self.covariances)

    @classmethod
    def load(cls, path: str | Path) -> SampleMoments:
        """Read a file that `save` wrote.

        Raises
        ------
        OutputError
            If there is no such file, or it cannot be read.
        DataError
            If it holds something else than sample moments, or those of a newer version.
        """
        return cls.from_dict(read_content(path))

    def _current_notices(self) -> tuple[Notice, ...]:
        """Return the notices that follow from the moments as they are."""
        kind = "complete" if self.missing == "listwise" else "usable"
        return rows_notices(self.groups, self.n, self.n_dropped, len(self.items), kind) + self._matrix_notices()

    def _matrix_notices(self) -> tuple[Notice, ...]:
        constant = constant_items(self.means, self.covariances)
        return constant_notices(self.groups, self.n, self.items, constant) + singular_notices(
            self.groups, self.n, self.covariances, constant, pairwise=self.missing == "pairwise"
        )

    def _history(self, current: tuple[Notice, ...] | None = None) -> tuple[Notice, ...]:
        """Return the notices that do not: what happened when the rows were read."""
        current = self._current_notices() if current is None else current
        return tuple(notice for notice in self.notices if notice not in current)

    def _at(self, at: NDArray[np.int64]) -> SampleMoments:
        """Take the groups at these positions."""
        return self._renewed(
            groups=tuple(self.groups[g] for g in at),
            n=self.n[at],
            means=self.means[at],
            covariances=self.covariances[at],
            n_dropped=self.n_dropped[at],
        )

    def renewed(self) -> SampleMoments:
        """Bring the notices up to date."""
        current = self._current_notices()
        return replace(self, notices=self._history(current) + current)

    def _renewed(self, **changes: Any) -> SampleMoments:
        """Change fields and bring the notices up to date."""
        changed = replace(self, **changes)
        return replace(changed, notices=self._history() + changed._current_notices())
