"""``mixsem power``."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import mixsem as mx
from mixsem.simulate import Population
from mixsem.studies.store import read_rows

from .conftest import Outcome

PLAN = """
n_groups = 8
group_size = [40, "300-400"]
replications = 2
n_starts = 5

[population]
measurement = '''
x =~ x1 + x2 + x3
y =~ y1 + y2 + y3
'''
structural = "y ~ x"
reliability = 0.7

[[population.coefficients]]
"y ~ x" = 0.5

[[population.coefficients]]
"y ~ x" = -0.2
"""
QUICK = ("--replications", "1", "--starts", "3", "--workers", "1")


@pytest.fixture
def plan(run: Callable[..., Outcome], folder: Path) -> Callable[..., Outcome]:
    """Run with a plan file, some of its text replaced."""

    def run_plan(*more: str, change: tuple[str, str] = ("", "")) -> Outcome:
        assert change[0] in PLAN
        (folder / "plan.toml").write_text(PLAN.replace(*change) if change[0] else PLAN, encoding="utf-8")
        return run("power", "plan.toml", "--workers", "1", *more)

    return run_plan


def test_a_plan_of_ones_own(plan: Callable[..., Outcome], folder: Path) -> None:
    outcome = plan("--out", "out", "--choose-among", "1-3")
    assert outcome.code == 0, outcome
    for words in ("2 plans of 2 data sets", "chosen among 1 to 3", "8 groups: ", "Results in out: power.csv"):
        assert words in outcome.out
    assert {p.name for p in (folder / "out").iterdir()} == {"power.csv", "power.md", "power.svg", "data-sets"}
    table = pd.read_csv("out/power.csv")
    assert table["group_size"].tolist() == ["40", "300-400"] and table["data_sets"].tolist() == [2, 2]
    assert table["ari"].iloc[1] > table["ari"].iloc[0]
    assert "`mixsem power plan.toml" in (folder / "out" / "power.md").read_text(encoding="utf-8")


def test_the_same_command_goes_on(
    plan: Callable[..., Outcome], contents: Callable[[], dict[str, bytes | None]]
) -> None:
    def rows() -> list[tuple[object, ...]]:
        frame = read_rows(Path("out/data-sets/results"))
        return list(zip(frame["cell"], frame["replication"], frame["ari"], frame["finished"], strict=True))

    assert plan("--out", "out", "--replications", "1", "--quiet").code == 0
    before = rows()
    quiet = plan("--out", "out", "--quiet")
    assert (quiet.code, quiet.out.strip()) == (0, "out")
    after = rows()
    assert set(before) < set(after) and len(after) == 2 * len(before) == 4
    files = {path: content for path, content in contents().items() if "out/power" in path}
    assert plan("--out", "out", "--quiet").code == 0
    assert {path: content for path, content in contents().items() if "out/power" in path} == files
    assert rows() == after
    other = plan("--out", "out", "--seed", "2")
    assert other.code == 2 and "another study" in other.err


def test_the_published_population(run: Callable[..., Outcome]) -> None:
    options = ("--groups", "6,8", "--sizes", "60", "--clusters", "3", "--beta", "0.4", "--seed", "3")
    outcome = run("power", *options, "--out", "out", *QUICK)
    assert outcome.code == 0, outcome
    expected = mx.power(
        Population(n_clusters=3, beta=0.4),
        n_groups=(6, 8),
        group_size=60,
        replications=1,
        n_starts=3,
        seed=3,
        workers=1,
    )
    pd.testing.assert_frame_equal(pd.read_csv("out/power.csv"), expected.plans, check_dtype=False)


REFUSED: list[tuple[tuple[str, ...], str]] = [
    (("--groups", "few"), "--groups few"),
    (("--groups", "1"), "--groups 1"),
    (("--sizes", "100-50"), "--sizes 100-50"),
    (("--sizes", "50-100"), "a range of group sizes, 50-100, with the published population"),
    (("--clusters", "5"), "--clusters 5"),
    (("--clusters", "4", "--groups", "3"), "3 groups in 4 clusters"),
    (("--choose-among", "3-5"), "2 clusters cannot be chosen among 3, 4, 5"),
    (("--choose-among", "few"), "--choose-among few"),
    (("--beta", "large"), "--beta large"),
    (("--beta", "5"), "beta=5 leaves no residual variance"),
    (("--reliability", "hihg"), "did you mean 'high'?"),
    (("--method", "mmgsm"), "did you mean 'mmgsem'?"),
    (("--method", "ml-sem"), "--method ml-sem"),
    (("--threshold", "1.5"), "--threshold 1.5"),
    (("--replications", "0"), "--replications 0"),
    (("--workers", "0"), "--workers 0"),
    (("--workers", "2", "--dask", "tcp://a:1"), "--workers with --dask"),
    (("--out", " "), "--out is empty"),
    (("--out", "survey.csv"), "survey.csv is a file"),
    (("none.toml",), "none.toml cannot be read"),
    (("survey.csv",), "survey.csv is no TOML"),
]


@pytest.mark.parametrize(("more", "says"), REFUSED, ids=[says for _, says in REFUSED])
def test_arguments_refused(
    run: Callable[..., Outcome], contents: Callable[[], dict[str, bytes | None]], more: tuple[str, ...], says: str
) -> None:
    before = contents()
    outcome = run("power", *more)
    assert (outcome.code, outcome.out) == (2, ""), outcome
    assert says in outcome.err and "Traceback" not in outcome.err
    assert contents() == before


BAD_PLANS: list[tuple[tuple[str, str], str]] = [
    (("n_groups = 8", "groups = 8"), "plan.toml has no key 'groups'"),
    (("n_groups = 8", "n_groups 8"), "line 2, column 10"),
    (("n_groups = 8", "n_groups = 2.5"), "plan.toml: n_groups 2.5"),
    (("replications = 2", "replications = 'two'"), "plan.toml: replications two"),
    (("reliability", "reliabilty"), "did you mean 'reliability'?"),
    (("structural =", "#"), "[population] has no 'structural'"),
    (("[population]", "[people]"), "plan.toml has no key 'people'"),
    (('structural = "y ~ x"', "structural = 5"), "structural = 5"),
    (('[[population.coefficients]]\n"y ~ x" = 0.5\n', ""), "two or more clusters"),
    (('"y ~ x" = 0.5', '"y ~ z" = 0.5'), "plan.toml, [population]: 'y ~ z' in coefficients of cluster 1"),
    (('"y ~ x" = 0.5', '"y ~ x" = 1.5'), "plan.toml, [population]: y has no residual variance left in cluster 1"),
    (('"y ~ x"\n', '"y ~~ ~ x"\n'), "plan.toml, [population]: line 1, column"),
]


@pytest.mark.parametrize(("change", "says"), BAD_PLANS, ids=[says for _, says in BAD_PLANS])
def test_plans_refused(plan: Callable[..., Outcome], change: tuple[str, str], says: str) -> None:
    outcome = plan(change=change)
    assert (outcome.code, outcome.out) == (2, ""), outcome
    assert says in outcome.err and "Traceback" not in outcome.err


def test_arguments_of_the_published_population_do_not_mix_with_a_file(plan: Callable[..., Outcome]) -> None:
    outcome = plan("--beta", "0.3")
    assert outcome.code == 2 and "--beta with a plan file" in outcome.err


def test_an_interruption_says_what_is_safe(plan: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch) -> None:
    from mixsem.studies import run as running

    work, done = running.work, []

    def interrupted(task: Any) -> Any:
        if done:
            raise KeyboardInterrupt
        done.append(task)
        return work(task)

    monkeypatch.setattr(running, "work", interrupted)
    outcome = plan("--out", "out")
    assert outcome.code == 130
    assert "1 of 4 data sets are safe in" in outcome.err and "the same command goes on" in outcome.err
    monkeypatch.setattr(running, "work", work)
    assert plan("--out", "out").code == 0


def test_a_bad_argument_is_refused_before_anything_heavy_is_loaded() -> None:
    code = (
        "import sys; from mixsem.cli import main; main(['power', '--beta', 'x']);"
        "print(*{'numpy', 'pandas', 'scipy', 'matplotlib', 'joblib'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "" and "--beta x" in done.stderr
