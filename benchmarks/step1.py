"""Claim: step 1, a joint CFA of many groups x 20 items with equal loadings, is at least 30 times faster than lavaan.

    python benchmarks/step1.py           # 10, 24, 40 and 60 groups; lavaan's plain call takes minutes with many
    python benchmarks/step1.py --short   # lavaan's plain call with 10 groups only

Both start from the same covariance matrices and give estimates, standard errors, chi-square and fit measures. Beside
lavaan's plain call run its faster option (`ceq.simple`: equal loadings are one parameter) and its fastest way to
estimates alone, without standard errors, test and fit measures, which does less than our fit.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

import mixsem as mx
from sem_cases import MANY, draw_groups, even_model
from sem_race import Peers, find_peers, race, write_case

MODEL = even_model(20, 4)
GROUPS = (10, 24, 40, 60)
PLAIN, SIMPLE, ESTIMATES = "lavaan", "lavaan, ceq.simple", "lavaan, estimates only"
NO_ERRORS = {"se": "none", "test": "none", "baseline": False, "h1": False}
OPTIONS: dict[str, dict[str, Any]] = {
    PLAIN: {},
    SIMPLE: {"ceq.simple": True},
    ESTIMATES: {**NO_ERRORS, "ceq.simple": True},
}
REMARKS = {ESTIMATES: "no standard errors, test or fit measures"}


def drawn_moments(n_groups: int) -> dict[str, Any]:
    """Covariances and means, divisor n, of groups of 200 people."""
    parts = [part for _, part in draw_groups(n_groups, 200, 20, 4, seed=n_groups).groupby("group")]
    rows = [part.drop(columns="group") for part in parts]
    return {
        "items": list(rows[0].columns),
        "groups": [part["group"].iloc[0] for part in parts],
        "n": [len(part) for part in parts],
        "mean": [part.mean().tolist() for part in rows],
        "cov": [part.cov(ddof=0).to_numpy().tolist() for part in rows],
    }


def as_moments(stored: dict[str, Any]) -> mx.SampleMoments:
    groups = stored["groups"]
    return mx.SampleMoments.from_covariances(
        dict(zip(groups, map(np.array, stored["cov"]), strict=True)),
        n=dict(zip(groups, stored["n"], strict=True)),
        means=dict(zip(groups, map(np.array, stored["mean"]), strict=True)),
        items=stored["items"],
        divisor="n",
    )


def fit(moments: mx.SampleMoments) -> dict[str, float]:
    """Estimates, standard errors and fit measures; the numbers that programs share."""
    found = mx.MGCFA(MODEL, blocks="joint").fit(moments)
    assert np.isfinite(found.blocks[0].standard_errors).all()
    return {"loglik": found.loglik}


def compare(n_groups: int, peers: Peers, *, short: bool) -> bool:
    """One number of groups."""
    stored = drawn_moments(n_groups)
    file = peers.folder / f"moments-{n_groups}.json"
    file.write_text(json.dumps(stored), encoding="utf-8")
    wanted = [name for name in OPTIONS if name == ESTIMATES or n_groups <= 10 or not short]
    asked = {}
    for name in wanted if "lavaan" in peers.servers else []:
        case = write_case(
            peers.folder,
            f"step1-{n_groups}-{list(OPTIONS).index(name)}",
            MODEL,
            moments=file,
            options={"group.equal": "loadings", **OPTIONS[name]},
            measures=name != ESTIMATES,
        )
        asked[name] = peers.ask("lavaan", case)
    moments = as_moments(stored)
    limits = {PLAIN: MANY, SIMPLE: MANY, ESTIMATES: 1.0}
    return race(
        f"step 1: {n_groups} groups",
        f"{n_groups} groups x 20 items, four factors",
        lambda: fit(moments),
        asked,
        limits={name: limit for name, limit in limits.items() if name in asked},
        remarks=REMARKS,
        repeats=5,
    )


def main(words: Sequence[str] = ()) -> bool:
    """Race at every number of groups."""
    with find_peers() as peers:
        return all([compare(n, peers, short="--short" in words) for n in GROUPS])


if __name__ == "__main__":
    sys.exit(not main(sys.argv[1:]))
