"""The published pages of studies say what the stored results say."""

from __future__ import annotations

from pathlib import Path

import pytest

from mixsem.studies import StudyResults, read_results, study_tables

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
