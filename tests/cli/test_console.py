"""What goes to the terminal besides results."""

from __future__ import annotations

import io
import subprocess
import sys
import warnings

import pytest

from mixsem.cli.console import progress_bar, short_warnings
from mixsem.cli.wording import in_options
from mixsem.errors import HeywoodWarning


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def draw(stream: io.StringIO, monkeypatch: pytest.MonkeyPatch, *, quiet: bool = False) -> str:
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    with progress_bar(3, quiet=quiet) as progress:
        progress("measurement", 1, 1)
        progress("k = 2", 50, 100)
    return stream.getvalue()


def test_a_bar_on_a_terminal_and_none_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "k = 2" in draw(Terminal(), monkeypatch)
    assert draw(Terminal(), monkeypatch, quiet=True) == ""
    assert draw(io.StringIO(), monkeypatch) == ""


def test_warnings_are_short_and_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    with short_warnings(quiet=False):
        for _ in range(2):
            warnings.warn("variance of\n  x1 is 0", HeywoodWarning, stacklevel=1)
        warnings.warn("numpy has something to say", RuntimeWarning, stacklevel=1)
    assert capsys.readouterr().err == "warning: HeywoodWarning: variance of x1 is 0\n"
    with short_warnings(quiet=False):
        warnings.warn("leave out small groups\n(min_size=31)", HeywoodWarning, stacklevel=1)
    assert capsys.readouterr().err == "warning: HeywoodWarning: leave out small groups (--min-size 31)\n"
    with short_warnings(quiet=True):
        warnings.warn("variance of x1 is 0", HeywoodWarning, stacklevel=1)
    assert capsys.readouterr().err == ""


def test_warnings_are_as_before_afterwards() -> None:
    with short_warnings(quiet=True):
        pass
    with pytest.warns(RuntimeWarning, match="again"):
        warnings.warn("again", RuntimeWarning, stacklevel=1)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("drop these groups (min_size=), or look", "drop these groups (--min-size), or look"),
        ("estimate together (blocks='joint')", "estimate together (--blocks joint)"),
        ("k=9 with 8 groups", "--clusters 9 with 8 groups"),
        ("choose fewer, such as k=range(1, 7)", "choose fewer, such as --clusters 1-6"),
        ("equal= got 'loading'", "--equal got 'loading'"),
        ("hold equal with equal=('loadings', 'intercepts')", "hold equal with --equal loadings intercepts"),
        ("Leave out small groups (min_size=31 or more).", "Leave out small groups (--min-size 31 or more)."),
        (
            "Leave out small groups (SampleMoments.from_frame with min_size=31 or more) or",
            "Leave out small groups (--min-size 31 or more) or",
        ),
        ("use the No-U-Turn sampler (method='nuts').", "use the No-U-Turn sampler (--sampler nuts)."),
        ("left the analysis (min_size): A (3).", "left the analysis (--min-size): A (3)."),
        ("drop these groups (SampleMoments.from_frame with min_size=), or", "drop these groups (--min-size), or"),
        ("remove the modifier; starting clusters are given with start=", "remove the modifier"),
        (
            "equal= names 'y ~ x', which is not a regression",
            "--equal-regressions names 'y ~ x', which is not a regression",
        ),
        ("the table has no column 'k' or 'group'", "the table has no column 'k' or 'group'"),
        ('    F =~ x1 + equal("F=~x2")*x3', '    F =~ x1 + equal("F=~x2")*x3'),
        ("'block==2'", "'block==2'"),
    ],
)
def test_errors_speak_of_options(said: str, meant: str) -> None:
    assert in_options(said) == meant


def test_a_reader_that_leaves_early_sees_no_traceback() -> None:
    """As in ``mixsem demo | head -1``, with output larger than what a pipe holds back."""
    code = (
        "import sys, mixsem.cli as cli;cli.parse_arguments = lambda argv: print('x' * 200_000);sys.exit(cli.main([]))"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait(timeout=60) == 1
