"""Claim: `glmer` is as fast as the fastest peer, five times as fast as lme4, and never stops at a worse optimum.

    python benchmarks/generalised.py [PROBLEM ...] [--peers-python PYTHON]   # our Python or another has the peers
    python benchmarks/generalised.py --small                                 # seconds: optima, with peers or not
    python benchmarks/generalised.py --verbagg FILE.csv.gz --cbpp FILE.csv   # with real data

Peers are glmm and mixedlm where Python finds them, and lme4 and glmmTMB where Rscript does. How they race is written in
`mixed_race.py`. Programs that compute standard errors with every fit are compared with our fit and its standard errors.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from generalised_data import PROBLEMS, GeneralisedProblem, cbpp_from, dense_value, verbagg_from
from mixed_data import Columns
from mixed_race import LME4, ROUNDING, Benchmark, options, race

#: lme4 stops its inner iterations early, which moves the likelihood that it reports by so much.
REPORTED = 1e-2
#: Fixed effects are searched for, not solved for: a criterion within 1e-5 leaves them this much.
ESTIMATES = 5e-3
#: Step to either side at which the criterion may not be lower.
STEP = 0.01


def real(name: str, words: argparse.Namespace) -> Columns | None:
    """Real data, if they were given and are wanted."""
    if words.verbagg and name == "verbagg":
        return verbagg_from(words.verbagg)
    return cbpp_from(words.cbpp) if words.cbpp and name.startswith("cbpp") else None


def dense_remarks(problem: GeneralisedProblem, columns: Columns, fit: dict[str, Any]) -> str:
    """What a dense evaluation has against our fit: another value there, or a lower one nearby."""
    factors, fixed = fit["factors"], np.asarray(fit["fixed"])
    value = dense_value(problem, columns, factors, fixed)
    if abs(value - fit["reported"]) > ROUNDING:
        return f"criterion {fit['reported']:.8f}, dense {value:.8f}"
    nearby = {}
    for step in (-STEP, STEP):
        for name, matrix in factors.items():
            moved = {**factors, name: np.asarray(matrix) + step}
            nearby[f"{name} {step:+}"] = dense_value(problem, columns, moved, fixed)
        for j in range(len(fixed)):
            shifted = fixed + step * (np.arange(len(fixed)) == j)
            nearby[f"fixed effect {j + 1} {step:+}"] = dense_value(problem, columns, factors, shifted)
    where = min(nearby, key=lambda place: nearby[place])
    return f"criterion {value:.8f}, lower at {where}: {nearby[where]:.8f}" if nearby[where] < value - ROUNDING else ""


BENCHMARK = Benchmark(
    call="glmer",
    problems=PROBLEMS,
    python="generalised_peers.py",
    r="generalised_r.R",
    in_r=(LME4, "glmmTMB"),
    real=real,
    dense=dense_remarks,
    faster_than_lme4=5.0,
    reported=REPORTED,
    estimates=ESTIMATES,
)


def main(arguments: Sequence[str] = ()) -> bool:
    """Do what the arguments say."""
    parser = options(BENCHMARK, __doc__)
    parser.add_argument("--verbagg", type=Path, metavar="CSV", help="answers to take in the place of simulated ones")
    parser.add_argument("--cbpp", type=Path, metavar="CSV", help="herds to take in the place of simulated ones")
    return race(BENCHMARK, parser, arguments)


if __name__ == "__main__":
    sys.exit(not main(sys.argv[1:]))
