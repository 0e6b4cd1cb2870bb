"""Equations as MathML: written into the pages when the site is built, so that they need no script and no network."""

from __future__ import annotations

import html
import re

from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page

#: What pymdownx.arithmatex leaves of an equation, with its delimiters.
MARKED = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', re.DOTALL)

#: Space that TeX has around the names of functions, and MathML has not.
AFTER_NAME = re.compile(r"(?<=<mi>log</mi>)(?=<m(?!o))")
BEFORE_NAME = re.compile(r"(?<=</m[ni]>)(?=<mi>log</mi>)")


def on_page_content(content: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Replace every equation of a page."""
    return MARKED.sub(lambda found: _mathml(found[2], found[1] == "div", page.file.src_uri), content)


def _mathml(latex: str, display: bool, page: str) -> str:
    """One equation; an unknown command stops the build."""
    latex = html.unescape(latex).strip()
    mathml = convert(latex, display="block" if display else "inline")
    unknown = re.search(r"\\[a-zA-Z]+", mathml)
    if unknown:
        raise PluginError(f"{page}: {unknown[0]} has no MathML, in {latex}")
    for place in (AFTER_NAME, BEFORE_NAME):
        mathml = place.sub('<mspace width="0.17em"/>', mathml)
    return f'<div class="equation" tabindex="0">{mathml}</div>' if display else mathml
