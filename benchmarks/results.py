"""Results on disk: per benchmark one JSON file with what it reported, where and when."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

__all__ = ["FOLDER", "Result", "read_results", "write_result"]

FOLDER = Path(__file__).parent / "results"
Record = dict[str, Any]


@dataclass(frozen=True)
class Result:
    """One run of one benchmark.

    Attributes
    ----------
    name
        The benchmark's name in `run.py`.
    command
        What repeats it.
    date
        Day on which it ran.
    seconds
        How long it took.
    load
        Processes that wanted a core before it began; None if that was not noted.
    machine
        What `machine.describe` says.
    records
        The lines that it printed, one per claim.
    """

    name: str
    command: str
    date: str
    seconds: float
    load: float | None
    machine: Mapping[str, str]
    records: tuple[Record, ...]

    @property
    def claims(self) -> list[Record]:
        """The records that claim something; the others tell the versions of programs."""
        return [record for record in self.records if "versions" not in record]

    @property
    def held(self) -> bool:
        """Whether all claims held."""
        return all(record["passed"] for record in self.claims)


def write_result(result: Result, folder: Path = FOLDER) -> Path:
    """Write a result whole, one record per line so that changes can be read."""
    folder.mkdir(exist_ok=True)
    head = {key: value for key, value in asdict(result).items() if key != "records"}
    records = ",\n".join(f"  {json.dumps(record, ensure_ascii=False)}" for record in result.records)
    lines = [f" {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}," for key, value in head.items()]
    text = "\n".join(["{", *lines, ' "records": [', records, " ]", "}", ""])
    file = folder / f"{result.name}.json"
    part = file.with_suffix(".part")
    part.write_text(text, encoding="utf-8", newline="\n")
    os.replace(part, file)
    return file


def read_results(folder: Path = FOLDER) -> dict[str, Result]:
    """All stored results by name."""
    found = {}
    for file in sorted(folder.glob("*.json")):
        stored = json.loads(file.read_text(encoding="utf-8"))
        found[file.stem] = Result(**{**stored, "records": tuple(stored["records"])})
    return found
