"""Studies: designs, fractions of them, files, and seeds."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from mixsem.errors import OptionError
from mixsem.simulate import Population
from mixsem.studies import PRESETS, Method, Study, dataset, read_study, write_study
from mixsem.studies.fraction import balanced_fraction

SMALL = Study("small", Population(12), {"beta": (0.2, 0.4), "group_size": (50, 100)}, (Method("mmgsem"),))


@pytest.mark.parametrize(("name", "n"), [("mixml-1", 48_000), ("mixml-2", 4_800), ("mixmg-bsem", 54_000)])
def test_presets_have_the_size_that_the_papers_state(name: str, n: int) -> None:
    assert read_study(name).n_data_sets == n


@pytest.mark.parametrize("name", PRESETS)
def test_a_study_that_is_written_is_read_again(name: str) -> None:
    study = replace(read_study(name), cells=30, seed=7)
    again = read_study(write_study(study))
    assert again.factors == study.factors
    assert again.methods == study.methods
    assert (again.population, again.cells, again.seed, again.title) == (study.population, 30, 7, study.title)
    assert again.chosen_cells == study.chosen_cells


def test_every_cell_of_every_preset_has_a_population() -> None:
    for name in PRESETS:
        study = read_study(name)
        assert len({repr(study.population_of(c)) + str(c.get("sample")) for c in study.all_cells}) == len(
            study.all_cells
        )


@pytest.mark.parametrize("n_cells", [60, 120])
def test_a_fraction_has_all_levels_equally_often_and_all_pairs(n_cells: int) -> None:
    study = replace(read_study("mixml-1"), cells=n_cells)
    cells = [study.all_cells[i] for i in study.chosen_cells]
    assert len(set(study.chosen_cells)) == n_cells
    for factor, levels in study.factors.items():
        counts = [sum(c[factor] == level for c in cells) for level in levels]
        assert counts == [n_cells // len(levels)] * len(levels), factor
    for (a, first), (b, second) in itertools.combinations(study.factors.items(), 2):
        even = n_cells / (len(first) * len(second))
        for x, y in itertools.product(first, second):
            assert abs(sum(c[a] == x and c[b] == y for c in cells) - even) <= 2.0, (a, x, b, y)


def test_a_fraction_is_chosen_by_its_seed_and_may_be_everything() -> None:
    assert balanced_fraction([2, 3, 4], 12, seed=1) == balanced_fraction([2, 3, 4], 12, seed=1)
    assert len({balanced_fraction([2, 3, 4], 12, seed=s) for s in range(8)}) > 1
    assert replace(SMALL, cells=4).chosen_cells == (0, 1, 2, 3)


def test_half_of_a_two_level_design_is_the_orthogonal_one() -> None:
    cells = np.array(list(itertools.product((-1, 1), repeat=3)))[list(balanced_fraction([2, 2, 2], 4, seed=3))]
    np.testing.assert_array_equal(cells.T @ cells, 4 * np.eye(3))


def test_a_data_set_does_not_depend_on_the_rest_of_the_study() -> None:
    wider = replace(
        SMALL,
        factors={"group_size": (25, 50, 100), "beta": (0.1, 0.4)},
        replications=3,
        methods=(Method("mixml-sem"),),
        name="other",
    )
    ours = dataset(SMALL, SMALL.all_cells.index({"beta": 0.4, "group_size": 100}), 2)
    theirs = dataset(wider, wider.all_cells.index({"group_size": 100, "beta": 0.4}), 2)
    assert ours.seed == theirs.seed
    np.testing.assert_array_equal(ours.moments.covariances, theirs.moments.covariances)


def test_data_sets_differ_by_cell_replication_seed_and_sample() -> None:
    fixed = replace(SMALL, sample="fixed")
    seeds = {s.seed_of(c, r) for s in (SMALL, replace(SMALL, seed=2), fixed) for c in SMALL.all_cells for r in (1, 2)}
    assert len(seeds) == 3 * 4 * 2


def test_a_level_is_the_same_as_a_whole_and_as_a_decimal_number() -> None:
    a = replace(SMALL, factors={"cross_loading": (0, 0.2)})
    b = replace(SMALL, factors={"cross_loading": (0.0, 0.2)})
    assert a.seed_of(a.all_cells[0], 1) == b.seed_of(b.all_cells[0], 1)


def test_fixed_samples_have_the_population_s_covariances() -> None:
    study = replace(SMALL, factors={"sample": ("fixed", "random")})
    fixed, drawn = dataset(study, 0, 1), dataset(study, 1, 1)
    np.testing.assert_array_equal(fixed.moments.covariances, fixed.truth.Sigma)
    assert abs(drawn.moments.covariances - drawn.truth.Sigma).max() > 0.01


def test_seeds_stay_what_they_are() -> None:
    # Published results name data sets by these numbers.
    assert SMALL.seed_of({"beta": 0.2, "group_size": 50}, 1) == 165789844901425
    study = read_study("mixml-1")
    assert study.seed_of(study.all_cells[5], 1) == 56650613162822


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"factors": {"bta": (1,)}}, "beta"),
        ({"factors": {"beta": ()}}, "one or more"),
        ({"factors": {"beta": (0.2, 0.2)}}, "all different"),
        ({"factors": {"sample": ("fixed", "fresh")}}, "fixed"),
        ({"factors": {"n_clusters": (2, 7)}}, "1 to 4"),
        ({"replications": 0}, "replications=0"),
        ({"cells": 5}, "1 to 4"),
        ({"methods": ()}, "no method"),
        ({"methods": (Method("mmgsem"), Method("mmgsem"))}, "same name"),
        ({"seed": -1}, "seed=-1"),
    ],
)
def test_studies_that_cannot_be_run_are_refused(changes: dict[str, object], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        replace(SMALL, **changes)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"name": "mixml"}, "mixml-sem"),
        ({"name": "mmgsem", "sampler": "gibbs"}, "laplace"),
        ({"name": "mmgsem", "prior_variance": (0.1,)}, "mixmg-bsem"),
        ({"name": "mixmg-bsem", "prior_variance": (0.1, 0.1)}, "differ"),
        ({"name": "ml-sem", "priors": "flat"}, "mplus"),
        ({"name": "mmgsem", "tests": 1}, "true or false"),
        ({"name": "mixmg-bsem", "prior_variance": (-0.1,)}, "0 or more"),
        ({"name": "mmgsem", "n_starts": 0}, "n_starts"),
        ({"name": "ml-sem", "draws": 2}, "draws=2"),
    ],
)
def test_methods_that_do_not_exist_are_refused(options: dict[str, object], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        Method(**options)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name = 'x'\n[factors\n", "line 2"),
        ("name = 'x'\n[factors]\nbeta = [0.2]\n", "methods"),
        ("name = 'x'\n[factors]\nbeta = 0.2\n[methods.mmgsem]\n", "a list"),
        ("name = 'x'\n[factors]\nbeta = [0.2]\n[methods.mmgsem]\nstars = 5\n", "starts"),
        ("name = 'x'\nreplicatons = 3\n[factors]\n[methods.mmgsem]\n", "replications"),
        ("name = 'x'\n[population]\nbetta = 1\n[factors]\n[methods.mmgsem]\n", "beta"),
        ("name = 'x'\n[factors]\nbeta = [0.2]\n[methods]\nmmgsem = 1\n", "a table"),
        ("name = 'x'\n[factors]\nbeta = [0.2]\n[methods.mmgsem]\nmethod = 3\n", "is of the kind 3"),
        ("name = 'x'\n[population]\ngroup_size = ['a', 60]\n[factors]\nbeta = [0.2]\n[methods.mmgsem]\n", "group_size"),
        ("name = 'x'\n[population]\nsample = 'fixed'\n[factors]\nbeta = [0.2]\n[methods.mmgsem]\n", "at the top"),
        ("name = 'x'\n[population]\nbeta = 0.4\n[factors]\nbeta = [0.2]\n[methods.mmgsem]\n", "is a factor and"),
        ("name = 'x'\nsample = 'fixed'\n[factors]\nsample = ['random']\n[methods.mmgsem]\n", "is a factor and"),
    ],
)
def test_errors_of_study_files_say_where(text: str, words: str) -> None:
    with pytest.raises(OptionError, match=words):
        read_study(text)


def test_a_misspelt_preset_is_corrected(tmp_path: object) -> None:
    with pytest.raises(OptionError, match="mixml-1"):
        read_study("mixml1")
    with pytest.raises(OptionError, match="cannot be read"):
        read_study("nowhere.toml")


def test_cells_and_replications_that_do_not_exist_are_refused() -> None:
    with pytest.raises(OptionError, match="0 to 3"):
        dataset(SMALL, 4, 1)
    with pytest.raises(OptionError, match="from 1"):
        dataset(SMALL, 0, 0)


def test_levels_from_arrays_are_plain_numbers_and_texts_stand_alone() -> None:
    study = replace(SMALL, factors={"group_size": tuple(np.array([50, 100])), "beta": tuple(np.array([0.2]))})
    assert study.factors == {"group_size": (50, 100), "beta": (0.2,)}
    assert all(type(level) in (int, float) for levels in study.factors.values() for level in levels)
    with pytest.raises(OptionError, match="not both"):
        replace(SMALL, factors={"reliability": ("high", 1)})
    with pytest.raises(OptionError, match="not both"):
        replace(SMALL, factors={"proportions": ((0.5, 0.5), (0.7, 0.3))})


def test_more_clusters_than_groups_are_refused() -> None:
    with pytest.raises(OptionError, match="with 12 groups"):
        replace(SMALL, methods=(Method("mmgsem", clusters=(2, 40)),))


def test_any_text_survives_being_written() -> None:
    study = replace(SMALL, title='a\rb\x1b\x7f"\\ é\n')
    assert read_study(write_study(study)).title == study.title
