"""Beneath the blocks of a page that is a notebook too, the site shows what they print and draw."""

from __future__ import annotations

import base64
import html
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from mkdocs.utils import get_relative_url
from notebooks import BLOCK, PAGES, notebook_path, read, same_cells

DOWNLOAD = '\n[:material-download: This page as a notebook, with its outputs](gallery/{name}){{ download="{name}" }}\n'


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the figures of the notebooks as files of the site."""
    for page in PAGES:
        if not same_cells(page, ("code",)):
            raise PluginError(f"{notebook_path(page).name} is not {page} any more: run docs/hooks/notebooks.py")
        for name, picture, _ in figures(page):
            files.append(File.generated(config, name, content=picture))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Mark where outputs go, and offer the notebook below the title."""
    source = page.file.src_uri
    if source not in PAGES:
        return markdown
    numbers = iter(range(markdown.count("```python")))
    marked = BLOCK.sub(lambda block: f'{block[0]}\n<div data-output="{next(numbers)}"></div>\n', markdown)
    title, rest = marked.split("\n", 1)
    return title + "\n" + DOWNLOAD.format(name=notebook_path(source).name) + rest


def on_page_content(content: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Put the outputs where the marks are."""
    source = page.file.src_uri
    if source not in PAGES:
        return content
    shown = [_cell(cell, page.url) for cell in _with_pictures(source)]
    return re.sub(r'<div data-output="(\d+)"></div>', lambda mark: shown[int(mark[1])], content)


def figures(page: str) -> list[tuple[str, bytes, str]]:
    """Name, PNG and description of every figure of a page."""
    return [
        (output["picture"], base64.b64decode(output["data"]["image/png"]), output["describes"])
        for cell in _with_pictures(page)
        for output in cell["outputs"]
        if "picture" in output
    ]


def _with_pictures(page: str) -> list[dict[str, Any]]:
    """The code cells of a page's notebook; outputs that are figures know their file and description."""
    found = [cell for cell in read(page)["cells"] if cell["cell_type"] == "code"]
    n = 0
    for cell in found:
        for output in cell["outputs"]:
            if "image/png" in output.get("data", {}):
                n += 1
                output["picture"] = f"gallery/{Path(page).stem}-{n}.png"
                output["describes"] = cell["metadata"].get("figure", "")
                if not output["describes"]:
                    raise PluginError(f"{page}: say what figure {n} shows, <!-- figure: ... --> before its block")
    return found


def _cell(cell: dict[str, Any], url: str) -> str:
    """All outputs of a cell as HTML."""
    return "\n".join(_output(output, url) for output in cell["outputs"])


def _output(output: dict[str, Any], url: str) -> str:
    """One output as HTML: a figure, a table or text."""
    data = output.get("data", {})
    if "picture" in output:
        source = get_relative_url(output["picture"], url)
        width = output["metadata"].get("image/png", {}).get("width", "")
        return f'<p class="output"><img src="{source}" alt="{html.escape(output["describes"])}" width="{width}"></p>'
    if "text/html" in data:
        return f'<div class="output" tabindex="0">{data["text/html"]}</div>'
    text = data.get("text/plain", output.get("text", ""))
    kind = "output warning" if output.get("name") == "stderr" else "output"
    return f'<pre class="{kind}" tabindex="0">{html.escape(text)}</pre>'
