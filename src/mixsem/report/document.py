"""A summary: tables, lists and sentences, shown as text on a console and as HTML in a notebook."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from pathlib import Path

from .render import WIDEST, split_columns, styled
from .saving import save_as, word_document
from .table import Table
from .values import escape_html, escape_latex, escape_markdown, one_line

__all__ = ["NO_BREAK", "Listing", "Prose", "Summary"]

WIDTH = 100
NO_BREAK = "\N{NO-BREAK SPACE}"


@dataclass(frozen=True, slots=True)
class Listing:
    """Terms and what there is to say about them.

    Attributes
    ----------
    title
        Heading; may be empty.
    entries
        Pairs of term and text.
    stacked
        Whether the text stands below its term; otherwise beside it.
    """

    title: str
    entries: tuple[tuple[str, str], ...]
    stacked: bool = False

    def to_text(self, width: int = WIDTH) -> str:
        """Terms at the left, texts wrapped beside or below them."""
        terms = [one_line(term) for term, _ in self.entries]
        indent = 4 if self.stacked else max((len(t) for t in terms), default=0) + 2
        lines = [self.title] if self.title else []
        for term, (_, text) in zip(terms, self.entries, strict=True):
            body = _wrapped(text, max(width - indent, 40))
            if self.stacked:
                lines.append(f"  {term}")
                lines += [" " * indent + line for line in body]
            else:
                lines += [(term if i == 0 else "").ljust(indent) + line for i, line in enumerate(body)]
        return "\n".join(line.rstrip() for line in lines)

    def to_html(self) -> str:
        """As a description list."""
        head = f"<h4>{escape_html(self.title)}</h4>" if self.title else ""
        pairs = (f"<dt>{escape_html(term)}</dt><dd>{escape_html(text)}</dd>" for term, text in self.entries)
        kind = "" if self.stacked else ' class="beside"'
        return f"{head}<dl{kind}>{''.join(pairs)}</dl>"

    def to_markdown(self) -> str:
        """As a list, terms in bold."""
        lines = (f"- **{_markdown(term)}**: {_markdown(text)}" for term, text in self.entries)
        return _titled(f"**{_markdown(self.title)}**" if self.title else "", "\n".join(lines))

    def to_latex(self) -> str:
        """As a description list."""
        items = "\n".join(rf"\item[{{{_latex(term)}}}] {_latex(text)}" for term, text in self.entries)
        body = f"\\begin{{description}}\n{items}\n\\end{{description}}" if self.entries else ""
        return _titled(rf"\paragraph{{{_latex(self.title)}}}" if self.title else "", body)

    def to_word(self) -> str:
        """As HTML without classes, for a word processor."""
        return self.to_html().replace(' class="beside"', "")


def _wrapped(text: str, width: int) -> list[str]:
    """Lines of a text; a no-break space (as inside a group's name) is no place to break."""
    clean = NO_BREAK.join(one_line(part) for part in text.split(NO_BREAK))
    lines = textwrap.wrap(clean, width, break_on_hyphens=False)
    return [line.replace(NO_BREAK, " ") for line in lines] or [""]


@dataclass(frozen=True, slots=True)
class Prose:
    """Sentences.

    Attributes
    ----------
    title
        Heading; may be empty.
    paragraphs
        One text each.
    bullets
        Whether they are a list of points.
    """

    title: str
    paragraphs: tuple[str, ...]
    bullets: bool = False

    def to_text(self, width: int = WIDTH) -> str:
        """Paragraphs, wrapped."""
        first, rest = ("- ", "  ") if self.bullets else ("", "")
        lines = [
            line
            for text in self.paragraphs
            for line in textwrap.wrap(one_line(text), width, initial_indent=first, subsequent_indent=rest)
        ]
        return "\n".join(([self.title] if self.title else []) + lines)

    def to_html(self) -> str:
        """As paragraphs or points."""
        head = f"<h4>{escape_html(self.title)}</h4>" if self.title else ""
        if self.bullets:
            return f"{head}<ul>{''.join(f'<li>{escape_html(text)}</li>' for text in self.paragraphs)}</ul>"
        return head + "".join(f"<p>{escape_html(text)}</p>" for text in self.paragraphs)

    def to_markdown(self) -> str:
        """As paragraphs or points."""
        texts = [f"- {_markdown(text)}" if self.bullets else _markdown(text) for text in self.paragraphs]
        body = ("\n" if self.bullets else "\n\n").join(texts)
        return _titled(f"**{_markdown(self.title)}**" if self.title else "", body)

    def to_latex(self) -> str:
        """As paragraphs or points."""
        head = rf"\paragraph{{{_latex(self.title)}}}" if self.title else ""
        if not self.bullets or not self.paragraphs:
            return _titled(head, "\n\n".join(map(_latex, self.paragraphs)))
        items = "\n".join(rf"\item {{}}{_latex(text)}" for text in self.paragraphs)
        return _titled(head, f"\\begin{{itemize}}\n{items}\n\\end{{itemize}}")

    def to_word(self) -> str:
        """As HTML without classes, for a word processor."""
        return self.to_html()


def _titled(title: str, body: str) -> str:
    return "\n\n".join(part for part in (title, body) if part)


def _markdown(text: str) -> str:
    return escape_markdown(one_line(text))


def _latex(text: str) -> str:
    return escape_latex(one_line(text))


@dataclass(frozen=True)
class Summary:
    """What a fit has to say, ready to print.

    Attributes
    ----------
    title
        Heading.
    parts
        Tables, lists and sentences, in order.
    """

    title: str
    parts: tuple[Table | Listing | Prose, ...]

    def to_text(self, width: int = WIDTH) -> str:
        """As plain text, about `width` characters wide."""
        return "\n\n".join([one_line(self.title), *(part.to_text(width) for part in self.parts)])

    def to_html(self) -> str:
        """As HTML without styles."""
        parts = (p for part in self.parts for p in (split_columns(part, WIDEST) if isinstance(part, Table) else [part]))
        body = "".join(part.to_html() for part in parts)
        return f"<h3>{escape_html(self.title)}</h3>{body}"

    @property
    def tables(self) -> tuple[Table, ...]:
        """Its tables, in order."""
        return tuple(part for part in self.parts if isinstance(part, Table))

    def to_markdown(self) -> str:
        """As Markdown."""
        return "\n\n".join([f"## {_markdown(self.title)}", *(part.to_markdown() for part in self.parts)]) + "\n"

    def to_latex(self) -> str:
        r"""As LaTeX; needs ``\usepackage{booktabs}``."""
        return "\n\n".join([rf"\section*{{{_latex(self.title)}}}", *(part.to_latex() for part in self.parts)]) + "\n"

    def to_word(self) -> str:
        """As HTML that keeps its look when it is pasted into a word processor."""
        return f"<h3>{escape_html(self.title)}</h3>{''.join(part.to_word() for part in self.parts)}"

    def save(self, path: str | Path) -> Path:
        """Write it to a file, whole or not at all; a file of this name is replaced.

        Parameters
        ----------
        path
            A name that ends in ``.tex``, ``.md``, ``.txt``, or ``.html`` or ``.doc`` (both hold a page with `to_word`).
            A summary has several tables: a ``.csv`` file is written by ``.tables[0].save("table.csv")``.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        OutputError
            If the suffix is another one, or the file cannot be written; then nothing has changed.
        """

        def page() -> str:
            return word_document(self.title, self.to_word())

        forms = {".tex": self.to_latex, ".md": self.to_markdown, ".txt": self.to_text}
        return save_as(path, {**forms, ".html": page, ".doc": page})

    def __repr__(self) -> str:
        return self.to_text()

    def _repr_html_(self) -> str:
        return styled(self.to_html())
