"""Wald tests: against numbers computed by hand, whatever the order of groups and clusters, and at their level."""

from __future__ import annotations

import dataclasses
import warnings

import numpy as np
import pytest
from scipy.stats import chi2, norm

import mixsem as mx
from mixsem.errors import ModelError, ModelSyntaxError, OptionError
from mixsem.mixtures.errors import StandardErrors, standard_errors
from mixsem.mixtures.known import known_errors
from mixsem.mixtures.wald import known_tests, wald
from mixsem.structural import MixtureFit

#: The same formula in another order of operations.
EXACT = 1e-10
#: The same maximum, reached from groups in another order.
SAME_MAXIMUM = 1e-6

MODEL = "m ~ x; y ~ x + m"


def moments(slopes: list[tuple[float, float, float]], n: int = 300, seed: int | None = None) -> mx.FactorMoments:
    """Groups with the regressions m ~ x, y ~ x, y ~ m; their covariances with sampling error if there is a seed."""
    rng = np.random.default_rng(seed)
    sizes = [n + 5 * g for g in range(len(slopes))]
    Phi = []
    for size, (a, c, b) in zip(sizes, slopes, strict=True):
        B = np.array([[0, 0, 0], [a, 0, 0], [c, b, 0]])
        A = np.linalg.inv(np.eye(3) - B)
        own = A @ A.T
        Phi.append(own if seed is None else np.cov(rng.multivariate_normal(np.zeros(3), own, size).T, bias=True))
    return mx.FactorMoments.from_covariances(Phi, n=sizes, factors=["x", "m", "y"], groups=range(len(slopes)))


def mixture(given: mx.FactorMoments, model: str = MODEL, k: int = 3, **options: object) -> MixtureFit:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = mx.StructuralMixture(model, k, n_starts=20, **options).fit(given, seed=1)
    assert isinstance(found, MixtureFit)
    return found


THREE = [(0.6, 0.0, 0.3)] * 6 + [(0.0, 0.4, 0.3)] * 5 + [(0.3, -0.4, 0.3)] * 4


@pytest.fixture(scope="module")
def fit() -> MixtureFit:
    return mixture(moments(THREE, seed=3))


@pytest.fixture(scope="module")
def errors(fit: MixtureFit) -> StandardErrors:
    """Errors that covary over clusters, as those after step 1 do."""
    own = standard_errors(fit)
    root = np.random.default_rng(0).normal(size=(9, 9))
    return dataclasses.replace(own, vcov=own.vcov + 2e-4 * root @ root.T)


def test_by_hand() -> None:
    """One predictor: the variance of a slope is its residual variance over the sum of n times that of x."""
    Phi = [[[1.0, 0.5], [0.5, 1.0]]] * 3 + [[[1.0, 0.1], [0.1, 1.0]]] * 5
    given = mx.FactorMoments.from_covariances(Phi, n=[300] * 8, factors=["x", "y"], groups=range(8))
    tests = wald(mixture(given, "y ~ x", 2))
    first, second = 0.99 / 1500, 0.75 / 900
    np.testing.assert_allclose(tests.zero["se"], np.sqrt([first, second]), rtol=1e-6)
    z = np.array([0.1, 0.5]) / np.sqrt([first, second])
    np.testing.assert_allclose(tests.zero["z"], z, rtol=1e-6)
    np.testing.assert_allclose(tests.zero["p_value"], 2 * norm.sf(z), rtol=1e-4)
    row = tests.equal.iloc[0]
    np.testing.assert_allclose(row["statistic"], 0.4**2 / (first + second), rtol=1e-6)
    assert row["df"] == 1
    assert tests.pairs["z"].iloc[0] ** 2 == pytest.approx(row["statistic"], rel=EXACT)
    joint = tests.joint.set_index("hypothesis")
    assert joint.loc["all regressions zero", "statistic"] == pytest.approx((z**2).sum(), rel=1e-6)
    assert joint.loc["all regressions equal over clusters", "statistic"] == pytest.approx(row["statistic"], rel=EXACT)


def test_equality_and_pairs_use_the_joint_covariance(fit: MixtureFit, errors: StandardErrors) -> None:
    tests = wald(fit, errors, level=0.9)
    b, V = fit.coefficients, errors.vcov
    for r in range(3):
        at = r + 3 * np.arange(3)
        C = np.array([[1.0, 0.0, -1.0], [0.0, 1.0, -1.0]])  # another base than the code's
        difference = C @ b[:, r]
        statistic = difference @ np.linalg.solve(C @ V[np.ix_(at, at)] @ C.T, difference)
        assert tests.equal.loc[r, "statistic"] == pytest.approx(statistic, rel=EXACT)
        assert tests.equal.loc[r, "p_value"] == pytest.approx(chi2.sf(statistic, 2), rel=1e-8)
    assert tests.equal["df"].tolist() == [2, 2, 2]
    assert len(tests.pairs) == 9
    for row in tests.pairs.itertuples():
        r = fit.path.names.index(f"{row.outcome}~{row.predictor}")
        i, j = 3 * (row.cluster - 1) + r, 3 * (row.other - 1) + r
        se = np.sqrt(V[i, i] + V[j, j] - 2 * V[i, j])
        assert row.estimate == pytest.approx(b.ravel()[i] - b.ravel()[j])
        assert row.se == pytest.approx(se, rel=EXACT)
        assert row.upper - row.lower == pytest.approx(2 * norm.ppf(0.95) * se, rel=EXACT)


def test_clusters_in_another_order(fit: MixtureFit, errors: StandardErrors) -> None:
    order = np.array([2, 0, 1])
    other = dataclasses.replace(
        fit,
        B=fit.B[order],
        Psi=fit.Psi[:, order],
        proportions=fit.proportions[order],
        posterior=fit.posterior[:, order],
    )
    at = (3 * order[:, None] + np.arange(3)).ravel()
    shuffled = dataclasses.replace(errors, fit=other, coefficients=other.coefficients, vcov=errors.vcov[np.ix_(at, at)])
    one, two = wald(fit, errors), wald(other, shuffled)
    np.testing.assert_allclose(one.equal["statistic"], two.equal["statistic"], rtol=EXACT)
    np.testing.assert_allclose(one.joint["statistic"], two.joint["statistic"], rtol=EXACT)
    np.testing.assert_allclose(np.sort(one.pairs["z"].abs()), np.sort(two.pairs["z"].abs()), rtol=EXACT)
    np.testing.assert_allclose(np.sort(one.zero["p_holm"]), np.sort(two.zero["p_holm"]), rtol=EXACT)


def test_groups_in_another_order(fit: MixtureFit) -> None:
    given = fit.moments
    order = np.random.default_rng(1).permutation(given.n_groups)
    other = mx.FactorMoments.from_covariances(
        given.Phi[order], n=given.n[order], factors=given.factors, groups=[given.groups[g] for g in order]
    )
    one, two = wald(fit), wald(mixture(other))
    for name in ("zero", "equal", "pairs"):
        left, right = getattr(one, name), getattr(two, name)
        np.testing.assert_allclose(left["p_value"], right["p_value"], atol=SAME_MAXIMUM)


def test_adjusted_p_values(fit: MixtureFit, errors: StandardErrors) -> None:
    tests = wald(fit, errors)
    p = np.sort(tests.pairs["p_value"])
    holm = np.minimum(np.maximum.accumulate(p * np.arange(9, 0, -1)), 1)
    np.testing.assert_allclose(np.sort(tests.pairs["p_holm"]), holm, rtol=EXACT)
    within = wald(fit, errors, family="regression").pairs
    own = within[within["predictor"] == "m"]
    assert own["p_holm"].min() == pytest.approx(min(1.0, 3 * own["p_value"].min()))
    assert (tests.pairs["p_fdr"] <= tests.pairs["p_holm"] + EXACT).all()


def test_fixed_and_equal_regressions() -> None:
    fit = mixture(moments(THREE, seed=3), "m ~ x; y ~ 0.2*x + m", equal=("y ~ m",))
    tests = wald(fit)
    zero = tests.zero.set_index(["outcome", "predictor", "cluster"]).sort_index()
    assert zero.loc[("y", "x")]["se"].isna().all()
    assert zero.loc[("y", "x")]["p_holm"].isna().all()
    same = zero.loc[("y", "m")]
    assert same["se"].nunique() == 1
    assert tests.equal[["outcome", "predictor"]].to_numpy().tolist() == [["m", "x"]]
    assert set(tests.pairs["outcome"]) == {"m"}
    # Three tests of m ~ x and one of y ~ m.
    assert zero["p_holm"].min() <= 4 * zero["p_value"].min() * (1 + EXACT)
    last = zero["p_value"].max()
    assert zero["p_fdr"].max() == pytest.approx(last)
    with pytest.raises(OptionError, match="fixed values only"):
        wald(fit, hypothesis="y ~ m[1] == y ~ m[2]")
    with pytest.raises(OptionError, match="cannot hold"):
        wald(fit, hypothesis="y ~ x == 0; m ~ x[1] == 0")


def test_one_cluster(fit: MixtureFit) -> None:
    tests = wald(mixture(fit.moments, k=1))
    assert len(tests.zero) == 3
    assert tests.equal.empty
    assert tests.pairs.empty
    assert list(tests.pairs.columns) == list(wald(fit).pairs.columns)
    assert tests.joint["hypothesis"].tolist() == ["all regressions zero"]
    assert "Is the regression zero?" in repr(tests)
    assert "Which clusters differ?" not in repr(tests)


# --- hypotheses -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "like"),
    [
        ("m ~ x[1] == m ~ x[2]", ["m~x[1]", -1.0, "m~x[2]"]),
        ("(m ~ x)[1] == (m ~ x)[2]  # a comment", ["m~x[1]", -1.0, "m~x[2]"]),
        ("m~x[ 1 ]-m~x[2]==0", ["m~x[1]", -1.0, "m~x[2]"]),
        ("2 * y~m[3] == (y~x[1] + y~x[2]) * 2", ["y~m[3]", -1.0, "y~x[1]", -1.0, "y~x[2]"]),
    ],
)
def test_text_and_matrix_agree(fit: MixtureFit, errors: StandardErrors, text: str, like: list[object]) -> None:
    C, weight = np.zeros(9), 1.0
    for entry in like:
        if isinstance(entry, float):
            weight = entry
        else:
            C[errors.names.index(str(entry))] = weight
    asked = wald(fit, errors, hypothesis={"text": text, "matrix": C}).hypotheses
    for column in ("statistic", "p_value"):
        assert asked.loc[0, column] == pytest.approx(asked.loc[1, column], rel=1e-9)
    value = C @ fit.coefficients.ravel()
    assert asked.loc[0, "statistic"] == pytest.approx(value**2 / (C @ errors.vcov @ C), rel=1e-9)


def test_right_hand_sides(fit: MixtureFit, errors: StandardErrors) -> None:
    C = np.eye(9)[:2]
    one = wald(fit, errors, hypothesis=C, value=[0.1, 0.2]).hypotheses.loc[0]
    two = wald(fit, errors, hypothesis="m ~ x[1] == 0.1; y ~ x[1] == .2").hypotheses.loc[0]
    assert one["statistic"] == pytest.approx(two["statistic"], rel=EXACT)
    assert one["df"] == two["df"] == 2


def test_what_names_no_cluster_is_said_of_every_cluster(fit: MixtureFit, errors: StandardErrors) -> None:
    every = "; ".join(f"m ~ x[{c}] == y ~ m[{c}]" for c in (1, 2, 3))
    asked = wald(fit, errors, hypothesis=["m ~ x == y ~ m", every]).hypotheses
    assert asked["df"].tolist() == [3, 3]
    assert asked.loc[0, "statistic"] == pytest.approx(asked.loc[1, "statistic"], rel=EXACT)


def test_what_follows_from_the_rest_is_not_counted(fit: MixtureFit, errors: StandardErrors) -> None:
    chain = "m ~ x[1] == m ~ x[2] == m ~ x[3]; m ~ x[3] == m ~ x[1]"
    row = wald(fit, errors, hypothesis=chain).hypotheses.loc[0]
    assert row["df"] == 2
    assert row["statistic"] == pytest.approx(wald(fit, errors).equal.loc[0, "statistic"], rel=1e-8)


def test_effects_in_hypotheses(fit: MixtureFit, errors: StandardErrors) -> None:
    named = ["indirect(y ~ x)[1] == 0", "(m ~ x)[1] * (y ~ m)[1] == 0", "total(y~x)[1] - (y~x)[1] == 0"]
    found = wald(fit, errors, hypothesis=named).hypotheses["statistic"].to_numpy()
    np.testing.assert_allclose(found, found[0], rtol=1e-9)


@pytest.mark.parametrize(
    ("hypothesis", "error", "said"),
    [
        ("m ~ x[1]", OptionError, "is no equation"),
        ("m ~ x[4] == 0", OptionError, r"there is no cluster \[4\]"),
        ("m ~ z[1] == 0", OptionError, "'m ~ z' is no regression of the model"),
        ("indirect(m ~ x) == 0", OptionError, "is no indirect effect"),
        ("mx == 0", OptionError, "'mx' is no regression"),
        ("0 == 0", OptionError, "names no regression"),
        ("m ~ x[1] == 0; m ~ x[1] == 1", OptionError, "cannot hold"),
        ("m ~ x[1] +* 2 == 0", ModelSyntaxError, "unexpected"),
        ("1 / (m ~ x[1] - m ~ x[1]) == 0", ModelError, "no finite value"),
        ("", OptionError, "empty"),
        (np.ones((2, 4)), OptionError, "9 columns"),
        (np.full((1, 9), np.nan), OptionError, "holds no numbers"),
        ({"a": 3}, OptionError, "9 columns"),
    ],
)
def test_what_is_no_hypothesis(fit: MixtureFit, errors: StandardErrors, hypothesis, error, said: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(error, match=said):
        wald(fit, errors, hypothesis=hypothesis)


def test_options_are_checked(fit: MixtureFit, errors: StandardErrors) -> None:
    with pytest.raises(OptionError, match="family='each'"):
        wald(fit, errors, family="each")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="level=95"):
        wald(fit, errors, level=95)
    with pytest.raises(OptionError, match="belong to another fit"):
        wald(dataclasses.replace(fit), errors)
    with pytest.raises(OptionError, match="errors= is a str"):
        wald(fit, "naive")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match=r"wald\(\) got dict"):
        wald({})  # type: ignore[arg-type]


def test_standard_errors_that_are_shown_unasked(fit: MixtureFit) -> None:
    assert known_errors(fit)[0] is None
    tests, reason = known_tests(fit)
    assert tests is None
    assert "given" in reason
    assert known_tests(fit, standard_errors(fit))[0] is not None


def test_it_prints(fit: MixtureFit, errors: StandardErrors) -> None:
    text = repr(wald(fit, errors, hypothesis="m ~ x[1] == m ~ x[2]"))
    for said in ("Wald tests:", "Is the regression zero?", "Which clusters differ?", "1 − 2", "m ~ x[1] == m ~ x[2]"):
        assert said in text
    assert "cannot show that there is more than one" in " ".join(text.split())


# --- level --------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_type_one_error_of_equality() -> None:
    """Two clusters that differ in m ~ x; y ~ m and y ~ x are the same: rejected in 5% of samples."""
    p = []
    for seed in range(300):
        slopes = [(0.5, 0.2, 0.3)] * 6 + [(0.0, 0.2, 0.3)] * 6
        found = mixture(moments(slopes, n=100, seed=seed), k=2)
        p.append(wald(found).equal["p_value"].to_numpy())
    rejected = (np.array(p) < 0.05).mean(axis=0)
    assert rejected[0] > 0.99
    # Three Monte Carlo standard errors.
    assert (np.abs(rejected[1:] - 0.05) < 3 * np.sqrt(0.05 * 0.95 / 300)).all()
