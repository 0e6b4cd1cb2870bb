"""Every block of Python in the README and the documentation runs, page by page, in an empty folder."""

from __future__ import annotations

import importlib.util
import re
import warnings
from pathlib import Path
from types import ModuleType

import pytest

from mixsem import errors

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    path
    for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    if "```python" in path.read_text(encoding="utf-8")
)


def blocks(page: Path) -> list[str]:
    """The Python blocks of a page, indented ones included."""
    found = re.findall(r"^( *)```python\n(.*?)^\1```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return [re.sub(rf"^{indent}", "", code, flags=re.MULTILINE) for indent, code in found]


def notebooks() -> ModuleType:
    """What turns pages into notebooks; a script of the documentation, not of the package."""
    spec = importlib.util.spec_from_file_location("notebooks", ROOT / "docs" / "hooks" / "notebooks.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


NOTEBOOKS = notebooks()


def test_there_are_pages():
    assert {"README.md", "tutorial-clusters.md"} <= {page.name for page in PAGES}


def test_every_warning_is_explained():
    text = (ROOT / "docs" / "warnings.md").read_text(encoding="utf-8")
    categories = {c.__name__ for c in errors.MixsemWarning.__subclasses__()}
    assert categories == set(re.findall(r"^\| `(\w+)`", text, re.MULTILINE))


@pytest.mark.parametrize("page", NOTEBOOKS.PAGES)
def test_notebook_is_the_page(page):
    """The cells of a notebook are its page's, and all of them were run: outputs cannot be stale."""
    assert NOTEBOOKS.same_cells(page), f"run docs/hooks/notebooks.py {page}"
    cells = [cell for cell in NOTEBOOKS.read(page)["cells"] if cell["cell_type"] == "code"]
    assert ["".join(cell["source"]) for cell in cells] == [code.rstrip("\n") for code in blocks(ROOT / "docs" / page)]
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [(cell, output) for cell in cells for output in cell["outputs"]]
    assert not [output for _, output in outputs if output["output_type"] == "error"]
    pictures = [cell for cell, output in outputs if "image/png" in output.get("data", {})]
    assert pictures and all(cell["metadata"]["figure"] for cell in pictures)


def test_notebook_of_another_page_is_noticed(tmp_path, monkeypatch):
    page = NOTEBOOKS.PAGES[0]
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    (tmp_path / page).write_text(text.replace("seed=1", "seed=2"), encoding="utf-8")
    monkeypatch.setattr(NOTEBOOKS, "DOCS", tmp_path)
    assert not NOTEBOOKS.same_cells(page)


def test_every_notebook_has_a_page():
    found = {path.name for path in (ROOT / "docs" / "gallery").glob("*.ipynb")}
    assert found == {NOTEBOOKS.notebook_path(page).name for page in NOTEBOOKS.PAGES}
    gallery = (ROOT / "docs" / "gallery.md").read_text(encoding="utf-8")
    assert found == set(re.findall(r"gallery/([\w-]+\.ipynb)", gallery))


#: Reports of checks rather than methods.
NO_METHOD = {"bayesian-checks.md"}


@pytest.mark.parametrize("page", sorted((ROOT / "docs" / "methods").glob("*.md")), ids=lambda page: page.name)
def test_every_method_has_limits(page):
    has_limits = re.search(r"^## Limits", page.read_text(encoding="utf-8"), re.MULTILINE) is not None
    assert has_limits != (page.name in NO_METHOD)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for code in blocks(page):
            exec(compile(code, str(page), "exec"), namespace)
