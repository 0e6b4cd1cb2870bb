"""One fit of a generalised mixed model by one program in a fresh process; prints one line of JSON.

    python generalised_peers.py found                         # the programs that this Python has, with their versions
    python generalised_peers.py PROGRAM FOLDER [TINY ...]     # fit the data of FOLDER
    python generalised_peers.py judge FOLDER ESTIMATES.json   # our criterion at other programs' estimates

As `mixed_peers.py`, for the families and problems of `generalised_data.py`. glmm's likelihood ratio tests of fixed
effects, which refit a Poisson model and which no other program makes unasked, are left out.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

# First, because its clock starts before libraries are loaded.
from mixed_peers import Program, Record, factors_of_glmm, factors_of_mixedlm, factors_of_mixsem, key, main, read_frame

# isort: split
import numpy as np
import pandas as pd


def fit_mixsem(problem: Record, frame: pd.DataFrame) -> Any:
    from mixsem import glmer

    return glmer(problem["formula"], frame, family=problem["family"], n_agq=problem["n_agq"])


def read_mixsem(fit: Any) -> dict[str, Any]:
    return {
        "reported": float(fit.objective),
        "evaluations": int(fit.trace.evaluations),
        "fixed": np.asarray(fit.fixef).tolist(),
        "factors": factors_of_mixsem(fit),
    }


def fit_glmm(problem: Record, frame: pd.DataFrame) -> Any:
    import glmm

    family, formula = problem["family"], problem["formula"]
    return glmm.fit(frame, formula, family=family, nagq=problem["n_agq"], anova_test="Wald")


def read_glmm(fit: Any) -> dict[str, Any]:
    return {
        "reported": -2 * float(fit.loglik),
        "evaluations": int(fit.n_eval),
        "gradients": int(fit.n_grad),
        "stopped": fit.outer_stop,
        "fixed": np.asarray(fit.beta).tolist(),
        "factors": factors_of_glmm(fit),
        "errors": True,
    }


def fit_mixedlm(problem: Record, frame: pd.DataFrame) -> Any:
    import mixedlm
    from mixedlm.families import Binomial, Poisson

    family = {"binomial": Binomial, "poisson": Poisson}[problem["family"]]()
    weights = problem["trials"] or None
    return mixedlm.glmer(problem["plain"], frame, family=family, nAGQ=problem["n_agq"], weights=weights)


def read_mixedlm(fit: Any) -> dict[str, Any]:
    return {
        "reported": -2 * float(fit.logLik().value),
        "evaluations": int(fit.n_iter),
        "stopped": f"{fit.optimizer}: {fit.message}",
        "fixed": np.asarray(fit.beta).tolist(),
        "factors": factors_of_mixedlm(fit),
    }


PROGRAMS = {
    "mixsem": Program(fit_mixsem, read_mixsem, errors=lambda fit: fit.se),
    "glmm": Program(fit_glmm, read_glmm),
    "mixedlm": Program(fit_mixedlm, read_mixedlm),
}


def judge(folder: Path, estimates: list[dict[str, Any]]) -> list[float]:
    """Our -2 log-likelihood at each of the estimates."""
    from mixsem.mixed.generalised.family_choice import as_family
    from mixsem.mixed.generalised.glmer import GeneralisedMixedModel

    problem, frame = read_frame(folder)
    n_agq = problem["n_agq"]
    model = GeneralisedMixedModel(problem["formula"], as_family(problem["family"], None), n_agq).compile(frame)
    names = [key(factor.name) for factor in model.design.factors]
    values = []
    for estimate in estimates:
        theta = model.theta_map.from_lambdas([np.asarray(estimate["factors"][name]) for name in names])
        values.append(float(model.criterion(theta, estimate["fixed"], n_agq=n_agq)))
    return values


if __name__ == "__main__":
    main(sys.argv[1:], PROGRAMS, judge)
