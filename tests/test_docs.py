"""Every block of Python in the README and the documentation runs, page by page, in an empty folder."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

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


def test_there_are_pages():
    assert {"README.md", "tutorial-clusters.md"} <= {page.name for page in PAGES}


def test_every_warning_is_explained():
    text = (ROOT / "docs" / "warnings.md").read_text(encoding="utf-8")
    categories = {c.__name__ for c in errors.MixsemWarning.__subclasses__()}
    assert categories == set(re.findall(r"^\| `(\w+)`", text, re.MULTILINE))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for code in blocks(page):
            exec(compile(code, str(page), "exec"), namespace)
