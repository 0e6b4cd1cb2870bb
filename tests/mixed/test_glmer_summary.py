"""What a generalised mixed model shows of itself."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import mixsem as mx
from mixsem.errors import MixsemWarning, OptionError

from .glmm_data import fitted, glmm_case


def fit_quietly(formula, data, **arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MixsemWarning)
        return mx.glmer(formula, data, **arguments)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("laplace", "Laplace approximation"),
        ("agq9", "adaptive Gauss-Hermite quadrature, 9 nodes"),
        ("agq0", "fast and rough"),
    ],
)
def test_summary_names_the_quadrature(model, words):
    shown = " ".join(repr(fitted(glmm_case("cbpp", model))).split())
    assert words in shown
    assert "binomial, logit link" in shown
    assert "z value" in shown
    assert "t value" not in shown
    assert "Residual " not in shown  # no residual variance


def test_summary_has_the_parts_of_lme4():
    fit = fitted(glmm_case("cbpp", "laplace"))
    shown = repr(fit)
    for heading in ("Scaled residuals", "Random effects", "Fixed effects", "Correlation of fixed effects", "logLik"):
        assert heading in shown
    assert "2 to 34 per row" in shown
    assert "herd, 15" in shown
    assert "<table" in fit._repr_html_()


def test_family_parameter_stands_in_summary_and_variances():
    fit = fitted(glmm_case("gamma_log", "correlated"))
    assert "Dispersion  0.3332" in repr(fit)
    assert "Dispersion: 0.3332." in repr(fit.varcorr)
    assert fit.varcorr.dispersion == ("dispersion", fit.dispersion)
    counts = fitted(glmm_case("nb_crossed", "crossed"))
    assert counts.varcorr.dispersion == ("size", counts.dispersion)
    assert set(fit.varcorr.frame["group"]) == {"g"}


def test_quadrature_note_for_small_binary_groups():
    said = " ".join(repr(fitted(glmm_case("small_binary", "laplace"))).split())
    better = fitted(glmm_case("small_binary", "laplace")).update(n_agq=9).varcorr["g"].sd[0]
    assert "Few binary responses per group (5 on average)" in said
    assert f"sd_(Intercept)|g is {better:.3g} instead of" in said
    assert "Few binary" not in repr(fitted(glmm_case("small_binary", "agq11")))
    assert "Few binary" not in repr(fitted(glmm_case("bern_crossed", "crossed")))  # 14 and 36 of a kind


def test_quadrature_note_where_there_is_no_quadrature():
    rng = np.random.default_rng(3)
    g, h = np.repeat(np.arange(60), 4), np.tile(np.arange(48), 5)
    y = rng.binomial(1, 1.0 / (1.0 + np.exp(-rng.normal(size=60)[g] - rng.normal(size=48)[h])))
    fit = fit_quietly("y ~ 1 + (1 | g) + (1 | h)", {"y": y, "g": g, "h": h}, family="binomial")
    assert "there is no quadrature to compare with" in " ".join(repr(fit).split())


def test_raw_exposures_are_noticed():
    rng = np.random.default_rng(2)
    g, hours = np.repeat(np.arange(20), 8), rng.integers(20, 90, size=160).astype(float)
    y = rng.poisson(0.1 * hours * np.exp(0.2 * rng.normal(size=20)[g]))
    data = {"y": y, "g": g, "hours": hours}
    wrong = fit_quietly("y ~ 1 + (1 | g) + offset(hours)", data, family="poisson")
    assert "offset(log(hours))" in repr(wrong)
    right = fit_quietly("y ~ 1 + (1 | g) + offset(log(hours))", data, family="poisson")
    assert "MX129" not in repr(right)


def test_tidy_glance_augment():
    fit = fitted(glmm_case("gamma_log", "correlated"))
    tidy, glance, rows = mx.tidy(fit), mx.glance(fit), mx.augment(fit)
    assert list(tidy["term"]) == [*fit.fixef.index, "sd__(Intercept)", "sd__x", "cor__(Intercept).x", "dispersion"]
    np.testing.assert_allclose(tidy["statistic"].dropna(), fit.fixef / fit.se)
    assert tidy["df"].isna().all()
    assert tidy["estimate"].iloc[-1] == fit.dispersion
    one = glance.iloc[0]
    assert (one["family"], one["link"], one["n_agq"], one["nobs"]) == ("gamma", "log", 1, 288)
    assert one["aic"] == pytest.approx(one["criterion"] + 16.0)
    np.testing.assert_allclose(rows[".fitted"], np.exp(rows[".linear"]))
    np.testing.assert_allclose(rows[".residual"], rows["y"] - rows[".fitted"])
    with pytest.raises(OptionError, match="hat"):
        mx.augment(fit, hat=True)
