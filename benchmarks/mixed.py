"""Claim: `lmer` is as fast as the fastest peer, twice as fast as lme4, and never stops at a worse optimum than any.

    python benchmarks/mixed.py [PROBLEM ...] [--peers-python PYTHON]   # our Python or another one has the peers
    python benchmarks/mixed.py --small                                 # half a minute: optima, with peers or not
    python benchmarks/mixed.py --insteval FILE.csv.gz                  # with the real InstEval ratings

Peers are glmm, mixedlm and statsmodels where Python finds them, and lme4 where Rscript does. How they race is written
in `mixed_race.py`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mixed_data import PROBLEMS, Columns, Problem, dense_fit, insteval_from
from mixed_race import LME4, ROUNDING, Benchmark, options, race


def insteval(name: str, words: argparse.Namespace) -> Columns | None:
    """The real ratings, if they were given and are wanted."""
    return insteval_from(words.insteval) if words.insteval and name.startswith("insteval") else None


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


BENCHMARK = Benchmark(
    call="lmer",
    problems=PROBLEMS,
    python="mixed_peers.py",
    r="mixed_lme4.R",
    in_r=(LME4,),
    real=insteval,
    dense=dense_remarks,
    faster_than_lme4=2.0,
)


def main(arguments: Sequence[str] = ()) -> bool:
    """Do what the arguments say."""
    parser = options(BENCHMARK, __doc__)
    parser.add_argument("--insteval", type=Path, metavar="CSV", help="ratings to take in the place of simulated ones")
    return race(BENCHMARK, parser, arguments)


if __name__ == "__main__":
    sys.exit(not main(sys.argv[1:]))
