"""The benchmark of mixed models measures what it says: its data, its dense judge, and what it calls a failure."""

from __future__ import annotations

import importlib
import json
from dataclasses import asdict, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
#: The same number by two orders of the same sums.
ROUNDING = 1e-8
#: A thousand rows by two algorithms.
JUDGES = 1e-7


def load(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module(name)


@pytest.fixture
def data(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return load("mixed_data", monkeypatch)


@pytest.fixture
def peers(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return load("mixed_peers", monkeypatch)


def test_drawn_data(data: ModuleType) -> None:
    """Every level appears, the same seed gives the same rows, another one others."""
    for problem in data.PROBLEMS.values():
        columns = problem.columns(1, small=True)
        assert all(np.array_equal(columns[name], again) for name, again in problem.columns(1, small=True).items())
        assert not np.array_equal(columns["y"], problem.columns(2, small=True)["y"])
        assert len(columns["y"]) == problem.small[0] and np.isfinite(columns["y"]).all()
        for name, levels in zip("gh", problem.small[1:], strict=False):
            if name in columns:
                assert np.array_equal(np.unique(columns[name]), np.arange(levels))


def test_nested_groups_are_those_with_own_names(data: ModuleType) -> None:
    columns = data.PROBLEMS["nested"].columns(1, small=True)
    for own, parts, levels in (("ab", "ab", 50), ("abc", "abc", 200)):
        pairs = np.unique(np.column_stack([columns[own], *(columns[part] for part in parts)]), axis=0)
        assert len(pairs) == levels == len(np.unique(columns[own])) == len(np.unique(pairs[:, 1:], axis=0))


def test_stored_data_are_read_again(data: ModuleType, peers: ModuleType, tmp_path: Path) -> None:
    problem = data.PROBLEMS["nested"]
    columns = problem.columns(1, small=True)
    data.store(problem, columns, tmp_path / "nested")
    record, frame = peers.read_frame(tmp_path / "nested")
    assert record["formula"] == "y ~ x1 + x2 + (1 | a/b/c)"
    assert record["plain"] == "y ~ x1 + x2 + (1 | a) + (1 | ab) + (1 | abc)"
    assert np.array_equal(frame["x1"], columns["x1"])
    assert frame["ab"].cat.categories[0] == "1" and np.array_equal(frame["ab"].cat.codes, columns["ab"])


def test_dense_fit(data: ModuleType) -> None:
    """Against the likelihood of error contrasts, A'y with A'X = 0, which needs no formula for REML."""
    problem = replace(data.PROBLEMS["crossed-slopes"], small=(60, 6, 4))
    columns = problem.columns(3, small=True)
    factors = {"g": [[0.7, 0.0], [0.2, 0.4]], "h": [[0.5, 0.0], [-0.3, 0.0]]}
    X = np.column_stack([np.ones(60), columns["x1"], columns["x2"]])
    V = np.eye(60)
    for name, factor in factors.items():
        Z = np.zeros((60, 2 * (columns[name].max() + 1)))
        Z[np.arange(60), 2 * columns[name]], Z[np.arange(60), 2 * columns[name] + 1] = 1.0, columns["x1"]
        Lambda = np.kron(np.eye(columns[name].max() + 1), factor)
        V += Z @ Lambda @ Lambda.T @ Z.T
    A = np.linalg.svd(X, full_matrices=True)[0][:, 3:]
    contrasts, covariance = A.T @ columns["y"], A.T @ V @ A
    s2 = contrasts @ np.linalg.solve(covariance, contrasts) / 57
    value = 57 * np.log(2 * np.pi * s2) + np.linalg.slogdet(covariance)[1] + 57
    # Contrasts leave out the determinant of X'X, which lme4 and this criterion keep.
    expected = value + np.linalg.slogdet(X.T @ X)[1]
    criterion, fixed, sigma = data.dense_fit(problem, columns, factors)
    assert abs(criterion - expected) < ROUNDING and abs(sigma**2 - s2) < ROUNDING
    weighted = X.T @ np.linalg.inv(V)
    assert np.allclose(fixed, np.linalg.solve(weighted @ X, weighted @ columns["y"]), atol=ROUNDING)


@pytest.mark.parametrize(
    ("name", "factors"),
    [
        ("nested", {"a": [[0.3]], "a:b": [[0.6]], "a:b:c": [[0.2]]}),
        ("insteval-dept", {"s": [[0.3]], "d": [[0.6]], "dept:service": [[0.0]]}),
        ("crossed-slopes", {"g": [[0.7, 0.0], [0.2, 0.4]], "h": [[0.5, 0.0], [-0.3, 0.0]]}),
    ],
)
def test_both_judges_agree(
    data: ModuleType, peers: ModuleType, tmp_path: Path, name: str, factors: dict[str, list[list[float]]]
) -> None:
    """The criterion that judges large problems is that of the dense matrix, whatever program's estimates come in."""
    problem = data.PROBLEMS[name]
    columns = problem.columns(5, small=True)
    data.store(problem, columns, tmp_path / name)
    judged = peers.judge(tmp_path / name, [{"factors": factors}])[0]
    assert abs(judged - data.dense_fit(problem, columns, factors)[0]) < JUDGES


def test_triangular_factors(peers: ModuleType) -> None:
    """Of regular and of singular covariance matrices, and from entries in either order."""
    for covariance in ([[4.0, 1.0], [1.0, 2.0]], [[1.0, -2.0], [-2.0, 4.0]], [[0.0, 0.0], [0.0, 3.0]]):
        factor = np.array(peers.root(covariance))
        assert factor[0, 1] == 0 and (np.diag(factor) >= 0).all()
        assert np.allclose(factor @ factor.T, covariance, atol=ROUNDING)
    assert peers.lower([1, 2, 3, 4, 5, 6], 3, by_column=True).tolist() == [[1, 0, 0], [2, 4, 0], [3, 5, 6]]
    assert peers.lower([1, 2, 3, 4, 5, 6], 3, by_column=False).tolist() == [[1, 0, 0], [2, 3, 0], [4, 5, 6]]
    assert peers.key("c:(b:a)") == peers.key("a:b:c") == "a:b:c"


def test_what_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worse optimum, a peer that is faster, lme4 not twice as slow; and none of these within what is allowed."""
    mixed, shown = load("mixed", monkeypatch), load("mixed_table", monkeypatch)
    race = load("mixed_race", monkeypatch)

    def found(rows: list[Any], *, timed: bool) -> list[str]:
        return list(race.remarks(mixed.BENCHMARK, rows, timed=timed))

    ours = shown.Row("mixsem", cpu=1.0, wall=1.0, load=1.0, peak=1.0, reported=100.0, criterion=100.0, repeats=3)
    good = replace(ours, program="glmm", cpu=0.95)
    assert found([ours, good], timed=True) == []
    worse = replace(ours, reported=100.0 + 2 * race.WORSE, criterion=100.0 + 2 * race.WORSE)
    assert "above that of glmm" in found([worse, good], timed=False)[0]
    fast = replace(good, cpu=0.5)
    assert found([ours, fast], timed=False) == []
    assert "glmm takes 0.50" in found([ours, fast], timed=True)[0]
    lme4 = replace(good, program="lme4", cpu=1.9)
    assert "lme4 takes only 1.90" in found([ours, lme4], timed=True)[0]
    assert "reports 100.5" in found([ours, replace(good, reported=100.5)], timed=False)[0]
    other = replace(good, estimates=(1.0, 2.1))
    assert "estimates (1.0, 2.1)" in found([replace(ours, estimates=(1.0, 2.0)), other], timed=False)[0]
    none = shown.Row("mixsem", remark="stopped after 9 s")
    assert "stopped after 9 s" in found([none, good], timed=True)[0]


def test_page(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = load("mixed_table", monkeypatch)
    ours = shown.Row("mixsem", cpu=1.0, wall=1.5, load=0.5, peak=10.0, evaluations=9, criterion=100.0, repeats=3)
    peer = replace(ours, program="lme4", cpu=4.0, evaluations=40, criterion=100.00002)
    quick = replace(ours, program="glmm", cpu=0.5)
    gone = shown.Row("statsmodels", remark="stopped after 9 s")
    rows = [ours, peer, quick, gone]
    record = {"title": "Few", "shown": "`y ~ x`", "programs": [asdict(row) for row in rows]}
    text = "\n".join(shown.section(json.loads(json.dumps(record)), "Few"))
    assert text.startswith("## Few\n\n`y ~ x`\n")
    assert "| mixsem | 1.00 | 1.50 |  | 9 | 0 | 10 | 0.5 | 3 |" in text
    assert "| lme4 | 4.00 | 1.50 | 4.0 | 40 | 2e-05 | 10 | 0.5 | 3 |" in text
    assert "| glmm | 0.50 | 1.50 | **0.50** |" in text
    assert "statsmodels: stopped after 9 s" in text
    assert [shown.seconds(value) for value in (12.345, 0.1, 0.04217, 0.00213)] == ["12.35", "0.10", "0.042", "0.0021"]
    assert "  criterion: 100.000000" in shown.table(rows)
    summary = load("tables", monkeypatch).mixed_summary([record])
    assert summary[2] == "| Few | 1 s | glmm | **0.50** | 4.0 |"
