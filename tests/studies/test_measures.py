"""Measures of recovery, on estimates whose distance from the truth is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import mixsem as mx
from mixsem.simulate import Population, draw_moments, draw_truth
from mixsem.studies import Method, Study, dataset
from mixsem.studies.measures import (
    cluster_measures,
    loading_measures,
    local_maximum,
    multilevel_measures,
    regression_names,
)
from mixsem.studies.work import Task, work

TRUTH = draw_truth(Population(n_groups=16, n_clusters=4, group_size=200, beta=0.4), seed=3)
NAMES = ("F4~F1", "F3~F1", "F3~F2", "F4~F3")


@pytest.fixture(scope="module")
def fit() -> mx.structural.MixtureFit:
    moments = draw_moments(TRUTH, seed=3, sample="fixed")
    step1 = mx.MGCFA(TRUTH.measurement).fit(moments)
    return mx.StructuralMixture(TRUTH.structural, k=4).fit(mx.factor_moments(step1), seed=1)


def test_regressions_are_named_in_the_order_of_the_papers() -> None:
    assert regression_names(TRUTH) == NAMES


def test_a_perfect_fit_has_no_error(fit: mx.structural.MixtureFit) -> None:
    found = cluster_measures(TRUTH, fit)
    assert found["ari"] == found["cc"] == 1.0
    assert found["one_cluster"] == 0.0
    assert all(abs(found[f"rmse[{n}]"]) < 0.03 for n in NAMES)


def test_errors_do_not_depend_on_the_numbers_of_clusters(fit: mx.structural.MixtureFit) -> None:
    order = [2, 0, 3, 1]
    other = replace(fit, B=fit.B[order], posterior=fit.posterior[:, order], proportions=fit.proportions[order])
    assert cluster_measures(TRUTH, other) == pytest.approx(cluster_measures(TRUTH, fit))


def test_rmse_and_bias_are_those_of_equation_19(fit: mx.structural.MixtureFit) -> None:
    off = np.zeros((4, 4, 4))
    off[:, 3, 0] = [0.3, -0.1, 0.1, 0.1]  # F4 ~ F1 in the clusters as the truth numbers them
    order = np.argmax(np.eye(4)[TRUTH.clusters].T @ fit.posterior, axis=1)
    B = np.empty_like(fit.B)
    B[order] = TRUTH.B + off
    found = cluster_measures(TRUTH, replace(fit, B=B))
    assert found["rmse[F4~F1]"] == pytest.approx(np.sqrt((0.09 + 0.03) / 4))
    assert found["bias[F4~F1]"] == pytest.approx(0.1)
    assert found["rmse[F3~F2]"] == pytest.approx(0.0, abs=1e-12)


def test_one_cluster_is_seen(fit: mx.structural.MixtureFit) -> None:
    posterior = np.tile([0.4, 0.3, 0.2, 0.1], (16, 1))
    found = cluster_measures(TRUTH, replace(fit, posterior=posterior))
    assert found["one_cluster"] == 1.0
    assert found["ari"] == 0.0
    assert found["cc"] == 0.25
    assert found["uncertainty"] == pytest.approx(0.6)


def test_multilevel_errors_are_over_groups_as_in_equation_20() -> None:
    B = TRUTH.B[TRUTH.clusters].copy()
    B[:, 2, 0] += np.linspace(-0.2, 0.4, 16)
    found = multilevel_measures(TRUTH, TRUTH.factors, B)
    assert found["rmse[F3~F1]"] == pytest.approx(np.sqrt((np.linspace(-0.2, 0.4, 16) ** 2).mean()))
    assert found["bias[F3~F1]"] == pytest.approx(0.1)
    assert found["rmse[F4~F3]"] == 0.0
    swapped = [1, 0, 3, 2]
    factors = tuple(TRUTH.factors[i] for i in swapped)
    assert multilevel_measures(TRUTH, factors, B[:, swapped][:, :, swapped]) == pytest.approx(found)


def test_loading_errors_are_of_what_differs_over_groups() -> None:
    truth = draw_truth(Population(n_groups=10, kind="multilevel"), seed=5)
    Lambda = truth.Lambda.copy()
    Lambda[:, 1, 0] += 0.2  # V2, one of eight non-invariant loadings
    Lambda[:, 3, 0] += 0.5  # V4 is invariant
    found = loading_measures(truth, Lambda, truth.Theta + 0.1 * np.eye(20))
    assert found["rmse_loading[V2]"] == pytest.approx(0.2)
    assert found["rmse_loading[V4]"] == pytest.approx(0.5)
    assert "rmse_loading[V1]" not in found, "a marker has no error"
    assert found["rmse_noninvariant"] == pytest.approx(0.2 / np.sqrt(8))
    assert found["rmse_uniques"] == pytest.approx(0.1)


def test_cross_loadings_do_not_change_where_an_item_belongs() -> None:
    truth = draw_truth(Population(n_groups=6, cross_loading=0.4, reliability="low"), seed=1)
    own = np.where(np.arange(20)[:, None] // 5 == np.arange(4), truth.Lambda, 0.0)  # a fit has no cross-loadings
    assert loading_measures(truth, own, truth.Theta)["rmse_loading[V8]"] == 0.0


def test_a_local_maximum_falls_short_of_the_run_from_the_truth() -> None:
    logliks = np.array([-10.0, -9.5, -9.0])
    assert [local_maximum(logliks, -9.0, n) for n in (1, 2, 3)] == [1.0, 1.0, 0.0]
    assert local_maximum(logliks, -8.9995, 3) == 0.0
    assert local_maximum(logliks, -9.2, 3) == 0.0


STUDY = Study(
    "kinds",
    Population(n_groups=16, group_size=80, n_clusters=2, beta=0.4, loading_variance=0.01),
    {"sample": ("fixed", "random")},
    (
        Method("mmgsem", partial=False, clusters=(1, 2, 3), starts=(5, 10), n_starts=10),
        Method("mixmg-bsem", prior_variance=(0.001, 0.01), chains=1, draws=100),
        Method("true prior", "mixmg-bsem", chains=1, draws=100),
    ),
)


@pytest.fixture(scope="module")
def rows() -> list[dict[str, object]]:
    return work(Task(STUDY, 0, 1, tuple(m.name for m in STUDY.methods)))


def test_each_method_and_variant_gives_a_row(rows: list[dict[str, object]]) -> None:
    assert [(r["method"], r["variant"]) for r in rows] == [
        ("mmgsem", ""),
        ("mixmg-bsem", "0.001"),
        ("mixmg-bsem", "0.01"),
        ("true prior", ""),
    ]
    assert {r["status"] for r in rows} == {"done"}, [r["error"] for r in rows]
    assert {r["seed"] for r in rows} == {dataset(STUDY, 0, 1).seed}
    assert all(r["sample"] == "fixed" and r["cell"] == 0 and r["replication"] == 1 for r in rows)


def test_the_population_s_own_prior_variance_is_the_true_one(rows: list[dict[str, object]]) -> None:
    assert rows[3]["dic[F1]"] == rows[2]["dic[F1]"]
    assert rows[3]["rmse[F4~F3]"] == rows[2]["rmse[F4~F3]"] != rows[1]["rmse[F4~F3]"]


def test_selection_and_local_maxima_are_recorded_where_they_are_asked_for(rows: list[dict[str, object]]) -> None:
    assert rows[0]["k_bic_g"] in (1.0, 2.0, 3.0)
    assert rows[0]["local_maximum[10]"] <= rows[0]["local_maximum[5]"], "more starts cannot be worse"
    assert "k_bic_g" not in rows[1]
    assert "local_maximum[5]" not in rows[1]
    assert "dic[F2]" not in rows[0]


def test_what_fails_is_recorded_with_its_error() -> None:
    # Ten people cannot have 20 x 20 covariances of full rank: maximum likelihood refuses, by name.
    study = Study("fails", Population(n_groups=4, group_size=4, n_clusters=2), {"beta": (0.3,)}, (Method("mmgsem"),))
    (row,) = work(Task(study, 0, 1, ("mmgsem",)))
    assert row["status"] == "failed"
    assert "Error" in row["error"] and "line" in row["error"]
    assert "ari" not in row
    assert row["seed"] == study.seed_of(study.all_cells[0], 1)


def test_a_data_set_that_cannot_be_drawn_is_recorded_for_every_variant() -> None:
    study = replace(STUDY, population=replace(STUDY.population, beta=5.0))
    rows = work(Task(study, 0, 1, ("mmgsem", "mixmg-bsem")))
    assert [(r["method"], r["variant"], r["status"]) for r in rows] == [
        ("mmgsem", "", "failed"),
        ("mixmg-bsem", "0.001", "failed"),
        ("mixmg-bsem", "0.01", "failed"),
    ]
    assert "beta=5.0" in rows[0]["error"]
