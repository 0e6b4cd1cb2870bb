"""One table, five outputs that hold the same values, whatever the labels contain."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixsem.errors import OptionError
from mixsem.report import Cell, Column, Table
from mixsem.report.render import split_columns
from mixsem.report.values import display_width, format_value, one_line

TABLE = Table(
    "Fit of all",
    (
        Column("name", "Model"),
        Column("k", "Clusters", "integer"),
        Column("bic", "BIC", "decimal2", subscript="G", group="Criteria"),
        Column("p", "p", "p", group="Criteria"),
    ),
    (
        ("small", 1, -1234.567, 0.00001),
        ("50% & more_of_it", 12345, Cell(float("inf"), strong=True), None),
        ("last", Cell(0.25, "decimal3"), float("nan"), 0.5),
    ),
    notes=("A note & no more.",),
    rules=(2,),
)


class Cells(HTMLParser):
    """The texts of the cells of a table, row by row, and the tags that are open."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data


def cells(html: str) -> list[list[str]]:
    parser = Cells()
    parser.feed(html)
    assert parser.open == []
    return parser.rows


@pytest.mark.parametrize(
    ("value", "form", "text"),
    [
        (1234567, "integer", "1,234,567"),
        (np.int64(7), "integer", "7"),
        (2.5, "integer", "2"),
        (-0.0001, "decimal3", "0.000"),
        (-1234.5, "decimal1", "-1,234.5"),
        (np.float64(0.12345), "decimal2", "0.12"),
        (0.0009, "p", "<0.001"),
        (0.001, "p", "0.001"),
        (1.0, "p", "1.000"),
        (float("inf"), "decimal2", "∞"),
        (float("-inf"), "integer", "-∞"),
        (float("nan"), "decimal2", ""),
        (None, "text", ""),
        (pd.NA, "decimal2", ""),
        (True, "decimal2", "yes"),
        (np.bool_(False), "text", "no"),
        ("a\tb\n\x1b[31mc", "text", "a b [31mc"),
        ("12", "decimal2", "12"),
        (("a", 1), "text", "('a', 1)"),
    ],
)
def test_values_as_text(value: object, form: str, text: str) -> None:
    assert format_value(value, form) == text  # type: ignore[arg-type]


def test_text_is_aligned() -> None:
    assert str(TABLE).splitlines() == [
        "Fit of all",
        "----------------------------------------------",
        "                                 Criteria",
        "Model             Clusters      BIC_G        p",
        "----------------------------------------------",
        "small                    1  -1,234.57   <0.001",
        "50% & more_of_it    12,345          ∞*",
        "----------------------------------------------",
        "last                 0.250               0.500",
        "----------------------------------------------",
        "A note & no more.",
    ]


def test_wide_characters_take_two_columns() -> None:
    table = Table(
        "", (Column("a", "Group"), Column("b", "n", "integer")), (("日本国", 1), ("Chile", 22), ("e\u0301t", 3))
    )
    widths = {display_width(line) for line in table.to_text().splitlines()}
    assert len(widths) == 1


def test_too_wide_text_is_set_in_panels() -> None:
    columns = [Column("k", "K", "integer")]
    columns += [Column(f"{g}{i}", f"column {i}", "decimal2", group=g) for g in ("first", "second") for i in range(5)]
    table = Table("Wide", tuple(columns), ((3, *(i + 0.25 for i in range(10))),))
    assert all(display_width(line) <= 60 for line in table.to_text(60).splitlines())
    assert table.to_text(60).count("  first") == 1
    for value in range(10):
        assert f"{value}.25" in table.to_text(60)
    assert sum(line.startswith("3 ") for line in table.to_text(60).splitlines()) == 2
    assert [len(part.columns) for part in split_columns(table, 60)] == [6, 6]
    assert split_columns(table, 200) == [table]


def test_pandas_has_the_values_as_they_are() -> None:
    frame = TABLE.to_pandas()
    assert list(frame.columns) == ["name", "k", "bic", "p"]
    assert frame.loc[0, "bic"] == -1234.567
    assert frame.loc[2, "k"] == 0.25
    assert np.isinf(frame.loc[1, "bic"])


def test_html_has_the_values_and_headings() -> None:
    assert cells(TABLE.to_html()) == [
        ["", "Criteria"],
        ["Model", "Clusters", "BICG", "p"],
        ["small", "1", "−1,234.57", "<0.001"],
        ["50% & more_of_it", "12,345", "∞", ""],
        ["last", "0.250", "", "0.500"],
    ]
    assert "<strong>∞</strong>" in TABLE.to_html()
    assert TABLE.to_html().count('scope="row"') == 3
    assert TABLE._repr_html_().count("<table>") == 1


def test_markdown_has_as_many_cells_in_every_row() -> None:
    table = Table(
        "", (Column("a", "A|B"), Column("b", "n", "integer")), (("x | y", 1), ("`z` <b>", Cell(2, strong=True)))
    )
    lines = table.to_markdown().splitlines()
    assert lines == [r"| A\|B | n |", "| :-- | --: |", r"| x \| y | 1 |", r"| \`z\` \<b\> | **2** |"]


def test_latex_escapes_and_rules() -> None:
    lines = TABLE.to_latex().splitlines()
    assert r"50\% \& more\_of\_it & 12,345 & \textbf{$\infty$} &  \\" in lines
    assert r"small & 1 & $-$1,234.57 & $<$0.001 \\" in lines
    assert r"Model & Clusters & BIC\textsubscript{G} & p \\" in lines
    assert r"\cmidrule(lr){3-4}" in lines
    assert [line for line in lines if line.endswith("rule")] == [r"\toprule", r"\midrule", r"\midrule", r"\bottomrule"]


def test_a_row_of_another_length_is_refused() -> None:
    with pytest.raises(OptionError, match="row 1 of the table 'T' has 1 values"):
        Table("T", (Column("a", "A"), Column("b", "B")), ((1, 2), (3,)))


@given(st.text(max_size=30), st.text(max_size=30))
def test_no_label_breaks_out(heading: str, label: str) -> None:
    table = Table(
        heading, (Column("a", heading), Column("b", "B", "decimal2")), ((label, 0.5), (label, Cell(1, strong=True)))
    )
    assert [row[0].strip() for row in cells(table.to_html())] == [one_line(t) for t in (heading, label, label)]
    body = [line for line in table.to_markdown().splitlines() if line.startswith("|")]
    assert [len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) for line in body] == [3, 3, 3, 3]
    assert len(table.to_text().splitlines()) == 6 + bool(one_line(heading))
