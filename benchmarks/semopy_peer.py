"""Fits structural equation models by semopy, as often as it is asked; needs only semopy and pandas.

    python semopy_peer.py

The same protocol as `lavaan.R`: each line of standard input names a case (JSON), and is answered by one line of JSON.
One group, complete data and maximum likelihood only.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
import semopy


def fit(model: str, data: pd.DataFrame) -> tuple[Any, Any, Any]:
    """Estimates, standard errors and fit measures, which lavaan's and our fits have too."""
    fitted = semopy.Model(model)
    fitted.fit(data)
    return fitted, fitted.inspect(), semopy.calc_stats(fitted)


def answer(case: dict[str, Any]) -> dict[str, Any]:
    """Seconds and numbers of one fit."""
    data = pd.read_csv(case["data"])
    wall, cpu = time.perf_counter(), time.process_time()
    _, table, measures = fit("\n".join(case["model"]), data)
    seconds = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    free = table[(table["op"] == "~") & (table["Std. Err"] != "-")]
    names = free["rval"] + "=~" + free["lval"]
    return {
        "program": "semopy",
        "version": version("semopy"),
        **seconds,
        "chisq": float(measures["chi2"].iloc[0]),
        "df": int(measures["DoF"].iloc[0]),
        "loadings": dict(zip(names, free["Estimate"].astype(float), strict=True)),
        "errors": dict(zip(names, free["Std. Err"].astype(float), strict=True)),
    }


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    for line in sys.stdin:
        try:
            found: Any = answer(json.loads(Path(line.strip()).read_text(encoding="utf-8")))
        except Exception as error:  # whatever a peer says is shown in the table
            found = f"{type(error).__name__}: {error}"[:200]
        print(json.dumps(found), flush=True)
