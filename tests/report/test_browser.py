"""Every kind of report in a real browser: it needs no network, everybody can read it, and it prints.

Chromium is started once for all pages: each stands in a frame as wide as a desktop and in one as wide as a phone, and a
script looks at them from inside and writes down what it finds.
"""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mixsem as mx
from mixsem.report.invariance_page import save_invariance
from mixsem.structural import MixtureSelection

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no chromium, chromium-browser or google-chrome on this machine"
)

DESKTOP, PHONE = 1280, 390
#: WCAG 2.1 AA for text of usual size.
LEAST_CONTRAST = 4.5
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
)  # fmt: skip

#: What is asked of a page: it runs in a page whose frames hold the reports, and leaves its findings there.
AUDIT = (Path(__file__).parent / "audit.js").read_text(encoding="utf-8").replace("LEAST_CONTRAST", str(LEAST_CONTRAST))

Run = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Start Chromium with a new, empty profile."""

    def run(*arguments: str) -> subprocess.CompletedProcess[bytes]:
        profile = tmp_path_factory.mktemp("profile")
        command = [str(CHROMIUM), *FLAGS, f"--user-data-dir={profile}", "--enable-logging=stderr", *arguments]
        return subprocess.run(command, capture_output=True, check=True, timeout=120)

    return run


def guided(fit: Any, data: pd.DataFrame) -> str:
    return mx.guided_report(fit, data, title="A report").to_html()


def binary_responses() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    school = np.repeat(np.arange(30), 12)
    x = rng.standard_normal(school.size)
    eta = -0.2 + 0.7 * x + rng.normal(0, 0.8, 30)[school]
    return pd.DataFrame(
        {"passed": (rng.random(school.size) < 1 / (1 + np.exp(-eta))).astype(int), "x": x, "school": school}
    )


@pytest.fixture(scope="module")
def pages(whole: MixtureSelection, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """One report of each kind."""
    folder = tmp_path_factory.mktemp("reports")
    survey = mx.data.holzinger_swineford_1939()
    survey.loc[::17, "x5"] = np.nan
    factors = "visual =~ x1 + x2 + x3; textual =~ x4 + x5 + x6; speed =~ x7 + x8 + x9"
    sleep = mx.data.sleepstudy()
    binary = binary_responses()
    few = mx.Sampling(chains=2, warmup=60, draws=50)
    truth = mx.simulate.draw_truth(mx.simulate.Population(n_groups=6, group_size=100), seed=1)
    moments = mx.simulate.draw_moments(truth, seed=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        measured = "F1 =~ V1 + V2 + V3; F3 =~ V11 + V12 + V13"
        bayesian = mx.mixmg_bsem(measured, "F3 ~ F1", moments, k=(1, 2), sampling=few, n_starts=5, seed=1)
        test = mx.invariance_test(factors, survey, "school", levels=("configural", "metric", "scalar"))
        search = mx.find_noninvariance(test)
        saved = {
            "clustering": mx.save_results(whole, folder / "c", title="Clusters & more", command="mixsem fit"),
            "bayesian": mx.save_results(bayesian, folder / "b"),
            "sem": mx.save_results(
                mx.sem(f"{factors}\nspeed ~ visual + textual", survey, group="school"), folder / "s"
            ),
            "invariance": save_invariance(test, folder / "i", search=search),
        }
        return {name: files["report.html"].read_text(encoding="utf-8") for name, files in saved.items()} | {
            "lmer": guided(mx.lmer("Reaction ~ Days + (Days | Subject)", sleep), sleep),
            "glmer": guided(mx.glmer("passed ~ x + (1 | school)", binary, family="binomial"), binary),
        }


@pytest.fixture(scope="module")
def findings(
    pages: dict[str, str], chromium: Run, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, dict[str, Any]], str]:
    """What the script found in each page and width, and what Chromium said."""
    frames = "".join(
        f'<iframe id="{name} {width}" width="{width}" height="800" style="border:0" srcdoc="{html.escape(page)}">'
        "</iframe>"
        for name, page in pages.items()
        for width in (DESKTOP, PHONE)
    )
    path = tmp_path_factory.mktemp("audit") / "audit.html"
    path.write_text(f'<!DOCTYPE html><meta charset="utf-8"><body>{frames}<script>{AUDIT}</script>', encoding="utf-8")
    done = chromium("--window-size=1400,900", "--dump-dom", path.as_uri())
    dom = done.stdout.decode()
    match = re.search(r'<pre id="findings">(.*?)</pre>', dom, re.DOTALL)
    assert match, f"the script did not end: {done.stderr.decode()[-2000:]}"
    return json.loads(html.unescape(match[1])), done.stderr.decode()


KINDS = ("clustering", "bayesian", "sem", "invariance", "lmer", "glmer")


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_is_sound(kind: str, findings: tuple[dict[str, dict[str, Any]], str]) -> None:
    found, said = findings
    for width in (DESKTOP, PHONE):
        seen = found[f"{kind} {width}"]
        assert seen["found"] == [], f"at {width} pixels"
        assert seen["texts"] > 100 and seen["svgs"] >= 1 and seen["tables"] >= 2, (
            "the script has looked at a whole page"
        )
    assert "CONSOLE" not in said, "no errors of scripts or styles"


def test_the_script_sees_what_is_wrong(chromium: Run, tmp_path: Path) -> None:
    """A page with every fault: an audit that finds nothing would find nothing here either."""
    bad = (
        "<html><body><h1>A</h1><h1>B</h1><h3>C</h3><p id=x style='color:#aaa'>pale</p><p id=x>twice</p>"
        "<a href='#no'>a</a>"
        "<svg width=20 height=20><text y=9 fill='#ccc'>s</text></svg><table><tr><th>t</th></tr></table>"
        "<div style='width:2000px'>wide</div><img src='data:,'></body></html>"
    )
    frame = f'<iframe id="bad" width="390" height="800" srcdoc="{html.escape(bad)}"></iframe>'
    path = tmp_path / "bad.html"
    path.write_text(f"<!DOCTYPE html><body>{frame}<script>{AUDIT}</script>", encoding="utf-8")
    dom = chromium("--dump-dom", path.as_uri()).stdout.decode()
    match = re.search(r'<pre id="findings">(.*?)</pre>', dom, re.DOTALL)
    assert match
    seen = " | ".join(json.loads(html.unescape(match[1]))["bad"]["found"])
    for fault in (
        "h1: 2", "heading level 3 after 1", "no lang", "id twice: x", "link: #no", "no name: <svg", "no name: <img",
        "loads: <img", "table without name", "th without scope", "wide, window 390", "pale", ": s",
    ):  # fmt: skip
        assert fault in seen, fault


def test_it_prints(pages: dict[str, str], chromium: Run, tmp_path: Path) -> None:
    page, printed = tmp_path / "report.html", tmp_path / "report.pdf"
    page.write_text(pages["clustering"], encoding="utf-8")
    chromium(f"--print-to-pdf={printed}", "--no-pdf-header-footer", page.as_uri())
    content = printed.read_bytes()
    assert content.startswith(b"%PDF")
    assert len(re.findall(rb"/Type\s*/Page\b", content)) >= 3
