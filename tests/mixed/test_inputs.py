"""What `lmer` and what follows it can be given: slips in arguments are refused with what is allowed."""

from __future__ import annotations

import warnings
from functools import lru_cache

import numpy as np
import pytest

import mixsem as mx
from mixsem.data import sleepstudy
from mixsem.errors import DataError, OptionError, UnsupportedModelError

FORMULA = "Reaction ~ Days + (1 | Subject)"
#: Two searches for the same optimum.
SAME_OPTIMUM = 1e-6


@lru_cache
def fit() -> mx.MixedFit:
    return mx.lmer(FORMULA, sleepstudy())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reml": "ML"}, "reml='ML'"),
        ({"reml": None}, "reml=None"),
        ({"reml": 0}, "reml=0"),
        ({"start": "a"}, "start='a'"),
        ({"start": {"a": 1}}, "start={'a': 1}"),
        ({"start": [1.0, 2.0]}, "allowed: 1 numbers"),
        ({"start": ["a"] * 500}, r"start=\['a', 'a', 'a', 'a', 'a', 'a', \.\.\.\]"),
        ({"optimizer": "lbgfsb"}, "did you mean 'lbfgsb'"),
        ({"optimizer": 3}, "optimizer=3"),
        ({"residual": "ar1"}, "residual='ar1'"),
        ({"residual": {"by": "sex"}}, r"Residual\(by="),
        ({"offset": ["a"] * 180}, r"offset=\['a', 'a', 'a', 'a', 'a', 'a', \.\.\.\] is not numeric"),
        ({"weights": np.full(180, 1.0 + 1.0j)}, "weights=.* is not numeric"),
        ({"weights": 3}, "weights has shape"),
    ],
)
def test_wrong_arguments_of_lmer(options, message):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # nothing is cut off with a warning of NumPy
        with pytest.raises(OptionError, match=message):
            mx.lmer(FORMULA, sleepstudy(), **options)


def test_an_optimizer_by_name():
    found = mx.lmer(FORMULA, sleepstudy(), optimizer="bfgs")
    assert found.trace.method == "bfgs"
    assert found.objective == pytest.approx(fit().objective, abs=SAME_OPTIMUM)
    assert fit().update(optimizer="cobyqa").specification.optimizer.method == "cobyqa"
    assert mx.lmer(FORMULA, sleepstudy(), reml=np.bool_(False)).reml == np.bool_(False)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_evaluations": 2.5}, "max_evaluations=2.5"),
        ({"max_evaluations": 0}, "max_evaluations=0"),
        ({"max_evaluations": True}, "max_evaluations=True"),
        ({"restart": "no"}, "restart='no'"),
        ({"further_starts": "a"}, "further_starts='a'"),
        ({"further_starts": -1}, "further_starts=-1"),
        ({"method": 3}, "method=3"),
    ],
)
def test_wrong_arguments_of_an_optimizer(options, message):
    with pytest.raises(OptionError, match=message):
        mx.Optimizer(**options)


@pytest.mark.parametrize("name", ["is_singular", "re_pca", "check_convergence", "all_fit"])
@pytest.mark.parametrize("strange", [3, None, "y ~ x + (1 | g)", sleepstudy()], ids=["3", "None", "text", "frame"])
def test_what_is_no_fit_is_refused(name, strange):
    with pytest.raises(OptionError, match=rf"{name}\(\) got {type(strange).__name__}\n  allowed: a fit of lmer"):
        getattr(mx, name)(strange)


@pytest.mark.parametrize("tol", [-1, 0, "a", np.nan, True])
def test_a_tolerance_is_a_positive_number(tol):
    with pytest.raises(OptionError, match="tol="):
        mx.is_singular(fit(), tol)


def test_residuals_of_a_mixed_model_are_its_own():
    with pytest.raises(UnsupportedModelError, match=r"use its own: fit.residuals\(\)"):
        mx.residuals(fit())
    with pytest.raises(UnsupportedModelError, match=r"give what cfa\(\)"):
        mx.residuals(3)


def test_the_caller_may_write_into_their_arrays():
    weights, offset = np.full(180, 2.0), np.ones(180)
    found = mx.lmer(FORMULA, sleepstudy(), weights=weights, offset=offset)
    before = found.update(reml=False).objective
    weights[:], offset[:] = np.arange(1.0, 181.0), np.arange(180.0)
    assert (found.design.weights == 2.0).all() and (found.design.offset == 1.0).all()
    assert found.update(reml=False).objective == before


def test_estimates_cannot_be_overwritten():
    for values in (fit().theta, fit().beta, fit().state.b[0]):
        with pytest.raises(ValueError, match="read-only"):
            values[0] = 5.0


def test_inference_shows_itself_in_a_line():
    assert repr(fit().satterthwaite) == f"Inference({FORMULA!r}, ddf='satterthwaite')"


def test_columns_of_different_rows_are_refused():
    data = sleepstudy()
    columns = {name: data[name] for name in data}
    assert mx.lmer(FORMULA, columns).nobs == 180
    with pytest.raises(DataError, match=r"'Reaction' and 'Days' \(180 and 100 rows\) have different row labels"):
        mx.lmer(FORMULA, columns | {"Days": data["Days"].iloc[:100]})
    with pytest.raises(DataError, match="different row labels"):
        fit().predict(columns | {"Days": data["Days"].set_axis(range(1, 181))})


def test_numbers_that_are_none():
    data = sleepstudy()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(DataError, match="'Reaction' holds complex numbers"):
            mx.lmer(FORMULA, data.assign(Reaction=data["Reaction"] + 1j))
        for name in ("Days", "Reaction"):
            with pytest.raises(DataError, match=rf"(?s){name}: values of up to .*e\+20.*another unit"):
                mx.lmer(FORMULA, data.assign(**{name: data[name] * 1e200}))
    with pytest.raises(DataError, match="weights='sex': the column holds text or categories"):
        mx.lmer(FORMULA, data.assign(sex="f"), weights="sex")


def test_weights_and_offsets_with_blanks_in_their_names():
    data = sleepstudy().assign(**{"my w": lambda d: 1.0 + d["Days"] % 3, "my off": lambda d: 2.0 * d["Days"]})
    found = mx.lmer(FORMULA, data, weights="my w", offset="my off")
    expected = mx.lmer(FORMULA, data, weights=data["my w"], offset=data["my off"])
    assert found.objective == pytest.approx(expected.objective, abs=SAME_OPTIMUM)
    np.testing.assert_allclose(found.predict(data), found.fitted)
    assert found.update(data=data).objective == pytest.approx(found.objective, abs=SAME_OPTIMUM)
    assert found.update(reml=False).design.weights_column == "my w"


def test_the_response_is_no_predictor():
    for formula in ("Reaction ~ Reaction + (1 | Subject)", "Reaction ~ Days + (Reaction | Subject)"):
        with pytest.raises(DataError, match="its own predictor"):
            mx.lmer(formula, sleepstudy())
