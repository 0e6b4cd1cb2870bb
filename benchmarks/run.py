"""Run the benchmarks, each in a process of its own, and write what they found.

    python benchmarks/run.py                      # all of them, which takes hours; results are printed
    python benchmarks/run.py --only sem,step1     # these
    python benchmarks/run.py --quick              # short versions, in minutes; those without one are left out
    python benchmarks/run.py --check              # correctness only, in a minute or two
    python benchmarks/run.py --write ...          # and write benchmarks/results/*.json and the pages made from them
    python benchmarks/run.py --peers-python PY    # a Python that has semopy, glmm, mixedlm, statsmodels; also in
                                                  # parts, as the peers' requirements may not fit together: sem=PY,...
    python benchmarks/run.py --data FOLDER        # with the real InstEval, VerbAgg and cbpp data, as CSV files

A benchmark prints one line of JSON per claim. The exit code is 1 if a claim did not hold. With `--check` timings may be
printed but only correctness decides, because machines that run checks are busy.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import machine
import page
from common import HERE
from results import Result, write_result

#: Scripts with peers in Python, and options that name files of real data.
WITH_PEERS = ("sem", "mixed", "generalised")
REAL = {"mixed": ("insteval",), "generalised": ("verbagg", "cbpp")}


@dataclass(frozen=True)
class Entry:
    """A script, and its arguments for a full, a short and a checking run; None where there is no such run."""

    script: str
    full: tuple[str, ...] = ()
    quick: tuple[str, ...] | None = None
    check: tuple[str, ...] | None = None


ENTRIES = {
    "sem": Entry("sem.py", quick=("--short",), check=("--check",)),
    "step1": Entry("step1.py", quick=("--short",)),
    "step3": Entry("step3.py", quick=(), check=("--check",)),
    "mixmg_sem": Entry("mixmg_sem.py", quick=(), check=("--check",)),
    "many_groups": Entry("many_groups.py"),
    "streaming": Entry("streaming.py"),
    "bayes_step1": Entry("bayes_step1.py", quick=(), check=("--check",)),
    "laplace_vs_mcmc": Entry("laplace_vs_mcmc.py", quick=("--short",), check=("--check",)),
    "study_speed": Entry("study_speed.py", quick=("16",)),
    "study_samplers": Entry("study_samplers.py", quick=(), check=()),
    "calls": Entry("calls.py", quick=()),
    "recovery": Entry("recovery.py", quick=(), check=("5",)),
    "interval_coverage": Entry("interval_coverage.py", quick=("--replications", "200"), check=("--check",)),
    "bootstrap_errors": Entry("bootstrap_errors.py"),
    "calibration": Entry("calibration.py"),
    "sbc": Entry("sbc.py"),
    "sbc_laplace": Entry("sbc.py", full=("--method", "laplace", "--replications", "600", "--seed", "11")),
    "mixed": Entry("mixed.py", check=("--small",)),
    "generalised": Entry(
        "generalised.py", check=("verbagg", "cbpp-quadrature", "poisson", "--small", "--programs", "mixsem")
    ),
}


def options(words: Sequence[str]) -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--quick", action="store_true", help="short versions")
    kind.add_argument("--check", action="store_true", help="correctness only")
    parser.add_argument("--only", default="", metavar="NAME,...", help=f"of {', '.join(ENTRIES)}")
    parser.add_argument("--write", action="store_true", help="write the results, and the pages made from them")
    parser.add_argument("--peers-python", default="", metavar="PYTHON", help="a Python that has the peers")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="where files of real data are")
    chosen = parser.parse_args(list(words))
    chosen.only = [name for name in chosen.only.split(",") if name]
    unknown = [name for name in chosen.only if name not in ENTRIES]
    if unknown:
        parser.error(f"no benchmark {unknown[0]!r}; there are {', '.join(ENTRIES)}")
    if chosen.check and chosen.write:
        parser.error("--check writes nothing: its seconds mean nothing")
    return chosen


def arguments(name: str, chosen: argparse.Namespace) -> tuple[str, ...] | None:
    """Those of one benchmark, or None if it is not to be run."""
    entry = ENTRIES[name]
    if chosen.only and name not in chosen.only:
        return None
    words = entry.check if chosen.check else entry.quick if chosen.quick else entry.full
    if words is None and chosen.only and not chosen.check:
        words = entry.full
    if words is None or chosen.check:
        return words
    peers = peers_python(name, chosen.peers_python)
    return (*words, *(("--peers-python", peers) if peers else ()), *real_data(name, chosen.data))


def real_data(name: str, folder: Path | None) -> list[str]:
    """Options that name the files of real data that are in the folder."""
    files = sorted(folder.glob("*.csv*")) if folder else []
    wanted = [(w, file) for w in REAL.get(name, ()) for file in files if file.name.lower().startswith(f"{w}.csv")]
    return [word for what, file in wanted for word in (f"--{what}", str(file))]


def peers_python(name: str, said: str) -> str:
    """The Python for the peers of one benchmark: ``PYTHON``, or ``NAME=PYTHON,...``."""
    if name not in WITH_PEERS or "=" not in said:
        return said if name in WITH_PEERS else ""
    return dict(part.split("=", 1) for part in said.split(",")).get(name, "")


def run(name: str, words: Sequence[str], facts: dict[str, str]) -> tuple[Result, bool]:
    """One benchmark in a process; what it prints is passed on as it comes. Whether it ended without an error."""
    load, began, day = machine.load(), time.perf_counter(), time.strftime("%Y-%m-%d")
    command = [sys.executable, str(HERE / ENTRIES[name].script), *words]
    records: list[dict[str, Any]] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, encoding="utf-8") as process:
        for line in process.stdout or ():
            print(line, end="", flush=True)
            if line.startswith('{"benchmark"'):
                records.append(json.loads(line))
    seconds = round(time.perf_counter() - began, 1)
    repeated = " ".join(["python", f"benchmarks/{ENTRIES[name].script}", *map(last_part, words)])
    result = Result(name, repeated, day, seconds, load, facts, tuple(records))
    return result, process.returncode == int(not result.held) and bool(records)


def last_part(word: str) -> str:
    """Paths of this machine by their names."""
    return Path(word).name if os.sep in word else word


def main(words: Sequence[str] = ()) -> int:
    """Run what is asked for; 1 if a claim did not hold or a script failed."""
    chosen = options(words)
    facts = machine.describe() if chosen.write else {}
    failed = []
    for name in ENTRIES:
        wanted = arguments(name, chosen)
        if wanted is None or not (HERE / ENTRIES[name].script).exists():
            continue
        result, ended = run(name, wanted, facts)
        print(f"--- {name}: {result.seconds:.0f} s", flush=True)
        if not (ended and result.held):
            failed.append(name)
        if chosen.write and ended:
            write_result(result)
            page.write()
    if failed:
        print(f"not held: {', '.join(failed)}", file=sys.stderr)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
