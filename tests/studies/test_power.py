"""`power`: the table follows from the data sets, and the answer from the table."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import pytest

import mixsem as mx
from mixsem.errors import OptionError, OutputError
from mixsem.simulate import OwnPopulation, Population
from mixsem.studies import Method
from mixsem.studies.power import plan_study
from mixsem.studies.power_result import PowerResult, wilson
from mixsem.studies.power_words import mean_size, power_markdown
from mixsem.studies.wald_measures import wald_measures

matplotlib.use("Agg")

PAPER = Population(n_clusters=2, beta=0.4)
OWN = OwnPopulation("x =~ x1 + x2 + x3; y =~ y1 + y2 + y3", "y ~ x", ({"y ~ x": 0.5}, {"y ~ x": -0.2}), reliability=0.7)
PLAN: dict[str, Any] = {
    "n_groups": (8, 12),
    "group_size": (30, 300),
    "method": "mmgsem",
    "replications": 4,
    "clusters": "true",
    "n_starts": 5,
    "seed": 1,
}


def made_up(recovered: dict[tuple[int, int | str], int], *, of: int = 20, failed: int = 0) -> PowerResult:
    """A result of which, in each plan, so many data sets are recovered and some of the others failed."""
    groups, sizes = (tuple(dict.fromkeys(key[i] for key in recovered)) for i in (0, 1))
    study = plan_study(OWN, **{**PLAN, "n_groups": groups, "group_size": sizes, "replications": of})
    rows = []
    for cell, levels in enumerate(study.all_cells):
        size = levels["group_size"]
        n = recovered[levels["n_groups"], int(size) if str(size).isdecimal() and size not in sizes else size]  # type: ignore[index,arg-type]
        for i in range(of):
            broken = i >= of - failed
            row = {"cell": cell, "replication": i + 1, **levels, "status": "failed" if broken else "done", "error": "E"}
            rows.append(row | ({} if broken else {"ari": 0.8 if i < n else 0.79, "cc": 0.9, "rmse[y~x]": 0.1}))
    return PowerResult(study, pd.DataFrame(rows), 0.8, 0.8)


@pytest.fixture(scope="module")
def result() -> PowerResult:
    return mx.power(
        OWN, n_groups=(8, 12), group_size=(30, 300), replications=4, clusters=(1, 2, 3), n_starts=5, workers=1
    )


def test_the_table_is_that_of_the_data_sets(result: PowerResult) -> None:
    plans = result.plans
    assert plans[["n_groups", "group_size"]].to_numpy().tolist() == [[8, 30], [8, 300], [12, 30], [12, 300]]
    assert plans["data_sets"].tolist() == [4] * 4 and not plans["failed"].any()
    for _, plan in plans.iterrows():
        own = result.frame.query("n_groups == @plan.n_groups and group_size == @plan.group_size")
        assert plan["ari"] == pytest.approx(own["ari"].mean())
        assert plan["ari_se"] == pytest.approx(own["ari"].std() / 2)
        assert plan["recovered"] == pytest.approx((own["ari"] >= 0.8).mean())
        assert plan["cc"] == pytest.approx(own["cc"].mean())
        assert plan["rmse[y~x]"] == plan["rmse"] == pytest.approx(own["rmse[y~x]"].mean())
        assert plan["right[bic_g]"] == pytest.approx((own["k_bic_g"] == 2).mean())
        assert plan["right[chull_observed]"] == pytest.approx((own["k_chull_observed"] == 2).mean())


def test_people_help(result: PowerResult) -> None:
    """Large groups recover what small ones do not: regressions of .5 and -.2."""
    means = result.plans.groupby("group_size")[["ari", "rmse"]].mean()
    assert means.loc[300, "ari"] > means.loc[30, "ari"] + 0.2
    assert means.loc[300, "rmse"] < means.loc[30, "rmse"] / 2


def test_regressions_are_compared_on_the_population_s_own_scale() -> None:
    """A fit scaled by another loading than the population's would be off by .5 however large the groups."""
    other = dataclasses.replace(OWN, loadings={"x": 0.4, "y": 0.8}, reliability=0.7)
    found = mx.power(other, n_groups=6, group_size=5000, replications=2, n_starts=3, workers=1)
    assert found.plans["rmse"].iloc[0] < 0.03 and found.plans["ari"].iloc[0] == 1.0


def test_it_goes_on_where_it_stopped(tmp_path: Path) -> None:
    options: dict[str, Any] = {"n_groups": 8, "group_size": (30, 60), "n_starts": 2, "workers": 1, "folder": tmp_path}
    states: list[Any] = []
    first = mx.power(OWN, replications=1, **options)
    second = mx.power(OWN, replications=2, progress=states.append, **options)
    assert (states[0].done_before, states[-1].done) == (2, 4)
    both = second.frame[second.frame["replication"] == 1].reset_index(drop=True)
    pd.testing.assert_frame_equal(both[first.frame.columns], first.frame)
    with pytest.raises(OutputError, match="another study"):
        mx.power(OWN, replications=1, **{**options, "group_size": (30, 70)})


def test_what_is_enough() -> None:
    found = made_up({(24, 50): 10, (24, 100): 17, (24, 200): 20, (48, 50): 3, (48, 100): 12, (48, 200): 15})
    enough, not_enough = found.answers
    assert enough.startswith("24 groups: 100 people per group recover the clusters in 85% of the data sets")
    assert "more replications would tell whether it is less than 80%" in enough
    assert not_enough == (
        "48 groups: not even 200 people per group are enough for 80% of the data sets; they recover the clusters in 75%"
        " of the data sets (95% interval 53 to 89)."
    )


def test_a_size_is_not_enough_where_a_larger_one_is_not() -> None:
    (answer,) = made_up({(24, 50): 18, (24, 100): 12, (24, 200): 20}).answers
    assert answer.startswith("24 groups: 200 people") and answer.endswith("of the data sets (95% interval 84 to 100).")
    (answer,) = made_up({(24, 200): 10}).answers
    assert answer.startswith("24 groups: 200 people per group are not enough for 80%")


def test_sizes_are_ordered_by_their_middle() -> None:
    (answer,) = made_up({(24, "50-300"): 20, (24, "100-120"): 4}).answers
    assert answer.startswith("24 groups: 50-300 people")
    assert mean_size("50-300") == 175 and mean_size("80") == mean_size(80) == 80


def test_failed_analyses_count_as_not_recovered() -> None:
    found = made_up({(24, 50): 20}, failed=5)
    plan = found.plans.iloc[0]
    assert (plan["failed"], plan["recovered"], plan["ari"]) == (5, 0.75, pytest.approx(0.8))
    assert "Failed analyses count as not recovered; the first one: E" in repr(found)


def test_it_shows_itself(result: PowerResult) -> None:
    for shown in (repr(result), power_markdown(result, "mixsem power plan.toml"), result._repr_html_()):
        for words in (
            "Power: 2 clusters, found by mmgsem",
            "People per group",
            "How many people?",
            "chosen among 1 to 3",
        ):
            assert words in shown
    assert "`mixsem power plan.toml`" in power_markdown(result, "mixsem power plan.toml")
    assert len(result.table.rows) == 4
    assert str(mx.summary(result).to_text()) == repr(result)


def test_the_figure_draws_its_data(result: PowerResult) -> None:
    data = mx.plots.power_data(result)
    assert data["recovered"].tolist() == result.plans["recovered"].tolist() and data["people"].tolist() == [30, 300] * 2
    axes = mx.plots.power(result).axes[0]
    lines = {c.get_label(): c.lines[0] for c in axes.containers}
    assert list(lines) == ["8 groups", "12 groups"]
    np.testing.assert_array_equal(lines["12 groups"].get_ydata(), data["recovered"][2:])
    assert [t.get_text() for t in axes.get_xticklabels()] == ["30", "300"]
    assert mx.plots.power(result, ax=axes) is axes
    with pytest.raises(OptionError, match="SimpleNamespace"):
        mx.plots.power(SimpleNamespace())  # type: ignore[call-overload]


def test_an_interval_needs_trials_and_stays_a_share() -> None:
    assert wilson(0, 4)[0] == 0.0
    assert wilson(4, 4)[1] == 1.0
    assert all(math.isnan(limit) for limit in wilson(0, 0))


def test_wald_measures_say_which_regressions_differ() -> None:
    Phi = [[[1.0, 0.6], [0.6, 1.0]]] * 5 + [[[1.0, 0.0], [0.0, 1.0]]] * 5
    given = mx.FactorMoments.from_covariances(Phi, n=[400] * 10, factors=["x", "y"], groups=list(range(10)))
    assert wald_measures(mx.StructuralMixture("y ~ x", k=2, n_starts=3).fit(given, seed=1)) == {
        "wald": 1,
        "wald[y~x]": 1,
    }
    assert wald_measures(mx.StructuralMixture("y ~ x", k=1).fit(given, seed=1)) == {}


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"method": "ml-sem"}, "method='ml-sem'"),
    ({"clusters": "all"}, "clusters='all'"),
    ({"clusters": (3, 4)}, "true number, 2"),
    ({"clusters": (2,)}, "true number, 2"),
    ({"n_groups": 1}, "n_groups=1"),
    ({"group_size": (50, (1, 2, 3))}, "group_size="),
    ({"group_size": ("50-20",)}, "group_size='50-20'"),
    ({"replications": 0}, "replications=0"),
    ({"population": Population(n_clusters=1)}, "one cluster"),
    ({"population": Population(), "group_size": ("50-60",)}, "ranges"),
    ({"population": Population(n_clusters=2, beta=5.0)}, "leaves no residual variance"),
    ({"population": {"beta": 0.3}}, "came with dict"),
]


@pytest.mark.parametrize(("changes", "says"), REFUSED, ids=[says for _, says in REFUSED])
def test_refused_before_anything_runs(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(OptionError, match=says):
        plan_study(changes.pop("population", OWN), **{**PLAN, **changes})


def test_thresholds_refused() -> None:
    for name in ("threshold", "wanted"):
        with pytest.raises(OptionError, match=f"{name}=1.5"):
            mx.power(PAPER, **{name: 1.5})


def test_pairs_are_ranges_and_methods_keep_their_settings() -> None:
    method = Method("mixml-sem", n_starts=7, draws=20, chains=1)
    study = plan_study(OWN, **{**PLAN, "group_size": (50, (60, 90)), "method": method})
    assert study.factors["group_size"] == ("50", "60-90")
    assert dataclasses.replace(study.methods[0]) == method


@pytest.mark.parametrize("kind", ["mixml-sem", "mixmg-bsem"])
def test_the_bayesian_methods(kind: str) -> None:
    population = dataclasses.replace(OWN, loading_variance=0.01)
    method = Method(kind, draws=50, chains=1, n_starts=5)
    found = mx.power(population, n_groups=8, group_size=200, replications=1, method=method, workers=1)
    assert found.frame["status"].tolist() == ["done"], found.frame["error"].tolist()
    assert found.plans["ari"].iloc[0] > 0.4
