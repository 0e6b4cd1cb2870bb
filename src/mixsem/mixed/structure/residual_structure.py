"""Residuals that are neither equally spread nor independent: what is asked for, and what was found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...errors import OptionError, UnsupportedModelError

if TYPE_CHECKING:
    import pandas as pd

    from ...report.table import Table
    from ..fit import MixedFit

__all__ = ["Residual", "ResidualEstimate", "require_plain"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Residual:
    """The structure of the residuals of a linear mixed model.

    Attributes
    ----------
    by
        A column (or ``"a:b"``): each of its levels has a residual standard deviation of its own.
    ar1
        ``(group, time)``: within each level of `group` (a column, or ``"a:b"``), the residuals of two rows whose whole
        times differ by d correlate phi^d. Rows may come in any order, times may be left out.

    Notes
    -----
    As ``weights = varIdent(form = ~ 1 | by)`` and ``correlation = corAR1(form = ~ time | group)`` in nlme's ``lme``
    (Pinheiro & Bates, 2000, Mixed-Effects Models in S and S-PLUS, section 5.2 and 5.3), with the first level of `by`
    as the reference. A residual that *is* an AR(1) process, as here, is another model than an AR(1) process in addition
    to independent residuals, as in ``ar1(time + 0 | group)`` of glmmTMB: that one has one more variance, and its
    correlation at distance 1 falls short of phi.

    Examples
    --------
    >>> Residual(by="Days", ar1=("Subject", "Days")).columns
    ('Days', 'Subject')
    """

    by: str | None = None
    ar1: tuple[str, str] | None = None

    def __post_init__(self) -> None:
        if self.by is None and self.ar1 is None:
            raise OptionError("Residual() without a structure", allowed='by="column", ar1=("group", "time"), or both')
        if self.by is not None and not (isinstance(self.by, str) and self.by):
            raise OptionError(f"by={self.by!r}", allowed="the name of a column")
        if self.ar1 is None:
            return
        pair = tuple(self.ar1) if isinstance(self.ar1, tuple | list) else ()
        if len(pair) != 2 or not all(isinstance(name, str) and name for name in pair):
            raise OptionError(f"ar1={self.ar1!r}", allowed='the names of two columns: ("group", "time")')
        object.__setattr__(self, "ar1", pair)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the table that it needs."""
        named = [] if self.by is None else self.by.split(":")
        if self.ar1 is not None:
            named += [*self.ar1[0].split(":"), self.ar1[1]]
        return tuple(dict.fromkeys(name.strip() for name in named))

    def __str__(self) -> str:
        parts = [] if self.by is None else [f"a standard deviation for each level of {self.by}"]
        if self.ar1 is not None:
            parts.append(f"AR(1) within {self.ar1[0]} along {self.ar1[1]}")
        return ", ".join(parts)


@dataclass(frozen=True, eq=False, repr=False)
class ResidualEstimate:
    """The estimated structure of the residuals.

    Attributes
    ----------
    structure
        What was asked for.
    levels
        Levels of `by`; one that is called ``""`` if there is no `by`.
    ratios
        Residual standard deviations relative to that of the first level, (S,).
    phi
        Correlation of residuals at distance 1 in time; None without AR(1).
    sigma
        Residual standard deviation of the first level.
    """

    structure: Residual
    levels: tuple[str, ...]
    ratios: Array
    phi: float | None
    sigma: float

    @property
    def n_params(self) -> int:
        """Parameters, besides sigma."""
        return len(self.ratios) - 1 + (self.phi is not None)

    @property
    def parameters(self) -> pd.Series:
        """The parameters by name: ``"ratio.<level>"`` of each level but the first, and ``"phi"``."""
        import pandas as pd

        values = {f"ratio.{level}": ratio for level, ratio in zip(self.levels[1:], self.ratios[1:], strict=True)}
        if self.phi is not None:
            values["phi"] = self.phi
        return pd.Series(values, name="estimate", dtype=float)

    @property
    def frame(self) -> pd.DataFrame:
        """One row per level of `by`: level, sd, ratio."""
        import pandas as pd

        return pd.DataFrame({"level": list(self.levels), "sd": self.sigma * self.ratios, "ratio": self.ratios})

    @property
    def notes(self) -> tuple[str, ...]:
        """What standard deviations do not tell: the correlation."""
        if self.phi is None or self.structure.ar1 is None:
            return ()
        group, time = self.structure.ar1
        return (f"AR(1): residuals of one {group} correlate {self.phi:.3f} to the power of their distance in {time}.",)

    @property
    def table(self) -> Table:
        """As a table to print."""
        from ...report.table import Column, Table

        by = self.structure.by
        columns = [Column("level", by or ""), Column("sd", "SD", "decimal3"), Column("ratio", "Ratio", "decimal3")]
        records = [{str(k): v for k, v in record.items()} for record in self.frame.to_dict("records")]
        return Table.from_records("Residuals", columns if by else columns[1:2], records, self.notes)

    def to_pandas(self) -> pd.DataFrame:
        """As a data frame."""
        return self.frame

    def __repr__(self) -> str:
        return repr(self.table)

    def _repr_html_(self) -> str:
        return self.table._repr_html_()


def require_plain(fit: MixedFit, what: str) -> None:
    """Refuse what takes residuals as independent and equally spread, for a fit in which they are not.

    Parameters
    ----------
    fit
        A fit.
    what
        What was called, such as ``"Satterthwaite's degrees of freedom"``.

    Raises
    ------
    UnsupportedModelError
        If the fit has a residual structure.
    """
    structure = fit.specification.residual
    if structure is not None:
        raise UnsupportedModelError(
            f"{what}: not for residuals with a structure ({structure})",
            allowed="fits with independent residuals of one variance (or with weights)",
            todo="fit the model without residual=",
        )
