"""Tables by level: standard errors that hold for fractions of a design, the papers' numbers, what failed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mixsem.errors import OptionError
from mixsem.simulate import Population
from mixsem.studies import Method, Study, StudyResults, read_study
from mixsem.studies.derived import derived_rows
from mixsem.studies.levels import level_frame
from mixsem.studies.marginal import CellMeans, cell_means, effect_code, marginal_means
from mixsem.studies.published import read_published
from mixsem.studies.tables import level_table, study_tables
from mixsem.studies.text_numbers import text_frame

#: The same sum in another order.
EXACT = 1e-12
#: Standard deviation of a z from some 1,500 dependent ones: well outside of it are errors that are wrong by a third.
ABOUT_ONE = 0.12

FACTORS = {"n_groups": (24, 48), "beta": (0.2, 0.3, 0.4), "group_size": (50, 100), "n_clusters": (2, 4)}


def made_up(study: Study, replications: int, **columns: object) -> StudyResults:
    """Results without measures but the ones given, of all chosen cells, methods and variants."""
    rows = [
        {"cell": c, "replication": r, "method": m.name, "variant": v, **study.all_cells[c]}
        for c in study.chosen_cells
        for r in range(1, replications + 1)
        for m in study.methods
        for v in m.variants
    ]
    return StudyResults(study, pd.DataFrame(rows).assign(status="done", error="", **columns), Path("nowhere"))


def plain(replications: int = 2, **options: object) -> Study:
    return Study("mine", Population(), FACTORS, (Method("mmgsem"),), replications=replications, **options)


def preset(name: str, cells: int, replications: int) -> Study:
    return replace(read_study(name), cells=cells, replications=replications)


# --- standard errors --------------------------------------------------------------------------------------


def interactions(design: list, factors: dict, rng: np.random.Generator) -> np.ndarray:
    """What cells deviate from the main effects by: nothing in the mean over any level of the whole design."""
    levels = {f: [cell[f] for cell in design] for f in factors}
    X = np.concatenate([np.ones((len(design), 1)), *(effect_code(levels[f], vs) for f, vs in factors.items())], axis=1)
    raw = rng.normal(0, 0.15, len(design))
    return raw - X @ np.linalg.lstsq(X, raw, rcond=None)[0]


def z_values(study: Study, replications: int, seed: int, repeats: int) -> tuple[np.ndarray, np.ndarray]:
    """By `marginal_means`, and as if data sets were independent, when the truth is known."""
    rng, design, factors = np.random.default_rng(seed), list(study.all_cells), study.factors
    chosen = np.array(study.chosen_cells)
    cells = pd.Series(np.repeat(chosen, replications))
    effects = {f: dict(zip(vs, np.linspace(-0.2, 0.2, len(vs)), strict=True)) for f, vs in factors.items()}
    main = 0.7 + np.array([sum(effects[f][cell[f]] for f in factors) for cell in design])
    found, naive = [], []
    for _ in range(repeats):
        truth = main + interactions(design, factors, rng)
        values = pd.Series(truth[cells] + rng.normal(0, 0.1, len(cells)))
        for m in marginal_means(cell_means(values, cells, design), factors, len(chosen) / len(design)):
            true = 0.7 + (effects[m.factor][m.level] if m.factor else 0.0)
            at = values[[m.factor is None or design[c][m.factor] == m.level for c in cells]]
            found.append((m.mean - true) / m.se)
            naive.append((m.plain - true) / (at.std() / np.sqrt(len(at))))
    return np.array(found), np.array(naive)


def test_z_is_about_standard_normal_for_a_fraction():
    """A tenth of the cells; with data sets as the units, the effects of other factors would be taken for error."""
    found, naive = z_values(preset("mixml-1", cells=96, replications=3), 3, seed=1, repeats=60)
    assert found.std() == pytest.approx(1.0, abs=ABOUT_ONE)
    assert found.mean() == pytest.approx(0.0, abs=ABOUT_ONE)
    assert np.mean(np.abs(found) > 1.96) == pytest.approx(0.05, abs=0.025)
    assert abs(naive.std() - 1.0) > ABOUT_ONE


def test_z_is_about_standard_normal_for_more_than_half_of_the_cells():
    found, _ = z_values(plain(3, cells=18), 3, seed=2, repeats=200)
    assert found.std() == pytest.approx(1.0, abs=ABOUT_ONE)


def test_z_is_about_standard_normal_for_all_cells():
    """Interactions are no error then; as residuals they would make the standard error twice too large."""
    found, naive = z_values(plain(3), 3, seed=3, repeats=200)
    assert found.std() == pytest.approx(1.0, abs=ABOUT_ONE)
    assert naive.std() < 0.6


def test_standard_error_of_a_small_fraction_is_that_of_residuals():
    """Eight of 32 cells, by hand."""
    levels = {"a": (0, 0, 1, 1, 0, 0, 1, 1), "b": (0, 1, 0, 1, 0, 1, 0, 1)}
    y = np.array([1.0, 2.0, 4.0, 6.0, 1.2, 2.1, 4.5, 5.9])
    means = CellMeans(levels, y, np.full(8, 0.01), np.full(8, 3))
    found = marginal_means(means, {"a": (0, 1), "b": (0, 1)}, share=0.25)
    A, B = (np.array(levels[f]) * 2 - 1 for f in "ab")
    residual = y - y.mean() - A * (A @ y) / 8 - B * (B @ y) / 8
    s2 = residual @ residual / 5
    by_hand = [*(y[side].mean() for side in (A < 0, A > 0, B < 0, B > 0)), y.mean()]
    assert [m.mean for m in found] == pytest.approx(by_hand)
    variance = 0.75 * s2 + 0.25 * 0.01
    assert [m.se for m in found] == pytest.approx([*[np.sqrt(variance / 4)] * 4, np.sqrt(variance / 8)])
    whole = marginal_means(means, {"a": (0, 1), "b": (0, 1)}, share=1.0)
    assert whole[0].se == pytest.approx(np.sqrt(0.01 / 4))
    once = marginal_means(replace(means, error=np.full(8, np.nan)), {"a": (0, 1), "b": (0, 1)}, share=1.0)
    assert once[0].se == pytest.approx(np.sqrt(s2 / 4))


def test_means_are_adjusted_for_cells_that_are_missing():
    study = plain(1)
    results = made_up(study, 1)
    frame = results.frame.assign(ari=results.frame["beta"] + 0.1 * (results.frame["n_groups"] == 48))
    lost = (frame["n_groups"] == 48) & (frame["beta"] == 0.4) & (frame["group_size"] == 50)
    found = level_frame(replace(results, frame=frame[~lost]), "ari").set_index(["factor", "level"])
    assert found.loc[("n_groups", 48), "mean"] == pytest.approx(0.4)
    assert found.loc[("n_groups", 48), "plain_mean"] < 0.39
    assert found.loc[("n_groups", 48), "n_cells"] == 10


def test_levels_without_cells_leave_others_without_an_error():
    """While a level of beta has no cell, nobody knows the mean over all of them."""
    results = made_up(plain(2), 2)
    frame = results.frame.assign(ari=np.random.default_rng(1).random(len(results.frame)))
    found = level_frame(replace(results, frame=frame[frame["beta"] != 0.4]), "ari").set_index("factor")
    assert found.loc["n_groups", "se"].isna().all()
    assert found.loc["beta", "se"].notna().tolist() == [True, True, False]
    assert found.loc["beta", "n_data_sets"].tolist() == [16, 16, 0]
    table = level_table(replace(results, frame=frame[frame["beta"] != 0.4]), "ari")
    assert any(note.startswith("No SE") for note in table.notes)


# --- beside the papers ------------------------------------------------------------------------------------


def like_the_paper(name: str, cells: int, replications: int) -> StudyResults:
    """Cells whose means over levels are what the paper printed."""
    study, paper = preset(name, cells, replications), read_published(name)
    results = made_up(study, replications)
    frame, rng = results.frame.copy(), np.random.default_rng(1)
    for table in paper.tables:
        own = frame["method"].isin([m.name for m in study.methods if m.kind == table.method])
        total = table.row(None, None).mean
        effects = [frame[f].map({r.level: r.mean - total for r in table.rows if r.factor == f}) for f in study.factors]
        values = total + sum(effects) + rng.normal(0, 0.01, len(frame))
        frame[table.measure] = frame.get(table.measure, pd.Series(np.nan, frame.index)).where(~own, values)
    return replace(results, frame=frame)


def test_tables_of_a_preset_are_those_of_the_paper():
    results = like_the_paper("mixml-1", 48, 2)
    frame = level_frame(results, ["ari", "cc"], method="mixml-sem")
    row = frame[(frame["measure"] == "ari") & (frame["factor"] == "small_proportion")].iloc[-1]
    assert (row["level"], row["paper_mean"], row["paper_sd"]) == (1, 0.512, 0.412)
    assert row["paper_se"] == pytest.approx(0.412 / np.sqrt(9600))
    assert row["z"] == pytest.approx((row["mean"] - 0.512) / np.hypot(row["se"], row["paper_se"]), rel=EXACT)
    assert frame["z"].abs().max() < 3
    assert frame["n_data_sets"].iloc[-1] == 96 and frame["n_cells"].iloc[-1] == 48
    tables = study_tables(results)
    assert [t.title.split(":")[0] for t in tables] == ["Table 1", "Table 2", "Table 3", "Numbers in the text"]
    assert "ml-sem" not in tables[0].title
    text = tables[0].to_text(200)
    assert "Size of large groups" in text and "0.512" in text and "48,000 data sets" in text
    for form in (tables[0].to_markdown(), tables[0].to_html(), tables[0].to_latex()):
        assert "0.512" in form


def test_total_is_named_and_comes_last():
    table = level_table(like_the_paper("mixml-1", 48, 1), "ari", method="ml-sem")
    frame = table.to_pandas()
    assert frame["factor"].iloc[0] == "Groups" and frame["factor"].iloc[-1] == "Total"
    assert list(frame.columns[-3:]) == ["mean[ari]", "sd[ari]", "se[ari]"]  # the paper has no ARI of ML-SEM
    assert len(frame) == 20 + 1 and len(table.rules) == 8


def test_a_large_difference_is_emphasised():
    results = like_the_paper("mixml-1", 48, 2)
    results.frame["ari"] += 0.3 * (results.frame["beta"] == 0.4)
    table = level_table(results, "ari", method="mixml-sem")
    rows = {(row[0], row[1]): row[-1] for row in table.rows}
    assert rows["", "0.4"].strong
    assert any("emphasised" in note for note in table.notes)


def test_true_prior_is_what_the_paper_is_about():
    results = like_the_paper("mixmg-bsem", 60, 1)
    frame = results.frame
    true = frame["variant"] == frame["loading_variance"].map("{:g}".format)
    frame["ari"] = frame["ari"].where(true | (frame["method"] != "mixmg-bsem"), 0.0)
    found = level_frame(results, "ari", method="mixmg-bsem")
    assert found["n_data_sets"].iloc[-1] == 60
    assert found["z"].notna().all() and found["z"].abs().max() < 3
    narrow = level_frame(results, "ari", method="mixmg-bsem", variant="0.001")
    assert narrow["paper_mean"].isna().all()
    assert narrow["mean"].iloc[-1] < 0.2
    titles = [table.title for table in study_tables(results)]
    assert titles[:4] == [t for t in dict.fromkeys(t.title for t in read_published("mixmg-bsem").tables)]
    assert titles[4] == "Numbers in the text"


def test_numbers_of_the_text_are_about_their_cells():
    results = like_the_paper("mixml-1", 96, 2)
    frame = results.frame
    part = (frame["sample"] == "fixed") & (frame["small_proportion"] == 1)
    frame.loc[part & (frame["method"] == "mixml-sem"), "ari"] = 0.67
    frame["one_cluster"] = (part & (frame["replication"] == 1)).astype(float)
    found = text_frame(results)
    where = {"sample": "fixed", "small_proportion": 1}
    row = found[(found["measure"] == "ari") & (found["where"] == where)].iloc[0]
    assert row["n_data_sets"] == (part & (frame["method"] == "mixml-sem")).sum()
    assert row["mean"] == pytest.approx(0.67) and row["paper_mean"] == 0.67
    without = found[found["where"] == {**where, "one_cluster": 0}].iloc[0]
    assert without["n_data_sets"] == row["n_data_sets"] / 2
    share = found[(found["measure"] == "one_cluster") & (found["where"] == {})].iloc[0]
    assert share["paper_mean"] == pytest.approx(1736 / 48000)
    assert "RMSE of non-invariant loadings" not in set(found["label"])  # not measured here


def test_a_rare_event_that_was_not_seen_is_no_contradiction():
    """None in 192 data sets where one in a thousand is expected: no variance, but an error."""
    results = made_up(preset("mixml-1", 96, 2), 2, **{"local_maximum[50]": 0.0})
    row = text_frame(results).iloc[0]
    assert row["mean"] == 0.0 and row["paper_mean"] == 0.001
    assert -1.0 < row["z"] < 0.0


# --- derived measures -------------------------------------------------------------------------------------


def test_correct_numbers_of_clusters():
    results = made_up(preset("mixml-2", 24, 1), 1)
    truth = results.frame["n_clusters"].to_numpy()
    chosen = np.where(np.arange(24) % 4 == 0, np.nan, truth - (np.arange(24) % 4 == 1)).astype(float)
    chosen[1] = 1.0
    results.frame["k_chull_observed"], results.frame["k_bic_g"] = chosen, truth.astype(float)
    frame = derived_rows(results).frame
    right = pd.Series(chosen == truth, dtype=float)
    assert frame["correct[chull_observed]"].tolist() == right.tolist()
    assert frame["correct[chull_observed]"].mean() == 0.5  # without a solution it is not correct
    assert frame["undecided[chull_observed]"].mean() == 0.25
    assert frame["too_few[chull_observed]"].mean() == 0.25
    assert frame["one[chull_observed]"].sum() == ((chosen == 1).sum())
    assert (frame["correct[bic_g]"] == 1).all()


def test_analyses_without_a_choice_are_neither_right_nor_wrong():
    study = replace(plain(1), methods=(Method("mmgsem", clusters=(1, 2)), Method("fixed k", "mmgsem")))
    results = made_up(study, 1)
    chose = results.frame["method"] == "mmgsem"
    results.frame["k_bic_g"] = results.frame["n_clusters"].where(chose).astype(float)
    frame = derived_rows(results).frame
    assert frame.loc[chose, "correct[bic_g]"].eq(1).all()
    assert frame.loc[~chose, "correct[bic_g]"].isna().all()


def test_loadings_by_the_place_of_the_item():
    results = made_up(plain(1), 1, **{f"rmse_loading[V{j}]": float(j) for j in range(1, 21) if j % 5 != 1})
    frame = derived_rows(results).frame
    assert frame["rmse_loading[item 2]"].iloc[0] == (2 + 7 + 12 + 17) / 4
    assert frame["rmse_loading[item 5]"].iloc[0] == (5 + 10 + 15 + 20) / 4


def test_prior_variances_that_dic_selects():
    method = Method("mixmg-bsem", prior_variance=(0.001, 0.01))
    study = Study("mine", Population(), {"loading_variance": (0.001, 0.01)}, (method,), replications=2)
    results = made_up(study, 2)
    # F1 always takes the smaller one; F2 the true one.
    small = results.frame["variant"] == "0.001"
    true = results.frame["variant"] == results.frame["loading_variance"].map("{:g}".format)
    results.frame["dic[F1]"], results.frame["dic[F2]"] = np.where(small, 1.0, 2.0), np.where(true, 1.0, 2.0)
    frame = derived_rows(results).frame
    names = ["dic_selects[0.001]", "dic_selects[0.01]", "dic_correct", "dic_flawless"]
    by_level = frame.groupby("loading_variance")[names]
    assert by_level.mean().to_numpy().tolist() == [[1.0, 0.0, 1.0, 1.0], [0.5, 0.5, 0.5, 0.0]]
    # Without one of the analyses there was no choice.
    results.frame.loc[0, "status"] = "failed"
    frame = derived_rows(results).frame
    assert frame["dic_correct"].isna().tolist() == [True, True, *[False] * 6]


# --- studies of one's own ---------------------------------------------------------------------------------


def test_own_study_has_tables_of_what_was_measured():
    columns = {"ari": 0.5, "rmse[F4~F1]": 0.1, "bias[F4~F1]": 0.0, "k_bic_g": 2.0}
    titles = [t.title for t in study_tables(made_up(plain(), 2, **columns))]
    assert titles == [
        "mmgsem: cluster recovery", "mmgsem: RMSE of the regressions", "mmgsem: bias of the regressions",
        "mmgsem: share of correct numbers of clusters",
    ]  # fmt: skip


def test_variants_that_are_not_the_true_ones_have_a_table_each():
    method = Method("mixmg-bsem", prior_variance=(0.005, 0.05))
    study = Study("mine", Population(loading_variance=0.01), {"beta": (0.2, 0.4)}, (method,), replications=1)
    results = made_up(study, 1, ari=0.5)
    assert [t.title for t in study_tables(results)] == [
        f"mixmg-bsem, prior variance {v}: cluster recovery" for v in method.variants
    ]
    with pytest.raises(OptionError, match="variant=None") as error:
        level_table(results, "ari")
    assert '"0.005", "0.05"' in str(error.value)


def test_a_level_may_be_none():
    factors = {"small_size": (None, 25), "beta": (0.2, 0.4)}
    study = Study("mine", Population(), factors, (Method("mmgsem"),), replications=2)
    results = made_up(study, 2, ari=0.5)
    assert level_frame(results, "ari")["n_data_sets"].tolist() == [4, 4, 4, 4, 8]


def test_failed_analyses_are_named_and_not_used():
    results = made_up(plain(), 2, ari=0.5)
    results.frame.loc[3, ["status", "error", "ari"]] = ["failed", "ModelError: no", np.nan]
    table = level_table(results, "ari")
    assert "Left out, because they failed: 1: cell 1 replication 2 (ModelError: no)." in table.notes
    assert table.to_pandas()["n_data_sets"].iloc[-1] == 2 * 24 - 1
    results.frame.loc[5, "ari"] = np.nan
    assert any("1 data set without ARI" in note for note in level_table(results, "ari").notes)


def test_a_study_that_has_just_begun_has_tables():
    results = made_up(plain(), 2, ari=0.5)
    for rows in (0, 1):
        table = level_table(replace(results, frame=results.frame.iloc[:rows]), "ari")
        assert table.to_pandas()["n_data_sets"].iloc[-1] == rows
        assert table.to_pandas()["se[ari]"].isna().all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"measures": "ari"}, "the study has 2 methods"),
        ({"measures": "ari", "method": "ml"}, "no method 'ml'"),
        ({"measures": "arl", "method": "ml-sem"}, "no measure 'arl'"),
        ({"measures": "cell", "method": "ml-sem"}, "no measure 'cell'"),
        ({"measures": "ari", "method": "ml-sem", "variant": "0.1"}, "variant='0.1'"),
    ],
)
def test_what_does_not_exist_is_named(options, message):
    results = made_up(preset("mixml-1", 24, 1), 1, ari=0.5)
    with pytest.raises(OptionError, match=message):
        level_table(results, **options)
