"""Step 2: the mapping against lavaan's sam(), and what happens to matrices that are not positive definite."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest

import mixsem as mx
from mixsem.errors import DataError, NonPositiveDefiniteWarning
from mixsem.factors.moments import positive_uniqueness, repair_covariances
from mixsem.factors.sam import mapping_matrix

LAVAAN = json.loads((Path(__file__).parent.parent / "reference" / "mgcfa.json").read_text())
LOCAL = {case["name"]: case for case in LAVAAN["sam"] if case["method"] == "local" and "factor_cov" in case}

#: sam() fits its measurement blocks with lavaan's default optimiser, which stops about this far from the maximum
#: (relative; the blocks fitted by themselves in mgcfa.json were refined, and agree to 1e-6 in test_lavaan.py).
TOLERANCE = 5e-6


def regressions(Phi: np.ndarray, factors: tuple[str, ...]) -> dict[str, float]:
    """Slopes of dem60 ~ ind60 and dem65 ~ ind60 + dem60."""
    ind, dem60, dem65 = (factors.index(f) for f in ("ind60", "dem60", "dem65"))
    second = np.linalg.solve(Phi[np.ix_([ind, dem60], [ind, dem60])], Phi[[ind, dem60], dem65])
    return {"dem60~ind60": Phi[ind, dem60] / Phi[ind, ind], "dem65~ind60": second[0], "dem65~dem60": second[1]}


def political_democracy(blocks) -> mx.FactorMoments:
    measurement = "ind60 =~ x1 + x2 + x3\ndem60 =~ y1 + y2 + y3 + y4\ndem65 =~ y5 + y6 + y7 + y8"
    return mx.factor_moments(mx.MGCFA(measurement, blocks=blocks).fit(mx.data.political_democracy()))


@pytest.mark.parametrize(
    ("blocks", "slopes"),
    [
        ([["ind60"], ["dem60", "dem65"]], (1.472, 0.423, 0.848)),
        ("factor", (1.448, 0.369, 0.803)),
    ],
)
def test_slopes_of_the_sam_paper(blocks, slopes):
    """Local structural-after-measurement on the democracy data, as published with lavaan's sam()."""
    moments = political_democracy(blocks)
    found = regressions(moments.Phi[0], moments.factors)
    assert tuple(round(v, 3) for v in found.values()) == slopes


@pytest.mark.parametrize("name", LOCAL)
def test_factor_covariances_equal_lavaans(name):
    case = LOCAL[name]
    data = LAVAAN["data"][case["data"]]
    moments = mx.SampleMoments.from_covariances(
        {"all": np.array(data["cov"], dtype=float).reshape(len(data["items"]), -1)},
        n=int(np.atleast_1d(data["n"])[0]),
        items=data["items"],
        divisor="n",
    )
    blocks = [[b] if isinstance(b, str) else b for b in case["blocks"]]
    step2 = mx.factor_moments(mx.MGCFA("\n".join(case["measurement"]), blocks=blocks).fit(moments))
    stored = case["factor_cov"]
    order = [step2.factors.index(f) for f in stored["factors"]]
    expected = np.array(stored["cov"], dtype=float).reshape(len(order), len(order))
    np.testing.assert_allclose(step2.Phi[0][np.ix_(order, order)], expected, rtol=TOLERANCE)


def test_mapping_is_a_left_inverse_of_the_loadings():
    rng = np.random.default_rng(1)
    Lambda = rng.normal(size=(5, 8, 3))
    Theta = rng.uniform(0.2, 1.0, size=(5, 8))[:, :, None] * np.eye(8)
    M = mapping_matrix(Lambda, Theta)
    np.testing.assert_allclose(M @ Lambda, np.broadcast_to(np.eye(3), (5, 3, 3)), atol=1e-12)


def test_exact_structure_is_mapped_exactly():
    """If S = Lambda Phi Lambda' + Theta holds, Phi comes back, whatever the blocks."""
    truth = mx.simulate.draw_truth(mx.simulate.Population(n_groups=6, n_clusters=2), seed=1)
    S = mx.simulate.draw_moments(truth, seed=1, sample="fixed")
    measurement = "\n".join(f"F{q} =~ " + " + ".join(f"V{5 * q - 5 + j}" for j in range(1, 6)) for q in range(1, 5))
    for blocks in ("factor", "joint"):
        step2 = mx.factor_moments(mx.MGCFA(measurement, blocks=blocks).fit(S))
        np.testing.assert_allclose(step2.Phi, truth.Phi, atol=1e-7)
        score = step2.reliability
        assert ((score > 0.5) & (score < 1)).all()


def test_indefinite_factor_covariances_are_repaired_and_named():
    """Two scales that are one and the same: sampling error pushes their correlation beyond 1 in some groups."""
    rng = np.random.default_rng(3)
    covariances = {}
    for group in "abcdefgh":
        f = rng.normal(size=40)
        x = 0.7 * f[:, None] + rng.normal(size=(40, 6))
        covariances[group] = np.cov(x.T, bias=True)
    moments = mx.SampleMoments.from_covariances(covariances, n=40, items=[f"x{i}" for i in range(1, 7)], divisor="n")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        step1 = mx.MGCFA("f =~ x1 + x2 + x3\nh =~ x4 + x5 + x6").fit(moments)
    with pytest.warns(NonPositiveDefiniteWarning, match="nearest one that is"):
        step2 = mx.factor_moments(step1)
    named = next(n for n in reversed(step2.notices) if n.name == "NonPositiveDefiniteWarning").groups
    assert 0 < len(named) < 8
    assert (np.linalg.eigvalsh(step2.Phi) > 0).all()


def test_repair_touches_only_what_is_broken_and_keeps_the_variances_sensible():
    good = np.array([[1.0, 0.5], [0.5, 2.0]])
    beyond = np.array([[1.0, 1.2], [1.2, 1.0]])
    negative = np.array([[-0.1, 0.1], [0.1, 1.0]])
    Phi, repaired = repair_covariances(np.array([good, beyond, negative]), np.full((3, 2), 2.0))
    assert repaired.tolist() == [False, True, True]
    np.testing.assert_array_equal(Phi[0], good)
    assert (np.linalg.eigvalsh(Phi) > 0).all()
    correlation = Phi[1, 0, 1] / np.sqrt(Phi[1, 0, 0] * Phi[1, 1, 1])
    assert 0.99 < correlation < 1
    assert 0 < Phi[2, 0, 0] < 0.1


def test_repair_is_the_nearest_in_the_scale_of_the_factors():
    """No other matrix with eigenvalues above the limit is closer to the one that was broken."""
    broken = np.array([[[1.0, 0.9, 0.1], [0.9, 1.0, 0.9], [0.1, 0.9, 1.0]]])
    Phi, _ = repair_covariances(broken, np.ones((1, 3)))
    best = np.linalg.norm(Phi - broken)
    rng = np.random.default_rng(4)
    for _ in range(200):
        nudged = Phi[0] + 0.1 * (lambda e: e + e.T)(rng.normal(size=(3, 3)))
        values, vectors = np.linalg.eigh(nudged)
        other = (vectors * np.maximum(values, 1e-3)) @ vectors.T
        assert np.linalg.norm(other - broken[0]) >= best - 1e-12


def test_repair_leaves_no_more_certainty_than_the_group_s_size_and_reliability_allow():
    broken = np.array([[[1.0, 1.05], [1.05, 1.0]]] * 3)
    error, n = np.array([[0.2, 0.2], [0.2, 0.2], [0.4, 0.2]]), np.array([25, 400, 25])
    Phi, repaired = repair_covariances(broken, np.full((3, 2), 1.2), error=error, n=n)
    assert repaired.all()
    smallest = np.linalg.eigvalsh(Phi)[:, 0]
    # In the direction (1, -1)/sqrt(2) the error variance is the mean of both.
    np.testing.assert_allclose(smallest, [0.2 * np.sqrt(2 / 25), 0.2 * np.sqrt(2 / 400), 0.3 * np.sqrt(2 / 25)])
    np.testing.assert_allclose(np.linalg.eigvalsh(Phi)[:, 1], 2.05)
    good = np.array([[[1.0, 0.999], [0.999, 1.0]]])
    kept, _ = repair_covariances(good, np.ones((1, 2)), error=np.ones((1, 2)), n=np.array([10]))
    np.testing.assert_array_equal(kept, good)


def test_one_repaired_group_does_not_make_a_cluster_of_its_own():
    """A data set of a simulation study in which a group of 25 once gave regressions of 3 and -3."""
    study = mx.studies.read_study("mixml-1")
    data = mx.studies.dataset(study, 285, 1)
    step1 = mx.MLCFA(data.truth.measurement, random=data.truth.random, method="laplace").fit(data.moments, seed=1)
    with pytest.warns(NonPositiveDefiniteWarning, match="41"):
        step2 = mx.factor_moments(step1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = mx.StructuralMixture(data.truth.structural, 4, n_starts=20).fit(step2, seed=1)
    assert abs(fit.B).max() < 1.5  # .4 in truth; a cluster of few small groups is far off, one of a broken group absurd


def test_heywood_cases_do_not_get_negative_weights():
    observed = np.eye(3)[None] * 2.0
    Theta = np.diag([-0.5, 0.4, 0.6])[None]
    positive = positive_uniqueness(Theta, observed)
    np.testing.assert_allclose(np.diagonal(positive[0]), [0.002, 0.4, 0.6])
    M = mapping_matrix(np.ones((1, 3, 1)), positive)
    assert M[0, 0, 0] > 0.98 and (M > 0).all()


@pytest.mark.parametrize(
    ("Phi", "message"),
    [
        (np.array([[[1.0, 2.0], [2.0, 1.0]]]), "not positive definite in a"),
        (np.array([[[1.0, 0.2], [0.5, 1.0]]]), "not symmetric"),
        (np.ones((1, 3, 3)), "shape"),
    ],
)
def test_given_covariances_are_checked(Phi, message):
    with pytest.raises(DataError, match=message):
        mx.FactorMoments.from_covariances(Phi, n=[100], factors=["F", "H"], groups=["a"])
