"""R-hat and effective sample sizes against ArviZ, one quantity at a time there, and all at once here."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from mixsem.bayes import convergence as module
from mixsem.bayes.convergence import Convergence, convergence, energy_fraction

with warnings.catch_warnings():
    warnings.simplefilter("ignore", FutureWarning)
    import arviz

#: Both sum the same numbers in another order.
SAME = 1e-8


def chains(n_chains: int, n_draws: int, seed: int = 1) -> np.ndarray:
    """Autoregressive draws: from antithetic to hardly moving, apart, unequally wide, in steps, heavy-tailed."""
    rng = np.random.default_rng(seed)
    phi = np.array([-0.7, -0.3, 0.0, 0.3, 0.7, 0.95, 0.995, 0.2, 0.2, 0.2, 0.5, 0.0, 0.0])
    x = rng.normal(size=(n_chains, n_draws, phi.size))
    for t in range(1, n_draws):
        x[:, t] += phi * x[:, t - 1]
    x[0, :, 7] += 1.0  # one chain elsewhere
    x[0, :, 8] *= 3.0  # one chain wider
    x[:, :, 9] += np.linspace(0, 2, n_draws)  # drifting
    x[:, :, 10] = np.round(x[:, :, 10])  # many ties
    x[:, 1::3, 11] = x[:, : n_draws - 1 : 3, 11][:, : x[:, 1::3, 11].shape[1]]  # rejected proposals
    x[:, :, 12] = np.tan(1.5 * np.tanh(x[:, :, 12]))
    return x


def arviz_says(x: np.ndarray) -> Convergence:
    """ArviZ, one quantity after the other."""
    columns = [x[:, :, i] for i in range(x.shape[2])]
    return Convergence(
        np.array([arviz.rhat(c) for c in columns]),
        np.array([arviz.ess(c, method="bulk") for c in columns]),
        np.array([arviz.ess(c, method="tail") for c in columns]),
    )


@pytest.mark.parametrize(("n_chains", "n_draws"), [(4, 500), (2, 101), (3, 12), (2, 9), (4, 4), (8, 250)])
def test_as_arviz(n_chains: int, n_draws: int) -> None:
    x = chains(n_chains, n_draws)
    ours, theirs = convergence(x), arviz_says(x)
    np.testing.assert_allclose(ours.rhat, theirs.rhat, rtol=SAME)
    np.testing.assert_allclose(ours.ess_bulk, theirs.ess_bulk, rtol=SAME)
    np.testing.assert_allclose(ours.ess_tail, theirs.ess_tail, rtol=SAME)


def test_one_chain_has_an_r_hat_of_its_halves() -> None:
    """ArviZ has no R-hat for one chain; effective sizes it has."""
    x = chains(1, 400)
    ours = convergence(x)
    theirs = [arviz.ess(x[:, :, i], method="bulk") for i in range(x.shape[2])]
    np.testing.assert_allclose(ours.ess_bulk, theirs, rtol=SAME)
    assert ours.rhat[9] > 1.05  # it drifts
    assert 0.99 < ours.rhat[2] < 1.02


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    x = chains(4, 100)
    whole = convergence(x)
    monkeypatch.setattr(module, "CHUNK", 1)
    single = convergence(x)
    for name in ("rhat", "ess_bulk", "ess_tail"):
        np.testing.assert_allclose(getattr(single, name), getattr(whole, name), rtol=1e-13)


def test_constant_and_infinite_quantities_have_none() -> None:
    x = chains(4, 100)[:, :, :4]
    expected = convergence(x)
    x[:, :, 1] = 3.0
    x[2, 5, 3] = np.inf
    got = convergence(x)
    for name in ("rhat", "ess_bulk", "ess_tail"):
        values = getattr(got, name)
        assert np.isnan(values[[1, 3]]).all()
        assert (values[[0, 2]] == getattr(expected, name)[[0, 2]]).all()


def test_nothing_to_diagnose() -> None:
    assert convergence(np.empty((4, 100, 0))).rhat.shape == (0,)
    assert np.isnan(convergence(np.random.default_rng(1).normal(size=(4, 3, 2))).ess_bulk).all()


def test_rank_normalization_does_not_see_scales() -> None:
    x = chains(4, 200)[:, :, :1]
    np.testing.assert_allclose(convergence(np.exp(x)).ess_bulk, convergence(x).ess_bulk, rtol=1e-13)


def test_energy_fraction_as_arviz() -> None:
    energy = chains(4, 300)[:, :, 5]
    np.testing.assert_allclose(energy_fraction(energy), arviz.bfmi(energy), rtol=1e-12)
