"""The benchmark of generalised mixed models measures what it says: data, dense judge, whom we are put beside."""

from __future__ import annotations

import importlib
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import approx_fprime, minimize
from scipy.stats import binom, norm, poisson

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
#: Adaptive integration by another method.
INTEGRAL = 1e-7
#: Forward differences by steps of 1e-4 in place of a Hessian, as far as its log determinant sees them.
DIFFERENCES = 1e-3
#: A thousand rows by two algorithms, either with modes of its own.
JUDGES = 1e-7
FIXED = {"verbagg": 6, "cbpp": 4, "cbpp-quadrature": 4, "logistic": 3, "poisson": 3}
FACTORS = {
    "verbagg": {"id": [[1.2]], "item": [[0.4]]},
    "cbpp": {"herd": [[0.6]]},
    "cbpp-quadrature": {"herd": [[0.6]]},
    "logistic": {"g": [[0.5]]},
    "poisson": {"g": [[0.7]], "h": [[0.0]]},
}


def load(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module(name)


@pytest.fixture
def data(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return load("generalised_data", monkeypatch)


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return load("generalised", monkeypatch)


def fixed_effects(name: str) -> list[float]:
    """Moderate ones, so that means are neither 0 nor 1."""
    return [0.1, *np.linspace(-0.05, 0.05, FIXED[name] - 1)]


def test_drawn_data(data: ModuleType) -> None:
    """Every level appears, the same seed gives the same rows, another one others; responses are possible."""
    for problem in data.PROBLEMS.values():
        columns = problem.columns(1, small=True)
        assert all(np.array_equal(columns[name], again) for name, again in problem.columns(1, small=True).items())
        y = columns[problem.successes or problem.response]
        assert not np.array_equal(y, problem.columns(2, small=True)[problem.successes or problem.response])
        assert len(y) == problem.small[0] and np.array_equal(y, np.round(y)) and y.min() >= 0
        if problem.family == "binomial":
            assert (y <= (columns[problem.trials] if problem.trials else 1)).all()
        factors = [column for column in columns.values() if column.dtype == np.int32]
        assert all(np.array_equal(np.unique(codes), np.arange(codes.max() + 1)) for codes in factors)


def test_real_data_have_the_columns_of_simulated_ones(data: ModuleType, tmp_path: Path) -> None:
    herds, answers = tmp_path / "herds.csv", tmp_path / "answers.csv"
    herds.write_text("herd,incidence,size,period\n10,2,14,1\n10,3,12,2\n7,0,5,1\n", encoding="utf-8")
    lines = ("Anger,Gender,item,id,btype,situ,r2", "20,M,b,1,scold,self,Y", "11,F,a,1,curse,other,N")
    answers.write_text("\n".join(lines), encoding="utf-8")
    columns, drawn = data.cbpp_from(herds), data.PROBLEMS["cbpp"].columns(1, small=True)
    assert {n: c.dtype for n, c in columns.items()} == {n: c.dtype for n, c in drawn.items()}
    assert columns["herd"].tolist() == [1, 1, 0] and columns["healthy"].tolist() == [12, 9, 5]
    columns, drawn = data.verbagg_from(answers), data.PROBLEMS["verbagg"].columns(1, small=True)
    assert {n: c.dtype for n, c in columns.items()} == {n: c.dtype for n, c in drawn.items()}
    assert columns["r2"].tolist() == [1.0, 0.0] and columns["btype"].tolist() == [1, 0]


def test_dense_quadrature(data: ModuleType) -> None:
    """With many nodes it is the integral itself."""
    problem = replace(data.PROBLEMS["cbpp-quadrature"], small=(12, 4, 3), n_agq=40)
    columns, beta = problem.columns(3, small=True), np.array([-1.0, 0.4, -0.6])
    eta = np.column_stack([np.ones(12), columns["period"] == 1, columns["period"] == 2]) @ beta
    total = 0.0
    for herd in range(4):
        of = columns["herd"] == herd

        def density(b: float, of: np.ndarray = of) -> float:
            mean = 1 / (1 + np.exp(-eta[of] - b))
            return float(np.prod(binom.pmf(columns["incidence"][of], columns["size"][of], mean)) * norm.pdf(b, 0, 0.8))

        total += np.log(quad(density, -8, 8, points=[0.0], epsabs=0.0, epsrel=1e-10)[0])
    value = data.dense_value(problem, columns, {"herd": [[0.8]]}, beta)
    assert abs(value + 2 * total) < INTEGRAL


def test_dense_laplace(data: ModuleType) -> None:
    """The mode and the Hessian of the joint density, as a minimiser and differences see them."""
    problem = replace(data.PROBLEMS["poisson"], small=(40, 4, 3))
    columns, beta, sds = problem.columns(3, small=True), np.array([0.2, 0.4, -0.1]), (0.8, 0.5)
    eta = np.column_stack([np.ones(40), columns["x1"], columns["x2"]]) @ beta

    def joint(b: np.ndarray) -> float:
        mean = np.exp(eta + b[:4][columns["g"]] + b[4:][columns["h"]])
        prior = norm.logpdf(b[:4], 0, sds[0]).sum() + norm.logpdf(b[4:], 0, sds[1]).sum()
        return float(-poisson.logpmf(columns["y"], mean).sum() - prior)

    found = minimize(joint, np.zeros(7), tol=1e-10)
    hessian = approx_fprime(found.x, lambda b: approx_fprime(b, joint, 1e-4), 1e-4)
    expected = 2 * found.fun + np.linalg.slogdet(hessian)[1] - 7 * np.log(2 * np.pi)
    value = data.dense_value(problem, columns, {"g": [[sds[0]]], "h": [[sds[1]]]}, beta)
    assert abs(value - expected) < DIFFERENCES


@pytest.mark.parametrize("name", list(FACTORS))
def test_both_judges_agree(data: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    """The criterion that judges large problems is that of whole matrices, whatever program's estimates come in."""
    peers, store = load("generalised_peers", monkeypatch), load("mixed_data", monkeypatch).store
    problem = data.PROBLEMS[name]
    columns = problem.columns(5, small=True)
    store(problem, columns, tmp_path / name)
    estimate = {"factors": FACTORS[name], "fixed": fixed_effects(name)}
    judged = peers.judge(tmp_path / name, [estimate])[0]
    assert abs(judged - data.dense_value(problem, columns, FACTORS[name], fixed_effects(name))) < JUDGES


def test_dense_remarks(
    data: ModuleType, benchmark: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Nothing against our fit; another value and another place are noticed."""
    peers, store = load("generalised_peers", monkeypatch), load("mixed_data", monkeypatch)
    problem = data.PROBLEMS["cbpp-quadrature"]
    columns = problem.columns(7, small=True)
    store.store(problem, columns, tmp_path / "cbpp")
    record, frame = peers.read_frame(tmp_path / "cbpp")
    fit = peers.read_mixsem(peers.fit_mixsem(record, frame))
    assert benchmark.dense_remarks(problem, columns, fit) == ""
    assert "dense" in benchmark.dense_remarks(problem, columns, {**fit, "reported": fit["reported"] + 1e-5})
    fixed = [*fit["fixed"][:-1], fit["fixed"][-1] + 0.02]
    moved = {**fit, "fixed": fixed, "reported": data.dense_value(problem, columns, fit["factors"], fixed)}
    assert "lower at fixed effect 4 -0.01" in benchmark.dense_remarks(problem, columns, moved)


def test_beside_what_we_are_put(benchmark: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs with standard errors meet our fit with them, others our fit alone."""
    race, shown = load("mixed_race", monkeypatch), load("mixed_table", monkeypatch)
    times = {"wall": 1.0, "cpu": 1.0, "load": 1.0, "peak": 1.0}
    facts = {"reported": 9.0, "evaluations": 3, "fixed": [1.0], "warnings": []}
    slower = {"wall": 3.0, "cpu": 3.0, "peak": 1.0}
    ours = race.summarise("mixsem", [{**times, **facts, "with_errors": slower}], 9.0)
    assert [(row.program, row.cpu, row.errors) for row in ours] == [
        ("mixsem", 1.0, False),
        ("mixsem, standard errors", 3.0, True),
    ]
    plain = race.summarise("mixedlm", [{**times, **facts, "cpu": 2.0}], 9.0)
    full = race.summarise("glmm", [{**times, **facts, "cpu": 2.0, "errors": True}], 9.0)
    rows = [*ours, *plain, *full]
    assert [line[3] for line in shown.cells(rows)] == ["", "", "2.0", "**0.67**"]
    assert race.remarks(benchmark.BENCHMARK, [*ours, *plain], timed=True) == []
    assert race.remarks(benchmark.BENCHMARK, rows, timed=True) == ["glmm takes 0.67 of our CPU seconds"]
    lme4 = replace(full[0], program="lme4", cpu=14.0, reported=None)
    found = race.remarks(benchmark.BENCHMARK, [*ours, lme4], timed=True)
    assert found == ["lme4 takes only 4.67 times our CPU seconds"]
