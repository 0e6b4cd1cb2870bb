"""Figures as SVG with a title and a description: inside an HTML page, or as a file. Text stays text."""

from __future__ import annotations

import io
import re
import warnings
from collections import Counter
from typing import TYPE_CHECKING

from .values import escape_html

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["inline_svg", "svg_document"]

#: What matplotlib would set for the whole page, here for the picture only.
STYLE = "stroke-linejoin:round;stroke-linecap:butt;font-family:'DejaVu Sans',Verdana,Arial,Helvetica,sans-serif"

#: Resolution of what a figure draws as a picture because there is so much of it, in pixels per inch.
PIXELS = 160


def inline_svg(figure: Figure, *, name: str, title: str, description: str) -> str:
    """Turn a figure into SVG that can stand in an HTML page beside others.

    Text stays text: it can be searched, read aloud, and uses a font of the reader's machine.

    Parameters
    ----------
    figure
        The figure.
    name
        Prefix of the identifiers inside, unique in the page.
    title, description
        What it shows, for those who cannot see it.
    """
    width, height, body = _drawn(figure, name)
    # 1 pt is 4/3 px; the picture shrinks with the page but is never blown up.
    size = f"--wide:{width * 4 / 3:.0f}px;width:100%;max-width:var(--wide);height:auto;"
    return f"{_opened(width, height, size, name)}{_labels(name, title, description)}{body}"


def svg_document(figure: Figure, *, title: str, description: str) -> str:
    """Turn a figure into an SVG file of its own, labelled for screen readers.

    Parameters
    ----------
    figure
        The figure.
    title, description
        What it shows, for those who cannot see it.
    """
    name = "figure"
    width, height, body = _drawn(figure, name)
    head = _opened(width, height, "", name).replace("<svg ", f'<svg width="{width:g}pt" height="{height:g}pt" ', 1)
    declaration = '<?xml version="1.0" encoding="utf-8"?>'
    return f"{declaration}\n{head}{_labels(name, title, description)}{body}\n"


def _drawn(figure: Figure, name: str) -> tuple[float, float, str]:
    """Width and height in points, and what stands inside the SVG element up to its end."""
    from matplotlib import rc_context

    buffer = io.StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "mixsem"}), warnings.catch_warnings():
        # A font of this machine may lack a character that the reader's has.
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        figure.savefig(buffer, format="svg", dpi=PIXELS, metadata={"Date": None, "Creator": None})
    return _cut(buffer.getvalue(), name)


def _cut(document: str, name: str) -> tuple[float, float, str]:
    """Cut the SVG element out of its file, and make its identifiers unique."""
    element = document[document.index("<svg ") :]
    element = re.sub(r"<(metadata|style)\b.*?</\1>\s*", "", element, flags=re.DOTALL)
    element = re.sub(r' transform="rotate\(-0 [^"]*"|font-family: [^;"]*; ?', "", element)
    # Coordinates, which stand inside tags; numbers that are text stay what they are.
    element = re.sub(r"<[^>]*>", lambda tag: re.sub(r"(\d\.\d\d)\d+", r"\1", tag[0]), element)
    seen: Counter[str] = Counter()
    element = re.sub(r'\bid="([^"]+)"', lambda found: f'id="{name}-{_own(found[1], seen)}"', element)
    element = re.sub(r'(href="#|url\(#)', rf"\1{name}-", element)
    head, body = element.split(">", 1)
    width, height = (float(x) for x in re.findall(r'\b(?:width|height)="([\d.]+)pt"', head)[:2])
    return width, height, body


def _own(identifier: str, seen: Counter[str]) -> str:
    """An identifier that no other element has: panels of a figure name their parts alike."""
    seen[identifier] += 1
    return identifier if seen[identifier] == 1 else f"{identifier}-{seen[identifier]}"


def _opened(width: float, height: float, size: str, name: str) -> str:
    """The opening tag."""
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
        f' viewBox="0 0 {width:g} {height:g}" style="{size}{STYLE}" role="img"'
        f' aria-labelledby="{name}-title {name}-description">'
    )


def _labels(name: str, title: str, description: str) -> str:
    return (
        f'<title id="{name}-title">{escape_html(title)}</title>'
        f'<desc id="{name}-description">{escape_html(description)}</desc>'
    )
