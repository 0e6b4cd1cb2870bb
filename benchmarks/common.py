"""What the benchmark scripts share: CPU time of one call, one JSON line per result."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import TypeVar

T = TypeVar("T")

MEASUREMENT = "\n".join(f"F{q} =~ " + " + ".join(f"V{j}" for j in range(5 * q - 4, 5 * q + 1)) for q in range(1, 5))
STRUCTURAL = "F3 ~ F1 + F2\nF4 ~ F1 + F3"
"""The model of the simulation studies: four factors of five items."""


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
