"""Figures inside an HTML page: inline SVG with a title and a description, and names of its own."""

from __future__ import annotations

import io
import re
import warnings
from typing import TYPE_CHECKING

from .values import escape_html

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["inline_svg"]

#: What matplotlib would set for the whole page, here for the picture only.
STYLE = "stroke-linejoin:round;stroke-linecap:butt;font-family:'DejaVu Sans',Verdana,Arial,Helvetica,sans-serif"


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
    from matplotlib import rc_context

    buffer = io.StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "mixsem"}), warnings.catch_warnings():
        # A font of this machine may lack a character that the reader's has.
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return _embedded(buffer.getvalue(), name, title, description)


def _embedded(document: str, name: str, title: str, description: str) -> str:
    """Cut the SVG element out of its file, make its identifiers unique, and label it."""
    element = document[document.index("<svg ") :]
    element = re.sub(r"<(metadata|style)\b.*?</\1>\s*", "", element, flags=re.DOTALL)
    element = re.sub(r' transform="rotate\(-0 [^"]*"|font-family: [^;"]*; ?', "", element)
    # Coordinates, which stand inside tags; numbers that are text stay what they are.
    element = re.sub(r"<[^>]*>", lambda tag: re.sub(r"(\d\.\d\d)\d+", r"\1", tag[0]), element)
    element = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', element)
    element = re.sub(r'(href="#|url\(#)', rf"\1{name}-", element)
    head, body = element.split(">", 1)
    width, height = (float(x) for x in re.findall(r'\b(?:width|height)="([\d.]+)pt"', head)[:2])
    view = f"0 0 {width:g} {height:g}"
    labels = (
        f'<title id="{name}-title">{escape_html(title)}</title>'
        f'<desc id="{name}-description">{escape_html(description)}</desc>'
    )
    # 1 pt is 4/3 px; the picture shrinks with the page but is never blown up.
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="{view}"'
        f' style="width:100%;max-width:{width * 4 / 3:.0f}px;height:auto;{STYLE}" role="img"'
        f' aria-labelledby="{name}-title {name}-description">{labels}{body}'
    )
