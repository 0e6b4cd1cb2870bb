"""R-squared and intraclass correlations of generalised mixed models: on the latent scale, by a method that is named."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mixsem as mx
from mixsem.errors import ModelError, OptionError
from mixsem.mixed.generalised.fit import GeneralisedFit
from mixsem.mixed.generalised.glmer import glmer
from mixsem.mixed.variance.latent import typical_mean

from .references import load

R = load("variance")["cbpp"]
#: Relative: glmer of lme4 stops up to 5e-3 away from its optimum in coefficients.
GLMER = 5e-3
#: Relative, of the same sums in another order.
EXACT = 1e-10


@pytest.fixture(scope="module")
def herds() -> GeneralisedFit:
    columns = ("herd", "incidence", "size", "period")
    data = pd.DataFrame({name: np.array(R[name], dtype=int) for name in columns})
    return glmer("cbind(incidence, size - incidence) ~ C(period) + (1 | herd)", data, family="binomial")


@pytest.fixture(scope="module")
def counts() -> pd.DataFrame:
    rng = np.random.default_rng(7)
    g, x, time = np.repeat(np.arange(60), 8), rng.normal(size=480), rng.uniform(1.0, 3.0, size=480)
    eta = 0.7 + 0.4 * x + np.log(time) + rng.normal(scale=0.5, size=60)[g] + rng.normal(scale=0.3, size=60)[g] * x
    return pd.DataFrame({"y": rng.poisson(np.exp(eta)), "x": x, "g": g, "time": time, "row": np.arange(480)})


def test_r2_and_icc_of_a_logit_model_are_those_of_r(herds):
    found = mx.r2(herds, method="theoretical")
    assert found.frame["variance"].iloc[0] == pytest.approx(R["fixed"], rel=GLMER)
    assert found.frame["variance"].iloc[1] == pytest.approx(R["term"], rel=GLMER)
    assert found.frame["variance"].iloc[2] == pytest.approx(np.pi**2 / 3.0, rel=EXACT)
    assert found.marginal == pytest.approx(R["performance"]["R2_marginal.Marginal R2"], rel=GLMER)
    assert found.conditional == pytest.approx(R["performance"]["R2_conditional.Conditional R2"], rel=GLMER)
    single = mx.icc(herds)
    assert single.adjusted == pytest.approx(R["icc"], rel=GLMER)
    assert "latent scale, not of responses" in " ".join(single.notes)
    assert "a single trial" in " ".join(found.notes) and "convention" in " ".join(found.notes)


def test_the_delta_method_takes_the_mean_of_the_null_model(herds):
    assert typical_mean(herds) == pytest.approx(R["mean"], rel=GLMER)
    observation = mx.r2(herds, method="delta").frame["variance"].iloc[-1]
    assert observation == pytest.approx(1.0 / (R["mean"] * (1.0 - R["mean"])), rel=GLMER)


def test_a_method_has_to_be_named_and_possible(herds, counts):
    with pytest.raises(ModelError, match=r'(?s)convention.*method="theoretical", method="delta"'):
        mx.r2(herds)
    with pytest.raises(ModelError, match="with method='trigamma'"):
        mx.r2(herds, method="trigamma")
    with pytest.raises(OptionError, match="did you mean 'delta'"):
        mx.r2(herds, method="delt")
    fit = glmer("y ~ x + (1 | g)", counts, family="poisson")
    with pytest.raises(ModelError, match=r"icc\(\) of a poisson model"):
        mx.icc(fit)


def test_counts_with_slopes_and_offsets(counts):
    fit = glmer("y ~ x + offset(log(time)) + (x | g)", counts, family="poisson")
    null = glmer("y ~ 1 + offset(log(time)) + (x | g)", counts, family="poisson")
    variance = null.varcorr.terms[0].mean_variance
    mean = np.mean(counts["time"]) * np.exp(null.beta[0] + variance / 2.0)
    assert typical_mean(fit) == pytest.approx(mean, rel=GLMER)
    rows = {m: mx.r2(fit, method=m).frame["variance"].iloc[-1] for m in ("delta", "lognormal", "trigamma")}
    assert rows["delta"] == pytest.approx(1.0 / mean, rel=GLMER)
    assert rows["lognormal"] == pytest.approx(np.log1p(1.0 / mean), rel=GLMER)
    assert rows["lognormal"] < rows["delta"] < rows["trigamma"]
    curve = mx.icc(fit, method="lognormal")
    sigma, x = fit.varcorr.terms[0].covariance, curve.frame["value"].to_numpy(dtype=float)
    between = sigma[0, 0] + 2.0 * x * sigma[0, 1] + x**2 * sigma[1, 1]
    np.testing.assert_allclose(curve.frame["icc"], between / (between + rows["lognormal"]), rtol=EXACT)


def test_the_effect_of_every_row_is_overdispersion(counts):
    rng = np.random.default_rng(8)
    counts = counts.assign(y=rng.poisson(np.exp(0.5 + rng.normal(size=60)[counts["g"]] + 0.7 * rng.normal(size=480))))
    fit = glmer("y ~ x + (1 | g) + (1 | row)", counts, family="poisson")
    found = mx.r2(fit, method="lognormal")
    frame = found.frame.set_index("source")["variance"]
    assert frame["row"] > 0.1
    expected = (frame["Fixed effects"] + frame["g"]) / frame.sum()
    assert found.conditional == pytest.approx(expected, rel=EXACT)
    single = mx.icc(fit, method="lognormal")
    assert single.adjusted == pytest.approx(frame["g"] / frame.drop("Fixed effects").sum(), rel=EXACT)
    assert "overdispersion" in " ".join(single.notes)


def test_shares_without_residual(counts):
    found = mx.variance_shares(glmer("y ~ x + (x | g)", counts, family="poisson"))
    assert found.frame["group"].tolist() == ["g", "g"]
    assert found.frame["share"].iloc[0] == pytest.approx(1.0)
    assert "no variance of their own" in " ".join(found.notes)
