"""Claim: `cfa`, `sem`, `growth` are faster than lavaan: 30 times with many groups, 10 with missing data, 3 if small.

    python benchmarks/sem_vs_lavaan.py [CASE ...]           # both programs in the same minutes, ratios of CPU seconds
    python benchmarks/sem_vs_lavaan.py --check [CASE ...]   # our numbers against lavaan's stored ones; no R needed
    python benchmarks/sem_vs_lavaan.py --store [CASE ...]   # run both and store lavaan's numbers
    python benchmarks/sem_vs_lavaan.py --profile CASE       # where our time goes

Each case is timed from the rows to estimates, standard errors, test and fit measures. Without R and lavaan only our own
time is printed. Data are simulated with fixed seeds, so that stored numbers stay comparable.
"""

from __future__ import annotations

import cProfile
import json
import pstats
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import mixsem as mx
from common import report, timed

HERE = Path(__file__).parent
STORED = HERE / "sem_vs_lavaan.json"
FEW, INCOMPLETE, MANY = 3.0, 10.0, 30.0
#: lavaan stops within these of the maximum: absolute for chi-square, relative for the rest.
CHISQ, RELATIVE = 2e-3, 2e-3

HS = "visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6\nspeed =~ x7 + x8 + x9"
CURVE = "i =~ 1*t1 + 1*t2 + 1*t3 + 1*t4\ns =~ 0*t1 + 1*t2 + 2*t3 + 3*t4\ni ~ x1 + x2\ns ~ x1 + x2"


def even_model(n_items: int, n_factors: int) -> str:
    """Items divided evenly over factors."""
    parts = np.array_split(np.arange(1, n_items + 1), n_factors)
    return "\n".join(f"F{q} =~ " + " + ".join(f"x{j}" for j in part) for q, part in enumerate(parts, start=1))


def draw_groups(
    n_groups: int, n: int, n_items: int, n_factors: int, *, missing: float = 0.0, seed: int
) -> pd.DataFrame:
    """Rows of many groups with equal loadings and nearly equal intercepts."""
    rng = np.random.default_rng(seed)
    owner = np.concatenate([[q] * len(p) for q, p in enumerate(np.array_split(np.arange(n_items), n_factors))])
    loading = rng.uniform(0.6, 1.0, n_items)
    frames = []
    for g in range(n_groups):
        root = rng.normal(size=(30, n_factors)) / np.sqrt(30)
        Phi = root.T @ root + 0.3
        eta = rng.normal(size=(n, n_factors)) @ np.linalg.cholesky(Phi).T + 0.3 * rng.normal(size=n_factors)
        x = eta[:, owner] * loading + rng.normal(size=(n, n_items)) * rng.uniform(0.5, 0.8, n_items)
        x += 0.05 * rng.normal(size=n_items)
        frame = pd.DataFrame(x.round(4), columns=[f"x{j}" for j in range(1, n_items + 1)])
        frames.append(frame.assign(group=f"g{g:03d}"))
    data = pd.concat(frames, ignore_index=True)
    if missing:
        items = data.columns.drop("group")
        data[items] = data[items].mask(rng.random((len(data), n_items)) < missing)
    return data


def draw_curves(n: int, seed: int) -> pd.DataFrame:
    """Four occasions of growth with two covariates."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 2))
    level = 0.6 + x @ [0.6, 0.6] + rng.normal(size=n)
    slope = 1.0 + x @ [0.3, 0.5] + 0.5 * rng.normal(size=n)
    t = {f"t{j + 1}": level + j * slope + 0.8 * rng.normal(size=n) for j in range(4)}
    return pd.DataFrame({**t, "x1": x[:, 0], "x2": x[:, 1]}).round(4)


def holes(data: pd.DataFrame, share: float, seed: int) -> pd.DataFrame:
    """The same data with values missing at random."""
    rng = np.random.default_rng(seed)
    items = [f"x{j}" for j in range(1, 10)]
    data = data[items].copy()
    data[items] = data[items].mask(rng.random(data[items].shape) < share)
    return data


@dataclass(frozen=True)
class Case:
    """One comparison: data, model and options by both programs' names."""

    data: Callable[[], pd.DataFrame]
    model: str
    call: str = "cfa"
    options: dict[str, Any] = field(default_factory=dict)
    limit: float = FEW
    repeat: int = 5


HOLZINGER = mx.data.holzinger_swineford_1939
WIDE = even_model(20, 4)
SURVEY = even_model(11, 2)
KINDS = ("loadings", "intercepts", "residuals")


def _survey() -> pd.DataFrame:
    return draw_groups(63, 730, 11, 2, seed=63)


CASES: dict[str, Case] = {
    "hs": Case(HOLZINGER, HS),
    "hs-mlr": Case(HOLZINGER, HS, options={"estimator": "MLR"}),
    "hs-fiml": Case(lambda: holes(HOLZINGER(), 0.2, 1), HS, options={"missing": "ml"}, limit=INCOMPLETE),
    "growth": Case(lambda: draw_curves(400, 4), CURVE, "growth"),
    "metric-24x20": Case(
        lambda: draw_groups(24, 200, 20, 4, seed=24),
        WIDE,
        options={"group": "group", "group_equal": ["loadings"]},
        limit=MANY,
        repeat=1,
    ),
    "fiml-12x9": Case(
        lambda: draw_groups(12, 100, 9, 3, missing=0.2, seed=9),
        even_model(9, 3),
        options={"group": "group", "group_equal": ["loadings"], "missing": "ml"},
        limit=MANY,
        repeat=1,
    ),
} | {
    f"63x11-{name}": Case(
        _survey, SURVEY, options={"group": "group", "group_equal": list(KINDS[:k])}, limit=MANY, repeat=1
    )
    for k, name in enumerate(("configural", "loadings", "intercepts", "residuals"))
}


def ours(case: Case, data: pd.DataFrame) -> Any:
    """Estimates, standard errors, test and fit measures."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = getattr(mx, case.call)(case.model, data, **case.options)
    assert np.isfinite(fit.standard_errors).all() and np.isfinite(fit.measures.cfi)
    assert np.isfinite(fit.described.cfi)
    return fit


def lavaan(case: Case, data: pd.DataFrame) -> dict[str, Any] | None:
    """The same by lavaan, or None where it is not installed."""
    if shutil.which("Rscript") is None:
        return None
    options = {name.replace("_", "."): value for name, value in case.options.items() if value}
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder) / "rows.csv"
        data.to_csv(rows, index=False)
        wanted = Path(folder) / "case.json"
        record = {"data": str(rows), "call": case.call, "model": case.model.split("\n"), "options": options}
        wanted.write_text(json.dumps({**record, "repeat": case.repeat}))
        command = ["Rscript", str(HERE / "sem_vs_lavaan.R"), str(wanted)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stderr[-500:], file=sys.stderr)
        return None
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def agrees(fit: Any, peer: dict[str, Any]) -> str:
    """The first difference between our fit and lavaan's numbers; nothing if there is none."""
    if abs(fit.measures.chisq - peer["chisq"]) > CHISQ or fit.measures.df != peer["df"]:
        return f"chisq {fit.measures.chisq:.4f} ({fit.measures.df}) instead of {peer['chisq']:.4f} ({peer['df']})"
    if abs(fit.loglik - peer["loglik"]) > CHISQ:
        return f"loglik {fit.loglik:.4f} instead of {peer['loglik']:.4f}"
    frame = mx.tidy(fit)
    frame = frame[frame["op"] == "=~"]
    if peer["first_group"]:
        frame = frame[frame["group"] == peer["first_group"]]
    names = frame["lhs"] + "=~" + frame["rhs"]
    for what, column in (("loadings", "estimate"), ("errors", "se")):
        found = dict(zip(names, frame[column], strict=True))
        for name, value in peer[what].items():
            if abs(found[name] - value) > RELATIVE * max(abs(value), 0.1):
                return f"{what} of {name}: {found[name]:.5f} instead of {value:.5f}"
    return ""


def check(names: list[str]) -> bool:
    """Our numbers against the stored ones."""
    stored = json.loads(STORED.read_text())
    held = True
    for name in names:
        if name not in stored:
            continue
        different = agrees(ours(CASES[name], CASES[name].data()), stored[name])
        held &= report(f"sem {name}: as stored", passed=not different, remark=different or "agrees")
    return held


def compare(names: list[str], *, store: bool) -> bool:
    """CPU seconds of both programs."""
    stored = json.loads(STORED.read_text()) if STORED.exists() else {}
    held = True
    for name in names:
        case = CASES[name]
        data = case.data()
        fit, seconds = timed(lambda case=case, data=data: ours(case, data))  # type: ignore[misc]
        peer = lavaan(case, data)
        if peer is None:
            report(f"sem {name}", passed=True, cpu_seconds=round(seconds, 4), remark="R with lavaan did not run")
            continue
        different = agrees(fit, peer)
        ratio = min(peer["cpu_seconds"]) / seconds
        held &= report(
            f"sem {name}",
            passed=ratio > case.limit and not different,
            cpu_seconds=round(seconds, 4),
            lavaan_cpu_seconds=round(min(peer["cpu_seconds"]), 3),
            ratio=round(ratio, 1),
            limit=case.limit,
            numbers=different or "agree",
        )
        stored[name] = {key: value for key, value in peer.items() if "seconds" not in key}
        if store:  # after each case: the last ones take minutes
            STORED.write_text("{\n" + ",\n".join(f' "{k}": {json.dumps(v)}' for k, v in stored.items()) + "\n}\n")
    return held


def profile(name: str) -> bool:
    """The twenty functions that take most time."""
    case = CASES[name]
    data = case.data()
    ours(case, data)
    profiler = cProfile.Profile()
    profiler.runcall(ours, case, data)
    pstats.Stats(profiler).sort_stats("cumulative").print_stats(35)
    pstats.Stats(profiler).sort_stats("tottime").print_stats(20)
    return True


def main(words: Sequence[str] = ()) -> bool:
    """Do what the arguments say."""
    names = [word for word in words if not word.startswith("--")] or list(CASES)
    unknown = [name for name in names if name not in CASES]
    if unknown:
        print(f"no case {unknown[0]!r}; there are {', '.join(CASES)}", file=sys.stderr)
        return False
    if "--profile" in words:
        return profile(names[0])
    return check(names) if "--check" in words else compare(names, store="--store" in words)


if __name__ == "__main__":
    sys.exit(not main(sys.argv[1:]))
