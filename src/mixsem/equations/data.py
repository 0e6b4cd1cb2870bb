"""What a structural equation model is fitted to: moments, and the rows behind them where an estimator needs them."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from narwhals.dependencies import is_pandas_dataframe
from numpy.typing import NDArray

from ..data.grouped import GroupedData, read_grouped
from ..data.intake import Data, moments_of
from ..data.missing import saturated_notices
from ..data.moments import SampleMoments
from ..data.patterns import MissingPatterns, read_patterns
from ..data.variation import require_variation
from ..errors import DataError, Notice, OptionError
from ..kernels.missing_em import SaturatedEstimates, saturated_estimates
from .estimators import Estimator

if TYPE_CHECKING:
    import pandas as pd

    from ..data.ordinal import OrdinalMoments

__all__ = ["SEMData", "read_data"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False, slots=True)
class SEMData:
    """Sample moments, with the rows they come from.

    Attributes
    ----------
    moments
        Size, means and covariances per group: of complete rows, or the saturated ML estimates of incomplete ones.
    values
        Rows sorted by group, shape (N, p), NaN where missing; None if only moments are known.
    codes
        Group of each row, shape (N,); None with `values`.
    rows
        Position of each row in the table that was read, shape (N,).
    patterns, saturated
        The patterns of missing values and the unrestricted estimates, for full information; else None.
    ordinal
        Thresholds and polychoric correlations, for ordered items; else None.
    index
        Index of the pandas table that was read, all its rows; None for other tables.
    """

    moments: SampleMoments
    values: Array | None = None
    codes: NDArray[np.int64] | None = None
    rows: NDArray[np.int64] | None = None
    patterns: MissingPatterns | None = None
    saturated: SaturatedEstimates | None = None
    ordinal: OrdinalMoments | None = None
    index: pd.Index | None = None

    @property
    def groups(self) -> tuple[Hashable, ...]:
        """Labels of the groups."""
        return self.moments.groups

    @property
    def notices(self) -> tuple[Notice, ...]:
        """What was dropped, and what is unusual."""
        return self.moments.notices

    def values_of(self, g: int) -> Array:
        """Rows of one group, shape (N_g, p)."""
        assert self.values is not None and self.codes is not None
        begin, end = np.searchsorted(self.codes, [g, g + 1])
        return self.values[begin:end]


def read_data(
    data: Data,
    items: Sequence[str],
    group: str | None,
    estimator: Estimator,
    *,
    missing: str = "listwise",
    ordered: Sequence[str] = (),
    complete: Sequence[str] = (),
) -> SEMData:
    """Read what an estimator needs.

    Parameters
    ----------
    data, group
        As in `SEM.fit`.
    items
        Observed variables of the model.
    estimator
        Says whether rows are needed.
    missing
        ``"listwise"`` or ``"ml"``.
    ordered
        Ordered items.
    complete
        Covariates, which must be known in every row.
    """
    content = _read(data, items, group, estimator, missing, ordered, complete)
    # Scores of people are given the index of their table, so that they can be joined to it.
    return replace(content, index=data.index) if is_pandas_dataframe(data) else content


def _read(
    data: Data,
    items: Sequence[str],
    group: str | None,
    estimator: Estimator,
    missing: str,
    ordered: Sequence[str],
    complete: Sequence[str],
) -> SEMData:
    if isinstance(data, SampleMoments):
        if estimator.needs_rows or missing == "ml" or ordered:
            what = "ordered=" if ordered else "missing='ml'" if missing == "ml" else f"estimator {estimator.name}"
            raise OptionError(
                f"{what} came with sample moments",
                allowed="a dataframe, one row per person",
                todo="give the rows, or use estimator='ML' with missing='listwise'",
            )
        moments = moments_of(data, items, group)
        require_variation(moments)
        return SEMData(moments)
    if missing == "ml":
        if isinstance(data, GroupedData):
            raise OptionError("missing='ml' came with GroupedData", allowed="a dataframe with its missing values")
        patterns = read_patterns(data, items, group, complete=complete)
        if patterns.n_missing.any():
            return _incomplete(patterns)
    if ordered:
        from ..data.ordinal import OrdinalMoments, code_categories

        rows = data if isinstance(data, GroupedData) else read_grouped(code_categories(data, ordered), items, group)
        values, ordinal = _columns(rows, items), OrdinalMoments.from_grouped(rows, items, ordered)
        return SEMData(ordinal.as_moments(), values, rows.codes, rows.rows, ordinal=ordinal)
    grouped = data if isinstance(data, GroupedData) else read_grouped(data, items, group)
    values = _columns(grouped, items)
    moments = moments_of(grouped, items)
    require_variation(moments)
    return SEMData(moments, values, grouped.codes, grouped.rows)


def _incomplete(patterns: MissingPatterns) -> SEMData:
    """Moments of incomplete rows are those of the unrestricted model."""
    saturated = saturated_estimates(patterns.tables)
    moments = SampleMoments(
        items=patterns.items,
        groups=patterns.groups,
        n=patterns.n,
        means=saturated.means,
        covariances=saturated.covariances,
        n_dropped=patterns.n_dropped,
        group=patterns.group,
        notices=saturated_notices(patterns, saturated),
        missing="ml",
    )
    require_variation(moments)
    return SEMData(moments, patterns.values, patterns.codes, patterns.rows, patterns, saturated)


def _columns(grouped: GroupedData, items: Sequence[str]) -> Array:
    """The columns of these items, in this order."""
    lacking = [item for item in items if item not in grouped.items]
    if lacking:
        raise DataError(f"the rows lack {lacking[0]!r}", allowed=", ".join(grouped.items))
    return grouped.values[:, [grouped.items.index(item) for item in items]]
