"""Simulation-based calibration, a short form of `benchmarks/sbc.py`: ranks of the truth among draws are uniform."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
#: Fits per design. Seeds are fixed, so that a result repeats; at these a right posterior passes with 99 percent.
REPLICATIONS = 60


@pytest.fixture(scope="module")
def sbc() -> ModuleType:
    """The runner, which is a script and not part of the package."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        spec = spec_from_file_location("sbc_runner", BENCHMARKS / "sbc.py")
        assert spec is not None and spec.loader is not None
        module = module_from_spec(spec)
        sys.modules[spec.name] = module  # dataclasses look their module up
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(BENCHMARKS))
    return module


@pytest.mark.slow
@pytest.mark.parametrize("name", ["MGBCFA", "MGBCFA symmetric", "MLCFA"])
def test_posteriors_are_calibrated(sbc: ModuleType, name: str):
    table, smallest = sbc.judge(sbc.run(sbc.DESIGNS[name], REPLICATIONS, seed=2))
    assert smallest >= sbc.LEVEL, table


@pytest.mark.slow
@pytest.mark.parametrize("mistake", ["means ignored in groups of 8", "every person counted twice"])
def test_a_planted_mistake_is_found(sbc: ModuleType, mistake: str):
    """One degree of freedom too many per group, and posteriors too narrow by the square root of two."""
    table, smallest = sbc.judge(sbc.run(sbc.PLANTED[mistake], REPLICATIONS, seed=2))
    assert smallest < sbc.LEVEL, table


def test_the_tests_of_uniformity_find_what_is_not_uniform(sbc: ModuleType):
    """Ranks of too narrow, too wide and shifted posteriors; and ranks as they should be."""
    rng = np.random.default_rng(1)
    n = 300
    truth = rng.standard_normal((n, 1))
    data = truth + rng.standard_normal((n, 1))

    def ranks(scale: float = 1.0, shift: float = 0.0) -> np.ndarray:
        draws = data / 2 + shift + scale * np.sqrt(0.5) * rng.standard_normal((n, sbc.N_DRAWS))
        return (draws < truth).sum(axis=1)

    assert sbc.judge({"right": ranks()})[1] > sbc.LEVEL
    for wrong in (ranks(scale=0.7), ranks(scale=1.5), ranks(shift=0.3)):
        assert sbc.judge({"wrong": wrong})[1] < sbc.LEVEL
