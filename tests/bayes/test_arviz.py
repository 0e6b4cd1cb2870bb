"""The ArviZ object holds every draw under its name, and ArviZ can work with it."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mixsem import MGBCFA, MLCFA, Sampling
from mixsem.bayes.arviz import to_arviz
from mixsem.errors import OptionError
from mixsem.measurement.bayes_fit import BayesianFit
from mixsem.simulate import Population, draw_moments, draw_truth

with warnings.catch_warnings():
    warnings.simplefilter("ignore", FutureWarning)
    import arviz

FEW = Sampling(chains=2, warmup=100, draws=40)
MOMENTS = draw_moments(draw_truth(Population(n_groups=6, kind="multilevel"), seed=1), seed=1)
MODEL = "F1 =~ V1 + V2 + a*V3 + a*V4; F2 =~ V6 + V7 + 0.8*V8"


@pytest.fixture(scope="module")
def fit() -> BayesianFit:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return MLCFA(MODEL, random=("loadings", "residuals"), sampling=FEW).fit(MOMENTS, seed=1)


@pytest.fixture(scope="module")
def data(fit: BayesianFit) -> Any:
    return fit.to_arviz()


def test_variables_and_names(data: Any) -> None:
    posterior = data.posterior
    assert set(posterior.data_vars) == {"group_value", "common_value", "random_mean", "random_sd"}
    unique = [f"V{i}~~V{i}" for i in (1, 2, 3, 4, 6, 7, 8)]
    varying = {"F1=~V2", "F2=~V7", *unique}
    assert set(posterior["group_parameter"].values) == varying
    assert posterior["group_parameter"].size == len(varying)
    # The tied loading once, and neither markers nor the fixed loading.
    assert posterior["common_parameter"].values.tolist() == ["F1=~V3", "F1~~F1", "F2~~F2"]
    assert set(posterior["mean_parameter"].values) == set(posterior["sd_parameter"].values) == varying
    assert posterior["group"].values.tolist() == list(MOMENTS.groups)


def test_values_are_the_draws(fit: BayesianFit, data: Any) -> None:
    for block in fit.blocks:
        values = block.posterior.values(block.draws.x)
        for e, name in enumerate(block.posterior.model.entries):
            for variable, dimension in (("group_value", "group_parameter"), ("common_value", "common_parameter")):
                if name in data.posterior[dimension].values:
                    got = data.posterior[variable].sel({dimension: name}).values
                    expected = values[..., e] if variable == "group_value" else values[..., 0, e]
                    np.testing.assert_allclose(got, expected, rtol=1e-13)
        for i, (name, what) in enumerate(zip(block.posterior.names, block.posterior.what, strict=True)):
            x = block.draws.x[..., i]
            if what == "mean":
                got = data.posterior["random_mean"].sel(mean_parameter=name.removeprefix("mean ")).values
                assert (got == x).all()
            if what == "sd":
                got = data.posterior["random_sd"].sel(sd_parameter=name.removeprefix("sd ")).values
                np.testing.assert_allclose(got, np.exp(x), rtol=1e-14)


def test_statistics_of_all_blocks(fit: BayesianFit, data: Any) -> None:
    first, second = (block.draws for block in fit.blocks)
    stats = data.sample_stats
    assert stats["block"].values.tolist() == ["F1", "F2"]
    assert (stats["energy"].values == first.energy + second.energy).all()
    assert (stats["energy_block"].sel(block="F2").values == second.energy).all()
    assert (stats["tree_depth"].values == np.maximum(first.depth, second.depth)).all()
    assert (stats["diverging"].values == (first.diverging | second.diverging)).all()


def test_log_likelihood_is_the_sum_of_the_blocks(fit: BayesianFit, data: Any) -> None:
    got = data.log_likelihood["items"].sel(group=MOMENTS.groups[2]).values
    expected = sum(block.loglik.reshape(2, 40, -1)[:, :, 2] for block in fit.blocks)
    np.testing.assert_allclose(got, expected, rtol=1e-14)


def test_arviz_works_with_it(data: Any) -> None:
    table = arviz.summary(data, var_names=["random_sd"])
    assert "random_sd[F1=~V2]" in table.index
    assert arviz.bfmi(data).shape == (2,)


def test_reference_mean_is_not_repeated() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = MGBCFA("F1 =~ V1 + V2 + V3", sampling=FEW).fit(MOMENTS, seed=1)
        symmetric = MGBCFA("F1 =~ V1 + V2 + V3", symmetric=True, sampling=FEW).fit(MOMENTS, seed=1)
    assert set(fit.to_arviz().posterior.data_vars) == {"group_value"}
    posterior = symmetric.to_arviz().posterior
    assert set(posterior.data_vars) == {"group_value", "random_mean"}
    assert posterior["mean_parameter"].values.tolist() == ["F1=~V2", "F1=~V3"]


def test_blocks_of_different_fits_are_refused(fit: BayesianFit) -> None:
    first, second = fit.blocks
    shorter = replace(second, draws=replace(second.draws, x=second.draws.x[:, :20]))
    with pytest.raises(OptionError, match="different numbers"):
        to_arviz((first, shorter), fit.groups)


def test_mixed_labels_become_text(fit: BayesianFit) -> None:
    groups = ("a", 1, 2.5, None, "b", True)
    assert to_arviz(fit.blocks, groups).posterior["group"].values.tolist() == [str(g) for g in groups]
