"""Claim: step 1, a joint CFA of 24 groups x 20 items with equal loadings, is at least 30 times faster than lavaan.

    python benchmarks/step1_vs_lavaan.py

lavaan is run in the same minute if R and lavaan are present; otherwise only our own result is checked. Both start
from the same covariance matrices and give estimates, standard errors, chi-square and fit measures.
"""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

import mixsem as mx
from common import report, timed

LIMIT = 30.0
HERE = Path(__file__).parent
MOMENTS = HERE.parent / "tests" / "reference" / "mgcfa_24groups_moments.json.gz"
MODEL = "\n".join(f"F{q} =~ " + " + ".join(f"x{j}" for j in range(5 * q - 4, 5 * q + 1)) for q in range(1, 5))
#: lavaan's own optimiser stops within this of the maximum of the log-likelihood.
LOGLIK = 1e-3


def stored_moments() -> mx.SampleMoments:
    """The 24 covariance matrices that both programs fit."""
    with gzip.open(MOMENTS) as file:
        stored = json.load(file)
    groups = stored["groups"]
    return mx.SampleMoments.from_covariances(
        dict(zip(groups, map(np.array, stored["cov"]), strict=True)),
        n=dict(zip(groups, stored["n"], strict=True)),
        means=dict(zip(groups, map(np.array, stored["mean"]), strict=True)),
        items=stored["items"],
        divisor="n",
    )


def fit_with_errors(moments: mx.SampleMoments) -> float:
    """Estimates, standard errors and fit measures; returns the log-likelihood."""
    fit = mx.MGCFA(MODEL, blocks="joint").fit(moments)
    assert np.isfinite(fit.blocks[0].standard_errors).all()
    return fit.loglik


def lavaan(variant: str) -> dict[str, object] | None:
    """The same by lavaan, or None where it is not installed."""
    if shutil.which("Rscript") is None:
        return None
    command = ["Rscript", str(HERE / "step1_vs_lavaan.R"), "--moments", str(MOMENTS), "--variant", variant]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return json.loads(done.stdout) if done.returncode == 0 else None


def main(variants: tuple[str, ...] = ("default", "simple", "estimates-simple")) -> bool:
    """Compare CPU seconds with lavaan's plain call, its faster option, and its fastest way to estimates alone.

    The last one gives no standard errors, no test and no fit measures, so it is printed, but does not decide.
    """
    moments = stored_moments()
    loglik, seconds = timed(lambda: fit_with_errors(moments))
    held = True
    for variant in variants:
        peer = lavaan(variant)
        name = f"step 1: 24 groups x 20 items, equal loadings, lavaan {variant}"
        if peer is None:
            return report(name, passed=True, cpu_seconds=round(seconds, 4), remark="R with lavaan is not installed")
        ratio = min(peer["cpu_seconds"]) / seconds  # type: ignore[call-overload]
        limit = 1.0 if variant == "estimates-simple" else LIMIT
        held &= report(
            name,
            passed=bool(ratio > limit and loglik >= peer["logl"] - LOGLIK),  # type: ignore[operator]
            cpu_seconds=round(seconds, 4),
            lavaan_cpu_seconds=min(peer["cpu_seconds"]),  # type: ignore[call-overload]
            ratio=round(ratio, 1),
            limit=limit,
            loglik=loglik,
            lavaan_loglik=peer["logl"],
            lavaan=peer["version"],
        )
    return held


if __name__ == "__main__":
    sys.exit(not main())
