"""What follows from a generalised mixed model, against R: residuals, predictions, overdispersion, profile limits."""

from __future__ import annotations

import numpy as np
import pytest

import mixsem as mx

from .glmm_data import FITTED, THETA, cases_with, fitted, glmm_cases, near
from .references import matrix, vector

#: Relative to 1 + limit: R's own limits are solved to 1e-7, lme4's are interpolated by splines.
PROFILE, SPLINES = 1e-5, 5e-3
#: Relative, of what performance says of glmmTMB's fit, which stops 1e-5 or so from its optimum.
GLMMTMB = 1e-3

every = pytest.mark.parametrize("case", glmm_cases(), ids=str)


@every
def test_variance_components(case):
    """Covariances on the scale of the linear predictor; R has a term for each effect of a ``||``."""
    found = {}
    for term in fitted(case).varcorr.terms:
        group = term.group.partition(".")[0]
        found |= {(group, name): (term, i) for i, name in enumerate(term.names)}
    for block in case.numbers["varcorr"]:
        terms = [found.pop((block["group"], name)) for name in block["cov"]["rows"]]
        term, at = terms[0][0], [i for _, i in terms]
        near(term.covariance[np.ix_(at, at)], matrix(block["cov"]), 2 * THETA)
        near(term.sd[at], vector(block["sd"]), THETA)
    assert not found


@every
@pytest.mark.parametrize("kind", ["response", "pearson", "deviance"])
def test_residuals(case, kind):
    near(np.asarray(fitted(case).residuals(kind))[:5], case.numbers["residuals"][kind], FITTED)


@every
@pytest.mark.parametrize("scale", ["link", "response"])
@pytest.mark.parametrize("random", ["all", "none"])
def test_predictions(case, random, scale):
    """Of new rows; one is of a level that the data do not have."""
    found = fitted(case).predict(case.new_rows, type=scale, random=random, new_levels="population")
    near(found, case.numbers["predict"][scale][random], FITTED)


@every
def test_overdispersion(case):
    numbers, found = case.numbers, np.asarray(fitted(case).residuals("pearson"))
    assert float(found @ found) == pytest.approx(numbers["pearson_chisq"], rel=FITTED)


@cases_with("profile")
def test_profile_limits(case):
    """Where the criterion has risen by 3.84; lme4's splines come close."""
    profile = case.numbers["profile"]
    names = profile["parameter"][:1] + case.fixed_names
    found = mx.confint(fitted(case)).frame.set_index("parameter").loc[names, ["lower", "upper"]]
    near(found, profile["exact"], PROFILE)
    near(found, profile["lme4"], SPLINES)


BINOMIAL = [case for case in glmm_cases() if case.family == "binomial" and case.numbers["r2"]]


@pytest.mark.parametrize("case", BINOMIAL, ids=str)
def test_r2(case):
    """Of binomial models, which need no mean: performance's is exp(intercept of a null model), another convention."""
    fit, said = fitted(case), case.numbers["r2"]
    found = mx.r2(fit, method="theoretical")
    variances = found.frame["variance"]
    assert variances.iloc[0] == pytest.approx(said["variance"]["fixed"], rel=GLMMTMB)
    assert variances.iloc[1:].sum() == pytest.approx(
        sum(said["variance"][k] for k in ("random", "residual")), rel=GLMMTMB
    )
    assert found.marginal == pytest.approx(said["r2"]["R2_marginal"], rel=GLMMTMB)
    assert found.conditional == pytest.approx(said["r2"]["R2_conditional"], rel=GLMMTMB)
