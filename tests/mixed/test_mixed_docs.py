"""Tables in the documentation name functions that exist, and what they rest on outside of the package holds."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import mixsem as mx

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = ("for_r_users.md", "mixed-capabilities.md", "tutorial-mixed-workflow.md", "how-to-marginaleffects.md")
N_CAPABILITIES = 51
#: Predictions are sums of products in another order.
ROUNDING = 1e-12


def named(page: str) -> list[str]:
    """What stands after ``mx.`` on a page."""
    return re.findall(r"\bmx\.([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)", (DOCS / page).read_text(encoding="utf-8"))


def exists(dotted: str) -> bool:
    found: object = mx
    for part in dotted.split("."):
        if not hasattr(found, part):
            return False
        found = getattr(found, part)
    return True


@pytest.mark.parametrize("page", PAGES)
def test_every_name_exists(page: str) -> None:
    names = named(page)
    assert names and [name for name in dict.fromkeys(names) if not exists(name)] == []


def test_a_name_that_is_missing_is_seen() -> None:
    assert exists("plots.icc") and not exists("plots.moon") and not exists("moon")


def test_the_table_of_capabilities_is_whole() -> None:
    rows = re.findall(r"^\| (\d+) \| (.+?) \| (.+?) \| (.+?) \|$", (DOCS / "mixed-capabilities.md").read_text(), re.M)
    assert [int(number) for number, *_ in rows] == list(range(1, N_CAPABILITIES + 1))
    for number, _, function, page in rows:
        assert re.fullmatch(r"`(mx|fit)\.[\w.]+`(, `(mx|fit)\.[\w.]+`)*", function), number
        assert all(hasattr(mx.MixedFit, name) for name in re.findall(r"`fit\.(\w+)`", function)), number
        link = re.fullmatch(r"\[[^]]+\]\(([^)#]+)(#[^)]+)?\)", page)
        assert link, number
        explained = (DOCS / link[1]).read_text(encoding="utf-8")
        for name in re.findall(r"(\w+)`", function):
            assert re.search(rf"\b{name}\b", explained), (number, name)


def test_every_public_name_has_its_reference() -> None:
    reference = (DOCS / "api.md").read_text(encoding="utf-8")
    homes = {name: home for name, home in mx._HOME.items() if home.startswith(("mixed", "guided"))}
    whole = re.findall(r"^::: mixsem\.([\w.]+)$\n\n", reference, re.MULTILINE)  # modules with all that is in them
    missing = [n for n, home in homes.items() if home not in whole and not re.search(rf"\b{n}\b", reference)]
    assert len(homes) > 50 and missing == []


def test_names_of_modules_are_none_of_the_functions() -> None:
    """`mx.report` is a package: the guided report has another name."""
    assert callable(mx.guided_report) and not callable(mx.report)


@pytest.mark.parametrize("family", ["", "poisson"])
def test_predictions_follow_other_coefficients(family: str) -> None:
    """The adapter for marginaleffects moves the coefficients of a fit, and predicts."""
    rng = np.random.default_rng(6)
    g, x = np.repeat(np.arange(20), 6), rng.normal(size=120)
    y = rng.poisson(np.exp(0.5 + 0.3 * x + 0.4 * rng.normal(size=20)[g]))
    data = {"y": y, "x": x, "g": g}
    fit = mx.glmer("y ~ x + (1 | g)", data, family=family) if family else mx.lmer("y ~ x + (1 | g)", data)
    beta = np.array([0.1, -0.7])
    moved = replace(fit, state=replace(fit.state, beta=beta))
    expected = fit.design.X @ beta
    got = moved.predict(data, random="none")
    np.testing.assert_allclose(got, np.exp(expected) if family else expected, rtol=ROUNDING)
    assert str(replace(fit.design.formula, bars=())) == "y ~ x"
