"""Fit measures of Bayesian measurement models: a reference analysis, true and wrong models, and what is left out."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mixsem as mx
from mixsem.errors import InformationCriterionWarning, MixsemWarning, OptionError, SmallGroupWarning
from mixsem.kernels.plain_posterior import implied_covariances
from mixsem.measurement.bayes_measures import BayesFitMeasures, bayes_fit_measures
from mixsem.measurement.bayes_terms import block_deviance

REFERENCE = json.loads(
    (Path(__file__).parent.parent / "reference" / "bayes_onefac_G24_N50.json").read_text(encoding="utf-8")
)
SHORT = mx.Sampling(chains=2, warmup=300, draws=400)


def moments_of(covariances, n: int, divisor: str = "n") -> mx.SampleMoments:
    items = [f"y{j + 1}" for j in range(len(covariances[0]))]
    return mx.SampleMoments.from_covariances(
        {f"g{i}": S for i, S in enumerate(covariances)}, n=n, items=items, divisor=divisor
    )


def quietly(call):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MixsemWarning)
        return call()


def sample(Sigma: np.ndarray, nu: int, groups: int, seed: int) -> list[np.ndarray]:
    """Covariances with divisor nu of samples from a population."""
    rng = np.random.default_rng(seed)
    factor = np.linalg.cholesky(Sigma)
    rows = rng.standard_normal((groups, nu, len(Sigma))) @ factor.T
    return list(rows.swapaxes(1, 2) @ rows / nu)


def one_factor(p: int) -> np.ndarray:
    loading = np.linspace(1.0, 0.7, p)
    return np.outer(loading, loading) + 0.5 * np.eye(p)


@pytest.fixture(scope="module")
def reference_fit():
    moments = mx.SampleMoments.from_covariances(
        dict(zip(REFERENCE["groups"], REFERENCE["covariances"], strict=True)),
        n=REFERENCE["n"][0],
        items=REFERENCE["items"],
        divisor="n",
    )
    model = mx.MGBCFA(
        REFERENCE["model"], prior_variance=REFERENCE["prior_variance"], sampling=mx.Sampling(warmup=600, draws=1000)
    )
    return quietly(lambda: model.fit(moments, seed=2))


@pytest.fixture(scope="module")
def reference_measures(reference_fit) -> BayesFitMeasures:
    return quietly(lambda: bayes_fit_measures(reference_fit))


@pytest.fixture(scope="module")
def two_blocks():
    """Two factors: the first block fits, in the second two items have another factor in common that is left out."""
    Sigma = np.zeros((8, 8))
    Sigma[:4, :4] = Sigma[4:, 4:] = one_factor(4)
    Sigma[6, 7] = Sigma[7, 6] = Sigma[6, 7] + 0.25
    moments = moments_of(sample(Sigma, 199, 6, seed=1), n=200, divisor="n-1")
    model = mx.MGBCFA("A =~ y1 + y2 + y3 + y4; B =~ y5 + y6 + y7 + y8", prior_variance=0.01, sampling=SHORT)
    return quietly(lambda: model.fit(moments, seed=3))


def test_loglik_at_the_posterior_mean_of_the_reference(reference_measures: BayesFitMeasures) -> None:
    """The reference counts N people where ours, with means integrated out, counts N - 1: evaluated at its estimates."""
    posterior = REFERENCE["posterior"]
    lam, theta, psi = (np.array(posterior[k]["mean"]) for k in ("lambda", "theta", "psi"))
    Sigma = psi[:, None, None] * lam[:, :, None] * lam[:, None, :] + theta[:, :, None] * np.eye(5)
    S, N = np.array(REFERENCE["covariances"]), 50
    trace = np.trace(np.linalg.solve(Sigma, S), axis1=1, axis2=2)
    terms = (N - 1) * (np.linalg.slogdet(Sigma)[1] + 5 * np.log(2 * np.pi)) + N * trace
    # The log-likelihood is nearly flat at the mean: an error of .03 SD in 173 parameters moves it by 0.1.
    assert reference_measures.total.loglik_at_mean == pytest.approx(-0.5 * terms.sum(), abs=0.3)


def test_effective_parameters_of_the_reference(reference_fit) -> None:
    """Turned into the reference's terms, with 120 sampled intercepts, the mean log-likelihood and p_D are its own."""
    block = reference_fit.blocks[0]
    problem = block.posterior.problem
    values = block.posterior.values(block.draws.flat[::5])
    log_det = np.linalg.slogdet(implied_covariances(problem, values))[1].sum(axis=1).mean()
    log_det_at_mean = np.linalg.slogdet(implied_covariances(problem, block.values))[1].sum()
    deviance, error = block_deviance(block)
    constant = 0.5 * 24 * 5 * np.log(2 * np.pi)
    # N people instead of N - 1: another -1/2 log|Sigma| and constant per group; the square of each intercept, -1/2.
    mean = deviance.loglik_mean - 0.5 * log_det - constant - 60
    at_mean = deviance.loglik_at_mean - 0.5 * log_det_at_mean - constant
    fit = REFERENCE["fit"]
    # Standard error of the mean log-likelihood: error / 4 here, and about as much of the reference.
    tolerance = 4 * np.sqrt(2) * error / 4
    assert mean == pytest.approx(fit["mean_logl"], abs=tolerance)
    assert at_mean == pytest.approx(fit["logl_at_postmean"], abs=0.3)
    assert 2 * (at_mean - mean) == pytest.approx(fit["p_dic"], abs=2 * tolerance + 0.6)
    assert error < 2.0


def test_predictive_p_of_the_reference(reference_measures: BayesFitMeasures) -> None:
    # Binomial errors of 4000 and 3000 draws, autocorrelation included, are about .012 each.
    assert reference_measures.total.ppp == pytest.approx(REFERENCE["fit"]["ppp"], abs=0.06)


def test_measures_agree_with_one_another(reference_measures: BayesFitMeasures) -> None:
    total = reference_measures.total
    assert total.dic == pytest.approx(-2 * total.loglik_at_mean + 2 * total.p_d)
    assert total.p_d == pytest.approx(2 * (total.loglik_at_mean - total.loglik_mean))
    assert 0.0 <= total.brmsea_lower <= total.brmsea <= total.brmsea_upper < 0.12
    assert 0.95 < total.bcfi_lower <= total.bcfi <= total.bcfi_upper <= 1.0
    assert 0.9 < total.bgammahat <= 1.0
    # The model was simulated: groups fit, each by itself too. 24 groups make 4 of p < .02 or so a wonder.
    assert (total.group_ppp < 0.02).sum() < 4
    assert 0.3 < total.group_ppp.mean() < 0.6


def test_loo_says_which_groups_it_fails_for(reference_fit) -> None:
    with pytest.warns(InformationCriterionWarning, match=r"Pareto's k is above 0\.7 in \d+ of 24 groups"):
        measures = bayes_fit_measures(reference_fit)
    bad = tuple(g for g, k in zip(measures.groups, measures.blocks[0].pareto_k, strict=True) if k > 0.7)
    assert measures.notices[0].groups == bad
    assert len(bad) > 12  # every group has its own six variances


def test_a_negative_number_of_parameters_is_named(reference_fit) -> None:
    block = reference_fit.blocks[0]
    far = replace(reference_fit, blocks=(replace(block, values=1.5 * block.values),))
    with pytest.warns(InformationCriterionWarning, match="p_D is negative for F"):
        assert bayes_fit_measures(far).total.p_d < 0


def test_the_same_seed_gives_the_same_measures(reference_fit, reference_measures: BayesFitMeasures) -> None:
    again = quietly(lambda: bayes_fit_measures(reference_fit))
    other = quietly(lambda: bayes_fit_measures(reference_fit, seed=9))
    assert again.total.to_dict() == reference_measures.total.to_dict()
    assert other.total.ppp != again.total.ppp
    assert other.total.dic == again.total.dic


def test_the_total_adds_blocks_up(two_blocks) -> None:
    measures = quietly(lambda: bayes_fit_measures(two_blocks))
    first, second = measures.blocks
    total = measures.total
    for name in ("dic", "p_d", "waic", "p_waic", "loo", "p_loo", "loglik_mean"):
        assert getattr(total, name) == pytest.approx(getattr(first, name) + getattr(second, name), rel=1e-10), name
    assert total.dic_error == pytest.approx(np.hypot(first.dic_error, second.dic_error))
    assert (total.pareto_k == np.maximum(first.pareto_k, second.pareto_k)).all()
    assert first.brmsea < total.brmsea < second.brmsea


def test_an_omitted_factor_is_seen(two_blocks) -> None:
    fits, fails = quietly(lambda: bayes_fit_measures(two_blocks)).blocks
    assert fits.ppp > 0.1 and fits.brmsea_lower == 0.0 and fits.brmsea < 0.05 and fits.bcfi > 0.98
    assert fails.ppp < 0.001 and fails.brmsea_lower > 0.10 and fails.bcfi < 0.95 and fails.btli < fails.bcfi
    assert (fails.group_ppp < fits.group_ppp).mean() > 0.8


def test_summary_and_table(two_blocks) -> None:
    measures = quietly(lambda: bayes_fit_measures(two_blocks))
    frame = measures.table.to_pandas()
    assert frame["block"].tolist() == ["A", "B", "total"]
    assert frame["dic"].tolist() == [m.dic for m in measures.rows]
    shown = repr(measures)
    assert "BRMSEA" in shown and "InformationCriterionWarning" in shown and "total" in shown


def fit_of_sizes(sizes: dict[str, int]):
    """One factor, four items, groups of these sizes, as rows: singular covariances are not taken as such."""
    rng = np.random.default_rng(4)
    rows = {g: rng.standard_normal((n, 4)) @ np.linalg.cholesky(one_factor(4)).T for g, n in sizes.items()}
    frame = pd.DataFrame(np.concatenate(list(rows.values())), columns=["y1", "y2", "y3", "y4"])
    frame["g"] = [g for g, n in sizes.items() for _ in range(n)]
    return quietly(lambda: mx.MGBCFA("F =~ y1 + y2 + y3 + y4", sampling=SHORT).fit(frame, "g", seed=1))


def test_groups_without_a_saturated_model_are_left_out() -> None:
    fit = fit_of_sizes({"big": 200, "small": 4, "large": 200})
    measures = quietly(lambda: bayes_fit_measures(fit))
    notice = next(n for n in measures.notices if n.category is SmallGroupWarning)
    assert notice.groups == ("small",) and notice.text.startswith("small: no more people than items")
    total = measures.total
    left_out = np.array([g == "small" for g in measures.groups])
    assert np.isnan(total.group_ppp[left_out]).all() and np.isfinite(total.group_ppp[~left_out]).all()
    assert 0.02 < total.ppp < 0.98 and np.isfinite([total.brmsea, total.bcfi, total.dic, total.waic]).all()


def test_no_group_with_a_saturated_model() -> None:
    total = quietly(lambda: bayes_fit_measures(fit_of_sizes({"a": 4, "b": 3}))).total
    assert np.isnan([total.ppp, total.brmsea, total.bcfi, total.btli, total.bgammahat]).all()
    assert np.isfinite([total.dic, total.waic, total.loo]).all()


def test_maximum_likelihood_has_no_draws() -> None:
    fit = mx.MGCFA("visual =~ x1 + x2 + x3").fit(mx.data.holzinger_swineford_1939(), group="school")
    with pytest.raises(OptionError, match="got MeasurementFit"):
        bayes_fit_measures(fit)  # type: ignore[arg-type]


@pytest.mark.slow
def test_predictive_p_is_in_the_middle_under_the_true_model() -> None:
    """Over samples from a one-factor population, equal over groups, p averages near .5 and is seldom extreme."""
    found, rmsea = [], []
    for seed in range(8):
        moments = moments_of(sample(one_factor(5), 99, 6, seed=100 + seed), 100, "n-1")
        model = mx.MGBCFA("F =~ y1 + y2 + y3 + y4 + y5", prior_variance=0.0, sampling=SHORT)
        total = quietly(lambda m=moments, s=seed, f=model: bayes_fit_measures(f.fit(m, seed=s))).total
        found.append(total.ppp)
        rmsea.append(total.brmsea)
    # The SD of a uniform p is .29; that of the mean of eight at most .10.
    assert np.mean(found) == pytest.approx(0.5, abs=0.25)
    assert min(found) > 0.005 and max(found) < 0.995
    assert np.mean(rmsea) < 0.05
