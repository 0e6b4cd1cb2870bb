"""One fit of a linear mixed model by one program in a fresh process; prints one line of JSON.

    python mixed_peers.py found                          # the programs that this Python has, with their versions
    python mixed_peers.py PROGRAM FOLDER [TINY ...]      # fit the data of FOLDER
    python mixed_peers.py judge FOLDER ESTIMATES.json    # our criterion at other programs' estimates

Needs NumPy, pandas and the one program. The fits of the TINY folders come first and are not timed with the rest: they
load what a program loads at its first use. Programs run with their default options.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import importlib.metadata
import json
import re
import resource
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

START = time.perf_counter()

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402

#: What `mixed_data.store` wrote.
Record = dict[str, Any]
#: A relative covariance factor by the name of its grouping.
Factors = dict[str, list[list[float]]]
STATSMODELS_ROWS = 2_000_000


def read_frame(folder: Path) -> tuple[Record, pd.DataFrame]:
    """The record of a problem, and its data with factors as pandas keeps them."""
    problem = json.loads((folder / "problem.json").read_text(encoding="utf-8"))
    columns: dict[str, Any] = {}
    for name, levels in problem["levels"].items():
        values = np.fromfile(folder / f"{name}.bin", dtype="<i4" if levels else "<f8")
        labels = [str(level + 1) for level in range(levels)]
        columns[name] = pd.Categorical.from_codes(values, labels, validate=False) if levels else values
    return problem, pd.DataFrame(columns)


def key(name: str) -> str:
    """A grouping's name, whatever the order in which a program writes an interaction."""
    return ":".join(sorted(re.findall(r"[\w.]+", name)))


def root(covariance: Any) -> list[list[float]]:
    """A lower triangular factor of a covariance matrix that may be singular."""
    values, vectors = np.linalg.eigh(np.atleast_2d(covariance))
    R = np.linalg.qr((vectors * np.sqrt(np.maximum(values, 0.0))).T, mode="r")
    signs = np.where(np.diag(R) < 0, -1.0, 1.0)
    return (signs[:, None] * R).T.tolist()  # type: ignore[no-any-return]


def lower(entries: Any, size: int, *, by_column: bool) -> np.ndarray[Any, Any]:
    """A lower triangular matrix from its entries."""
    matrix = np.zeros((size, size))
    rows, columns = np.triu_indices(size)[::-1] if by_column else np.tril_indices(size)
    matrix[rows, columns] = entries
    return matrix


def fit_mixsem(problem: Record, frame: pd.DataFrame) -> Any:
    from mixsem import lmer

    return lmer(problem["formula"], frame, reml=True)


def factors_of_mixsem(fit: Any) -> Factors:
    lambdas = fit.model.theta_map.lambdas(fit.theta)
    names = [factor.name for factor in fit.design.factors]
    return {key(name): np.asarray(matrix).tolist() for name, matrix in zip(names, lambdas, strict=True)}


def read_mixsem(fit: Any) -> dict[str, Any]:
    return {
        "reported": float(fit.objective),
        "evaluations": int(fit.trace.evaluations),
        "fixed": np.asarray(fit.fixef).tolist(),
        "sigma": float(fit.sigma),
        "factors": factors_of_mixsem(fit),
    }


def fit_glmm(problem: Record, frame: pd.DataFrame) -> Any:
    import glmm

    return glmm.fit(frame, problem["plain"])


def factors_of_glmm(fit: Any) -> Factors:
    factors: Factors = {}
    for (name, terms), entries in zip(fit.re_groups, fit.varcorr, strict=True):
        half = lower(entries, len(terms), by_column=True)
        factors[key(name)] = root((half + np.tril(half, -1).T) / fit.dispersion)
    return factors


def read_glmm(fit: Any) -> dict[str, Any]:
    return {
        "reported": -2 * float(fit.loglik),
        "evaluations": int(fit.n_eval),
        "gradients": int(fit.n_grad),
        "stopped": fit.outer_stop,
        "fixed": np.asarray(fit.beta).tolist(),
        "sigma": float(fit.dispersion) ** 0.5,
        "factors": factors_of_glmm(fit),
    }


def fit_mixedlm(problem: Record, frame: pd.DataFrame) -> Any:
    import mixedlm

    return mixedlm.lmer(problem["formula"], frame)


def factors_of_mixedlm(fit: Any) -> Factors:
    factors: Factors = {}
    theta = list(fit.theta)
    for structure in fit.matrices.random_structures:
        size = structure.n_terms
        entries, theta = theta[: size * (size + 1) // 2], theta[size * (size + 1) // 2 :]
        factors[key(structure.grouping_factor)] = lower(entries, size, by_column=False).tolist()
    return factors


def read_mixedlm(fit: Any) -> dict[str, Any]:
    return {
        "reported": float(fit.deviance),
        "evaluations": int(fit.function_evals),
        "stopped": f"{fit.optimizer}: {fit.message}",
        "fixed": np.asarray(fit.beta).tolist(),
        "sigma": float(fit.sigma),
        "factors": factors_of_mixedlm(fit),
    }


def fit_statsmodels(problem: Record, frame: pd.DataFrame) -> Any:
    from statsmodels.regression.mixed_linear_model import MixedLM

    formula = problem["plain"]
    bars = re.findall(r" \+ \((\w+) \| (\w+)\)", formula)
    if len(bars) != 1 or formula.count("|") != 1:
        raise NotImplementedError("one grouping factor only: others are variance components of one group of all rows")
    if len(frame) > STATSMODELS_ROWS:
        raise NotImplementedError("left out: gigabytes per million rows")
    (left, group), fixed = bars[0], formula.split(" + (")[0]
    return MixedLM.from_formula(fixed, frame, groups=frame[group], re_formula=f"~{left}").fit(reml=True), group


def read_statsmodels(fitted: Any) -> dict[str, Any]:
    fit, group = fitted
    return {
        "reported": -2 * float(fit.llf),
        "evaluations": None,
        "fixed": np.asarray(fit.fe_params).tolist(),
        "sigma": float(fit.scale) ** 0.5,
        "factors": {key(group): root(np.asarray(fit.cov_re) / fit.scale)},
    }


@dataclass(frozen=True)
class Program:
    """How one program fits, where its results are, and how standard errors are got if that is timed as well."""

    fit: Callable[[Record, pd.DataFrame], Any]
    read: Callable[[Any], dict[str, Any]]
    errors: Callable[[Any], Any] | None = None


PROGRAMS = {
    "mixsem": Program(fit_mixsem, read_mixsem),
    "glmm": Program(fit_glmm, read_glmm),
    "mixedlm": Program(fit_mixedlm, read_mixedlm),
    "statsmodels": Program(fit_statsmodels, read_statsmodels),
}


def found(programs: Mapping[str, Program]) -> dict[str, str]:
    """Versions of the programs that can be imported here."""
    versions = {}
    for name in programs:
        try:
            importlib.import_module(name)
        except ImportError:
            continue
        versions[name] = importlib.metadata.version(name)
    return versions


def memory(field: str) -> float:
    """MiB of this process from /proc: "VmRSS" now, "VmHWM" the peak; elsewhere the peak for both."""
    try:
        text = Path("/proc/self/status").read_text(encoding="ascii")
        return float(re.search(rf"{field}:\s+(\d+) kB", text)[1]) / 1024  # type: ignore[index]
    except OSError:
        unit = 1024**2 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def forget_peak() -> None:
    """Let the peak of memory start anew, where the system can."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def since(wall: float, cpu: float, before: float) -> dict[str, float]:
    """Seconds and memory of a fit that began at these."""
    facts = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    peak = memory("VmHWM")
    return {**facts, "peak": peak - before, "peak_all": peak}


def measure(program: Program, folder: Path, tiny: list[Path]) -> dict[str, Any]:
    """Fit, with seconds and memory of the fit alone."""
    loading = []
    for other in tiny:
        start = time.perf_counter()
        record, rows = read_frame(other)
        fit = program.fit(record, rows)
        if program.errors:
            program.errors(fit)
        loading.append(time.perf_counter() - start)
    load = time.perf_counter() - START
    problem, frame = read_frame(folder)
    gc.collect()
    forget_peak()
    before, wall, cpu = memory("VmRSS"), time.perf_counter(), time.process_time()
    fit = program.fit(problem, frame)
    facts: dict[str, Any] = since(wall, cpu, before)
    if program.errors:
        program.errors(fit)
        facts["with_errors"] = since(wall, cpu, before)
    facts |= {"load": load, "tiny": loading, **program.read(fit)}
    same = problem["same"]
    return {**facts, "factors": {same.get(name, name): matrix for name, matrix in facts["factors"].items()}}


def judge(folder: Path, estimates: list[dict[str, Any]]) -> list[float]:
    """Our REML criterion at each of the estimates."""
    from mixsem.mixed.designs.design import read_design
    from mixsem.mixed.engine.model import compile_model

    problem, frame = read_frame(folder)
    model = compile_model(read_design(problem["formula"], frame))
    names = [key(factor.name) for factor in model.design.factors]
    matrices = [tuple(np.asarray(estimate["factors"][name]) for name in names) for estimate in estimates]
    return [float(model.criterion(model.theta_map.from_lambdas(lambdas), reml=True)) for lambdas in matrices]


def main(
    arguments: list[str],
    programs: Mapping[str, Program],
    judge: Callable[[Path, list[dict[str, Any]]], list[float]],
) -> None:
    """Answer with one line of JSON, the last of what is printed."""
    name, *rest = arguments
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        if name == "found":
            answer: Any = found(programs)
        elif name == "judge":
            answer = judge(Path(rest[0]), json.loads(Path(rest[1]).read_text(encoding="utf-8")))
        else:
            answer = measure(programs[name], Path(rest[0]), [Path(other) for other in rest[1:]])
            answer["warnings"] = sorted({str(w.message).splitlines()[0][:200] for w in heard})
    print("\n" + json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:], PROGRAMS, judge)
