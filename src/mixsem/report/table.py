"""One table, many outputs: text, Markdown, HTML, LaTeX, CSV and a pandas frame."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ..errors import OptionError
from .values import Format, format_value, one_line

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Cell", "Column", "Table"]

Align = Literal["", "left", "right", "center"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Parameters
    ----------
    name
        Name in the pandas frame.
    label
        Heading.
    format
        How values are written: ``"text"``, ``"integer"``, ``"decimal1"`` to ``"decimal8"``, ``"p"``.
    align
        ``"left"``, ``"right"`` or ``"center"``; text is left and numbers are right if it is not given.
    subscript
        Set below the line after the label: ``BIC`` and ``G``.
    group
        Heading over several neighbouring columns. Text that is too wide breaks between such groups.
    """

    name: str
    label: str
    format: Format = "text"
    align: Align = ""
    subscript: str = ""
    group: str = ""

    @property
    def alignment(self) -> str:
        """The alignment, given or by format."""
        return self.align or ("left" if self.format == "text" else "right")

    @property
    def heading(self) -> str:
        """The label as plain text, such as ``BIC_G``."""
        return one_line(f"{self.label}_{self.subscript}" if self.subscript else self.label)


@dataclass(frozen=True, slots=True)
class Cell:
    """A value that is written differently from the rest of its column.

    Parameters
    ----------
    value
        The value.
    format
        Another format than the column's.
    strong
        Emphasise it: bold, or an asterisk in plain text.
    """

    value: object
    format: Format | None = None
    strong: bool = False


@dataclass(frozen=True)
class Table:
    """A table to print or to write to a document.

    Parameters
    ----------
    title
        What it shows; may be empty.
    columns
        Its columns.
    rows
        One tuple per row, a value or `Cell` per column.
    notes
        Sentences below the table.
    rules
        Numbers of the rows (from 0) above which a line is drawn.

    Raises
    ------
    OptionError
        If a row has another length than there are columns.

    Examples
    --------
    >>> table = Table(
    ...     "Fit",
    ...     (Column("k", "Clusters", "integer"), Column("loglik", "log L", "decimal2")),
    ...     ((1, -1234.5), (2, Cell(-1200.25, strong=True))),
    ... )
    >>> print(table)
    Fit
    --------------------
    Clusters      log L
    --------------------
           1  -1,234.50
           2  -1,200.25*
    --------------------
    >>> table.to_pandas()
       k   loglik
    0  1 -1234.50
    1  2 -1200.25
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[object, ...], ...]
    notes: tuple[str, ...] = ()
    rules: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Refuse rows that do not fit the columns."""
        for i, row in enumerate(self.rows):
            if len(row) != len(self.columns):
                raise OptionError(
                    f"row {i} of the table {self.title!r} has {len(row)} values",
                    allowed=f"{len(self.columns)} values, one per column",
                    todo="use None where a value is missing",
                )

    @classmethod
    def from_records(
        cls,
        title: str,
        columns: Sequence[Column],
        records: Iterable[Mapping[str, object]],
        notes: Sequence[str] = (),
    ) -> Table:
        """Fill the rows by the names of the columns; what a record does not have is blank.

        Examples
        --------
        >>> Table.from_records("", [Column("a", "A")], [{"a": 1, "b": 2}, {}]).rows
        ((1,), (None,))
        """
        rows = tuple(tuple(record.get(column.name) for column in columns) for record in records)
        return cls(title, tuple(columns), rows, tuple(notes))

    def texts(self) -> list[list[str]]:
        """Every cell as formatted text."""
        return [
            [_text(value, column.format) for value, column in zip(row, self.columns, strict=True)] for row in self.rows
        ]

    def strong(self, row: int, column: int) -> bool:
        """Whether a cell is emphasised."""
        value = self.rows[row][column]
        return isinstance(value, Cell) and value.strong

    def to_text(self, width: int = 100) -> str:
        """As aligned plain text; groups of columns that exceed the width are set below one another."""
        from .render import table_text

        return table_text(self, width)

    def to_markdown(self) -> str:
        """As a Markdown table."""
        from .render import table_markdown

        return table_markdown(self)

    def to_html(self) -> str:
        """As an HTML table without styles; every text is escaped."""
        from .render import table_html

        return table_html(self)

    def to_latex(self, label: str = "") -> str:
        r"""As a LaTeX table; needs ``\usepackage{booktabs}``.

        Parameters
        ----------
        label
            A name to refer to, such as ``"tab:fit"``; ``\label`` is written as it stands.
        """
        from .latex import table_latex

        return table_latex(self, label)

    def to_csv(self) -> str:
        """As comma-separated values: unrounded, without title and notes, under the names of the columns.

        What is missing is an empty cell. Text that begins with ``=``, ``+``, ``-`` or ``@``, which a spreadsheet would
        compute, gets an apostrophe before it.
        """
        from .exports import table_csv

        return table_csv(self)

    def to_word(self) -> str:
        """As HTML that keeps its look when it is pasted into a word processor: three lines, caption, notes."""
        from .exports import table_word

        return table_word(self)

    def save(self, path: str | Path) -> Path:
        """Write the table to a file, whole or not at all; a file of this name is replaced.

        Parameters
        ----------
        path
            A name that ends in ``.tex``, ``.md``, ``.csv``, ``.txt``, or ``.html`` or ``.doc`` (both hold a page with
            `to_word`, which browsers and Word open).

        Returns
        -------
        Path
            The file.

        Raises
        ------
        OutputError
            If the suffix is another one, or the file cannot be written; then nothing has changed.
        """
        from .saving import save_as, word_document

        def page() -> str:
            return word_document(self.title or "Table", self.to_word())

        forms = {".tex": self.to_latex, ".md": self.to_markdown, ".csv": self.to_csv, ".txt": self.to_text}
        return save_as(path, {**forms, ".html": page, ".doc": page})

    def to_pandas(self) -> pd.DataFrame:
        """As a data frame with the values as they are, unrounded."""
        import pandas as pd

        plain = [[v.value if isinstance(v, Cell) else v for v in row] for row in self.rows]
        return pd.DataFrame(plain, columns=[column.name for column in self.columns])

    def __repr__(self) -> str:
        return self.to_text()

    def _repr_html_(self) -> str:
        from .render import styled

        return styled(self.to_html())

    def _repr_markdown_(self) -> str:
        return self.to_markdown()


def _text(value: object, form: Format) -> str:
    if isinstance(value, Cell):
        return format_value(value.value, value.format or form)
    return format_value(value, form)
