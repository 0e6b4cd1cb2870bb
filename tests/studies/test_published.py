"""The papers' numbers agree with one another and with the designs of the presets."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import numpy as np
import pytest

from mixsem.errors import OptionError
from mixsem.studies import read_study
from mixsem.studies.published import PUBLISHED, published_for, read_published

#: Numbers are printed with three decimals.
PRINTED = 0.0005
#: So much do levels and total disagree in the paper's own table of correct numbers of clusters (BIC_G, levels of beta),
#: as if some of the 4,800 data sets were missing at some levels.
UNEVEN = {"mixml-2": 0.0095}


@pytest.mark.parametrize("name", PUBLISHED)
def test_designs_are_those_of_the_presets(name):
    paper, study = read_published(name), read_study(name)
    assert published_for(study) is paper
    assert paper.n_data_sets == len(study.all_cells) * study.replications
    for table in paper.tables:
        assert [row.factor for row in table.rows if row.factor is None] == [None]
        rows = [(row.factor, row.level) for row in table.rows]
        assert len(set(rows)) == len(rows)
        assert {r for r in rows if r[0] in study.factors} == {(f, v) for f, vs in study.factors.items() for v in vs}
        assert table.method in {method.kind for method in study.methods}


@pytest.mark.parametrize("name", PUBLISHED)
def test_levels_of_a_factor_average_to_the_total(name):
    """A digit that was read wrongly would break the mean or the standard deviation of its factor."""
    paper = read_published(name)
    for table in paper.tables:
        total = table.row(None, None)
        for factor, levels in paper.levels.items():
            rows = [table.row(factor, level) for level in levels]
            mean = np.mean([row.mean for row in rows])
            square = np.mean([row.sd**2 + row.mean**2 for row in rows])
            what, more = (table.title, table.label, factor), UNEVEN.get(name, 0.0)
            assert mean == pytest.approx(total.mean, abs=2 * PRINTED + more + 1e-9), what
            assert math.sqrt(square - mean**2) == pytest.approx(total.sd, abs=3 * PRINTED + more), what


def test_shares_have_the_standard_deviation_of_shares():
    for table in read_published("mixml-2").tables:
        for row in table.rows:
            assert row.sd == pytest.approx(math.sqrt(row.mean * (1 - row.mean)), abs=2 * PRINTED)


def test_some_numbers_as_printed():
    one, two, three = (read_published(name) for name in PUBLISHED)
    found = {(t.method, t.measure): t for t in one.tables}
    assert found["mixml-sem", "ari"].row(None, None).mean == 0.745
    assert found["mixml-sem", "cc"].row("small_proportion", 1).mean == 0.738
    assert found["mixml-sem", "rmse[F4~F3]"].row("sample", "fixed").sd == 0.023
    assert found["ml-sem", "rmse[F3~F1]"].row("n_clusters", 4).mean == 0.093
    assert two.tables[2].row("small_proportion", 0.25).mean == 0.831
    found = {(t.title[:7], t.measure): t for t in three.tables}
    assert found["Table 1", "rmse_loading[item 3]"].row("cross_loading", 0.4).mean == 0.122
    assert found["Table 2", "cc"].row("loading_variance", 0.05).mean == 0.845
    assert found["Table 3", "bias[F3~F1]"].row("cross_loading", 0.4).mean == -0.010
    assert found["Table 4", "rmse[F4~F1]"].row("group_size", 50).sd == 0.079


@pytest.mark.parametrize("name", PUBLISHED)
def test_numbers_of_the_text_stand_in_their_quotes(name):
    paper = read_published(name)
    seen = [(n.measure, n.filter, tuple(n.where.items())) for n in paper.text]
    assert len(set(seen)) == len(seen)
    tables = {(t.measure, row.factor, row.level): row.mean for t in paper.tables for row in t.rows}
    for number in paper.text:
        share = f"{100 * number.mean:.10g}"
        words = number.quote.replace(",", "")
        count = re.search(rf"\b{number.mean * (number.n or 0):.10g}\b", words)
        percent = any(f"{text}%" in words for text in (share, f"{100 * number.mean:.1f}"))
        # "All of these cases" is the one count that is written elsewhere.
        assert f"{number.mean:.3f}" in words or percent or count or words.startswith("All of these")
        for factor, level in number.where.items():  # no number twice
            assert len(number.where) > 1 or tables.get((number.measure, factor, level)) != number.mean


def test_counts_of_data_sets():
    paper = read_published("mixml-1")
    assert paper.data_sets_at() == 48000
    assert paper.data_sets_at("sample", "small_proportion") == 4800
    assert paper.data_sets_at("variant") == 48000
    counts = {tuple(n.where): n.mean * n.n for n in paper.text if n.measure == "one_cluster"}
    assert counts[()] == pytest.approx(1736)
    assert counts["small_proportion", "beta"] == pytest.approx(1374)


def test_another_design_has_nothing_to_compare_with():
    study = read_study("mixml-1")
    assert published_for(replace(study, cells=96, replications=3)) is not None
    assert published_for(replace(study, factors={**study.factors, "beta": (0.3, 0.4)})) is None
    assert published_for(replace(study, name="mine")) is None
    without = {factor: levels for factor, levels in study.factors.items() if factor != "sample"}
    assert published_for(replace(study, factors=without)) is None


def test_unknown_study_is_named():
    with pytest.raises(OptionError, match=r"'mixml-3'") as error:
        read_published("mixml-3")
    assert "mixml-2" in str(error.value)
