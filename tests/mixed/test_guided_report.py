"""The guided report: every part is there, says what it could not compute, and never stops the others."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyarrow import csv

import mixsem as mx
from mixsem.errors import MixsemWarning, ModelError, OptionError, OutputError
from mixsem.guided import beside, checks, figures, smaller
from mixsem.guided.figures import figure_plans
from mixsem.guided.part import attempt, sentence
from mixsem.report.names import MIXED_FILES

pytestmark = pytest.mark.filterwarnings("ignore::mixsem.errors.MixsemWarning")

SLOPES = "Reaction ~ Days + (Days | Subject)"
#: The same number by another path through the same code.
ROUNDING = 1e-10


@pytest.fixture(scope="module")
def sleep() -> mx.MixedFit:
    return mx.lmer(SLOPES, mx.data.sleepstudy())


@pytest.fixture(scope="module")
def report(sleep: mx.MixedFit) -> mx.GuidedReport:
    return mx.guided_report(sleep)


@pytest.fixture(scope="module")
def herds() -> pd.DataFrame:
    """Successes out of several trials, more of them in some herds than in others."""
    rng = np.random.default_rng(5)
    herd, period = np.repeat(np.arange(30), 4), np.tile(["p1", "p2", "p3", "p4"], 30)
    size = rng.integers(5, 30, len(herd))
    eta = -0.5 - 0.4 * (period != "p1") + 0.9 * rng.normal(size=30)[herd]
    cases = rng.binomial(size, 1.0 / (1.0 + np.exp(-eta)))
    return pd.DataFrame({"herd": herd, "period": period, "size": size, "share": cases / size})


def verdicts(report: mx.GuidedReport) -> dict[str, str]:
    return {check.name: check.verdict for check in report.checks}


def text_of(report: mx.GuidedReport, part: str) -> str:
    return " ".join("\n".join(item.to_text() for item in report[part].items).split())


# --- what is in it ---------------------------------------------------------------------------------------


def test_the_parts_of_a_model_with_slopes(report: mx.GuidedReport) -> None:
    names = [part.name for part in report.parts]
    assert names == ["fitted", "checks", "variances", "fixed", "smaller", "alternatives", "growth"]
    assert "not computed" not in repr(report).lower()


def test_numbers_are_those_of_the_functions(report: mx.GuidedReport, sleep: mx.MixedFit) -> None:
    table = report["smaller"].items[0].to_pandas().set_index("model")  # type: ignore[union-attr]
    intercepts = mx.lmer("Reaction ~ Days + (1 | Subject)", mx.data.sleepstudy())
    expected = mx.compare(intercepts, sleep).frame.iloc[1]
    row = table.loc["without Days by Subject"]
    for column in ("chisq", "df_diff", "p_value", "p_boundary"):
        assert row[column] == pytest.approx(expected[column], rel=1e-6)
    assert row["caic"] == pytest.approx(mx.caic(intercepts).caic, rel=1e-6)
    limits = mx.confint(sleep).frame.set_index("parameter")
    variances = report["variances"].items[0].to_pandas()  # type: ignore[union-attr]
    assert variances.loc[1, "upper"] == pytest.approx(limits.loc["sd_Days|Subject", "upper"], rel=ROUNDING)
    assert variances.loc[2, "lower"] == pytest.approx(limits.loc["sigma", "lower"], rel=ROUNDING)
    fixed = report["fixed"].items[0].to_pandas()  # type: ignore[union-attr]
    assert fixed["lower"].tolist() == pytest.approx(limits.loc[["(Intercept)", "Days"], "lower"].tolist(), rel=ROUNDING)


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ("fitted", "the intercept and the effect of Days vary, with a correlation"),
        ("fitted", "2 fixed, 2 variances, 1 covariance and 1 residual variance"),
        ("variances", "no threshold makes one good"),
        ("variances", "averaged over the observed ones"),
        ("variances", "there is no single intraclass correlation"),
        ("variances", "which is not restricted"),
        ("fixed", "Satterthwaite"),
        ("fixed", "profile likelihood"),
        ("smaller", "the p-value is too large"),
        ("smaller", "Restricted likelihoods (REML): the fixed parts are the same"),
        ("smaller", "by maximum likelihood, as REML cannot compare fixed parts"),
        ("smaller", "it does not choose"),
        ("alternatives", "few for robust errors"),
        ("growth", "the two log-likelihoods are equal"),
    ],
)
def test_caveats_are_there(part: str, words: str, report: mx.GuidedReport) -> None:
    assert words in text_of(report, part)


def test_nothing_is_said_twice(report: mx.GuidedReport) -> None:
    sentences = re.findall(r"[A-Z][^.]{50,}\.(?= |$)", " ".join(repr(report).split()))
    assert len(sentences) == len(set(sentences)) > 10


def test_a_random_intercept_is_tested_alone(sleep: mx.MixedFit) -> None:
    made = mx.guided_report(mx.lmer("Reaction ~ Days + (1 | Subject)", mx.data.sleepstudy()))
    assert "p from 10,000 simulated ratios" in text_of(made, "smaller")
    assert "robust" in text_of(made, "alternatives")  # standard errors that differ ask for a slope
    assert "Adjusted" in text_of(made, "variances")


def test_crossed_factors_have_no_alternatives_and_no_curve() -> None:
    rng = np.random.default_rng(1)
    plate, sample = np.repeat(np.arange(24), 6), np.tile(np.arange(6), 24)
    y = rng.normal(size=24)[plate] + rng.normal(size=6)[sample] + rng.normal(size=144)
    made = mx.guided_report(mx.lmer("y ~ 1 + (1 | plate) + (1 | sample)", {"y": y, "plate": plate, "sample": sample}))
    assert "plate and sample are crossed" in text_of(made, "alternatives")
    assert "growth" not in [part.name for part in made.parts]
    models = made["smaller"].items[0].to_pandas()["model"].tolist()  # type: ignore[union-attr]
    assert models == ["this model", "without intercept by plate", "without intercept by sample"]


def test_nested_factors_have_alternatives() -> None:
    rng = np.random.default_rng(2)
    school = np.repeat(np.arange(25), 12)
    room = school * 3 + np.tile(np.repeat(np.arange(3), 4), 25)
    y = rng.normal(size=25)[school] + rng.normal(size=75)[room] + rng.normal(size=300)
    made = mx.guided_report(mx.lmer("y ~ 1 + (1 | school) + (1 | room)", {"y": y, "school": school, "room": room}))
    assert "clusters: school" in text_of(made, "alternatives")


# --- checks ----------------------------------------------------------------------------------------------


def test_nothing_is_alarming_without_reason(report: mx.GuidedReport) -> None:
    assert "look" not in verdicts(report).values()
    assert verdicts(report)["Numbers of levels"] == "to know"  # 18 people
    assert report["checks"].items[0] == sentence("6 checks passed, none to look into.")
    assert report.frame["name"].tolist() == list(verdicts(report))


def test_what_asks_for_a_look_says_what_to_do() -> None:
    rng = np.random.default_rng(3)
    g, x = np.repeat(np.arange(5), 8), rng.normal(size=40)
    made = mx.guided_report(mx.lmer("y ~ x + (x | g)", {"y": x + rng.normal(size=40), "x": x, "g": g}))
    asked = {check.name: check.text for check in made.checks if check.verdict == "look"}
    assert "[MX101]" in asked["Variances away from their bounds"] and "What to do" in "".join(asked.values())
    assert any("[MX103]" in text for text in asked.values())
    assert f"{len(asked)} to look into" in text_of(made, "checks")


def test_missing_rows_are_accounted_for() -> None:
    data = mx.data.sleepstudy()
    data.loc[[5, 15, 16, 17, 18, 19, 60, 61, 62, 63, 64, 65], "Reaction"] = np.nan
    fit = mx.lmer(SLOPES, data)
    with_table, without = mx.guided_report(fit, data), mx.guided_report(fit)
    # outcomes alone are missing: that is no loss to the likelihood, whatever the share
    assert (verdicts(with_table)["Missing values"], verdicts(without)["Missing values"]) == ("to know", "look")
    assert "Subject observed by Days" in text_of(with_table, "missing")
    assert "cannot be tested" in text_of(with_table, "missing")
    assert "missing" not in [part.name for part in without.parts]
    assert "guided_report(fit, data)" in {c.name: c.text for c in without.checks}["Missing values"]
    other = mx.guided_report(fit, data.head(100))
    assert "not the table" in text_of(other, "missing")


# --- generalised models ----------------------------------------------------------------------------------


def test_proportions(herds: pd.DataFrame) -> None:
    fit = mx.glmer("share ~ period + (1 | herd)", herds, family="binomial", weights="size")
    made = mx.guided_report(fit)
    assert {"Overdispersion", "Quadrature"} <= set(verdicts(made))
    assert "The logit of the probability of share depends on period" in text_of(made, "fitted")
    assert "Laplace approximation" in text_of(made, "fitted")
    assert "latent scale" in text_of(made, "variances") and "convention" in text_of(made, "variances")
    assert "Tests of terms" in text_of(made, "fixed") and "Normal approximation" in text_of(made, "fixed")
    assert "Both are right" in text_of(made, "alternatives")
    page = made.to_html()
    assert page.count("<svg ") == 3 and "not drawn" not in page and "mx.glmer(&#x27;share ~ period" in page
    assert "Linear predictor" in page


def test_counts_that_vary_too_much() -> None:
    rng = np.random.default_rng(4)
    g, h = np.repeat(np.arange(40), 8), np.tile(np.arange(8), 40)
    y = rng.poisson(np.exp(0.5 + 0.5 * rng.normal(size=40)[g] + 0.3 * rng.normal(size=8)[h] + rng.normal(size=320)))
    made = mx.guided_report(mx.glmer("y ~ 1 + (1 | g) + (1 | h)", {"y": y, "g": g, "h": h}, family="poisson"))
    assert verdicts(made)["Overdispersion"] == "look" and verdicts(made)["Quadrature"] == "to know"
    assert "caic" not in made["smaller"].items[0].to_pandas()  # type: ignore[union-attr]


def test_slopes_of_counts_have_no_icc_unasked() -> None:
    rng = np.random.default_rng(7)
    g, x = np.repeat(np.arange(30), 10), rng.normal(size=300)
    b = rng.normal(size=(2, 30)) * 0.5
    y = rng.poisson(np.exp(0.5 + b[0][g] + (0.3 + b[1][g]) * x))
    made = mx.guided_report(mx.glmer("y ~ offset(x / 10) + x + (x | g)", {"y": y, "x": x, "g": g}, family="poisson"))
    assert "rests on a convention" in text_of(made, "variances") and "Offset in the formula" in text_of(made, "fitted")
    assert "not drawn" not in made.to_html()


# --- failures and sizes ----------------------------------------------------------------------------------


def test_a_part_that_fails_says_so(sleep: mx.MixedFit, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(fit: object) -> None:
        raise ModelError("the moon is full", allowed="other nights")

    monkeypatch.setattr(beside, "alternatives", fails)
    monkeypatch.setattr(figures, "icc", lambda fit: 1 / 0)
    made = mx.guided_report(sleep)
    assert text_of(made, "alternatives") == "Alternatives to a mixed model: not computed. The moon is full."
    page = made.to_html()
    assert "Intraclass correlation: not drawn (division by zero)" in page and page.count("<svg ") == 4


def test_an_unforeseen_fault_is_told(recwarn: pytest.WarningsRecorder) -> None:
    (item,) = attempt("Stars", lambda: [sentence(str(1 / 0))])
    assert item.to_text().startswith("Stars: not computed, by a fault of mixsem (ZeroDivisionError: ")


@pytest.mark.parametrize(
    ("module", "limit", "part", "words"),
    [
        (smaller, "MOST_MODELS", "smaller", "supported_model(formula, data)"),
        (beside, "ROBUST_ROWS", "alternatives", "alternatives(fit)"),
        (beside, "OCCASIONS", "growth", "growth_curve(fit)"),
    ],
)
def test_what_would_take_long_names_its_call(
    module: Any, limit: str, part: str, words: str, sleep: mx.MixedFit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, limit, 1)
    assert words in text_of(mx.guided_report(sleep), part)


def test_warnings_of_other_fits_are_not_issued(recwarn: pytest.WarningsRecorder, sleep: mx.MixedFit) -> None:
    mx.guided_report(sleep)
    assert not [w for w in recwarn if issubclass(w.category, MixsemWarning)]


def test_penalised_fits_are_not_compared() -> None:
    made = mx.guided_report(mx.lmer(SLOPES, mx.data.sleepstudy(), penalty="wishart"))
    assert "A penalised fit has no likelihood to compare by" in text_of(made, "smaller")
    assert "does not maximise the likelihood" in text_of(made, "variances")
    assert "keeps" in text_of(made, "fitted") or "penalty" in text_of(made, "fitted").lower()


def test_residuals_with_a_structure() -> None:
    data = mx.data.sleepstudy().assign(half=lambda d: np.where(d["Days"] > 4, "late", "early"))
    made = mx.guided_report(mx.lmer(SLOPES, data, residual=mx.Residual(by="half")))
    assert "half = late" in text_of(made, "variances") or "late" in text_of(made, "variances")
    assert "independent residuals of one variance only" in text_of(made, "variances")
    assert "Limits are Wald's" in text_of(made, "fixed")


def test_other_things_are_refused() -> None:
    with pytest.raises(OptionError, match=r"guided_report\(\) got str"):
        mx.guided_report(SLOPES)  # type: ignore[arg-type]


# --- shown and written -----------------------------------------------------------------------------------


def test_shown_in_three_ways(report: mx.GuidedReport) -> None:
    text, notebook, page = repr(report), report._repr_html_(), report.to_html()
    for part in report.parts:
        assert f"{part.title}\n{'-' * len(part.title)}" in text
        assert part.title in notebook and part.title in page
    assert page.count("<svg ") == page.count("<figure>") == 5 == notebook.count("<svg ")
    assert not re.search(r'(src|href)="(?!#|https://doi\.org/)', page) and "mx.guided_report(fit, data)" in page
    with pytest.raises(KeyError, match="the parts are"):
        report["moon"]


def test_files_are_written_whole_or_not_at_all(sleep: mx.MixedFit, tmp_path: Path) -> None:
    made = mx.guided_report(sleep, out=tmp_path / "out", title="Sleep & reaction")
    assert {path.name for path in (tmp_path / "out").iterdir()} == set(MIXED_FILES)
    assert "<title>Sleep &amp; reaction</title>" in (tmp_path / "out" / "report.html").read_text()
    assert pd.read_csv(tmp_path / "out" / "varcorr.csv")["lower"].notna().all()
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError):
        mx.guided_report(sleep, out=tmp_path / "file")
    assert made.save(tmp_path / "again").keys() == set(MIXED_FILES)


def test_files_of_a_generalised_model(herds: pd.DataFrame, tmp_path: Path) -> None:
    fit = mx.glmer("share ~ period + (1 | herd)", herds, family="binomial", weights="size")
    for name, written in (
        ("short", mx.save_results(fit, tmp_path / "short")),
        ("guided", mx.guided_report(fit, out=tmp_path / "guided").save(tmp_path / "guided")),
    ):
        assert written.keys() == set(MIXED_FILES)
        saved = json.loads((tmp_path / name / "fit.json").read_text())
        assert (saved["format"], saved["weights"]) == ("mixsem-glmer", "size")
        fixed = csv.read_csv(tmp_path / name / "fixed.csv").to_pandas()
        assert fixed["estimate"].tolist() == fit.fixef.tolist()


def test_boundary_of_the_verdicts() -> None:
    made = list(checks.check_items([checks.Check("A", "look", "x"), checks.Check("B", "passed", "y")]))
    assert made[0] == sentence("1 check passed, 1 to look into: a.")


def test_the_spread_of_residuals_of_two_values_is_not_interpreted() -> None:
    sleep = mx.data.sleepstudy()
    sleep["slow"] = (sleep["Reaction"] > 300).astype(int)
    binary = mx.glmer("slow ~ Days + (1 | Subject)", sleep, family="binomial")
    linear = mx.lmer("Reaction ~ Days + (1 | Subject)", sleep)
    said = [next(p.caption for p in figure_plans(fit) if p.name == "residuals") for fit in (binary, linear)]
    assert "two values" in said[0] and "variances that differ" not in said[0]
    assert "two values" not in said[1] and "variances that differ" in said[1]
