"""A small survey and a small panel, and what every bad input must fulfil: a clear refusal, and nothing changed.

A bad input is either refused with a `MixsemError` that says what came and what is allowed or what to do, or used
with a named warning. It never raises anything else, and never leaves a file behind.
"""

from __future__ import annotations

import contextlib
import hashlib
import signal
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mixsem.cli import main
from mixsem.errors import MixsemError, MixsemWarning

#: A script, which needs atheris.
collect_ignore = ["coverage_fuzz.py"]

Snapshot = dict[str, str | None]

#: Seconds after which a test gives up; each takes tenths, and the machine may be busy.
PATIENCE = 60

MEASUREMENT = "trust =~ t1 + t2 + t3\nfear =~ f1 + f2 + f3\n"
STRUCTURAL = "trust ~ fear\n"


def make_survey() -> pd.DataFrame:
    """Six countries of 40 people who answered six items of two factors."""
    rng = np.random.default_rng(9)
    frames = []
    for g, label in enumerate("ABCDEF"):
        fear = rng.normal(size=40)
        factors = {"t": (0.8 if g < 3 else 0.0) * fear + rng.normal(size=40), "f": fear}
        items = {f"{name}{j}": factors[name] + rng.normal(scale=0.6, size=40) for name in "tf" for j in (1, 2, 3)}
        frames.append(pd.DataFrame({"country": label, **items}).round(3))
    return pd.concat(frames, ignore_index=True)


def make_panel() -> pd.DataFrame:
    """Ten people at six times, with a count, two categories and a text beside the response."""
    rng = np.random.default_rng(4)
    person = np.repeat(np.arange(10), 6)
    x = np.tile(np.arange(6.0), 10)
    y = 1 + 0.5 * x + rng.normal(size=10)[person] + rng.normal(size=60)
    return pd.DataFrame(
        {
            "y": y.round(3),
            "x": x,
            "n": rng.poisson(3, size=60),
            "b": rng.integers(0, 2, size=60),
            "arm": np.where(person % 2, "new", "old"),
            "g": [f"p{i}" for i in person],
        }
    )


SURVEY, PANEL = make_survey(), make_panel()


@pytest.fixture(autouse=True)
def soon(request: pytest.FixtureRequest) -> Iterator[None]:
    """A bad input that is worked on for minutes is a failure, and must not hold up the others."""
    if not hasattr(signal, "SIGALRM") or request.node.get_closest_marker("slow"):
        yield
        return

    def stop(number: int, frame: object) -> None:
        raise AssertionError(f"still busy after {PATIENCE} seconds")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(PATIENCE)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture
def survey() -> pd.DataFrame:
    return SURVEY.copy()


@pytest.fixture
def panel() -> pd.DataFrame:
    return PANEL.copy()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder that holds the tables and both models; files for a while go into one beside it."""
    here, passing = tmp_path / "here", tmp_path / "passing"
    here.mkdir(), passing.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(passing))
    monkeypatch.setenv("TMPDIR", str(passing))
    monkeypatch.chdir(here)
    SURVEY.to_csv("survey.csv", index=False)
    PANEL.to_csv("panel.csv", index=False)
    Path("measurement.txt").write_text(MEASUREMENT)
    Path("structural.txt").write_text(STRUCTURAL)
    return here


def look(folder: Path) -> Snapshot:
    """Everything in a folder and in that for passing files: a hash of its content by path, None for a folder."""
    paths = sorted(folder.parent.rglob("*"))
    return {
        str(p.relative_to(folder.parent)): hashlib.sha256(p.read_bytes()).hexdigest() if p.is_file() else None
        for p in paths
    }


@pytest.fixture
def snapshot(folder: Path) -> Callable[[], Snapshot]:
    return lambda: look(folder)


@pytest.fixture
def unchanged(folder: Path) -> Callable[[], contextlib.AbstractContextManager[None]]:
    """A block after which every file is as before it."""

    @contextlib.contextmanager
    def same() -> Iterator[None]:
        before = look(folder)
        yield
        after = look(folder)
        assert after == before, sorted(set(after.items()) ^ set(before.items()), key=str)

    return same


@pytest.fixture
def refuses() -> Callable[..., MixsemError]:
    """Call something that has to be refused; return the error for its words."""

    def call(action: Callable[[], Any], *words: str) -> MixsemError:
        with warnings.catch_warnings(), pytest.raises(MixsemError) as caught:
            warnings.simplefilter("ignore", MixsemWarning)
            action()
        error = caught.value
        helpful(error)
        missing = [word for word in words if word not in str(error)]
        assert not missing, f"{missing} not in:\n{error}"
        return error

    return call


def helpful(error: MixsemError) -> None:
    """An error says what came, and what is allowed or what to do; it fits on a screen."""
    assert error.args[0].strip()
    assert error.allowed or error.todo, f"neither allowed nor todo in {error!r}"
    assert len(str(error)) < 4000, f"{len(str(error)):,} characters: {str(error)[:200]}"


@pytest.fixture
def warned_or_refused() -> Callable[[Callable[[], Any]], object]:
    """Call something doubtful: it may be refused, or give a result with a named warning."""

    def call(action: Callable[[], Any]) -> object:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                result = action()
            except MixsemError as error:
                helpful(error)
                return error
        named = [w for w in caught if issubclass(w.category, MixsemWarning)]
        assert named, "neither an error nor a warning"
        return result

    return call


@pytest.fixture
def limited_memory() -> Callable[[], contextlib.AbstractContextManager[None]]:
    """A block in which this process may take two gigabytes more than it has."""
    resource = pytest.importorskip("resource", reason="limits of memory are set by a module of Unix")

    @contextlib.contextmanager
    def limit() -> Iterator[None]:
        before = resource.getrlimit(resource.RLIMIT_AS)
        now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + 2 * 1024**3, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_AS, before)

    return limit


@pytest.fixture
def command(folder: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run ``mixsem`` in the folder, in this process: exit code, standard output, standard error."""

    def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(arguments)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture
def command_refuses(
    command: Callable[..., tuple[int, str, str]], unchanged: Callable[[], contextlib.AbstractContextManager[None]]
) -> Callable[..., str]:
    """Run a command that has to be refused with exit code 2, no result on stdout, no file changed."""

    def run(*arguments: str, says: str = "") -> str:
        with unchanged():
            code, out, err = command(*arguments)
        assert code == 2, (code, out, err)
        assert out == ""
        assert err.count("mixsem: error: ") == 1, err
        assert "Traceback" not in err
        assert "  allowed: " in err or "  next: " in err, err
        assert says in err, err
        return err

    return run
