"""A methods section: paragraphs with what they cite, as text, Markdown and HTML."""

from __future__ import annotations

import platform
import textwrap
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from ... import __version__
from ..page import Section
from ..saving import save_as, word_document
from ..values import escape_html, escape_latex, escape_markdown, one_line
from .sources import Source, cited, resolved

__all__ = ["MethodsText", "software", "step"]

WIDTH = 100


@dataclass(frozen=True, repr=False)
class MethodsText:
    """How a result was obtained, in sentences that can stand in a methods section.

    Attributes
    ----------
    parts
        Pairs of a heading and its text, in order. The text marks what it cites as ``[@key]``.
    """

    parts: tuple[tuple[str, str], ...]

    @property
    def paragraphs(self) -> tuple[tuple[str, str], ...]:
        """Pairs of a heading and its text, with authors and years."""
        return tuple((heading, one_line(resolved(text))) for heading, text in self.parts)

    @property
    def sources(self) -> tuple[Source, ...]:
        """What is cited, by author."""
        return cited(text for _, text in self.parts)

    @property
    def references(self) -> tuple[str, ...]:
        """The list of references, with DOIs."""
        return tuple(source.reference for source in self.sources)

    def to_text(self, width: int = WIDTH) -> str:
        """As plain text: a paragraph per heading, then the references."""
        blocks = [f"{heading}. {text}" for heading, text in self.paragraphs]
        wrapped = [textwrap.fill(block, width, break_on_hyphens=False, break_long_words=False) for block in blocks]
        listed = [
            textwrap.fill(entry, width, subsequent_indent="    ", break_on_hyphens=False, break_long_words=False)
            for entry in self.references
        ]
        return "\n\n".join([*wrapped, "\n".join(["References", *listed])]) + "\n"

    def to_markdown(self) -> str:
        """As Markdown: headings in bold, references as a list."""
        blocks = [f"**{escape_markdown(heading)}.** {escape_markdown(text)}" for heading, text in self.paragraphs]
        listed = "\n".join(f"- {escape_markdown(source.text)} {source.link}".rstrip() for source in self.sources)
        return "\n\n".join([*blocks, f"**References**\n\n{listed}"]) + "\n"

    def to_latex(self) -> str:
        r"""As LaTeX: a ``\paragraph`` per heading, references as a list."""
        blocks = [f"\\paragraph{{{escape_latex(heading)}.}} {escape_latex(text)}" for heading, text in self.paragraphs]
        items = [f"\\item {escape_latex(entry)}" for entry in self.references]
        listed = "\n".join(["\\paragraph{References}", "\\begin{itemize}", *items, "\\end{itemize}"])
        return "\n\n".join([*blocks, listed]) + "\n"

    def to_html(self) -> str:
        """As paragraphs without styles; the references are left to `references_html`."""
        return "".join(
            f"<p><strong>{escape_html(heading)}.</strong> {escape_html(text)}</p>" for heading, text in self.paragraphs
        )

    def references_html(self) -> str:
        """The references as a list; a DOI is a link."""
        items = (
            f"<li>{escape_html(source.text)}" + (f' <a href="{source.link}">{source.link}</a>' * bool(source.doi))
            for source in self.sources
        )
        return f"<ul>{''.join(f'{item}</li>' for item in items)}</ul>"

    def sections(self) -> tuple[Section, Section]:
        """The methods and the references as sections of a report."""
        return (
            Section("methods", "Methods", self.to_html()),
            Section("references", "References", self.references_html()),
        )

    def save(self, path: str | Path) -> Path:
        """Write it to a file, whole or not at all.

        Parameters
        ----------
        path
            A name that ends in ``.txt``, ``.md``, ``.tex``, ``.html`` or ``.doc`` (a page that Word opens).

        Raises
        ------
        OutputError
            If the suffix is another one, or the file cannot be written.
        """

        def page() -> str:
            return word_document(
                "Methods", f"{self.to_html()}<p><strong>References</strong></p>{self.references_html()}"
            )

        forms = {".txt": self.to_text, ".md": self.to_markdown, ".tex": self.to_latex, ".html": page, ".doc": page}
        return save_as(path, forms)

    def __repr__(self) -> str:
        return self.to_text()

    def _repr_html_(self) -> str:
        from ..render import styled

        return styled(f"{self.to_html()}<h4>References</h4>{self.references_html()}")

    def _repr_markdown_(self) -> str:
        return self.to_markdown()


def software(*packages: str) -> str:
    """The sentence on the software: names and versions of what the numbers depend on."""
    named = [f"{name} {version(name)}" for name in ("numpy", "scipy", *packages)]
    python = ".".join(platform.python_version_tuple()[:2])
    return f"The analysis was done with mixsem {__version__} in Python {python} ({', '.join(named)})."


def step(*sentences: str) -> str:
    """Sentences as one text; empty ones are left out."""
    return " ".join(sentence for sentence in sentences if sentence)
