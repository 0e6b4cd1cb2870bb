r"""Tables in LaTeX, with the rules of booktabs."""

from __future__ import annotations

from .render import heading_spans, typographic
from .table import Column, Table
from .values import escape_latex, one_line

__all__ = ["table_latex"]


def table_latex(table: Table, label: str = "") -> str:
    """LaTeX with the rules of booktabs."""
    columns = list(table.columns)
    letters = "".join(c.alignment[0] for c in columns)
    lines = [r"\begin{table}", r"\centering"]
    lines += [rf"\caption{{{escape_latex(one_line(table.title))}}}"] if table.title else []
    lines += [rf"\label{{{label}}}"] if label else []
    lines += [rf"\begin{{tabular}}{{{letters}}}", r"\toprule"]
    spans = list(heading_spans(columns))
    if any(name for name, _, _ in spans):
        lines.append(_latex_row([rf"\multicolumn{{{b - a}}}{{c}}{{{escape_latex(n)}}}" for n, a, b in spans]))
        lines += [rf"\cmidrule(lr){{{a + 1}-{b}}}" for name, a, b in spans if name]
    lines += [_latex_row([_latex_heading(c) for c in columns]), r"\midrule"]
    for i, row in enumerate(table.texts()):
        if i in table.rules:
            lines.append(r"\midrule")
        lines.append(_latex_row([_latex_cell(table, i, j, text) for j, text in enumerate(row)]))
    lines += [r"\bottomrule", r"\end{tabular}"]
    lines += [rf"\par\smallskip\footnotesize {escape_latex(one_line(note))}" for note in table.notes]
    return "\n".join([*lines, r"\end{table}"])


def _latex_heading(column: Column) -> str:
    below = rf"\textsubscript{{{escape_latex(one_line(column.subscript))}}}" if column.subscript else ""
    return escape_latex(one_line(column.label)) + below


def _latex_cell(table: Table, i: int, j: int, text: str) -> str:
    shown = escape_latex(typographic(text) if table.columns[j].format != "text" else text)
    return rf"\textbf{{{shown}}}" if shown and table.strong(i, j) else shown


def _latex_row(cells: list[str]) -> str:
    """A row; a bracket or an asterisk at its begin would be taken for an option of the line before."""
    guard = "{}" if cells[0].startswith(("[", "*")) else ""
    return guard + " & ".join(cells) + r" \\"
