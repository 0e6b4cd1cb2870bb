"""The numbers that the papers print, level by level, as the yardstick of a study that is run again."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ..errors import OptionError, did_you_mean

if TYPE_CHECKING:
    from .study import Level, Study

__all__ = [
    "PUBLISHED",
    "TRUE_PRIOR",
    "Published",
    "PublishedNumber",
    "PublishedRow",
    "PublishedTable",
    "published_for",
    "read_published",
]

PUBLISHED = ("mixml-1", "mixml-2", "mixmg-bsem")
"""Studies whose printed numbers ship with the package."""

TRUE_PRIOR = "true prior"
"""Filter of tables for which only the analyses with the population's own prior variance count."""


@dataclass(frozen=True, slots=True)
class PublishedRow:
    """One cell of a printed table.

    Attributes
    ----------
    factor, level
        Level of the design; both None for the total.
    mean, sd
        Over the data sets at this level.
    """

    factor: str | None
    level: Level
    mean: float
    sd: float


@dataclass(frozen=True, slots=True)
class PublishedTable:
    """One measure of a printed table.

    Attributes
    ----------
    title
        Number of the table and what it shows.
    method
        Kind of method.
    filter
        None, or ``"true prior"``.
    measure, label
        Name of the measure in the frame of results, and as the paper calls it.
    rows
        Level by level.
    """

    title: str
    method: str
    filter: str | None
    measure: str
    label: str
    rows: tuple[PublishedRow, ...]

    def row(self, factor: str | None, level: Level) -> PublishedRow | None:
        """Row of a level, None if the paper has none."""
        return next((row for row in self.rows if row.factor == factor and row.level == level), None)


@dataclass(frozen=True, slots=True)
class PublishedNumber:
    """One number of the running text.

    Attributes
    ----------
    label, method, filter, measure
        As in `PublishedTable`.
    where
        Values of columns of the frame that its data sets have: levels of factors, a variant, other measures.
    mean
        The number, a mean or a share; counts of data sets are divided by their number.
    sd
        Standard deviation over data sets if it is printed.
    n
        Data sets it is about; None if these are all at the levels in `where`.
    share
        Whether it is the share of data sets with some property, whose standard deviation need not be printed.
    quote
        The words around it.
    """

    label: str
    method: str
    filter: str | None
    measure: str
    where: Mapping[str, Level]
    mean: float
    sd: float | None
    n: int | None
    share: bool
    quote: str


@dataclass(frozen=True, slots=True)
class Published:
    """What a paper printed about one simulation study.

    Attributes
    ----------
    name
        Name of the study.
    source
        Where it was published.
    n_data_sets
        Data sets of the paper's own run.
    tables, text
        Numbers of the tables and of the running text.
    """

    name: str
    source: str
    n_data_sets: int
    tables: tuple[PublishedTable, ...]
    text: tuple[PublishedNumber, ...]

    @property
    def levels(self) -> dict[str, tuple[Level, ...]]:
        """Levels of every factor of the design, as the tables have them."""
        found: dict[str, dict[Level, None]] = {}
        for table in self.tables:
            for row in table.rows:
                if row.factor is not None:
                    found.setdefault(row.factor, {})[row.level] = None
        return {factor: tuple(levels) for factor, levels in found.items()}

    def data_sets_at(self, *factors: str) -> int:
        """Data sets at one level of each of these factors; what is no factor of the design takes none away."""
        levels = self.levels
        return self.n_data_sets // math.prod(len(levels.get(factor, ("",))) for factor in factors)


def read_published(name: str) -> Published:
    """Printed numbers of one of the papers' studies.

    Parameters
    ----------
    name
        ``"mixml-1"``, ``"mixml-2"`` or ``"mixmg-bsem"``.

    Returns
    -------
    Published

    Raises
    ------
    OptionError
        If there is no such study.

    Examples
    --------
    >>> paper = read_published("mixml-1")
    >>> paper.n_data_sets, paper.data_sets_at("small_proportion"), len(paper.tables)
    (48000, 9600, 11)
    >>> paper.tables[0].row("beta", 0.4)
    PublishedRow(factor='beta', level=0.4, mean=0.887, sd=0.181)
    """
    if name not in PUBLISHED:
        raise OptionError(
            f"no printed numbers of a study {name!r}",
            allowed=", ".join(PUBLISHED),
            todo=did_you_mean(str(name), PUBLISHED),
        )
    return _read(name)


def published_for(study: Study) -> Published | None:
    """Printed numbers that a study can be held against: those of its name, if it has all their factors and levels.

    Means over a level depend on the levels of the other factors, so that a study with fewer or other levels has
    nothing to compare with. A fraction of the cells and another number of replications are fine.
    """
    if study.name not in PUBLISHED:
        return None
    paper = _read(study.name)
    theirs = {factor: set(levels) for factor, levels in paper.levels.items() if len(levels) > 1}
    ours = {factor: set(levels) for factor, levels in study.factors.items() if len(levels) > 1}
    return paper if ours == theirs else None


@functools.cache
def _read(name: str) -> Published:
    text = (files("mixsem") / "studies" / "published" / f"{name}.json").read_text(encoding="utf-8")
    content = json.loads(text)
    tables = tuple(
        PublishedTable(**{**table, "rows": tuple(PublishedRow(**row) for row in table["rows"])})
        for table in content["tables"]
    )
    numbers = tuple(_number(entry) for entry in content["text"])
    return Published(name, content["source"], content["n_data_sets"], tables, numbers)


def _number(entry: Mapping[str, Any]) -> PublishedNumber:
    """One number of the text; a printed count becomes a share, of which no digit is lost."""
    fields = {name: value for name, value in entry.items() if name != "count"}
    if entry["count"] is not None:
        fields["mean"] = entry["count"] / entry["n"]
    return PublishedNumber(**{**fields, "where": MappingProxyType(fields["where"])})
