"""Claim: `cfa`, `sem`, `growth` are faster than lavaan: 30 times with many groups, 10 with missing data, 3 if small.

    python benchmarks/sem.py [CASE ...] [--peers-python PYTHON]   # programs take turns; seconds and their ratios
    python benchmarks/sem.py --short          # without the cases that take lavaan minutes
    python benchmarks/sem.py --check          # our numbers against lavaan's stored ones; no R needed
    python benchmarks/sem.py --store          # take turns, and store lavaan's numbers
    python benchmarks/sem.py --profile CASE   # where our time goes

Each case is timed from the rows to estimates, standard errors, test and fit measures. Peers are lavaan, where Rscript
finds it, and semopy, where a Python does.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import pstats
import sys
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

import mixsem as mx
from common import HERE, Answer, report
from sem_cases import CASES, Case
from sem_race import Peers, differs, find_peers, race, write_case

STORED = HERE / "sem_lavaan.json"
#: What is stored of a peer's answer: numbers, not seconds.
KEPT = ("version", "chisq", "df", "loglik", "cfi", "converged", "loadings", "errors")


def fit(case: Case, data: pd.DataFrame) -> Any:
    """Estimates, standard errors, test and fit measures."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = getattr(mx, case.call)(case.model, data, **case.options)
    assert np.isfinite(found.standard_errors).all() and np.isfinite(found.measures.cfi)
    assert np.isfinite(found.described.cfi)
    return found


def numbers(found: Any) -> dict[str, Any]:
    """Our numbers by the names that peers use: loadings of the first group."""
    frame = mx.tidy(found)
    frame = frame[frame["op"] == "=~"]
    if "group" in frame and len(frame):
        frame = frame[frame["group"] == frame["group"].iloc[0]]
    names = frame["lhs"] + "=~" + frame["rhs"]
    return {
        "chisq": found.measures.chisq,
        "df": found.measures.df,
        "loglik": found.loglik,
        "loadings": dict(zip(names, frame["estimate"], strict=True)),
        "errors": dict(zip(names, frame["se"], strict=True)),
    }


def check(names: Sequence[str]) -> bool:
    """Our numbers against the stored ones."""
    stored = json.loads(STORED.read_text(encoding="utf-8"))
    held = True
    for name in (name for name in names if name in stored):
        different = differs(numbers(fit(CASES[name], CASES[name].data())), stored[name])
        held &= report(f"sem {name}: as stored", passed=not different, remark=different or "agrees")
    return held


def compare(name: str, peers: Peers, repeats: int, stored: dict[str, Any]) -> bool:
    """One case; the first answer of lavaan goes into ``stored``."""
    case = CASES[name]
    data = case.data()
    rows = peers.folder / f"{name}.csv"
    data.to_csv(rows, index=False)
    options = {key.replace("_", "."): value for key, value in case.options.items() if value}
    file = write_case(peers.folder, name, case.model, call=case.call, data=rows, options=options)
    asked = {who: peers.ask(who, file) for who in peers.servers if who != "semopy" or case.semopy}

    def lavaan() -> Answer:
        answer = peers.servers["lavaan"].ask(file)
        if isinstance(answer, dict):
            stored[name] = {key: answer[key] for key in KEPT if key in answer}
        return answer

    if "lavaan" in asked:
        asked["lavaan"] = lavaan
    found: list[Any] = []

    def ours() -> Mapping[str, Any]:
        found[:] = [fit(case, data)]
        return {}

    # Numbers are read off afterwards, so that what only the comparison needs is not timed.
    ours()
    compared = numbers(found[0])
    return race(
        f"sem {name}",
        case.title,
        lambda: ours() or compared,
        asked,
        limits={"lavaan": case.limit},
        repeats=repeats,
    )


def profile(name: str) -> bool:
    """The functions that take most time."""
    case = CASES[name]
    data = case.data()
    fit(case, data)
    profiler = cProfile.Profile()
    profiler.runcall(fit, case, data)
    pstats.Stats(profiler).sort_stats("cumulative").print_stats(35)
    pstats.Stats(profiler).sort_stats("tottime").print_stats(20)
    return True


def main(words: Sequence[str] = ()) -> bool:
    """Do what the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)}")
    parser.add_argument("--peers-python", default=sys.executable, metavar="PYTHON", help="a Python that has semopy")
    parser.add_argument("--repeats", type=int, default=5)
    for option in ("short", "check", "store", "profile"):
        parser.add_argument(f"--{option}", action="store_true")
    chosen = parser.parse_args(list(words))
    unknown = [name for name in chosen.cases if name not in CASES]
    if unknown:
        parser.error(f"no case {unknown[0]!r}; there are {', '.join(CASES)}")
    names = chosen.cases or [name for name, case in CASES.items() if not (chosen.short and case.long)]
    if chosen.profile:
        return profile(names[0])
    if chosen.check:
        return check(names)
    stored = json.loads(STORED.read_text(encoding="utf-8")) if STORED.exists() else {}
    with find_peers(chosen.peers_python) as peers:
        held = [compare(name, peers, chosen.repeats, stored) for name in names]
    if chosen.store:
        lines = (f" {json.dumps(name)}: {json.dumps(facts)}" for name, facts in stored.items())
        STORED.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    return all(held)


if __name__ == "__main__":
    sys.exit(not main(sys.argv[1:]))
