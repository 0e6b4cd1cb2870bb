"""Fits that the tests of the report share: small ones, with labels that try to break out."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from mixsem.factors import FactorMoments, factor_moments
from mixsem.measurement import MGCFA, MeasurementFit
from mixsem.simulate import Population, draw_frame, draw_truth
from mixsem.structural import MixtureFit, MixtureSelection, StructuralMixture

NASTY = ("<b>bold</b> & Co", "$5 & $6", "a|b", "two\nlines", "Côte, d'Ivoire", "日本国", 'say "so"', "_x_ `y`")
MODEL = """
  F1 =~ V1 + V2 + V3 + V4 + V5
  F2 =~ V6 + V7 + V8 + V9 + V10
  F3 =~ V11 + V12 + V13 + V14 + V15
"""


def simple_moments(slopes: list[float], labels: tuple[object, ...], n: int = 300) -> FactorMoments:
    """Two factors whose covariance is the slope."""
    Phi = np.array([[[1.0, b], [b, 1.0]] for b in slopes])
    return FactorMoments.from_covariances(
        Phi, n=[n + 10 * g for g in range(len(slopes))], factors=["x", "y"], groups=labels
    )


@pytest.fixture(scope="session")
def selection() -> MixtureSelection:
    """One to four clusters of eight groups with slopes around .6 and 0."""
    slopes = [0.6, 0.02, 0.58, -0.03, 0.63, 0.55, 0.04, 0.61]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fits = StructuralMixture("y ~ x", k=range(1, 5), n_starts=20).fit(simple_moments(slopes, NASTY), seed=1)
    assert isinstance(fits, MixtureSelection)
    return fits


@pytest.fixture(scope="session")
def fit(selection: MixtureSelection) -> MixtureFit:
    """Two clusters of eight groups."""
    return selection[2]


@pytest.fixture(scope="session")
def measurement() -> MeasurementFit:
    """Three factors of five items in six groups, the loading of V2 free."""
    truth = draw_truth(Population(n_groups=6, n_clusters=2, group_size=120), seed=3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return MGCFA(MODEL, partial=("F1 =~ V2",)).fit(draw_frame(truth, seed=3), "group")


@pytest.fixture(scope="session")
def whole(measurement: MeasurementFit) -> MixtureSelection:
    """The clustering that follows on the measurement model."""
    mixture = StructuralMixture("F3 ~ F1 + 0.2*F2", k=[1, 2, 3], n_starts=20)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fits = mixture.fit(factor_moments(measurement), seed=1)
    assert isinstance(fits, MixtureSelection)
    return fits
