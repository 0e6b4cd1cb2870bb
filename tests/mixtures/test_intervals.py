"""Effects and their intervals: derivatives against differences, standard errors against products worked out by hand."""

from __future__ import annotations

import dataclasses
import warnings

import numpy as np
import pytest
from scipy.stats import norm

import mixsem as mx
from mixsem.errors import OptionError
from mixsem.mixtures.effects import effect_values, effects_of, find_effect
from mixsem.mixtures.errors import StandardErrors, standard_errors
from mixsem.mixtures.explained import implied_covariances
from mixsem.mixtures.intervals import intervals
from mixsem.mixtures.quantities import evaluate
from mixsem.structural import MixtureFit
from mixsem.structural.path_model import compile_structural

EXACT = 1e-12
#: Central differences with a step of 1e-6.
DIFFERENCES = 1e-8

NAMES = ["x", "w", "m", "n", "y"]
MODEL = "m ~ x + w; n ~ m + x; y ~ m + n + w"


def mixture(model: str = MODEL, k: int = 2, **options: object) -> MixtureFit:
    rng = np.random.default_rng(5)
    Phi = []
    for g in range(12):
        B = np.zeros((5, 5))
        B[2, :2], B[3, [0, 2]], B[4, 1:4] = (0.5, 0.1), (0.2, 0.4), (0.1, 0.3, -0.3)
        B[2, 0] -= 0.5 * (g % 3 == 0)
        A = np.linalg.inv(np.eye(5) - B)
        Phi.append(np.cov(rng.multivariate_normal(np.zeros(5), A @ A.T, 200).T))
    means = rng.normal(size=(12, 5)) if options.get("meanstructure") else None
    given = mx.FactorMoments.from_covariances(Phi, n=[200] * 12, factors=NAMES, groups=range(12), means=means)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = mx.StructuralMixture(model, k, n_starts=20, **options).fit(given, seed=1)
    assert isinstance(found, MixtureFit)
    return found


@pytest.fixture(scope="module")
def fit() -> MixtureFit:
    return mixture()


@pytest.fixture(scope="module")
def errors(fit: MixtureFit) -> StandardErrors:
    own = standard_errors(fit)
    root = np.random.default_rng(0).normal(size=own.vcov.shape)
    return dataclasses.replace(own, vcov=own.vcov + 1e-4 * root @ root.T)


def moved(fit: MixtureFit, parameter: int, by: float) -> MixtureFit:
    """The same fit with one coefficient changed."""
    R = fit.path.outcome.size
    B = fit.B.copy()
    B[parameter // R, fit.path.outcome[parameter % R], fit.path.predictor[parameter % R]] += by
    return dataclasses.replace(fit, B=B)


def test_effects_are_sums_over_paths(fit: MixtureFit) -> None:
    """Along every path the regressions are multiplied, and over the paths they are added."""
    for c in range(2):
        b = dict(zip(fit.path.names, fit.coefficients[c], strict=True))
        by_hand = b["m~x"] * b["y~m"] + b["m~x"] * b["n~m"] * b["y~n"] + b["n~x"] * b["y~n"]
        found = {
            kind: effect_values(fit, find_effect(fit.path, kind, "y", "x"))[0][c] for kind in ("indirect", "total")
        }
        assert found["indirect"] == pytest.approx(by_hand, rel=EXACT)
        assert found["total"] == pytest.approx(by_hand, rel=EXACT)
        w = effect_values(fit, find_effect(fit.path, "total", "y", "w"))[0][c]
        assert w == pytest.approx(b["y~w"] + b["m~w"] * (b["y~m"] + b["n~m"] * b["y~n"]), rel=EXACT)


def test_derivatives_of_effects(fit: MixtureFit) -> None:
    for effect in effects_of(fit.path):
        _, gradients = effect_values(fit, effect)
        for p in range(fit.coefficients.size):
            up, down = (effect_values(moved(fit, p, step), effect)[0] for step in (1e-6, -1e-6))
            np.testing.assert_allclose(gradients[:, p], (up - down) / 2e-6, atol=DIFFERENCES)


def test_derivatives_of_definitions(fit: MixtureFit) -> None:
    texts = (
        "indirect(y ~ x) / total(n ~ x)",
        "exp((m ~ x)[1]) * (y ~ m)^2",
        "(m ~ x)[1] - (m ~ x)[2]",
        "sqrt(abs(y ~ n)) - 2",
    )
    for text in texts:
        gradients = np.array([q.gradient for q in evaluate(fit, text)])
        for p in range(fit.coefficients.size):
            up, down = (np.array([q.value for q in evaluate(moved(fit, p, s), text)]) for s in (1e-6, -1e-6))
            np.testing.assert_allclose(gradients[:, p], (up - down) / 2e-6, atol=DIFFERENCES)


def test_what_is_listed(fit: MixtureFit) -> None:
    names = [effect.name for effect in effects_of(fit.path)]
    assert names[: len(fit.path.names)] == [name.replace("~", " ~ ") for name in fit.path.names]
    pairs = {"n ~ x", "n ~ w", "y ~ x", "y ~ w", "y ~ m"}
    assert set(names[len(fit.path.names) :]) == {f"{kind}({p})" for kind in ("indirect", "total") for p in pairs}


def test_a_regression_fixed_at_zero_is_no_path() -> None:
    path = compile_structural("m ~ 0*x; y ~ x + m", ["x", "m", "y"])
    assert [effect.name for effect in effects_of(path)] == ["m ~ x", "y ~ x", "y ~ m"]
    with pytest.raises(OptionError, match="no path through another factor"):
        find_effect(path, "indirect", "y", "x")


def test_delta_method_by_hand(fit: MixtureFit, errors: StandardErrors) -> None:
    found = intervals(fit, errors, level=0.9, define={"ab": "m~x * n~m", "gap": "(m~x)[1] - (m~x)[2]"})
    frame = found.effects.set_index(["effect", "cluster"]).sort_index()
    R = fit.path.outcome.size
    for c in (1, 2):
        i, j = ((c - 1) * R + fit.path.names.index(name) for name in ("m~x", "n~m"))
        a, b = fit.coefficients.ravel()[[i, j]]
        V = errors.vcov
        se = np.sqrt(b**2 * V[i, i] + a**2 * V[j, j] + 2 * a * b * V[i, j])
        for name in ("ab", "indirect(n ~ x)"):
            row = frame.loc[(name, c)]
            assert row["estimate"] == pytest.approx(a * b, rel=EXACT)
            assert row["se"] == pytest.approx(se, rel=1e-10)
            assert row["lower"] == pytest.approx(a * b - norm.ppf(0.95) * se, rel=1e-10)
            assert row["p_value"] == pytest.approx(2 * norm.sf(abs(a * b / se)), rel=1e-8)
    gap = found.effects[found.effects["effect"] == "gap"]
    assert gap["cluster"].isna().all()
    row = found.differences[found.differences["effect"] == "m ~ x"].iloc[0]
    assert gap.iloc[0][["estimate", "se"]].tolist() == pytest.approx(row[["estimate", "se"]].tolist(), rel=EXACT)
    assert (row["cluster"], row["other"]) == (1, 2)
    assert "gap" not in set(found.differences["effect"])


def test_regressions_are_those_of_the_tests(fit: MixtureFit, errors: StandardErrors) -> None:
    direct = intervals(fit, errors).effects.query("kind == 'direct'").sort_values(["cluster"], kind="stable")
    zero = mx.wald(fit, errors).zero
    for column in ("estimate", "se", "z", "p_value", "lower", "upper"):
        np.testing.assert_allclose(direct[column], zero[column], rtol=1e-12)


def test_fixed_and_equal() -> None:
    fit = mixture("m ~ x + w; n ~ 0.4*m + x; y ~ m + n + w", equal=("y ~ n",))
    found = intervals(fit)
    frame = found.effects.set_index("effect")
    assert frame.loc["n ~ m", ["se", "lower", "upper"]].isna().all(axis=None)
    assert frame.loc["indirect(n ~ x)", "se"].notna().all()
    assert not {"n ~ m", "y ~ n"} & set(found.differences["effect"])


def test_effects_over_group_specific_regressions_are_none_of_a_cluster() -> None:
    fit = mixture("m ~ x + w; n ~ m + x; y ~ m + n + w", group_specific=("n ~ m",))
    names = [effect.name for effect in effects_of(fit.path)]
    assert "n ~ m" not in names
    assert "indirect(n ~ x)" not in names
    assert "indirect(y ~ m)" not in names
    assert "total(y ~ x)" not in names
    with pytest.raises(OptionError, match="no regression"):
        find_effect(fit.path, "direct", "n", "m")
    found = intervals(fit)
    assert found.effects["se"].notna().all()
    # What is the group's own counts in what the model implies.
    B = np.zeros((5, 5))
    B[fit.path.outcome, fit.path.predictor] = fit.group_coefficients[3, 1]
    A = np.linalg.inv(np.eye(5) - B)
    order = list(fit.path.factors)
    assert order == NAMES
    np.testing.assert_allclose(implied_covariances(fit)[3, 1], A @ fit.Psi[3, 1] @ A.T, rtol=1e-10)


def test_intercepts_are_on_no_path() -> None:
    fit = mixture(meanstructure=True)
    names = [effect.name for effect in effects_of(fit.path)]
    assert "m ~ 1" in names
    assert not [name for name in names if "(" in name and "1" in name]
    value = evaluate(fit, "m ~ 1[2]")[0].value
    assert value == fit.coefficients[1, fit.path.names.index("m~1")]
    assert len(evaluate(fit, "(y ~ 1) + (y ~ x)" if "y~x" in fit.path.names else "(y ~ 1) + (y ~ w)")) == 2


def test_one_cluster() -> None:
    found = intervals(mixture(k=1))
    assert found.differences.empty
    assert "Differences" not in repr(found)


@pytest.mark.parametrize(
    ("define", "said"),
    [
        ({"y ~ m": "y ~ m"}, "names that no effect of the model has"),
        ({"": "y ~ m"}, "names that no effect"),
        ({"a": "y ~ z"}, "'y ~ z' is no regression"),
        ({"a": 3}, "in the place of text"),
        ("y ~ m", "define= is a str"),
    ],
)
def test_definitions_are_checked(fit: MixtureFit, define: object, said: str) -> None:
    with pytest.raises(OptionError, match=said):
        intervals(fit, define=define)  # type: ignore[arg-type]


def test_it_prints(fit: MixtureFit, errors: StandardErrors) -> None:
    text = repr(intervals(fit, errors, level=0.9))
    for said in ("Effects with 90% intervals", "indirect(y ~ x)", "Differences between clusters", "90% interval"):
        assert said in text
