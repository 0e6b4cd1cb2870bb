"""Claim: in simulation studies the fast method gives what the No-U-Turn sampler gives, on the same data sets.

python benchmarks/study_samplers.py            check the stored results
python benchmarks/study_samplers.py --write    and write docs/studies/samplers.md
python benchmarks/study_samplers.py --run DIR  run both studies again, into DIR (half an hour of two cores)
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from common import report
from mixsem.studies import Method, Study, StudyResults, read_results, read_study, run_study

DOCS = Path(__file__).parents[1] / "docs" / "studies"
MEASURES = {
    "ari": "ARI",
    "cc": "%CC",
    "uncertainty": "uncertainty",
    "rmse[F4~F1]": "RMSE of β1",
    "rmse[F3~F1]": "RMSE of β2",
    "rmse[F3~F2]": "RMSE of β3",
    "rmse[F4~F3]": "RMSE of β4",
    "rmse_noninvariant": "RMSE of non-invariant loadings",
    "rmse_uniques": "RMSE of unique variances",
}
#: Cells that are run, one data set each.
CELLS = 24
#: Largest mean difference between samplers that counts as none: a tenth of the error of the method itself.
LARGEST = 0.005


def studies() -> tuple[Study, Study]:
    """Return the two studies of the samplers."""
    ml, mg = read_study("mixml-1"), read_study("mixmg-bsem")
    both = (
        Method("mixml-sem"),
        Method("mixml-sem, NUTS", "mixml-sem", sampler="nuts"),
        Method("mixml-sem, flat priors", "mixml-sem", priors="mplus"),
        Method("ml-sem"),
        Method("ml-sem, NUTS", "ml-sem", sampler="nuts", chains=2),
        Method("ml-sem, flat priors", "ml-sem", priors="mplus"),
    )
    one = (Method("mixmg-bsem"), Method("mixmg-bsem, NUTS", "mixmg-bsem", sampler="nuts"))
    few = {"cells": CELLS, "replications": 1}
    one_title = "MixMG-BSEM: two samplers on the same data sets"
    both_title = "MixML-SEM and ML-SEM: two samplers and flat priors on the same data sets"
    return (
        replace(mg, name="mixmg-bsem-sampler", title=one_title, methods=one, **few),
        replace(ml, name="mixml-1-sampler", title=both_title, methods=both, **few),
    )


def differences(results: StudyResults, first: str, second: str) -> pd.DataFrame:
    """Means of two methods on the same data sets, and their difference."""
    key = ["cell", "replication"]
    a, b = (results.frame[results.frame["method"] == m].set_index(key).sort_index() for m in (first, second))
    rows = []
    for measure in [*MEASURES, "cpu_seconds"]:
        if measure in a and a[measure].notna().any():
            d = (a[measure] - b[measure]).to_numpy()
            error = d.std(ddof=1) / np.sqrt(d.size)
            rows.append((measure, a[measure].mean(), b[measure].mean(), d.mean(), error, np.abs(d).max()))
    return pd.DataFrame(rows, columns=["measure", "first", "second", "difference", "se", "largest"])


def markdown(title: str, first: str, second: str, table: pd.DataFrame) -> str:
    """One table of the page."""
    lines = [
        f"**{title}**",
        "",
        f"| | {first} | {second} | difference | SE | largest |",
        "| :-- | --: | --: | --: | --: | --: |",
    ]
    for row in table.itertuples():
        if row.measure == "cpu_seconds":
            lines.append(f"| CPU seconds | {row.first:.1f} | {row.second:.1f} | | | |")
        else:
            numbers = f"{row.first:.4f} | {row.second:.4f} | {row.difference:.4f} | {row.se:.4f} | {row.largest:.4f}"
            lines.append(f"| {MEASURES[row.measure]} | {numbers} |".replace("-0.0000", "0.0000"))
    return "\n".join(lines)


PAGE = """# Samplers and priors

The studies draw from the posterior of step 1 with [the fast method](../methods/laplace.md). Here the No-U-Turn sampler
(4 chains of 1000 draws after 1000 of warm-up; 2 chains for ML-SEM) analyses the same data sets: one of each of 24 cells
of [mixml-1](mixml-1.md) and of [mixmg-bsem](mixmg-bsem.md), chosen as a balanced fraction. *Difference* is the mean of
the fast method minus the other over data sets, *largest* the largest of a single data set. *Flat priors* are those of
Mplus as far as they are documented, variances of random effects with a flat prior among them. Written by
`benchmarks/study_samplers.py` from the results in `docs/studies/results`.

{tables}
"""


def main(words: list[str] | None = None) -> bool:
    """Check what is stored, or run it."""
    words = words or []
    if "--run" in words:
        folder = Path(words[words.index("--run") + 1])
        for study in studies():
            run_study(study, folder / study.name)
        return True
    held, parts = True, []
    for study in studies():
        results = read_results(DOCS / "results" / study.name)
        for kind in dict.fromkeys(m.kind for m in study.methods):
            for other in (m.name for m in study.methods if m.kind == kind and m.name != kind):
                table = differences(results, kind, other)
                title = f"{kind}, default priors and the fast method, beside: {other.split(', ')[1]}"
                parts.append(markdown(title, "fast", other.split(", ")[1], table))
                if "NUTS" not in other:
                    continue
                shown = table[table["measure"].isin(MEASURES)]
                cpu = table[table["measure"] == "cpu_seconds"].iloc[0]
                held &= report(
                    f"fast method against the No-U-Turn sampler: {kind}",
                    passed=bool((shown["difference"].abs() < np.maximum(LARGEST, 3 * shown["se"])).all()),
                    data_sets=results.n_done,
                    largest_mean_difference=round(float(shown["difference"].abs().max()), 4),
                    times_faster=round(cpu["second"] / cpu["first"], 1),
                )
    if "--write" in words:
        (DOCS / "samplers.md").write_text(PAGE.format(tables="\n\n".join(parts)), encoding="utf-8")
    return held


if __name__ == "__main__":
    sys.exit(not main(sys.argv[1:]))
