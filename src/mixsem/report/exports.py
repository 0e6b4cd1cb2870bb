"""Tables for other programs: CSV for spreadsheets, HTML with its look inside for word processors."""

from __future__ import annotations

import csv
import io

from .render import heading_spans, typographic
from .table import Cell, Table
from .values import escape_html, is_missing, one_line

__all__ = ["table_csv", "table_word"]

#: A cell of text that begins so is a formula to a spreadsheet.
FORMULA = ("=", "+", "-", "@")

FONT = "font-family:'Times New Roman',Times,serif;font-size:11pt;color:#000"
THICK, THIN = "1.5pt solid #000", "0.75pt solid #000"
PADDING = "padding:2pt 6pt"


def table_csv(table: Table) -> str:
    """Comma-separated values, unrounded, under the names of the columns; text that would be a formula gets a mark."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(_csv_headings(table))
    writer.writerows(
        [_csv_cell(value.value if isinstance(value, Cell) else value) for value in row] for row in table.rows
    )
    return buffer.getvalue()


def _csv_headings(table: Table) -> list[str]:
    """Names of the columns; the heading over several columns comes before names that stand under others too."""
    names = [column.name for column in table.columns]
    shared = {name for name in names if names.count(name) > 1}
    return [_text(f"{c.group}: {c.name}" if c.name in shared and c.group else c.name) for c in table.columns]


def _csv_cell(value: object) -> object:
    """A number in full precision, text on one line, nothing for what is missing."""
    if is_missing(value):
        return ""
    if type(value).__name__ in ("bool", "bool_"):
        return "yes" if value else "no"
    if isinstance(value, str) or not hasattr(value, "__float__"):
        return _text(value)
    return repr(value.item() if hasattr(value, "item") else value)


def _text(value: object) -> str:
    """Text that a spreadsheet shows as it is, instead of computing it."""
    text = one_line(value)
    return f"'{text}" if text.startswith(FORMULA) else text


def table_word(table: Table) -> str:
    """A table of three lines whose every cell carries its look: what is pasted keeps it, without classes or sheets."""
    body = "".join(_word_row(table, i, row) for i, row in enumerate(table.texts()))
    title = (
        f'<p style="{FONT};font-style:italic;margin:12pt 0 4pt">{escape_html(table.title)}</p>' if table.title else ""
    )
    notes = "".join(
        f'<p style="{FONT};font-size:10pt;margin:3pt 0 0">{"<i>Note.</i> " if i == 0 else ""}{escape_html(note)}</p>'
        for i, note in enumerate(table.notes)
    )
    head = _word_head(table)
    look = f"border-collapse:collapse;{FONT}"
    return f'{title}<table style="{look}"><thead>{head}</thead><tbody>{body}</tbody></table>{notes}'


def _word_head(table: Table) -> str:
    """The headings between the first two lines; those over several columns have a line of their own below."""
    columns, rows = list(table.columns), []
    spans = list(heading_spans(columns))
    grouped = any(name for name, _, _ in spans)
    if grouped:
        cells = []
        for name, a, b in spans:
            line = f"border-bottom:{THIN};" if name else ""
            style = f"border-top:{THICK};{line}text-align:center;{PADDING};font-weight:normal"
            cells.append(f'<th scope="colgroup" colspan="{b - a}" style="{style}">{escape_html(name)}</th>')
        rows.append(f"<tr>{''.join(cells)}</tr>")
    top = "" if grouped else f"border-top:{THICK};"
    cells = [
        f'<th scope="col" style="{top}border-bottom:{THIN};text-align:{c.alignment};{PADDING};font-weight:normal;'
        f'vertical-align:bottom">{escape_html(c.label)}'
        + (f"<sub>{escape_html(c.subscript)}</sub>" if c.subscript else "")
        + "</th>"
        for c in columns
    ]
    return "".join([*rows, f"<tr>{''.join(cells)}</tr>"])


def _word_row(table: Table, i: int, row: list[str]) -> str:
    last = f"border-bottom:{THICK};" if i == len(table.rows) - 1 else ""
    rule = f"border-top:{THIN};" if i in table.rules else ""
    cells = []
    for j, (text, column) in enumerate(zip(row, table.columns, strict=True)):
        shown = escape_html(typographic(text) if column.format != "text" else text)
        shown = f"<b>{shown}</b>" if shown and table.strong(i, j) else shown
        wrap = "white-space:nowrap;" if column.format != "text" else ""
        style = f"{rule}{last}{wrap}text-align:{column.alignment};{PADDING};font-weight:normal"
        tag, scope = ("th", ' scope="row"') if j == 0 else ("td", "")
        cells.append(f'<{tag}{scope} style="{style}">{shown}</{tag}>')
    return f"<tr>{''.join(cells)}</tr>"
