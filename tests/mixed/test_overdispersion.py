"""Overdispersion as R's performance has it, and by simulation."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import mixsem as mx
from mixsem.errors import ModelError, OptionError
from mixsem.mixed.audit.predictors import variance_inflation
from mixsem.mixed.audit.subject import AuditedDesign
from mixsem.mixed.derived.frame_table import FrameTable
from mixsem.mixed.designs.design import read_design
from mixsem.mixed.generalised.fit import GeneralisedFit
from mixsem.mixed.generalised.glmer import glmer

from .references import FOLDER

NUMBERS = json.loads((FOLDER / "audit.json").read_text(encoding="utf-8"))
COUNTS = pd.read_csv(FOLDER / "audit.csv")
#: Relative, of Pearson sums: linear in the estimates, and lme4's PIRLS leaves about 1e-5 in them.
PEARSON = 1e-4
#: Relative, of variance inflation: arithmetic on the same columns; R prints twelve digits.
ARITHMETIC = 1e-9


@pytest.fixture(scope="module")
def poisson() -> GeneralisedFit:
    return glmer("counts ~ x + (1 | g)", COUNTS, family="poisson")


def by_r(name: str, fit: GeneralisedFit) -> FrameTable:
    found, expected = mx.check_overdispersion(fit), NUMBERS[name]
    (row,) = found.frame.to_dict("records")
    assert row["method"] == "Pearson" and row["df"] == expected["df"]
    assert row["chisq"] == pytest.approx(expected["chisq"], rel=PEARSON)
    assert row["ratio"] == pytest.approx(expected["ratio"], rel=PEARSON)
    assert row["p_value"] == pytest.approx(expected["p_value"], rel=0.01, abs=1e-14)  # a tail: its slope is steep
    return found


def test_counts_with_too_much_variation(poisson):
    text = " ".join(by_r("poisson", poisson).notes)
    assert "(1 | row)" in text and "negative binomial" in text and "approximate" in text and "[MX141]" in text


def test_an_effect_of_every_row_takes_it_up():
    found = by_r("poisson_by_row", glmer("counts ~ x + (1 | g) + (1 | row)", COUNTS, family="poisson"))
    assert "below 1 by construction" in " ".join(found.notes) and "MX141" not in " ".join(found.notes)


def test_proportions():
    table = pd.read_csv(FOLDER / "glmm" / "cbpp.csv")
    fit = glmer("cbind(incidence, size - incidence) ~ C(period) + (1 | herd)", table, family="binomial")
    assert "MX141" not in " ".join(by_r("cbpp", fit).notes)


def test_simulation_agrees_with_what_was_simulated(poisson):
    frame = mx.check_overdispersion(poisson, simulations=39, seed=1).frame.set_index("method")
    assert frame.loc["simulation", "p_value"] == 1 / 40  # beyond all of them
    assert frame.loc["simulation", "chisq"] == frame.loc["Pearson", "chisq"]
    own = glmer("y ~ x + (1 | g)", COUNTS.assign(y=poisson.simulate(1, 3)[:, 0]), family="poisson")
    checked = mx.check_overdispersion(own, simulations=39, seed=1)
    assert checked.frame.set_index("method").loc["simulation", "p_value"] > 0.05
    assert any(note.startswith("Simulation: 39") for note in checked.notes)


def test_small_means_are_told():
    rng = np.random.default_rng(1)
    rare = COUNTS.assign(y=rng.poisson(0.2, len(COUNTS)))
    assert "chi-square is a poor guide" in " ".join(
        mx.check_overdispersion(glmer("y ~ x + (1 | g)", rare, family="poisson")).notes
    )


def test_what_cannot_be_overdispersed_is_refused(poisson):
    binary = glmer("hit ~ x + (1 | g)", COUNTS.assign(hit=(COUNTS["counts"] > 2) * 1), family="binomial")
    with pytest.raises(ModelError, match="responses of 0 and 1 cannot be overdispersed"):
        mx.check_overdispersion(binary)
    sizes = glmer("s ~ x + (1 | g)", COUNTS.assign(s=COUNTS["counts"] + 0.5), family="gamma")
    with pytest.raises(ModelError, match="gamma responses have a dispersion that is estimated"):
        mx.check_overdispersion(sizes)
    with pytest.raises(OptionError, match=r"check_overdispersion\(\) got MixedFit"):
        mx.check_overdispersion(mx.lmer("Reaction ~ Days + (Days | Subject)", mx.data.sleepstudy()))
    with pytest.raises(OptionError, match="simulations"):
        mx.check_overdispersion(poisson, simulations=-1)


def test_variance_inflation_is_that_of_r():
    design = read_design("counts ~ x + near + f + x:near + (1 | g)", COUNTS)
    found = variance_inflation(AuditedDesign(design))
    assert set(found) == {"x", "near", "f"}
    assert found["x"] == pytest.approx(NUMBERS["inflation"]["x"], rel=ARITHMETIC)
    assert found["near"] == pytest.approx(NUMBERS["inflation"]["near"], rel=ARITHMETIC)
    assert found["f"] ** 2 == pytest.approx(NUMBERS["inflation"]["f"], rel=ARITHMETIC)  # two coefficients: R's square
