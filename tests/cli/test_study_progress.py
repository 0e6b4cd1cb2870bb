"""What a study says while it runs: a bar with a table on a terminal, a line a minute in a log."""

from __future__ import annotations

import io
import math
import sys
from dataclasses import dataclass, field

import pytest

from mixsem.cli.study_progress import INTERVAL, Tally, duration, log_line, seconds_left, study_progress

ROW = {"method": "mmgsem", "variant": "", "status": "done", "ari": 0.5, "seconds": 2.0}


@dataclass
class Now:
    """A state of a run of 100 data sets, of which 40 were there before."""

    done: int
    failed: int = 0
    seconds: float = 60.0
    latest: list[dict[str, object]] = field(default_factory=list)
    total: int = 100
    done_before: int = 40


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_time_left_counts_the_data_sets_of_this_run_only() -> None:
    assert seconds_left(Now(50)) == 50 * 6.0
    assert seconds_left(Now(40)) is None
    assert seconds_left(Now(100)) == 0


def test_log_line() -> None:
    assert log_line("mine", Now(40)) == "mine: 40 of 100 data sets (40 %)"
    assert log_line("mine", Now(99, failed=2)) == (
        "mine: 99 of 100 data sets (99 %), 2 failed, 3,540 per hour, 1 s left"
    )
    assert "(99 %)" in log_line("mine", Now(999, total=1000))  # 100 % is for what is done


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (0.4, "0 s"), (59.6, "1 min"), (3600, "1 h"), (3661, "1 h 1 min"), (86400 + 7200, "1 d 2 h")],
)
def test_durations(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_a_log_has_a_line_a_minute(capsys: pytest.CaptureFixture[str]) -> None:
    now = 0.0
    with study_progress("mine", quiet=False, clock=lambda: now) as report:
        for step in range(1, 31):
            now = step * INTERVAL / 10
            report(Now(40 + step, seconds=now))
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = captured.err.splitlines()
    assert [line.split("mine: ")[1].split(" of")[0] for line in lines] == ["50", "60", "70"]


def test_quiet_says_nothing_anywhere(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter(range(0, 100000, 1000))
    with study_progress("mine", quiet=True, clock=lambda: next(times)) as report:
        report(Now(50))
    assert capsys.readouterr() == ("", "")
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    with study_progress("mine", quiet=True) as report:
        report(Now(50))
    assert stream.getvalue() == ""


def test_a_bar_and_a_table_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    earlier = [{**ROW, "ari": 1.0, "seconds": 4.0}]
    with study_progress("mine", earlier, quiet=False) as report:
        report(Now(41, latest=[ROW]))
    shown = stream.getvalue()
    assert "41 of 100 data sets (41 %)" in shown
    assert "mmgsem" in shown
    assert "0.750" in shown and "3.0" in shown


def test_tally_of_methods_and_variants() -> None:
    tally = Tally()
    tally.add(
        [
            {**ROW, "rmse[F4~F1]": 0.1, "rmse[F3~F1]": 0.3, "rmse_loading[V2]": 9.0},
            {**ROW, "ari": 1.0, "rmse[F4~F1]": 0.4, "rmse[F3~F1]": math.nan},
            {**ROW, "status": "failed", "ari": math.nan, "seconds": 100.0},
            {**ROW, "method": "mixmg-bsem", "variant": "0.01", "ari": math.nan},
        ]
    )
    frame = tally.table().to_pandas()
    assert frame["method"].tolist() == ["mmgsem", "mixmg-bsem 0.01"]
    assert frame["done"].tolist() == [2, 1]
    assert frame["failed"].tolist() == [1, 0]
    assert frame["ari"].tolist()[0] == 0.75 and math.isnan(frame["ari"].tolist()[1])
    assert frame["rmse"].tolist()[0] == pytest.approx((0.2 + 0.4) / 2)
    assert frame["seconds"].tolist() == [2.0, 2.0]
