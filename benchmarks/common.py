"""What the benchmark scripts share: seconds of a call, programs that take turns, one line of JSON per claim."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from mixsem.simulate.populations import MEASUREMENT, STRUCTURAL

__all__ = [
    "HERE",
    "MEASUREMENT",
    "STRUCTURAL",
    "Answer",
    "Server",
    "last_line",
    "median",
    "report",
    "serving",
    "spent",
    "take_turns",
    "timed",
]

HERE = Path(__file__).parent
T = TypeVar("T")
#: What a program says of one fit, ``wall`` and ``cpu`` seconds among it; or why there is no fit.
Answer = dict[str, Any] | str


def timed(call: Callable[[], T], repeat: int = 5) -> tuple[T, float]:
    """The result of a call and its smallest CPU time in seconds over some repetitions."""
    runs = [spent(call) for _ in range(repeat)]
    return runs[-1][0], min(seconds["cpu"] for _, seconds in runs)


def spent(call: Callable[[], T]) -> tuple[T, dict[str, float]]:
    """The result of a call, its wall seconds and its CPU seconds, those of all threads."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = call()
    return result, {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}


def median(values: Sequence[float]) -> float:
    return float(np.median(values))


def take_turns(
    programs: Mapping[str, Callable[[], Answer]], repeats: int, slow: float = 60.0
) -> dict[str, list[Answer]]:
    """The answers of every program, which fit one after the other, again and again.

    So what else the machine does meets all of them. A program that failed, or took more than ``slow`` seconds, is not
    asked again.
    """
    answers: dict[str, list[Answer]] = {name: [] for name in programs}
    for _ in range(repeats):
        for name, ask in programs.items():
            got = answers[name]
            if got and (isinstance(got[-1], str) or got[-1]["wall"] > slow):
                continue
            got.append(ask())
    return answers


def report(name: str, *, passed: bool, **facts: object) -> bool:
    """Print one line of JSON, which `run.py` collects, and return whether the claim held."""
    print(json.dumps({"benchmark": name, "passed": bool(passed), **facts}), flush=True)
    return bool(passed)


def last_line(command: Sequence[str | Path], timeout: float, environment: Mapping[str, str] | None = None) -> Any:
    """What a process printed last, read as JSON; its last words as text if it failed."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=timeout, env=environment, check=False)
    except subprocess.TimeoutExpired:
        return f"stopped after {timeout:.0f} s"
    lines = (done.stderr if done.returncode else done.stdout).strip().splitlines() or [f"exit code {done.returncode}"]
    if done.returncode:
        return lines[-1].removeprefix("NotImplementedError: ")[:200]
    return json.loads(lines[-1])


class Server:
    """A process that answers each line of its standard input, the name of a file, by one line of JSON."""

    def __init__(self, command: Sequence[str | Path]) -> None:
        words = [str(word) for word in command]
        self._process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, file: Path) -> Answer:
        """The answer, or that there is none."""
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write(f"{file}\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            return "the process ended"
        line = self._process.stdout.readline()
        return json.loads(line) if line else "the process ended"

    def close(self) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()


@contextlib.contextmanager
def serving(command: Sequence[str | Path], probe: Sequence[str | Path]) -> Iterator[Server | None]:
    """A server, or None where the probing command fails: the program, or a library that it needs, is absent."""
    with contextlib.suppress(FileNotFoundError):
        if subprocess.run([str(w) for w in probe], capture_output=True, check=False).returncode == 0:
            server = Server(command)
            try:
                yield server
            finally:
                server.close()
            return
    yield None
