"""Effect sizes: R's numbers, and what a fraction of a design cannot tell."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mixsem.errors import OptionError
from mixsem.simulate import Population
from mixsem.studies import Method, Study, StudyResults
from mixsem.studies.anova import anova_effects, anova_table

REFERENCE = json.loads((Path(__file__).parents[1] / "reference" / "studies_anova.json").read_text(encoding="utf-8"))
LEVELS = {factor: tuple(levels) for factor, levels in REFERENCE["levels"].items()}
#: Digits of the stored numbers.
STORED = 1e-9


def results(frame: pd.DataFrame, factors: dict = LEVELS, **options: object) -> StudyResults:
    study = Study("made up", Population(), factors, (Method("mmgsem"),), **options)
    frame = frame.assign(method="mmgsem", variant="", status="done", error="")
    for factor in factors:
        frame[factor] = [study.all_cells[cell][factor] for cell in frame["cell"]]
    return StudyResults(study, frame, Path("nowhere"))


@pytest.fixture(name="data")
def _data() -> pd.DataFrame:
    return pd.DataFrame(REFERENCE["data"])


def assert_like_r(found: pd.DataFrame, reference: dict) -> None:
    assert found["term"].tolist() == [row["term"] for row in reference["terms"]] + ["Residuals"]
    for column in ("df", "sum_sq", "F", "p", "partial_eta_sq"):
        theirs = [row[column] for row in reference["terms"]]
        np.testing.assert_allclose(found[column][:-1].astype(float), theirs, rtol=STORED, atol=1e-12)
    rest = found.iloc[-1]
    assert rest["df"] == reference["residual_df"]
    assert rest["sum_sq"] == pytest.approx(reference["residual_ss"], rel=STORED)
    assert (found["aliased"] == "").all()


def test_balanced_design_is_as_by_aov(data):
    assert_like_r(anova_effects(results(data), "ari"), REFERENCE["balanced"])


def test_missing_data_sets_are_as_by_drop1(data):
    some = data[np.array(REFERENCE["unbalanced"]["rows"]) == 1]
    assert_like_r(anova_effects(results(some), "ari"), REFERENCE["unbalanced"])


def test_missing_values_are_missing_data_sets(data):
    data.loc[np.array(REFERENCE["unbalanced"]["rows"]) == 0, "ari"] = np.nan
    assert_like_r(anova_effects(results(data), "ari"), REFERENCE["unbalanced"])


def test_missing_cells_are_as_in_r(data):
    there = data[~data["cell"].isin(REFERENCE["missing_cells"]["cells"])]
    assert_like_r(anova_effects(results(there), "ari"), REFERENCE["missing_cells"])


def test_main_effects_alone_leave_interactions_to_the_residuals(data):
    both, main = (anova_effects(results(data), "ari", order=order) for order in (2, 1))
    assert main["term"].tolist() == [*LEVELS, "Residuals"]
    np.testing.assert_allclose(main["sum_sq"][:3], both["sum_sq"][:3])
    assert main["sum_sq"].iloc[-1] == pytest.approx(both["sum_sq"][3:].sum())
    whole = anova_effects(results(data), "ari", order=3)
    assert whole["term"].iloc[-2] == ":".join(LEVELS)
    assert whole["sum_sq"].sum() == pytest.approx(((data["ari"] - data["ari"].mean()) ** 2).sum())


HALVES = {"n_groups": (24, 48), "beta": (0.2, 0.4), "group_size": (50, 100)}


def half(rng: np.random.Generator) -> pd.DataFrame:
    """The half of a 2 x 2 x 2 design in which the product of the three contrasts is 1."""
    cells = [cell for cell in range(8) if bin(cell).count("1") % 2 == 0]
    frame = pd.DataFrame({"cell": np.repeat(cells, 3), "replication": [1, 2, 3] * 4})
    return frame.assign(ari=frame["cell"] * 0.1 + rng.normal(0, 0.01, len(frame)))


def test_half_a_design_says_what_it_cannot_separate():
    found = anova_effects(results(half(np.random.default_rng(1)), HALVES), "ari").set_index("term")
    assert found.loc["n_groups", "aliased"] == "beta:group_size"
    assert found.loc["group_size", "aliased"] == "n_groups:beta"
    assert found.loc["n_groups:beta", "aliased"] == "group_size"
    assert found.drop(index="Residuals")[["sum_sq", "F", "p", "partial_eta_sq"]].isna().all(axis=None)
    assert found.loc["Residuals", "df"] == 8
    main = anova_effects(results(half(np.random.default_rng(1)), HALVES), "ari", order=1)
    assert (main["aliased"] == "").all()
    assert main["sum_sq"][:3].tolist() == pytest.approx([0.4**2 * 3, 0.2**2 * 3, 0.1**2 * 3], rel=0.2)


def test_terms_that_several_others_cover_say_so():
    """In six of 3 x 3 x 2 cells no single term is to blame for every other one."""
    factors = {"group_size": (50, 100, 200), "beta": (0.2, 0.3, 0.4), "n_groups": (24, 48)}
    frame = pd.DataFrame({"cell": np.repeat([0, 3, 8, 10, 13, 16], 2), "replication": [1, 2] * 6})
    frame["ari"] = np.random.default_rng(2).normal(size=len(frame))
    found = anova_effects(results(frame, factors), "ari")
    effects = found.iloc[:-1]
    nominal = {"group_size": 2, "beta": 2, "n_groups": 1}
    for row in effects.itertuples():
        full = np.prod([nominal[f] for f in row.term.split(":")])
        assert (row.aliased == "") == (row.df == full)
        assert np.isnan(row.sum_sq) == (row.df < full)
    assert effects["aliased"].ne("").any()


def test_nothing_is_invented_without_degrees_of_freedom(data):
    once = data[data["replication"] == 1]
    found = anova_effects(results(once, replications=1), "ari", order=3)
    assert found["df"].iloc[-1] == 0
    assert found[["F", "p"]].isna().all(axis=None)
    nothing = anova_effects(results(data.assign(ari=np.nan)), "ari")
    assert nothing[["sum_sq", "F", "p"]].iloc[:-1].isna().all(axis=None)


def test_a_study_without_a_factor_to_compare_is_refused(data):
    one = {name: levels[:1] for name, levels in LEVELS.items()}
    with pytest.raises(OptionError, match="no factor has two levels"):
        anova_effects(results(data[data["cell"] == 0], one), "ari")


def test_failed_analyses_do_not_count(data):
    some = results(data)
    gone = np.array(REFERENCE["unbalanced"]["rows"]) == 0
    some.frame.loc[gone, "status"] = "failed"
    assert_like_r(anova_effects(some, "ari"), REFERENCE["unbalanced"])


def test_table_has_the_largest_effects_first(data):
    table = anova_table(results(data), "ari")
    frame = table.to_pandas()
    assert frame["partial_eta_sq"].dropna().is_monotonic_decreasing
    assert frame["term"].iloc[0] == "Group size" and frame["term"].iloc[-1] == "Residuals"
    assert "Groups × Group size" in frame["term"].tolist()
    aliased = anova_table(results(half(np.random.default_rng(1)), HALVES), "ari")
    assert "6 effects without numbers: 4 cells" in aliased.notes[-1]


@pytest.mark.parametrize("order", [0, True, 1.5])
def test_order_is_a_whole_number(data, order):
    with pytest.raises(OptionError, match=f"order={order!r}"):
        anova_effects(results(data), "ari", order=order)


def test_unknown_measure_is_named(data):
    with pytest.raises(OptionError, match="no measure 'arl'") as error:
        anova_effects(results(data), "arl")
    assert "did you mean 'ari'?" in str(error.value)
