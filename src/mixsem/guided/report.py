"""The guided report as a result: it prints as text, shows itself in a notebook, and is a page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .. import __version__
from ..mixed.inference.ddf import is_generalised
from ..report.document import WIDTH, Listing, Prose, Summary
from ..report.page import Section, definitions, html_page, paragraph, table_box
from ..report.table import Table
from ..report.values import escape_html, one_line
from .figures import drawn, figure_plans
from .files import code_of, methods_of, write_files

if TYPE_CHECKING:
    import pandas as pd

    from ..report.mixed_results import MixedResults
    from .checks import Check
    from .part import Item, Part

__all__ = ["GuidedReport"]


@dataclass(frozen=True, eq=False, repr=False)
class GuidedReport:
    """What `guided_report` made of a fit; prints as text, and shows itself with its figures in a notebook.

    Attributes
    ----------
    results
        The fit with its tests and intervals.
    checks
        What was looked at, and with which verdict.
    parts
        The parts in order, each with tables, lists and sentences.
    title
        Its heading.
    source, command
        Where the data came from, and a command line that repeats the analysis; may be empty.
    """

    results: MixedResults
    checks: tuple[Check, ...]
    parts: tuple[Part, ...]
    title: str = ""
    source: str = ""
    command: str = ""

    @property
    def frame(self) -> pd.DataFrame:
        """The checks, a row each: name, verdict, text."""
        import pandas as pd

        rows = [(check.name, check.verdict, check.text) for check in self.checks]
        return pd.DataFrame(rows, columns=["name", "verdict", "text"])

    def to_pandas(self) -> pd.DataFrame:
        """As `frame`."""
        return self.frame

    def __getitem__(self, name: str) -> Part:
        """The part of this name, as in ``report["checks"]``."""
        for part in self.parts:
            if part.name == name:
                return part
        raise KeyError(f"{name!r}; the parts are {', '.join(part.name for part in self.parts)}")

    @property
    def heading(self) -> str:
        """The title, or what kind of model it is."""
        kind = "Generalised linear" if is_generalised(self.results.fit) else "Linear"
        return one_line(self.title) or f"{kind} mixed model of {self.results.fit.design.formula.response}"

    def to_text(self, width: int = WIDTH) -> str:
        """As plain text; figures are left out."""
        texts = [_underlined(self.heading, "=")]
        for part in self.parts:
            texts.append(_underlined(part.title, "-"))
            texts += [item.to_text(width) for item in part.items]
        texts.append("Figures are in the page that save(folder) writes, and in notebooks.")
        return "\n\n".join(texts)

    def to_html(self) -> str:
        """One page with its figures, which needs no network and no other file."""
        from ..report.sections import reproduction_section

        fit = self.results.fit
        numbers = [("rows", f"{fit.nobs:,}")]
        numbers += [(f"levels of {factor.name}", f"{factor.n_levels:,}") for factor in fit.design.factors]
        look = sum(check.verdict == "look" for check in self.checks)
        numbers.append(("checks to look into", str(look)))
        head = paragraph(fit.formula, "lead") + definitions(numbers, "key")
        sections = [Section(part.name, part.title, "".join(map(_html, part.items))) for part in self.parts]
        sections.append(Section("figures", "Figures", "".join(map(drawn, figure_plans(fit)))))
        reproduced = reproduction_section(self.code, self.command)
        methods, references = methods_of(self.results).sections()
        sections += [methods, *([] if reproduced is None else [reproduced]), references]
        return html_page(self.heading, head, sections, f"Made with mixsem {escape_html(__version__)}.")

    @property
    def code(self) -> str:
        """Python code that repeats the analysis."""
        lines = code_of(self.results, self.source).rstrip("\n")
        return f"{lines}\nprint(mx.guided_report(fit, data))\n"

    def save(self, folder: str | Path) -> dict[str, Path]:
        """Write the page and the tables to a folder: all files or none.

        Parameters
        ----------
        folder
            Where to write; made if needed.

        Returns
        -------
        dict
            Path of each file by its name: ``report.html``, ``fixed.csv``, ``random.csv``, ``varcorr.csv``,
            ``fit.json``.

        Raises
        ------
        OutputError
            If the folder cannot be written; then nothing has changed.
        """
        return write_files(self.results, folder, title=self.title, page=self.to_html())

    def __repr__(self) -> str:
        return self.to_text()

    def _repr_html_(self) -> str:
        from ..report.render import styled

        shown = [f"<h3>{escape_html(self.heading)}</h3>"]
        for part in self.parts:
            shown.append(Summary(part.title, part.items).to_html())
        return styled("".join([*shown, *map(drawn, figure_plans(self.results.fit))]))


def _underlined(title: str, mark: str) -> str:
    return f"{title}\n{mark * len(title)}"


def _html(item: Item) -> str:
    """A piece of a part in the page."""
    if isinstance(item, Table):
        return table_box(item)
    if isinstance(item, Listing):
        return definitions(item.entries, "notices" if item.stacked else "facts")
    return _prose(item)


def _prose(item: Prose) -> str:
    return "".join(paragraph(text) for text in item.paragraphs)
