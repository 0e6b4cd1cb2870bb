"""The report holds the numbers of the fit, stands alone, and no label breaks out of it."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from mixsem import __version__
from mixsem.errors import HeywoodWarning, Notice, OptionError
from mixsem.factors import FactorMoments
from mixsem.measurement import MeasurementFit
from mixsem.mixtures.errors import standard_errors
from mixsem.mixtures.wald import wald
from mixsem.plots.clusters import clusters as clusters_figure
from mixsem.report.html import html_report
from mixsem.report.page import block
from mixsem.report.svg import inline_svg
from mixsem.structural import MixtureFit, MixtureSelection, StructuralMixture

VOID = {"meta", "br", "link", "img", "input", "hr"}
SCRIPT = "<script>alert('x')</script>"


class Page(HTMLParser):
    """Identifiers, links, texts by tag and rows of cells; complains about tags that do not match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.outside: list[str] = []
        self.tags: list[str] = []
        self.rows: list[list[str]] = []
        self.headings: list[tuple[str, str]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.stack == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in VOID:
            self.stack.append(tag)
        self._keep(attrs)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
        elif re.fullmatch("h[1-6]", tag):
            self.headings.append((tag, ""))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._keep(attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag

    def handle_data(self, data: str) -> None:
        if {"td", "th"} & set(self.stack):
            self.rows[-1][-1] += data
        if self.stack and re.fullmatch("h[1-6]", self.stack[-1]):
            tag, text = self.headings[-1]
            self.headings[-1] = (tag, text + data)
        if "style" not in self.stack:
            self.text += data

    def _keep(self, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            elif name in ("href", "xlink:href"):
                self.links.append(value or "")
            elif name in ("src", "srcset", "data"):
                self.outside.append(value or "")


@pytest.fixture(scope="module")
def text(whole: MixtureSelection, measurement: MeasurementFit) -> str:
    return html_report(
        whole,
        title="Trust & <fear>",
        settings={"Data": "survey <1>.csv", "Seed": 7},
        k=2,
        measurement=measurement,
        code='fits = mx.mmgsem(measurement, structural, data, group="g")\nif fits:\n    best = fits[2]',
        command="mixsem fit survey.csv --group g",
    )


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


def test_it_stands_alone(text: str, page: Page) -> None:
    assert page.outside == []
    assert not {"script", "link", "iframe", "img", "object"} & set(page.tags)
    assert "@import" not in text
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", text))
    assert len(page.ids) == len(set(page.ids))
    outside = {link for link in page.links if not link.startswith("#")}
    assert outside and all(link.startswith("https://doi.org/10.") for link in outside), "only sources are linked"
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)
    assert {name for name in re.findall(r'aria-labelledby="([^"]*)"', text) for name in name.split()} <= set(page.ids)


def test_headings_in_order(page: Page) -> None:
    assert page.headings[0] == ("h1", "Trust & <fear>")
    assert [heading for tag, heading in page.headings if tag == "h2"] == [
        "What was fitted",
        "How many clusters?",
        "Regressions",
        "How sure are the regressions?",
        "Which groups are in which cluster?",
        "Measurement",
        "Warnings",
        "Methods",
        "How to reproduce this",
        "References",
    ]


def test_what_was_fitted(page: Page, whole: MixtureSelection, measurement: MeasurementFit) -> None:
    for line in (*measurement.specification.measurement.strip().splitlines(), "F3 ~ F1 + 0.2*F2"):
        assert line.strip() in page.text
    for said in (
        "survey <1>.csv",
        "MixMG-SEM",
        "6, 120 people each",
        "720",
        "; fixed: F3 ~ F2",
        f"mixsem {__version__}",
    ):
        assert said in page.text
    assert "mixsem fit survey.csv --group g" in page.text
    assert 'group="g")\nif fits:\n    best = fits[2]' in page.text


def test_the_numbers_of_the_solution(page: Page, whole: MixtureSelection) -> None:
    fit = whole[2]
    se, test = standard_errors(fit).se, wald(fit).equal.loc[0, "p_value"]
    pairs = zip(fit.coefficients[:, 0], se[:, 0], strict=True)
    shown = [f"{value:.3f}".replace("-", "−") for pair in pairs for value in pair]
    assert ["F3 ~ F1", *shown, f"{test:.3f}" if test >= 0.001 else "<0.001", ""] in page.rows
    assert ["Proportion", *(text for p in fit.proportions for text in (f"{p:.3f}", "")), "", ""] in page.rows
    for g, group in enumerate(fit.groups):
        row = [str(group), "120", str(fit.clusters[g]), *(f"{p:.3f}" for p in fit.posterior[g])]
        assert row in page.rows
    assert f"Entropy R² is {fit.entropy_r2:.3f}" in page.text
    low, high = fit.coefficients[:, 0].argmin(), fit.coefficients[:, 0].argmax()
    told = f"F3 ~ F1: from {fit.coefficients[low, 0]:z.2f} in cluster {low + 1}".replace("-", "−")
    assert told in page.text
    assert f"to {fit.coefficients[high, 0]:.2f} in cluster {high + 1}" in page.text


def test_the_selection(page: Page, whole: MixtureSelection) -> None:
    for fit in whole.fits:
        row = next(r for r in page.rows if r[:2] == [str(fit.k), f"{fit.loglik:,.2f}".replace("-", "−")])
        assert row[2:4] == [str(fit.n_params_factors), f"{fit.criteria.aic:,.1f}"]
    assert "This report shows the solution with 2 clusters: this number was asked for." in page.text


def test_the_measurement(page: Page, measurement: MeasurementFit) -> None:
    for block_fit in measurement.blocks:
        m = block_fit.measures
        row = next(r for r in page.rows if r[:2] == [block_fit.factors[0], f"{m.chisq:,.2f}"])
        assert row[2:6] == [
            str(m.df),
            f"{m.pvalue:.3f}" if m.pvalue >= 0.001 else "<0.001",
            f"{m.cfi:.3f}",
            f"{m.tli:.3f}",
        ]


def test_figures_have_titles_and_parse(text: str) -> None:
    figures = re.findall(r"<svg .*?</svg>", text, flags=re.DOTALL)
    assert len(figures) == 9
    for figure in figures:
        root = ElementTree.fromstring(figure)
        assert root.get("role") == "img"
        name = root.findtext("{http://www.w3.org/2000/svg}title")
        assert name
        assert root.findtext("{http://www.w3.org/2000/svg}desc")


def test_the_choice_is_made_if_none_is_given(selection: MixtureSelection) -> None:
    assert "This report shows the solution with 2 clusters: CHull prefers it" in html_report(selection, title="t")


def test_no_label_breaks_out() -> None:
    labels = [SCRIPT, '"><img src=x>', "$a$ & $b$", "a\x00b\nc", "]]>", "–&amp;", "日本"]
    slopes = [0.6, 0.0, 0.61, 0.02, 0.59, 0.01, 0.62]
    Phi = np.array([[[1.0, b], [b, 1.0]] for b in slopes])
    moments = FactorMoments.from_covariances(Phi, n=[200] * 7, factors=["x", "y"], groups=labels)
    fit = StructuralMixture("y ~ x", k=2, n_starts=5).fit(moments, seed=1)
    assert isinstance(fit, MixtureFit)
    fit = replace(fit, notices=(Notice(HeywoodWarning, f"in {SCRIPT}"),))
    text = html_report(fit, title=SCRIPT, settings={SCRIPT: SCRIPT}, code=SCRIPT, command=SCRIPT)
    page = Page(text)
    assert not {"script", "img"} & set(page.tags)
    assert page.outside == []
    assert page.text.count(SCRIPT) >= 9  # title, settings, code, warning, card, figure, table
    assert [row[0] for row in page.rows if "a b c" in row[0]] == ["a b c"]
    for figure in re.findall(r"<svg .*?</svg>", text, flags=re.DOTALL):
        ElementTree.fromstring(figure)
    assert "$a$ & $b$" in "".join(ElementTree.fromstring(re.findall(r"<svg .*?</svg>", text, re.DOTALL)[-1]).itertext())


def test_uncertain_groups_are_counted_and_marked(fit: MixtureFit) -> None:
    posterior = fit.posterior.copy()
    posterior[2] = [0.7, 0.3]
    page = Page(html_report(replace(fit, posterior=posterior), title="t"))
    assert "1 group is uncertain (probability of the cluster below 0.90)." in page.text
    assert "a|b (0.70)" in page.text
    assert "The probability of the cluster is 0.90 or more for every group." in html_report(fit, title="t")


def test_a_solution_that_no_start_reached(fit: MixtureFit) -> None:
    lucky = replace(fit, starts=replace(fit.starts, best=fit.starts.best + 1))
    said = "found by splitting and merging clusters; none of the 20 random starts reached it."
    assert said in Page(html_report(lucky, title="t")).text
    assert f"Of the 20 random starts, {fit.starts.n_best} reached" in Page(html_report(fit, title="t")).text


def test_a_cluster_of_one_group_is_remarked_upon(fit: MixtureFit) -> None:
    posterior = np.zeros_like(fit.posterior)
    posterior[:, 0], posterior[2] = 1, [0, 1]
    said = "Cluster 2 holds one group, a|b: its regressions are that group's own."
    assert said in Page(html_report(replace(fit, posterior=posterior), title="t")).text
    assert "holds one group" not in Page(html_report(fit, title="t")).text


def test_the_measurement_model_comes_with_the_fit(whole: MixtureSelection, measurement: MeasurementFit) -> None:
    assert html_report(whole, title="t") == html_report(whole, title="t", measurement=measurement)


def test_a_label_without_blanks_may_break_in_its_card(text: str) -> None:
    assert re.search(r"\.card p\{[^}]*overflow-wrap:anywhere", text)


def test_no_table_is_wider_than_the_page(page: Page) -> None:
    """The criteria of both log-likelihoods and the starts stand below one another."""
    heads = [row for row in page.rows if row[:1] == ["Clusters"]]
    assert [head[-1] for head in heads] == ["CHull", "CHull", "Starts"]


def test_one_cluster_has_no_classification(selection: MixtureSelection) -> None:
    page = Page(html_report(selection[1], title="t"))
    headings = [heading for _, heading in page.headings]
    assert "Which groups are in which cluster?" not in headings
    assert "How many clusters?" not in headings
    assert "One set of regressions for all 8 groups." in page.text


@pytest.mark.parametrize(("result", "message"), [({}, "got dict"), (None, "got NoneType")])
def test_other_things_are_refused(result: object, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        html_report(result, title="t")  # type: ignore[arg-type]


def test_a_number_of_clusters_that_was_not_fitted_is_refused(selection: MixtureSelection) -> None:
    with pytest.raises(OptionError, match="no fit with k=9"):
        html_report(selection, title="t", k=9)


def test_code_keeps_its_blanks_and_loses_its_margin() -> None:
    assert (
        block("\n    a  =~ x1\n      + x2 <3>\n\n    b\n") == "<pre><code>a  =~ x1\n  + x2 &lt;3&gt;\n\nb</code></pre>"
    )


def test_numbers_that_figures_show_as_text_are_not_shortened() -> None:
    from matplotlib.figure import Figure

    figure = Figure()
    figure.text(0.123456, 0.5, "p = .12345 and 0.12345")
    svg = inline_svg(figure, name="one", title="t", description="d")
    assert "p = .12345 and 0.12345" in svg
    inside_tags = "".join(re.findall(r"<[^>]*>", svg))
    assert not re.search(r"\d\.\d{3}", inside_tags), "coordinates are shortened"


def test_two_figures_do_not_share_identifiers(fit: MixtureFit) -> None:
    one = inline_svg(clusters_figure(fit), name="one", title="t", description="d")
    two = inline_svg(clusters_figure(fit), name="two", title="t", description="d")
    pattern = re.compile(r'\bid="([^"]+)"')
    assert not set(pattern.findall(one)) & set(pattern.findall(two))
    assert len(pattern.findall(one)) == len(set(pattern.findall(one)))
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', one))
    assert used <= set(pattern.findall(one))
    assert inline_svg(clusters_figure(fit), name="one", title="t", description="d") == one
