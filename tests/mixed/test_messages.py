"""Every message has a page, in the package and in the documentation, with advice in one order."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import mixsem as mx
from mixsem.cli import main
from mixsem.errors import BoundaryWarning, MixsemWarning, Notice, OptionError
from mixsem.mixed.audit.findings import STEPS
from mixsem.mixed.audit.messages import message_pages

DOCS = Path(__file__).parents[2] / "docs" / "messages"
PAGES = message_pages()
CATEGORIES = {c.identifier: c.__name__ for c in MixsemWarning.__subclasses__()}


def test_every_warning_has_a_page_that_names_it():
    assert set(CATEGORIES) <= set(PAGES)
    for identifier, name in CATEGORIES.items():
        assert f"Category: `{name}`." in PAGES[identifier].text


@pytest.mark.parametrize("identifier", PAGES)
def test_the_documentation_has_the_same_page(identifier):
    """The text in the package is the source: copy it to docs/messages after a change."""
    page = PAGES[identifier]
    assert (DOCS / f"{identifier.lower()}.md").read_text(encoding="utf-8") == page.text
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    category = f"`{CATEGORIES[identifier]}`" if identifier in CATEGORIES else ""
    assert f"| [{identifier}]({identifier.lower()}.md) | {page.title} | {category} |" in index


def test_the_documentation_has_no_other_page():
    assert {path.stem.upper() for path in DOCS.glob("*.md")} == {*PAGES, "INDEX"}


@pytest.mark.parametrize("identifier", [i for i in PAGES if i.startswith("MX1")])
def test_pages_say_what_where_why_and_what_to_do_in_order(identifier):
    text = PAGES[identifier].text
    heads = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert heads[:4] == ["What", "Where", "Why, most likely first", "What to do, in this order"]
    steps = [step.lower() for step in re.findall(r"^\d+\. \*\*(.*?)\*\*: ", text, re.MULTILINE)]
    places = [STEPS.index(step) for step in steps]
    assert places and places == sorted(set(places))


def test_the_word_singular_is_found():
    assert [i for i, page in PAGES.items() if "singular fit" in page.text] == ["MX101"]


def test_explain_takes_what_a_user_has():
    page = PAGES["MX101"]
    given = ["MX101", "mx101", "[MX101]", BoundaryWarning, Notice(BoundaryWarning, "")]
    assert all(mx.explain(message) is page for message in given)
    assert repr(page).startswith("# MX101: boundary fit (singular fit)")
    assert "](" not in repr(mx.explain("MX104")) and "MX125" in repr(mx.explain("MX104"))
    with pytest.raises(OptionError, match="did you mean 'MX101'"):
        mx.explain("MX1011")


def test_the_command_line_explains(capsys):
    assert main(["explain", "mx101"]) == 0
    assert capsys.readouterr().out.startswith("# MX101: boundary fit")
    assert main(["explain", "MX1"]) == 2
    assert "no message 'MX1'" in capsys.readouterr().err
    assert main(["explain"]) == 2
    assert "such as MX101" in capsys.readouterr().err


def test_functions_that_pages_name_exist():
    """What a page tells to call is there."""
    named = {name for page in PAGES.values() for name in re.findall(r"`(\w+)\((?:fit|formula)", page.text)}
    assert len(named) > 5
    assert {name for name in named if not hasattr(mx, name)} == set()


def test_notes_name_their_pages():
    """Notes that are no warnings have a page too, and say which."""
    rng = np.random.default_rng(1)
    group = np.repeat(np.arange(60), 4)
    y = (rng.random(240) < 1 / (1 + np.exp(-2.0 * rng.normal(size=60)[group]))).astype(int)
    binary = mx.glmer("y ~ 1 + (1 | g)", {"y": y, "g": group}, family="binomial")
    penalised = mx.lmer("Reaction ~ Days + (1 | Subject)", mx.data.sleepstudy(), penalty="wishart")
    robust = mx.cluster_robust("Reaction ~ Days", mx.data.sleepstudy(), cluster="Subject")
    for shown, identifier in ((binary, "MX142"), (robust, "MX143"), (penalised, "MX144")):
        assert f"[{identifier}]" in repr(shown)
        assert identifier in PAGES
