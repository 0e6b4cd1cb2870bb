"""Draw the simulated survey that ships with the package: `python tests/reference/make_survey.py`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

from mixsem.simulate import Population, Truth, draw_frame, draw_truth

SEED = 1939
N_COUNTRIES = 48
FACTORS = ("security", "belonging", "trust", "support")
ITEMS = [f"{factor}{j}" for factor in FACTORS for j in range(1, 6)]
TABLES = Path(__file__).parents[2] / "src" / "mixsem" / "data" / "tables"


def make_survey() -> tuple[pd.DataFrame, dict[str, object]]:
    """Return the table and its truth."""
    rng = np.random.default_rng(SEED)
    sizes = rng.integers(150, 251, N_COUNTRIES)
    population = Population(
        n_groups=N_COUNTRIES,
        group_size=tuple(sizes.tolist()),
        n_clusters=4,
        beta=0.4,
        loading_variance=0.01,
    )
    truth = draw_truth(population, seed=SEED)
    latent = draw_frame(truth, seed=SEED)
    # Intercepts differ between items and countries; a scale of 1.5 leaves few answers at the ends.
    level = 5 + rng.normal(0, 0.4, len(ITEMS)) + rng.normal(0, 0.4, (N_COUNTRIES, len(ITEMS)))
    answers = np.repeat(level, sizes, axis=0) + 1.5 * latent[list(truth.items)].to_numpy()
    answers = answers.clip(0, 10).round(1)
    # One person in twenty leaves out each item with probability .2: 1 % of the cells, 5 % of the rows.
    hasty = rng.random((len(answers), 1)) < 0.05
    answers[hasty & (rng.random(answers.shape) < 0.2)] = np.nan
    countries = [f"C{g:02d}" for g in truth.groups]
    survey = pd.DataFrame(answers, columns=ITEMS)
    survey.insert(0, "country", np.repeat(countries, sizes))
    return survey, describe(truth, countries)


def describe(truth: Truth, countries: list[str]) -> dict[str, object]:
    """Return clusters numbered from 1, and their regressions by name."""
    names = {
        f"{FACTORS[outcome]} ~ {FACTORS[predictor]}": (outcome, predictor)
        for outcome, predictor in ((2, 0), (2, 1), (3, 0), (3, 2))
    }
    return {
        "clusters": {country: int(k) + 1 for country, k in zip(countries, truth.clusters, strict=True)},
        "coefficients": {
            str(k + 1): {name: float(beta[place]) for name, place in names.items()} for k, beta in enumerate(truth.B)
        },
    }


if __name__ == "__main__":
    survey, truth = make_survey()
    # Without a time stamp the same survey gives the same bytes.
    compression = {"method": "gzip", "mtime": 0, "compresslevel": 9}
    survey.to_csv(TABLES / "simulated_survey.csv.gz", index=False, compression=compression)
    text = json.dumps(truth, indent=1) + "\n"
    (TABLES / "simulated_survey_truth.json").write_text(text, encoding="utf-8")
