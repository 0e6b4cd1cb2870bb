"""Pages as notebooks: cells are the page's text and blocks, outputs come from running them.

A page is the one source. `python docs/hooks/notebooks.py [PAGE ...]` runs pages and writes their notebooks to
`docs/gallery`; without arguments, those whose cells are no longer the page's. Where nothing but the text has changed,
outputs are kept. The site shows them beneath the blocks (`outputs.py`), and a test compares the cells.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent.parent
GALLERY = DOCS / "gallery"

#: Pages that are notebooks too.
PAGES = (
    "tutorial-clusters.md",
    "tutorial-invariance.md",
    "tutorial-approximate-invariance.md",
    "tutorial-sem.md",
    "tutorial-mixed-models.md",
    "tutorial-mixed-workflow.md",
    "tutorial-generalised.md",
)

BLOCK = re.compile(r"^```python\n(.*?)^```\n", re.DOTALL | re.MULTILINE)
#: `<!-- figure: what it shows -->` before a block describes its figure to those who cannot see it.
FIGURE = re.compile(r"^<!-- figure: (.*?) -->\n", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\((?!https?:|#)([^)]+)\)")

METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def notebook_path(page: str) -> Path:
    """Where the notebook of a page lies."""
    return GALLERY / Path(page).with_suffix(".ipynb").name


def cells(text: str) -> list[dict[str, Any]]:
    """The cells of a page, in the form of a notebook, without outputs."""
    found: list[dict[str, Any]] = []
    end = 0
    for block in BLOCK.finditer(text):
        before = text[end : block.start()]
        figure = FIGURE.search(before)
        metadata = {"figure": " ".join(figure[1].split())} if figure else {}
        _add_text(found, FIGURE.sub("", before))
        code = {"execution_count": None, "outputs": [], "source": block[1].rstrip("\n")}
        found.append({"cell_type": "code", "id": f"cell-{len(found)}", "metadata": metadata, **code})
        end = block.end()
    _add_text(found, text[end:])
    return found


def same_cells(page: str, kinds: tuple[str, ...] = ("code", "markdown")) -> bool:
    """Whether the notebook of a page has the page's cells."""
    if not notebook_path(page).exists():
        return False
    expected = cells((DOCS / page).read_text(encoding="utf-8"))
    return _contents(read(page)["cells"], kinds) == _contents(expected, kinds)


def _contents(found: list[dict[str, Any]], kinds: tuple[str, ...]) -> list[tuple[Any, ...]]:
    return [(c["cell_type"], c["metadata"], c["source"]) for c in found if c["cell_type"] in kinds]


def read(page: str) -> dict[str, Any]:
    """The notebook of a page."""
    return json.loads(notebook_path(page).read_text(encoding="utf-8"))


def build(page: str, *, run: bool = True) -> None:
    """Write the notebook of a page, with new outputs or those it has."""
    notebook = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": METADATA,
        "cells": cells((DOCS / page).read_text(encoding="utf-8")),
    }
    if run:
        notebook = _run(notebook)
    else:
        known = iter([cell for cell in read(page)["cells"] if cell["cell_type"] == "code"])
        for cell in notebook["cells"]:
            if cell["cell_type"] == "code":
                cell.update({key: value for key, value in next(known).items() if key in ("execution_count", "outputs")})
    text = json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True)
    notebook_path(page).write_text(text + "\n", encoding="utf-8")


def _run(notebook: dict[str, Any]) -> dict[str, Any]:
    """Run a notebook in a process of its own and an empty folder."""
    import tempfile

    import nbformat
    from nbclient import NotebookClient

    made = nbformat.from_dict(notebook)
    with tempfile.TemporaryDirectory() as folder:
        NotebookClient(made, timeout=600, record_timing=False, resources={"metadata": {"path": folder}}).execute()
    for cell in made["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"] = [_steady(output) for output in cell["outputs"]]
    made["metadata"] = METADATA
    return made


def _add_text(found: list[dict[str, Any]], text: str) -> None:
    """A cell of text whose links and equations work in a notebook beside the documentation."""
    text = LINK.sub(r"](../\1)", text.strip())
    text = text.replace(r"\[", "$$").replace(r"\]", "$$").replace(r"\(", "$").replace(r"\)", "$")
    if text:
        found.append({"cell_type": "markdown", "id": f"cell-{len(found)}", "metadata": {}, "source": text})


def _steady(output: dict[str, Any]) -> dict[str, Any]:
    """An output without what changes from run to run: the temporary file a warning comes from."""
    if output["output_type"] == "stream" and output["name"] == "stderr":
        output["text"] = re.sub(r"^/\S+:\d+: (.*\n)(?:  .*\n)?", r"\1", output["text"], flags=re.MULTILINE)
    return output


if __name__ == "__main__":
    for name in sys.argv[1:] or [page for page in PAGES if not same_cells(page)]:
        print(name, flush=True)
        build(name, run=name in sys.argv or not same_cells(name, ("code",)))
