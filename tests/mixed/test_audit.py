"""The audit of designs: every trouble is found by its identifier, and clean data give nothing."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import mixsem as mx
from mixsem.errors import DataError, MixsemWarning, OptionError
from mixsem.mixed.audit.design_audit import CHECKS
from mixsem.mixed.audit.findings import STEPS
from mixsem.mixed.audit.messages import message_pages
from mixsem.mixed.generalised.glmer import glmer

from .references import read_data


def clean(seed: int = 1, n_levels: int = 30, rows: int = 8) -> pd.DataFrame:
    """Rows of 30 levels with two numbers, two factors, a count and a binary response; nothing is wrong with them."""
    rng = np.random.default_rng(seed)
    g = np.repeat(np.arange(n_levels), rows)
    n = len(g)
    frame = pd.DataFrame(
        {"g": g, "x": rng.normal(size=n), "z": rng.normal(size=n), "of_g": rng.normal(size=n_levels)[g]}
    )
    frame["f"], frame["h"] = rng.choice(list("abc"), n), rng.choice(list("uv"), n)
    b = rng.normal(size=n_levels)[g]
    frame["y"] = 1.0 + frame["x"] + b + rng.normal(size=n)
    frame["n"], frame["hit"] = rng.poisson(np.exp(0.3 * frame["x"])), (frame["y"] > 1.0).astype(int)
    frame["time"] = rng.integers(1, 200, n)
    return frame


def found(*arguments, **options) -> tuple[str, ...]:
    return mx.check_design(*arguments, **options).identifiers


CLEAN = [
    ("y ~ x + z + f * h + of_g + (x | g)", {}),
    ("y ~ poly(x, 2) + I(z^2) + z + x:z + (1 | g)", {}),
    ("y ~ 0 + f + (0 + f | g)", {}),
    ("y ~ x + (x || g)", {}),
    ("hit ~ x + f + (1 | g)", {"family": "binomial"}),
    ("n ~ x + offset(log(time)) + (1 | g)", {"family": "poisson"}),
]


@pytest.mark.parametrize(("formula", "options"), CLEAN, ids=[formula for formula, _ in CLEAN])
def test_clean_data_give_no_finding(formula, options):
    audit = mx.check_design(formula, clean(), **options)
    assert audit.identifiers == ()
    assert not audit
    assert "Nothing to report." in repr(audit)


REAL = [
    ("sleepstudy", "Reaction ~ Days + (Days | Subject)"),
    ("penicillin", "diameter ~ 1 + (1 | plate) + (1 | sample)"),
    ("pastes", "strength ~ 1 + (1 | batch/cask)"),
    ("pastes", "strength ~ 1 + (1 | sample) + (1 | batch)"),
    ("dyestuff", "Yield ~ 1 + (1 | Batch)"),
]


@pytest.mark.parametrize(("name", "formula"), REAL)
def test_well_known_data_give_no_finding(name, formula):
    assert found(formula, read_data(name)) == ()


def test_sizes_and_notes():
    audit = mx.check_design("Reaction ~ Days + (Days | Subject)", mx.data.sleepstudy().iloc[:-9])
    assert audit.sizes.to_dict("records") == [
        {"group": "Subject", "levels": 18, "min": 1, "median": 10.0, "max": 10, "singletons": 1}
    ]
    assert audit.notes == (
        "Fewer than 20 levels: Subject (18). SDs over so few are imprecise, as their intervals show.",
    )
    (note,) = mx.check_design("y ~ x + of_g + (1 | g)", clean()).notes
    assert note == "Constant within g, so without random slopes over it: of_g."


def nested(seed: int = 3, *, cells: float = 1.0, wards: float = 0.0, rows: int = 6) -> pd.DataFrame:
    """Wards 1 to 6 in 20 hospitals: with effects of their own in each, or of the labels."""
    rng = np.random.default_rng(seed)
    a, b, _ = (v.ravel() for v in np.meshgrid(range(20), range(6), range(rows), indexing="ij"))
    y = rng.normal(size=20)[a] + cells * rng.normal(size=(20, 6))[a, b] + wards * rng.normal(size=6)[b]
    return pd.DataFrame({"y": y + rng.normal(size=len(a)), "hospital": a, "ward": b + 1})


CROSSED = "y ~ 1 + (1 | hospital) + (1 | ward)"


def test_labels_used_again_are_asked_about():
    (finding,) = mx.check_design(CROSSED, nested()).findings
    assert finding.identifier == "MX122"
    assert "was (1 | hospital/ward) meant?" in finding.todo
    shuffled = nested().sample(frac=0.8, random_state=1)  # unbalanced, in another order
    assert found(CROSSED, shuffled) == ("MX122",)
    assert found("y ~ 1 + (1 | ward) + (1 | hospital)", nested()) == ("MX122",)
    assert "MX122" in found("strength ~ 1 + (1 | batch) + (1 | cask)", read_data("pastes"))


def test_a_factor_that_may_be_nested_is_no_fixed_effect_yet():
    frame = nested().query("ward <= 4")
    few, reused = sorted(mx.check_design(CROSSED, frame).findings, key=lambda finding: finding.identifier)
    assert (few.identifier, reused.identifier) == ("MX103", "MX122")
    assert few.todo.startswith("see MX122 first")
    alone = mx.check_design("y ~ 1 + (1 | ward)", frame).findings[0]
    assert alone.todo.startswith("make fixed effects of them")


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize(
    "options",
    [
        {"cells": 0.0, "wards": 1.0},
        {"cells": 0.7, "wards": 1.5},
        {"cells": 0.0, "wards": 0.0},
        {"cells": 2.0, "rows": 1},
    ],
    ids=["crossed", "crossed, with cells", "nothing at all", "one row per cell"],
)
def test_crossed_factors_are_not_asked_about(options, seed):
    assert found(CROSSED, nested(seed, **options)) == ()


def test_nested_labels_that_are_written_so_are_not_asked_about():
    frame = nested()
    assert found("y ~ 1 + (1 | hospital/ward)", frame) == ()
    assert found("y ~ 1 + (1 | hospital) + (1 | ward) + (1 | hospital:ward)", frame) == ()
    unique = frame.assign(ward=frame["hospital"] * 10 + frame["ward"])
    assert found(CROSSED, unique) == ()


def troubles() -> dict[str, tuple[str, pd.DataFrame, dict[str, object], str]]:
    """Name -> formula, data, options, and the identifier with words of the finding."""
    frame = clean()
    rng = np.random.default_rng(2)
    n = len(frame)
    pairs = pd.DataFrame({"y": rng.normal(size=40), "t": np.tile([0, 1], 20), "g": np.repeat(np.arange(20), 2)})
    empty = frame[~((frame["f"] == "c") & (frame["h"] == "v"))]
    single = frame.assign(g=np.where(np.arange(n) < 200, 1000 + np.arange(n), frame["g"]))
    rated = frame.assign(y=np.clip(np.round(frame["y"]), 1, 5))
    carried = frame.assign(y=np.where(frame["g"] < 10, frame.groupby("g")["y"].transform("first"), frame["y"]))
    apart = frame.assign(hit=np.where(frame["f"] == "a", 1, frame["hit"]))
    added = frame.assign(s=1 + frame["x"] - 2 * frame["z"])
    some = frame.assign(w=np.where((frame["g"] < 9), frame["x"], frame["of_g"]))
    return {
        "sum": ("y ~ x + z + s + (1 | g)", added, {}, "MX104 s = 1 + x - 2 z"),
        "near": ("y ~ x + c + (1 | g)", frame.assign(c=frame["x"] + rng.normal(scale=0.1, size=n)), {}, "MX121 x ("),
        "cells": ("y ~ f * h + (1 | g)", empty, {}, "MX125 c:v"),
        "scales": ("y ~ x + m + (1 | g)", frame.assign(m=5e4 * frame["z"]), {}, "MX123 of m and x differ"),
        "years": ("y ~ t + (1 | g)", frame.assign(t=2000 + np.arange(n) % 8), {}, "MX124 t from 2000 to 2007"),
        "few levels": ("y ~ x + (1 | f)", frame, {}, "MX103 f (3)"),
        "still": ("y ~ of_g + (of_g | g)", frame, {}, "MX127 does not vary within any level of g"),
        "still in most": ("y ~ w + (w | g)", some, {}, "MX127 within 9 of 30 levels"),
        "lone": ("y ~ 1 + (x | g)", frame, {}, "MX128 Random slopes of x"),
        "pairs": ("y ~ t + (t | g)", pairs, {}, "MX133 (t | g) has 40 random coefficients"),
        "ratings": ("y ~ x + (1 | g)", rated, {}, "MX126 5 distinct values: 1, 2, 3, 4, 5"),
        "binary": ("hit ~ x + (1 | g)", frame, {}, "MX126 2 distinct values"),
        "carried": ("y ~ x + (1 | g)", carried, {}, "MX132 constant within 10 of 30"),
        "single": ("y ~ x + (1 | g)", single, {}, "MX131 200 of 205 levels have one row"),
        "weights": ("y ~ x + (1 | g)", frame, {"weights": "time"}, "MX130 whole numbers from 1 to"),
        "offset": ("n ~ x + offset(time) + (1 | g)", frame, {"family": "poisson"}, "MX129 from 1 to 199"),
        "offset column": ("n ~ x + (1 | g)", frame, {"family": "poisson", "offset": "time"}, "MX129 from 1 to 199"),
        "offset numbers": (
            "n ~ x + (1 | g)", frame, {"family": "poisson", "offset": frame["time"].to_numpy()}, "MX129 from 1 to 199",
        ),
        "category": ("hit ~ f + (1 | g)", apart, {"family": "binomial"}, "MX107 all rows of f = a are 1 (quasi"),
        "number": ("hit ~ y + (1 | g)", frame, {"family": "binomial"}, "MX107 y is 1 only above 1.0"),
        "number, below": (
            "hit ~ m + (1 | g)", frame.assign(m=-frame["y"]), {"family": "binomial"}, "MX107 m is 1 only below -1.0",
        ),
    }  # fmt: skip


@pytest.mark.parametrize("name", list(troubles()))
def test_trouble_is_found_and_nothing_else(name):
    formula, frame, options, expected = troubles()[name]
    identifier, words = expected.split(" ", 1)
    audit = mx.check_design(formula, frame, **options)
    assert set(audit.identifiers) == {identifier}
    assert words in audit.findings[0].what
    assert all((f.where and f.why and f.todo) for f in audit.findings)
    assert identifier in message_pages()
    shown = " ".join(repr(audit).split())
    assert identifier in shown and "What to do:" in shown and "Nothing" not in shown


def test_every_check_is_reached():
    reached = {mx.check_design(f, d, **o).findings[0].identifier for f, d, o, _ in troubles().values()}
    assert len(reached | {"MX122"}) == len(CHECKS)


def test_lmer_refuses_pairs_with_slopes_by_the_term_and_the_rule():
    formula, frame, _, _ = troubles()["pairs"]
    with pytest.raises(DataError, match=r"\(t \| g\) has 40 random coefficients \(20 x 2\) for 40 rows") as refused:
        mx.lmer(formula, frame)
    assert "levels x coefficients below the number of rows" in str(refused.value)


def test_findings_come_in_the_order_of_advice():
    frame = clean().assign(t=2000 + np.arange(240) % 8, s=lambda d: 2 * d["x"])
    audit = mx.check_design("y ~ s + x + t + (1 | f) + (z | g)", frame)
    assert audit.identifiers == ("MX104", "MX128", "MX124", "MX103")
    places = [STEPS.index(f.step) for f in audit.findings]
    assert places == sorted(places)
    assert list(audit.frame["identifier"]) == list(audit.identifiers)


def test_a_fit_can_be_audited():
    frame = clean().assign(hit=lambda d: np.where(d["f"] == "a", 1, d["hit"]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MixsemWarning)
        linear = mx.lmer("y ~ 1 + (x | g)", frame)
        binary = glmer("hit ~ x + (1 | g)", frame, family="binomial")
    assert found(linear) == found("y ~ 1 + (x | g)", frame) == ("MX128",)
    assert found(binary) == ()
    assert mx.check_design(linear).formula == linear.formula


def test_what_a_fit_itself_says_comes_last():
    frame = clean()
    frame["y"] = frame["x"] + np.random.default_rng(5).normal(size=len(frame))
    frame["y"] -= frame.groupby("g")["y"].transform("mean")  # levels without any variance between them
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MixsemWarning)
        still = mx.lmer("y ~ x + (1 | g)", frame)
        few = mx.Optimizer("nelder-mead", max_evaluations=3)
        stopped = mx.lmer("Reaction ~ Days + (Days | Subject)", mx.data.sleepstudy(), optimizer=few)
    (finding,) = mx.check_design(still).findings
    assert (finding.identifier, finding.step, finding.where) == ("MX101", "zero variances", "g")
    assert "the SD of (Intercept) by g is 0" in finding.what
    (finding,) = mx.check_design(stopped).findings
    assert (finding.identifier, finding.step) == ("MX102", "restart")


def test_of_two_labels_that_say_nothing_the_fewer_were_used_again():
    frame = nested(1)
    hospital = frame.groupby("hospital")["y"].transform("mean")  # nothing in common within hospitals either
    assert "(1 | hospital/ward)" in mx.check_design(CROSSED, frame.assign(y=frame["y"] - hospital)).findings[0].todo


def test_a_binary_response_may_be_text_or_two_counts():
    frame = clean().assign(said=lambda d: np.where((d["f"] == "a") | (d["hit"] == 1), "yes", "no"), no=3, yes=5)
    frame.loc[frame["f"] == "a", "no"] = 0
    assert found("said ~ x + f + (1 | g)", frame, "binomial") == ("MX107",)
    assert found("cbind(yes, no) ~ x + f + (1 | g)", frame, "binomial") == ("MX107",)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("y ~ x + (1 | g)",), "without data"),
        ((3, {}), "got int"),
        (("y ~ x + (1 | g)", {"y": [1.0], "x": [1.0], "g": [1]}, "poison"), "family='poison'"),
    ],
)
def test_arguments_are_checked(arguments, message):
    with pytest.raises(OptionError, match=message):
        mx.check_design(*arguments)


def test_a_fit_comes_alone():
    fit = mx.lmer("Reaction ~ Days + (Days | Subject)", mx.data.sleepstudy())
    with pytest.raises(OptionError, match="a fit and more"):
        mx.check_design(fit, mx.data.sleepstudy())
