"""Claim: `lmer` is as fast as the fastest peer, twice as fast as lme4, and never stops at a worse optimum than any.

    python benchmarks/mixed.py [PROBLEM ...] [--peers-python PYTHON]   # our Python or another one has the peers
    python benchmarks/mixed.py --small                                 # half a minute: optima, with peers or not
    python benchmarks/mixed.py --out PAGE.md --insteval FILE.csv.gz    # write the page, with the real InstEval ratings

Peers are glmm, mixedlm and statsmodels where Python finds them, and lme4 where Rscript does. Every fit runs in a
process of its own, programs take turns, and medians are compared: the machine may be busy. Before the timed fit each
process fits the small version of its problem, so that loading libraries and compiled kernels is seen apart. A criterion
is judged at every program's estimates by the same function, and in small problems by a dense one that knows no tricks.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from common import report
from mixed_data import PROBLEMS, Columns, Problem, dense_fit, insteval_from, store
from mixed_table import Row, markdown, table

HERE = Path(__file__).parent
OURS, LME4 = "mixsem", "lme4"
#: A criterion above another by less than this is as good.
WORSE = 1e-5
#: Two ways to the same number, each summing up to ten million rows.
ROUNDING = 1e-6
#: Estimates at optima as good as each other.
ESTIMATES = 1e-4
#: Medians of the same fit differ by this much on a busy machine.
NOISE = 1.1
FASTER_THAN_LME4 = 2.0
#: Rows up to which the whole covariance matrix is factorised.
DENSE_ROWS = 1000
#: A slow fit is not repeated.
SLOW = 60.0
SEED = 7


@dataclass(frozen=True)
class Machine:
    """The programs that are found, with their versions, and how they are called."""

    peers_python: str
    timeout: float
    environment: dict[str, str]
    versions: dict[str, str]

    def run(self, program: str, *arguments: str | Path) -> Any:
        """The answer of one process, or its last words."""
        command = (
            ["Rscript", HERE / "mixed_lme4.R"] if program == LME4 else [self._python(program), HERE / "mixed_peers.py"]
        )
        words = [*command, *([] if program == LME4 else [program]), *arguments]
        return _answer([str(word) for word in words], self.timeout, self.environment)

    def kernels(self) -> int:
        """How many compiled kernels are stored for the timings."""
        folder = self.environment.get("NUMBA_CACHE_DIR")
        return len(list(Path(folder).rglob("*.nbc"))) if folder else 0

    def _python(self, program: str) -> str:
        return sys.executable if program in (OURS, "judge") else self.peers_python


def _answer(command: list[str], timeout: float, environment: dict[str, str]) -> Any:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, env=environment, check=False)
    except subprocess.TimeoutExpired:
        return f"stopped after {timeout:.0f} s"
    lines = (done.stderr if done.returncode else done.stdout).strip().splitlines() or [f"exit code {done.returncode}"]
    if done.returncode:
        return lines[-1].removeprefix("NotImplementedError: ")[:200]
    return json.loads(lines[-1])


def find_programs(words: argparse.Namespace, cache: Path) -> Machine:
    """Look for the peers. For timings our kernels are compiled anew, into a folder that later processes read."""
    environment = dict(os.environ) if words.small else {**os.environ, "NUMBA_CACHE_DIR": str(cache)}
    if words.threads:
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "RAYON_NUM_THREADS")
        environment |= dict.fromkeys(names, str(words.threads))
    script = str(HERE / "mixed_peers.py")
    own = _answer([sys.executable, script, "found"], 120, environment)
    others = own
    if words.peers_python != sys.executable:
        others = _answer([words.peers_python, script, "found"], 120, environment)
    in_r = "no Rscript"
    if shutil.which("Rscript"):
        in_r = _answer(["Rscript", str(HERE / "mixed_lme4.R"), "found"], 120, environment)
    versions = {OURS: own.get(OURS, "")} | (others if isinstance(others, dict) else {})
    versions = versions | {OURS: own.get(OURS, "")} | (in_r if isinstance(in_r, dict) else {})
    wanted = {name: version for name, version in versions.items() if not words.programs or name in words.programs}
    return Machine(words.peers_python, words.timeout, environment, wanted)


def compilation(machine: Machine, folders: list[Path]) -> tuple[float, float]:
    """Seconds of the first fits on this machine beyond those of the same fits in a second process."""
    seconds = []
    for _ in range(2):
        answer = machine.run(OURS, folders[0], *folders)
        if isinstance(answer, str):
            raise SystemExit(answer)
        seconds.append(sum(answer["tiny"]))
    return seconds[0] - seconds[1], seconds[1]


def take_turns(machine: Machine, folder: Path, tiny: Path | None, repeats: int) -> dict[str, list[Any]]:
    """The answers of every program, which fit one after the other, again and again."""
    answers: dict[str, list[Any]] = {name: [] for name in machine.versions}
    for _ in range(repeats):
        for name, got in answers.items():
            if got and (isinstance(got[-1], str) or got[-1]["wall"] > SLOW):
                continue
            compiled = machine.kernels()
            got.append(machine.run(name, folder, *([tiny] if tiny else [])))
            if machine.kernels() > compiled:  # large data may need kernels that small ones do not
                got[-1] = machine.run(name, folder, *([tiny] if tiny else []))
    return answers


def judge(machine: Machine, folder: Path, fits: dict[str, dict[str, Any]]) -> dict[str, float]:
    """The criterion at each program's estimates, by our function; as reported where there is no other or not ours."""
    if OURS not in fits or len(fits) == 1:
        return {name: fit["reported"] for name, fit in fits.items()}
    file = folder / "factors.json"
    file.write_text(json.dumps([fit["factors"] for fit in fits.values()]), encoding="utf-8")
    values = machine.run("judge", folder, file)
    if isinstance(values, str):
        raise SystemExit(values)
    return dict(zip(fits, values, strict=True))


def summarise(name: str, answers: list[Any], value: float | None) -> Row:
    """Medians over the repetitions."""
    fits = [answer for answer in answers if isinstance(answer, dict)]
    if not fits:
        return Row(program=name, remark=answers[0])
    middle = {key: float(np.median([fit[key] for fit in fits])) for key in ("wall", "cpu", "load", "peak")}
    last = fits[-1]
    remark = "; ".join(last["warnings"][:1]) if isinstance(last["warnings"], list) else str(last["warnings"])
    facts = {"reported": last["reported"], "evaluations": last["evaluations"], "gradients": last.get("gradients")}
    facts["estimates"] = (*last["fixed"], last["sigma"])
    return Row(program=name, criterion=value, repeats=len(fits), remark=remark, **facts, **middle)


def dense_remarks(problem: Problem, columns: Columns, fit: dict[str, Any]) -> str:
    """What a dense evaluation has against our fit: another value there, or a lower one nearby."""
    factors = fit["factors"]
    value, fixed, sigma = dense_fit(problem, columns, factors)
    if abs(value - fit["reported"]) > ROUNDING:
        return f"criterion {fit['reported']:.8f}, dense {value:.8f}"
    if not np.allclose([*fit["fixed"], fit["sigma"]], [*fixed, sigma], rtol=ROUNDING, atol=ROUNDING):
        return f"estimates {fit['fixed']}, {fit['sigma']}, dense {fixed}, {sigma}"
    for name, matrix in factors.items():
        for i, j in zip(*np.tril_indices(len(matrix)), strict=True):
            for step in (-0.01, 0.01):
                moved = np.array(matrix)
                moved[i, j] += step
                nearby = dense_fit(problem, columns, {**factors, name: moved})[0]
                if nearby < value - ROUNDING:
                    return f"criterion {value:.8f}, lower near {name}: {nearby:.8f}"
    return ""


def remarks(rows: Sequence[Row], *, timed: bool) -> list[str]:
    """Which claims do not hold."""
    fitted = [row for row in rows if row.criterion is not None]
    ours = next((row for row in fitted if row.program == OURS), None)
    if ours is None:
        return [f"{OURS} has no fit: {rows[0].remark}"]
    found = [
        f"{row.program} reports {row.reported:.6f}, judged {row.criterion:.6f}"
        for row in fitted
        if row.program != "statsmodels" and abs(row.reported - row.criterion) > 10 * ROUNDING
    ]
    found += [
        f"{row.program} estimates {row.estimates}, ours are {ours.estimates}"
        for row in fitted
        if row.criterion <= ours.criterion + WORSE
        and not np.allclose(row.estimates, ours.estimates, rtol=ESTIMATES, atol=ESTIMATES)
    ]
    best = min(fitted, key=lambda row: row.criterion)
    if ours.criterion > best.criterion + WORSE:
        found.append(f"criterion above that of {best.program} by {ours.criterion - best.criterion:.2g}")
    peers = [row for row in fitted if row.program != OURS]
    if timed and peers:
        fastest = min(peers, key=lambda row: row.cpu)
        if ours.cpu > NOISE * fastest.cpu:
            found.append(f"{fastest.program} takes {fastest.cpu / ours.cpu:.2f} of our CPU seconds")
        lme4 = next((row for row in peers if row.program == LME4), None)
        if lme4 and lme4.cpu < FASTER_THAN_LME4 * ours.cpu:
            found.append(f"lme4 takes only {lme4.cpu / ours.cpu:.2f} times our CPU seconds")
    return found


def compare(name: str, words: argparse.Namespace, machine: Machine, scratch: Path) -> tuple[list[Row], bool]:
    """One problem: draw, fit by all, judge."""
    problem = PROBLEMS[name]
    real = words.insteval and not words.small and name.startswith("insteval")
    columns = insteval_from(words.insteval) if real else problem.columns(SEED, small=words.small)
    folder = scratch / "data"
    store(problem, columns, folder)
    tiny = None if words.small else scratch / "tiny" / name
    answers = take_turns(machine, folder, tiny, 1 if words.small else words.repeats)
    fits = {who: got[-1] for who, got in answers.items() if isinstance(got[-1], dict)}
    judged = judge(machine, folder, fits)
    shutil.rmtree(folder)
    rows = [summarise(who, got, judged.get(who)) for who, got in answers.items()]
    found = remarks(rows, timed=not words.small)
    if OURS in fits and len(columns["y"]) <= DENSE_ROWS:
        found += [text for text in [dense_remarks(problem, columns, fits[OURS])] if text]
    ours = next((row for row in rows if row.program == OURS), None)
    facts = {"cpu_seconds": round(ours.cpu, 4), "criterion": ours.criterion} if ours and ours.cpu else {}
    held = report(f"lmer {name}", passed=not found, **facts, numbers="; ".join(found) or "agree")
    if not words.small:
        print(table(rows), flush=True)
    return rows, held


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("problems", nargs="*", metavar="PROBLEM", help=f"of {', '.join(PROBLEMS)}")
    parser.add_argument("--small", action="store_true", help="small versions; optima only")
    parser.add_argument("--peers-python", default=sys.executable, metavar="PYTHON", help="a Python that has the peers")
    parser.add_argument("--programs", nargs="+", default=[], help="only these")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--timeout", type=float, default=900.0, help="seconds for one process")
    parser.add_argument("--threads", type=int, default=0, help="for all programs; their own choice if not given")
    parser.add_argument("--insteval", type=Path, metavar="CSV", help="ratings to take in the place of simulated ones")
    parser.add_argument("--out", type=Path, metavar="PAGE", help="a Markdown page to write")
    words = parser.parse_args(list(arguments))
    unknown = [name for name in words.problems if name not in PROBLEMS]
    if unknown:
        parser.error(f"no problem {unknown[0]!r}; there are {', '.join(PROBLEMS)}")
    if words.small and words.out:
        parser.error("--small writes no page: its seconds are those of loading")
    return words


def main(arguments: Sequence[str] = ()) -> bool:
    """Do what the arguments say."""
    words = parse(arguments)
    names = words.problems or list(PROBLEMS)
    began = time.strftime("%Y-%m-%d")
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        machine = find_programs(words, scratch / "kernels")
        for name in names:
            store(PROBLEMS[name], PROBLEMS[name].columns(SEED, small=True), scratch / "tiny" / name)
        compiled = None
        if OURS in machine.versions and not words.small:
            compiled = compilation(machine, [scratch / "tiny" / name for name in names])
            print(f"compilation, once per machine: {compiled[0]:.1f} s; the same fits afterwards {compiled[1]:.1f} s")
        results = {name: compare(name, words, machine, scratch) for name in names}
    if words.out:
        titles = {PROBLEMS[name].title: rows for name, (rows, _) in results.items()}
        formulas = {PROBLEMS[name].title: PROBLEMS[name].formulas()["formula"] for name in names}
        words.out.write_text(markdown(titles, formulas, machine.versions, compiled, began), encoding="utf-8")
    return all(held for _, held in results.values())


if __name__ == "__main__":
    sys.exit(not main(sys.argv[1:]))
