"""What the benchmark scripts share: CPU time of one call, one JSON line per result."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import TypeVar

from mixsem.simulate.populations import MEASUREMENT, STRUCTURAL

__all__ = ["MEASUREMENT", "STRUCTURAL", "report", "timed"]

T = TypeVar("T")


def timed(call: Callable[[], T], repeat: int = 5) -> tuple[T, float]:
    """The result of a call and its smallest CPU time in seconds over some repetitions."""
    best, result = float("inf"), None
    for _ in range(repeat):
        start = time.process_time()
        result = call()
        best = min(best, time.process_time() - start)
    return result, best  # type: ignore[return-value]


def report(name: str, *, passed: bool, **facts: object) -> bool:
    """Print one line of JSON and return whether the claim held."""
    machine = {"python": platform.python_version(), "numpy": version("numpy"), "machine": platform.machine()}
    print(json.dumps({"benchmark": name, "passed": passed, **facts, **machine}), flush=True)
    return passed
