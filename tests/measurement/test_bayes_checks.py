"""Trouble in a Bayesian step 1 is found where it was made, and nowhere else."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest

import mixsem as mx
from mixsem.bayes.convergence import convergence
from mixsem.bayes.monitored import monitor
from mixsem.bayes.priors import Priors
from mixsem.errors import (
    DivergenceWarning,
    EqualFactorsWarning,
    FewGroupsWarning,
    Notice,
    OptionError,
    PriorScaleWarning,
    SamplingWarning,
    SingleIndicatorWarning,
    WeakMarkerWarning,
)
from mixsem.measurement.bayes_checks import bayesian_notices
from mixsem.measurement.bayes_fit import BayesianBlock, BayesianFit
from mixsem.measurement.diagnostics import diagnostics
from mixsem.measurement.sampling_checks import limits, negligible_spreads
from mixsem.simulate import Population, draw_moments, draw_truth

MODEL = "F1 =~ V1 + V2 + V3 + V4"
DRAWS = mx.Sampling(chains=2, warmup=300, draws=400)
FEW = mx.Sampling(chains=2, warmup=100, draws=50)
MOMENTS = draw_moments(draw_truth(Population(n_groups=8, group_size=300, kind="multilevel"), seed=1), seed=1)


def scaled(**factors: float) -> mx.SampleMoments:
    """The data with some items in other units."""
    scale = np.array([factors.get(item, 1.0) for item in MOMENTS.items])
    covariances = MOMENTS.covariances * scale[:, None] * scale
    return mx.SampleMoments.from_covariances(
        dict(zip(MOMENTS.groups, covariances, strict=True)),
        n=dict(zip(MOMENTS.groups, map(int, MOMENTS.n), strict=True)),
        items=MOMENTS.items,
    )


def quietly(specification: mx.MLCFA | mx.MGBCFA, data: mx.SampleMoments = MOMENTS) -> BayesianFit:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return specification.fit(data, seed=1)


def of(fit: BayesianFit, category: type[Warning]) -> list[Notice]:
    return [notice for notice in fit.notices if notice.category is category]


@pytest.fixture(scope="module")
def fit() -> BayesianFit:
    return quietly(mx.MLCFA(MODEL, sampling=DRAWS))


def notices(block: BayesianBlock, category: type[Warning], method: str = "nuts") -> list[Notice]:
    found = bayesian_notices([block], MOMENTS.groups, Priors(), method)
    return [notice for notice in found if notice.category is category]


def independent(block: BayesianBlock, seed: int = 1) -> BayesianBlock:
    """The block as if its draws were in random order: as good as draws can be."""
    rng = np.random.default_rng(seed)
    C, D, P = block.draws.x.shape
    order = rng.permutation(C * D)
    draws = replace(
        block.draws,
        x=block.draws.flat[order].reshape(C, D, P),
        energy=rng.normal(size=(C, D)),
        diverging=np.zeros((C, D), dtype=bool),
    )
    return replace(block, draws=draws)


def moved(block: BayesianBlock, name: str, by: float) -> BayesianBlock:
    """The block with one parameter elsewhere in the first chain."""
    x = block.draws.x.copy()
    x[0, :, block.posterior.names.index(name)] += by
    return replace(block, draws=replace(block.draws, x=x))


def test_good_draws_are_no_trouble(fit: BayesianFit) -> None:
    assert not notices(independent(fit.blocks[0]), SamplingWarning)
    assert not notices(independent(fit.blocks[0]), DivergenceWarning)


def test_a_chain_elsewhere_is_named(fit: BayesianFit) -> None:
    name = f"deviation F1=~V3 [{MOMENTS.groups[4]}]"
    (notice,) = notices(moved(independent(fit.blocks[0]), name, 20.0), SamplingWarning)
    assert f"worst first: F1=~V3 [{MOMENTS.groups[4]}] (R-hat" in notice.text
    assert notice.groups == (MOMENTS.groups[4],)
    assert "1 of " in notice.text


def test_a_spread_that_does_not_mix_is_named(fit: BayesianFit) -> None:
    block = independent(fit.blocks[0])
    i = block.posterior.names.index("sd V2~~V2")
    x = block.draws.x.copy()
    x[:, :, i] = np.sort(x[:, :, i].ravel()).reshape(2, -1)
    (notice,) = notices(replace(block, draws=replace(block.draws, x=x)), SamplingWarning)
    assert "sd V2~~V2 (R-hat" in notice.text


def test_slow_energy_is_named(fit: BayesianFit) -> None:
    block = independent(fit.blocks[0])
    slow = np.sort(block.draws.energy, axis=1)
    (notice,) = notices(replace(block, draws=replace(block.draws, energy=slow)), SamplingWarning)
    assert "E-BFMI 0.0" in notice.text


def test_the_fast_method_has_a_warning_of_its_own(fit: BayesianFit) -> None:
    block = moved(fit.blocks[0], "mean F1~~F1", 9.0)
    assert notices(block, SamplingWarning)
    assert not notices(block, SamplingWarning, "laplace")


def test_limits_follow_the_number_of_draws() -> None:
    assert limits(1600) == limits(40_000) == (1.01, 400.0)
    assert limits(800) == pytest.approx((1.02, 200.0))


def test_independent_draws_pass_the_scaled_limits() -> None:
    """No false alarm among 1000 quantities, from 400 draws on; R-hat is up to 1.034 there by chance."""
    rng = np.random.default_rng(1)
    for chains, draws in ((2, 200), (4, 250), (4, 400), (4, 1000)):
        found = convergence(rng.normal(size=(chains, draws, 1000)))
        rhat, ess = limits(chains * draws)
        beyond = (found.rhat > rhat) | (np.fmin(found.ess_bulk, found.ess_tail) < ess)
        assert not beyond.any(), (chains, draws)


def test_divergences_are_counted(fit: BayesianFit) -> None:
    block = independent(fit.blocks[0])
    diverging = block.draws.diverging.copy()
    diverging[0, :8] = True
    (notice,) = notices(replace(block, draws=replace(block.draws, diverging=diverging)), DivergenceWarning)
    assert notice.text.startswith("F1: 8 of 800 draws (1.00%) diverged")
    assert "target_accept=0.95" in notice.text


def test_spreads_near_zero_are_named(fit: BayesianFit) -> None:
    """In the population, the loading of V4 is equal over groups, and those of V2 and V3 have a spread of 0.3."""
    found = dict(negligible_spreads(fit.blocks[0]))
    assert "F1=~V4" in found
    assert not {"F1=~V2", "F1=~V3", "F1~~F1"} & set(found)
    i = fit.blocks[0].posterior.names.index("sd F1=~V4")
    assert found["F1=~V4"] == pytest.approx(np.median(np.exp(fit.blocks[0].draws.x[:, :, i])), rel=1e-3)
    (notice,) = notices(moved(fit.blocks[0], "mean F1~~F1", 9.0), SamplingWarning)
    assert f"near zero: F1=~V4 ({found['F1=~V4']:.2g})" in notice.text


def test_few_groups(fit: BayesianFit) -> None:
    (notice,) = of(fit, FewGroupsWarning)
    assert notice.text.startswith("8 groups are few")
    many = draw_moments(draw_truth(Population(n_groups=20, kind="multilevel"), seed=1), seed=1)
    assert not of(quietly(mx.MLCFA(MODEL, sampling=FEW), many), FewGroupsWarning)
    assert not of(quietly(mx.MGBCFA(MODEL, sampling=FEW)), FewGroupsWarning)


def test_priors_in_raw_units() -> None:
    """Named are items with a standard deviation above 5 or below 0.2, if the priors have units."""
    data = scaled(V1=20.0, V2=20.0, V3=20.0, V4=20.0)
    (notice,) = of(quietly(mx.MGBCFA(MODEL, sampling=FEW), data), PriorScaleWarning)
    assert "the priors are in the items' own units" in notice.text
    assert all(f"V{i} (SD " in notice.text for i in (1, 2, 3, 4))
    assert "Gamma(shape=1.0, rate=0.5)" in notice.text
    for priors in ("default", "mplus"):
        assert not of(quietly(mx.MGBCFA(MODEL, priors=priors, sampling=FEW), data), PriorScaleWarning)
    assert not of(quietly(mx.MGBCFA(MODEL, sampling=FEW)), PriorScaleWarning)
    (random,) = of(quietly(mx.MLCFA(MODEL, priors="blavaan", sampling=FEW), data), PriorScaleWarning)
    assert "HalfNormal(sd=1.0) on the standard deviation of a loading" in random.text


def test_prior_variance_for_loadings_in_other_units() -> None:
    """What counts is an item's standard deviation relative to the marker's, whatever the other priors' units."""
    data = scaled(V3=0.05)
    (notice,) = of(quietly(mx.MGBCFA(MODEL, priors="default", sampling=FEW), data), PriorScaleWarning)
    assert "prior_variance=" in notice.text
    assert "F1=~V3" in notice.text
    assert "V2" not in notice.text
    exact = mx.MGBCFA(MODEL, prior_variance=0, priors="default", sampling=FEW)
    assert not of(quietly(exact, data), PriorScaleWarning)


def test_weak_marker() -> None:
    covariances = MOMENTS.covariances.copy()
    first = MOMENTS.items.index("V1")
    off = np.arange(len(MOMENTS.items)) != first
    covariances[:, first, off] *= 0.1
    covariances[:, off, first] *= 0.1
    data = replace(MOMENTS, covariances=covariances)
    (notice,) = of(quietly(mx.MGBCFA(MODEL, sampling=FEW), data), WeakMarkerWarning)
    assert "the marker variable V1 shares only" in notice.text
    assert not of(quietly(mx.MGBCFA(MODEL, sampling=FEW)), WeakMarkerWarning)


def test_single_indicator() -> None:
    fit = quietly(mx.MGBCFA(MODEL + "; F2 =~ V6", blocks="joint", sampling=FEW))
    (notice,) = of(fit, SingleIndicatorWarning)
    assert notice.text.startswith("V6 is the only item")


def test_factors_held_equal_in_a_joint_block() -> None:
    two = "F1 =~ V1 + V2 + V3; F2 =~ V6 + V7 + V8"
    random = ("loadings", "residuals", "factor variances")
    (notice,) = of(quietly(mx.MLCFA(two, random=random, blocks="joint", sampling=FEW)), EqualFactorsWarning)
    assert "the correlation F1~~F2. Groups" in notice.text
    assert "variance F1~~F1" not in notice.text
    assert not of(quietly(mx.MLCFA(two, random=random, sampling=FEW)), EqualFactorsWarning)
    assert not of(quietly(mx.MLCFA(two, blocks="joint", sampling=FEW)), EqualFactorsWarning)
    assert not of(quietly(mx.MGBCFA(two, blocks="joint", sampling=FEW)), EqualFactorsWarning)


def test_the_fit_warns() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit = mx.MLCFA("F1 =~ V1 + V2 + V3", sampling=FEW).fit(MOMENTS, seed=1)
    assert [w.category for w in caught if w.filename == __file__] == [notice.category for notice in fit.notices]
    assert of(fit, FewGroupsWarning)


# --- diagnostics ------------------------------------------------------------------------------------------------


def test_frames_of_the_diagnostics(fit: BayesianFit) -> None:
    found = diagnostics(fit)
    (row,) = found.frame.to_dict("records")
    table = found.parameters
    # 3 loadings, 4 unique variances and a factor variance in 8 groups, and as many means and spreads.
    assert len(table) == row["quantities"] == 8 * 8 + 2 * 8
    assert row["rhat"] == table["rhat"].max()
    assert row["ess_bulk"] == table["ess_bulk"].min()
    assert row["ess_tail"] == table["ess_tail"].min()
    assert row["worst"] in set(table["name"])
    assert row["ess_per_second"] == pytest.approx(min(row["ess_bulk"], row["ess_tail"]) / row["seconds"])
    assert table["what"].value_counts().to_dict() == {"group": 64, "mean": 8, "sd": 8}
    assert table.loc[table["what"] == "group", "group"].tolist()[:8] == list(MOMENTS.groups)
    values = fit.blocks[0].posterior.values(fit.blocks[0].draws.x)
    e = fit.blocks[0].posterior.model.entries.index("F1=~V3")
    line = table[(table["parameter"] == "F1=~V3") & (table["group"] == MOMENTS.groups[5])].iloc[0]
    assert line["rhat"] == pytest.approx(convergence(values[:, :, 5, [e]]).rhat[0], abs=1e-12)


def test_sampler_columns(fit: BayesianFit) -> None:
    block = fit.blocks[0]
    diverging, depth = np.zeros((2, 400), dtype=bool), np.full((2, 400), 3)
    diverging[1, :3], depth[0, :100] = True, 10
    altered = replace(fit, blocks=(replace(block, draws=replace(block.draws, diverging=diverging, depth=depth)),))
    (row,) = diagnostics(altered).frame.to_dict("records")
    assert (row["divergences"], row["at_max_depth"]) == (3, 0.125)


def test_the_worst_is_the_worst(fit: BayesianFit) -> None:
    altered = replace(fit, blocks=(moved(fit.blocks[0], "sd F1=~V2", 9.0),))
    assert diagnostics(altered).frame["worst"].tolist() == ["sd F1=~V2"]


def test_diagnostics_of_an_approximation(fit: BayesianFit) -> None:
    """They are chains too; what belongs to the No-U-Turn sampler is missing."""
    sampled = diagnostics(fit)
    found = diagnostics(replace(fit, specification=replace(fit.specification, method="laplace")))
    assert (found.parameters["rhat"] == sampled.parameters["rhat"]).all()
    assert (found.parameters["ess_bulk"] == sampled.parameters["ess_bulk"]).all()
    assert found.frame["divergences"].isna().all()
    assert "2 chains of 400 draws (laplace)" in repr(found)


def test_diagnostics_show_themselves(fit: BayesianFit) -> None:
    text = repr(diagnostics(fit))
    assert text.startswith("Sampling: 2 chains of 400 draws")
    assert "R-hat" in text


def test_fits_without_draws_are_refused() -> None:
    with pytest.raises(OptionError, match="got a SampleMoments"):
        diagnostics(MOMENTS)


def test_names_of_watched_quantities(fit: BayesianFit) -> None:
    block = fit.blocks[0]
    assert diagnostics(fit).parameters["name"].tolist() == list(monitor(block.posterior, fit.groups).names)


def test_few_effective_draws_of_chains_that_agree_are_not_called_disagreement(fit: BayesianFit) -> None:
    """One mean that stays for ten draws at a time, alike in all chains, within limits for R-hat."""
    block = independent(fit.blocks[0])
    x = block.draws.x.copy()
    C, D, _ = x.shape
    at = block.posterior.names.index("mean F1=~V3")
    # The same values in every half of every chain, in orders of their own: R-hat, which compares halves, is 1.
    rng = np.random.default_rng(3)
    values = rng.standard_normal(D // 20)
    stays = [np.repeat(rng.permutation(values), 10) for _ in range(2 * C)]
    x[:, :, at] = 0.8 + 0.01 * np.reshape(stays, (C, D))
    (notice,) = notices(replace(block, draws=replace(block.draws, x=x)), SamplingWarning)
    assert notice.text.startswith("F1: few effective draws for some quantities: the effective number of draws is down")
    assert "mean F1=~V3 (R-hat" in notice.text
    assert "do not agree" not in notice.text and "R-hat is up to" not in notice.text
