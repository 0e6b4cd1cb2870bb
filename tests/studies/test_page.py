"""The page of a study holds what the results say: tables, shares, costs."""

from __future__ import annotations

import importlib.util
import json
import re
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from mixsem.errors import DataError, OutputError
from mixsem.report.table import Column, Table
from mixsem.simulate import Population
from mixsem.studies import Method, Study, StudyResults, read_study, run_study
from mixsem.studies.figures import save_figure, study_figures
from mixsem.studies.labels import factor_label
from mixsem.studies.layouts import Layout, interaction_layout
from mixsem.studies.page import read_runs, results_page
from mixsem.studies.page_effects import effect_tables
from mixsem.studies.page_tables import full_design, runs_table, speed_table, stability_table, trouble_table

RUN = {
    "started": "2026-01-02T03:04:05+00:00", "seconds": 5400.0, "cpu_seconds": 9000.0, "data_sets": 30, "workers": 2,
    "backend": "local", "version": "9.8.7", "python": "3.12.1", "numpy": "2.1.0", "machine": "Linux x86_64, 2 cores",
}  # fmt: skip


def made_up(name: str, cells: int, replications: int = 2) -> StudyResults:
    """Results of a preset without running it: measures are random, costs are 10 CPU seconds, 20 for ml-sem."""
    study = replace(read_study(name), cells=cells, replications=replications)
    rng, rows = np.random.default_rng(1), []
    for cell in study.chosen_cells:
        for replication in range(1, replications + 1):
            for method in study.methods:
                for variant in method.variants:
                    key = {"cell": cell, "replication": replication, "method": method.name, "variant": variant}
                    row = {**key, **study.all_cells[cell], "status": "done", "error": "", "notices": ""}
                    row |= {"cpu_seconds": 20.0 if method.kind == "ml-sem" else 10.0, "finished": 1.0}
                    row |= {f"rmse[{b}]": rng.uniform(0, 0.2) for b in ("F4~F1", "F3~F1", "F3~F2", "F4~F3")}
                    row |= {f"rmse_loading[V{j}]": rng.uniform(0, 0.2) for j in range(1, 21) if j % 5 != 1}
                    if method.kind != "ml-sem":
                        row |= {m: rng.uniform() for m in ("ari", "cc", "uncertainty")}
                        row |= {"one_cluster": 0.0, "local_maximum": 0.0}
                        row |= {f"local_maximum[{n}]": 0.0 for n in method.starts}
                        row |= {f"seconds_step{s}": float(s) for s in (1, 2, 3)}
                    if method.clusters:
                        row |= {f"k_{c}_observed": rng.choice([1.0, 2.0, 4.0]) for c in ("bic_g", "aic", "chull")}
                    rows.append(row)
    return StudyResults(study, pd.DataFrame(rows), Path("nowhere"))


def changed(results: StudyResults, frame: pd.DataFrame) -> StudyResults:
    return StudyResults(results.study, frame, results.folder)


# --- layouts ----------------------------------------------------------------------------------------------------


def test_the_whole_design_is_crossed_as_in_the_papers() -> None:
    whole = interaction_layout(read_study("mixml-1"), "ari")
    assert whole == Layout("small_proportion", ("group_size", "small_size"), ("beta", "n_clusters"), ("sample",))
    assert interaction_layout(read_study("mixml-2"), "correct[bic_g]") == whole
    assert "cross_loading" in interaction_layout(read_study("mixmg-bsem"), "rmse[F4~F1]").factors
    assert "cross_loading" not in interaction_layout(read_study("mixmg-bsem"), "ari").factors


def test_a_fraction_crosses_less() -> None:
    study = replace(read_study("mixml-1"), cells=96)
    layout = interaction_layout(study, "ari")
    assert layout.x == "small_proportion" and 1 < len(layout.factors) < 6
    pairs = {tuple(study.all_cells[c][f] for f in layout.factors) for c in study.chosen_cells}
    assert len(pairs) >= 0.9 * np.prod([len(study.factors[f]) for f in layout.factors])


def test_other_studies_leave_it_to_the_figure() -> None:
    study = Study("mine", Population(), {"beta": (0.2, 0.4)}, (Method("mmgsem"),))
    assert interaction_layout(study, "ari") == Layout()
    assert interaction_layout(replace(study, name="mixml-1"), "ari") == Layout()


# --- tables of facts --------------------------------------------------------------------------------------------


def test_shares_of_local_maxima() -> None:
    results = made_up("mixml-1", 20)
    frame = results.frame
    rows = frame.index[frame["method"] == "mixml-sem"]
    assert len(rows) == 40
    frame.loc[rows[:10], "local_maximum[20]"] = 1.0
    frame.loc[rows[:4], "local_maximum[50]"] = 1.0
    frame.loc[rows[:2], ["local_maximum[200]", "one_cluster"]] = 1.0
    frame.loc[rows[:1], "local_maximum"] = 1.0
    table = stability_table(results.study, frame).to_pandas()
    # ML-SEM has no clusters.
    assert table.to_numpy().tolist() == [["mixml-sem", 40, 5.0, 2.5, 25.0, 10.0, 5.0]]
    assert [c for c in table.columns if c.startswith("starts")] == ["starts_20", "starts_50", "starts_200"]


def test_failures_do_not_count_as_analyses() -> None:
    results = made_up("mixml-1", 20)
    rows = results.frame.index[results.frame["method"] == "mixml-sem"]
    frame = results.frame.copy()
    frame.loc[rows[:30], ["status", "error"]] = ["failed", "ModelError: no"]
    frame.loc[rows[:30], [c for c in frame if "local" in str(c) or "second" in str(c) or c == "one_cluster"]] = np.nan
    frame.loc[rows[30:35], "local_maximum[20]"] = 1.0
    table = stability_table(results.study, frame).to_pandas()
    assert table.loc[0, "analyses"] == 10 and table.loc[0, "starts_20"] == 50.0
    assert speed_table(results.study, frame).to_pandas().loc[0, "analyses"] == 10


def test_failures_and_notices_by_name() -> None:
    results = made_up("mixml-1", 20)
    frame = results.frame.copy()
    rows = frame.index[frame["method"] == "mixml-sem"]
    frame.loc[rows[0], ["status", "error"]] = ["failed", "DataError: a: b"]
    frame.loc[rows[1:3], ["status", "error"]] = ["failed", "ModelError: c (x.py, line 1)"]
    frame.loc[rows[3:13], "notices"] = "FewStartsWarning; HeywoodWarning"
    frame.loc[rows[13], "notices"] = "HeywoodWarning"
    frame.loc[rows[0], "notices"] = None
    table = trouble_table(results.study, frame).to_pandas()
    assert table.to_numpy().tolist() == [
        ["mixml-sem", "failed", "ModelError", 2, 5.0],
        ["mixml-sem", "failed", "DataError", 1, 2.5],
        ["mixml-sem", "notice", "HeywoodWarning", 11, 27.5],
        ["mixml-sem", "notice", "FewStartsWarning", 10, 25.0],
    ]


@pytest.mark.parametrize(
    ("name", "n", "variants"), [("mixml-1", 48_000, 1), ("mixml-2", 4_800, 1), ("mixmg-bsem", 54_000, 5)]
)
def test_full_designs(name: str, n: int, variants: int) -> None:
    study = replace(read_study(name), cells=20, replications=3)
    assert full_design(study)[0] == n
    assert full_design(study)[1][study.methods[0].name] == variants


def test_projection_counts_all_prior_variances_of_the_paper() -> None:
    study = read_study("mixmg-bsem")
    one = replace(study, methods=(replace(study.methods[0], prior_variance=(0.01,)),))
    assert full_design(one) == (54_000, {"mixmg-bsem": 5})


def test_projection() -> None:
    results = made_up("mixml-1", 20)
    table = speed_table(results.study, results.frame, cores=4).to_pandas().set_index("method")
    assert table["per_hour"].tolist()[:2] == [360.0, 180.0]
    # 48,000 data sets of 10 seconds on 4 cores: 120,000 seconds.
    assert table.loc["mixml-sem", "days"] == pytest.approx(120_000 / 86_400)
    assert table.loc["ml-sem", "days_100"] == pytest.approx(9_600 / 86_400)
    assert table.loc["all", "days"] == pytest.approx(360_000 / 86_400)
    assert table.loc["mixml-sem", ["step_1", "step_2", "step_3"]].tolist() == [1.0, 2.0, 3.0]
    assert np.isnan(table["step_1"]["ml-sem"])  # it has no steps


def test_projection_of_several_priors() -> None:
    results = made_up("mixmg-bsem", 30)
    table = speed_table(results.study, results.frame, cores=2).to_pandas().set_index("method")
    assert table.loc["mixmg-bsem", "full"] == 270_000 and table.loc["mixmg-bsem", "analyses"] == 300
    assert table.loc["mixmg-bsem", "per_hour"] == 72.0  # 5 analyses of 10 seconds each
    assert table.loc["mixmg-bsem", "days"] == pytest.approx(270_000 * 10 / 2 / 86_400)
    assert table.loc["mmgsem", "full"] == 54_000


def test_runs_are_put_together() -> None:
    dask = RUN | {"backend": "dask", "workers": None, "seconds": 1800.0, "data_sets": 7}
    killed = {"backend": "local", "workers": 2}
    table = runs_table([RUN, dask, RUN | {"seconds": 1800.0, "data_sets": 10}, killed]).to_pandas()
    assert table["backend"].tolist() == ["dask", "local"] and table["runs"].tolist() == [1, 3]
    assert table["data_sets"].tolist() == [7, 40] and table["hours"].tolist() == [0.5, 2.0]
    # Nobody knows how many workers a cluster had.
    assert table["per_hour"].isna().tolist() == [True, False] and table.loc[1, "per_hour"] == 10.0


def test_effect_sizes() -> None:
    results = made_up("mixml-1", 60)
    noise = results.frame["ari"] / 100
    frame = results.frame.assign(ari=noise + results.frame["beta"] * (results.frame["sample"] == "fixed"))
    clusters, regressions = effect_tables(changed(results, frame))
    sizes = clusters.to_pandas().set_index("term")["ari"]
    assert list(sizes.index) == [factor_label(results.study, f) for f in results.study.factors]
    assert sizes["Within-group samples"] > 0.8 and sizes["Size of regressions"] > 0.5 and sizes["Groups"] < 0.1
    assert any("60 cells cannot tell" in note for note in clusters.notes)
    assert list(regressions.to_pandas().columns) == ["term", "rmse[F4~F1]"]


def test_effect_sizes_of_interactions() -> None:
    factors = {"beta": (0.2, 0.4), "group_size": (50, 100), "sample": ("fixed", "random")}
    study = Study("mine", Population(), factors, (Method("mmgsem"),), replications=3)
    rng, rows = np.random.default_rng(2), []
    for cell, levels in enumerate(study.all_cells):
        for replication in (1, 2, 3):
            key = {"cell": cell, "replication": replication, "method": "mmgsem", "variant": "", "status": "done"}
            apart = (levels["beta"] == 0.4) == (levels["sample"] == "fixed")
            rows.append({**key, **levels, "ari": apart + rng.normal(0, 0.05)})
    (table,) = effect_tables(StudyResults(study, pd.DataFrame(rows), Path("nowhere")))
    found = table.to_pandas()
    assert found["term"].tolist()[3] == "Size of regressions × Within-group samples" and found["ari"][3] > 0.95


# --- the page ---------------------------------------------------------------------------------------------------


def test_page_says_what_was_run() -> None:
    results = made_up("mixml-1", 20)
    page = results_page(results, tables=(), effects=(), runs=[RUN], commit="abc1234")
    assert page.startswith(f"# Simulation study mixml-1\n\n{results.study.title}.\n")
    for text in (
        "20 of 960 cells, 2 replications of each: 40 data sets; seed 1.",
        "mixsem 9.8.7, commit `abc1234`; Python 3.12.1; NumPy 2.1.0; Linux x86_64, 2 cores.",
        "0.33 hours of CPU in 1.50 hours.",  # 40 analyses of 10 seconds and 40 of 20
        "`mixml-sem`: the fast method with 1,000 draws; the true number of clusters; 50 random starts.",
        "mixsem study run mixml-1 --cells 20 --replications 2 --out mixml-1",
        "None of 80 analyses failed.",
    ):
        assert text in page


def test_page_says_what_is_missing() -> None:
    results = made_up("mixml-1", 20)
    frame = results.frame[results.frame["cell"] != results.study.chosen_cells[0]]
    page = results_page(changed(results, frame), tables=(), effects=(), runs=())
    assert "40 data sets, of which 38 are done; seed 1." in page and "hours of CPU." in page


def test_page_of_a_changed_preset_prints_the_study() -> None:
    results = made_up("mixml-1", 20)
    study = replace(results.study, methods=(replace(results.study.methods[0], sampler="nuts"),))
    frame = results.frame[results.frame["method"] == "mixml-sem"]
    page = results_page(StudyResults(study, frame, Path("nowhere")), tables=(), effects=(), runs=())
    printed = re.search(r"```toml\n(.*?)```", page, re.DOTALL)
    assert printed and read_study(printed[1]).methods == study.methods
    assert "NUTS, 4 chains of 1,000 draws after 1,000 draws of warm-up" in page
    assert "mixsem study run mixml-1.toml" in page


def test_page_holds_tables_figures_and_remarks_in_order() -> None:
    results = made_up("mixml-1", 20)
    first = Table("Means of ARI", (Column("a", "A", "decimal3"),), ((0.12345,),))
    effect = Table("Effect sizes", (Column("a", "A", "decimal3"),), ((0.54321,),))
    page = results_page(
        results, tables=(first,), effects=(effect,), runs=(), remarks="Because of this.\n", figures={"x.svg": "What."}
    )
    places = [
        page.index(t) for t in ("0.123", "## Remarks\n\nBecause of this.", "![What.](x.svg)", "0.543", "## Speed")
    ]
    assert places == sorted(places)
    assert "## Remarks" not in results_page(results, tables=(), effects=(), runs=())
    headed = results_page(results, tables=(), effects=(), runs=(), remarks="## Why they differ\n\nSo.")
    assert "## Why they differ" in headed and "## Remarks" not in headed


def test_page_has_the_tables_of_the_results() -> None:
    results = made_up("mixml-1", 60)
    page = results_page(results, runs=[RUN])
    for title in ("Table 1: cluster recovery", "Table 2: RMSE of the regressions by MixML", "by ML-SEM"):
        assert title in page
    ours = results.frame.loc[results.frame["method"] == "mixml-sem", "ari"]
    assert f"{ours.mean():.3f}" in page and "0.745" in page  # the paper's mean
    assert "## Which factors matter" in page and "Partial eta² by ml-sem" in page


def test_wide_tables_are_split() -> None:
    stub = (Column("factor", "Factor"), Column("level", "Level"))
    columns = tuple(Column(f"{g}{i}", f"c{i}", "decimal3", group=g) for g in ("ARI", "CC") for i in range(6))
    wide = Table("Table 9", (*stub, *columns), (("f", "x", *range(12)),), ("Noted.",))
    page = results_page(made_up("mixml-1", 20), tables=(wide,), effects=(), runs=())
    assert "**Table 9: ARI**" in page and "**Table 9: CC**" in page and page.count("Noted.") == 1
    assert "| f | x | 0.000 | 1.000 | 2.000 | 3.000 | 4.000 | 5.000 |" in page
    assert "| f | x | 6.000 | 7.000 | 8.000 | 9.000 | 10.000 | 11.000 |" in page
    narrow = Table("Table 9", (*stub, columns[0], columns[6]), (("f", "x", 1, 2),))
    assert "c0 (ARI) | c0 (CC) |" in results_page(made_up("mixml-1", 20), tables=(narrow,), effects=(), runs=())


def test_records_of_runs(tmp_path: Path) -> None:
    assert read_runs(tmp_path) == [] and read_runs(None) == []
    (tmp_path / "runs.jsonl").write_text(json.dumps(RUN) + '\n{"started": "20', encoding="utf-8")
    assert read_runs(tmp_path) == [RUN]
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "runs.jsonl").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(OutputError, match="cannot be read"):
        read_runs(tmp_path / "bad")


# --- figures and files ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mixml-1", {"ari", "rmse-F4-F1", "published-mixml-sem", "published-ml-sem"}),
        ("mixml-2", {f"correct-{c}-observed" for c in ("bic-g", "aic", "chull")} | {"published-mixml-sem"}),
        ("mixmg-bsem", {"ari", "rmse-F4-F1", "published-mixmg-bsem", "priors-mixmg-bsem"}),
    ],
)
def test_figures_of_a_study(name: str, expected: set[str], tmp_path: Path) -> None:
    found = study_figures(made_up(name, 48))
    assert set(found) == expected
    for figure_name, (figure, what) in found.items():
        path = tmp_path / f"{figure_name}.svg"
        save_figure(figure, path)
        assert path.stat().st_size < 150_000 and what.endswith(".")


def test_figures_of_nothing() -> None:
    study = read_study("mixml-1")
    empty = StudyResults(study, pd.DataFrame(columns=["cell", "replication", "method", "variant", "status"]), Path("x"))
    assert study_figures(empty) == {}
    with pytest.raises(DataError, match="no result yet"):
        results_page(empty)


def test_a_figure_is_the_same_file_each_time(tmp_path: Path) -> None:
    for name in ("one.svg", "two.svg"):
        figure = Figure()
        ax = figure.add_subplot()
        ax.plot([1, 2], [1 / 3, 2])
        ax.text(1, 1, "0.12345 < 0.6789")
        save_figure(figure, tmp_path / name)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()
    text = (tmp_path / "one.svg").read_text(encoding="utf-8")
    # Coordinates are rounded, what is written is not.
    assert "0.12345 &lt; 0.6789" in text and not re.search(r'="[^"]*\d\.\d{3}', text)
    assert "<date" not in text and text.count("font-family") == 1


@pytest.fixture(scope="module")
def script() -> ModuleType:
    path = Path(__file__).parents[2] / "benchmarks" / "study_pages.py"
    spec = importlib.util.spec_from_file_location("study_pages", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_script(script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A study that was run becomes a page, and the same page again."""
    study = Study("small", Population(12, 100), {"beta": (0.2, 0.4)}, (Method("mmgsem", starts=(5,)),), replications=2)
    run_study(study, tmp_path / "store", workers=1)
    (tmp_path / "why.md").write_text("Chance.", encoding="utf-8")
    for folder in ("a", "b"):
        page = tmp_path / folder / "small.md"
        options = ["--remarks", str(tmp_path / "why.md"), "--commit", "abc"]
        assert script.main([str(tmp_path / "store"), str(page), *options]) == 0
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == ["small-ari.svg", "small-rmse-F4-F1.svg", "small.md"]
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    text = (tmp_path / "a" / "small.md").read_text(encoding="utf-8")
    assert "Chance." in text and "commit `abc`" in text and "](small-ari.svg)" in text
    assert script.main([str(tmp_path / "nothing"), str(tmp_path / "x.md")]) == 1
    assert "no study.toml" in capsys.readouterr().err
