"""The outputs of a table. They read its columns, its formatted texts and its emphasis, nothing else."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from itertools import groupby

from .table import Column, Table
from .values import display_width, escape_html, escape_markdown, one_line, pad

__all__ = [
    "NOTEBOOK_STYLE",
    "WIDEST",
    "heading_spans",
    "split_columns",
    "styled",
    "table_html",
    "table_markdown",
    "table_text",
    "typographic",
]

GAP = "  "
#: Characters that fit beside one another on a page, about 1,050 pixels in the widest of the usual fonts.
WIDEST = 105

NOTEBOOK_STYLE = """<style>
.mixsem{font-variant-numeric:tabular-nums;line-height:1.4}
.mixsem table{border-collapse:collapse;border-top:1.5px solid;border-bottom:1.5px solid;margin:.6em 0 .2em}
.mixsem caption{caption-side:top;text-align:left;font-weight:600;padding:.2em 0;color:inherit}
.mixsem th,.mixsem td{padding:.15em .7em;border:0;background:none;font-weight:400}
.mixsem thead th{font-weight:600;border-bottom:1px solid}
.mixsem .l{text-align:left}.mixsem .r{text-align:right}.mixsem .c{text-align:center}
.mixsem tr.rule>*{border-top:1px solid}
.mixsem p.note{font-size:.9em;margin:.1em 0;opacity:.8}
.mixsem dt{font-weight:600}.mixsem dd{margin:0 0 .3em 1.5em}
.mixsem dl.beside{display:grid;grid-template-columns:max-content 1fr;gap:.1em 1.4em}
.mixsem dl.beside dt{font-weight:400}.mixsem dl.beside dd{margin:0}
.mixsem h3,.mixsem h4{margin:.8em 0 .3em}
</style>"""


def styled(body: str) -> str:
    """HTML for a notebook: its own small style, valid inside its own box only."""
    return f'<div class="mixsem">{NOTEBOOK_STYLE}{body}</div>'


# --- text ------------------------------------------------------------------------------------------------


def table_text(table: Table, width: int) -> str:
    """Aligned plain text, one panel below the other if the columns do not fit beside one another."""
    texts = _starred(table)
    widths = column_widths(table, texts)
    panels = column_panels(table.columns, widths, width)
    blocks = [_panel_text(table, texts, widths, panel) for panel in panels]
    notes = [line for note in table.notes for line in textwrap.wrap(one_line(note), max(width, 40))]
    title = one_line(table.title)
    head = [title] if title else []
    return "\n".join([*head, "\n\n".join(blocks), *notes])


def column_widths(table: Table, texts: list[list[str]]) -> list[int]:
    """Characters that each column takes."""
    return [
        max([display_width(c.heading), *(display_width(row[j]) for row in texts)]) for j, c in enumerate(table.columns)
    ]


def split_columns(table: Table, width: int) -> list[Table]:
    """The table, or several of them one below the other where its columns take more characters than `width`."""
    panels = column_panels(table.columns, column_widths(table, table.texts()), width)
    if len(panels) == 1:
        return [table]
    last = len(panels) - 1
    return [
        Table(
            title=table.title if i == 0 else f"{table.title} (continued)" * bool(table.title),
            columns=tuple(table.columns[j] for j in panel),
            rows=tuple(tuple(row[j] for j in panel) for row in table.rows),
            notes=table.notes if i == last else (),
            rules=table.rules,
        )
        for i, panel in enumerate(panels)
    ]


def _starred(table: Table) -> list[list[str]]:
    """Cell texts with an asterisk on emphasised ones, and a blank in its place on the others of such a column."""
    texts = table.texts()
    for j, column in enumerate(table.columns):
        marked = [table.strong(i, j) for i in range(len(texts))]
        if any(marked):
            for row, strong in zip(texts, marked, strict=True):
                row[j] += "*" if strong else " " if column.alignment == "right" else ""
    return texts


def column_panels(columns: tuple[Column, ...], widths: list[int], width: int) -> list[list[int]]:
    """Numbers of the columns of each panel: ungrouped ones at the left are repeated, groups are never torn apart."""
    runs = [(name, [j for j, _ in run]) for name, run in groupby(enumerate(columns), key=lambda jc: jc[1].group)]
    stub = runs[0][1] if runs and not runs[0][0] else []
    panels: list[list[int]] = []
    for _, run in runs[1:] if stub else runs:
        longer = [*(panels[-1] if panels else stub), *run]
        if panels and sum(widths[j] + len(GAP) for j in longer) - len(GAP) > width:
            panels.append([*stub, *run])
        else:
            panels[-1:] = [longer]
    return panels or [stub]


def _panel_text(table: Table, texts: list[list[str]], widths: list[int], panel: list[int]) -> str:
    columns = [table.columns[j] for j in panel]
    size = [widths[j] for j in panel]
    spans = list(heading_spans(columns))
    for name, a, b in spans:  # a heading wider than its columns widens the last of them
        lacking = display_width(name) - (sum(size[a:b]) + len(GAP) * (b - a - 1))
        size[b - 1] += max(lacking, 0)
    line = "-" * (sum(size) + len(GAP) * (len(size) - 1))
    heading = [pad(_aligned(c, table, j), w, c.alignment) for c, w, j in zip(columns, size, panel, strict=True)]
    lines = [line, GAP.join(heading).rstrip(), line]
    if any(name for name, _, _ in spans):
        over = [pad(name, sum(size[a:b]) + len(GAP) * (b - a - 1), "center") for name, a, b in spans]
        lines.insert(1, GAP.join(over).rstrip())
    for i, row in enumerate(texts):
        if i in table.rules:
            lines.append(line)
        cells = [pad(row[j], w, c.alignment) for j, w, c in zip(panel, size, columns, strict=True)]
        lines.append(GAP.join(cells).rstrip())
    return "\n".join([*lines, line])


def _aligned(column: Column, table: Table, j: int) -> str:
    """Heading text, moved left by one where the numbers below leave room for an asterisk."""
    starred = column.alignment == "right" and any(table.strong(i, j) for i in range(len(table.rows)))
    return column.heading + " " * starred


def heading_spans(columns: list[Column]) -> Iterator[tuple[str, int, int]]:
    """Headings over several columns: name, first column, end."""
    at = 0
    for name, run in groupby(columns, key=lambda c: c.group):
        length = sum(1 for _ in run)
        yield one_line(name), at, at + length
        at += length


# --- markup ----------------------------------------------------------------------------------------------


def table_markdown(table: Table) -> str:
    """GitHub-flavoured Markdown; the heading over several columns follows the label in brackets."""
    marks = {"left": ":--", "right": "--:", "center": ":-:"}
    headings = [f"{c.heading} ({c.group})" if c.group else c.heading for c in table.columns]
    lines = [
        _markdown_row([escape_markdown(one_line(h)) for h in headings]),
        _markdown_row([marks[c.alignment] for c in table.columns]),
    ]
    for i, row in enumerate(table.texts()):
        cells = [escape_markdown(text) for text in row]
        lines.append(_markdown_row([f"**{t}**" if t and table.strong(i, j) else t for j, t in enumerate(cells)]))
    head = [f"**{escape_markdown(one_line(table.title))}**", ""] if table.title else []
    notes = [f"\n{escape_markdown(one_line(note))}" for note in table.notes]
    return "\n".join([*head, *lines, *notes])


def _markdown_row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def table_html(table: Table) -> str:
    """HTML with headings that screen readers can follow; the first column heads its row."""
    columns = list(table.columns)
    spans = list(heading_spans(columns))
    head = "".join(
        f'<th scope="col" class="{c.alignment[0]}">{escape_html(c.label)}'
        + (f"<sub>{escape_html(c.subscript)}</sub>" if c.subscript else "")
        + "</th>"
        for c in columns
    )
    over = "".join(
        f'<th scope="colgroup" colspan="{b - a}" class="c">{escape_html(name)}</th>'
        if name
        else f'<td colspan="{b - a}"></td>'
        for name, a, b in spans
    )
    top = f'<tr class="over">{over}</tr>' if any(name for name, _, _ in spans) else ""
    body = "".join(_html_row(table, i, row) for i, row in enumerate(table.texts()))
    caption = f"<caption>{escape_html(table.title)}</caption>" if table.title else ""
    notes = "".join(f'<p class="note">{escape_html(note)}</p>' for note in table.notes)
    return f"<table>{caption}<thead>{top}<tr>{head}</tr></thead><tbody>{body}</tbody></table>{notes}"


def _html_row(table: Table, i: int, row: list[str]) -> str:
    cells = []
    for j, (text, column) in enumerate(zip(row, table.columns, strict=True)):
        shown = escape_html(typographic(text) if column.format != "text" else text)
        shown = f"<strong>{shown}</strong>" if shown and table.strong(i, j) else shown
        tag, scope = ("th", ' scope="row"') if j == 0 else ("td", "")
        cells.append(f'<{tag}{scope} class="{column.alignment[0]}">{shown}</{tag}>')
    rule = ' class="rule"' if i in table.rules else ""
    return f"<tr{rule}>{''.join(cells)}</tr>"


def typographic(number: str) -> str:
    """A number with a true minus sign."""
    return number.replace("-", "−", 1) if number[:1] == "-" else number
