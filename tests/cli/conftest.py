"""A small survey in a folder of its own, and the command line to run on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mixsem.cli import main

MEASUREMENT = "trust =~ t1 + t2 + t3\nfear =~ f1 + f2 + f3\n"
STRUCTURAL = "trust ~ fear\n"
OPTIONS = {
    "--group": "country",
    "--measurement": "measurement.txt",
    "--structural": "structural.txt",
    "--clusters": "1-3",
    "--starts": "10",
    "--out": "out",
}

Value = str | Sequence[str] | None


@dataclass(frozen=True)
class Outcome:
    """What a run of the command line left."""

    code: int
    out: str
    err: str


def make_survey() -> pd.DataFrame:
    """Eight countries of 60 people; trust depends on fear in four of them, in the other four it does not."""
    rng = np.random.default_rng(20)
    frames = []
    for g, label in enumerate("ABCDEFGH"):
        fear = rng.normal(size=60)
        factors = {"t": (0.8 if g < 4 else 0.0) * fear + rng.normal(size=60), "f": fear}
        items = {f"{name}{j}": factors[name] + rng.normal(scale=0.6, size=60) for name in "tf" for j in (1, 2, 3)}
        frames.append(pd.DataFrame({"country": label, **items}).round(3))
    return pd.concat(frames, ignore_index=True)


SURVEY = make_survey()


@pytest.fixture
def survey() -> pd.DataFrame:
    """The survey as a table."""
    return SURVEY.copy()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder that holds the survey and both models."""
    monkeypatch.chdir(tmp_path)
    SURVEY.to_csv("survey.csv", index=False)
    Path("measurement.txt").write_text(MEASUREMENT)
    Path("structural.txt").write_text(STRUCTURAL)
    return tmp_path


@pytest.fixture
def run(folder: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Run ``mixsem`` in that folder, in this process."""

    def run_here(*arguments: str) -> Outcome:
        capsys.readouterr()
        code = main(arguments)
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return run_here


def fit_arguments(*data: str, **changes: Value) -> list[str]:
    """Arguments of ``mixsem fit``, some of the usual ones replaced or left out (None)."""
    options: dict[str, Value] = {**OPTIONS, **{f"--{k.replace('_', '-')}": v for k, v in changes.items()}}
    line = ["fit", *data]
    for name, value in options.items():
        if value is not None:
            line += [name, *((value,) if isinstance(value, str) else value)]
    return line


@pytest.fixture
def fit(run: Callable[..., Outcome]) -> Callable[..., Outcome]:
    """Run ``mixsem fit`` with the usual arguments, some of them changed."""

    def run_fit(*data: str, **changes: Value) -> Outcome:
        return run(*fit_arguments(*(data or ("survey.csv",)), **changes))

    return run_fit


@pytest.fixture
def contents(folder: Path) -> Callable[[], dict[str, bytes | None]]:
    """Everything in the working folder: content by path, None for a folder."""

    def look() -> dict[str, bytes | None]:
        paths = sorted(folder.rglob("*"))
        return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None for p in paths}

    return look


@pytest.fixture
def refused(run: Callable[..., Outcome], contents: Callable[[], dict[str, bytes | None]]) -> Callable[..., Outcome]:
    """Run ``mixsem fit`` and require that it is refused: with these words, no traceback, nothing written."""

    def run_refused(says: Sequence[str], data: Sequence[str] = ("survey.csv",), **changes: Value) -> Outcome:
        before = contents()
        outcome = run(*fit_arguments(*data, **changes))
        assert outcome.code == 2, outcome
        assert outcome.out == ""
        assert outcome.err.count("mixsem: error: ") == 1
        assert "Traceback" not in outcome.err
        missing = [part for part in says if part not in outcome.err]
        assert not missing, f"{missing} not in:\n{outcome.err}"
        assert contents() == before
        return outcome

    return run_refused
