"""The sampler: same seed, same draws, whichever way and on however many cores it runs."""

from __future__ import annotations

import numpy as np
import pytest

import mixsem as mx
from mixsem.bayes.estimate import compile_posterior
from mixsem.bayes.nuts import Report, run_nuts
from mixsem.bayes.posterior import Equal, Posterior, Random
from mixsem.bayes.sampling import sample_posterior
from mixsem.bayes.start import central_point, scattered_point
from mixsem.kernels.shear import sheared_parameters
from mixsem.syntax.sem import parse_model
from mixsem.syntax.table import measurement_table

SHORT = mx.Sampling(chains=3, warmup=150, draws=100, cores=1)


@pytest.fixture(scope="module")
def posterior() -> Posterior:
    population = mx.simulate.Population(n_groups=12, group_size=60, kind="multilevel")
    moments = mx.simulate.draw_moments(mx.simulate.draw_truth(population, seed=1), seed=1)
    table = measurement_table(parse_model("F =~ V1 + V2 + V3 + V4"), groups=moments.groups)
    return compile_posterior(table, moments, lambda m, e: Random() if m.matrix[e] == 0 else Equal(), mx.Priors())


def draw(
    posterior: Posterior, sampling: mx.Sampling = SHORT, *, seed: int = 3, native: bool = True, report: Report = None
) -> np.ndarray:
    centre = central_point(posterior)

    def start(chain_seed: int) -> np.ndarray:
        point = np.empty(posterior.n_coordinates)
        sheared_parameters(
            posterior.problem, scattered_point(posterior, centre, np.random.default_rng(chain_seed)), point
        )
        return point

    seeds = [seed + 100 * c for c in range(sampling.chains)]
    return run_nuts(posterior.problem, start, sampling, seeds, report, native).x


def test_draws_do_not_depend_on_the_number_of_cores(posterior: Posterior) -> None:
    two = mx.Sampling(chains=3, warmup=150, draws=100, cores=2)
    np.testing.assert_array_equal(draw(posterior), draw(posterior, two))


def test_calls_through_python_give_the_same_draws(posterior: Posterior) -> None:
    np.testing.assert_array_equal(draw(posterior), draw(posterior, native=False))


def test_the_installed_library_is_called_by_its_compiled_entry(
    posterior: Posterior, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The way through Python gives the same draws: nothing else would tell of a version with other internals."""
    monkeypatch.setattr("mixsem.bayes.nuts._run_through_python", lambda *_: pytest.fail("called through Python"))
    assert np.isfinite(draw(posterior)).all()


def test_another_seed_gives_other_draws_and_chains_differ(posterior: Posterior) -> None:
    x = draw(posterior)
    assert not np.isclose(x, draw(posterior, seed=4)).all(axis=(0, 1)).any()
    assert not np.isclose(x[0], x[1]).any(axis=0).all()


def test_progress_is_reported_up_to_the_end(posterior: Posterior) -> None:
    told: list[tuple[int, int]] = []
    long = mx.Sampling(chains=2, warmup=2000, draws=2000, cores=1)
    sample_posterior(posterior, long, np.random.SeedSequence(1), lambda done, total: told.append((done, total)))
    assert told
    assert all(0 <= done <= total == 8000 for done, total in told)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_a_library_without_the_native_entry_is_called_through_python(
    posterior: Posterior, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = draw(posterior)
    monkeypatch.delattr("nutpie._lib.PyMcModel")
    np.testing.assert_array_equal(draw(posterior), expected)


def test_a_chain_that_cannot_start_is_an_error_that_says_so(posterior: Posterior) -> None:
    with pytest.raises(mx.errors.ModelError, match="the sampler could not run") as caught:
        run_nuts(posterior.problem, lambda seed: np.full(posterior.n_coordinates, np.nan), SHORT, [1, 2, 3])
    assert caught.value.allowed and caught.value.todo


@pytest.mark.parametrize("native", [True, False])
def test_both_ways_report_and_name_what_cannot_start(posterior: Posterior, native: bool) -> None:
    told: list[tuple[int, int]] = []
    draw(posterior, report=lambda done, total: told.append((done, total)), native=native)
    each = SHORT.warmup + SHORT.draws
    assert told[-1] == (SHORT.chains * each, SHORT.chains * each)
    with pytest.raises(mx.errors.ModelError, match="could not run"):
        run_nuts(posterior.problem, lambda _: np.full(posterior.n_coordinates, np.nan), SHORT, [1], None, native)
