"""Information criteria, entropy, the convex hull, and fit measures at their edges."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ncx2

from mixsem.inference.criteria import convex_hull, criteria, entropy, entropy_r2
from mixsem.inference.fitmeasures import fit_measures, rmsea_interval, srmr


def test_criteria_by_hand():
    posterior = np.array([[0.5, 0.5], [1.0, 0.0], [0.9, 0.1]])
    c = criteria(-100.0, 10, n_groups=24, n_people=4800, posterior=posterior)
    assert c.aic == 220.0 and c.aic3 == 230.0
    assert c.bic_g == pytest.approx(200 + 10 * np.log(24))
    assert c.bic_n == pytest.approx(200 + 10 * np.log(4800))
    uncertain = np.log(2) - 0.9 * np.log(0.9) - 0.1 * np.log(0.1)
    assert c.icl == pytest.approx(c.bic_g + 2 * uncertain)


def test_entropy_r2_from_certain_to_nothing_known():
    assert entropy_r2(np.eye(2)[[0, 1, 0, 1]], np.array([0.5, 0.5])) == pytest.approx(1.0)
    assert entropy_r2(np.full((4, 2), 0.5), np.array([0.5, 0.5])) == pytest.approx(0.0)
    assert entropy_r2(np.ones((4, 1)), np.array([1.0])) == 1.0
    assert entropy(np.array([1.0, 0.0])) == 0.0


HULLS = {
    "elbow at the second": ([1, 2, 3, 4], [0, 50, 55, 57], 1),
    "elbow at the third": ([1, 2, 3, 4, 5], [0, 40, 80, 82, 83], 2),
    "a point below the hull is passed over": ([1, 2, 3, 4], [0, 5, 50, 52], 2),
    "unequal steps": ([10, 20, 21, 40], [0, 10, 30, 31], 2),
    "two models only": ([1, 2], [0, 10], None),
    "one model only": ([1], [0], None),
    "a worse model at the end": ([1, 2, 3, 4], [0, 50, 55, 54], 1),
    "a straight line has no elbow": ([1, 2, 3], [0, 10, 20], None),
    "range that starts at three": ([30, 40, 50, 60], [-90, -50, -48, -47], 1),
}


@pytest.mark.parametrize("name", HULLS)
def test_hull(name):
    n_params, loglik, chosen = HULLS[name]
    choice = convex_hull(n_params, loglik)
    assert choice.chosen == chosen
    assert choice.on_hull[0] and bool(choice.remark) == (chosen is None)


def test_scree_ratio_by_hand():
    choice = convex_hull([10, 14, 18, 22], [-100.0, -60.0, -55.0, -53.0])
    np.testing.assert_allclose(choice.ratio, [np.nan, (40 / 4) / (5 / 4), (5 / 4) / (2 / 4), np.nan])


@pytest.mark.parametrize("end", [60.0, 60.0 - 1e-9, 60.0 + 1e-9])
def test_a_model_after_which_nothing_is_gained_is_the_elbow(end: float) -> None:
    choice = convex_hull([1, 2, 3, 4], [0.0, 50.0, 60.0, end])
    assert choice.chosen == 2 and np.isinf(choice.ratio[2])
    assert "nothing is gained after" in choice.remark


def test_an_infinite_ratio_of_a_model_that_gains_nothing_itself_is_passed_over():
    """Figure 5 of the MixML-SEM paper: two clusters, the third gains 1e-10, the fourth nothing."""
    choice = convex_hull([628, 633, 638, 643, 648], [-491600.0, -490450.0, -490450.0 + 1e-10, -490450.0, -490450.0])
    assert choice.chosen == 1
    choice = convex_hull([1, 2, 3, 4], [0.0, 50.0, 50.01, 50.01])
    assert choice.chosen == 1 and np.isinf(choice.ratio[2])
    assert "passed over" in choice.remark


def test_exact_clusters_are_found_where_more_clusters_gain_nothing():
    """Log-likelihoods of the factors in a data set whose covariances are exactly those of four clusters."""
    exact = [-26039.123, -25914.388, -25819.03, -25764.262, -25764.262, -25764.262]
    assert convex_hull([628, 633, 638, 643, 648, 653], exact).chosen == 3


def test_hull_does_not_depend_on_order_or_scale():
    P, L = [10, 14, 18, 22, 26], [-1000.0, -940.0, -900.0, -899.0, -898.5]
    base = convex_hull(P, L)
    order = [3, 0, 4, 2, 1]
    shuffled = convex_hull([P[i] for i in order], [L[i] for i in order])
    assert order[shuffled.chosen] == base.chosen
    assert convex_hull([3 * p for p in P], [7 * x + 5 for x in L]).chosen == base.chosen


def test_rmsea_interval_solves_its_equations():
    lower, upper, close = rmsea_interval(85.306, 24, 301, 1)
    for limit, probability in ((lower, 0.95), (upper, 0.05)):
        assert ncx2.cdf(85.306, 24, limit**2 * 301 * 24) == pytest.approx(probability, abs=1e-8)
    assert 0 < close < 0.01
    assert rmsea_interval(3.0, 24, 301, 1)[0] == 0.0


def test_saturated_model_has_no_test():
    S = np.array([[[1.0, 0.5], [0.5, 1.0]]])
    n = np.array([100])
    measures = fit_measures(chisq=0.0, df=0, n_params=3, loglik=-250.0, n=n, S=S, residual_srmr=0.0)
    assert np.isnan(measures.pvalue) and measures.rmsea == 0 and measures.cfi == 1 and measures.tli == 1


def test_srmr_by_hand():
    S = np.array([[[4.0, 1.0], [1.0, 1.0]]])
    Sigma = np.array([[[4.0, 0.6], [0.6, 1.0]]])
    assert srmr(Sigma, S, np.array([50]), None) == pytest.approx(np.sqrt(0.2**2 / 3))
    means = np.array([[0.2, 0.0]])
    assert srmr(Sigma, S, np.array([50]), means) == pytest.approx(np.sqrt((0.2**2 + 0.1**2) / 5))
