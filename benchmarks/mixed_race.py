"""What `mixed.py` and `generalised.py` share: programs take turns, each fit in a process of its own, and are judged.

The machine may be busy, so medians are compared. Before the timed fit each process fits the small version of its
problem: loading libraries and compiled kernels is seen apart. A criterion is judged at every program's estimates by the
same function, and in small problems by a dense one that knows no tricks.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from common import HERE, Answer, last_line, report, take_turns
from mixed_data import Columns, Problem, store
from mixed_table import OURS, Row, ours_beside, table

__all__ = ["DENSE_ROWS", "ROUNDING", "WORSE", "Benchmark", "options", "race", "remarks"]

LME4 = "lme4"
#: A criterion above another by less than this is as good.
WORSE = 1e-5
#: Two ways to the same number, each summing up to ten million rows.
ROUNDING = 1e-6
#: Medians of the same fit differ by this much on a busy machine.
NOISE = 1.1
#: Rows up to which dense matrices judge.
DENSE_ROWS = 1000
SEED = 7


@dataclass(frozen=True)
class Benchmark:
    """A claim about one of our functions, and what it is tried on.

    Attributes
    ----------
    call
        Our function.
    problems
        The problems by their names.
    python, r
        Scripts that fit by one program in a process of its own.
    in_r
        The programs of the R script.
    real
        Columns from a file of the user, in the place of simulated ones; None if there is none for the problem.
    dense
        What a dense evaluation has against our fit of a small problem.
    faster_than_lme4
        How many times.
    reported
        How far a criterion that a program reports may be from the judged one.
    estimates
        How far estimates may be apart at optima as good as each other.
    """

    call: str
    problems: Mapping[str, Problem]
    python: str
    r: str
    in_r: tuple[str, ...]
    real: Callable[[str, argparse.Namespace], Columns | None]
    dense: Callable[[Problem, Columns, dict[str, Any]], str]
    faster_than_lme4: float
    reported: float = 10 * ROUNDING
    estimates: float = 1e-4


@dataclass(frozen=True)
class Machine:
    """The programs that are found, with their versions, and how they are called."""

    benchmark: Benchmark
    peers_python: str
    timeout: float
    environment: dict[str, str]
    versions: dict[str, str]

    def run(self, program: str, *arguments: str | Path) -> Any:
        """The answer of one process, or its last words."""
        if program in self.benchmark.in_r:
            command = ["Rscript", HERE / self.benchmark.r]
        else:
            command = [self._python(program), HERE / self.benchmark.python]
        words = [str(word) for word in (*command, program, *arguments)]
        return last_line(words, self.timeout, self.environment)

    def kernels(self) -> int:
        """How many compiled kernels are stored for the timings."""
        folder = self.environment.get("NUMBA_CACHE_DIR")
        return len(list(Path(folder).rglob("*.nbc"))) if folder else 0

    def _python(self, program: str) -> str:
        return sys.executable if program in (OURS, "judge") else self.peers_python


def find_programs(benchmark: Benchmark, words: argparse.Namespace, cache: Path) -> Machine:
    """Look for the peers. For timings our kernels are compiled anew, into a folder that later processes read."""
    environment = dict(os.environ) if words.small else {**os.environ, "NUMBA_CACHE_DIR": str(cache)}
    if words.threads:
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "RAYON_NUM_THREADS")
        environment |= dict.fromkeys(names, str(words.threads))
    script = str(HERE / benchmark.python)
    own = last_line([sys.executable, script, "found"], 120, environment)
    others = own
    if words.peers_python != sys.executable:
        others = last_line([words.peers_python, script, "found"], 120, environment)
    in_r = "no Rscript"
    if shutil.which("Rscript"):
        in_r = last_line(["Rscript", str(HERE / benchmark.r), "found"], 120, environment)
    versions = {OURS: own.get(OURS, "")} | (others if isinstance(others, dict) else {})
    versions = versions | {OURS: own.get(OURS, "")} | (in_r if isinstance(in_r, dict) else {})
    wanted = {name: version for name, version in versions.items() if not words.programs or name in words.programs}
    return Machine(benchmark, words.peers_python, words.timeout, environment, wanted)


def compilation(machine: Machine, folders: list[Path]) -> tuple[float, float]:
    """Seconds of the first fits on this machine beyond those of the same fits in a second process."""
    seconds = []
    for _ in range(2):
        answer = machine.run(OURS, folders[0], *folders)
        if isinstance(answer, str):
            raise SystemExit(answer)
        seconds.append(sum(answer["tiny"]))
    return seconds[0] - seconds[1], seconds[1]


def fit_once(machine: Machine, program: str, folder: Path, tiny: Path | None) -> Answer:
    """One fit in a process of its own; again if kernels were compiled, as large data may need more than small ones."""
    compiled = machine.kernels()
    answer: Answer = machine.run(program, folder, *([tiny] if tiny else []))
    return machine.run(program, folder, *([tiny] if tiny else [])) if machine.kernels() > compiled else answer


def judge(machine: Machine, folder: Path, fits: dict[str, dict[str, Any]]) -> dict[str, float]:
    """The criterion at each program's estimates, by our function; as reported where there is no other or not ours."""
    if OURS not in fits or len(fits) == 1:
        return {name: fit["reported"] for name, fit in fits.items()}
    file = folder / "estimates.json"
    estimates = [{"factors": fit["factors"], "fixed": fit["fixed"]} for fit in fits.values()]
    file.write_text(json.dumps(estimates), encoding="utf-8")
    values = machine.run("judge", folder, file)
    if isinstance(values, str):
        raise SystemExit(values)
    return dict(zip(fits, values, strict=True))


def summarise(name: str, answers: list[Any], value: float | None) -> list[Row]:
    """Medians over the repetitions; a second row where standard errors were timed as well."""
    fits = [answer for answer in answers if isinstance(answer, dict)]
    if not fits:
        return [Row(program=name, remark=answers[0])]
    middle = _medians(fits, ("wall", "cpu", "load", "peak"))
    last = fits[-1]
    remark = "; ".join(last["warnings"][:1]) if isinstance(last["warnings"], list) else str(last["warnings"])
    facts = {"reported": last["reported"], "evaluations": last["evaluations"], "gradients": last.get("gradients")}
    facts["estimates"] = (*last["fixed"], *([last["sigma"]] if "sigma" in last else []))
    errors = bool(last.get("errors"))
    row = Row(program=name, criterion=value, repeats=len(fits), remark=remark, errors=errors, **facts, **middle)
    if "with_errors" not in last:
        return [row]
    slower = _medians([fit["with_errors"] for fit in fits], ("wall", "cpu", "peak"))
    return [row, Row(**{**vars(row), **slower, "program": f"{name}, standard errors", "errors": True})]


def _medians(facts: Sequence[Mapping[str, float]], keys: Sequence[str]) -> dict[str, float]:
    return {key: float(np.median([fact[key] for fact in facts])) for key in keys}


def remarks(benchmark: Benchmark, rows: Sequence[Row], *, timed: bool) -> list[str]:
    """Which claims do not hold."""
    fitted = [row for row in rows if row.criterion is not None]
    ours = next((row for row in fitted if row.program == OURS), None)
    if ours is None:
        return [f"{OURS} has no fit: {rows[0].remark}"]
    found = [
        f"{row.program} reports {row.reported:.6f}, judged {row.criterion:.6f}"
        for row in fitted
        if row.program != "statsmodels"
        and row.reported is not None
        and abs(row.reported - row.criterion) > benchmark.reported
    ]
    found += [
        f"{row.program} estimates {row.estimates}, ours are {ours.estimates}"
        for row in fitted
        if row.criterion <= ours.criterion + WORSE
        and not np.allclose(row.estimates, ours.estimates, rtol=benchmark.estimates, atol=benchmark.estimates)
    ]
    best = min(fitted, key=lambda row: row.criterion)
    if ours.criterion > best.criterion + WORSE:
        found.append(f"criterion above that of {best.program} by {ours.criterion - best.criterion:.2g}")
    return found + (_slower(benchmark, fitted) if timed else [])


def _slower(benchmark: Benchmark, fitted: Sequence[Row]) -> list[str]:
    """Peers that are faster than claimed, each beside that of our rows that does the same."""
    pairs = [(row, ours_beside(row, fitted)) for row in fitted if not row.ours]
    found = []
    if pairs:
        fastest, ours = min(pairs, key=lambda pair: pair[0].cpu / pair[1].cpu)
        if ours.cpu > NOISE * fastest.cpu:
            found.append(f"{fastest.program} takes {fastest.cpu / ours.cpu:.2f} of our CPU seconds")
    for row, ours in pairs:
        if row.program == LME4 and row.cpu < benchmark.faster_than_lme4 * ours.cpu:
            found.append(f"lme4 takes only {row.cpu / ours.cpu:.2f} times our CPU seconds")
    return found


def compare(name: str, words: argparse.Namespace, machine: Machine, scratch: Path) -> bool:
    """One problem: draw, fit by all, judge."""
    benchmark = machine.benchmark
    problem = benchmark.problems[name]
    columns = None if words.small else benchmark.real(name, words)
    if columns is None:
        columns = problem.columns(SEED, small=words.small)
    folder = scratch / "data"
    store(problem, columns, folder)
    tiny = None if words.small else scratch / "tiny" / name
    ask = {who: partial(fit_once, machine, who, folder, tiny) for who in machine.versions}
    answers = take_turns(ask, 1 if words.small else words.repeats)
    fits = {who: got[-1] for who, got in answers.items() if isinstance(got[-1], dict)}
    judged = judge(machine, folder, fits)
    shutil.rmtree(folder)
    rows = [row for who, got in answers.items() for row in summarise(who, got, judged.get(who))]
    found = remarks(benchmark, rows, timed=not words.small)
    if OURS in fits and len(next(iter(columns.values()))) <= DENSE_ROWS:
        found += [text for text in [benchmark.dense(problem, columns, fits[OURS])] if text]
    ours = next((row for row in rows if row.program == OURS), None)
    facts = {"cpu_seconds": round(ours.cpu, 4), "criterion": ours.criterion} if ours and ours.cpu else {}
    if not words.small:
        facts |= {"title": problem.title, "shown": problem.shown(), "programs": [asdict(row) for row in rows]}
        print(table(rows), flush=True)
    return report(f"{benchmark.call} {name}", passed=not found, remark="; ".join(found), **facts)


def options(benchmark: Benchmark, description: str | None) -> argparse.ArgumentParser:
    """What every such benchmark asks on the command line."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = tuple(benchmark.problems)
    parser.add_argument("problems", nargs="*", metavar="PROBLEM", help=f"of {', '.join(names)}")
    parser.add_argument("--small", action="store_true", help="small versions; optima only")
    parser.add_argument("--peers-python", default=sys.executable, metavar="PYTHON", help="a Python that has the peers")
    parser.add_argument("--programs", nargs="+", default=[], help="only these")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--timeout", type=float, default=900.0, help="seconds for one process")
    parser.add_argument("--threads", type=int, default=0, help="for all programs; their own choice if not given")
    return parser


def race(benchmark: Benchmark, parser: argparse.ArgumentParser, arguments: Sequence[str]) -> bool:
    """Do what the arguments say; whether all claims hold."""
    words = parser.parse_args(list(arguments))
    problems = benchmark.problems
    unknown = [name for name in words.problems if name not in problems]
    if unknown:
        parser.error(f"no problem {unknown[0]!r}; there are {', '.join(problems)}")
    names = words.problems or list(problems)
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        machine = find_programs(benchmark, words, scratch / "kernels")
        for name in names:
            store(problems[name], problems[name].columns(SEED, small=True), scratch / "tiny" / name)
        if OURS in machine.versions and not words.small:
            first, later = compilation(machine, [scratch / "tiny" / name for name in names])
            facts = {"versions": machine.versions, "compiling": round(first, 1), "later": round(later, 1)}
            report(f"{benchmark.call}: programs", passed=True, **facts)
        return all([compare(name, words, machine, scratch) for name in names])
