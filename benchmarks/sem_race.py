"""What `sem.py` and `step1.py` share: our fit and those of lavaan and semopy take turns and must have the same numbers.

A peer is a process that loads its library once and then fits as often as it is asked; only fits are timed, and one of
a small model comes before the first.
"""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mixsem as mx
from common import HERE, Answer, Server, median, report, serving, spent, take_turns

__all__ = ["CHISQ", "RELATIVE", "Peers", "differs", "find_peers", "race", "write_case"]

OURS = "mixsem"
#: Programs stop within these of the maximum: absolute for chi-square and log-likelihood, relative for the rest.
CHISQ, RELATIVE = 2e-3, 2e-3
#: A fit that takes longer is timed once.
SLOW = 10.0
SMALL = "visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6\nspeed =~ x7 + x8 + x9"


@dataclass(frozen=True)
class Peers:
    """The servers that were found, by program, and a folder for cases."""

    servers: Mapping[str, Server]
    folder: Path

    def ask(self, program: str, case: Path) -> Callable[[], Answer]:
        """A call that lets the program fit the case."""
        return lambda: self.servers[program].ask(case)


@contextlib.contextmanager
def find_peers(peers_python: str = sys.executable) -> Iterator[Peers]:
    """Start the peers that are there, each with a small fit behind it."""
    lavaan, semopy = HERE / "lavaan.R", HERE / "semopy_peer.py"
    with (
        tempfile.TemporaryDirectory() as scratch,
        serving(["Rscript", lavaan], ["Rscript", "-e", "library(lavaan); library(jsonlite)"]) as in_r,
        serving([peers_python, semopy], [peers_python, "-c", "import semopy"]) as in_python,
    ):
        folder = Path(scratch)
        servers = {name: server for name, server in (("lavaan", in_r), ("semopy", in_python)) if server}
        data = folder / "small.csv"
        mx.data.holzinger_swineford_1939().to_csv(data, index=False)
        case = write_case(folder, "small", SMALL, data=data)
        for server in servers.values():
            server.ask(case)
        yield Peers(servers, folder)


def write_case(
    folder: Path,
    name: str,
    model: str,
    *,
    call: str = "cfa",
    data: Path | None = None,
    moments: Path | None = None,
    options: Mapping[str, Any] | None = None,
    measures: bool = True,
) -> Path:
    """A case for the servers."""
    file = folder / f"{name}.json"
    where = {"data": str(data)} if data else {"moments": str(moments)}
    case = {**where, "call": call, "model": model.split("\n"), "options": dict(options or {}), "measures": measures}
    file.write_text(json.dumps(case), encoding="utf-8")
    return file


def differs(ours: Mapping[str, Any], peer: Mapping[str, Any]) -> str:
    """The first difference between two programs' numbers, of those that both have; nothing if there is none."""
    for what in ("chisq", "df", "loglik"):
        if what in peer and what in ours and abs(ours[what] - peer[what]) > CHISQ:
            return f"{what} {peer[what]:.4f}, ours {ours[what]:.4f}"
    for what in ("loadings", "errors"):
        for name, value in (peer.get(what) or {}).items():
            own = ours.get(what, {}).get(name)
            if own is not None and abs(own - value) > RELATIVE * max(abs(value), 0.1):
                return f"{what} of {name} {value:.5f}, ours {own:.5f}"
    return ""


def race(
    name: str,
    title: str,
    ours: Callable[[], Mapping[str, Any]],
    peers: Mapping[str, Callable[[], Answer]],
    *,
    limits: Mapping[str, float],
    remarks: Mapping[str, str] | None = None,
    repeats: int = 5,
) -> bool:
    """Take turns, compare numbers and report; whether each limit on the ratio of CPU seconds holds.

    ``ours`` gives the numbers of our fit, ``remarks`` says what a program leaves out.
    """

    def our_answer() -> Answer:
        numbers, seconds = spent(ours)
        return {**seconds, **numbers, "version": mx.__version__}

    ours()
    answers = take_turns({OURS: our_answer, **peers}, repeats, SLOW)
    first = answers[OURS][0]
    assert isinstance(first, dict)
    rows = [_row(program, got, first, (remarks or {}).get(program, "")) for program, got in answers.items()]
    cpu = {row["program"]: median(row["cpu"]) for row in rows if row["cpu"]}
    ratios = {program: seconds / cpu[OURS] for program, seconds in cpu.items() if program != OURS}
    held = all(ratios.get(program, limit) >= limit for program, limit in limits.items())
    return report(
        name,
        passed=held and not any(row["differs"] for row in rows),
        title=title,
        ratios={program: round(ratio, 2) for program, ratio in ratios.items()},
        limits=dict(limits),
        programs=rows,
    )


def _row(program: str, answers: list[Answer], ours: Mapping[str, Any], remark: str) -> dict[str, Any]:
    """Seconds of every run of one program, and what of its numbers is not ours."""
    fits = [answer for answer in answers if isinstance(answer, dict)]
    if not fits:
        return {"program": program, "version": "", "cpu": [], "wall": [], "differs": "", "remark": str(answers[0])}
    seconds = {key: [round(fit[key], 6) for fit in fits] for key in ("cpu", "wall")}
    return {
        "program": program,
        "version": fits[0]["version"],
        **seconds,
        "loglik": fits[0].get("loglik"),
        "differs": differs(ours, fits[0]),
        "remark": remark,
    }
