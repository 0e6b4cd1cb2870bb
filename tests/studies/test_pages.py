"""The published pages of studies say what the stored results say."""

from __future__ import annotations

from pathlib import Path

import pytest

from mixsem.studies import StudyResults, level_frame, read_results, study_tables

PAGES = Path(__file__).parents[2] / "docs" / "studies"
NAMES = ("mixml-1", "mixml-2", "mixmg-bsem")

pytestmark = pytest.mark.skipif(not PAGES.is_dir(), reason="the documents are not here")


@pytest.fixture(scope="module", params=NAMES)
def stored(request: pytest.FixtureRequest) -> tuple[StudyResults, str]:
    name = request.param
    return read_results(PAGES / "results" / name), (PAGES / f"{name}.md").read_text(encoding="utf-8")


def test_a_balanced_fraction_was_run_three_times_and_nothing_is_missing(stored: tuple[StudyResults, str]) -> None:
    results, _ = stored
    study = results.study
    assert study.replications >= 3
    assert results.n_done == study.n_data_sets
    for factor, levels in study.factors.items():
        counts = results.frame.groupby(factor)["cell"].nunique()
        assert counts.tolist() == [len(study.chosen_cells) // len(levels)] * len(levels), factor


def test_every_mean_of_the_page_is_that_of_the_results(stored: tuple[StudyResults, str]) -> None:
    results, page = stored
    page = page.replace("\N{MINUS SIGN}", "-")
    lines = 0
    for table in study_tables(results):
        names = [column.name for column in table.columns]
        for row in (dict(zip(names, values, strict=True)) for values in table.rows):
            for measure in (name.removeprefix("mean") for name in names if name.startswith("mean")):
                if f"sd{measure}" not in row:  # numbers of the text have no SD
                    continue
                mean, sd = row[f"mean{measure}"], row[f"sd{measure}"]
                line = f"| {row['n_data_sets']} | {row['n_cells']} | {mean:.3f} | {sd:.3f} |".replace("-0.000", "0.000")
                assert line in page, (table.title, row["factor"], row["level"], measure)
                lines += 1
    assert lines >= 50


#: Of 147 means 0.4 would differ by more than so many standard errors by chance.
FAR = 3.0
#: Two standard errors of the mean ARI over all levels (.015); the other totals are known better.
NEAR = 0.03


@pytest.mark.parametrize(("name", "method", "measures"), [
    ("mixml-1", "mixml-sem", ("ari", "cc", "uncertainty")),
    ("mixmg-bsem", "mixmg-bsem", ("ari", "cc", "rmse[F4~F1]", "bias[F4~F1]")),
])  # fmt: skip
def test_clusters_are_recovered_as_published(name: str, method: str, measures: tuple[str, ...]) -> None:
    frame = level_frame(read_results(PAGES / "results" / name), measures, method=method)
    assert frame["z"].notna().all()
    assert frame["z"].abs().max() < FAR
    totals = frame[frame["factor"].isna()]
    assert (totals["mean"] - totals["paper_mean"]).abs().max() < NEAR
