"""Summaries and frames of linear mixed models say what the fits hold, in lme4's order."""

from __future__ import annotations

import pickle
import re
import subprocess
import sys
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mixsem.data import sleepstudy
from mixsem.errors import ConvergenceWarning, Notice, OptionError
from mixsem.mixed.fit import MixedFit
from mixsem.mixed.inference.ddf import coefficient_table, inference_of
from mixsem.mixed.linear import lmer
from mixsem.mixed.structure.residual_structure import Residual
from mixsem.report import mixed_summary as module
from mixsem.report.document import Listing, Prose, Summary
from mixsem.report.frames import augment, glance, tidy
from mixsem.report.mixed_summary import mixed_summary
from mixsem.report.summary import summarize_html, summary
from mixsem.report.table import Table


def quiet(formula: str, data: object, *, reml: bool = True, residual: Residual | None = None) -> MixedFit:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return lmer(formula, data, reml=reml, residual=residual)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def fit() -> MixedFit:
    return lmer("Reaction ~ Days + (Days | Subject)", sleepstudy())


@pytest.fixture(scope="module")
def by_ml() -> MixedFit:
    return lmer("Reaction ~ Days + (Days || Subject)", sleepstudy(), reml=False)


@pytest.fixture(scope="module")
def incomplete() -> MixedFit:
    """Rows and a level lost, levels of unequal size, another factor with few levels, a year among the predictors."""
    frame = sleepstudy().assign(year=lambda d: d["Days"] + 2010.0, half=np.arange(180) % 2)
    frame.loc[frame["Subject"] == frame["Subject"].iloc[-1], "Reaction"] = np.nan
    return quiet("Reaction ~ year + (1 | Subject) + (1 | half)", frame.iloc[9:])


def tables(shown: Summary) -> dict[str, Table]:
    return {part.title: part for part in shown.parts if isinstance(part, Table)}


def facts(shown: Summary) -> dict[str, str]:
    assert isinstance(shown.parts[0], Listing)
    return dict(shown.parts[0].entries)


def test_parts_are_in_the_order_of_lme4(fit: MixedFit, by_ml: MixedFit) -> None:
    shown = summary(fit)
    order = ["Formula", "REML criterion", "Scaled residuals", "Random effects", "Fixed effects", "Correlation of fixed"]
    places = [str(shown).index(heading) for heading in order]
    assert places == sorted(places)
    assert shown.title == "Linear mixed model fitted by REML"
    ml = str(summary(by_ml))
    assert ml.startswith("Linear mixed model fitted by maximum likelihood")
    assert ml.index("Formula") < ml.index("AIC") < ml.index("Scaled residuals") and "REML" not in ml


def test_facts(fit: MixedFit, by_ml: MixedFit) -> None:
    known = facts(summary(fit))
    assert known["Formula"] == "Reaction ~ Days + (Days | Subject)"
    assert known["REML criterion"] == "1,743.63"
    assert known["Converged"] == f"yes, after {fit.trace.evaluations} evaluations (lbfgsb)"
    row = tables(summary(by_ml))[""].to_pandas().iloc[0]
    assert row.to_dict() == {
        "aic": by_ml.aic, "bic": by_ml.bic, "loglik": by_ml.loglik, "deviance": by_ml.objective, "df_residual": 175,
    }  # fmt: skip


def test_a_search_that_did_not_end_is_said_first_and_last(fit: MixedFit) -> None:
    stopped = replace(fit, notices=(Notice(ConvergenceWarning, "the search ran out"),))
    shown = summary(stopped)
    assert facts(shown)["Converged"].startswith("NO, stopped after")
    assert str(shown).rstrip().endswith("the search ran out")
    assert not glance(stopped)["converged"].item() and glance(fit)["converged"].item()


def test_scaled_residuals_are_quartiles(fit: MixedFit) -> None:
    row = tables(summary(fit))["Scaled residuals"].to_pandas().iloc[0]
    scaled = pd.Series(fit.residuals() / fit.sigma)
    assert row.tolist() == pytest.approx(scaled.describe()[["min", "25%", "50%", "75%", "max"]].tolist())


def test_random_effects(fit: MixedFit, by_ml: MixedFit) -> None:
    table = tables(summary(fit))["Random effects"]
    assert [column.label for column in table.columns] == ["Groups", "Name", "Variance", "Std.Dev.", "Corr"]
    frame = table.to_pandas()
    assert frame["group"].tolist() == ["Subject", "", "Residual"]
    assert frame["sd"].tolist() == pytest.approx([*fit.varcorr["Subject"].sd, fit.sigma])
    np.testing.assert_allclose(frame["variance"], frame["sd"] ** 2)
    assert frame["cor1"].tolist()[1] == pytest.approx(fit.varcorr["Subject"].correlation[1, 0])
    assert table.notes == ("Number of obs: 180, groups: Subject, 18.", "Rows per level: Subject 10 each.")
    assert "cor1" not in tables(summary(by_ml))["Random effects"].to_pandas()  # || has no correlation to show


def test_three_effects_have_a_triangle_of_correlations() -> None:
    frame = sleepstudy().assign(z=lambda d: np.sin(d["Days"]))
    fit = quiet("Reaction ~ Days + z + (Days + z | Subject)", frame)
    table = tables(summary(fit))["Random effects"]
    shown = table.to_pandas()[["cor1", "cor2"]].iloc[:3].astype(float).to_numpy()
    expected = np.where(np.tri(3, 2, -1) > 0, fit.varcorr["Subject"].correlation[:, :2], np.nan)
    np.testing.assert_array_equal(shown, expected)


def test_sizes_say_what_is_lost_and_unequal(incomplete: MixedFit) -> None:
    notes = tables(summary(incomplete))["Random effects"].notes
    assert notes[0] == "Number of obs: 161 of 171, groups: Subject, 17; half, 2."
    assert (
        notes[1] == "Rows per level: Subject 1 to 10, median 10, 1 level with a single row; half 80 to 81, median 80.5."
    )


def test_fixed_effects(fit: MixedFit) -> None:
    table = tables(summary(fit))["Fixed effects"]
    assert [c.label for c in table.columns] == ["", "Estimate", "Std. Error", "df", "t value", "p"]
    expected = coefficient_table(fit).frame
    pd.testing.assert_frame_equal(table.to_pandas(), expected[table.to_pandas().columns], check_dtype=False)
    assert table.notes == ("Degrees of freedom by Satterthwaite's method.",)


def test_without_degrees_of_freedom_it_is_z(fit: MixedFit, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = tables(mixed_summary(fit, (), inference_of(fit, "none")))["Fixed effects"]
    assert [c.label for c in asked.columns] == ["", "Estimate", "Std. Error", "z value", "p"]
    monkeypatch.setattr(module, "LARGEST_SYSTEM", -1)
    large = tables(summary(fit))["Fixed effects"]
    assert large.rows == asked.rows and "tidy() computes them" in large.notes[0]
    assert "df" in tables(mixed_summary(fit, (), inference_of(fit, "kenward-roger")))["Fixed effects"].to_pandas()


def test_small_standard_errors_have_digits() -> None:
    fit = quiet("Reaction ~ big + (1 | Subject)", sleepstudy().assign(big=lambda d: d["Days"] * 1e5))
    texts = tables(summary(fit))["Fixed effects"].texts()
    assert re.fullmatch(r"0\.0000\d\d+", texts[1][2]) and float(texts[1][2]) == pytest.approx(fit.se["big"], rel=0.05)


def test_small_variances_have_digits_only_if_they_matter(fit: MixedFit) -> None:
    scaled = quiet("Reaction ~ big + (big | Subject)", sleepstudy().assign(big=lambda d: d["Days"] * 1e5))
    texts = tables(summary(scaled))["Random effects"].texts()
    assert float(texts[1][3]) == pytest.approx(fit.varcorr["Subject"].sd[1] / 1e5, rel=0.05)
    nothing = replace(fit, theta=np.array([1.0, 0.0, 1e-7]))
    assert tables(summary(nothing))["Random effects"].texts()[1][3] == "0.000"


def test_correlations_of_fixed_effects(fit: MixedFit) -> None:
    table = tables(summary(fit))["Correlation of fixed effects"]
    vcov = fit.vcov.to_numpy()
    expected = vcov[1, 0] / np.sqrt(vcov[0, 0] * vcov[1, 1])
    assert table.rows == (("1 (Intercept)", None), ("2 Days", pytest.approx(expected)))
    frame = sleepstudy().assign(part=np.arange(180) % 3)
    many = quiet("Reaction ~ C(Days) * C(part) + (1 | Subject)", frame)
    assert many.model.p > 12 and "Correlation of fixed effects" not in tables(summary(many))


def test_notes_and_warnings_come_last(incomplete: MixedFit) -> None:
    shown = summary(incomplete)
    notes, *last = shown.parts[-2:]
    assert isinstance(notes, Prose) and isinstance(last[0], Listing)
    assert any("Subject (17)" in text for text in notes.paragraphs)
    assert any(text.startswith("year is far from 0") for text in notes.paragraphs)
    named = [name for name, _ in last[0].entries]
    assert {"MissingDataWarning [MX106]", "FewGroupsWarning [MX103]"} <= set(named)


def test_residual_structure_and_weights_are_shown() -> None:
    frame = sleepstudy().assign(late=lambda d: np.where(d["Days"] > 4, "late", "early"), w=np.linspace(1, 2, 180))
    structure = Residual(by="late", ar1=("Subject", "Days"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = lmer("Reaction ~ Days + (1 | Subject)", frame, weights="w", residual=structure)
    assert fit.residual is not None and fit.residual.phi is not None
    shown = summary(fit)
    known = facts(shown)
    assert known["Residuals"] == str(structure)
    assert known["Weights"].startswith("1 to 2;")
    table = tables(shown)["Residuals"]
    assert table.to_pandas()["ratio"].tolist() == fit.residual.ratios.tolist()
    assert f"{fit.residual.phi:.3f}" in table.notes[0]
    parameters = tidy(fit).set_index("term")["estimate"]
    assert parameters["ratio.late"] == fit.residual.ratios[1] and parameters["phi"] == fit.residual.phi


def test_a_model_without_fixed_effects_prints() -> None:
    fit = quiet("Reaction ~ 0 + (1 | Subject)", sleepstudy())
    assert "Fixed effects" not in str(summary(fit)) and "Random effects" in repr(fit)
    assert tidy(fit)["term"].tolist() == ["sd__(Intercept)", "sd__Observation"]
    assert glance(fit)["n_params"].item() == 2


def test_html_is_the_same_summary(fit: MixedFit) -> None:
    html = fit._repr_html_()
    assert html == summarize_html(fit)
    assert "Linear mixed model fitted by REML" in html and html.count("<table>") == 4
    odd = quiet("y ~ x + (1 | g)", {"y": [1.0, 2, 4, 3, 5, 7], "x": [0, 1, 2] * 2, "g": ["<i>"] * 3 + ["&"] * 3})
    assert "<i>" not in odd._repr_html_()


def test_degrees_of_freedom_are_computed_once(fit: MixedFit, monkeypatch: pytest.MonkeyPatch) -> None:
    """A notebook asks for text and HTML of what it shows."""
    from mixsem.mixed.engine import curvature

    fresh = replace(fit)
    repr(fresh)
    monkeypatch.delattr(curvature, "curvature")
    assert fresh._repr_html_() and len(tidy(fresh)) == 6
    assert pickle.loads(pickle.dumps(fresh)).satterthwaite.fit.formula == fit.formula


# --- frames -------------------------------------------------------------------------------------------------------


def test_tidy(fit: MixedFit) -> None:
    frame = tidy(fit)
    assert list(frame.columns) == [
        "effect", "group", "term", "estimate", "se", "df", "statistic", "p_value", "lower", "upper",
    ]  # fmt: skip
    assert frame["group"].tolist() == [None, None, *["Subject"] * 3, "Residual"]
    fixed, random = frame.iloc[:2], frame.iloc[2:]
    expected = coefficient_table(fit).frame.rename(columns={"t": "statistic"})
    numbers = ["estimate", "se", "df", "statistic", "p_value", "lower", "upper"]
    pd.testing.assert_frame_equal(fixed[numbers], expected[numbers])
    term = fit.varcorr["Subject"]
    assert dict(zip(random["term"], random["estimate"], strict=True)) == {
        "sd__(Intercept)": term.sd[0],
        "sd__Days": term.sd[1],
        "cor__(Intercept).Days": term.correlation[0, 1],
        "sd__Observation": fit.sigma,
    }
    assert random[numbers[1:]].isna().all().all()


def test_several_terms_of_a_factor_keep_apart() -> None:
    frame = tidy(quiet("Reaction ~ Days + (1 | Subject) + (0 + Days | Subject)", sleepstudy()))
    assert frame["group"].tolist()[2:] == ["Subject", "Subject.1", "Residual"]


def test_glance(fit: MixedFit, by_ml: MixedFit) -> None:
    both = pd.concat([glance(fit), glance(by_ml)], ignore_index=True)
    assert both["reml"].tolist() == [True, False] and both["n_params"].tolist() == [6, 5]
    for row, one in zip(both.itertuples(), (fit, by_ml), strict=True):
        assert (row.nobs, row.df_residual) == (180, 180 - row.n_params)
        assert row.criterion == one.objective == -2.0 * row.loglik
        assert (row.aic, row.bic, row.sigma) == (one.aic, one.bic, one.sigma)
        assert row.evaluations == one.trace.evaluations
    assert both["deviance"][0] > both["criterion"][0] and both["deviance"][1] == both["criterion"][1]
    singular = quiet("Reaction ~ Days + (Days | Subject) + (1 | none)", sleepstudy().assign(none=np.arange(180) % 6))
    assert [glance(one)["singular"].item() for one in (fit, singular)] == [False, True]


def test_augment(fit: MixedFit, incomplete: MixedFit) -> None:
    frame = augment(fit, hat=True)
    assert list(frame.columns) == ["Reaction", "Days", "Subject", ".fitted", ".residual", ".fixed", ".hat"]
    np.testing.assert_allclose(frame[".fitted"] + frame[".residual"], frame["Reaction"])
    np.testing.assert_allclose(frame[".fixed"], fit.fixef["(Intercept)"] + fit.fixef["Days"] * frame["Days"])
    np.testing.assert_array_equal(frame[".hat"], fit.hat_values())
    part = augment(incomplete)
    assert ".hat" not in part and part.index.tolist() == list(range(161))  # the last ten rows are incomplete
    assert ".fitted" not in incomplete.design.frame
    with pytest.raises(OptionError, match=r"augment\(\) got int"):
        augment(3)  # type: ignore[arg-type]


def test_rows_of_augment_are_those_of_the_table() -> None:
    frame = sleepstudy()
    frame.loc[[0, 5], "Days"] = np.nan
    found = augment(quiet("Reaction ~ Days + (1 | Subject)", frame))
    assert found.index.tolist() == [i for i in range(180) if i not in (0, 5)]
    assert (found["Reaction"] == frame["Reaction"].iloc[found.index]).all()


# --- cost ---------------------------------------------------------------------------------------------------------


def test_a_large_fit_prints_without_reading_it_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """No conditional covariances, no leverages, no parameters of every level."""
    rng = np.random.default_rng(1)
    g = rng.integers(0, 20000, 100_000)
    fit = quiet("y ~ x + (1 | g)", {"y": rng.normal(size=20000)[g] + rng.normal(size=100_000), "x": g % 7, "g": g})
    for name in ("conditional_covariances", "with_response"):
        monkeypatch.setattr(type(fit.model), name, None)
    assert len(repr(fit)) < 4000 and len(tidy(fit)) == 4


def test_showing_other_fits_loads_no_compiler() -> None:
    """What prints maximum likelihood SEM knows mixed models by name only."""
    code = "import sys; import mixsem.report.frames, mixsem.report.summary; print('numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
