"""Choosing the prior variance of loading differences by DIC."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import mixsem as mx
from mixsem.errors import MixsemWarning, OptionError
from mixsem.measurement.mgbcfa import PriorVariance
from mixsem.measurement.prior_grid import Candidate, PriorVarianceChoice, best_of_grid

REFERENCE = json.loads(
    (Path(__file__).parent.parent / "reference" / "bayes_onefac_G24_N50.json").read_text(encoding="utf-8")
)
SHORT = mx.Sampling(chains=2, warmup=200, draws=200)
MODEL = "A =~ y1 + y2 + y3 + y4; B =~ z1 + z2 + z3 + z4"


def candidate(factor: str, variance: float | None, dic: float, **changes) -> Candidate:
    values = {"dic_error": 1.0, "p_d": 50.0, "ppp": 0.4, "difference": 0.0, "difference_error": 0.0}
    flags = {"chosen": False, "trouble": False}
    return Candidate((factor,), variance, dic, **(values | flags | changes))


@pytest.fixture(scope="module")
def moments() -> mx.SampleMoments:
    """Eight groups of 300: loadings equal over groups in A, different with SD .25 in B."""
    rng = np.random.default_rng(1)
    covariances = {}
    for g in range(8):
        S = np.zeros((8, 8))
        for block, spread in enumerate((0.0, 0.25)):
            loading = np.append(1.0, 0.8 + spread * rng.standard_normal(3))
            rows = rng.standard_normal((300, 1)) * loading + np.sqrt(0.5) * rng.standard_normal((300, 4))
            part = slice(4 * block, 4 * block + 4)
            S[part, part] = np.cov(rows.T)
        covariances[f"g{g}"] = S
    items = [f"{letter}{j}" for letter in "yz" for j in range(1, 5)]
    return mx.SampleMoments.from_covariances(covariances, n=300, items=items)


@pytest.fixture(scope="module")
def fit(moments: mx.SampleMoments):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MixsemWarning)
        return mx.MGBCFA(MODEL, prior_variance=(0.05, 0.0005), sampling=SHORT).fit(moments, seed=1)


def test_equal_loadings_want_a_small_variance_and_different_ones_a_large(fit) -> None:
    choice = fit.prior_choice
    assert choice.chosen == {"A": 0.0005, "B": 0.05}
    rows = {(c.factors[0], c.prior_variance): c for c in choice.candidates}
    assert list(rows) == [("A", 0.0005), ("A", 0.05), ("B", 0.0005), ("B", 0.05)]  # ascending
    worse = rows["B", 0.0005]
    assert worse.difference > 50 and not worse.tied and worse.ppp < 0.01
    assert rows["A", 0.05].p_d > rows["A", 0.0005].p_d  # a looser prior leaves more to estimate


def test_a_fit_with_several_variances_keeps_the_best(fit, moments: mx.SampleMoments) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MixsemWarning)
        plain = mx.MGBCFA(MODEL, prior_variance=fit.prior_choice.chosen, sampling=SHORT).fit(moments, seed=1)
    np.testing.assert_array_equal(fit.blocks[0].draws.x, plain.blocks[0].draws.x)
    np.testing.assert_array_equal(fit.blocks[1].draws.x, plain.blocks[1].draws.x)
    np.testing.assert_array_equal(fit.Lambda, plain.Lambda)
    assert plain.prior_choice is None
    assert fit.specification.prior_variance == (0.05, 0.0005)


def test_choosing_is_the_same_without_the_fit(fit, moments: mx.SampleMoments) -> None:
    seen: list[tuple[int, int]] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MixsemWarning)
        choice = mx.choose_prior_variance(
            MODEL,
            moments,
            grid=(0.05, 0.0005),
            sampling=SHORT,
            seed=1,
            progress=lambda stage, done, total: seen.append((done, total)),
        )
    assert choice.candidates == fit.prior_choice.candidates
    totals = {total for _, total in seen}
    assert totals == {2 * 2 * 2 * 400}  # variances, blocks, chains, draws with warm-up
    assert seen[-1][0] == seen[-1][1] and [d for d, _ in seen] == sorted(d for d, _ in seen)


@pytest.mark.parametrize("stuck", [False, True])
def test_trouble_of_the_fast_method_is_seen(moments: mx.SampleMoments, stuck: bool) -> None:
    """Draws of a group's factor variance that move once in fifty have few effective ones."""
    few = mx.Sampling(draws=100)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MixsemWarning)
        block = mx.MGBCFA("A =~ y1 + y2 + y3 + y4", method="laplace", sampling=few).fit(moments, seed=1).blocks[0]
    x = block.draws.x.copy()
    if stuck:
        at = block.posterior.names.index("A~~A [g2]")
        x[:, :, at] = np.repeat(x[:, ::50, at], 50, axis=1)
    block = replace(block, draws=replace(block.draws, x=x))
    _, choice = best_of_grid((0.01,), lambda variance, progress: (block,), moments.groups, method="laplace", seed=1)
    assert [c.trouble for c in choice.candidates] == [stuck]


def test_differences_within_noise_are_tied() -> None:
    choice = PriorVarianceChoice(
        (
            candidate("A", 0.0, 104.0, difference=4.0, difference_error=1.5),
            candidate("A", 0.01, 100.0, chosen=True),
            candidate("A", None, 102.0, difference=2.0, difference_error=1.5, trouble=True),
        )
    )
    assert choice.chosen == {"A": 0.01}
    assert choice.tied == {"A": (None,)}
    frame = choice.table.to_pandas()
    assert frame["prior_variance"].tolist() == ["0 (equal)", "0.01", "no constraint"]
    assert frame["remark"].tolist() == ["", "chosen", "tied, sampling trouble"]
    shown = repr(choice)
    assert "0.01; practically tied with no constraint" in shown and "DIC is not to be trusted" in shown


def test_the_edge_of_the_grid_is_pointed_out() -> None:
    choice = PriorVarianceChoice(
        (
            candidate("A", 0.001, 110.0, difference=10.0, difference_error=1.0),
            candidate("A", 0.1, 100.0, chosen=True),
            candidate("B", 0.001, 90.0, chosen=True),
            candidate("B", 0.1, 95.0, difference=5.0, difference_error=1.0),
        )
    )
    shown = repr(choice)
    assert "0.1; the largest one tried" in shown and "0.001; the smallest one tried" in shown


@pytest.mark.parametrize(
    ("grid", "says"),
    [((), "prior variances to choose from"), ((0.1, 0.1), "prior variances to choose from"), ((0.1, -1), "-1")],
)
def test_a_grid_that_is_none(grid: PriorVariance, says: str, moments: mx.SampleMoments) -> None:
    with pytest.raises(OptionError, match=says):
        mx.MGBCFA(MODEL, prior_variance=grid).fit(moments)


def test_a_grid_is_no_text(moments: mx.SampleMoments) -> None:
    with pytest.raises(OptionError, match=r"grid='0\.1'"):
        mx.choose_prior_variance(MODEL, moments, grid="0.1")  # type: ignore[arg-type]


@pytest.mark.slow
def test_the_monte_carlo_error_of_dic_is_its_spread_over_seeds() -> None:
    from mixsem.measurement.bayes_terms import block_deviance

    data = mx.SampleMoments.from_covariances(
        dict(zip(REFERENCE["groups"], REFERENCE["covariances"], strict=True)),
        n=50,
        items=REFERENCE["items"],
        divisor="n",
    )
    model = mx.MGBCFA(REFERENCE["model"], sampling=mx.Sampling(chains=2, warmup=300, draws=400))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MixsemWarning)
        found = [block_deviance(model.fit(data, seed=s).blocks[0]) for s in range(30, 46)]
    spread = np.std([deviance.dic for deviance, _ in found], ddof=1)
    # With 16 seeds a standard deviation has a relative error of 18%.
    assert spread == pytest.approx(np.mean([error for _, error in found]), rel=0.5)
