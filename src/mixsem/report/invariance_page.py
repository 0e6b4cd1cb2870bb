"""The result files of an invariance test: tables, a figure and a page."""

from __future__ import annotations

from pathlib import Path

from .. import __version__
from ..measurement.invariance import InvarianceTest
from ..measurement.invariance_search import NonInvariance
from .document import Listing, Summary
from .folder import write_folder
from .invariance_words import search_summary, test_summary
from .methods.invariance import invariance_methods
from .names import INVARIANCE_FILES
from .page import Section, block, definitions, figure_html, html_page, paragraph, table_box
from .sections import reproduction_section, warning_section
from .svg import inline_svg, svg_document
from .table import Table
from .values import escape_html, plural
from .words import join

__all__ = ["save_invariance"]


def save_invariance(
    test: InvarianceTest,
    folder: str | Path,
    *,
    search: NonInvariance | None = None,
    title: str = "",
    source: str = "",
    command: str = "",
) -> dict[str, Path]:
    """Write the results of an invariance test to a folder: all files or none.

    ``report.html`` (self-contained), ``invariance.csv`` (one row per block and level), with a search
    ``noninvariance.csv`` (one row per parameter and group, before anything was freed), and ``invariance.svg`` (the heat
    map of deviations) if there are deviations to draw.

    Parameters
    ----------
    test
        The test.
    folder
        Where to write; made if needed.
    search
        The search for non-invariant items.
    title, source, command
        For the page: its title, where the data came from, the command line.

    Returns
    -------
    dict
        Path of each file by its name.

    Raises
    ------
    OutputError
        If the folder cannot be written; then nothing has changed.
    """
    contents = {"invariance.csv": test.to_pandas().to_csv(index=False, lineterminator="\n")}
    if search is not None:
        freed = {"".join(name.split()) for name in search.partial}
        cells = search.first.assign(freed=["".join(str(name).split()) in freed for name in search.first["parameter"]])
        contents["noninvariance.csv"] = cells.to_csv(index=False, lineterminator="\n")
    svg, inline = _figure(test, search)
    if svg:
        contents["invariance.svg"] = svg
    contents["report.html"] = _page(test, search, inline, title or "Measurement invariance", source, command)
    ordered = {name: contents[name].encode("utf-8", "replace") for name in INVARIANCE_FILES if name in contents}
    return dict(zip(ordered, write_folder(folder, ordered), strict=True))


def _figure(test: InvarianceTest, search: NonInvariance | None) -> tuple[str, str]:
    """The heat map as a file and as part of a page; empty if there is nothing to draw."""
    from ..plots.invariance import invariance

    levels = {level.level for level in test.levels}
    shown = test if {"configural", "metric"} <= levels else search
    if shown is None or (isinstance(shown, NonInvariance) and "loadings" not in shown.rules.kinds):
        return "", ""
    figure = invariance(shown)
    title = "Deviations of loadings by group and item"
    description = "Deviation of every group's loadings from the common ones, one row per group, one column per item."
    inline = inline_svg(figure, name="heat", title=title, description=description)
    return svg_document(figure, title=title, description=description), inline


def _page(test: InvarianceTest, search: NonInvariance | None, svg: str, title: str, source: str, command: str) -> str:
    levels = join(list(dict.fromkeys(step.level for step in test.levels)))
    lead = f"Measurement invariance of {plural(len(test.groups), 'group')}: {levels}."
    facts = [("groups", f"{len(test.groups):,}"), ("people", f"{test.nobs:,}"), ("estimator", test.estimator)]
    head = paragraph(lead, "lead") + definitions(facts, "key") + (paragraph(f"Data: {source}") if source else "")
    sections = [Section("levels", "Levels of invariance", _body(test_summary(test)))]
    if search is not None:
        body = _body(search_summary(search))
        body += paragraph("Model text for the next step:") + block(search.measurement)
        sections.append(Section("search", "Non-invariant items", body))
    if svg:
        caption = (
            "Blue is higher than common, orange lower, in standard deviations of the item per one of the factor. A dot"
            " marks a deviation that is significant after adjustment and larger than the threshold. Groups with the"
            " largest total deviation are on top."
        )
        sections.append(Section("deviations", "Deviations by group and item", figure_html(svg, caption)))
    sections.append(Section("model", "Measurement model", block(test.measurement)))
    notices = (*test.notices, *(search.notices if search is not None else ()))
    sections.append(warning_section(notices))
    methods, references = invariance_methods(test, search).sections()
    made = reproduction_section("", command)
    sections += [methods, *([made] if made is not None else []), references]
    return html_page(title, head, sections, f"Made with mixsem {escape_html(__version__)}.")


def _body(shown: Summary) -> str:
    """A summary as HTML; its warnings have a section of their own."""
    parts = [p for p in shown.parts if not (isinstance(p, Listing) and p.title == "Warnings")]
    return "".join(table_box(p) if isinstance(p, Table) else p.to_html() for p in parts)
