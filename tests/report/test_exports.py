"""Tables in the forms of other programs: no cell text breaks the structure, and a file is whole or not there."""

from __future__ import annotations

import csv
import io
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mixsem as mx
from mixsem.errors import OutputError
from mixsem.report import Cell, Column, Table
from mixsem.report.document import Listing, Prose, Summary
from mixsem.report.values import one_line

TABLE = Table(
    "Fit & more",
    (
        Column("name", "Model"),
        Column("chisq", "χ²", "decimal2", group="Test"),
        Column("p", "p", "p", group="Test"),
        Column("bic", "BIC", "decimal1", subscript="G"),
    ),
    (("a_b × 50%", -1234.567, 0.00001, Cell(1 / 3, strong=True)), ("=SUM(A1)", None, float("nan"), True)),
    notes=("First.", "Second: 5 < 6."),
    rules=(1,),
)


class Look(HTMLParser):
    """Texts of cells, and the tags that have no style of their own."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.open: list[str] = []
        self.bare: list[str] = []
        self.attributes: set[str] = set()
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag in ("td", "th", "table", "p") and "style" not in dict(attrs):
            self.bare.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data


def latex_cells(line: str) -> list[str]:
    """The cells of a row of a LaTeX table: cut at ampersands that are not escaped."""
    assert line.endswith(r" \\")
    return [cell.strip() for cell in re.split(r"(?<!\\)(?:\\\\)*&", line.removesuffix(r" \\"))]


def balanced(text: str) -> bool:
    """Whether braces open and close, escaped ones left aside, and dollar signs come in pairs."""
    plain = re.sub(r"\\.", "", text)
    depth = 0
    for c in plain:
        depth += (c == "{") - (c == "}")
        if depth < 0:
            return False
    return depth == 0 and plain.count("$") % 2 == 0


def test_csv_has_the_values_unrounded_and_no_formulas() -> None:
    rows = list(csv.reader(io.StringIO(TABLE.to_csv())))
    assert rows[0] == ["name", "chisq", "p", "bic"]
    assert rows[1] == ["a_b × 50%", "-1234.567", "1e-05", repr(1 / 3)]
    assert rows[2] == ["'=SUM(A1)", "", "", "yes"], "a spreadsheet shows it instead of computing it"
    frame = pd.read_csv(io.StringIO(TABLE.to_csv()))
    assert frame.loc[0, "chisq"] == -1234.567 and np.isnan(frame.loc[1, "p"])


def test_csv_tells_apart_what_stands_under_several_headings() -> None:
    columns = (Column("c", "C"), Column("e", "Est", group="Mixed"), Column("e", "Est", group="GEE"))
    assert Table("T", columns, (("x", 1.0, 2.0),)).to_csv() == "c,Mixed: e,GEE: e\nx,1.0,2.0\n"


def test_word_carries_its_look_in_every_cell() -> None:
    look = Look(TABLE.to_word())
    assert look.bare == [] and "class" not in look.attributes and "id" not in look.attributes
    assert look.rows[1:] == [
        ["Model", "χ²", "p", "BICG"],
        ["a_b × 50%", "−1,234.57", "<0.001", "0.3"],
        ["=SUM(A1)", "", "", "yes"],
    ]
    word = TABLE.to_word()
    assert "Fit &amp; more" in word and "<i>Note.</i> First." in word and "Second: 5 &lt; 6." in word
    # Three lines: above and below the headings, and at the end.
    cells = re.findall(r'<t[hd][^>]*style="([^"]*)"', word)
    assert sum("border-top:1.5pt" in style for style in cells) == 3, "the three spans of the first row"
    assert sum("border-bottom:1.5pt" in style for style in cells) == 4, "the cells of the last row"


def test_latex_has_signs_as_mathematics_and_a_label() -> None:
    text = TABLE.to_latex("tab:fit")
    assert r"\label{tab:fit}" in text and r"\caption{Fit \& more}" in text
    assert r"a\_b $\times$ 50\%" in text and r"$\chi$\textsuperscript{2}" in text
    assert balanced(text)


@given(st.lists(st.text(max_size=25), min_size=4, max_size=4))
def test_no_text_breaks_the_structure(texts: list[str]) -> None:
    title, heading, cell, note = texts
    columns = (Column("a", heading, group=title), Column("b", "B"), Column("c", "C", "decimal2"))
    table = Table(title, columns, ((cell, heading, 0.5), (heading, cell, Cell(-1, strong=True))), (note,))
    rows = list(csv.reader(io.StringIO(table.to_csv())))
    assert [len(row) for row in rows] == [3, 3, 3]
    assert rows[1][0].removeprefix("'") == one_line(cell).removeprefix("'")
    assert not any(field.startswith(("=", "+", "@")) for row in rows for field in row)
    look = Look(table.to_word())
    assert [row[0].strip() for row in look.rows[-2:]] == [one_line(cell), one_line(heading)]
    latex = table.to_latex()
    assert balanced(latex)
    body = [line for line in latex.splitlines() if line.endswith(r" \\") and "multicolumn" not in line]
    assert [len(latex_cells(line)) for line in body] == [3, 3, 3]
    assert not any(line.startswith(("[", "*")) for line in body), "these would be options of the line before"
    markdown = [line for line in table.to_markdown().splitlines() if line.startswith("|")]
    assert [len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) for line in markdown] == [4] * 4


@pytest.mark.parametrize("suffix", [".tex", ".md", ".csv", ".txt", ".html", ".doc", ".HTML"])
def test_a_table_is_saved_by_its_suffix(suffix: str, tmp_path: Path) -> None:
    path = TABLE.save(tmp_path / f"table{suffix}")
    forms = {".tex": TABLE.to_latex, ".md": TABLE.to_markdown, ".csv": TABLE.to_csv, ".txt": TABLE.to_text}
    text = path.read_text(encoding="utf-8")
    assert forms.get(suffix, TABLE.to_word)() in text
    assert text.startswith("<!DOCTYPE html>") == (suffix.lower() in (".html", ".doc"))
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("name", ["table.xlsx", "table", "no folder/table.csv"])
def test_what_cannot_be_written_changes_nothing(name: str, tmp_path: Path) -> None:
    with pytest.raises(OutputError) as caught:
        TABLE.save(tmp_path / name)
    if "folder" not in name:
        assert ".tex, .md, .csv, .txt, .html, .doc" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_summary_is_saved_too(tmp_path: Path) -> None:
    summary = Summary(
        "All of it", (TABLE, Listing("What", (("a_b", "5 & 6"),)), Prose("", ("One [x].", "Two."), bullets=True))
    )
    assert summary.tables == (TABLE,)
    latex = summary.save(tmp_path / "all.tex").read_text(encoding="utf-8")
    assert balanced(latex) and r"\item[{a\_b}] 5 \& 6" in latex and TABLE.to_latex() in latex
    markdown = summary.save(tmp_path / "all.md").read_text(encoding="utf-8")
    assert markdown.startswith("## All of it\n") and r"- **a\_b**: 5 & 6" in markdown and r"- One \[x\]." in markdown
    page = summary.save(tmp_path / "all.html").read_text(encoding="utf-8")
    assert "class=" not in page and TABLE.to_word() in page
    with pytest.raises(OutputError, match=r"all\.csv"):
        summary.save(tmp_path / "all.csv")


def test_latex_compiles(tmp_path: Path) -> None:
    program = next(filter(None, map(shutil.which, ("tectonic", "pdflatex"))), None)
    if program is None:
        pytest.skip("neither tectonic nor pdflatex is on this machine")
    fit = mx.lmer("Reaction ~ Days + (Days | Subject)", mx.data.sleepstudy())
    body = TABLE.to_latex("tab:fit") + mx.summary(fit).to_latex() + mx.methods_text(fit).to_latex()
    document = rf"\documentclass{{article}}\usepackage[T1]{{fontenc}}\usepackage{{booktabs}}\begin{{document}}{body}"
    (tmp_path / "all.tex").write_text(document + r"\end{document}", encoding="utf-8")
    options = [] if program.endswith("tectonic") else ["-interaction=nonstopmode", "-halt-on-error"]
    subprocess.run([program, *options, "all.tex"], cwd=tmp_path, check=True, capture_output=True, timeout=120)
    assert (tmp_path / "all.pdf").read_bytes().startswith(b"%PDF")
